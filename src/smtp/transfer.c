#include "smtp/transfer.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "fiber/stream.h"
#include "smtp/client_inner.h"
#include "smtp/fit.h"
#include "wire/data.h"
#include "wire/reply.h"

#include <inttypes.h>

enum {
	/* RFC 3030 2: a trouble is told only behind a chunk. */
	TRANSFER_CHUNK = 1024 * 1024,
	/* What the whole body may take besides its size at CLIENT_RATE_LEAST. */
	TRANSFER_GRACE_S = 600
};

/* ---- the last word ---- */

/*
 * RFC 3030 2: who is sent BDAT and does not know it takes the chunk for commands,
 * so that nothing can be said to him any more.  He offered it, so the next
 * connection does without.
 */
static void
transfer_doubt(struct exchange *x, struct verdict *v)
{
	struct client *c = x->client;

	if (x->data_is_said || (v->code != 500 && v->code != 502))
		return;
	c->is_over = true;
	c->lies |= CAPABILITY_BIT(CHUNKING) | CAPABILITY_BIT(BINARYMIME);
	*v = verdict_of(DEFERRED, v->code, v->esc, str_of(v->text));
}

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
		if (!c->is_over) {
			v = client_hear(c, PHASE_end, NULL);
			transfer_doubt(x, &v);
		}
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
		transfer_doubt(x, &v);
		exchange_settle(x, &v);
	}
	/* RFC 3030 2: after a failed BDAT "a RSET command MUST be issued". */
	c->must_reset = !x->data_is_said && exchange_count(x) == 0;
}

/*
 * A reply before the end, or a connection that broke: the message was not taken.
 * A refusal counts (RFC 5321 4.2.5 knows none here, but 552 for what is too large
 * and 554 for what a filter saw are said so); a yes is worth nothing.
 */
