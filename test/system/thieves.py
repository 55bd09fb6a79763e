"""thieves -- what who has taken a process over may still do: gdb makes the calls in
the live process, within its real sandbox, as his code would.  Each must be refused,
and by the sandbox: another error could be chance.  What Landlock does by its level
is told where this kernel's is lower."""
import grp
import os
import pathlib
import pwd
import re
import socket
import subprocess
import threading

from rig import BINARY, CONFIG, IS_ASAN, IS_ROOT, check, heard, landlock, refused, said, send, server, started, status_of, \
    subjects, tries
from server import NOBODY, free_port, wait_for

SIGCHLD, CLONE_THREAD, NEWUSER = 17, 0x10000, 0x10000000

# Of processes, programs and memory: nobody but master and porter may any of it.
EVERYBODY = {
    "execve": '(long)execve("/bin/true", 0, 0)', "execveat": '(long)syscall(322, -100, "/bin/true", 0, 0, 0)',
    "fork": "(long)syscall(57)", "vfork": "(long)syscall(58)", "clone": f"(long)syscall(56, {SIGCHLD}, 0, 0, 0, 0)",
    "clone3": "(long)syscall(435, 0, 0)", "unshare": f"(long)syscall(272, {NEWUSER})", "setns": "(long)syscall(308, 0, 0)",
    "map-executable": "(long)mmap(0, 4096, 5, 34, -1, 0)", "map-all": "(long)mmap(0, 4096, 7, 34, -1, 0)",
    "mprotect": "(long)syscall(10, 0x10000, 4096, 5)", "pkey-mprotect": "(long)syscall(329, 0x10000, 4096, 5, -1)",
    "personality": "(long)syscall(135, 0x400000)", "memfd": '(long)syscall(319, "x", 0)',
    "io-uring": "(long)syscall(425, 8, 0)", "userfaultfd": "(long)syscall(323, 0)", "bpf": "(long)syscall(321, 0, 0, 0)",
    "perf": "(long)syscall(298, 0, 0, -1, -1, 0)", "keyctl": "(long)syscall(250, 0, 0, 0, 0)", "add-key": "(long)syscall(248, 0, 0, 0, 0, 0)",
    "mount": '(long)mount("none", "/mnt", "tmpfs", 0, 0)', "umount": '(long)syscall(166, "/", 0)', "chroot": '(long)syscall(161, "/")',
    "pivot-root": '(long)syscall(155, "/", "/")', "module": '(long)syscall(313, -1, "", 0)', "kexec": "(long)syscall(246, 0, 0, 0, 0)",
    "reboot": "(long)syscall(169, 0, 0, 0, 0)", "setuid": "(long)syscall(105, 0)", "setresuid": "(long)syscall(117, 0, 0, 0)",
    "setgroups": "(long)syscall(116, 0, 0)", "capset": "(long)syscall(126, 0, 0)", "seccomp": "(long)syscall(317, 0, 0, 0)",
    "dumpable": "(long)syscall(157, 4, 1, 0, 0)", "ptracer": "(long)syscall(157, 0x59616d61, -1, 0, 0)",
    "raw": "(long)socket(2, 3, 1)", "packet": "(long)socket(17, 3, 0)", "netlink": "(long)socket(16, 3, 0)",
    "vsock": "(long)socket(40, 1, 0)", "alg": "(long)socket(38, 5, 0)", "message-queue": '(long)syscall(240, "/x", 66, 0600, 0)',
    "shared-memory": "(long)syscall(29, 0, 4096, 01600)", "by-handle": "(long)syscall(304, -100, 0, 0)",
    "shadow": '(long)open("/etc/shadow", 0)', "fanotify": "(long)syscall(300, 0, 0)", "inotify": "(long)syscall(294, 0)",
}


def upon(pid, name):
    """What one process does to another."""
    return {f"kill-{name}": f"(long)kill({pid}, 0)", f"tgkill-{name}": f"(long)syscall(234, {pid}, {pid}, 0)",
            f"queue-{name}": f"(long)syscall(129, {pid}, 0, 0)", f"pidfd-{name}": f"(long)syscall(434, {pid}, 0)",
            f"ptrace-{name}": f"(long)syscall(101, 16, {pid}, 0, 0)", f"peek-{name}": f"(long)syscall(310, {pid}, 0, 0, 0, 0, 0)",
            f"poke-{name}": f"(long)syscall(311, {pid}, 0, 0, 0, 0, 0)", f"limits-{name}": f"(long)syscall(302, {pid}, 7, 0, 0)",
            f"memory-{name}": f'(long)open("/proc/{pid}/mem", 0)', f"maps-{name}": f'(long)open("/proc/{pid}/maps", 0)',
            f"environ-{name}": f'(long)open("/proc/{pid}/environ", 0)', f"nice-{name}": f"(long)syscall(141, 0, {pid}, 19)",
            f"affinity-{name}": f"(long)syscall(203, {pid}, 0, 0)"}


