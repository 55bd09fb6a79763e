"""clients -- strangers who lie, flood, dawdle and send what is not SMTP."""
import os
import random
import resource
import socket
import subprocess
import time

from rig import (CROWD, GROWTH_KIB, HERE, IS_ASAN, MODE, STRANGER, Client, cpu_seconds, expect, good_mail, good_p99, healthy, inbox,
                 log_says, mail_log, rss, server, stop, wait_for)

SEQUENCES = HERE.parent / "vectors" / "smtp-smuggling" / "sequences.tsv"


def sequences():
    for line in SEQUENCES.read_text().splitlines():
        if line and line[0] != "#":
            name, direction, octets = line.split("\t")[:3]
            if direction == "inbound":
                yield name, octets.encode().decode("unicode_escape").encode("latin1")


def smuggling(where):
    """Each false end of data, octet by octet and all at once with what follows."""
    s = server(where).start()
    inner = (b"MAIL FROM:<eve@out.test>\r\nRCPT TO:<alice@hostile.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n")
    for name, octets in sequences():
        for split in (1, 0):
            with Client(s) as c:
                c.envelope()
                c.say(b"DATA", b"354")
                # what follows the true end is in the same packets
                c.put(b"Subject: outer\r\n\r\nouter" + octets + inner + b"NOOP\r\nQUIT\r\n", split)
                replies = c.rest()
                expect([r[:3] for r in replies] == [b"550", b"250", b"221"], f"{name}: {replies}")
    good_mail(s, "after")
    expect(len(inbox(s)) == 1, "something was smuggled")
    stop(s)


def every_split(where):
    """A whole session cut in two at every octet, dots and all."""
    s = server(where).start()
    text = (b"EHLO eve.test\r\nMAIL FROM:<eve@out.test> SIZE=99\r\nRCPT TO:<alice@hostile.test>\r\nDATA\r\n",
            b"Subject: %d\r\n\r\n..a\r\n...\r\n.\r\nNOOP\r\nQUIT\r\n")
    codes = [b"250", b"250", b"250", b"354", b"250", b"250", b"221"]
    for at in range(1, len(text[0])):
        with Client(s) as c:
            c.put(text[0][:at])
            c.put(text[0][at:])
            expect([c.reply()[:3] for _ in range(4)] == codes[:4], f"cut at {at}")
            body = text[1] % at
            cut = at % (len(body) - 1) + 1
            c.put(body[:cut])
            c.put(body[cut:])
            expect([r[:3] for r in c.rest()] == codes[4:], f"body cut at {cut}")
    n = len(text[0]) - 1
    expect(wait_for(lambda: len(inbox(s)) == n, 20), f"{len(inbox(s))} of {n}")
    expect(all(m.endswith(b"\n\n.a\n..\n") for m in inbox(s)), "a body was changed")
    stop(s)


