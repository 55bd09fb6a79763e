"""accounts -- users and keys that this server itself keeps: the database and its
commands, and files with password hashes."""
import contextlib
import json
import os
import random
import smtplib
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from server import Server, free_port, maildir, wait_for  # noqa: E402

BINARY = Path(os.environ.get("CHECK_BUILD", "build")).resolve() / "nightmail"
IS_ASAN = b"__asan_init" in BINARY.read_bytes()
CONFIG = """\
hostname: mx.acc.test
admin: postmaster@acc.test
cores: 2
database: sqlite:{dir}/db/state.db
listen:
  - {{ address: 127.0.0.1, port: {ports[0]}, role: submission, tls: required }}
  - {{ address: 127.0.0.1, port: {ports[1]}, role: submission, tls: implicit }}
  - {{ address: 127.0.0.1, port: {ports[2]}, role: mx }}
domains:
  acc.test: {{ users: [ alice, bob ] }}
deliver: {{ maildir: "{{dir}}/mail/%u" }}
log: {{ to: {{dir}}/mail.log }}
limits: {{ connections_per_ip: none, per_ip: none }}
"""
PRIVATE = ssl._create_unverified_context()


class Wrong(Exception):
    pass


def check(what, why, *more):
    if not what:
        raise Wrong(" ".join([why, *[repr(m)[-2000:] for m in more]]))


class Machine:
    """A server that may run, and its commands."""

    def __init__(self, where, more=""):
        self.ports = [free_port() for _ in range(3)]
        text = CONFIG.replace("{dir}", "{{dir}}", 1).format(ports=self.ports) + more
        self.server = Server(BINARY, where / "server", text, cage=not IS_ASAN)
        (self.server.dir / "db").mkdir()
        self.server.give_away()

    def cli(self, *words, password=None, rc=0):
        done = subprocess.run([BINARY, *words, "--config", self.server.config], capture_output=True, text=True,
                              input=None if password is None else password + "\n",
                              stdin=subprocess.DEVNULL if password is None else None, timeout=120)
        check(done.returncode == rc, f"{words}: {done.returncode}", done.stdout, done.stderr)
        return done

    def dial(self, source=None):
        c = smtplib.SMTP_SSL("127.0.0.1", self.ports[1], context=PRIVATE, timeout=60,
                             source_address=(source, 0) if source else None)
        c.ehlo("me.test")
        return c

    def says(self, name, password, source=None):
        """The reply to AUTH PLAIN."""
        with contextlib.closing(self.dial(source)) as c:
            try:
                c.user, c.password = name, password
                return c.auth("PLAIN", c.auth_plain)[0]
            except smtplib.SMTPAuthenticationError as no:
                return no.smtp_code

    def send(self, name, password, sender, tag):
        with self.dial() as c:
            c.login(name, password)
            c.sendmail(sender, ["alice@acc.test"], f"From: {sender}\r\nSubject: {tag}\r\n\r\nhello\r\n")

    def arrived(self, tag):
        box = self.server.dir / "mail/alice"
        check(wait_for(lambda: [m for _, m in maildir(box) if m["Subject"] == tag], 30), f"{tag} did not arrive",
              self.server.tail())


@contextlib.contextmanager
def running(m):
    try:
        yield m.server.start()
    finally:
        if m.server.process and m.server.process.poll() is None:
            m.server.kill9()


