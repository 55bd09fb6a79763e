"""dovecot -- Dovecot in a box: LMTP in, IMAP and POP3 out, Maildirs below.

    with Dovecot(directory, ["alice"], maildirs="/var/tmp/x/%n") as dovecot:
        imaplib.IMAP4("127.0.0.1", dovecot.imap) ... password "any"

Its LMTP listens on directory/lmtp and on 127.0.0.1 port dovecot.lmtp.  All
mailboxes belong to one uid, nobody's unless told.
"""
import imaplib
import os
import poplib
import pwd

from box import Box
from exim import tail_of
from server import NOBODY, free_port, wait_for

USERS = {"dovecot": 203, "dovenull": 204}
CONF = """\
protocols = imap pop3 lmtp
listen = 127.0.0.1
log_path = {dir}/dovecot.log
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {uid}
mail_gid = {gid}
mail_location = maildir:{maildirs}
auth_username_format = %Ln
passdb {{
  driver = passwd-file
  args = username_format=%n {dir}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {dir}/users
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener {dir}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
protocol lmtp {{
  recipient_delimiter = +
}}
namespace inbox {{
  inbox = yes
}}
{more}
"""


class Dovecot:
    def __init__(self, directory, users, maildirs, owner=NOBODY, more=""):
        self.box = Box(directory, ["dovecot"], USERS)
        self.dir = self.box.dir
        self.imap, self.pop3, self.lmtp = free_port(), free_port(), free_port()
        who = pwd.getpwnam(owner)
        home = self.dir / "home"
        home.mkdir(exist_ok=True)
        os.chown(home, who.pw_uid, who.pw_gid)
        (self.dir / "users").write_text("".join(
            f"{user}:{{PLAIN}}any:{who.pw_uid}:{who.pw_gid}::{home}/{user}::\n" for user in users))
        self.conf = CONF.format(dir=self.dir, maildirs=maildirs, uid=who.pw_uid, gid=who.pw_gid,
                                imap=self.imap, pop3=self.pop3, lmtp=self.lmtp, more=more)

    def start(self, wait=30):
        self.box.open()
        self.box.write("/etc/dovecot/dovecot.conf", self.conf)
        self.box.start("dovecot", "-F")
        if wait and not wait_for(self.is_ready, wait, 0.1):
            raise RuntimeError(f"{self.dir}: Dovecot is not ready:\n{self.tail()}")
        return self

    def is_ready(self):
        try:
            with imaplib.IMAP4("127.0.0.1", self.imap, timeout=5) as imap:
                imap.noop()
            return (self.dir / "lmtp").exists()
        except (OSError, imaplib.IMAP4.error):
            return False

    def stop(self):
        self.box.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def by_imap(self, user):
        """All messages of his, octet by octet."""
        with imaplib.IMAP4("127.0.0.1", self.imap, timeout=60) as imap:
            imap.login(user, "any")
            imap.select("INBOX", readonly=True)
            _, answer = imap.uid("FETCH", "1:*", "(BODY.PEEK[])")
            return [part[1] for part in answer if isinstance(part, tuple)]

    def by_pop3(self, user):
        """The same by POP3."""
        pop3 = poplib.POP3("127.0.0.1", self.pop3, timeout=60)
        pop3.user(user)
        pop3.pass_("any")
        count, _ = pop3.stat()
        got = [b"\r\n".join(pop3.retr(n)[1]) + b"\r\n" for n in range(1, count + 1)]
        pop3.quit()
        return got

    def tail(self, n=30):
        return tail_of([self.dir / "said", self.dir / "dovecot.log"], n)
