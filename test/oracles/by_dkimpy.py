#!/usr/bin/python3
"""by_dkimpy.py KEYS -- what dkimpy makes of messages; a judge (rig.py).

With --sign DOMAIN SELECTOR KEYFILE behind it signs instead, as by_opendkim.py does.
"""
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


def sign(ask, domain, selector, secret):
    one = dkim.DKIM(open(ask["path"], "rb").read(), signature_algorithm=ask["algorithm"].encode())
    try:
        return {"field": one.sign(selector.encode(), domain.encode(), secret, length=ask["length"] >= 0,
                                  canonicalize=(ask["header"].encode(), ask["body"].encode())).decode()}
    except dkim.DKIMException as error:
        return {"skip": str(error)}


if sys.argv[2:3] == ["--sign"]:
    secret = open(sys.argv[5], "rb").read()
    for line in sys.stdin:
        print(json.dumps(sign(json.loads(line), sys.argv[3], sys.argv[4], secret)), flush=True)

for path in sys.stdin:
    octets = open(path.strip(), "rb").read()
    try:
        fields, _ = dkim.rfc822_parse(octets)
        n = sum(name.lower() == b"dkim-signature" for name, _ in fields)
        print(json.dumps([verify(octets, i) for i in range(n)]), flush=True)
    except dkim.MessageFormatError as error:
        print(json.dumps({"skip": str(error)}), flush=True)
