#!/usr/bin/python3
"""by_pyspf.py ZONE -- what pyspf says of clients; a judge (rig.py) that hears lines
of judge_spf.c.  ZONE: JSON, {name: {type: [data, ...]} or "SERVFAIL"}."""
import json
import sys

import spf

zone = json.load(open(sys.argv[1]))


def lookup(name, qtype, strict=True, timeout=30):
    """As a resolver: with the CNAMEs that lead there."""
    out, asked = [], name.lower()
    for _ in range(20):
        types = zone.get(asked, {})
        if types == "SERVFAIL":
            raise spf.TempError("DNS SERVFAIL")
        if "CNAME" in types and qtype != "CNAME":
            target = types["CNAME"][0]
            out.append(((asked, "CNAME"), target))
            asked = target
            continue
        for data in types.get(qtype, []):
            if qtype == "TXT":
                octets = data.encode()
                data = [octets[i:i + 255] for i in range(0, len(octets), 255)]
            elif qtype == "MX":
                data = tuple(data)
            out.append(((asked, qtype), data))
        return out
    return []


spf.DNSLookup = lookup

for line in sys.stdin:
    address, helo, local, domain = line.rstrip("\n").split("\t")
    sender = f"{local}@{domain}" if domain else ""
    query = spf.query(i=address, s=sender, h=helo, receiver="receiver.example", timeout=20, querytime=20)
    query.set_default_explanation("")
    try:
        result, _, text = query.check()
    except Exception as error:           # its own bugs: it says nothing then
        print(json.dumps({"skip": f"{type(error).__name__}: {error}"[:200]}), flush=True)
        continue
    print(json.dumps({"result": result.lower(), "why": text if result != "fail" else "",
                      "explanation": text if result == "fail" else ""}), flush=True)
