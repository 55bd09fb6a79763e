"""slow -- servers that take only so much: in a time, at once, in a transaction."""
import json
import subprocess
import threading
import time

from peer import Peer
from rig import BINARY, check, started
from server import free_port, wait_for

ZONE = ["bob.example. MX 10 mx.bob.test.", "mx.bob.test. A 127.0.0.2"]


class Meter:
    """At most `most' messages in each second, by the clock."""

    def __init__(self, most):
        self.most, self.lock = most, threading.Lock()
        self.second, self.n, self.refused = 0, 0, 0

    def __call__(self, talk, verb, mail):
        if verb != "MAIL":
            return None
        with self.lock:
            if int(time.monotonic()) != self.second:
                self.second, self.n = int(time.monotonic()), 0
            self.n += 1
            if self.n <= self.most:
                return None
            self.refused += 1
        return "451 4.7.28 rate limit exceeded, slow down"


class Door:
    """At most `most' sessions at once; each message takes a while."""

    def __init__(self, most):
        self.most, self.lock, self.inside, self.refused = most, threading.Lock(), set(), 0

    def __call__(self, talk, verb, mail):
        with self.lock:
            if verb == "CONNECT":
                if len(self.inside) >= self.most:
                    self.refused += 1
                    return "421 4.7.0 too many connections from you"
                self.inside.add(talk)
            elif verb == "QUIT":
                self.inside.discard(talk)
        if verb == "DATA":
            time.sleep(0.1)
        return None


def crowd(talk, verb, mail):
    full = verb == "RCPT" and len(mail["rcpts"]) >= 5
    talk.peer.refused = getattr(talk.peer, "refused", 0) + full
    return "452 4.5.3 too many recipients" if full else None


def site(s):
    got = subprocess.run([BINARY, "sites", "--json", "--socket", s.dir / "control.sock"],
                         capture_output=True, text=True, timeout=30)
    rows = [json.loads(line) for line in got.stdout.splitlines()]
    rows = [r for r in rows if "mx.bob.test" in r["site"]]
    check(len(rows) == 1, "one site", got.stdout, got.stderr)
    return rows[0]


def rate(where):
    """It takes 30 a second: it gets them, few are refused, and the server says why; a
    restart knows."""
    meter = Meter(30)
    port = free_port("127.0.0.2")
    with Peer("127.0.0.2", port, judge=meter) as peer, \
            started(where / "s", zone=ZONE, mx_port=port, outbound="connections: 5") as s:
        for i in range(150):
            s.send(f"u{i}@bob.example")
        check(wait_for(lambda: len(peer.mails) == 150, 60), "not all came", len(peer.mails), s.mail_log())
        check(meter.refused < 40, "hammered", meter.refused)
        row = site(s)
        check(0 < row["rate_per_hour"] <= 45 * 3600, "its rate", row)
        check("451 4.7.28 rate limit exceeded" in row["pace"] and row["slowed"] > 0, "why", row)
        check([e for e in s.events() if e["event"] == "slowed"], "told", s.mail_log())
        s.stop()
        s.start()
        check("451 4.7.28" in site(s)["pace"], "forgotten", site(s))


def connections(where):
    """Two at once: the third is sent away, and nothing is put off for that."""
    door = Door(2)
    port = free_port("127.0.0.2")
    with Peer("127.0.0.2", port, judge=door) as peer, \
            started(where / "s", zone=ZONE, mx_port=port, outbound="connections: 8") as s:
        for i in range(40):
            s.send(f"u{i}@bob.example")
        check(wait_for(lambda: len(peer.mails) == 40, 60), "not all came", len(peer.mails), s.mail_log())
        check(door.refused < 20, "hammered", door.refused)
        check(not [e for e in s.events() if e["event"] == "delayed"], "put off", s.mail_log())
        if door.refused:
            check("too many connections" in site(s)["pace"], "why", site(s))


def recipients(where):
    """Five in a transaction: the sixth of the first is for the next, and from then on
    none has six."""
    port = free_port("127.0.0.2")
    with Peer("127.0.0.2", port, judge=crowd) as peer, started(where / "s", zone=ZONE, mx_port=port) as s:
        for n in range(2):
            s.send(*[f"u{i}.{n}@bob.example" for i in range(23)])
            check(wait_for(lambda: sum(len(m["rcpts"]) for m in peer.mails) == 23 * (n + 1), 40), "not all", s.mail_log())
            if n == 0:
                first = peer.refused
                check(first > 0 and len(peer.mails) == 5, "batches", first, len(peer.mails))
        check(peer.refused == first and len(peer.mails) == 10, "tried again with more", peer.refused)
        check(not [e for e in s.events() if e["event"] == "delayed"], "put off", s.mail_log())
        check("5 recipients at once" in site(s)["pace"], "shown", site(s))


def provider(where):
    """Domains of one provider are one site, with its limits; others have the usual."""
    zone = ["one.example. MX 10 mx1.big.test.", "two.example. MX 10 mx2.big.test.", "own.example. MX 10 mx.own.test.",
            "mx1.big.test. A 127.0.0.2", "mx2.big.test. A 127.0.0.2", "mx.own.test. A 127.0.0.2"]
    port = free_port("127.0.0.2")
    more = 'shaping: { default: { connections: 7 }, big: { mx: [ "*.big.test" ], connections: 1, recipients: 2 } }\n'
    with Peer("127.0.0.2", port) as peer, started(where / "s", zone=zone, mx_port=port, more=more) as s:
        s.send(*[f"u{i}@one.example" for i in range(5)])
        for domain in ("two", "own"):
            s.send(*[f"u{i}@{domain}.example" for i in range(5)])
        check(wait_for(lambda: sum(len(m["rcpts"]) for m in peer.mails) == 15, 40), "not all", s.mail_log())
        check(sorted(len(m["rcpts"]) for m in peer.mails) == [1, 1, 2, 2, 2, 2, 5], "recipients", peer.mails)
        got = subprocess.run([BINARY, "sites", "--json", "--socket", s.dir / "control.sock"],
                             capture_output=True, text=True, timeout=30)
        rows = {r["site"]: r for r in map(json.loads, got.stdout.splitlines())}
        check(rows["provider:big"]["connections_most"] == 1 and rows["provider:big"]["messages"] == 2, "big", rows)
        check(rows["mx: 10 mx.own.test"]["connections_most"] == 7 and "mx: 10 mx1.big.test" not in rows, "own", rows)


CASES = [rate, connections, recipients, provider]
