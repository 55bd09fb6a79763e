"""cage -- are the lists of the sandbox as short as they can be?  Each entry is taken
out of a server that was linked for that (build/test/system/masked), which then goes
through a day's work in seconds: without the entry something must break, or the
list says why it stands there all the same."""
import base64
import concurrent.futures
import contextlib
import email.message
import gzip
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import smtplib
import socket
import socketserver
import subprocess
import threading
import time

from rig import BUILD, IS_ASAN, IS_ROOT, TOP, Wrong, anyone, check
from server import NOBODY, Server, free_port, maildir, wait_for

MASKED = BUILD / "test/system/masked"
ZONE = "Asia/Tokyo" if os.path.exists("/usr/share/zoneinfo/Asia/Tokyo") else "UTC"
DIED = "signal 31"              # SIGSYS: a call that was masked
CONFIG = """\
hostname: mx.system.test
admin: postmaster@system.test
cores: 2
listen:
  - {{ name: smtp, address: 127.0.0.1, port: {ports[0]}, role: mx }}
  - {{ name: submission, address: 127.0.0.1, port: {ports[1]}, role: submission, tls: required }}
  - {{ name: six, address: "::1", port: {ports[0]}, role: mx }}
domains:
  system.test: {{ users: "file:{where}/users", aliases: {where}/aliases }}
  lmtp.test: {{ users: [ ann ], deliver: {{ lmtp: "unix:{where}/server/lmtp" }} }}
deliver: {{ maildir: "{where}/homes/%u/Maildir", admin: "{{dir}}/mail/admin" }}
trusted: [ 127.0.0.1, "::1" ]
route:
  - {{ if: {{ rcpt_domain: four.test }}, relay: "smtp://127.0.0.1:{ports[2]}" }}
  - {{ if: {{ rcpt_domain: six.test }}, relay: "smtp://[::1]:{ports[2]}" }}
outbound: {{ retry: [ 1s ], bind: 127.0.0.1 }}
dns: {{ forwarders: [ {names} ] }}
database: "sqlite:{where}/server/state.db"
auth:
  mechanisms: [ plain, xoauth2 ]
  dovecot: {where}/server/dovecot
  oauth: {{ issuer: "https://127.0.0.1:{ports[3]}", audience: mail }}
reports: {{ inbox: [ dmarc@system.test ] }}
submit: {{ socket: {where}/server/submit.sock }}
log: {{ to: {{dir}}/logs/mail.log }}
limits: {{ connections_per_ip: none, per_ip: none }}
"""


REPORT = """<?xml version="1.0"?><feedback><report_metadata><org_name>else.test</org_name><email>r@else.test</email>
<report_id>1</report_id><date_range><begin>1763600000</begin><end>1763686399</end></date_range></report_metadata>
<policy_published><domain>system.test</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct>
</policy_published>""" + "".join(f"""<record><row><source_ip>192.0.2.{n}</source_ip><count>{n}</count><policy_evaluated>
<disposition>none</disposition><dkim>fail</dkim><spf>pass</spf></policy_evaluated></row><identifiers>
<header_from>system.test</header_from></identifiers><auth_results><spf><domain>system.test</domain><result>pass</result>
</spf></auth_results></record>""" for n in range(1, 250)) + "</feedback>\n"


def entries():
    """Those of the .def files, with their reasons, and those that are rules of
    sandbox.c: {entry: why}."""
    app = TOP / "src/app"
    out = {f"{who}.{call}": why for who, call, why in re.findall(
        r'^CALL\((\w+), (\w+), "(.*)"\)$', (app / "sandbox_call.def").read_text(), re.M)}
    out.update({f"PLACE.{path}": why for path, why in re.findall(
        r'^PLACE\("(.*?)", "(.*)"\)$', (app / "fence_place.def").read_text(), re.M)})
    out.update({f"{who}.{name}": why for who, name, why in re.findall(
        r'^WHEN\((\w+), ([\w-]+), "(.*)"\)$', (app / "sandbox_call.def").read_text(), re.M)})
    return out


class Sink(socketserver.StreamRequestHandler):
    """Takes all mail, by SMTP and LMTP."""

    def handle(self):
        self.wfile.write(b"220 sink\r\n")
        while line := self.rfile.readline():
            if line[:4].upper() == b"DATA":
                self.wfile.write(b"354 go\r\n")
                text = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    text += part
                self.server.got.append(text)
            self.wfile.write(b"221 bye\r\n" if line[:4].upper() == b"QUIT" else b"250 ok\r\n")


