"""rig -- what the cases of test/system share: a server, mail, what the kernel
says of a process, and calls that are made within one."""
import contextlib
import ctypes
import errno
import os
import pathlib
import re
import shutil
import smtplib
import ssl
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "lib"))
from server import Server, free_port, maildir  # noqa: E402

BUILD = (TOP / os.environ.get("CHECK_BUILD", "build")).resolve()
BINARY = BUILD / "nightmail"
IS_ASAN = b"__asan_init" in BINARY.read_bytes()
IS_ROOT = os.geteuid() == 0
CONFIG = """\
hostname: mx.system.test
admin: postmaster@system.test
cores: 2
listen:
  - {{ name: smtp, address: 127.0.0.1, port: {ports[0]}, role: mx }}
  - {{ name: submissions, address: 127.0.0.1, port: {ports[1]}, role: mx, tls: implicit }}
domains:
  system.test: {{ users: [ alice ] }}
deliver: {{ maildir: "{{dir}}/mail/%u", admin: "{{dir}}/mail/admin" }}
log: {{ to: {{dir}}/logs/mail.log }}
timeouts: {{ stop: 5s }}
limits: {{ connections_per_ip: none, per_ip: none }}
"""


class Wrong(Exception):
    pass


def check(what, why, *more):
    if not what:
        raise Wrong(" ".join([why, *[repr(m)[-2000:] for m in more]]))


def anyone():
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


def server(where, config, ports, more=""):
    """Its log is in a directory of its own: the cage lets it write beside it."""
    s = Server(BINARY, where / "server", config.format(ports=ports) + more, cage=not IS_ASAN)
    (s.dir / "logs").mkdir(exist_ok=True)
    s.ports = ports
    return s


@contextlib.contextmanager
def started(where, more="", config=CONFIG, n_ports=2, files=None):
    for name, text in (files or {}).items():
        (where / name).write_text(text)
    s = server(where, config, [free_port() for _ in range(n_ports)], more)
    try:
        yield s.start()
    finally:
        if s.process and s.process.poll() is None:
            s.kill9()


def send(port, tag, implicit=False, to="alice@system.test"):
    with (smtplib.SMTP_SSL("127.0.0.1", port, context=anyone(), timeout=20) if implicit
          else smtplib.SMTP("127.0.0.1", port, timeout=20)) as c:
        c.sendmail("ann@else.test", [to], f"Subject: {tag}\r\n\r\nhello\r\n")


def subjects(s):
    return {str(m["Subject"]) for _, m in maildir(s.dir / "mail/alice")}


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EXDEV}


def tries(where, pid, what):
    """gdb makes the calls in that process: {name: errno, or 0 when it was done}."""
    gdb = shutil.which("gdb")
    check(gdb, "no gdb: tools/packages")
    script = where / "tries.gdb"
    script.write_text("set pagination off\nset confirm off\n" + "".join(said(n, call) for n, call in what.items()) + "detach\nquit\n")
    r = subprocess.run([gdb, "-nx", "-batch", "-p", str(pid), "-x", script], capture_output=True, text=True,
                       timeout=120, stdin=subprocess.DEVNULL)
    got = heard(r.stdout)
    check(set(got) == set(what), "gdb", sorted(set(what) - set(got)), r.stdout[-500:], r.stderr[-500:])
    return got


def said(name, call):
    return f'printf "TRY {name} %ld %d\\n", {call}, *((int *(*)(void))__errno_location)()\n'


def heard(text):
    return {n: int(e) if int(v) == -1 else 0 for n, v, e in re.findall(r"^TRY (\S+) (-?\d+) (\d+)", text, re.M)}


def refused(who, got):
    """All of it was, and by who watches, not by chance: a table of how."""
    print(f"# {who}: " + ", ".join(f"{n} {errno.errorcode.get(e, 'done')}" for n, e in sorted(got.items())))
    free = {n: errno.errorcode.get(e, "done") for n, e in got.items() if e not in REFUSED}
    check(not free, f"the {who} may", free)


def landlock():
    """The level that this kernel gives; 0: none."""
    return max(0, ctypes.CDLL(None).syscall(444, None, 0, 1))
