"""cases -- a stage's cases, several at once, told as test/README.md wants it.

Each is a function that takes an empty directory.  It runs in a process of its own,
which adopts the orphans of what it starts: when the case is over, however it ends,
all of these are killed and the directory goes.  What it prints comes in one piece.

    sys.exit(cases.main("peers", [f, g], at_once=4))

The arguments of the program choose: cases whose names begin so.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import traceback

PR_SET_CHILD_SUBREAPER = 36


class Skip(Exception):
    """What the machine lacks.  A case may return that as a text, too."""


class Absent(Exception):
    """Why a case is not in this run, though nothing is wrong with the machine."""


def adopt_orphans():
    """Whose parent ends becomes our child: so end_children() ends all."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_children():
    """Every process that this one has started, and theirs."""
    while children := pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for pid in children:
            os.kill(int(pid), signal.SIGKILL)
            os.waitpid(int(pid), 0)


def name_of(case):
    return case.__name__.removeprefix("case_")


def tell(case, where):
    """Run it in this process; its exit status."""
    name, began = name_of(case), time.monotonic()
    try:
        lacks = case(where)
        print(f"skip {name}: {lacks}" if lacks else f"ok {name}\n# {time.monotonic() - began:.1f} s")
    except Skip as reason:
        print(f"skip {name}: {reason}")
    except Absent as reason:
        print(f"# {name} is not in this run: {reason}")
    except Exception as error:       # whatever went wrong, the case has failed
        first = str(error).splitlines() or [""]
        print(f"not ok {name}: {type(error).__name__}: {first[0]}")
        print("#", "\n# ".join(traceback.format_exc().splitlines()))
        return 1
    return 0


def begin(case, stage):
    """(its process, its directory, what it says).  What a server keeps beside its
    directory is within ours, too."""
    where = tempfile.mkdtemp(dir=os.environ.get("CHECK_SCRATCH", "/var/tmp"), prefix=stage + ".")
    os.chmod(where, 0o755)
    os.mkdir(f"{where}/d")
    said = tempfile.TemporaryFile()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid, where, said
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(said.fileno(), 1)
        adopt_orphans()
        status = tell(case, pathlib.Path(where) / "d")
        end_children()
        sys.stdout.flush()
    finally:
        os._exit(status)


def end(running, pid, status):
    """It is over: say what it said.  1 if it has failed."""
    name, where, said = running.pop(pid)
    said.seek(0)
    text = said.read().decode(errors="replace")
    if os.WIFSIGNALED(status):
        text += f"not ok {name}: ended by signal {os.WTERMSIG(status)}\n"
    sys.stdout.write(text)
    sys.stdout.flush()
    shutil.rmtree(where, ignore_errors=True)
    return 1 if status else 0


def main(stage, cases, at_once):
    """0, or 1 when one failed: what the stage ends with."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    adopt_orphans()
    chosen = [c for c in cases if not sys.argv[1:] or name_of(c).replace("_", "-").startswith(
        tuple(a.replace("_", "-") for a in sys.argv[1:]))]
    running, failed = {}, 0
    try:
        while chosen or running:
            if chosen and len(running) < at_once:
                case = chosen.pop(0)
                pid, where, said = begin(case, stage)
                running[pid] = name_of(case), where, said
                continue
            pid, status = os.wait()
            if pid in running:
                failed |= end(running, pid, status)
    finally:
        end_children()
        for _, where, _ in running.values():
            shutil.rmtree(where, ignore_errors=True)
    return failed
