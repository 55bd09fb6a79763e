/*
 * Evil DNS (SECURITY.md row 29): strangers whose domains are loops, a thousand
 * includes, answers of 64 KiB, keys of 15 KiB, silence, trouble, thousands of
 * names; as the seed says, for the sender, the HELO name, the author, signatures
 * and seals, and the client's own address.
 *
 * The law: no message asks more than 64 questions or waits longer than 20 s for
 * all of them, and it is taken all the same; and while all strangers come at
 * once, who comes from a plain domain waits no longer than its own questions take.
 */
#include "town.h"

#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/stream.h"
#include "trust/proof.h"

#include <stdio.h>

enum { ZONE_ROOM = 1024 * 1024, DOMAINS = 12, STRANGERS = 6, ALONE = 4,
	LETTER_ROOM = 16 * 1024, GOOD_QUESTIONS = 24 };

/* By their number: eN.test. */
static const char *const records[DOMAINS] = {
	"e0.test. TXT \"v=spf1 include:e0.test -all\"\n",
	"e1.test. TXT \"v=spf1 redirect=r1.test\"\n"
	    "r1.test. TXT \"v=spf1 redirect=e1.test\"\n",
	NULL,				/* a thousand includes */
	NULL,				/* 64 KiB of texts */
	"e4.test. TIMEOUT\n_dmarc.e4.test. TIMEOUT\n"
	    "s._domainkey.e4.test. TIMEOUT\n",
	"e5.test. SERVFAIL\n_dmarc.e5.test. SERVFAIL\n"
	    "s._domainkey.e5.test. SERVFAIL\n",
	NULL,				/* many hosts */
	NULL,				/* a long key */
	"e8.test. TXT \"v=spf1 a:t1.e8.test a:t2.e8.test a:t3.e8.test "
	    "a:t4.e8.test -all\"\nt1.e8.test. TIMEOUT\nt2.e8.test. TIMEOUT\n"
	    "t3.e8.test. TIMEOUT\nt4.e8.test. TIMEOUT\n",
	"e9.test. CNAME f9.test.\nf9.test. CNAME e9.test.\n"
	    "_dmarc.e9.test. CNAME f9.test.\n"
	    "s._domainkey.e9.test. CNAME f9.test.\n",
	"e10.test. TXT \"v=spf1 exists:%{l}.%{o}.%{d}.%{i}.%{p}.e10.test ptr "
	    "mx mx:e6.test a:%{p}.e10.test -all\"\n",
	"e11.test. TXT \"v=spf1 mx:e6.test mx:e6.test ptr ptr:e6.test "
	    "include:e6.test -all\"\n"
};

static char zone[ZONE_ROOM];
static unsigned strangers_left;
static int64_t delay_ms;

/* ---- the zone ---- */

static void
put_long_text(struct buf *b, const char *name, const char *begin, size_t octets)
{
	buf_printf(b, "%s TXT \"%s\"", name, begin);
	for (size_t i = 0; i < octets; i += 250) {
		buf_put(b, STR(" \""));
		for (size_t k = 0; k < 250; k++)
			buf_putc(b, 'A');
		buf_put(b, STR("\""));
	}
	buf_putc(b, '\n');
}

static void
put_includes(struct buf *b)
{
	buf_put(b, STR("e2.test. TXT \"v=spf1\""));
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(b, "%s include:%u.t%s", i % 18 == 0 ? " \"" : "", i,
		    i % 18 == 17 || i == 999 ? "\"" : "");
	buf_putc(b, '\n');
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(b, "%u.t. TXT \"v=spf1 a:h%u.t -all\"\n", i, i);
}

static void
put_hosts(struct buf *b)
{
	buf_put(b, STR("e6.test. TXT \"v=spf1 mx a:e6.test -all\"\n"));
	for (unsigned i = 0; i < 250; i++)
		buf_printf(b, "e6.test. MX %u h%u.e6.test.\n"
		    "h%u.e6.test. A 198.18.0.%u\n"
		    "66.100.51.198.in-addr.arpa. PTR h%u.e6.test.\n", i, i, i, i,
		    i);
	for (unsigned i = 0; i < 3000; i++)
		buf_printf(b, "67.100.51.198.in-addr.arpa. PTR h%u.e6.test.\n",
		    i);
	buf_put(b, STR("68.100.51.198.in-addr.arpa. TIMEOUT\n"
	    "69.100.51.198.in-addr.arpa. SERVFAIL\n"));
}

