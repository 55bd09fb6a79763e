"""guides -- the guides of doc/, followed to the letter.

Each is executed in a box (test/lib/box.py) made to be the machine it speaks of:
the contents of each fence after "The file `/path`:" is written there, each fence
marked sh is run line by line in Nightmail's folder, and a command that fails
fails the case.  Before a fence, "When that says `text`:" repeats the command
before it until it does, and "A moment later:" waits until Nightmail's queue is
empty.  What the machine should then do is looked at after the section
of that name.  There is no systemd in a box: SYSTEMCTL stands in, and understands
the few directives that our unit has; systemd-analyze verifies it, where it is.
"""
import base64
import json
import re
import shutil
import subprocess
import tempfile

import odd
from rig import BINARY, HERE, expect, need_root, wait_for
from box import Box

TOP = HERE.parent.parent
SMARTHOST = "192.0.2.25"
SYSTEMCTL = """\
#!/bin/sh
# What systemctl does with a unit of /etc/systemd/system, or with Postfix and Dovecot.
set -eu
now=
verb=$1; shift
[ "${1-}" != --now ] || { now=1; shift; }
unit=${1-}; unit=${unit%.service}
file=/etc/systemd/system/$unit.service
value() { sed -n "s/^$1=//p" "$file"; }
start() {
	case $unit in
	postfix) postfix start; return ;;
	dovecot) dovecot; return ;;
	esac
	[ -f "$file" ]
	mkdir -p "/run/$(value RuntimeDirectory)"
	mkfifo /run/ready.$$
	python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/notify.sock")
os.chmod("/run/notify.sock", 0o777)
open(sys.argv[1], "w").write("listening\\n")
s.settimeout(60)
while b"READY=1" not in s.recv(4096):
    pass
os.unlink("/run/notify.sock")' /run/ready.$$ &
	listener=$!
	read -r _ </run/ready.$$
	rm /run/ready.$$
	NOTIFY_SOCKET=/run/notify.sock setsid $(value ExecStart) >>/var/log/unit-$unit.log 2>&1 &
	echo $! >/run/unit-$unit.pid
	wait $listener
}
stop() {
	case $unit in
	postfix) postfix stop; return ;;
	dovecot) doveadm stop; return ;;
	esac
	pid=$(cat /run/unit-$unit.pid)
	kill "$pid"
	while [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done
}
case $verb in
daemon-reload) ;;
enable) [ -z "$now" ] || start ;;
disable) [ -z "$now" ] || stop ;;
start|stop) $verb ;;
restart) stop; start ;;
reload)
	case $unit in
	postfix) postfix reload ;;
	dovecot) doveadm reload ;;
	*) $(value ExecReload) ;;
	esac ;;
*) echo "systemctl: $verb is not known here" >&2; exit 1 ;;
esac
"""
# A server of the outside, in the box: each message becomes a file below /run/outside.
OUTSIDE = """
async def outside():
    class Files(Keeper):
        def hold(self, sender, recipients, content):
            super().hold(sender, recipients, content)
            for line in recipients:
                to = line[line.index(b"<") + 1:line.index(b">")].decode()
                open(f"/run/outside/{sum(self.seen.values())}-{to}", "wb").write(content)
    os.makedirs("/run/outside")
    await Files().start(ADDRESS, 587)
    await asyncio.Event().wait()
import os
asyncio.run(outside())
"""


