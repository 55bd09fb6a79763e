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
import time

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


def of(binary, is_asan):
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
        with certified(where, "names: mail.acme.test\n    keys: both", env={"X": "y"},
                       ) as site:
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

    return [acme_http]
