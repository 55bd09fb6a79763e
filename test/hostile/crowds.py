"""crowds -- everybody at once, while a friend comes in; against a server in a box of 256 MiB, too; and what each who
is slow holds."""
import contextlib
import os
import pathlib
import random
import resource
import signal
import socket
import ssl
import struct
import time

from rig import (CONFIG, GOOD, IS_ASAN, MODE, Client, expect, free_port, good_mail, healthy, rss, server, stop, wait_for)

BOX = (1024 if IS_ASAN else 256) << 20
SECONDS = {"fast": 1, "normal": 1, "long": 30}[MODE]
PATIENCE = {"fast": 3, "normal": 3, "long": 60}[MODE]
PART = 4 if IS_ASAN else 1
N_SLOW = {"fast": 300, "normal": 1500, "long": 10000}[MODE] // PART
N_BOXED = {"fast": 300, "normal": 1500, "long": 5500}[MODE] // PART
N_TLS = {"fast": 50, "normal": 200, "long": 1000}[MODE] // PART
N_EACH = {"fast": 200, "normal": 1000, "long": 6000}[MODE]
N_GONE = {"fast": 50, "normal": 200, "long": 1000}[MODE] // PART
STORM = 300                     # connections a second that are reset
TCP_REPAIR = 19
MORE = """\
limits: {{ connections_per_ip: none, per_ip: none, connections: 30000, memory: 64M }}
timeouts: {{ server: {{ command: {patience}s, data: {patience}s, write: {patience}s }} }}
"""


