"""fault -- T5: the nth write, sync, open, rename, unlink or read of the spool fails,
once or from then on; T7: the nth allocation does.

The server runs with shim.c loaded.  Each life of it has one fault, counted from
its start, so that recovery has its share; it ends by SIGKILL or SIGTERM while the
fault lasts.  What the failed sync took with it is zeros in the file.
"""
import asyncio
import errno
import functools
import itertools
import mmap
import os
import random
import struct
import time

from mail import Load, Sink
from rig import MODE, SHIM, Account, Rig, asked
from server import is_alive

# As in shim.c.
OPS = ["none", "write", "sync", "open", "rename", "unlink", "memory", "read"]
ACTS = ["fail", "kill", "lie", "short"]
FIELDS = ["op", "act", "error", "nth", "width", "pid", "count", "fired"]
ALWAYS = 1 << 40
PATIENCE = 1200 if MODE == "long" else 30       # seconds after which a server that says nothing hangs


class Control:
    """The page that shim.c looks at."""

    def __init__(self, path):
        path.write_bytes(bytes(4096))
        self.path, self.file = path, open(path, "r+b")
        self.page = mmap.mmap(self.file.fileno(), 4096)

    def __setitem__(self, field, value):
        struct.pack_into("<q", self.page, 8 * FIELDS.index(field), value)

    def __getitem__(self, field):
        return struct.unpack_from("<q", self.page, 8 * FIELDS.index(field))[0]

    def seen(self, op):
        return struct.unpack_from("<q", self.page, 8 * (len(FIELDS) + OPS.index(op)))[0]

    def arm(self, op, nth, width=1, act="fail", error=errno.EIO, pid=0):
        self["op"] = 0
        for field, value in (("count", 0), ("fired", 0), ("nth", nth), ("width", width),
                             ("act", ACTS.index(act)), ("error", error), ("pid", pid), ("op", OPS.index(op))):
            self[field] = value

    def disarm(self):
        self["op"] = 0


async def talks(port):
    """Does it say something, whatever it is, to all that a client asks?"""
    async def converse():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await reader.readline()
            for line in (b"HELO probe.test", b"MAIL FROM:<>", b"RCPT TO:<postmaster@sink.test>", b"QUIT"):
                writer.write(line + b"\r\n")
                await reader.readline()
        finally:
            writer.close()
    try:
        await asyncio.wait_for(converse(), PATIENCE)
    except (ConnectionError, OSError):
        pass                    # down, which is an answer
    except asyncio.TimeoutError:
        return False
    return True


class Faults:
    """A rig whose parts fail."""

    def __init__(self, scratch, name, sink):
        self.control = Control(scratch / "control")
        disk = scratch / "disk"
        for place in (disk, disk / "boxes"):
            place.mkdir()
            place.chmod(0o777)
        env = {"LD_PRELOAD": str(SHIM), "SHIM_CONTROL": str(self.control.path), "SHIM_BELOW": str(disk)}
        (scratch / "control").chmod(0o666)
        self.rig = Rig(scratch / "server", disk / "spool", sink, boxes=disk / "boxes", env=env, segment="1M")
        load = Load(("127.0.0.1", self.rig.load_port), self.rig.recipients, connections=8, sizes=(1, 64 * 1024))
        self.account = Account(name, self.rig, load)
        self.missed = self.refused = self.fired = 0
        self.what = ""

    async def start(self):
        """False: it says that it cannot."""
        try:
            await asyncio.to_thread(self.rig.server.start, PATIENCE)
        except RuntimeError as error:
            if "ended with" not in str(error):
                raise
            self.refused += 1
            return False
        return True

    async def live(self, seconds, by_kill):
        """With the fault that is armed."""
        if not await self.start():
            return
        self.account.load.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.control["fired"]:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        if not await talks(self.rig.load_port):
            self.account.troubles.append(f"{self.what}: it hangs: {self.rig.server.waits()}")
        self.account.history("cut")
        if by_kill:
            self.rig.server.kill9()
        else:
            await asyncio.to_thread(self.rig.server.stop, PATIENCE)
        await self.account.load.stop()
        self.account.history("back")
        self.account.faults += 1

    async def settle(self):
        """Nothing fails any more: all of it must come."""
        self.control.disarm()
        await self.rig.start()
        is_drained = await self.rig.drained(60)
        self.rig.server.stop()
        found = self.account.close(is_drained)
        if found:
            self.account.troubles.append(f"the last was {self.what}")

    async def one(self, op, nth, width, number, **more):
        self.what = f"{op} {nth} {'once' if width == 1 else 'always'} {more or ''}"
        self.control.arm(op, nth, width, **more)
        await self.live(2, by_kill=number % 3 != 2)
        self.fired += self.control["fired"] > 0
        self.missed += self.control["fired"] == 0
        self.control.disarm()


