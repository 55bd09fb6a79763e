"""dkim_others -- signatures, verified by us and by others."""
import json
import os
import re

import letters
import names
import package
import rig
import rspamd as rspamd_lib
from rig import HERE

KINDS = ("ed25519", 1024, 2048)
DOMAIN = "a.example"


def keys_make(scratch):
    return [letters.Key(scratch, kind, f"s{n}", DOMAIN) for n, kind in enumerate(KINDS)]


def passes(outcome):
    """RFC 6376 8.2: a signature whose l= leaves something uncovered is "policy"
    for us, though it fits; nobody else minds."""
    partial = outcome["result"] == "policy" and outcome["partial"]
    return {"pass": outcome["result"] == "pass" or partial, "why": outcome["why"], "result": outcome["result"]}


# ---- what settles a difference ----

def value_of(letter, i):
    """The i-th signature, as it is now."""
    fields = [f for f in letters.split(letter.octets)[0]
              if f.partition(b":")[0].strip().lower() == b"dkim-signature"]
    return fields[i].partition(b":")[2].decode("utf-8", "replace") if i < len(fields) else ""


def tags_of(letter, i):
    text = value_of(letter, i)
    return {t.partition("=")[0].strip(): t.partition("=")[2].strip() for t in text.split(";")}


def is_ed25519(letter, i, our, their):
    """RFC 8463; Mail::DKIM of this age does not know it."""
    return tags_of(letter, i).get("a") == "ed25519-sha256"


def has_no_end(letter, i, our, their):
    """RFC 6376 3.4.3: "if there is no trailing CRLF on the message body, a CRLF is
    added"; 3.4.4: "If the body is non-empty but does not end with a CRLF, a CRLF is
    added"."""
    body = letters.split(letter.octets)[1]
    return body != b"" and not body.endswith(b"\r\n")


def has_length_zero(letter, i, our, their):
    """RFC 6376 3.5: l= is 1*76DIGIT; 0 is a length, not its absence."""
    return tags_of(letter, i).get("l") == "0" and our["pass"]


def is_no_base64(letter, i, our, their):
    """RFC 6376 6.1.1: "Implementers MUST meticulously validate the format and values";
    RFC 4648 3.3, 3.5: other characters and bits left over are refused."""
    return our["why"].endswith("is no base64")


def is_shorter(letter, i, our, their):
    """RFC 6376 3.5, l=: "This value MUST NOT be larger than the actual number of
    octets in the canonicalized message body"."""
    return not our["pass"] and "shorter" in our["why"]


def has_odd_b(letter, i, our, their):
    """RFC 6376 3.7: "with the value of the "b=" tag (including all surrounding
    whitespace) deleted": dkimpy leaves what stands behind it, and does not see a b=
    right behind the colon."""
    return re.search(r"^b[ \t\r\n]*=|(^|;)[ \t\r\n]*b[ \t\r\n]*=[^;]*[ \t\r\n];", value_of(letter, i)) is not None


def has_space_at_colon(letter, i, our, their):
    """RFC 5322 4.5 has white space before the colon, and RFC 6376 3.4.2 deletes it:
    it is no part of the name by which h= finds a field."""
    return any(re.match(rb"[!-9;-~]+[ \t]+:", f) for f in letters.split(letter.octets)[0])


def has_odder_b(letter, i, our, their):
    """RFC 6376 3.7, again: OpenDKIM finds b= only without white space around its "=",
    leaves what stands behind the value, and finds it in the middle of other values."""
    text = value_of(letter, i)
    return has_odd_b(letter, i, our, their) or re.search(r"b[ \t\r\n]+=|b=[ \t\r\n]", text) is not None or len(
        re.findall("b=", text)) > 1


def has_length(letter, i, our, their):
    """RFC 6376 3.5: l= counts octets of the canonical body; rspamd counts others."""
    return "l" in tags_of(letter, i)


def has_unknown_tag(letter, i, our, their):
    """RFC 6376 3.2: tag-name = ALPHA *ALNUMPUNC, a value may be empty, "Unrecognized
    tags MUST be ignored": rspamd gives up at digits in a name, and at "zz=;"."""
    return not {"n0", "zz"}.isdisjoint(tags_of(letter, i))


