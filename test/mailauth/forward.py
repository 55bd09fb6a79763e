"""forward -- mail that aliases lead elsewhere: what the next server makes of it, and
what comes back."""
import json
import re
import signal
import smtplib
import socket
import subprocess

import package
from rig import Node, check, letter
from server import free_port, wait_for

# a.test writes, f.test forwards, b.test gets.
ZONE = """\
5.0.0.127.in-addr.arpa. PTR mx.a.test.
mx.a.test. A 127.0.0.5
a.test. TXT "v=spf1 ip4:127.0.0.5 -all"
_dmarc.a.test. TXT "v=DMARC1; p=reject"
7.0.0.127.in-addr.arpa. PTR mx.f.test.
mx.f.test. A 127.0.0.7
f.test. TXT "v=spf1 ip4:127.0.0.7 -all"
mx.f.test. TXT "v=spf1 a -all"
"""
OUTBOUND = """\
outbound: {{ bind: {bind}, tls: none, dane: no, mta_sts: no, connections: 4 }}
route: [ {{ relay: "smtp://127.0.0.1:{port}" }} ]
"""
ARC = "forward: { arc: on }\n"


def forwarder(where, to, more="", name="mx.f.test"):
    """f.test, whose bob is at b.test."""
    aliases = where / "aliases"
    aliases.write_text("bob: bob@b.test\nboth: alice, bob@b.test\n")
    aliases.chmod(0o644)
    return Node(where, name, ZONE, OUTBOUND.format(bind="127.0.0.7", port=to) + more,
                domains={"f.test": f"{{ users: [ alice ], aliases: {aliases} }}"})


def receiver(where, more=""):
    return Node(where, "mx.b.test", ZONE, more)


def zone_line(name, text):
    return f"{name}. TXT " + " ".join(f'"{text[i:i + 255]}"' for i in range(0, len(text), 255)) + "\n"


def keys_of(node, domain):
    """Keys that sign, with their records in everybody's zone."""
    made = node.server.ask("dkim", "show", domain, "--json", "--config", str(node.server.config))
    check(made.returncode == 0, "dkim show", made)
    return "".join(zone_line(key["name"], key["text"]) for key in json.loads(made.stdout)["keys"])


def publish(nodes, lines):
    zone = nodes[0].zone
    zone.write_text(zone.read_text() + lines)
    for node in nodes:
        done = node.server.ask("reload")
        check(done.returncode == 0, "reload", done)


def in_force(node, domain, nodes):
    publish(nodes, keys_of(node, domain))
    done = node.server.ask("dkim", "check", domain, "--config", str(node.server.config))
    check(done.returncode == 0, "dkim check", done)


def arrived(b, nth=1):
    """The nth message at b.test: id, results, octets."""
    check(wait_for(lambda: len(b.files()) >= nth, 60), "it does not arrive", b.server.tail())
    told = wait_for(lambda: len(e := b.events("queued")) >= nth and e, 60)
    mid = told[nth - 1]["id"]
    return mid, b.results(mid), b.message(mid)


def has(found, *wanted):
    for want in wanted:
        check(want in found, f"not {want}", found)


def srs_of(octets):
    found = re.search(rb"^Return-Path: <(SRS[^>]*)>", octets)
    check(found, "no SRS in Return-Path", octets[:300])
    return found[1].decode()


# ---- forward ----

def forward_signed(where):
    """With DKIM all is well at the next server; the seal tells what this one saw."""
    with receiver(where) as b, forwarder(where, b.mx, ARC) as f, \
            Node(where, "mx.a.test", ZONE, OUTBOUND.format(bind="127.0.0.5", port=f.mx), domains=("a.test",)) as a:
        in_force(f, "f.test", [f, a, b])
        in_force(a, "a.test", [f, a, b])
        code, text, _ = a.send(letter(), source="127.0.0.1", port=a.relay, to="bob@f.test")
        check(code == 250, "A does not take it", text)
        mid, found, octets = arrived(b)
        has(found, "mx.b.test; iprev=pass policy.iprev=127.0.0.7", "spf=pass smtp.mailfrom=f.test",
            "dkim=pass header.d=a.test", "arc=pass", "dmarc=pass header.from=a.test")
        check(re.fullmatch(r"SRS0=[A-Za-z0-9+/]{4}=[A-Z2-7]{2}=a\.test=ann@f\.test", srs_of(octets)), "SRS", octets[:200])
        own = octets[octets.index(b"ARC-Seal:"):]
        check(own.index(b"ARC-Seal:") < own.index(b"ARC-Message-Signature:") <
              own.index(b"ARC-Authentication-Results: i=1; mx.f.test;") < own.index(b"Authentication-Results: mx.f.test;"),
              "order", own)
        flat = re.sub(rb"\r\n[ \t]+", b" ", own).decode()
        aar = re.search(r"ARC-Authentication-Results: i=1; (.*)", flat)[1]
        check(aar == re.search(r"\nAuthentication-Results: (.*)", flat)[1], "the AAR is what we found", flat)
        has(aar, "spf=pass smtp.mailfrom=a.test", "dkim=pass header.d=a.test", "dmarc=pass")
        check("cv=none; d=f.test;" in flat, "seal", flat)
        check(b.checked(mid)["disposition"] == "none", "disposition", b.checked(mid))


