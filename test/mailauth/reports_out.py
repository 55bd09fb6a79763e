"""reports_out -- what other domains are told: of their mail (RFC 9990), of TLS (RFC 8460).

Days of the past are made by a clock that is set back (libfaketime) for a server's first life.
"""
import collections
import datetime
import email
import email.policy
import gzip
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import package
from rig import IS_ASAN, Node, check, letter
from server import wait_for

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "dmarc-aggregate"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
NS = "{urn:ietf:params:xml:ns:dmarc-2.0}"
YESTERDAY = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).strftime("%Y-%m-%d")

ZONE = """\
2.0.0.127.in-addr.arpa. PTR client.test.
client.test. A 127.0.0.2
client.test. TXT "v=spf1 ip4:127.0.0.2 -all"
mx.b.test. A 127.0.0.1
b.test. MX 10 mx.b.test.
a.test. TXT "v=spf1 ip4:127.0.0.5 -all"
_dmarc.a.test. TXT "v=DMARC1; p=reject; sp=quarantine; np=reject; aspf=s; t=y; rua=mailto:reports@b.test,mailto:no@c.test"
a.test._report._dmarc.b.test. TXT "v=DMARC1"
c.test. A 127.0.0.9
q.test. TXT "v=spf1 ip4:127.0.0.2 -all"
_dmarc.q.test. TXT "v=DMARC1; p=quarantine; rua=mailto:reports@b.test!1k"
q.test._report._dmarc.b.test. TXT "v=DMARC1"
_dmarc.n.test. TXT "v=DMARC1; p=none"
mx.a.test. A 127.0.0.1
_smtp._tls.mx.a.test. TXT "v=TLSRPTv1; rua=mailto:tls@b.test"
_mta-sts.a.test. NXDOMAIN
"""

UNSIGNED = """\
reports: { dmarc: { send: unsigned }, tls: { send: unsigned }, organization: 'Böse & "Co" <x>', contact: 'see https://b.test/?a&b' }
"""


def schemas(xml):
    """Both say yes."""
    for schema in ("rfc9990.xsd", "dmarc-xml-0.2.xsd"):
        done = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", VECTORS / schema, "-"], input=xml,
                              capture_output=True, timeout=60)
        check(done.returncode == 0, schema, done.stderr.decode(), xml)


def dmarc_cat(xml, where):
    """A reader of others."""
    file = where / f"mx.b.test!a.test!1!2.xml"
    file.write_bytes(xml)
    done = subprocess.run([package.root("dmarc-cat") / "usr/bin/dmarc-cat", "-N", file], capture_output=True,
                          text=True, timeout=60, env=dict(package.env(package.root("dmarc-cat")), HOME=str(where)))
    check(done.returncode == 0, "dmarc-cat", done)
    return done.stdout


class Past:
    """A server that lived yesterday at noon, and lives now."""

    def __init__(self, where, more=UNSIGNED, users=("bob", "reports", "tls"), **how):
        self.node = Node(where, "mx.b.test", ZONE, more, users=users, **how)
        self.node.server.cage = False          # libfaketime is a library too many for it

    def yesterday(self, what):
        """what(node), there; then the server is back in our days."""
        server = self.node.server
        server.start(env={"LD_PRELOAD": FAKETIME, "FAKETIME": f"@{YESTERDAY} 12:00:00", "TZ": "UTC",
                          "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"})
        try:
            what(self.node)
        finally:
            server.stop()
        server.cage = not IS_ASAN
        server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.server.stop()

    def ask(self, *words):
        done = self.node.server.ask(*words)
        check(done.returncode == 0, " ".join(map(str, words)), done, self.node.server.tail())
        return done.stdout

    def lines(self, *words):
        return {r["domain"]: r for r in map(json.loads, self.ask(*words, "--json").splitlines())}

    def mail(self, user):
        """The one message of his, parsed."""
        files = wait_for(lambda: self.node.files(user), 60)
        check(files and len(files) == 1, f"{user} has {files}", self.node.server.tail())
        return email.message_from_bytes(Path(files[0]).read_bytes(), policy=email.policy.default)


def some_mail(node):
    """Of a.test thrice, of q.test and n.test once, and what nobody sends."""
    for source in ("127.0.0.2", "127.0.0.2", "127.0.0.3"):
        node.send(letter("ann@a.test"), source=source)
    node.send(letter("ann@sub.a.test", "List-Id: <l.a.test>"), sender="")
    node.send(letter("ann@q.test"), sender="ann@q.test")
    node.send(letter("ann@n.test"), sender="ann@n.test")
    node.send(letter('"\\x01<]]>&" <ann@a.test>', 'DKIM-Signature: v=1; a=rsa-sha256; d="<&>"; s=x; h=From; bh=; b='))
    check(wait_for(lambda: len([e for e in node.server.events() if e["event"] == "checked"]) == 7, 60),
          "not all are checked", node.server.tail())


