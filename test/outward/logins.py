"""logins -- smarthosts that want to know who we are: each mechanism, refusals, and
that a password goes nowhere in clear text or for another's mail."""
import base64
import hashlib
import hmac
import json
import os
import ssl
import subprocess

from peer import Authority, Peer, b64
from rig import check, started
from server import free_port, wait_for

USER, PASSWORD, TOKEN = "relay@out.test", "Pässwort 1", "ya29.token"


def unb64(text):
    return base64.b64decode(text, validate=True)


def digest(name, key, data):
    return hmac.new(key, data, name).digest()


class Cancelled(Exception):
    pass


class Door:
    """The server's side of AUTH; notes what it heard in peer.logins."""

    def __init__(self, *mechanisms, refuse=None, lie=False, password=PASSWORD):
        self.mechanisms, self.refuse, self.lie, self.password = mechanisms, refuse, lie, password

    def lines(self):
        return ["AUTH " + " ".join(self.mechanisms)]

    def ask(self, talk, challenge):
        talk.say("334 " + challenge)
        answer = talk.line()
        if answer == "*":
            raise Cancelled
        return answer

    def plain(self, talk, first):
        zid, user, password = unb64(first).decode().split("\0")
        return user if (zid, user, password) == ("", USER, self.password) else None

    def login(self, talk, first):
        user = unb64(self.ask(talk, b64("Username:"))).decode()
        password = unb64(self.ask(talk, b64("Password:"))).decode()
        return user if (user, password) == (USER, self.password) else None

    def scram(self, talk, first, name, binding=None):
        message = unb64(first).decode()
        gs2, bare = message[:message.index("n=")], message[message.index("n="):]
        check(gs2.startswith("p=tls-server-end-point,") == bool(binding), "gs2", gs2)
        fields = dict(f.split("=", 1) for f in bare.split(","))
        nonce, salt, rounds = fields["r"] + b64(os.urandom(9)), os.urandom(12), 4096
        told = f"r={nonce},s={b64(salt)},i={rounds}"
        final = unb64(self.ask(talk, b64(told))).decode()
        without, proof = final.rsplit(",p=", 1)
        check(unb64(dict(f.split("=", 1) for f in without.split(","))["c"]) == gs2.encode() + (binding or b""), "c=", final)
        salted = hashlib.pbkdf2_hmac(name, self.password.encode(), salt, rounds)
        client, server = digest(name, salted, b"Client Key"), digest(name, salted, b"Server Key")
        auth = f"{bare},{told},{without}".encode()
        sign = digest(name, hashlib.new(name, client).digest(), auth)
        if bytes(a ^ b for a, b in zip(client, sign)) != unb64(proof):
            return None
        proof = digest(name, server if not self.lie else b"x", auth)
        self.ask(talk, b64(b"v=" + b64(proof).encode()))
        return fields["n"]

    def bearer(self, talk, first):
        text = unb64(first).decode()
        fine = f"auth=Bearer {TOKEN}\1" in text and (f"user={USER}\1" in text or f"a={USER}," in text)
        if not fine:
            self.ask(talk, b64(json.dumps({"status": "401"})))
        return USER if fine else None

    def __call__(self, talk, line):
        _, mechanism, *first = line.split(" ")
        talk.peer.logins.append((mechanism, talk.is_private))
        if self.refuse:
            talk.say(self.refuse)
            return
        certificate = ssl.PEM_cert_to_DER_cert(talk.peer.tls[0].read_text())
        how = {"PLAIN": self.plain, "LOGIN": self.login, "OAUTHBEARER": self.bearer, "XOAUTH2": self.bearer,
               "SCRAM-SHA-1": lambda t, f: self.scram(t, f, "sha1"),
               "SCRAM-SHA-256": lambda t, f: self.scram(t, f, "sha256"),
               "SCRAM-SHA-256-PLUS": lambda t, f: self.scram(t, f, "sha256", hashlib.sha256(certificate).digest())}
        try:
            talk.user = how[mechanism](talk, first[0] if first else None)
        except Cancelled:
            talk.say("501 5.7.0 as you like")
            return
        talk.say("235 2.7.0 welcome" if talk.user else "535 5.7.8 no")


def relay(port, auth, tls="encrypt", domain="*", host="mx.test"):
    return f"  - {{ if: {{ rcpt_domain: '{domain}' }}, relay: 'smtp://{host}:{port}', tls: {tls}, auth: {auth} }}\n"


