"""peer -- a server that speaks SMTP as it is told to, over TLS or not; and
certificates, good and bad, from an authority of the test's own.

    with Peer("127.0.0.2", port, tls=authority.of("mx.test")) as peer:
        ...
        peer.mails      what it took: dicts of sender, params, rcpts, data, tls

It may offer STARTTLS and refuse it, break in the handshake, say more than it was
asked, or hide what it offered.
"""
import base64
import contextlib
import pathlib
import socket
import ssl
import subprocess
import threading


class Authority:
    """What signs, and what it signed."""

    def __init__(self, where, name="authority"):
        self.dir = pathlib.Path(where) / name
        self.dir.mkdir(parents=True)
        self.cert, self.key = self.dir / "ca.pem", self.dir / "ca.key"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", self.key, "-out", self.cert, "-days", "30", "-subj", f"/CN={name}")
        (self.dir / "index.txt").write_text("")
        (self.dir / "serial").write_text("1000\n")
        (self.dir / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=us\n[us]\ndatabase={self.dir}/index.txt\nserial={self.dir}/serial\n"
            f"new_certs_dir={self.dir}\ndefault_md=sha256\npolicy=any\nunique_subject=no\ncopy_extensions=copy\n"
            f"[any]\ncommonName=supplied\n")

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    def of(self, *names, dates=(), file=None):
        """A chain file and a key, for these names."""
        base = self.dir / (file or names[0])
        cert, key, ask = (base.with_name(base.name + e) for e in (".pem", ".key", ".csr"))
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                     "-out", ask, "-subj", f"/CN={names[0]}",
                     "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names))
        self.openssl("ca", "-batch", "-notext", "-config", self.dir / "ca.cnf", "-cert", self.cert,
                     "-keyfile", self.key, "-in", ask, "-out", cert, *(dates or ("-days", "20")))
        return cert, key

    def expired(self, *names):
        return self.of(*names, dates=("-startdate", "20200101000000Z", "-enddate", "20210101000000Z"),
                       file=names[0] + ".expired")

    def self_signed(self, *names):
        base = self.dir / (names[0] + ".self")
        cert, key = base.with_suffix(".pem"), base.with_suffix(".key")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     key, "-out", cert, "-days", "30", "-subj", f"/CN={names[0]}",
                     "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names))
        return cert, key


class Peer:
    """tls: (chain, key), or None: STARTTLS is not offered.  answer: to STARTTLS,
    other than 220.  behind: octets in the packet of the 220.  broken: what
    follows the 220 instead of a handshake.  implicit: TLS from the first octet.
    extensions: more EHLO lines, inside TLS.  login: fn(peer session, verb line)
    that speaks AUTH.  replies: verb -> reply line instead of the usual.  judge:
    fn(peer session, verb or "CONNECT", mail) that gives one, or None; 421 ends it."""

    def __init__(self, address, port, tls=None, **how):
        self.how = {"answer": None, "behind": b"", "broken": None, "implicit": False, "extensions": [],
                    "clear_extensions": [], "login": None, "replies": {}, "judge": None, "versions": None, "name": "peer.test"}
        assert not set(how) - set(self.how), how
        self.how.update(how)
        self.tls = tls
        self.mails, self.talks = [], []
        self.logins = []
        self.listener = socket.create_server((address, port), backlog=50)
        self.address, self.port = address, port
        self.is_over = False
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while not self.is_over:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def context(self):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(*map(str, self.tls))
        if self.how["versions"]:
            c.minimum_version = c.maximum_version = self.how["versions"]
        return c

    def serve(self, conn):
        talk = Talk(self, conn)
        self.talks.append(talk)
        with contextlib.suppress(OSError, ValueError, ssl.SSLError):
            talk.run()
        with contextlib.suppress(OSError):
            talk.conn.close()


class Talk:
    def __init__(self, peer, conn):
        conn.settimeout(60)
        self.peer, self.how, self.conn, self.is_private = peer, peer.how, conn, False
        self.heard, self.sni, self.version, self.reused = [], None, None, False
        self.user = None
        self.reader = conn.makefile("rb")
        self.conn_from = conn.getpeername()[0]

    def say(self, *lines):
        self.conn.sendall("".join(line + "\r\n" for line in lines).encode())

    def line(self):
        got = self.reader.readline()
        if not got.endswith(b"\n"):
            raise OSError("gone")
        text = got.decode("utf-8", "replace").rstrip("\r\n")
        self.heard.append(text)
        return text

    def secure(self):
        context = self.peer.context()

        def named(_, name, __):
            self.sni = name
        context.sni_callback = named
        self.conn = context.wrap_socket(self.conn, server_side=True)
        self.is_private, self.version, self.reused = True, self.conn.version(), self.conn.session_reused
        self.reader = self.conn.makefile("rb")

    def ehlo(self):
        lines = [self.how["name"], "PIPELINING", "8BITMIME", "SIZE 10000000", "DSN"]
        lines += self.how["extensions"] if self.is_private else self.how["clear_extensions"]
        if self.peer.tls and not self.is_private:
            lines.append("STARTTLS")
        self.say(*[f"250{'-' if i < len(lines) - 1 else ' '}{text}" for i, text in enumerate(lines)])

    def judge(self, verb, mail):
        return self.how["judge"](self, verb, mail) if self.how["judge"] else None

    def starttls(self):
        if self.how["answer"]:
            self.say(self.how["answer"])
            return True
        self.conn.sendall(b"220 go ahead\r\n" + self.how["behind"])
        if self.how["broken"] is not None:
            self.conn.recv(1)
            self.conn.sendall(self.how["broken"])
            return False
        self.secure()
        return True

    def run(self):
        if self.how["implicit"]:
            self.secure()
        if (said := self.judge("CONNECT", None)):
            self.say(said)
            return
        self.say(f"220 {self.how['name']} ready")
        mail = None
        while True:
            text = self.line()
            verb = text.split(" ")[0].split(":")[0].upper()
            if (said := self.judge(verb, mail)):
                self.say(said)
                mail = mail if verb != "MAIL" else None
                if said.startswith("421"):
                    return
            elif verb in ("RCPT", "DATA") and mail is None:
                self.say("503 MAIL first")
            elif verb in self.how["replies"]:
                self.say(self.how["replies"][verb])
            elif verb in ("EHLO", "LHLO"):
                self.ehlo()
            elif verb == "STARTTLS":
                if not self.starttls():
                    return
            elif verb == "AUTH" and self.how["login"]:
                self.how["login"](self, text)
            elif verb == "MAIL":
                mail = {"sender": text[10:].split(">")[0].lstrip("<"), "params": text.split(">", 1)[1].split(),
                        "rcpts": [], "tls": self.version, "user": self.user}
                self.say("250 ok")
            elif verb == "RCPT":
                mail["rcpts"].append(text[8:].split(">")[0].lstrip("<"))
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    more = self.reader.readline()
                    if not more:
                        return
                    data += more
                mail["data"] = data[:-3].decode("utf-8", "replace")
                self.peer.mails.append(mail)
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok" if verb in ("RSET", "NOOP") else "500 what?")


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()