SCHEMES = {
    "sha512": "{SHA512-CRYPT}$6$saltsalt$g3uPFdehVnKoLXdidvSAg1zlVgYomPr0X/xgdXSBn2LuxZUOGgYW4IULZkguZ77fzYteIur49AGH"
              "mF9iek6Sf1",
    "sha256": "{SHA256-CRYPT}$5$rounds=1000$saltsalt$30.yc4HsSpLTxr3NqKw4EhPINDzNTqzxg9qelAitDW2",
    "bcrypt": "{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O",
    "bare": "$2b$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O",
    "yescrypt": "$y$j75$saltsalt$GDiWx.N0C37GPHdpSsqZd3WwYyf3ltvHTfCRdUo/yG5",
    "argon2id": "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$5xng3iiO6E452ulEa5S6mSeNKT9Sh/GT7Pudox2FxME",
    "argon2i": "{ARGON2I}$argon2i$v=19$m=64,t=3,p=1$c29tZXNhbHQ$AYs0zqKO31yzjSJy26HegZ7DdxiH8LXz4XRmCo7aFTs",
    "pbkdf2": "{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$169c8c9311e5896ff8af974740a913ac0dac669d",
    "ssha256": "{SSHA256}5Xz1RftiibK44CwdFFOVz/ztH2By1r3TR/rSOjLsMSZOYUNs",
    "ssha512": "{SSHA512}OY8e17w5Mqd/JmxIEk6CiAu3FdwXoxaGvq7CG/EQarw4JJVfqsa3aKHqQvAJLrhAT0uT+5+07X3nI1sL+z1PdE5hQ2w=",
    "plain": "{PLAIN}sesame",
}


def schemes(where):
    """Each scheme of Dovecot's, in a file of logins and in a domain's users; what
    is too weak does not load."""
    users = where / "users"
    users.write_text("".join(f"{n}:{h}\n" for n, h in SCHEMES.items()) + "none:x\n")
    people = where / "people"
    people.write_text("".join(f"{n}:{h}\n" for n, h in SCHEMES.items()) + "nopass\n")
    m = Machine(where, f"auth: {{ users: file:{users} }}\n")
    m.server.configure(m.server.config.read_text().replace("users: [ alice, bob ]", f"users: file:{people}"))
    with running(m):
        for name in SCHEMES:
            for login in (name, f"{name}@acc.test"):
                check(m.says(login, "sesame") == 235, f"{login} is not let in", m.server.tail())
            check(m.says(name, "sesam") == 535, f"{name} comes in with another password")
        for name in ("none", "nopass@acc.test", "nobody"):
            check(m.says(name, "x") == 535, f"{name} comes in")
        check(m.server.stop() == 0, "stop", m.server.tail())
    users.write_text("old:$1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/\n")
    said = m.cli("check-config", rc=78).stderr
    check("users:1" in said and "too quick" in said, "MD5 is taken", said)


