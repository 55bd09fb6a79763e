"""inbound -- mail from outside, from connection to verdict: what is told, what is done, and how
it can be asked for."""
import imaplib
import json
import os
import re
import subprocess

from dovecot import Dovecot
from postfix import Postfix
from rig import Node, check, letter
from server import wait_for

ZONE = """\
2.0.0.127.in-addr.arpa. PTR client.test.
client.test. A 127.0.0.2
client.test. TXT "v=spf1 ip4:127.0.0.2 -all"
5.0.0.127.in-addr.arpa. PTR mx.a.test.
mx.a.test. A 127.0.0.5
a.test. TXT "v=spf1 ip4:127.0.0.5 -all"
_dmarc.a.test. TXT "v=DMARC1; p=reject; rua=mailto:reports@a.test"
q.test. TXT "v=spf1 ip4:127.0.0.5 -all"
_dmarc.q.test. TXT "v=DMARC1; p=quarantine; rua=mailto:reports@q.test"
bank.test. TXT "v=spf1 -all"
_dmarc.bank.test. TXT "v=DMARC1; p=reject"
dead.test. SERVFAIL
_dmarc.dead.test. SERVFAIL
"""


def node(where, more="", **how):
    return Node(where, "mx.b.test", ZONE, more, **how)


# ---- from one of ours to another ----

def two_of_ours(where):
    with node(where) as b, Node(where, "mx.a.test", ZONE, f"""\
outbound: {{ bind: 127.0.0.5, tls: none, dane: no, mta_sts: no }}
route: [ {{ relay: "smtp://127.0.0.1:{b.mx}" }} ]
""", domains=("a.test",)) as a:
        code, text, _ = a.send(letter(), source="127.0.0.1", port=a.relay)
        check(code == 250, "A does not take it", text)
        check(wait_for(b.files, 30), "it does not come", a.server.tail(), b.server.tail())
        mid = b.events("queued")[0]["id"]
        found = b.results(mid)
        for want in ("mx.b.test; iprev=pass policy.iprev=127.0.0.5", "spf=pass smtp.mailfrom=a.test",
                     "dmarc=pass header.from=a.test policy.dmarc=reject"):
            check(want in found, f"not {want}", found)
        check(b"from mx.a.test (mx.a.test [127.0.0.5])" in b.message(mid).replace(b"\r\n\t", b" "), "Received",
              b.message(mid))


def from_postfix(where):
    with node(where) as b, Postfix(where / "postfix", {
            "relayhost": f"[127.0.0.1]:{b.mx}", "smtp_bind_address": "127.0.0.5", "myhostname": "mx.a.test",
            "smtp_helo_name": "mx.a.test"}) as postfix:
        postfix.sendmail("ann@a.test", ["bob@b.test"], letter().replace(b"\r\n", b"\n"))
        check(wait_for(b.files, 60), "it does not come", postfix.tail(), b.server.tail())
        mid = b.events("queued")[0]["id"]
        check("spf=pass smtp.mailfrom=a.test; spf=pass" not in b.results(mid), "HELO has no record")
        check("dmarc=pass header.from=a.test" in b.results(mid), "results", b.results(mid))


def from_swaks(where):
    with node(where) as b:
        done = subprocess.run(
            ["swaks", "--server", f"127.0.0.1:{b.mx}", "--local-interface", "127.0.0.2", "--helo", "client.test",
             "--from", "ann@bank.test", "--to", "bob@b.test", "--header", "From: ceo@bank.test",
             "--header", "Authentication-Results: mx.b.test; dmarc=pass"], capture_output=True, text=True, timeout=60)
        said = re.search(r"(250|550) \S+ .*?([0-9A-Z]{13})", done.stdout)
        check(said, "swaks", done)
        event = b.checked(said[2])
        check(event["author"] == "bank.test" and event["disposition"] in ("reject", "quarantine") and
              "dmarc=fail" in event["results"], "event", event)


# ---- what is done, and told ----

