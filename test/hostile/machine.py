"""machine -- the machine fails: disks fill, workers die, files are not as they were."""
import fcntl
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import time

from hops import plain, silent
from rig import (BINARY, CROWD, MODE, Client, Hop, expect, free_port, good_mail, inbox, mail_log, server, stop, wait_for)


class Image:
    """A small ext4 in a file."""

    def __init__(self, where, megabytes=64):
        self.at = where / "mnt"
        self.at.mkdir()
        with open(where / "image", "wb") as f:
            f.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", where / "image"], check=True)
        subprocess.run(["mount", "-o", "loop", where / "image", self.at], check=True)
        os.chown(self.at, pwd.getpwnam("nobody").pw_uid, -1)

    def turn_read_only(self):
        """EXT4_IOC_SHUTDOWN, NOLOGFLUSH: every write fails from now on."""
        fd = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
        finally:
            os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        subprocess.run(["umount", "-l", self.at], capture_output=True)


def on_image(where, image):
    return server(where / "server", CROWD + f"spool: {{ path: {image.at}/spool, reserve: 4M, segment: 1M }}\n")


def tries(s, tag, n=30, size=20000):
    """Codes of n messages; the subjects of those that were taken."""
    codes, taken = {}, []
    for i in range(n):
        with Client(s, "127.0.0.1") as c:
            c.say(b"EHLO x.test", b"250")
            got = c.say(b"MAIL FROM:<a@b.test>")
            if got[:3] == b"250":
                c.say(b"RCPT TO:<alice@hostile.test>")
                got = c.say(b"DATA")
            if got[:3] == b"354":
                c.put(f"Subject: {tag}-{i}\r\n\r\n".encode() + (b"x" * 998 + b"\r\n") * (size // 1000) + b".\r\n")
                got = c.reply()
            if got[:3] == b"250":
                taken.append(f"Subject: {tag}-{i}\n".encode())
            codes[got[:9]] = codes.get(got[:9], 0) + 1
    return codes, taken


def all_there(s, taken):
    def look():
        there = inbox(s)
        return all(any(t in m for m in there) for t in taken)
    return wait_for(look, 20, 0.2)


def disk_full(where):
    """A side writer fills the disk: 452, nothing is lost; freed, mail is taken
    again within five seconds."""
    with Image(where) as image:
        s = on_image(where, image).start()
        taken = []
        for cycle in range({"fast": 1, "normal": 2, "long": 20}[MODE]):
            good_mail(s, f"before-{cycle}")
            with open(image.at / "junk", "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 65536)
                except OSError:
                    pass
            codes, more = tries(s, f"full-{cycle}", 40, 200000)
            taken += more
            print(f"# full: {codes}")
            expect(set(codes) <= {b"452 4.3.1", b"250 2.0.0"} and b"452 4.3.1" in codes, str(codes))
            os.unlink(image.at / "junk")
            began = time.monotonic()
            # Each core looks for itself: eight in a row met both.
            expect(wait_for(lambda: len(tries(s, f"x{cycle}", 8)[1]) == 8, 30, 0.2),
                   f"it does not resume: {tries(s, 'y', 1)[0]}")
            print(f"# resumed after {time.monotonic() - began:.1f} s")
        expect(all_there(s, taken), "a message that was taken is not there")
        stop(s)


def read_only(where):
    """The spool takes no more writes: no 2xx, and somebody still answers."""
    with Image(where) as image:
        s = on_image(where, image).start()
        good_mail(s, "before")
        image.turn_read_only()
        codes, taken = tries(s, "while-read-only", 5)
        print(f"# read-only: {codes}")
        expect(not taken and all(code[:1] == b"4" for code in codes), str(codes))
        expect(s.process.poll() is None, "the master ended")
        with Client(s) as c:
            expect(c.first[:1] in (b"2", b"4"), "no word")
        s.kill9()


def worker_killed(where):
    """kill -9 of the worker again and again: what was taken is there."""
    s = server(where).start()
    taken = []
    for cycle in range({"fast": 2, "normal": 4, "long": 50}[MODE]):
        taken += tries(s, f"kill-{cycle}", 5)[1]
        os.kill(s.worker(), signal.SIGKILL)
        expect(wait_for(lambda: s.ask("status").returncode == 0, 15), "it does not come back\n" + s.tail())
    expect(taken and all_there(s, taken), "a message that was taken is not there")
    expect(s.stop() == 0, s.tail())


def poison(where):
    """A message at which two workers died is held by the third, and told."""
    hop = Hop(lambda peer: plain(peer, mail=silent))
    s = server(where, CROWD + f'route: [ {{ relay: "smtp://127.0.0.1:{hop.port}" }} ]\noutbound: {{ retry: [ 1s ] }}\n')
    s.start()
    with Client(s, "127.0.0.1") as c:
        c.mail(b"bob@far.test")
    for death in (1, 2):
        expect(wait_for(lambda: hop.calls >= death, 20), f"no attempt {death}\n{s.queue()}\n"
               f"{s.ask('status', '--json').stdout}\n{s.tail(1000)}\n{mail_log(s)}")
        time.sleep(0.3)
        os.kill(s.worker(), signal.SIGABRT)
        expect(wait_for(lambda: s.tail(1000).count("died by signal") == death and s.ask("status").returncode == 0, 15),
               s.tail())
    expect(wait_for(lambda: s.queue() and s.queue()[0]["status"] == "held", 15), f"{s.queue()}\n{s.tail()}")
    expect("will be held" in s.tail(1000), "it was not told")
    good_mail(s, "after")
    s.stop()
    hop.close()


def replace(path, text):
    """All at once: half a file may be a good configuration, too."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def doors_come_and_go(where):
    """A door that reloads close and open: no event comes to a listener that is
    no more, though master has it open a little longer."""
    s = server(where)
    text, first, second = s.config.read_text(), s.port, free_port()
    line = f"listen: [ {{ address: 127.0.0.1, port: {first}, role: mx }}"
    replace(s.config, text)
    s.start()
    for i in range(20):
        more = f", {{ address: 127.0.0.1, port: {second}, role: mx }} ]" if i % 2 == 0 else " ]"
        replace(s.config, re.sub(r"(?m)^listen:.*$", line + more, s.config.read_text()))
        expect(s.ask("reload").returncode == 0, s.tail())
        for _ in range(3):
            with socket.socket() as c:
                refused = c.connect_ex(("127.0.0.1", second)) != 0
                expect(refused == (i % 2 == 1), f"round {i}: {'refused' if refused else 'taken'}")
        good_mail(s, f"round-{i}")
    stop(s)


def hangup_storm(where):
    """SIGHUP by the hundred, with a broken file now and then."""
    s = server(where).start()
    text = s.config.read_text()
    for i in range(200):
        if i % 50 == 25:
            replace(s.config, text + "nonsense: [\n")
        if i % 50 == 30:
            replace(s.config, text)
        s.process.send_signal(signal.SIGHUP)
        if i % 20 == 0:
            good_mail(s, f"storm-{i}")
        time.sleep(0.005)
    good_mail(s, "after")
    stop(s)


def many_listeners(where):
    """Forty doors."""
    s = server(where)
    ports = list(dict.fromkeys(free_port() for _ in range(40)))
    doors = "".join(f"  - {{ address: 127.0.0.1, port: {p}, role: mx }}\n" for p in ports)
    s.configure(re.sub(r"(?m)^listen:.*$", "listen:\n" + doors.rstrip(), s.config.read_text()))
    s.start()
    for port in ports:
        s.port = port
        with Client(s) as c:
            c.say(b"EHLO x.test", b"250")
    stop(s)


AS = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def ordinary_user(where):
    """Somebody without rights serves on a high port; only he may ask it things."""
    home = where / "his"
    home.mkdir()
    s = server(home)
    s.configure(s.config.read_text().replace("user: nobody\n", "user: nobody # he\n"))
    wrapper = where / "as-nobody"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(AS)} {s.binary} "$@"\n')
    wrapper.chmod(0o755)
    s.binary = str(wrapper)
    s.start()
    good_mail(s, "mine")
    for path in (home / "spool", home / "Maildir" / "alice"):
        expect(path.stat().st_mode & 0o077 == 0, f"{path}: {oct(path.stat().st_mode)}")
        expect(path.stat().st_uid == 65534, f"{path} is not his")
    run = subprocess.run([*(w.replace("65534", "5") for w in AS), str(BINARY), "status", "--socket", s.socket],
                         capture_output=True, text=True)
    expect(run.returncode == 77, f"another uid got {run.returncode}: {run.stdout}{run.stderr}")
    stop(s)


def empty_configuration(where):
    """Nothing is set: port 25 is not an ordinary user's, and he is told so."""
    empty = where / "empty.yaml"
    empty.write_text("")
    empty.chmod(0o644)
    run = subprocess.run([*AS, str(BINARY), "serve", "--config", str(empty)], capture_output=True, text=True, timeout=20)
    print("#", run.returncode, run.stderr.strip().replace("\n", " | "))
    expect(run.returncode in (69, 77), f"it ended with {run.returncode}: {run.stderr}")
    expect("25" in run.stderr and "root" in run.stderr, run.stderr)


def emptied_configuration(where):
    """An editor that empties the file before it writes it, and a SIGHUP in between."""
    s = server(where).start()
    text = s.config.read_text()
    for nothing in ("", "# nothing yet\n", "\n"):
        replace(s.config, nothing)
        run = s.ask("reload")
        expect(run.returncode != 0 and "nothing is set" in run.stdout + run.stderr, f"{run.returncode}: {run.stdout}{run.stderr}")
        s.process.send_signal(signal.SIGHUP)
        good_mail(s, "still")
    replace(s.config, text)
    expect(s.ask("reload").returncode == 0, s.tail())
    replace(s.config, re.sub(r"(?m)^domains:.*(\n .*)*\n", "", text))
    run = s.ask("reload")
    expect(run.returncode == 0 and "no domains any more" in run.stdout + run.stderr, f"{run.returncode}: {run.stdout}{run.stderr}")
    stop(s)


def crc32c(data):
    """CRC-32C (Castagnoli), bit by bit."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def newer_spool(where):
    """A spool of a format from the future is left alone: 78, not an octet changed."""
    s = server(where).start()
    good_mail(s, "before")
    stop(s)
    path = where / "spool" / "0" / "superblock"
    data = bytearray(path.read_bytes())
    for at in (0, 4096):
        if data[at:at + 8] == b"NMSUPER\1":
            expect(crc32c(data[at:at + 92]) == struct.unpack_from("<I", data, at + 92)[0], "another checksum")
            struct.pack_into("<II", data, at + 8, 99, 99)
            struct.pack_into("<I", data, at + 92, crc32c(data[at:at + 92]))
    path.write_bytes(data)
    s.start(wait=0)
    expect(wait_for(lambda: s.process.poll() is not None, 20), "it runs")
    expect(s.process.returncode == 78, f"it ended with {s.process.returncode}\n{s.tail()}")
    expect(path.read_bytes() == data, "the superblock was written")
    expect("newer" in s.tail() + mail_log(s), f"it does not say why: {s.tail()}{mail_log(s)[-500:]}")


CASES = [disk_full, read_only, worker_killed, poison, doors_come_and_go, hangup_storm, many_listeners, ordinary_user, empty_configuration, emptied_configuration, newer_spool]
