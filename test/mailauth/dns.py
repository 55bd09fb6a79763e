"""dns -- what `dns print' prints is a zone that others serve, `dns check' is content with it and
with nothing less, and the server tells when it changes."""
import http.server
import json
import os
import ssl
import subprocess
import threading

from rig import BINARY, CONFIG, IS_ASAN, check
from server import Server, free_port, wait_for
from zones import TTL, Zones

MORE = """\
dns:
{dns}
  addresses: {public}
  blocklists: list.example
  probe: probe.example
  imap: imap.good.example
tls: {{ cert: {where}/mx.pem, key: {where}/mx.key, ca: {where}/ca.pem }}
"""
# Reverse names of 127/8, and of the addresses for documentation, are the resolver's own: it
# asks nobody for them (RFC 6303).  So the host has one of the Internet's; nobody connects there.
PUBLIC = "11.0.0.9"
SUBMISSION = "listen:\n  - {{ address: {at}, port: 25, role: mx }}\n  - {{ address: {at}, port: {port}, role: submission }}\n"


def openssl(where, *words):
    subprocess.run(["openssl", *words], cwd=where, check=True, capture_output=True)


def certificates(where, names):
    """An authority, and a certificate of its for each of these: name -> subject."""
    openssl(where, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=the test's authority", "-keyout", "ca.key", "-out", "ca.pem")
    for file, host in names.items():
        openssl(where, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={host}",
                "-keyout", f"{file}.key", "-out", f"{file}.csr")
        (where / f"{file}.ext").write_text(f"subjectAltName=DNS:{host}\n")
        openssl(where, "x509", "-req", "-in", f"{file}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30",
                "-extfile", f"{file}.ext", "-out", f"{file}.pem")


class Web:
    """Serves one text at /.well-known/mta-sts.txt of a host by HTTPS."""

    def __init__(self, where, address, text):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/.well-known/mta-sts.txt" else 404)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(where / "web.pem", where / "web.key")
        self.httpd = http.server.ThreadingHTTPServer((address, 443), Handler)
        self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True)
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


def config(where, dns, at):
    text = CONFIG.format(hostname="mx.good.example", mx=free_port(), relay=free_port(), zone="none", more="",
                         deliver='virtual: "{dir}/mail/%d/%u", admin: "{dir}/mail/admin"')
    text = text.replace("dns: { zone: none }\n", "").replace("admin: root@mx.good.example", "admin: bob@good.example")
    text = text.replace("listen:\n", SUBMISSION.format(at=at, port=free_port()))
    text += MORE.format(dns=dns, public=PUBLIC, where=where)
    return text + "domains:\n  good.example: { users: [ bob ] }\n  bad.example: { users: [ bob ] }\n"


def ask(server, *words):
    return server.ask("dns", *words, "--config", str(server.config))


def findings(server, domain):
    done = ask(server, "check", domain, "--json")
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def printed(server, domain, **how):
    done = ask(server, "print", domain, *[w for k, v in how.items() for w in (f"--{k}", v)])
    check(done.returncode == 0, "dns print", done.stdout, done.stderr)
    return done.stdout


def spoiled(text):
    """The same zone with much that is wrong: what is replaced, by what."""
    for old, new in (("MX 10 mx.good.example.", "MX 10 mx.bad.example."), ("v=spf1 ip4:", "v=spf1 ip4:198.51.100."),
                     ("p=none; rua=mailto:postmaster@bad.example", "p=reject; rua=mailto:x@reports.example")):
        check(old in text, f"no {old} in the zone", text)
        text = text.replace(old, new if "198" not in new else "v=spf1 ip4:198.51.100.1 ip4:", 1)
    return text.replace("~all", "mx:gone.bad.example -all").replace("ip4:11.", "ip4:12.")


