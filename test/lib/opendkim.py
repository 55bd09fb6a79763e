"""opendkim -- OpenDKIM's milter out of a private root.

    with OpenDKIM(directory, nameserver="127.1.2.3") as it:         verifies
    with OpenDKIM(directory, sign=("a.example", "sel", "key.pem")) as it:
        it.milter               "127.0.0.1:PORT", for Postfix's smtpd_milters
"""
import pathlib
import socket
import subprocess

import package
from server import free_port, wait_for

CONF = """\
Socket inet:{port}@127.0.0.1
Background no
Mode {mode}
Syslog no
Canonicalization relaxed/relaxed
AlwaysAddARHeader yes
AuthservID opendkim.example
RequireSafeKeys no
"""


class OpenDKIM:
    def __init__(self, directory, nameserver=None, sign=None):
        self.root = package.root("opendkim")
        self.dir = pathlib.Path(directory).resolve()
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.milter = f"127.0.0.1:{self.port}"
        text = CONF.format(port=self.port, mode="s" if sign else "v")
        if nameserver:
            text += f"Nameservers {nameserver}\n"
        if not sign:
            text += "InternalHosts 192.0.2.1\n"  # 127.0.0.1 is checked too
        else:
            text += f"Domain {sign[0]}\nSelector {sign[1]}\nKeyFile {sign[2]}\nInternalHosts 0.0.0.0/0\n"
        (self.dir / "conf").write_text(text)
        self.process = None

    def start(self, wait=30):
        self.process = subprocess.Popen(
            [self.root / "usr/sbin/opendkim", "-f", "-x", self.dir / "conf"], env=package.env(self.root),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.dir / "stderr", "ab"),
            start_new_session=True)
        if wait and not wait_for(self.is_ready, wait):
            raise RuntimeError(f"{self.dir}: not ready:\n{self.tail()}")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.dir}: ended with {self.process.returncode}:\n{self.tail()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except OSError:
            return False
        return True

    def stop(self, wait=10):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(wait)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def tail(self):
        return "\n".join((self.dir / "stderr").read_text(errors="replace").splitlines()[-20:])
