"""history -- what happened, by the clocks of client and sink, and whether it may.

A history is a list of events that the ends of the server saw (lib/mail.py tells
which), and of faults: from the moment before a kill or a power cut to the moment
behind it.  It is looked at when all is over, as Jepsen does.  What is wrong:

	lost       acknowledged, and never taken.  What was heard while a power
	           cut was under way does not count: a sync that the kernel was
	           in the middle of may have ended well for no reason.
	changed    taken, with another body
	invented   taken, and never sent, or before it was sent
	returned   taken, though the client heard that it was not
	again      taken once more, though no fault lies between both, or though
	           the server went on by that line behind the first: then its
	           record was written, and only a power cut can take that back

In flight is what was taken by a line that did not go on: as many may be taken
twice.
"""
import bisect
import collections
import time


class History:
    def __init__(self):
        self.events = []

    def __call__(self, what, name=None, line=None):
        self.events.append((time.monotonic(), what, name, line))


class Copy:
    """One delivery of a message, as the sink saw it."""

    def __init__(self, name, line, at):
        self.name, self.line, self.dotted = name, line, at
        self.taken = self.followed = None


class Verdict:
    """What history_judge() found."""

    def __init__(self):
        self.lost, self.invented, self.returned, self.again = [], [], [], []
        self.acked = self.taken = self.twice = self.in_flight = 0
        self.taken_back = 0.0           # age of the oldest result that a cut took back, s

    def trouble(self):
        found = [(self.lost, "acknowledged and lost"), (self.invented, "invented"),
                 (self.returned, "refused, and delivered all the same"),
                 (self.again, "delivered again without a reason")]
        return [f"{len(names)} {what}: {names[:5]}" for names, what in found if names]


class Reader:
    """Events, in their order, made into messages, copies and faults."""

    def __init__(self, events):
        self.sent, self.acked, self.refused = {}, {}, {}
        self.copies = collections.defaultdict(list)     # name -> those that were taken
        self.kills, self.cuts, self.last = [], [], {}   # last: line -> its newest copy
        for at, what, name, line in events:
            getattr(self, "on_" + what)(at, name, line)

    def on_sent(self, at, name, _):
        self.sent[name] = at

    def on_acked(self, at, name, _):
        self.acked[name] = at

    def on_refused(self, at, name, _):
        self.refused[name] = at

    def on_dotted(self, at, name, line):
        self.last[line] = Copy(name, line, at)

    def on_taken(self, at, name, line):
        copy = self.last[line]
        assert copy.name == name
        copy.taken = at
        self.copies[name].append(copy)

    def on_followed(self, at, _, line):
        copy = self.last.pop(line, None)
        if copy:
            copy.followed = at

    def on_kill(self, at, _, __):
        self.kills.append([at, at])

    def on_cut(self, at, _, __):
        self.cuts.append([at, at])

    def on_back(self, at, _, __):
        """The server is about to be started again."""
        (self.cuts or self.kills)[-1][1] = at

    def during_a_cut(self, at):
        i = bisect.bisect(self.cuts, [at, float("inf")]) - 1
        return i >= 0 and at <= self.cuts[i][1]

    def fault_between(self, from_, to):
        """When the first cut or kill that was under way then began, and whether it
        was a cut."""
        for faults in (self.cuts, self.kills):
            i = bisect.bisect_left([fault[1] for fault in faults], from_)
            if i < len(faults) and faults[i][0] <= to:
                return faults[i][0], faults is self.cuts
        return None, False


def judge_again(reader, verdict, first, second):
    at, is_cut = reader.fault_between(first.dotted, second.dotted)
    if at is None and not first.followed:
        # Past the dot before the fault, and read by the sink only behind it.
        at, _ = reader.fault_between(first.dotted - 5, second.dotted)
    if at is None:
        verdict.again.append(f"{first.name} ({second.dotted - first.dotted:.3f} s later)")
    elif first.followed and is_cut:
        verdict.taken_back = max(verdict.taken_back, at - first.taken)
    elif first.followed:
        verdict.again.append(f"{first.name} ({at - first.taken:.3f} s before the kill)")


def history_judge(events, known=()):
    """known: names that arrived otherwise."""
    reader, verdict = Reader(events), Verdict()
    for name, at in reader.acked.items():
        if not reader.during_a_cut(at):
            verdict.acked += 1
            if name not in reader.copies and name not in known:
                verdict.lost.append(name)
    verdict.invented += [name for name in known if name not in reader.sent]
    for name, copies in reader.copies.items():
        verdict.taken += len(copies)
        verdict.twice += len(copies) - 1
        verdict.in_flight += sum(1 for c in copies if not c.followed)
        if name not in reader.sent or copies[0].dotted < reader.sent[name]:
            verdict.invented.append(name)
        if name in reader.refused and not reader.during_a_cut(reader.refused[name]):
            verdict.returned.append(name)
        copies.sort(key=lambda copy: copy.dotted)       # one that stalls is taken late
        for first, second in zip(copies, copies[1:]):
            judge_again(reader, verdict, first, second)
    return verdict


# ---- that it can see ----

A = [(1, "sent", "m1", None), (2, "acked", "m1", None)]
GOOD = A + [(3, "dotted", "m1", 7), (4, "taken", "m1", 7), (5, "followed", None, 7)]
PLANTED = {
    "": GOOD,
    "lost": A,
    "invented": GOOD + [(6, "dotted", "m2", 7), (7, "taken", "m2", 7)],
    "returned": [(1, "sent", "m1", None), (2, "refused", "m1", None)] + GOOD[2:],
    "again": GOOD + [(6, "dotted", "m1", 8), (7, "taken", "m1", 8)],
    "again behind its record": GOOD + [(6, "kill", None, None), (7, "back", None, None),
                                       (8, "dotted", "m1", 8), (9, "taken", "m1", 8)],
    "again with a fault that came later": GOOD[:-1] + [
        (6, "dotted", "m1", 8), (7, "taken", "m1", 8), (8, "kill", None, None), (9, "back", None, None)],
    " killed past the dot": GOOD[:-1] + [(6, "kill", None, None), (7, "back", None, None),
                                         (8, "dotted", "m1", 8), (9, "taken", "m1", 8)],
    " heard while a cut was under way": [(0, "cut", None, None), *A, (3, "back", None, None)],
    " a result that a cut took back": GOOD + [(6, "cut", None, None), (7, "back", None, None),
                                              (8, "dotted", "m1", 8), (9, "taken", "m1", 8)],
}


def self_test():
    """What history_judge() does not see of the planted ones."""
    missed = []
    for case, events in PLANTED.items():
        verdict = history_judge(events)
        found = {w for w in ("lost", "invented", "returned", "again") if getattr(verdict, w)}
        wanted = {case.split()[0]} if case and not case.startswith(" ") else set()
        if found != wanted:
            missed.append(f"'{case}': {found}")
    return missed
