"""readers -- programs that read a mail log find in ours what was there to find.

fail2ban, pflogsumm and logwatch are those of Debian, unpacked and not
installed, with the filters they have for Postfix.
"""
import collections
import contextlib
import os
import pathlib
import re
import smtplib
import socket
import socketserver
import subprocess
import threading

import package
from rig import BINARY, BUILD, expect, free_port, mail_log, wait_for
from server import Server

CONFIG = """\
hostname: mx.peers.test
admin: postmaster@peers.test
cores: 2
listen:
  - {{ address: 127.0.0.1, port: {mx}, role: mx, name: mx }}
  - {{ address: 127.0.0.1, port: {port}, role: submission }}
trusted: [ 127.0.0.1 ]
domains:
  peers.test: {{ users: [ alice, bob, postmaster ], aliases: "{{dir}}/aliases" }}
deliver: {{ maildir: "{{dir}}/Maildir/%u" }}
route: [ {{ relay: "smtp://127.0.0.2:{hop}" }} ]
outbound: {{ retry: [ 1h ] }}
limits: {{ errors: 4 }}
auth: {{ users: "file:{{dir}}/users" }}
log: {{ to: "{{dir}}/mail.log", ident: {ident} }}
"""
STRANGERS = {"relay": "127.0.0.7", "unknown": "127.0.0.8", "errors": "127.0.0.9", "gone": "127.0.0.10",
             "guess": "127.0.0.11"}
# "secret", as crypt(3) has it
USERS = "alice@peers.test:$6$nightmail$.9Ko3BjC8UHLiUe6R5xjKSMQyqFbq8hyy6kDZlF3rlcmuqg33LRmrDUWwX3voHivlt3PgoacHZok1qOU7Zyvy1\n"


class Hop(socketserver.StreamRequestHandler):
    """later@ is told to come later, never@ that he is unknown; all else is taken."""

    def handle(self):
        self.wfile.write(b"220 hop.test ESMTP\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                says = (b"451 4.2.0 Mailbox busy (come later)" if b"<later" in line else
                        b"550 5.1.1 <never>: No such user here" if b"<never" in line else b"250 2.1.5 ok")
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                says = b"250 2.0.0 taken as 42"
            else:
                says = {b"EHLO": b"250-hop.test\r\n250 PIPELINING", b"QUIT": b"221 bye"}.get(verb, b"250 ok")
            self.wfile.write(says + b"\r\n")
            if verb == b"QUIT":
                return


@contextlib.contextmanager
def hop():
    with socketserver.ThreadingTCPServer(("127.0.0.2", 0), Hop) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def traffic(s, sent):
    """What happens in a day, in a second; `sent' counts it."""
    def deliver(sender, *rcpts, size=0):
        with smtplib.SMTP("127.0.0.1", s.port, timeout=30) as c:
            c.sendmail(sender, rcpts, b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * size + b"\r\n")
        sent["received"] += 1
        for r in rcpts:
            fate = {"later": "deferred", "never": "bounced"}.get(r.split("@")[0], "delivered")
            sent[fate] += 1
            if fate == "delivered":
                sent[r.split("@")[1]] += 1
    deliver("ann@peers.test", "good@far.example")
    deliver("ann@peers.test", "good@far.example", "better@far.example", "best@else.example", size=5000)
    deliver("ann@peers.test", "later@far.example")
    deliver("ann@peers.test", "later@else.example", "good@else.example")
    deliver("alice@peers.test", "never@far.example")
    deliver("stranger@x.test", "alice@peers.test", "bob@peers.test")
    with smtplib.SMTP("127.0.0.1", s.port, timeout=30) as c:
        c.sendmail("ann@peers.test", "team@peers.test", b"Subject: x\r\n\r\nx\r\n")
    sent["received"] += 1
    sent["forwarded"] += 1
    sent["delivered"] += 2
    sent["peers.test"] += 2
    subprocess.run([BINARY, "sendmail", "alice@peers.test"], input=b"Subject: cron\n\nx\n", check=True,
                   env={**os.environ, "NIGHTMAIL_SUBMIT": str(s.dir / "submit.sock")})
    sent["received"] += 1
    sent["delivered"] += 1
    sent["peers.test"] += 1
    sent["delivered"] += 1      # the report that never@ made
    sent["peers.test"] += 1


