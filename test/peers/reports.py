"""reports -- what we tell senders is read by the readers of others: Python's email
package, flufl.bounce, Mail::DeliveryStatus::BounceParser and Sisimai; and by us."""
import email
import email.policy
import json
import smtplib
import socketserver
import subprocess
import threading
import time

import package
from rig import BINARY, CONFIG, Server, BUILD, alice, expect, free_port, log_says, maildir, wait_for

MORE = """\
route: [ {{ relay: "smtp://127.0.0.1:{0}" }} ]
outbound: {{ retry: [ 1s, 1s, 1s, 1s, 600s ], idle: 0s }}
"""
SAYS = {"gone": "550 5.1.1 No such user here", "full": "552 5.2.2 Mailbox full", "old": "550 go away",
        "busy": "451 4.2.0 Come back later"}
BODY = b"From: alice@peers.test\r\nSubject: night mail\r\nMessage-ID: <nm1@peers.test>\r\n\r\nThe whole body\r\n"
PERL = r"""
use strict; use warnings; use JSON;
use Mail::DeliveryStatus::BounceParser; use Sisimai;
my ($file) = @ARGV;
open(my $f, '<', $file) or die; local $/; my $text = <$f>;
my $b = Mail::DeliveryStatus::BounceParser->new($text);
my @s = @{ Sisimai->make($file) || [] };
print encode_json({ is_bounce => $b->is_bounce ? 1 : 0, addresses => [ $b->addresses ],
    reasons => [ map { $_->get("std_reason") } $b->reports ],
    sisimai => [ map { { recipient => $_->recipient->address, status => $_->deliverystatus,
        reason => $_->reason, code => $_->replycode } } @s ] });
"""


class Peer(socketserver.ThreadingTCPServer):
    """Another server: what it says to a recipient stands in SAYS."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, offers):
        self.offers, self.kept, self.said = offers, [], []
        super().__init__(("127.0.0.1", 0), Talk)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, address):
        """A client that was killed is no trouble of this side's."""