class Stage:
    """The DNS out of what the server prints, a web server, and the server itself."""

    def __init__(self, where):
        self.where, net = where, f"127.{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}"
        self.at, self.started = f"{net}.9", []
        certificates(where, {"mx": "mx.good.example", "web": "mta-sts.good.example"})
        (where / "nothing").write_text("")
        self.server = Server(BINARY, where / "server", config(where, f"  zone: {where}/nothing", self.at), cage=not IS_ASAN)
        self.server.start()
        good, bad = printed(self.server, "good.example"), printed(self.server, "bad.example")
        self.server.stop()
        check(good.count("._domainkey.good.example. TXT \"v=DKIM1;") == 2, "not two DKIM keys", good)
        host = "".join(line.lstrip(";") + "\n" for line in good.splitlines() if "TLSA 3 1 1" in line)
        check("TLSA" in host, "no TLSA record", good)
        base = "@ NS ns\nns A {leaf}\n"
        good = good.replace("CNAME mx.good.example.", f"A {self.at}")     # the web server's
        self.policy = "".join(line.removeprefix(";    ") + "\n" for line in good.splitlines() if line.startswith(";    "))
        self.zones = Zones(where / "dns-made", {
            "good.example": base + good + host, "bad.example": base + spoiled(bad),
            "11.in-addr.arpa": base + "9.0.0 PTR mx.good.example.\n",
            "list.example": base + "2.0.0.127 A 127.0.0.2\n", "probe.example": base + f"@ MX 5 at\nat A {self.at}\n",
        }, plain=["bad.example"])
        self.started.append(self.zones.close)
        dns = f"  root: {self.zones.hints}\n  anchor: {self.zones.anchor}"
        self.server.configure(config(where, dns, self.at))
        web = Web(where, self.at, self.policy)
        self.started.append(web.close)

    def __enter__(self):
        self.server.start()
        self.started.append(self.server.stop)
        return self

    def __exit__(self, *_):
        for stop in reversed(self.started):
            stop()


def dns_print_and_check(where):
    (where / "dns-made").mkdir()
    with Stage(where) as s:
        rc, found = findings(s.server, "good.example")
        poor = [f for f in found if f["result"] != "ok"]
        check(rc == 0, "good.example is not good", poor, s.server.tail())
        check([f["topic"] for f in poor] == ["dmarc"], "not as good as can be", poor)
        topics = {f["topic"] for f in found}
        check(topics >= {"dnssec", "mx", "host", "ptr", "spf", "dkim", "dmarc", "mta_sts", "tlsrpt", "tlsa", "clients", "blocklist", "port25"},
              "something was not looked at", topics)
        # what is spoiled is told, with the line that mends it
        rc, found = findings(s.server, "bad.example")
        wrong = {(f["topic"], f["result"]): f for f in found}
        check(rc == 1, "bad.example is good", found)
        for key, says, to_do in (
                (("mx", "error"), "does not come to this server", "bad.example. MX 10 mx.good.example."),
                (("spf", "error"), f"mail from {PUBLIC} gets 'fail'", f"v=spf1 ip4:{PUBLIC} ip4:198.51.100.1"),
                (("dmarc", "error"), "reports do not go to reports.example",
                 'bad.example._report._dmarc.reports.example. TXT "v=DMARC1;"'),
                (("dnssec", "warning"), "not signed", "DS record"),
                (("mta_sts", "error"), "the policy is not to be had", "mta-sts.bad.example")):
            check(key in wrong, f"{key} is not told", found)
            check(says in wrong[key]["text"] and to_do in wrong[key]["to_do"], f"{key} is told otherwise", wrong[key])
        text = ask(s.server, "check", "bad.example").stdout
        check("\N{HEAVY MULTIPLICATION X} MX        bad.example: mail for the domain does not come" in text, "text", text)
        watched(s)


def watched(s):
    """The server tells once what is wrong, when it was seen twice."""
    def dns():
        return json.loads(s.server.ask("status", "--json").stdout)["dns"]
    check(wait_for(lambda: dns()["domains"] == 2, 30), "no domains are watched", dns())
    mail = s.server.dir / "mail" / "good.example" / "bob" / "new"
    check(s.server.ask("dns", "watch").returncode == 0, "dns watch")
    states = s.server.dir / "spool" / "dns-watch"
    check(wait_for(lambda: len([p for p in states.glob("*.example")]) == 2, 60), "no states", s.server.tail())
    check(not mail.exists() or not list(mail.iterdir()), "told before it was seen twice")
    check(s.server.ask("dns", "watch").returncode == 0, "dns watch")
    check(wait_for(lambda: mail.exists() and list(mail.iterdir()), 60), "no mail", s.server.tail())
    octets = next(mail.iterdir()).read_text()
    for want in ("Subject: DNS of bad.example: ", "Auto-Submitted: auto-generated", "MX  bad.example: WRONG",
                 "to do:     bad.example. MX 10 mx.good.example."):
        check(want in octets, f"the mail has no {want}", octets)
    check(len(list(mail.iterdir())) == 1, "more than one mail")
    said = wait_for(lambda: "WARNING: bad" in s.server.ask("status").stdout and s.server.ask("status").stdout, 30)
    events = wait_for(lambda: (e := [e for e in s.server.events() if e["event"] == "dns_changed"]) and len(e) >= 4 and e, 30)
    check(events and said, "no events, or no status", s.server.tail(), dns())
    check({e["domain"] for e in events} == {"bad.example"} and len(events) >= 4, "events", events)
    check("dns     WARNING: bad.example: " in said and "good.example" not in said.split("dns     ")[1], "status", said)


CASES = [dns_print_and_check]
