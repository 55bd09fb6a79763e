"""dns -- a real name server is asked."""
import asyncio
import os
import smtplib
import subprocess

import rig  # noqa: F401
import package

from mail import Sink
from rig import Skip, expect, free_port, log_says, server


ZONE = """\
$ORIGIN far.example.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A {dns}
two MX 10 dead
two MX 20 live
equal MX 10 live
equal MX 10 live2
null MX 0 .
implicit A {sink}
loop MX 10 mx.peers.test.
nohost MX 10 gone
cname CNAME two
dead A 127.0.0.9
live A {sink}
live2 A {sink}
"""


def dns_by_nsd(where):
    """Several MX of which the first is dead, null MX, implicit MX, no domain, a
    loop to ourselves: asked of a real name server."""
    if os.geteuid() != 0:
        raise Skip("a name server on port 53 needs root")
    asyncio.run(dns_cases(where))


async def dns_cases(where):
    at, sink_at, sink_port = "127.0.77.53", "127.0.77.25", free_port("127.0.77.25")
    sink = await Sink().start(sink_at, sink_port)
    zone = where / "far.zone"
    zone.write_text(ZONE.format(dns=at, sink=sink_at))
    conf = where / "nsd.conf"
    conf.write_text(f"""server:
  ip-address: {at}@53
  username: ""
  chroot: ""
  zonesdir: "{where}"
  database: ""
  pidfile: ""
  logfile: "{where}/nsd.log"
  xfrdfile: "{where}/xfrd"
  zonelistfile: "{where}/zones"
  cookie-secret-file: ""
remote-control:
  control-enable: no
zone:
  name: far.example
  zonefile: "{zone}"
""")
    nsd_root = package.root("nsd")
    nsd = subprocess.Popen([nsd_root / "usr/sbin/nsd", "-d", "-c", str(conf)], env=package.env(nsd_root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    s = server(where / "nightmail", f"dns: {{ forwarders: [ {at} ] }}\n"
               f"outbound: {{ port: {sink_port}, retry: [ 1s ] }}\n")
    try:
        await asyncio.to_thread(s.start)
        await asyncio.to_thread(dns_send, s)
        for name in ("two", "equal", "implicit", "cname"):
            found = await asyncio.to_thread(log_says, s, rf"to=<bob@{name}\.far\.example>.*status=sent", 30)
            expect(found, f"{name}: not delivered\n{s.tail()}\n" + (s.dir / "mail.log").read_text()[-3000:])
        for name, code in (("null", r"5\.1\.10"), ("nothing", r"5\.1\.2"), ("loop", r"5\.4\.6")):
            found = await asyncio.to_thread(
                log_says, s, rf"to=<bob@{name}\.far\.example>.*dsn={code}.*status=bounced", 30)
            expect(found, f"{name}: not bounced with {code}\n" + (s.dir / "mail.log").read_text()[-3000:])
        found = await asyncio.to_thread(log_says, s, r"to=<bob@nohost\.far\.example>.*status=deferred", 30)
        expect(found, "an MX without an address is no reason to give up")
    finally:
        s.stop()
        nsd.terminate()
        nsd.wait()
        await sink.close()


def dns_send(s):
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        for name in ("two", "equal", "implicit", "cname", "null", "nothing", "loop", "nohost"):
            smtp.sendmail("alice@peers.test", [f"bob@{name}.far.example"], b"Subject: hello\r\n\r\nhello\r\n")


CASES = [dns_by_nsd]
