"""clock -- T8: the wall clock jumps under load (libfaketime), and starts find another
monotonic clock (a time namespace): nothing is given up early, and nothing is tried
more often than the configuration says."""
import asyncio
import os
import shutil
import subprocess
import time

from mail import Load, Sink
from rig import BINARY, Account, Rig, asked

FAKETIME = "/usr/$LIB/faketime/libfaketimeMT.so.1"
JUMPS = ["+1d", "-1d", "+10y", "+1h", "-1h", "+0", "-400d", "+0"]
EVERY = 2.0             # seconds between two tries, as the configuration says
WINDOW = 4.0
WAITING = 30


class Busy(Sink):
    """Who puts off what is for busy@, and counts how often it was tried."""

    def __init__(self, **more):
        super().__init__(**more)
        self.is_busy, self.tried, self.others = True, 0, 0
        self.may_be_late = False            # by the wall of a start: senders are told once

    async def judge(self, content, writer, replies, line):
        if self.may_be_late and b"\r\nAction: delayed" in content:
            writer.write(b"250 2.0.0 told\r\n")
            await writer.drain()
            return True
        if b"X-Ledger" not in content:
            self.others += 1                # a report: nothing has failed yet
        if self.is_busy and b"X-Busy" in content:
            self.tried += 1
            writer.write(b"451 4.3.2 later\r\n")
            await writer.drain()
            return True
        return await super().judge(content, writer, replies, line)


class BusyLoad(Load):
    """The first of them are put off."""

    def message(self):
        name, content = super().message()
        if self.count <= WAITING:
            content = content.replace(b"X-Ledger", b"X-Busy: yes\r\nX-Ledger", 1)
        return name, content


async def window(sink, what):
    """Tries more than there may be, in words."""
    before, began = sink.tried, time.monotonic()
    await asyncio.sleep(WINDOW)
    took = time.monotonic() - began
    most = WAITING * (took / EVERY + 1) * 2
    print(f"# clock-jumps: {what}: {sink.tried - before} tries in {took:.1f} s, {most:.0f} at most", flush=True)
    return [f"{what}: {sink.tried - before} tries in {took:.1f} s"] if sink.tried - before > most else []


def elsewhere(scratch, seconds):
    """A server whose monotonic clock says so much more."""
    wrapper = scratch / f"elsewhere{seconds}"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" = serve ] || exec {BINARY} "$@"\n'
                       f'exec unshare -T --monotonic {seconds} --boottime {seconds} {BINARY} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def has_namespaces():
    return os.geteuid() == 0 and shutil.which("unshare") and subprocess.run(
        ["unshare", "-T", "--monotonic", "10", "true"], capture_output=True).returncode == 0


async def jumps(rig, account, hand, many):
    found = []
    for jump in JUMPS[:many]:
        hand.write_text(jump + "\n")
        found += await window(rig.sink, jump)
    # A start in ten years is one behind a rest of ten years: what waits has its tries all the same.
    rig.sink.may_be_late = True
    for jump in ("+10y", "+0")[:1 if many < 8 else 2]:
        hand.write_text(jump + "\n")
        account.history("kill")
        rig.server.kill9()
        account.history("back")
        await rig.start()
        found += await window(rig.sink, f"a start with the wall at {jump}")
    hand.write_text("+0\n")
    for seconds in (864000, -20000)[:1 if many < 8 else 2]:
        if not has_namespaces():
            print("# no time namespaces here", flush=True)
            break
        account.history("kill")
        rig.server.kill9()
        account.history("back")
        rig.server.binary = str(elsewhere(rig.server.dir, seconds))
        await rig.start()
        found += await window(rig.sink, f"a monotonic clock {seconds} s away")
    return found


async def clock(scratch):
    hand = scratch / "hand"
    hand.write_text("+0\n")
    scratch.chmod(0o755)
    hand.chmod(0o644)
    sink = await Busy().start()
    env = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(hand), "FAKETIME_NO_CACHE": "1",
           "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}
    rig = Rig(scratch, scratch / "spool", sink, env=env)
    text = rig.server.config.read_text()
    rig.server.config.write_text(text.replace("retry: [ 1s, 1s, 2s ]", "retry: [ 2s ]"))
    account = Account("clock-jumps", rig, BusyLoad(("127.0.0.1", rig.load_port), connections=3, sizes=(1, 4000)))
    try:
        await rig.start()
        account.load.start()
        # So that they are there to be counted at the first jump.
        while account.load.count <= 2 * WAITING or len(account.load.acked) < WAITING:
            await asyncio.sleep(0.05)
        found = await window(sink, "before") + await jumps(rig, account, hand, asked("JUMPS", 2, 3, 8))
        await account.load.stop()
        if sink.others:
            found.append(f"{sink.others} reports were sent, though nothing has failed")
        sink.is_busy = False
        found += account.close(await rig.drained(60))
        rig.server.stop()
    finally:
        rig.kill_what_is_left()
        await sink.close()
    return found


CASES = {"clock-jumps": clock}
