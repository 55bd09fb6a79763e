#include "smtp/transfer.h"

#include "base/arena.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "smtp/client_inner.h"
#include "wire/data.h"

enum {
	TRANSFER_BLOCK = 16 * 1024,
	TRANSFER_BLOCK_LEAST = 4 * 1024,	/* as spool/body.h asks */
	/* What the whole body may take besides its size at CLIENT_RATE_LEAST. */
	TRANSFER_GRACE_S = 600
};

/* ---- the last word ---- */

/* RFC 2033 4.2: a reply for each recipient that was not refused, in their order.
 * What a lost connection or 421 says is for those who were not told yet. */
static yields void
transfer_hear_each(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v = { .disposition = DELIVERED };

	for (size_t i = 0; i < x->message->n; i++) {
		if (x->verdicts[i].disposition != DELIVERED)
			continue;
		if (!c->is_over)
			v = client_hear(c, PHASE_end, NULL);
		must(v.esc.class != 0);
		x->verdicts[i] = v;
	}
}

/* The peer has all of it. */
static yields void
transfer_hear_end(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v;

	if (c->kind == CLIENT_LMTP)
		transfer_hear_each(x);
	else {
		v = client_hear(c, PHASE_end, NULL);
		exchange_settle(x, &v);
	}
	c->must_reset = false;
}

/*
 * A reply before the dot, or a connection that broke: the message was not taken.
 * A refusal counts (RFC 5321 4.2.5 knows none here, but 552 for what is too large
 * and 554 for what a filter saw are said so); a yes is worth nothing.
 */
static yields void
transfer_interrupted(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v = client_hear(c, PHASE_block, NULL);

	c->is_over = true;
	if (v.disposition == DELIVERED || v.code / 100 == 3)
		v = verdict_make(DEFERRED, 0, "4.5.0",
		    "the host answered before the message was whole");
	exchange_settle(x, &v);
}

static void
transfer_unreadable(struct exchange *x)
{
	struct verdict v = verdict_make(DEFERRED, 0, "4.3.0",
	    "our copy of the message could not be read");

	x->client->is_over = true;
	exchange_settle(x, &v);
}

/* ---- DATA ---- */

/* The body from its reader through the framing, until the peer interrupts us.
 * -1: it must not be ended, so the connection must go. */
static yields int
transfer_pass(struct exchange *x, char *block, size_t room, bool *is_whole)
{
	const struct client_message *m = x->message;
	struct client *c = x->client;
	struct data_writer writer;
	uint64_t before = c->net->bytes_out;
	struct str in, out;
	struct mono last;
	int64_t n;

	last = mono_add(clock_mono(), add_sat_i64(
	    TRANSFER_GRACE_S * NS_PER_SECOND,
	    (int64_t)(m->size / CLIENT_RATE_LEAST) * NS_PER_SECOND));
	data_writer_init(&writer);
	*is_whole = false;
	while ((n = m->read(m->arg, block, room)) > 0) {
		must((size_t)n <= room);
		in = (struct str){ block, (size_t)n };
		client_await(c, PHASE_block);
		c->net->deadline = mono_first(c->net->deadline, last);
		while (data_write(&writer, &in, &out))
			stream_put(c->net, out);
		if (c->net->trouble != STREAM_FINE ||
		    (c->net->bytes_out != before && stream_has_spoken(c->net)))
			return 0;	/* told by who hears next */
	}
	out = data_write_end(&writer);
	if (n < 0 || out.p == NULL)
		return -1;
	stream_put(c->net, out);
	*is_whole = stream_flush(c->net) == 0;
	return 0;
}

static yields void
transfer_body(struct exchange *x)
{
	struct arena arena;
	size_t room;
	char *block;
	int passed;
	bool is_whole;

	room = x->message->size < TRANSFER_BLOCK ?
	    (size_t)x->message->size + 1 : TRANSFER_BLOCK;
	if (room < TRANSFER_BLOCK_LEAST)
		room = TRANSFER_BLOCK_LEAST;
	arena_init(&arena, 2 * TRANSFER_BLOCK);
	block = arena_alloc(&arena, room);
	passed = block == NULL ? -1 : transfer_pass(x, block, room, &is_whole);
	arena_clear(&arena);
	if (passed != 0)
		transfer_unreadable(x);
	else if (!is_whole)
		transfer_interrupted(x);
	else
		transfer_hear_end(x);
}

yields void
transfer_nothing(struct client *c)
{
	if (c->kind == CLIENT_LMTP) {
		c->is_over = true;
		return;
	}
	stream_put(c->net, STR(".\r\n"));
	client_hear(c, PHASE_end, NULL);
	c->must_reset = false;
}

yields void
transfer_run(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v;

	must(x->data_is_said && x->heard == x->message->n);
	v = client_hear(c, PHASE_data, NULL);
	if (c->is_over)
		exchange_settle(x, &v);
	else if (v.code == 354 && stream_buffered(c->net) > 0) {
		/* An answer to a dot that was not said would be believed. */
		c->is_over = true;
		v = verdict_make(DEFERRED, 0, "4.5.0",
		    "the host answered before it was asked");
		exchange_settle(x, &v);
	} else if (v.code == 354 && exchange_count(x) > 0)
		transfer_body(x);
	else if (v.code == 354)
		transfer_nothing(c);
	else {
		/* "250" to DATA: nobody knows what it takes what follows for */
		if (v.code / 100 < 4) {
			c->is_over = true;
			v = verdict_of(DEFERRED, v.code, v.esc,
			    str_of(v.text));
		}
		exchange_settle(x, &v);
	}
}