def aggregate_report(where):
    """Made, judged by the schemas and by others, sent once, as RFC 9990 has it."""
    with Past(where) as past:
        past.yesterday(some_mail)
        would = past.lines("dmarc", "report", "--day", YESTERDAY)
        check(set(would) == {"a.test", "q.test"}, "domains", would)
        check(would["a.test"]["would_be"] == "sent" and would["a.test"]["to"] == "reports@b.test", "a.test", would)
        check("no@c.test: its domain does not agree" in would["a.test"]["text"], "no consent", would)
        check(would["q.test"]["would_be"] == "nobody" and "takes 1024" in would["q.test"]["text"], "q.test", would)
        xml = past.ask("dmarc", "report", "--day", YESTERDAY, "--domain", "a.test", "--xml").encode()
        schemas(xml)
        told = past.lines("dmarc", "report", "--day", YESTERDAY, "--send")
        check(told["a.test"]["end"] == "sent" and told["q.test"]["end"] == "nobody", "sent", told)
        letter_is_right(past.mail("reports"), xml)
        contents_are_right(ET.fromstring(xml))
        check("127.0.0.3" in dmarc_cat(xml, where), "dmarc-cat")
        again = past.lines("dmarc", "report", "--day", YESTERDAY, "--send")
        check(again == {}, "again", again)
        refused = past.node.server.ask("dmarc", "report", "--send", "--day",
                                       datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"))
        check(refused.returncode != 0 and "is not over" in refused.stderr, "today", refused)


def letter_is_right(mail, xml):
    """RFC 9990 3.5.2."""
    begin = int(datetime.datetime.strptime(YESTERDAY + "+0000", "%Y-%m-%d%z").timestamp())
    name = f"b.test!a.test!{begin}!{begin + 86399}.xml.gz"
    check(re.fullmatch(rf"Report Domain: a\.test\s+Submitter: b\.test\s+Report-ID: <{YESTERDAY}\.a\.test@b\.test>",
                       mail["Subject"]), "Subject", mail["Subject"])
    check(mail["From"].addresses[0].addr_spec == "postmaster@b.test", "From", mail["From"])
    check(mail["Auto-Submitted"] == "auto-generated", "Auto-Submitted", mail)
    words, packed = list(mail.iter_parts())
    check(words.get_content_type() == "text/plain" and packed.get_content_type() == "application/gzip", "parts", mail)
    check(packed.get_filename() == name, "file", packed.get_filename())
    check(gzip.decompress(packed.get_content()) == xml, "what is in it", xml)


def contents_are_right(root):
    def text(at, path):
        found = at.find("/".join(NS + p for p in path.split("/")))
        return None if found is None else found.text or ""

    check(text(root, "report_metadata/org_name") == 'Böse & "Co" <x>', "organization", ET.tostring(root))
    check(text(root, "report_metadata/email") == "postmaster@b.test", "email", ET.tostring(root))
    check(text(root, "report_metadata/extra_contact_info") == "see https://b.test/?a&b", "contact", ET.tostring(root))
    published = {p: text(root, "policy_published/" + p) for p in
                 ("domain", "p", "sp", "np", "aspf", "adkim", "testing", "discovery_method")}
    check(published == {"domain": "a.test", "p": "reject", "sp": "quarantine", "np": "reject", "aspf": "s",
                        "adkim": "r", "testing": "y", "discovery_method": "treewalk"}, "published", published)
    rows = collections.Counter()
    for r in root.findall(NS + "record"):
        key = (text(r, "row/source_ip"), text(r, "identifiers/header_from"), text(r, "identifiers/envelope_from"),
               text(r, "row/policy_evaluated/dkim"), text(r, "row/policy_evaluated/spf"),
               text(r, "auth_results/spf/result"))
        rows[key] += int(text(r, "row/count"))
        check(text(r, "row/policy_evaluated/disposition") in ("none", "quarantine"), "disposition", ET.tostring(r))
        check(text(r, "row/policy_evaluated/reason/type") in ("policy_test_mode", "mailing_list", "local_policy"),
              "reason", ET.tostring(r))
    check(rows[("127.0.0.2", "a.test", "a.test", "fail", "fail", "fail")] == 3, "rows", rows)
    check(rows[("127.0.0.3", "a.test", "a.test", "fail", "fail", "fail")] == 1, "rows", rows)
    check(rows[("127.0.0.2", "sub.a.test", "", "fail", "fail", "pass")] == 1, "rows", rows)
    check(sum(rows.values()) == 5, "rows", rows)


# ---- between two of ours ----

def two_servers(where):
    """B's report, signed, goes to A over SMTP; A's checks say whose it is, and A reports nothing about it."""
    with Node(where, "mx.a.test", ZONE + B_ASKS, A_READS,
              domains=("a.test",)) as a, \
            Past(where, ROUTE.format(port=a.mx), users=("bob",)) as past:
        past.yesterday(lambda n: n.send(letter("ann@p.test"), source="127.0.0.2") and n.events("checked"))
        none = past.node.server.ask("dmarc", "report", "--send")
        check(none.returncode != 0 and "no DKIM key" in none.stderr, "without a key", none)
        publish(past, a)
        sent = past.lines("dmarc", "report", "--send")["p.test"]
        check(sent["end"] == "sent" and sent["to"] == "reports@a.test", "sent", sent)
        event = a.events("checked")[0]
        check("dkim=pass header.d=b.test" in event["results"] and "dmarc=pass header.from=b.test" in event["results"],
              "what A found", event)
        taken = a.events("report_taken")[0]
        check(taken["id"] == event["id"], "what A kept", taken, event)
        looked = a.server.ask("dmarc", "report", "--json")
        check(looked.returncode == 0 and looked.stdout == "", "about a report", looked)


A_READS = """\
reports: { inbox: [ reports@a.test ], about: [ p.test ] }
database: sqlite:{dir}/state.db
"""
B_ASKS = """\
_dmarc.b.test. TXT "v=DMARC1; p=reject; rua=mailto:reports@b.test"
_dmarc.p.test. TXT "v=DMARC1; p=none; rua=mailto:reports@a.test"
p.test._report._dmarc.a.test. TXT "v=DMARC1;"
p.test. A 127.0.0.2
"""
ROUTE = """\
outbound: {{ bind: 127.0.0.6, tls: none, dane: no, mta_sts: no }}
route: [ {{ if: {{ rcpt_domain: a.test }}, relay: "smtp://mx.a.test:{port}" }} ]
"""


def publish(past, other):
    """B's keys are in the zone that both read."""
    made = json.loads(past.ask("dkim", "show", "b.test", "--config", past.node.server.config, "--json"))["keys"]
    with open(past.node.zone, "a") as zone:
        for k in made:
            parts = " ".join(f'"{k["text"][i:i + 255]}"' for i in range(0, len(k["text"]), 255))
            zone.write(f'{k["name"]}. TXT {parts}\n')
    for server in (past.node.server, other.server):
        done = server.ask("reload")
        check(done.returncode == 0, "reload", done)
    past.ask("dkim", "check", "b.test", "--config", past.node.server.config)


# ---- TLS ----

def some_sessions(node):
    """One to a host that offers no TLS."""
    node.send(letter("bob@b.test"), sender="bob@b.test", to="x@a.test", source="127.0.0.1", port=node.relay)
    check(wait_for(lambda: [e for e in node.server.events() if e["event"] == "tls_session"], 60), "no session",
          node.server.tail())


def tls_report(where):
    """A day's TLS to a domain that asks, as JSON and as the message that carries it."""
    with Node(where, "mx.a.test", ZONE, domains=("a.test",),
              users=("x",)) as a:
        more = UNSIGNED + ROUTE.format(port=a.mx).replace("tls: none", "tls: may")
        with Past(where, more) as past:
            past.yesterday(some_sessions)
            report = json.loads(past.ask("tls", "report", "--day", YESTERDAY, "--json"))
            one = report["policies"][0]
            check(report["contact-info"] == "postmaster@b.test" and one["policy"]["policy-domain"] == "mx.a.test" and
                  one["policy"]["policy-type"] == "no-policy-found", "report", report)
            sums = one["summary"]
            check(sum(sums.values()) == 1, "sums", sums)
            told = past.lines("tls", "report", "--day", YESTERDAY, "--send")["mx.a.test"]
            check(told["end"] == "sent" and told["to"] == "tls@b.test", "sent", told)
            mail = past.mail("tls")
            check(mail.get_content_type() == "multipart/report" and mail.get_param("report-type") == "tlsrpt", "type",
                  mail)
            check(mail["TLS-Report-Domain"] == "mx.a.test" and mail["TLS-Report-Submitter"] == "b.test" and
                  mail["TLS-Required"] == "No", "fields", mail.items())
            packed = list(mail.iter_parts())[1]
            check(packed.get_content_type() == "application/tlsrpt+gzip" and packed.get_filename().endswith(".json.gz"),
                  "part", packed.items())
            check(json.loads(gzip.decompress(packed.get_content())) == report, "what is in it")


CASES = [aggregate_report, tls_report, two_servers]
