"""submission -- the servers that people log in to, measured: STARTTLS and AUTH.

All have the same certificate (ECDSA P-256), the same user and the same hash of
his password ({SHA512-CRYPT}, 1,000 rounds): Nightmail and Exim in their own
files, Postfix by Dovecot's auth service, which is measured with it.  Each is as
it comes: Nightmail remembers for minutes that a password was good, the others
compute its hash each time.
"""
import crypt
import subprocess

from dovecot import Dovecot
from relay import EXIM, NIGHTMAIL, POSTFIX, EximRunner, NightmailRunner, PostfixRunner
from server import free_port

USER, PASSWORD = "demo@nightmail.example", "the night mail"
LOGIN = ["--starttls", "--login", f"{USER}:{PASSWORD}", "--from", USER, "--per-connection", "1"]

# key, what it is, words for load.  The first two offer what OpenSSL offers by
# itself; the third only what every server must have (RFC 8446 9.1).
WAYS = [
    ("full", "STARTTLS+AUTH, one message each", []),
    ("resumed", "  the same, sessions resumed", ["--resume"]),
    ("light", "  the same, full, AES-128 alone", ["--suites", "TLS_AES_128_GCM_SHA256"]),
]

NIGHTMAIL_AUTH = """\
tls: {{ cert: {cert}, key: {key} }}
auth: {{ users: "file:{users}" }}
accounts: {{ "{user}": {{ from: [ "{user}" ] }} }}
"""

POSTFIX_TLS = {
    "smtpd_tls_cert_file": "{cert}", "smtpd_tls_key_file": "{key}",
    "smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "yes",
    # tickets, as everybody gives
    "smtpd_tls_session_cache_database": "btree:{dir}/data/sessions",
    "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
    "smtpd_sasl_path": "inet:127.0.0.1:{auth}",
    "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
    "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
    # or the hundredth connection a second is refused
    "smtpd_client_connection_count_limit": "0",
}

DOVECOT_AUTH = """\
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
"""

EXIM_TLS = """\
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
tls_resumption_hosts = *
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
"""
EXIM_AUTH = """\
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{crypteq{{$auth3}}{{\\N{{crypt}}{hash}\\N}}}}}}}}
  server_set_id = $auth2
"""


def made(directory):
    """A certificate, its key and a user, for all."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    got = {"cert": directory / "cert.pem", "key": directory / "key.pem", "users": directory / "users"}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "30", "-subj", "/CN=nightmail.example",
                    "-addext", "subjectAltName=DNS:nightmail.example", "-keyout", got["key"],
                    "-out", got["cert"]], check=True, capture_output=True)
    got["key"].chmod(0o600)
    got["hash"] = crypt.crypt(PASSWORD, "$6$rounds=1000$nightmailbench")
    got["users"].write_text(f"{USER}:{{SHA512-CRYPT}}{got['hash']}\n")
    got["users"].chmod(0o600)
    got["user"] = USER
    return got


class NightmailSubmission(NightmailRunner):
    def __init__(self, build, directory, sink_port):
        super().__init__(build, directory, sink_port)
        text = NIGHTMAIL.format(port=self.port, sink=sink_port).replace("role: relay", "role: submission")
        self.server.configure(text + NIGHTMAIL_AUTH.format(**made(directory / "made")))


class PostfixSubmission(PostfixRunner):
    def __init__(self, build, directory, sink_port):
        super().__init__(build, directory, sink_port)
        got, auth = made(directory / "made"), free_port()
        settings = {k: v.format(sink=sink_port, dir=self.server.dir, auth=auth, **got)
                    for k, v in {**POSTFIX, **POSTFIX_TLS}.items()}
        self.server.configure(settings, "tlsmgr unix - - n 1000? 1 tlsmgr\n")
        self.dovecot = Dovecot(directory / "dovecot", [], "/nonexistent/%n",
                               more=DOVECOT_AUTH.format(auth=auth))
        (self.dovecot.dir / "users").write_text(
            f"{USER.split('@')[0]}:{{SHA512-CRYPT}}{got['hash']}:65534:65534::/nonexistent::\n")

    def start(self, wait=60):
        with self.meter.inside():
            self.dovecot.start()
        super().start(wait)

    def close(self):
        super().close()
        self.dovecot.stop()


class EximSubmission(EximRunner):
    def __init__(self, build, directory, sink_port):
        super().__init__(build, directory, sink_port)
        got = made(directory / "made")
        got["key"].chmod(0o644)  # Exim reads it as the user it becomes
        conf = self.server.conf.replace("tls_advertise_hosts =\n", EXIM_TLS.format(**got))
        self.server.conf = conf.replace("begin retry\n", EXIM_AUTH.format(**got) + "begin retry\n")


SUBMISSION = {"nightmail": NightmailSubmission, "postfix": PostfixSubmission, "exim": EximSubmission}