def ends_blank(letter, i, our, their):
    """RFC 6376 3.4.4: white space at the end of lines is ignored first, and then empty
    lines at the end, of which " " is one by now."""
    return re.search(rb"(^|\n)[ \t]+(\r\n)*$", letters.split(letter.octets)[1]) is not None


def has_repeats(letter, i, our, their):
    """RFC 6376 5.4.2: of fields that are there several times the last comes first."""
    have = [f.partition(b":")[0].strip().lower().decode() for f in letters.split(letter.octets)[0]]
    wanted = [n.strip().lower() for n in tags_of(letter, i).get("h", "").split(":")]
    return any(have.count(n) > 1 for n in wanted)


def signs_signatures(letter, i, our, their):
    """RFC 6376 3.5, h=: "MUST NOT include the DKIM-Signature header field that is being
    created or verified but may include others": one that was moved down stands for
    itself with others, for us the one above it does."""
    return letter.story == "swap_fields" and "dkim-signature" in tags_of(letter, i).get("h", "").lower()


def has_two_from(letter, i, our, their):
    """RFC 6376 8.15: "DKIM signs and validates the data it is told to": a From that h=
    does not reach is the assessor's matter (trust/dmarc.h); dkimpy adds it to h=."""
    return sum(f.partition(b":")[0].strip().lower() == b"from" for f in letters.split(letter.octets)[0]) > 1


def is_cut_in_end(letter, i, our, their):
    """RFC 6376 3.7: "canonicalized [...] and then truncated to the length specified in
    the "l=" tag", be that between the last CR and LF."""
    return "leaves 1 octets" in our["why"]


def has_junk(letter, i, our, their):
    """RFC 6376 3.8: what is verified is a message of RFC 5322.  A header with a line
    that is no field ends there for us, as it does in what we hand on."""
    return any(re.match(rb"[!-9;-~]+[ \t]*:", f) is None for f in letters.split(letter.octets)[0])


def settled(function):
    """Where they pass what we do not, nothing is settled but by what says so."""
    def holds(letter, i, our, their):
        return (our["pass"] or function in (is_no_base64, is_shorter, has_junk)) and function(letter, i, our, their)
    return function.__name__, holds


class Round:
    """A scratch directory with keys, a zone, and our judge."""

    def __init__(self, scratch, name):
        self.scratch, self.chance, self.path = scratch, rig.seed(name), scratch / "letter.eml"
        self.keys = keys_make(scratch)
        texts = {key.name: [key.record()] for key in self.keys}
        self.texts = scratch / "keys.json"
        self.texts.write_text(json.dumps(texts))
        self.lines = scratch / "keys"
        self.lines.write_text("".join(f"{name} {all[0]}\n" for name, all in texts.items()))
        self.ours = rig.ours(rig.zone_write(scratch / "zone", texts))

    def letter(self):
        return letters.signed(self.chance, letters.letter(self.chance), self.keys, rig.NOW)

    def ask(self, letter, judge):
        """What we, and what they, say of it: lists."""
        self.path.write_bytes(letter.octets)
        return [passes(o) for o in self.ours.ask(self.path)["dkim"]], judge and judge.ask(self.path)


def reference(scratch):
    """What letters.py signed, and did not spoil, is what it says it is."""
    round, wrong = Round(scratch, "reference"), 0
    with round.ours:
        for _ in range(rig.how_many(100)):
            letter = round.letter()
            got, _ = round.ask(letter, None)
            wanted = [s.good for s in letter.signatures]
            if [o["pass"] for o in got] != wanted:
                wrong += 1
                print(f"# wanted {wanted}, got {got}\n# {letter.octets!r}", flush=True)
    if wrong:
        raise RuntimeError(f"{wrong} letters are not what they should be")