static void
zone_furnish(void)
{
	struct buf b = BUF_OF(zone);

	for (size_t i = 0; i < DOMAINS; i++)
		if (records[i] != NULL)
			buf_put(&b, str_of(records[i]));
	put_includes(&b);
	for (unsigned i = 0; i < 5; i++)
		put_long_text(&b, "e3.test.", i == 0 ? "v=spf1 " : "", 15000);
	put_long_text(&b, "_dmarc.e3.test.", "v=DMARC1; p=quarantine; x=", 15000);
	put_hosts(&b);
	put_long_text(&b, "s._domainkey.e7.test.", "v=DKIM1; p=", 15000);
	buf_put(&b, STR("_dmarc.e7.test. TXT \"v=DMARC1; p=none; psd=y\"\n"
	    "good.test. TXT \"v=spf1 ip4:198.51.100.80 -all\"\n"
	    "_dmarc.good.test. TXT \"v=DMARC1; p=reject\"\n"
	    "home.test. MX 10 mx.home.test.\n"));
	must(!b.full);
	if (sim_zone(buf_str(&b)) != 0)
		fprintf(stderr, "%s\n", err_text());
	must(err_text()[0] == '\0');
}

/* ---- strangers ---- */

static const char *
evil_domain(char room[128])
{
	unsigned labels = sim_chance(3) == 0 ? 12 : 0;
	struct buf b = { .p = room, .cap = 127 };

	for (unsigned i = 0; i < labels; i++)
		buf_printf(&b, "l%u.", i);
	buf_printf(&b, "e%u.test", (unsigned)sim_chance(DOMAINS));
	must(!b.full);
	room[b.n] = '\0';
	return room;
}

static void
letter_sign(struct buf *b)
{
	char domain[128];

	for (unsigned i = (unsigned)sim_chance(14); i > 0; i--)
		buf_printf(b, "DKIM-Signature: v=1; a=rsa-sha256; d=%s; s=s; "
		    "h=from;\r\n bh=zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=;"
		    "\r\n b=QUJDREVGR0hJSktM%u\r\n", evil_domain(domain), 1000 +
		    i);
}

static void
letter_seal(struct buf *b)
{
	char domain[128];

	for (unsigned i = (unsigned)sim_chance(40); i > 0; i--) {
		buf_printf(b, "ARC-Seal: i=%u; a=rsa-sha256; cv=%s; d=%s; s=s; "
		    "b=QUJD\r\n", i, i == 1 ? "none" : "pass",
		    evil_domain(domain));
		buf_printf(b, "ARC-Message-Signature: i=%u; a=rsa-sha256; d=%s; "
		    "s=s; h=from; bh=zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=;"
		    " b=QUJD\r\n", i, evil_domain(domain));
		buf_printf(b, "ARC-Authentication-Results: i=%u; a.test; none"
		    "\r\n", i);
	}
}

struct stranger {
	struct stream s;
	char ip[32], helo[128], sender[128], author[128];
	bool is_good;
	int64_t waited;			/* ns, for DATA and the dot */
};

static void
stranger_make(struct stranger *t, bool is_good)
{
	*t = (struct stranger){ .is_good = is_good };
	if (is_good) {
		snprintf(t->ip, sizeof t->ip, "198.51.100.80");
		snprintf(t->helo, sizeof t->helo, "good.test");
		snprintf(t->sender, sizeof t->sender, "good.test");
		snprintf(t->author, sizeof t->author, "good.test");
		return;
	}
	snprintf(t->ip, sizeof t->ip, "198.51.100.%u",
	    66 + (unsigned)sim_chance(5));
	evil_domain(t->helo);
	evil_domain(t->sender);
	evil_domain(t->author);
}

static yields unsigned
stranger_hear(struct stranger *t)
{
	enum line_ending ending;
	struct str line;
	uint64_t code;

	t->s.deadline = mono_add(clock_mono(), 600 * NS_PER_SECOND);
	do
		must(stream_line(&t->s, 2000, &line, &ending) == 0 &&
		    parse_u64(str_sub(line, 0, 3), 599, &code));
	while (line.n > 3 && line.p[3] == '-');
	return (unsigned)code;
}

