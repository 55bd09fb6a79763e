"""exim -- Exim in a box, as next hop, as client, and to be measured.

    with Exim(directory, onward=2525) as exim:       # relays to 127.0.0.1:2525
        smtplib.SMTP("127.0.0.1", exim.port) ...

It changes nothing in a message but the trace on top: what it would take away or
refuse by default (Return-path, lines over 998 octets) it is told to leave.
"""
import pathlib
import socket

from box import Box
from server import free_port, wait_for

USER, UID = "Debian-exim", 112
CONF = """\
primary_hostname = exim.example
exim_user = {user}
exim_group = {user}
spool_directory = {dir}/spool
log_file_path = {dir}/spool/%slog
pid_file_path = {dir}/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
acl_smtp_rcpt = anybody
acl_smtp_data = anybody
acl_smtp_vrfy = anybody
host_lookup =
rfc1413_query_timeout = 0s
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
tls_advertise_hosts =
allow_utf8_domains
message_size_limit = 0
header_maxsize = 10M
return_path_remove = false
delivery_date_remove = false
envelope_to_remove = false
smtp_accept_max = {most}
smtp_accept_max_per_connection = 1000000
smtp_accept_queue_per_connection = 0
remote_max_parallel = 4
queue_run_max = 10
smtp_receive_timeout = 5m
{more}
begin acl
anybody:
  accept
begin routers
onward:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = onward
begin transports
onward:
  driver = smtp
  port = {onward}
  allow_localhost
  hosts_try_fastopen =
  hosts_avoid_tls = *
  message_linelength_limit = 1000000
  connection_max_messages = 1000
{transport}
begin retry
* * F,1h,2s
"""


class Exim:
    def __init__(self, directory, onward, more="", transport="", most=200, queue="1m", tls=None, port=None):
        """more, transport: further lines of the main and of the transport's part.
        tls: (certificate, key): it offers TLS, and insists on it onward."""
        self.box = Box(directory, ["exim"], {USER: UID})
        self.dir, self.port, self.queue = self.box.dir, port or free_port(), queue
        self.tls = tls
        self.conf = CONF.format(dir=self.dir, port=self.port, onward=onward, user=USER, more=more,
                                transport=transport, most=most)
        if tls:
            self.conf = self.conf.replace("tls_advertise_hosts =\n", "tls_advertise_hosts = *\n"
                                          "tls_certificate = /etc/exim4/tls.pem\ntls_privatekey = /etc/exim4/tls.key\n")
            self.conf = self.conf.replace("hosts_avoid_tls = *", "hosts_require_tls = *\n  tls_try_verify_hosts = :\n"
                                          "  tls_verify_hosts = :")

    def start(self, wait=30):
        self.box.open()
        self.box.write("/etc/exim4/exim4.conf", self.conf)
        for file, name in zip(self.tls or (), ("tls.pem", "tls.key")):
            self.box.write(f"/etc/exim4/{name}", file.read_text())
        spool = self.dir / "spool"
        spool.mkdir(exist_ok=True)
        self.box.run("chown", "-R", f"{USER}:{USER}", spool)
        self.box.start("exim4", "-bdf", f"-q{self.queue}")
        if wait and not wait_for(self.is_ready, wait, 0.1):
            raise RuntimeError(f"{self.dir}: Exim is not ready:\n{self.tail()}")
        return self

    def is_ready(self):
        return greets(self.port)

    def stop(self):
        self.box.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def run_queue(self):
        return self.box.run("exim4", "-qff")

    def sendmail(self, sender, recipients, message):
        return self.box.run("exim4", "-i", "-f", sender, *recipients, input=message, text=False)

    def queued(self):
        return len(list((self.dir / "spool" / "input").rglob("*-H")))

    def tail(self, n=30):
        return tail_of([self.dir / "said", *(self.dir / "spool" / f"{name}log" for name in ("main", "reject", "panic"))], n)


def greets(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            s.settimeout(5)
            return s.recv(100).startswith(b"220")
    except OSError:
        return False


def tail_of(paths, n):
    lines = []
    for path in map(pathlib.Path, paths):
        if path.exists():
            lines += path.read_text(errors="replace").splitlines()[-n:]
    return "\n".join(lines)
