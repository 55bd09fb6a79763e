#!/usr/bin/python3
"""by_dkimpy_arc.py KEYS KEY DOMAIN SELECTOR -- what dkimpy makes of ARC chains, and
its own seals; a judge (rig.py) that hears lines of judge_arc.c."""
import json
import sys

import dkim

keys = json.load(open(sys.argv[1]))
key, domain, selector = open(sys.argv[2], "rb").read(), sys.argv[3].encode(), sys.argv[4].encode()
HEADERS = [b"from", b"to", b"subject", b"date", b"message-id"]


def txt(name, timeout=5):
    texts = keys.get(name.decode("ascii", "replace").rstrip(".").lower())
    return texts[0].encode() if texts else None


def verify(octets):
    try:
        cv, _, why = dkim.arc_verify(octets, dnsfunc=txt)
        return {"result": cv.decode() if cv else "none", "why": why}
    except dkim.MessageFormatError:      # it cannot read such a message at all
        raise
    except Exception as error:           # whatever it is that stops it, it is no pass
        return {"result": "fail", "why": f"{type(error).__name__}: {error}"[:300]}


def seal(path, octets, cv):
    """It reads from Authentication-Results what the chain was."""
    octets = b"Authentication-Results: " + domain + b"; arc=" + cv.encode() + b";\r\n spf=pass\r\n" + octets
    made = dkim.arc_sign(octets, selector, domain, key, domain, include_headers=HEADERS)
    open(path, "wb").write(b"".join(made) + octets)


for line in sys.stdin:
    wants_seal, path = line.startswith("seal "), line.strip().removeprefix("seal ")
    octets = open(path, "rb").read()
    try:
        said = verify(octets)
        if wants_seal:
            seal(path, octets, said["result"])
        print(json.dumps(said), flush=True)
    except dkim.MessageFormatError as error:
        print(json.dumps({"skip": str(error)}), flush=True)
