"""meter -- what a group of processes costs: CPU, memory, syncs.

The processes of a server are those in a control group that the server is
started in; children are born into it, so nothing escapes the account.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

SYNCS = "fsync fdatasync sync_file_range msync sync syncfs".split()
KIB = 1024


class Meter:
    """A control group of its own.  With version 2 cpu.stat is there without any
    controller; with version 1 cpuacct counts the same.  Both count what ended."""

    def __init__(self, name):
        self.path, self.how = None, "no control group: /proc/PID/stat, ended children included"
        for top, fs in self.mounts():
            path = pathlib.Path(top) / f"bench-{os.getpid()}-{name}"
            with contextlib.suppress(OSError):
                path.mkdir()
                self.path, self.version = path, fs
                self.how = f"{'cpu.stat' if fs == 'cgroup2' else 'cpuacct.usage'} of a {fs}"
                break
        self.pids_seen = set()

    @staticmethod
    def mounts():
        """Places of cgroup2, then of cpuacct."""
        rows = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        return ([(r[1], "cgroup2") for r in rows if r[2] == "cgroup2"] +
                [(r[1], "cgroup") for r in rows if r[2] == "cgroup" and "cpuacct" in r[3]])

    @contextlib.contextmanager
    def inside(self):
        """Who is started here belongs to the group; we go back ourselves."""
        before = {p for p in os.listdir("/proc") if p.isdigit()}
        home = self.home()
        self.join(self.path)
        try:
            yield
        finally:
            self.join(home)
        self.pids_seen |= {int(p) for p in os.listdir("/proc") if p.isdigit() and p not in before}

    def home(self):
        if self.path is None:
            return None
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if (controllers == "") == (self.version == "cgroup2") and (
                    controllers == "" or "cpuacct" in controllers):
                return pathlib.Path(str(self.path.parent) + path)
        return self.path.parent

    @staticmethod
    def join(path):
        if path is not None:
            (path / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self):
        if self.path is not None:
            return [int(p) for p in (self.path / "cgroup.procs").read_text().split()]
        return [p for p in self.pids_seen if os.path.exists(f"/proc/{p}")]

    def cpu(self):
        """Seconds so far, of all that were ever in the group."""
        if self.path is None:
            return sum(stat_cpu(p) for p in self.pids())
        if self.version == "cgroup2":
            words = (self.path / "cpu.stat").read_text().split()
            return int(words[words.index("usage_usec") + 1]) / 1e6
        return int((self.path / "cpuacct.usage").read_text()) / 1e9

    def memory(self):
        """Octets: each process's own pages and its share of shared ones."""
        return sum(self.rollup(p, "Pss:") for p in self.pids())

    def resident(self):
        return sum(self.rollup(p, "Rss:") for p in self.pids())

    @staticmethod
    def rollup(pid, field):
        try:
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.startswith(field):
                    return int(line.split()[1]) * KIB
        except OSError:
            pass
        return 0

    def close(self):
        if self.path is None:
            return
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.05)


def stat_cpu(pid):
    try:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


class Syncs:
    """Counts calls that sync, by all processes of a meter and their children:
    perf's tracepoints (a counter in the kernel, nearly free), else strace."""

    def __init__(self, meter, directory):
        self.out, self.how, self.count = pathlib.Path(directory) / "syncs", None, None
        self.pids = [str(p) for p in meter.pids()]

    def commands(self):
        events = ",".join(f"syscalls:sys_enter_{s}" for s in SYNCS)
        yield ["perf", "stat", "-x,", "-o", self.out, "-e", events, "-p", ",".join(self.pids)]
        yield ["strace", "-f", "-q", "-c", "-o", self.out, "-e", "trace=" + ",".join(SYNCS),
               *[word for p in self.pids for word in ("-p", p)]]

    def __enter__(self):
        for command in self.commands():
            if shutil.which(command[0]) is None:
                continue
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(1)	# until it is attached; it says nothing
            if self.process.poll() is None:
                self.how = command[0]
                break
        return self

    def __exit__(self, *_):
        if self.how is None:
            return
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        rows = [line.replace(",", " ").split() for line in self.out.read_text().splitlines()]
        if self.how == "perf":
            self.count = sum(int(r[0]) for r in rows if len(r) > 1 and r[0].isdigit())
        else:
            self.count = sum(int(r[3]) for r in rows if len(r) > 4 and r[-1] in SYNCS)
