"""mounts.py -- mounts that nobody else sees.

A stage that mounts runs in a mount namespace of its own: another program that
makes a namespace meanwhile would copy our mounts, and keep a disk alive that we
think is gone; and whatever a killed stage leaves is undone by the kernel.
"""
import os
import shutil
import subprocess
import sys


def own():
    """Start this program again in a mount namespace of its own, if we may."""
    if os.geteuid() != 0 or os.environ.get("NM_OWN_MOUNTS") or not shutil.which("unshare"):
        return
    way = ["unshare", "-m", "--propagation", "private", "--"]
    if subprocess.run([*way, "true"], capture_output=True).returncode == 0:
        os.environ["NM_OWN_MOUNTS"] = "1"
        os.execvp(way[0], [*way, sys.executable, *sys.argv])
