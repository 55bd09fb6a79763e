/* Names, addresses and configurations, drawn from the seed. */
#include "network.h"

#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>

static const char zone_of_others[] =
	"$TTL 600\n"
	"sink.test. MX 10 mx1.sink.test.\n"
	"sink.test. MX 20 mx2.sink.test.\n"
	"mx1.sink.test. A 198.51.100.11\n"
	"mx2.sink.test. A 198.51.100.12\n"
	"origin.test. MX 10 mx.origin.test.\n"
	"mx.origin.test. A 198.51.100.13\n"
	"picky.test. A 198.51.100.14\n"
	"evil.test. MX 10 mx.evil.test.\n"
	"mx.evil.test. A 198.51.100.17\n"
	"dead.test. MX 10 mx.dead.test.\n"
	"mx.dead.test. A 198.51.100.19\n"
	"trouble.test. SERVFAIL\n"
	"stranger.test. A 198.18.0.1\n"
	"stranger.test. TXT \"v=spf1 a -all\"\n";

/* Domains that are not ours, and go their way by MX or by a relay. */
static const char *const elsewhere[] = { "sink.test", "origin.test",
	"picky.test", "evil.test", "dead.test", "trouble.test",
	"nowhere.test" };
enum { ELSEWHERE = sizeof elsewhere / sizeof *elsewhere };

static unsigned
one_of(unsigned n, ...)
{
	unsigned chosen = (unsigned)sim_chance(n), value = 0;
	va_list list;

	va_start(list, n);
	for (unsigned i = 0; i <= chosen; i++)
		value = va_arg(list, unsigned);
	va_end(list);
	return value;
}

/* ---- what a server is told ---- */

static void
put_route(struct buf *b, const char *domain, unsigned by)
{
	buf_printf(b, "  - { if: { rcpt_domain: %s }, "
	    "relay: \"smtp://mx.h%u.test\" }\n", domain, by);
}

/* Only to servers with a greater number, so nothing goes in circles; box.test is
 * the last one's. */
static void
put_routes(struct buf *b, unsigned i)
{
	unsigned n = network_ledger->n;
	char own[16];

	if (i == n)
		return;
	buf_put(b, STR("route:\n"));
	put_route(b, "box.test", n);
	for (unsigned k = 0; k < ELSEWHERE; k++)
		if (sim_chance(2) == 0 ||
		    network_ledger->servers[i].must_hide)
			put_route(b, elsewhere[k], i + 1 +
			    (unsigned)sim_chance(n - i));
	for (unsigned k = 1; k <= n; k++) {
		snprintf(own, sizeof own, "h%u.test", k);
		if (k != i && sim_chance(3) == 0)
			put_route(b, own, i + 1 + (unsigned)sim_chance(n - i));
	}
}

static void
put_outbound(struct buf *b, const struct network_server *s)
{
	static const char *const plans[] = { "30s, 5m, 1h", "10s, 20s, 40s, 1h",
		"1m, 30m", "5m, 15m, 1h" };
	buf_printf(b, "outbound:\n  retry: [ %s ]\n  expire: 5h\n"
	    "  bounce_expire: 5h\n  recipients: %u\n  per_connection: %u\n"
	    "  connections: %u\n  idle: %us\n  tls: %s\n  prefer: ipv4\n",
	    plans[sim_chance(sizeof plans / sizeof *plans)],
	    one_of(3, 1, 2, 100), one_of(3, 1, 3, 100), one_of(3, 1, 2, 10),
	    one_of(3, 0, 1, 10), s->must_hide ? "encrypt" :
	    sim_chance(2) == 0 ? "none" : "may");
}

static void
put_limits(struct buf *b)
{
	buf_printf(b, "limits: { connections_per_ip: none, per_ip: none, "
	    "size: %uK, chunks: %u, session_memory: %uK, message_memory: %uK, "
	    "bounces: 100000/h }\n", one_of(2, 1024, 51200),
	    one_of(2, 100, 100000), one_of(2, 64, 256), one_of(2, 64, 256));
	buf_printf(b, "reports: { return: %s, body: %uK, delay_warning: %s }\n",
	    sim_chance(2) == 0 ? "full" : "headers", one_of(3, 0, 1, 50),
	    sim_chance(2) == 0 ? "none" : "10m");
	buf_printf(b, "timeouts: { client: { connect: %us, end: %um }, "
	    "server: { command: %us, data: %us } }\n", one_of(2, 5, 30),
	    one_of(3, 1, 5, 10), one_of(2, 60, 300), one_of(2, 60, 300));
}