class Guide:
    """A guide and the machine that follows it."""

    def __init__(self, where, name, packages, users, has_outside=True):
        need_root()
        self.has_outside = has_outside
        self.text = (TOP / "doc" / name).read_text()
        self.said, self.last = {}, None
        self.box = Box(where, packages, users, net=True, own=["/home", "/srv"])

    def __enter__(self):
        self.box.open()
        self.source = "/usr/src/nightmail"
        self.box.run("mkdir", "-p", f"{self.source}/build", "/usr/local/sbin", check=True)
        top = self.box.path(self.source)
        shutil.copy(BINARY, top / "build")
        shutil.copytree(TOP / "doc", top / "doc")
        self.box.write("/usr/local/bin/systemctl", SYSTEMCTL, 0o755)
        self.sh(f"ip address add {SMARTHOST}/32 dev lo")
        outside = (HERE.parent / "lib" / "mail.py").read_text() + OUTSIDE.replace("ADDRESS", repr(SMARTHOST))
        if self.has_outside:
            self.box.start("/usr/bin/python3", "-c", outside)
        return self

    def __exit__(self, *_):
        self.box.close()

    def sh(self, line, stdin=""):
        """A command as root would give it."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        # Into a file: a daemon that was started would keep a pipe open.
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            run = self.box.run("env", "-i", f"PATH={path}", "HOME=/root", "LANG=C.UTF-8", "sh", "-ec",
                               f"cd {getattr(self, 'source', '/')}\n{line}", input=stdin, timeout=120,
                               capture_output=False, stdout=said, stderr=subprocess.STDOUT)
            said.seek(0)
            text = said.read()
        expect(run.returncode == 0, lambda: f"'{line}' ended with {run.returncode}\n{text}{self.logs()}")
        return text

    def sections(self):
        """(heading, [steps]); a step is ("file", path, text), ("sh", line),
        ("until", text) or ("settled",)."""
        fence = re.compile(r"(?ms)(?:^(?P<before>The file `(?P<path>[^`\n]+)`:|When that says `(?P<says>[^`\n]+)`:|"
                           r"A moment later:)\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$")
        for part in re.split(r"(?m)^## ", self.text)[1:]:
            heading, _, body = part.partition("\n")
            steps = []
            for m in fence.finditer(body):
                if m["path"]:
                    steps.append(("file", m["path"], m["text"]))
                    continue
                expect(m["kind"] == "sh", f"{heading}: a fence of kind '{m['kind']}' that is no file")
                if m["before"]:
                    steps.append(("until", m["says"]) if m["says"] else ("settled",))
                steps += [("sh", line) for line in m["text"].splitlines() if line.strip()]
            yield heading, steps

    def follow(self, checks):
        """Each section, then what checks[heading] says of it."""
        known = set()
        for heading, steps in self.sections():
            for step in steps:
                self.step(*step)
            known.add(heading)
            if heading in checks:
                checks[heading]()
        expect(set(checks) <= known, f"the guide has no sections {set(checks) - known}")

    def step(self, kind, what="", text=""):
        if kind == "file":
            self.box.write(what, text)
        elif kind == "until":
            expect(wait_for(lambda: what in self.sh(self.last), 30, 0.2), lambda: f"'{self.last}' never says '{what}'")
        elif kind == "settled":
            expect(wait_for(lambda: not self.sh("nightmail queue list --json"), 30, 0.1), lambda: self.logs())
        else:
            self.last, self.said[what] = what, self.sh(what)
            print(f"# $ {what}\n" + "".join(f"#   {line}\n" for line in self.said[what].splitlines()[:3]), end="")

    # ---- what a machine looks like ----

    def person(self, name, password="secret"):
        self.sh(f"useradd --create-home --shell /bin/sh {name} && echo {name}:{password} | chpasswd")

    def mail_of(self, name, subject, n=1, seconds=30):
        """Wait until he has n messages of this subject; the first's octets."""
        boxes = self.box.path(f"/home/{name}/Maildir")

        def found():
            texts = [f.read_bytes() for f in boxes.glob("[nc][eu][wr]/*")]
            return [t for t in texts if f"\nSubject: {subject}\n".encode() in t.replace(b"\r", b"")]
        got = wait_for(lambda: len(found()) >= n and found(), seconds)
        expect(got and len(got) == n, lambda: f"{name} has {len(found())} of {n} '{subject}'\n{self.logs()}")
        return got[0]

    def outside(self, to, subject, seconds=30):
        place = self.box.path("/run/outside")

        def found():
            return [f for f in place.glob(f"*-{to}") if f"Subject: {subject}\r\n".encode() in f.read_bytes()]
        got = wait_for(found, seconds)
        expect(got and len(got) == 1, lambda: f"'{subject}' for {to} came {len(found())} times\n{self.logs()}")

    def send(self, sender, to, subject):
        """From outside, by SMTP to port 25 of this machine."""
        self.sh(f"""python3 -c "
import smtplib
with smtplib.SMTP('127.0.0.1', 25, local_hostname='client.example.net') as s:
    s.sendmail('{sender}', ['{to}'], b'Subject: {subject}\\r\\n\\r\\nhello\\r\\n')
" """)

    def logs(self):
        said = [self.box.said()]
        for name in ("mail.log", "nightmail.log", "unit-nightmail.log", "dovecot.log"):
            path = self.box.path(f"/var/log/{name}")
            if path.exists():
                said += [f"{name}:", *path.read_text(errors="replace").splitlines()[-15:]]
        return "\n".join(said)


