#!/usr/bin/env python3
"""demo -- the whole way of mail through Nightmail, shown step by step.

Two servers on the loopback: demo.test, ours, and sink.test, which plays a mail
exchanger of the Internet.  A zone file stands in for the DNS.  Whoever submits
mail logs in, inside TLS; the certificates are those that the servers made for
themselves.
"""
import argparse
import json
import pathlib
import re
import shutil
import secrets
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
from server import Server, free_port, maildir, wait_for  # noqa: E402

HERE = pathlib.Path(__file__).parent
MAILS = HERE / "vectors" / "mime-stalwart" / "eml"
ZONE = """\
$ORIGIN .
demo.test        MX 10 mx.demo.test
mx.demo.test     A 127.0.0.1
sink.test        MX 10 mx.sink.test
mx.sink.test     A 127.0.0.2
1.0.0.127.in-addr.arpa PTR mx.demo.test
"""
OURS = """\
hostname: mx.demo.test
admin: postmaster@demo.test
cores: 2
trusted: []
database: "sqlite:{{dir}}/state.db"
listen: [ {{ address: 127.0.0.1, port: {port}, role: submission }} ]
domains:
  demo.test: {{ users: [ demo, alice, postmaster ] }}
deliver: {{ maildir: "{{dir}}/Maildir/%u" }}
dns: {{ zone: "{{dir}}/zone", addresses: [ 127.0.0.1 ] }}
dkim: {{ state: "{{dir}}-keys" }}
outbound: {{ port: {sink}, retry: [ 1s, 2s, 5s ] }}
log: {{ to: "{{dir}}/mail.log" }}
"""
THEIRS = """\
hostname: mx.sink.test
admin: postmaster@sink.test
cores: 1
trusted: []
listen: [ {{ address: 127.0.0.2, port: {sink}, role: mx }} ]
domains:
  sink.test: {{ users: [ bob, postmaster ] }}
deliver: {{ maildir: "{{dir}}/Maildir/%u" }}
dns: {{ zone: "{{dir}}/../ours/zone" }}
dkim: {{ state: "{{dir}}-keys" }}
log: {{ to: "{{dir}}/mail.log" }}
"""


def crlf(content):
    """As SMTP wants its lines; the files have LF."""
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def mine(content):
    """As demo's own: nobody may send with the name of somebody else."""
    head, _, body = content.partition(b"\r\n\r\n")
    head = re.sub(rb"(?im)^(from|sender|reply-to):.*(\r\n[ \t].*)*\r\n", b"", head + b"\r\n")
    return b"From: The night mail <demo@demo.test>\r\n" + head + b"\r\n" + body


