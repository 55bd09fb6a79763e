"""levels -- what becomes of mail to hosts with TLS of all kinds, at each level."""
import smtplib
import ssl

from peer import Authority, Peer
from rig import CONFIG, check, started
from server import free_port, maildir, wait_for

UNTRUSTED = "the host's certificate is not trusted: "


class Street:
    """Hosts of each kind, at one port: name -> address."""

    def __init__(self, where):
        self.ca = Authority(where)
        strange = Authority(where, "stranger")
        self.port = free_port("127.0.0.2")
        self.kinds = {
            "good": {"tls": self.ca.of("good.host.test")},
            "old": {"tls": self.ca.of("old.host.test"), "versions": ssl.TLSVersion.TLSv1_2},
            "wild": {"tls": self.ca.of("*.host.test", file="wild")},
            "other": {"tls": self.ca.of("another.host.test")},
            "late": {"tls": self.ca.expired("late.host.test")},
            "self": {"tls": self.ca.self_signed("self.host.test")},
            "strange": {"tls": strange.of("strange.host.test")},
            "none": {},
            "refuses": {"tls": self.ca.of("refuses.host.test"), "answer": "454 4.7.0 not now"},
            "broken": {"tls": self.ca.of("broken.host.test"), "broken": b"220 no TLS here\r\n"},
            "behind": {"tls": self.ca.of("behind.host.test"), "behind": b"250-x\r\n250 AUTH PLAIN\r\n"},
        }
        self.peers = {}
        self.names = {kind: f"127.0.0.{2 + i}" for i, kind in enumerate(self.kinds)}

    def __enter__(self):
        for kind, how in self.kinds.items():
            self.peers[kind] = Peer(self.names[kind], self.port, name=f"{kind}.test", **how)
        return self

    def __exit__(self, *_):
        for p in self.peers.values():
            p.__exit__()

    def zone(self, *more):
        return [f"{kind}.host.test. A {at}" for kind, at in self.names.items()] + list(more)

    def routes(self, *levels):
        """Mail to LEVEL.KIND.example goes to the host KIND at LEVEL."""
        return "route:\n" + "".join(
            f"  - {{ if: {{ rcpt_domain: {level}.{kind}.example }}, relay: 'smtp://{kind}.host.test:{self.port}', "
            f"tls: {level}, name: {level}-{kind} }}\n" for level in levels for kind in self.kinds)


# (kind, level): how it is delivered, or the sentence of the deferral
FINE = "delivered"
MATRIX = {
    "none": {kind: "clear" for kind in ("good", "none", "refuses", "broken", "behind", "late", "other")},
    "may": {"good": "TLSv1.3/verify", "old": "TLSv1.2/verify", "wild": "TLSv1.3/verify", "other": "TLSv1.3/trust",
            "late": "TLSv1.3/encrypt", "self": "TLSv1.3/encrypt", "strange": "TLSv1.3/encrypt", "none": "clear",
            "refuses": "clear", "broken": "clear",
            "behind": "4.7.0 there was text behind the answer to STARTTLS, as if somebody stood between"},
    "encrypt": {"good": "TLSv1.3/verify", "other": "TLSv1.3/trust", "late": "TLSv1.3/encrypt",
                "self": "TLSv1.3/encrypt", "strange": "TLSv1.3/encrypt",
                "none": "4.7.4 the host does not offer STARTTLS",
                "refuses": "4.7.4 the host offers STARTTLS and refuses it",
                "broken": "4.7.5 TLS handshake: wrong version number"},
    "verify": {"good": "TLSv1.3/verify", "wild": "TLSv1.3/verify", "old": "TLSv1.2/verify",
               "other": "4.7.5 the host's certificate is not for other.host.test",
               "late": "4.7.5 " + UNTRUSTED + "it has expired",
               "self": "4.7.5 " + UNTRUSTED + "it is signed by itself",
               "strange": "4.7.5 " + UNTRUSTED + "no authority that is trusted here vouches for it",
               "none": "4.7.4 the host does not offer STARTTLS",
               "refuses": "4.7.4 the host offers STARTTLS and refuses it",
               "broken": "4.7.5 TLS handshake: wrong version number"},
}


