"""relay -- the servers that are measured, between the generator and the sink.

Each is started in a control group (meter.py), listens on a free port of the
loopback and relays everything to the sink.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "lib"))
from exim import Exim  # noqa: E402
import haraka  # noqa: E402
from meter import Meter  # noqa: E402
from opensmtpd import OpenSMTPD  # noqa: E402
from postfix import Postfix  # noqa: E402
from server import Server, free_port, wait_for  # noqa: E402

CONNECTIONS, SIZE = 64, 4096

NIGHTMAIL = """\
hostname: nightmail.example
admin: postmaster@nightmail.example
listen: [ {{ address: 127.0.0.1, port: {port}, role: relay, connections: 20000 }} ]
route: [ {{ relay: "smtp://127.0.0.1:{sink}" }} ]
limits: {{ connections: 20000 }}
outbound: {{ connections: 64 }}
log: {{ to: "{{dir}}/mail.log" }}
deliver: {{ admin: "{{dir}}/admin" }}
"""

# Postfix as it comes, durable as it always is, with what this task wants:
POSTFIX = {
    # all to the sink, without a DNS (test/lib/postfix.py turns it off)
    "relayhost": "[127.0.0.1]:{sink}",
    # 64 clients want more than the 100 processes of each kind that are default
    "default_process_limit": "200",
    # so many connections to the sink as Nightmail may have, at once from the start
    "default_destination_concurrency_limit": "64",
    "initial_destination_concurrency": "64",
    # a smtpd that idles is not ended between the steps of this program
    "max_idle": "600s",
    # faster in than out is what is measured: no brake for each message
    "in_flow_delay": "0s",
}

# Exim as Debian has it: each message is delivered at once by a process of its own.
EXIM = """\
smtp_connect_backlog = 1024
# no log of its own for each message, and directories that stay small
message_logs = false
split_spool_directory
"""

# OpenSMTPD with as many connections to the sink as the others, and without its
# limit of 100 messages a connection.
OPENSMTPD = """\
smtp limit max-mails 1000000 max-rcpt 1000
mta limit max-conn-per-host 64 max-conn-per-route 64 max-conn-per-source 64 max-conn-per-connector 64 \
max-conn-per-relay 64 max-conn-per-domain 64
"""


class Sink:
    def __init__(self, build, port=0):
        self.process = subprocess.Popen(
            [build / "test/bench/sink", "--at", f"127.0.0.1:{port}", "--seconds", "3600"],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.port = int(self.process.stdout.readline())
        self.talk = socket.create_connection(("127.0.0.1", self.port)).makefile("rw")
        self.talk.readline()

    def stat(self):
        self.talk.write("XSTAT\r\n")
        self.talk.flush()
        return json.loads(self.talk.readline()[4:])

    def wait_for(self, recipients, seconds):
        """Until so many have it in all."""
        wait_for(lambda: self.stat()["recipients"] >= recipients, seconds, 0.02)
        return self.stat()

    def stop(self):
        self.talk.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


class Runner:
    """What the servers have in common."""
    words = []                  # further ones for load

    def __init__(self, directory, sink_port):
        self.dir, self.sink_port = directory, sink_port
        self.meter = Meter(self.name)

    @staticmethod
    def lacks():
        """None, or what it needs and this machine has not."""

    def first_220(self, seconds=120):
        def greets():
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    s.settimeout(5)
                    return s.recv(3) == b"220"
            except OSError:
                return False
        return wait_for(greets, seconds, 0.002)

    def close(self):
        self.kill()
        self.meter.close()


class NightmailRunner(Runner):
    name = "nightmail"

    def __init__(self, build, directory, sink_port):
        super().__init__(directory, sink_port)
        self.port = free_port()
        self.server = Server(build / "nightmail", directory,
                             NIGHTMAIL.format(port=self.port, sink=sink_port))

    def start(self, wait=60):
        with self.meter.inside():
            self.server.start(wait=wait)

    def stop(self):
        self.server.stop()

    def kill(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill9()

    def queued(self):
        """How many messages it knows of, and its own figure of their memory."""
        try:
            q = self.server.status()["queue"]
        except (ValueError, KeyError):
            return 0, 0
        return q["messages"], q["memory_bytes"]

    def syncs(self):
        return self.server.status()["spool"]["syncs"]


class PostfixRunner(Runner):
    name = "postfix"

    def __init__(self, build, directory, sink_port):
        super().__init__(directory, sink_port)
        self.server = Postfix(directory, {k: v.format(sink=sink_port) for k, v in POSTFIX.items()})
        self.port = self.server.port

    def start(self, wait=60):
        with self.meter.inside():
            self.server.start(wait=wait)

    def stop(self):
        self.server.stop()

    def kill(self):
        if self.server.process:
            os.killpg(self.server.process.pid, signal.SIGKILL)
            self.server.stop()

    def queued(self):
        queue = self.server.dir / "queue"
        return sum(len(files) for name in ("incoming", "active", "deferred")
                   for _, _, files in os.walk(queue / name)), None

    def syncs(self):
        return None


class PeerRunner(Runner):
    """One whose library object tells how many are queued."""

    def start(self, wait=60):
        with self.meter.inside():
            self.server.start(wait=wait)
        self.port = self.server.port

    def stop(self):
        self.server.stop()

    def kill(self):
        self.server.stop()

    def queued(self):
        return self.server.queued(), None

    def syncs(self):
        return None


class EximRunner(PeerRunner):
    name = "exim"

    def __init__(self, build, directory, sink_port):
        super().__init__(directory, sink_port)
        self.server = Exim(directory, sink_port, more=EXIM)
        self.port = self.server.port


class OpenSMTPDRunner(PeerRunner):
    name = "opensmtpd"
    # It does not offer PIPELINING; its queue of connections not yet accepted is 5
    # long, and clients beyond that wait for seconds.
    words = ["--no-pipelining", "--connections", "8"]

    def __init__(self, build, directory, sink_port):
        super().__init__(directory, sink_port)
        self.server = OpenSMTPD(directory, sink_port, more=OPENSMTPD)
        self.port = self.server.port


class HarakaRunner(PeerRunner):
    name = "haraka"
    lacks = staticmethod(haraka.missing)

    def __init__(self, build, directory, sink_port):
        super().__init__(directory, sink_port)
        self.server = haraka.Haraka(directory, sink_port)
        self.port = self.server.port

    def kill(self):
        self.server.stop(signal.SIGKILL)


def load(build, port, messages, *words, seconds=240):
    out = subprocess.run(
        [build / "test/bench/load", "--to", f"127.0.0.1:{port}", "--messages",
         str(messages), "--connections", str(CONNECTIONS), "--seconds", str(seconds), *words],
        capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if not out.stdout:
        raise RuntimeError(f"load: {out.returncode}: {out.stderr}")
    told = json.loads(out.stdout)
    if told["accepted"] != messages:
        print(f"    of {messages} messages only {told['accepted']} were accepted: {told}")
    return told


def relayed(build, runner, sink, messages, *words, size=SIZE, recipients=1):
    """Send and wait until all recipients have it at the sink: (load's JSON, the
    sink's)."""
    before = sink.stat()["recipients"]
    told = load(build, runner.port, messages, "--size", str(size), "--rcpts", str(recipients), *runner.words, *words)
    return told, sink.wait_for(before + told["accepted"] * recipients, 300)


RUNNERS = {r.name: r for r in (NightmailRunner, PostfixRunner, EximRunner, OpenSMTPDRunner, HarakaRunner)}
