"""confusion -- two who read the same octets differently: headers, addresses, sessions, next hops."""
import re

from rig import CROWD, Client, Hop, expect, good_mail, healthy, inbox, mail_log, server, stop, wait_for

FORGED = b"mx.hostile.test; spf=pass smtp.mailfrom=ceo@bank.test; dkim=pass header.d=bank.test"
JUNK = (b"junk without a colon", b"\xff\xfe", b": no name", b" folded at the top", b"\tfolded at the top", b"From ceo@bank.test Sat",
        b">From: x", b"Bad Name: x", b"B\xc3\xa4d: x", b"X" * 999 + b": long", b"=?utf-8?q?From?= x")
AGAIN = [b"Authentication-Results: " + FORGED, b"Authentication-Results : " + FORGED, b"Authentication-Results\t:" + FORGED,
         b"authentication-RESULTS:" + FORGED, b"Authentication-Results:\r\n " + FORGED, b"Authentication-Results:\r\n\t\r\n " + FORGED,
         b"Authentication-Results: (a \\) comment) " + FORGED, b'Authentication-Results: "mx.hostile.test"; dkim=pass',
         b'Authentication-Results: "mx\\.hostile.test"; dkim=pass', b"Authentication-Results: mx.hostile.test 1; dkim=pass",
         b"Authentication-Results: MX.Hostile.TEST; dkim=pass", b"Authentication-Results: mx.hostile.test(c)/1; dkim=pass",
         b"Authentication-Results: mx.hostile.test", b"Authentication-Results: =?us-ascii?q?mx=2Ehostile=2Etest?=; dkim=pass",
         b"Authentication-Results: i=1; mx.hostile.test; dkim=pass", b"X-Spam-Flag: NO", b"X-Spam-Flag : NO"]
LAST = b"From: eve@out.test\r\nSubject: x\r\n\r\nbody\r\n"


