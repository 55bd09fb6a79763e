#include "deliver/bounce.h"

#include "base/id.h"
#include "base/must.h"
#include "deliver/key.h"
#include "fiber/clock.h"
#include "fiber/random.h"
#include "wire/header.h"

enum { REPORT_MEMORY = 2 * 1024 * 1024, RECIPIENTS_TOLD = 100,
	HEADER_RETURNED = 64 * 1024, READ_SIZE = 16 * 1024 };

struct report {
	struct arena arena;
	const struct delivery *about;
	struct dsn dsn;
	struct buf piece;		/* DSN_PIECE, used again and again */
	struct str *parts;
	size_t n_parts, most_parts;
	struct str sender;		/* of the recipients that are told */
	struct str returned;		/* the original, or its header */
	size_t from;			/* next recipient to look at */
	bool has_room;
};

static void
part_add(struct report *r, struct str part)
{
	must(r->n_parts < r->most_parts);
	if (part.p == NULL)
		r->has_room = false;
	r->parts[r->n_parts++] = part;
}

static void
piece_add(struct report *r)
{
	part_add(r, r->piece.full ? STR_NONE :
	    arena_copy(&r->arena, buf_str(&r->piece)));
	r->piece.n = 0;
	r->piece.full = false;
}

/* ---- what comes back of the original ---- */

static size_t
header_end(struct str text)
{
	size_t at = str_find_str(text, STR("\r\n\r\n"));

	return at == text.n ? text.n : at + 2;
}

/*
 * The whole when it is small, else its header.  What cannot be read any more is
 * left out: a sender is told all the same.
 */
