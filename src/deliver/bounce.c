#include "deliver/bounce.h"

#include "base/err.h"
#include "base/id.h"
#include "base/must.h"
#include "deliver/deliver.h"
#include "deliver/original.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "fiber/random.h"
#include "policy/config.h"
#include "spool/envelope.h"
#include "wire/address.h"
#include "wire/disposition.h"

/* Encoded, an octet takes three. */
enum { REPORT_MEMORY = 4 * 1024 * 1024, RECIPIENTS_TOLD = 100,
	PARTS_BESIDES = 12 };

struct report {
	struct arena arena;
	const struct delivery *about;
	struct dsn dsn;
	struct original original;
	struct str sender;		/* of the recipients that are told */
	bool is_from_list;		/* ENVID and RET are not his */
	struct buf piece;		/* DSN_PIECE, used again and again */
	struct str *parts;
	size_t n_parts, most_parts;
	size_t head;			/* where the part being written begins */
	enum dsn_octets octets;		/* in it so far */
	size_t from;			/* next recipient to look at */
	bool has_room;
};

/* ---- whom it is about ---- */

static bool
is_asked(unsigned notify, enum dsn_action action)
{
	switch (action) {
	case DSN_FAILURE:
		return notify == 0 || (notify & NOTIFY_FAILURE) != 0;
	case DSN_DELAY:
		return notify == 0 || (notify & NOTIFY_DELAY) != 0;
	case DSN_EXPANSION:
	case DSN_RELAY:
	case DSN_SUCCESS:
	case DSN_ACTIONS:
		break;
	}
	return (notify & NOTIFY_SUCCESS) != 0;
}

static enum disposition
told_by(enum dsn_action action)
{
	return action == DSN_FAILURE ? FAILED :
	    action == DSN_DELAY ? DEFERRED : DELIVERED;
}

/* A recipient of this report's sender with such an end. */
static bool
is_his(const struct report *r, const struct delivery_recipient *rcpt)
{
	if (rcpt->verdict.disposition == DELIVERED && (rcpt->is_expanded &&
	    !rcpt->is_list) != (r->dsn.action == DSN_EXPANSION))
		return false;
	return rcpt->verdict.disposition == told_by(r->dsn.action) &&
	    str_eq(rcpt->sender, r->sender);
}

static bool
is_told(const struct report *r, const struct delivery_recipient *rcpt)
{
	return is_his(r, rcpt) && !rcpt->is_discarded &&
	    is_asked(rcpt->notify, r->dsn.action);
}

static size_t
count_told(const struct report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->about->n; i++)
		n += is_told(r, &r->about->rcpts[i]);
	return n;
}

/* Without a word of the sender's, nobody waits for such a message. */
static bool
is_delay_asked(const struct report *r)
{
	for (size_t i = 0; i < r->about->n; i++)
		if (is_his(r, &r->about->rcpts[i]) &&
		    (r->about->rcpts[i].notify & NOTIFY_DELAY) != 0)
			return true;
	return false;
}

/* ---- parts ---- */

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
	struct str piece = r->piece.full ? STR_NONE :
	    arena_copy(&r->arena, buf_str(&r->piece));

	r->octets = dsn_octets(r->octets, piece);
	part_add(r, piece);
	r->piece.n = 0;
	r->piece.full = false;
}

static struct str
piece_quote(struct report *r, struct str piece)
{
	size_t n = dsn_quoted_most(piece.n);
	struct buf b = { .p = arena_alloc(&r->arena, n), .cap = n };

	must(r->n_parts <= r->most_parts);
	if (b.p == NULL || piece.p == NULL)
		return STR_NONE;
	dsn_quote(&b, piece);
	must(!b.full);
	return buf_str(&b);
}

/* The head of a part depends on what is in it: its place is kept. */
static void
part_begin(struct report *r)
{
	must(r->piece.n == 0);
	r->head = r->n_parts;
	r->octets = DSN_ASCII;
	part_add(r, STR(""));
}

