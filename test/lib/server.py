"""server -- start, ask, stop and kill a nightmail, for tests and the demo.

Everything lives in one directory: nightmail.yaml, the spool, Maildirs, the
control socket, the log.  Ports are free ones of the loopback.
"""
import email
import email.policy
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time


NOBODY = "nobody"


GIVEN = {}


def free_port(address="127.0.0.1"):
    """One that no client is given by chance while its server is down, and nobody
    twice: several programs of a test may share the machine, and two servers that
    share a port would share its clients without a word.  A socket of that name,
    which ends with us, keeps it ours."""
    while True:
        port = random.randrange(10000, 32000)
        ours = socket.socket(socket.AF_UNIX)
        try:
            ours.bind(f"\0nightmail-test-port-{port}")
            with socket.socket() as s:
                s.bind((address, port))
        except OSError:
            ours.close()
            continue
        GIVEN[port] = ours
        return port


def wait_for(what, seconds, every=0.02):
    """What what() returns, once it is true; None after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > until:
            return None
        time.sleep(every)


def is_alive(pid):
    """There, and no zombie that waits for its parent.  A process is no zombie
    while threads of it are still ending: they hold its sockets and files."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state not in "ZX" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


class Server:
    def __init__(self, binary, directory, config, env=None, cage=True):
        self.binary = str(binary)
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.config = self.dir / "nightmail.yaml"
        self.log = self.dir / "log"
        self.socket = str(self.dir / "control.sock")
        self.env = dict(os.environ, **(env or {}))
        self.cage = cage
        self.process = None
        self.configure(config)

    def configure(self, config):
        """Write the configuration; {dir} in it is this server's directory."""
        text = config.replace("{dir}", str(self.dir))
        if "control:" not in text:
            text += f"control: {{ socket: {self.socket} }}\n"
        if "spool:" not in text:
            text += f"spool: {{ path: {self.dir}/spool, reserve: 1M }}\n"
        if "\ndkim:" not in text:
            text += f"dkim: {{ state: {self.dir}.dkim }}\n"
        if os.geteuid() == 0 and "\nuser:" not in text:
            text += f"user: {NOBODY}\n"
        self.config.write_text(text)

    def give_away(self):
        """Started as root, the server sheds its rights: the directory must be its."""
        if os.geteuid() != 0:
            return
        subprocess.run(["chown", "-R", NOBODY, str(self.dir)], check=True)
        for parent in list(self.dir.resolve().parents)[:2]:
            if parent.stat().st_mode & 0o777 == 0o700 and parent != pathlib.Path("/root"):
                parent.chmod(0o755)

    def start(self, wait=30, env=None):
        command = [self.binary, "serve", "--config", str(self.config)]
        if not self.cage:
            command.append("--no-cage")
        self.give_away()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(self.env, **(env or {})))
        if wait and not wait_for(self.is_ready, wait):
            raise RuntimeError(f"{self.dir}: not ready:\n{self.tail()}")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.dir}: ended with {self.process.returncode}:\n{self.tail()}")
        return os.path.exists(self.socket) and self.ask("status", "--json").returncode == 0

    def ask(self, *words):
        """The command line, at this server."""
        try:
            return subprocess.run([self.binary, *words, "--socket", self.socket],
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        except subprocess.TimeoutExpired as late:
            raise RuntimeError(f"no answer to {words}: {self.waits()}\n{self.tail()}") from late

    def waits(self):
        """What each thread of the server does in the kernel."""
        said = []
        for pid in self.descendants():
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
                try:
                    stat = (task / "stat").read_text()
                    said.append(f"{task.name} {stat[stat.index('('):][:24]} {(task / 'wchan').read_text()}")
                except OSError:
                    continue
        return "; ".join(said)

    def status(self):
        return json.loads(self.ask("status", "--json").stdout)

    def queue(self, *filters):
        out = self.ask("queue", "list", "--json", *filters).stdout
        return [json.loads(line) for line in out.splitlines()]

    def events(self, *words):
        out = self.ask("log", "--json", *words).stdout
        return [json.loads(line) for line in out.splitlines()]

    def tail(self, n=30):
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-n:])

    def descendants(self):
        """The pids of master, worker and porter."""
        pids, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            pids.append(pid)
            try:
                text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
            except OSError:
                continue
            todo += [int(p) for p in text.split()]
        return pids

    def worker(self):
        """The process that serves: master's child with the most threads."""
        def threads(pid):
            try:
                return len(os.listdir(f"/proc/{pid}/task"))
            except OSError:
                return 0
        return max(self.descendants()[1:], key=threads)

    def children(self, name):
        """Master's children that call themselves so."""
        def called(pid):
            try:
                return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            except FileNotFoundError:           # it ended meanwhile
                return None
        text = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(p) for p in text.split() if called(p) == name]

    def kill9(self):
        """All of it at once, without a word."""
        pids = self.descendants()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired as late:
            raise RuntimeError(f"killed, and still there: {self.waits()}") from late
        wait_for(lambda: not any(is_alive(pid) for pid in pids), 10, 0.005)

    def stop(self, wait=30):
        """SIGTERM; the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(wait)
            except subprocess.TimeoutExpired:
                self.kill9()
        return self.process.returncode if self.process else None


def maildir(path):
    """The messages in new/ of a Maildir, parsed, oldest first."""
    new = pathlib.Path(path) / "new"
    if not new.is_dir():
        return []
    files = sorted(new.iterdir(), key=lambda f: f.name)
    return [(f, email.message_from_bytes(f.read_bytes(), policy=email.policy.default)) for f in files]
