"""guide -- a page of the documentation, and the machine on which a reader follows it.

The machine is a box (test/lib/box.py), the page is read by test/lib/page.py, which
tells what the kinds of steps are.  Each command is given as root in Nightmail's
folder, in the page's order, and one that fails fails the case; what it says must be
what the page shows.  A part of a configuration takes the place of what is there by
its keys, must be without a complaint, and is reloaded when the server runs.  What
the machine should then do is looked at after the section of that name.  There is no
systemd in a box: SYSTEMCTL stands in, and understands the few directives that our
unit has.
"""
import json
import re
import shutil
import subprocess
import tempfile

import page
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
[ -f "$file" ] || file=/usr/lib/systemd/system/$unit.service
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
                name = f"/run/outside/{sum(self.seen.values())}-{to}"
                open(name, "wb").write(content)
                open(name + ".sender", "wb").write(sender[sender.index(b"<") + 1:sender.index(b">")])
    os.makedirs("/run/outside")
    await Files().start(ADDRESS, 587)
    await asyncio.Event().wait()
import os
asyncio.run(outside())
"""
POST = """
import json, smtplib, ssl, sys
octets, sender, to, source, helo = json.load(sys.stdin)
with smtplib.SMTP("127.0.0.1", 25, local_hostname=helo, timeout=60, source_address=(source, 0)) as s:
    s.starttls(context=ssl._create_unverified_context())
    s.ehlo()
    for code, said in (s.mail(sender), s.rcpt(to), (0, b"")):
        if code >= 300:
            break
    else:
        code, said = s.data(octets.encode("latin-1"))
    print(code, said.decode())
"""


CONFIG = "/etc/nightmail/nightmail.yaml"


def place_of(name):
    return TOP / name if (TOP / name).exists() else TOP / "doc" / name


def keys_of(text):
    """The highest keys of a configuration, each with its lines."""
    parts = re.split(r"(?m)^(?=[a-z_]+:)", text)
    return {part.split(":")[0]: part for part in parts if part[:1].isalpha()}


def with_keys(text, more):
    """A configuration, but for what another text says by the same keys."""
    return "".join({**keys_of(text), **keys_of(more)}.values())


def with_dns(text):
    """The page's section dns, and a file that is the DNS."""
    section = keys_of(text).get("dns", "dns:\n").rstrip("\n")
    return "" if "zone:" in section else section + "\n  zone: /run/zone\n"


