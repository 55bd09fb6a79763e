"""box -- a machine of its own inside this one, for servers that know only the
paths they were built for.

Namespaces of mounts and processes, and of the network when asked.  /usr and
/etc are this machine's, seen through overlays with packages (package.py) laid
in; /run, /var/spool, /var/mail, /var/log and what else is named are the box's
own and empty.  All that is written goes below its directory, and is there again
when the box is opened again; everything else is this machine's, at the same paths.  When the box ends, or whoever made
it dies, the kernel ends every process in it and takes the mounts away.

    with Box(directory, ["exim"], users={"Debian-exim": 112}) as box:
        box.write("/etc/exim4/exim4.conf", text)
        box.start("exim4", "-bdf")

Root is needed.
"""
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import package

OWN = "/run /var/spool /var/mail /var/log".split()
SEEN_THROUGH = "/usr /etc /var/lib".split()
PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def missing():
    """None, or what this machine lacks for a box."""
    if os.geteuid() != 0:
        return "other people's servers want root"
    with tempfile.TemporaryDirectory(dir=os.environ.get("CHECK_SCRATCH", "/var/tmp")) as d:
        for name in ("up", "work", "at"):
            os.mkdir(f"{d}/{name}")
        run = subprocess.run(["unshare", "--mount", "--pid", "--fork", "mount", "-t", "overlay", "overlay", "-o",
                              f"lowerdir=/etc,upperdir={d}/up,workdir={d}/work", f"{d}/at"],
                             capture_output=True, text=True)
        return f"no overlay in a namespace here: {run.stderr.strip()}" if run.returncode else None


class Box:
    def __init__(self, directory, packages=(), users=None, net=False, own=()):
        """users: accounts to make, as {name: uid}; each has a group of its own.
        own: more directories that are the box's own."""
        self.dir = pathlib.Path(directory).resolve()
        self.roots = [str(package.root(p)) for p in packages]
        self.users, self.net, self.own = users or {}, net, [*OWN, *own]
        self.dir.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        self.holder = None
        self.children = []

    def open(self):
        plan = {"dir": str(self.dir), "roots": self.roots, "users": self.users, "net": self.net,
                "own": self.own}
        spaces = ["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc"] + ["--net"] * self.net
        self.holder = subprocess.Popen(
            ["unshare", *spaces, sys.executable, __file__, json.dumps(plan)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent, text=True)
        if self.holder.stdout.readline() != "ready\n":
            raise RuntimeError(f"{self.dir}: the box was not made: {self.holder.wait()}")
        children = f"/proc/{self.holder.pid}/task/{self.holder.pid}/children"
        self.init = int(pathlib.Path(children).read_text().split()[0])
        return self

    def close(self):
        if self.holder is None:
            return
        self.holder.kill()
        self.holder.wait()
        self.holder.stdin.close()
        self.holder.stdout.close()
        for child in self.children:
            child.wait()
        self.holder = None

    def __enter__(self):
        return self.open()

    def __exit__(self, *_):
        self.close()

    def inside(self, *command):
        spaces = ["--mount", "--pid", "--uts", "--ipc"] + ["--net"] * self.net
        return ["nsenter", "-t", str(self.init), *spaces, "--", *map(str, command)]

    def run(self, *command, **named):
        """Inside, until it ends; the CompletedProcess."""
        named = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, **named}
        if "input" in named:
            named.pop("stdin")
        return subprocess.run(self.inside(*command), **named)

    def start(self, *command, env=None):
        """Inside, beside us; what it says is in the box's said.  It ends with
        the box at the latest."""
        said = open(self.dir / "said", "ab")
        child = subprocess.Popen(self.inside(*command), stdin=subprocess.DEVNULL, stdout=said,
                                 stderr=said, env=dict(os.environ, **(env or {})))
        said.close()
        self.children.append(child)
        return child

    def path(self, inside):
        """Where a path of the box's own is seen from outside."""
        return pathlib.Path(f"/proc/{self.init}/root{inside}")

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def said(self, n=40):
        path = self.dir / "said"
        return "\n".join(path.read_text(errors="replace").splitlines()[-n:]) if path.exists() else ""


# ---- inside ----

def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def lay_in(plan, upper):
    """The overlays; the packages lie over this machine."""
    for at in SEEN_THROUGH:
        over = [root + at for root in plan["roots"] if os.path.isdir(root + at)]
        up, work = upper / at[1:].replace("/", "-"), upper / (at[1:].replace("/", "-") + ".work")
        up.mkdir(parents=True, exist_ok=True)
        work.mkdir(exist_ok=True)
        lower = ":".join([*over, at])
        mount("-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={up},workdir={work}", at)


def make_own(plan, upper):
    for at in plan["own"]:
        if os.path.isdir(at) and not os.path.islink(at):
            own = upper / at[1:].replace("/", "-")
            own.mkdir(parents=True, exist_ok=True)
            own.chmod(os.stat(at).st_mode & 0o7777)
            mount("--bind", own, at)


def add_users(users):
    there = pathlib.Path("/etc/passwd").read_text()
    for name, uid in users.items():
        if f"{name}:" in there:         # the box was open before
            continue
        with open("/etc/passwd", "a") as passwd, open("/etc/group", "a") as group:
            passwd.write(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n")
            group.write(f"{name}:x:{uid}:\n")


def init():
    """The box's first process: makes it, then reaps what nobody waits for."""
    plan = json.loads(sys.argv[1])
    upper = pathlib.Path(plan["dir"]) / "upper"
    mount("--make-rprivate", "/")
    lay_in(plan, upper)
    make_own(plan, upper)
    mount("-t", "proc", "proc", "/proc")
    add_users(plan["users"])
    if plan["net"]:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["hostname", "box.example"], check=False)
    print("ready", flush=True)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(0.2)


if __name__ == "__main__":
    init()
