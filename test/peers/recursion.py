"""recursion -- our own resolver, from a root of our own: nsd serves a signed root,
a signed top-level domain and domains that are signed, badly signed, not signed."""
import asyncio
import os
import smtplib
import subprocess

import package
from mail import Sink
from rig import BUILD, Skip, expect, free_port, log_says, server

TTL = "$TTL 60\n@ SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n"
LEAF = TTL + "@ NS ns\n@ MX 10 mx\nns A {leaf}\nmx A {sink}\n"
LEAVES = ("good", "bogus", "plain")


class Roots:
    """Three name servers: the root, example, and those below it."""

    def __init__(self, where, sink):
        self.where, self.started = where, []
        self.nsd, self.tools = package.root("nsd"), package.root("ldns")
        net = f"127.{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}"
        self.at = {"root": f"{net}.1", "example": f"{net}.2", "leaf": f"{net}.3"}
        self.anchor, self.hints = where / "anchor", where / "hints"
        self.hints.write_text(f". 3600 NS a.root-servers.example.\na.root-servers.example. 3600 A {self.at['root']}\n")
        leaves = {f"{name}.example": LEAF.format(leaf=self.at["leaf"], sink=sink) for name in LEAVES}
        ds = {name: self.sign(name, leaves[name]) for name in ("good.example", "bogus.example")}
        self.write("plain.example", leaves["plain.example"])
        # another preference under the old signature
        signed = self.path("bogus.example").read_text()
        expect("MX\t10 " in signed, signed)
        self.path("bogus.example").write_text(signed.replace("MX\t10 ", "MX\t20 "))
        below = "".join(f"{name}. NS ns.{name}.\nns.{name}. A {self.at['leaf']}\n{ds.get(name, '')}" for name in leaves)
        ds = self.sign("example", TTL + f"@ NS ns\nns A {self.at['example']}\n" + below)
        self.sign(".", TTL + f"@ NS a.root-servers.example.\na.root-servers.example. A {self.at['root']}\n"
                  f"example. NS ns.example.\nns.example. A {self.at['example']}\n{ds}")
        self.serve("root", ["."])
        self.serve("example", ["example"])
        self.serve("leaf", list(leaves))

    def tool(self, *words):
        run = subprocess.run([self.tools / "usr/bin" / words[0], *words[1:]], cwd=self.where,
                             env=package.env(self.tools), capture_output=True, text=True)
        expect(run.returncode == 0, f"{words}: {run.stderr}{run.stdout}")
        return run.stdout.strip()

    def path(self, zone):
        return self.where / f"{'root' if zone == '.' else zone}.zone"

    def write(self, zone, text):
        self.path(zone).write_text(f"$ORIGIN {zone.rstrip('.')}.\n{text}")

    def sign(self, zone, text):
        """Its DS."""
        self.write(zone, text)
        key = self.tool("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone).split()[-1]
        self.tool("ldns-signzone", "-f", str(self.path(zone)), "-o", zone, str(self.path(zone)), key)
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

    def ask(self, anchor, *names):
        """What the resolver finds, by name; and what it tells of itself."""
        run = subprocess.run([BUILD / "test/peers/ask", str(self.hints), str(anchor), *names],
                             capture_output=True, text=True, timeout=120)
        print("#", run.stdout.replace("\n", " | "), run.stderr.strip())
        expect(run.returncode == 0, run.stderr)
        return {line.split()[0]: line.split(None, 3)[1:] for line in run.stdout.splitlines()}, run.stderr

    def close(self):
        for process in self.started:
            process.terminate()
            process.wait()


def own_recursion(where):
    """From the root down: what is signed is secure, what is badly signed is
    trouble and not absence, what is not signed is found all the same."""
    if os.geteuid() != 0:
        raise Skip("a name server on port 53 needs root")
    asyncio.run(recursion_cases(where))


async def recursion_cases(where):
    sink_at, sink_port = "127.0.77.26", free_port("127.0.77.26")
    sink = await Sink().start(sink_at, sink_port)
    roots = await asyncio.to_thread(Roots, where, sink_at)
    try:
        await asyncio.to_thread(answers, roots)
        await asyncio.to_thread(mail, where, roots, sink_port)
    finally:
        roots.close()
        await sink.close()


def answers(roots):
    names = ("good.example", "plain.example", "bogus.example", "nobody.example", "mx.good.example")
    for _ in range(50):                         # the name servers are coming up
        got, told = roots.ask(roots.anchor, *names)
        if got["good.example"][0] == "found" and got["plain.example"][0] == "found":
            break
    expect(got["good.example"][:2] == ["found", "secure"], str(got))
    expect(got["plain.example"][:2] == ["found", "insecure"], str(got))
    expect(got["nobody.example"][:2] == ["nobody", "secure"], str(got))
    expect(got["mx.good.example"][:2] == ["none", "secure"], str(got))
    expect(told == "", told)
    expect(got["bogus.example"][0] == "trouble" and "bogus" in got["bogus.example"][2], str(got))
    got, told = roots.ask(roots.where / "no-such-anchor", *names)
    expect(got["good.example"][:2] == ["found", "insecure"], str(got))
    expect("no trust anchor" in told, told)


def mail(where, roots, port):
    def config(anchor):
        return (f"dns: {{ root: {roots.hints}, anchor: {anchor} }}\n"
                f"outbound: {{ port: {port}, retry: [ 1s ], prefer: ipv4 }}\n")
    s = server(where / "nightmail", config(roots.anchor))
    send(s)
    for name in ("good", "plain"):
        expect(log_says(s, rf"to=<bob@{name}\.example>.*status=sent", 60), f"{name}: not delivered\n{tail(s)}")
    expect(log_says(s, r"to=<bob@bogus\.example>.*dsn=4\.4\.3.*status=deferred.*bogus", 60), f"bogus is no trouble\n{tail(s)}")
    expect("status=bounced" not in tail(s), tail(s))
    expect("DANE is off" not in tail(s), tail(s))
    s.stop()
    s = server(where / "without", config(where / "no-such-anchor"))
    send(s)
    for name in LEAVES[1:]:
        expect(log_says(s, rf"to=<bob@{name}\.example>.*status=", 60), f"{name}: nothing\n{tail(s)}")
    expect(tail(s).count("no trust anchor") == 1, tail(s))
    s.stop()


def tail(s):
    return (s.dir / "mail.log").read_text()


def send(s):
    s.start()
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        for name in LEAVES:
            smtp.sendmail("alice@peers.test", [f"bob@{name}.example"], b"Subject: hello\r\n\r\nhello\r\n")


CASES = [own_recursion]