static void
part_end(struct report *r, enum dsn_part which)
{
	must(r->head < r->n_parts);
	dsn_part(&r->piece, &r->dsn, which, r->octets);
	r->parts[r->head] = arena_copy(&r->arena, buf_str(&r->piece));
	r->has_room = r->has_room && r->parts[r->head].p != NULL;
	r->piece.n = 0;
	if (dsn_encoding(&r->dsn, which, r->octets) != DSN_QUOTED)
		return;
	for (size_t i = r->head + 1; i < r->n_parts; i++) {
		r->parts[i] = piece_quote(r, r->parts[i]);
		r->has_room = r->has_room && r->parts[i].p != NULL;
	}
}

/* ---- writing ---- */

static struct dsn_recipient
recipient_make(struct report *r, const struct delivery_recipient *rcpt)
{
	const struct delivery *d = r->about;

	must(is_told(r, rcpt));
	return (struct dsn_recipient){
		.action = r->dsn.action,
		.final = rcpt->address,
		.original = rcpt->orcpt,
		.given = rcpt->orig,
		.remote = rcpt->remote,
		.verdict = rcpt->verdict,
		.tried_at = rcpt->is_tried ? clock_wall() :
		    (struct wall){ 0 },
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
	must(to <= r->about->n && r->from < to);
	for (size_t i = r->from; i < to; i++) {
		struct dsn_recipient one;

		if (!is_told(r, &r->about->rcpts[i]))
			continue;
		one = recipient_make(r, &r->about->rcpts[i]);
		write(&r->piece, &r->dsn, &one);
		piece_add(r);
	}
}

/* Where this report stops, so that it tells at most RECIPIENTS_TOLD; r->from:
 * there is nobody left to tell of. */
static size_t
report_end(const struct report *r)
{
	size_t end = r->from, n = 0;

	for (size_t i = r->from; i < r->about->n && n < RECIPIENTS_TOLD; i++)
		if (is_told(r, &r->about->rcpts[i])) {
			end = i + 1;
			n++;
		}
	return end;
}

static void
words_write(struct report *r, size_t to)
{
	part_begin(r);
	dsn_greet(&r->piece, &r->dsn);
	piece_add(r);
	recipients_write(r, to, dsn_tell);
	dsn_help(&r->piece, &r->dsn);
	piece_add(r);
	part_end(r, DSN_PART_WORDS);
}

static void
status_write(struct report *r, size_t to)
{
	part_begin(r);
	dsn_status(&r->piece, &r->dsn);
	piece_add(r);
	recipients_write(r, to, dsn_status_of);
	part_end(r, DSN_PART_STATUS);
}

static void
returned_write(struct report *r)
{
	if (r->dsn.returns == DSN_NOTHING)
		return;
	part_begin(r);
	part_add(r, r->original.octets);
	r->octets = r->original.kind;
	part_end(r, DSN_PART_RETURNED);
}

static enum dsn_encoding
returned_encoding(const struct report *r)
{
	return dsn_encoding(&r->dsn, DSN_PART_RETURNED, r->original.kind);
}

static int
report_write(struct report *r, size_t to)
{
	must(to > r->from && to <= r->about->n);
	r->most_parts = 2 * (to - r->from) + PARTS_BESIDES;
	r->n_parts = 0;
	r->has_room = true;
	r->parts = arena_alloc(&r->arena, r->most_parts * sizeof *r->parts);
	if (r->parts == NULL)
		return err_set("no memory for a report");
	dsn_begin(&r->piece, &r->dsn, returned_encoding(r));
	piece_add(r);
	words_write(r, to);
	status_write(r, to);
	returned_write(r);
	dsn_end(&r->piece, &r->dsn);
	piece_add(r);
	return r->has_room ? 0 : err_set("no memory for a report");
}

/* ---- to whom, and whether ---- */

/* Whoever has no domain of his own here may have been forged (SECURITY.md rows
 * 15, 16): what leaves for him is rationed.  So are warnings to anybody: after a
 * long time without a network all that waits is late at once. */
static bool
gate_open(struct deliver *home, const struct config *conf, struct str to,
    enum dsn_action action)
{
	struct gcra_limit limit = { conf->limits.bounces.n,
		conf->limits.bounces.per_ns, conf->limits.bounces.n };
	uint64_t hash = hash_bytes(home->queue_config->key,
	    mailbox_domain(to));
	bool is_warning = action == DSN_DELAY;
	struct gcra *gates = is_warning ? home->warning_gates :
	    home->bounce_gates;

	return conf->limits.bounces.n == 0 || (!is_warning &&
	    config_domain(conf, mailbox_domain(to)) != NULL) ||
	    gcra_take(&gates[hash % BOUNCE_GATES], &limit, clock_mono(), 1);
}

/* RFC 5321 4.5.5: nothing is ever sent to the null sender.  The admin is told
 * of a report that came back, and of his own nobody. */
static struct str
report_to(const struct config *conf, const struct report *r)
{
	if (r->sender.n > 0)
		return r->sender;
	if (r->dsn.action != DSN_FAILURE ||
	    conf->reports.twice != DOUBLE_ADMIN ||
	    (r->about->envelope.flags & ENVELOPE_LAST) != 0)
		return STR_NONE;
	return conf->admin;
}

static unsigned
report_flags(const struct report *r)
{
	unsigned flags = ENVELOPE_REPORT;

	if (r->sender.n == 0)
		flags |= ENVELOPE_LAST;
	/* RFC 8689 5: a report is protected as what it is about */
	flags |= r->about->envelope.flags & ENVELOPE_REQUIRETLS;
	if (r->dsn.is_wide)
		flags |= ENVELOPE_SMTPUTF8;
	if (r->dsn.is_wide || returned_encoding(r) == DSN_8BIT)
		flags |= ENVELOPE_8BIT;
	return flags;
}

/* RFC 3461 4.3: RET is about failures; of others only the header returns, and of
 * what requires TLS (RFC 8689 5). */
static bool
is_whole_wanted(const struct config *conf, const struct report *r)
{
	if (r->dsn.action != DSN_FAILURE ||
	    (r->about->envelope.flags & ENVELOPE_REQUIRETLS) != 0)
		return false;
	switch (r->is_from_list ? RET_NONE : r->about->envelope.ret) {
	case RET_FULL:
		return true;
	case RET_HDRS:
		return false;
	case RET_NONE:
		break;
	}
	return conf->reports.returns == RETURN_FULL;
}

static enum language
report_language(const struct report *r, const struct config *conf)
{
	if (conf->reports.language != LANGUAGES)
		return conf->reports.language;
	return r->dsn.is_for_admin || r->original.language == LANGUAGES ?
	    LANGUAGE_en : r->original.language;
}

static void
dsn_fill(struct report *r, const struct config *conf, struct str to)
{
	const struct envelope *e = &r->about->envelope;
	struct id_text id = id_print(r->about->handoff.ref.id);
	struct arena *a = &r->arena;

	must(to.n > 0 && r->dsn.action < DSN_ACTIONS);
	r->dsn.host = conf->hostname;
	r->dsn.postmaster = arena_join(a, STR("postmaster@"), conf->hostname);
	r->dsn.to = to;
	r->dsn.queue_id = arena_copy(a, str_of(id.text));
	r->dsn.in_reply_to = r->original.message_id;
	r->dsn.returns = r->original.returns;
	r->dsn.envid = r->is_from_list ? STR_NONE : e->envid;
	r->dsn.helo = e->helo;
	r->dsn.client = e->client;
	r->dsn.arrived = e->arrived;
	r->dsn.now = clock_wall();
	r->dsn.is_for_admin = r->sender.n == 0;
	r->dsn.is_global = (e->flags & ENVELOPE_SMTPUTF8) != 0;
	r->dsn.is_wide = !str_is_ascii(to);
	r->dsn.language = report_language(r, conf);
}

/* ---- keeping ---- */

static void
report_tell(struct deliver *home, struct report *r, const struct verdict *v,
    uint64_t id)
{
	struct event e = event_make(EVENT_bounce_made, clock_wall(),
	    r->about->handoff.ref.id);
	struct id_text name = id_print(id);

	event_str(&e, FIELD_recipient, r->dsn.to);
	event_str(&e, FIELD_reason, str_of(v->disposition == FAILED ?
	    "refused" : dsn_word(r->dsn.action)));
	if (v->disposition == DELIVERED)
		event_str(&e, FIELD_report, str_of(name.text));
	else
		event_str(&e, FIELD_text, str_of(v->text));
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

	must(r->has_room && r->n_parts > 0);
	v = intake_post(home->intake, conf, &r->arena, &post, &id);
	if (v.disposition == DEFERRED)
		return err_set("%s", v.text);
	report_tell(home, r, &v, id);
	home->counts.bounces += v.disposition == DELIVERED;
	return 0;
}

/* Each report has names of its own. */
static int
report_name(struct report *r)
{
	struct id_text id = id_print(r->about->handoff.ref.id);

	r->dsn.message_id = arena_printf(&r->arena, "%s.%016llx@" STR_FMT,
	    id.text, (unsigned long long)random_u64(), STR_ARG(r->dsn.host));
	r->dsn.boundary = arena_printf(&r->arena, "=_%s_%016llx", id.text,
	    (unsigned long long)random_u64());
	return r->dsn.message_id.p == NULL || r->dsn.boundary.p == NULL ?
	    err_set("no memory for a report") : 0;
}

/* One after the other, each in the memory of the one before. */
static yields int
reports_make(struct deliver *home, const struct config *conf, struct report *r)
{
	struct arena_mark before = arena_mark(&r->arena);
	size_t to;

	while ((to = report_end(r)) > r->from) {
		if (report_name(r) != 0 || report_write(r, to) != 0 ||
		    report_keep(home, conf, r) != 0)
			return -1;
		arena_back(&r->arena, before);
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

/* The original is read and whoever must not be told is found out. */
static yields int
report_make(struct deliver *home, const struct config *conf, struct report *r,
    struct str to)
{
	r->piece = (struct buf){ .p = arena_alloc(&r->arena, DSN_PIECE),
		.cap = DSN_PIECE };
	if (r->piece.p == NULL)
		return err_set("no memory for a report");
	if (original_read(&r->original, r->about, &r->arena,
	    is_whole_wanted(conf, r), conf->reports.body) != 0)
		return -1;
	if (r->dsn.action == DSN_DELAY && r->original.is_automatic &&
	    !is_delay_asked(r)) {
		unreported_tell(home, r, "no report: the message is automatic");
		return 0;
	}
	dsn_fill(r, conf, to);
	return reports_make(home, conf, r);
}

/* Why there must be none; NULL: let there be one. */
static const char *
report_ban(struct deliver *home, const struct config *conf,
    const struct report *r, struct str to)
{
	if (count_told(r) == 0)
		return "no report: NOTIFY does not ask for it";
	if (to.n == 0)
		return "no report: the sender is null";
	if (!gate_open(home, conf, to, r->dsn.action))
		return "no report: limits.bounces reached";
	return NULL;
}

/* To the sender of one recipient, of all that he sent to. */
static yields int
bounce_to_one(struct deliver *home, const struct config *conf,
    const struct delivery *d, enum dsn_action action,
    const struct delivery_recipient *one)
{
	struct report r = { .about = d, .dsn.action = action,
		.sender = one->sender, .is_from_list = one->is_from_list };
	struct str to = report_to(conf, &r);
	const char *ban = report_ban(home, conf, &r, to);
	int rc;

	must(one->verdict.disposition == told_by(action));
	if (ban != NULL) {		/* good news need no excuse */
		if (told_by(action) != DELIVERED || count_told(&r) > 0)
			unreported_tell(home, &r, ban);
		return 0;
	}
	arena_init(&r.arena, REPORT_MEMORY + 4 * conf->reports.body);
	rc = report_make(home, conf, &r, to);
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

	must(d->is_pinned);
	for (size_t i = 0; i < d->n && rc == 0; i++)
		if (d->rcpts[i].verdict.disposition == told_by(action) &&
		    is_first_of_sender(d, action, i))
			rc = bounce_to_one(home, conf, d, action, &d->rcpts[i]);
	return rc;
}
