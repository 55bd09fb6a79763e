"""pages -- the pages of doc/ about what a running server does, followed."""
import calendar
import email.utils
import json
import re
import time

import guides
import page
import words
from guide import CONFIG, SMARTHOST, TOP, Guide, install, place_of
from rig import BUILD, MODE, expect, wait_for

HERE = """\
hostname: mail.example.org
admin: alice@example.org
listen:
  - { address: 0.0.0.0, port: 25, role: mx }
  - { address: 0.0.0.0, port: 465, role: submission, tls: implicit }
domains:
  example.org: { users: system }
deliver: { maildir: ~/Maildir }
log: { to: /var/log/nightmail.log }
"""
LETTER = b"From: %s\r\nTo: bob@example.org\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <1@client>\r\n\r\nhello\r\n"
LOGIN = """
import json, smtplib, ssl, sys
user, password, source, sender, to = json.load(sys.stdin)
c = smtplib.SMTP_SSL("127.0.0.1", 465, context=ssl._create_unverified_context(), source_address=(source, 0))
try:
    c.login(user, password)
    c.sendmail(sender, [to], f"From: {sender}\\r\\nSubject: {user}\\r\\n\\r\\nhi\\r\\n")
    print(250)
except smtplib.SMTPRecipientsRefused as e:
    print(*e.recipients[to])
except smtplib.SMTPResponseException as e:
    print(e.smtp_code, e.smtp_error.decode())
"""


def letter(author, subject):
    return LETTER % (author.encode(), subject.encode(), email.utils.formatdate().encode())


def logged_in(g, user, password, sender, to="bob@example.org", source="127.0.0.1"):
    """What the server says to him who logs in and sends."""
    return g.sh(f"python3 -c '{LOGIN}'", json.dumps([user, password, source, sender, to])).strip()


# ---- rights ----

def guide_rights(where):
    with Guide(where / "box", "guide-rights.md", has_outside=False) as g:
        g.person("alice")
        g.person("bob")
        g.addresses("192.0.2.7")
        install(g, HERE.replace("example.org: {", "example.com: { users: [ alice ] }\n  example.org: {"))
        g.sh("nightmail user add newsletter@example.com", "correct horse battery\n")

        def said(sender, **how):
            return logged_in(g, "newsletter@example.com", "correct horse battery", sender, **how)

        def done():
            expect(said("newsletter@example.com", source="192.0.2.7") == "250", "she may not send")
            expect(said("x@lists.example.com", source="192.0.2.7") == "250", "nor for lists.example.com")
            other = said("alice@example.com", source="192.0.2.7")
            expect(other.startswith("553 5.7.1") and "alice@example.com" in other, other)
            expect(said("newsletter@example.com").startswith("535 "), "from another network")
            shown = g.sh("nightmail user show newsletter@example.com")
            expect("2" in shown, shown)
        g.follow({"": done})


# ---- directories ----

def guide_directories(where):
    zone = "ldap1.example.org. A 192.0.2.8\nldap2.example.org. A 192.0.2.8\n"
    with Guide(where / "box", "guide-directories.md", ["dovecot"], {"dovecot": 203, "dovenull": 204}, has_outside=False,
               zone=zone) as g:
        g.person("alice")
        g.person("bob")
        guides.dovecot_as_debian_has_it(g)
        g.credential("ldap", "secret\n")
        g.credential("oauth", "secret\n")
        g.addresses("192.0.2.8")
        install(g, HERE)

        def by_dovecot():
            expect(logged_in(g, "alice", "secret", "alice@example.org") == "250", lambda: g.logs())
            expect(logged_in(g, "alice", "wrong", "alice@example.org").startswith("535 "), "any password will do")

        def by_ldap():
            said = logged_in(g, "carol", "secret", "carol@example.org")
            expect(said.startswith("454 4.7.0"), said)
        g.follow({"Dovecot": by_dovecot, "LDAP": by_ldap})


# ---- what comes in ----