def burgled_keyring(where):
    """Whoever takes the keyring over can open, start, connect and trace nothing."""
    if not IS_ROOT:
        return "only root may trace what hides"
    with started(where) as s:
        keyring = s.children("nm-keyring")[0]
        got = tries(where, keyring, {
            **EVERYBODY, **upon(s.process.pid, "master"), **upon(s.worker(), "worker"),
            "read": '(long)open("/etc/passwd", 0)', "read-own": f'(long)open("{s.config}", 0)',
            "by-path": f'(long)open("{s.dir}.dkim/x", 65, 0600)', "write": f'(long)open("{s.dir}/x", 65, 0600)',
            "socket": "(long)socket(2, 1, 0)", "unix": "(long)socket(1, 1, 0)", "pair": "(long)syscall(53, 1, 1, 0, 0)",
            "connect": "(long)syscall(42, 3, 0, 0)", "bind": "(long)syscall(49, 3, 0, 0)", "listen": "(long)syscall(50, 3, 1)",
            "accept": "(long)syscall(288, 3, 0, 0, 0)", "thread": f"(long)syscall(56, {CLONE_THREAD + 0x40f00}, 0, 0, 0, 0)",
            "rename": '(long)rename("/x", "/y")', "link": '(long)link("/etc/passwd", "/tmp/nm-made")',
            "symlink": '(long)symlink("/etc/passwd", "/tmp/nm-made")', "chmod": '(long)chmod("/tmp", 0)', "unlock": "(long)syscall(152)",
            "dup": "(long)dup(0)", "fcntl": "(long)fcntl(0, 8, 1)", "ioctl": "(long)ioctl(0, 0x5412, 0)"})
        refused("keyring", got)
        fds = [os.readlink(f) for f in pathlib.Path(f"/proc/{keyring}/fd").iterdir()]
        check(all(f.startswith(("socket:", "/dev/null", str(s.log))) or f == f"{s.dir}.dkim" for f in fds), "it holds", fds)
        check(len([f for f in fds if f.startswith("socket:")]) == 2, "lines", fds)
        send(s.ports[1], "after", implicit=True)
        st = status_of(keyring)
        check(st["Uid"].split()[0] == str(pwd.getpwnam(NOBODY).pw_uid) and st["NoNewPrivs"] == "1", "who it is", st)


def burgled_worker(where):
    """What a parser that was taken over would look for: programs, others' files and
    processes, the machine's insides, ways around a list of paths."""
    if IS_ASAN:
        return None
    level = landlock()
    key = where / "tls.key"                 # of the server's own user, outside what it may write
    key.write_text("secret\n")
    key.chmod(0o644)
    with started(where) as s, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0nightmail-thief-{os.getpid()}")
        abstract.listen()
        spool = s.dir / "spool"
        file = next(f for f in spool.rglob("*") if f.is_file())
        calls = {
            **EVERYBODY, **upon(s.process.pid, "master"), **upon(s.children("nm-keyring")[0], "keyring"),
            "passwd": '(long)open("/etc/passwd", 0)', "etc": '(long)open("/etc", 0)', "key": f'(long)open("{key}", 0)',
            "config": f'(long)open("{s.config}", 0)', "home": '(long)open("/root", 0)', "lib": '(long)open("/usr/lib/x86_64-linux-gnu/libc.so.6", 0)',
            "proc-self": '(long)open("/proc/self/mem", 2)', "sys": '(long)open("/sys/kernel", 0)', "run": '(long)open("/run", 0)',
            "tmp": '(long)open("/tmp/nm-made", 65, 0600)', "shm": '(long)open("/dev/shm/nm-made", 65, 0600)',
            "unlink": f'(long)unlink("{s.config}")', "rename-in": f'(long)rename("{s.config}", "{spool}/x")',
            "link-out": f'(long)link("{file}", "/tmp/nm-link")', "link-in": f'(long)link("{s.config}", "{spool}/x")',
            "symlink": f'(long)symlink("/etc/passwd", "{spool}/x")', "fifo": f'(long)syscall(133, "{spool}/x", 010600, 0)',
            "chmod": f'(long)chmod("{spool}", 0777)', "fchmod": "(long)fchmod(0, 04777)", "chown": f'(long)chown("{spool}", 0, 0)',
            "xattr": f'(long)syscall(188, "{spool}", "user.x", "", 0, 0)', "utime": f'(long)syscall(280, -100, "{spool}", 0, 0)',
            "truncate": f'(long)truncate("{s.config}", 0)', "listen": "(long)syscall(50, 3, 1)",
            "raw6": "(long)socket(10, 3, 58)", "netlink-audit": "(long)socket(16, 3, 9)", "inject": '(long)ioctl(0, 0x5412, "x")',
            "signal-owner": f"(long)fcntl(0, 8, {s.process.pid})", "signal-which": "(long)fcntl(0, 10, 9)", "async": "(long)ioctl(0, 0x5452, 1)",
            "timer": "(long)syscall(222, 0, 0, 0)", "alarm": "(long)syscall(37, 1)", "quota": "(long)syscall(179, 0, 0, 0, 0)",
            "map-file": "(long)mmap(0, 4096, 5, 2, 0, 0)", "remap": "(long)syscall(216, 0, 0, 0, 0, 0)"}
        got = tries(where, s.worker(), calls)
        refused("worker", got)
        check(not os.path.exists("/tmp/nm-made") and s.config.exists() and s.is_ready(), "it changed something")
        check(not list(spool.glob("x")), "it made something")
        neighbours(where, s, level, f"nightmail-thief-{os.getpid()}")


