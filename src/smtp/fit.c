#include "smtp/fit.h"

#include "base/must.h"
#include "fiber/fiber.h"
#include "smtp/client_inner.h"
#include "wire/reply.h"

#include <inttypes.h>

enum {
	FIT_BLOCK = 64 * 1024,	/* a piece of the spool: read once, where less would
				 * read it once to check it and once again */
	FIT_BLOCK_LEAST = 4 * 1024,	/* as spool/body.h asks */
	FIT_ARENA = 2 * FIT_BLOCK + 2 * sizeof(struct recode)
};

static struct verdict
fit_good(void)
{
	return verdict_make(DELIVERED, 0, "2.0.0", "not refused yet");
}

static struct verdict
fit_unreadable(void)
{
	return verdict_make(DEFERRED, 0, "4.3.0",
	    "our copy of the message could not be read");
}

/* ---- what the peer lacks ---- */

struct lack {
	bool has_8bit, has_binary, has_utf8;	/* offered */
	bool must_look;
	enum recode_goal goal;
};

/* RFC 3030 3: "BINARYMIME ... can only be used with the CHUNKING". */
static struct lack
fit_lack(const struct client *c, const struct client_message *m)
{
	struct lack l = {
		.has_8bit = client_has(c, CAPABILITY_BIT(EIGHTBITMIME)),
		.has_utf8 = client_has(c, CAPABILITY_BIT(SMTPUTF8)),
		.has_binary = client_has(c, CAPABILITY_BIT(BINARYMIME)) &&
		    client_has(c, CAPABILITY_BIT(CHUNKING)),
	};

	l.must_look = (m->is_utf8 && !l.has_utf8) ||
	    (m->body == CLIENT_BODY_8BIT && !l.has_8bit) ||
	    (m->body == CLIENT_BODY_BINARY && !l.has_binary);
	l.goal = l.has_8bit ? RECODE_TO_8BIT : RECODE_TO_7BIT;
	return l;
}

/* Only who asks for SMTPUTF8 may send addresses in UTF-8, even if the message
 * came without: an alias may lead to one. */
static bool
fit_says_utf8(const struct client_message *m)
{
	bool is_utf8 = m->is_utf8 || !str_is_ascii(m->sender);

	for (size_t i = 0; i < m->n && !is_utf8; i++)
		is_utf8 = !str_is_ascii(m->recipients[i].address);
	return is_utf8;
}

/* ---- reading ---- */

/* The next block of the message: 1, 0 at the end, -1. */
static yields int
fit_read(struct fit *f)
{
	int64_t n = f->message->read(f->message->arg, f->block, f->room);

	must(n <= (int64_t)f->room && f->chunk.n == 0);
	if (n > 0)
		f->chunk = (struct str){ f->block, (size_t)n };
	f->has_ended = n == 0;
	return n > 0 ? 1 : n == 0 ? 0 : -1;
}

static void
fit_again(struct fit *f)
{
	f->chunk = STR("");
	f->has_ended = false;
	f->message->rewind(f->message->arg);
}

/* What recode has taken of a block lies there until it says that it wants more. */
static yields int
fit_recoded(struct fit *f, struct str *out)
{
	int rc;

	while (!f->has_ended) {
		rc = recode_next(f->recode, &f->chunk, out);
		if (rc != 0)
			return rc;
		if (fit_read(f) < 0)
			return -1;
	}
	return recode_finish(f->recode, out);
}

yields int
fit_next(struct fit *f, struct str *out)
{
	if (f->recode != NULL)
		return fit_recoded(f, out);
	if (!f->has_ended && fit_read(f) < 0)
		return -1;
	*out = f->chunk;
	f->chunk = STR("");
	return !f->has_ended;
}

/* ---- the survey ---- */

static yields int
fit_survey(struct fit *f, const struct lack *l)
{
	int rc;

	recode_begin(f->recode, l->goal,
	    f->message->body == CLIENT_BODY_BINARY, &f->recode_arena);
	while ((rc = fit_read(f)) > 0) {
		recode_survey(f->recode, f->chunk);
		f->chunk = STR("");
	}
	if (rc == 0)
		(void)recode_survey_end(f->recode);
	arena_clear(&f->recode_arena);
	return rc;
}

/* How long it will be. */
static yields int
fit_measure(struct fit *f)
{
	struct str out;
	int rc;

	must(f->recode != NULL && f->recode->is_needed);
	fit_again(f);
	recode_again(f->recode);
	f->size = 0;
	while ((rc = fit_next(f, &out)) > 0)
		f->size += out.n;
	arena_clear(&f->recode_arena);
	return rc;
}

static struct verdict
fit_judge(const struct fit *f, const struct lack *l)
{
	const struct recode *r = f->recode;

	must(r != NULL);
	if (r->header_has_8bit && f->message->is_utf8 && !l->has_utf8)
		return verdict_make(FAILED, 0, "5.6.7",
		    "its header needs SMTPUTF8, which the host does not offer");
	if (r->header_has_8bit && l->goal == RECODE_TO_7BIT)
		return verdict_make(FAILED, 0, "5.6.3", "the host takes no "
		    "8-bit content, and no encoding can be given to a header");
	if (r->refusal != NULL)
		return verdict_make(FAILED, 0, "5.6.3", "the host takes no "
		    "%s content, and the message cannot be converted: %s",
		    l->goal == RECODE_TO_7BIT ? "8-bit" : "binary",
		    r->refusal);
	return fit_good();
}

static yields struct verdict
fit_convert(struct fit *f, const struct lack *l)
{
	struct verdict v;

	must(f->recode == NULL && l->must_look);
	f->recode = arena_new(&f->arena, struct recode);
	if (f->recode == NULL || fit_survey(f, l) != 0)
		return fit_unreadable();
	v = fit_judge(f, l);
	if (v.disposition != DELIVERED)
		return v;
	if (l->goal == RECODE_TO_7BIT)
		f->body = CLIENT_BODY_7BIT;
	else if (f->body == CLIENT_BODY_BINARY)
		f->body = CLIENT_BODY_8BIT;
	if (!f->recode->is_needed)
		f->recode = NULL;
	else if (fit_measure(f) != 0)
		return fit_unreadable();
	else
		recode_again(f->recode);
	fit_again(f);
	return v;
}

yields struct verdict
fit_open(struct fit *f, const struct client *c, const struct client_message *m)
{
	struct lack l = fit_lack(c, m);
	struct verdict v = fit_good();

	*f = (struct fit){ .message = m, .body = m->body, .size = m->size,
		.is_utf8 = l.has_utf8 && fit_says_utf8(m), .chunk = STR("") };
	arena_init(&f->arena, FIT_ARENA);
	arena_init(&f->recode_arena, RECODE_ARENA);
	f->room = m->size < FIT_BLOCK && !l.must_look ? (size_t)m->size + 1 :
	    FIT_BLOCK;
	if (f->room < FIT_BLOCK_LEAST)
		f->room = FIT_BLOCK_LEAST;
	if ((f->block = arena_alloc(&f->arena, f->room)) == NULL)
		return fit_unreadable();
	if (l.must_look)
		v = fit_convert(f, &l);
	if (v.disposition == DELIVERED && c->ehlo.size != 0 &&
	    f->size > c->ehlo.size)
		v = verdict_make(FAILED, 552, "5.3.4", "%" PRIu64
		    " octets are more than the %" PRIu64 " the host takes",
		    f->size, c->ehlo.size);
	return v;
}

void
fit_close(struct fit *f)
{
	arena_clear(&f->recode_arena);
	arena_clear(&f->arena);
}
