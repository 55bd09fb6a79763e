/*
 * Strangers who begin TLS with our servers and do not do as they should: raw
 * records in the place of a handshake or behind one, goodbyes in the middle,
 * one side of the connection closed and the other not, clear text behind the
 * goodbye.  Nothing that they send is ever kept.
 */
#include "network.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/stream.h"
#include "fiber/tls.h"
#include "fiber/world.h"

enum { RAW_MOST = 600 };

enum game {
	RAW,				/* records that begin no handshake */
	BROKEN_OFF,			/* a handshake, broken off */
	GOODBYE,			/* close_notify, and clear text behind */
	HALF,				/* half closed, and listening */
	RUDE,				/* gone without a goodbye */
	RAW_BEHIND,			/* records of nobody behind a handshake:
					 * a renegotiation's hello, alerts */
	GAMES
};

static const struct str records[] = {
	STR_INIT("\x15\x03\x03\x00\x02\x01\x00"),	/* close_notify */
	STR_INIT("\x15\x03\x03\x00\x02\x02\x28"),	/* handshake_failure */
	STR_INIT("\x15\x03\x03\x00\x02\x01\x64"),	/* no_renegotiation */
	STR_INIT("\x16\x03\x03\x00\x04\x00\x00\x00\x00"),	/* HelloRequest */
	STR_INIT("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"),
	STR_INIT("\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03"),
	STR_INIT("\x14\x03\x03\x00\x01\x01"),	/* change_cipher_spec */
	STR_INIT("\x17\x03\x03\x00\x00"),	/* nothing, as data */
	STR_INIT("\x17\x03\x03\x48\x01"),	/* more than a record may have */
	STR_INIT("\x18\x03\x03\x00\x03\x01\x40\x00"),	/* heartbeat */
	STR_INIT("\x80\x2e\x01\x03\x01\x00\x15"),	/* SSL 2 */
	STR_INIT("EHLO again\r\nMAIL FROM:<>\r\n"),
};
enum { RECORDS = sizeof records / sizeof *records };

static const struct str mail = STR_INIT("EHLO x\r\nMAIL FROM:<a@stranger.test>\r\n"
    "RCPT TO:<u0@h1.test>\r\nDATA\r\nX: y\r\n\r\n.\r\n");

static struct mono
in_seconds(int64_t s)
{
	return mono_add(clock_mono(), s * NS_PER_SECOND);
}

/* Past TLS, or where there is none; what does not fit at once is not said. */
static void
say_raw(struct net_end *end)
{
	char text[RAW_MOST];
	struct str record = records[sim_chance(RECORDS)];
	size_t n = record.n;

	memcpy(text, record.p, n);
	while (n < RAW_MOST && sim_chance(4) != 0)
		text[n++] = (char)sim_chance(256);
	(void)world_send(end, text, n);
}

/* Until he hangs up, or for a while. */
static yields void
listen_on(struct stream *s)
{
	s->deadline = in_seconds(900);
	while (sim_chance(8) != 0 && stream_skip_line(s, 2000) == 0)
		s->deadline = in_seconds(900);
}

static yields bool
says(struct stream *s, struct str text, struct str code)
{
	enum line_ending ending;
	struct str line;

	stream_put(s, text);
	do {
		if (stream_line(s, 2000, &line, &ending) != 0)
			return false;
	} while (line.n > 3 && line.p[3] == '-');
	return str_skip(&line, code);
}

/* A prefix of mail that never comes to its last octet. */
static yields void
say_some_mail(struct stream *s)
{
	stream_put(s, str_sub(mail, 0, (size_t)sim_chance(mail.n)));
	(void)stream_flush(s);
}

static yields void
play_behind(struct stream *s, enum game how)
{
	if (sim_chance(2) == 0)
		say_some_mail(s);
	if (how == GOODBYE)
		(void)stream_flush_last(s);
	if (how == GOODBYE || how == RAW_BEHIND)
		say_raw(s->end);
	if (how == HALF)
		sim_half_close(s->end);
	if (how != RUDE)
		listen_on(s);
}

static yields void
play(struct stream *s, enum game how)
{
	struct tls_context *tls;

	if (how == RAW) {
		for (unsigned i = 0; i <= sim_chance(3); i++)
			say_raw(s->end);
		listen_on(s);
		return;
	}
	tls = tls_client_new(&(struct tls_client_setup){ .anchors = NULL });
	must(tls != NULL);
	if (how == BROKEN_OFF)
		s->deadline = mono_add(clock_mono(),
		    (int64_t)sim_chance(40) * NS_PER_MS);
	if (tls_connect(s, tls, STR("mx.test")) == 0)
		play_behind(s, how);
	else if (sim_chance(2) == 0) {
		sim_half_close(s->end);
		fiber_sleep(in_seconds((int64_t)sim_chance(400)));
	}
	tls_drop(tls);
}

yields void
network_gamester(void)
{
	unsigned server = 1 + (unsigned)sim_chance(network_ledger->n);
	struct address from, to;
	struct net_end *end;
	struct stream s;

	must(address_parse(str_of(network_ledger->servers[server].ip), 25, &to));
	must(address_parse(STR("198.18.0.1"), 0, &from));
	end = net_connect(&to, &from, in_seconds(30));
	if (end == NULL)
		return;
	stream_init(&s, end);
	s.deadline = in_seconds(600);
	if (says(&s, STR(""), STR("220")) &&
	    says(&s, STR("EHLO x\r\n"), STR("250")) &&
	    says(&s, STR("STARTTLS\r\n"), STR("220")))
		play(&s, (enum game)sim_chance(GAMES));
	stream_close(&s);
}
