"""servers -- real servers, as next hops and as clients."""
import asyncio
import smtplib
import time

from rig import MODE, RELAY, alice, expect, need_root, server
from exim import Exim
from mail import Load, Sink
from opensmtpd import OpenSMTPD
from postfix import Postfix


MESSAGES = {"fast": 50, "normal": 100, "long": 5000}[MODE]
ONWARD = "limits: { connections_per_ip: 1000 }\n"


def postfix(where, onward):
    return Postfix(where / "postfix", {"relayhost": f"[127.0.0.1]:{onward}", "mynetworks": "127.0.0.0/8"})


def exim(where, onward):
    return Exim(where / "exim", onward)


def opensmtpd(where, onward):
    return OpenSMTPD(where / "opensmtpd", onward)


async def next_hop(where, peer):
    """Nightmail relays to the peer, the peer to a sink: bit-true all the way."""
    need_root()
    sink = await Sink().start()
    with peer(where, sink.address[1]) as p:
        s = server(where / "nightmail", RELAY.format(p.port) + ONWARD)
        await asyncio.to_thread(s.start)
        load = Load(("127.0.0.1", s.port), connections=4, sizes=(1, 20000))
        load.start()
        until = time.monotonic() + 120
        while len(load.acked) < MESSAGES and time.monotonic() < until:
            await asyncio.sleep(0.01)
        await load.stop()
        while not load.acked <= set(sink.seen) and time.monotonic() < until:
            await asyncio.sleep(0.2)
        expect(load.acked, "nothing was accepted")
        expect(load.acked <= set(sink.seen), lambda: f"{len(load.acked - set(sink.seen))} of "
               f"{len(load.acked)} are missing\n" + p.tail())
        expect(not sink.corrupt, f"{len(sink.corrupt)} bodies changed")
        print(f"# {len(load.acked)} messages went through both")
        s.stop()
    await sink.close()


def client(where, peer):
    """The peer relays to Nightmail, which puts the mail into a Maildir."""
    need_root()
    s = server(where / "nightmail").start()
    with peer(where, s.port) as p:
        with smtplib.SMTP("127.0.0.1", p.port) as smtp:
            for i in range(20):
                smtp.sendmail("me@laptop.test", ["alice@peers.test"], f"Subject: {i}\r\n\r\nmessage {i}\r\n".encode())
            smtp.sendmail("me@laptop.test", ["alice@peers.test", "nobody@peers.test"], b"Subject: 20\r\n\r\nx\r\n")
        got = alice(s, 21, 60)
        expect({m["Subject"] for _, m in got} == {str(i) for i in range(21)}, lambda: "not the same\n" + p.tail())
    s.stop()


def postfix_next_hop(where):
    asyncio.run(next_hop(where, postfix))


def exim_next_hop(where):
    asyncio.run(next_hop(where, exim))


def opensmtpd_next_hop(where):
    asyncio.run(next_hop(where, opensmtpd))


def postfix_client(where):
    client(where, postfix)


def exim_client(where):
    client(where, exim)


def opensmtpd_client(where):
    client(where, opensmtpd)


CASES = [postfix_next_hop, exim_next_hop, opensmtpd_next_hop, postfix_client, exim_client, opensmtpd_client]
