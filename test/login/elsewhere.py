"""elsewhere -- users that Dovecot, slapd or an issuer of tokens knows."""
import base64
import contextlib
import itertools
import json
import os
import pathlib
import signal
import smtplib
import ssl
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import box  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from issuer import Issuer  # noqa: E402
from server import Server, free_port, wait_for  # noqa: E402
from slapd import Slapd  # noqa: E402

BINARY = pathlib.Path(os.environ.get("CHECK_BUILD", "build")).resolve() / "nightmail"
CONFIG = """\
hostname: mx.dir.test
cores: {cores}
listen:
  - {{ address: 127.0.0.1, port: {port}, role: submission }}
domains:
  dir.test: {{ users: [ alice ] }}
trusted: 192.0.2.0/24
deliver: {{ maildir: "{{dir}}/mail/%u" }}
dns: {{ zone: {{dir}}/zone }}
limits: {{ connections_per_ip: none, per_ip: none }}
tls: {{ state: {{dir}}/state }}
auth:
  database: off
{auth}
"""
ZONE = "ldap.test A 127.0.0.1\nissuer.test A 127.0.0.1\n"
NETWORKS = itertools.count(1)


class Wrong(Exception):
    pass


def check(what, why, *more):
    if not what:
        raise Wrong(" ".join([why, *[repr(m)[-3000:] for m in more]]))


