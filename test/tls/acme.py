"""acme -- certificates by ACME: cases of test/tls/run, with pebble as authority.

pebble tells no renewal information: an authority of our own, as far as that
needs one, does (class Advisor).
"""
import base64
import contextlib
import datetime
import http.client
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import threading

from pebble import Pebble, certificate
from server import Server, free_port, wait_for

CONFIG = """\
hostname: mx.acme.test
admin: postmaster@acme.test
cores: 2
listen:
  - {{ address: 127.0.0.1, port: {ports[0]}, role: mx }}
  - {{ address: 127.0.0.1, port: {ports[1]}, role: mx, tls: implicit }}
  - {{ address: 127.0.0.1, port: {ports[2]}, role: acme }}
  - {{ address: 127.0.0.1, port: {ports[3]}, role: acme, tls: implicit }}
domains:
  acme.test: {{ users: [ alice ] }}
deliver: {{ maildir: "{{dir}}/mail/%u" }}
log: {{ to: {{dir}}/mail.log }}
limits: {{ connections_per_ip: none, per_ip: none }}
dns: {{ zone: {zone} }}
tls:
  state: {state}
  {files}
  acme:
    agree_tos: yes
    email: hostmaster@acme.test
    directory: {directory}
    ca: {ca}
    {more}
"""
ZONE = "$ORIGIN acme.test.\nmx A 127.0.0.1\nmail A 127.0.0.1\n"


class Wrong(Exception):
    pass


def check(what, why, *more):
    if not what:
        raise Wrong(" ".join([why, *[repr(m)[-2500:] for m in more]]))


class Site:
    """A server whose certificates come from this authority."""
    def __init__(self, where, binary, is_asan, ports, directory, ca, more="", zone=ZONE, files="", env=None):
        self.where, self.ports = where, ports
        self.state = where / "state"
        self.zone = where / "zone"
        self.zone.write_text(zone)
        self.config = lambda more, files="": CONFIG.format(
            ports=ports, zone=self.zone, state=self.state, directory=directory, ca=ca, more=more, files=files)
        self.server = Server(binary, where / "server", self.config(more, files), env=env, cage=not is_asan)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill9()

    def reconfigure(self, more, files=""):
        self.server.configure(self.config(more, files))
        self.server.give_away()
        r = self.server.ask("reload")
        check(r.returncode == 0, "reload", r)

    def show(self):
        r = self.server.ask("tls", "show", "--json")
        check(r.returncode == 0, "tls show", r, self.server.tail())
        return json.loads(r.stdout)

    def certificates(self, source="acme"):
        return [c for c in self.show()["certificates"] if c["source"] == source]

    def failure(self):
        return next((r["failure"] for r in self.show()["acme"]["renewals"] if r["failures"]), None)

    def await_some(self, n=1, seconds=90, why="no certificate came"):
        got = wait_for(lambda: len(self.certificates()) >= n and self.certificates(), seconds, 0.2)
        check(got, why, self.show(), self.server.tail())
        return got

    def await_failure(self, words, seconds=90):
        got = wait_for(self.failure, seconds, 0.2)
        check(got and words in got, f"not told: {words}", got, self.show(), self.server.tail())
        return got

    def shown(self, name="mx.acme.test", anchors=None, ciphers=None):
        """The certificate, DER; it leads to the anchors (PEM), if they are given."""
        c = ssl.create_default_context(cadata=anchors) if anchors else ssl._create_unverified_context()
        if ciphers:
            c.maximum_version = ssl.TLSVersion.TLSv1_2
            c.set_ciphers(ciphers)
        with socket.create_connection(("127.0.0.1", self.ports[1]), 20) as raw:
            with c.wrap_socket(raw, server_hostname=name) as s:
                return s.getpeercert(binary_form=True)


