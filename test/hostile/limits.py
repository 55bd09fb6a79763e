"""limits -- each row of doc/limits.md that says `server': one less than it, it, and one more."""
import re
import socket

from rig import HERE, STRANGER, Client, expect, free_port, server, stop

PAGE = HERE.parents[1] / "doc" / "limits.md"
SMALL = {                       # what is tried with a small figure instead of the default
    "limits.recipients": "5", "limits.size": "64K", "limits.line": "1000", "limits.header": "4K", "limits.header_lines": "100",
    "limits.hops": "10", "limits.chunks": "5", "limits.errors": "4", "limits.junk": "6", "limits.messages": "3",
    "limits.connections": "12", "limits.connections_per_ip": "4", "limits.per_ip": "5/h", "limits.messages_per_ip": "5/h",
    "limits.queue": "3"}
MANY = {"limits.errors": "1000", "limits.junk": "10000", "limits.per_ip": "none", "limits.connections_per_ip": "none"}
MAIL, RCPT = b"MAIL FROM:<eve@out.test>", b"RCPT TO:<alice@hostile.test>"
HEAD = b"Subject: x\r\n"


def rows():
    """(limit, figure, where, what is beyond) of those that are tried here."""
    for line in PAGE.read_text().splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 5 and cells[4] == "server":
            yield cells[0], cells[1], cells[2].strip("`"), re.match(r"`(.*?)`", cells[3])[1].encode()


def number(text):
    """50M, 300/min or 256 * 1024 as a number."""
    m = re.match(r"(\d+)([KM]?)", text)
    return int(m[1]) * {"": 1, "K": 1 << 10, "M": 1 << 20}[m[2]]


class Talk(Client):
    """A client that has greeted; the last word said is the one that counts."""

    def __init__(self, s, source=STRANGER):
        super().__init__(s, source)
        self.say(b"EHLO me.test", b"250")

    def data(self, content):
        for line in (MAIL, RCPT):
            self.say(line, b"250")
        self.say(b"DATA", b"354")
        self.put(content + b".\r\n")
        return self.reply()


def domain(n):
    """A name of n octets, of labels that are not too long."""
    name = b"a" * (n % 60 or 60)
    while len(name) < n:
        name += b"." + b"a" * min(59, n - len(name) - 1)
    return name


# ---- what is said: each gives the reply for n, or for the nth ----

def line(n):
    return lambda c: c.say(b"NOOP ".ljust(n, b"x"))


def long_mail(n):
    return lambda c: c.say(MAIL + b" SIZE=1".rjust(n - len(MAIL)))


def skipped(n):
    return lambda c: c.say(b"NOOP ".ljust(n - 2, b"x"))


def said(form, size):
    """A word with n octets of something in it."""
    return lambda n: lambda c: c.say(form % size(n))


def rcpt(form):
    def talk(n):
        def say(c):
            c.say(MAIL, b"250")
            return c.say(form % (b"x" * n))
        return say
    return talk


def orcpt(n):
    return rcpt(RCPT + b" ORCPT=rfc822;%s")(n - len("rfc822;"))


def recipients(n):
    def say(c):
        c.say(MAIL, b"250")
        return [c.say(b"RCPT TO:<alice@hostile.test>") for _ in range(n)][-1]
    return say


def content(n):
    """n octets in all."""
    lines = HEAD + b"\r\n"
    while n - len(lines) > 900:
        lines += b"x" * 400 + b"\r\n"
    return lines + b"y" * (n - len(lines) - 2) + b"\r\n"


def chunk(n):
    def say(c):
        for word in (MAIL, RCPT):
            c.say(word, b"250")
        c.put(b"BDAT %d LAST\r\n" % n)
        try:
            c.put(content(n))
        except ConnectionError:
            pass
        return c.reply()
    return say


def chunks(n):
    def say(c):
        for word in (MAIL, RCPT):
            c.say(word, b"250")
        c.put(b"BDAT 0\r\n" * (n - 1) + b"BDAT 14 LAST\r\n" + HEAD + b"\r\n")
        return [c.reply() for _ in range(n)][-1]
    return say


def message(make):
    return lambda n: lambda c: c.data(make(n))


def exact_header(n):
    """A section of n octets, with the line that ends it."""
    text = b""
    while n - len(text) > 900:
        text += b"X: " + b"z" * 495 + b"\r\n"
    return text + b"X: ".ljust(n - len(text) - 4, b"z") + b"\r\n\r\nbody\r\n"


def counted(octets, before=0):
    """What comes behind the nth: the reply to HELP, or the end."""
    def talk(n):
        def say(c):
            try:
                for _ in range(n - before):
                    c.say(octets)
                c.put(b"HELP\r\n")
            except ConnectionError:
                pass
            return c.reply()
        return say
    return talk


def messages(n):
    def say(c):
        for _ in range(n - 1):
            c.say(MAIL, b"250")
            c.say(b"RSET", b"250")
        return c.say(MAIL)
    return say


def leave(c):
    """The end is seen when the server counts him no more."""
    c.put(b"QUIT\r\n")
    c.rest()
    c.socket.close()


def connections(address):
    """What the nth hears.  Each n has networks of its own."""
    def talk(n):
        def say(s):
            held = [Client(s, address(n, i), banner=False) for i in range(n)]
            heard = [c.reply() for c in held]
            for c in held:
                leave(c)
            return heard[-1]
        return say
    return talk


def one_network(n):
    """One after another."""
    def say(s):
        heard = b""
        for _ in range(n):
            with Client(s, f"127.0.{40 + n}.9", banner=False) as c:
                heard = c.reply()
        return heard
    return say


