"""What each target of the fuzz stage begins with: the files in corpus/NOUN, what a
campaign found and kept (corpus/NOUN.tar.xz), and other people's vectors."""
import json
import pathlib
import re
import shutil
import tarfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "test/fuzz"
VECTORS = ROOT / "test/vectors"
LONGEST = 4096		# octets of an input


def address_seeds():
    tree = xml.etree.ElementTree.parse(VECTORS / "address-isemail/tests.xml")
    for test in tree.getroot().iter("test"):
        text = test.findtext("address") or ""
        plain = "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2420 else c
                        for c in text)
        yield b"\0" + plain.encode()


def data_seeds():
    for line in open(VECTORS / "smtp-smuggling/sequences.tsv"):
        if not line.startswith("#") and line.strip():
            octets = line.split("\t")[2].strip().encode().decode("unicode_escape")
            yield b"\0text\r\n" + octets.encode() + b"MAIL FROM:<>\r\n.\r\n"


def report_seeds():
    """Bounces of others, from where their delivery-status begins."""
    for path in sorted(VECTORS.glob("bounces-*/*/*.*")):
        text = path.read_bytes()
        at = re.search(rb"(?mi)^content-type: *message/(global-)?delivery-status", text)
        if at:
            yield b"\0" + text[at.start():][:2000]


def bounce_read_seeds():
    """Bounces of others, whole, and what is none."""
    for path in sorted(VECTORS.glob("bounces-*/*/*.*")):
        yield b"\0" + path.read_bytes()[:LONGEST]


def bounce_rules_seeds():
    """A host, a reply, a file."""
    own = (ROOT / "doc/guide-errors.md").read_bytes()
    for text in re.findall(rb"```yaml\n(# /etc.*?)```", own, re.S):
        yield b"\4mx.google.com\n450 4.2.1 slow down please, limit of 7 per day\n" + text
    table = (ROOT / "src/policy/bounce_rules.yaml").read_bytes()
    yield b"\4mx.qq.com\n550 5.1.1 user unknown\n" + table[:LONGEST]


def report_in_seeds():
    """Reports of others, as messages, and what was in them."""
    for path in sorted(VECTORS.glob("dmarc-*/**/*")) + sorted(VECTORS.glob("*rpt-*/**/*")) + \
            sorted(VECTORS.glob("arf-*/*.eml")):
        if path.suffix == ".eml":
            yield b"\0" + re.sub(rb"\r?\n", b"\r\n", path.read_bytes())[:LONGEST]
        elif path.suffix in (".xml", ".gz", ".zip"):
            yield b"\1" + path.read_bytes()[:LONGEST]
        elif path.suffix == ".json" and b"policies" in path.read_bytes():
            yield b"\2" + path.read_bytes()[:LONGEST]


def dmarc_report_seeds():
    for path in sorted(VECTORS.glob("dmarc-*/**/*.xml")):
        yield b"\5" + path.read_bytes()[:LONGEST]


def analyze_seeds():
    for path in sorted(VECTORS.glob("dkim-*/**/*")):
        if path.suffix in (".eml", ".msg") and path.stat().st_size < LONGEST:
            yield b"\0" + re.sub(rb"\r?\n", b"\r\n", path.read_bytes())


def unpack_seeds():
    for path in sorted(VECTORS.glob("dmarc-*/**/*")):
        if path.suffix in (".gz", ".zip"):
            yield b"\0" + path.read_bytes()


def session_seeds():
    """What the client says in each dialog, uncut."""
    for path in sorted((ROOT / "test/dialog").glob("*.smtp")):
        said = b""
        for line in path.read_text().splitlines():
            if m := re.match(r"C([:>]) ?(.*)", line):
                text = m[2].encode().decode("unicode_escape").encode("latin1")
                said += text + (b"\r\n" if m[1] == ":" else b"")
        yield b"\0\0" + said
    for path in sorted((VECTORS / "smtp-dialogues-chasquid/connections").iterdir()):
        yield b"\0\0" + path.read_bytes().replace(b"\n", b"\r\n")


SAY, SHAKE, RAW, END, WAIT, LOGIN = range(6)


