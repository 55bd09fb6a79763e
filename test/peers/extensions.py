"""extensions -- CHUNKING, DSN and SMTPUTF8 between us and Postfix and Exim, in both
directions: what a client asks for reaches the far end, and reports come back."""
import asyncio
import re
import smtplib

from rig import RELAY, alice, expect, mail_log, need_root, server, wait_for
from exim import Exim
from mail import Keeper
from postfix import Postfix

ALL = ("PIPELINING", "8BITMIME", "DSN", "SMTPUTF8")
TEXT = b"From: alice@peers.test\r\nSubject: %s\r\n\r\nhello\r\n"


def back_to(s, onward):
    """Postfix: mail for peers.test comes back to us, all else goes on."""
    return {"relayhost": f"[127.0.0.1]:{onward}", "mynetworks": "127.0.0.0/8", "smtputf8_enable": "yes",
            "transport_maps": "inline:{peers.test=smtp:[127.0.0.1]:%d}" % s.port}


async def there(keeper, recipient, tail):
    for _ in range(600):
        if recipient in keeper.got:
            return keeper.said[recipient], keeper.got[recipient]
        await asyncio.sleep(0.05)
    raise AssertionError(f"nothing came for {recipient}\n{tail()}")


def send(s, recipients, text, mail_options=(), rcpt_options=()):
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        smtp.ehlo("client.peers.test")
        smtp.sendmail("alice@peers.test", recipients, text, list(mail_options), list(rcpt_options))


def report(s, n=1):
    """The n-th report that alice got: [fields of each recipient], and the whole."""
    _, message = alice(s, n, 60)[n - 1]
    expect(message.get_content_type() == "multipart/report", lambda: f"no report: {message}")
    part = next(p for p in message.walk() if p.get_content_type() == "message/delivery-status")
    return part.get_payload(), message


async def dsn_passed_on(where, make, asks="RET=HDRS ENVID=QQ+3D314", wants="NOTIFY=SUCCESS,FAILURE"):
    """What the client asked for stands in what the peer says to the far end."""
    keeper = await Keeper(ALL).start()
    s = server(where / "nightmail")
    with make(where / "peer", s, keeper.address[1]) as p:
        s.configure(s.config.read_text() + RELAY.format(p.port))
        await asyncio.to_thread(s.start)
        orcpt = "ORCPT=rfc822;Bob+2Bx@orig.example"
        await asyncio.to_thread(send, s, ["bob@far.example"], TEXT % b"dsn", asks.split(), [wants, orcpt])
        (mail, rcpt), _ = await there(keeper, "bob@far.example", p.tail)
        for word in asks.split():
            expect(word in mail.split(), f"{word} is lost: {mail}")
        for word in (wants, orcpt):
            expect(word.lower() in rcpt.lower().split(), f"{word} is lost: {rcpt}")
        await asyncio.to_thread(send, s, ["never@far.example"], TEXT % b"never", [], ["NOTIFY=NEVER"])
        (_, rcpt), _ = await there(keeper, "never@far.example", p.tail)
        expect("NOTIFY=NEVER" in rcpt, rcpt)
        s.stop()
    await keeper.close()


def dsn_through_postfix(where):
    need_root()
    asyncio.run(dsn_passed_on(where, lambda at, s, onward: Postfix(at, back_to(s, onward))))


def dsn_through_exim(where):
    need_root()
    asyncio.run(dsn_passed_on(where, lambda at, s, onward: Exim(at, onward)))


def dsn_success_by_postfix(where):
    """The report of success comes: Postfix delivers into a mailbox of its own."""
    need_root()
    s = server(where / "nightmail")
    box = where / "box"
    box.mkdir(mode=0o777)
    box.chmod(0o777)
    settings = {**back_to(s, 9), "virtual_mailbox_domains": "final.test", "virtual_mailbox_base": str(box),
                "virtual_mailbox_maps": "inline:{bob@final.test=bob/}", "virtual_uid_maps": "static:65534",
                "virtual_gid_maps": "static:65534"}
    with Postfix(where / "postfix", settings) as p:
        s.configure(s.config.read_text() + RELAY.format(p.port))
        s.start()
        send(s, ["bob@final.test"], TEXT % b"success", ["RET=HDRS", "ENVID=QQ314"],
             ["NOTIFY=SUCCESS", "ORCPT=rfc822;robert@orig.example"])
        fields, message = report(s)
        expect(fields[0]["Original-Envelope-Id"] == "QQ314", str(fields[0]))
        expect(fields[1]["Action"] == "delivered" and fields[1]["Status"].startswith("2."), str(fields[1]))
        expect("robert@orig.example" in fields[1]["Original-Recipient"], str(fields[1]))
        expect(len(list(box.glob("bob/new/*"))) == 1, p.tail())
        # Who is not there is told by Postfix at RCPT, and by us to alice.
        send(s, ["nobody@final.test"], TEXT % b"failure", ["RET=FULL", "ENVID=QQ315"], ["NOTIFY=FAILURE"])
        fields, message = report(s, 2)
        expect(fields[1]["Action"] == "failed", str(fields[1]))
        expect(fields[0]["Original-Envelope-Id"] == "QQ315", str(fields[0]))
        send(s, ["nobody@final.test"], TEXT % b"silence", [], ["NOTIFY=NEVER"])
        expect(wait_for(lambda: not s.queue() and len(re.findall("status=bounced", mail_log(s))) >= 2, 30), mail_log(s))
        expect(len(alice(s, 2)) == 2, "a report came where NEVER was asked for")
    s.stop()