def has_open(pid, name):
    """Has that process a file of this name open?"""
    try:
        return any(os.readlink(f).endswith(name) for f in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def commands(where):
    """A user's life by the commands, beside a server that was there first."""
    m = Machine(where)
    with running(m):
        check(m.says("bob@acc.test", "first") == 535, "nobody comes in before there is a database")
        m.cli("user", "add", "Bob@acc.test", password="first secret")
        check(m.says("bob@acc.test", "first secret") == 235, "the first user", m.server.tail())
        check(m.says("bob@acc.test", "other") == 535, "another password")
        m.cli("user", "add", "bob@acc.test", password="again", rc=65)
        m.send("bob@acc.test", "first secret", "bob@acc.test", "by-password")
        m.arrived("by-password")
        phone = m.cli("user", "app-password", "add", "bob@acc.test", "phone").stdout.strip()
        check(m.says("bob@acc.test", phone) == 235, "an app password")
        check(m.says("bob@acc.test", phone[:-1]) == 535, "a piece of one")
        check(m.says("alice@acc.test", phone) == 535, "another's app password")
        listed = json.loads(m.cli("user", "app-password", "list", "bob@acc.test", "--json").stdout)
        check(listed["app_password"] == "phone" and phone not in str(listed), "list", listed)
        m.cli("user", "app-password", "rm", "bob@acc.test", "phone")
        check(m.says("bob@acc.test", phone) == 535, "an app password that is gone")
        m.cli("user", "disable", "bob@acc.test")
        check(m.says("bob@acc.test", "first secret") == 535, "disabled")
        m.cli("user", "enable", "bob@acc.test")
        check(m.says("bob@acc.test", "first secret") == 235, "enabled")
        new = m.cli("user", "passwd", "bob@acc.test", "--generate").stdout.strip()
        check(m.says("bob@acc.test", "first secret") == 535, "the old password")
        check(m.says("bob@acc.test", new) == 235, "the new password")
        typing = subprocess.Popen([BINARY, "user", "passwd", "bob@acc.test", "--config", m.server.config], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(wait_for(lambda: has_open(typing.pid, "state.db"), 20), "passwd does not look at the database")
        m.cli("user", "disable", "bob@acc.test")
        said = typing.communicate("typed secret\n", timeout=120)[0]
        check(typing.returncode == 0, "passwd", said)
        check(m.says("bob@acc.test", "typed secret") == 535, "who was disabled while his password was typed comes in")
        m.cli("user", "enable", "bob@acc.test")
        check(m.says("bob@acc.test", "typed secret") == 235, "the typed password")
        check(m.says("bob@acc.test", new) == 535, "the password before it")
        shown = m.cli("user", "show", "bob@acc.test").stdout
        check(f"port {m.ports[1]}, SSL/TLS" in shown and f"port {m.ports[0]}, STARTTLS" in shown and "swaks" in shown,
              "show", shown)
        names = [json.loads(x)["user"] for x in m.cli("user", "list", "--json").stdout.splitlines()]
        check(names == ["bob@acc.test"], "list", names)
        m.cli("user", "rm", "bob@acc.test")
        check(m.says("bob@acc.test", new) == 535, "a user who is gone")
        m.cli("user", "rm", "bob@acc.test", rc=65)
        check(m.server.stop() == 0, "stop", m.server.tail())
    for line in (m.server.dir / "mail.log").read_text().splitlines() + m.server.tail().splitlines():
        check(not any(x in line for x in ("first secret", "typed secret", new, phone)), "a password in the log", line)


def keys(where):
    """API keys as passwords: of any name, for their domains, until revoked."""
    m = Machine(where)
    key = m.cli("key", "create", "shop", "--domains", "acc.test").stdout.strip()
    read = json.loads(m.cli("key", "create", "reader", "--scopes", "read", "--json").stdout)["key"]
    with running(m):
        m.send("whoever", key, "anyone@acc.test", "by-key")
        m.arrived("by-key")
        check(m.says("", key) in (235, 501, 535), "no name at all")
        check(m.says("x", read) == 535, "a key that may only read")
        check(m.says("x", key[:-1] + ("a" if key[-1] != "a" else "b")) == 535, "a key with another letter")
        rows = [json.loads(x) for x in m.cli("key", "list", "--json").stdout.splitlines()]
        check([r["name"] for r in rows] == ["shop", "reader"] and key not in str(rows), "list", rows)
        m.cli("key", "revoke", key)
        check(m.says("x", key) == 535, "a revoked key")
        m.cli("key", "revoke", rows[0]["id"], rc=65)
        check(m.server.stop() == 0, "stop", m.server.tail())
    stored = (m.server.dir / "db/state.db").read_bytes() + (m.server.dir / "db/state.db-wal").read_bytes()
    check(key.split("_")[3].encode() not in stored, "the key is in the database")
    with contextlib.closing(sqlite3.connect(m.server.dir / "db/state.db")) as db:
        check(wait_for(lambda: db.execute("SELECT used FROM api_key WHERE name = 'shop'").fetchone()[0] > 0, 5),
              "when a key was used is not told at the end")


def submits(where):
    """A client as people have it."""
    m = Machine(where)
    m.cli("user", "add", "bob@acc.test", password="sesame")
    with running(m):
        for n, (mechanism, tls) in enumerate((("PLAIN", ["--tls-on-connect", "--port", str(m.ports[1])]),
                                              ("LOGIN", ["--tls", "--port", str(m.ports[0])]))):
            for password, rc in (("sesame", 0), ("sesam", 28)):
                done = subprocess.run(["swaks", "--server", "127.0.0.1", *tls, "--auth", mechanism, "--auth-user",
                                       "bob@acc.test", "--auth-password", password, "--from", "bob@acc.test", "--to",
                                       "alice@acc.test", "--header", f"Subject: swaks{n}"], capture_output=True,
                                      text=True, timeout=60)
                check(done.returncode == rc, f"{mechanism} {password}: {done.returncode}", done.stdout)
            m.arrived(f"swaks{n}")
        check(m.server.stop() == 0, "stop", m.server.tail())


def storm(where):
    """Guesses from many networks, as fast as they go: who has an account comes in."""
    m = Machine(where)
    m.cli("user", "add", "bob@acc.test", password="sesame")
    over, counts, took = threading.Event(), {}, []

    def guess(i):
        while not over.is_set():
            try:
                code = m.says(random.choice(("bob@acc.test", "eve", "root")), str(random.random()), f"127.{9 + i}.0.1")
            except (OSError, smtplib.SMTPException):
                code = "closed"
            counts[code] = counts.get(code, 0) + 1

    with running(m):
        check(m.says("bob@acc.test", "sesame", "127.0.1.1") == 235, "before")
        crowd = [threading.Thread(target=guess, args=(i,)) for i in range(12)]
        for t in crowd:
            t.start()
        for _ in range(20):
            began = time.monotonic()
            code = m.says("bob@acc.test", "sesame", "127.0.1.1")
            took.append(time.monotonic() - began)
            check(code == 235, f"a good login hears {code} in the storm", counts)
        over.set()
        for t in crowd:
            t.join()
        check(sum(counts.values()) > 0 and 235 not in counts, "guesses", counts)
        print(f"# storm: good logins {sorted(took)[len(took) // 2] * 1000:.0f} ms in the middle, {max(took) * 1000:.0f} ms "
              f"at most, TLS and connection with it; guesses heard {counts}", flush=True)
        check(m.server.stop() == 0, "stop", m.server.tail())


def killed(where):
    """Commands that are killed at any instant leave a database that works."""
    m = Machine(where)
    for i in range(25):
        p = subprocess.Popen([BINARY, "user", "add", f"u{i}", "--generate", "--config", m.server.config],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(random.random() * 0.12)
        p.kill()
        said = p.communicate()[0].strip()
        if said:        # who was shown a password has a user
            m.cli("user", "show", f"u{i}")
    m.cli("user", "add", "last", password="sesame")
    with running(m):
        check(m.says("last", "sesame") == 235, "the last", m.server.tail())
        check(m.server.stop() == 0, "stop", m.server.tail())


def damaged(where):
    """A damaged database is told of; mail goes on, and its users hear 454."""
    m = Machine(where)
    m.cli("user", "add", "bob@acc.test", password="sesame")
    db = m.server.dir / "db/state.db"
    with contextlib.closing(sqlite3.connect(db)) as c:
        c.execute("PRAGMA journal_mode = DELETE")
    with open(db, "r+b") as f:
        f.seek(2 * 4096)
        f.write(os.urandom(4096))
    said = m.cli("user", "list", rc=74).stderr
    check("is damaged" in said and ".recover" in said, "the command", said)
    with running(m):
        check(m.says("bob@acc.test", "sesame") == 454, "a user of a damaged database")
        with smtplib.SMTP("127.0.0.1", m.ports[2], timeout=30) as c:
            c.sendmail("x@else.test", ["alice@acc.test"], "Subject: goes-on\r\n\r\nhello\r\n")
        m.arrived("goes-on")
        log = (m.server.dir / "mail.log").read_text()
        check("is damaged" in log, "the log", log[-2000:])
        check(m.server.stop() == 0, "stop", m.server.tail())


CASES = [schemes, commands, keys, submits, storm, killed, damaged]
