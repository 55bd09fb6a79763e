/*
 * Machine 0: those who send, those who take, and how it ends.  Clients speak in
 * many ways: command by command or all at once, DATA or BDAT in pieces, fast or
 * slow; what they were told is in the ledger.
 */
#include "network.h"

#include "base/id.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/stream.h"

#include <stdio.h>

enum { CLIENTS = 4, EACH = 4, TRIES = 5, PIECE = 4096 };

static struct mono
in_seconds(int64_t s)
{
	return mono_add(clock_mono(), s * NS_PER_SECOND);
}

void
network_trouble(unsigned server, int64_t until)
{
	struct network_ledger *l = network_ledger;

	must(l->n_troubles < NETWORK_TROUBLES);
	l->troubles[l->n_troubles++] = (struct network_trouble){ server,
		sim_world_mono().ns, until };
}

/* ---- a client ---- */

struct sending {
	struct stream s;
	unsigned m;
	struct town_message *message;
	bool is_hasty;			/* pipelines */
	bool has_chunks;		/* BDAT */
	unsigned slow_ms;		/* between lines, now and then */
	bool ends_halfway;		/* closes his side behind the message */
	char piece[PIECE];
	size_t n;
};

static yields bool
says(struct sending *c, unsigned class)
{
	struct str text;

	return town_hear(&c->s, &text) / 100 == class;
}

static yields bool
says_unless_hasty(struct sending *c, unsigned class)
{
	return c->is_hasty || says(c, class);
}

/* What was asked in haste is answered now. */
static yields bool
haste_hear(struct sending *c)
{
	for (size_t i = 0; c->is_hasty && i < 1 + c->message->n; i++)
		if (!says(c, 2))
			return false;
	return true;
}

static yields bool
envelope_say(struct sending *c)
{
	char room[64];

	stream_printf(&c->s, "MAIL FROM:<" STR_FMT "> BODY=8BITMIME\r\n",
	    STR_ARG(town_sender(c->m, room)));
	if (!says_unless_hasty(c, 2))
		return false;
	for (size_t i = 0; i < c->message->n; i++) {
		stream_printf(&c->s, "RCPT TO:<" STR_FMT ">\r\n",
		    STR_ARG(town_address(c->m, i, room)));
		if (!says_unless_hasty(c, 2))
			return false;
	}
	if (!c->has_chunks)
		stream_put(&c->s, STR("DATA\r\n"));
	return haste_hear(c) && (c->has_chunks || says(c, 3));
}

/* False: that was refused, or nobody listens. */
static yields bool
chunk_say(struct sending *c, bool is_last)
{
	if (is_last)
		c->message->is_dotted = true;
	stream_printf(&c->s, "BDAT %zu%s\r\n", c->n, is_last ? " LAST" : "");
	stream_put(&c->s, (struct str){ c->piece, c->n });
	c->n = 0;
	return is_last || says(c, 2);
}

static yields bool
chunk_add(struct sending *c, struct str line)
{
	if (c->n + line.n + 2 > PIECE - (size_t)sim_chance(PIECE / 2) &&
	    !chunk_say(c, false))
		return false;
	memcpy(c->piece + c->n, line.p, line.n);
	memcpy(c->piece + c->n + line.n, "\r\n", 2);
	c->n += line.n + 2;
	return true;
}

static yields bool
line_say(struct sending *c, struct str line)
{
	c->s.deadline = in_seconds(600);
	if (c->slow_ms > 0 && sim_chance(20) == 0) {
		(void)stream_flush(&c->s);
		fiber_sleep(mono_add(clock_mono(), c->slow_ms * NS_PER_MS));
	}
	if (c->has_chunks)
		return chunk_add(c, line);
	if (line.n > 0 && line.p[0] == '.')
		stream_put(&c->s, STR("."));
	stream_put(&c->s, line);
	stream_put(&c->s, STR("\r\n"));
	return true;
}

static yields bool
content_say(struct sending *c)
{
	char room[128];

	for (unsigned i = 0; i < town_lines(c->m); i++)
		if (!line_say(c, town_line(c->m, i, room)))
			return false;
	if (c->has_chunks)
		return chunk_say(c, true);
	c->message->is_dotted = true;
	stream_put(&c->s, STR(".\r\n"));
	return true;
}

static void
acknowledge(struct sending *c, struct str text)
{
	size_t at = str_find_str(text, STR("Kept as "));
	struct town_message *t = c->message;

	must(at < text.n);
	must(id_parse(str_sub(text, at + 8, ID_CHARS), &t->id));
	t->acked_at = clock_mono();
	t->is_acked = true;
}