static yields int
original_read(struct report *r, uint64_t most)
{
	const struct delivery *d = r->about;
	uint64_t size = d->envelope.size;
	size_t want, got = 0;
	struct body body;
	char *p;

	r->dsn.returns_whole = size <= most;
	r->dsn.has_8bit = (d->envelope.flags & ENVELOPE_8BIT) != 0;
	want = r->dsn.returns_whole || size < HEADER_RETURNED ? (size_t)size :
	    HEADER_RETURNED;
	p = arena_alloc(&r->arena, want + READ_SIZE);
	if (p == NULL)
		return err_set("no memory for a report");
	body_open(&body, &d->pin);
	while (got < want) {
		int64_t n = body_read(&body, p + got, READ_SIZE);

		if (n < 0)
			r->dsn.returns_whole = false;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	r->returned = (struct str){ p, got };
	if (!r->dsn.returns_whole)
		r->returned = str_sub(r->returned, 0, header_end(r->returned));
	return 0;
}

static struct str
original_message_id(struct report *r)
{
	struct str rest = str_sub(r->returned, 0, header_end(r->returned));
	struct header_scan scan;
	struct field f;

	header_begin(&scan, &r->arena);
	/* The last field ends only where the section does. */
	while (header_next(&scan, &rest, &f) == HEADER_FIELD ||
	    header_finish(&scan, &f) == HEADER_FIELD)
		if (f.known == HEADER_MESSAGE_ID)
			return arena_copy(&r->arena, field_msgid(f.value));
	return STR_NONE;
}

/* ---- writing ---- */

static enum disposition
told_by(enum dsn_action action)
{
	return action == DSN_DELAY ? DEFERRED : FAILED;
}

static bool
is_told(const struct report *r, const struct delivery_recipient *rcpt)
{
	return rcpt->verdict.disposition == told_by(r->dsn.action) &&
	    str_eq(rcpt->sender, r->sender);
}

static struct dsn_recipient
recipient_make(struct report *r, const struct delivery_recipient *rcpt)
{
	const struct delivery *d = r->about;

	return (struct dsn_recipient){
		.action = r->dsn.action,
		.final = rcpt->address,
		.original = rcpt->orig.p == NULL ? STR_NONE :
		    arena_join(&r->arena, STR("rfc822;"), rcpt->orig),
		.remote = rcpt->remote,
		.verdict = rcpt->verdict,
		.tried_at = clock_wall(),
		.retry_until = r->dsn.action == DSN_DELAY ?
		    clock_wall_at(d->handoff.expires) : (struct wall){ 0 },
	};
}

/* One pass over the recipients of this report, from r->from to `to'. */
static void
recipients_write(struct report *r, size_t to,
    void (*write)(struct buf *, const struct dsn *,
    const struct dsn_recipient *))
{
	for (size_t i = r->from; i < to; i++) {
		struct dsn_recipient one;

		if (!is_told(r, &r->about->rcpts[i]))
			continue;
		one = recipient_make(r, &r->about->rcpts[i]);
		write(&r->piece, &r->dsn, &one);
		piece_add(r);
	}
}

/* Where this report stops, so that it tells at most RECIPIENTS_TOLD. */
static size_t
report_end(const struct report *r)
{
	size_t i, n = 0;

	for (i = r->from; i < r->about->n && n < RECIPIENTS_TOLD; i++)
		n += is_told(r, &r->about->rcpts[i]);
	return i;
}

static int
report_write(struct report *r, size_t to)
{
	r->most_parts = 2 * (to - r->from) + 8;
	r->n_parts = 0;
	r->has_room = true;
	r->parts = arena_alloc(&r->arena, r->most_parts * sizeof *r->parts);
	if (r->parts == NULL)
		return err_set("no memory for a report");
	dsn_begin(&r->piece, &r->dsn);
	piece_add(r);
	recipients_write(r, to, dsn_tell);
	dsn_status(&r->piece, &r->dsn);
	piece_add(r);
	recipients_write(r, to, dsn_status_of);
	dsn_return(&r->piece, &r->dsn);
	piece_add(r);
	part_add(r, r->returned);
	dsn_end(&r->piece, &r->dsn);
	piece_add(r);
	return r->has_room ? 0 : err_set("no memory for a report");
}

/* ---- to whom, and whether ---- */

/* Whoever has no domain of his own here may have been forged (SECURITY.md rows
 * 15, 16): what leaves for him is rationed. */
static bool
gate_open(struct deliver *home, const struct config *conf, struct str to)
{
	struct gcra_limit limit = { conf->limits.bounces.n,
		conf->limits.bounces.per_ns, conf->limits.bounces.n };
	uint64_t hash = hash_bytes(home->queue_config->key,
	    mailbox_domain(to));

	return conf->limits.bounces.n == 0 ||
	    config_domain(conf, mailbox_domain(to)) != NULL || gcra_take(
	    &home->bounce_gates[hash % BOUNCE_GATES], &limit, clock_mono(), 1);
}

/* RFC 5321 4.5.5: nothing is ever sent to the null sender.  The admin is told
 * of a report that came back, and of his own nobody. */
static struct str
report_to(const struct config *conf, const struct report *r)
{
	const struct delivery *d = r->about;

	if (r->sender.n > 0)
		return r->sender;
	if (r->dsn.action != DSN_FAILURE ||
	    conf->bounce.twice != DOUBLE_ADMIN || (d->envelope.flags & ENVELOPE_LAST) != 0)
		return STR_NONE;
	return conf->admin;
}

static unsigned
report_flags(const struct report *r)
{
	return r->sender.n > 0 ? ENVELOPE_REPORT :
	    ENVELOPE_REPORT | ENVELOPE_LAST;
}

static void
dsn_fill(struct report *r, const struct config *conf, struct str to)
{
	struct id_text id = id_print(r->about->handoff.ref.id);
	struct arena *a = &r->arena;

	r->dsn.host = conf->hostname;
	r->dsn.postmaster = arena_join(a, STR("postmaster@"), conf->hostname);
	r->dsn.to = to;
	r->dsn.message_id = arena_printf(a, "%s.%016llx@" STR_FMT, id.text,
	    (unsigned long long)random_u64(), STR_ARG(conf->hostname));
	r->dsn.in_reply_to = original_message_id(r);
	r->dsn.boundary = arena_printf(a, "=_%s_%016llx", id.text,
	    (unsigned long long)random_u64());
	r->dsn.queue_id = arena_copy(a, str_of(id.text));
	r->dsn.arrived = r->about->envelope.arrived;
	r->dsn.has_8bit = (r->about->envelope.flags & ENVELOPE_8BIT) != 0;
	r->dsn.now = clock_wall();
}

static void
report_tell(struct deliver *home, struct report *r, const struct verdict *v,
    uint64_t id)
{
	struct event e = event_make(EVENT_bounce_made, clock_wall(),
	    r->about->handoff.ref.id);
	const char *what = r->dsn.action == DSN_DELAY ? "delayed" : "failed";

	event_str(&e, FIELD_recipient, r->dsn.to);
	event_str(&e, FIELD_reason, str_of(v->disposition == FAILED ?
	    "refused" : what));
	event_str(&e, FIELD_text, v->disposition == DELIVERED ?
	    arena_printf(&r->arena, "report %s", id_print(id).text) :
	    str_of(v->text));
	intake_tell(home->intake, &e);
}

/* Refused by our own rules, it will never be kept: that is told, and all. */
static yields int
report_keep(struct deliver *home, const struct config *conf, struct report *r)
{
	struct intake_post post = { .recipients = &r->dsn.to,
		.n_recipients = 1, .parts = r->parts, .n_parts = r->n_parts,
		.origin = { .sender = STR(""),
			.tenant = r->about->envelope.tenant,
			.stream = r->about->envelope.stream,
			.parent = r->about->handoff.ref.id,
			.flags = report_flags(r) } };
	struct verdict v;
	uint64_t id = 0;

	v = intake_post(home->intake, conf, &r->arena, &post, &id);
	if (v.disposition == DEFERRED)
		return err_set("%s", v.text);
	report_tell(home, r, &v, id);
	home->counts.bounces += v.disposition == DELIVERED;
	return 0;
}

static yields int
reports_make(struct deliver *home, const struct config *conf, struct report *r)
{
	while (r->from < r->about->n) {
		size_t to = report_end(r);

		if (report_write(r, to) != 0 || report_keep(home, conf, r) != 0)
			return -1;
		r->from = to;
	}
	return 0;
}

static void
unreported_tell(struct deliver *home, const struct report *r, const char *why)
{
	struct event e = event_make(EVENT_bounce_made, clock_wall(),
	    r->about->handoff.ref.id);

	event_str(&e, FIELD_recipient, r->sender);
	event_str(&e, FIELD_reason, STR("none"));
	event_str(&e, FIELD_text, str_of(why));
	intake_tell(home->intake, &e);
}

/* To the sender of recipient i, of all that he sent to. */
static yields int
bounce_to_one(struct deliver *home, const struct config *conf,
    const struct delivery *d, enum dsn_action action, size_t i)
{
	struct report r = { .about = d, .dsn.action = action,
		.sender = d->rcpts[i].sender };
	struct str to = report_to(conf, &r);
	int rc;

	if (to.n == 0) {
		unreported_tell(home, &r, "no report: the sender is null");
		return 0;
	}
	if (!gate_open(home, conf, to)) {
		unreported_tell(home, &r, "no report: limits.bounces reached");
		return 0;
	}
	arena_init(&r.arena, REPORT_MEMORY + conf->bounce.body);
	r.piece = (struct buf){ .p = arena_alloc(&r.arena, DSN_PIECE),
		.cap = DSN_PIECE };
	rc = r.piece.p == NULL ? err_set("no memory for a report") :
	    original_read(&r, conf->bounce.body);
	if (rc == 0) {
		dsn_fill(&r, conf, to);
		rc = reports_make(home, conf, &r);
	}
	arena_clear(&r.arena);
	return rc;
}

/* Was his sender told with one before him? */
static bool
is_first_of_sender(const struct delivery *d, enum dsn_action action, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (d->rcpts[k].verdict.disposition == told_by(action) &&
		    str_eq(d->rcpts[k].sender, d->rcpts[i].sender))
			return false;
	return true;
}

yields int
bounce_send(struct deliver *home, const struct config *conf,
    const struct delivery *d, enum dsn_action action)
{
	int rc = 0;

	must(action == DSN_FAILURE || action == DSN_DELAY);
	must(d->is_pinned);
	for (size_t i = 0; i < d->n && rc == 0; i++)
		if (d->rcpts[i].verdict.disposition == told_by(action) &&
		    is_first_of_sender(d, action, i))
			rc = bounce_to_one(home, conf, d, action, i);
	return rc;
}