class Four(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


class Six(Four):
    address_family = socket.AF_INET6


class Local(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class NoSuchName(socketserver.BaseRequestHandler):
    """A DNS in which there is nothing."""

    def handle(self):
        asked, answer = self.request
        answer.sendto(asked[:2] + b"\x81\x83" + asked[4:6] + b"\0\0\0\0\0\0" + asked[12:asked.index(b"\0", 12) + 5],
                      self.client_address)


class Names(socketserver.ThreadingUDPServer):
    daemon_threads = True


@contextlib.contextmanager
def sinks(where, port, names):
    """One mailbox for what comes to any of them."""
    got, all_of_them = [], []
    for kind, at in ((Four, ("127.0.0.1", port)), (Six, ("::1", port)), (Local, f"{where}/server/lmtp"),
                     (Names, (names, 53))):
        s = kind(at, NoSuchName if kind is Names else Sink)
        s.got = got
        all_of_them.append(s)
        threading.Thread(target=s.serve_forever, args=(0.05,), daemon=True).start()
    os.chmod(f"{where}/server/lmtp", 0o777)
    try:
        yield got
    finally:
        for s in all_of_them:
            s.shutdown()
            s.server_close()


class Day:
    """What is done, step by step; whatever breaks is told by Wrong."""

    def __init__(self, where, mask):
        self.where = where
        self.ports = [free_port() for _ in range(4)]
        self.names = f"127.53.{os.getpid() % 250 + 1}.{random.randrange(1, 250)}"
        home = where / "server"
        (home / "logs").mkdir(parents=True)
        for name, uid in (("alice", pwd.getpwnam(NOBODY).pw_uid), ("bob", 1)):
            (where / "homes" / name).mkdir(parents=True)
            os.chown(where / "homes" / name, uid, uid)
        (where / "users").write_text(f"alice:*\nbob:*:1:1::{where}/homes/bob\n")
        (where / "aliases").write_text("piped: |/bin/cat\n")
        os.chmod(where, 0o755)
        self.server = Server(MASKED, home, CONFIG.format(ports=self.ports, where=where, names=self.names),
                             env={"NIGHTMAIL_MASK": mask or "", "TZ": ZONE})

    def wait(self, what, why, seconds=20):
        """Until it is so; at once no more when somebody died of the mask."""
        got = wait_for(lambda: what() or DIED in self.server.tail(400), seconds)
        self.alive()
        check(got, why, self.server.tail())

    def alive(self):
        check(DIED not in self.server.tail(400), DIED)

    def begin(self):
        s = self.server
        s.start(wait=0)

        def is_up():
            ended = s.process.poll() is not None
            check(not ended, "it does not start", s.tail())
            return os.path.exists(s.socket) and s.ask("status", "--json").returncode == 0
        self.wait(is_up, "not ready")

    def mail(self, to, tag, host="127.0.0.1", sender="ann@else.test", more=""):
        try:
            with smtplib.SMTP(host, self.ports[0], timeout=20) as c:
                if tag == "private":
                    c.starttls(context=anyone())
                c.sendmail(sender, [to], f"From: {sender}\r\nSubject: {tag}\r\n{more}\r\nhello\r\n")
        except (OSError, smtplib.SMTPException) as e:
            self.alive()
            raise Wrong(f"{tag}: {e}") from e

    def inbox(self, user):
        return {str(m["Subject"]) for _, m in maildir(self.where / "homes" / user / "Maildir")}

    def ask(self, *words, right=0):
        r = self.server.ask(*words)
        self.alive()
        check(r.returncode == right, " ".join(words), r.stdout[-500:], r.stderr[-500:])
        return r.stdout

    def incoming(self):
        self.mail("alice@system.test", "plain")
        self.mail("alice@system.test", "private")
        self.mail("alice@system.test", "six", "::1")
        self.mail("bob@system.test", "porter")
        self.mail("piped@system.test", "pipe")
        self.mail("ann@lmtp.test", "lmtp")
        self.mail("x@four.test", "four")
        self.mail("x@six.test", "over-six")
        self.wait(lambda: {"plain", "private", "six"} <= self.inbox("alice"), "not delivered by the worker")
        self.wait(lambda: "porter" in self.inbox("bob"), "not delivered by the porter")

    def report(self):
        """Somebody's report about us, packed: the reader takes it apart."""
        text = email.message.EmailMessage()
        text["From"], text["To"], text["Subject"] = "r@else.test", "dmarc@system.test", "Report Domain: system.test"
        text.set_content("see there\n")
        text.add_attachment(gzip.compress(REPORT.encode()), "application", "gzip", filename="else.test!system.test!1!2.xml.gz")
        with smtplib.SMTP("127.0.0.1", self.ports[0], timeout=20) as c:
            c.send_message(text)

        def told():
            return [e["event"] for e in self.server.events() if e["event"].startswith("report_")]
        self.wait(told, "the report is not told of")
        check(told() == ["report_taken"], "the reader ended", told())

    def outgoing(self, got):
        def all_there():
            return {re.search(rb"Subject: (\S+)", t)[1] for t in list(got)} >= {b"lmtp", b"four", b"over-six"}
        self.wait(all_there, "not sent")

    def login(self, mechanism, said, code):
        try:
            with smtplib.SMTP("127.0.0.1", self.ports[1], timeout=20) as c:
                c.starttls(context=anyone())
                c.ehlo()
                got = c.docmd("AUTH", f"{mechanism} {base64.b64encode(said.encode()).decode()}")
                while got[0] == 334:
                    got = c.docmd("=")
        except (OSError, smtplib.SMTPException) as e:
            self.alive()
            raise Wrong(f"{mechanism}: {e}") from e
        self.alive()
        check(got[0] in code, mechanism, got, self.server.tail())

    def logins(self):
        r = subprocess.run([str(MASKED), "user", "add", "carol@system.test", "--generate", "--json", "--config",
                            str(self.server.config)], capture_output=True, text=True)
        check(r.returncode == 0, "user add", r.stdout, r.stderr)
        password = json.loads(r.stdout)["password"]
        for _ in range(2):
            self.login("PLAIN", f"\0carol@system.test\0{password}", (235,))
        self.login("PLAIN", "\0nobody@system.test\0wrong", (454, 535))
        self.login("XOAUTH2", "user=x@system.test\1auth=Bearer aaaa.bbbb.cccc\1\1", (454, 535))

    def operator(self):
        self.ask("queue", "list")
        self.ask("dkim", "show", "system.test")
        r = subprocess.run([str(MASKED), "sendmail", "-f", "root@else.test", "alice@system.test"], input="Subject: local\n\nhi\n",
                           text=True, capture_output=True, env=dict(os.environ, NIGHTMAIL_SUBMIT=f"{self.server.dir}/submit.sock"))
        check(r.returncode == 0, "sendmail", r.stderr)
        text = self.server.config.read_text()
        self.server.config.write_text(text.replace(f"{self.server.dir}/logs/mail.log", "syslog"))
        check("log stays" not in self.ask("reload"), "the log cannot be moved")
        self.server.config.write_text(text)
        check("log stays" not in self.ask("reload"), "the log cannot be moved back")
        self.ask("log", "--json")

    def end(self):
        first = (self.server.dir / "logs/mail.log").read_text()[:9]
        check(not re.search(rf"{time.strftime('%H', time.gmtime())}$", first) or ZONE == "UTC", "the log's times are not of TZ", first)
        check(self.server.stop() == 0, "it does not end well", self.server.tail())
        self.alive()


def day(where, mask=None):
    """None, or what broke."""
    d = Day(where, mask)
    try:
        with sinks(where, d.ports[2], d.names) as got:
            for step in (d.begin, d.incoming, lambda: d.outgoing(got), d.report, d.logins, d.operator, d.end):
                step()
    except (Wrong, RuntimeError, smtplib.SMTPException, OSError) as e:
        return str(e)[:2000] or repr(e)
    finally:
        if d.server.process and d.server.process.poll() is None:
            d.server.kill9()
    return None


def rules():
    """The names of what sandbox.c allows with some arguments."""
    text = (TOP / "src/app/sandbox.c").read_text()
    return set(re.findall(r'CALL_WHEN\(\w+, "([\w-]+)"', text.replace("&", ""))) | set(re.findall(r'\{ "([\w-]+)", ', text))


def try_one(where, entry):
    """Without it: what broke, or None."""
    place = where / re.sub(r"\W", "_", entry)
    place.mkdir()
    place.chmod(0o755)
    try:
        return day(place, entry)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def lists(where):
    """Every entry of the allow-lists is needed (some of them, by SEED, but in the night)."""
    if not IS_ROOT:
        return "only root has all the processes"
    all_of_them = entries()
    named = {e.split(".", 1)[1] for e in all_of_them}
    check(rules() <= named, "sandbox.c allows what sandbox_call.def does not tell", sorted(rules() - named))
    whole = try_one(where, "NOBODY.nothing")
    check(whole is None, "with all of them the day does not go well", whole)
    wanted = [e for e, why in all_of_them.items() if not why]
    if os.environ.get("CHECK_MODE") == "long":
        wanted = list(all_of_them)
    else:
        seed = os.environ.get("SEED") or str(random.randrange(1 << 32))
        print(f"# SEED={seed}")
        wanted = random.Random(seed).sample(wanted, FEW)
    with concurrent.futures.ThreadPoolExecutor(FEW) as pool:
        broke = dict(zip(wanted, pool.map(lambda e: try_one(where, e), wanted)))
    for entry, how in broke.items():
        print(f"# without {entry}: {(how or 'nothing breaks').splitlines()[0][:100]}")
    idle = [e for e in wanted if broke[e] is None and not all_of_them[e]]
    check(not idle, "nothing breaks without them", idle)


FEW = 3                 # of which each takes some seconds
CASES = [] if IS_ASAN else [lists]


if __name__ == "__main__":
    import sys
    import tempfile
    with tempfile.TemporaryDirectory(dir="/var/tmp") as w:
        os.chmod(w, 0o755)
        print(try_one(pathlib.Path(w), sys.argv[1] if sys.argv[1:] else "NOBODY.nothing"))
