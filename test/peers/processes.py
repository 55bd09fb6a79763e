"""processes -- other uids, a worker that dies, a second server, reloads."""
import asyncio
import os
import pathlib
import pwd
import re
import smtplib

from mail import Load
from rig import CONFIG, MODE, RELAY, Skip, alice, expect, free_port, is_alive, maildir, server, wait_for


def porter(where):
    """A mailbox that belongs to another uid is written by that uid."""
    if os.geteuid() != 0:
        raise Skip("other uids need root")
    owner = pwd.getpwnam("games")
    home = where / "home"
    home.mkdir()
    os.chown(home, owner.pw_uid, owner.pw_gid)
    users = where / "users"
    users.write_text(f"carol:x:{owner.pw_uid}:{owner.pw_gid}:Carol:{home}:/bin/false\n")
    users.chmod(0o644)
    s = server(where / "nightmail")
    s.configure(s.config.read_text().replace("users: [ alice, postmaster ]", f"users: \"file:{users}\"")
                .replace(f"{s.dir}/Maildir/%u", "~/Maildir"))
    s.start()
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        for i in range(5):
            smtp.sendmail("me@laptop.test", ["carol@peers.test"], b"Subject: hello\r\n\r\nhello\r\n")
    got = wait_for(lambda: len(maildir(home / "Maildir")) == 5, 20)
    expect(got, "carol has no mail\n" + s.tail() + (s.dir / "mail.log").read_text()[-2000:])
    for file, _ in maildir(home / "Maildir"):
        expect(file.stat().st_uid == owner.pw_uid, f"{file} belongs to uid {file.stat().st_uid}")
    s.stop()


def worker_dies(where):
    """A killed worker is replaced; nothing is lost, clients come back."""
    s = server(where, RELAY.format(free_port())).start()
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        for i in range(50):
            smtp.sendmail("me@laptop.test", ["bob@far.example"], b"Subject: hello\r\n\r\nhello\r\n")
    before = s.worker()
    os.kill(before, 9)
    expect(wait_for(lambda: not is_alive(before), 5), "it lives")
    expect(wait_for(lambda: s.ask("status").returncode == 0 and s.worker() != before, 10), s.tail())
    expect(s.status()["queue"]["messages"] == 50, str(s.status()["queue"]))
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        smtp.sendmail("me@laptop.test", ["alice@peers.test"], b"Subject: hello\r\n\r\nhello\r\n")
    alice(s)
    s.stop()


def second_instance(where):
    """Two servers on one spool: the second ends with 78."""
    s = server(where / "one").start()
    other = server(where / "two")
    other.configure(CONFIG.format(port=free_port()) + f"spool: {{ path: {s.dir}/spool, reserve: 1M }}\n")
    other.start(wait=0)
    expect(wait_for(lambda: other.process.poll() is not None, 20), "it runs")
    expect(other.process.returncode == 78, f"it ended with {other.process.returncode}\n{other.tail()}")
    s.stop()


def rss(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def reloads(where):
    """Reloads under load lose no session and leave memory at its floor; a bad
    file changes nothing."""
    asyncio.run(reload_cases(where, {"fast": 20, "normal": 300, "long": 10000}[MODE]))


async def reload_cases(where, n):
    s = server(where, "limits: { connections_per_ip: 1000 }\n")
    await asyncio.to_thread(s.start)
    load = Load(("127.0.0.1", s.port), recipient="alice@peers.test", connections=4, sizes=(1, 100))
    load.start()
    good = s.config.read_text()
    lost_before = load.refused
    for i in range(n // 10):
        expect((await asyncio.to_thread(s.ask, "reload")).returncode == 0, s.tail())
    await asyncio.sleep(0.5)
    floor = rss(s.worker())
    for i in range(n):
        run = await asyncio.to_thread(s.ask, "reload")
        expect(run.returncode == 0, run.stdout + run.stderr)
    s.config.write_text(good + "nonsense: yes\n")
    run = await asyncio.to_thread(s.ask, "reload")
    expect(run.returncode == 78 and "unknown key 'nonsense'" in run.stdout + run.stderr, str(run))
    s.config.write_text(good.replace("alice, postmaster", "alice, postmaster, newcomer"))
    expect((await asyncio.to_thread(s.ask, "reload")).returncode == 0, "reload")
    with smtplib.SMTP("127.0.0.1", s.port) as smtp:
        await asyncio.to_thread(smtp.sendmail, "me@laptop.test", ["newcomer@peers.test"], b"Subject: x\r\n\r\nx\r\n")
    await load.stop()
    expect(load.refused == lost_before, f"{load.refused} messages were refused meanwhile")
    grown = rss(s.worker()) - floor
    print(f"# {n} reloads beside {len(load.acked)} messages: {grown} KiB grown from {floor}")
    expect(grown < 16 * 1024 + n, f"{grown} KiB grown over {n} reloads")
    s.stop()


CASES = [porter, worker_dies, second_instance, reloads]