def mechanisms(where):
    """The best that is offered, and each of them alone."""
    ca = Authority(where)
    own = ca.of("mx.test")
    (where / "password").write_text(PASSWORD)
    (where / "token").write_text(TOKEN + "\n")
    for f in ("password", "token"):
        (where / f).chmod(0o644)
    by_password = f"{{ user: '{USER}', password: 'file:{where}/password' }}"
    by_token = f"{{ user: '{USER}', token: {where}/token }}"
    only_plain = f"{{ user: '{USER}', password: 'file:{where}/password', mechanisms: [ plain, login ] }}"
    scram = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN")
    kinds = {"plus": (("SCRAM-SHA-256-PLUS", *scram), by_password, "SCRAM-SHA-256-PLUS"),
             "scram": (scram, by_password, "SCRAM-SHA-256"), "old": (scram[1:], by_password, "SCRAM-SHA-1"),
             "plain": (("LOGIN", "PLAIN", "GSSAPI"), by_password, "PLAIN"), "login": (("LOGIN",), by_password, "LOGIN"),
             "bearer": (("XOAUTH2", "OAUTHBEARER", "PLAIN"), by_token, "OAUTHBEARER"),
             "xoauth2": (("XOAUTH2", "PLAIN"), by_token, "XOAUTH2"), "allowed": (scram, only_plain, "PLAIN")}
    peers, routes = {}, "route:\n"
    port = free_port("127.0.0.2")
    zone = []
    try:
        for i, (kind, (offered, auth, _)) in enumerate(kinds.items()):
            door = Door(*offered)
            peers[kind] = Peer(f"127.0.0.{i + 2}", port, tls=own, extensions=door.lines(), login=door,
                               clear_extensions=["AUTH PLAIN LOGIN"], versions=ssl.TLSVersion.TLSv1_2 if kind == "plus" else None)
            zone.append(f"{kind}.host.test. A 127.0.0.{i + 2}")
            routes += relay(port, auth, domain=f"{kind}.example", host=f"{kind}.host.test")
        with started(where / "s", zone=zone, more=routes) as s:
            s.send(*[f"bob@{kind}.example" for kind in kinds])
            for kind, (_, _, wanted) in kinds.items():
                e = s.last(f"bob@{kind}.example")
                check(e["event"] == "delivered", kind, e, peers[kind].logins)
                check(peers[kind].logins == [(wanted, True)], kind, peers[kind].logins)
                check(peers[kind].mails[0]["user"] == USER, kind, peers[kind].mails)
                check("AUTH=<>" in peers[kind].mails[0]["params"], "RFC 4954 5", peers[kind].mails)
            log = s.mail_log() + s.log.read_text() + s.ask("log", "--json").stdout
            shown = subprocess.run([s.binary, "config", "show", "--config", str(s.config)], capture_output=True,
                                   text=True, check=True).stdout
            check(shown, "config show says nothing")
            for secret in (PASSWORD, b64(PASSWORD), b64(f"\0{USER}\0{PASSWORD}"), TOKEN):
                check(secret not in log and secret not in shown, "a secret is told", secret)
    finally:
        for p in peers.values():
            p.__exit__()


def refused(where):
    """535, 454, no mechanism, no TLS, a server that lies: the mail waits, and the
    operator is told; the password is never said in clear text."""
    ca = Authority(where)
    own = ca.of("mx.test")
    auth = f"'{USER}:{PASSWORD}'"
    port = free_port("127.0.0.2")
    doors = {"bad": Door("PLAIN", password="another"), "later": Door("PLAIN", refuse="454 4.7.0 my database is down"),
             "none": Door("GSSAPI"), "liar": Door("SCRAM-SHA-256", lie=True), "weak": Door("PLAIN", refuse="504 5.5.4 no"),
             "clear": Door("PLAIN")}
    says = {"bad": "4.7.8 logging in as relay@out.test: the relay does not take our name and password: 535 no",
            "later": "4.7.0 logging in as relay@out.test: the relay cannot say now: 454 my database is down",
            "none": "4.7.0 logging in as relay@out.test: the relay offers no way to log in that fits: GSSAPI",
            "liar": "4.7.0 logging in as relay@out.test: the relay speaks the mechanism wrongly: ",
            "weak": "4.7.0 logging in as relay@out.test: the relay offers no way to log in that fits: PLAIN",
            "clear": "4.7.11 logging in as relay@out.test: it is done inside TLS only, and the relay has none"}
    peers, routes, zone = {}, "route:\n", []
    try:
        for i, (kind, door) in enumerate(doors.items()):
            peers[kind] = Peer(f"127.0.0.{i + 2}", port, tls=None if kind == "clear" else own, extensions=door.lines(),
                               clear_extensions=door.lines(), login=door)
            zone.append(f"{kind}.host.test. A 127.0.0.{i + 2}")
            routes += relay(port, auth, tls="may", domain=f"{kind}.example", host=f"{kind}.host.test")
        with started(where / "s", zone=zone, more=routes) as s:
            s.send(*[f"bob@{kind}.example" for kind in doors])
            for kind, wanted in says.items():
                e = s.last(f"bob@{kind}.example")
                check(e["event"] == "delayed" and f"{e['dsn']} {e.get('reply', e.get('text'))}".startswith(wanted), kind, e)
                check(not peers[kind].mails and all(private for _, private in peers[kind].logins), kind, peers[kind].logins)
            told = wait_for(lambda: [e for e in s.events() if e["event"] == "relay_login" and "bad." in e["relay"]], 20)
            check(told and "does not let us in" in told[0]["text"], "not told", told)
            check(not peers["clear"].logins, "a login in clear text")
    finally:
        for p in peers.values():
            p.__exit__()


def one_password_each(where):
    """Two routes with one host and two users: a connection is never the other's."""
    ca = Authority(where)
    port = free_port("127.0.0.2")

    class Any(Door):
        def plain(self, talk, first):
            return unb64(first).decode().split("\0")[1]

    door = Any("PLAIN")
    routes = "route:\n" + "".join(
        f"  - {{ if: {{ rcpt_domain: {n}.example }}, relay: 'smtp://127.0.0.2:{port}', tls: encrypt, auth: '{n}:x' }}\n"
        for n in ("a", "b")) + f"  - {{ relay: 'smtp://127.0.0.2:{port}' }}\n"
    with Peer("127.0.0.2", port, tls=ca.of("mx.test"), extensions=door.lines(), login=door) as peer, \
            started(where / "s", outbound="connections: 1", more=routes) as s:
        for _ in range(4):
            s.send("x@a.example", "x@b.example", "x@c.example")
        check(wait_for(lambda: len(peer.mails) == 12, 40), "not all came", peer.mails, s.mail_log())
        for m in peer.mails:
            check(m["user"] == {"a": "a", "b": "b", "c": None}[m["rcpts"][0][2]], "another's connection", m)


CASES = [mechanisms, refused, one_password_each]
