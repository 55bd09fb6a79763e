#!/usr/bin/python3
"""by_dkimpy.py KEYS -- what dkimpy makes of messages; a judge (rig.py)."""
import json
import sys

import dkim

keys = json.load(open(sys.argv[1]))


def txt(name, timeout=5):
    texts = keys.get(name.decode("ascii", "replace").rstrip(".").lower())
    return texts[0].encode() if texts else None


def verify(octets, i):
    try:
        return {"pass": bool(dkim.DKIM(octets).verify(i, dnsfunc=txt)), "why": ""}
    except Exception as error:           # whatever it is that stops it, it is no pass
        return {"pass": False, "why": f"{type(error).__name__}: {error}"[:300]}


for path in sys.stdin:
    octets = open(path.strip(), "rb").read()
    try:
        fields, _ = dkim.rfc822_parse(octets)
        n = sum(name.lower() == b"dkim-signature" for name, _ in fields)
        print(json.dumps([verify(octets, i) for i in range(n)]), flush=True)
    except dkim.MessageFormatError as error:
        print(json.dumps({"skip": str(error)}), flush=True)
