"""keys -- DKIM keys of a real server: who signs, from first use to the end of a key."""
import json
import os
import re
import signal
import subprocess
import time

from rig import Node, check, letter
from server import wait_for

ZONE = "two.test. MX 10 mx.two.test.\n"


def node(where, more="", domains=("two.test", "b.test")):
    return Node(where, "mx.two.test", ZONE, more, domains=domains, users=("bob", "ann"))


def dkim(n, *command):
    return n.server.ask("dkim", *map(str, command), "--config", str(n.server.config))


def keys(n, *command, fine=(0,)):
    """What a command of dkim says, as a list of keys."""
    done = dkim(n, *command, "--json")
    check(done.returncode in fine, f"dkim {' '.join(command)}", done)
    return json.loads(done.stdout)["keys"]


def zone_line(key):
    parts = [key["text"][i:i + 255] for i in range(0, len(key["text"]), 255)]
    return f'{key["name"]}. TXT ' + " ".join(f'"{p}"' for p in parts) + "\n"


def publish(n, some):
    """The zone has these keys and no others."""
    n.zone.write_text(ZONE + "".join(map(zone_line, some)))
    done = n.server.ask("reload")
    check(done.returncode == 0, "reload", done)


def states(some):
    return sorted(f'{k["selector"]} {k["state"]}' for k in some)


def send(n, author="bob@two.test", **how):
    """The selectors of the signatures on it; None: it was not taken."""
    how = {"source": "127.0.0.1", "port": n.relay, "sender": "bob@two.test", "to": "bob@b.test"} | how
    code, text, mid = n.send(letter(author), **how)
    if code != 250:
        return text
    octets = n.message(mid)
    return re.findall(rb"DKIM-Signature:[^:]*?\bs=([^;]+);", octets)


def in_force(n, domain="two.test"):
    """Keys that sign, and whose record is there."""
    publish(n, keys(n, "show", domain))
    found = keys(n, "check", domain)
    check(all(k["state"] == "active" and k["dns"] == "seen" for k in found), "not active", found)
    return found


# ---- from the first use to the end ----

def first_use(where):
    """The first message leaves unsigned and makes keys; they sign when their records are seen."""
    with node(where) as n:
        check(keys(n, "list") == [], "keys before anything")
        check(send(n) == [], "signed without a record")
        made = wait_for(lambda: len(found := keys(n, "list")) == 2 and found, 60)
        check(made and {k["state"] for k in made} == {"next"}, "keys", made, n.server.tail())
        check({k["algorithm"] for k in made} == {"rsa-sha256", "ed25519-sha256"}, "kinds", made)
        check(all(re.fullmatch(r"v=DKIM1; k=(rsa|ed25519); p=[A-Za-z0-9+/=]+", k["text"]) for k in made), "texts", made)
        check(send(n) == [], "signed without a record, later")
        publish(n, made[:1])             # the one is not enough for the other
        check(sorted(k["state"] for k in keys(n, "check", "two.test", fine=(1,))) == ["active", "next"], "half")
        check(send(n) == [made[0]["selector"].encode()], "one signature")
        publish(n, made)
        check({k["state"] for k in keys(n, "check")} == {"active"}, "both")
        rsa = next(k for k in made if k["algorithm"] == "rsa-sha256")["selector"].encode()
        other = next(k for k in made if k["algorithm"] != "rsa-sha256")["selector"].encode()
        check(send(n) == [rsa, other], "RSA's is on top")

        def told(name, key):
            return [e[key] for e in n.server.events("--since", "1h") if e["event"] == name and key in e]
        check(wait_for(lambda: len(told("queued", "signed")) == 2, 30), "queued", n.server.events("--since", "1h"))
        check(told("dkim_key", "reason") == ["made"] * 2 + ["active"] * 2, "events", told("dkim_key", "reason"))
        status = n.server.ask("status").stdout
        check("2 keys sign, 0 wait" in status, "status", status)


def others_are_not_signed(where):
    """Whoever is not known is not signed for, whatever From says; nor is anybody else's domain."""
    with node(where) as n:
        in_force(n)
        check(len(send(n)) == 2, "trusted")
        check(send(n, source="127.0.0.2", port=n.mx) == [], "a stranger")
        check(send(n, author="eve@stranger.test") == [], "another's domain")
        check(send(n, author="eve@sub.two.test") == [], "below it")
        check(send(n, author="bob@two.test, eve@stranger.test") == [], "two authors")
        check(len(send(n, author="bob@TWO.test, ann@two.test")) == 2, "two authors of one domain")


def rotation(where):
    """The old key signs until the new one's record is seen; then it retires, and is removed."""
    with node(where, "dkim: { retire: 1h, state: %s/keys.dkim }\n" % where) as n:
        old = in_force(n)
        both = keys(n, "rotate", "two.test")
        check(len(both) == 4 and len(keys(n, "rotate", "two.test")) == 4, "rotated twice at once", both)
        new = [k for k in both if k["state"] == "next"]
        names = {k["selector"].encode() for k in old}
        check(set(send(n)) == names, "switched before the record was seen")
        wrong = [dict(k, text=old[0]["text"]) for k in new]
        publish(n, old + wrong)
        check(states(keys(n, "check", fine=(1,))) == states(both), "switched to a record of another key")
        check({k["dns"] for k in keys(n, "list") if k["state"] == "next"} == {"other"}, "seen", keys(n, "list"))
        publish(n, old + new)
        after = keys(n, "check")
        check(states(after) == sorted([f'{k["selector"]} retiring' for k in old] +
                                      [f'{k["selector"]} active' for k in new]), "after", after)
        check(set(send(n)) == {k["selector"].encode() for k in new}, "the new ones sign")
        done = dkim(n, "remove", "two.test", new[0]["selector"])
        check(done.returncode != 0 and "that key signs" in done.stderr, "removed a key that signs", done)
        for k in old:
            keys(n, "remove", "two.test", k["selector"])
        check(states(keys(n, "list")) == sorted(f'{k["selector"]} active' for k in new), "removed")
        # as if it had retired long ago: the files say since when
        keys(n, "rotate", "two.test")
        publish(n, keys(n, "list"))
        keys(n, "check")
        n.server.stop()
        for path in (where / "keys.dkim").glob("*.key"):
            text = path.read_text()
            if "state: retiring" in text:
                path.write_text(re.sub(r"since: \d+", f"since: {int(time.time()) - 7200}", text))
        n.server.start()
        check(wait_for(lambda: {k["state"] for k in keys(n, "list")} == {"active"}, 60), "retired keys stay",
              keys(n, "list"))
        check(len(send(n)) == 2, "signs after a restart")


