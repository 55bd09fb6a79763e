"""opensmtpd -- OpenSMTPD in a box, as next hop, as client, and to be measured.

    with OpenSMTPD(directory, onward=2525) as smtpd:       # relays to 127.0.0.1:2525
        smtplib.SMTP("127.0.0.1", smtpd.port) ...

It relays without the five seconds it waits by default between two connections
to one host.
"""
import os

from box import Box
from exim import greets, tail_of
from server import free_port, wait_for

USERS = {"opensmtpd": 201, "opensmtpq": 202}
CONF = """\
listen on lo port {port} hostname opensmtpd.example
smtp max-message-size 100M
mta limit conn-delay-host 0 conn-delay-source 0 conn-delay-connector 0 conn-delay-route 0 reconn-delay-route 0
{more}
action onward relay host smtp://127.0.0.1:{onward}
match from any for any action onward
"""


class OpenSMTPD:
    def __init__(self, directory, onward, more=""):
        self.box = Box(directory, ["opensmtpd"], USERS)
        self.dir, self.port = self.box.dir, free_port()
        self.conf = CONF.format(port=self.port, onward=onward, more=more)

    def start(self, wait=30):
        self.box.open()
        self.box.write("/etc/smtpd.conf", self.conf)
        self.box.run("mkdir", "-p", "-m", "711", "/var/spool/smtpd", "/var/lib/opensmtpd/empty")
        self.box.start("smtpd", "-d")
        if wait and not wait_for(self.is_ready, wait, 0.1):
            raise RuntimeError(f"{self.dir}: OpenSMTPD is not ready:\n{self.tail()}")
        return self

    def is_ready(self):
        return greets(self.port)

    def stop(self):
        self.box.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def sendmail(self, sender, recipients, message):
        return self.box.run("smtpctl", "enqueue", "-f", sender, *recipients, input=message, text=False)

    def queued(self):
        """Envelopes on its disk."""
        return sum(len(name) == 16 for _, _, names in os.walk(self.dir / "upper/var-spool/smtpd/queue")
                   for name in names)

    def tail(self, n=30):
        return tail_of([self.dir / "said"], n)