def one_of(letter, i, theirs):
    """What they say of the i-th signature, which they know by its place, or by the
    beginning of its b=; those that they cannot read at all some do not tell of."""
    b = re.sub(r"\s", "", tags_of(letter, i).get("b", ""))[:8]
    if theirs and "b" in theirs[0]:
        theirs = [t for t in theirs if t["b"] == b]
        i = 0
    return theirs[i] if i < len(theirs) else {"pass": False, "why": "it was not seen"}


def against(scratch, name, judge, settled):
    round = Round(scratch, name)
    with round.ours, judge(round) as other:
        differences = rig.Differences(scratch, name, settled)
        skipped = {}
        for n in range(rig.how_many(60)):
            letter = round.letter()
            if n % 2:
                letter = letters.spoiled(round.chance, letter)
            ours, theirs = round.ask(letter, other)
            if isinstance(theirs, dict):
                skipped[theirs["skip"]] = skipped.get(theirs["skip"], 0) + 1
                continue
            for i, our in enumerate(ours):
                differences.compare(letter, round.path, i, our, one_of(letter, i, theirs))
        if skipped:
            print(f"# {name} took no part in {skipped}", flush=True)
        differences.end()


def dkimpy(scratch):
    against(scratch, "dkimpy", lambda r: rig.Judge("/usr/bin/python3", HERE / "by_dkimpy.py", r.texts), [
        settled(has_odd_b), settled(has_two_from), settled(has_space_at_colon), settled(has_no_end),
        settled(is_shorter), settled(signs_signatures), settled(is_no_base64), settled(has_junk)])


def mail_dkim(scratch):
    against(scratch, "Mail::DKIM", lambda r: rig.Judge("perl", HERE / "by_maildkim.pl", r.texts), [
        settled(is_ed25519), settled(has_no_end), settled(has_length_zero), settled(is_cut_in_end),
        settled(is_shorter), settled(signs_signatures), settled(is_no_base64), settled(has_junk)])


def opendkim(scratch):
    top = package.root("opendkim")
    library = top / "usr/lib/x86_64-linux-gnu/libopendkim.so.11"
    against(scratch, "OpenDKIM", lambda r: rig.Judge(
        "/usr/bin/python3", HERE / "by_opendkim.py", library, r.lines, env=package.env(top), may_die=True), [
        settled(has_odder_b), settled(has_no_end), settled(signs_signatures), settled(is_no_base64),
        settled(has_junk)])


class ByRspamd:
    """rspamd tells of a letter, not of a signature: it is asked about those with one."""

    def __init__(self, round):
        self.names = names.Names(json.loads(round.texts.read_text()))
        self.rspamd = rspamd_lib.Rspamd(round.scratch / "rspamd", self.names.at)

    def __enter__(self):
        self.names.__enter__()
        self.rspamd.start(120)
        return self

    def __exit__(self, *_):
        self.rspamd.stop()
        self.names.__exit__()

    def ask(self, path):
        octets = path.read_bytes()
        fields = [f.partition(b":")[0].strip().lower() for f in letters.split(octets)[0]]
        if fields.count(b"dkim-signature") != 1:
            return {"skip": "more signatures than one"}
        said = self.rspamd.scan(octets)["symbols"]
        return [{"pass": "R_DKIM_ALLOW" in said, "why": " ".join(
            f"{s} {said[s].get('options', '')}" for s in said if "DKIM" in s)}]


def rspamd(scratch):
    if os.geteuid() != 0:
        raise rig.Skip("a name server at port 53 wants root")
    against(scratch, "rspamd", ByRspamd, [
        settled(is_shorter), settled(has_length), settled(has_odder_b), settled(has_unknown_tag), settled(has_no_end),
        settled(ends_blank), settled(has_repeats), settled(has_space_at_colon), settled(is_no_base64), settled(has_junk)])


# ---- they sign, we verify ----