def many_messages(n):
    def say(s):
        heard = b""
        with Talk(s, f"127.0.{60 + n}.9") as c:
            for _ in range(n):
                heard = c.say(MAIL)
                c.say(b"RSET", b"250")
        return heard
    return say


def queued(n):
    """Mail that cannot leave, until there were n."""
    def say(s):
        heard, s.sent = b"", getattr(s, "sent", 0)
        for s.sent in range(s.sent + 1, n + 1):
            with Talk(s, "127.0.0.1") as c:
                heard = c.say(MAIL)
                if heard[:1] == b"2":
                    c.say(b"RCPT TO:<far@far.test>", b"250")
                    c.say(b"DATA", b"354")
                    c.say(HEAD + b"\r\nx\r\n.", b"250")
        return heard
    return say


SERVER = object()               # these talk to the server by themselves
CASES_OF = {
    "command line": (b"250", line),
    "command line with parameters": (b"250", long_mail),
    "line that is skipped, CR LF counted": (b"500 5.5.2", skipped),
    "local part": (b"250", said(b"MAIL FROM:<%s@b.test>", lambda n: b"a" * n)),
    "domain": (b"250", said(b"EHLO %s", domain)),
    "path, brackets counted": (b"250", said(b"MAIL FROM:<a@%s>", lambda n: domain(n - 4))),
    "label": (b"250", said(b"MAIL FROM:<a@%s.test>", lambda n: b"b" * n)),
    "value of ORCPT": (b"250", orcpt),
    "value of ENVID": (b"250", said(MAIL + b" ENVID=%s", lambda n: b"e" * n)),
    "digits of SIZE": (b"250", said(MAIL + b" SIZE=%s", lambda n: b"1".rjust(n, b"0"))),
    "value of XCLIENT": (b"220", said(b"XCLIENT LOGIN=%s", lambda n: b"l" * n)),
    "recipients": (b"250", recipients),
    "octets of a message, by SIZE": (b"250", said(MAIL + b" SIZE=%d", lambda n: n)),
    "octets of a message, by DATA": (b"250", message(content)),
    "octets of a message, by BDAT": (b"250", chunk),
    "octets of a line, without CR LF": (b"250", message(lambda n: HEAD + b"\r\n" + b"x" * n + b"\r\n")),
    "octets of a header section": (b"250", message(exact_header)),
    "lines of a header section": (b"250", message(lambda n: b"X: y\r\n" * (n - 1) + b"\r\nbody\r\n")),
    "Received fields": (b"250", message(lambda n: b"Received: by x; y\r\n" * n + b"\r\nbody\r\n")),
    "chunks": (b"250", chunks),
    "refused commands": (b"214", counted(b"WHAT")),
    "commands that move no mail": (b"214", counted(b"NOOP", before=1)),
    "messages of a connection": (b"250", messages),
    "connections": (b"220", connections(lambda n, i: f"127.0.{80 + i}.1"), SERVER),
    "connections of a network": (b"220", connections(lambda n, i: f"127.0.{20 + n}.1"), SERVER),
    "connections of a network in a time": (b"220", one_network, SERVER),
    "messages of a network in a time": (b"250", many_messages, SERVER),
    "messages in the queue of a core": (b"250", queued, SERVER),
}
# Here the nth is the last one that is heard, or is one too many.
AT_ONCE = ("refused commands", "commands that move no mail", "Received fields")
# Who may have small figures at one server without being in each other's way.
TOGETHER = (
    (),
    ("recipients", "size", "line", "header", "header_lines", "hops", "chunks"),
    ("errors", "junk", "messages"),
    ("connections", "connections_per_ip", "per_ip", "messages_per_ip", "queue"),
)


def small(where, keys):
    limits = MANY | {"limits.connections": "1000"} | {f"limits.{k}": SMALL[f"limits.{k}"] for k in keys}
    inside = ", ".join(f"{k.partition('.')[2]}: {v}" for k, v in limits.items())
    s = server(where, f"limits: {{ {inside} }}\nxclient: [ {STRANGER} ]\n"
               f'route: [ {{ relay: "smtp://127.0.0.1:{free_port()}" }} ]\n')
    s.configure(s.config.read_text().replace("cores: 2", "cores: 1"))
    return s.start()


def tried(s, name, figure, beyond):
    within, make, *own = CASES_OF[name]
    for n in (figure - 1, figure, figure + 1):
        if own:
            heard = make(n)(s)
        else:
            with Talk(s) as c:
                heard = make(n)(c)
        is_beyond = n > figure or (n == figure and name in AT_ONCE)
        want = beyond if is_beyond else within
        # behind the end nothing is heard any more
        expect(heard.startswith(want) or (not heard and n > figure and name in AT_ONCE),
               f"{name}, {n} of {figure}: {heard[:80]!r}, not {want!r}")


def limits(where):
    """doc/limits.md, row by row."""
    left = list(rows())
    expect({r[0] for r in left} == set(CASES_OF), f"not the same: {[r[0] for r in left]}, {list(CASES_OF)}")
    for i, keys in enumerate(TOGETHER):
        s = small(where / str(i), keys)
        mine = [r for r in left if r[2].partition(".")[2] in keys or (not keys and r[2] not in SMALL)]
        for row in mine:
            name, figure, key, beyond = row
            tried(s, name, number(SMALL.get(key, figure)), beyond)
            left.remove(row)
        stop(s)
    expect(not left, f"not tried: {left}")
    print(f"# {len(CASES_OF)} limits, each at one less, at it, at one more")


CASES = [limits]