static yields void
message_say(struct sending *c)
{
	struct str text;

	if (!says(c, 2))
		return;
	stream_put(&c->s, STR("EHLO client.test\r\n"));
	if (!says(c, 2) || !envelope_say(c) || !content_say(c))
		return;
	/* now and then he goes without an answer */
	if (sim_chance(40) == 0) {
		(void)stream_flush(&c->s);
		return;
	}
	if (c->ends_halfway && stream_flush(&c->s) == 0)
		sim_half_close(c->s.end);
	if (town_hear(&c->s, &text) != 250)
		return;
	acknowledge(c, text);
	if (c->ends_halfway)
		return;
	stream_put(&c->s, STR("QUIT\r\n"));
	(void)says(c, 2);
}

static yields bool
client_send(unsigned who, unsigned m)
{
	static struct sending all[CLIENTS];
	struct sending *c = &all[who];
	unsigned server = 1 + (unsigned)sim_chance(network_ledger->n);
	struct address from, to;
	struct net_end *end;
	char ip[32];

	*c = (struct sending){ .m = m, .message = &town_ledger->messages[m],
		.is_hasty = sim_chance(2) == 0, .has_chunks = sim_chance(3) == 0,
		.slow_ms = sim_chance(4) == 0 ? 900 : 0,
		.ends_halfway = sim_chance(10) == 0 };
	snprintf(ip, sizeof ip, "203.0.113.%u", 10 + who);
	must(address_parse(str_of(network_ledger->servers[server].ip), 25, &to));
	must(address_parse(str_of(ip), 0, &from));
	end = net_connect(&to, &from, in_seconds(30));
	if (end == NULL)
		return false;
	stream_init(&c->s, end);
	message_say(c);
	stream_close(&c->s);
	return c->message->is_acked;
}

static yields void
client_run(void *number)
{
	unsigned me = *(unsigned *)number, tries = TRIES, sent = 0;

	fiber_sleep(mono_add(clock_mono(),
	    (int64_t)sim_chance(5000) * NS_PER_MS));
	while (sent < EACH && tries > 0 &&
	    town_ledger->n < NETWORK_MESSAGES) {
		if (client_send(me, town_message_new(network_plan)))
			sent++;
		else
			tries--;
		fiber_sleep(in_seconds((int64_t)sim_chance(120)));
	}
	network_ledger->clients--;
}

/* Until the weather has cleared. */
static yields void
strangers_run(void *arg)
{
	(void)arg;
	while (!network_ledger->is_calm) {
		if (network_ledger->has_tls && sim_chance(2) == 0)
			network_gamester();
		else
			network_stranger();
		fiber_sleep(in_seconds((int64_t)sim_chance(90)));
	}
	network_ledger->clients--;
}

static void
clients_start(void)
{
	static unsigned numbers[CLIENTS];

	network_ledger->clients = CLIENTS + 1;
	for (unsigned i = 0; i < CLIENTS; i++) {
		numbers[i] = i;
		must(fiber_go("client", client_run, &numbers[i]) == 0);
	}
	must(fiber_go("strangers", strangers_run, NULL) == 0);
}

/* ---- how it ends ---- */

/* Everybody looked again after `since', and nobody keeps anything. */
static bool
is_quiet(int64_t since)
{
	for (unsigned i = 1; i <= network_ledger->n; i++) {
		const struct network_server *s = &network_ledger->servers[i];

		if (!s->is_up || s->looked <= since || s->kept > 0)
			return false;
	}
	return network_ledger->clients == 0;
}

/* Twice in a row: what left one may not have been counted by the next. */
static yields void
end_await(void)
{
	struct mono patience = in_seconds(3 * 86400);
	int64_t since = sim_world_mono().ns;
	unsigned quiet = 0;

	while (quiet < 2 && mono_is_before(clock_mono(), patience)) {
		fiber_sleep(in_seconds(400));
		if (!is_quiet(since)) {
			quiet = 0;
			continue;
		}
		since = sim_world_mono().ns;
		quiet++;
	}
	town_ledger->is_drained = quiet == 2;
}

static yields void
folk_run(void *arg)
{
	(void)arg;
	town_servers_open();
	town_listen("198.51.100.15", 24);
	network_evil_open();
	clients_start();
	network_weather();
	end_await();
	network_ledger->ended = sim_world_mono().ns;
	network_ledger->is_stopping = true;
	town_servers_close();
	network_evil_close();
}

void
network_folk_live(void *arg)
{
	must(core_run_all(1, folk_run, arg) == 0);
}
