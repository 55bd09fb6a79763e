"""clients -- real clients log in, each by every mechanism that it knows."""
import os
import pathlib
import re
import shutil
import smtplib
import ssl
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from server import Server, free_port, wait_for  # noqa: E402

BINARY = pathlib.Path(os.environ.get("CHECK_BUILD", "build")).resolve() / "nightmail"
PATIENCE = 60
NAME, PASSWORD = "ann@two.test", "pencil"
# pencil, 4096 rounds: of RFC 7677 3
SCRAM = ("{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
CONFIG = """\
hostname: mx.test
cores: 1
listen:
  - {{ address: 127.0.0.1, port: {starttls}, role: submission, tls: required{asks} }}
  - {{ address: 127.0.0.1, port: {implicit}, role: submission, tls: implicit{asks} }}
domains: {{ two.test: {{ users: [ ann, bob ] }} }}
trusted: 192.0.2.0/24
deliver: {{ virtual: "{{dir}}/mail/%u" }}
limits: {{ connections_per_ip: none, per_ip: none }}
tls: {{ state: {{dir}}/state, cert: {{dir}}/cert.pem, key: {{dir}}/key.pem }}
auth:
  database: off
  users: file:{{dir}}/logins
  mechanisms: [ {mechanisms} ]
{more}
"""
ALL = "external, scram-sha-256-plus, scram-sha-256, plain, login"


class Wrong(Exception):
    pass


def check(what, why, *more):
    if not what:
        raise Wrong(" ".join([why, *[str(m)[-3000:] for m in more]]))


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def certificate(where, name, subject, extensions, ca=None):
    """name.pem and name.key; by itself, or by ca."""
    key, cert = where / f"{name}.key", where / f"{name}.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key]
    if ca is None:
        openssl("req", "-x509", *curve, "-out", cert, "-subj", subject, "-days", "30")
        return cert, key
    request, words = where / f"{name}.csr", where / f"{name}.ext"
    words.write_text(extensions)
    openssl("req", *curve, "-out", request, "-subj", subject)
    openssl("x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial",
            "-out", cert, "-days", "30", "-extfile", words)
    return cert, key


class House:
    """A server with two doors, and users in a file."""

    def __init__(self, where, mechanisms=ALL, asks="", more=""):
        self.where, self.starttls, self.implicit = where, free_port(), free_port()
        self.ca = certificate(where, "ca", "/CN=test", "")
        cert, key = certificate(where, "mx", "/CN=mx.test", "subjectAltName=DNS:mx.test,DNS:localhost\n", self.ca)
        home = where / "server"
        home.mkdir()
        home.chmod(0o755)
        shutil.copy(cert, home / "cert.pem")
        shutil.copy(key, home / "key.pem")
        (home / "logins").write_text(f"{NAME}:{SCRAM}\nbob@two.test:{{PLAIN}}{PASSWORD}\n")
        self.server = Server(BINARY, home, CONFIG.format(
            starttls=self.starttls, implicit=self.implicit, mechanisms=mechanisms,
            asks=f", client_certificates: {asks}" if asks else "", more=more.replace("{", "{{").replace("}", "}}")
            .format()))

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()

    def told(self, mechanism, n=1):
        """So many messages came in by that mechanism."""
        def seen():
            try:
                log = pathlib.Path(self.server.log).read_text()
            except FileNotFoundError:
                return False
            return len(re.findall(rf"sasl_method={mechanism}, sasl_username={re.escape(NAME)}", log)) >= n
        check(wait_for(seen, PATIENCE), f"nobody came in by {mechanism}",
              pathlib.Path(self.server.log).read_text())


def ran(words, stdin="", right=0, env=None):
    p = subprocess.run([str(w) for w in words], input=stdin, capture_output=True, text=True, timeout=PATIENCE,
                       env=dict(os.environ, **(env or {})))
    check((p.returncode == 0) == (right == 0), f"{words[0]} ended with {p.returncode}", p.stdout, p.stderr)
    return p.stdout + p.stderr


def swaks(where):
    with House(where) as h:
        for how, port, tls in (("PLAIN", h.starttls, "-tls"), ("LOGIN", h.starttls, "-tls"),
                               ("PLAIN", h.implicit, "-tlsc"), ("LOGIN", h.implicit, "-tlsc")):
            ran(["swaks", "--server", f"127.0.0.1:{port}", tls, "--auth", how, "--auth-user", NAME,
                 "--auth-password", PASSWORD, "--from", NAME, "--to", "bob@two.test", "--timeout", PATIENCE])
        h.told("PLAIN", 2)
        h.told("LOGIN", 2)
        said = ran(["swaks", "--server", f"127.0.0.1:{h.starttls}", "-tls", "--auth", "PLAIN", "--auth-user", NAME,
                    "--auth-password", "pen", "--from", NAME, "--to", "bob@two.test", "--timeout", PATIENCE], right=1)
        check("535 5.7.8" in said, "no 535:", said)
        # without a login, and before TLS
        said = ran(["swaks", "--server", f"127.0.0.1:{h.starttls}", "--from", NAME, "--to", "bob@two.test",
                    "--timeout", PATIENCE], right=1)
        check("530 5.7.0" in said, "no 530:", said)


def python(where):
    with House(where) as h:
        trust = ssl.create_default_context(cafile=h.ca[0])
        for port, how in ((h.starttls, "auth_plain"), (h.starttls, "auth_login"), (h.implicit, "auth_plain")):
            s = smtplib.SMTP_SSL("localhost", port, context=trust, timeout=PATIENCE) if port == h.implicit else \
                smtplib.SMTP("localhost", port, timeout=PATIENCE)
            with s:
                if port == h.starttls:
                    s.starttls(context=trust)
                s.ehlo()
                s.user, s.password = NAME, PASSWORD
                code, text = s.auth(how[5:].upper(), getattr(s, how), initial_response_ok=how == "auth_plain")
                check(code == 235, "not 235:", code, text)
                s.sendmail(NAME, ["bob@two.test"], f"From: {NAME}\nSubject: x\n\nx\n")
        h.told("PLAIN", 2)
        h.told("LOGIN")
        with smtplib.SMTP("localhost", h.starttls, timeout=PATIENCE) as s:
            s.starttls(context=trust)
            s.login(NAME, PASSWORD)     # which chooses by itself


def msmtp(where):
    with House(where) as h:
        for how in ("plain", "login", "scram-sha-256", "scram-sha-256-plus", "on"):
            rc = where / f"msmtp-{how}"
            rc.write_text(f"account default\nhost localhost\nport {h.starttls}\ntls on\ntls_starttls on\n"
                          f"tls_trust_file {h.ca[0]}\nauth {how}\nuser {NAME}\npassword {PASSWORD}\n"
                          f"from {NAME}\n")
            rc.chmod(0o600)
            if how == "scram-sha-256-plus" and "plus" not in ran(["msmtp", "--version"]).lower():
                continue
            ran(["msmtp", "-C", rc, "bob@two.test"], f"From: {NAME}\nSubject: x\n\nx\n")
        h.told("PLAIN")
        h.told("LOGIN")
        h.told("SCRAM-SHA-256")


def curl(where):
    letter = where / "letter"
    letter.write_text(f"From: {NAME}\r\nSubject: x\r\n\r\nx\r\n")
    with House(where, "plain, login") as h:
        for how in ("PLAIN", "LOGIN"):
            for url in (f"smtp://localhost:{h.starttls}", f"smtps://localhost:{h.implicit}"):
                ran(["curl", "-sS", "--ssl-reqd", "--cacert", h.ca[0], url, "--login-options", f"AUTH={how}",
                     "-u", f"{NAME}:{PASSWORD}", "--mail-from", NAME, "--mail-rcpt", "bob@two.test", "-T", letter])
            h.told(how, 2)


def gsasl(where):
    """Channel binding of another library's TLS and SASL, with ours.  (It sees STARTTLS
    only where another line follows: XCLIENT's.)"""
    with House(where, more="xclient: 127.0.0.1") as h:
        for how in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
            said = ran(["gsasl", "--client", "--smtp", "--connect", f"localhost:{h.starttls}",
                        "--x509-ca-file", h.ca[0], "--mechanism", how, "--authentication-id", NAME,
                        "--password", PASSWORD, *(["--no-cb"] if how == "SCRAM-SHA-256" else [])])
            check("235 2.7.0" in said, f"no 235 by {how}:", said)
        said = ran(["gsasl", "--client", "--smtp", "--connect", f"localhost:{h.starttls}",
                    "--x509-ca-file", h.ca[0], "--mechanism", "SCRAM-SHA-256-PLUS", "--authentication-id", NAME,
                    "--password", "pen"], right=1)
        check("535 5.7.8" in said, "no 535:", said)


def external(where):
    """By a certificate of an authority, and by one that an account names."""
    where.mkdir(exist_ok=True)
    people = where / "people"
    people.mkdir()
    ca = certificate(people, "people", "/CN=people", "")
    ann = certificate(people, "ann", "/CN=Ann",
                      f"subjectAltName=email:{NAME}\nextendedKeyUsage=clientAuth\n", ca)
    stranger = certificate(people, "stranger", f"/CN={NAME}", "")
    phone = certificate(people, "phone", "/CN=phone", "")
    print_ = subprocess.run(["openssl", "x509", "-in", phone[0], "-noout", "-fingerprint", "-sha256"],
                            capture_output=True, text=True, check=True).stdout.strip().split("=")[1]
    more = f'  certificates: {ca[0]}\naccounts: {{ "{NAME}": {{ certificates: [ "{print_}" ] }} }}'
    people.chmod(0o755)
    with House(where, asks="asked", more=more) as h:
        for cert, right in ((ann, True), (phone, True), (stranger, False), (None, False)):
            trust = ssl.create_default_context(cafile=h.ca[0])
            if cert:
                trust.load_cert_chain(*cert)
            with smtplib.SMTP("localhost", h.starttls, timeout=PATIENCE) as s:
                s.starttls(context=trust)
                s.ehlo()
                offered = s.esmtp_features["auth"].split()
                check(("EXTERNAL" in offered) == right, f"{cert} was offered", offered)
                check(s.docmd("AUTH", "EXTERNAL =")[0] == (235 if right else 504), "EXTERNAL as", cert)
                if right:
                    s.sendmail(NAME, ["bob@two.test"], f"From: {NAME}\nSubject: x\n\nx\n")
        h.told("EXTERNAL", 2)
        trust = ssl.create_default_context(cafile=h.ca[0])
        trust.load_cert_chain(*ann)
        with smtplib.SMTP("localhost", h.starttls, timeout=PATIENCE) as s:
            s.starttls(context=trust)
            s.ehlo()
            code = s.docmd("AUTH", "EXTERNAL Ym9iQHR3by50ZXN0")[0]      # bob@two.test
            check(code == 535, "she is taken for bob:", code)


CASES = [swaks, python, msmtp, curl, gsasl, external]
