"""odd -- a year's worth of odd mail, relayed and delivered, compared octet by octet.

411 messages from test/vectors: damaged MIME, RFC examples, bounces of every
make.  Each is sent as it stands, by these rules and no other:

	its lines end with CR LF, the last one too
	a first line "From ..." is that of the mbox it lay in, and is taken off
	one with a NUL is refused by Nightmail (550 5.6.0), and must be

What arrives must end with what was sent, octet by octet, and before it there
may only be trace fields: Received of each server on the way, and Return-Path
and Delivered-To in a mailbox, where an older Return-Path gives way to the new
one (RFC 5321 4.4).  Postfix takes away the blanks between the name of a field
and its colon (there is one: malformed/019).  OpenSMTPD completes addresses, and adds Date and Message-ID
where none are: through it must arrive what it makes of the same message when
that is sent to it directly, its own dates and names aside.
"""
import asyncio
import re
import smtplib
import time

from rig import HERE, MODE, RELAY, expect, need_root, server, wait_for
from exim import Exim
from mail import Keeper
from opensmtpd import OpenSMTPD
from postfix import Postfix

VECTORS = HERE.parent / "vectors"
FOLDERS = "mime-stalwart/eml/rfc mime-stalwart/eml/malformed bounces-flufl/msg bounces-sisimai-even/eml " \
    "bounces-sisimai-even/not-a-bounce".split()
TRACE = re.compile(rb"(?:(?:Received|Return-Path|Delivered-To):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*")


def odd_mail():
    """{name: octets}, 411 of them"""
    got = {}
    for folder in FOLDERS:
        for path in sorted((VECTORS / folder).glob("*")):
            if path.suffix in (".eml", ".txt"):
                text = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
                text = re.sub(rb"\AFrom [^\n]*\n", b"", text)
                got[f"{folder}/{path.name}"] = text if text.endswith(b"\r\n") else text + b"\r\n"
    expect(len(got) == 411, f"{len(got)} messages are there")
    return got


def send_all(port, mails, domain, user="m{}"):
    """The names of those that were taken; message n goes to user n at domain.  After 90
    a new connection: OpenSMTPD takes no more than 100."""
    taken, numbered = [], list(enumerate(mails.items()))
    for at in range(0, len(numbered), 90):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
            smtp.ehlo("odd.test")
            taken += [name for n, (name, text) in numbered[at:at + 90]
                      if is_taken(smtp, name, text, f"{user.format(n)}@{domain}")]
    return taken


def is_taken(smtp, name, text, recipient):
    is_8bit = any(octet > 127 for octet in text)
    smtp.mail("odd@sender.test", ["BODY=8BITMIME"] if is_8bit else [])
    code, said = smtp.rcpt(recipient)
    expect(code == 250, f"{name}: {code} {said}")
    code, said = smtp.data(text)
    wanted = (550, b"5.6.0") if b"\0" in text else (250, b"2.0.0")
    expect((code, said[:5]) == wanted, f"{name}: {code} {said}")
    return code == 250


def transparent(s):
    """Not as a submission server, which adds Date and Message-ID (RFC 6409 8)."""
    s.configure(s.config.read_text().replace("role: submission", "role: relay"))
    return s


def compare(mails, taken, got):
    """got: {mn: octets}.  Each that was taken has arrived as it was."""
    changed = []
    for n, (name, sent) in enumerate(mails.items()):
        if name not in taken:
            continue
        came = got.get(f"m{n}")
        if came is None:
            changed.append(f"{name} (m{n}) is missing")
        elif not came.endswith(sent):
            changed.append(f"{name} (m{n}) was changed: {difference(sent, came)}")
        elif not TRACE.fullmatch(came[:-len(sent)]):
            changed.append(f"{name} (m{n}) has more on top than traces: {came[:-len(sent)]}")
    expect(not changed, f"{len(changed)} of {len(taken)} are not as they were\n" + "\n".join(changed[:20]))
    print(f"# {len(taken)} of {len(mails)} messages arrived as they were sent, "
          f"{sum(len(mails[n]) for n in taken)} octets")


def difference(sent, came):
    came = came[TRACE.match(came).end():]
    at = next((i for i, (a, b) in enumerate(zip(sent, came)) if a != b), min(len(sent), len(came)))
    return f"at {at} of {len(sent)}: {sent[max(0, at - 40):at + 40]} became {came[max(0, at - 40):at + 40]}"


async def relayed(where, peer):
    mails = odd_mail()
    taken, got = await through(where, peer, mails)
    compare(mails, taken, got)