class Demo:
    def __init__(self, binary, quiet):
        self.quiet = quiet
        self.verdicts = []
        self.began = time.monotonic()
        self.steps = 0
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="nightmail-demo."))
        self.port, self.sink = free_port(), free_port("127.0.0.2")
        self.password = secrets.token_urlsafe(12)
        ours, theirs = self.top / "ours", self.top / "theirs"
        ours.mkdir()
        (ours / "zone").write_text(ZONE)
        values = {"port": self.port, "sink": self.sink}
        self.ours = Server(binary, ours, OURS.format(**values))
        self.theirs = Server(binary, theirs, THEIRS.format(**values))

    def say(self, text):
        if not self.quiet:
            print("   " + text, flush=True)

    def step(self, name, text):
        if not self.quiet:
            self.steps += 1
            print(f"\n{self.steps}. {text}", flush=True)
        self.name = name

    def verdict(self, good, what):
        self.verdicts.append((self.name, bool(good), what))
        self.say(("✓ " if good else "✖ ") + what)
        return good

    def connect(self):
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="laptop.demo.test")

    def log_in(self, smtp):
        """STARTTLS and AUTH.  The certificate is one that the server made for itself:
        nobody could verify it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        smtp.starttls(context=context)
        return smtp.login("demo@demo.test", self.password)

    def send(self, sender, to, message):
        """One SMTP transaction; what the server said to the dot."""
        with self.connect() as smtp:
            self.log_in(smtp)
            options = ["BODY=8BITMIME"] if not message.isascii() else []
            smtp.mail(sender, options)
            code, text = smtp.rcpt(to)
            if code != 250:
                return code, text.decode()
            code, text = smtp.data(message)
            return code, text.decode()

    def log_has(self, server, pattern, seconds=10):
        path = server.dir / "mail.log"

        def look():
            return path.exists() and re.search(pattern, path.read_text(errors="replace"))
        return wait_for(look, seconds)

    # ---- the steps ----

    def user(self):
        self.step("user", "Make somebody who may send: demo@demo.test")
        words = [self.ours.binary, "user", "add", "demo@demo.test", "--config", str(self.ours.config)]
        run = subprocess.run(words, input=self.password + "\n", capture_output=True, text=True)
        self.say(" ".join(["nightmail", *words[1:4]]) + "   (the password comes on standard input)")
        self.verdict(run.returncode == 0, run.stderr.strip() or "he is in the database, with an argon2id hash")

    def login(self):
        self.step("login", "Try to send without TLS, without the password, as somebody else; then as demo")
        with self.connect() as smtp:
            smtp.ehlo()
            offered = smtp.has_extn("auth")
            code, text = smtp.docmd("MAIL FROM:<demo@demo.test>")
            self.verdict(code == 530 and not offered, f"in clear text: {code} {text.decode()}; AUTH is not offered")
            right, self.password = self.password, "guessed"
            try:
                self.log_in(smtp)
                code, text = 235, b""
            except smtplib.SMTPAuthenticationError as error:
                code, text = error.smtp_code, error.smtp_error
            self.password = right
            self.verdict(code == 535, f"with another password: {code} {text.decode()}")
        with self.connect() as smtp:
            code, text = self.log_in(smtp)
            version, suite = smtp.sock.version(), smtp.sock.cipher()[0]
            self.verdict(code == 235, f"{version}, {suite}, AUTH {smtp.esmtp_features['auth'].strip()}: "
                         f"{code} {text.decode()}")
            code, text = smtp.mail("boss@demo.test")
            self.verdict(code == 553, f"as boss@demo.test: {code} {text.decode()}")

    def start(self):
        self.step("start", "Start two servers: ours, and one that plays a mail exchanger elsewhere")
        # Its disk fails once, on purpose: so it must say 451 to the first mail.
        self.theirs.start(env={"NIGHTMAIL_FAULT": "commit_after_write:eio:1"})
        self.ours.start()
        self.say(f"ours    mx.demo.test  127.0.0.1:{self.port}   {self.ours.dir}")
        self.say(f"theirs  mx.sink.test  127.0.0.2:{self.sink}   {self.theirs.dir}")
        self.verdict(True, "both answer")

    def accept(self):
        self.step("accepted", "Submit a real message for alice@demo.test, a mailbox of ours")
        self.mail = mine(crlf((MAILS / "rfc" / "004.eml").read_bytes()))
        code, text = self.send("demo@demo.test", "alice@demo.test", self.mail)
        self.say(f"{len(self.mail)} octets over SMTP -> {code} {text}")
        name = text.split()[-1]

        def kept():
            return [e for e in self.ours.events("--id", name) if e["event"] == "queued"]
        found = wait_for(kept, 5, 0.1)
        self.verdict(code == 250 and found, "accepted, and kept before 250 was said"
                     + (f": fdatasync took {found[0].get('fsync_us', 0) / 1000:.2f} ms" if found else ""))

    def local(self):
        self.step("local", "It is delivered into alice's Maildir")
        got = wait_for(lambda: maildir(self.ours.dir / "Maildir" / "alice"), 10)
        if not self.verdict(got, "a file is in new/"):
            return
        path, message = got[0]
        self.say(str(path))
        body = self.mail.replace(b"\r\n", b"\n")
        same = path.read_bytes().endswith(body[-min(len(body), 200):])
        self.verdict(message["Return-Path"] == "<demo@demo.test>" and same,
                     f"{path.stat().st_size} octets, Return-Path and Received on top, content unchanged")

    def publish(self):
        self.step("dns", "Publish what the domain needs in the DNS: nightmail dns print demo.test")
        run = subprocess.run([self.ours.binary, "dns", "print", "demo.test", "--json", "--config", str(self.ours.config),
                              "--socket", self.ours.socket], capture_output=True, text=True)
        records = [r for r in json.loads(run.stdout)["records"] if r["in_zone"] and r["type"] == "TXT"]
        for record in records:
            text = "".join(record["strings"])
            self.say(f"{record['name']} TXT {text if len(text) < 70 else text[:67] + '...'}")
        with open(self.ours.dir / "zone", "a") as zone:
            zone.writelines(f"{r['name']}. TXT {r['data']}\n" for r in records)
        for server in (self.ours, self.theirs):
            server.ask("reload")
        said = self.ours.ask("dkim", "check", "demo.test")
        keys = json.loads(self.ours.ask("dkim", "list", "--json").stdout)["keys"]
        active = sorted(k["algorithm"] for k in keys if k["state"] == "active")
        self.verdict(said.returncode == 0 and len(active) == 2,
                     "the keys are seen in the DNS, and sign: " + ", ".join(active))

    def proved(self, message):
        """What the other side found out about who sent it."""
        text = " ".join(str(message["Authentication-Results"]).split())
        found = [m for m in ("spf", "dkim", "dmarc") if f"{m}=pass" in text]
        self.say(f"Authentication-Results: {text}")
        self.verdict(len(found) == 3 and text.count("dkim=pass") == 2,
                     "the other side proved who sent it: " + " ".join(f"{m}=pass" for m in found))

    def relay(self):
        self.step("relayed", "An 8-bit message for bob@sink.test: found by MX, refused by 451 once, tried again")
        mail = next(m for m in sorted(MAILS.glob("*/*.eml"))
                    if not m.read_bytes().isascii() and b"\0" not in m.read_bytes())
        content = mine(crlf(mail.read_bytes()))
        code, text = self.send("demo@demo.test", "bob@sink.test", content)
        self.say(f"{mail.relative_to(HERE)}: {len(content)} octets -> {code} {text}")
        said = self.log_has(self.ours, r"to=<bob@sink\.test>.*status=deferred \((.*)\)")
        self.verdict(said, "the other side said: " + (said[1] if said else "nothing"))
        sent = self.log_has(self.ours, r"to=<bob@sink\.test>.*status=sent \((.*)\)", 20)
        self.verdict(sent, "then: " + (sent[1] if sent else "nothing"))
        tls = self.log_has(self.ours, r"to=<bob@sink\.test>.*status=sent.*tls=(TLS\S+)")
        self.verdict(tls, "between the servers: " + (tls[1] if tls else "clear text"))
        got = wait_for(lambda: maildir(self.theirs.dir / "Maildir" / "bob"), 10)
        if self.verdict(got and len(got) == 1, "bob has it, once" + (f": {got[0][0]}" if got else "")):
            self.proved(got[0][1])

    def bounce(self):
        self.step("bounced", "A message for nobody@sink.test comes back as a report")
        code, text = self.send("demo@demo.test", "nobody@sink.test", self.mail)
        self.say(f"-> {code} {text}")
        said = self.log_has(self.ours, r"to=<nobody@sink\.test>.*status=bounced \((.*)\)", 20)
        self.verdict(said, "the other side said: " + (said[1] if said else "nothing"))
        got = wait_for(lambda: maildir(self.ours.dir / "Maildir" / "demo"), 10)
        if not self.verdict(got, "the report is in the sender's Maildir"):
            return
        path, report = got[0]
        self.say(f"{path}: {report['Subject']}")
        status = [p for p in report.walk() if p.get_content_type() == "message/delivery-status"]
        self.verdict(report.get_content_type() == "multipart/report" and status and "5.1.1" in str(status[0]),
                     "multipart/report with Status: 5.1.1")

    def crash(self):
        self.step("crash", "Queue a hundred messages, kill -9 the server, start it again")
        self.theirs.stop()
        for i in range(100):
            self.send("demo@demo.test", "bob@sink.test", b"Subject: night mail %d\r\n\r\nmessage %d\r\n" % (i, i))
        before = self.ours.status()["queue"]["messages"]
        self.say(f"{before} messages are queued (the other side is down)")
        self.ours.kill9()
        self.say("kill -9")
        began = time.monotonic()
        self.ours.start()
        after = self.ours.status()["queue"]["messages"]
        self.verdict(before == 100 and after == 100,
                     f"{after} of 100 are there {time.monotonic() - began:.1f} s after the restart")
        self.theirs.start()
        self.ours.ask("queue", "retry", "--all", "--yes")
        box = self.theirs.dir / "Maildir" / "bob"

        def arrived():
            found = [m["Subject"] for _, m in maildir(box) if (m["Subject"] or "").startswith("night mail")]
            return found if len(found) >= 100 else None
        found = wait_for(arrived, 60, 0.2) or [m["Subject"] for _, m in maildir(box)]
        names = [s for s in found if (s or "").startswith("night mail")]
        self.verdict(len(names) == 100 and len(set(names)) == 100,
                     f"{len(set(names))} of 100 delivered to bob, {len(names) - len(set(names))} of them twice")

    def table(self):
        good = all(v[1] for v in self.verdicts)
        if self.quiet:
            for name, ok, what in self.verdicts:
                print(json.dumps({"step": name, "ok": ok, "what": what}))
            return good
        print("\n Verdicts")
        for name, ok, what in self.verdicts:
            print(f"   {'✓' if ok else '✖'} {name:<10} {what}")
        print(f"\n {sum(v[1] for v in self.verdicts)} of {len(self.verdicts)} held"
              f" in {time.monotonic() - self.began:.1f} s.")
        return good

    def keep(self, binary):
        print(f"""
 It goes on running.  Talk to it:
   swaks --server 127.0.0.1:{self.port} --tls --auth-user demo@demo.test --auth-password {self.password} \\
       --from demo@demo.test --to alice@demo.test
   {binary} queue list --socket {self.ours.socket}
   {binary} log -f --socket {self.ours.socket}
   {binary} status --socket {self.ours.socket}
 Its configuration: {self.ours.config}   Its log: {self.ours.dir}/mail.log
 Ctrl-C ends it and removes {self.top}.""")
        try:
            while self.ours.process.poll() is None:
                time.sleep(0.5)
        except KeyboardInterrupt:
            print()

    def close(self):
        for server in (self.ours, self.theirs):
            if server.process:
                server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    demo = Demo(pathlib.Path(args.binary).resolve(), args.json)
    good = False
    try:
        for step in (demo.start, demo.user, demo.login, demo.publish, demo.accept, demo.local, demo.relay,
                     demo.bounce, demo.crash):
            step()
        good = demo.table()
        if args.keep:
            demo.keep(args.binary)
    except (RuntimeError, OSError, smtplib.SMTPException) as error:
        print(f"demo: {error}\n{demo.ours.tail()}\n{demo.theirs.tail()}", file=sys.stderr)
        good = False
    finally:
        demo.close()
        if good:
            shutil.rmtree(demo.top, ignore_errors=True)
        else:
            print(f"demo: what is left is in {demo.top}", file=sys.stderr)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
