"""guides -- the pages of doc/ that set up a machine beside others, followed."""
import base64
import json
import re
import shutil

import odd
import words
from guide import SMARTHOST, Guide, install
from rig import expect, wait_for


def unit_is_right(guide):
    """What systemd itself says of the unit."""
    if not shutil.which("systemd-analyze"):
        return
    run = guide.box.run("systemd-analyze", "verify", "/etc/systemd/system/nightmail.service")
    said = [line for line in (run.stdout + run.stderr).splitlines() if "nightmail.service" in line]
    expect(not said, "\n".join(said))


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
        install(g)

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


def page_that_is_wrong(where):
    """A command that fails, one that is none, a key that is none: each is noticed."""
    with Guide(where / "box", "guide-from-postfix.md") as g:
        right = g.text
        wrong = {"build/nightmail /": "build/nightmial /", "useradd --system": "useradd --sistem",
                 "`limits.recipients`": "`limits.recipient`", "`nightmail reload` |": "`nightmail relaod` |"}
        for good, bad in [("", ""), *wrong.items()]:
            expect(good in right, f"the guide has no '{good}'")
            g.text = right[right.index("## Install"):].split("## Say")[0] + right[right.index("## main.cf"):]
            g.learn(g.text.replace(good, bad) if good else g.text)
            g.sh("userdel nightmail 2>/dev/null || true")
            try:
                g.follow({})
                words.known(g.text)
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
    guide.learn(guide.text.replace("agree_tos: yes\n", "agree_tos: yes\n    directory: https://127.0.0.1:14000/dir\n"
                                   "    ca: /srv/ca/ca.pem\n"))


def guide_certificates(where):
    with Guide(where / "box", "guide-certificates.md", ["pebble"]) as g:
        g.person("alice")
        install(g)
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
    with Guide(where / "box", "guide-submission.md", has_outside=False) as g:
        g.person("alice")
        g.person("bob")
        install(g)

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

OTHERS = """
5.113.0.203.in-addr.arpa. PTR mail.example.org.
gmail.com. MX 5 mail.example.org.
2.0.0.127.zen.spamhaus.org. A 127.0.0.2
2.0.0.127.bl.spamcop.net. A 127.0.0.2
"""


def guide_dns(where):
    with Guide(where / "box", "guide-dns.md", has_outside=False, zone="") as g:
        g.person("alice")
        g.sh("ip address add 203.0.113.5/32 dev lo")
        install(g)

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
        g.follow({"Publish": published, "Look at it": looked, "The first weeks of DMARC": stricter, "MTA-STS": policy})


def guide_signing(where):
    with Guide(where / "box", "guide-signing.md", has_outside=False, zone="") as g:
        g.person("alice")
        install(g)

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
        g.follow({"The keys of a domain": made, "When they are published": seen, "From OpenDKIM": taken,
                  "Another key": rotated, "The switch": switched})


CASES = [guide_dns, guide_signing, guide_from_postfix, guide_beside_dovecot, guide_certificates, guide_submission, page_that_is_wrong]
