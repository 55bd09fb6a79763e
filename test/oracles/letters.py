"""letters -- messages by chance, and a signer that can do what no good one does.

letter(chance) is a message as RFC 5322 lets it be, odd in every way that matters
to DKIM.  signed(chance, octets, keys) puts a DKIM-Signature on top, with all that
RFC 6376 3.5 allows; it hashes the whole message at once, by the words of 3.4 and
3.7, and so is the reference that ours and all others are held against.
spoiled(chance, octets) changes something on the way.
"""
import base64
import hashlib
import re
import subprocess

import nacl.signing
from dkim.crypto import HASH_ALGORITHMS, RSASSA_PKCS1_v1_5_sign, parse_pem_private_key

WORDS = ("a", "of", "Offer", "x@y.example", "<a@b.example>", "=?utf-8?q?=C3=A4?=", "\u00e4\u00f6", "12:00", ";", "(c)",
         "\"q  q\"", "b=;", "long" * 20)
NAMES = ("To", "Cc", "Subject", "Date", "Message-ID", "Received", "X-Odd", "Reply-To", "MIME-Version",
         "Content-Type", "List-Id", "Sender", "x-a", "X-A", "DKIM-Signature-Not")
FAR = 400 * 86400


# ---- messages ----

def space(chance):
    return "".join(chance.choice(" \t") for _ in range(chance.choice((1, 1, 1, 2, 5))))


def fold(chance):
    return chance.choice(("", "", space(chance))) + "\r\n" + space(chance)


def text(chance):
    """A field's value: words with white space of all kinds around them."""
    out = chance.choice(("", " ", " ", " ", space(chance), fold(chance)))
    for _ in range(chance.choice((0, 1, 3, 8))):
        out += chance.choice(WORDS) + chance.choice((" ", " ", space(chance), fold(chance)))
    while out.endswith(("\r\n ", "\r\n\t", "\n")) or re.search(r"\r\n[ \t]*$", out):
        out = re.sub(r"\r\n[ \t]*$", "", out)        # no field ends with a line that has nothing
    return re.sub(r"\r\n[ \t]+\r\n", "\r\n", out)


def cased(chance, name):
    return chance.choice((name, name, name, name.lower(), name.upper(), name.swapcase()))


def field(chance, name):
    colon = chance.choice((":",) * 60 + (" :", "\t:"))
    return cased(chance, name) + colon + text(chance) + "\r\n"


def line(chance):
    return chance.choice(("", "", " ", "\t ", "Hi.", "one  two\tthree ", " lead", "trail \t ", ".dot", "\u00e4" * 9, "y" * 997,
                          "-- ", "a\tb"))


def body(chance):
    kind = chance.random()
    if kind < 0.08:
        return b""
    if kind < 0.16:
        return b"\r\n" * chance.choice((1, 2, 3))
    if kind < 0.2:
        return chance.choice((" ", "\t\r\n", " \r\n\r\n", "\r\n \r\n")).encode()
    lines = [line(chance) for _ in range(chance.choice((1, 2, 5, 20)))]
    out = "\r\n".join(lines) + "\r\n" * chance.choice((0, 1, 1, 1, 2, 4))
    return out.encode()


def letter(chance):
    fields = [field(chance, "From" if i == 0 else chance.choice(NAMES)) for i in range(chance.choice((2, 5, 12)))]
    fields[0] = re.sub(r":(.|\r|\n)*$", ": Bob <bob@a.example>\r\n", fields[0])
    chance.shuffle(fields)
    fields.insert(chance.randrange(len(fields)), "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n")
    return "".join(fields).encode() + b"\r\n" + body(chance)


# ---- RFC 6376 3.4, 3.7, all at once ----

def split(octets):
    """Fields, with their last CRLF; the body."""
    head, _, rest = octets.partition(b"\r\n\r\n")
    if octets.startswith(b"\r\n"):
        return [], octets[2:]
    return re.findall(rb"[^\r\n][^\n]*\r\n(?:[ \t][^\n]*\r\n)*", head + b"\r\n"), rest


def canon_field(how, raw):
    if how == "simple":
        return raw
    name, _, value = raw.partition(b":")
    return name.rstrip(b" \t").lower() + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" ") + b"\r\n"


def canon_body(how, octets):
    if how == "relaxed":
        octets = re.sub(rb"[ \t]+(\r\n|\Z)", rb"\1", octets)
        octets = re.sub(rb"[ \t]+", b" ", octets)
    octets = re.sub(rb"(\r\n)*\Z", b"", octets, count=1)
    return octets + b"\r\n" if octets or how == "simple" else b""


def chosen(fields, names):
    """RFC 6376 5.4.2: the last ones first."""
    left, out = list(fields), []
    for name in names:
        for i in range(len(left) - 1, -1, -1):
            if left[i].partition(b":")[0].rstrip(b" \t").lower() == name.lower().encode():
                out.append(left.pop(i))
                break
    return out


