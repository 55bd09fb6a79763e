"""converted -- mail for hosts that take less than it has, read again by Python.

What a host does not take (8BITMIME, BINARYMIME, SMTPUTF8) is converted or comes
back.  Python's email package reads what was sent and what has arrived, part by
part: the same types, the same octets, and nothing above 127 on the way; or the
log has the reason, 5.6.3 or 5.6.7.
"""
import asyncio
import email
import re
import smtplib
import time

from rig import RELAY, expect, mail_log, server
from mail import Keeper
from odd import odd_mail, transparent

PNG = bytes(range(256)) * 9
ALTERNATIVE = (
    "Subject: both\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_x\"\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n--=_x\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nDas ist alles ganz grün und gut so.\r\n-- \r\nJürgen\r\n"
    "--=_x\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "<p>Жил-был у бабушки серенький козлик</p>\r\n--=_x--\r\n").encode()
OUTER = (b"Subject: outer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\nbefore\r\n"
         b"--o\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + ALTERNATIVE +
         b"--o\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
         PNG.replace(b"\0", b"").replace(b"\r", b"").replace(b"\n", b"") + b"\r\n--o--\r\nafter\r\n")
OWN = {
    "unlabelled": "Subject: x\r\n\r\nEs grünt, und niemand sagt, in welchem Zeichensatz.\r\n".encode("latin1"),
    "alternative": ALTERNATIVE,
    "nested": OUTER,
    "long lines": b"Subject: x\r\n\r\n" + ("grün " * 190 + "\r\n").encode() * 3,
    "boundary within": "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n".encode()
                       + (b"x" * 73 + b"--b\r\n" + b"y" * 70 + "ü".encode() + b"--b--\r\n") * 5 + b"\r\n--b--\r\n",
    "trailing blanks": "Subject: x\r\n\r\nü is all we have \r\nand \t\r\nnot more   \r\n".encode(),
    "dots": "Subject: x\r\n\r\n.\r\n..\r\nü is the only one in a longer line\r\n.\r\n".encode(),
    "signed": b"Subject: x\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xff\r\n--b--\r\n",
}


def leaves(octets):
    """[(type, octets)] as Python has them.  A type that was not named is none."""
    return [(p.get_content_type(), p.get_payload(decode=True))
            for p in email.message_from_bytes(octets).walk() if not p.is_multipart()]


def outcome(log, user, domain=r"far\.example"):
    found = re.search(rf"to=<{user}@{domain}>.* dsn=(\S+), status=(\w+)", log)
    return found and (found[2], found[1])


async def sent_to(where, offers, mails, send):
    keeper = await Keeper(offers).start()
    s = transparent(server(where, RELAY.format(keeper.address[1])))
    await asyncio.to_thread(s.start)
    taken = await asyncio.to_thread(send, s.port, mails)
    until = time.monotonic() + 120
    while not all(outcome(mail_log(s), f"m{n}") for n, name in enumerate(mails) if name in taken):
        expect(time.monotonic() < until, lambda: "not all have come to an end\n" + s.tail())
        await asyncio.sleep(0.2)
    s.stop()
    await keeper.close()
    return taken, keeper, mail_log(s)


def send_8bit(port, mails):
    taken, numbered = [], list(enumerate(mails.items()))
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        smtp.ehlo("odd.test")
        for n, (name, text) in numbered:
            smtp.mail("alice@peers.test", ["BODY=8BITMIME"])
            smtp.rcpt(f"m{n}@far.example")
            if smtp.data(text)[0] == 250:
                taken.append(name)
    return taken


def same(name, sent, came):
    """None, or how they differ."""
    if not came.isascii():
        return f"{name} has 8-bit octets"
    before, after = leaves(sent), leaves(came)
    if before != after:
        odd = next(((a, b) for a, b in zip(before, after) if a != b), (len(before), len(after)))
        return f"{name}: {str(odd[0])[:300]} became {str(odd[1])[:300]}"
    return None


def to_seven_bits(where):
    """Everything with 8-bit octets that others have ever sent, and our own."""
    mails = {n: t for n, t in {**odd_mail(), **OWN}.items() if not t.isascii() and b"\0" not in t}
    taken, keeper, log = asyncio.run(sent_to(where, ("PIPELINING", "SIZE 10000000"), mails, send_8bit))
    wrong, refused = [], 0
    for n, (name, text) in enumerate(mails.items()):
        if name not in taken:
            continue
        said, dsn = outcome(log, f"m{n}")
        if said == "sent":
            wrong.append(same(name, text, keeper.got[f"m{n}@far.example"]))
            if "BODY=" in keeper.said[f"m{n}@far.example"][0]:
                wrong.append(f"{name} is called 8bit")
        else:
            refused += 1
            if (said, dsn) != ("bounced", "5.6.3"):
                wrong.append(f"{name} {said} {dsn}")
            elif name in OWN and name != "signed":
                wrong.append(f"{name} was not converted")
    wrong = [w for w in wrong if w]
    expect(not wrong, f"{len(wrong)} of {len(taken)}\n" + "\n".join(wrong))
    print(f"# {len(taken) - refused} of {len(taken)} messages with 8-bit octets were converted, {refused} refused")


BINARY = (b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
          b"Content-Transfer-Encoding: binary\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
          b"Content-Transfer-Encoding: binary\r\n\r\n" + "alles grün\r\n".encode() +
          b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n" + PNG + b"\r\n--b--\r\n")


HOSTS = [("CHUNKING", "BINARYMIME", "8BITMIME"), ("PIPELINING", "8BITMIME"), ("BINARYMIME", "SIZE"),
         ("CHUNKING", "PIPELINING")]


def send_binary(port):
    recipients = [f"m@h{n}.example" for n in range(len(HOSTS))]
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        smtp.ehlo("odd.test")
        smtp.mail("alice@peers.test", ["BODY=BINARYMIME"])
        for recipient in recipients:
            smtp.rcpt(recipient)
        smtp.putcmd(f"BDAT {len(BINARY)} LAST")
        smtp.send(BINARY)
        expect((code := smtp.getreply())[0] == 250, str(code))
    return recipients


async def sent_to_all(where, offers, send):
    """Host n, which offers offers[n], takes hn.example; (what they have, the log)"""
    keepers = [await Keeper(o).start() for o in offers]
    routes = "".join(f'  - {{ if: {{ rcpt_domain: [ h{n}.example, "*.h{n}.example" ] }}, '
                     f'relay: "smtp://127.0.0.1:{k.address[1]}" }}\n' for n, k in enumerate(keepers))
    s = transparent(server(where, "route:\n" + routes))
    await asyncio.to_thread(s.start)
    recipients = await asyncio.to_thread(send, s.port)
    until = time.monotonic() + 60
    while not all(outcome(mail_log(s), *r.split("@")) for r in recipients):
        expect(time.monotonic() < until, lambda: "not all have come to an end\n" + s.tail())
        await asyncio.sleep(0.2)
    s.stop()
    for keeper in keepers:
        await keeper.close()
    return keepers, mail_log(s)


def binary(where):
    """By BDAT as it is; to 8 bits and to 7 with what has no lines in base64."""
    keepers, _ = asyncio.run(sent_to_all(where, HOSTS, send_binary))
    for n, keeper in enumerate(keepers):
        came, mail = keeper.got[f"m@h{n}.example"], keeper.said[f"m@h{n}.example"][0]
        if n == 0:
            expect(came.endswith(BINARY) and "BODY=BINARYMIME" in mail, mail)
            continue
        expect(leaves(came) == leaves(BINARY), str(leaves(came)))
        expect(b"\0" not in came and ("BODY=8BITMIME" in mail) == (n == 1), mail)
        expect(came.isascii() == (n != 1), f"to {HOSTS[n]}")
    print(f"# {len(HOSTS)} hosts")


UTF8_TO = ["jürgen@h{}.example", "bob@bücher.h{}.example", "carol@h{}.example"]


def send_utf8(port):
    """A header in ASCII to the first two, one in UTF-8 to the third."""
    sent = []
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        smtp.ehlo("odd.test")
        for n in range(2):
            for to in UTF8_TO:
                subject = "grün" if to.startswith("carol") else "x"
                smtp.mail("alice@peers.test", ["SMTPUTF8", "BODY=8BITMIME"])
                smtp.rcpt(to.format(n))
                expect((code := smtp.data(f"Subject: {subject}\r\n\r\nx\r\n".encode()))[0] == 250, str(code))
                sent.append(to.format(n).replace("bücher", "xn--bcher-kva"))
    return sent


def utf8(where):
    """RFC 6531 3.2: to a host without SMTPUTF8 goes what needs it in no more than a domain."""
    keepers, log = asyncio.run(sent_to_all(where, [("8BITMIME",), ("8BITMIME", "SMTPUTF8")], send_utf8))
    bob = "bob@xn--bcher-kva.h0.example"
    expect(list(keepers[0].got) == [bob] and "SMTPUTF8" not in keepers[0].said[bob][0], str(keepers[0].said))
    for user in ("jürgen", "carol"):
        expect(outcome(log, user, r"h0\.example") == ("bounced", "5.6.7"), log)
    expect(len(keepers[1].got) == 3, str(keepers[1].said))
    expect(all("SMTPUTF8" in mail for mail, _ in keepers[1].said.values()), str(keepers[1].said))
    expect("Subject: grün".encode() in keepers[1].got["carol@h1.example"], "the header was changed")


CASES = [to_seven_bits, binary, utf8]