def certificate(where, names="DNS:ldap.test,DNS:issuer.test"):
    """A CA of the test's own, and a certificate by it for who is asked."""
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    ca, key, request, cert = (where / n for n in ("ca.pem", "key.pem", "request.pem", "cert.pem"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", where / "ca.key", "-out", ca, "-subj", "/CN=test", "-days", "30")
    openssl("req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=elsewhere")
    (where / "names").write_text(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", where / "ca.key", "-CAcreateserial",
            "-out", cert, "-days", "30", "-extfile", where / "names")
    return cert, key, ca


@contextlib.contextmanager
def asking(where, auth, env=None, cores=2):
    """A nightmail with these lines below auth."""
    (where / "server").mkdir(parents=True)
    (where / "server/zone").write_text(ZONE)
    port = free_port()
    text = CONFIG.format(port=port, cores=cores, auth="\n".join("  " + line for line in auth.splitlines()))
    s = Server(BINARY, where / "server", text, env=env, cage=b"__asan_init" not in BINARY.read_bytes())
    s.port = port
    s.start()
    try:
        yield s
    finally:
        s.stop()


def conversation(s):
    """A TLS one, from a network that never failed before."""
    c = smtplib.SMTP("127.0.0.1", s.port, timeout=100, source_address=(f"127.1.{next(NETWORKS)}.1", 0))
    c.ehlo("me.test")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    c.starttls(context=context)
    c.ehlo("me.test")
    return c


def say(c, *words):
    code, text = c.docmd(*words)
    return f"{code} {text.decode()}"


def plain(s, user, password):
    """What AUTH PLAIN is answered."""
    with conversation(s) as c:
        return say(c, "AUTH", "PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())


def bearer(s, user, token, mechanism="XOAUTH2"):
    """What a token is answered, and the JSON that came before, if it did."""
    said = (f"user={user}\1auth=Bearer {token}\1\1" if mechanism == "XOAUTH2" else
            f"n,a={user},\1host=mx.dir.test\1port=587\1auth=Bearer {token}\1\1")
    with conversation(s) as c:
        answer = say(c, "AUTH", f"{mechanism} {base64.b64encode(said.encode()).decode()}")
        if not answer.startswith("334 "):
            return answer, None
        about = json.loads(base64.b64decode(answer[4:]))
        return say(c, "" if mechanism == "XOAUTH2" else base64.b64encode(b"\1").decode()), about


def expect(got, begins, *more):
    check(got.startswith(begins), f"wanted {begins}, got", got, *more)


def down(s):
    return [d["name"] for d in s.status()["directories_down"]]


def told(s, event):
    return [e for e in s.events() if e["event"] == event]


def swaks(s, mechanism, user, password):
    done = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(s.port), "--tls", "--auth", mechanism, "--auth-user", user,
         "--auth-password", password, "--quit-after", "AUTH", "--helo", "me.test"], capture_output=True, text=True)
    check(" 235 2.7.0" in done.stdout.replace("~>", "").replace("<~", ""), f"swaks {mechanism}", done.stdout)


# ---- Dovecot ----

AUTH_SOCKET = """\
service auth {{
  unix_listener {where}/auth-client {{
    mode = 0666
  }}
}}
auth_mechanisms = plain login
"""


def dovecot_beside(where):
    return Dovecot(where / "dovecot", ["alice", "bob"], where / "dovecot/mail/%n",
                   more=AUTH_SOCKET.format(where=where / "dovecot"))


def auth_processes(dovecot):
    ours = os.readlink(f"/proc/{dovecot.box.init}/ns/mnt")
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text() == "auth\n" and os.readlink(path / "ns/mnt") == ours:
                yield int(path.name)
        except OSError:
            continue


def dovecot(where):
    """Right and wrong passwords, many at once, and a Dovecot that starts again."""
    if why := box.missing():
        return why
    with dovecot_beside(where) as d, asking(where, f"dovecot: {where}/dovecot/auth-client") as s:
        expect(plain(s, "alice", "any"), "235 2.7.0", s.tail())
        expect(plain(s, "alice", "wrong"), "535 5.7.8")
        expect(plain(s, "eve", "any"), "535 5.7.8")
        swaks(s, "PLAIN", "bob", "any")
        swaks(s, "LOGIN", "bob", "any")
        said = []
        threads = [threading.Thread(target=lambda: said.append(plain(s, "bob", "any"))) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        check([t for t in said if t.startswith("235 ")] == said and len(said) == 20, "many at once", said)
        for pid in auth_processes(d):
            os.kill(pid, signal.SIGKILL)
        check(wait_for(lambda: plain(s, "alice", "any").startswith("235 "), 60, 0.5), "it does not come back",
              s.tail(), d.tail())
        check(down(s) == [], "it is down still", s.status())


TOKENS = """\
auth_mechanisms = plain login oauthbearer xoauth2
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {where}/tokens.conf
}}
"""
TOKENS_CONF = """\
introspection_mode = post
introspection_url = {url}/introspect
client_id = nightmail
client_secret = s3
username_attribute = username
active_attribute = active
active_value = true
tls_ca_cert_file = {ca}
"""


def dovecot_tokens(where):
    """Tokens that Dovecot has checked by an issuer."""
    if why := box.missing():
        return why
    cert = certificate(where, "DNS:localhost,IP:127.0.0.1")
    with Issuer(where / "issuer", cert, name="localhost") as i:
        (where / "tokens.conf").write_text(TOKENS_CONF.format(url=i.url, ca=cert[2]))
        i.known = {"abc": {"active": True, "username": "alice", "scope": "smtp"}}
        with Dovecot(where / "dovecot", ["alice", "bob"], where / "dovecot/mail/%n",
                     more=(AUTH_SOCKET + TOKENS).format(where=where / "dovecot").replace(
                         f"{where}/dovecot/tokens.conf", f"{where}/tokens.conf")) as d, asking(
                where, f"dovecot: {where}/dovecot/auth-client\ndovecot_tokens: yes") as s:
            for mechanism in ("XOAUTH2", "OAUTHBEARER"):
                expect(bearer(s, "alice", "abc", mechanism)[0], "235 2.7.0", mechanism, s.tail(), d.tail())
                expect(bearer(s, "alice", "xyz", mechanism)[0], "535 5.7.8", mechanism, s.tail(), d.tail())
            expect(bearer(s, "bob", "abc")[0], "535 5.7.8", s.tail(), d.tail())
            expect(plain(s, "alice", "any"), "235 ")


def dovecot_hangs(where):
    """Stopped in the middle: 454, then 454 at once, told once; and on it goes."""
    if why := box.missing():
        return why
    (where / "users").write_text("filed:{PLAIN}secret\n")
    (where / "users").chmod(0o640)
    with dovecot_beside(where) as d, asking(
            where, f"dovecot: {where}/dovecot/auth-client\nusers: file:{where}/users") as s:
        expect(plain(s, "alice", "any"), "235 ")
        stopped = list(auth_processes(d))
        check(stopped, "Dovecot has no auth process")
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        expect(plain(s, "alice", "any"), "454 4.7.0")
        expect(plain(s, "filed", "secret"), "235 ")
        check(down(s) == [f"dovecot:{where}/dovecot/auth-client"], "status does not name it", s.status())
        check(wait_for(lambda: told(s, "directory_down"), 20, 0.2), "nobody was told")
        check(len(told(s, "directory_down")) == 1, "told once", told(s, "directory_down"))
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        check(wait_for(lambda: plain(s, "alice", "any").startswith("235 "), 90, 1), "it does not come back", s.tail())
        # The core that found it down must have somebody to ask for.
        check(wait_for(lambda: plain(s, "alice", "any") and told(s, "directory_back"), 90, 0.5),
              "nobody was told that it is back")


# ---- LDAP ----

PEOPLE = [("alice", "wonder", ["alice@dir.test", "sales@dir.test"]), ("bob", "builder", []),
          ("twin", "one", ["same@dir.test"]), ("twin2", "two", ["same@dir.test"]),
          ("a*b(c)\\", "stars", [])]
SEARCH = "base: \"dc=dir,dc=test\", bind_dn: \"cn=mail,dc=dir,dc=test\", password: env:LDAP_SECRET"
SECRET = {"LDAP_SECRET": "service"}


def person(uid):
    """As it stands in LDIF."""
    return uid.replace("\\", "\\5C")


def directory_of(where, name="slapd", cert=None, least=0):
    people = [p for p in PEOPLE if "*" not in p[0]]
    return Slapd(where / name, cert or certificate(where), people, least)


def ldap(where):
    """Search and bind by StartTLS: who is right, wrong, twice there, clever."""
    cert = certificate(where)
    with directory_of(where, cert=cert, least=71) as d, asking(
            where, f"ldap: {{ servers: \"ldap://ldap.test:{d.port}\", ca: {cert[2]}, name: uid, {SEARCH} }}",
            SECRET) as s:
        expect(plain(s, "alice", "wonder"), "235 2.7.0", s.tail())
        expect(plain(s, "sales@dir.test", "wonder"), "235 ")
        for user, password in (("alice", "wrong"), ("eve", "x"), ("same@dir.test", "one"), ("*", "wonder"),
                               ("alice)(uid=*", "wonder"), ("alice\\2a", "wonder")):
            expect(plain(s, user, password), "535 5.7.8", user)
        # An empty password is an anonymous bind: it must never be tried.
        check(plain(s, "alice", "")[:3] in ("501", "535"), "an empty password")
        swaks(s, "PLAIN", "bob", "builder")
        swaks(s, "LOGIN", "bob", "builder")
        with conversation(s) as c:
            expect(say(c, "AUTH", "PLAIN " + base64.b64encode(b"\0sales@dir.test\0wonder").decode()), "235 ")
            expect(say(c, "MAIL", "FROM:<sales@dir.test>"), "250 ")
            expect(say(c, "RSET"), "250 ")
            expect(say(c, "MAIL", "FROM:<bob@dir.test>"), "553 5.7.1")
        # The account is called as the directory calls him.
        check(wait_for(lambda: [e for e in told(s, "refused") if e.get("user") == "alice"], 20, 0.2),
              "the refusal does not name him", told(s, "refused"))
        check(down(s) == [], "nobody is down", s.status())
        check("service" not in s.ask("config", "show", "--config", str(s.config)).stdout, "the secret is shown")


def ldap_ways(where):
    """ldaps, ldapi, a template; somebody else's certificate gets no password."""
    cert = certificate(where)
    (where / "other").mkdir()
    other = certificate(where / "other")
    with directory_of(where, cert=cert) as d:
        ways = {"ldaps": f"servers: \"ldaps://ldap.test:{d.tls_port}\", ca: {cert[2]}, {SEARCH}",
                "ldapi": f"servers: ldapi://{d.socket}, {SEARCH}",
                "template": f"servers: \"ldaps://ldap.test:{d.tls_port}\", ca: {cert[2]}, "
                            "dn: \"uid=%n,ou=people,dc=dir,dc=test\"",
                "loopback": f"servers: \"ldap://127.0.0.1:{d.port}\", start_tls: no, clear: loopback, {SEARCH}"}
        for way, text in ways.items():
            with asking(where / way, f"ldap: {{ {text} }}", SECRET) as s:
                expect(plain(s, "alice", "wonder"), "235 ", way, s.tail())
                expect(plain(s, "bob", "wonder"), "535 ", way)
        for way, text in {"stranger": f"servers: \"ldaps://ldap.test:{d.tls_port}\", ca: {other[2]}, {SEARCH}",
                          "name": f"servers: \"ldaps://localhost:{d.tls_port}\", ca: {cert[2]}, {SEARCH}"}.items():
            with asking(where / way, f"ldap: {{ {text} }}", SECRET) as s:
                expect(plain(s, "alice", "wonder"), "454 4.7.0", way)
                why = s.status()["directories_down"][0]["why"]
                check("certificate" in why, "why it is not asked", why)


def ldap_hangs(where):
    """slapd stopped in mid-bind: 454 within the deadline, while others log in."""
    cert = certificate(where)
    (where / "users").write_text("filed:{PLAIN}secret\n")
    (where / "users").chmod(0o640)
    with directory_of(where, cert=cert) as d, asking(
            where, f"users: file:{where}/users\n"
            f"ldap: {{ servers: \"ldap://ldap.test:{d.port}\", ca: {cert[2]}, timeout: 3s, {SEARCH} }}",
            SECRET, cores=1) as s:
        expect(plain(s, "alice", "wonder"), "235 ", s.tail())
        d.pause()
        said = []
        waiting = [threading.Thread(target=lambda: said.append(plain(s, "bob", "builder"))) for _ in range(20)]
        for t in waiting:
            t.start()
        expect(plain(s, "filed", "secret"), "235 ")
        # Remembered for a while: nobody has to be asked.
        expect(plain(s, "alice", "wonder"), "235 ")
        for t in waiting:
            t.join()
        check({t[:9] for t in said} == {"454 4.7.0"}, "who waited hears 454", said)
        check(down(s) == [f"ldap://ldap.test:{d.port}"], "status does not name it", s.status())
        check(wait_for(lambda: told(s, "directory_down"), 20, 0.2), "nobody was told")
        check(len(told(s, "directory_down")) == 1, "told once", told(s, "directory_down"))
        d.go_on()
        check(wait_for(lambda: plain(s, "bob", "builder").startswith("235 "), 90, 1), "it does not come back", s.tail())
        check(wait_for(lambda: down(s) == [], 60, 1), "it is down still", s.status())


def ldap_fails_over(where):
    """Of two servers the first is dead, then hangs, then both are gone."""
    cert = certificate(where)
    with directory_of(where, "one", cert) as one, directory_of(where, "two", cert) as two:
        urls = [f"ldaps://ldap.test:{one.tls_port}", f"ldaps://ldap.test:{two.tls_port}"]
        with asking(where, f"ldap: {{ servers: {json.dumps(urls)}, ca: {cert[2]}, timeout: 4s, cache: none, {SEARCH} }}",
                    SECRET) as s:
            expect(plain(s, "alice", "wonder"), "235 ", s.tail())
            one.stop()
            expect(plain(s, "alice", "wonder"), "235 ", s.tail())
            expect(plain(s, "alice", "wrong"), "535 ")
            one.start()
            check(wait_for(lambda: plain(s, "alice", "wonder").startswith("235 ") and down(s) == [], 90, 1),
                  "the first is not asked again", s.status())
            one.pause()
            expect(plain(s, "bob", "builder"), "235 ", s.tail())
            two.stop()
            expect(plain(s, "bob", "builder"), "454 4.7.0")
            check(urls[1] in down(s), "status names it", s.status())
            one.go_on()
            check(wait_for(lambda: plain(s, "bob", "builder").startswith("235 "), 90, 1), "no way back", s.tail())


# ---- OAuth ----

def oauth(where):
    """Tokens by each algorithm, and all that is wrong with others."""
    cert = certificate(where)
    with Issuer(where / "issuer", cert) as i, asking(
            where, f"oauth: {{ issuer: \"{i.url}\", audience: mail, scope: smtp, ca: {cert[2]} }}") as s:
        for alg in ("RS256", "PS256", "ES256", "EdDSA"):
            expect(bearer(s, "alice@dir.test", i.token("alice@dir.test", alg))[0], "235 2.7.0", alg, s.tail())
        good = i.token("alice@dir.test")
        expect(bearer(s, "alice@dir.test", good, "OAUTHBEARER")[0], "235 ")
        bad = {"another audience": i.token("alice@dir.test", aud="web"),
               "another issuer": i.token("alice@dir.test", iss=i.url + "/"),
               "expired": i.token("alice@dir.test", seconds=-120),
               "not yet": i.token("alice@dir.test", nbf=int(time.time()) + 600),
               "none": i.token("alice@dir.test", "none"),
               "HS256": i.token("alice@dir.test", "HS256"),
               "changed": good[:-8] + ("A" * 8 if good[-8:] != "A" * 8 else "B" * 8),
               "somebody else's": i.token("bob@dir.test"),
               "no token": "x"}
        for what, token in bad.items():
            answer, about = bearer(s, "alice@dir.test", token, "OAUTHBEARER" if len(what) % 2 else "XOAUTH2")
            expect(answer, "535 5.7.8", what)
            check(about == {"status": "invalid_token", "scope": "smtp",
                            "openid-configuration": i.url + "/.well-known/openid-configuration"}, what, about)
        answer, about = bearer(s, "alice@dir.test", i.token("alice@dir.test", scope="openid"))
        check(answer.startswith("535 ") and about["status"] == "insufficient_scope", "the scope misses", answer, about)
        check(i.asked.count("/keys") <= 4, "keys are fetched again and again", i.asked)


def oauth_rotates(where):
    """A key that is new, an issuer that is gone."""
    cert = certificate(where)
    with Issuer(where / "issuer", cert) as i:
        with asking(where, f"oauth: {{ issuer: \"{i.url}\", audience: mail, cache: none, ca: {cert[2]} }}") as s:
            i.make_key("ES256", "new")
            expect(bearer(s, "alice@dir.test", i.token("alice@dir.test", "ES256", "new"))[0], "235 ", s.tail())
            i.make_key("ES256", "newer")

            def takes():
                return bearer(s, "bob@dir.test", i.token("bob@dir.test", "ES256", "newer"))[0].startswith("235 ")
            check(wait_for(takes, 90, 3), "the newer key is not fetched", i.asked)
            check(i.asked.count("/keys") <= 6, "too often", i.asked)
            i.stop()
            # Keys are there still.
            expect(bearer(s, "bob@dir.test", i.token("bob@dir.test"))[0], "235 ")
        with asking(where / "later", f"oauth: {{ issuer: \"{i.url}\", audience: mail, ca: {cert[2]} }}") as s:
            expect(bearer(s, "bob@dir.test", i.token("bob@dir.test"))[0], "454 4.7.0")
            check(down(s) == [i.url], "status names it", s.status())
        i.server.shutdown = i.server.server_close = lambda: None


def oauth_introspects(where):
    """Tokens that only the issuer can read."""
    cert = certificate(where)
    with Issuer(where / "issuer", cert) as i, asking(
            where, f"oauth: {{ introspect: \"{i.url}/introspect\", client_id: nightmail, "
            f"client_secret: env:CLIENT_SECRET, claim: username, ca: {cert[2]} }}",
            {"CLIENT_SECRET": "s3 cret"}, cores=1) as s:
        i.known = {"abc": {"active": True, "username": "alice", "exp": time.time() + 600},
                   "old": {"active": False, "username": "alice"},
                   "late": {"active": True, "username": "alice", "exp": time.time() - 600}}
        expect(bearer(s, "alice", "abc")[0], "235 ", s.tail())
        expect(bearer(s, "alice", "abc", "OAUTHBEARER")[0], "235 ")
        check(i.asked == ["/introspect"], "a good answer is remembered", i.asked)
        for token in ("old", "late", "xyz"):
            expect(bearer(s, "alice", token)[0], "535 5.7.8", token)
        expect(bearer(s, "bob", "abc")[0], "535 5.7.8")


CASES = [dovecot_hangs, dovecot_tokens, oauth_rotates, ldap_hangs, ldap_fails_over, dovecot, ldap, ldap_ways, oauth, oauth_introspects]
