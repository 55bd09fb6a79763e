"""rig -- a nightmail that sends to peers of 127/8, for the cases beside it."""
import contextlib
import os
import pathlib
import smtplib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from server import Server, free_port, wait_for  # noqa: E402

BINARY = pathlib.Path(os.environ.get("CHECK_BUILD", "build")).resolve() / "nightmail"
IS_ASAN = b"__asan_init" in BINARY.read_bytes()
CONFIG = """\
hostname: out.test
admin: postmaster@out.test
cores: 2
listen:
  - {{ address: 127.0.0.1, port: {port}, role: relay }}
domains:
  out.test: {{ users: [ ann, postmaster ] }}
deliver: {{ maildir: "{{dir}}/mail/%u" }}
log: {{ to: {{dir}}/mail.log }}
limits: {{ connections_per_ip: none, per_ip: none }}
timeouts: {{ client: {{ connect: 10s, greeting: 20s, quit: 1s }} }}
"""
OUTBOUND = "outbound: {{ port: {port}, retry: 1s, prefer: ipv4_only, idle: 0s{more} }}\n"


class Wrong(Exception):
    pass


def check(what, why, *more):
    if not what:
        raise Wrong(" ".join([why, *[repr(m)[-3000:] for m in more]]))


class Rig(Server):
    """zone: lines of the DNS.  outbound: more keys of that section.  dns: another
    DNS than the zone."""

    def __init__(self, where, zone=(), outbound="", more="", mx_port=None, config=CONFIG,
                 dns="zone: {dir}/zone"):
        self.port = free_port()
        self.mx_port = mx_port or free_port()
        where = pathlib.Path(where)
        where.mkdir(parents=True, exist_ok=True)
        (where / "zone").write_text("\n".join(zone) + "\n")
        text = config.format(port=self.port) + OUTBOUND.format(
            port=self.mx_port, more=", " + outbound if outbound else "")
        super().__init__(BINARY, where, text + "dns: { " + dns + " }\n" + more, cage=not IS_ASAN)

    def send(self, *rcpts, sender="ann@out.test", body="Subject: x\r\n\r\nhello\r\n", options=(), tls=None):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as c:
            c.ehlo("me.test")
            if tls:
                c.starttls(context=tls)
                c.ehlo("me.test")
            c.sendmail(sender, list(rcpts), body, mail_options=list(options))

    def last(self, rcpt, types=("delivered", "delayed", "failed", "expired"), seconds=30):
        """The first event of one of these types for him."""
        def look():
            return next((e for e in self.events() if e.get("recipient") == rcpt and e["event"] in types), None)
        got = wait_for(look, seconds, 0.2)
        check(got, f"nothing became of {rcpt}", self.tail(), self.mail_log())
        return got

    def whole_log(self):
        return (self.dir / "mail.log").read_text(errors="replace")

    def mail_log(self):
        log = self.dir / "mail.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""


@contextlib.contextmanager
def started(*words, **how):
    s = Rig(*words, **how)
    try:
        yield s.start()
    finally:
        if s.process and s.process.poll() is None:
            s.kill9()
