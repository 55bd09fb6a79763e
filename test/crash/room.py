"""room -- T6: somebody else fills the disk, and gives it back."""
import asyncio
import os
import time

from mail import Load, Sink
from rig import Account, Rig, asked, cannot_mount, image_make

MEGABYTES = 64
RESUMES = 5.0           # seconds from the moment that there is room again
PATIENCE = 60


def fill(path):
    """Octet by octet at the end, until nothing goes in any more."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 20, 64 << 10, 4 << 10, 1):
            try:
                while True:
                    os.write(fd, bytes(size))
            except OSError:
                continue
        os.fsync(fd)
    finally:
        os.close(fd)


async def seen(what, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        await asyncio.sleep(0.02)
    return False


async def cycle(rig, account, ballast, number):
    load = account.load
    if not await seen(lambda: len(load.acked) > 20, PATIENCE):
        return ["nothing is taken though there is room"]
    load.codes.clear()
    await asyncio.to_thread(fill, ballast)
    if not await seen(lambda: load.codes["452"] > 0, PATIENCE):
        return [f"the disk is full and nobody hears 452: {dict(load.codes)}"]
    await asyncio.sleep(0.5)
    if number % 3 == 2:                     # a start while it is full
        account.history("kill")
        rig.server.kill9()
        account.history("back")
        await rig.start()
    if not await rig.drained(PATIENCE):
        return ["what was taken is not delivered while the disk is full"]
    load.acked.clear()
    ballast.unlink()
    began = time.monotonic()
    account.faults += 1
    if not await seen(lambda: load.acked, PATIENCE):
        return ["the disk has room again, and nothing is taken"]
    account.resumed = max(account.resumed, time.monotonic() - began)
    return []


async def room(scratch):
    why = cannot_mount(scratch, "ext4")
    if why:
        return why
    cycles = asked("FILLS", 1, 3, 20)
    sink = await Sink(stall=0.3).start()
    image = image_make(scratch, "ext4", MEGABYTES)
    rig = None
    try:
        image.mount()
        rig = Rig(scratch, image.at / "spool", sink, segment="1M", reserve="8M")
        account = Account("disk-full", rig, Load(("127.0.0.1", rig.load_port), connections=10, sizes=(1, 64 * 1024)))
        account.resumed = 0.0
        await rig.start()
        for number in range(cycles):
            account.load.start()
            found = await cycle(rig, account, image.at / "ballast", number)
            await account.load.stop()
            found += account.close(await rig.drained(60))
            if found:
                return found
        rig.server.stop()
    finally:
        if rig:
            rig.kill_what_is_left()
        image.end()
        await sink.close()
    account.say()
    print(f"# disk-full: takes mail again after at most {account.resumed:.1f} s", flush=True)
    return [f"it took {account.resumed:.1f} s until mail was taken again"] if account.resumed > RESUMES else []


CASES = {"disk-full": room}
