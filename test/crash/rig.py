"""rig -- a server whose mail is counted, and disks whose power can be cut."""
import asyncio
import collections
import fcntl
import os
import pathlib
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "lib"))
from history import History, history_judge  # noqa: E402
from mail import ledger_of  # noqa: E402
from server import Server, free_port  # noqa: E402

MODE = os.environ.get("CHECK_MODE", "normal")
BUILD = pathlib.Path(os.environ.get("CHECK_BUILD", "build")).resolve()
BINARY = next((p for p in (BUILD / "nightmail", BUILD / "src" / "nightmail") if p.exists()), None)
SHIM = BUILD / "test" / "crash" / "shim.so"
CONNECTIONS = 20
PATIENCE = 1200 if MODE == "long" else 120      # seconds; a night's run may have little of the processor
CONFIG = """\
hostname: mx.crash.test
admin: postmaster@crash.test
cores: 2
listen: [ {{ address: 127.0.0.1, port: {port}, role: relay }} ]
spool: {{ path: {spool}, segment: {segment}, reserve: {reserve} }}
route: [ {{ relay: "smtp://127.0.0.1:{sink}" }} ]
limits: {{ connections_per_ip: 1000 }}
outbound: {{ connections: %d, retry: [ 1s, 1s, 2s ], per_connection: 50 }}
bounce: {{ double: discard }}
log: {{ to: {{dir}}/mail.log }}
""" % CONNECTIONS
WAYS = """\
domains:
  box.test: {{ users: [ alice ], maildir: "{boxes}/%u" }}
"""
WAYS_LMTP = """\
  lmtp.test: {{ users: [ alice ], deliver: {{ lmtp: "127.0.0.1:{lmtp}" }} }}
"""


def asked(name, fast, normal, long):
    """How many cycles: of the environment, or by the mode."""
    return int(os.environ.get(name, {"fast": fast, "normal": normal, "long": long}[MODE]))


# ---- disks ----

def shut_down(path):
    """EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN: NOLOGFLUSH.  What is not on disk now
    never will be."""
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
    finally:
        os.close(fd)


def run(*words):
    subprocess.run(words, check=True, timeout=120, stdout=subprocess.DEVNULL)


class Image:
    """A filesystem in a file: ext4 or xfs."""

    def __init__(self, scratch, kind="ext4", megabytes=512):
        self.file, self.at, self.kind = scratch / f"{kind}.img", scratch / f"mnt.{kind}", kind
        self.at.mkdir(exist_ok=True)
        with open(self.file, "wb") as f:
            f.truncate(megabytes << 20)
        run(f"mkfs.{kind}", "-q", "-F" if kind == "ext4" else "-f", self.file)

    def mount(self):
        run("mount", "-o", "loop", self.file, self.at)

    def umount(self):
        run("umount", self.at)

    def cut(self):
        shut_down(self.at)

    def again(self):
        """The power is back."""
        self.umount()
        self.mount()

    def end(self):
        subprocess.run(["umount", "-l", self.at], capture_output=True)


class CopiedImage(Image):
    """A btrfs, which cannot be shut down: what its device has heard so far is kept
    in one instant by a reflink of its file, on an XFS.  What the page cache of
    the btrfs holds is lost; what the device was told without a flush is not."""

    def __init__(self, scratch, kind="btrfs", megabytes=512):
        self.below = Image(scratch, "xfs", megabytes * 4)
        self.below.mount()
        super().__init__(self.below.at, kind, megabytes)
        self.kept = self.file.with_suffix(".kept")

    def cut(self):
        run("cp", "--reflink=always", self.file, self.kept)

    def again(self):
        self.umount()
        self.kept.rename(self.file)
        self.mount()

    def end(self):
        super().end()
        self.below.end()


def image_make(scratch, kind, megabytes=512):
    return (CopiedImage if kind == "btrfs" else Image)(scratch, kind, megabytes)


def cannot_mount(scratch, kind):
    """Why not, or None."""
    if os.geteuid() != 0:
        return "a disk whose power is cut needs root"
    if kind not in pathlib.Path("/proc/filesystems").read_text().split():
        return f"this kernel has no {kind}"
    image = None
    try:
        image = image_make(scratch, kind)
        image.mount()
        image.cut()
        image.again()
        image.umount()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no {kind} in a file here: {error}"
    finally:
        if image:
            image.end()
    return None


# ---- the server ----

