"""mailboxes -- Dovecot beside us: every message is fetched again by IMAP and by
POP3, octet by octet.

The odd mail of odd.py goes to alice+mN@peers.test, into one mailbox; Delivered-To
tells which is which.  What comes out must end with what went in (without an
older Return-Path, where Nightmail writes the mailbox), and before it there may
only be trace fields of Nightmail and Dovecot.
"""
import re

import odd
from rig import expect, need_root, server, wait_for
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
    with Dovecot(where / "dovecot", f"{boxes}/%n") as d:
        compare_all(wanted, taken, d)
    s.stop()


def compare_all(wanted, taken, d):
    by_imap, by_pop3 = fetched("IMAP", d.by_imap("alice")), fetched("POP3", d.by_pop3("alice"))
    odd.compare(wanted, taken, by_imap)
    odd.compare(wanted, taken, by_pop3)
    expect(by_imap == by_pop3, "IMAP and POP3 do not tell the same")


CASES = [maildir_by_dovecot]