def private_seeds():
    """Dialogs with TLS in them; where it begins, breaks and ends."""
    def steps(flags, *rows):
        return bytes([flags]) + b"".join(bytes([what, len(text)]) + text for what, text in rows)
    ehlo, start = (SAY, b"EHLO me.test\r\n"), (SAY, b"STARTTLS\r\n")
    mail = [(SAY, b"MAIL FROM:<ann@one.test>\r\nRCPT TO:<bob@two.test>\r\nDATA\r\n"), (SAY, b"Subject: x\r\n\r\nx\r\n.\r\n")]
    quits = (SAY, b"QUIT\r\n")
    yield steps(0, ehlo, start, (SHAKE, b""), ehlo, *mail, quits)
    yield steps(4, ehlo, start, (SHAKE, b""), *mail, quits)
    yield steps(1, (SHAKE, b""), ehlo, *mail, quits)
    yield steps(2, ehlo, *mail, start, (SHAKE, b""), ehlo, *mail)
    yield steps(0, ehlo, (SAY, b"STARTTLS\r\nEHLO x.test\r\n"), (SHAKE, b""), *mail)
    yield steps(0, ehlo, start, (RAW, b"EHLO x.test\r\n"))
    yield steps(0, ehlo, start, (SHAKE, b""), ehlo, *mail[:1], (RAW, b"\x17\x03\x03\x00\x10" + b"x" * 16))
    yield steps(0, ehlo, start, (SHAKE, b""), ehlo, (END, b"NOOP\r\n"))
    yield steps(0, ehlo, start, (RAW, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), (WAIT, b"x" * 200))
    yield steps(0, ehlo, start, (SHAKE, b""), ehlo, start, quits)
    for who in (0, 1, 2, 4, 5, 6, 7, 18, 22):
        login = (LOGIN, bytes([who, 0, 0]))
        yield steps(8 + 4 + 16, ehlo, start, (SHAKE, b""), ehlo, login, *mail)
    yield steps(8 + 4 + 1 + 96, (SHAKE, b""), ehlo, (LOGIN, b"\0\0\0"), *mail, quits)
    yield steps(8 + 4, ehlo, (LOGIN, b"\0\0\0"), (LOGIN, b"\1\0\0"), (SAY, b"AUTH PLAIN\r\n"), (SAY, b"*\r\n"), quits)
    yield steps(0, (SHAKE, b""))
    yield steps(1, (RAW, b"EHLO x.test\r\n"), (WAIT, b"x"))


def client_seeds():
    """Servers that begin TLS, and then offer what they like."""
    for flags in (64, 128, 192, 64 + 1, 192 + 8):
        for more in (b"PIPELINING", b"CHUNKING\r\n250-BINARYMIME", b"AUTH PLAIN SCRAM-SHA-256",
                     b"SMTPUTF8\r\n250-8BITMIME", b"DSN\r\n250-SIZE 100", b"STARTTLS"):
            yield bytes([flags]) + b"220 mx\n250-mx\r\n250 STARTTLS\n\1250-mx\r\n250-" + more + \
                b"\r\n250 HELP\n" + b"235 2.7.0 ok\n" + b"250 ok\n" * 4 + b"354 go\n250 2.0.0 ok\n" * 3


def reload_seeds():
    """One line changed, then another: (which, what) of reload_fuzz.c's."""
    changes = ((2, b"listen: [ { address: 192.0.2.1, port: 25, role: mx, name: other } ]"),
               (2, b"listen: [ { address: 192.0.2.1, port: 2525, role: relay } ]"), (2, b"listen: []"),
               (4, b"domains: { other.test: { users: [ u ] } }"), (7, b"limits: { size: 64K, connections: 1 }"),
               (9, b"route: [ { discard: gone } ]"), (3, b"trusted: []"), (5, b"deliver: { maildir: \"/other/%u\" }"),
               (11, b"submit: { rate: 1/h }"), (11, b"dkim: { algorithms: both }"), (11, b"no: key"))
    for n, (which, what) in enumerate(changes):
        other, more = changes[n - 1]
        yield bytes((1, which, len(what))) + what + b"\0" + bytes((2, other, len(more))) + more + \
            bytes((which, len(what))) + what


