"""mail -- a load of messages with names and sums, a sink that keeps a ledger, and
a keeper that keeps all it gets.

Each message carries X-Ledger: NAME SHA256-OF-BODY.  Load remembers which names
were acknowledged by 250; Sink which arrived, how often, and whether the body is
bit-true.  One event loop runs both.

Both may tell a history what they see, when they see it: history(what, name,
line), where line is a connection of the sink's.

	sent      its content is about to go, and its dot
	acked     250 was heard
	refused   another reply was heard
	dotted    the sink has read its dot, by that line
	taken     the sink is about to say 250
	followed  something came by a line behind what was taken
"""
import asyncio
import collections
import hashlib
import random


class Load:
    """recipient: one address, or several that take turns, one a message."""

    def __init__(self, address, recipient="bob@sink.test", connections=50, sizes=(1, 256 * 1024), seed=1,
                 history=None):
        self.history = history or (lambda *what: None)
        self.address, self.connections = address, connections
        self.recipients = [recipient] if isinstance(recipient, str) else list(recipient)
        self.sizes, self.random = sizes, random.Random(seed)
        self.acked, self.refused, self.count = set(), 0, 0
        self.codes = collections.Counter()      # of what was not taken
        self.tasks = []

    def message(self):
        self.count += 1
        low, high = self.sizes
        # Many small, few large: the square of an even draw.
        n = int(low + (high - low) * self.random.random() ** 4)
        line = self.random.randbytes(36).hex().encode() + b"\r\n"
        body = (line * (n // len(line) + 1))
        name = f"m{self.count}"
        digest = hashlib.sha256(body).hexdigest()
        head = f"Subject: night mail\r\nX-Ledger: {name} {digest}\r\n\r\n".encode()
        return name, head + body

    async def session(self):
        reader, writer = await asyncio.open_connection(*self.address)

        async def say(text, lines=1):
            if text:
                writer.write(text)
                await writer.drain()
            got = b""
            for _ in range(lines):
                while True:
                    line = await reader.readline()
                    if not line:
                        raise ConnectionError("closed")
                    if line[3:4] != b"-":
                        got += line
                        break
            return got
        try:
            await say(b"")
            await say(b"EHLO load.test\r\n")
            while True:
                name, content = self.message()
                recipient = self.recipients[self.count % len(self.recipients)]
                got = await say(b"MAIL FROM:<load@sender.test>\r\nRCPT TO:<" + recipient.encode()
                                + b">\r\nDATA\r\n", 3)
                if got.splitlines()[-1][:3] != b"354":
                    self.refused += 1
                    self.codes[got[:3].decode()] += 1
                    await say(b"RSET\r\n")
                    await asyncio.sleep(0.05)
                    continue
                self.history("sent", name)
                got = await say(content + b".\r\n")
                self.history("acked" if got[:3] == b"250" else "refused", name)
                if got[:3] == b"250":
                    self.acked.add(name)
                else:
                    self.refused += 1
                    self.codes[got[:3].decode()] += 1
                    await asyncio.sleep(0.02)
        finally:
            writer.close()

    async def worker(self):
        while True:
            try:
                await self.session()
            except (OSError, ConnectionError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.05)

    def start(self):
        self.tasks = [asyncio.ensure_future(self.worker()) for _ in range(self.connections)]

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []


class Sink:
    """An SMTP (or LMTP) server that takes everything, drops some connections and
    is slow with others; seen[name] counts the 250s it said."""

    def __init__(self, drop=0.0, stall=0.0, seed=2, lmtp=False, history=None):
        self.history = history or (lambda *what: None)
        self.lmtp, self.lines = lmtp, 0
        self.drop, self.stall, self.random = drop, stall, random.Random(seed)
        self.seen, self.corrupt = collections.Counter(), []
        self.open, self.after_dot = 0, 0
        self.writers = set()

    async def start(self, host="127.0.0.1", port=0):
        self.server = await asyncio.start_server(self.client, host, port, limit=1 << 20)
        self.address = self.server.sockets[0].getsockname()[:2]
        return self

    async def close(self):
        self.server.close()
        for writer in list(self.writers):
            writer.close()

    async def client(self, reader, writer):
        self.open += 1
        self.writers.add(writer)
        try:
            await self.converse(reader, writer)
        except (OSError, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError):
            pass
        finally:
            self.open -= 1
            self.writers.discard(writer)
            writer.close()

    async def converse(self, reader, writer):
        writer.write(b"220 sink.test ESMTP\r\n")
        recipients, self.lines = 0, self.lines + 1
        number = (self.lmtp, self.lines)
        while line := await reader.readline():
            verb = line[:4].upper()
            self.history("followed", None, number)
            recipients = {b"MAIL": 0, b"RCPT": recipients + 1}.get(verb, recipients)
            if verb in ((b"LHLO",) if self.lmtp else (b"EHLO", b"HELO")):
                writer.write(b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                self.after_dot += 1
                try:
                    if not await self.judge(content[:-3], writer, recipients if self.lmtp else 1, number):
                        return
                finally:
                    self.after_dot -= 1
            elif verb == b"QUIT":
                writer.write(b"221 farewell\r\n")
                return
            else:
                writer.write(b"250 ok\r\n")

    async def judge(self, content, writer, replies, line):
        content = content.replace(b"\r\n..", b"\r\n.")
        name, is_true = ledger_of(content)
        self.history("dotted", name, line)
        chance = self.random.random()
        if chance < self.drop:
            return False              # not accepted: the connection is lost
        if chance < self.drop + self.stall:
            await asyncio.sleep(0.3)
        self.keep(name, is_true)
        self.history("taken", name, line)
        writer.write(b"250 2.0.0 taken\r\n" * replies)   # RFC 2033 4.2
        await writer.drain()
        return True

    def keep(self, name, is_true):
        if name:
            self.seen[name] += 1
            if not is_true:
                self.corrupt.append(name)


def ledger_of(content):
    """Its name, or None, and whether its body is bit-true."""
    head, _, body = content.partition(b"\r\n\r\n")
    for field in head.split(b"\r\n"):
        if field.lower().startswith(b"x-ledger:"):
            name, digest = field.split()[1:3]
            return name.decode(), hashlib.sha256(body).hexdigest() == digest.decode()
    return None, False


class Keeper(Sink):
    """A Sink that keeps each message whole: got[recipient], without dots
    stuffed, and what stood in the commands: said[recipient] is (MAIL, RCPT)."""

    def __init__(self, offers=("PIPELINING", "8BITMIME")):
        super().__init__()
        self.offers, self.got, self.said = offers, {}, {}

    async def converse(self, reader, writer):
        writer.write(b"220 keeper.test ESMTP\r\n")
        sender, recipients, chunks = b"", [], b""
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                words = ["keeper.test", *self.offers]
                writer.write("".join(f"250-{w}\r\n" for w in words[:-1]).encode() + f"250 {words[-1]}\r\n".encode())
                continue
            if verb == b"MAIL":
                sender, recipients, chunks = line, [], b""
            elif verb == b"RCPT":
                recipients.append(line)
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                content = await self.content(reader)
                self.hold(sender, recipients, content)
            elif verb == b"BDAT":
                words = line.split()
                chunks += await reader.readexactly(int(words[1]))
                if words[-1].upper() == b"LAST":
                    self.hold(sender, recipients, chunks)
            elif verb == b"QUIT":
                writer.write(b"221 farewell\r\n")
                return
            writer.write(b"250 2.0.0 ok\r\n")

    @staticmethod
    async def content(reader):
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError("closed")
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def hold(self, sender, recipients, content):
        for line in recipients:
            to = line[line.index(b"<") + 1:line.index(b">")].decode()
            self.got[to], self.said[to] = content, (sender.decode().strip(), line.decode().strip())
            self.seen[to] += 1
