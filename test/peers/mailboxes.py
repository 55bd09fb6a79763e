"""mailboxes -- Dovecot beside us, as the reader of our Maildirs and as the next hop
by LMTP: every message is fetched again by IMAP and by POP3, octet by octet.

The odd mail of odd.py goes to alice+mN@peers.test, into one mailbox; Delivered-To
tells which is which.  What comes out must end with what went in (without an
older Return-Path, where Nightmail writes the mailbox), and before it there may
only be trace fields of Nightmail and Dovecot.
"""
import re
import smtplib

import odd
from rig import expect, log_says, mail_log, need_root, server, wait_for
from dovecot import Dovecot

TO = re.compile(rb"^Delivered-To: <?alice\+(m\d+)@", re.M)


def fetched(name, messages):
    """{mn: octets}"""
    got = {}
    for text in messages:
        to = TO.search(text.partition(b"\r\n\r\n")[0])
        expect(to, lambda: f"{name}: for whom is {text[:500]}")
        expect(to[1].decode() not in got, f"{name}: {to[1]} came twice")
        got[to[1].decode()] = text
    return got


def maildir_by_dovecot(where):
    """Nightmail writes the Maildir, Dovecot reads it."""
    need_root()
    mails = odd.odd_mail()
    s = odd.transparent(server(where / "nightmail")).start()
    boxes = s.dir / "Maildir"
    taken = odd.send_all(s.port, mails, "peers.test", "alice+m{}")
    wait_for(lambda: len(list(boxes.glob("alice/new/*"))) >= len(taken), 60)
    wanted = {name: odd.without_return_path(text) for name, text in mails.items()}
    with Dovecot(where / "dovecot", ["alice"], f"{boxes}/%n") as d:
        compare_all(wanted, taken, d)
    s.stop()


def compare_all(wanted, taken, d):
    by_imap, by_pop3 = fetched("IMAP", d.by_imap("alice")), fetched("POP3", d.by_pop3("alice"))
    odd.compare(wanted, taken, by_imap)
    odd.compare(wanted, taken, by_pop3)
    expect(by_imap == by_pop3, "IMAP and POP3 do not tell the same")


def by_lmtp(where, dovecot, to):
    """A server that hands mail to Dovecot; Dovecot says who lives there."""
    s = odd.transparent(server(where / "nightmail"))
    text = s.config.read_text().replace("users: [ alice, postmaster ]", f'deliver: {{ lmtp: "{to}" }}')
    s.configure(text)
    return s.start()


def lmtp_to_dovecot(where):
    """The odd mail by LMTP over a socket."""
    need_root()
    mails = odd.odd_mail()
    with Dovecot(where / "dovecot", ["alice"], f"{where}/dovecot/home/%n/Maildir") as d:
        s = by_lmtp(where, d, f"unix:{d.dir}/lmtp")
        taken = odd.send_all(s.port, mails, "peers.test", "alice+m{}")
        boxes = d.dir / "home/alice/Maildir"
        wait_for(lambda: len(list(boxes.glob("[nc]??/*,S=*"))) >= len(taken), 60)
        expect(not s.queue(), lambda: f"still queued: {s.queue()[:3]}\n{d.tail()}")
        compare_all(mails, taken, d)
        s.stop()


def lmtp_each_his_reply(where):
    """Two of three exist: two get the message once, one is bounced; over TCP."""
    need_root()
    with Dovecot(where / "dovecot", ["alice", "bob", "postmaster"], f"{where}/dovecot/home/%n/Maildir") as d:
        s = by_lmtp(where, d, f"127.0.0.1:{d.lmtp}")
        with smtplib.SMTP("127.0.0.1", s.port) as smtp:
            for n in range(10):
                to = [f"{who}@peers.test" for who in ("alice", "nobody", "bob")]
                smtp.sendmail("postmaster@peers.test", to, f"Subject: {n}\r\n\r\nto three\r\n".encode())
        expect(wait_for(lambda: len(re.findall(r"status=bounced", mail_log(s))) >= 10 and not s.queue(), 30),
               lambda: f"not settled\n{mail_log(s)[-3000:]}\n{d.tail()}")
        expect(log_says(s, r"to=<nobody@peers\.test>.*dsn=5\.1\.1.*status=bounced"), "nobody is not told 5.1.1")
        for who in ("alice", "bob"):
            told = sorted(re.search(rb"(?m)^Subject: (.*)\r$", text)[1] for text in d.by_imap(who))
            expect(told == [b"%d" % n for n in range(10)], f"{who} has {told}")
        expect(wait_for(lambda: len(d.by_imap("postmaster")) == 10, 30),
               lambda: f"{len(d.by_imap('postmaster'))} reports came\n{d.tail()}")
        s.stop()


CASES = [maildir_by_dovecot, lmtp_to_dovecot, lmtp_each_his_reply]