class Guide:
    """A page and the machine that follows it.  means: what words of the page are here
    (an id, a port); statuses: commands that may end with another one than 0; texts:
    what must be so of a text that is shown, by words it has; leave_out: headings and
    commands that are not for this machine, with the reason; ready: what must be so
    when a command runs beside."""

    def __init__(self, where, name, packages=(), users=None, has_outside=True, zone=None, own=()):
        need_root()
        self.has_outside, self.zone = has_outside, zone
        self.learn_page(name)
        self.said, self.last = {}, None
        self.means, self.statuses, self.texts, self.credentials = {}, {}, {}, {}
        self.leave_out, self.ready, self.program = {}, {}, "nightmail"
        self.box = Box(where, packages, users or {}, net=True, own=["/home", "/srv", *own])

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
        if self.zone is not None:
            self.box.write("/run/zone", self.zone)
        return self

    def __exit__(self, *_):
        self.box.close()

    def sh(self, line, stdin="", statuses=(0,)):
        """A command as root would give it."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        env = [f"PATH={path}", "HOME=/root", "LANG=C.UTF-8"]
        if self.credentials:
            env.append("CREDENTIALS_DIRECTORY=/run/credentials")
        # Into a file: a daemon that was started would keep a pipe open.
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            run = self.box.run("env", "-i", *env, "sh", "-ec",
                               f"cd {getattr(self, 'source', '/')}\n{line}", input=stdin, timeout=1800,
                               capture_output=False, stdout=said, stderr=subprocess.STDOUT)
            said.seek(0)
            text = said.read()
        expect(run.returncode in statuses, lambda: f"'{line}' ended with {run.returncode}\n{text}{self.logs()}")
        return text

    def credential(self, name, text):
        """What systemd would have put there (LoadCredential=)."""
        self.credentials[name] = text
        self.box.write(f"/run/credentials/{name}", text)
        self.box.path(f"/run/credentials/{name}").chmod(0o644)

    # ---- following ----

    def learn(self, text):
        self.text, self.sections = text, page.parse(self.name, text)

    def learn_page(self, name):
        self.name = name
        self.learn(place_of(name).read_text())

    def follow(self, checks):
        """Each section, then what checks[heading] says of it."""
        known = {s.heading for s in self.sections}
        expect(set(checks) <= known, f"the guide has no sections {set(checks) - known}")
        left = set()
        for section in self.sections:
            if section.heading in self.leave_out:
                left.add(section.heading)
                continue
            for step in section.steps:
                if step.what in self.leave_out:
                    left.add(step.what)
                else:
                    self.step(*step)
            checks.get(section.heading, lambda: None)()
        expect(left == set(self.leave_out), lambda: f"{self.name} has no {set(self.leave_out) - left}")

    def steps_of(self, *headings):
        return [step for s in self.sections if s.heading in headings for step in s.steps]

    def step(self, kind, what="", text=""):
        todo = {"file": self.put, "part": self.part, "sh": self.command, "console": self.command, "until": self.until,
                "settled": self.settled, "shown": self.shown, "beside": self.beside}
        expect(kind in todo, f"{self.name}: {kind} ({what or text}): who runs that?")
        todo[kind](what, text)

    def put(self, path, text):
        if path == CONFIG and self.zone is not None:
            text = with_keys(text, with_dns(text))
        self.box.write(path, text)

    def part(self, _, text):
        """Whole when it says who the host is."""
        if re.search(r"(?m)^hostname:", text):
            self.box.write("/srv/whole.yaml", text)
            said = self.sh(f"{self.program} check-config --config /srv/whole.yaml")
        else:
            self.put(CONFIG, with_keys(self.box.path(CONFIG).read_text(), text))
            said = self.sh("nightmail check-config")
            if self.box.path("/run/nightmail/control.sock").exists():
                self.sh("nightmail reload")
        said = "\n".join(line for line in said.splitlines() if "stands in for the whole DNS" not in line)
        expect("warning" not in said, lambda: f"{text}\n{said}")
        print("# " + text.replace("\n", "\n#   "))

    def command(self, line, shown):
        for word, here in self.means.items():
            line = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", here, line)
        said = self.sh(line, statuses=(self.statuses.get(line, 0),))
        self.last, self.said[line] = line, said
        print(f"# $ {line}\n" + "".join(f"#   {one}\n" for one in said.splitlines()[:3]), end="")
        expect(not shown or page.is_as(said, shown), lambda: f"'{line}' says\n{said}and not\n{shown}{self.logs()}")

    def until(self, what, _):
        expect(wait_for(lambda: what in self.sh(self.last), 30, 0.2), lambda: f"'{self.last}' never says '{what}'")

    def settled(self, _, __):
        expect(wait_for(lambda: not self.sh("nightmail queue list --json"), 30, 0.1), lambda: self.logs())

    def shown(self, _, text):
        held = [self.texts[words] for words in self.texts if words in text]
        expect(held, f"{self.name}: who looks whether that is so?\n{text}")
        held[0](text)

    def beside(self, line, _):
        """In a terminal of its own."""
        self.box.start("/bin/sh", "-c", f"cd {self.source} && exec {line}")
        expect(wait_for(self.ready[line], 300, 0.2), lambda: f"'{line}' did not begin\n{self.logs()}")

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

    def post(self, octets, sender, to, source="127.0.0.1", helo="client.example.net"):
        """The same from an address of the box; the reply that decided."""
        run = [octets.decode("latin-1"), sender, to, source, helo]
        return self.sh(f"python3 -c '{POST}'", json.dumps(run)).strip()

    def addresses(self, *addresses):
        for one in addresses:
            self.sh(f"ip address add {one}/32 dev lo")

    def logs(self):
        said = [self.box.said()]
        for name in ("mail.log", "nightmail.log", "unit-nightmail.log", "dovecot.log"):
            path = self.box.path(f"/var/log/{name}")
            if path.exists():
                said += [f"{name}:", *path.read_text(errors="replace").splitlines()[-15:]]
        return "\n".join(said)


def install(guide, config=None):
    """Installed and running by the words of the page about that; with a configuration
    of one's own."""
    steps = {s.heading: s.steps for s in page.read(TOP / "doc" / "guide-from-postfix.md")}
    guide.sh("touch /etc/aliases && rm -rf /var/lib/nightmail /var/lib/nightmail-dkim")     # the box sees the machine's
    for step in steps["Install"] + steps["Say what Postfix was told"]:
        guide.step(*step)
    if config:
        guide.put(CONFIG, config)
    guide.sh("systemctl enable --now nightmail")