def forged(where):
    """Octets that stay are the octets that came."""
    fields = ["Authentication-Results: other.test;\r\n  spf=pass (mx.b.test)\r\n smtp.mailfrom=x",
              "AUTHENTICATION-RESULTS:\r\n (a (nested) one)\r\n\t\"mx.b.test\" 1;\r\n dmarc=pass",
              "X-Odd:  two  spaces \t", "Authentication-Results:mx.B.test;dmarc=pass",
              "Received-SPF: pass", "DKIM-Signature: v=1; d=a.test"]
    with node(where) as b:
        code, text, mid = b.send(letter("ann@a.test", *fields), source="127.0.0.5", helo="mx.a.test")
        check(code == 250, "taken", text)
        got = b.message(mid)
        check(got.endswith(letter("ann@a.test", fields[0], fields[2], fields[4], fields[5])), "octets", got)
        check(got.lower().count(b"authentication-results:") == 2, "count", got)


def junk_by_dovecot(where):
    """The folder is there for whoever reads by IMAP, subscribed to."""
    with node(where) as b:
        code, _, mid = b.send(letter("ann@q.test"), sender="eve@client.test")
        check(code == 250, "junk is taken")
        check(b"X-Spam-Flag: YES\r\n" in b.message(mid, folder=".Junk"), "flag", b.message(mid, folder=".Junk"))
        code, _, good = b.send(letter("ann@q.test"), sender="ann@q.test", source="127.0.0.5")
        check(b"X-Spam-Flag" not in b.message(good), "no flag")
        mail = b.server.dir / "mail" / "b.test"
        with Dovecot(where / "dovecot", ["bob"], maildirs=f"{mail}/%n") as dovecot, \
                imaplib.IMAP4("127.0.0.1", dovecot.imap, timeout=60) as imap:
            imap.login("bob", "any")
            check(any(b"Junk" in line for line in imap.lsub()[1]), "subscribed", imap.lsub())
            check(imap.select("Junk", readonly=True)[1] == [b"1"], "one message")
            check(imap.select("INBOX", readonly=True)[1] == [b"1"], "one message")
            _, parts = imap.select("Junk", readonly=True), imap.fetch("1", "(BODY.PEEK[HEADER])")[1]
            check(b"dmarc=fail" in parts[0][1].replace(b"\r\n\t", b" "), "results", parts)


def junk_by_lmtp(where):
    """Elsewhere only a field tells."""
    with Dovecot(where / "dovecot", ["bob"], maildirs=f"{where}/mail/%n") as dovecot:
        (where / "mail").mkdir(exist_ok=True)
        (where / "mail").chmod(0o777)
        with node(where, deliver=f"lmtp: 'lmtp://127.0.0.1:{dovecot.lmtp}'") as b:
            code, _, mid = b.send(letter("ann@q.test", "X-Spam-Flag: NO"), sender="eve@client.test")
            check(code == 250, "taken")
            got = wait_for(lambda: dovecot.by_imap("bob"), 30)
            check(got and got[0].count(b"X-Spam-Flag:") == 1 and b"X-Spam-Flag: YES\r\n" in got[0], "flag", got)


def junk_by_porter(where):
    """Another uid's Maildir: his porter makes the folder, and it is his."""
    if os.geteuid() != 0:
        return "needs root"
    home = where / "home" / "bob"
    home.mkdir(parents=True)
    os.chown(home, 2, 2)
    users = where / "passwd"
    users.write_text(f"bob:x:2:2::{home}:/bin/sh\n")
    users.chmod(0o644)
    (where / "home").chmod(0o755)
    b = node(where, deliver='maildir: "~/Maildir"', users=["@"])
    text = b.server.config.read_text()
    b.server.config.write_text(text.replace("users: [ @ ]", f"users: file:{users}"))
    with b:
        code, _, _ = b.send(letter("ann@q.test"), sender="eve@client.test")
        check(code == 250, "taken")
        found = wait_for(lambda: list(home.glob("Maildir/.Junk/new/*")), 30)
        check(found and found[0].stat().st_uid == 2, "in the folder", found, b.server.tail())
        check((home / "Maildir/subscriptions").read_text() == "Junk\n", "subscribed")
        check(b"X-Spam-Flag: YES" in found[0].read_bytes(), "flag")