class Box:
    """A control group of so much memory, where we may make one; `kind' tells what it is."""

    def __init__(self, is_wanted):
        self.kind, self.path = "no box", None
        for top, most, peak in (("/sys/fs/cgroup", "memory.max", "memory.peak"),
                                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes")):
            path = pathlib.Path(top) / f"nightmail-test-{os.getpid()}"
            if not is_wanted:
                continue
            try:
                path.mkdir()
                if not (path / most).exists():      # a directory like any other
                    raise FileNotFoundError(most)
                (path / most).write_text(str(BOX))
            except OSError:
                with contextlib.suppress(OSError):
                    path.rmdir()
                continue
            self.kind, self.path, self.peak = f"{most} of {BOX >> 20} MiB", path, path / peak
            return

    def __enter__(self):
        return self

    def __exit__(self, *why):
        if self.path:
            wait_for(lambda: not (self.path / "cgroup.procs").read_text(), 10)
            with contextlib.suppress(OSError):
                self.path.rmdir()

    def wrap(self, binary, where):
        wrapper = where / "boxed"
        into = f"echo $$ >{self.path}/cgroup.procs\n" if self.path else ""
        wrapper.write_text(f'#!/bin/sh\n{into}ulimit -n {2 * (N_SLOW + N_TLS + N_GONE) + 2000} 2>/dev/null\nexec {binary} "$@"\n')
        wrapper.chmod(0o755)
        return str(wrapper)

    def peak_mib(self):
        try:
            return int(self.peak.read_text()) >> 20 if self.path else 0
        except OSError:
            return 0


def dial(port, i):
    c = socket.socket()
    c.settimeout(30)
    c.bind((f"127.0.{4 + i % 200}.{1 + i // 200 % 250}", 0))
    c.connect(("127.0.0.1", port))
    return c


# ---- each is a process of its own: begin(ports) makes what it holds, and then it goes on until it is ended ----

def slow(ports, n):
    """Half a command, a message octet by octet, replies that nobody reads."""
    held = []
    for i in range(n):
        c = dial(ports[0], i)
        if i % 3 == 2:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        c.sendall((b"EHL", b"EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@hostile.test>\r\nDATA\r\nSubj",
                   b"EHLO x.test\r\n" + b"HELP\r\n" * 90)[i % 3])
        held.append(c)
    yield
    for at in range(1 << 30):
        for c in held[at % 20::20]:
            with contextlib.suppress(OSError):
                c.send(b"x")
        time.sleep(0.5)
        yield


def handshakes(ports, _):
    """Hellos of TLS that come octet by octet."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508)
    held = [dial(ports[1], i) for i in range(N_TLS)]
    yield
    for at in range(1 << 30):
        for c in held:
            with contextlib.suppress(OSError):
                c.send(hello[at % 400:at % 400 + 1])
        time.sleep(0.2)
        yield


def gone(ports, _):
    """Clients that vanish without a word: nothing is sent when they close."""
    for i in range(N_GONE):
        c = dial(ports[i % 2], i)
        with contextlib.suppress(OSError):
            c.send(b"EHLO x.test\r\nMAIL"[:i % 18])
        try:
            c.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except OSError:
            c.shutdown(socket.SHUT_WR)
        c.close()
    yield
    while True:
        time.sleep(1)
        yield


def resets(ports, _):
    """Connections that are reset at any moment."""
    rng = random.Random(5)
    text = b"EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@hostile.test>\r\nBDAT 100 LAST\r\nSubject: x\r\n"
    yield
    while True:
        for _ in range(STORM // 10):
            c = dial(ports[rng.randrange(2)], rng.randrange(40000))
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                c.send(text[:rng.randrange(len(text))])
            c.close()
        time.sleep(0.1)
        yield


def endless(ports, _):
    """Lines without an end, recipients and empty chunks by the thousand, again and again."""
    floods = (b"x" * 65536, b"EHLO x.test\r\nMAIL FROM:<a@b.test>\r\n" + b"RCPT TO:<alice@hostile.test>\r\n" * 2000,
              b"EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@hostile.test>\r\n" + b"BDAT 0\r\n" * 5000)
    yield
    for i in range(1 << 30):
        c = dial(ports[0], i)
        c.settimeout(1)
        with contextlib.suppress(OSError):
            c.sendall(floods[i % 3])
            c.recv(65536)
        c.close()
        time.sleep(0.02)
        yield


def ready_process(attack, ports, n):
    """Its pid, and the end of a pipe that tells when it has begun."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    code = 0
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for i, _ in enumerate(attack(ports, n)):
            if i == 0:
                os.write(theirs, b"y")
    except OSError as error:
        os.write(2, f"# {attack.__name__}: {error}\n".encode())
        code = 1
    os._exit(code)


def banner(s):
    began = time.monotonic()
    with Client(s, GOOD) as c:
        expect(c.first.startswith(b"220"), f"a friend heard {c.first!r}")
    return time.monotonic() - began


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def boxed(where, box, more=MORE):
    doors = (free_port(), free_port())
    config = CONFIG.replace("listen: [ {{ address: 127.0.0.1, port: {port}, role: mx }} ]",
                            f"listen: [ {{{{ address: 127.0.0.1, port: {doors[0]}, role: mx, connections: 30000 }}}}, "
                            f"{{{{ address: 127.0.0.1, port: {doors[1]}, role: mx, connections: 30000, tls: implicit }}}} ]")
    s = server(where, more.format(patience=PATIENCE), config=config)
    s.port, s.binary = doors[0], box.wrap(s.binary, where)
    return s.start(), doors


def meet(where, n, is_boxed):
    """n slow ones, handshakes, the vanished, resets and floods at once: a friend is greeted, memory stays, all goes back."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * N_SLOW + 4000, most[1]), most[1]))
    with Box(is_boxed) as box:
        s, doors = boxed(where, box)
        expect(not box.path or IS_ASAN or "there are 256 MiB of memory: at most 8192 clients at once" in s.tail(),
               f"its box was not seen:\n{s.tail()}")
        before, files = rss(s.worker()), descriptors(s.worker())
        attackers = []
        try:
            for attack in (slow, handshakes, gone, resets, endless):
                attackers.append(ready_process(attack, doors, n))
            for _, end in attackers:
                expect(os.read(end, 1) == b"y", "an attack could not begin")
            took, until = [], time.monotonic() + SECONDS
            while time.monotonic() < until or len(took) < 20:
                took.append(banner(s))
                time.sleep(0.01)
            with Client(s, GOOD) as c:
                c.say(b"EHLO friend.test", b"250")
                told = c.say(b"MAIL FROM:<friend@good.test>")[:9].decode()
            expect(told in ("250 2.1.0", "452 4.3.1"), f"a friend's MAIL: {told}")
            grown = rss(s.worker()) - before
        finally:
            for pid, end in attackers:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                os.close(end)
        took.sort()
        p99 = took[len(took) * 99 // 100]
        print(f"# {box.kind}: {n} slow, {N_TLS} in a handshake, {N_GONE} vanished, {STORM} resets a second, floods: "
              f"a friend's banner p50 {took[len(took) // 2] * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms of {len(took)}, his MAIL {told}; "
              f"{grown} KiB grown, {grown / (n + N_TLS):.1f} a connection; at most {box.peak_mib()} MiB in the box")
        expect(p99 <= (1 if MODE == "long" and not IS_ASAN else 20), f"a friend waited {p99:.2f} s")
        expect(IS_ASAN or grown <= 24 * 1024 + (14 if MODE == "long" else 18) * (n + N_TLS), f"{grown} KiB grown")
        began = time.monotonic()
        expect(wait_for(lambda: descriptors(s.worker()) <= files + 20, 60 + PATIENCE), f"{descriptors(s.worker())} descriptors, {files} before")
        print(f"# all of them were gone after {time.monotonic() - began:.1f} s")
        healthy(s)
        good_mail(s, "after")
        stop(s)


TO = b"EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@hostile.test>\r\n"
LETTER = TO + b"DATA\r\nSubject: x\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)
# What they say and then no more; 0: in clear, 1: in place of TLS, 2: in TLS; each how many of so many they are; KiB that
# each may hold, and MiB that the server may keep ready for all together (buffers of streams, blocks of drafts).  Memory
# that was used is used again: who holds more comes later.
EACH = (
    ("greeted", 0, b"", 1, 5.0, 5),
    ("half a command", 0, b"EHL", 1, 5.0, 5),
    ("nothing, in place of TLS", 1, b"", 1, 5.0, 5),
    ("half a hello", 1, HELLO, 1, 5.5, 5),
    ("unread replies", 0, b"EHLO x.test\r\n" + b"HELP\r\n" * 90, 1, 5.5, 6),
    ("behind RCPT", 0, TO, 1, 8.5, 6),
    ("half of BDAT", 0, TO + b"BDAT 10000\r\nSubj", 1, 11.0, 14),
    ("half a field", 0, TO + b"DATA\r\nSubj", 1, 11.0, 14),
    ("2 KiB", 0, LETTER + (b"y" * 70 + b"\r\n") * 28, 1, 12.5, 14),
    ("TLS, greeted", 2, b"EHLO x.test\r\n", 5, 48.0, 22),
)


def talker(port, i, text, has_tls):
    c = dial(port, i)
    if has_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        c = context.wrap_socket(c)
    c.sendall(text)
    return c


def what_each_holds(where):
    """Of slow ones at rest: memory of the process that serves, less that before, for each of them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * N_EACH + 2000, most[1]), most[1]))
    with Box(False) as box:
        PATIENT = MORE.replace("{patience}s", "300s").replace("memory: 64M", "memory: 512M")
        s, doors = boxed(where, box, PATIENT)
        before, files = rss(s.worker()), descriptors(s.worker())
        for name, tls, text, part, kib, shared in EACH:
            n = N_EACH // part
            limit = before + shared * 1024 + n * kib
            held = [talker(doors[tls > 0], i, text, tls == 2) for i in range(n)]
            expect(wait_for(lambda: descriptors(s.worker()) >= files + n - 20, 60), f"{name}: {descriptors(s.worker())} descriptors")
            # what they said is heard, and what is left of that goes back
            time.sleep({"fast": 0.5, "normal": 1, "long": 6}[MODE])
            expect(wait_for(lambda: IS_ASAN or rss(s.worker()) <= limit, 20, 0.2),
                   f"{name}: {n} hold {rss(s.worker()) - before} KiB, {(rss(s.worker()) - before) / n:.1f} each")
            print(f"# {name}: {n} hold {rss(s.worker()) - before} KiB, {(rss(s.worker()) - before) / n:.1f} each", flush=True)
            for c in held:
                c.close()
            expect(wait_for(lambda: descriptors(s.worker()) <= files + 20, 60), f"{name}: they do not go")
        good_mail(s, "after")
        stop(s)


def everybody(where):
    """As many as there may be."""
    meet(where, N_SLOW, False)


def everybody_in_a_box(where):
    """With 256 MiB for all processes of the server and what the kernel keeps for them."""
    meet(where, N_BOXED, True)


# Without a box only where there are more of them.
CASES = [what_each_holds, *([everybody] if MODE == "long" else []), everybody_in_a_box]
