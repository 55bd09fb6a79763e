"""power -- T2: the disk is cut off without flushing, the server killed, the disk
mounted again; mail goes three ways: by SMTP, by LMTP, into a Maildir there.

T2m: the same with a program that leaves its syncs out, or those of directories:
loss must be seen.
"""
import asyncio
import functools
import subprocess
import time

from mail import Load, Sink
from rig import SHIM, Account, Rig, asked, cannot_mount, image_make

ROUND = 20          # cuts between two looks at the history
# What a cut may take back of one way: results of the last 10 ms, unsynced.
UNSYNCED = 50


async def cycle(rig, account, image, quiet=0.0):
    """quiet: so long nothing comes before the cut, and no later sync helps one
    that was left out."""
    await rig.start()
    account.load.start()
    await asyncio.sleep(0.5)
    if quiet:
        await account.load.stop()
        await asyncio.sleep(quiet)
    account.history("cut")
    await asyncio.to_thread(image.cut)
    rig.server.kill9()
    await account.load.stop()
    account.history("back")
    account.faults += 1
    await asyncio.to_thread(image.again)


def twice_trouble(account, ways):
    """Beyond what was in flight each cut may take back some results of each way."""
    most = account.in_flight + UNSYNCED * ways * account.faults
    return [f"{account.twice} delivered twice, {most} at most"] if account.twice > most else []


async def rounds(rig, account, image, cycles, until_lost):
    began = time.monotonic()
    while account.faults < cycles and not account.troubles:
        for _ in range(1 if until_lost else min(ROUND, cycles - account.faults)):
            await cycle(rig, account, image, 0.3 if until_lost else 0.0)
        await rig.start()
        is_drained = await rig.drained(90)
        rig.server.stop()
        print(f"# {account.name}: {account.faults} cuts, {time.monotonic() - began:.0f} s", flush=True)
        account.close(is_drained)


async def power(scratch, name, kind, cycles, until_lost=False, env=None):
    sink, lmtp = await Sink().start(), await Sink(lmtp=True).start()
    image = image_make(scratch, kind)
    rig = None
    try:
        image.mount()
        rig = Rig(scratch, image.at / "spool", sink, lmtp, image.at / "boxes", env=env)
        load = Load(("127.0.0.1", rig.load_port), rig.recipients, connections=30, sizes=(1, 32 * 1024))
        account = Account(name, rig, load)
        await rounds(rig, account, image, cycles, until_lost)
    finally:
        if rig:
            rig.kill_what_is_left()
        image.end()
        await sink.close()
        await lmtp.close()
    account.say()
    return account


async def cuts(kind, most, scratch):
    why = cannot_mount(scratch, kind)
    if why:
        return why
    try:
        account = await power(scratch, f"power-{kind}", kind, most)
    except (RuntimeError, subprocess.SubprocessError) as error:
        if "still there" not in str(error) and not isinstance(error, subprocess.SubprocessError):
            raise
        # Seen now and then on loaded machines: a thread that the kernel does not end, or a disk that it keeps.
        print(f"# the kernel let go of nothing ({error}): once more", flush=True)
        (scratch / "again").mkdir()
        account = await power(scratch / "again", f"power-{kind}", kind, most)
    return account.troubles + twice_trouble(account, len(account.rig.recipients))


async def caught(left_out, kind, scratch):
    """As above, but something must be lost."""
    why = cannot_mount(scratch, kind)
    if why:
        return why
    env = {"LD_PRELOAD": str(SHIM), "SHIM_LEAVE_OUT": left_out}
    account = await power(scratch, f"without-{left_out}-{kind}", kind, 20, True, env)
    return [] if account.lost else [f"nothing was lost in 20 power cuts without {left_out}"] + account.troubles


CASES = {
    "power": functools.partial(cuts, "ext4", asked("CUTS", 1, 20, 200)),
    "power-xfs": functools.partial(cuts, "xfs", asked("CUTS_XFS", 0, 5, 60)),
    "power-btrfs": functools.partial(cuts, "btrfs", asked("CUTS_BTRFS", 0, 3, 60)),
    "power-without-sync-is-caught": functools.partial(caught, "sync", "ext4"),
    "power-without-directory-sync-is-caught": functools.partial(caught, "directory-sync", "xfs"),
}