SENDERS = """
7.2.0.192.in-addr.arpa. PTR mail.example.org.
mail.example.org. A 192.0.2.7
example.org. TXT "v=spf1 ip4:192.0.2.7 -all"
_dmarc.example.org. TXT "v=DMARC1; p=reject"
bank.example. TXT "v=spf1 -all"
bank.example. A 192.0.2.9
_dmarc.bank.example. TXT "v=DMARC1; p=reject"
"""
MX = HERE.replace("mail.example.org", "mx.example.com").replace("alice@", "bob@").replace("example.org", "example.com")
SIGN = """
import dkim, sys
octets = sys.stdin.buffer.read().replace(b"\\n", b"\\r\\n")
key = open("/srv/s1.key", "rb").read()
sys.stdout.buffer.write(dkim.sign(octets, b"s1", b"example.org", key, include_headers=[b"from", b"subject", b"date"]))
"""


def signed(g, author, subject):
    """A letter with a signature of example.org, whose key is in the DNS."""
    g.sh("openssl genrsa -traditional -out /srv/s1.key 2048 && openssl rsa -in /srv/s1.key -pubout -out /srv/s1.pub")
    public = "".join(g.box.path("/srv/s1.pub").read_text().splitlines()[1:-1])
    g.zone += f's1._domainkey.example.org. TXT "v=DKIM1; k=rsa; p=" "{public[:200]}" "{public[200:]}"\n'
    g.box.write("/run/zone", g.zone)
    plain = letter(author, subject).decode()
    return (g.sh(f"/usr/bin/python3 -c '{SIGN}'", plain.replace("\r", "")).replace("\r", "") + plain.replace("\r", "")).replace(
        "\n", "\r\n").encode()


def guide_receiving(where):
    with Guide(where / "box", "guide-receiving.md", has_outside=False, zone=SENDERS) as g:
        g.person("bob")
        g.addresses("192.0.2.7", "192.0.2.66")
        octets = signed(g, "ann@example.org", "signed")
        install(g, MX)
        said = g.post(octets, "ann@example.org", "bob@example.com", "192.0.2.7", "mail.example.org")
        expect(said.startswith("250 "), said)
        said = g.post(letter("ceo@bank.example", "your account"), "ceo@bank.example", "bob@example.com", "192.0.2.66",
                      "x.example")
        expect(said.startswith("550 5.7.1"), said)
        g.means["0000000000H7K"] = re.search(r"\((\w{13})\)", said)[1]

        expect(wait_for(lambda: "bank.example" in g.sh("nightmail log"), 20), lambda: g.logs())

        def on_top(shown):
            field = re.search(r"(?ms)^Authentication-Results: .*?\n(?=\S)", g.mail_of("bob", "signed").decode())[0]
            expect(page.is_as(field, re.sub(r"header.b=\S+", "header.b=...;", shown)), lambda: f"{field}\nis not\n{shown}")
        g.texts = {"Authentication-Results: ": on_top, "fileinto": lambda text: expect("X-Spam-Flag" in text, text)}
        g.follow({})


def guide_header(where):
    with Guide(where / "box", "guide-header.md", has_outside=False, zone=SENDERS) as g:
        g.person("bob")
        g.addresses("192.0.2.7")
        octets = signed(g, "ann@example.org", "signed")
        install(g, MX)
        g.post(octets, "ann@example.org", "bob@example.com", "192.0.2.7", "mail.example.org")
        g.box.write(g.source + "/message.eml", g.mail_of("bob", "signed").decode())
        g.follow({})
        said = g.said["nightmail analyze message.eml"]
        for words in ("From", "client", "HELO", "sender", "iprev", "spf", "dkim", "arc", "dmarc"):
            expect(re.search(rf"\b{words}\b", said), lambda: f"no {words}\n{said}")


def guide_errors(where):
    with Guide(where / "box", "guide-errors.md", has_outside=False) as g:
        install(g, MX)
        bounce = (TOP / "test/vectors/bounces-flufl/msg/qmail_05.txt").read_text()
        g.box.write(g.source + "/message.eml", bounce)
        g.follow({})
        said = g.said["nightmail bounce read message.eml"]
        expect("message.eml: failure" in said and "hard     no_mailbox" in said, said)


# ---- what goes on ----

