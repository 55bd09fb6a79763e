/*
 * The life of a connection, as one client sees it:
 *
 * STATE       function that moves     what is true
 * new         client_init             nothing was said
 * greeted     client_greet            ehlo holds what the peer offers
 * idle        client_send             between transactions; must_reset: the
 *                                     peer still has half of the last one
 * over        any                     421, trouble or nonsense was heard, or
 *                                     QUIT said: nothing is said any more
 *
 * The life of a transaction is struct exchange: a recipient whose verdict is
 * DELIVERED is still in the game; whoever refuses him writes why, and the reply
 * to the dot is for those that are left.
 */
#include "smtp/client.h"

#include "base/arena.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "wire/address.h"
#include "wire/data.h"

#include <inttypes.h>

enum {
	/* RFC 2920 3.1: no more is said ahead of the replies than both sides'
	 * buffers surely hold, or they would wait for each other. */
	CLIENT_AHEAD = 100,
	CLIENT_BLOCK = 16 * 1024,
	CLIENT_BLOCK_LEAST = 4 * 1024,	/* as spool/body.h asks */
	/* What the whole body may take besides its size at CLIENT_RATE_LEAST. */
	CLIENT_BODY_GRACE_S = 600
};

enum client_phase {
#define PHASE(name, what, patience) PHASE_##name,
#include "smtp/phases.def"
#undef PHASE
	CLIENT_PHASES
};

static const struct client_phase_row {
	const char *what;
	size_t patience;		/* offset in struct client_patience */
} client_phases[CLIENT_PHASES] = {
#define PHASE(name, what, patience) \
	{ what, offsetof(struct client_patience, patience) },
#include "smtp/phases.def"
#undef PHASE
};

struct exchange {
	struct client *client;
	const struct client_message *message;
	struct verdict *verdicts;
	size_t said, heard;		/* recipients */
	bool mail_is_heard, mail_is_good, data_is_said;
};

struct client_patience
client_patience_of(const struct config *config)
{
	return (struct client_patience){
		.greeting = config->timeouts.client.greeting,
		.command = config->timeouts.client.command,
		.data = config->timeouts.client.data,
		.block = config->timeouts.client.block,
		.end = config->timeouts.client.end,
		.quit = config->timeouts.client.quit,
	};
}

void
client_init(struct client *c, struct stream *net,
    const struct client_patience *patience)
{
	must(net->end != NULL);
	*c = (struct client){ .net = net, .patience = patience };
}

bool
client_is_usable(const struct client *c)
{
	return c->is_greeted && !c->is_over && c->net->trouble == STREAM_FINE;
}

static void
client_await(struct client *c, enum client_phase phase)
{
	int64_t ns;

	memcpy(&ns, (const char *)c->patience + client_phases[phase].patience,
	    sizeof(ns));
	c->net->deadline = mono_add(clock_mono(), ns);
}

/* The connection is of no more use; say why. */
static struct verdict
client_lose(struct client *c, enum client_phase phase)
{
	const char *what = client_phases[phase].what;

	c->is_over = true;
	switch (c->net->trouble) {
	case STREAM_LATE:
		return verdict_make(DEFERRED, 0, "4.4.2",
		    "timed out waiting for %s", what);
	case STREAM_LONG:
		return verdict_make(DEFERRED, 0, "4.5.0",
		    "%s has a line without end", what);
	case STREAM_GONE:
	case STREAM_FINE:
		break;
	}
	return verdict_make(DEFERRED, 0, "4.4.2",
	    "connection lost while waiting for %s", what);
}

/*
 * The next reply, all its lines, as a verdict: 2xx is DELIVERED.  After 421 or
 * trouble the connection is over.  (RFC 5321 3.8: 421 may come at any time.)
 */
static yields struct verdict
client_hear(struct client *c, enum client_phase phase, struct ehlo *ehlo)
{
	enum reply_state state = REPLY_MORE;
	enum line_ending ending;
	struct str line, rest;
	struct reply reply;

	must(!c->is_over);
	client_await(c, phase);
	reply_begin(&reply);
	while (state == REPLY_MORE) {
		if (stream_line(c->net, REPLY_LINE_MOST, &line, &ending) != 0)
			return client_lose(c, phase);
		state = reply_push(&reply, line, &rest);
		if (state != REPLY_BAD && ehlo != NULL)
			ehlo_push(ehlo, rest);
	}
	if (state == REPLY_BAD) {
		c->is_over = true;
		return verdict_make(DEFERRED, 0, "4.5.0", "%s is not SMTP: %s",
		    client_phases[phase].what, reply.text);
	}
	c->is_over = reply.code == 421;
	return reply_verdict(&reply);
}