def dsn_relayed_by_us(where):
    """Postfix offers DSN and is told not to: then the report of success is ours."""
    need_root()
    s = server(where / "nightmail")
    with Postfix(where / "postfix", {**back_to(s, 9), "smtpd_discard_ehlo_keywords": "dsn",
                                     "default_transport": "discard"}) as p:
        s.configure(s.config.read_text() + RELAY.format(p.port))
        s.start()
        send(s, ["bob@far.example"], TEXT % b"success", [], ["NOTIFY=SUCCESS"])
        fields, _ = report(s)
        expect(fields[1]["Action"] == "relayed", str(fields[1]))
        s.stop()


# ---- SMTPUTF8 ----

async def utf8_passed_on(where, make):
    keeper = await Keeper(ALL).start()
    s = server(where / "nightmail")
    with make(where / "peer", s, keeper.address[1]) as p:
        s.configure(s.config.read_text() + RELAY.format(p.port))
        await asyncio.to_thread(s.start)
        to, text = "δοκιμή@παράδειγμα.example", "Subject: grüße\r\n\r\nκαλημέρα\r\n".encode()

        def talk():
            with smtplib.SMTP("127.0.0.1", s.port) as smtp:
                smtp.ehlo("client.peers.test")
                smtp.sendmail("alice@peers.test", [to], text, ["SMTPUTF8", "BODY=8BITMIME"])
        await asyncio.to_thread(talk)
        for _ in range(600):
            if keeper.got:
                break
            await asyncio.sleep(0.05)
        expect(keeper.got, lambda: f"nothing came\n{mail_log(s)}\n{p.tail()}")
        (recipient, content), = keeper.got.items()
        mail, _ = keeper.said[recipient]
        expect("SMTPUTF8" in mail, mail)
        name, domain = recipient.split("@")
        expect(name == to.split("@")[0] and domain.encode("idna") == to.split("@")[1].encode("idna"), recipient)
        subject, _, body = text.partition(b"\r\n\r\n")
        expect(b"\r\n" + subject + b"\r\n" in content and content.endswith(b"\r\n\r\n" + body), f"changed: {content}")
        s.stop()
    await keeper.close()


def utf8_through_postfix(where):
    need_root()
    asyncio.run(utf8_passed_on(where, lambda at, s, onward: Postfix(at, back_to(s, onward))))


def utf8_through_exim(where):
    need_root()
    asyncio.run(utf8_passed_on(where, lambda at, s, onward: Exim(at, onward)))


# ---- CHUNKING ----

BIG = b"Subject: big\r\n\r\n" + b"".join(b"%07d 0123456789abcdef\r\n" % n for n in range(40000)) + b".\r\n..\r\n"


def chunks_to_postfix(where):
    need_root()
    asyncio.run(chunked(where, lambda at, s, onward: Postfix(at, back_to(s, onward)), r"bdat=[1-9]"))


def chunks_to_exim(where):
    need_root()
    asyncio.run(chunked(where, lambda at, s, onward: Exim(at, onward), r"<= alice@peers\.test .* K "))


async def chunked(where, make, says):
    """We send BDAT to who offers CHUNKING; its log says so."""
    keeper = await Keeper().start()
    s = server(where / "nightmail")
    with make(where / "peer", s, keeper.address[1]) as p:
        s.configure(s.config.read_text() + RELAY.format(p.port))
        await asyncio.to_thread(s.start)
        await asyncio.to_thread(send, s, ["bob@far.example"], BIG)
        _, content = await there(keeper, "bob@far.example", p.tail)
        expect(content.endswith(BIG[BIG.index(b"\r\n\r\n"):]), "the message was changed")
        s.stop()
        found = await asyncio.to_thread(wait_for, lambda: re.search(says, p.tail(100)), 20)
        expect(found, lambda: f"it was no BDAT\n{p.tail()}")
    await keeper.close()


def chunks_from_exim(where):
    """Exim sends us BDAT."""
    need_root()
    s = server(where / "nightmail").start()
    with Exim(where / "exim", s.port) as p:
        with smtplib.SMTP("127.0.0.1", p.port) as smtp:
            smtp.sendmail("me@laptop.test", ["alice@peers.test"], BIG)
        file, _ = alice(s, 1, 60)[0]
        expect(file.read_bytes().endswith(BIG[BIG.index(b"\r\n\r\n"):].replace(b"\r\n", b"\n")), "it was changed")
        expect(wait_for(lambda: re.search(r"=> alice@peers\.test .* K ", p.tail(100)), 20), lambda: p.tail())
    s.stop()


CASES = [dsn_through_postfix, dsn_through_exim, dsn_success_by_postfix, dsn_relayed_by_us, utf8_through_postfix,
         utf8_through_exim, chunks_to_postfix, chunks_to_exim, chunks_from_exim]