WORDS = [b"EHLO x.test", b"HELO y", b"MAIL FROM:<a@b.test>", b"MAIL FROM:<>", b"RCPT TO:<alice@hostile.test>",
         b"RCPT TO:<alice@far.test>", b"DATA", b"BDAT 5 LAST", b"BDAT 99999999999999999999", b"RSET", b"NOOP", b"VRFY a",
         b"EXPN a", b"HELP", b"AUTH PLAIN =", b"AUTH LOGIN", b"STARTTLS", b"XCLIENT ADDR=127.0.0.1", b"XFORWARD A=b",
         b"MAIL FROM:<a@b.test> SIZE=18446744073709551616", b"MAIL FROM:<a@b.test> SIZE=1 SIZE=1", b"ETRN x", b"TURN",
         b"MAIL FROM:<a@b.test> BODY=BINARYMIME", b"MAIL FROM:<a@b.test> AUTH=<> RET=FULL", b".", b"", b" ", b"QUIT x",
         b"RCPT TO:<@a,@b:alice@hostile.test>", b"MAIL FROM:" + b"<" * 200, b"\x16\x03\x01\x02", b"GET / HTTP/1.1",
         b"RCPT TO:<" + b"a" * 300 + b"@hostile.test>", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2", b"DATA\x00", b"MAIL FROM:\xff"]


def garbage(where):
    """Conversations of words and noise, pipelined: always replies, never a death."""
    seed = int(os.environ.get("SEED", 0)) or random.randrange(1 << 30)
    print(f"# SEED={seed}")
    chance = random.Random(seed)
    s = server(where).start()
    for _ in range({"fast": 100, "normal": 400, "long": 20000}[MODE]):
        text = b""
        for _ in range(chance.randrange(1, 30)):
            kind = chance.random()
            if kind < 0.8:
                text += chance.choice(WORDS) + b"\r\n"
            elif kind < 0.9:
                text += chance.choice(WORDS) + chance.choice([b"\n", b"\r", b"\r\r\n", b"\0\r\n", b"\n\r"])
            else:
                text += chance.randbytes(chance.randrange(1, 600))
        with Client(s) as c:
            try:
                c.put(text + b"\r\n.\r\nQUIT\r\n", chance.choice([0, 0, 0, 7, 1000]))
                c.socket.shutdown(socket.SHUT_WR)
            except OSError:         # it had enough, and left first
                pass
            expect(len(c.rest()) <= 200, "too many replies")
    good_mail(s, "after")
    stop(s)


def octets_in_arguments(where):
    """NUL, controls and eight bits in every argument: refused, never echoed."""
    s = server(where).start()
    for octet in [*range(0, 32), 127, 128, 0xE9, 255]:
        if octet in (10, 13):
            continue
        bad = bytes([octet])
        for verb in (b"EHLO a%sb", b"HELO a%sb", b"VRFY a%sb", b"MAIL FROM:<a%sb@c.test>", b"NO%sOP",
                     b"MAIL FROM:<a@c%s.test>", b"MAIL FROM:<a@b.test> SIZE=1%s"):
            with Client(s) as c:
                if b"MAIL" in verb:
                    c.say(b"EHLO x.test", b"250")
                c.say(verb % bad, b"5")
        with Client(s) as c:
            c.say(b"EHLO x.test", b"250")
            c.say(b"MAIL FROM:<a@b.test>", b"250")
            c.say(b"RCPT TO:<al%sice@hostile.test>" % bad, b"5")
            c.say(b"DATA", b"503")
    stop(s)


def long_lines(where):
    """Lines of 64 KiB and more, and a megabyte without an end."""
    s = server(where).start()
    for n, codes in ((2040, (b"500", b"501", b"553")), (5000, (b"500",)), (60000, (b"500",)), (1 << 20, (b"500", b"421"))):
        with Client(s) as c:
            c.say(b"EHLO x.test", b"250")
            try:
                c.put(b"MAIL FROM:<" + b"a" * n + b"@b.test>\r\n")
                got = c.reply()
            except ConnectionError:
                got = b"421"
            expect(got[:3] in codes or not got, f"{n}: {got!r}")
    before = rss(s.worker())
    held = []
    for _ in range(50):
        c = Client(s)
        held.append(c)
        try:
            c.put(b"x" * (1 << 20))
        except OSError:
            pass
    expect(rss(s.worker()) - before < GROWTH_KIB, "memory grew")
    for c in held:
        c.socket.close()
    good_mail(s, "after")
    stop(s)


def bombs(where):
    """Headers, hops, sizes and recipients beyond the limits."""
    s = server(where).start()
    before = rss(s.worker())

    def sent(content, code, parameter=b""):
        with Client(s) as c:
            c.say(b"EHLO x.test", b"250")
            c.say(b"MAIL FROM:<eve@out.test>" + parameter, b"250")
            c.say(b"RCPT TO:<alice@hostile.test>", b"250")
            c.say(b"DATA", b"354")
            try:
                c.put(content + b"\r\n.\r\n")
            except ConnectionError:
                pass
            got = c.reply()
            expect(got.startswith(code), f"{content[:30]!r}: {got!r}, not {code!r}")
            c.say(b"NOOP", b"250")
    sent(b"X: y\r\n" * 10001 + b"\r\nx", b"552 5.3.4")
    sent((b"X: " + b"y" * 1000 + b"\r\n") * 262 + b"\r\nx", b"552 5.3.4")
    sent(b"X:" + (b" " + b"y" * 70 + b"\r\n") * 4000 + b"\r\nx", b"552 5.3.4")
    sent(b"Received: by x; y\r\n" * 101 + b"\r\nx", b"554 5.4.6")
    sent(b"Received: by x; y\r\n" * 99 + b"\r\nx", b"250")
    sent(b"Subject: x\r\n\r\n" + b"y" * 70000, b"550 5.6.0")
    sent(b"Subject: x\r\n\r\ny\0y", b"550 5.6.0")
    sent(b"Subject: much\r\n\r\n" + b"0123456789\r\n" * 50000, b"250", b" SIZE=1")
    sent((b"Content-Type: multipart/mixed; boundary=" + b"x" * 900 + b"\r\n") * 200 + b"\r\n" + b"--x\r\n" * 100000, b"250")
    with Client(s) as c:
        c.say(b"EHLO x.test", b"250")
        for size, code in ((b"18446744073709551616", b"552"), (b"18446744073709551615", b"552"), (b"99999999999", b"552"),
                           (b"-1", b"501"), (b"0x10", b"501"), (b"", b"501"), (b"1 SIZE=2", b"501")):
            c.say(b"MAIL FROM:<a@b.test> SIZE=" + size, code)
    small = s.config.read_text().replace(CROWD, "limits: { connections_per_ip: none, per_ip: none, size: 100K }\n")
    s.config.write_text(small)
    expect(s.ask("reload").returncode == 0, "reload")
    sent(b"Subject: big\r\n\r\n" + b"0123456789\r\n" * 100000, b"552 5.3.4", b" SIZE=10")
    expect(rss(s.worker()) - before < GROWTH_KIB, f"memory grew from {before} to {rss(s.worker())}")
    stop(s)


def recipients(where):
    """1,001 recipients; 100,000 of them in one connection."""
    s = server(where, CROWD.replace("}", ", errors: 1000 }")).start()
    with Client(s, "127.0.0.1") as c:
        c.say(b"EHLO x.test", b"250")
        c.say(b"MAIL FROM:<a@b.test>", b"250")
        c.put(b"".join(b"RCPT TO:<u%d@far.test>\r\n" % i for i in range(1001)))
        codes = [c.reply()[:9] for _ in range(1001)]
        expect(set(codes[:1000]) == {b"250 2.1.5"} and codes[1000] == b"452 4.5.3", f"{codes[-3:]}")
    before = rss(s.worker())
    with Client(s, "127.0.0.1", seconds=30) as c:
        c.say(b"EHLO x.test", b"250")
        c.say(b"MAIL FROM:<a@b.test>", b"250")
        try:
            for k in range(100):
                c.put(b"".join(b"RCPT TO:<u%d@far.test>\r\n" % (k * 1000 + i) for i in range(1000)))
                while len(c.got) < 1 and c.reply():
                    pass
        except OSError:
            pass
        grown = rss(s.worker()) - before
    print(f"# 100,000 RCPT: {grown} KiB grown")
    expect(grown < GROWTH_KIB, f"{grown} KiB grown")
    good_mail(s, "after")
    stop(s)


def many_chunks(c, n):
    """n empty chunks in one transaction, a hundred at a time."""
    c.say(b"MAIL FROM:<a@b.test>", b"250")
    c.say(b"RCPT TO:<alice@hostile.test>", b"250")
    for _ in range(n // 100):
        c.put(b"BDAT 0\r\n" * 100)
        expect({c.reply()[:3] for _ in range(100)} == {b"250"}, "a chunk was refused")


def chunks(where):
    """BDAT: 20,000 empty chunks, sizes nobody can mean, content cut at every octet."""
    s = server(where).start()
    with Client(s, seconds=30) as c:
        c.say(b"EHLO x.test", b"250")
        many_chunks(c, 1000)
        c.say(b"RSET", b"250")
        before = rss(s.worker())
        many_chunks(c, 20000)
        grown = rss(s.worker()) - before
        c.say(b"BDAT 0 LAST", b"250 2.0.0 Kept")
    print(f"# 20,000 empty chunks: {grown} KiB grown")
    expect(grown < 64 * (16 if IS_ASAN else 1), f"{grown} KiB grown")
    for size in (b"18446744073709551615", b"9223372036854775808", b"4294967296"):
        with Client(s) as c:
            c.say(b"EHLO x.test", b"250")
            c.say(b"MAIL FROM:<a@b.test>", b"250")
            c.say(b"RCPT TO:<alice@hostile.test>", b"250")
            c.say(b"BDAT " + size + b" LAST", b"552 5.3.4")
    text = b"BDAT 7\r\nA: b\r\n\rBDAT 4 LAST\r\n\nx\r\n"
    for at in range(len(text) + 1):
        with Client(s) as c:
            c.say(b"EHLO x.test", b"250")
            c.say(b"MAIL FROM:<a@b.test>", b"250")
            c.say(b"RCPT TO:<alice@hostile.test>", b"250")
            c.put(text[:at])
            if at == len(text):
                c.say(b"", b"250 2.0.0 7 octets")
                expect(c.reply().startswith(b"250 2.0.0 Kept"), "the whole was not kept")
    good_mail(s, "after")
    kept = [m for m in inbox(s) if b"A: b" in m]
    expect(len(kept) == 1, f"{len(kept)} messages of a client that went away")
    stop(s)


def strangers_and_relays(where):
    """No open relay; other protocols are sent away; errors end."""
    s = server(where, CROWD + "route: [ { discard: x } ]\n").start()
    for to in (b"a@far.test", b"a%far.test@hostile.test", b"far.test!a@hostile.test", b"@hostile.test:a@far.test",
               b"@far.test:nobody@hostile.test", b'"a@far.test"@hostile.test', b"a@[127.0.0.1]", b"a@far.test@hostile.test",
               b"a%far.test@", b"a@far.test.", b"a@[10.0.0.1]", b"a@[IPv6:::1]", b"a", b"<a@far.test>", b"alice@hostile.test,a@far.test",
               b"alice@hostile.test a@far.test", b"a@far.test%hostile.test", b"\"alice\\\"@far.test>\"@hostile.test"):
        with Client(s) as c:
            c.say(b"EHLO x.test", b"250")
            c.say(b"MAIL FROM:<alice@hostile.test>", b"250")
            c.say(b"RCPT TO:<" + to + b">", b"5")
    for first in (b"GET / HTTP/1.0\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\n", b"CONNECT x:25 HTTP/1.1\r\n\r\n",
                  b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, b"OPTIONS * HTTP/1.1\r\n\r\n"):
        with Client(s) as c:
            c.put(first)
            expect([r[:3] for r in c.rest()] == [b"421"], f"{first[:20]!r}")
    for text, most in ((b"WHAT\r\n", 25), (b"NOOP\r\n", 105), (b"RSET\r\n", 105), (b"MAIL FROM:<x\r\n", 25)):
        with Client(s) as c:
            try:
                c.put(b"EHLO x.test\r\n" + text * 1000)
            except ConnectionError:
                pass
            replies = c.rest()
            expect(len(replies) <= most and replies[-1][:9] == b"421 4.7.0", f"{text}: {len(replies)}, {replies[-1:]}")
    stop(s)


def slow_crowd(where):
    """Thousands who say half a command, half a message, or do not read, while a
    friend is served at once."""
    n = {"fast": 300, "normal": 2000, "long": 8000}[MODE] // (4 if IS_ASAN else 1)
    need = 2 * n + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(need, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
                                                resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    s = server(where).start()
    before = rss(s.worker())
    held = []
    for i in range(n):
        c = socket.socket()
        c.bind((f"127.0.{4 + i % 200}.{1 + i % 250}", 0))
        if i % 3 == 2:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        c.connect(("127.0.0.1", s.port))
        held.append(c)
    for i, c in enumerate(held):
        if i % 3 == 0:
            c.sendall(b"EHL")
        elif i % 3 == 1:
            c.sendall(b"EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@hostile.test>\r\nDATA\r\nSubj")
        else:
            c.sendall(b"EHLO x.test\r\n" + b"HELP\r\n" * 90)
    time.sleep(0.3)
    good_p99(s, name="beside-the-slow")
    grown = rss(s.worker()) - before
    print(f"# {n} slow connections: {grown / n:.1f} KiB each")
    expect(IS_ASAN or grown / n <= 32, f"{grown / n:.1f} KiB a connection")
    busy = cpu_seconds(s.worker())
    time.sleep(1)
    busy = cpu_seconds(s.worker()) - busy
    expect(busy < 0.1, f"{busy:.2f} s of CPU in an idle second")
    for c in held:
        c.close()
    stop(s)


def flood(where):
    """Connections by the thousand from one network: told off, friends served."""
    s = server(where, "").start()
    told = {}
    for i in range(1500):
        with Client(s, f"127.0.9.{1 + i % 250}") as c:
            told[c.first[:9]] = told.get(c.first[:9], 0) + 1
    print(f"# flood: {told}")
    expect(set(told) == {b"220 mx.ho", b"421 4.7.0"}, str(told))
    good_p99(s, 10, name="beside-the-flood")
    stop(s)


def few_descriptors(where):
    """More clients than descriptors: no spin, mail is delivered, all recovers."""
    s = server(where)
    wrapper = where / "few"
    wrapper.write_text(f'#!/bin/sh\nulimit -n 256\nexec {s.binary} "$@"\n')
    wrapper.chmod(0o755)
    s.binary = str(wrapper)
    s.start()
    held = []
    for i in range(600):
        c = socket.socket()
        c.settimeout(5)
        c.bind((f"127.0.{4 + i % 200}.1", 0))
        c.connect(("127.0.0.1", s.port))
        held.append(c)
    time.sleep(0.5)
    busy = cpu_seconds(s.worker())
    time.sleep(2)
    busy = (cpu_seconds(s.worker()) - busy) / 2
    print(f"# out of descriptors: {100 * busy:.1f} % CPU")
    expect(busy < 0.05, f"{100 * busy:.0f} % CPU")
    sent = subprocess.run([s.binary, "send", "--from", "me@hostile.test", "--to", "alice@hostile.test", "--socket", s.socket],
                          input="Subject: in need\n\nhello\n", capture_output=True, text=True)
    expect(sent.returncode == 0 and wait_for(lambda: inbox(s), 10), f"no delivery meanwhile: {sent.stderr}\n{s.tail()}")
    told = 0
    for c in held:
        c.settimeout(0.2)
        try:
            told += c.recv(9) == b"421 4.3.2"
        except OSError:
            pass
        c.close()
    expect(told > 100, f"only {told} were told that there is no room")
    good_p99(s, 5, name="after-the-shortage")
    stop(s)


CASES = [smuggling, every_split, garbage, octets_in_arguments, long_lines, bombs, recipients, chunks, strangers_and_relays,
         slow_crowd, flood, few_descriptors]
