"""upgrade -- T10: a spool that an earlier build left when it was killed is read by
this one, which is killed in the middle of it, at the nth read, write, sync or rename."""
import asyncio
import collections
import os
import pathlib
import random
import subprocess
import time

from fault import Control
from mail import Sink
from rig import SHIM, TOP, Rig, asked

VECTORS = TOP / "test" / "vectors" / "spool-builds"
FAKETIME = "/usr/$LIB/faketime/libfaketimeMT.so.1"
NOW = "@2026-11-21 20:00:00"        # before what waits has expired


def expected(vector):
    told = collections.defaultdict(list)
    for line in (vector / "messages").read_text().splitlines():
        what, value = line.split()
        told[what].append(value)
    return told


def judge(told, sink):
    trouble = []
    lost = [name for name in told["waits"] if not sink.seen[name]]
    again = sum(1 for name in told["ended"] if sink.seen[name])
    most = int(told["twice"][0])
    invented = [name for name in sink.seen if int(name[1:]) > int(told["sent"][0])]
    twice = [name for name, n in sink.seen.items() if n > 1]
    if lost:
        trouble.append(f"{len(lost)} of {len(told['waits'])} lost: {lost[:5]}")
    if again > most:
        trouble.append(f"{again} had ended and came again, {most} were in flight")
    for names, what in ((invented, "invented"), (twice, "twice"), (sink.corrupt, "changed")):
        if names:
            trouble.append(f"{what}: {names[:5]}")
    return trouble


async def one(scratch, vector, op, nth):
    told, sink = expected(vector), await Sink().start()
    scratch.mkdir()
    control = Control(scratch / "control")
    (scratch / "control").chmod(0o666)
    subprocess.run(["tar", "-C", str(scratch), "-xJf", str(vector / "spool.tar.xz")], check=True)
    env = {"LD_PRELOAD": f"{SHIM}:{FAKETIME}", "SHIM_CONTROL": str(control.path), "SHIM_BELOW": str(scratch / "spool"),
           "FAKETIME": NOW, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}
    rig = Rig(scratch, scratch / "spool", sink, env=env, segment="256K", reserve="1M")
    # Nothing is delivered before the kill: what comes then is another test's.
    open_port, shut_port = (f"127.0.0.1:{port}" for port in (sink.address[1], 1))
    text = rig.server.config.read_text()
    try:
        rig.server.config.write_text(text.replace(open_port, shut_port))
        control.arm(op, nth, 1, act="kill")
        await asyncio.to_thread(rig.server.start, 0)
        until = time.monotonic() + 3
        while time.monotonic() < until and not control["fired"]:
            await asyncio.sleep(0.01)
        rig.server.kill9()
        fired, _ = control["fired"], control.disarm()
        rig.server.config.write_text(text)
        await rig.start()
        held = sum(1 for line in rig.server.queue() if line["status"] == "held")
        rig.server.ask("queue", "release", "--all", "--yes")
        trouble = [] if await rig.drained(30) else ["the queue did not drain"]
        if held != int(told["held"][0]):
            trouble.append(f"{held} held, not {told['held'][0]}")
        rig.server.stop()
        trouble += filter(None, [rig.audit()])
    finally:
        rig.kill_what_is_left()
        await sink.close()
    trouble += judge(told, sink)
    print(f"# upgrade: {vector.name}, killed at {op} {nth} ({'met' if fired else 'not reached'}): "
          f"{len(told['waits'])} waited, {len(sink.seen)} came", flush=True)
    return [f"{vector.name}, {op} {nth}: {t}" for t in trouble]


async def upgrade(scratch):
    cycles = asked("UPGRADES", 1, 4, 50)
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"# SEED={seed}", flush=True)
    chance, trouble = random.Random(seed), []
    for number in range(cycles):
        vector = sorted(p for p in VECTORS.iterdir() if p.is_dir())[number % 2]
        op = ("read", "write", "sync", "rename")[number // 2 % 4]
        trouble += await one(scratch / str(number), vector, op, chance.randrange({"read": 60, "write": 20}.get(op, 8)))
    return trouble


CASES = {"upgrade": upgrade}
