"""servers -- Postfix and Exim, over TLS, in both directions."""
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


CASES = [postfix_tls, exim_tls]
