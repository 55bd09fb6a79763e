"""reports_in -- what others report about our domains: taken, unpacked by a process that
holds nothing, kept, shown; and what strangers try with it."""
import base64
import glob
import gzip
import io
import json
import os
import re
import signal
import subprocess
import time
import zipfile
from pathlib import Path

from rig import Node, check
from server import wait_for

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
ZONE = """\
2.0.0.127.in-addr.arpa. PTR client.test.
client.test. A 127.0.0.2
r.test. TXT "v=spf1 ip4:127.0.0.2 -all"
_dmarc.r.test. TXT "v=DMARC1; p=reject"
f.test. TXT "v=spf1 -all"
mx.b.test. A 127.0.0.1
9.2.0.192.in-addr.arpa. PTR out.relay.test.
out.relay.test. A 192.0.2.9
"""
REPORTS = """\
reports: {{ inbox: [ dmarc@b.test ], about: [ elsewhere.test ]{more} }}
database: "sqlite:{{dir}}/state.db"
"""
HEAD = """<feedback><report_metadata><org_name>{org}</org_name><email>x@r.test</email><report_id>{id}</report_id>
<date_range><begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>
<policy_published><domain>{domain}</domain><p>none</p></policy_published>"""
ROW = """<record><row><source_ip>{ip}</source_ip><count>{n}</count><policy_evaluated><disposition>none</disposition>
<dkim>{dkim}</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>b.test</header_from></identifiers>
<auth_results>{auth}<spf><domain>{spf}</domain><result>pass</result></spf></auth_results></record>"""


def report(ident="1", domain="b.test", org="Receiver", rows=(("192.0.2.9", 7, "pass", "relay.test"),)):
    text = HEAD.format(org=org, id=ident, domain=domain)
    for ip, n, dkim, spf in rows:
        auth = f"<dkim><domain>b.test</domain><selector>s</selector><result>{dkim}</result></dkim>" if dkim == "pass" else ""
        text += ROW.format(ip=ip, n=n, dkim=dkim, auth=auth, spf=spf)
    return (text + "</feedback>").encode()


def carrier(octets, kind="application/octet-stream", author="noreply@r.test", multipart=False):
    """A message that has these octets in it."""
    body = base64.encodebytes(octets).decode().replace("\n", "\r\n")
    head = f"From: {author}\r\nTo: dmarc@b.test\r\nSubject: Report\r\nMessage-ID: <{time.monotonic_ns()}@r.test>\r\n" \
           "MIME-Version: 1.0\r\n"
    part = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}"
    if multipart:
        part = 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nAttached.\r\n--b\r\n' + part + "\r\n--b--\r\n"
    return (head + part).encode()


