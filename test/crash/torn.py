"""torn -- T3, all of it: the last segment cut and changed at each octet.  The unit test
does a sample each time; here it does all, in long mode."""
import asyncio
import os

from rig import BUILD, MODE, asked


async def torn(_scratch):
    step = asked("TORN_STEP", 0, 0, 1)
    test = BUILD / "src" / "spool_torn_test"
    process = await asyncio.create_subprocess_exec(test, env={**os.environ, "TORN_STEP": str(step)},
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said, _ = await process.communicate()
    return [] if process.returncode == 0 else [said.decode(errors="replace")[-600:]]


CASES = {"torn": torn} if MODE == "long" else {}