static void
put_server(struct buf *b, unsigned i)
{
	buf_printf(b, "hostname: mx.h%u.test\n"
	    "admin: admin@h%u.test\n"
	    "listen: [ { address: 192.0.2.%u, port: 25, role: mx } ]\n"
	    "trusted: [ 203.0.113.0/24, 192.0.2.0/24 ]\n"
	    "domains:\n"
	    "  h%u.test: { users: [ admin, u0, u1, u2, u3, u4, u5 ],\n"
	    "    aliases: /aliases }\n", i, i, i, i);
	if (i == network_ledger->n)
		buf_put(b, STR("  box.test: { deliver: "
		    "{ lmtp: \"198.51.100.15:24\" } }\n"));
	buf_printf(b, "deliver: { maildir: /mail/%%u }\n"
	    "spool: { path: /spool, segment: %uK, reserve: 64K, "
	    "outcome_sync: %ums }\n", one_of(3, 256, 512, 4096),
	    one_of(3, 1, 10, 100));
	put_outbound(b, &network_ledger->servers[i]);
	put_limits(b);
	put_routes(b, i);
	buf_putc(b, '\0');
	must(!b->full);
}

/* Of a message's first recipients; each server reads them with each reload. */
enum { ALIASED = 2 };

static void
put_aliases(struct buf *b)
{
	for (unsigned m = 0; m < NETWORK_MESSAGES; m++)
		for (unsigned r = 0; r < ALIASED; r++)
			buf_printf(b, "v0m%ur%u: m%ur%u@sink.test\n", m, r, m,
			    r);
	buf_putc(b, '\0');
	must(!b->full);
}

static void
server_furnish(unsigned i)
{
	struct network_server *s = &network_ledger->servers[i];
	struct buf config = BUF_OF(s->config), aliases = BUF_OF(s->aliases);

	snprintf(s->ip, sizeof s->ip, "192.0.2.%u", i);
	s->cores = 1 + (unsigned)sim_chance(2);
	s->must_hide = network_ledger->has_tls && i < network_ledger->n &&
	    sim_chance(2) == 0;
	put_server(&config, i);
	put_aliases(&aliases);
	sim_at(i);
	sim_machine_address(s->ip);
	/* as clocks are; some are quite broken */
	if (sim_chance(2) == 0)
		sim_drift((int)one_of(4, 1, 1, 100, 1000) * (int)sim_chance(100) *
		    (sim_chance(2) == 0 ? 1 : -1));
	sim_disk_mkdir("/mail");
}

static void
zone_furnish(void)
{
	static char text[4096];
	struct buf b = BUF_OF(text);

	buf_put(&b, str_of(zone_of_others));
	for (unsigned i = 1; i <= network_ledger->n; i++)
		buf_printf(&b, "h%u.test. MX 10 mx.h%u.test.\n"
		    "mx.h%u.test. A 192.0.2.%u\n", i, i, i, i);
	buf_printf(&b, "box.test. MX 10 mx.h%u.test.\n", network_ledger->n);
	must(!b.full && sim_zone(buf_str(&b)) == 0);
}

void
network_furnish(void)
{
	sim_dns_delay(5 * NS_PER_MS);
	sim_host_set("198.51.100.19", SIM_HOST_CLOSED);
	town_ledger = sim_ledger(sizeof *town_ledger);
	network_ledger = sim_ledger(sizeof *network_ledger);
	network_ledger->has_disk_faults = sim_chance(2) == 0;
	network_ledger->has_host_faults = sim_chance(2) == 0;
	network_ledger->has_memory_faults = sim_chance(4) == 0;
	network_ledger->has_reloads = sim_chance(8) == 0;
	network_ledger->has_tls = sim_chance(4) == 0;
	network_ledger->n = 2 + (unsigned)sim_chance(NETWORK_SERVERS - 1);
	network_ledger->jumper = sim_chance(4) != 0 ? 0 :
	    1 + (unsigned)sim_chance(network_ledger->n);
	zone_furnish();
	for (unsigned i = 1; i <= network_ledger->n; i++)
		server_furnish(i);
	sim_at(0);
	sim_machine_address("198.51.100.1");
}

/* ---- what is planned for recipients ---- */

static void
rcpt_plan(struct town_rcpt *r, size_t i)
{
	r->laters = (unsigned)sim_chance(2);
	r->host = 0;
	if (r->want == WANT_MAILBOX)
		r->host = 1 + (unsigned)sim_chance(network_ledger->n);
	else if (r->want == WANT_DELIVERED && i < ALIASED &&
	    sim_chance(3) == 0) {
		r->is_alias = true;
		r->host = 1 + (unsigned)sim_chance(network_ledger->n);
	}
}

void
network_plan(struct town_message *m, unsigned number)
{
	size_t n = 1 + (size_t)sim_chance(4);

	(void)number;
	m->is_null = sim_chance(8) == 0;
	m->is_gone = sim_chance(8) == 0;
	if (sim_chance(12) == 0)
		m->lines = 1000 + (unsigned)sim_chance(3000);
	for (size_t i = 0; i < n; i++) {
		town_plan(m, sim_chance(2) == 0 ? WANT_DELIVERED :
		    (enum town_want)sim_chance(WANTS));
		rcpt_plan(&m->rcpts[i], i);
	}
}
