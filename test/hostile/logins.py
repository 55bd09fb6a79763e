"""logins -- a storm of bad logins from many networks and names, while good users log in."""
import asyncio
import base64
import crypt
import random
import ssl
import time

from rig import GROWTH_KIB, IS_ASAN, expect, healthy, mail_log, rss, server, stop

CONFIG = """\
hostname: mx.hostile.test
admin: postmaster@hostile.test
cores: 2
listen: [ {{ address: 127.0.0.1, port: {port}, role: submission, tls: implicit }} ]
trusted: [ 192.0.2.1 ]
xclient: [ 127.0.0.1 ]
domains:
  hostile.test: {{ users: [ alice, postmaster ] }}
deliver: {{ maildir: "{{dir}}/Maildir/%u" }}
auth: {{ users: "file:{{dir}}/users", failures: 100 }}
log: {{ to: "{{dir}}/mail.log" }}
limits: {{ connections_per_ip: none, per_ip: none, errors: 1000, junk: 10000 }}
"""
GOOD = [f"user{i}@hostile.test" for i in range(5)]
SECONDS, CONNECTIONS = (5, 40) if IS_ASAN else (6, 100)


class Visitor:
    """One connection that speaks for others (XCLIENT), so that a storm costs no handshakes."""

    def __init__(self, s):
        self.s = s

    async def __aenter__(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.s.port, ssl=context)
        await self.heard()
        return self

    async def __aexit__(self, *why):
        self.writer.transport.abort()

    async def heard(self):
        line = b"   -"
        while line[3:4] == b"-":
            line = await self.reader.readline()
        if not line:
            raise ConnectionError("it is over")
        return line

    async def say(self, line):
        self.writer.write(line.encode() + b"\r\n")
        return await self.heard()

    async def login(self, ip, name, password):
        """The reply, and how long it took."""
        for line in (f"XCLIENT ADDR={ip}", "EHLO me.test"):
            got = await self.say(line)
            expect(got[:1] == b"2", f"{line}: {got!r}")
        secret = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        began = time.monotonic()
        return await self.say(f"AUTH PLAIN {secret}"), time.monotonic() - began


async def storm(s, seed, begun, told):
    """Guesses, each from a network of its own or one of a few, for somebody or nobody."""
    rng = random.Random(seed)
    until = None
    while until is None or time.monotonic() < until:
        try:
            async with Visitor(s) as v:
                until = until or await begun.here()
                while time.monotonic() < until:
                    ip = (f"10.{rng.randrange(256)}.{rng.randrange(256)}.7" if rng.random() < 0.7 else
                          f"198.51.100.{rng.randrange(256)}")
                    name = rng.choice(GOOD) if rng.random() < 0.5 else f"nobody{rng.randrange(10 ** 6)}@hostile.test"
                    got, _ = await asyncio.wait_for(v.login(ip, name, f"guess{rng.random()}"), 60)
                    expect(got[:3] in (b"535", b"454", b"421"), f"{got!r}")
                    told[got[:3].decode()] = told.get(got[:3].decode(), 0) + 1
                    if got[:3] == b"421":
                        break
        except (ConnectionError, OSError):
            pass
        except asyncio.TimeoutError:
            told["waiting"] = told.get("waiting", 0) + 1


class Begun:
    """All wait for all, and then go on until the same time."""

    def __init__(self, n):
        self.n, self.event = n, asyncio.Event()

    async def here(self):
        self.n -= 1
        if self.n == 0:
            self.until = time.monotonic() + SECONDS
            self.event.set()
        await self.event.wait()
        return self.until


async def good_users(s, begun, took, where):
    rng = random.Random(7)
    until = await begun.here()
    while time.monotonic() < until:
        name = rng.choice(GOOD)
        async with Visitor(s) as v:
            got, seconds = await v.login(where(name), name, "secret")
        took.append((seconds, got[:3]))
        await asyncio.sleep(0.05)


def at_home(name):
    return f"203.0.113.{10 + GOOD.index(name)}" if GOOD.index(name) < 3 else f"192.0.{GOOD.index(name)}.9"


async def attack(s, told, known):
    for name in GOOD:                   # they were here before
        async with Visitor(s) as v:
            got, _ = await v.login(at_home(name), name, "secret")
            expect(got[:3] == b"235", f"{name}: {got!r}")
    begun = Begun(CONNECTIONS + 1)
    await asyncio.gather(good_users(s, begun, known, at_home),
                         *(storm(s, i, begun, told) for i in range(CONNECTIONS)))


def bad_logins(where):
    """Whoever was here before is let in, whatever strangers try; memory stays; no password is logged."""
    s = server(where, more="", config=CONFIG)
    hashed = crypt.crypt("secret", "$6$rounds=50000$nightmail")
    (s.dir / "users").write_text("".join(f"{name}:{hashed}\n" for name in GOOD))
    s.start()
    told, known = {}, []
    before = rss(s.worker())
    asyncio.run(attack(s, told, known))
    grown = rss(s.worker()) - before
    healthy(s)
    bad = sum(told.values())
    times = sorted(seconds for seconds, _ in known)
    print(f"# {bad} bad logins in {SECONDS} s ({told}); {len(known)} good ones: p50 {times[len(times) // 2] * 1000:.0f} ms, "
          f"p99 {times[len(times) * 99 // 100] * 1000:.0f} ms; {grown} KiB grown")
    expect(bad > 100, f"no storm: {told}")
    refused = [k for k in known if k[1] != b"235"]
    why = [line for line in mail_log(s).splitlines() if any(name in line for name in GOOD) and "Connection lost" in line][-5:]
    print(f"# of the good ones {len(refused)} were told to come again {refused} {why if refused else ''}")
    expect(known and not refused, f"{refused[:5]} {why}")
    # The sanitizer keeps what was freed, 19 MiB for each hash.
    expect(IS_ASAN or grown < GROWTH_KIB, f"{grown} KiB grown")
    log = mail_log(s)
    expect(log.count("authentication failed: ") > 100 and "guess0." not in log and "secret" not in log,
           "the log: no failures, or a password")
    stop(s)


CASES = [bad_logins]
