"""recursion -- our own resolver, from a root of our own: nsd serves a signed root,
a signed top-level domain and domains that are signed, badly signed, not signed."""
import asyncio
import os
import smtplib
import subprocess

from mail import Sink
from rig import BUILD, Skip, expect, free_port, log_says, server
from zones import Zones

LEAF = "@ NS ns\n@ MX 10 mx\nns A {{leaf}}\nmx A {sink}\n"
LEAVES = ("good", "bogus", "plain")


def another_preference(signed):
    """Under the old signature."""
    expect("MX\t10 " in signed, signed)
    return signed.replace("MX\t10 ", "MX\t20 ")


class Roots(Zones):
    def __init__(self, where, sink):
        super().__init__(where, {f"{name}.example": LEAF.format(sink=sink) for name in LEAVES},
                         plain=["plain.example"], spoil={"bogus.example": another_preference})

    def ask(self, anchor, *names):
        """What the resolver finds, by name; and what it tells of itself."""
        run = subprocess.run([BUILD / "test/peers/ask", str(self.hints), str(anchor), *names],
                             capture_output=True, text=True, timeout=120)
        print("#", run.stdout.replace("\n", " | "), run.stderr.strip())
        expect(run.returncode == 0, run.stderr)
        return {line.split()[0]: line.split(None, 3)[1:] for line in run.stdout.splitlines()}, run.stderr


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
