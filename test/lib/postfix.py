"""postfix -- Postfix out of a private root, for tests and benchmarks.

Debian's MTA packages exclude each other, so none is installed: the package is
fetched and unpacked (package.py), and main.cf points every directory there or
into the instance's own.  Its libraries are found by
LD_LIBRARY_PATH, which import_environment hands to the daemons.  No user is
made: uucp and news, which every Debian has and nothing here uses, stand in for
postfix and postdrop (other uids than nobody's, which Postfix wants for itself).

    with Postfix(directory, {"relayhost": "[127.0.0.1]:2525"}) as postfix:
        smtplib.SMTP("127.0.0.1", postfix.port) ...

Everything it says is in directory/log, its queue in directory/queue.  It
listens on loopback addresses only, and connects to such only.
"""
import grp
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess

import package
from server import free_port, wait_for

OWNER, GROUP = "uucp", "news"

# name type private unprivileged chroot wakeup maxproc command
MASTER = """\
{listen} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# What makes it run here, alone and without a DNS; nothing that makes it faster.
MAIN = {
    "compatibility_level": "3.6",
    "myhostname": "postfix.example",
    "mydestination": "",
    "local_recipient_maps": "",
    "alias_maps": "",
    "alias_database": "",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "smtp_dns_support_level": "disabled",
    "smtp_host_lookup": "native",
    "smtpd_peername_lookup": "no",
    "biff": "no",
    "mail_owner": OWNER,
    "setgid_group": GROUP,
    "import_environment": "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH",
    "export_environment": "TZ MAIL_CONFIG LANG LD_LIBRARY_PATH",
}

# Directories of the queue, with their mode and who owns them.
QUEUE = [(name, 0o700, OWNER, "root") for name in
         "active bounce corrupt defer deferred flush hold incoming private saved trace".split()]
QUEUE += [("maildrop", 0o1730, OWNER, GROUP), ("public", 0o2710, OWNER, GROUP),
          ("pid", 0o755, "root", "root")]


class Postfix:
    def __init__(self, directory, main_cf=None, master_cf="", listen=None):
        """main_cf: settings beside MAIN's; None as value leaves one of MAIN out.
        master_cf: more services, or others of the same name."""
        self.root = package.root("postfix")
        self.dir = pathlib.Path(directory).resolve()
        self.listen = listen or f"127.0.0.1:{free_port()}"
        self.address, port = self.listen.rsplit(":", 1)
        self.port = int(port)
        self.conf, self.queue_dir = self.dir / "conf", self.dir / "queue"
        self.log = self.dir / "log"
        self.process = None
        self.env = dict(os.environ, MAIL_CONFIG=str(self.conf),
                        LD_LIBRARY_PATH=package.libraries(self.root))
        self.make_directories()
        self.configure(main_cf, master_cf)

    def make_directories(self):
        for made in (self.dir, self.conf, self.queue_dir, self.dir / "data"):
            made.mkdir(parents=True, exist_ok=True)
            made.chmod(0o755)
        owner = pwd.getpwnam(OWNER).pw_uid
        os.chown(self.dir / "data", owner, grp.getgrnam("root").gr_gid)
        for name, mode, user, group in QUEUE:
            path = self.queue_dir / name
            path.mkdir(exist_ok=True)
            os.chown(path, pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
            path.chmod(mode)

    def configure(self, main_cf=None, master_cf=""):
        """Write main.cf and master.cf; reload() when it runs."""
        lib, sbin = self.root / "usr/lib/postfix", self.root / "usr/sbin"
        settings = {**MAIN, **{
            "queue_directory": self.queue_dir, "data_directory": self.dir / "data",
            "daemon_directory": lib / "sbin", "command_directory": sbin,
            "shlib_directory": lib, "meta_directory": self.root / "usr/share/postfix",
            "sendmail_path": sbin / "sendmail", "mailq_path": sbin / "mailq",
            "newaliases_path": sbin / "newaliases", "maillog_file": self.log,
            "maillog_file_prefixes": self.dir}, **(main_cf or {})}
        text = "".join(f"{k} = {v}\n" for k, v in settings.items() if v is not None)
        (self.conf / "main.cf").write_text(text)
        named = {line.split()[0] for line in master_cf.splitlines() if line[:1].strip()}
        rows = [row for row in MASTER.format(listen=self.listen).splitlines()
                if row.split()[0] not in named]
        (self.conf / "master.cf").write_text("\n".join(rows) + "\n" + master_cf)

    def start(self, wait=30, wrapper=(), preexec=None):
        """master in the foreground, as our child and the head of its group.
        wrapper: a command that runs it (perf stat ...)."""
        self.process = subprocess.Popen(
            [*wrapper, self.root / "usr/lib/postfix/sbin/master", "-d", "-c", self.conf],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.dir / "stderr", "ab"), start_new_session=True,
            preexec_fn=preexec)
        if wait and not wait_for(self.is_ready, wait):
            raise RuntimeError(f"{self.dir}: not ready:\n{self.tail()}")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.dir}: ended with {self.process.returncode}:\n{self.tail()}")
        try:
            with socket.create_connection((self.address, self.port), 5) as s:
                s.settimeout(5)
                return s.recv(100).startswith(b"220")
        except OSError:
            return False

    def stop(self, wait=10):
        """All of it: master ends its group with itself."""
        if self.process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, how)
                self.process.wait(wait)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def ask(self, command, *words, stdin=b""):
        """One of Postfix's commands (postqueue, postsuper, postconf, sendmail)."""
        return subprocess.run([self.root / "usr/sbin" / command, *words], env=self.env,
                              capture_output=True, input=stdin)

    def reload(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def flush(self):
        """Try all that is queued now."""
        return self.ask("postqueue", "-f")

    def queue(self):
        """What is queued, as postqueue -j tells it."""
        out = self.ask("postqueue", "-j").stdout
        return [json.loads(line) for line in out.splitlines()]

    def sendmail(self, sender, recipients, message):
        return self.ask("sendmail", "-i", "-f", sender, *recipients, stdin=message)

    def tail(self, n=30):
        lines = []
        for path in (self.dir / "stderr", self.log):
            if path.exists():
                lines += path.read_text(errors="replace").splitlines()[-n:]
        return "\n".join(lines)