def forward_unsigned(where):
    """Without DKIM it fails DMARC at the next server, unless that believes the seal."""
    with receiver(where, "inbound: { verify: { trusted_sealers: [ f.test ] } }\n") as b, \
            forwarder(where, b.mx, ARC) as f:
        in_force(f, "f.test", [f, b])
        code, text, _ = f.send(letter(), source="127.0.0.5", helo="mx.a.test", to="bob@f.test")
        check(code == 250, "F does not take it", text)
        mid, found, _ = arrived(b)
        has(found, "spf=pass smtp.mailfrom=f.test", "arc=pass", "dmarc=fail ", "header.from=a.test policy.dmarc=reject")
        event = b.checked(mid)
        check(event["disposition"] == "none" and event["override"] == "local_policy" and
              "trusted_sealers" in event["rule"], "override", event)
        # spam, which failed here, is not helped
        code, text, _ = f.send(letter(), source="127.0.0.2", sender="eve@spam.test", to="bob@f.test")
        if code == 250:
            event = wait_for(lambda: [e for e in b.server.events() if e["event"] == "checked"
                                      and e["sender"].endswith("=spam.test=eve@f.test")], 60)
            check(event and event[0]["disposition"] != "none", "spam is believed", event, b.server.tail())


def forward_unbelieved(where):
    """Nobody asked for its seal: p=reject counts."""
    with receiver(where) as b, forwarder(where, b.mx, ARC) as f:
        in_force(f, "f.test", [f, b])
        code, text, _ = f.send(letter(), source="127.0.0.5", helo="mx.a.test", to="bob@f.test")
        check(code == 250, "F does not take it", text)
        event = b.events("checked")[0]
        check("arc=pass" in event["results"] and event["disposition"] != "none", "disposition", event)


def forward_broken_chain(where):
    """A chain that does not hold is sealed once, as broken; a message that stays is not sealed."""
    with receiver(where) as b, forwarder(where, b.mx, ARC) as f:
        in_force(f, "f.test", [f, b])
        forged = ("ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.test; s=x; b=AAAA",
                  "ARC-Message-Signature: i=1; a=rsa-sha256; d=a.test; s=x; h=from; "
                  "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA",
                  "ARC-Authentication-Results: i=1; a.test; dmarc=pass")
        code, text, _ = f.send(letter("ann@c.test", *forged), source="127.0.0.5", sender="ann@c.test", to="bob@f.test")
        check(code == 250, "F does not take it", text)
        _, found, octets = arrived(b)
        has(found, "arc=fail")
        flat = re.sub(rb"\r\n[ \t]+", b" ", octets)
        check(b"cv=fail; d=f.test; i=2;" in flat, "seal", flat)
        code, _, mid = f.send(letter("ann@c.test"), source="127.0.0.5", sender="ann@c.test", to="alice@f.test")
        check(code == 250 and b"ARC-" not in f.message(mid, user="alice", domain="f.test"), "sealed what stays")


# ---- and back ----