/* What he says last, and how long it takes to be answered. */
static yields unsigned
stranger_ask(struct stranger *t, struct str octets)
{
	struct mono began = clock_mono();
	unsigned code;

	stream_put(&t->s, octets);
	code = stranger_hear(t);
	t->waited += clock_mono().ns - began.ns;
	return code;
}

static yields unsigned
stranger_tell(struct stranger *t)
{
	static char room[LETTER_ROOM];
	struct buf b = BUF_OF(room);

	must(stranger_hear(t) == 220);
	stream_printf(&t->s, "EHLO %s\r\n", t->helo);
	must(stranger_hear(t) == 250);
	stream_printf(&t->s, "MAIL FROM:<x@%s>\r\n", t->sender);
	must(stranger_hear(t) == 250);
	stream_put(&t->s, STR("RCPT TO:<u0@home.test>\r\n"));
	must(stranger_hear(t) == 250);
	t->waited = 0;
	must(stranger_ask(t, STR("DATA\r\n")) == 354);
	buf_printf(&b, "From: x@%s\r\n", t->author);
	if (!t->is_good) {
		letter_sign(&b);
		letter_seal(&b);
	}
	buf_put(&b, STR("\r\nhello\r\n.\r\n"));
	must(!b.full);
	return stranger_ask(t, buf_str(&b));
}

/* Nobody is refused for what the DNS does. */
static yields void
stranger_come(struct stranger *t)
{
	struct address from, to;
	struct net_end *end;
	unsigned code;

	must(address_parse(STR("192.0.2.1"), 25, &to));
	must(address_parse(str_of(t->ip), 0, &from));
	end = net_connect(&to, &from, mono_add(clock_mono(),
	    30 * NS_PER_SECOND));
	must(end != NULL);
	stream_init(&t->s, end);
	code = stranger_tell(t);
	if (code != 250 || t->waited > (PROOF_SECONDS + 1) * NS_PER_SECOND)
		fprintf(stderr, "%s, HELO %s, MAIL %s, From %s: %u after %lld ms"
		    "\n", t->ip, t->helo, t->sender, t->author, code,
		    (long long)(t->waited / NS_PER_MS));
	must(code == 250);
	must(t->waited <= (PROOF_SECONDS + 1) * NS_PER_SECOND);
	must(!t->is_good || t->waited <= (GOOD_QUESTIONS * delay_ms + 2000) *
	    NS_PER_MS);
	stream_close(&t->s);
}

static yields void
stranger_run(void *arg)
{
	stranger_come(arg);
	strangers_left--;
}

/* One by one, for the count; then all at once, and a good one among them. */
static yields void
strangers_come(struct node *n)
{
	static struct stranger strangers[STRANGERS];
	uint64_t asked;

	(void)n;
	town_ledger->held = SIZE_MAX;	/* it is not over yet */
	for (size_t i = 0; i < ALONE; i++) {
		stranger_make(&strangers[0], false);
		asked = sim_verbs_of(SIM_dns);
		stranger_come(&strangers[0]);
		asked = sim_verbs_of(SIM_dns) - asked;
		must(asked <= PROOF_QUESTIONS);
	}
	strangers_left = STRANGERS;
	for (size_t i = 0; i < STRANGERS; i++) {
		stranger_make(&strangers[i], i == STRANGERS - 1);
		must(fiber_go("stranger", stranger_run, &strangers[i]) == 0);
	}
	while (strangers_left > 0)
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
	town_ledger->held = 0;
}

static bool
evil_run(uint64_t seed)
{
	static const struct town town = { .clients = 1, .messages = 1,
		.config = "limits: { connections_per_ip: none, per_ip: none }\n",
		.with = strangers_come };
	static const int64_t delays[] = { 0, 5, 50, 300 };

	(void)seed;
	town_begin();
	zone_furnish();
	delay_ms = delays[sim_chance(sizeof delays / sizeof delays[0])];
	sim_dns_delay(delay_ms * NS_PER_MS);
	return town_life(&town) == SIM_ENDED;
}

const struct scenario scenario_evil = { .name = "evil", .run = evil_run,
	.percent = 20 };