def zipped(octets, name="r.xml"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(name, octets)
    return out.getvalue()


def give(node, octets, sender="bounces@r.test"):
    """The id of what was accepted at the inbox."""
    code, text, mid = node.send(octets, sender=sender, to="dmarc@b.test")
    check(code == 250, "accepted", text)
    return mid


def taken(node, mid, event="report_taken"):
    return node.events(event, "--id", mid)[0]


def rows(node, *words):
    done = node.server.ask(*words, "--json")
    check(done.returncode == 0, words, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def settled(node):
    """Nothing is queued: nobody is told of anything."""
    check(wait_for(lambda: node.server.status()["queue"]["messages"] == 0, 60), "the queue is not empty",
          node.server.ask("queue", "list").stdout)


def node_in(where, more="", rest=""):
    return Node(where, "mx.b.test", ZONE, REPORTS.format(more=more).replace("{{", "{").replace("}}", "}") + rest)


def kept_and_shown(where):
    """All three kinds, packed and not, are kept once, and shown."""
    with node_in(where) as node:
        both = (("192.0.2.9", 7, "pass", "relay.test"), ("198.51.100.4", 3, "fail", "forger.test"))
        first = give(node, carrier(gzip.compress(report("1", rows=both)), "application/gzip", multipart=True))
        got = taken(node, first)
        check(got["reason"] == "kept" and got["class"] == "dmarc" and got["domain"] == "b.test", "event", got)
        again = taken(node, give(node, carrier(zipped(report("1", rows=both)), "text/plain")))
        check(again["reason"] == "duplicate", "twice", again)
        check(taken(node, give(node, carrier(report("2", domain="sub.B.test"), "text/xml")))["domain"] == "sub.b.test", "below")
        forged = taken(node, give(node, carrier(report("1"), author="x@f.test"), sender="x@f.test"))
        check(forged["reason"] == "kept", "an unproven one takes no other's place", forged)
        tls = (VECTORS / "tlsrpt-stalwart/rpt01.json").read_bytes().replace(b"company-y.example", b"b.test")
        check(taken(node, give(node, carrier(tls, "application/tlsrpt+json")))["class"] == "tls", "TLS")
        arf = (VECTORS / "arf-stalwart/004.eml").read_bytes().replace(b"interpublication.org", b"b.test")
        check(taken(node, give(node, arf.replace(b"\n", b"\r\n")))["class"] == "failure", "failure")
        settled(node)

        heads = rows(node, "dmarc", "received")
        check(len(heads) == 5, "heads", heads)
        check({h["proven"] for h in heads if h["author"] == "r.test"} == {1}, "our own checks are kept", heads)
        check({h["proven"] for h in heads if h["author"] == "f.test"} == {0}, "and who did not pass them", heads)
        check("dmarc=pass" in [h for h in heads if h["author"] == "r.test"][0]["results"], "results", heads)
        shown = rows(node, "dmarc", "show", "b.test", "--config", str(node.server.config))[0]
        check(shown["messages"] == 17 and shown["pass"] == 14 and shown["reports"] == 2, "sum", shown)
        relay = [s for s in shown["sources"] if s["source"] == "192.0.2.9"][0]
        check(relay["name"] == "out.relay.test" and relay["messages"] == 14, "source", relay)
        text = node.server.ask("dmarc", "show", "b.test", "--config", str(node.server.config)).stdout
        check("it sends as forger.test" in text and "p=none only watches" in text, "advice", text)
        check("not proven" in node.server.ask("dmarc", "received").stdout, "text of received")
        check("b.test" in node.server.ask("dmarc", "failures", "b.test").stdout, "failures")
        check("certificate-expired" in node.server.ask("tls", "received", "b.test").stdout, "tls received")
        check(node.server.ask("dmarc", "received", "none.test").stdout == "", "of others nothing")
        check(node.server.ask("dmarc", "show", "none.test", "--config", str(node.server.config)).stdout.startswith(
            "No reports about none.test"), "none")
        check(node.server.ask("dmarc", "show", "b&x").returncode == 64, "no domain")
        node.server.stop()
        node.server.start()
        check(rows(node, "dmarc", "received") == heads, "a restart changes nothing")


def refused(where):
    """What is broken, a bomb or about others is an event, and nothing else; what is no
    report is the admin's; a copy is kept of all."""
    big = b" " * (10 << 20)
    rows_of = {
        "malformed": [carrier(b"<feedback>" + b"<a>" * 1000000, "text/xml"),
                      carrier(gzip.compress(big), "application/gzip"),
                      carrier(gzip.compress(big) * 80, "application/gzip"),
                      carrier(zipped(zipped(report())), "application/zip"),
                      carrier(b"<!DOCTYPE feedback [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><feedback>&b;</feedback>", "text/xml"),
                      carrier(b"<!DOCTYPE feedback SYSTEM 'file:///etc/passwd'><feedback/>", "application/xml"),
                      carrier(b"{" + b"[" * 100000, "application/tlsrpt+json"),
                      carrier(report() [:-3], "application/xml"),
                      carrier(report("9").replace(b"1700086399", b"4000000000"), "text/xml")],
        "foreign": [carrier(gzip.compress(report("3", domain="a.test"))), carrier(report("3", domain="test"), "text/xml")],
    }
    with node_in(where, more=', copy: "{dir}/copies"') as node:
        n = 0
        for reason, octets in rows_of.items():
            for one in octets:
                mid = give(node, one)
                got = taken(node, mid, "report_refused")
                check(got["reason"] == reason and got["text"], "refused", got)
                n += 1
        check(taken(node, give(node, carrier(report("4", domain="x.elsewhere.test"))))["reason"] == "kept", "about")
        hello = give(node, b"From: ann@r.test\r\nSubject: hello\r\n\r\nWho reads this?\r\n")
        settled(node)
        check(not [e for e in node.server.events() if e["event"] in ("bounce_made", "failed", "delayed")],
              "somebody was told", node.server.tail())
        check(len(rows(node, "dmarc", "received")) == 1, "one is kept")
        copies = glob.glob(f"{node.server.dir}/copies/new/*")
        check(len(copies) == n + 1, "copies", len(copies), n)
        admin = glob.glob(f"{node.server.dir}/mail/admin/new/*")
        check(len(admin) == 1 and hello.encode() in Path(admin[0]).read_bytes(), "what is no report", admin)
        for address in ("dmarc@a.test", "dmarc+x@b.test", "tls@b.test"):
            code, text, _ = node.send(b"Subject: x\r\n\r\n", to=address)
            check(code in (550, 554), address, text)


def porter_dies(where):
    """Porters and readers that die lose nothing; a reload knows a new inbox."""
    plain = 'database: "sqlite:{dir}/state.db"\n'
    with Node(where, "mx.b.test", ZONE, plain) as node:
        check(node.send(b"\r\n", to="dmarc@b.test")[0] == 550, "nobody yet")
        config = node.server.config.read_text()
        node.server.config.write_text(config + "reports: { inbox: [ dmarc@b.test ] }\n")
        done = node.server.ask("reload")
        check(done.returncode == 0, "reload", done.stderr, done.stdout)
        mids = []
        for i in range(12):
            if i % 4 == 0:
                for pid in node.server.children("nm-porter"):
                    os.kill(pid, signal.SIGKILL)
            mids.append(give(node, carrier(gzip.compress(report(str(i))))))
        for mid in mids:
            wait_for(lambda: node.server.ask("queue", "retry", mid), 1)
            check(wait_for(lambda: [e for e in node.server.events("--id", mid) if e["event"] == "report_taken"], 60),
                  "was not taken", mid, node.server.tail())
        settled(node)
        check(len(rows(node, "dmarc", "received")) == 12, "all are kept")


CASES = [kept_and_shown, refused, porter_dies]