def guide_forwarding(where):
    zone = f"elsewhere.example. MX 10 mx.elsewhere.example.\nmx.elsewhere.example. A {SMARTHOST}\n"
    with Guide(where / "box", "guide-forwarding.md", zone=zone) as g:
        g.person("alice")
        g.credential("srs", "a secret of sixteen\n")
        install(g, HERE + "outbound: { port: 587 }\n")

        def sender(subject):
            """By which it came to bob elsewhere."""
            g.post(letter("ann@author.example", subject), "ann@author.example", "bob@example.org")
            g.outside("bob@elsewhere.example", subject)
            return next(f.read_text() for f in g.box.path("/run/outside").glob("*.sender")
                        if subject in f.with_suffix("").read_text())

        def rewritten(shown):
            was, _, becomes = shown.strip().partition("  ->  ")
            form = re.sub("=[^=]{4}=..=", "=[^=]{4}=..=", becomes, 1)
            expect(was == "ann@author.example" and re.fullmatch(form, sender("first")), form)
            found = wait_for(lambda: re.search(r"(\w{13}): to=<bob@elsewhere", g.sh("nightmail log")), 10)
            g.means["0HG2K3M4N5P6Q"] = found[1]

        def by_all():
            expect(sender("second").endswith("@bounce.example.org"), sender("third"))
        g.texts = {"SRS0=": rewritten}
        g.follow({"SRS: the sender is rewritten": by_all})


def guide_sources(where):
    zone = f"elsewhere.example. MX 10 mx.elsewhere.example.\nmx.elsewhere.example. A {SMARTHOST}\n"
    with Guide(where / "box", "guide-sources.md", zone=zone) as g:
        g.person("alice")
        g.addresses("192.0.2.31", "192.0.2.33")     # 192.0.2.32 is what does not work
        install(g, HERE + "outbound: { port: 587 }\n")

        def sent(*senders):
            """The sources by which they left."""
            for i, sender in enumerate(senders):
                g.post(letter(sender, f"s{i}"), sender, "bob@elsewhere.example")
                g.outside("bob@elsewhere.example", f"s{i}")

            def told():
                said = re.findall(r"to=<bob@elsewhere.example>.*status=sent.* src=(\S+)", g.sh("nightmail log"))
                return said if len(said) >= len(senders) else None
            return wait_for(told, 10)

        def leaves():
            got = sent("x@lists.example.org", *["alice@example.org"] * 6)
            expect(sorted(got) == ["ip-a"] * 6 + ["news"], lambda: f"{got}\n{g.logs()}")
            shown = g.said["nightmail dns print example.org"]
            expect("a.mta.example.org" in shown, shown)

        def is_told(shown):
            shown = shown.strip().replace("mx.example.net[192.0.2.25]:25", f"mx.elsewhere.example[{SMARTHOST}]:587")
            form = re.escape(shown).replace(re.escape("..."), ".*")
            logged = g.box.path("/var/log/nightmail.log").read_text()
            expect(re.search(form, logged), lambda: f"{form}\n{logged}")
        g.texts = {"nothing leaves by": is_told}
        g.follow({"": leaves})


def guide_volume(where):
    zone = f"""elsewhere.example. MX 10 mx1.big.example.
also.example. MX 10 mx2.big.example.
mx1.big.example. A {SMARTHOST}
mx2.big.example. A {SMARTHOST}
"""
    with Guide(where / "box", "guide-volume.md", zone=zone) as g:
        g.person("alice")
        install(g, HERE + "outbound: { port: 587 }\n")

        def one_site():
            for to in ("bob@elsewhere.example", "bob@also.example"):
                g.post(letter("alice@example.org", to), "alice@example.org", to)
                g.outside(to, to)
            expect("provider:big" in g.sh("nightmail sites"), lambda: g.sh("nightmail sites"))

        def as_it_was():
            """The port of the outside is the box's own."""
            g.part("", "outbound: { port: 587, connections: 20, rate: 50/s }\n")
        g.follow({"Limits of your own": as_it_was, "Providers": one_site})


# ---- reports ----

