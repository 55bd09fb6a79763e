#!/usr/bin/python3
"""by_opendkim.py LIBRARY KEYS -- what libopendkim makes of messages; a judge (rig.py).

KEYS has a line for each key, as libopendkim's own tests have them: "NAME TEXT".
With --sign DOMAIN SELECTOR KEYFILE behind it signs instead: each line of stdin is
JSON with path, header, body, algorithm and length, and the answer is the field.
"""
import ctypes
import json
import sys

OP_SET, OPT_FLAGS, OPT_METHOD, OPT_INFO, QUERY_FILE = 1, 0, 6, 7, 1
FLAG_PASSED, BH_MATCH = 4, 0
CANON = {"simple": 0, "relaxed": 1}
ALGORITHM = {"rsa-sha256": 1, "ed25519-sha256": 2}

lib = ctypes.CDLL(sys.argv[1])
for name in ("dkim_init", "dkim_verify", "dkim_sign"):
    getattr(lib, name).restype = ctypes.c_void_p
lib.dkim_sig_geterrorstr.restype = ctypes.c_char_p
lib.dkim_getresultstr.restype = ctypes.c_char_p
lib.dkim_geterror.restype = ctypes.c_char_p
handle = ctypes.c_void_p(lib.dkim_init(None, None))


def option(which, value, size):
    status = lib.dkim_options(handle, OP_SET, which, value, ctypes.c_size_t(size))
    assert status == 0, (which, status)


option(OPT_METHOD, ctypes.byref(ctypes.c_int(QUERY_FILE)), ctypes.sizeof(ctypes.c_int))
option(OPT_INFO, ctypes.create_string_buffer(sys.argv[2].encode()), len(sys.argv[2]) + 1)


def words(one):
    said = lib.dkim_geterror(one)
    return (said or b"").decode("ascii", "replace")


def verify(octets):
    status = ctypes.c_int(0)
    one = ctypes.c_void_p(lib.dkim_verify(handle, b"one", None, ctypes.byref(status)))
    try:
        status = lib.dkim_chunk(one, octets, ctypes.c_size_t(len(octets)))
        if status == 0:
            status = lib.dkim_chunk(one, None, ctypes.c_size_t(0))
        if status == 0:
            status = lib.dkim_eom(one, None)
        sigs, count = ctypes.POINTER(ctypes.c_void_p)(), ctypes.c_int(0)
        if lib.dkim_getsiglist(one, ctypes.byref(sigs), ctypes.byref(count)) != 0:
            return {"skip": f"{lib.dkim_getresultstr(status).decode()}: {words(one)}"}
        return [judged(one, ctypes.c_void_p(sigs[i])) for i in range(count.value)]
    finally:
        lib.dkim_free(one)


def judged(one, sig):
    lib.dkim_sig_process(one, sig)
    error = lib.dkim_sig_geterror(sig)
    good = bool(lib.dkim_sig_getflags(sig) & FLAG_PASSED) and lib.dkim_sig_getbh(sig) == BH_MATCH and error == 0
    return {"pass": good, "why": (lib.dkim_sig_geterrorstr(error) or b"").decode()}


def sign(ask, domain, selector, secret):
    octets, status = open(ask["path"], "rb").read(), ctypes.c_int(0)
    one = ctypes.c_void_p(lib.dkim_sign(
        handle, b"one", None, secret, selector.encode(), domain.encode(), CANON[ask["header"]], CANON[ask["body"]],
        ALGORITHM[ask["algorithm"]], ctypes.c_ssize_t(ask["length"]), ctypes.byref(status)))
    try:
        status = lib.dkim_chunk(one, octets, ctypes.c_size_t(len(octets)))
        if status == 0:
            status = lib.dkim_chunk(one, None, ctypes.c_size_t(0))
        if status == 0:
            status = lib.dkim_eom(one, None)
        text, size = ctypes.c_char_p(), ctypes.c_size_t(0)
        if status == 0:
            status = lib.dkim_getsighdr_d(one, ctypes.c_size_t(16), ctypes.byref(text), ctypes.byref(size))
        if status != 0:
            return {"skip": f"{lib.dkim_getresultstr(status).decode()}: {words(one)}"}
        return {"field": "DKIM-Signature: " + text.value[:size.value].decode()}
    finally:
        lib.dkim_free(one)


for line in sys.stdin:
    if sys.argv[3:4] == ["--sign"]:
        said = sign(json.loads(line), sys.argv[4], sys.argv[5], open(sys.argv[6], "rb").read())
    else:
        said = verify(open(line.strip(), "rb").read())
    print(json.dumps(said), flush=True)
