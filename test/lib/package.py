"""package -- Debian packages unpacked into a place of their own, not installed.

Debian's mail servers exclude each other, and the package of a server starts it
where it is installed.  So none is: root("exim") fetches the packages that PEERS
names and unpacks them, once, into .cache/peers/exim; no script of theirs runs.
They run by LD_LIBRARY_PATH (env()), or in a box (box.py) where they are found
at the paths they were built for.
"""
import fcntl
import os
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = TOP / ".cache" / "peers"

# The server and those of its libraries that a small Debian does not have.
PEERS = {
    "postfix": "postfix libdb5.3 libicu72 libnsl2 libsasl2-2 libtirpc3".split(),
    "exim": "exim4-daemon-light exim4-base libdb5.3 libgnutls-dane0 libgnutls30 libidn12 libidn2-0 libnsl2"
            " libpcre2-8-0 libtirpc3 libunbound8 libevent-2.1-7".split(),
    "opensmtpd": "opensmtpd libdb5.3 libevent-2.1-7 libpam0g".split(),
    "dovecot": "dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd libapparmor1 libexttextcat-2.0-0"
               " libexttextcat-data libicu72 liblua5.4-0 libsodium23 libstemmer0d libtirpc3 libunwind8"
               " libwrap0 libpam0g libnsl2".split(),
    "report-readers": "python3-flufl.bounce python3-public python3-pkg-resources python3-typing-extensions"
                      " python3-zope.interface"
                      " libmail-deliverystatus-bounceparser-perl libmailtools-perl libmime-tools-perl"
                      " libtimedate-perl libconvert-binhex-perl"
                      " libsisimai-perl libclass-accessor-lite-perl libjson-perl".split(),
    "dmarc-cat": "dmarc-cat libassuan0 libgpg-error0 libgpgme11".split(),
    "readers": "fail2ban pflogsumm logwatch libdate-calc-perl libbit-vector-perl libcarp-clan-perl"
               " libdate-manip-perl".split(),
    "ldns": "ldnsutils libldns3".split(),
    "opendkim": "opendkim opendkim-tools libopendkim11 libbsd0 libdb5.3 libldap-2.5-0 liblua5.3-0 libmemcached11"
                " libmilter1.0.1 libopendbx1 librbl1 libunbound8 libvbr2 libevent-2.1-7 libsasl2-2 libmd0"
                " libhashkit2".split(),
    "pebble": ["pebble"],
    "postsrsd": ["postsrsd"],
    "rspamd": "rspamd libglib2.0-0 libhyperscan5 libicu72 libluajit2-5.1-2 libluajit-5.1-2 libluajit2-5.1-common"
              " libpcre2-8-0 libsodium23 libunwind8".split(),
    "slapd": "slapd libldap-2.5-0 libltdl7 libodbc2 libwrap0 libsasl2-2 libnsl2 libtirpc3".split(),
    "testssl": "testssl.sh".split(),
    "nsd": "nsd libevent-2.1-7 libfstrm0 libprotobuf-c1".split(),
}


def root(peer):
    """Where it is unpacked; fetches it when it is not yet."""
    cache = CACHE / peer
    cache.mkdir(parents=True, exist_ok=True)
    wanted = " ".join(PEERS[peer])
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        note = cache / "packages"
        if not note.exists() or note.read_text() != wanted:
            fetch(cache, PEERS[peer])
            note.write_text(wanted)
    return cache / "root"


def fetch(cache, packages):
    new, place = cache / "new", cache / "root"
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    new.mkdir()
    subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *packages],
                   cwd=new, check=True, stdout=subprocess.DEVNULL)
    for package in sorted(new.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, new / "root"], check=True)
    merge(new / "root")
    (new / "root").rename(place)
    shutil.rmtree(new)


def merge(top):
    """/bin, /sbin and /lib are links to those of /usr; so are they here."""
    for name in ("bin", "sbin", "lib"):
        if (top / name).is_dir() and not (top / name).is_symlink():
            shutil.copytree(top / name, top / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(top / name)


def libraries(top):
    """Its directories of libraries, for LD_LIBRARY_PATH."""
    return ":".join(sorted({str(p.parent) for p in (top / "usr/lib").rglob("*.so*")
                            if p.parent.name in ("lib", "postfix", "rspamd") or "linux-gnu" in p.parent.name}))


def env(top):
    return dict(os.environ, LD_LIBRARY_PATH=libraries(top))
