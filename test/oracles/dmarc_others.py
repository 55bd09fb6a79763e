"""dmarc_others -- DMARC, with SPF, DKIM and ARC, judged by us and by mailauth."""
import base64
import hashlib
import json

import letters
import mailauth
import rig
from rig import HERE

CLIENT = "192.0.2.1"
POLICIES = ("none", "quarantine", "reject")


# ---- records ----

def odd(chance, value):
    return chance.choice((value, value, value, value.upper(), f" {value} "))


def record(chance):
    """A DMARC record, and what in it makes readers differ."""
    kind, odds = chance.random(), set()
    if kind < 0.03:
        return chance.choice(("v=spf1 -all", "v=dmarc1; p=reject", "p=reject; v=DMARC1", "v=DMARC2; p=reject", "",
                              "v=DMARC1 p=reject")), odds
    tags = []
    if chance.random() < 0.92:
        tags.append(("p", odd(chance, chance.choice(POLICIES))))
    for name, often in (("sp", 0.3), ("np", 0.3)):
        if chance.random() < often:
            tags.append((name, odd(chance, chance.choice(POLICIES))))
    if chance.random() < 0.06:
        tags.append((chance.choice(("p", "sp", "np")), chance.choice(("rejct", "", "none!", "x y"))))
    for name in ("adkim", "aspf"):
        if chance.random() < 0.25:
            tags.append((name, odd(chance, chance.choice("rssx"))))
    if chance.random() < 0.2:
        tags.append(("psd", chance.choice("ynuYz")))
    if chance.random() < 0.2:
        tags.append(("t", chance.choice("ynYx")))
    if chance.random() < 0.4:
        tags.append(("rua", chance.choice(("mailto:a@b.example", "mailto:a@b.example!10m,mailto:c@d.example", "a@b.example",
                                           "https://x.example/r", "mailto:a!b@c.example", "", ",", "foo,mailto:x@y"))))
    for tag in (("pct", "0"), ("ri", "x"), ("fo", "1:d:s"), ("x", "y=z"), ("rf", "afrf")):
        if chance.random() < 0.1:
            tags.append(tag)
    chance.shuffle(tags)
    if len({n for n, _ in tags}) < len(tags):
        odds.add("twice")
    if chance.random() < 0.04 and tags:
        tags[0] = (tags[0][0].upper(), tags[0][1])
        odds.add("case")
    parts = ["v=DMARC1"] + [f"{n}{chance.choice(('', '', ' '))}={v}" for n, v in tags]
    if chance.random() < 0.1:
        parts.insert(chance.randrange(1, len(parts) + 1), chance.choice(("", "what", " ")))
    return chance.choice(("; ", ";", " ; ")).join(parts) + chance.choice(("", "", ";")), odds


# ---- a place in the DNS for each input ----

def above(name):
    labels = name.split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


class Place:
    def __init__(self, chance, number, zone):
        self.zone, self.chance, self.odds = zone, chance, set()
        deep = chance.choice((0, 0, 0, 1, 1, 2, 5, 6, 7, 8, 12))
        self.top = f"t{number}"
        self.organization = f"org.{self.top}"
        self.author = ".".join([f"l{i}" for i in range(deep)] + [self.organization])
        if chance.random() < 0.03:
            self.author = self.top
        if chance.random() < 0.6:
            zone.setdefault(self.author, {})["A"] = ["192.0.2.9"]
        self.publish(self.author)
        self.stranger = f"other.u{number}"
        self.publish(self.stranger)

    def publish(self, name):
        for at in above(name):
            often = 0.15 if "." not in at else 0.75 if at.startswith("org.") else 0.25
            kind = self.chance.random()
            if kind > 0.97:
                self.zone[f"_dmarc.{at}"] = "SERVFAIL"
            elif kind < often:
                texts = []
                for _ in range(self.chance.choice((1, 1, 1, 1, 1, 1, 1, 2))):
                    text, odds = record(self.chance)
                    texts.append(text)
                    self.odds |= odds
                self.zone[f"_dmarc.{at}"] = {"TXT": texts}

    def identity(self):
        """Some domain that could be aligned, or could not."""
        up = above(self.author)
        return self.chance.choice((self.author, self.author, self.chance.choice(up), f"c.{self.author}",
                                   f"s.{self.chance.choice(up)}", self.organization, self.stranger))

    def spf(self, domain):
        kind = self.chance.choice(("ip4:192.0.2.1 -all", "ip4:192.0.2.1 -all", "-all", "~all", "?all", "", "a -all", "SERVFAIL"))
        if domain in self.zone or not kind:
            return
        self.zone[domain] = "SERVFAIL" if kind == "SERVFAIL" else {"TXT": [f"v=spf1 {kind}"], "A": ["192.0.2.9"]}