def strangers(s, sent):
    def come(kind):
        return smtplib.SMTP("127.0.0.1", s.mx, timeout=30, source_address=(STRANGERS[kind], 0))

    def refused(c, address):
        expect(c.rcpt(address)[0] == 550, f"{address} was not refused")
        sent["rejected"] += 1
    with come("relay") as c:
        c.ehlo("evil")
        c.mail("spam@evil.test")
        for i in range(3):
            refused(c, f"victim{i}@far.example")
    with come("unknown") as c:
        c.ehlo("evil")
        c.mail("spam@evil.test")
        for i in range(2):
            refused(c, f"guess{i}@peers.test")
    with smtplib.SMTP("127.0.0.1", s.port, timeout=30, source_address=(STRANGERS["guess"], 0)) as c:
        c.starttls()
        c.ehlo("evil")
        for mechanism, name in (("PLAIN", "alice@peers.test"), ("LOGIN", "eve\n[127.0.0.99]: x")):
            c.user, c.password = name, "guessed"
            auth = c.auth_plain if mechanism == "PLAIN" else c.auth_login
            with contextlib.suppress(smtplib.SMTPAuthenticationError):
                c.auth(mechanism, auth)
                expect(False, f"{name} was let in")
        c.user, c.password = "alice@peers.test", "secret"
        c.auth("PLAIN", c.auth_plain)
        c.sendmail("alice@peers.test", "bob@peers.test", b"Subject: x\r\n\r\nx\r\n")
        sent["received"] += 1
        sent["delivered"] += 1
        sent["peers.test"] += 1
    c = come("errors")
    c.ehlo("evil")
    with contextlib.suppress(smtplib.SMTPServerDisconnected):
        for _ in range(9):
            c.docmd("NONSENSE")
    c.close()
    c = come("gone")
    c.ehlo("evil")
    c.mail("spam@evil.test")
    c.rcpt("alice@peers.test")
    c.sock.shutdown(socket.SHUT_RDWR)
    c.close()


@contextlib.contextmanager
def day(where, ident):
    """The log of a day, and what was in it."""
    sent = collections.Counter()
    with hop() as port:
        ports = {"mx": free_port(), "port": free_port(), "hop": port}
        s = Server(BINARY, where, CONFIG.format(ident=ident, **ports), cage="sanitize" not in str(BUILD))
        s.mx, s.port = ports["mx"], ports["port"]
        (s.dir / "aliases").write_text("team: alice, bob\n")
        (s.dir / "users").write_text(USERS)
        s.start()
        traffic(s, sent)
        strangers(s, sent)
        wanted = {"status=sent": sent["delivered"] + sent["forwarded"], "status=deferred": sent["deferred"],
                  "status=bounced": sent["bounced"]}
        expect(wait_for(lambda: all(mail_log(s).count(k) == n for k, n in wanted.items()) and
                        "lost connection after" in mail_log(s), 60), lambda: f"{wanted}\n{mail_log(s)}")
        s.stop()
        yield s.dir / "mail.log", sent


def perl(top, *command, stdin=None, **env):
    paths = [p for p in ("usr/share/perl5", "usr/lib/x86_64-linux-gnu/perl5/5.36", "usr/lib/x86_64-linux-gnu/perl5")
             if (top / p).is_dir()]
    run = subprocess.run(["perl", *command], capture_output=True, text=True, stdin=stdin,
                         env={**os.environ, "PERL5LIB": ":".join(str(top / p) for p in paths), **env})
    expect(run.returncode == 0, f"{command}: {run.stderr}")
    return run.stdout


