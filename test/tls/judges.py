"""judges -- what others say of our TLS, and clients that are not well.

testssl.sh (Debian's, unpacked into .cache/peers) finds nothing above LOW: in
`long' everything it knows, on ports of all three kinds; else protocols and what
may be negotiated.  The odd ones are made here, octet by octet where no library
would.
"""
import concurrent.futures
import json
import os
import pathlib
import smtplib
import socket
import ssl
import subprocess
import time

import package

SEVERE = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")


def of(t):
    """The cases; t is test/tls/run's module."""
    check = t.check

    def authority(where):
        """A certificate as an authority would give: ninety days, where to ask."""
        def openssl(*words):
            subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
        ca, cakey, crt, key, csr, ext = (where / n for n in "ca.pem ca.key mx.pem mx.key mx.csr mx.ext".split())
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", cakey, "-out", ca, "-days", "300", "-subj", "/CN=Test CA")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", csr, "-subj", "/CN=mx.tls.test")
        ext.write_text("subjectAltName=DNS:mx.tls.test\nauthorityInfoAccess=OCSP;URI:http://ocsp.tls.test/\n"
                       "extendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\nbasicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", csr, "-CA", ca, "-CAkey", cakey, "-CAcreateserial", "-out", crt, "-days", "89", "-extfile", ext)
        crt.write_text(crt.read_text() + ca.read_text())
        key.chmod(0o600)
        return ca, crt, key

    def testssl(where):
        if os.geteuid() != 0:
            return "only root can fetch it"
        root = package.root("testssl")
        ca, crt, key = authority(where)
        is_long = os.environ.get("CHECK_MODE") == "long"
        with t.started(where, f"tls: {{ cert: {crt}, key: {key} }}\n") as s:
            def judge(n, words):
                out = where / f"{n}.json"
                r = subprocess.run([root / "usr/bin/testssl", "--warnings", "batch", "--color", "0", "--nodns", "none", "--quiet",
                                    "--openssl", "/usr/bin/openssl", "--add-ca", ca, "--jsonfile", out, "--ip", "127.0.0.1",
                                    *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900,
                                   env=dict(os.environ, TESTSSL_INSTALL_DIR=str(root / "etc/testssl"), TERM="dumb"))
                found = json.loads(out.read_text()) if out.exists() else []
                check(len(found) > (40 if is_long else 5), "testssl.sh did not judge", words, r.stdout[-800:], r.stderr[-300:])
                bad = [(f["id"], f["severity"], f["finding"]) for f in found if f["severity"] in SEVERE]
                check(not bad, "testssl.sh finds", words, bad)
                kinds = {f["id"] for f in found}
                check("TLS1_3" in kinds, "protocols were not judged", sorted(kinds)[:40])
            quick = [] if is_long else ["-p", "-C"]
            runs = [[*quick, f"mx.tls.test:{s.ports[1]}"], [*quick[:1], "-t", "smtp", f"mx.tls.test:{s.ports[0]}"]]
            if is_long:
                runs.append(["-t", "smtp", f"mx.tls.test:{s.ports[2]}"])
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                list(pool.map(judge, range(len(runs)), runs))
            check(s.stop() == 0, "stop", s.tail())

    def works(s, tag):
        t.send(s.ports[1], "implicit", tag)
        t.arrived(s, tag)

    def raw(s, octets, port=1, wait=20):
        """What the server says to these octets, to its end."""
        with socket.create_connection(("127.0.0.1", s.ports[port]), wait) as c:
            c.sendall(octets)
            got = b""
            try:
                while piece := c.recv(4096):
                    got += piece
            except OSError:
                pass
            return got

    def odd_hellos(where):
        """SSLv2's and SSLv3's, one that is endless, one of another protocol, ALPN that
        is a browser's, SNI that nobody has."""
        with t.started(where) as s:
            v2 = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x07\x00\xc0\x05\x00\x80\x03\x00\x80\x01\x00\x80\x06\x00\x40\x04\x00\x80\x02\x00\x80" + bytes(16)
            check(b"SSL" not in (got := raw(s, v2)) and (got == b"" or got[:1] == b"\x15"), "SSLv2", got)
            v3 = b"\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00" + bytes(32) + b"\x00\x00\x04\x00\x0a\x00\x05\x01\x00"
            got = raw(s, v3)
            check(got == b"" or got[:1] == b"\x15", "SSLv3", got)
            got = raw(s, b"\x16\x03\x01\x40\x01" + b"\x01" * 20000)         # RFC 8446 5.1: at most 2^14
            check(got == b"" or got[:1] == b"\x15", "a record that is too long", got)
            for protocols, fine in ((["h2", "http/1.1"], False), (["h2", "smtp"], True), (["esmtp"], True), ([], True)):
                context = t.anyone()
                if protocols:
                    context.set_alpn_protocols(protocols)
                try:
                    with t.implicit(s, context) as c:
                        c.recv(100)
                    check(fine, "taken", protocols)
                except ssl.SSLError as e:
                    check(not fine and "no application protocol" in str(e).lower().replace("_", " "), "refused", protocols, e)
            with t.implicit(s, name="nobody.knows.it.test") as c:
                check(c.recv(100).startswith(b"220"), "an unknown name")
            works(s, "after-hellos")

    def renegotiation(where):
        """TLS 1.2: who wants to begin anew is refused; compression is not done."""
        with t.started(where) as s:
            p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{s.ports[1]}", "-tls1_2", "-crlf", "-comp"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            time.sleep(1)
            for line in (b"EHLO me.test\n", b"R\n", b"NOOP\n"):
                try:
                    p.stdin.write(line)
                    p.stdin.flush()
                except OSError:
                    break
                time.sleep(0.5)
            out, _ = p.communicate(timeout=30)
            check(b"RENEGOTIATING" in out, "s_client did not try", out[-1500:])
            after = out.split(b"RENEGOTIATING", 1)[1]
            check(b"no renegotiation" in after.lower() or b"250 2.0.0" not in after, "it was let", out[-1500:])
            check(b"Compression: NONE" in out, "compression", out[-1500:])
            works(s, "after-renegotiation")

    def halves(where):
        """Ended half-way: without close_notify, with it and more behind, in the middle
        of a message; nothing behind the end is heard, nothing half is kept."""
        with t.started(where) as s:
            def begun():
                c = t.implicit(s)
                c.recv(512)
                c.sendall(b"EHLO me.test\r\n")
                while b"250 " not in c.recv(4096):
                    pass
                return c
            def half(c):
                c.sendall(b"MAIL FROM:<ann@else.test>\r\nRCPT TO:<alice@tls.test>\r\nDATA\r\n")
                while b"354" not in c.recv(4096):
                    pass
                c.sendall(b"Subject: half\r\n\r\nnot all of it\r\n")
            c = begun()
            half(c)
            c.close()                                           # no close_notify, no dot
            c = begun()
            half(c)
            plain = c.unwrap()                                  # close_notify is answered so
            try:
                plain.sendall(b".\r\nQUIT\r\n")                 # in clear text, behind close_notify
                plain.settimeout(20)
                check(b"250" not in plain.recv(4096), "what came behind close_notify is answered")
            except OSError:
                pass
            works(s, "after-halves")
            time.sleep(0.5)
            check(not [m for _, m in t.maildir(s.dir / "mail/alice") if m["Subject"] == "half"], "half a message was kept")
            check(all(e.get("subject") != "half" for e in s.events()), "an event tells of it")

    def never_ends(where):
        """A handshake that does not go on ends at the deadline; others go on beside it."""
        with t.started(where, "timeouts: { server: { command: 2s } }\n") as s:
            hello = socket.create_connection(("127.0.0.1", s.ports[1]), 30)
            hello.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            start = socket.create_connection(("127.0.0.1", s.ports[0]), 30)
            f = start.makefile("rb")
            f.readline()
            start.sendall(b"EHLO me.test\r\n")
            while f.readline()[3:4] == b"-":
                pass
            start.sendall(b"STARTTLS\r\n")
            check(f.readline().startswith(b"220"), "STARTTLS")
            works(s, "beside-slow")
            for c in (hello, start):
                try:
                    check(c.recv(100)[:1] in (b"", b"\x15"), "not ended")
                except ConnectionError:
                    pass
                c.close()

    return [testssl, odd_hellos, renegotiation, halves, never_ends]
