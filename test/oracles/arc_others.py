"""arc_others -- chains of ARC sets that several programs sealed in turn, changed on
the way or not, and what each makes of them."""
import json

import dkim_others
import letters
import rig
from rig import BUILD, HERE

KINDS = {"ours": 2048, "dkimpy": 1024, "mail-dkim": 2048}


class Chain:
    """A scratch directory with a key for each sealer, a zone, and the sealers, which
    are the judges too."""

    def __init__(self, scratch):
        self.path, self.story = scratch / "letter.eml", ""
        keys = {who: letters.Key(scratch, bits, "s", f"{who}.example") for who, bits in KINDS.items()}
        texts = {key.name: [key.record()] for key in keys.values()}
        names = scratch / "keys.json"
        names.write_text(json.dumps(texts))
        zone = rig.zone_write(scratch / "zone", texts)

        def tail(who):
            return keys[who].path, keys[who].domain, keys[who].selector
        self.judges = {
            "ours": rig.Judge(BUILD / "test/oracles/judge_arc", zone, rig.NOW, *tail("ours")),
            "dkimpy": rig.Judge("/usr/bin/python3", HERE / "by_dkimpy_arc.py", names, *tail("dkimpy")),
            "mail-dkim": rig.Judge("perl", HERE / "by_maildkim_arc.pl", names, *tail("mail-dkim"))}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for judge in self.judges.values():
            judge.close()

    def seal(self, chance, octets):
        """One to five sets; between them the message may change, as lists change it.
        Who seals says what the chain was to him."""
        self.path.write_bytes(octets)
        story = []
        for _ in range(chance.choice((1, 1, 2, 3, 5))):
            who = chance.choice(list(self.judges))
            story.append(who)
            if "skip" in self.judges[who].ask(f"seal {self.path}"):
                break
            if chance.random() < 0.08:
                octets = self.path.read_bytes()
                self.path.write_bytes(letters.append(chance, octets))
                story.append("changed")
        self.story = " ".join(story)

    @property
    def octets(self):
        return self.path.read_bytes()

    def ask(self):
        return {who: judge.ask(self.path) for who, judge in self.judges.items()}


def closed(chain, _, our, their):
    return our["result"] == "fail" and their["result"] == "none" and "terminated" in their["why"]


# What dkim_others.py settles of a message's octets holds for ARC as it does for DKIM (RFC 8617 4.1.2: "the same syntax
# and semantics as the DKIM-Signature").
ODD = {"dkimpy": [dkim_others.has_no_end, dkim_others.has_space_at_colon, dkim_others.has_two_from, dkim_others.has_junk],
       "mail-dkim": [dkim_others.has_no_end, dkim_others.ends_blank, dkim_others.has_space_at_colon, dkim_others.has_junk]}
SETTLED = {who: [(f.__name__, f) for f in odd] for who, odd in ODD.items()}
# "If the Chain Validation Status of the highest instance value ARC Set is "fail", then the Chain Validation Status is
# "fail"": dkimpy says there is none.
SETTLED["dkimpy"].append(("RFC 8617 5.2, 2: a chain that was closed has failed", closed))


def compare(chain, differences, said):
    for who, difference in differences.items():
        if "skip" in said[who]:
            continue
        our, their = dict(said["ours"]), dict(said[who])
        our["pass"], their["pass"] = our["result"], their["result"]
        difference.compare(chain, chain.path, 0, our, their)


def arc(scratch):
    chance = rig.seed("arc")
    differences = {who: rig.Differences(scratch, who, SETTLED[who]) for who in ("dkimpy", "mail-dkim")}
    results = {}
    with Chain(scratch) as chain:
        for n in range(rig.how_many(40)):
            octets = letters.letter(chance)
            chain.seal(chance, octets)
            if n % 2:
                one = letters.spoiled(chance, letters.Letter(chain.path.read_bytes(), [], ""))
                chain.path.write_bytes(one.octets)
                chain.story += f", then {one.story}"
            said = chain.ask()
            results[said["ours"]["result"]] = results.get(said["ours"]["result"], 0) + 1
            compare(chain, differences, said)
    print(f"# arc: to us {results}", flush=True)
    if "pass" not in results or "fail" not in results:
        raise RuntimeError(f"chains are too much alike: {results}")
    for difference in differences.values():
        difference.end()


CASES = [arc]
