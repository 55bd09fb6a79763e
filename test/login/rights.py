"""rights -- whoever logged in sends as whom he may, as much as he may, from where he may."""
import base64
import contextlib
import os
import pathlib
import smtplib
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from server import Server, free_port, wait_for  # noqa: E402

BUILD = pathlib.Path(os.environ.get("CHECK_BUILD", "build")).resolve()
BINARY = BUILD / "nightmail"
# "secret", as openssl passwd -6 has it
HASH = "$6$nightmail$.9Ko3BjC8UHLiUe6R5xjKSMQyqFbq8hyy6kDZlF3rlcmuqg33LRmrDUWwX3voHivlt3PgoacHZok1qOU7Zyvy1"
NAMES = ("alice@rights.test", "bob@rights.test", "news", "old@rights.test", "far@rights.test")
CONFIG = """\
hostname: mx.rights.test
admin: alice@rights.test
cores: 2
listen: [ {{ address: 127.0.0.1, port: {port}, role: submission }} ]
trusted: [ 192.0.2.1 ]
domains:
  rights.test: {{ users: [ alice, bob, postmaster ], aliases: "{{dir}}/aliases" }}
deliver: {{ maildir: "{{dir}}/Maildir/%u" }}
auth: {{ users: "file:{{dir}}/users" }}
accounts:
  news: {{ from: [ "@lists.rights.test", <> ], tenant: acme }}
  bob@rights.test: {{ tenant: acme, limits: {{ messages_per_hour: 3, bytes_per_day: 10K }} }}
  old@rights.test: {{ expires: 2020-01-01 }}
  far@rights.test: {{ networks: 198.51.100.0/24 }}
tenants:
  acme: {{ limits: {{ recipients_per_day: 4 }} }}
log: {{ to: "{{dir}}/mail.log", format: json }}
"""


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def start(where):
    port = free_port()
    s = Server(BINARY, where, CONFIG.format(port=port), cage="asan" not in BUILD.name)
    s.port = port
    (s.dir / "aliases").write_text("boss: bob\nall: alice, bob\n")
    (s.dir / "users").write_text("".join(f"{n}:{HASH}\n" for n in NAMES))
    return s.start()


@contextlib.contextmanager
def client(s, name=None, source="127.0.0.1"):
    with smtplib.SMTP("127.0.0.1", s.port, timeout=60, source_address=(source, 0)) as c:
        c.starttls(context=ssl._create_unverified_context())
        c.ehlo("me.test")
        if name:
            code, text = c.docmd("AUTH PLAIN", base64.b64encode(f"\0{name}\0secret".encode()).decode())
            expect(code == 235, f"{name}: {code} {text}")
        yield c


def says(c, line, code, *words):
    got = c.docmd(line)
    expect(got[0] == code and all(w.encode() in got[1] for w in words), f"{line}: {got}")
    return got[1].decode()


def sent(c, sender, header=b"", to="alice@rights.test", size=0):
    """The reply behind the dot."""
    says(c, f"MAIL FROM:<{sender}>", 250)
    says(c, f"RCPT TO:<{to}>", 250)
    return c.data(header + b"Subject: x\r\n\r\n" + b"x" * size + b"\r\n")


def sends_as_whom_he_may(where):
    s = start(where)
    with client(s, "bob@rights.test") as c:
        for sender in ("bob", "bob+x", "boss"):
            says(c, f"MAIL FROM:<{sender}@rights.test>", 250)
            c.rset()
        for sender in ("alice@rights.test", "all@rights.test", "ceo@bank.example", ""):
            says(c, f"MAIL FROM:<{sender}>", 553, "5.7.1", sender)
        for header in (b"From: ceo@bank.example\r\n", b"From: bob@rights.test, ceo@bank.example\r\n",
                       b"From: \"bob@rights.test\"\r\n <ceo@bank.example>\r\n",
                       b"From: bob@rights.test\r\nSender: ceo@bank.example\r\n"):
            got = sent(c, "bob@rights.test", header)
            expect(got[0] == 550 and b"5.7.1 <ceo@bank.example> in " in got[1], f"{header}: {got}")
        expect(sent(c, "bob@rights.test", b"From: Bob <boss@rights.test>\r\n")[0] == 250, "as himself")
    with client(s, "news") as c:
        for sender, code in (("x@lists.rights.test", 250), ("x@rights.test", 553), ("news@rights.test", 553), ("", 250)):
            says(c, f"MAIL FROM:<{sender}>", code)
            c.rset()
    s.stop()


def may_not_be_here(where):
    """The words are those of a wrong password; the log knows better."""
    s = start(where)
    secret = base64.b64encode(b"\0bob@rights.test\0wrong").decode()
    with client(s) as c:
        wrong = says(c, f"AUTH PLAIN {secret}", 535)
        for name, why in (("old@rights.test", "expired"), ("far@rights.test", "network")):
            secret = base64.b64encode(f"\0{name}\0secret".encode()).decode()
            expect(says(c, f"AUTH PLAIN {secret}", 535) == wrong, f"{name} heard something else")
            expect(wait_for(lambda: any(name in line and f'"reason":"{why}"' in line for line in
                                        (s.dir / "mail.log").read_text().splitlines()), 30), f"{name}: no {why}")
    s.stop()


def as_much_as_he_may(where):
    """By account and by tenant, over connections, cores and a restart."""
    s = start(where)
    for _ in range(2):
        with client(s, "bob@rights.test") as c:
            expect(sent(c, "bob@rights.test")[0] == 250, "within the limit")
    s.stop()
    s.start()
    with client(s, "bob@rights.test") as c:
        got = sent(c, "bob@rights.test", size=9000)
        expect(got[0] == 250, f"{got}")
        says(c, "MAIL FROM:<bob@rights.test>", 452, "4.2.2 Your limit of 3 messages in 60 minutes", "opens again at 20")
        says(c, "MAIL FROM:<bob@rights.test> SIZE=20000", 552, "5.3.4 The limit of 10240 octets in 24 hours")
    with client(s, "news") as c:
        expect(sent(c, "x@lists.rights.test")[0] == 250, "the tenant's fourth")
        says(c, "MAIL FROM:<x@lists.rights.test>", 452, "4.2.2 The limit of all your tenant's accounts, 4 recipients")
    with client(s, "alice@rights.test") as c:
        expect(sent(c, "alice@rights.test")[0] == 250, "others have no limit")
    s.stop()


CASES = [sends_as_whom_he_may, may_not_be_here, as_much_as_he_may]