def neighbours(where, s, level, name):
    """What the kernel watches by Landlock from level 4 and 6 on."""
    script = where / "net.gdb"
    at = b"\1\0\0" + name.encode()
    octets = "{" + ",".join(str(b) for b in at) + "}"
    script.write_text(
        "set pagination off\nset confirm off\n"
        f"set $room = (unsigned char *)((void *(*)(long))malloc)(128)\nset var *(unsigned char (*)[{len(at)}])$room = {octets}\n"
        "set $fd = (long)syscall(41, 1, 1, 0)\n" + said("abstract", f"(long)syscall(42, $fd, $room, {len(at)})") +
        "set var *(unsigned char (*)[16])$room = {2,0,0x1f,0x90,127,0,0,1,0,0,0,0,0,0,0,0}\n"
        "set $fd = (long)syscall(41, 2, 1, 0)\n" + said("bind", "(long)syscall(49, $fd, $room, 16)") + "detach\nquit\n")
    r = subprocess.run(["gdb", "-nx", "-batch", "-p", str(s.worker()), "-x", script], capture_output=True, text=True,
                       timeout=120, stdin=subprocess.DEVNULL)
    got = heard(r.stdout)
    check(set(got) == {"abstract", "bind"}, "gdb", r.stdout[-800:], r.stderr[-800:])
    for call, since in (("bind", 4), ("abstract", 6)):
        if level < since:
            print(f"# {call} is not watched: Landlock of this kernel is level {level}, not {since}")
            del got[call]
    refused(f"worker, Landlock {level}", got)