REPORTERS = """
1.2.0.192.in-addr.arpa. PTR mail.example.org.
mail.example.org. A 192.0.2.1
7.100.51.198.in-addr.arpa. PTR out7.newsletter.example.
out7.newsletter.example. A 198.51.100.7
example.com. A 192.0.2.61
example.com. TXT "v=spf1 ip4:192.0.2.61 -all"
_dmarc.example.com. TXT "v=DMARC1; p=none; rua=mailto:dmarc@example.com"
shop.example. A 192.0.2.61
shop.example. TXT "v=spf1 ip4:192.0.2.61 -all"
_dmarc.shop.example. TXT "v=DMARC1; p=none; rua=mailto:reports@consultant.example"
consultant.example. A 192.0.2.61
""" + "".join(f"""r{n}.example. A 192.0.2.60
r{n}.example. TXT "v=spf1 ip4:192.0.2.60 -all"
_dmarc.r{n}.example. TXT "v=DMARC1; p=reject"
""" for n in range(3))
TOLD = """<feedback><report_metadata><org_name>r{who}.example</org_name><email>x@r{who}.example</email><report_id>{n}</report_id>
<date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>none</p></policy_published>{rows}</feedback>
"""
ROW = """<record><row><source_ip>{ip}</source_ip><count>{n}</count><policy_evaluated><disposition>none</disposition><dkim>{dkim}</dkim>
<spf>{spf}</spf></policy_evaluated></row><identifiers><header_from>example.org</header_from></identifiers><auth_results>
<spf><domain>{sender}</domain><result>{found}</result></spf></auth_results></record>"""
DAYS = [("2026-11-18", 0, [("192.0.2.1", 600, "pass", "pass", "example.org")]),
        ("2026-11-18", 1, [("192.0.2.1", 500, "pass", "pass", "example.org"), ("203.0.113.9", 32, "fail", "fail", "example.org")]),
        ("2026-11-19", 2, [("198.51.100.7", 100, "pass", "fail", "newsletter.example")]),
        ("2026-11-20", 0, [("198.51.100.7", 2, "fail", "fail", "newsletter.example")])]


def reports_of_others(g):
    """What three receivers saw on three days."""
    for n, (day, who, rows) in enumerate(DAYS):
        begin = calendar.timegm(time.strptime(day, "%Y-%m-%d"))
        xml = TOLD.format(who=who, n=n, begin=begin, end=begin + 86399, rows="".join(
            ROW.format(ip=ip, n=count, dkim=dkim, spf=spf, sender=sender,
                       found="fail" if ip.startswith("203") else "pass") for ip, count, dkim, spf, sender in rows))
        head = letter(f"noreply@r{who}.example", "Report").partition(b"\r\n\r\n")[0]
        octets = head + b"\r\nContent-Type: text/xml\r\n\r\n" + xml.replace("\n", "\r\n").encode()
        said = g.post(octets, f"noreply@r{who}.example", "dmarc@example.org", "192.0.2.60", f"r{who}.example")
        expect(said.startswith("250 "), said)
    expect(wait_for(lambda: g.sh("nightmail dmarc received").count("example.org") >= len(DAYS), 20), lambda: g.logs())


def guide_reports(where):
    with Guide(where / "box", "guide-reports.md", has_outside=False, zone=REPORTERS) as g:
        g.person("alice")
        g.person("bob")
        g.addresses("192.0.2.1", "192.0.2.60", "192.0.2.61")
        install(g, HERE + "dns:\n  addresses: 192.0.2.1\n")
        for n, domain in enumerate(["example.com", "example.com", "shop.example"]):
            said = g.post(letter(f"x@{domain}", f"hello {n}"), f"x@{domain}", "bob@example.org", "192.0.2.61", domain)
            expect(said.startswith("250 "), said)
        g.put(CONFIG, g.box.path(CONFIG).read_text() + g.steps_of("Receiving")[0].text)
        g.sh("systemctl restart nightmail")
        reports_of_others(g)
        g.follow({})


# ---- the README ----

class Tree(Guide):
    """In Nightmail's folder, built: nothing that is done there is done to ours."""

    def __enter__(self):
        super().__enter__()
        for name, at in ((TOP, self.source), (BUILD, self.source + "/build")):
            over = f"{self.box.dir}/over{len(at)}"
            self.sh(f"mkdir -p {over}/up {over}/work {at} && mount -t overlay overlay "
                    f"-o lowerdir={name},upperdir={over}/up,workdir={over}/work {at}")
        return self