def unit_is_right(guide):
    """What systemd itself says of the unit."""
    if not shutil.which("systemd-analyze"):
        return
    run = guide.box.run("systemd-analyze", "verify", "/etc/systemd/system/nightmail.service")
    said = [line for line in (run.stdout + run.stderr).splitlines() if "nightmail.service" in line]
    expect(not said, "\n".join(said))


def words_are_known(guide):
    """Each key in the tables is a key, each command a command."""
    helped = guide.sh("nightmail help")
    for row in re.findall(r"(?m)^\|[^|]*\|([^|]*)\|$", guide.text):
        for word in re.findall(r"`([^`]+)`", row):
            key = re.match(r"([a-z_]+(?:\.[A-Za-z_]+)*)(?=$|:)", word)
            if word.startswith("nightmail "):
                verb = re.match(r"nightmail ((?:(?:queue|config|spool) )?[a-z-]+)", word)[1]
                expect(re.search(rf"(?m)^ *{verb}\b", helped), f"{word} is no command")
            elif key and key[1] not in ("mailq", "newaliases", "sendmail", "role", "refuse", "discard", "if"):
                name = key[1].replace("domains.D", "domains.*").replace("domains.b.org", "domains.*")
                guide.sh(f"nightmail config explain '{name}'")


# ---- from Postfix ----

def postfix_as_debian_has_it(guide):
    """Installed, configured for example.org, running, with a message that waits."""
    settings = "myhostname=mail.example.org mydestination=example.org,localhost home_mailbox=Maildir/ " \
        f"alias_maps=hash:/etc/aliases alias_database=hash:/etc/aliases relayhost=[{SMARTHOST}]:587 biff=no " \
        "mynetworks=127.0.0.0/8,10.1.0.0/16 inet_protocols=ipv4 maillog_file=/var/log/mail.log compatibility_level=3.6 " \
        "smtp_dns_support_level=disabled smtp_host_lookup=native smtpd_peername_lookup=no"
    for line in (
            "cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf",
            "cp /usr/share/postfix/makedefs.out /etc/postfix/ 2>/dev/null || true",
            "touch /etc/postfix/main.cf",
            "grep -q dynamicmaps /etc/postfix/dynamicmaps.cf 2>/dev/null || "
            "cp /usr/share/postfix/dynamicmaps.cf /etc/postfix/",
            f"postconf -e {settings}",
            "postconf -e daemon_directory=/usr/lib/postfix/sbin shlib_directory=/usr/lib/postfix "
            "meta_directory=/etc/postfix mail_owner=postfix setgid_group=postdrop",
            "postconf -F '*/*/chroot=n'",
            "mkdir -p /var/spool/postfix /var/lib/postfix && chown postfix /var/lib/postfix",
            "printf 'root: alice\\ninfo: bob\\n' > /etc/aliases",
            "chgrp postdrop /usr/sbin/postqueue /usr/sbin/postdrop && chmod 2755 /usr/sbin/postqueue /usr/sbin/postdrop",
            "newaliases",
            "postfix start"):
        guide.sh(line)


