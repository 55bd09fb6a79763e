"""domains -- what domains ask of TLS themselves: TLSA records under real DNSSEC, and
MTA-STS policies from a real HTTPS host."""
import contextlib
import hashlib
import json
import os
import socket
import ssl
import subprocess
import threading

from peer import Authority, Peer
from rig import check, started
from postfix import Postfix
from server import free_port
from zones import Zones

NET = f"127.{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}"
ROOT_ONLY = "ports 53 and 443 need root"


def fate(s, rcpt, wanted):
    """wanted: how TLS was, or the beginning of why it was not."""
    e = s.last(rcpt)
    if wanted[0].isdigit():
        check(e["event"] == "delayed" and f"{e['dsn']} {e['text']}".startswith(wanted), rcpt, e, s.mail_log())
    else:
        check(e["event"] == "delivered" and e["tls"] == wanted, rcpt, e, s.mail_log())


def report(s):
    """domain -> [(policy type, successes, [result types])]"""
    run = s.ask("tls", "report", "--json")
    check(run.returncode == 0, "tls report", run.stderr)
    got = {}
    for r in map(json.loads, run.stdout.splitlines()):
        check(r["organization-name"] == "out.test" and r["contact-info"] == "postmaster@out.test", "who reports", r)
        check(r["date-range"]["start-datetime"].endswith("T00:00:00Z"), "the day", r)
        for p in r["policies"]:
            failures = p.get("failure-details", [])
            check(p["summary"]["total-failure-session-count"] == sum(f["failed-session-count"] for f in failures),
                  "counts", p)
            got.setdefault(p["policy"]["policy-domain"], []).append(
                (p["policy"]["policy-type"], p["summary"]["total-successful-session-count"] > 0,
                 sorted({f["result-type"] for f in failures}), p))
    return got


# ---- DANE ----

def spki(cert):
    key = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True, capture_output=True)
    return hashlib.sha256(der.stdout).hexdigest()


def whole(cert):
    text = cert.read_text()
    der = ssl.PEM_cert_to_DER_cert(text[:text.index("-----END CERTIFICATE-----") + 26])
    return hashlib.sha256(der).hexdigest()


def with_issuer(identity, ca):
    cert, key = identity
    chain = cert.with_suffix(".chain")
    chain.write_text(cert.read_text() + ca.cert.read_text())
    return chain, key


WRONG = "00" * 32
NO_MATCH = "4.7.5 no TLSA record names the host's certificate (DANE of mx.{}.example asks for 'dane')"