static yields struct verdict
client_hello(struct client *c, const char *verb, struct str hostname)
{
	must(!c->is_over && !c->is_greeted);
	client_await(c, PHASE_helo);
	c->ehlo = (struct ehlo){ 0 };
	stream_printf(c->net, "%s " STR_FMT "\r\n", verb, STR_ARG(hostname));
	return client_hear(c, PHASE_helo, &c->ehlo);
}

/* RFC 5321 3.2: "the client ... SHOULD ... fall back to HELO" when EHLO is not
 * understood, which any 5xx may mean. */
yields struct verdict
client_greet(struct client *c, struct str hostname)
{
	struct verdict v = client_hear(c, PHASE_greeting, NULL);

	if (v.disposition != DELIVERED)
		return v;
	v = client_hello(c, "EHLO", hostname);
	if (v.disposition == FAILED && !c->is_over) {
		v = client_hello(c, "HELO", hostname);
		c->ehlo = (struct ehlo){ 0 };
	}
	c->is_greeted = v.disposition == DELIVERED;
	return v;
}

static bool
client_has(const struct client *c, uint32_t capability_bits)
{
	return (c->ehlo.has & capability_bits) != 0;
}

/* ---- one transaction ---- */

/* Everybody who is still in the game gets this verdict. */
static void
exchange_settle(struct exchange *x, const struct verdict *v)
{
	must(v->esc.class != 0);
	for (size_t i = 0; i < x->message->n; i++)
		if (x->verdicts[i].disposition == DELIVERED)
			x->verdicts[i] = *v;
}

static size_t
exchange_count(const struct exchange *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->message->n; i++)
		n += x->verdicts[i].disposition == DELIVERED;
	return n;
}

/* Only what the grammar lets through goes on a command line. */
static struct verdict
client_judge_address(struct str address, const char *esc)
{
	struct mailbox mailbox;

	if (!str_is_ascii(address))
		return verdict_make(FAILED, 0, "5.6.7",
		    "a non-ASCII address needs SMTPUTF8");
	if (mailbox_parse(address, MAILBOX_STRICT, &mailbox) != NULL)
		return verdict_make(FAILED, 0, esc, "not a valid address");
	return verdict_make(DELIVERED, 0, "2.0.0", "not refused yet");
}

/* What the peer told at EHLO that it will not take.  (RFC 1870 6.1; RFC 6152 3;
 * RFC 9422 4.2) */
static struct verdict
exchange_judge(const struct exchange *x)
{
	const struct client_message *m = x->message;
	const struct ehlo *ehlo = &x->client->ehlo;

	if (ehlo->size != 0 && m->size > ehlo->size)
		return verdict_make(FAILED, 552, "5.3.4", "%" PRIu64
		    " octets are more than the %" PRIu64 " the host takes",
		    m->size, ehlo->size);
	if (m->has_8bit && !client_has(x->client, CAPABILITY_BIT(EIGHTBITMIME)))
		return verdict_make(FAILED, 0, "5.6.3",
		    "the host takes no 8-bit content");
	if (m->sender.n > 0)
		return client_judge_address(m->sender, "5.1.7");
	return verdict_make(DELIVERED, 0, "2.0.0", "not refused yet");
}

static void
exchange_judge_recipients(struct exchange *x)
{
	uint64_t most = x->client->ehlo.rcpt_max;
	uint64_t n = 0;

	for (size_t i = 0; i < x->message->n; i++) {
		x->verdicts[i] = client_judge_address(
		    x->message->recipients[i], "5.1.3");
		if (x->verdicts[i].disposition == DELIVERED &&
		    most != 0 && ++n > most)
			x->verdicts[i] = verdict_make(DEFERRED, 452, "4.5.3",
			    "the host takes %" PRIu64 " recipients at once",
			    most);
	}
}

static yields void
exchange_say_mail(struct exchange *x)
{
	struct client *c = x->client;
	const struct client_message *m = x->message;

	must(x->said == 0 && !x->data_is_said);
	client_await(c, PHASE_mail);
	if (c->must_reset)
		stream_put(c->net, STR("RSET\r\n"));
	stream_printf(c->net, "MAIL FROM:<" STR_FMT ">", STR_ARG(m->sender));
	if (client_has(c, CAPABILITY_BIT(SIZE)))
		stream_printf(c->net, " SIZE=%" PRIu64, m->size);
	if (m->has_8bit)
		stream_put(c->net, STR(" BODY=8BITMIME"));
	stream_put(c->net, STR("\r\n"));
}

