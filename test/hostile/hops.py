"""hops -- next hops that lie, dawdle and never end; loops; storms."""
import itertools
import re
import socket
import time

from rig import (CONFIG, CROWD, GROWTH_KIB, Client, Hop, expect, free_port, good_mail, healthy, inbox, log_says, mail_log, rss, server,
                 stop, wait_for)

PATIENCE = """\
timeouts: { client: { greeting: 2s, command: 2s, data: 2s, block: 2s, end: 2s, quit: 1s, connect: 2s } }
bounce: { double: discard }
"""
OUT = 'outbound: {{ retry: [ 1s ], expire: {expire}, connections: 20 }}\n'


def lines_of(peer):
    got = b""
    while True:
        while b"\r\n" not in got:
            more = peer.recv(65536)
            if not more:
                return
            got += more
        line, _, got = got.partition(b"\r\n")
        yield line


def plain(peer, greeting=b"220 hop\r\n", ehlo=b"250 hop\r\n", mail=b"250 ok\r\n", rcpt=b"250 ok\r\n", data=b"354 go\r\n",
          end=b"250 taken\r\n", other=b"250 ok\r\n", split=False):
    """A hop that answers each phase with these octets; None closes."""
    def put(octets):
        if octets is None:
            raise OSError("closed by the script")
        if callable(octets):
            return octets(peer)
        for at in range(len(octets) if split else 0):
            peer.sendall(octets[at:at + 1])
            time.sleep(0.001)
        if not split:
            peer.sendall(octets)
    put(greeting)
    lines = lines_of(peer)
    for line in lines:
        verb = line[:4].upper()
        if verb == b"EHLO":
            put(ehlo)
        elif verb == b"MAIL":
            put(mail)
        elif verb == b"RCPT":
            put(rcpt)
        elif verb == b"DATA":
            put(data)
            if data[:3] == b"354":
                for content in lines:
                    if content == b".":
                        break
                put(end)
        elif verb == b"QUIT":
            put(b"221 bye\r\n")
            return
        else:
            put(other)


def endless(peer):
    while True:
        peer.sendall(b"250-and more\r\n" * 1000)


def no_line_end(peer):
    peer.sendall(b"220 " + b"x" * 10_000_000)


def drip(peer):
    for octet in itertools.cycle(b"220-x\r\n"):
        peer.sendall(bytes([octet]))
        time.sleep(0.05)


def silent(peer):
    time.sleep(30)


