"""chasquid -- chasquid's conversations in the words of our dialogs.

Their files: `c tcp_connect', `c close', `c -> line', `c ~> octets' (an expression
of quoted text, + and *), `c <- line' and `c <~ regex' for a reply, `c <... text'
for a reply's lines up to one.  Of a reply only the first digit of its code is
compared; where ours is another, chasquid.tsv names it and says why.
"""
import glob
import os
import re

HOME = "vectors/smtp-dialogues-chasquid"


def differences(top):
    """{(dialog, line): code}"""
    found = {}
    for line in open(f"{top}/dialog/chasquid.tsv"):
        if line.strip() and not line.startswith("#"):
            name, number, code, _ = line.rstrip("\n").split("\t")
            found[name, int(number)] = code
    return found


def escaped(data):
    """Octets as our dialogs write them."""
    return "".join(chr(c) if 32 <= c < 127 and c != 92 else f"\\x{c:02x}"
                   for c in data)


def translated(name, text, otherwise):
    """The lines of our dialog."""
    has_begun = False
    yield f"# chasquid's {name}"
    yield "config chasquid"
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        m = re.fullmatch(r"c (tcp_connect|tls_connect|close|->|~>|<-|<~|<\.\.\.) ?(.*)", line)
        if m is None or m[1] == "tls_connect":
            raise ValueError(f"{name}:{number}: {line!r}")
        if m[1] == "tcp_connect":
            if has_begun:
                yield "again"
            has_begun = True
        elif m[1] == "->":
            yield "C> " + escaped(m[2].encode() + b"\r\n")
        elif m[1] == "~>":
            yield "C> " + escaped(eval(m[2], {"__builtins__": {}}).encode())
        elif m[1] != "close":
            yield "S* " + otherwise.pop((name, number), m[2][0])


def dialogs(top):
    """{name: text}; needs TLS: left out."""
    found, otherwise = {}, differences(top)
    for path in sorted(glob.glob(f"{top}/{HOME}/dialogs/*.cmy")):
        name = os.path.basename(path)[:-4]
        text = open(path).read()
        if "c tls_connect" in text:
            continue
        lines = list(translated(name, text, otherwise))
        if os.path.exists(path + ".verify"):
            lines.append(f"mailbox testserver/user {path}.verify")
        found[f"v800-chasquid-{name}"] = "\n".join(lines)
    if otherwise:
        raise ValueError(f"chasquid.tsv: nobody needs {sorted(otherwise)}")
    return found