def guide_from_postfix(where):
    with Guide(where / "box", "guide-from-postfix.md", ["postfix"], {"postfix": 210, "postdrop": 211}) as g:
        g.person("alice")
        g.person("bob")
        postfix_as_debian_has_it(g)
        g.send("x@example.net", "alice@example.org", "by Postfix")
        g.mail_of("alice", "by Postfix")
        g.sh("postconf -e defer_transports=smtp && postfix reload")
        g.send("bob@example.org", "late@example.net", "waited")
        g.sh("postconf -X defer_transports")
        follow_from_postfix(g)


def follow_from_postfix(g):
    def said():
        words_are_known(g)
        unit_is_right(g)

    def changed():
        expect("master" in g.sh("ps ax"), "Postfix has gone with its queue")
        g.send("x@example.net", "info@example.org", "to an alias")
        g.mail_of("bob", "to an alias")
        g.send("x@example.net", "alice@example.org", "by SMTP")
        text = g.mail_of("alice", "by SMTP")
        expect(b"by mail.example.org" in text and b"Postfix" not in text, f"who took it? {text}")

    def tried():
        g.mail_of("alice", "first light")
        g.outside("somebody@example.net", "and out")

    def ended():
        g.outside("late@example.net", "waited")
        expect(not re.search(r"postfix/sbin/master", g.sh("ps axww")), "Postfix runs on")
        g.send("x@example.net", "alice@example.org", "alone")
        g.mail_of("alice", "alone")

    def back():
        g.send("x@example.net", "alice@example.org", "Postfix again")
        expect(b"Postfix" in g.mail_of("alice", "Postfix again"), "that was not Postfix")

    g.follow({"Say what Postfix was told": said, "Change over": changed, "Try": tried, "End Postfix": ended,
              "Back again": back})


# ---- beside Dovecot ----

FETCH = """
import base64, imaplib, json, poplib
imap = imaplib.IMAP4('127.0.0.1'); imap.login('alice', 'secret'); imap.select('INBOX', readonly=True)
by_imap = [part[1] for part in imap.uid('FETCH', '1:*', '(BODY.PEEK[])')[1] if isinstance(part, tuple)]
pop3 = poplib.POP3('127.0.0.1'); pop3.user('alice'); pop3.pass_('secret')
by_pop3 = [b'\\r\\n'.join(pop3.retr(n + 1)[1]) + b'\\r\\n' for n in range(pop3.stat()[0])]
pop3.quit(); imap.logout()
print(json.dumps([[base64.b64encode(t).decode() for t in texts] for texts in (by_imap, by_pop3)]))
"""
FEED = """
import base64, json, smtplib, sys
with smtplib.SMTP('127.0.0.1', 25) as s:
    for text in json.load(sys.stdin):
        s.sendmail('odd@sender.test', ['alice@example.org'], base64.b64decode(text), ['BODY=8BITMIME'])
"""


def dovecot_as_debian_has_it(guide):
    """Installed, in its default configuration but for TLS, running."""
    for line in ("mkdir -p /etc/dovecot && cp -r /usr/share/dovecot/*.conf /usr/share/dovecot/conf.d /etc/dovecot/",
                 *(f"echo 'protocols = $protocols {name}' > /usr/share/dovecot/protocols.d/{name}d.protocol"
                   for name in ("imap", "pop3", "lmtp")),
                 "sed -i 's/^ssl = .*/ssl = no/; /^ssl_cert\\|^ssl_key/d' /etc/dovecot/conf.d/10-ssl.conf",
                 "echo 'log_path = /var/log/dovecot.log' > /etc/dovecot/conf.d/99-log.conf",
                 "dovecot"):
        guide.sh(line)


def nightmail_as_the_guide_has_it(guide):
    """Installed and running by the words of the other guide."""
    other = Guide.__new__(Guide)
    other.text = (TOP / "doc" / "guide-from-postfix.md").read_text()
    steps = dict(other.sections())
    guide.sh("touch /etc/aliases && rm -rf /var/lib/nightmail")     # the box sees the machine's
    for step in steps["Install"] + steps["Say what Postfix was told"]:
        guide.step(*step)
    guide.sh("systemctl enable --now nightmail")