def fail2ban(where, ident):
    """Who would be banned, by Debian's own filter (with our name: by ours, which is little more than its name)."""
    top = package.root("readers")
    filters = where / "filter.d"
    filters.mkdir()
    for f in (top / "etc/fail2ban/filter.d").glob("*.conf"):
        (filters / f.name).symlink_to(f)
    (filters / "nightmail.conf").write_text((package.TOP / "doc/fail2ban/nightmail.conf").read_text())
    with day(where / "day", ident) as (log, _):
        def found(mode):
            run = subprocess.run(
                ["python3", top / "usr/bin/fail2ban-regex", "--config", top / "etc/fail2ban", "-o", "ip", log,
                 f"{filters}/{ident}.conf[mode={mode}]"], capture_output=True, text=True,
                env={**os.environ, "PYTHONPATH": str(top / "usr/lib/python3/dist-packages")})
            expect(run.returncode == 0 or not run.stdout, run.stdout + run.stderr)
            return collections.Counter(re.findall(r"^127[\d.]+$", run.stdout, re.M))
        expected = {STRANGERS["relay"]: 3, STRANGERS["unknown"]: 2, STRANGERS["errors"]: 1}
        expect(found("more") == expected, lambda: f"mode more: {found('more')}\n{log.read_text()}")
        expect("client=localhost" not in log.read_text() and re.search(
            r"client=\S+\[127.0.0.11\], sasl_method=PLAIN, sasl_username=alice@peers.test", log.read_text()),
            log.read_text)
        guesses = {STRANGERS["guess"]: 2}
        expect(found("auth") == guesses, lambda: f"mode auth: {found('auth')}\n{log.read_text()}")
        if ident == "nightmail":    # ours knows every mechanism
            log.write_text(log.read_text().replace("SASL LOGIN auth", "SASL SCRAM-SHA-256 auth"))
            expect(found("auth") == guesses, lambda: f"mode auth: {found('auth')}\n{log.read_text()}")
        expected |= guesses
        expect(found("extra") == expected, lambda: f"mode extra: {found('extra')}\n{log.read_text()}")
        expected[STRANGERS["gone"]] = 1
        expect(found("aggressive") == expected, lambda: f"mode aggressive: {found('aggressive')}\n{log.read_text()}")


def fail2ban_postfix(where):
    fail2ban(where, "postfix")


def fail2ban_nightmail(where):
    fail2ban(where, "nightmail")


def pflogsumm(where):
    """The day's numbers, in all and for each domain, are what was sent; by either name."""
    top = package.root("readers")
    for ident in ("postfix", "nightmail"):
        with day(where / ident, ident) as (log, sent):
            text = perl(top, top / "usr/sbin/pflogsumm", f"--syslog-name={ident}", log)
        total = {k: int(n) for n, k in re.findall(r"^ +(\d+) +(received|delivered|forwarded|deferred|bounced|rejected)\b", text, re.M)}
        expect(total == {k: sent[k] for k in total} and len(total) == 6, f"{total}\n{sent}\n{text}")
        to = {name: int(n) for n, name in re.findall(
            r"^ +(\d+) +\d+k? +\d+ +[\d.]+ \w +[\d.]+ \w +(\S+\.\S+)$", text, re.M)}
        expect(to == {d: sent[d] for d in ("peers.test", "far.example", "else.example")}, f"{to}\n{sent}\n{text}")
        for line in ("2   4.2.0 Mailbox busy", "1   5.1.1 <never>: No such user here", "3   127.0.0.7",
                     "1   guess0@peers.test"):
            expect(re.search(rf"^ +{re.escape(line)}", text, re.M), f"no '{line}'\n{text}")


def logwatch(where):
    """It knows every line, and counts what was sent; by either name."""
    top = package.root("readers")
    for ident in ("postfix", "nightmail"):
        with day(where / ident, ident) as (log, sent):
            text = perl(top, top / "usr/share/logwatch/scripts/services/postfix", "--detail", "10", "--syslog_name",
                        ident, log)
        said = {k: int(n) for n, k in re.findall(
            r"^ +(\d+) +(Accepted|Rejected|Delivered|Forwarded|Sent via SMTP|Deferrals|Bounced \(remote\)|Connections lost \(inbound\)"
            r"|Notifications sent|5xx Reject relay denied|5xx Reject unknown user) ", text.split("Detail (10)")[0], re.M)}
        expect(said == {
            "Accepted": sent["received"], "Rejected": sent["rejected"], "Delivered": sent["peers.test"],
            "Forwarded": sent["forwarded"],
            "Sent via SMTP": sent["far.example"] + sent["else.example"], "Deferrals": sent["deferred"],
            "Bounced (remote)": sent["bounced"], "Connections lost (inbound)": 1, "Notifications sent": 1,
            "5xx Reject relay denied": 3, "5xx Reject unknown user": 2}, f"{said}\n{sent}\n{text}")
        expect("Unmatched" not in text, text)


CASES = [fail2ban_postfix, fail2ban_nightmail, pflogsumm, logwatch]
