"""rig -- servers for tests of mail authentication, a zone for all of them, and what
they made of a message."""
import email
import email.policy
import glob
import os
import re
import smtplib
from pathlib import Path

from server import Server, free_port, wait_for

MAILDIRS = 'virtual: "{dir}/mail/%d/%u", admin: "{dir}/mail/admin"'
BINARY = Path(os.environ.get("CHECK_BUILD", "build")).resolve() / "nightmail"
IS_ASAN = b"__asan_init" in BINARY.read_bytes()

# Whoever comes from 127.0.0.1 is trusted; from any other address of 127/8, a stranger.
CONFIG = """\
hostname: {hostname}
admin: root@{hostname}
cores: 2
listen:
  - {{ address: 127.0.0.1, port: {mx}, role: mx, name: mx }}
  - {{ address: 127.0.0.1, port: {relay}, role: relay, name: relay }}
trusted: [ 127.0.0.1 ]
dns: {{ zone: {zone} }}
deliver: {{ {deliver} }}
limits: {{ connections_per_ip: none, per_ip: none }}
{more}
"""


class Wrong(Exception):
    pass


def check(what, why, *more):
    if not what:
        raise Wrong(" ".join([why, *[repr(m)[-3000:] for m in more]]))


class Node:
    """One server."""

    def __init__(self, where, hostname, zone, more="", domains=("b.test",), users=("bob", "alice"),
                 deliver=MAILDIRS):
        self.mx, self.relay = free_port(), free_port()
        self.zone = where / "zone"
        if not self.zone.exists():
            self.zone.write_text(zone)
            self.zone.chmod(0o644)
        text = CONFIG.format(hostname=hostname, mx=self.mx, relay=self.relay, zone=self.zone, more=more,
                             deliver=deliver)
        if not isinstance(domains, dict):
            domains = {d: f"{{ users: [ {', '.join(users)} ] }}" for d in domains}
        text += "domains:\n" + "".join(f"  {d}: {what}\n" for d, what in domains.items())
        self.server = Server(BINARY, where / hostname, text, cage=not IS_ASAN)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()

    def client(self, source="127.0.0.2", helo="client.test", port=None):
        """A connection from there, that has said EHLO."""
        smtp = smtplib.SMTP(timeout=60, local_hostname=helo, source_address=(source, 0))
        smtp.connect("127.0.0.1", port or self.mx)
        smtp.ehlo()
        return smtp

    def send(self, octets, sender="ann@a.test", to="bob@b.test", **how):
        """(code, text) of the reply that decided, and the id in it."""
        with self.client(**how) as smtp:
            smtp.mail(sender)
            code, text = smtp.rcpt(to)
            if code < 300:
                code, text = smtp.data(octets)
        text = text.decode()
        found = re.search(r"\b[0-9A-HJKMNP-TV-Z]{13}\b", text)
        return code, text, found and found[0]

    def files(self, user="bob", domain="b.test", folder=""):
        return glob.glob(f"{self.server.dir}/mail/{domain}/{user}/{folder}/new/*")

    def message(self, mid, user="bob", domain="b.test", folder=""):
        """The message of that id, when it is there: its octets, with CRLF."""
        def there():
            for name in self.files(user, domain, folder):
                octets = Path(name).read_bytes()
                if f" id {mid}".encode() in octets:
                    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            return None
        got = wait_for(there, 30)
        check(got, f"no message {mid} in {folder or 'INBOX'} of {user}", self.server.tail())
        return got

    def results(self, mid, **where):
        """The value of Authentication-Results on top, unfolded."""
        octets = self.message(mid, **where)
        parsed = email.message_from_bytes(octets, policy=email.policy.compat32)
        found = parsed.get_all("Authentication-Results") or []
        check(len(found) > 0, "no Authentication-Results", octets)
        return re.sub(r"\r?\n", "", found[0])

    def events(self, name, *words):
        """Events of that name, once there are some."""
        got = wait_for(lambda: [e for e in self.server.events(*words) if e["event"] == name], 30)
        check(got, f"no event {name}", self.server.tail())
        return got

    def checked(self, mid):
        """The event `checked' of that id."""
        return self.events("checked", "--id", mid)[0]

    def why(self, what):
        """What is said of it, once something is known."""
        done = wait_for(lambda: (d := self.server.ask("why", what)).returncode == 0 and d, 30)
        check(done, f"nothing is known of {what}", self.server.tail())
        return done.stdout


def letter(author="ann@a.test", *fields, body="hello\r\n"):
    """A small message."""
    head = [f"From: {author}", "To: bob@b.test", "Subject: a letter", "Date: Sat, 21 Nov 2026 12:00:00 +0000",
            "Message-ID: <one@a.test>", *fields]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()