def all_fetched(guide, n):
    """A few dozen odd messages: sent, and fetched again by IMAP and POP3."""
    mails = [text for name, text in odd.odd_mail().items() if "/eml/" in name and b"\0" not in text][:n]
    guide.sh(f'python3 -c "{FEED}"', json.dumps([base64.b64encode(text).decode() for text in mails]))
    guide.step("settled")
    got = json.loads(guide.sh(f'python3 -c "{FETCH}"'))
    for way, texts in zip(("IMAP", "POP3"), got):
        texts = [base64.b64decode(text) for text in texts]
        for text in mails:
            there = [t for t in texts if t.endswith(text) or t.endswith(odd.without_return_path(text))]
            expect(there, f"{way}: not there as it was sent: {text[:300]}")
    print(f"# {len(mails)} messages fetched again")


def guide_beside_dovecot(where):
    with Guide(where / "box", "guide-beside-dovecot.md", ["dovecot"], {"dovecot": 203, "dovenull": 204}) as g:
        g.person("alice")
        g.person("bob")
        dovecot_as_debian_has_it(g)
        nightmail_as_the_guide_has_it(g)

        def fetched(subject):
            row = [line for line in g.said["doveadm -f tab fetch -u alice 'hdr.subject hdr.delivered-to' all"].splitlines()
                   if line.startswith(subject + "\t")]
            expect(len(row) == 1 and "alice@example.org" in row[0], f"{subject}: {row}")

        def by_lmtp():
            fetched("by LMTP")
            expect("/run/dovecot/nightmail" in g.sh("cat /var/log/nightmail.log"), "the log tells no such way")
            all_fetched(g, 30)

        def by_maildir():
            fetched("by Maildir")
            all_fetched(g, 33)
            g.sh("su alice -c 'mkdir -p ~/Maildir/.lists/new ~/Maildir/.lists/cur ~/Maildir/.lists/tmp'")
            g.send("x@example.net", "alice+lists@example.org", "detail")
            found = wait_for(lambda: "detail" in g.sh("doveadm fetch -u alice hdr.subject mailbox lists all"), 20, 0.2)
            expect(found, lambda: "nothing in the folder lists\n" + g.logs())
        g.follow({"By LMTP": by_lmtp, "By Maildir": by_maildir})


def guide_that_is_wrong(where):
    """A command that fails, one that is none, a key that is none: each is noticed."""
    with Guide(where / "box", "guide-from-postfix.md", [], {}) as g:
        right = g.text
        wrong = {"build/nightmail /": "build/nightmial /", "useradd --system": "useradd --sistem",
                 "`limits.recipients`": "`limits.recipient`", "`nightmail reload` |": "`nightmail relaod` |"}
        for good, bad in [("", ""), *wrong.items()]:
            expect(good in right, f"the guide has no '{good}'")
            g.text = right[right.index("## Install"):].split("## Say")[0] + right[right.index("## main.cf"):]
            g.text = g.text.replace(good, bad) if good else g.text
            g.sh("userdel nightmail 2>/dev/null || true")
            try:
                g.follow({})
                words_are_known(g)
            except AssertionError:
                expect(good, "what is right was refused")
                continue
            expect(not good, f"'{bad}' was not noticed")


# ---- certificates ----

