"""zones -- a DNS of one's own, from the root: nsd serves a signed root, a signed
"example" and the domains below it, which are signed, badly signed, or not; and
others, as 11.in-addr.arpa, below the root.

    zones = Zones(where, {"a.example": text}, plain=["b.example"])
    ...             zones.hints and zones.anchor are what a resolver begins with
    zones.close()

In a text {leaf} is the address of the name server.  It takes root: port 53.
"""
import os
import socket
import struct
import subprocess

import package
from server import wait_for

TTL = "$TTL 60\n@ SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n"
LONG_AGO = ("-i", "20200101000000", "-e", "20200201000000")


class Zones:
    """plain: not signed.  expired: signed for a month of 2020.  spoil: domain ->
    what is made of its text after it was signed."""

    def __init__(self, where, leaves, plain=(), expired=(), spoil=None):
        self.where, self.started = where, []
        self.nsd, self.tools = package.root("nsd"), package.root("ldns")
        net = f"127.{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}"
        self.at = {"root": f"{net}.1", "example": f"{net}.2", "leaf": f"{net}.3"}
        self.anchor, self.hints = where / "anchor", where / "hints"
        self.hints.write_text(f". 3600 NS a.root-servers.example.\na.root-servers.example. 3600 A {self.at['root']}\n")
        ds = {}
        for name, text in leaves.items():
            text = TTL + text.replace("{leaf}", self.at["leaf"])
            if name in plain:
                self.write(name, text)
            else:
                ds[name] = self.sign(name, text, *(LONG_AGO if name in expired else ()))
        for name, change in (spoil or {}).items():
            self.path(name).write_text(change(self.path(name).read_text()))
        below = {name: f"{name}. NS ns.{name}.\nns.{name}. A {self.at['leaf']}\n{ds.get(name, '')}" for name in leaves}
        inside = "".join(text for name, text in below.items() if name.endswith(".example"))
        beside = "".join(text for name, text in below.items() if not name.endswith(".example"))
        ds = self.sign("example", TTL + f"@ NS ns\nns A {self.at['example']}\n" + inside)
        self.sign(".", TTL + f"@ NS a.root-servers.example.\na.root-servers.example. A {self.at['root']}\n"
                  f"example. NS ns.example.\nns.example. A {self.at['example']}\n{ds}{beside}")
        self.serve("root", ["."])
        self.serve("example", ["example"])
        self.serve("leaf", list(leaves))
        wait_for(lambda: all(self.answers(name) for name in self.at), 30)

    def tool(self, *words):
        run = subprocess.run([self.tools / "usr/bin" / words[0], *words[1:]], cwd=self.where,
                             env=package.env(self.tools), capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{words}: {run.stderr}{run.stdout}")
        return run.stdout.strip()

    def path(self, zone):
        return self.where / f"{'root' if zone == '.' else zone}.zone"

    def write(self, zone, text):
        self.path(zone).write_text(f"$ORIGIN {zone.rstrip('.')}.\n{text}")

    def sign(self, zone, text, *dates):
        """Its DS."""
        self.write(zone, text)
        key = self.tool("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone).split()[-1]
        self.tool("ldns-signzone", *dates, "-f", str(self.path(zone)), "-o", zone, str(self.path(zone)), key)
        if zone == ".":
            self.anchor.write_text((self.where / f"{key}.key").read_text())
        return (self.where / f"{key}.ds").read_text()

    def serve(self, name, zones):
        conf = self.where / f"{name}.conf"
        conf.write_text(f"""server:
  ip-address: {self.at[name]}@53
  username: ""
  chroot: ""
  zonesdir: "{self.where}"
  database: ""
  pidfile: ""
  logfile: "{self.where}/{name}.log"
  xfrdfile: "{self.where}/{name}.xfrd"
  zonelistfile: "{self.where}/{name}.zones"
  cookie-secret-file: ""
remote-control:
  control-enable: no
""" + "".join(f"zone:\n  name: \"{z}\"\n  zonefile: \"{self.path(z)}\"\n" for z in zones))
        self.started.append(subprocess.Popen(
            [self.nsd / "usr/sbin/nsd", "-d", "-c", str(conf)], env=package.env(self.nsd),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def answers(self, name):
        """Does that name server say anything?"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            try:
                s.connect((self.at[name], 53))
                s.send(struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\0" + struct.pack("!2H", 6, 1))
                return len(s.recv(512)) > 0
            except OSError:
                return False

    def close(self):
        for process in self.started:
            process.terminate()
            process.wait()