class Signed:
    """Domains of each kind: what their host shows, their TLSA records, and what
    becomes of mail to them."""

    def __init__(self, where):
        ca = Authority(where)
        own = ca.self_signed("mx.own.test")
        late = ca.expired("elsewhere.test")
        self.kinds = {
            # name: (TLS of the host, records, fate)
            "ee": (late, [f"3 1 1 {spki(late[0])}"], "TLSv1.3/dane"),
            "cert": (own, [f"3 0 1 {whole(own[0])}"], "TLSv1.3/dane"),
            "ta": (with_issuer(ca.of("mx.ta.example"), ca), [f"2 0 1 {whole(ca.cert)}"], "TLSv1.3/dane"),
            "hop": (with_issuer(ca.of("hop.example"), ca), [f"2 1 1 {spki(ca.cert)}"], "TLSv1.3/dane"),
            "other": (with_issuer(ca.of("mx.another.example"), ca), [f"2 0 1 {whole(ca.cert)}"],
                      "4.7.5 the host's certificate is not for mx.other.example"),
            "late": (with_issuer(ca.expired("mx.late.example"), ca), [f"2 0 1 {whole(ca.cert)}"],
                     "4.7.5 of the host's certificate: it has expired"),
            "wrong": (own, [f"3 1 1 {WRONG}"], NO_MATCH.format("wrong")),
            "roll": (own, [f"3 1 1 {WRONG}", f"3 1 1 {spki(own[0])}"], "TLSv1.3/dane"),
            "useless": (own, [f"0 0 1 {WRONG}", f"1 1 1 {WRONG}"], "TLSv1.3/encrypt"),
            "bare": (None, [f"0 0 1 {WRONG}"], "4.7.4 the host does not offer STARTTLS (DANE of mx.bare"),
            "clear": (None, [f"3 1 1 {WRONG}"], "4.7.4 the host does not offer STARTTLS (DANE of mx.clear"),
            "bogus": (own, [f"3 1 1 {spki(own[0])}"], "4.7.5 the TLSA records of mx.bogus.example cannot be had"),
            "expired": (own, [f"3 1 1 {spki(own[0])}"], "4.4.3 cannot look up the mail exchangers of expired.example"),
            "none": (own, [], "TLSv1.3/encrypt"),
            "plain": (own, [f"3 1 1 {WRONG}"], "TLSv1.3/encrypt"),
            # real ones
            "postfix": (own, [f"3 1 1 {spki(own[0])}"], "TLSv1.3/dane"),
            "night": (with_issuer(ca.of("mx.night.example"), ca), [f"2 0 1 {whole(ca.cert)}"], "TLSv1.3/dane"),
        }
        self.at = {kind: f"{NET}.{20 + i}" for i, kind in enumerate(self.kinds)}
        self.port = free_port(f"{NET}.20")

    def leaves(self):
        def text(kind):
            records = "".join(f"_{self.port}._tcp.mx TLSA {r}\n" for r in self.kinds[kind][1])
            return f"@ NS ns\n@ MX 10 mx\nns A {{leaf}}\nmx A {self.at[kind]}\n{records}"
        return {f"{kind}.example": text(kind) for kind in self.kinds}


def real_postfix(where, signed):
    chain, key = signed.kinds["postfix"][0]
    return Postfix(where, {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": chain, "smtpd_tls_key_file": key,
                           "relay_domains": "postfix.example",
                           "default_transport": "discard", "relay_transport": "discard"},
                   "tlsmgr unix - - n 1000? 1 tlsmgr\n", listen=f"{signed.at['postfix']}:{signed.port}")


RECEIVER = """\
hostname: mx.night.example
admin: bob@night.example
cores: 1
listen: [ {{ address: AT, port: {port}, role: mx }} ]
domains: {{ night.example: {{ users: [ bob ] }} }}
deliver: {{ maildir: "{{dir}}/mail/%u" }}
log: {{ to: {{dir}}/mail.log }}
"""


def real_nightmail(where, signed):
    chain, key = signed.kinds["night"][0]
    config = RECEIVER.replace("AT, port: {port}", f"{signed.at['night']}, port: {signed.port}")
    return started(where, config=config, more=f"tls: {{ cert: {chain}, key: {key} }}\n")