def burgled_porter(where):
    """Nobody that has an account, with the rights to become a user and no others: not root, and what is root's is
    not its."""
    if not IS_ROOT:
        return "only root has a porter"
    with started(where) as s:
        porter = s.children("nm-porter")[0]
        st = status_of(porter)
        two = 1 << 6 | 1 << 7
        check({int(st[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {two} and int(st["CapAmb"], 16) == 0,
              "capabilities", {k: v for k, v in st.items() if k.startswith("Cap")})
        check(set(st["Uid"].split()) == set(st["Gid"].split()) == {"2147483646"} and not st["Groups"].strip(), "who it is", st)
        mine = where / "of-root"
        mine.write_text("x")
        mine.chmod(0o600)
        keyring = s.children("nm-keyring")[0]
        refused("porter", tries(where, porter, {
            "ptrace": f"(long)syscall(101, 16, {s.worker()}, 0, 0)", "packet": "(long)socket(17, 3, 0)",
            "mount": '(long)mount("none", "/mnt", "tmpfs", 0, 0)', "chown": '(long)chown("/etc/passwd", 1, 1)',
            "module": "(long)syscall(313, -1, \"\", 0)", "reboot": "(long)syscall(169, 0, 0, 0, 0)",
            "memory": f'(long)open("/proc/{s.worker()}/mem", 0)', "domainname": "(long)setdomainname(\"x\", 1)",
            "keyring": f'(long)open("/proc/{keyring}/mem", 0)', "kill-worker": f"(long)kill({s.worker()}, 0)",
            "kill-keyring": f"(long)kill({keyring}, 0)", "kill-master": f"(long)kill({s.process.pid}, 0)",
            "read-root's": f'(long)open("{mine}", 0)', "write-root's": '(long)open("/etc/passwd", 1)',
            "make-root's": '(long)open("/etc/nm-made", 65, 0600)',
            "setuid": "(long)syscall(105, 0)", "setreuid": "(long)syscall(113, -1, 0)", "setfsuid": "(long)syscall(122, 0)",
            "setresuid": "(long)syscall(117, -1, 0, -1)", "setresuid-high": "(long)syscall(117, -1, 0x100000000, -1)"}))
        fds = os.listdir(f"/proc/{porter}/fd")
        check(len(fds) <= 5, "it holds", fds)


def burgled_reader(where):
    """Who reads strangers' reports for us has two descriptors, and may do nothing else."""
    if not IS_ROOT:
        return "only root may trace what hides"
    more = 'reports: { inbox: [ dmarc@system.test ] }\ndatabase: "sqlite:%s/server/state.db"\n' % where
    with started(where, more) as s:
        calls = {
            **EVERYBODY, **upon(s.process.pid, "master"), **upon(s.worker(), "worker"),
            "read": '(long)open("/etc/passwd", 0)', "write": '(long)open("/tmp/nm-made", 65, 0600)', "dup": "(long)dup(0)",
            "socket": "(long)socket(2, 1, 0)", "unix": "(long)socket(1, 1, 0)", "pipe": "(long)syscall(293, 0, 0)",
            "thread": f"(long)syscall(56, {CLONE_THREAD + 0x40f00}, 0, 0, 0, 0)", "self": "(long)syscall(39)",
            "map-a-file": "(long)mmap(0, 4096, 1, 2, 0, 0)", "truncate": "(long)ftruncate(0, 0)", "seek": "(long)lseek(0, 0, 0)",
            "stat": "(long)syscall(5, 0, 0)", "connect": "(long)syscall(42, 0, 0, 0)", "send": "(long)syscall(44, 1, 0, 0, 0, 0, 0)",
            "message": "(long)syscall(46, 1, 0, 0)", "close": "(long)syscall(3, 0)", "read-on": "(long)syscall(0, 0, 0, 0)"}
        script = where / "reader.gdb"
        script.write_text("set pagination off\nset confirm off\nset follow-fork-mode child\nset detach-on-fork on\n"
                          "break report_in_begin\nprintf \"READY\\n\"\ncontinue\n"
                          "python\nimport os\npid = gdb.selected_inferior().pid\n"
                          "print('FDS', len(os.listdir(f'/proc/{pid}/fd')))\n"
                          "print(open(f'/proc/{pid}/status').read())\nprint(open(f'/proc/{pid}/limits').read())\nend\n" +
                          "".join(said(n, c) for n, c in calls.items()) + "kill\nquit\n")
        gdb = subprocess.Popen(["gdb", "-nx", "-batch", "-p", str(s.children("nm-porter")[0]), "-x", script],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
        told = []
        threading.Thread(target=lambda: told.extend(iter(gdb.stdout.readline, "")), daemon=True).start()
        try:
            check(wait_for(lambda: "READY\n" in told, 60), "gdb", told)
            send(s.ports[0], "report", to="dmarc@system.test")
            check(wait_for(lambda: gdb.poll() is not None, 90), "gdb goes on", told)
            out = wait_for(lambda: (t := "".join(told)).count("TRY") >= len(calls) and t, 10) or "".join(told)
        finally:
            gdb.kill()
            gdb.wait()
        got = heard(out)
        check(set(got) == set(calls), "calls", sorted(set(calls) - set(got)), out)
        refused("reader", got)
        check("FDS 2\n" in out and re.search(r"Seccomp:\s+2", out) and re.search(r"NoNewPrivs:\s+1", out), "it holds", out)
        check(re.search(r"CapEff:\s+0+\n", out) and re.search(rf"Uid:\s+{pwd.getpwnam(NOBODY).pw_uid}\s", out), "who it is", out)
        check(re.search(r"Max cpu time\s+2\s+2", out) and re.search(r"Max open files\s+2\s+2", out), "limits", out)
        check(not os.path.exists("/tmp/nm-made"), "it made a file")
        events = wait_for(lambda: [e for e in s.events() if e["event"] == "report_refused"], 60)
        check(events and events[0]["reason"] == "limits", "a reader that died", events)
        send(s.ports[0], "after")
        check(wait_for(lambda: "after" in subjects(s), 30), "nothing goes on", s.tail())


def inherits_nothing(where):
    """What a shell left open when it started the server comes to no process of it,
    nor does master hold it."""
    secret = where / "secret"
    secret.write_text("x")
    with open(secret) as f:
        os.set_inheritable(f.fileno(), True)
        s = server(where, CONFIG, [free_port() for _ in range(2)])
        s.give_away()
        with open(s.log, "ab") as log:
            s.process = subprocess.Popen([s.binary, "serve", "--config", str(s.config)] + ([] if s.cage else ["--no-cage"]),
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[f.fileno()])
        try:
            check(wait_for(s.is_ready, 30), "not ready", s.tail())
            for pid in s.descendants():
                held = [os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
                check(str(secret) not in held, "inherited", pid, held)
            check(s.stop() == 0, "stop", s.tail())
        finally:
            if s.process.poll() is None:
                s.kill9()


def sockets_modes(where):
    """The control socket has its mode and group when it appears; nothing is done
    behind its name, which a link may have taken."""
    if not IS_ROOT:
        return "only root gives it to a group"
    run = where / "server/run"
    more = "control: { socket: %s/control, group: adm }\nsubmit: { socket: %s/submit }\n" % (run, run)
    s = server(where, CONFIG, [free_port() for _ in range(2)], more)
    run.mkdir()
    s.socket = str(run / "control")
    try:
        s.start()
        for name, mode, group in (("control", 0o660, grp.getgrnam("adm").gr_gid), ("submit", 0o666, 0)):
            st = os.stat(run / name)
            check((st.st_mode & 0o777, st.st_uid, st.st_gid) == (mode, 0, group), name, oct(st.st_mode), st.st_gid)
        check(s.stop() == 0, "stop", s.tail())
        s.give_away()
        os.chown(run, 0, 5)
        os.chmod(run, 0o2755)
        s.give_away = lambda: None
        s.start(wait=0)
        check(s.process.wait(30) == 69 and "another group" in s.tail(), "a group of the directory's", s.tail())
    finally:
        if s.process and s.process.poll() is None:
            s.kill9()


def root_among_others(where):
    """What root's commands do in a directory of the server's user follows none of
    his links."""
    if not IS_ROOT:
        return "only root may do more than the server's user"
    user = pwd.getpwnam(NOBODY)
    home, victim = where / "state", where / "victim"
    home.mkdir()
    os.chown(home, user.pw_uid, user.pw_gid)
    victim.write_bytes(b"")
    victim.chmod(0o600)
    (home / "state.db").symlink_to(victim)
    config = where / "nightmail.yaml"
    config.write_text(f"hostname: mx.system.test\nuser: {NOBODY}\ndatabase: 'sqlite:{home}/state.db'\n"
                      f"spool: {{ path: {where}/spool }}\ndkim: {{ state: {where}/dkim }}\n"
                      "domains: { system.test: { users: [ alice ] } }\n")
    words = [BINARY, "user", "add", "x@system.test", "--generate", "--config", config]
    r = subprocess.run(words, capture_output=True, text=True)
    check(r.returncode != 0 and victim.read_bytes() == b"" and victim.stat().st_uid == 0, "root wrote behind a link", r.stdout, r.stderr)
    (home / "state.db").unlink()
    r = subprocess.run(words, capture_output=True, text=True)
    check(r.returncode == 0, "user add", r.stdout, r.stderr)
    check({f.stat().st_uid for f in home.iterdir()} == {user.pw_uid}, "root's files", [(f.name, f.stat().st_uid) for f in home.iterdir()])


def everybodys_files(where):
    """A configuration, or a file of users, that everybody may change is refused, at
    a reload too: who writes it may become anybody."""
    with started(where, "", CONFIG.replace("users: [ alice ]", 'users: "file:{{dir}}/users"'.replace("{{dir}}", f"{where}")), 2,
                 {"users": "alice:*\n"}) as s:
        for path in (s.config, where / "users"):
            path.chmod(0o646)
            r = subprocess.run([BINARY, "check-config", "--config", s.config], capture_output=True, text=True)
            check(r.returncode == 78 and "everybody may change" in r.stdout + r.stderr, "not refused", path, r.stdout, r.stderr)
            check(s.ask("reload").returncode == 78, "taken by a reload", path)
            path.chmod(0o644)
        check(s.ask("reload").returncode == 0, "reload", s.tail())


AUDITS = [everybodys_files, inherits_nothing, sockets_modes, root_among_others]
CASES = [*AUDITS, burgled_worker, burgled_porter] if IS_ASAN else [*AUDITS, burgled_keyring, burgled_worker, burgled_porter, burgled_reader]
