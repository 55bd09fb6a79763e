"""slapd -- OpenLDAP's server beside us: a few people below dc=dir,dc=test.

    with Slapd(directory, certificate=(cert, key, ca)) as slapd:
        ldap://127.0.0.1:{slapd.port}, ldaps://...:{slapd.tls_port}, and the
        socket slapd.socket

cn=mail,dc=dir,dc=test with the password "service" may search; nobody else may.
People are (uid, password, [mail, ...]), below ou=people.
"""
import os
import signal
import socket
import subprocess

import package
from exim import tail_of
from server import free_port, wait_for

CONF = """\
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
modulepath {root}/usr/lib/ldap
moduleload back_mdb
pidfile {dir}/slapd.pid
argsfile {dir}/slapd.args
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
TLSCACertificateFile {ca}
security simple_bind={least}
database mdb
maxsize 10485760
suffix dc=dir,dc=test
directory {dir}/data
rootdn cn=root,dc=dir,dc=test
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=cn=mail,dc=dir,dc=test read by * none
"""
TOP = """\
dn: dc=dir,dc=test
objectClass: dcObject
objectClass: organization
o: test
dc: dir

dn: ou=people,dc=dir,dc=test
objectClass: organizationalUnit
ou: people

dn: cn=mail,dc=dir,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: mail
userPassword: service

"""
PERSON = """\
dn: uid={uid},ou=people,dc=dir,dc=test
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
sn: {uid}
userPassword: {password}
{mail}
"""


class Slapd:
    def __init__(self, directory, certificate, people, least=0):
        """least: what binds need, 71 is TLS (slapd.conf(5), security)."""
        self.dir = directory
        self.root = package.root("slapd")
        self.port, self.tls_port = free_port(), free_port()
        self.socket = f"{directory}/ldapi"
        self.process = None
        (directory / "data").mkdir(parents=True)
        cert, key, ca = certificate
        (directory / "slapd.conf").write_text(CONF.format(root=self.root, dir=directory, cert=cert, key=key,
                                                          ca=ca, least=least))
        (directory / "people.ldif").write_text(TOP + "".join(
            PERSON.format(uid=uid, password=password, mail="".join(f"mail: {m}\n" for m in mail))
            for uid, password, mail in people))
        self.run("-Tadd", "-l", directory / "people.ldif")

    def command(self, *words):
        return [str(w) for w in (self.root / "usr/sbin/slapd", *words, "-f", self.dir / "slapd.conf")]

    def run(self, *words):
        done = subprocess.run(self.command(*words), env=package.env(self.root), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"slapd {words}: {done.stderr}")

    def start(self):
        urls = (f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port} "
                f"ldapi://{self.socket.replace('/', '%2F')}")
        with open(self.dir / "said", "ab") as said:
            self.process = subprocess.Popen(self.command("-h", urls, "-d", "none"), stdin=subprocess.DEVNULL,
                                            env=package.env(self.root), stdout=said, stderr=said)
        if not wait_for(self.is_ready, 60, 0.05):
            raise RuntimeError(f"slapd is not ready:\n{tail_of([self.dir / 'said'], 20)}")
        os.chmod(self.socket, 0o777)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"slapd ended:\n{tail_of([self.dir / 'said'], 20)}")
        try:
            socket.create_connection(("127.0.0.1", self.tls_port), 5).close()
            return os.path.exists(self.socket)
        except OSError:
            return False

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is not None:
            self.go_on()
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