def readme(where):
    with Tree(where / "box", "README.md", has_outside=False, own=["/tmp"]) as g:
        g.person("alice")
        g.sh("mkdir -p /etc/nightmail && touch /etc/aliases /etc/nightmail/users")
        g.box.write(g.source + "/nightmail.yaml", HERE.replace("0.0.0.0, port: 25", "127.0.0.1, port: 2525").replace(
            "/var/log/", "/tmp/"))
        g.leave_out = {"./check": "it is what runs this", "./demo": "with --keep it does the same, and stays"}
        if MODE != "long":
            g.leave_out["Installed, under systemd"] = "a build takes minutes: the night has it; test/system looks at what it makes"

        def shown():
            said = g.box.said(400)
            found = re.search(r"127.0.0.1:(\d+) --tls .*--auth-password (\S+).*?--socket (\S+)", said, re.S)
            if found:
                g.means = dict(zip(("PORT", "PASSWORD", "SOCKET"), found.groups()))
            return found
        g.ready = {"./demo --keep": shown, "build/nightmail serve --config nightmail.yaml": lambda: "accepting mail" in g.sh(
            "cat /tmp/nightmail.log || true")}
        g.program = "build/nightmail"
        g.follow({"The first five minutes": lambda: g.sh("build/nightmail stop --config nightmail.yaml")})


# ---- the manuals ----

def manuals(where):
    with Guide(where / "box", "nightmail.8", has_outside=False) as g:
        g.person("alice")
        g.person("bob")
        install(g, HERE)
        g.sh("ln -s /usr/local/sbin/nightmail /usr/local/sbin/sendmail && touch /etc/nightmail/users /etc/nightmail/aliases "
             "&& useradd --system vmail")
        said = g.post(letter("x@example.net", "first"), "x@example.net", "bob@example.org")
        g.means["0000000000042"] = said.split()[-1]
        g.mail_of("bob", "first")
        expect(wait_for(lambda: "delivered" in g.sh("nightmail why bob@example.org || true"), 20), lambda: g.logs())
        g.follow({})
        g.learn_page("nightmail-sendmail.1")
        g.texts = {"sendmail_path": lambda text: g.sh(
            text.split('"')[1], "From: bob@example.org\nTo: alice@example.org\nSubject: PHP\n\nhi\n")}
        g.sh("mv /usr/sbin/sendmail /usr/sbin/sendmail.was 2>/dev/null || true; "
             "ln -s /usr/local/sbin/nightmail /usr/sbin/sendmail")
        g.follow({"EXAMPLES": lambda: (g.mail_of("alice", "hello"), g.mail_of("alice", "PHP"))})

        def mistaken(shown):
            key = shown.splitlines()[1]
            g.box.write(g.source + "/nightmail.yaml", f"hostname: mail.example.org\n\noutbound:\n{key}\n")
            said = g.sh("nightmail check-config --config nightmail.yaml", statuses=(78,))
            expect(shown in said, lambda: f"{said}\nand not\n{shown}")
        g.learn_page("nightmail.yaml.5")
        g.texts = {"error: ": mistaken}
        g.follow({})


# ---- all of them ----

FOLLOWED = {"README.md": readme, "nightmail.8": manuals, "nightmail-sendmail.1": manuals, "nightmail.yaml.5": manuals,
            **{f.__name__.replace("_", "-") + ".md": f for f in (
                guide_reports, guide_directories, guide_rights, guide_receiving, guide_header, guide_errors, guide_forwarding, guide_sources, guide_volume, guides.guide_dns,
                guides.guide_signing, guides.guide_from_postfix, guides.guide_beside_dovecot, guides.guide_certificates,
                guides.guide_submission)}}
NOT_FOLLOWED = {"limits.md": "figures, each with the test that tries it",
                "proof.md": "figures, each with the command that made it: hours of them",
                "performance.md": "figures, each with the command that made it: hours of them"}


def every_page(where):
    """No page of the documentation tells what nobody follows; and the commands and
    keys that it names in passing are there."""
    for place in [TOP / "README.md", *sorted((TOP / "doc").glob("*.md")), *sorted((TOP / "doc").glob("*.[158]"))]:
        sections = page.read(place)
        blocks = [step for section in sections for step in section.steps]
        expect(place.name in FOLLOWED or place.name in NOT_FOLLOWED or not blocks,
               lambda: f"{place.name}: no case follows it (test/peers/pages.py: FOLLOWED)")
        if place.suffix == ".md" and place.name in FOLLOWED:
            words.known(place.read_text())
    for name in FOLLOWED:
        expect(place_of(name).exists(), f"{name} is no page")


CASES = [readme, manuals, every_page, guide_reports, guide_directories, guide_rights, guide_receiving, guide_header, guide_errors, guide_forwarding, guide_sources, guide_volume]