def why(where):
    with node(where) as b:
        code, text, mid = b.send(letter("ann@a.test"), source="127.0.0.5", helo="mx.a.test")
        check(code == 250, "taken", text)
        b.message(mid)
        b.events("delivered")
        said = b.why(mid)
        for want in ("checked: from <ann@a.test>, by mx.a.test [127.0.0.5] who says mx.a.test; author a.test",
                     "iprev  pass -- address 127.0.0.5", "spf    pass -- sender's domain a.test",
                     "spf    none -- HELO mx.a.test", "dkim   none", "arc    none",
                     "dmarc  pass -- author a.test, policy reject",
                     "the record at _dmarc.a.test: v=DMARC1; p=reject; rua=mailto:reports@a.test", "so it was taken",
                     "accepted from <ann@a.test>"):
            check(want in said, f"not '{want}'", said)
        code, text, mid = b.send(letter("a@a.test, b@q.test"), source="127.0.0.5")
        check(code == 550 and mid, "refused", text)
        said = b.why(mid)
        for want in ("checked: from <ann@a.test>", "so it was refused, by inbound.verify.from", "the client was told: "
                     "550 5.7.1 "):
            check(want in said, f"not '{want}'", said)
        check(mid in b.why("bob@b.test"), "found by its recipient")
        rows = [json.loads(line) for line in b.server.ask("why", mid, "--json").stdout.splitlines()]
        check(rows[0]["event"] == "checked" and rows[0]["code"] == 550, "JSON", rows)
        text = b.server.ask("log").stdout
        check(re.search(rf"{mid}: client=\S+\[127.0.0.5\], from=<ann@a.test>.*disposition=\w+.*: iprev=pass", text),
              "text form", text)


def long_results(where):
    """Whatever a sender puts into his fields, results are told whole."""
    name = ".".join(["x" * 60] * 3)
    fields = [f"DKIM-Signature: v=1; a=rsa-sha256; d={name}.test; s={'s' * 60}{i}; h=from; bh=AAAA; b=BBBBBBBB{i}"
              for i in range(12)]
    with node(where) as b:
        code, text, mid = b.send(letter("ann@a.test", *fields), source="127.0.0.5")
        check(code == 250, "taken", text)
        event = b.checked(mid)
        check(len(event["results"]) > 3000 and event["results"].count("dkim=") == 11 and
              "; dmarc=pass header.from=a.test policy.dmarc=reject" in event["results"], "results", event)
        check(event["results"] == b.results(mid).partition("; ")[2].replace("\t", " "), "header", b.results(mid))


def dead_dns(where):
    """It keeps no mail away, unless that is wished."""
    with node(where) as b:
        code, text, mid = b.send(letter("ann@dead.test"), sender="ann@dead.test")
        check(code == 250, "taken", text)
        found = b.results(mid)
        check("spf=temperror" in found and "dmarc=temperror" in found, "results", found)
    with Node(where, "mx2.b.test", ZONE, "inbound: { verify: { temperror: defer } }") as b:
        code, text, mid = b.send(letter("ann@dead.test"), sender="ann@dead.test")
        check(code == 451 and mid, "put off", text)
        check(b.checked(mid)["code"] == 451, "told", b.checked(mid))


def drops(where):
    """A client that goes in the middle leaves nothing behind; the server works on."""
    with node(where) as b:
        octets = letter("ann@a.test", "Authentication-Results: mx.b.test; spf=pass")
        for at in (5, 60, 200, len(octets)):
            smtp = b.client(source="127.0.0.5")
            smtp.mail("ann@a.test")
            smtp.rcpt("bob@b.test")
            check(smtp.docmd("DATA")[0] == 354, "354")
            smtp.send(octets[:at])
            smtp.sock.close()
        code, text, mid = b.send(octets, source="127.0.0.5")
        check(code == 250, "taken", text)
        b.message(mid)
        check(len(b.events("checked")) == 1, "events", b.server.events())


def reload_keys(where):
    """What inbound.verify says counts from the next message on; contradictions do not load."""
    with node(where) as b:
        config = b.server.config
        text = config.read_text()
        config.write_text(text + "inbound: { verify: { authserv_id: results.b.test, received_spf: yes, iprev: no, "
                          "arc: no, dkim: no, dmarc: off } }\n")
        done = b.server.ask("reload")
        check(done.returncode == 0, "reload", done)
        code, _, mid = b.send(letter("ann@a.test", "Authentication-Results: results.b.test; spf=pass"),
                              source="127.0.0.5")
        check(code == 250 and b.results(mid).startswith("results.b.test; spf=pass smtp.mailfrom=a.test; spf=fail"),
              "results", b.results(mid))
        check(b"Received-SPF: pass (mx.b.test: 127.0.0.5 is a permitted" in b.message(mid), "field", b.message(mid))


CASES = [two_of_ours, from_postfix, from_swaks, forged, junk_by_dovecot, junk_by_lmtp, junk_by_porter, why, long_results, dead_dns, drops,
         reload_keys]
