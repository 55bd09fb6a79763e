"""clients -- real clients speak to us."""
import re
import smtplib
import subprocess

from rig import BINARY, RELAY, alice, expect, free_port, need, server, wait_for


def swaks(where):
    need("swaks")
    s = server(where).start()
    for extra in ([], ["--pipeline"], ["--protocol", "SMTP"]):
        run = subprocess.run(["swaks", "--server", f"127.0.0.1:{s.port}", "--from", "me@laptop.test",
                              "--to", "alice@peers.test", *extra], capture_output=True, text=True)
        expect(run.returncode == 0, run.stdout + run.stderr)
    alice(s, 3)
    s.stop()


def python_smtplib(where):
    s = server(where).start()
    bodies = [b"Subject: small\r\n\r\nhello\r\n", b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n",
              "Subject: 8 bit\r\n\r\ngrüße\r\n".encode(), b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 300000]
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        for body in bodies:
            smtp.sendmail("me@laptop.test", ["alice@peers.test"], body, ["BODY=8BITMIME"])
        try:
            smtp.sendmail("me@laptop.test", ["nobody@peers.test"], bodies[0])
            raise AssertionError("nobody was taken")
        except smtplib.SMTPRecipientsRefused as error:
            expect(error.recipients["nobody@peers.test"][0] == 550, str(error))
    files = [f.read_bytes() for f, _ in alice(s, len(bodies))]
    for body in bodies:
        content = body.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1]
        expect(any(f.endswith(b"\n\n" + content) for f in files), "a body was changed: " + repr(body[:40]))
    s.stop()


def curl(where):
    need("curl")
    s = server(where).start()
    (where / "mail").write_bytes(b"Subject: by curl\n\nhello\n")
    run = subprocess.run(["curl", "-sS", "--crlf", f"smtp://127.0.0.1:{s.port}/laptop.test", "--mail-from",
                          "me@laptop.test", "--mail-rcpt", "alice@peers.test", "-T", str(where / "mail")],
                         capture_output=True, text=True)
    expect(run.returncode == 0, run.stderr)
    alice(s)
    s.stop()


def msmtp(where):
    need("msmtp")
    s = server(where).start()
    run = subprocess.run(["msmtp", "--host=127.0.0.1", f"--port={s.port}", "--from=me@laptop.test", "--tls=off",
                          "--auth=off", "alice@peers.test"], input=b"Subject: by msmtp\n\nhello\n", capture_output=True)
    expect(run.returncode == 0, run.stderr.decode())
    alice(s)
    s.stop()


def control_send(where):
    """nightmail send, and what the queue's commands do to a message."""
    s = server(where, RELAY.format(free_port())).start()
    run = subprocess.run([str(BINARY), "send", "--from", "me@peers.test", "--to", "bob@far.example", "--socket", s.socket],
                         input="Subject: by hand\n\nhello\n", capture_output=True, text=True)
    expect(run.returncode == 0, run.stderr)
    name = re.search(r"[0-9A-Z]{13}", run.stdout)[0]
    expect(wait_for(lambda: [q for q in s.queue() if q["id"] == name and q["attempts"] > 0], 10), "not deferred")
    expect(s.ask("queue", "hold", name).returncode == 0, "hold")
    expect(s.queue()[0]["status"] == "held", str(s.queue()))
    s.stop()
    s.start()
    expect(s.queue()[0]["status"] == "held", "held is forgotten after a restart")
    expect(s.ask("queue", "release", name).returncode == 0, "release")
    expect(wait_for(lambda: s.queue()[0]["status"] != "held", 5), str(s.queue()))
    expect('"bob@far.example"' in s.ask("queue", "show", name).stdout, "show")
    expect(s.ask("queue", "delete", name).returncode == 0, "delete")
    expect(wait_for(lambda: not s.queue(), 10), str(s.queue()))
    expect(wait_for(lambda: any(e["event"] == "canceled" for e in s.events("--id", name)), 10), "no event")
    expect(s.ask("queue", "show", name).returncode == 65, "it is still shown")
    s.stop()


CASES = [swaks, python_smtplib, curl, msmtp, control_send]