def control_seeds():
    """Each route, with nothing, with what it may want, and with a body."""
    routes = re.findall(r'ROUTE\("(\w+)", +"([^"]+)"', (ROOT / "src/http/route.def").read_text())
    send = b"POST /v1/emails/raw?from=u@home.test&to=u@home.test&to=x@far.test HTTP/1.1\r\nHost: h\r\n" \
        b"Content-Length: 16\r\n\r\nSubject: x\n\nx\n.\n"
    for method, path in routes:
        asks = b""
        for query in (b"", b"?domain=home.test&selector=x&limit=2", b"?id=0&rcpt=x@far.test&state=held&follow=1",
                      b"?account=u@home.test&day=2026-11-21&kind=dmarc"):
            asks += method.encode() + b" " + path.replace("*", "0123456789ABCDEF").encode() + query + \
                b" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        yield b"\0" + send + asks


def sendmail_seeds():
    """Each flag, with its word behind it and beside it; a letter of theirs."""
    letter = b"\nFrom: a@b\nTo: x, <y@z>\nSubject: x\n\n.x\n.\n"
    flags = re.findall(r"FLAG\('(.)'", (ROOT / "src/cli/sendmail.def").read_text())
    for flag in flags:
        yield b"\0-" + flag.encode() + b"\nvalue\nann@two.test\n" + letter
    yield b"\x80" + b"".join(b"-" + f.encode() + b"v\n" for f in flags) + letter


def directory_seeds():
    for flags in range(16):
        yield bytes([flags]) + b"\x0c\0\0success" * 4
        yield bytes([flags]) + b"\5\5\1user" + b"\x08\0\1user=ann" * 3
        yield bytes([flags]) + b"\6\1\1ann" + b"\6\2\0ok" + b"\6\0\0yes"


def spf_seeds():
    with tarfile.open(VECTORS / "fuzz-seeds-spf/corpus.tar.gz") as tar:
        for member in tar:
            if member.isfile():
                yield tar.extractfile(member).read()


def chunk_seeds():
    for seed in data_seeds():
        yield seed
        yield b"\2" + seed[1:]


def domain_seeds():
    for name in ("b\xfccher.test", "\u043f\u043e\u0447\u0442\u0430.xn--p1ai",
                 "stra\xdfe.test", "\u4f8b\u3048.test", "xn--bcher-kva.test"):
        yield name.encode()


def json_seeds(name):
    for row in json.load(open(VECTORS / "mime-stalwart" / name)):
        yield row["header"].encode()


def message_seeds():
    for path in sorted((VECTORS / "mime-stalwart/eml").glob("*/*.eml")):
        yield b"\0" + re.sub(rb"\r?\n", b"\r\n", path.read_bytes())


VECTOR_SEEDS = {
    "address": address_seeds,
    "analyze": analyze_seeds,
    "chunk": chunk_seeds,
    "client": client_seeds,
    "content_type": lambda: json_seeds("content_type.json"),
    "control": control_seeds,
    "bounce_read": bounce_read_seeds,
    "bounce_rules": bounce_rules_seeds,
    "data": data_seeds,
    "date": lambda: json_seeds("date.json"),
    "directory": directory_seeds,
    "dmarc_report_read": dmarc_report_seeds,
    "dsn_read": report_seeds,
    "idna": domain_seeds,
    "private": private_seeds,
    "mime": message_seeds,
    "received": lambda: json_seeds("received.json"),
    "recode": message_seeds,
    "report_in": report_in_seeds,
    "sendmail": sendmail_seeds,
    "session": session_seeds,
    "reload": reload_seeds,
    "spf": spf_seeds,
    "unpack": unpack_seeds,
}


def nouns():
    return sorted(p.name[:-len("_fuzz.c")] for p in HERE.glob("*_fuzz.c"))


def kept_seeds(noun, most=None):
    """What campaigns kept, the shortest first."""
    pack = HERE / "corpus" / f"{noun}.tar.xz"
    if not pack.exists():
        return
    with tarfile.open(pack) as tar:
        members = sorted(tar.getmembers(), key=lambda m: (m.size, m.name))
        for member in members[:most]:
            yield member.name, tar.extractfile(member).read()


def write(noun, folder, most=None):
    """Seeds of a target into a new folder; at most so many of those kept."""
    folder.mkdir(parents=True)
    for n, seed in enumerate(VECTOR_SEEDS.get(noun, lambda: ())()):
        (folder / f"vector-{n}").write_bytes(seed)
    for name, seed in kept_seeds(noun, most):
        (folder / name).write_bytes(seed)
    for path in (HERE / "corpus" / noun).glob("*"):
        shutil.copy(path, folder)