def dane(where):
    """Records that are right, wrong, of no use, expired, bogus, and not signed; of
    usage 3 and 2; two of them, while keys change.  Never clear text where there are
    some."""
    if os.geteuid() != 0:
        return ROOT_ONLY
    signed = Signed(where)
    (where / "dns").mkdir()
    zones = Zones(where / "dns", signed.leaves(), plain=["plain.example"], expired=["expired.example"],
                  spoil={"bogus.example": lambda text: text.replace("TLSA\t3 1 1", "TLSA\t3 0 1")})
    with contextlib.ExitStack() as stack:
        stack.callback(zones.close)
        stack.enter_context(real_postfix(where / "postfix", signed))
        stack.enter_context(real_nightmail(where / "night", signed))
        peers = {kind: stack.enter_context(Peer(signed.at[kind], signed.port, tls=tls, name=f"mx.{kind}.example"))
                 for kind, (tls, _, _) in signed.kinds.items() if kind not in ("postfix", "night")}
        s = stack.enter_context(started(where / "s", mx_port=signed.port,
                                        dns=f"root: {zones.hints}, anchor: {zones.anchor}"))
        for kind in signed.kinds:
            s.send(f"bob@{kind}.example")
        for kind, (_, _, wanted) in signed.kinds.items():
            fate(s, f"bob@{kind}.example", wanted)
        for kind, peer in peers.items():
            wanted = signed.kinds[kind][2]
            check(bool(peer.mails) != wanted[0].isdigit(), f"mails of {kind}", peer.mails)
            check(all(m["tls"] for m in peer.mails), f"clear text to {kind}", peer.mails)
        check({t.sni for t in peers["ta"].talks if t.is_private} == {"mx.ta.example"}, "SNI")
        why = s.ask("why", "bob@ee.example").stdout
        check("TLSv1.3/dane" in why, "why tells of TLS", why)
        check("Verified TLS connection established to mx.ee.example" in s.whole_log(), "log", s.whole_log())
        got = report(s)
        expect = {"ee": ("tlsa", True, []), "wrong": ("tlsa", False, ["validation-failure"]),
                  "useless": ("tlsa", False, ["tlsa-invalid"]), "bogus": ("tlsa", False, ["dnssec-invalid"]),
                  "other": ("tlsa", False, ["certificate-host-mismatch"]),
                  "late": ("tlsa", False, ["certificate-expired"]),
                  "clear": ("tlsa", False, ["starttls-not-supported"]), "none": ("no-policy-found", True, [])}
        for kind, wanted in expect.items():
            check([row[:3] for row in got[f"{kind}.example"]] == [wanted], f"report of {kind}", got[f"{kind}.example"])
        row = got["roll.example"][0][3]
        check(sorted(row["policy"]["policy-string"]) == sorted(signed.kinds["roll"][1]), "the records", row)
        check("DANE is off" not in s.mail_log(), "DANE is on")
        tls = s.status()["tls_sessions"]
        check(tls["dane"] == sum(wanted.endswith("/dane") for _, _, wanted in signed.kinds.values()) and
              tls["refused"] > 0 and tls["clear"] == 0, "status", tls)
        # who cannot validate does without DANE, and says so
        blind = stack.enter_context(started(where / "blind", mx_port=signed.port,
                                            dns=f"root: {zones.hints}, anchor: {where}/none"))
        blind.send("bob@wrong.example")
        fate(blind, "bob@wrong.example", "TLSv1.3/encrypt")
        check("DANE is off" in blind.mail_log(), "it is told that DANE is off", blind.mail_log())


# ---- MTA-STS ----

