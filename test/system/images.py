"""images -- what is in the memory of each process: no private key but in the
keyring, no password of anybody longer than it is needed, no credential where
nobody uses it."""
import base64
import contextlib
import pathlib
import pwd
import re
import smtplib
import subprocess
import threading

from rig import HERE, IS_ASAN, IS_ROOT, anyone, check, send, server, status_of
from server import NOBODY, free_port, wait_for

USER, PASSWORD, WRONG = "alice@system.test", "perch-Ladder-7731-quarry", "gravel-Hinge-2209-tulip"
CREDENTIALS = {"relay": "relay-Secret-5520-walnut", "ldap": "ldap-Secret-8814-maple", "srs": "srs-Secret-6637-juniper",
               "inline": "inline-Secret-9903-cedar", "environment": "env-Secret-1178-hazel"}


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, text=True).stdout


def needles_of(path):
    """Forms of a private key: its file's text, its DER, each secret number as RFCs
    write it and as a machine's words hold it."""
    text = openssl("pkey", "-in", path, "-noout", "-text")
    body = re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)\n-----END", path.read_text(), re.S)[1].split("\n")
    out = {"pem": [body[len(body) // 2][:40].encode()], "number": []}
    for name, digits in re.findall(r"^(\w+):\n((?: +[0-9a-f:]+\n)+)", text, re.M):
        if name in ("priv", "privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient"):
            octets = bytes.fromhex(re.sub(r"[^0-9a-f]", "", digits))
            out["number"] += [octets[4:28], octets[4:28][::-1]]
    check(out["number"], "no number of it was found", text[:200])
    return out


def maps(pid):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        where, rights = line.split()[:2]
        if rights[0] == "r" and not line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
            yield (*[int(x, 16) for x in where.split("-")], line)


def image(pid):
    """All that can be read of its memory."""
    out = []
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for begin, end, line in maps(pid):
            try:
                mem.seek(begin)
                out.append((line, mem.read(end - begin)))
            except OSError:
                continue
    return out


def count(memory, needles):
    return sum(part.count(n) for _, part in memory for n in needles)


def forms(word, name=USER):
    """As it is, and as SASL says it."""
    raw = word.encode()
    return [raw, base64.b64encode(f"\0{name}\0{word}".encode()), base64.b64encode(raw),
            base64.b64encode(f"\0{name}\0{word}".encode())[16:40]]


def MAY_HOLD(name):
    """The numbers of keys are the keyring's; who logs in elsewhere must know by
    what, and master starts him again; what a key looked like in its file, and
    what people log in by, is nobody's."""
    if name.endswith("-number"):
        return {"keyring"}
    return {"worker", "master"} if name == "hash" or name in CREDENTIALS else set()


@contextlib.contextmanager
def opened(s):
    """Somebody who logged in and stays."""
    with smtplib.SMTP("127.0.0.1", s.ports[2], timeout=30) as c:
        c.starttls(context=anyone())
        c.login(USER, PASSWORD)
        yield c


def login(s, password, mechanism):
    with smtplib.SMTP("127.0.0.1", s.ports[2], timeout=30) as c:
        c.starttls(context=anyone())
        c.ehlo()
        try:
            c.user, c.password = USER, password
            c.auth(mechanism, getattr(c, "auth_" + mechanism.lower()))
        except smtplib.SMTPAuthenticationError:
            return False
        c.sendmail(USER, [USER], f"From: {USER}\r\nSubject: {mechanism}\r\n\r\nhi\r\n")
        return True


CONFIG = """\
hostname: mx.system.test
admin: postmaster@system.test
cores: 2
listen:
  - {{ name: smtp, address: 127.0.0.1, port: {ports[0]}, role: mx }}
  - {{ name: submissions, address: 127.0.0.1, port: {ports[1]}, role: mx, tls: implicit }}
  - {{ name: submission, address: 127.0.0.1, port: {ports[2]}, role: submission, tls: required }}
domains:
  system.test: {{ users: [ alice, bob ] }}
deliver: {{ maildir: "{{dir}}/mail/%u", admin: "{{dir}}/mail/admin" }}
log: {{ to: {{dir}}/logs/mail.log }}
trusted: [ 127.0.0.1 ]
limits: {{ connections_per_ip: none, per_ip: none }}
"""


def keys_make(where):
    """A certificate for each kind of key; the lines of the configuration."""
    kinds = {"rsa": ("-newkey", "rsa:2048"), "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
             "ed": ("-newkey", "ed25519")}
    for name, kind in kinds.items():
        openssl("req", "-x509", *kind, "-nodes", "-keyout", where / f"{name}.key", "-out", where / f"{name}.pem",
                "-days", "30", "-subj", f"/CN={name}.system.test")
        (where / f"{name}.key").chmod(0o600)
    every = ", ".join(str(where / f"{n}.pem") for n in kinds), ", ".join(str(where / f"{n}.key") for n in kinds)
    return "tls: { cert: [ %s ], key: [ %s ] }\n" % every


def credentials_make(where):
    """Each kind of secret that a configuration may have, and where it comes from."""
    for name in ("relay", "ldap", "srs"):
        (where / name).write_text(CREDENTIALS[name] + "\n")
        (where / name).chmod(0o600)
    hashed = openssl("passwd", "-6", PASSWORD).strip()
    (where / "users").write_text(f"{USER}:{hashed}\n")
    (where / "users").chmod(0o644)
    return (f"auth: {{ database: off, users: 'file:{where}/users', ldap: {{ servers: ['ldaps://127.0.0.1:1'], "
            f"base: 'dc=x', bind_dn: 'cn=x', password: 'file:{where}/ldap', timeout: 1s }} }}\n"
            f"forward: {{ srs_secret: 'file:{where}/srs' }}\n"
            f"route:\n  - {{ if: {{ rcpt_domain: a.test }}, relay: 'smtp://127.0.0.1:1', "
            f"auth: {{ user: us, password: 'file:{where}/relay' }} }}\n"
            f"  - {{ if: {{ rcpt_domain: b.test }}, relay: 'smtp://127.0.0.1:1', "
            f"auth: {{ user: us, password: {CREDENTIALS['inline']} }} }}\n"
            f"  - {{ if: {{ rcpt_domain: c.test }}, relay: 'smtp://127.0.0.1:1', "
            f"auth: {{ login: 'env:RELAY_LOGIN' }} }}\n"
            f"reports: {{ inbox: [ dmarc@system.test ] }}\ndatabase: 'sqlite:{where}/server/state.db'\n"), hashed


def reader_image(where, s):
    """The report reader's, at its first step."""
    (where / "image").mkdir()
    script = where / "reader.gdb"
    script.write_text("set pagination off\nset confirm off\nset follow-fork-mode child\nset detach-on-fork on\n"
                      "break report_in_begin\nprintf \"READY\\n\"\ncontinue\n"
                      f"python\nimport sys\nsys.path.insert(0, {str(HERE)!r})\nimport images\n"
                      "pid = gdb.selected_inferior().pid\n"
                      f"for n, (_, b) in enumerate(images.image(pid)): open(f'{where}/image/{{n}}', 'wb').write(b)\n"
                      "print('WRITTEN')\nend\nkill\nquit\n")
    gdb = subprocess.Popen(["gdb", "-nx", "-batch", "-p", str(s.children("nm-porter")[0]), "-x", script],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    said = []
    threading.Thread(target=lambda: said.extend(iter(gdb.stdout.readline, "")), daemon=True).start()
    try:
        check(wait_for(lambda: "READY\n" in said, 60), "gdb", said)
        send(s.ports[0], "report", to="dmarc@system.test")
        check(wait_for(lambda: gdb.poll() is not None and "WRITTEN\n" in said, 60), "gdb goes on", said)
    finally:
        gdb.kill()
        gdb.wait()
    return [(f.name, f.read_bytes()) for f in (where / "image").iterdir()]


def images_of(where, s):
    out = {"worker": image(s.worker()), "master": image(s.process.pid), "keyring": image(s.children("nm-keyring")[0]),
           "porter": image(s.children("nm-porter")[0])}
    return dict(out, reader=reader_image(where, s))


def keyring_is_hidden(s):
    """Not from root, but from its own user; and it is not in swap."""
    keyring = s.children("nm-keyring")[0]
    user = pwd.getpwnam(NOBODY)
    r = subprocess.run(["cat", f"/proc/{keyring}/mem"], capture_output=True, text=True, user=user.pw_uid,
                       group=user.pw_gid, extra_groups=[])
    check("Permission denied" in r.stderr, "its own user may read it", r.stderr)
    got = status_of(keyring)
    check(int(got["VmLck"].split()[0]) > 16000, "it is not locked", got["VmLck"])
    check("0" == re.search(r"Max core file size +(\d+)", pathlib.Path(f"/proc/{keyring}/limits").read_text())[1], "core")


def secrets(where):
    """Keys of each kind are loaded, people log in, rightly and wrongly: then all of
    each process's memory is searched."""
    if not IS_ROOT:
        return "only root may read the memory of others"
    more, hashed = credentials_make(where)
    more += keys_make(where)
    s = server(where, CONFIG, [free_port() for _ in range(3)], more)
    s.env["RELAY_LOGIN"] = "us:" + CREDENTIALS["environment"]
    try:
        s.start()
        check(s.ask("reload").returncode == 0, "reload", s.tail())
        for how in ("PLAIN", "LOGIN"):
            check(login(s, PASSWORD, how) and not login(s, WRONG, how), "logins", s.tail())
        keys = {n: needles_of(where / f"{n}.key") for n in ("rsa", "ec", "ed")}
        for path in sorted(pathlib.Path(f"{s.dir}.dkim").glob("*.key")):
            keys["dkim-" + path.name.split(".")[-2][-1]] = needles_of(path)
        check(len(keys) == 5, "keys", sorted(keys))
        with opened(s) as _:
            held = images_of(where, s)
        words = {"password": forms(PASSWORD), "wrong": forms(WRONG), "hash": [hashed.encode()],
                 **{n: [w.encode()] for n, w in CREDENTIALS.items()},
                 **{f"{n}-{k}": v for n, all_forms in keys.items() for k, v in all_forms.items()}}
        table = {n: {who: count(memory, w) for who, memory in held.items()} for n, w in words.items()}
        for n, row in table.items():
            print(f"# {n:12}", *[f"{who} {row[who]}" for who in row])
        wrong = [(n, who, row[who]) for n, row in table.items() for who in row if row[who] > 0 and who not in MAY_HOLD(n)]
        check(not wrong, "held where it must not be", wrong)
        check(all(table[f"{n}-number"]["keyring"] > 0 for n in keys), "the search finds nothing where it must", table)
        check(all(table[n]["worker"] > 0 for n in CREDENTIALS), "the search finds nothing where it must", table)
        keyring_is_hidden(s)
    finally:
        if s.process and s.process.poll() is None:
            s.kill9()


CASES = [] if IS_ASAN else [secrets]         # which hides nothing, and has terabytes of it