async def disk(scratch):
    """T5."""
    every = [(op, nth, width) for op in ("write", "sync", "open", "rename", "unlink", "read")
             for nth in range(asked("NTH", 3, 100, 100)) for width in (1, ALWAYS)]
    many = asked("FAULTS", 3, 12, len(every))
    if many < len(every):
        seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
        print(f"# SEED={seed}", flush=True)
        every = random.Random(seed).sample(every, many)
    sink = await Sink().start()
    faults = Faults(scratch, "disk-fails", sink)
    round_size = 6 if MODE != "long" else 20
    try:
        for number, (op, nth, width) in enumerate(every):
            error = (errno.EIO, errno.ENOSPC)[number % 4 == 3] if op in ("write", "open", "rename") else errno.EIO
            act = "short" if op == "write" and number % 5 == 4 else "fail"
            await faults.one(op, nth, width, number, error=error, act=act)
            if number % round_size == round_size - 1 or number == len(every) - 1:
                await faults.settle()
            if faults.account.troubles:
                break
    finally:
        faults.rig.kill_what_is_left()
        await sink.close()
    faults.account.say()
    print(f"# disk-fails: {faults.fired} faults met, {faults.missed} not reached, {faults.refused} starts refused",
          flush=True)
    return faults.account.troubles


class Worker:
    """The one that serves now; its death is told with what the log says."""

    def __init__(self, server):
        self.server, self.pid, self.read = server, server.worker(), 0

    def death(self):
        """None: it lives."""
        text = self.server.log.read_text(errors="replace")
        news, self.read = text[self.read:].splitlines(), len(text)
        if is_alive(self.pid):
            return None
        return " | ".join(news[-12:])


async def memory(scratch):
    """T7: between two kills the worker lacks memory again and again: for the nth
    allocation, or for twenty from there on; it may refuse, but not die."""
    every = list(range(asked("ALLOCATIONS", 3, 2000, 2000)))
    many = asked("FAULTS", 3, 40, len(every))
    if many < len(every):
        seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
        print(f"# SEED={seed}", flush=True)
        every = random.Random(seed).sample(every, many)
    sink = await Sink().start()
    faults = Faults(scratch, "memory-fails", sink)
    rig, account = faults.rig, faults.account
    try:
        await rig.start()
        worker = Worker(rig.server)
        account.load.start()
        for number, nth in enumerate(every):
            faults.what = f"allocation {nth}"
            faults.control.arm("memory", nth, 20 if number % 4 == 3 else 1, error=errno.ENOMEM, pid=worker.pid)
            until = time.monotonic() + 5
            while time.monotonic() < until and not faults.control["fired"]:
                await asyncio.sleep(0.005)
            faults.fired += faults.control["fired"] > 0
            faults.missed += faults.control["fired"] == 0
            if number % 10 == 9 and not await talks(rig.load_port):
                account.troubles.append(f"{faults.what}: it hangs: {rig.server.waits()}")
            told = worker.death()
            if told:
                account.troubles.append(f"{faults.what}: a worker died: {told}")
            account.faults += 1
            if number % 20 == 19 or number == len(every) - 1 or told:
                account.history("kill")
                faults.control.disarm()
                rig.server.kill9()
                await account.load.stop()
                account.history("back")
                await rig.start()
                worker = Worker(rig.server)
                if number % 100 == 99 or number == len(every) - 1:
                    account.close(await rig.drained(60))
                account.load.start()
            if account.troubles and MODE != "long":
                break
    finally:
        await account.load.stop()
        rig.kill_what_is_left()
        await sink.close()
    account.say()
    print(f"# memory-fails: {faults.fired} faults met, {faults.missed} not reached", flush=True)
    return account.troubles


async def liar(scratch):
    """The rig must see a program that answers 250 though its sync failed: one of
    three syncs takes what was written with it, and says that all is well."""
    sink = await Sink().start()
    faults = Faults(scratch, "sync-lies", sink)
    try:
        for number in range(5):
            await faults.one("sync", 20 + number, 3, 0, act="lie")
            await faults.settle()
            if faults.account.lost:
                break
    finally:
        faults.rig.kill_what_is_left()
        await sink.close()
    faults.account.say()
    return [] if faults.account.lost else ["a sync that lied lost nothing"] + faults.account.troubles


CASES = {"disk-fails": disk, "memory-fails": memory, "disk-that-lies-is-caught": liar}
