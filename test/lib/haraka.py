"""haraka -- Haraka from npm, to be measured.

    with Haraka(directory, onward=2525) as haraka:       # relays to 127.0.0.1:2525
        smtplib.SMTP("127.0.0.1", haraka.port) ...

npm puts it, as it was on DATE, into .cache/peers/haraka; no install script of a
package runs.  What it accepts it writes into its outbound queue and relays from
there: a plugin of ours names the next hop and lets everybody send.
"""
import fcntl
import os
import shutil
import signal
import subprocess

from box import die_with_parent
from exim import greets, tail_of
from package import CACHE
from server import free_port, wait_for

VERSION, DATE = "3.1.1", "2026-01-15"
PLUGIN = """\
exports.register = function () {{
    this.register_hook('connect', 'everybody');
    this.register_hook('rcpt', 'anybody');
    this.register_hook('get_mx', 'onward');
}};
exports.everybody = function (next, connection) {{ connection.relaying = true; next(); }};
exports.anybody = function (next) {{ next(OK); }};
exports.onward = function (next) {{ next(OK, {{ priority: 0, exchange: '127.0.0.1', port: {onward} }}); }};
"""
CONFIG = {
    "me": "haraka.example\n",
    "plugins": "onward\n",
    "smtp.ini": "listen=127.0.0.1:{port}\nnodes={nodes}\n",
    "outbound.ini": "concurrency_max={onward_most}\nenable_tls=false\nlocal_mx_ok=true\n",
}


def missing():
    """None, or what this machine lacks."""
    return next((f"{p} is not installed" for p in ("node", "npm") if not shutil.which(p)), None)


def root():
    place = CACHE / "haraka"
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "node_modules" / "Haraka" / "bin" / "haraka").exists():
            subprocess.run(["npm", "install", f"--before={DATE}", "--prefix", place, "--no-audit", "--no-fund",
                            "--ignore-scripts", "--omit=optional", "--no-package-lock", f"Haraka@{VERSION}"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return place / "node_modules" / "Haraka"


class Haraka:
    def __init__(self, directory, onward, onward_most=64):
        self.root, self.dir, self.port = root(), directory, free_port()
        self.process = None
        for made in ("plugins", "queue"):
            (self.dir / made).mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.root / "config", self.dir / "config")      # as it comes, but for:
        for name, text in CONFIG.items():
            (self.dir / "config" / name).write_text(
                text.format(port=self.port, nodes=os.cpu_count(), onward_most=onward_most))
        (self.dir / "plugins" / "onward.js").write_text(PLUGIN.format(onward=onward))

    def start(self, wait=30):
        with open(self.dir / "said", "ab") as said:
            self.process = subprocess.Popen(
                ["node", self.root / "bin" / "haraka", "-c", self.dir], stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, start_new_session=True, preexec_fn=die_with_parent)
        if wait and not wait_for(lambda: greets(self.port), wait, 0.1):
            raise RuntimeError(f"{self.dir}: Haraka is not ready:\n{self.tail()}")
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        for sent in (how, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sent)
                self.process.wait(35)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def queued(self):
        return sum(not name.startswith(".") for name in os.listdir(self.dir / "queue"))

    def tail(self, n=30):
        return tail_of([self.dir / "said"], n)
