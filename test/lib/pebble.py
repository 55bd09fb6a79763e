"""pebble -- an authority that speaks ACME, for tests.

    with Pebble(directory, http=port, tls=port) as ca:
        ca.directory, ca.root      the URL, and who signed its certificate
        ca.issuers()               the roots of what it certifies, PEM

Names lead to 127.0.0.1 as its own small DNS says.  It knows no renewal
information (RFC 9773), and asks no CAA.
"""
import json
import os
import ssl
import subprocess
import urllib.request

import package
from server import free_port, wait_for


def certificate(where, name, *more):
    """A certificate that signs itself, and its key."""
    cert, key = where / f"{name}.pem", where / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "30", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost", *more], check=True, capture_output=True)
    return cert, key


class Pebble:
    def __init__(self, directory, http, tls, validity=None, macs=None, env=None):
        self.dir = directory
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port, self.management, self.dns, self.dns_management = (free_port() for _ in range(4))
        self.root, key = certificate(self.dir, "pebble")
        self.directory = f"https://127.0.0.1:{self.port}/dir"
        conf = {"listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}",
                "certificate": str(self.root), "privateKey": str(key), "httpPort": http, "tlsPort": tls,
                "ocspResponderURL": "", "externalAccountBindingRequired": bool(macs),
                "externalAccountMACKeys": macs or {}}
        if validity:
            conf["certificateValidityPeriod"] = validity
        self.config = self.dir / "pebble.json"
        self.config.write_text(json.dumps({"pebble": conf}))
        self.env = dict(os.environ, PEBBLE_VA_NOSLEEP="1", PEBBLE_AUTHZREUSE="0", **(env or {}))
        self.running = []

    def __enter__(self):
        bin_ = package.root("pebble") / "usr/bin"
        self.log = open(self.dir / "log", "ab")
        self.run(bin_ / "pebble-challtestsrv", "-dns01", f"127.0.0.1:{self.dns}", "-http01", "", "-https01", "",
                 "-tlsalpn01", "", "-management", f"127.0.0.1:{self.dns_management}", "-defaultIPv6", "")
        self.run(bin_ / "pebble", "-config", self.config, "-dnsserver", f"127.0.0.1:{self.dns}")
        if not wait_for(self.is_there, 30):
            self.__exit__()
            raise RuntimeError("pebble does not come:\n" + self.said())
        return self

    def run(self, *words):
        self.running.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                             env=self.env))

    def __exit__(self, *_):
        for p in self.running:
            p.kill()
            p.wait(30)
        self.log.close()

    def get(self, url):
        with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=self.root), timeout=20) as r:
            return r.read()

    def is_there(self):
        try:
            return self.get(self.directory)
        except OSError:
            return None

    def issuers(self, n=1):
        return b"".join(self.get(f"https://127.0.0.1:{self.management}/roots/{i}") for i in range(n))

    def said(self):
        return (self.dir / "log").read_text(errors="replace")