def of(binary, is_asan, scan):
    """The cases, for this program."""
    def http_ports():
        return [free_port() for _ in range(4)]

    @contextlib.contextmanager
    def certified(where, more="", zone=ZONE, files="", env=None, **pebble):
        ports = http_ports()
        with Pebble(where / "pebble", ports[2], ports[3], **pebble) as ca:
            with Site(where, binary, is_asan, ports, ca.directory, ca.root, more, zone, files, env) as site:
                site.ca = ca
                yield site

    def acme_http(where):
        """http-01, with nonces that are often refused; RSA beside ECDSA; the
        self-signed before; everything kept over a restart; the key is nowhere
        else; renewed, rekeyed and revoked by command."""
        with certified(where, "names: mail.acme.test\n    keys: both") as site:
            site.await_some(2)
            anchors = site.ca.issuers().decode()
            for name in ("mx.acme.test", "mail.acme.test"):
                site.shown(name, anchors)
            ec = site.shown(ciphers="ECDHE+ECDSA")
            rsa = site.shown(ciphers="ECDHE+aRSA")
            check(ec != rsa, "one certificate for both kinds of key")
            for path in site.state.iterdir():
                check(path.stat().st_mode & 0o077 == 0, "others may read", path)
            check(site.state.stat().st_mode & 0o777 == 0o700, "others may look")
            names = {p.name for p in site.state.iterdir()}
            check(names == {"account.key", "ecdsa.pem", "rsa.pem"}, "files", names)
            account = (site.state / "account.key").read_bytes()
            site.server.stop()
            site.server.start()
            check(site.shown(ciphers="ECDHE+ECDSA") == ec, "another after a restart")
            r = site.server.ask("tls", "rekey")
            check(r.returncode == 0, "rekey", r, site.server.tail())
            check((site.state / "account.key").read_bytes() != account, "the account's key is the old one")
            r = site.server.ask("tls", "renew")
            check(r.returncode == 0, "renew", r)
            check(wait_for(lambda: site.shown(ciphers="ECDHE+ECDSA") != ec and
                           site.shown(ciphers="ECDHE+aRSA") != rsa, 90, 0.2), "not renewed", site.server.tail())
            check(any(e["event"] == "certificate" and e.get("reason") == "renewed" for e in site.server.events()),
                  "no event", site.server.events())
            ec = site.shown(ciphers="ECDHE+ECDSA")
            r = site.server.ask("tls", "revoke")
            check(r.returncode == 64, "revoke without --yes", r)
            r = site.server.ask("tls", "revoke", "--yes")
            check(r.returncode == 0, "revoke", r, site.server.tail())
            check(wait_for(lambda: site.shown(ciphers="ECDHE+ECDSA") != ec, 90, 0.2), "none behind the revoked",
                  site.server.tail())
            check(site.server.stop() == 0, "stop", site.server.tail())

    def acme_tls(where):
        """tls-alpn-01; the doors answer challenges and nothing else; the private
        keys are in the keyring alone."""
        with certified(where, "challenge: tls-alpn-01") as site:
            site.await_some()
            site.shown(anchors=site.ca.issuers().decode())
            c = http.client.HTTPConnection("127.0.0.1", site.ports[2], timeout=20)
            for path in ("/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/abc"):
                c.request("GET", path)
                r = c.getresponse()
                check(r.status == 404 and not r.read() and not r.getheader("Location"), "not 404", path, r.status)
                c.close()
            with socket.create_connection(("127.0.0.1", site.ports[2]), 20) as raw:
                raw.sendall(b"EHLO me.test\r\n\r\n")
                check(b"400" in raw.recv(512), "no 400")
            with socket.create_connection(("127.0.0.1", site.ports[3]), 20) as raw:
                raw.sendall(b"EHLO me.test\r\n")
                with contextlib.suppress(ConnectionError):
                    check(raw.recv(512) == b"", "something is said at the door of tls-alpn-01")

    def acme_secret(where):
        """No octet of what the keyring made is in another process."""
        with certified(where, "keys: both") as site:
            site.await_some(2)
            for _ in range(10):
                site.shown(ciphers="ECDHE+ECDSA")
                site.shown(ciphers="ECDHE+aRSA")
            secrets = []
            for name in ("account.key", "ecdsa.pem", "rsa.pem"):
                text = subprocess.run(["openssl", "pkey", "-in", site.state / name, "-noout", "-text"],
                                      capture_output=True, text=True, check=True).stdout
                for part in ("priv:", "privateExponent:", "prime1:"):
                    if part in text:
                        digits = text.split(part)[1].split("\n    ")[1:]
                        octets = bytes.fromhex("".join(d.split("\n")[0].strip().replace(":", "") for d in digits
                                                       if ":" in d.split("\n")[0]))
                        octets = octets[-32:] if len(octets) < 40 else octets[8:40]
                        secrets += [octets, octets[::-1]]
            keyring = scan(site.server.children("nm-keyring")[0], secrets)
            check(keyring > 0, "the search finds nothing where it must", keyring)
            for pid in site.server.descendants():
                if pid not in site.server.children("nm-keyring"):
                    check(scan(pid, secrets) == 0, "a key is somewhere else",
                          pathlib.Path(f"/proc/{pid}/comm").read_text())

    def acme_refused(where):
        """CAA records that name another authority, or another method, are heeded
        before anything is asked for, and told in words; then all is well."""
        ports = http_ports()
        zone = ZONE + "mx CAA 0 issue \"else.test\"\n"
        with Pebble(where / "pebble", ports[2], ports[3]) as ca, Advisor(where, ca, refusals=0) as advisor, \
                Site(where, binary, is_asan, ports, advisor.directory, ca.root, zone=zone) as site:
            site.await_failure("issue \"else.test\" of mx.acme.test does not allow this authority")
            site.zone.write_text(ZONE + "@ CAA 0 issue \"ca.test; validationmethods=dns-01\"\n")
            site.reconfigure("keys: ecdsa")
            site.server.ask("tls", "renew")
            check(wait_for(lambda: "validationmethods=dns-01\" of acme.test" in (site.failure() or ""), 60, 0.2),
                  "not told again", site.failure())
            check(not advisor.orders, "asked for all the same", advisor.orders)
            check("WARNING failed 2 times" in site.server.ask("tls", "show").stdout, "no warning",
                  site.server.ask("tls", "show"))
            check(site.server.status()["tls"]["failing"] == 1, "status", site.server.status())
            check("1 not renewed" in site.server.ask("status").stdout, "status", site.server.ask("status"))
            site.zone.write_text(ZONE + "@ CAA 0 issue \"ca.test; validationmethods=http-01\"\n@ CAA 0 issue \";\"\n")
            site.reconfigure("keys: ecdsa")
            site.server.ask("tls", "renew")
            site.await_some()

    def acme_elsewhere(where):
        """Another answers for the name."""
        ports = http_ports()
        with Pebble(where / "pebble", free_port(), free_port()) as ca:
            with Site(where, binary, is_asan, ports, ca.directory, ca.root) as site:
                said = site.await_failure("connection")
                check("what to do: let it reach this machine" in said, "no advice", said)
                due = site.show()["acme"]["renewals"][0]["next_at"]
                wait = datetime.datetime.fromisoformat(due.replace("Z", "+00:00")) - \
                    datetime.datetime.now(datetime.timezone.utc)
                check(30 < wait.total_seconds() < 80, "not later", due)
                site.shown()        # its own, meanwhile
                check(site.certificates("self"), "not its own", site.show())

    def acme_customers(where):
        """External account binding: without, with a wrong and with the right key."""
        key = base64.urlsafe_b64encode(b"0123456789abcdef0123456789abcdef").rstrip(b"=").decode()
        bound = "eab: { kid: customer-1, key: env:EAB_KEY }"
        with certified(where, macs={"customer-1": key}, env={"EAB_KEY": key}) as site:
            site.await_failure("tls.acme.eab")
            site.reconfigure(bound)
            site.server.ask("tls", "renew")
            site.await_some()
            told = site.server.log.read_text() + (site.server.dir / "mail.log").read_text()
            shown = subprocess.run([binary, "config", "show", "--config", site.server.config], capture_output=True,
                                   text=True, env=site.server.env)
            check(key not in told + shown.stdout and shown.returncode == 0, "the key is told", shown)

    def acme_short(where):
        """A certificate of seconds: renewed at two thirds of its life, by itself."""
        with certified(where, validity=45) as site:
            first = site.await_some()[0]
            due = datetime.datetime.fromisoformat(first["renews_at"].replace("Z", "+00:00"))
            start = datetime.datetime.fromisoformat(first["from"].replace("Z", "+00:00"))
            check(20 <= (due - start).total_seconds() <= 40, "not at two thirds", first)
            check(wait_for(lambda: site.certificates()[0]["until"] != first["until"], 90, 0.2), "not renewed",
                  site.show(), site.server.tail())

    def acme_files(where):
        """Files win for the names that they have, and are left alone."""
        cert, key = certificate(where, "mx", "-addext", "nsComment=x")
        subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", cert, "-days", "90", "-subj", "/CN=mx",
                        "-addext", "subjectAltName=DNS:mx.acme.test"], check=True, capture_output=True)
        key.chmod(0o600)
        with certified(where, files=f"cert: {cert}\n  key: {key}") as site:
            mine = ssl.PEM_cert_to_DER_cert(cert.read_text())
            check(wait_for(lambda: site.show()["acme"]["renewals"], 30), "not told", site.show())
            check(site.show()["acme"]["renewals"][0]["state"] == "files have all names", "asks for what is there",
                  site.show())
            site.reconfigure("names: mail.acme.test", f"cert: {cert}\n  key: {key}")
            got = site.await_some()
            check(got[0]["names"] == ["mail.acme.test"], "names", got)
            check(site.shown() == mine, "the file does not win")
            site.shown("mail.acme.test", site.ca.issuers().decode())

    def acme_advice(where):
        """Renewal information (RFC 9773), which pebble does not have: asked for by
        the certificate's identifier, heeded at once, told to the authority.  And
        an authority that wants peace gets it."""
        ports = http_ports()
        with Pebble(where / "pebble", ports[2], ports[3]) as ca, Advisor(where, ca) as advisor:
            with Site(where, binary, is_asan, ports, advisor.directory, ca.root) as site:
                said = site.await_failure("rateLimited")
                check("when the authority allows it" in said, "no advice", said)
                due = site.show()["acme"]["renewals"][0]["next_at"]
                wait = datetime.datetime.fromisoformat(due.replace("Z", "+00:00")) - \
                    datetime.datetime.now(datetime.timezone.utc)
                check(wait.total_seconds() > 7000, "it does not wait two hours", due)
                site.server.ask("tls", "renew")
                first = site.await_some()[0]
                check(wait_for(lambda: site.certificates()[0]["from"] and len(advisor.asked) >= 2, 60, 0.2),
                      "no advice was asked for", advisor.asked, site.show(), site.server.tail())
                check(advisor.orders[-1].get("replaces") == advisor.asked[0] and
                      "replaces" not in advisor.orders[0], "not told what is replaced", advisor.orders, advisor.asked)
                last = wait_for(lambda: next((r for r in site.show()["acme"]["renewals"] if r["by_advice"]), None), 30)
                check(last and last["next_at"][:4] == str(datetime.datetime.now().year + 1), "the window is not heeded",
                      last, first)

    def expiry(where):
        """What is wrong with certificates in files is told: in events once, by
        check-config, status and tls show."""
        now = datetime.datetime.utcnow()
        day = datetime.timedelta(days=1)
        soon, soon_key = dated(where, "mx.acme.test", now - 80 * day, now + 5 * day)
        over, over_key = dated(where, "old.acme.test", now - 80 * day, now - day)
        config = CONFIG.split("tls:\n")[0].format(ports=http_ports(), zone=where / "zone") + \
            f"tls: {{ cert: [ {over}, {soon} ], key: [ {over_key}, {soon_key} ] }}\n"
        (where / "zone").write_text(ZONE)
        s = Server(binary, where / "server", config, cage=not is_asan)
        r = subprocess.run([binary, "check-config", "--config", s.config], capture_output=True, text=True)
        check(r.returncode == 0 and "its time is over soon" in r.stderr and "its time is over: clients" in r.stderr,
              "check-config", r)
        s.start()
        try:
            told = wait_for(lambda: [e["reason"] for e in s.events() if e["event"] == "certificate"], 30)
            check(sorted(told or []) == ["expired", "expires"], "events", told, s.tail())
            check(s.ask("reload").returncode == 0, "reload")
            check(s.status()["tls"]["faulty"] == 2, "status", s.status())
            check("WARNING its time is over soon" in s.ask("tls", "show").stdout, "tls show", s.ask("tls", "show"))
            log = (s.dir / "mail.log").read_text()
            check(log.count("warning: certificate: mx.acme.test") == 1, "told again at a reload", log)
            check(s.ask("tls", "renew").returncode != 0, "renews without ACME")
        finally:
            s.kill9()

    cases = [acme_http, acme_tls, acme_refused, acme_elsewhere, acme_customers, acme_short, acme_files, acme_advice,
             expiry]
    return cases if is_asan else cases + [acme_secret]


