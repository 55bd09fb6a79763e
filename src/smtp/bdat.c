/*
 * BDAT: RFC 3030 2.
 *
 *	bdat-cmd   = "BDAT" SP chunk-size [SP "LAST"] CRLF
 *	chunk-size = 1*DIGIT
 *
 * and behind it so many octets.  Whoever knows the size takes them, whatever he
 * thinks of them: a chunk that cannot be taken is swallowed and then refused, and
 * the transaction is over; chunks that were sent behind it meet a session without
 * one and hear 503, swallowed too.  A size that no message may have is refused
 * before it comes.  What lies between two chunks (the reader's state, a counter)
 * is of the same size after any number of them: SECURITY.md row 18.
 */
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "fiber/stream.h"
#include "intake/intake.h"
#include "smtp/content.h"
#include "smtp/say.h"
#include "wire/data.h"
#include "wire/disposition.h"

#include <inttypes.h>

struct chunk {
	uint64_t octets;
	bool is_last;
};

static bool
chunk_parse(struct str arg, struct chunk *out)
{
	struct str size = str_cut(&arg, ' ');

	while (arg.n > 0 && arg.p[0] == ' ')
		arg = str_sub(arg, 1, arg.n);
	out->is_last = str_eq_icase(arg, STR("LAST"));
	return (arg.n == 0 || out->is_last) &&
	    parse_u64(size, UINT64_MAX, &out->octets);
}

static yields int
chunk_swallow(struct session *s, uint64_t octets)
{
	struct pace pace = pace_begin();
	struct str bytes;

	while (octets > 0) {
		if (content_peek(s, &pace, &bytes) != 0)
			return -1;
		bytes = str_sub(bytes, 0, octets);
		octets -= bytes.n;
		content_took(s, &pace, bytes.n, clock_mono());
	}
	return 0;
}

/* Why the session is not where a chunk may come, or REPLY_GO. */
static enum session_reply
chunk_is_early(const struct session *s)
{
	if (session_lacks_tls(s, VERB_BDAT))
		return REPLY_NO_PRIVACY;
	if (session_lacks_certificate(s, VERB_BDAT))
		return REPLY_NO_CERTIFICATE;
	switch (s->state) {
	case SESSION_START:
		return REPLY_NO_HELO;
	case SESSION_READY:
		return s->is_extended ? REPLY_NO_MAIL : REPLY_NO_HELO;
	case SESSION_MAIL:
		return REPLY_NO_RCPT;
	case SESSION_RCPT:
	case SESSION_BDAT:
	case SESSION_STATES:
		break;
	}
	return s->is_extended ? REPLY_GO : REPLY_NO_HELO;
}

/* RFC 1870 6.2: more than a message may have. */
static bool
chunk_is_big(const struct session *s, const struct chunk *chunk)
{
	must(s->txn.config != NULL);
	return add_sat(s->txn.octets, chunk->octets) >
	    s->txn.config->limits.size;
}

/* The first one opens the content. */
static yields struct verdict
chunk_admit(struct session *s)
{
	struct verdict v = { .disposition = DELIVERED };

	must(s->state == SESSION_RCPT || s->state == SESSION_BDAT);
	if (++s->txn.n_chunks > s->txn.config->limits.chunks)
		return session_verdict(REPLY_CHUNKS);
	if (s->state == SESSION_BDAT)
		return v;
	v = content_open(s);
	if (v.disposition != DELIVERED)
		return v;
	data_reader_init_chunks(&s->txn.chunks, content_is_forgiven(s),
	    s->txn.body == BODY_BINARYMIME);
	s->state = SESSION_BDAT;
	return v;
}

/* -1: the client is gone.  What intake thinks of it is asked later. */
static yields int
chunk_receive(struct session *s, uint64_t octets)
{
	struct pace pace = pace_begin();
	struct str bytes, rest, run;
	struct mono since;

	must(s->state == SESSION_BDAT && s->txn.intake != NULL);
	while (octets > 0) {
		if (content_peek(s, &pace, &bytes) != 0)
			return -1;
		since = clock_mono();
		bytes = str_sub(bytes, 0, octets);
		rest = bytes;
		while (data_read(&s->txn.chunks, &rest, &run))
			if (intake_content(s->txn.intake, run) != 0)
				s->txn.is_refused = true;
		must(rest.n == 0);
		octets -= bytes.n;
		s->txn.octets += bytes.n;
		content_took(s, &pace, bytes.n, since);
	}
	return 0;
}