class Talk(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 far.example ESMTP")
        while line := self.rfile.readline().decode(errors="replace"):
            verb = line[:4].upper()
            if verb == "EHLO":
                for word in ["far.example", *self.server.offers]:
                    self.say("250-" + word)
                self.say("250 ENHANCEDSTATUSCODES")
            elif verb == "RCPT":
                self.server.said.append(line.strip())
                name = line.split("<")[1].split("@")[0]
                self.say(SAYS.get(name.rstrip("ü0123456789"), "250 2.1.5 Ok"))
            elif verb == "DATA":
                self.say("354 go on")
                lines = []
                while (data := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(data[1:] if data.startswith(b".") else data)
                self.server.kept.append(b"".join(lines))
                self.say("250 2.0.0 Taken")
            elif verb == "QUIT":
                self.say("221 2.0.0 Farewell")
                return
            else:
                self.say("250 2.0.0 Ok")


def start(where, more="", users="[ alice, postmaster ]", offers=("8BITMIME", "SMTPUTF8"), first=""):
    """A server whose other mail all goes to one peer, but by a first rule."""
    peer = Peer(offers)
    port = free_port()
    text = CONFIG.format(port=port).replace("[ alice, postmaster ]", users)
    rules = MORE.format(peer.port).replace("[ {", f"[ {first}, {{") if first else MORE.format(peer.port)
    s = Server(BINARY, where, text + rules + more, cage="sanitize" not in str(BUILD))
    s.port, s.peer = port, peer
    return s.start()


def send(s, to, body=BODY, sender="alice@peers.test", mail=(), rcpt=()):
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        smtp.ehlo("client.test")
        code, said = smtp.docmd("MAIL", f"FROM:<{sender}> {' '.join(mail)}".strip()) if sender.isascii() else raw(
            smtp, f"MAIL FROM:<{sender}> {' '.join(mail)}")
        expect(code == 250, f"{code} {said}")
        for one in to:
            code, said = raw(smtp, f"RCPT TO:<{one}> {' '.join(rcpt)}".strip())
            expect(code == 250, f"{code} {said}")
        code, said = smtp.data(body)
        expect(code == 250, f"{code} {said}")


def raw(smtp, line):
    smtp.sock.sendall(line.encode() + b"\r\n")
    return smtp.getreply()


def the_report(s, n=1, who="alice"):
    """The last of n messages that came, as octets and as Python reads it."""
    got = wait_for(lambda: len(maildir(s.dir / "Maildir" / who)) >= n, 20)
    files = sorted(maildir(s.dir / "Maildir" / who), key=lambda f: f[0].stat().st_mtime_ns)
    expect(got and len(files) == n, f"{who} has {len(files)} of {n} reports\n{s.tail()}")
    octets = files[-1][0].read_bytes()
    return octets, email.message_from_bytes(octets, policy=email.policy.default)


def parts(message):
    """Words, the groups of fields, what was returned; all as Python reads them."""
    expect(not message.defects, str(message.defects))
    expect(message.get_content_type() == "multipart/report", message.get_content_type())
    expect(message.get_param("report-type") == "delivery-status", str(message["Content-Type"]))
    expect(message["Return-Path"] == "<>", f"Return-Path: {message['Return-Path']}")
    expect(message["Auto-Submitted"] == "auto-replied", "no Auto-Submitted")
    words, status, *returned = message.get_payload()
    for part in message.walk():
        expect(not part.defects, f"{part.get_content_type()}: {part.defects}")
    return words.get_content(), groups(status), returned[0]


def groups(status):
    if status.get_content_type() == "message/delivery-status":
        return [dict(group) for group in status.get_payload()]
    expect(status.get_content_type() == "message/global-delivery-status", status.get_content_type())
    text = status.get_payload(decode=True)
    if text is None:        # Python takes every message/ for a message in it
        text = status.get_payload()[0].as_bytes()
        if status["Content-Transfer-Encoding"] == "quoted-printable":
            import quopri
            text = quopri.decodestring(text)
    text = text.decode().replace("\r\n", "\n")
    return [dict(email.message_from_string(group + "\n\n", policy=email.policy.SMTPUTF8).items())
            for group in text.strip().split("\n\n")]


def ours(octets, where):
    """What nightmail report read says: the message's line, and the recipients'."""
    (where / "report").write_bytes(octets)
    run = subprocess.run([str(BINARY), "report", "read", str(where / "report"), "--json"], capture_output=True)
    expect(run.returncode == 0, run.stderr.decode())
    top, *told = [json.loads(line) for line in run.stdout.splitlines()]
    return top, told


def others(octets, where):
    """What Debian's three make of it."""
    top = package.root("report-readers")
    (where / "report").write_bytes(octets)
    perl = subprocess.run(["perl", "-e", PERL, str(where / "report")], capture_output=True, text=True,
                          env={"PERL5LIB": f"{top}/usr/share/perl5", "PATH": "/usr/bin:/bin"})
    expect(perl.returncode == 0, perl.stderr)
    code = ("import email, json, sys\nfrom flufl.bounce import all_failures\n"
            "t, p = all_failures(email.message_from_binary_file(open(sys.argv[1], 'rb')))\n"
            "print(json.dumps([[a.decode() for a in sorted(s)] for s in (t, p)]))")
    flufl = subprocess.run(["/usr/bin/python3", "-c", code, str(where / "report")], capture_output=True, text=True,
                           env={"PYTHONPATH": f"{top}/usr/lib/python3/dist-packages"})
    expect(flufl.returncode == 0, flufl.stderr)
    later, never = json.loads(flufl.stdout)
    return json.loads(perl.stdout), later, never


def all_read(octets, where, recipients, action, status, code, kind):
    """Everybody finds the same recipients in it, and the same end."""
    top, told = ours(octets, where)
    expect([t["recipient"] for t in told] == recipients, str(told))
    for t in told:
        expect((t["action"], t["status"], t.get("code"), t["bounce"]) == (action, status, code, kind), str(t))
    perl, later, never = others(octets, where)
    given = sorted(t.get("original", t["recipient"]).lower() for t in told)
    wanted = {"failed": ([], given), "delayed": (given, [])}.get(action, ([], []))
    expect(([a.lower() for a in later], [a.lower() for a in never]) == wanted, f"flufl: {later} {never}")
    if action == "failed":
        expect(perl["is_bounce"] and sorted(a.lower() for a in perl["addresses"]) == given, str(perl))
        expect(sorted(x["recipient"] for x in perl["sisimai"]) == sorted(recipients), str(perl))
        expect(all(x["status"] == status and x["code"] == str(code or "") for x in perl["sisimai"]), str(perl))
    return top


def failed(s):
    return [(e["recipient"], e["bounce"], e["class"]) for e in s.events() if e["event"] == "failed"]


def reports_of_failure(where):
    s = start(where)
    send(s, ["gone@far.example"], mail=["ENVID=QQ+2B314", "RET=HDRS"],
         rcpt=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Gone+2Bx@old.example"])
    octets, message = the_report(s)
    words, (per_message, one), returned = parts(message)
    top = all_read(octets, where, ["gone@far.example"], "failed", "5.1.1", 550, "hard")
    expect(top["envelope_id"] == "QQ+314" and top["message_id"] == "nm1@peers.test", str(top))
    expect(per_message["Reporting-MTA"] == "dns; mx.peers.test", str(per_message))
    expect(per_message["Original-Envelope-Id"] == "QQ+314", str(per_message))
    expect(per_message["Received-From-MTA"] == "dns; client.test (127.0.0.1)", str(per_message))
    expect("Arrival-Date" in per_message, str(per_message))
    expect(one["Original-Recipient"] == "rfc822;Gone+x@old.example", str(one))
    expect(one["Final-Recipient"] == "rfc822; gone@far.example", str(one))
    expect(one["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user here", str(one))
    expect(one["Remote-MTA"].startswith("dns; ") and "Last-Attempt-Date" in one, str(one))
    expect("There is no such mailbox." in words and "Check the address" in words, words)
    expect(returned.get_content_type() == "text/rfc822-headers" and b"The whole body" not in octets, "not RET=HDRS")
    expect(message["In-Reply-To"] == "<nm1@peers.test>", str(message["In-Reply-To"]))
    # the whole comes back when it was asked for, and by default; not when it is big
    for n, (mail, body, whole) in enumerate([(["RET=FULL"], BODY, True), ([], BODY, True),
                                             (["RET=FULL"], BODY + b"x" * 70 + b"\r\n" * 30000, False)]):
        send(s, ["full@far.example"], body=body, mail=mail)
        octets, message = the_report(s, n + 2)
        _, (_, one), returned = parts(message)
        expect("Original-Recipient" not in one, str(one))
        expect((returned.get_content_type() == "message/rfc822") == whole, returned.get_content_type())
        expect((b"The whole body" in octets) == whole, "the body")
        all_read(octets, where, ["full@far.example"], "failed", "5.2.2", 552, "soft")
    # two in one report; an old server without enhanced codes
    send(s, ["gone@far.example", "ok@far.example", "full@far.example"])
    octets, message = the_report(s, 5)
    _, (_, *both), _ = parts(message)
    expect(sorted(g["Status"] for g in both) == ["5.1.1", "5.2.2"], str(both))
    _, told = ours(octets, where)
    expect({t["recipient"]: t["bounce"] for t in told} == {"gone@far.example": "hard", "full@far.example": "soft"}, str(told))
    send(s, ["old@far.example"])
    octets, _ = the_report(s, 6)
    all_read(octets, where, ["old@far.example"], "failed", "5.0.0", 550, "hard")
    expect(wait_for(lambda: len(failed(s)) == 7, 20), str(failed(s)))
    why = failed(s)
    for one in [("gone@far.example", "hard", "no_mailbox"), ("full@far.example", "soft", "full"),
                ("old@far.example", "hard", "bad_address")]:
        expect(one in why, str(why))
    expect(log_says(s, r"[0-9A-Z]{13}: sender non-delivery notification: [0-9A-Z]{13}"), "no such line")
    s.stop()


def told(s):
    return [e.get("text") for e in s.events() if e["event"] == "bounce_made"]


def reports_that_must_not_be(where):
    """NEVER, no FAILURE, the null sender; and success that nobody asked for."""
    s = start(where, "reports: { success: no }\n")
    send(s, ["gone@far.example"], rcpt=["NOTIFY=NEVER"])
    send(s, ["ok@far.example"], rcpt=["NOTIFY=SUCCESS"])
    send(s, ["gone@far.example"], rcpt=["NOTIFY=SUCCESS,DELAY"])
    send(s, ["ok@far.example"])
    send(s, ["ok@far.example"], rcpt=["NOTIFY=FAILURE"])
    expect(wait_for(lambda: s.status()["queued"] == 0 if "queued" in s.status() else not s.queue(), 20), str(s.queue()))
    expect(wait_for(lambda: told(s) == ["no report: NOTIFY does not ask for it"] * 2, 20), str(told(s)))
    # of a report that fails, the admin hears, in words for him; of that one nobody
    send(s, ["gone@far.example"], sender="")
    octets, message = the_report(s, 1, "postmaster")
    words, _, _ = parts(message)
    expect("A message without a sender" in words, words)
    all_read(octets, where, ["gone@far.example"], "failed", "5.1.1", 550, "hard")
    expect(not maildir(s.dir / "Maildir" / "alice"), "alice was told")
    s.stop()


def reports_of_success(where):
    (where / "aliases").write_text("team: postmaster, ok@far.example\n")
    s = start(where, users=f'[ alice, postmaster ], aliases: "{where}/aliases"')
    send(s, ["postmaster@peers.test"], rcpt=["NOTIFY=SUCCESS", "ORCPT=rfc822;pm@old.example"], mail=["RET=FULL"])
    octets, message = the_report(s)
    words, (_, one), returned = parts(message)
    all_read(octets, where, ["postmaster@peers.test"], "delivered", "2.0.0", None, "soft")
    expect("delivered to the" in words and returned.get_content_type() == "text/rfc822-headers", words)
    expect("Final-Log-ID" in one and "Remote-MTA" not in one, str(one))
    send(s, ["ok@far.example"], rcpt=["NOTIFY=SUCCESS,FAILURE"])
    octets, message = the_report(s, 2)
    _, (_, one), _ = parts(message)
    all_read(octets, where, ["ok@far.example"], "relayed", "2.0.0", 250, "soft")
    expect(one["Diagnostic-Code"].startswith("smtp; 250"), str(one))
    # an alias of several: they are on their way, and nobody tells of their ends
    send(s, ["team@peers.test"], rcpt=["NOTIFY=SUCCESS", "ORCPT=rfc822;team@old.example"])
    octets, message = the_report(s, 3)
    _, (_, one), _ = parts(message)
    all_read(octets, where, ["team@peers.test"], "expanded", "2.0.0", None, "soft")
    expect(one["Original-Recipient"] == "rfc822;team@old.example", str(one))
    # who offers DSN is asked to tell by himself
    s.peer.offers = ["DSN"]
    send(s, ["ok@dsn.example"], rcpt=["NOTIFY=SUCCESS,FAILURE"], mail=["ENVID=e1"])
    expect(wait_for(lambda: len(s.peer.kept) == 3, 20), str(s.peer.kept))
    expect("RCPT TO:<ok@dsn.example> NOTIFY=SUCCESS,FAILURE" in " ".join(s.peer.said), str(s.peer.said))
    expect(wait_for(lambda: not s.queue(), 20), str(s.queue()))
    expect(len(maildir(s.dir / "Maildir" / "alice")) == 3, "we told, and so will he")
    s.stop()


def reports_of_delay(where):
    """Once after each time of the list, over restarts too; not of automatic mail."""
    s = start(where, "reports: { delay_warning: [ 2s, 600s ] }\n")
    send(s, ["busy@far.example"])
    send(s, ["busy@far.example"], rcpt=["NOTIFY=FAILURE"])
    send(s, ["busy@far.example"], body=b"Precedence: bulk\r\n" + BODY)
    octets, message = the_report(s)
    words, (_, one), returned = parts(message)
    all_read(octets, where, ["busy@far.example"], "delayed", "4.2.0", 451, "soft")
    expect("Will-Retry-Until" in one and "need not send it again" in " ".join(words.split()), words)
    expect(returned.get_content_type() == "text/rfc822-headers", returned.get_content_type())
    before = {q["id"]: q["attempts"] for q in s.queue()}
    s.kill9()
    s.start()
    for name in before:
        expect(s.ask("queue", "retry", name).returncode == 0, "retry")
    expect(wait_for(lambda: all(q["attempts"] > before[q["id"]] for q in s.queue()), 20), str(s.queue()))
    time.sleep(0.5)
    the_report(s, 1)
    s.stop()


def reports_in_other_words(where):
    """In German; with octets above 127 in what is returned; of SMTPUTF8 mail."""
    s = start(where, "reports: { language: auto }\n", '[ alice, postmaster, "jürgen" ]', ["8BITMIME"])
    send(s, ["gone@far.example"], body=b"Accept-Language: de-AT, en;q=0.5\r\n" + BODY)
    octets, message = the_report(s)
    words, _, _ = parts(message)
    expect(message["Subject"] == "Ihre Nachricht konnte nicht zugestellt werden", str(message["Subject"]))
    expect("Dieses Postfach gibt es nicht. " in " ".join(words.split()) and octets.isascii(), words)
    all_read(octets, where, ["gone@far.example"], "failed", "5.1.1", 550, "hard")
    # 8 bits in the body: message/rfc822 as it is; in the header only: encoded
    send(s, ["gone@far.example"], body=BODY + "grüße\r\n".encode(), mail=["BODY=8BITMIME"])
    octets, message = the_report(s, 2)
    _, _, returned = parts(message)
    expect(returned["Content-Transfer-Encoding"] == "8bit" and "grüße\n".encode() in octets, str(returned.items()))
    send(s, ["gone@far.example"], body=b"X: gr\xfc\xdfe\r\n" + BODY, mail=["BODY=8BITMIME", "RET=HDRS"])
    octets, message = the_report(s, 3)
    _, _, returned = parts(message)
    expect(octets.isascii() and returned["Content-Transfer-Encoding"] == "quoted-printable", str(returned.items()))
    expect(b"gr\xfc\xdfe" in returned.get_payload(decode=True), "the header has changed")
    # SMTPUTF8, the sender's address plain: global types in seven bits
    body = "Subject: grüße\r\n".encode() + BODY
    send(s, ["goneü@far.example"], body=body, mail=["SMTPUTF8", "BODY=8BITMIME"],
         rcpt=[r"ORCPT=utf-8;gone\x{FC}@old.example"])
    octets, message = the_report(s, 4)
    _, (_, one), returned = parts(message)
    expect(octets.isascii() and returned.get_content_type() == "message/global", returned.get_content_type())
    expect(one["Final-Recipient"] == "utf-8; goneü@far.example", str(one))
    expect(one["Original-Recipient"] == "utf-8;goneü@old.example", str(one))
    _, told = ours(octets, where)
    expect(told[0]["recipient"] == "goneü@far.example" and told[0]["original"] == "goneü@old.example", str(told))
    # and to an address beyond ASCII: in eight; the peer takes neither
    send(s, ["gone@far.example"], body=body, sender="jürgen@peers.test", mail=["SMTPUTF8", "BODY=8BITMIME"])
    octets, message = the_report(s, 1, "jürgen")
    _, _, returned = parts(message)
    expect(returned.get_content_type() == "message/global" and "Subject: grüße".encode() in octets, "not as it was")
    all_read(octets, where, ["gone@far.example"], "failed", "5.6.7", None, "soft")
    s.stop()


def reports_that_are_large(where):
    """Of many recipients several, each told once; of a long header its beginning."""
    s = start(where)
    gone = [f"gone{n}@far.example" for n in range(250)]
    send(s, gone, body=BODY.replace(b"Subject", b"".join(b"X-%d: %s\r\n" % (n, b"x" * 500) for n in range(200)) + b"Subject"))
    the_report(s, 3)
    told, names = [], set()
    for path, _ in maildir(s.dir / "Maildir" / "alice"):
        octets = path.read_bytes()
        message = email.message_from_bytes(octets, policy=email.policy.default)
        _, _, returned = parts(message)
        names.add(message["Message-ID"])
        header = returned.get_payload(decode=True)
        expect(returned.get_content_type() == "text/rfc822-headers" and 60000 < len(header) <= 65536, f"{len(header)}")
        expect(header.endswith(b"x" * 500 + b"\n"), repr(header[-100:]))
        told += [t["recipient"] for t in ours(octets, where)[1]]
    expect(sorted(told) == sorted(gone) and len(names) == 3, f"{len(told)} told, {len(names)} names")
    s.stop()


def reports_through_seven_bits(where):
    """To a server without 8BITMIME: whatever the report returns, it is read as
    it was."""
    back = Peer([])
    s = start(where, first=f'{{ if: {{ rcpt_domain: back.example }}, relay: "smtp://127.0.0.1:{back.port}" }}')
    bodies = ["Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n",
              "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b"
              "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n--b--\r\n"]
    for n, body in enumerate(bodies):
        send(s, ["gone@far.example"], sender="bob@back.example", mail=["BODY=8BITMIME"],
             body=b"Subject: night mail\r\nMIME-Version: 1.0\r\n"[:None if n == 0 else 21] + body.encode())
        expect(wait_for(lambda: len(back.kept) == n + 1, 20), f"{len(back.kept)} reports\n{s.tail()}")
        message = email.message_from_bytes(back.kept[-1], policy=email.policy.default)
        expect(back.kept[-1].isascii(), repr(back.kept[-1]))
        returned = message.get_payload()[2]
        expect(returned.get_content_type() == "message/rfc822", str(returned.items()))
        expect(not any(p.defects for p in message.walk()), str([p.defects for p in message.walk()]))
        texts = [p.get_content() for p in returned.walk() if p.get_content_type() == "text/plain"]
        expect([t.strip() for t in texts] == ["grüße"], str(texts))
        _, told = ours(back.kept[-1], where)
        expect([t["status"] for t in told] == ["5.1.1"], str(told))
    s.stop()


CASES = [reports_through_seven_bits, reports_that_are_large, reports_of_failure, reports_that_must_not_be, reports_of_success, reports_of_delay, reports_in_other_words]
