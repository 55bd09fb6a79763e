"""required -- REQUIRETLS and TLS-Required: No (RFC 8689), from the client that
says it to the next host, and back in reports."""
import smtplib
import ssl

from peer import Authority, Peer
from rig import check, started
from server import free_port, maildir, wait_for

ZONE = ["good.example. MX 10 mx.good.test.", "good.example. SECURE", "mx.good.test. A 127.0.0.2", "mx.good.test. SECURE",
        "mute.example. MX 10 mx.mute.test.", "mute.example. SECURE", "mx.mute.test. A 127.0.0.3", "mx.mute.test. SECURE",
        "plain.example. MX 10 mx.good.test.", "wrong.example. MX 10 mx.wrong.test.", "wrong.example. SECURE",
        "mx.wrong.test. A 127.0.0.4", "mx.wrong.test. SECURE",
        "two.example. MX 10 mx.mute.test.", "two.example. MX 20 mx.good.test.", "two.example. SECURE"]


def anyone():
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


def requiretls(where):
    """Offered inside TLS only; passed on to who is proven and promises the same;
    else it comes back, with its header only."""
    ca = Authority(where)
    port = free_port("127.0.0.2")
    offer = {"extensions": ["REQUIRETLS"]}
    with Peer("127.0.0.2", port, tls=ca.of("mx.good.test"), **offer) as good, \
            Peer("127.0.0.3", port, tls=ca.of("mx.mute.test")) as mute, \
            Peer("127.0.0.4", port, tls=ca.of("another.test"), **offer) as wrong, \
            started(where / "s", zone=ZONE, mx_port=port, more=f"tls: {{ ca: {ca.cert} }}\n") as s:
        with smtplib.SMTP("127.0.0.1", s.port, timeout=30) as c:
            c.ehlo("me.test")
            check(not c.has_extn("requiretls") and c.docmd("MAIL FROM:<ann@out.test> REQUIRETLS")[0] == 555, "in clear text")
            c.starttls(context=anyone())
            c.ehlo("me.test")
            check(c.has_extn("requiretls"), "not offered", c.esmtp_features)
            check(c.docmd("MAIL FROM:<ann@out.test> REQUIRETLS=1")[0] == 501, "it has no value")
        for domain in ("good", "mute", "plain", "wrong", "two"):
            s.send(f"bob@{domain}.example", body="Subject: x\r\nTLS-Required: No\r\n\r\nsecret body\r\n",
                   options=["REQUIRETLS"], tls=anyone())
        for domain, dsn in (("good", "2.0.0"), ("two", "2.0.0"), ("mute", "5.7.30"), ("plain", "5.7.10"), ("wrong", "5.7.10")):
            e = s.last(f"bob@{domain}.example")
            check(e["dsn"] == dsn and e["event"] == ("delivered" if dsn[0] == "2" else "failed"), domain, e)
        check(len(good.mails) == 2 and all("REQUIRETLS" in m["params"] and m["tls"] for m in good.mails), "not said", good.mails)
        check(not mute.mails and not wrong.mails, "sent to who does not do")
        box = s.dir / "mail/ann"
        check(wait_for(lambda: len(maildir(box)) == 3, 30), "reports", len(maildir(box)), s.mail_log())
        for _, m in maildir(box):
            check("secret body" not in m.as_string() and "text/rfc822-headers" in m.as_string(), "what returns", m.as_string())


def tls_required_no(where):
    """What a domain asks of TLS is not insisted on; what the operator does, is."""
    ca = Authority(where)
    port = free_port("127.0.0.2")
    zone = []
    for kind in ("strict", "loose", "odd", "ours"):     # a site that failed is left alone for a while
        zone += [f"{kind}.example. MX 10 mx.{kind}.test.", f"{kind}.example. SECURE", f"mx.{kind}.test. A 127.0.0.2",
                 f"mx.{kind}.test. SECURE", f"_{port}._tcp.mx.{kind}.test. TLSA 3 1 1 " + "ab" * 32,
                 f"_{port}._tcp.mx.{kind}.test. SECURE"]
    routes = f"route: [ {{ if: {{ rcpt_domain: ours.example }}, relay: 'smtp://mx.ours.test:{port}', tls: verify }} ]\n"
    says = {"strict": "", "loose": "TLS-Required: No\r\n", "odd": "TLS-Required: Yes\r\n", "ours": "tls-required:  no \r\n"}
    with Peer("127.0.0.2", port, tls=ca.of("mx.other.test")) as peer, \
            started(where / "s", zone=zone, mx_port=port, more=routes) as s:
        for kind, field in says.items():
            s.send(f"x@{kind}.example", body=f"Subject: x\r\n{field}\r\nx\r\n")
        for kind in says:
            e = s.last(f"x@{kind}.example")
            check((e["event"] == "delivered") == (kind == "loose"), kind, e)
        check(s.last("x@loose.example")["tls"].startswith("TLSv1.3"), "TLS is not taken where it is", e)
        check(len(peer.mails) == 1, "who got what", peer.mails)


CASES = [requiretls, tls_required_no]
