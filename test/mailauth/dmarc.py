"""dmarc -- what follows from DMARC, as it is configured; and what analyze says of what came in."""
import json
import subprocess

from rig import BINARY, Node, check, letter

ZONE = """\
2.0.0.127.in-addr.arpa. PTR client.test.
client.test. A 127.0.0.2
client.test. TXT "v=spf1 ip4:127.0.0.2 -all"
a.test. TXT "v=spf1 ip4:127.0.0.5 -all"
_dmarc.a.test. TXT "v=DMARC1; p=reject"
quiet.test. TXT "v=spf1 -all"
b.test. A 127.0.0.1
"""
FORGED = letter("ceo@a.test")
UNKNOWN = "DKIM-Signature: v=1; a=rsa-sha256; d=x.test; s=s; h=from; bh=AAAA; b=AAAA"


def verify(where, text):
    return Node(where, "mx.b.test", ZONE, f"inbound: {{ verify: {{ {text} }} }}")


def acts(where):
    """The same mail under each configuration: reply, folder, what is told; each after a reload."""
    rows = [
        ("dmarc: enforce", FORGED, "ceo@a.test", 550, None, ("reject", None, "inbound.verify.dmarc, ")),
        ("dmarc: quarantine", FORGED, "ceo@a.test", 250, ".Junk", ("quarantine", "local_policy", "inbound.verify.dmarc, ")),
        ("dmarc: monitor", FORGED, "ceo@a.test", 250, "", ("none", "local_policy", "inbound.verify.dmarc, ")),
        ("dmarc: off", FORGED, "ceo@a.test", 250, "", ("none", None, None)),
        ("dmarc: off, spf_fail: junk", FORGED, "ceo@a.test", 250, ".Junk", ("quarantine", None, "inbound.verify.spf_fail, ")),
        ("dkim_fail: accept", letter("ann@quiet.test", UNKNOWN), "eve@client.test", 250, "", ("none", None, None)),
        ("dkim_fail: junk", letter("ann@quiet.test", UNKNOWN), "eve@client.test", 250, ".Junk",
         ("quarantine", None, "inbound.verify.dkim_fail, ")),
        ("dkim_fail: refuse", letter("ann@quiet.test", UNKNOWN), "eve@client.test", 550, None,
         ("reject", None, "inbound.verify.dkim_fail, ")),
        ("from: junk", letter("a@a.test, b@quiet.test"), "eve@client.test", 250, ".Junk",
         ("quarantine", None, "inbound.verify.from, ")),
        ("from: accept", letter("a@a.test, b@quiet.test"), "eve@client.test", 250, "", ("none", None, None)),
        ("own_domains: published", letter("alice@b.test"), "eve@client.test", 250, "", ("none", None, None)),
        ("own_domains: refuse", letter("alice@b.test"), "eve@client.test", 550, None,
         ("reject", None, "inbound.verify.own_domains, ")),
    ]
    with verify(where, "dmarc: enforce") as b:
        before = "dmarc: enforce"
        for conf, octets, sender, code, folder, (disposition, override, rule) in rows:
            path = b.server.config
            path.write_text(path.read_text().replace(f"verify: {{ {before} }}", f"verify: {{ {conf} }}"))
            before = conf
            check(b.server.ask("reload").returncode == 0, "reload", conf)
            got, text, mid = b.send(octets, sender=sender)
            check(got == code and mid, conf, got, text)
            event = b.checked(mid)
            told = event["disposition"], event.get("override"), event.get("rule")
            check(told[:2] == (disposition, override) and (told[2] or "").startswith(rule or "") and
                  (rule is None) == (told[2] is None), conf, event)
            if folder is not None:
                b.message(mid, folder=folder)


def why_refused(where):
    """The reply names DMARC, and has the id to ask by; why tells the rule with its line."""
    with verify(where, "dmarc: enforce") as b:
        code, text, mid = b.send(FORGED, sender="ceo@a.test")
        check(code == 550 and text.startswith("5.7.1 Email rejected per DMARC policy for a.test"), "reply", text)
        said = b.why(mid)
        for want in ("so it was refused, by inbound.verify.dmarc, ", "nightmail.yaml:", "SPF says -all for the author's domain",
                     "the record at _dmarc.a.test: v=DMARC1; p=reject"):
            check(want in said, f"not '{want}'", said)


def analyzed(where):
    """What analyze finds in a file of a Maildir is what the door found when it came."""
    with verify(where, "dmarc: quarantine") as b:
        for sender, octets in (("eve@client.test", letter("ann@a.test")), ("ann@a.test", letter("ann@a.test")),
                               ("eve@client.test", letter("eve@client.test", UNKNOWN)), ("", letter("eve@client.test"))):
            code, text, mid = b.send(octets, sender=sender)
            check(code == 250, "taken", text)
            junk = b.checked(mid)["disposition"] == "quarantine"
            saved = where / "saved.eml"
            saved.write_bytes(b.message(mid, folder=".Junk" if junk else ""))
            got = subprocess.run([BINARY, "analyze", saved, "--json", "--ip", "127.0.0.2", "--helo", "client.test", "--config",
                                  b.server.config], capture_output=True, text=True, timeout=60)
            found, told = json.loads(got.stdout), b.checked(mid)["results"]
            d = found["found"]["dmarc"]
            check(found["sender"] == (sender or "<>"), "sender", found)
            check(f"dmarc={d['result']}" in told and f"spf={(found['found'].get('spf') or found['found']['spf_helo'])['result']}"
                  in told and f"iprev={found['found']['iprev']['result']}" in told, "results", found["found"], told)
            check(any(told.split("; ")[0] in t["value"] for t in found["told"]), "told", found["told"])


CASES = [acts, why_refused, analyzed]