def signers(round):
    """name: (key, function of a message that gives what stands on top of it, or None)"""
    top = package.root("opendkim")
    library = top / "usr/lib/x86_64-linux-gnu/libopendkim.so.11"
    chance = round.chance

    def by(key, *command, env=None):
        judge = rig.Judge(*command, "--sign", DOMAIN, key.selector, key.path, env=env)

        def sign(octets):
            round.path.write_bytes(octets)
            return judge.ask(json.dumps({
                "path": str(round.path), "header": chance.choice(("simple", "relaxed")), "length": -1,
                "body": chance.choice(("simple", "relaxed")), "algorithm": key.algorithm})).get("field")
        return judge, sign
    out = {}
    for key in round.keys:
        out[f"dkimpy {key.kind}"] = by(key, "/usr/bin/python3", HERE / "by_dkimpy.py", round.texts)
        if key.kind != "ed25519":
            out[f"Mail::DKIM {key.kind}"] = by(key, "perl", HERE / "by_maildkim.pl", round.texts)
            out[f"OpenDKIM {key.kind}"] = by(key, "/usr/bin/python3", HERE / "by_opendkim.py", library, round.lines,
                                             env=package.env(top))
    return out


def field_of(text):
    """A field as it stands in a message: folded by CRLF, and ended."""
    return re.sub(r"\r?\n", "\r\n", text.rstrip("\r\n")).encode() + b"\r\n"


def good_letter(chance):
    """One that all of them take to be a message."""
    while True:
        octets = letters.letter(chance)
        letter = letters.Letter(octets, [], "")
        if octets.endswith(b"\r\n") and octets.count(b"\nReceived:") < 3 and not (
                has_space_at_colon(letter, 0, {}, {}) or has_two_from(letter, 0, {}, {})):
            return octets


def signed_by_others(scratch):
    round = Round(scratch, "signed_by_others")
    used, wrong = {}, []
    with round.ours:
        all = signers(round)
        for n in range(rig.how_many(70)):
            name = list(all)[n % len(all)]
            octets = good_letter(round.chance)
            field = all[name][1](octets)
            if field is None:
                continue
            used[name] = used.get(name, 0) + 1
            got, _ = round.ask(letters.Letter(field_of(field) + octets, [], name), None)
            if [o["pass"] for o in got] != [True]:
                wrong.append((name, got))
                print(f"# {name}: {got}\n# {field_of(field) + octets!r}"[:3000], flush=True)
        for judge, _ in all.values():
            judge.close()
    print(f"# {used}", flush=True)
    if wrong or len(used) < len(all):
        raise RuntimeError(f"{len(wrong)} do not verify here, and {set(all) - set(used)} signed nothing")


def signed_by_rspamd(scratch):
    """As its milter does it; what it puts on top is in its answer.  Of odd letters it
    signs other octets than stand there; then dkimpy must say so too."""
    round, wrong, odd, used = Round(scratch, "signed_by_rspamd"), [], 0, 0
    key = next(k for k in round.keys if k.kind == 2048)
    third = rig.Judge("/usr/bin/python3", HERE / "by_dkimpy.py", round.texts)
    with round.ours, third, names.Names(json.loads(round.texts.read_text())) as server:
        one = rspamd_lib.Rspamd(scratch / "rspamd", server.at, {DOMAIN: (key.selector, key.path)})
        one.start(120)
        try:
            for _ in range(rig.how_many(40)):
                octets = good_letter(round.chance)
                said = one.scan(octets, ip="127.0.0.1", sender=f"a@{DOMAIN}").get("dkim-signature")
                if not said:
                    continue
                used += 1
                letter = letters.Letter(field_of(f"DKIM-Signature: {said}") + octets, [], "rspamd")
                got, their = round.ask(letter, third)
                if [o["pass"] for o in got] == [True]:
                    continue
                if not their[0]["pass"]:
                    odd += 1
                else:
                    wrong.append(got)
                    print(f"# {got}\n# {said}\n# {octets!r}"[:3000], flush=True)
        finally:
            one.stop()
    print(f"# rspamd signed {used}, of which {odd} verify nowhere", flush=True)
    if wrong or used < 2 * odd or not used:
        raise RuntimeError(f"{len(wrong)} of {used} do not verify here")


CASES = [reference, dkimpy, mail_dkim, opendkim, rspamd, signed_by_others, signed_by_rspamd]