# ---- letters ----

def signature(key, domain, octets, name="DKIM-Signature", first="v=1"):
    fields, rest = letters.split(octets)
    body = base64.b64encode(hashlib.sha256(letters.canon_body("relaxed", rest)).digest()).decode()
    raw = (f"{name}: {first}; a={key.algorithm}; c=relaxed/relaxed; d={domain}; s={key.selector};\r\n"
           f" h=From:Subject:From; bh={body};\r\n b=")
    signed = b"".join(letters.canon_field("relaxed", f) for f in letters.chosen(fields, ("From", "Subject", "From")))
    return with_b(key, raw, signed)


def with_b(key, raw, signed):
    signed += letters.canon_field("relaxed", raw.encode() + b"\r\n")[:-2]
    return (raw + base64.b64encode(key.sign(signed)).decode() + "\r\n").encode()


def sealed(place, key, octets):
    """RFC 8617 5.1: one set or two."""
    domain, before = f"seal.{place.top}", b""
    place.zone[f"{key.selector}._domainkey.{domain}"] = {"TXT": [key.record()]}
    for i in range(1, place.chance.choice((2, 3))):
        told = f"ARC-Authentication-Results: i={i}; mx.seal; dkim=none\r\n".encode()
        message = signature(key, domain, octets, "ARC-Message-Signature", f"i={i}")
        before += letters.canon_field("relaxed", told) + letters.canon_field("relaxed", message)
        cv = place.chance.choice(("pass",) * 9 + ("none", "fail")) if i > 1 else "none"
        seal = with_b(key, f"ARC-Seal: i={i}; a={key.algorithm}; cv={cv}; d={domain}; s={key.selector};\r\n b=", before)
        before += letters.canon_field("relaxed", seal)
        octets = seal + message + told + octets
    return octets


class Letter:
    def __init__(self, place, keys):
        chance, self.place, self.story = place.chance, place, []
        octets = f"From: <bob@{place.author}>\r\nTo: x@y.test\r\nSubject: hi\r\n\r\nHello\r\n".encode()
        for _ in range(chance.choice((0, 1, 1, 2))):
            key, domain = chance.choice(keys), place.identity()
            name = f"{key.selector}._domainkey.{domain}"
            if name not in place.zone:
                place.zone[name] = "SERVFAIL" if chance.random() < 0.04 else {"TXT": [key.record()]}
            octets = signature(key, domain, octets) + octets
            self.story.append(f"d={domain}")
        if chance.random() < 0.2:
            octets = sealed(place, keys[0], octets)
        if chance.random() < 0.2:
            octets = octets.replace(b"Hello", b"Hallo")
            self.story.append("changed")
        self.octets, self.helo = octets, place.identity()
        self.sender = "" if chance.random() < 0.15 else f"bob@{place.identity()}"
        for domain in (self.sender.partition("@")[2], self.helo):
            if domain:
                place.spf(domain)
        self.story += [f"MAIL FROM:<{self.sender}>", f"EHLO {self.helo}", f"From: {place.author}"]

    def line(self, path):
        path.write_bytes(self.octets)
        return f"{path}\t{CLIENT}\t{self.helo}\t{self.sender or '<>'}"


def zone_text(zone):
    out = []
    for name, all in zone.items():
        if all == "SERVFAIL":
            out.append(f"{name}. SERVFAIL\n")
            continue
        out += [f"{name}. TXT {rig.quoted(t)}\n" for t in all.get("TXT", ())]
        out += [f"{name}. A {a}\n" for a in all.get("A", ())]
    return "".join(out)


def zone_json(zone):
    return {name: all if all == "SERVFAIL" else
            {t: [[v] for v in values] if t == "TXT" else values for t, values in all.items()} for name, all in zone.items()}


# ---- what both say, in one form ----

def ours_of(found):
    d = found["dmarc"]
    spf = found.get("spf") or found.get("spf_helo") or {"result": "none"}
    return {"spf": spf["result"], "dkim": [o["result"] for o in found["dkim"]], "arc": found["arc"]["result"],
            "dmarc": d["result"], "policy": d.get("policy"), "domain": d.get("domain"),
            "organization": d.get("organization"), "spf_aligned": d["spf_aligned"], "dkim_aligned": d["dkim_aligned"]}


def theirs_of(got):
    d = got["dmarc"] or {"result": "none"}
    found = [o["result"] for o in got["dkim"]]
    return {"spf": got["spf"], "dkim": [] if found == ["none"] else found, "arc": got["arc"], "dmarc": d["result"],
            "policy": d.get("policy"), "domain": d.get("domain"), "organization": d.get("organization"),
            "spf_aligned": d.get("spf_aligned", False), "dkim_aligned": d.get("dkim_aligned", False)}


