"""rspamd -- rspamd out of a private root, with SPF, DKIM, DMARC and ARC alone.

    with Rspamd(directory, nameserver="127.1.2.3") as rspamd:
        rspamd.milter           "127.0.0.1:PORT", for Postfix's smtpd_milters
        rspamd.scan(message, ip="192.0.2.1", helo="a.example", sender="b@c.example")

scan() asks by HTTP and gives its JSON: symbols such as R_DKIM_ALLOW.  sign:
{domain: (selector, file of the key)}: mail from there is signed.
"""
import json
import os
import pathlib
import socket
import subprocess
import urllib.request

import package
from server import free_port, wait_for

CONF = """\
options {{
  pidfile = "{dir}/pid";
  filters = "dkim";
  tempdir = "{dir}";
  dns {{ nameserver = ["{nameserver}:53:1"]; timeout = 1s; retransmits = 2; }}
  local_addrs = [];
  url_tld = "{share}/effective_tld_names.dat";
}}
logging {{ type = "file"; filename = "{dir}/log"; level = "warning"; }}
lang_detection {{ languages = "{share}/languages"; }}
lua = "{dir}/rspamd.lua";
modules {{ {modules} }}
worker "normal" {{ bind_socket = "127.0.0.1:{http}"; count = 1; }}
worker "controller" {{ bind_socket = "127.0.0.1:{control}"; count = 1; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{milter}"; milter = yes; count = 1; timeout = 30s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
spf {{ check_local = true; check_authed = true; }}
dkim {{ check_local = true; check_authed = true; trusted_only = false; skip_multi = false; max_sigs = 10; }}
dmarc {{ check_local = true; check_authed = true; }}
arc {{ check_local = true; check_authed = true; }}
dkim_signing {{ {signing} }}
actions {{ reject = 1000; }}
"""
SIGNING = """allow_hdrfrom_mismatch = true; allow_username_mismatch = true; sign_local = true;
  sign_authenticated = true; use_domain = "envelope"; use_domain_sign_local = "envelope"; use_esld = false;
  domain {{ {domains} }}"""
MODULES = ("spf", "dmarc", "arc", "dkim_signing")


class Rspamd:
    def __init__(self, directory, nameserver="127.0.0.1", sign=None):
        self.root = package.root("rspamd")
        self.dir = pathlib.Path(directory).resolve()
        self.dir.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        self.http, port = free_port(), free_port()
        self.milter = f"127.0.0.1:{port}"
        share = self.root / "usr/share/rspamd"
        used = MODULES if sign else MODULES[:-1]
        domains = "".join(f'{d} {{ selector = "{s}"; path = "{f}"; }} ' for d, (s, f) in (sign or {}).items())
        (self.dir / "rspamd.lua").write_text("config = {}\nrspamd_paths = rspamd_paths or {}\n")
        (self.dir / "conf").write_text(CONF.format(
            dir=self.dir, share=share, nameserver=nameserver, http=self.http, milter=port, control=free_port(),
            modules="".join(f'path = "{share}/plugins/{m}.lua"; ' for m in used),
            signing=SIGNING.format(domains=domains) if sign else "enabled = false;"))
        self.process = None

    def start(self, wait=30):
        share = self.root / "usr/share/rspamd"
        names = {"CONFDIR": self.dir, "LOCAL_CONFDIR": self.dir, "DBDIR": self.dir, "RUNDIR": self.dir,
                 "LOGDIR": self.dir, "SHAREDIR": share, "LUALIBDIR": share / "lualib",
                 "PLUGINSDIR": share / "plugins", "RULESDIR": share / "rules", "WWWDIR": share / "www"}
        words = [w for k, v in names.items() for w in ("--var", f"{k}={v}")]
        self.process = subprocess.Popen(
            [self.root / "usr/bin/rspamd", "-f", "-i", "-u", "root", "-g", "root", "-c", self.dir / "conf", *words],
            env=package.env(self.root), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.dir / "stderr", "ab"), start_new_session=True)
        if wait and not wait_for(self.is_ready, wait):
            raise RuntimeError(f"{self.dir}: not ready:\n{self.tail()}")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.dir}: ended with {self.process.returncode}:\n{self.tail()}")
        try:
            for port in (self.http, int(self.milter.rsplit(":", 1)[1])):
                socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            return False
        return True

    def scan(self, message, ip="192.0.2.1", helo="client.example", sender=""):
        fields = {"IP": ip, "Helo": helo, "From": f"<{sender}>", "Rcpt": "<rcpt@rcpt.example>"}
        ask = urllib.request.Request(f"http://127.0.0.1:{self.http}/checkv2", data=message, headers=fields)
        with urllib.request.urlopen(ask, timeout=30) as answer:
            return json.load(answer)

    def stop(self, wait=10):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(wait)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def tail(self):
        return "\n".join("\n".join(p.read_text(errors="replace").splitlines()[-20:])
                         for p in (self.dir / "stderr", self.dir / "log") if p.exists())