class Rig:
    """The server, and where its mail goes: sink by SMTP, and when it is told of
    boxes (a directory), lmtp by LMTP, and a Maildir there."""

    def __init__(self, scratch, spool, sink, lmtp=None, boxes=None, binary=BINARY, env=None,
                 segment="4M", reserve="8M", more=""):
        self.load_port = free_port()
        config = CONFIG.format(port=self.load_port, spool=spool, sink=sink.address[1],
                               segment=segment, reserve=reserve) + more
        self.recipients = ["bob@sink.test"]
        if boxes:
            config += WAYS.format(boxes=boxes)
            self.recipients.append("alice@box.test")
        if lmtp:
            config += WAYS_LMTP.format(lmtp=lmtp.address[1])
            self.recipients.append("alice@lmtp.test")
        self.server = Server(binary, scratch, config, cage=False, env=env)
        self.sink, self.lmtp, self.boxes = sink, lmtp, boxes

    def in_boxes(self):
        """name -> how often, and those that were changed."""
        seen, changed = collections.Counter(), []
        for file in self.boxes.glob("*/[nc]ew/*") if self.boxes else ():
            name, is_true = ledger_of(file.read_bytes().replace(b"\n", b"\r\n"))
            seen[name or file.name] += 1
            if not is_true:
                changed.append(name or file.name)
        return seen, changed

    def empty_boxes(self):
        for file in self.boxes.glob("*/[nc]ew/*") if self.boxes else ():
            file.unlink()

    def audit(self):
        """What nightmail audit has against its spool, as text; None: nothing."""
        run = subprocess.run([self.server.binary, "audit", "--config", str(self.server.config)],
                             capture_output=True, text=True)
        return None if run.returncode == 0 else f"audit: {run.stdout} {run.stderr}"

    async def start(self):
        await asyncio.to_thread(self.server.start, PATIENCE)

    async def drained(self, seconds):
        """Empty; given up when nothing moved for so long."""
        seconds = max(seconds, PATIENCE if MODE == "long" else 0)
        least, since = None, time.monotonic()
        while time.monotonic() - since < seconds:
            queued = (await asyncio.to_thread(self.server.status))["queue"]["messages"]
            # A stalled sink may still have what a killed server said.
            if queued == 0 and not any(end.after_dot for end in (self.sink, self.lmtp) if end):
                return True
            if least is None or queued < least:
                least, since = queued, time.monotonic()
            await asyncio.to_thread(self.server.ask, "queue", "retry", "--all", "--yes")
            await asyncio.sleep(0.5 if queued < 10000 else 5)
        return False

    def kill_what_is_left(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill9()


class Account:
    """Rounds of a rig: each has a history that is judged when the queue has
    drained, and then forgotten; names go on."""

    def __init__(self, name, rig, load):
        self.name, self.rig, self.load = name, rig, load
        self.history, self.troubles = History(), []
        self.lost, self.acked, self.twice, self.in_flight, self.taken_back = [], 0, 0, 0, 0.0
        self.faults = 0
        for end in filter(None, (load, rig.sink, rig.lmtp)):
            end.history = self.history

    def close(self, is_drained):
        """The server is stopped, or idle.  The trouble of this round."""
        boxes, changed = self.rig.in_boxes()
        verdict = history_judge(self.history.events, boxes)
        changed += self.rig.sink.corrupt + (self.rig.lmtp.corrupt if self.rig.lmtp else [])
        trouble = verdict.trouble()
        if changed:
            trouble.append(f"{len(changed)} bodies changed: {changed[:5]}")
        if not is_drained:
            trouble.append("the queue did not drain")
        trouble += filter(None, [self.rig.audit()])
        twice = verdict.twice + sum(n - 1 for n in boxes.values())
        print(f"# {self.name}: {verdict.acked} acknowledged, {verdict.taken} taken, {sum(boxes.values())} in boxes, "
              f"{len(verdict.lost)} lost, {twice} twice of {verdict.in_flight} in flight", flush=True)
        self.lost += verdict.lost
        self.acked += verdict.acked
        self.twice += twice
        self.in_flight += verdict.in_flight
        self.taken_back = max(self.taken_back, verdict.taken_back)
        self.troubles += trouble
        self.history.events.clear()
        self.load.acked.clear()
        self.rig.empty_boxes()
        return trouble

    def say(self):
        print(f"# {self.name}, all: {self.faults} faults, {self.acked} acknowledged, {len(self.lost)} lost, "
              f"{self.twice} twice of {self.in_flight} in flight, results taken back at most "
              f"{self.taken_back * 1000:.0f} ms old", flush=True)