# ---- keys ----

class Key:
    """kind: "ed25519", or the bits of RSA."""

    def __init__(self, scratch, kind, selector, domain):
        self.kind, self.selector, self.domain = kind, selector, domain
        self.name = f"{selector}._domainkey.{domain}"
        self.algorithm = "ed25519-sha256" if kind == "ed25519" else "rsa-sha256"
        self.path = scratch / f"{self.name}.pem"
        if kind == "ed25519":
            self.secret = nacl.signing.SigningKey.generate()
            self.public = base64.b64encode(bytes(self.secret.verify_key)).decode()
            self.path.write_bytes(base64.b64encode(bytes(self.secret)))
        else:
            subprocess.run(["openssl", "genrsa", "-traditional", "-out", self.path, str(kind)], check=True,
                           capture_output=True)
            der = subprocess.run(["openssl", "rsa", "-in", self.path, "-pubout", "-outform", "DER"], check=True,
                                 capture_output=True).stdout
            pkcs1 = subprocess.run(["openssl", "rsa", "-in", self.path, "-RSAPublicKey_out", "-outform", "DER"],
                                   check=True, capture_output=True).stdout
            self.secret = parse_pem_private_key(self.path.read_bytes())
            self.public = base64.b64encode(der).decode()
            self.pkcs1 = base64.b64encode(pkcs1).decode()

    def record(self):
        return f"v=DKIM1; k={'ed25519' if self.kind == 'ed25519' else 'rsa'}; p={self.public}"

    def sign(self, octets):
        digest = hashlib.sha256(octets)
        if self.kind == "ed25519":
            return self.secret.sign(digest.digest()).signature
        return RSASSA_PKCS1_v1_5_sign(HashOf(digest), self.secret)


class HashOf:
    """A hash as dkim.crypto wants it."""

    def __init__(self, digest):
        self.inner, self.name = digest, digest.name

    def digest(self):
        return self.inner.digest()


assert b"rsa-sha256" in HASH_ALGORITHMS


# ---- signatures ----

def wrapped(chance, word):
    """base64, cut by white space in places."""
    out = ""
    while word:
        n = chance.choice((10, 40, 72, 200))
        out, word = out + word[:n], word[n:]
        if word:
            out += chance.choice(("\r\n ", "\r\n\t", " ", "\r\n  "))
    return out


def listed(chance, fields):
    """A value for h=."""
    have = [f.partition(b":")[0].rstrip(b" \t").decode() for f in fields]
    names = ["From"] + chance.choices(have, k=chance.choice((0, 3, 10)))
    own = [n for n in names if n.lower() == "dkim-signature"]
    for name in own[sum(n.lower() == "dkim-signature" for n in have):]:
        names.remove(name)               # the next signature on top would stand for it
    if chance.random() < 0.3:
        names += [chance.choice(("From", "Subject", "X-Missing", "To"))] * chance.choice((1, 2))
    chance.shuffle(names)
    return [cased(chance, n) for n in names]


