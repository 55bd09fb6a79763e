"""rig -- a server to attack, a raw client, a good client with a clock, hops that
follow a script."""
import os
import pathlib
import re
import socket
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from server import Server, free_port, is_alive, maildir, wait_for  # noqa: E402,F401

MODE = os.environ.get("CHECK_MODE", "normal")
BUILD = pathlib.Path(os.environ.get("CHECK_BUILD", "build")).resolve()
BINARY = BUILD / "nightmail"
IS_ASAN = "asan" in BUILD.name
STRANGER, GOOD = "127.0.3.1", "127.0.0.1"
CONFIG = """\
hostname: mx.hostile.test
admin: postmaster@hostile.test
cores: 2
listen: [ {{ address: 127.0.0.1, port: {port}, role: mx }} ]
trusted: [ 127.0.0.1 ]
domains:
  hostile.test: {{ users: [ alice, postmaster ] }}
deliver: {{ maildir: "{{dir}}/Maildir/%u" }}
log: {{ to: "{{dir}}/mail.log" }}
dns: {{ zone: "{{dir}}/zone" }}
inbound: {{ verify: {{ from: accept }} }}
"""
GROWTH_KIB = 64 * 1024 * (4 if IS_ASAN else 1)
CROWD = "limits: { connections_per_ip: none, per_ip: none }\n"
REPLY = re.compile(rb"[2-5][0-9][0-9][ -][ -~]{0,506}\r\n")


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def server(where, more=CROWD, config=CONFIG, **options):
    port = free_port()
    s = Server(BINARY, where, config.format(port=port) + more, cage=not IS_ASAN, **options)
    s.port = port
    (s.dir / "zone").write_text("; nobody is known\n")
    return s


def mail_log(s):
    path = s.dir / "mail.log"
    return path.read_text(errors="replace") if path.exists() else ""


def log_says(s, pattern, seconds=20):
    return wait_for(lambda: re.search(pattern, mail_log(s)), seconds)


def healthy(s):
    """Nobody died, nothing was reported by a sanitizer."""
    told = s.tail(10000)
    for word in ("died by signal", "AddressSanitizer", "runtime error", "LeakSanitizer", "must("):
        at = told.find(word)
        expect(at < 0, f"{word}: {told[max(0, at - 300):at + 1500]}")
    expect(s.process.poll() is None, f"the server ended\n{told}")


def stop(s):
    healthy(s)
    status = s.stop()
    expect(status == 0, f"it ended with {status}\n{s.tail()}")


class Client:
    """Octets out, replies in; each reply line is held against the grammar."""

    def __init__(self, s, source=STRANGER, to="127.0.0.1", banner=True, seconds=10):
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(seconds)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((to, s.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        if banner:
            self.first = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.socket.close()

    def put(self, octets, split=0):
        if not split:
            self.socket.sendall(octets)
        for at in range(0, len(octets) if split else 0, split or 1):
            self.socket.sendall(octets[at:at + split])

    def line(self):
        """One line, or b"" at the end."""
        while b"\n" not in self.got:
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                expect(not self.got, f"half a reply: {self.got!r}")
                return b""
            self.got += more
        line, _, self.got = self.got.partition(b"\n")
        expect(REPLY.fullmatch(line + b"\n"), f"not a reply: {line!r}")
        return line + b"\n"

    def reply(self):
        """All lines of a reply; b"" at the end."""
        whole = b""
        while line := self.line():
            whole += line
            if line[3:4] == b" ":
                return whole
        return b""

    def say(self, text, code=None):
        self.put(text + b"\r\n")
        got = self.reply()
        expect(code is None or got[:len(code)] == code, f"{text[:60]!r}: {got!r}, not {code!r}")
        return got

    def rest(self):
        """Every reply until the connection ends."""
        replies = []
        while got := self.reply():
            replies.append(got)
        return replies

    def envelope(self, to=b"alice@hostile.test", sender=b"eve@out.test"):
        self.say(b"EHLO eve.test", b"250")
        self.say(b"MAIL FROM:<" + sender + b">", b"250")
        self.say(b"RCPT TO:<" + to + b">", b"250")

    def mail(self, to=b"alice@hostile.test", content=b"Subject: hello\r\n\r\nhello\r\n", sender=b"eve@out.test",
             code=b"250"):
        self.envelope(to, sender)
        self.say(b"DATA", b"354")
        self.put(content + b".\r\n")
        got = self.reply()
        expect(got[:len(code)] == code, f"end of data: {got!r}, not {code!r}")
        return got


def inbox(s, user="alice"):
    new = s.dir / "Maildir" / user / "new"
    return [f.read_bytes() for f in new.iterdir()] if new.is_dir() else []


def good_mail(s, tag, to="127.0.0.1", source=GOOD):
    """A friend's message; seconds until the banner, and until it is there."""
    began = time.monotonic()
    with Client(s, source, to) as c:
        banner = time.monotonic() - began
        c.mail(content=f"Subject: {tag}\r\n\r\nhello\r\n".encode(), sender=b"friend@good.test")
    mark = f"Subject: {tag}\n".encode()
    expect(wait_for(lambda: any(mark in m for m in inbox(s)), 10), f"{tag} was not delivered\n{s.tail()}")
    return banner, time.monotonic() - began


def good_p99(s, n=20, most=20.0, name="good"):
    """How long a friend waits is printed; that he is not forgotten is tested."""
    times = [good_mail(s, f"{name}-{i}") for i in range(n)]
    banner, there = max(t[0] for t in times), max(t[1] for t in times)
    print(f"# {name}: worst of {n}: banner {banner * 1000:.0f} ms, delivered {there * 1000:.0f} ms", flush=True)
    expect(banner <= most, f"a friend waited {banner:.2f} s for the banner")
    return banner


def rss(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Hop:
    """A next hop: each connection is given to talk(file-like Peer)."""

    def __init__(self, talk, address="127.0.0.1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.create_server((address, 0), family=family, backlog=256)
        self.port = self.socket.getsockname()[1]
        self.talk, self.calls, self.ends = talk, 0, False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.ends:
            try:
                peer = self.socket.accept()[0]
            except OSError as error:
                # closed by us; or short of descriptors, which passes: a hop
                # that gave up here would look like a server that does not try
                if self.ends:
                    return
                print(f"# hop: accept: {error}", flush=True)
                time.sleep(0.1)
                continue
            self.calls += 1
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        peer.settimeout(60)
        with peer:
            try:
                self.talk(peer)
            except (OSError, ValueError, IndexError):
                pass

    def close(self):
        self.ends = True
        self.socket.close()