def authority_of_the_box(guide):
    """pebble, where the guide means Let's Encrypt: its directory and root are put
    behind agree_tos; and what certbot would have written."""
    guide.sh("mkdir -p /srv/ca /etc/letsencrypt/live/mail.example.org && cd /srv/ca && openssl req -x509 -newkey ec "
             "-pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 9 -subj /CN=ca "
             "-addext subjectAltName=IP:127.0.0.1 2>/dev/null && openssl req -x509 -newkey ec -pkeyopt "
             "ec_paramgen_curve:P-256 -nodes -keyout /etc/letsencrypt/live/mail.example.org/privkey.pem -out "
             "/etc/letsencrypt/live/mail.example.org/fullchain.pem -days 90 -subj /CN=certbot "
             "-addext subjectAltName=DNS:mail.example.org 2>/dev/null")
    guide.box.write("/srv/ca/pebble.json", json.dumps({"pebble": {
        "listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/srv/ca/ca.pem", "privateKey": "/srv/ca/ca.key", "httpPort": 80, "tlsPort": 443}}))
    guide.box.start("/usr/bin/pebble-challtestsrv", "-dns01", "127.0.0.1:8053", "-http01", "", "-https01", "",
                    "-tlsalpn01", "", "-management", "127.0.0.1:8055", "-defaultIPv6", "")
    guide.box.start("/usr/bin/env", "PEBBLE_VA_NOSLEEP=1", "/usr/bin/pebble", "-config", "/srv/ca/pebble.json",
                    "-dnsserver", "127.0.0.1:8053")
    guide.sh("for i in $(seq 300); do curl -s --cacert /srv/ca/ca.pem https://127.0.0.1:14000/dir >/dev/null && exit 0; "
             "sleep 0.1; done; exit 1")
    guide.text = guide.text.replace("agree_tos: yes\n", "agree_tos: yes\n    directory: https://127.0.0.1:14000/dir\n"
                                    "    ca: /srv/ca/ca.pem\n")


def guide_certificates(where):
    with Guide(where / "box", "guide-certificates.md", ["pebble"], {}) as g:
        g.person("alice")
        nightmail_as_the_guide_has_it(g)
        authority_of_the_box(g)

        def shown(words):
            said = g.sh("nightmail tls show")
            expect(words in said and "WARNING" not in said, lambda: f"no {words}\n{said}\n{g.logs()}")
            return said

        def by_https():
            shown("mail.example.org, smtp.example.org, imap.example.org")
            shown("ECDSA P-256")

        def beside():
            shown("/etc/letsencrypt/live/mail.example.org/fullchain.pem")
        g.follow({"By ACME": lambda: shown("issued by Pebble"), "By port 443 instead": by_https,
                  "Beside certbot": beside})


# ---- submission ----

LOGIN = """
import smtplib, ssl, sys
with smtplib.SMTP_SSL('127.0.0.1', 465, context=ssl._create_unverified_context()) as s:
    s.login('alice@example.org', sys.stdin.read().strip())
"""


def guide_submission(where):
    with Guide(where / "box", "guide-submission.md", [], {}, has_outside=False) as g:
        g.person("alice")
        g.person("bob")
        nightmail_as_the_guide_has_it(g)

        def people():
            shown = g.said["nightmail user show alice@example.org"]
            expect("port 465, SSL/TLS" in shown and "port 587, STARTTLS" in shown, shown)
            g.sh(f'python3 -c "{LOGIN}"', "correct horse battery\n")

        def left():
            try:
                g.sh(f'python3 -c "{LOGIN}"', "correct horse battery\n")
            except AssertionError:
                return
            raise AssertionError("alice is disabled, and comes in")
        g.follow({"People": people, "A password for each program": lambda: g.mail_of("bob", "from the telephone"),
                  "Applications": lambda: g.mail_of("bob", "from the shop"),
                  "Users in a file": lambda: g.mail_of("bob", "from the printer"), "When somebody leaves": left})


# ---- DNS ----

class DnsGuide(Guide):
    """The DNS is a file there, and so is what the guide's reader gives to his provider."""

    def step(self, kind, what="", text=""):
        if what == "/etc/nightmail/nightmail.yaml":
            text = text.replace("dns:\n", "dns:\n  zone: /run/zone\n")
        super().step(kind, what, text)


OTHERS = """
5.113.0.203.in-addr.arpa. PTR mail.example.org.
gmail.com. MX 5 mail.example.org.
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
2.0.0.127.bl.spamcop.net. A 127.0.0.2
"""


