"""servers -- Postfix and Exim, over TLS, in both directions."""
from dovecot import Dovecot
from exim import Exim
from peer import Authority
from postfix import Postfix
from rig import check, started
from server import free_port, maildir, wait_for


def arrived(s, subject, other):
    got = wait_for(lambda: [m for _, m in maildir(s.dir / "mail/ann") if m["Subject"] == subject], 30, 0.2)
    check(got, f"{subject} did not come", other.tail(), s.mail_log())
    return " ".join(str(got[0]).split())


def postfix_tls(where):
    """To Postfix: verified; from it: encrypted."""
    ca = Authority(where)
    cert, key = ca.of("postfix.host.test")
    chain = where / "chain.pem"
    chain.write_text(key.read_text() + cert.read_text())
    chain.chmod(0o600)
    port = free_port()
    zone = ["postfix.host.test. A 127.0.0.1"]
    with started(where / "s", zone=zone, more=f"tls: {{ ca: {ca.cert} }}\n"
                 f"route: [ {{ relay: 'smtp+tls://postfix.host.test:{port}' }} ]\n") as s:
        with Postfix(where / "postfix", {"smtpd_tls_chain_files": chain, "smtpd_tls_security_level": "encrypt",
                                         "default_transport": f"smtp:[127.0.0.1]:{s.port}",
                                         "smtp_tls_security_level": "encrypt", "smtp_tls_loglevel": "1",
                                         "smtpd_tls_loglevel": "1"}, "tlsmgr unix - - n 1000? 1 tlsmgr\n",
                     listen=f"127.0.0.1:{port}") as postfix:
            postfix.sendmail("bob@far.example", ["ann@out.test"], b"Subject: from postfix\n\nhello\n")
            check("with ESMTPS id" in arrived(s, "from postfix", postfix), "not by TLS", postfix.tail())
            s.send("ann2@elsewhere.example")
            e = s.last("ann2@elsewhere.example", ("delivered",), 60)
            check(e["tls"] == "TLSv1.3/verify", "to Postfix", e, postfix.tail())


def exim_tls(where):
    """To Exim: verified; from it: encrypted."""
    ca = Authority(where)
    cert, key = ca.of("exim.host.test")
    zone = ["exim.host.test. A 127.0.0.1"]
    port = free_port()
    with started(where / "s", zone=zone, more=f"tls: {{ ca: {ca.cert} }}\n"
                 f"route: [ {{ relay: 'smtp+tls://exim.host.test:{port}' }} ]\n") as s, \
            Exim(where / "exim", onward=s.port, tls=(cert, key), port=port) as exim:
        exim.sendmail("bob@far.example", ["ann@out.test"], b"Subject: from exim\n\nhello\n")
        check("with ESMTPS id" in arrived(s, "from exim", exim), "not by TLS", exim.tail())
        s.send("ann2@elsewhere.example")
        e = s.last("ann2@elsewhere.example", ("delivered",), 60)
        check(e["tls"].endswith("/verify"), "to Exim", e, exim.tail())


DOVECOT_AUTH = """\
auth_mechanisms = plain login scram-sha-256
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


def routes(host, port):
    """As who is known there, and with a password that is another's."""
    return "route:\n" + "".join(
        f"  - {{ if: {{ rcpt_domain: {domain} }}, relay: 'smtp+tls://{host}:{port}', auth: '{login}' }}\n"
        for domain, login in (("good.example", "relay:any"), ("bad.example", "relay:guessed")))


def both_logins(s, other, method):
    s.send("bob@good.example")
    e = s.last("bob@good.example", ("delivered",), 60)
    check(e["tls"].endswith("/verify"), "not verified", e)
    check(wait_for(lambda: method in other.tail(200), 10), f"he did not log in by {method}", other.tail(200))
    s.send("bob@bad.example")
    e = s.last("bob@bad.example", ("delayed",), 60)
    check(e["dsn"] == "4.7.8", "the wrong password", e)


def postfix_login(where):
    """Postfix as smarthost, which asks Dovecot: by SCRAM."""
    ca = Authority(where)
    cert, key = ca.of("postfix.host.test")
    chain = where / "chain.pem"
    chain.write_text(key.read_text() + cert.read_text())
    chain.chmod(0o600)
    port, auth = free_port(), free_port()
    with Dovecot(where / "dovecot", ["relay"], "/nonexistent/%n", more=DOVECOT_AUTH.format(port=auth)), Postfix(
            where / "postfix", {
                "smtpd_tls_chain_files": chain, "smtpd_tls_security_level": "may", "smtpd_tls_auth_only": "yes",
                "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
                "smtpd_sasl_path": f"inet:127.0.0.1:{auth}", "mynetworks": "127.0.0.99/32",
                "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
                "default_transport": "discard:"}, "tlsmgr unix - - n 1000? 1 tlsmgr\n",
            listen=f"127.0.0.1:{port}") as postfix, started(
                where / "s", zone=["postfix.host.test. A 127.0.0.1"],
                more=f"tls: {{ ca: {ca.cert} }}\n" + routes("postfix.host.test", port)) as s:
        both_logins(s, postfix, "sasl_method=SCRAM-SHA-256, sasl_username=relay")


EXIM_AUTH = """\
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{relay}}{eq{$auth3}{any}}}}
  server_set_id = $auth2
"""


def exim_login(where):
    """Exim as smarthost: by PLAIN."""
    ca = Authority(where)
    cert, key = ca.of("exim.host.test")
    port = free_port()
    exim = Exim(where / "exim", onward=9, tls=(cert, key), port=port)
    exim.conf = exim.conf.replace("anybody:\n  accept", "anybody:\n  accept authenticated = *", 1).replace(
        "begin retry\n", EXIM_AUTH + "begin retry\n")
    with exim, started(where / "s", zone=["exim.host.test. A 127.0.0.1"],
                       more=f"tls: {{ ca: {ca.cert} }}\n" + routes("exim.host.test", port)) as s:
        both_logins(s, exim, "A=plain:relay")


CASES = [postfix_tls, exim_tls, postfix_login, exim_login]