def dated(where, name, start, end):
    """A certificate that signs itself, of these times."""
    cert, key = certificate(where, name)
    conf = where / f"{name}.conf"
    (where / f"{name}.index").write_text("")
    conf.write_text(f"[ca]\ndefault_ca = x\n[x]\ndatabase = {where}/{name}.index\nnew_certs_dir = {where}\n"
                    "rand_serial = yes\ndefault_md = sha256\npolicy = p\nx509_extensions = e\nunique_subject = no\n"
                    f"[p]\ncommonName = supplied\n[e]\nsubjectAltName = DNS:{name}\n")
    request = where / f"{name}.csr"
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request], check=True,
                   capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", conf, "-keyfile", key, "-in", request,
                    "-startdate", start.strftime("%Y%m%d%H%M%SZ"), "-enddate", end.strftime("%Y%m%d%H%M%SZ"),
                    "-notext", "-out", cert], check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


class Advisor:
    """Stands before pebble and adds what that lacks: renewal information, a name for
    CAA, and a refusal for too many orders."""
    def __init__(self, where, ca, refusals=1):
        self.ca, self.asked, self.orders, self.refusals = ca, [], [], refusals
        self.port = free_port()
        self.directory = f"https://127.0.0.1:{self.port}/dir"
        advisor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                advisor.answer(self, None)

            def do_HEAD(self):
                advisor.answer(self, None)

            def do_POST(self):
                advisor.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(ca.root, ca.root.with_suffix(".key"))
        self.server.socket = c.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def say(self, to, status, headers, body):
        to.send_response(status)
        for k, v in headers:
            if k.lower() not in ("content-length", "date", "server", "transfer-encoding", "connection"):
                to.send_header(k, v)
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        if to.command != "HEAD":
            to.wfile.write(body)

    def window(self, to):
        name = to.path.rsplit("/", 1)[1]
        if name not in self.asked:
            self.asked.append(name)
        at = datetime.datetime.utcnow() - datetime.timedelta(days=2)
        if self.asked[0] != name:
            at = at.replace(month=6, day=1, year=at.year + 1)
        times = [t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in (at, at + datetime.timedelta(days=1))]
        body = json.dumps({"suggestedWindow": dict(zip(("start", "end"), times)),
                           "explanationURL": "https://ca.test/why"}).encode()
        self.say(to, 200, [("Content-Type", "application/json"), ("Retry-After", "21600")], body)

    def answer(self, to, body):
        if to.path.startswith("/renewal/"):
            self.window(to)
            return
        up = http.client.HTTPSConnection("127.0.0.1", self.ca.port, timeout=30,
                                         context=ssl._create_unverified_context())
        headers = {k: v for k, v in to.headers.items() if k.lower() in ("content-type", "accept", "user-agent", "host")}
        if to.path.endswith("/order-plz"):
            jws = json.loads(body)
            self.orders.append(json.loads(base64.urlsafe_b64decode(jws["payload"] + "===")))
            if self.refusals:
                self.refusals -= 1
                self.orders.pop()
                self.say(to, 429, [("Content-Type", "application/problem+json"), ("Retry-After", "7200")],
                         json.dumps({"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}).encode())
                return
        up.request(to.command, to.path, body, headers)
        r = up.getresponse()
        text = r.read()
        if to.path == "/dir":
            told = dict(json.loads(text), renewalInfo=f"https://127.0.0.1:{self.port}/renewal")
            told["meta"]["caaIdentities"] = ["ca.test"]
            text = json.dumps(told).encode()
        self.say(to, r.status, r.getheaders(), text)