/* -1: there will be no transaction; everybody knows why. */
static yields int
exchange_hear_mail(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v;

	must(!x->mail_is_heard && x->heard == 0);
	x->mail_is_heard = true;
	if (c->must_reset) {
		v = client_hear(c, PHASE_rset, NULL);
		if (v.disposition != DELIVERED) {
			c->is_over = true;
			v = verdict_of(DEFERRED, v.code, v.esc,
			    str_of(v.text));
			exchange_settle(x, &v);
			return -1;
		}
		c->must_reset = false;
	}
	v = client_hear(c, PHASE_mail, NULL);
	x->mail_is_good = v.disposition == DELIVERED;
	c->must_reset = x->mail_is_good;
	if (!x->mail_is_good)
		exchange_settle(x, &v);
	return x->mail_is_good ? 0 : -1;
}

/* The next recipients who are in the game, at most n. */
static yields void
exchange_say_rcpts(struct exchange *x, size_t n)
{
	const struct client_message *m = x->message;

	for (; x->said < m->n && n > 0; x->said++) {
		if (x->verdicts[x->said].disposition != DELIVERED)
			continue;
		stream_printf(x->client->net, "RCPT TO:<" STR_FMT ">\r\n",
		    STR_ARG(m->recipients[x->said]));
		n--;
	}
}

/*
 * RFC 5321 4.5.3.1.10: 552 to RCPT may mean "too many recipients" and is then
 * no failure.  An enhanced code that names another reason is believed.
 */
static struct verdict
client_judge_rcpt(struct verdict v)
{
	if (v.code == 552 && (v.esc.subject == 0 || v.esc.subject == 5))
		v = verdict_of(DEFERRED, 552, v.esc, str_of(v.text));
	return v;
}

static yields int
exchange_hear_rcpts(struct exchange *x)
{
	struct verdict v;

	must(x->mail_is_good && x->said <= x->message->n);
	for (; x->heard < x->said; x->heard++) {
		if (x->verdicts[x->heard].disposition != DELIVERED)
			continue;
		v = client_hear(x->client, PHASE_rcpt, NULL);
		if (x->client->is_over) {
			exchange_settle(x, &v);
			return -1;
		}
		if (v.disposition != DELIVERED)
			x->verdicts[x->heard] = client_judge_rcpt(v);
	}
	return 0;
}

static yields void
exchange_say_data(struct exchange *x)
{
	must(!x->data_is_said && x->said == x->message->n);
	client_await(x->client, PHASE_data);
	stream_put(x->client->net, STR("DATA\r\n"));
	x->data_is_said = true;
}

/* MAIL was refused, but what was said ahead is still answered: hear that, so
 * that the connection can serve another message. */
static yields void
exchange_hear_rest(struct exchange *x, size_t rcpts)
{
	struct client *c = x->client;
	struct verdict v;

	for (; rcpts > 0 && !c->is_over; rcpts--)
		client_hear(c, PHASE_rcpt, NULL);
	if (!x->data_is_said || c->is_over)
		return;
	v = client_hear(c, PHASE_data, NULL);
	if (v.code == 354 && !c->is_over) {
		stream_put(c->net, STR(".\r\n"));
		client_hear(c, PHASE_end, NULL);
	}
}

/* MAIL, every RCPT and DATA, as many in one packet as the peer allows.
 * -1: it ended here. */
static yields int
exchange_envelope(struct exchange *x)
{
	bool ahead = client_has(x->client, CAPABILITY_BIT(PIPELINING));
	size_t in_game;

	exchange_say_mail(x);
	if (!ahead && exchange_hear_mail(x) != 0)
		return -1;
	while (x->said < x->message->n) {
		client_await(x->client, PHASE_rcpt);
		in_game = exchange_count(x);
		exchange_say_rcpts(x, ahead ? CLIENT_AHEAD : 1);
		if (ahead && x->said == x->message->n)
			exchange_say_data(x);
		if (!x->mail_is_heard && exchange_hear_mail(x) != 0) {
			if (in_game > CLIENT_AHEAD)
				in_game = CLIENT_AHEAD;
			exchange_hear_rest(x, in_game);
			return -1;
		}
		if (exchange_hear_rcpts(x) != 0)
			return -1;
	}
	if (!x->data_is_said && exchange_count(x) > 0)
		exchange_say_data(x);
	return x->data_is_said ? 0 : -1;
}