class Signature:
    """What one is made of, and what it should come to: `good'."""

    def __init__(self, chance, key, octets, now):
        fields, rest = split(octets)
        self.key, self.good, self.story, self.odd = key, True, [], set()
        self.header, self.body = chance.choice(("simple", "relaxed")), chance.choice(("simple", "relaxed"))
        self.names = listed(chance, fields)
        canonical = canon_body(self.body, rest)
        self.length, self.rest = self.length_of(chance, canonical), 0
        if self.length is not None:
            self.rest = len(canonical) - self.length
            if self.rest < 0:
                self.good = False
                self.odd.add("long l")
            canonical = canonical[:self.length]
        self.bh = base64.b64encode(hashlib.sha256(canonical).digest()).decode()
        tags = self.tags(chance, now)
        self.raw = self.write(chance, tags)
        signed = b"".join(canon_field(self.header, f) for f in chosen(fields, self.names))
        self.raw = self.raw.replace("@B64@", wrapped(chance, self.sign(signed)))

    def sign(self, signed):
        """RFC 6376 3.7: "with the value of the "b=" tag (including all surrounding
        whitespace) deleted", "and without a trailing CRLF"."""
        own = re.sub(r"=[ \t\r\n]*@B64@[ \t\r\n]*", "=", self.raw[:-2]) + "\r\n"
        return base64.b64encode(self.key.sign(signed + canon_field(self.header, own.encode())[:-2])).decode()

    def length_of(self, chance, canonical):
        kind = chance.random()
        if kind < 0.75:
            return None
        return chance.choice((len(canonical), len(canonical), chance.randrange(len(canonical) + 1), 0,
                              len(canonical) + 1))

    def tags(self, chance, now):
        colon = chance.choice((":", ":", " : ", "\r\n\t:", ":\r\n "))
        tags = [("v", "1"), ("a", self.key.algorithm), ("d", self.key.domain), ("s", self.key.selector),
                ("h", colon.join(self.names)), ("bh", wrapped(chance, self.bh)), ("b", "@B64@")]
        if (self.header, self.body) != ("simple", "simple") or chance.random() < 0.5:
            tags.append(("c", self.header if self.body == "simple" and chance.random() < 0.5 else
                         f"{self.header}/{self.body}"))
        if self.length is not None:
            tags.append(("l", str(self.length)))
        if chance.random() < 0.5:
            tags.append(("t", str(now - chance.choice((0, 5, 86400, 10 ** 8)))))
        if chance.random() < 0.2:
            ago = chance.choice((FAR, 3600, -FAR))
            tags.append(("x", str(now + ago)))
            self.good = self.good and ago > 0
            signed_at = int(dict(tags).get("t", 0))
            if ago < 0 or now + ago <= signed_at:
                self.good = False
                self.odd.add("expired")
        if chance.random() < 0.3:
            tags.append(("i", chance.choice(("@{}", "bob@{}", "@sub.{}", "=62ob@{}", "a.b@c.{}")).format(self.key.domain)))
        for tag in (("q", "dns/txt"), ("z", "From:bob=40a.example|To:x"), ("n0", "of nobody's knowledge"), ("zz", "")):
            if chance.random() < 0.1:
                tags.append(tag)
        if chance.random() < 0.3:
            chance.shuffle(tags)
        return tags

    def write(self, chance, tags):
        kind = chance.random()
        self.names_of = [t for t, _ in tags]

        def around():
            return "" if kind < 0.5 else chance.choice(("", "", " ", "\r\n ", "\t"))
        out = cased(chance, "DKIM-Signature") + ":"
        for n, (tag, value) in enumerate(tags):
            out += ("" if n == 0 else ";") + chance.choice((" ", "\r\n ", "\r\n\t", ""))
            out += tag + around() + "=" + around() + value + around()
        out += chance.choice(("", "", ";", "; "))
        out = re.sub(r"\r\n[ \t]*(?=\r\n)", "", out)
        return out.rstrip(" \t\r\n") + "\r\n"


class Letter:
    def __init__(self, octets, signatures, story):
        self.octets, self.signatures, self.story = octets, signatures, story


def signed(chance, octets, keys, now):
    """With one to three signatures on top of each other."""
    signatures = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        s = Signature(chance, chance.choice(keys), octets, now)
        octets = s.raw.encode() + octets
        signatures.insert(0, s)
    return Letter(octets, signatures, "as it was signed")


# ---- what happens on the way ----

def in_header(chance, octets):
    head = octets.find(b"\r\n\r\n")
    return chance.randrange(head if head > 0 else 1)


def change_octet(chance, octets):
    at = chance.randrange(len(octets))
    new = chance.choice(b"aZ09 \t:;=.,-_")
    if octets[at:at + 1] in b"\r\n":
        return octets
    return octets[:at] + bytes([new]) + octets[at + 1:]


def add_space(chance, octets):
    spots = [m.start() for m in re.finditer(rb"[ \t]", octets)]
    if not spots:
        return octets
    at = chance.choice(spots)
    return octets[:at] + chance.choice((b" ", b"\t")) + octets[at:]


def refold(chance, octets):
    head = octets.find(b"\r\n\r\n")
    spots = [m.start() for m in re.finditer(rb"(?<=[^ \t\r\n:])[ \t](?=[^ \t\r\n])", octets[:max(head, 0)])]
    if not spots:
        return octets
    at = chance.choice(spots)
    return octets[:at] + b"\r\n" + octets[at:]


def append(chance, octets):
    return octets + chance.choice((b"\r\n", b"\r\n\r\n", b"more\r\n", b" \r\n", b"x"))


def add_field(chance, octets):
    return chance.choice((b"Subject: another\r\n", b"From: eve@b.example\r\n", b"X-New: y\r\n", b"Received: x\r\n",
                          b"DKIM-Signature: v=1; nonsense\r\n")) + octets


def swap_fields(chance, octets):
    fields, rest = split(octets)
    if len(fields) < 2:
        return octets
    i = chance.randrange(len(fields) - 1)
    fields[i], fields[i + 1] = fields[i + 1], fields[i]
    return b"".join(fields) + b"\r\n" + rest


def drop_field(chance, octets):
    fields, rest = split(octets)
    fields.pop(chance.randrange(len(fields)))
    return b"".join(fields) + b"\r\n" + rest


def recase(chance, octets):
    fields, rest = split(octets)
    i = chance.randrange(len(fields))
    name, colon, value = fields[i].partition(b":")
    fields[i] = name.swapcase() + colon + value
    return b"".join(fields) + b"\r\n" + rest


SPOILERS = (change_octet, change_octet, change_octet, add_space, refold, append, add_field, swap_fields, drop_field, recase)


def spoiled(chance, one):
    how = chance.choice(SPOILERS)
    return Letter(how(chance, one.octets), one.signatures, how.__name__)
