"""signed_by_us -- mail that the real server signed, in the eyes of others."""
import glob
import json
import os
import pathlib
import smtplib

import names
import package
import rig
import rspamd as rspamd_lib
from server import Server, free_port, wait_for

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = """\
hostname: mx.two.test
cores: 2
listen: [ {{ address: 127.0.0.1, port: {port}, role: relay }} ]
trusted: [ 127.0.0.1 ]
dns: {{ zone: {zone} }}
domains: {{ two.test: {{ users: [ bob ] }} }}
deliver: {{ virtual: "{{dir}}/mail/%d/%u", admin: "{{dir}}/mail/admin" }}
limits: {{ connections_per_ip: none, per_ip: none }}
"""
HEAD = "From: Bob <bob@two.test>\r\nTo: bob@two.test\r\n"
LETTERS = [
    HEAD + "Subject: plain\r\n\r\nhello\r\n",
    HEAD + "Subject: empty\r\n\r\n",
    HEAD + "Subject:  white \t space \r\n\t folded\r\n  twice  \r\nCc:\r\n\r\n a  b \t\r\n\r\n\r\nc \r\n\r\n\r\n",
    HEAD + "Subject: caf\u00e9\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
           "Content-Transfer-Encoding: 8bit\r\n\r\n\u4f60\u597d\r\n",
    HEAD + "List-Unsubscribe: <https://two.test/u?1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
           "Feedback-ID: 1:2:3:4\r\nList-Id: <l.two.test>\r\n\r\nnews\r\n",
    HEAD + "References: " + "\r\n ".join(f"<{i}@two.test>" for i in range(60)) + "\r\n\r\nthread\r\n",
    HEAD + "Cc: " + ",\r\n\t".join(f"u{i}@a-long-name.example" for i in range(900)) + "\r\n\r\nmany\r\n",
    HEAD + "Subject: large\r\n\r\n" + "".join(f"line {i} " + "x" * (i % 70) + "\r\n" for i in range(6000)),
    HEAD + "Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n",
    HEAD + "Received: by elsewhere.example; Sat, 21 Nov 2026 10:00:00 +0000\r\nX-More: 1\r\n\r\nx\r\n",
]


def submit(server, port, letter):
    """What it became, with CRLF."""
    before = set(glob.glob(f"{server.dir}/mail/two.test/bob/new/*"))
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        smtp.sendmail("bob@two.test", ["bob@two.test"], letter.encode(), mail_options=["BODY=8BITMIME"])
    new = wait_for(lambda: set(glob.glob(f"{server.dir}/mail/two.test/bob/new/*")) - before, 60)
    octets = pathlib.Path(new.pop()).read_bytes()
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def keys_of(server, zone):
    """The server's keys, published, seen and active: {name: [text]}."""
    made = server.ask("dkim", "show", "two.test", "--json")
    texts = {k["name"]: [k["text"]] for k in json.loads(made.stdout)["keys"]}
    rig.zone_write(zone, texts)
    server.ask("reload")
    checked = server.ask("dkim", "check", "two.test", "--json")
    states = [k["state"] for k in json.loads(checked.stdout)["keys"]]
    if states != ["active", "active"]:
        raise RuntimeError(f"the keys do not sign: {checked}")
    return texts


def is_fine(said, n):
    return isinstance(said, list) and len(said) == n and all(one["pass"] for one in said)


def by_rspamd(scratch, texts, paths):
    with names.Names(texts) as server:
        one = rspamd_lib.Rspamd(scratch / "rspamd", server.at)
        one.start(120)
        try:
            for path in paths:
                said = one.scan(path.read_bytes())["symbols"]
                bad = [s for s in said if s.startswith("R_DKIM") and s != "R_DKIM_ALLOW"]
                if "R_DKIM_ALLOW" not in said or bad:
                    raise RuntimeError(f"rspamd: {path}: {said}")
        finally:
            one.stop()


def signed_by_us(scratch):
    """Both signatures of each letter verify in dkimpy and OpenDKIM, RSA's in Mail::DKIM, and rspamd
    finds nothing against them."""
    port, zone = free_port(), scratch / "zone"
    zone.write_text("two.test. MX 10 mx.two.test.\n")
    zone.chmod(0o644)
    server = Server(rig.BUILD / "nightmail", scratch / "server", CONFIG.format(port=port, zone=zone))
    server.start()
    try:
        texts = keys_of(server, zone)
        paths = []
        for i, letter in enumerate(LETTERS):
            paths.append(scratch / f"letter{i}")
            paths[-1].write_bytes(submit(server, port, letter))
    finally:
        server.stop()
    keys, lines, top = scratch / "keys.json", scratch / "keys.txt", package.root("opendkim")
    keys.write_text(json.dumps(texts))
    lines.write_text("".join(f"{name} {text[0]}\n" for name, text in texts.items()))
    library = top / "usr/lib/x86_64-linux-gnu/libopendkim.so.11"
    with rig.Judge("/usr/bin/python3", HERE / "by_dkimpy.py", keys) as dkimpy, \
            rig.Judge("perl", HERE / "by_maildkim.pl", keys) as perl, \
            rig.Judge("/usr/bin/python3", HERE / "by_opendkim.py", library, lines, env=package.env(top)) as opendkim:
        for path in paths:
            for judge in (dkimpy, opendkim):
                said = judge.ask(path)
                if not is_fine(said, 2):
                    raise RuntimeError(f"{judge.name}: {path.read_bytes()[:3000]}: {said}")
            said = perl.ask(path)
            if not isinstance(said, list) or not said or not said[0]["pass"]:
                raise RuntimeError(f"Mail::DKIM: {path.read_bytes()[:3000]}: {said}")
    if os.geteuid() == 0:                # a name server at port 53
        by_rspamd(scratch, texts, paths)


CASES = [signed_by_us]