/* The body from its reader through the framing.  -1: it must not be ended, so
 * the connection must go. */
static yields int
exchange_body_pass(struct exchange *x, char *block, size_t room)
{
	const struct client_message *m = x->message;
	struct client *c = x->client;
	struct data_writer writer;
	struct str in, out;
	struct mono last;
	int64_t n;

	last = mono_add(clock_mono(), add_sat_i64(
	    CLIENT_BODY_GRACE_S * NS_PER_SECOND,
	    (int64_t)(m->size / CLIENT_RATE_LEAST) * NS_PER_SECOND));
	data_writer_init(&writer);
	while ((n = m->read(m->arg, block, room)) > 0) {
		must((size_t)n <= room);
		in = (struct str){ block, (size_t)n };
		client_await(c, PHASE_block);
		c->net->deadline = mono_first(c->net->deadline, last);
		while (data_write(&writer, &in, &out))
			stream_put(c->net, out);
		if (c->net->trouble != STREAM_FINE)
			return 0;	/* told by who hears next */
	}
	out = data_write_end(&writer);
	if (n < 0 || out.p == NULL)
		return -1;
	stream_put(c->net, out);
	return 0;
}

static yields struct verdict
exchange_body(struct exchange *x)
{
	struct client *c = x->client;
	struct arena arena;
	struct verdict v;
	size_t room;
	char *block;
	int passed;

	room = x->message->size < CLIENT_BLOCK ?
	    (size_t)x->message->size + 1 : CLIENT_BLOCK;
	if (room < CLIENT_BLOCK_LEAST)
		room = CLIENT_BLOCK_LEAST;
	arena_init(&arena, 2 * CLIENT_BLOCK);
	block = arena_alloc(&arena, room);
	passed = block == NULL ? -1 : exchange_body_pass(x, block, room);
	arena_clear(&arena);
	if (passed != 0) {
		c->is_over = true;
		return verdict_make(DEFERRED, 0, "4.3.0",
		    "our copy of the message could not be read");
	}
	if (stream_flush(c->net) != 0)
		return client_lose(c, PHASE_block);
	v = client_hear(c, PHASE_end, NULL);
	if (v.code != 0)
		c->must_reset = false;
	return v;
}

/*
 * RFC 2920 3.1: a server may answer 354 although it refused every recipient;
 * then the data are a lone dot and its answer means nothing.
 */
static yields struct verdict
exchange_data(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v;

	must(x->data_is_said && x->heard == x->message->n);
	v = client_hear(c, PHASE_data, NULL);
	if (c->is_over)
		return v;
	if (v.code == 354 && stream_buffered(c->net) > 0) {
		/* An answer to a dot that was not said would be believed. */
		c->is_over = true;
		v = verdict_make(DEFERRED, 0, "4.5.0",
		    "the host answered before it was asked");
	} else if (v.code == 354) {
		if (exchange_count(x) > 0)
			return exchange_body(x);
		stream_put(c->net, STR(".\r\n"));
		client_hear(c, PHASE_end, NULL);
		c->must_reset = false;
	} else if (v.code / 100 < 4) {
		/* "250" to DATA: nobody knows what it takes what follows for */
		c->is_over = true;
		v = verdict_of(DEFERRED, v.code, v.esc, str_of(v.text));
	}
	return v;
}

yields void
client_send(struct client *c, const struct client_message *m,
    struct verdict verdicts[])
{
	struct exchange x = { .client = c, .message = m, .verdicts = verdicts };
	struct verdict v;

	must(m->n > 0 && c->is_greeted && !c->is_over);
	c->transactions++;
	exchange_judge_recipients(&x);
	v = exchange_judge(&x);
	if (v.disposition != DELIVERED)
		exchange_settle(&x, &v);
	if (exchange_count(&x) == 0)
		return;
	if (exchange_envelope(&x) != 0)
		return;
	v = exchange_data(&x);
	exchange_settle(&x, &v);
}

yields void
client_quit(struct client *c)
{
	if (c->is_over || c->net->trouble != STREAM_FINE)
		return;
	client_await(c, PHASE_quit);
	stream_put(c->net, STR("QUIT\r\n"));
	client_hear(c, PHASE_quit, NULL);
	c->is_over = true;
}