class Web:
    """An HTTPS host with many names: name -> (identity, bytes of the response)."""

    def __init__(self, address, pages):
        self.pages, self.address, self.seen = pages, address, []
        self.listener = None

    def start(self):
        self.listener = socket.create_server((self.address, 443), backlog=50)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        if self.listener:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        self.listener = None

    def accept(self, listener):
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def named(self, conn, name, _):
        self.seen.append(name)
        if name in self.pages:
            conn.context = self.context(self.pages[name][0])
        return None

    def context(self, identity):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(*map(str, identity))
        c.sni_callback = self.named
        return c

    def serve(self, conn):
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            conn.settimeout(30)
            conn = self.context(next(iter(self.pages.values()))[0]).wrap_socket(conn, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                more = conn.recv(4096)
                if not more:
                    return
                head += more
            lines = head.decode().split("\r\n")
            name = next(line[6:] for line in lines if line.lower().startswith("host: "))
            if lines[0] == "GET /.well-known/mta-sts.txt HTTP/1.1":
                conn.sendall(self.pages[name][1])
            conn.unwrap()


def page(mode, *mx, age=604800, more=""):
    body = "".join(["version: STSv1\r\n", f"mode: {mode}\r\n", *[f"mx: {m}\r\n" for m in mx], f"max_age: {age}\r\n", more])
    return answer(200, body)


def answer(status, body, kind="text/plain; charset=utf-8", more=""):
    return (f"HTTP/1.1 {status} so\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n" + body).encode()


class Policies:
    def __init__(self, where):
        self.ca = Authority(where)
        strange = Authority(where, "stranger")
        self.hosts = {      # what the MX hosts show
            "good": self.ca.of("mx.test", "*.example", *[f"mx.{k}.example" for k in ("good", "moves", "both")], file="good"),
            "self": self.ca.self_signed("mx.test"),
            "late": self.ca.expired("mx.late.example"),
            "none": None,
        }
        self.at = {kind: f"{NET}.{100 + i}" for i, kind in enumerate(self.hosts)}
        self.web_at = f"{NET}.99"
        self.port = free_port(f"{NET}.100")
        here = "https://mta-sts.good.example/.well-known/mta-sts.txt"
        # name: (MX host, response, who signs for the policy's host, fate, what is reported)
        own = {"wrong-ca": strange}
        self.kinds = {
            "good": ("good", page("enforce", "*.good.example", "mx.good.example"), "TLSv1.3/mta_sts", ("sts", [])),
            "untrusted": ("self", page("enforce", "mx.untrusted.example"),
                          "4.7.5 the host's certificate is not trusted: it is signed by itself (the MTA-STS policy of "
                          "untrusted.example asks for 'verify')", ("sts", ["certificate-not-trusted"])),
            "late": ("late", page("enforce", "mx.late.example"), "4.7.5 the host's certificate is not trusted: it has "
                     "expired", ("sts", ["certificate-expired"])),
            "unnamed": ("good", page("enforce", "mx.unnamed.example"), "4.7.5 the host's certificate is not for "
                        "mx.unnamed.example", ("sts", ["certificate-host-mismatch"])),
            "clear": ("none", page("enforce", "mx.clear.example"), "4.7.4 the host does not offer STARTTLS",
                      ("sts", ["starttls-not-supported"])),
            "stray": ("good", page("enforce", "mx.elsewhere.example"), "4.7.5 mx.stray.example is an MX of stray.example "
                      "that is not in its MTA-STS policy", ("sts", ["validation-failure"])),
            "testing": ("self", page("testing", "mx.testing.example"), "TLSv1.3/encrypt",
                        ("sts", ["certificate-not-trusted"])),
            "testing-clear": ("none", page("testing", "mx.testing-clear.example"), "clear",
                              ("sts", ["starttls-not-supported"])),
            "off": ("self", page("none"), "TLSv1.3/encrypt", ("no-policy-found", [])),
            "huge": ("self", page("enforce", "mx.huge.example", more="x: " + "y" * 65536 + "\r\n"), "TLSv1.3/encrypt",
                     ("sts", ["sts-policy-fetch-error"])),
            "moved": ("self", answer(302, "", more=f"Location: {here}\r\n"), "TLSv1.3/encrypt",
                      ("sts", ["sts-policy-fetch-error"])),
            "missing": ("self", answer(404, "no\n"), "TLSv1.3/encrypt", ("sts", ["sts-policy-fetch-error"])),
            "html": ("self", answer(200, "<html></html>", "text/html"), "TLSv1.3/encrypt", ("sts", ["sts-policy-invalid"])),
            "invalid": ("self", answer(200, "version: STSv1\r\nmode: enforce\r\n"), "TLSv1.3/encrypt",
                        ("sts", ["sts-policy-invalid"])),
            "expired-ca": ("self", page("enforce", "mx.expired-ca.example"), "TLSv1.3/encrypt",
                           ("sts", ["sts-webpki-invalid"])),
            "wrong-ca": ("self", page("enforce", "mx.wrong-ca.example"), "TLSv1.3/encrypt",
                         ("sts", ["sts-webpki-invalid"])),
        }
        self.pages = {}
        for kind, row in self.kinds.items():
            name = f"mta-sts.{kind}.example"
            ca = own.get(kind, self.ca)
            self.pages[name] = (ca.expired(name) if kind == "expired-ca" else ca.of(name), row[1])

    def zone(self, name, mx, ident="1"):
        return [f"{name}.example. MX 10 mx.{name}.example.", f"mx.{name}.example. A {self.at[mx]}",
                f"_mta-sts.{name}.example. TXT \"v=STSv1; id={ident}\"", f"mta-sts.{name}.example. A {self.web_at}"]


def mta_sts(where):
    """Policies that are kept and broken; a policy outlives its host, its record and
    a restart, until another takes its place."""
    if os.geteuid() != 0:
        return ROOT_ONLY
    p = Policies(where)
    moves = "mta-sts.moves.example"
    p.pages[moves] = (p.ca.of(moves), page("enforce", "mx.moves.example"))
    p.pages["mta-sts.both.example"] = (p.ca.of("mta-sts.both.example"), page("enforce", "mx.elsewhere.example"))
    zone = sum((p.zone(kind, row[0]) for kind, row in p.kinds.items()), []) + p.zone("both", "self")
    # DANE goes first: what it says is all that counts
    zone += ["both.example. SECURE", "mx.both.example. SECURE", f"_{p.port}._tcp.mx.both.example. SECURE",
             f"_{p.port}._tcp.mx.both.example. TLSA 3 1 1 {spki(p.hosts['self'][0])}"]
    web = Web(p.web_at, p.pages)
    with contextlib.ExitStack() as stack:
        stack.callback(web.stop)
        web.start()
        peers = {kind: stack.enter_context(Peer(p.at[kind], p.port, tls=tls)) for kind, tls in p.hosts.items()}
        s = stack.enter_context(started(where / "s", zone=zone + p.zone("moves", "good"), mx_port=p.port,
                                        more=f"tls: {{ ca: {p.ca.cert} }}\n"))
        for kind in [*p.kinds, "both", "moves"]:
            s.send(f"bob@{kind}.example")
        for kind, row in p.kinds.items():
            fate(s, f"bob@{kind}.example", row[2])
        fate(s, "bob@both.example", "TLSv1.3/dane")
        fate(s, "bob@moves.example", "TLSv1.3/mta_sts")
        got = report(s)
        for kind, row in p.kinds.items():
            rows = got[f"{kind}.example"]
            check([r[0] for r in rows] == [row[3][0]] and rows[0][2] == row[3][1], f"report of {kind}", rows)
        check(got["good.example"][0][3]["policy"]["mx-host"] == ["*.good.example", "mx.good.example"], "mx-host",
              got["good.example"])
        # the host dies, the record goes, the server is started anew; now the MX shows what it should not
        check(s.stop() == 0, "stop", s.tail())
        web.stop()
        lost = [line for line in p.zone("moves", "none") if "_mta-sts" not in line]
        (where / "s/zone").write_text("\n".join(lost) + "\n")
        s.start()
        s.send("carl@moves.example")
        fate(s, "carl@moves.example", "4.7.4 the host does not offer STARTTLS (the MTA-STS policy of moves.example")
        # another id: the policy is fetched anew, and takes the demand back
        check(s.stop() == 0, "stop", s.tail())
        p.pages[moves] = (p.pages[moves][0], page("none"))
        web.start()
        (where / "s/zone").write_text("\n".join(p.zone("moves", "none", "2")) + "\n")
        s.start()
        s.send("dora@moves.example")
        fate(s, "dora@moves.example", "clear")
        check(all(m["tls"] for kind in ("good", "self", "late") for m in peers[kind].mails), "clear text")
        check({"bob@testing-clear.example", "dora@moves.example"} <= {r for m in peers["none"].mails for r in m["rcpts"]},
              "clear text", peers["none"].mails)
        check(not any(r in ("bob@clear.example",) for m in peers["none"].mails for r in m["rcpts"]), "enforce")


CASES = [dane, mta_sts]