def schedule(where):
    """dkim.rotate: a key that is old gets a successor by itself."""
    with node(where, "dkim: { rotate: 1d, state: %s/keys.dkim }\n" % where) as n:
        in_force(n)
        n.server.stop()
        for path in (where / "keys.dkim").glob("*.key"):
            path.write_text(re.sub(r"since: \d+", f"since: {int(time.time()) - 90000}", path.read_text()))
        n.server.start()
        found = wait_for(lambda: len(k := keys(n, "list")) == 4 and k, 60)
        check(found and sorted(k["state"] for k in found) == ["active", "active", "next", "next"], "successors", found)
        check(len(send(n)) == 2, "the old ones sign on")


# ---- others' keys ----

def imported(where):
    """A key of OpenDKIM's is taken over, and signs at once where its record is published."""
    with node(where) as n:
        pem, public = where / "mail.private", where / "public"
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", pem, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", pem, "-pubout", "-out", public], check=True, capture_output=True)
        text = "v=DKIM1; h=sha256; k=rsa; p=" + "".join(public.read_text().splitlines()[1:-1])
        publish(n, [{"name": "mail._domainkey.two.test", "text": text}])
        pem.chmod(0o640)
        done = dkim(n, "import", "two.test", "mail", pem)
        check(done.returncode == 77 and "chmod 0600" in done.stderr, "a key that others read", done)
        pem.chmod(0o600)
        taken = keys(n, "import", "two.test", "mail", str(pem))
        check(states(taken) == ["mail active"], "import", taken)
        check(send(n) == [b"mail"], "signs")
        again = dkim(n, "import", "two.test", "mail", pem)
        check(again.returncode == 73 and "already" in again.stderr, "twice", again)
        for name, said in (("nothing", "No such file"), ("zone", "no private key")):
            path = where / name
            if path.exists():
                path.chmod(0o600)
            done = dkim(n, "import", "two.test", "x", path)
            check(done.returncode in (65, 66) and said in done.stderr, f"import {name}", done)
        # the kind that was missing comes by first use
        n.zone.chmod(0o644)
        check(sorted(k["state"] for k in keys(n, "show", "two.test")) == ["active", "next"], "show")


# ---- when something is wrong ----

def unsafe(where):
    """A key that others may read does not sign, in words; nor does one in the wrong place."""
    state = where / "keys.dkim"
    with node(where, f"dkim: {{ state: {state} }}\n") as n:
        found = in_force(n)
        name = f'two.test.{found[0]["selector"]}.key'
        (state / name).chmod(0o644)
        os.utime(state)
        done = dkim(n, "list")
        check("others may read it" in done.stderr and done.stdout.count("\n") == 1, "list", done)
        (state / name).chmod(0o600)
        os.utime(state)
        check(len(keys(n, "list")) == 2, "mended")
        done = dkim(n, "show", "other.test")
        check(done.returncode == 65 and "no mail is signed for other.test" in done.stderr, "show of another's", done)


def keyring_dies(where):
    """Without a keyring nobody is told 250 for what should be signed; with the next one all goes on."""
    with node(where) as n:
        in_force(n)
        check(len(send(n)) == 2, "signed before")
        os.kill(n.server.children("nm-keyring")[0], signal.SIGKILL)
        check(len(send(n)) == 2, "signed when it was back", n.server.tail())
        check(len(keys(n, "list")) == 2, "its keys are back")


def reload_keeps(where):
    """A reload, with and without another keyring, keeps keys and states."""
    with node(where) as n:
        before = in_force(n)
        for more in ("\ntls: { least: 1.3 }\n", "\ntls: { least: 1.2 }\n"):
            config = n.server.config
            config.write_text(re.sub(r"\ntls: .*\n", "", config.read_text()) + more)
            done = n.server.ask("reload")
            check(done.returncode == 0, "reload", done)
            check(wait_for(lambda: len(send(n)) == 2, 30), "signs after a reload", n.server.tail())
            check(states(keys(n, "list")) == states(before), "states", keys(n, "list"))
        text = n.server.config.read_text()
        n.server.config.write_text(text + "outbound: { dkim: off }\n")
        check(n.server.ask("reload").returncode == 0 and send(n) == [], "off signs")
        done = dkim(n, "check")
        check(done.returncode == 65 and "outbound.dkim is off" in done.stderr, "check when off", done)
        n.server.config.write_text(text)
        check(n.server.ask("reload").returncode == 0, "on again")
        check(wait_for(lambda: len(send(n)) == 2, 30), "on again signs", n.server.tail())


CASES = [first_use, others_are_not_signed, rotation, schedule, imported, unsafe, keyring_dies, reload_keeps]
