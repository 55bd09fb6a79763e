"""kill -- T1: the whole server is killed (SIGKILL) under load, and started again."""
import asyncio

from mail import Load, Sink
from rig import Account, Rig, asked

ROUND = 25          # kills between two looks at the history


async def cycle(rig, account, number):
    await asyncio.sleep(0.4 + 0.05 * (number % 8))
    account.history("kill")
    rig.server.kill9()
    account.history("back")
    account.faults += 1
    await rig.start()


async def kill(scratch):
    """50 connections, bodies of 1 octet to 256 KiB; of deliveries a tenth is broken
    off past the dot, a twentieth stalls there."""
    cycles = asked("KILLS", 2, 20, 150)
    sink = await Sink(drop=0.10, stall=0.05).start()
    rig = Rig(scratch, scratch / "spool", sink)
    load = Load(("127.0.0.1", rig.load_port), connections=50)
    account = Account("kill", rig, load)
    try:
        await rig.start()
        while account.faults < cycles and not account.troubles:
            load.start()
            for number in range(min(ROUND, cycles - account.faults)):
                await cycle(rig, account, number)
            await asyncio.sleep(0.3)
            await load.stop()
            account.close(await rig.drained(90))
        rig.server.stop()
    finally:
        rig.kill_what_is_left()
        await sink.close()
    account.say()
    return account.troubles


CASES = {"kill": kill}
