"""sources -- by which of the machine's addresses mail leaves, and as whom."""
import collections

from peer import Peer
from rig import check, started
from server import free_port, wait_for

CONFIG = """\
sources:
  a: {{ bind: 127.0.0.11, ehlo: a.out.test }}
  b: {{ bind: 127.0.0.12, ehlo: b.out.test }}
  news: {{ bind: 127.0.0.13 }}
  gone: {{ bind: 192.0.2.77, ehlo: gone.out.test }}
  six: {{ bind: "2001:db8::77" }}
pools:
  trans: {{ a: 2, b: 1 }}
  news: {{ news: 1 }}
  lame: {{ gone: 3, six: 3, b: 1 }}
  lost: {{ gone: 1 }}
route:
  - {{ if: {{ rcpt_domain: plain.test }}, relay: mx }}
  - {{ if: {{ sender_domain: news.test }}, pool: news }}
  - {{ if: {{ rcpt_domain: lame.test }}, pool: lame }}
  - {{ if: {{ rcpt_domain: lost.test }}, pool: lost }}
  - {{ if: {{ rcpt_domain: "*" }}, pool: trans }}
"""
DOMAINS = ["trans.test", "lame.test", "lost.test"]


class Seen(Peer):
    """Each mail with the address that brought it, and its EHLO."""

    def came(self, *domains):
        """(address, EHLO) -> how many mails"""
        got = collections.Counter()
        for talk in self.talks:
            helo = next((h.split(" ", 1)[1] for h in talk.heard if h.startswith("EHLO ")), None)
            got[talk.conn_from, helo] += sum(
                1 for h in talk.heard if h.startswith("RCPT") and any(d in h for d in domains))
        return +got


def street(where):
    """A host that takes mail for all of DOMAINS: one site; and our server."""
    port = free_port("127.0.0.2")
    zone = [f"{d}. MX 10 mx.host.test." for d in DOMAINS] + ["mx.host.test. A 127.0.0.2"]
    return Seen("127.0.0.2", port, name="mx.host.test"), \
        started(where, zone=zone, mx_port=port, outbound="per_connection: 1",
                more=CONFIG.format())


def by_weight_and_rule(where):
    peer, server = street(where)
    with peer, server as s:
        for i in range(30):
            s.send(f"r{i}@trans.test")
        s.send("x@trans.test", sender="ann@news.test")
        check(wait_for(lambda: len(peer.mails) == 31, 60, 0.2), "not all came", len(peer.mails), s.mail_log())
        came = peer.came("trans.test")
        check(came == {("127.0.0.11", "a.out.test"): 20, ("127.0.0.12", "b.out.test"): 10,
                       ("127.0.0.13", "out.test"): 1}, "by whom", came)
        got = s.last("r3@trans.test")
        check(got["source"] in ("a", "b"), "the event's source", got)


def around_what_fails(where):
    """An address that is not ours, and one of a family that the host has not."""
    peer, server = street(where)
    with peer, server as s:
        for i in range(12):
            s.send(f"r{i}@lame.test")
        check(wait_for(lambda: len(peer.mails) == 12, 60, 0.2), "not all came", len(peer.mails), s.mail_log())
        check(peer.came("lame.test") == {("127.0.0.12", "b.out.test"): 12}, "by whom", peer.came("lame.test"))
        check("nothing leaves by the source gone" in s.whole_log() or
              "nothing leaves by the source six" in s.whole_log(), "nobody is told", s.mail_log())
        got = [e for e in s.events() if e["event"] == "delayed"]
        check(not got, "it was no try", got)
        # Where there is no other, it is a try like others, and has an end.
        s.send("x@lost.test")
        got = s.last("x@lost.test", ("delayed",))
        check("the source gone" in got["text"] or "Cannot assign" in got["text"], "why", got)


def after_a_reload(where):
    """Mail that waits for a source which is taken away leaves by another."""
    peer, server = street(where)
    with peer, server as s:
        s.send("x@lost.test")
        s.last("x@lost.test", ("delayed",))
        conf = s.dir / "nightmail.yaml"
        conf.write_text(conf.read_text().replace("lost: { gone: 1 }", "lost: { a: 1 }")
                        .replace("gone: 3, ", "").replace("  gone: { bind: 192.0.2.77, ehlo: gone.out.test }\n", ""))
        run = s.ask("reload")
        check(run.returncode == 0, "reload", run)
        s.ask("queue", "retry", "--all", "--yes")
        got = s.last("x@lost.test", ("delivered",), 30)
        check(got["source"] == "a", "by whom", got)


CASES = [by_weight_and_rule, around_what_fails, after_a_reload]
