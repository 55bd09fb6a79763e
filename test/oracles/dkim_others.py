"""dkim_others -- signatures, verified by us and by others."""
import json

import letters
import package
import rig
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
            if len(ours) != len(theirs):
                theirs += [{"pass": False, "why": "it was not seen"}] * (len(ours) - len(theirs))
            for i, (our, their) in enumerate(zip(ours, theirs)):
                differences.compare(letter, round.path, i, our, their)
        if skipped:
            print(f"# {name} took no part in {skipped}", flush=True)
        differences.end()


def dkimpy(scratch):
    against(scratch, "dkimpy", lambda r: rig.Judge("/usr/bin/python3", HERE / "by_dkimpy.py", r.texts), [])


def mail_dkim(scratch):
    against(scratch, "Mail::DKIM", lambda r: rig.Judge("perl", HERE / "by_maildkim.pl", r.texts), [])


def opendkim(scratch):
    top = package.root("opendkim")
    library = top / "usr/lib/x86_64-linux-gnu/libopendkim.so.11"
    against(scratch, "OpenDKIM", lambda r: rig.Judge(
        "/usr/bin/python3", HERE / "by_opendkim.py", library, r.lines, env=package.env(top)), [])


CASES = [reference]