def differ(our, their):
    """The names of what they do not agree in."""
    keys = ["spf", "passes", "arc", "dmarc"]
    for one in (our, their):
        one["passes"] = [r == "pass" for r in one["dkim"]]
    if our["dmarc"] in ("pass", "fail"):
        keys += ["policy", "domain", "spf_aligned", "dkim_aligned"]
        if our["organization"]:          # where nobody had to know, we do not ask
            keys.append("organization")
    return [k for k in keys if our[k] != their[k]]


SETTLED = [
    # RFC 9989 4.7: "follow the extensible tag-value syntax ... defined in DKIM", which has names in one case,
    # each once; but 4.8: "Syntax errors in the remainder of the record MUST be discarded in favor of default
    # values (if any) or ignored outright", and its names are ABNF literals, in any case (RFC 5234 2.3).
    ("a tag that is there twice, or in capitals", lambda l, o, t, k: l.place.odds),
    # RFC 9989 4.10.1: "applies no DMARC processing"; 9.2: permerror is "the retrieval of an improperly formatted
    # DMARC Policy Record".  Nothing follows from either.
    ("permerror is told as none", lambda l, o, t, k: k == ["dmarc"] and (o["dmarc"], t["dmarc"]) == ("permerror", "none")),
    # RFC 9989 3.2.13: non-existent is what the DNS answers with NXDOMAIN (or RFC 8020 says so of), not what it does not
    # answer for; after a pass no policy is applied.
    ("who does not answer is taken for non-existent", lambda l, o, t, k: k == ["policy"] and o["dmarc"] == "pass" and
     l.place.zone.get(l.place.author) == "SERVFAIL"),
    # RFC 9989 5.3.6: "If one or more DNS queries required to perform DMARC validation on the message do not complete
    # ... the message cannot be considered to pass or fail": SPF's and DKIM's are among them.
    ("SPF or DKIM found no answer", lambda l, o, t, k: k == ["dmarc"] and (o["dmarc"], t["dmarc"]) == ("temperror", "fail") and
     (o["spf"] == "temperror" or "temperror" in o["dkim"])),
]


def mailauth_npm(scratch):
    lacks = mailauth.missing()
    if lacks:
        raise rig.Absent(lacks) if rig.is_short() else rig.Skip(lacks)
    try:
        program, env = mailauth.command()
    except RuntimeError as error:
        raise rig.Absent(str(error)) if rig.is_short() else rig.Skip(str(error)) from None
    chance, zone = rig.seed("mailauth"), {}
    keys = [letters.Key(scratch, kind, f"s{n}", "a.example") for n, kind in enumerate((2048, "ed25519"))]
    all = [Letter(Place(chance, n, zone), keys) for n in range(rig.how_many(80))]
    (scratch / "zone").write_text(zone_text(zone))
    (scratch / "zone.json").write_text(json.dumps(zone_json(zone)))
    compare(scratch, all, program, env)


def compare(scratch, all, program, env):
    settled, seen, found = {}, {}, 0
    ours = rig.Judge(rig.BUILD / "test/oracles/prover", scratch / "zone")
    theirs = rig.Judge(*program, HERE / "by_mailauth.js", scratch / "zone.json", env=env)
    with ours, theirs:
        for letter in all:
            line = letter.line(scratch / "letter.eml")
            our, their = ours_of(ours.ask(line)["found"]), theirs_of(theirs.ask(line))
            seen[our["dmarc"]] = seen.get(our["dmarc"], 0) + 1
            keys = differ(our, their)
            why = keys and next((name for name, holds in SETTLED if holds(letter, our, their, keys)), None)
            if why:
                settled[why] = settled.get(why, 0) + 1
            elif keys:
                found += 1
                records = {n: v for n, v in letter.place.zone.items() if f".{letter.place.top}" in f".{n}." and "_dmarc" in n
                           and (n.endswith(f".{letter.place.top}"))}
                print(f"# mailauth and we differ in {keys}: {', '.join(letter.story)}\n#   {records}\n#   we: {our}\n"
                      f"#   mailauth: {their}", flush=True)
    print(f"# mailauth: {len(all)} letters, {seen}, settled differences: {settled}", flush=True)
    if found:
        raise RuntimeError(f"{found} of {len(all)} differ from mailauth")
    few = [r for r in ("pass", "fail", "none") if not seen.get(r)]
    if few and len(all) >= 80:
        raise RuntimeError(f"no letter came to {few}")


CASES = [mailauth_npm]