def forward_back(where):
    """Reports reach the author through the address that we wrote, after a restart too; nobody else does."""
    with receiver(where) as b, forwarder(where, b.mx) as f:
        code, text, _ = f.send(letter("ann@c.test"), source="127.0.0.5", sender="ann@c.test", to="both@f.test")
        check(code == 250, "F does not take it", text)
        _, _, octets = arrived(b)
        check(b"ARC-Seal" not in octets, "sealed without being asked")
        us = srs_of(octets)
        stays = wait_for(lambda: f.files("alice", "f.test"), 60)
        check(stays and b"Return-Path: <ann@c.test>" in open(stays[0], "rb").read(), "who stays keeps the sender", stays)

        def rcpt(sender, to, source="127.0.0.2"):
            with f.client(source=source) as smtp:
                smtp.mail(sender)
                return smtp.rcpt(to)
        check(rcpt("eve@evil.test", us)[0] == 550, "a sender", rcpt("eve@evil.test", us))
        other = us.replace("=ann@", "=bob@")
        check(rcpt("", other)[0] == 550, "another's", rcpt("", other))
        check(rcpt("", us.lower())[0] == 250, "folded by a host on the way", rcpt("", us.lower()))
        secret = f.server.dir / "spool" / "srs.secret"
        check(secret.stat().st_mode & 0o777 == 0o600, "mode of srs.secret", oct(secret.stat().st_mode))
        f.server.stop()
        f.server.start()
        code, text, mid = f.send(letter("mailer-daemon@b.test"), sender="", to=us)
        check(code == 250, "a report", text)
        ends = wait_for(lambda: [e for e in f.server.events("--id", mid) if e.get("recipient") == "ann@c.test"], 60)
        check(ends, "it is not sent to the author", f.server.tail())


def forward_failed(where):
    """What the next server refuses is reported to the author himself."""
    with receiver(where) as b, forwarder(where, b.mx) as f:
        (where / "aliases").write_text("bob: nobody@b.test\n")
        check(f.server.ask("reload").returncode == 0, "reload")
        code, text, mid = f.send(letter("ann@c.test"), source="127.0.0.5", sender="ann@c.test", to="bob@f.test")
        check(code == 250, "F does not take it", text)
        made = wait_for(lambda: [e for e in f.server.events("--id", mid) if e["event"] == "bounce_made"], 60)
        check(made and made[0]["recipient"] == "ann@c.test", "the report", made, f.server.tail())


# ---- postsrsd ----

class Postsrsd:
    """Debian's, which Postfix asks by its tcp table: "get ADDRESS"."""

    def __init__(self, where, secret, domain):
        top = package.root("postsrsd")
        self.forward, self.reverse = free_port(), free_port()
        self.process = subprocess.Popen(
            [str(top / "usr/sbin/postsrsd"), "-d", domain, "-s", str(secret), "-f", str(self.forward), "-r", str(self.reverse),
             "-l", "127.0.0.1", "-a", "="], env=package.env(top), cwd=where)

    def __enter__(self):
        check(wait_for(lambda: self.process.poll() is not None or self.is_there(), 30), "postsrsd")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def is_there(self):
        try:
            socket.create_connection(("127.0.0.1", self.reverse), 5).close()
            return True
        except OSError:
            return False

    @staticmethod
    def ask(port, address):
        with socket.create_connection(("127.0.0.1", port), 30) as s:
            s.sendall(f"get {address}\n".encode())
            return s.makefile().readline().strip()


def forward_postsrsd(where):
    """One secret: postsrsd takes what we wrote, and we what it wrote."""
    secret = where / "secret"
    secret.write_text("a-new-secret-of-the-two\nan-older-secret-of-both\n")
    secret.chmod(0o644)
    with receiver(where) as b, forwarder(where, b.mx, f"forward: {{ srs_secret: file:{secret} }}\n") as f, \
            Postsrsd(where, secret, "f.test") as other:
        for n, (sender, came) in enumerate((("ann@c.test", "ann@c.test"), ("Ann.x+y=z@c.test", "Ann.x+y=z@c.test"),
                                            ("SRS0=hash=AB=c.test=ann@g.test", "SRS0=hash=AB=c.test=ann@g.test")), 1):
            code, text, _ = f.send(letter("ann@c.test"), source="127.0.0.5", sender=sender, to="bob@f.test")
            check(code == 250, "F does not take it", text)
            _, _, octets = arrived(b, n)
            us = srs_of(octets)
            said = Postsrsd.ask(other.reverse, us)
            check(said == f"200 {came}", "postsrsd does not take ours", us, said)
            theirs = Postsrsd.ask(other.forward, sender)
            check(theirs == f"200 {us}", "postsrsd writes otherwise", theirs, us)
        with f.client() as smtp:
            smtp.mail("")
            check(smtp.rcpt(theirs[4:])[0] == 250, "we do not take theirs", theirs)
            check(smtp.rcpt(theirs[4:].replace("ann", "eve"))[0] == 550, "forged", theirs)


CASES = [forward_signed, forward_unsigned, forward_unbelieved, forward_broken_chain, forward_back, forward_failed,
         forward_postsrsd]
