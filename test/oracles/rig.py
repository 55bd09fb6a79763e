"""rig -- what the cases of oracles share: seeds, letters in files, and judges.

A judge is a program that hears paths, a line each, and answers each with a line
of JSON.  Ours is judge.c: {"dkim": [...]}.  Those of others (by_*.py, by_*.pl)
answer with a list, an element for each signature in the order of the header:
{"pass": true or false, "why": "..."}; or {"skip": "..."} for the whole letter.
"""
import ctypes
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP / "test/lib"))
from cases import Absent, Skip  # noqa: E402,F401

BUILD = pathlib.Path(os.environ.get("CHECK_BUILD", TOP / "build")).resolve()
MODE = os.environ.get("CHECK_MODE", "normal")
NOW = int(time.time())
PR_SET_PDEATHSIG = 1


def is_short():
    return MODE != "long"


def how_many(few, many=2000):
    """Inputs of a case: few in ./check, many in the night."""
    return int(os.environ.get("COUNT", many if MODE == "long" else few))


def seed(name):
    """A source of chance; the seed is told, and taken again (SEED=).  ./check has one
    that is always the same, so that it tells of a change and of nothing else."""
    number = os.environ.get("SEED") or ("1" if is_short() else str(random.SystemRandom().randrange(1 << 32)))
    print(f"# {name}: SEED={number}", flush=True)
    return random.Random(f"{number} {name}")


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Judge:
    """A program that is asked about files, one after the other.  may_die: one of
    others that ends at some inputs; it took no part in these."""

    def __init__(self, *command, env=None, may_die=False):
        self.command, self.env, self.may_die = [str(c) for c in command], env, may_die
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env, text=True, cwd=TOP,
            preexec_fn=die_with_parent)

    def ask(self, path):
        """path, or whatever else it hears, on one line."""
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        ended = self.process.wait()
        if not self.may_die or ended >= 0:
            raise RuntimeError(f"{self.command[0]} ended with {ended} at {path}")
        self.start()
        return {"skip": f"it died of signal {-ended}"}

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ours(zone):
    """Our judge; zone: a file (zone_write)."""
    return Judge(BUILD / "test/oracles/judge", zone, NOW)


def quoted(text):
    """A TXT's text as strings of 255 octets."""
    octets = text if isinstance(text, bytes) else text.encode()
    parts = [octets[i:i + 255] for i in range(0, len(octets), 255)] or [b""]
    return " ".join('"' + "".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\{c:03}" for c in part) + '"'
                    for part in parts)


def zone_write(path, texts):
    """texts: {name: [text, ...]}"""
    path.write_text("".join(f'"{name}." TXT {quoted(text)}\n' for name, all in texts.items() for text in all))
    return path


class Differences:
    """What two judges of one letter do not agree in, and what settles it.

    settled: [(name, function)]: a function that is true of (letter, signature,
    ours, theirs) names the sentence that allows the difference.
    """

    def __init__(self, scratch, who, settled):
        self.scratch, self.who, self.settled = scratch, who, settled
        self.asked = self.found = 0
        self.why = {}

    def compare(self, letter, path, signature, our, their):
        """our, their: passes?"""
        self.asked += 1
        if our["pass"] == their["pass"]:
            return
        for name, holds in self.settled:
            if holds(letter, signature, our, their):
                self.why[name] = self.why.get(name, 0) + 1
                return
        self.found += 1
        kept = os.environ.get("KEEP")
        if kept:
            pathlib.Path(kept).mkdir(parents=True, exist_ok=True)
            (pathlib.Path(kept) / f"{self.who}-{self.found}.eml").write_bytes(path.read_bytes())
        print(f"# {self.who} and we differ: {letter.story}\n#   we: {our}\n#   {self.who}: {their}", flush=True)

    def end(self):
        print(f"# {self.who}: {self.asked} signatures, {sum(self.why.values())} differences that are settled "
              f"{self.why}, {self.found} that are not", flush=True)
        if self.found:
            raise RuntimeError(f"{self.found} of {self.asked} differ from {self.who}; KEEP=DIRECTORY keeps the letters")