SENT, DEFERRED, BOUNCED = "sent", "deferred", "bounced"
BIG_EHLO = b"".join(b"250-X%d %s\r\n" % (i, b"y" * 400) for i in range(90)) + b"250 SIZE 99999999999999999999999\r\n"
HOPS = {
    "plain": (SENT, dict()),
    "octet-by-octet": (SENT, dict(split=True)),
    "big-ehlo": (SENT, dict(ehlo=BIG_EHLO)),
    "ehlo-502": (SENT, dict(ehlo=b"502 what\r\n")),
    "size-nonsense": (SENT, dict(ehlo=b"250-hop\r\n250-SIZE -1\r\n250-SIZE x\r\n250-\r\n250 PIPELINING\r\n")),
    "limits-nonsense": (SENT, dict(ehlo=b"250-hop\r\n250 LIMITS RCPTMAX=0 MAILMAX=-1 RCPTDOMAINMAX=%s =\r\n" % (b"9" * 300))),
    "bdat-unknown": (DEFERRED, dict(ehlo=b"250-hop\r\n250 CHUNKING\r\n", other=b"500 5.5.1 what\r\n")),
    "bdat-too-much": (BOUNCED, dict(ehlo=b"250-hop\r\n250 CHUNKING\r\n", other=b"552 5.3.4 too much\r\n")),
    "bdat-354": (DEFERRED, dict(ehlo=b"250-hop\r\n250 CHUNKING\r\n", other=b"354 go\r\n")),
    "binary-without-bdat": (SENT, dict(ehlo=b"250-hop\r\n250 BINARYMIME\r\n")),
    "all-parameters-555": (BOUNCED, dict(ehlo=b"250-hop\r\n250-SIZE\r\n250-DSN\r\n250 8BITMIME\r\n",
                                         mail=b"555 5.5.4 what\r\n")),
    "bare-cr-in-reply": (DEFERRED, dict(mail=b"450 a\rb\x00\x1b[31m\x07c\xff\r\n")),
    "injected-lines": (BOUNCED, dict(rcpt=b"550-5.1.1 no\x1b[2J\r\n550 5.1.1 X-Evil: 1\rBcc: all\tyes\r\n")),
    "codes-differ": (DEFERRED, dict(mail=b"250-ok\r\n550 no\r\n")),
    "no-code": (DEFERRED, dict(mail=b"hello\r\n")),
    "code-999": (DEFERRED, dict(mail=b"999 hello\r\n")),
    "code-354-to-mail": (DEFERRED, dict(mail=b"354 go\r\n")),
    "code-250-to-data": (DEFERRED, dict(data=b"250 ok\r\n")),
    "code-354-to-end": (DEFERRED, dict(end=b"354 more\r\n")),
    "code-100": (DEFERRED, dict(greeting=b"100 wait\r\n220 hop\r\n")),
    "always-450": (DEFERRED, dict(rcpt=b"450 4.2.0 later\r\n")),
    "always-421": (DEFERRED, dict(greeting=b"421 4.3.2 go away\r\n")),
    "greeting-554": (None, dict(greeting=b"554 5.3.2 no\r\n")),
    "esc-lies": (BOUNCED, dict(rcpt=b"550 2.0.0 fine\r\n")),
    "esc-nonsense": (BOUNCED, dict(rcpt=b"550 5.99999.1 x\r\n")),
    "closes-at-once": (DEFERRED, dict(greeting=None)),
    "closes-at-ehlo": (DEFERRED, dict(ehlo=None)),
    "closes-at-mail": (DEFERRED, dict(mail=None)),
    "closes-at-rcpt": (DEFERRED, dict(rcpt=None)),
    "closes-at-data": (DEFERRED, dict(data=None)),
    "closes-at-end": (DEFERRED, dict(end=None)),
    "endless-greeting": (DEFERRED, dict(greeting=endless)),
    "endless-ehlo": (DEFERRED, dict(ehlo=endless)),
    "endless-end": (DEFERRED, dict(end=endless)),
    "line-without-end": (DEFERRED, dict(greeting=no_line_end)),
    "dripping-greeting": (DEFERRED, dict(greeting=drip)),
    "dripping-end": (DEFERRED, dict(end=drip)),
    "silent": (DEFERRED, dict(greeting=silent)),
    "silent-end": (DEFERRED, dict(end=silent)),
    "closes-after-ehlo": (DEFERRED, dict(ehlo=lambda peer: (peer.sendall(b"250 hop\r\n"), peer.close()))),
    "many-replies-ahead": (DEFERRED, dict(greeting=b"220 a\r\n" + b"250 ok\r\n" * 1000)),
    "lf-only": (None, dict(greeting=b"220 hop\n", ehlo=b"250 hop\n", mail=b"250 ok\n")),
}


def next_hops(where):
    """Hops that lie: the outcome is right, what they say is harmless in the log."""
    hops, routes = {}, []
    for name, (_, script) in HOPS.items():
        hops[name] = Hop(lambda peer, script=script: plain(peer, **script))
        routes.append(f'  - {{ if: {{ rcpt_domain: [ {name}.test ] }}, relay: "smtp://127.0.0.1:{hops[name].port}" }}\n')
    s = server(where, CROWD + PATIENCE + OUT.format(expire="1h").replace("1s ]", "1h ]") + "route:\n" + "".join(routes)).start()
    before = rss(s.worker())
    with Client(s, "127.0.0.1") as c:
        c.say(b"EHLO x.test", b"250")
        for name in HOPS:
            c.say(b"MAIL FROM:<alice@hostile.test>", b"250")
            c.say(b"RCPT TO:<bob@" + name.encode() + b".test>", b"250")
            c.say(b"DATA", b"354")
            c.put(b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 1000 + b".\r\n")
            c.say(b"NOOP", b"250")
            c.reply()
    wrong = []
    for name, (outcome, _) in HOPS.items():
        found = log_says(s, rf"to=<bob@{re.escape(name)}\.test>.*status=(\w+)", 15)
        if not found or outcome and found[1] != outcome:
            wrong.append(f"{name}: {found and found[0]}, not {outcome}")
    expect(not wrong, "; ".join(wrong))
    good_mail(s, "after")
    log = (s.dir / "mail.log").read_bytes()
    expect(not re.search(rb"[^\n\t -~]", log), f"controls in the log: {re.search(rb'.{40}[^ -~].{40}', log)}")
    reports = [m for m in inbox(s) if b"multipart/report" in m]
    expect(reports, "no report")
    for m in reports:
        expect(not re.search(rb"[^\n\t -~]", m), f"controls in a report: {m}")
        expect(not re.search(rb"(?m)^(X-Evil|Bcc):", m), "a header field was injected")
    print(f"# {len(HOPS)} hops: {rss(s.worker()) - before} KiB grown")
    expect(rss(s.worker()) - before < GROWTH_KIB, "memory grew")
    stop(s)
    for hop in hops.values():
        hop.close()