def levels(where):
    """Every kind of host at every level; never clear text where more was asked."""
    with Street(where) as street, started(
            where / "s", zone=street.zone(), more=f"tls: {{ ca: {street.ca.cert} }}\n" + street.routes(*MATRIX)) as s:
        for level, kinds in MATRIX.items():
            for kind in kinds:
                s.send(f"{level}@{level}.{kind}.example")
        for level, kinds in MATRIX.items():
            for kind, wanted in kinds.items():
                e = s.last(f"{level}@{level}.{kind}.example")
                if wanted[0].isdigit():
                    check(e["event"] == "delayed" and wanted in f"{e['dsn']} {e['text']}", f"{level} {kind}", e)
                    check("asks for" in e["text"] or "handshake" in e["text"] or "behind" in e["text"],
                          "it is not told who wants it", e)
                else:
                    check(e["event"] == "delivered" and e["tls"] == wanted, f"{level} {kind}", e)
        for kind, peer in street.peers.items():
            for mail in peer.mails:
                level = mail["rcpts"][0].split("@")[0]
                check(mail["tls"] or level in ("none", "may"), f"clear text to {kind}", mail)
        check({t.sni for t in street.peers["good"].talks if t.is_private} == {"good.host.test"}, "SNI",
              [t.sni for t in street.peers["good"].talks])
        told = wait_for(lambda: [e for e in s.events() if e["event"] == "insecure" and "broken.host.test" in e["relay"]], 20)
        check(told and told[0]["reason"] == "broken" and "wrong version number" in told[0]["text"], "fallback", told)
        check(s.stop() == 0, "stop", s.tail())


def secure_schemes(where):
    """smtps://, smtp+tls://; names of one's own; a host of a list that does not do
    is passed over."""
    ca = Authority(where)
    ports = [free_port("127.0.0.2") for _ in range(4)]
    routes = f"""tls: {{ ca: {ca.cert} }}
route:
  - {{ if: {{ rcpt_domain: implicit.example }}, relay: 'smtps://mx.test:{ports[0]}' }}
  - {{ if: {{ rcpt_domain: start.example }}, relay: 'smtp+tls://mx.test:{ports[1]}' }}
  - {{ if: {{ rcpt_domain: named.example }}, relay: 'smtp://mx.test:{ports[2]}', tls: {{ names: [ '*.names.test' ] }} }}
  - {{ if: {{ rcpt_domain: list.example }}, relay: [ 'smtp+tls://mx.test:{ports[2]}', 'smtp+tls://mx.test:{ports[1]}' ] }}
"""
    own = ca.of("mx.test")
    with Peer("127.0.0.2", ports[0], tls=own, implicit=True) as implicit, Peer("127.0.0.2", ports[1], tls=own) as start, \
            Peer("127.0.0.2", ports[2], tls=ca.of("a.names.test")) as named, \
            started(where / "s", zone=["mx.test. A 127.0.0.2"], more=routes) as s:
        for to in ("implicit", "start", "named", "list"):
            s.send(f"bob@{to}.example")
        for to in ("implicit", "start", "named", "list"):
            e = s.last(f"bob@{to}.example")
            check(e["event"] == "delivered" and e["tls"] == "TLSv1.3/verify", to, e)
        check(len(implicit.mails) == 1 and len(start.mails) == 2 and len(named.mails) == 1, "who got what")


def by_mx(where):
    """outbound.tls: verify.  By MX the domain's own name counts, and the host's
    where the DNS is signed; one connection is not used for another domain."""
    ca = Authority(where)
    zone = ["a.example. MX 10 mx.a.example.", "mx.a.example. A 127.0.0.2",
            "b.example. MX 10 mx.provider.test.", "mx.provider.test. A 127.0.0.3",
            "c.example. MX 10 mx.signed.test.", "c.example. SECURE", "mx.signed.test. A 127.0.0.4",
            "mx.signed.test. SECURE", "d.example. MX 10 mx.a.example."]
    port = free_port("127.0.0.2")
    with Peer("127.0.0.2", port, tls=ca.of("mx.a.example")) as a, \
            Peer("127.0.0.3", port, tls=ca.of("mx.provider.test")) as b, \
            Peer("127.0.0.4", port, tls=ca.of("mx.signed.test")) as c, \
            started(where / "s", zone=zone, outbound="tls: verify", mx_port=port,
                    more=f"tls: {{ ca: {ca.cert} }}\n") as s:
        s.send("x@a.example", "x@b.example", "x@c.example", "x@d.example")
        for domain, fine in (("a", True), ("b", False), ("c", True), ("d", False)):
            e = s.last(f"x@{domain}.example")
            check((e["event"] == "delivered") == fine, domain, e)
            if not fine:
                check(f"not for {domain}.example (outbound.tls asks for 'verify')" in e["text"], domain, e)
        check(len(a.mails) == 1 and not b.mails and len(c.mails) == 1, "who got what")


def stripped(where):
    """STARTTLS was offered and is not any more: told, and told apart by level."""
    ca = Authority(where)
    port = free_port("127.0.0.2")
    with Peer("127.0.0.2", port, tls=ca.of("mx.test")) as peer, started(
            where / "s", zone=["a.example. MX 10 mx.test.", "mx.test. A 127.0.0.2"], mx_port=port) as s:
        s.send("one@a.example")
        check(s.last("one@a.example")["tls"].startswith("TLS"), "no TLS before")
        peer.tls = None
        s.send("two@a.example")
        check(s.last("two@a.example")["tls"] == "clear", "no clear text after")
        told = wait_for(lambda: [e for e in s.events() if e["event"] == "insecure"], 20)
        check(told and told[0]["reason"] == "missing" and "offers it no more" in told[0]["text"], "not told", told)
        why = s.ask("why", "two@a.example").stdout
        check("clear" in why, "nightmail why does not tell", why)


