"""rig -- what the cases of this stage share: a server with two mailboxes, and its log."""
import functools
import os
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import box  # noqa: E402
from cases import Skip  # noqa: E402
from server import Server, free_port, is_alive, maildir, wait_for  # noqa: E402,F401

MODE = os.environ.get("CHECK_MODE", "normal")
BUILD = pathlib.Path(os.environ.get("CHECK_BUILD", "build")).resolve()
BINARY = BUILD / "nightmail"
CONFIG = """\
hostname: mx.peers.test
admin: postmaster@peers.test
cores: 2
listen: [ {{ address: 127.0.0.1, port: {port}, role: submission }} ]
domains:
  peers.test: {{ users: [ alice, postmaster ] }}
deliver: {{ maildir: "{{dir}}/Maildir/%u" }}
log: {{ to: "{{dir}}/mail.log" }}
"""
RELAY = """\
route: [ {{ relay: "smtp://127.0.0.1:{0}" }} ]
outbound: {{ retry: [ 1s, 1s, 2s ] }}
"""


def need(*programs):
    for name in programs:
        if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            raise Skip(f"{name} is not installed")


def server(where, more="", **options):
    port = free_port()
    s = Server(BINARY, where, CONFIG.format(port=port) + more, cage="sanitize" not in str(BUILD), **options)
    s.port = port
    return s


def expect(condition, what):
    """what: a sentence, or a function that makes it."""
    if not condition:
        raise AssertionError(what() if callable(what) else what)


def alice(s, n=1, seconds=20):
    got = wait_for(lambda: len(maildir(s.dir / "Maildir" / "alice")) >= n, seconds)
    expect(got, f"alice has {len(maildir(s.dir / 'Maildir' / 'alice'))} of {n} messages\n{s.tail()}")
    return maildir(s.dir / "Maildir" / "alice")


def mail_log(s):
    path = s.dir / "mail.log"
    return path.read_text(errors="replace") if path.exists() else ""


def log_says(s, pattern, seconds=20):
    return wait_for(lambda: re.search(pattern, mail_log(s)), seconds)


@functools.lru_cache
def lacks():
    return box.missing()


def need_root():
    """What a box needs (test/lib/box.py)."""
    if lacks():
        raise Skip(lacks())