def relay_loop(where):
    """Two servers that send to each other: it ends, once, at the hop limit."""
    ports = [free_port(), free_port()]
    pair = []
    for i in (0, 1):
        s = server(where / str(i), CROWD + f'route: [ {{ relay: "smtp://127.0.0.1:{ports[1 - i]}" }} ]\n'
                   + "bounce: { double: discard }\n")
        s.configure(s.config.read_text().replace(f"port: {s.port}", f"port: {ports[i]}")
                    .replace("mx.hostile.test", f"mx{i}.hostile.test"))
        s.port = ports[i]
        pair.append(s.start())
    with Client(pair[0], "127.0.0.1") as c:
        c.mail(b"nobody@loop.test", sender=b"alice@hostile.test")
    found = wait_for(lambda: [m for s in pair for m in inbox(s) if b"multipart/report" in m], 60)
    expect(found, "no report\n" + mail_log(pair[0])[-2000:])
    time.sleep(0.5)
    hops = sum(mail_log(s).count("to=<nobody@loop.test>") for s in pair)
    print(f"# the loop ended after {hops} deliveries")
    expect(hops <= 101, f"{hops} hops")
    expect(b"5.4.6" in found[0], "another reason")
    expect(sum(len(inbox(s)) for s in pair) == 1, "more than one report")
    for s in pair:
        stop(s)


def relay_to_itself(where):
    """A route that leads back to its own listener: seen at the first try, and the
    mail waits for whoever mends the route."""
    s = server(where)
    s.configure(s.config.read_text() + f'route: [ {{ relay: "smtp://127.0.0.1:{s.port}" }} ]\n')
    s.start()
    with Client(s, "127.0.0.1") as c:
        c.mail(b"nobody@loop.test", sender=b"alice@hostile.test")
    expect(log_says(s, r"to=<nobody@loop\.test>.*dsn=[45]\.4\.6.*loops back"), mail_log(s)[-2000:])
    time.sleep(0.5)
    expect(mail_log(s).count("to=<nobody@loop.test>") == 1, "more than one try")
    good_mail(s, "after")
    stop(s)


def bounce_storm(where):
    """Two hundred failures with forged senders: one report each at most, none of
    a report."""
    hop = Hop(lambda peer: plain(peer, rcpt=b"550 5.1.1 no\r\n"))
    s = server(where, CROWD + PATIENCE + f'route: [ {{ relay: "smtp://127.0.0.1:{hop.port}" }} ]\n').start()
    with Client(s, "127.0.0.1") as c:
        c.say(b"EHLO x.test", b"250")
        for i in range(200):
            c.say(b"MAIL FROM:<victim%d@away.test>" % i, b"250")
            c.say(b"RCPT TO:<bob%d@far.test>" % i, b"250")
            c.say(b"DATA", b"354")
            c.put(b"Subject: x\r\n\r\nx\r\n.\r\n")
            expect(c.reply()[:3] == b"250", "not taken")
    expect(wait_for(lambda: not s.queue(), 30), "it does not end")
    to_victims = len(set(re.findall(r"to=<victim\d+@away.test>", mail_log(s))))
    print(f"# 200 failures: {to_victims} reports to their senders' domain")
    expect(to_victims <= 110, f"{to_victims} reports to one domain in an hour")
    stop(s)
    hop.close()


def ipv6(where):
    """A listener and a next hop of IPv6."""
    got = []

    def talk(peer):
        plain(peer, end=lambda p: (got.append(1), p.sendall(b"250 ok\r\n")))
    hop = Hop(talk, "::1")
    s = server(where, CROWD + PATIENCE + f'route: [ {{ relay: "smtp://[::1]:{hop.port}" }} ]\n')
    s.configure(s.config.read_text().replace("address: 127.0.0.1", 'address: [ "127.0.0.1", "::1" ]')
                .replace("trusted: [ 127.0.0.1 ]", 'trusted: [ 127.0.0.1, "::1" ]'))
    s.start()
    with Client(s, "::1", "::1") as c:
        c.mail(b"bob@far.test")
    expect(wait_for(lambda: got, 10), mail_log(s)[-1500:])
    good_mail(s, "by-six", "::1", "::1")
    expect(b"[IPv6:::1]" in inbox(s)[0], "the Received field does not say so")
    stop(s)
    hop.close()


CASES = [next_hops, relay_loop, relay_to_itself, bounce_storm, ipv6]