def remembered(where):
    """A host whose TLS breaks is not asked for it again for a while; what it had
    in clear text is told in the event."""
    ca = Authority(where)
    port = free_port("127.0.0.2")
    with Peer("127.0.0.2", port, tls=ca.of("mx.test"), broken=b"\x15\x03\x03\x00\x02\x02\x28") as peer, started(
            where / "s", zone=["a.example. MX 10 mx.test.", "mx.test. A 127.0.0.2"], mx_port=port) as s:
        for name in ("one", "two"):
            s.send(f"{name}@a.example")
            e = s.last(f"{name}@a.example")
            check(e["event"] == "delivered" and e["tls"] == "clear", name, e)
        asked = [t for t in peer.talks if "STARTTLS" in t.heard]
        check(len(asked) == 1 and len(peer.talks) == 3, "asked again", [t.heard for t in peer.talks])
        told = [e for e in s.events() if e["event"] == "insecure"]
        check(len(told) == 1 and "handshake failure" in told[0]["text"], "told", told)


def anchors_change(where):
    """The file of tls.ca is read again when it changes."""
    ca, other = Authority(where), Authority(where, "other")
    port = free_port("127.0.0.2")
    file = where / "anchors.pem"
    file.write_text(other.cert.read_text())
    file.chmod(0o644)
    where.chmod(0o755)
    with Peer("127.0.0.2", port, tls=ca.of("mx.test")), started(
            where / "s", zone=["mx.test. A 127.0.0.2"], more=f"tls: {{ ca: {file} }}\n"
            f"route: [ {{ relay: 'smtp+tls://mx.test:{port}' }} ]\n") as s:
        s.send("one@a.example")
        e = s.last("one@a.example")
        check("no authority" in e["text"], "trusted too early")
        file.write_text(ca.cert.read_text())
        check(wait_for(lambda: any(x["event"] == "reloaded" for x in s.events()), 90, 0.5), "no reload")
        s.ask("queue", "retry", e["id"])
        e = s.last("one@a.example", ("delivered",), 60)
        check(e["tls"] == "TLSv1.3/verify", "not trusted", e)


def clear_inward(where):
    """Mail that came in clear text from outside: accepted, tagged, refused."""
    config = CONFIG.replace("role: relay", "role: mx") + "trusted: 192.0.2.1\n"
    for word in ("accept", "tag", "refuse"):
        with started(where / word, config=config, more=f"inbound: {{ clear: {word} }}\n") as s:
            try:
                s.send("ann@out.test", body="From: ann@out.test\r\nSubject: clear\r\n\r\nx\r\n")
            except smtplib.SMTPResponseException as no:
                check(word == "refuse" and no.smtp_code == 530, word, no)
            else:
                check(word != "refuse", "it was taken")
            s.send("ann@out.test", body="From: ann@out.test\r\nSubject: private\r\n\r\nx\r\n", tls=ssl._create_unverified_context())
            box = s.dir / "mail/ann"
            want = {"accept": {"clear": None, "private": None}, "tag": {"clear": "yes", "private": None},
                    "refuse": {"private": None}}[word]
            check(wait_for(lambda: len(maildir(box)) == len(want), 20), "arrived", len(maildir(box)))
            check({m["Subject"]: m["X-Clear-Text"] for _, m in maildir(box)} == want, word, maildir(box))


def sentinel(where):
    """Hosts that fail in one way are noticed, and named."""
    ca = Authority(where)
    port = free_port("127.0.0.2")
    zone, peers = [], []
    try:
        for i in range(2, 14):
            zone += [f"d{i}.example. MX 10 mx{i}.test.", f"mx{i}.test. A 127.0.0.{i}"]
            peers.append(Peer(f"127.0.0.{i}", port, tls=ca.cert and (ca.cert, ca.key),
                              broken=b"\x15\x03\x03\x00\x02\x02\x28"))
        with started(where / "s", zone=zone, mx_port=port) as s:
            s.send(*[f"x@d{i}.example" for i in range(2, 14)])
            for i in range(2, 14):
                check(s.last(f"x@d{i}.example")["event"] == "delivered", f"d{i}")
            told = wait_for(lambda: [e for e in s.events() if e["event"] == "peers_failing"], 20)
            check(told and "hosts fail in one way" in told[0]["text"] and "handshake failure" in told[0]["text"],
                  "no event", told)
            said = s.ask("status").stdout
            check("12 hosts fail" in said and "handshake failure" in said, "status", said)
    finally:
        for p in peers:
            p.__exit__()


CASES = [levels, clear_inward, secure_schemes, by_mx, stripped, remembered, anchors_change, sentinel]