/* What is to be said of the chunk, or of the whole message. */
static yields struct verdict
chunk_judge(struct session *s, const struct chunk *chunk)
{
	struct str end = STR_NONE;
	struct verdict v;

	must(s->state == SESSION_BDAT);
	if (chunk->is_last)
		end = data_read_end(&s->txn.chunks);
	if (end.n > 0 && intake_content(s->txn.intake, end) != 0)
		s->txn.is_refused = true;
	v = content_judge(s, &s->txn.chunks);
	if (v.disposition == DELIVERED &&
	    (chunk->is_last || s->txn.is_refused))
		return content_commit(s);
	return v;
}

/* What was refused already, with at most a message's worth of octets. */
static yields void
chunk_swallow_some(struct session *s, uint64_t octets, uint64_t most)
{
	stream_flush(&s->net);
	if (chunk_swallow(s, octets < most ? octets : most) != 0)
		content_lost(s);
	else if (octets > most)
		session_say(s, REPLY_ENDLESS);
}

static yields void
chunk_refuse_early(struct session *s, const struct chunk *chunk,
    enum session_reply why)
{
	uint64_t most = session_config(s)->limits.size;

	if (chunk->octets > most) {
		session_say(s, why);
		chunk_swallow_some(s, chunk->octets, most);
	} else if (chunk_swallow(s, chunk->octets) != 0) {
		content_lost(s);
	} else {
		session_say(s, why);
	}
}

/* It is not taken.  RFC 3030 2: "accept and discard the associated message data
 * before sending the appropriate 5XX or 4XX code". */
static yields void
chunk_refuse(struct session *s, const struct chunk *chunk,
    const struct verdict *v)
{
	must(v->disposition != DELIVERED && s->txn.config != NULL);
	if (chunk_swallow(s, chunk->octets) != 0)
		content_lost(s);
	else
		content_end(s, "BDAT", v);
}

/* No client can mean to send so much and be heard: he is told at once, and has
 * a message's worth of octets to notice. */
static yields void
chunk_refuse_size(struct session *s, const struct chunk *chunk)
{
	uint64_t most = s->txn.config->limits.size;
	struct verdict v = verdict_make(FAILED, 552, "5.3.4",
	    "The message is larger than %" PRIu64 " octets", most);

	content_end(s, "BDAT", &v);
	chunk_swallow_some(s, chunk->octets, most);
}

STEP static yields bool
chunk_begin(struct session *s, const struct chunk *chunk)
{
	struct verdict v = chunk_admit(s);

	if (v.disposition != DELIVERED)
		chunk_refuse(s, chunk, &v);
	return v.disposition == DELIVERED;
}

STEP static yields void
chunk_end(struct session *s, const struct chunk *chunk)
{
	struct verdict v = chunk_judge(s, chunk);

	if (v.disposition != DELIVERED || chunk->is_last) {
		content_end(s, "BDAT", &v);
		return;
	}
	v = verdict_make(DELIVERED, 250, "2.0.0", "%" PRIu64 " octets",
	    chunk->octets);
	session_say_verdict(s, &v);
}

static yields void
chunk_take(struct session *s, const struct chunk *chunk)
{
	if (!chunk_begin(s, chunk))
		return;
	if (chunk_receive(s, chunk->octets) != 0)
		content_lost(s);
	else
		chunk_end(s, chunk);
}

yields void
say_bdat(struct session *s, const struct command *command)
{
	enum session_reply early = chunk_is_early(s);
	struct chunk chunk;

	if (!chunk_parse(command->arg, &chunk)) {
		session_say(s, REPLY_BAD_CHUNK);
		return;
	}
	s->took_data = true;
	if (early != REPLY_GO)
		chunk_refuse_early(s, &chunk, early);
	else if (chunk_is_big(s, &chunk))
		chunk_refuse_size(s, &chunk);
	else
		chunk_take(s, &chunk);
}