async def through(where, peer, mails, by_us=True):
    """Send to Nightmail, which relays to the peer (or to the peer directly);
    who was taken, and what came out behind it."""
    keeper = await Keeper().start()
    with peer(where / "peer", keeper.address[1]) as p:
        s = transparent(server(where / "nightmail", RELAY.format(p.port)))
        await asyncio.to_thread(s.start)
        sent = {n: text for n, text in mails.items() if by_us or b"\0" not in text}
        taken = await asyncio.to_thread(send_all, s.port if by_us else p.port, sent, "far.example")
        until = time.monotonic() + 120
        while len(keeper.got) < len(taken) and time.monotonic() < until:
            await asyncio.sleep(0.1)
        s.stop()
        got = {to.split("@")[0]: text for to, text in keeper.got.items()}
        expect(len(got) == len(taken), lambda: f"{len(got)} of {len(taken)} came\n{p.tail()}\n{s.tail()}")
    await keeper.close()
    return taken, got


class Straight:
    """No server between Nightmail and the one that keeps."""

    def __init__(self, _, onward):
        self.port = onward

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def tail(self):
        return ""


POSTFIX = {
    "smtp_line_length_limit": "0",      # else it folds lines over 998 octets
    "message_drop_headers": "",         # else it takes Return-Path, Bcc and others away
    "local_header_rewrite_clients": "",  # else it takes us for its own user and completes addresses
}


def postfix(where, onward):
    need_root()
    return Postfix(where, {"relayhost": f"[127.0.0.1]:{onward}", **POSTFIX})


def exim(where, onward):
    need_root()
    return Exim(where, onward)


def opensmtpd(where, onward):
    need_root()
    return OpenSMTPD(where, onward)


def odd_straight(where):
    asyncio.run(relayed(where, Straight))


def odd_through_postfix(where):
    asyncio.run(postfix_relayed(where))


async def postfix_relayed(where):
    mails = odd_mail()
    taken, got = await through(where, postfix, mails)
    compare({name: of_postfix(text) for name, text in mails.items()}, taken, got)


def of_postfix(text):
    head, empty, body = text.partition(b"\r\n\r\n")
    return re.sub(rb"(?m)^([!-9;-~]+)[ \t]+:", rb"\1:", head) + empty + body


def odd_through_exim(where):
    asyncio.run(relayed(where, exim))


def odd_through_opensmtpd(where):
    asyncio.run(opensmtpd_relayed(where))


async def opensmtpd_relayed(where):
    share = 1 if MODE == "long" else 3        # it takes forty a second
    mails = {n: text for n, text in list(odd_mail().items())[::share] if b"\0" not in text}
    taken, got = await through(where / "by-us", opensmtpd, mails)
    _, direct = await through(where / "directly", opensmtpd, mails, by_us=False)
    made = {name: of_opensmtpd(direct[f"m{n}"]) for n, name in enumerate(mails)}
    compare(made, taken, {name: of_opensmtpd(text) for name, text in got.items()})


def of_opensmtpd(text):
    """Without its Received, and without its own dates and names."""
    text = re.sub(rb"\AReceived: [^\n]*\n(?:\t[^\n]*\n)*", b"", text)
    text = re.sub(rb"(?m)^Date: [^\r\n]* \(UTC\)\r$", b"Date: its\r", text, count=1)
    return re.sub(rb"(?m)^Message-ID: <[0-9a-f]+@opensmtpd\.example>\r$", b"Message-ID: its\r", text, count=1)


def without_return_path(text):
    head, empty, body = text.partition(b"\r\n\r\n")
    return re.sub(rb"(?im)^Return-Path[ \t]*:.*\n(?:[ \t].*\n)*", b"", head + b"\r\n") + empty[2:] + body


def odd_into_maildirs(where):
    mails = odd_mail()
    s = transparent(server(where))
    users = ", ".join(f"m{n}" for n in range(len(mails)))
    s.configure(s.config.read_text().replace("alice, postmaster", f"postmaster, {users}"))
    s.start()
    taken = send_all(s.port, mails, "peers.test")
    boxes = s.dir / "Maildir"
    wait_for(lambda: len(list(boxes.glob("m*/new/*"))) >= len(taken), 60)
    s.stop()
    got = {file.parent.parent.name: re.sub(rb"\r?\n", b"\r\n", file.read_bytes()) for file in boxes.glob("m*/new/*")}
    compare({name: without_return_path(text) for name, text in mails.items()}, taken, got)


CASES = [odd_straight, odd_into_maildirs, odd_through_postfix, odd_through_exim, odd_through_opensmtpd]