def guide_dns(where):
    with DnsGuide(where / "box", "guide-dns.md", [], {}, has_outside=False) as g:
        g.person("alice")
        g.sh("ip address add 203.0.113.5/32 dev lo")
        g.box.write("/run/zone", "")
        nightmail_as_the_guide_has_it(g)

        def published():
            zone = g.said["nightmail dns print example.org"]
            expect(zone.count("._domainkey.example.org. TXT") == 2, zone)
            g.box.write("/run/zone", zone + OTHERS)
            g.sh("systemctl restart nightmail")

        def looked():
            said = g.said["nightmail dns check example.org"]
            expect("0 errors, 0 unknown" in said and "\N{CHECK MARK} MX " in said and "~ DMARC" in said, said)
            expect("active" in g.said["nightmail dkim list"] or "next" in g.said["nightmail dkim list"], said)

        def stricter():
            g.sh("sed -i '/^_dmarc/d' /run/zone")
            said = g.said["nightmail dns dmarc example.org p=reject rua=mailto:postmaster@example.org"]
            g.sh("cat >>/run/zone", said)
            expect("asked to be refused" in g.sh("nightmail dns check example.org"), said)

        def policy():
            text = g.box.path("/var/www/mta-sts/.well-known/mta-sts.txt").read_text()
            said = next(v for k, v in g.said.items() if k.startswith("nightmail dns mta-sts"))
            expect("".join(line[5:] + "\n" for line in said.splitlines() if line.startswith(";    ")) == text, said)
        g.follow({"Publish": published, "Look at it": looked, "The first weeks of DMARC": stricter, "MTA-STS": policy,
                  "Domains without mail": lambda: words_are_known(g)})


class SigningGuide(DnsGuide):
    def step(self, kind, what="", text=""):
        if what == "/etc/nightmail/nightmail.yaml" and "relay" in text:
            text += "dns: { zone: /run/zone }\n"
        super().step(kind, what, text)


def guide_signing(where):
    with SigningGuide(where / "box", "guide-signing.md", [], {}, has_outside=False) as g:
        g.person("alice")
        g.box.write("/run/zone", "")
        nightmail_as_the_guide_has_it(g)

        def publish(text, more=""):
            g.box.write("/run/zone", text + more)
            g.sh("nightmail reload")

        def standing():
            return sorted(line.split()[4] for line in g.sh("nightmail dkim list").splitlines())

        def made():
            zone = g.said["nightmail dkim show example.org"]
            expect(zone.count("._domainkey.example.org. TXT") == 2 and standing() == ["next"] * 2, zone)
            publish(zone)

        def seen():
            expect(standing() == ["active"] * 2, lambda: g.said["nightmail dkim check"])
            g.sh("mkdir -p /etc/dkimkeys && cd /etc/dkimkeys && openssl genrsa -traditional -out mail.private 2048 && "
                 "chmod 600 mail.private && openssl rsa -in mail.private -pubout -out mail.public")
            public = "".join(g.box.path("/etc/dkimkeys/mail.public").read_text().splitlines()[1:-1])
            publish(g.said["nightmail dkim show example.org"],
                    f'mail._domainkey.example.org. TXT "v=DKIM1; k=rsa; p=" "{public[:200]}" "{public[200:]}"\n')

        def taken():
            expect(standing() == ["active", "active", "retiring"], g.sh("nightmail dkim list"))

        def rotated():
            expect(standing() == ["active", "active", "next", "next", "retiring"], g.sh("nightmail dkim list"))
            publish(g.said["nightmail dkim rotate example.org"])

        def switched():
            expect(standing() == ["active"] * 2 + ["retiring"] * 3, g.sh("nightmail dkim list"))
            g.sh("nightmail send --from alice@example.org --to alice@example.org",
                 "From: alice@example.org\r\nSubject: signed\r\n\r\nhi\r\n")
            expect(g.mail_of("alice", "signed").count(b"DKIM-Signature: v=1;") == 2, "it is not signed")
            words_are_known(g)
        g.follow({"The keys of a domain": made, "When they are published": seen, "From OpenDKIM": taken,
                  "Another key": rotated, "The switch": switched})


CASES = [guide_dns, guide_signing, guide_from_postfix, guide_beside_dovecot, guide_certificates, guide_submission, guide_that_is_wrong]