static yields void
transfer_interrupted(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v = client_hear(c, PHASE_block, NULL);

	c->is_over = true;
	transfer_doubt(x, &v);
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

/* What the whole content may take. */
static struct mono
transfer_end(const struct exchange *x)
{
	return mono_add(clock_mono(), add_sat_i64(
	    TRANSFER_GRACE_S * NS_PER_SECOND,
	    (int64_t)(x->fit.size / CLIENT_RATE_LEAST) * NS_PER_SECOND));
}

static void
transfer_await(struct exchange *x, struct mono last)
{
	client_await(x->client, PHASE_block);
	x->client->net->deadline = mono_first(x->client->net->deadline, last);
}

/* ---- DATA ---- */

/* The content through the framing, until the peer interrupts us.  -1: it must
 * not be ended, so the connection must go. */
static yields int
transfer_pass(struct exchange *x, bool *is_whole)
{
	struct client *c = x->client;
	struct data_writer writer;
	uint64_t before = c->net->bytes_out;
	struct mono last = transfer_end(x);
	struct str in, out;
	int rc;

	data_writer_init(&writer);
	*is_whole = false;
	while ((rc = fit_next(&x->fit, &in)) > 0) {
		transfer_await(x, last);
		while (data_write(&writer, &in, &out))
			stream_put(c->net, out);
		if (c->net->trouble != STREAM_FINE ||
		    (c->net->bytes_out != before && stream_has_spoken(c->net)))
			return 0;	/* told by who hears next */
	}
	out = data_write_end(&writer);
	if (rc < 0 || out.p == NULL)
		return -1;
	stream_put(c->net, out);
	*is_whole = stream_flush(c->net) == 0;
	return 0;
}

static yields void
transfer_body(struct exchange *x)
{
	bool is_whole;

	if (transfer_pass(x, &is_whole) != 0)
		transfer_unreadable(x);
	else if (!is_whole)
		transfer_interrupted(x);
	else
		transfer_hear_end(x);
}

/* ---- BDAT ---- */

struct chunks {
	uint64_t left;			/* octets of the content */
	struct str at_hand;		/* of it, read and not yet said */
	struct mono last;
	bool owes;			/* the reply to the chunk before is due */
};

/* RFC 3030 2: "Correct byte counting is essential."  The last octet goes when it
 * is seen that there is no other. */
static yields int
chunk_put(struct exchange *x, struct chunks *k, struct str part, bool is_last)
{
	struct stream *net = x->client->net;
	char end;

	must(part.n > 0);
	if (!is_last) {
		stream_put(net, part);
		return 0;
	}
	end = part.p[part.n - 1];
	stream_put(net, str_sub(part, 0, part.n - 1));
	if (k->at_hand.n > 0 || fit_next(&x->fit, &k->at_hand) != 0)
		return -1;
	stream_put(net, (struct str){ &end, 1 });
	return 0;
}

/* A chunk of n octets.  1: the peer is gone or spoke out of turn; -1: our copy
 * is not what it was said to be. */
static yields int
chunk_say(struct exchange *x, struct chunks *k, uint64_t n)
{
	struct stream *net = x->client->net;
	uint64_t before = net->bytes_out;
	struct str part;

	must(n > 0 && n <= k->left);
	transfer_await(x, k->last);
	k->left -= n;
	stream_printf(net, "BDAT %" PRIu64 "%s\r\n", n,
	    k->left == 0 ? " LAST" : "");
	while (n > 0) {
		if (k->at_hand.n == 0 && fit_next(&x->fit, &k->at_hand) != 1)
			return -1;
		part = str_sub(k->at_hand, 0, (size_t)n);
		k->at_hand = str_sub(k->at_hand, part.n, k->at_hand.n);
		n -= part.n;
		transfer_await(x, k->last);
		if (chunk_put(x, k, part, n == 0 && k->left == 0) != 0)
			return -1;
		if (net->trouble != STREAM_FINE || (!k->owes &&
		    net->bytes_out != before && stream_has_spoken(net)))
			return 1;
	}
	return stream_flush(net) == 0 ? 0 : 1;
}

/* The reply to a chunk that was not the last.  False: all is over. */
static yields bool
chunk_hear(struct exchange *x, struct chunks *k)
{
	struct verdict v = client_hear(x->client, PHASE_block, NULL);

	must(k->owes);
	k->owes = false;
	if (v.disposition == DELIVERED)
		return true;
	transfer_doubt(x, &v);
	exchange_settle(x, &v);
	return false;
}

/* What follows a refused chunk is refused too.  How many replies LMTP has for
 * its last one nobody says. */
static yields void
chunk_hear_rest(struct exchange *x, const struct chunks *k)
{
	struct client *c = x->client;

	if (c->kind == CLIENT_LMTP && k->left == 0)
		c->is_over = true;
	if (!c->is_over)
		client_hear(c, PHASE_block, NULL);
}

/* With PIPELINING a chunk is under way while the one before is answered. */
static yields void
transfer_chunks(struct exchange *x)
{
	bool ahead = client_has(x->client, CAPABILITY_BIT(PIPELINING));
	struct chunks k = { .left = x->fit.size, .at_hand = STR_INIT(""),
		.last = transfer_end(x) };
	int rc;

	while (k.left > 0) {
		rc = chunk_say(x, &k, k.left < TRANSFER_CHUNK ? k.left :
		    TRANSFER_CHUNK);
		if (rc < 0) {
			transfer_unreadable(x);
			return;
		}
		if (rc > 0) {
			transfer_interrupted(x);
			return;
		}
		if (k.owes && !chunk_hear(x, &k)) {
			chunk_hear_rest(x, &k);
			return;
		}
		k.owes = k.left > 0;
		if (k.owes && !ahead && !chunk_hear(x, &k))
			return;
	}
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

	must(x->heard == x->message->n);
	/* An answer to chunks, or to a dot, that were not said would be
	 * believed. */
	if (!x->data_is_said) {
		if (!exchange_is_answered_early(x))
			transfer_chunks(x);
		return;
	}
	v = client_hear(c, PHASE_data, NULL);
	if (c->is_over)
		exchange_settle(x, &v);
	else if (v.code == 354 && exchange_is_answered_early(x))
		return;
	else if (v.code == 354 && exchange_count(x) > 0)
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