def header_of(raw):
    """Fields as the most forgiving reader has them: what is no field is passed over, a line of blanks ends nothing."""
    fields = []
    for line in raw.partition(b"\n\n")[0].split(b"\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b" " + line.strip()
        else:
            fields.append(line)
    return fields


def messages():
    """Every forgery at the top, in the middle, at the end, behind each kind of junk."""
    for forged in AGAIN:
        yield forged + b"\r\n" + LAST
        yield b"From: eve@out.test\r\n" + forged + b"\r\n\r\nbody\r\n"
        yield forged + b"\r\n" + forged + b"\r\n" + LAST
    for junk in JUNK:
        for forged in AGAIN[:2] + [b"From: ceo@bank.test", b"Received: by mx.hostile.test; now", b"Return-Path: <ceo@bank.test>"]:
            yield junk + b"\r\n" + forged + b"\r\n" + LAST
            yield b"From: eve@out.test\r\n" + junk + b"\r\n" + forged + b"\r\n\r\nbody\r\n"
            yield b"From: eve@out.test\r\nX: y\r\n \t\r\n" + forged + b"\r\n" + junk + b"\r\n\r\nbody\r\n"


def forged_headers(where):
    """Whatever stands in a message: its top is ours, and nothing in its header claims to be."""
    s = server(where)
    s.configure(s.config.read_text().replace("inbound: { verify: { from: accept } }\n", ""))
    s.start()
    codes, n = {}, 0
    for content in messages():
        with Client(s) as c:
            c.say(b"EHLO eve.test", b"250")
            c.say(b"MAIL FROM:<eve@out.test> BODY=8BITMIME", b"250")
            c.say(b"RCPT TO:<alice@hostile.test>", b"250")
            c.say(b"DATA", b"354")
            c.put(content + b".\r\n")
            got = c.reply()[:9]
            codes[got] = codes.get(got, 0) + 1
            expect(got[:1] in b"25" and got[:3] != b"421", f"{content[:60]!r}: {got!r}")
            n += got[:3] == b"250"
    expect(wait_for(lambda: len(inbox(s)) == n, 30), f"{len(inbox(s))} of {n}")
    for raw in inbox(s):
        fields = header_of(raw)
        expect([f.partition(b":")[0] for f in fields[:4]] == [b"Return-Path", b"Delivered-To", b"Authentication-Results", b"Received"],
               f"the top is not ours: {raw[:400]!r}")
        expect(fields[0] == b"Return-Path: <eve@out.test>" and b"eve.test" in fields[3], f"{raw[:400]!r}")
        for f in fields[4:]:
            name, _, value = f.partition(b":")
            name = name.strip().lower()
            expect(name not in (b"return-path", b"x-spam-flag"), f"forged: {f!r}")
            expect(name != b"authentication-results" or b"mx.hostile.test" not in value.lower()
                   or value.strip()[:2] in (b"i=", b"=?"), f"forged: {raw!r}")
        expect(sum(f.partition(b":")[0].strip().lower() == b"from" for f in fields) == 1, f"not one author: {raw!r}")
    print(f"# {sum(codes.values())} messages: {codes}")
    good_mail(s, "after")
    stop(s)


# What the address is, and whether it is alice's (True), nobody's here (False), or not one (None).
ADDRESSES = [
    (b"alice@hostile.test", True), (b"ALICE@HOSTILE.TEST", True), (b'"alice"@hostile.test', True), (b'"al\\ice"@hostile.test', True),
    (b"alice+x@hostile.test", True), (b'"alice+"@hostile.test', True), (b"@far.test:alice@hostile.test", True),
    (b"@hostile.test,@far.test:alice@hostile.test", True), (b"alice@hostile.test.", None), (b"alice@.hostile.test", None),
    (b"alice @hostile.test", None), (b"alice@hostile.test ", None), (b"alice@hostile.test\t", None), (b"alice@@hostile.test", None),
    (b'"alice@far.test"@hostile.test', False), (b"alice%far.test@hostile.test", False), (b"far.test!alice@hostile.test", False),
    (b"alice@far.test", False), (b"@hostile.test:alice@far.test", False), (b"alice@hostile.test@far.test", None),
    (b"alice@[127.0.0.1]", False), (b"alice@[IPv6:::1]", False), (b"alice@[IPv6:::ffff:127.0.0.1]", False), (b"alice@127.0.0.1", False),
    (b'"alice@hostile.test>\r\nRCPT TO:<bob"@far.test', None), (b'"a\\"lice"@hostile.test', False), (b'""@hostile.test', False),
    (b'"alice "@hostile.test', False), (b'" alice"@hostile.test', False), (b"a.lice@hostile.test", False),
    (b"../alice@hostile.test", None), (b'"../../alice"@hostile.test', False), (b"-alice@hostile.test", False), (b"|alice@hostile.test", False),
    (b"/tmp/alice@hostile.test", False), (b":include:/etc/passwd@hostile.test", None), (b"\\alice@hostile.test", None),
    (b"alice(comment)@hostile.test", None), (b"alice@hostile.test(comment)", None), (b"Alice <alice@hostile.test>", None),
    (b"alice@hostile.test,bob@far.test", None), (b"alice@hostile.test;bob@far.test", None), (b"alice@xn--.test", None),
    (b"alice\0@hostile.test", None), (b"alice@hostile.test\0.far.test", None),
]
# With SMTPUTF8.  IDNA maps the wide letters, and takes out what cannot be seen.
UTF8 = [
    ("alice@ｈostile.test", True), ("alice@HOSTİLE.test", False), ("alice@hоstile.test", False), ("ａlice@hostile.test", False),
    ("аlice@hostile.test", False), ("alice@hostile。test", None), ("alice@hostile．test", None), ("alice＠hostile.test", None),
    ("alice@hostile.test\u200b", True), ("alice\u200b@hostile.test", False), ("alice\u202e@hostile.test", False), ("alice\u0085@hostile.test", None),
    ("aliće@hostile.test", False), ("alicé@hostile.test", False), ("alice@ho\u00adstile.test", True),
]


def one_address(s, address, parameter=b""):
    """The code; what is accepted is sent, with a mark."""
    with Client(s) as c:
        c.say(b"EHLO eve.test", b"250")
        c.say(b"MAIL FROM:<eve@out.test>" + parameter, b"250")
        c.put(b"RCPT TO:<" + address + b">\r\n")
        got = c.reply()
        if got[:3] == b"250":
            c.say(b"DATA", b"354")
            c.put(b"Subject: x\r\nX-To: %s\r\n\r\n.\r\n" % address.hex().encode())
            expect(c.reply()[:3] == b"250", "not kept")
    return got


def addresses(where):
    """Who is accepted at RCPT is who gets it; look-alikes, tricks and routes lead nowhere else."""
    hop = Hop(lambda peer: peer.close())
    s = server(where, CROWD + f'route: [ {{ relay: "smtp://127.0.0.1:{hop.port}" }} ]\n').start()
    wanted, wrong = set(), []
    for address, whose in [*ADDRESSES, *((a.encode(), w) for a, w in UTF8)]:
        got = one_address(s, address, b" SMTPUTF8" if not address.isascii() else b"")
        want = {True: (b"250",), False: (b"550",), None: (b"501", b"500", b"553", b"550")}[whose]
        if not got.startswith(want):
            wrong.append(f"{address!r}: {got!r}")
        if got[:3] == b"250":
            wanted.add(address.hex().encode())
    expect(not wrong, "; ".join(wrong))
    expect(wait_for(lambda: len(inbox(s)) == len(wanted), 20), f"{len(inbox(s))} of {len(wanted)}")
    expect({re.search(rb"X-To: (\w+)", m)[1] for m in inbox(s)} == wanted, "another got it")
    expect(not hop.calls and not s.queue(), f"{hop.calls} calls; {s.queue()}")
    stop(s)
    hop.close()


def mapped_addresses(where):
    """A listener of both families: who comes by IPv4 is the same client whatever he came through."""
    s = server(where)
    s.configure(s.config.read_text().replace("address: 127.0.0.1", 'address: [ "0.0.0.0", "::" ]')
                .replace("trusted: [ 127.0.0.1 ]", 'trusted: [ 127.0.0.1 ]\nxclient: [ 127.0.0.9 ]'))
    s.start()
    for source, to, code in (("127.0.0.1", "127.0.0.1", b"250"), ("127.0.3.1", "127.0.0.1", b"550 5.7.1"), ("::1", "::1", b"550 5.7.1"),
                             ("::ffff:127.0.0.1", "::ffff:127.0.0.1", b"250"), ("::ffff:127.0.3.1", "::ffff:127.0.0.1", b"550 5.7.1")):
        try:
            c = Client(s, source, to)
        except OSError:             # IPv6 only: nobody comes so
            continue
        with c:
            c.say(b"EHLO eve.test", b"250")
            c.say(b"MAIL FROM:<eve@out.test>", b"250")
            c.say(b"RCPT TO:<x@far.test>", code)
    for told, code in ((b"127.0.0.1", b"250"), (b"IPV6:::ffff:127.0.0.1", b"250"), (b"IPV6:::ffff:10.0.0.1", b"550"), (b"::1", b"550"),
                       (b"IPV6:::127.0.0.1", b"550"), (b"127.0.0.1.", b"501"), (b"127.1", b"501"), (b"0177.0.0.1", b"501"),
                       (b"2130706433", b"501"), (b"127.0.0.1%25lo", b"501"), (b"[127.0.0.1]", b"501"), (b"127.0.0.01", b"?")):
        with Client(s, "127.0.0.9") as c:
            got = c.say(b"XCLIENT ADDR=" + told)
            if got[:3] == b"220":
                c.say(b"EHLO eve.test", b"250")
                c.say(b"MAIL FROM:<eve@out.test>", b"250")
                got = c.say(b"RCPT TO:<x@far.test>")
            expect(code == b"?" or got.startswith(code), f"{told!r}: {got!r}, not {code!r}")
    stop(s)


class Sink:
    """A next hop that keeps every octet it hears; it offers what it is told to."""

    def __init__(self, offers):
        self.offers, self.heard, self.hop = offers, [], Hop(self.talk)

    def talk(self, peer):
        got = bytearray()
        self.heard.append(got)
        peer.sendall(b"220 sink\r\n")
        at, data = 0, False
        while more := peer.recv(65536):
            got += more
            while (end := got.find(b"\r\n.\r\n" if data else b"\r\n", at - 2 if data else at)) >= 0:
                line, at = bytes(got[at:end]), end + (5 if data else 2)
                verb = line[:4].upper()
                if not data and verb == b"BDAT":
                    size = int(line.split()[1])
                    while len(got) < at + size:
                        got += peer.recv(65536)
                    at += size
                peer.sendall(b"250 taken\r\n" if data else b"250-sink\r\n" + self.offers + b"250 SIZE\r\n" if verb == b"EHLO" else
                             b"354 go\r\n" if verb == b"DATA" else b"250 ok\r\n")
                data = not data and verb == b"DATA"


TRICKY = [b"\r\n.\r\n", b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
          b"\r\r\n.\r\r\n", b"\r\n..\r\n", b"\r\n.\r\n.\r\n", b"\n\n.\n\n"]
INNER = b"MAIL FROM:<eve@out.test>\r\nRCPT TO:<victim@far.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"


def outgoing(where):
    """Every trick in a binary body, to hops that take chunks, binary or only lines: one message each, and no octet of it a command."""
    sinks = {b"lines": Sink(b""), b"eight": Sink(b"250-8BITMIME\r\n"), b"chunks": Sink(b"250-CHUNKING\r\n250-8BITMIME\r\n"),
             b"binary": Sink(b"250-CHUNKING\r\n250-BINARYMIME\r\n250-8BITMIME\r\n")}
    routes = "".join(f'  - {{ if: {{ rcpt_domain: [ {name.decode()}.test ] }}, relay: "smtp://127.0.0.1:{sink.hop.port}" }}\n'
                     for name, sink in sinks.items())
    s = server(where, CROWD + "outbound: { idle: 0s }\nroute:\n" + routes).start()
    bodies = [b"before" + t + INNER + b"after" for t in TRICKY]
    for name in sinks:
        for i, body in enumerate(bodies):
            content = b"From: a@b.test\r\nContent-Type: application/octet-stream\r\nMIME-Version: 1.0\r\n\r\n" + body
            with Client(s, "127.0.0.1") as c:
                c.say(b"EHLO x.test", b"250")
                c.say(b'MAIL FROM:<"a> b"@good.test> BODY=BINARYMIME ENVID=a+3Eb', b"250")
                c.say(b'RCPT TO:<"x> SIZE=1 %d"@%s.test> ORCPT=rfc822;a+3E+20b' % (i, name), b"250")
                c.put(b"BDAT %d LAST\r\n" % len(content) + content)
                expect(c.reply()[:3] == b"250", "not kept")
    expect(wait_for(lambda: all(sum(b"QUIT\r\n" in h for h in sink.heard) >= 1 and
                                sum(h.count(b"RCPT TO:<\"x>") for h in sink.heard) >= len(bodies) for sink in sinks.values())
                    and not s.queue(), 30), f"{s.queue()}\n{[len(k.heard) for k in sinks.values()]}")
    for name, sink in sinks.items():
        for heard in map(bytes, sink.heard):
            if name != b"binary":
                expect(not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", heard), f"{name}: a bare CR, LF or NUL: {heard[:2000]!r}")
                expect(b"smuggled" not in heard and b"victim" not in heard, f"{name}: as it was: {heard[:2000]!r}")
            commands = re.findall(rb"(?m)^(?:MAIL FROM|RCPT TO):.*", re.sub(rb"(?s)BDAT (\d+) LAST\r\n.*?(?=RSET|QUIT|MAIL FROM:<\"|\Z)", b"", heard))
            for line in commands:
                expect(re.fullmatch(rb'MAIL FROM:<"a> b"@good\.test>( [A-Z]+=[^ ]+)*\r|RCPT TO:<"x> SIZE=1 \d+"@[a-z]+\.test>( [A-Z]+=[^ ]+)*\r',
                                    line), f"{name}: {line!r}")
        sink.hop.close()
    healthy(s)
    stop(s)


HELOS = [b"a;dkim=pass", b"a(b", b"a)b", b'"x"', b"a\\b", b"<x>", b"a=b;dkim=pass", b"x]:", b"unknown[9.9.9.9]:", b"%n%s", b"a,b", b"@x:y", b"a`id`"]
SENDERS = [b'"x;dkim=pass header.d=bank.test"@out.test', b'"a\\"b"@out.test', b'"a\\\\"@out.test', b'"(c"@out.test', b'"a) b"@out.test',
           b'"<>"@out.test', b'"a> to=<victim@far.test>, status=sent (x"@out.test', b'"$(id)"@out.test',
           b'"]: SASL PLAIN authentication failed: x[9.9.9.9]"@out.test', b"=?utf-8?q?x?=@out.test"]


def words_of_others(where):
    """What a stranger calls himself stays a word: in the fields that we write, and in the log."""
    s = server(where)
    s.configure(s.config.read_text().replace("from: accept", "from: accept, received_spf: yes"))
    s.start()
    pairs = [(h, b"eve@out.test") for h in HELOS] + [(b"ok.test", w) for w in SENDERS]
    for helo, sender in pairs:
        with Client(s) as c:
            c.say(b"EHLO " + helo, b"250")
            c.say(b"MAIL FROM:<" + sender + b">", b"250")
            c.say(b"RCPT TO:<alice@hostile.test>", b"250")
            c.say(b"DATA", b"354")
            c.put(b"Subject: x\r\n\r\nx\r\n.\r\n")
            expect(c.reply()[:3] == b"250", "not kept")
    expect(wait_for(lambda: len(inbox(s)) == len(pairs), 20), f"{len(inbox(s))} of {len(pairs)}")
    for raw in inbox(s):
        for f in header_of(raw):
            bare = re.sub(rb'"(?:\\.|[^"\\])*"', b'""', f)
            if f.startswith((b"Authentication-Results", b"Received-SPF")):
                expect(bare.count(b'"') % 2 == 0 and not re.search(rb"dkim=pass|bank|9\.9\.9|\(b|\$\(|<|`", bare.replace(b"helo=a`id`", b"")), f"{f!r}")
            elif f.startswith(b"Received:"):
                expect(re.match(rb"Received: from [\w.?-]+ \(unknown \[127\.0\.3\.1\]\) by mx", f), f"{f!r}")
    log = mail_log(s)
    # what log readers look for: who it was, and where it went
    expect(not re.search(r" to=<victim|(?:warning: |connect from |\w+ from )[^\[]*\[9\.9\.9\.9\]", log), f"{log[-3000:]}")
    stop(s)


CASES = [forged_headers, addresses, mapped_addresses, outgoing, words_of_others]
