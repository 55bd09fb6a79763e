/*
 * The life of a recipient in the ledger, one octet each:
 *
 *	OPEN	COMMIT, MOVED	accepted, nothing more is known
 *	PAST	MOVED's STATE	has ended; the record of it may follow, as memory
 *				knows before the log does, or stand in a part of
 *				the log that is gone
 *	kind	OUTCOME, EXPAND, CANCEL, or from birth by a flag in the envelope
 *
 * and beside it whether it stands for others.  An account is closed when all
 * its recipients are told; then one bit remembers the message.
 */
#include "spool/ledger.h"

#include "base/id.h"
#include "base/list.h"
#include "base/must.h"
#include "base/num.h"
#include "spool/envelope.h"
#include "spool/tlv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	STATE_OPEN = 0, STATE_PAST = 0x40, STATE_HAS_CHILD = 0x80,
	STATE_MASK = 0x7f,
	ENVELOPE_MOST = 64 << 20,
	OVER_IDS = 4096			/* messages to a struct over */
};

struct account {
	struct table_node node;		/* hash: the id */
	uint64_t segment, at;		/* where it was accepted, or moved to */
	uint32_t n, left;		/* recipients; not told yet */
	bool is_held, was_moved;	/* its COMMIT was not seen */
	uint8_t states[];
};

/* Ids are dense: a bit each for those that have ended. */
struct over {
	struct table_node node;		/* hash: id / OVER_IDS */
	uint64_t bits[OVER_IDS / 64];
};

void
ledger_init(struct ledger *l, bool is_whole)
{
	*l = (struct ledger){ .is_whole = is_whole };
	arena_init(&l->scratch, ENVELOPE_MOST);
}

static void
accounts_drop(struct ledger *l)
{
	struct table_walk w = { .bucket = 0 };
	struct table_node *t;

	while ((t = table_walk(&l->accounts, &w)) != NULL) {
		table_remove(&l->accounts, t);
		free(OWNER_OF(t, struct account, node));
	}
}

void
ledger_clear(struct ledger *l)
{
	struct table_walk w = { .bucket = 0 };
	struct table_node *t;

	accounts_drop(l);
	table_clear(&l->accounts);
	while ((t = table_walk(&l->over, &w)) != NULL) {
		table_remove(&l->over, t);
		free(OWNER_OF(t, struct over, node));
	}
	table_clear(&l->over);
	arena_clear(&l->scratch);
}

static void ledger_breach(struct ledger *, uint64_t id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
ledger_breach(struct ledger *l, uint64_t id, const char *fmt, ...)
{
	char what[160], room[200];
	struct buf b = BUF_OF(room);
	va_list ap;

	l->totals.breaches++;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	buf_printf(&b, "%s %s", id_print(id).text, what);
	if (l->breach != NULL)
		l->breach(l, l->segment, l->at, buf_str(&b));
}

/* ---- who is over ---- */

static struct over *
over_find(const struct ledger *l, uint64_t id)
{
	struct table_node *t = table_find(&l->over, id / OVER_IDS);

	return t == NULL ? NULL : OWNER_OF(t, struct over, node);
}

static bool
over_has(const struct ledger *l, uint64_t id)
{
	const struct over *o = over_find(l, id);

	return o != NULL &&
	    (o->bits[id % OVER_IDS / 64] >> (id % 64) & 1) != 0;
}

static enum ledger_result
over_add(struct ledger *l, uint64_t id)
{
	struct over *o = over_find(l, id);

	if (o == NULL) {
		o = calloc(1, sizeof *o);
		if (o == NULL || table_insert(&l->over, &o->node,
		    id / OVER_IDS) != 0) {
			free(o);
			return LEDGER_NO_MEMORY;
		}
	}
	o->bits[id % OVER_IDS / 64] |= UINT64_C(1) << (id % 64);
	return LEDGER_FINE;
}

/* ---- accounts ---- */

static struct account *
account_find(const struct ledger *l, uint64_t id)
{
	struct table_node *t = table_find(&l->accounts, id);

	return t == NULL ? NULL : OWNER_OF(t, struct account, node);
}

static enum ledger_result
account_settle(struct ledger *l, struct account *a)
{
	enum ledger_result got;

	must(a->left <= a->n);
	if (a->left > 0)
		return LEDGER_FINE;
	got = over_add(l, a->node.hash);
	table_remove(&l->accounts, &a->node);
	free(a);
	return got;
}

static unsigned
account_state(const struct account *a, uint32_t i)
{
	return a->states[i] & STATE_MASK;
}

static void
account_set(struct account *a, uint32_t i, unsigned state)
{
	a->states[i] = (uint8_t)((a->states[i] & STATE_HAS_CHILD) | state);
}

/* Its end is told: once. */
static void
account_tell(struct ledger *l, struct account *a, uint32_t i, unsigned kind)
{
	uint64_t id = a->node.hash;
	unsigned state;

	must(i < a->n && kind > 0 && kind < LEDGER_KINDS);
	state = account_state(a, i);
	if (state != STATE_OPEN && state != STATE_PAST) {
		ledger_breach(l, id, "recipient %u has ended as %s and ends "
		    "again as %s", i, outcome_word((enum outcome_kind)state),
		    outcome_word((enum outcome_kind)kind));
		return;
	}
	if (kind == OUTCOME_EXPANDED && !(a->states[i] & STATE_HAS_CHILD))
		ledger_breach(l, id, "recipient %u is expanded, and no child "
		    "is there", i);
	must(a->left > 0);
	account_set(a, i, kind);
	a->left--;
	l->totals.ended[kind]++;
}

/* ---- COMMIT, MOVED ---- */

static struct account *
account_new(struct ledger *l, uint64_t id, const struct envelope *e)
{
	struct account *a = calloc(1, sizeof *a + e->n_rcpts);

	if (a == NULL || table_insert(&l->accounts, &a->node, id) != 0) {
		free(a);
		return NULL;
	}
	a->n = a->left = (uint32_t)e->n_rcpts;
	a->segment = l->segment;
	a->at = l->at;
	return a;
}

/* A parent stands before its children, so that there is no circle. */
static void
account_child(struct ledger *l, struct account *a, const struct envelope *e,
    uint32_t i)
{
	uint32_t parent = e->rcpts[i].parent;

	if (parent == RECIPIENT_NO_PARENT)
		return;
	if (parent >= i || !(e->rcpts[parent].flags & RECIPIENT_EXPANDED))
		ledger_breach(l, a->node.hash, "recipient %u is a child of %u, "
		    "who is no parent", i, parent);
	else
		a->states[parent] |= STATE_HAS_CHILD;
}

/* Children of his whom another names first. */
static void
account_shared(struct ledger *l, struct account *a, const struct recipient *r,
    uint32_t i)
{
	struct str shared = recipient_more(r)->shared;
	uint32_t child;

	while (take_le32(&shared, &child))
		if (child >= a->n || child == i)
			ledger_breach(l, a->node.hash, "recipient %u has a "
			    "child %u, and there are %u", i, child, a->n);
		else
			a->states[i] |= STATE_HAS_CHILD;
}

static void
account_flags(struct ledger *l, struct account *a, const struct recipient *r,
    uint32_t i)
{
	if ((r->flags & RECIPIENT_EXPANDED) != 0 && recipient_is_over(r))
		account_tell(l, a, i, OUTCOME_EXPANDED);
	if ((r->flags & RECIPIENT_DISCARDED) != 0)
		account_tell(l, a, i, OUTCOME_DISCARDED);
}

static void
account_open(struct ledger *l, struct account *a, const struct envelope *e)
{
	l->totals.messages++;
	l->totals.recipients += e->n_rcpts;
	for (uint32_t i = 0; i < a->n; i++)
		account_child(l, a, e, i);
	for (uint32_t i = 0; i < a->n; i++)
		account_shared(l, a, &e->rcpts[i], i);
	for (uint32_t i = 0; i < a->n; i++)
		account_flags(l, a, &e->rcpts[i], i);
}

struct moved {
	struct str ended;
	uint64_t held;
};

static bool
moved_take(struct str payload, struct moved *out)
{
	struct str state = STR_NONE;
	bool is_good = true;
	struct tlv t;

	*out = (struct moved){ .held = 0 };
	while (tlv_next(&payload, &t) == TLV_VALUE)
		if (t.tag == TAG_STATE)
			state = t.value;
	while (tlv_next(&state, &t) == TLV_VALUE)
		if (t.tag == TAG_ENDED)
			out->ended = t.value;
		else if (t.tag == TAG_HELD)
			is_good = is_good && tlv_u64(t.value, &out->held);
	return is_good;
}

static bool
moved_has_ended(const struct moved *m, uint32_t i)
{
	return i / 8 < m->ended.n && (m->ended.p[i / 8] >> (i % 8) & 1) != 0;
}

/* What memory knew when it was written.  Who was told is not open again. */
static void
account_move(struct ledger *l, struct account *a, const struct moved *m)
{
	a->segment = l->segment;
	a->at = l->at;
	a->is_held = m->held != 0;
	for (uint32_t i = 0; i < a->n; i++) {
		unsigned state = account_state(a, i);

		if (state == STATE_OPEN && moved_has_ended(m, i))
			account_set(a, i, STATE_PAST);
		else if (state != STATE_OPEN && !moved_has_ended(m, i) &&
		    state != OUTCOME_EXPANDED && state != OUTCOME_DISCARDED)
			ledger_breach(l, a->node.hash, "recipient %u has ended "
			    "and is there again", i);
	}
}

static bool
moved_is_over(const struct moved *m, const struct envelope *e)
{
	for (uint32_t i = 0; i < e->n_rcpts; i++)
		if (!moved_has_ended(m, i) && !recipient_is_over(&e->rcpts[i]))
			return false;
	return true;
}

static enum ledger_result
ledger_moved(struct ledger *l, const struct record *r,
    const struct envelope *e)
{
	struct account *a = account_find(l, r->id);
	struct moved m;

	if (!moved_take(r->payload, &m))
		return LEDGER_MALFORMED;
	if (a == NULL && over_has(l, r->id)) {
		if (!moved_is_over(&m, e))
			ledger_breach(l, r->id, "has ended and is there again");
		return LEDGER_FINE;
	}
	if (a == NULL && l->is_whole)
		ledger_breach(l, r->id, "is moved, and was never accepted");
	if (a == NULL) {
		a = account_new(l, r->id, e);
		if (a == NULL)
			return LEDGER_NO_MEMORY;
		a->was_moved = true;
		account_open(l, a, e);
	}
	account_move(l, a, &m);
	return account_settle(l, a);
}

static enum ledger_result
ledger_commit(struct ledger *l, const struct record *r,
    const struct envelope *e)
{
	struct account *a;

	if (account_find(l, r->id) != NULL || over_has(l, r->id)) {
		ledger_breach(l, r->id, "is accepted a second time");
		return LEDGER_FINE;
	}
	a = account_new(l, r->id, e);
	if (a == NULL)
		return LEDGER_NO_MEMORY;
	account_open(l, a, e);
	return account_settle(l, a);
}

static enum ledger_result
ledger_message(struct ledger *l, const struct record *r)
{
	struct arena_mark mark = arena_mark(&l->scratch);
	enum ledger_result got = LEDGER_MALFORMED;
	struct envelope e;

	switch (envelope_decode(r->payload, &l->scratch, &e)) {
	case ENVELOPE_FINE:
		got = r->type == RECORD_COMMIT ? ledger_commit(l, r, &e) :
		    ledger_moved(l, r, &e);
		break;
	case ENVELOPE_MALFORMED:
		break;
	case ENVELOPE_FOREIGN:
		got = LEDGER_FOREIGN;
		break;
	case ENVELOPE_NO_ROOM:
		got = LEDGER_NO_MEMORY;
		break;
	}
	arena_back(&l->scratch, mark);
	return got;
}

/* ---- ends ---- */

/* Of a message that has no account. */
static void
ledger_end_of_nobody(struct ledger *l, uint64_t id, unsigned kind)
{
	if (over_has(l, id))
		ledger_breach(l, id, "has ended and ends again as %s",
		    outcome_word((enum outcome_kind)kind));
	else if (l->is_whole)
		ledger_breach(l, id, "ends as %s, and was never accepted",
		    outcome_word((enum outcome_kind)kind));
	else
		l->totals.earlier++;
}

static void
ledger_end_one(struct ledger *l, struct account *a, uint64_t id, uint32_t i,
    unsigned kind)
{
	if (a == NULL)
		ledger_end_of_nobody(l, id, kind);
	else if (i >= a->n)
		ledger_breach(l, id, "recipient %u ends as %s, and there are "
		    "%u", i, outcome_word((enum outcome_kind)kind), a->n);
	else
		account_tell(l, a, i, kind);
}

static enum ledger_result
ledger_entry(struct ledger *l, struct account *a, uint64_t id,
    struct str bytes)
{
	struct str recipients = STR_NONE;
	enum tlv_result got;
	uint64_t kind = 0;
	uint32_t i;
	struct tlv t;

	while ((got = tlv_next(&bytes, &t)) == TLV_VALUE)
		if (t.tag == TAG_RECIPIENTS)
			recipients = t.value;
		else if (t.tag == TAG_KIND && !tlv_u64(t.value, &kind))
			return LEDGER_MALFORMED;
	if (got != TLV_END || kind == 0 || kind >= LEDGER_KINDS)
		return LEDGER_MALFORMED;
	while (take_le32(&recipients, &i))
		ledger_end_one(l, a, id, i, (unsigned)kind);
	return LEDGER_FINE;
}

static enum ledger_result
ledger_outcome(struct ledger *l, const struct record *r)
{
	struct account *a = account_find(l, r->id);
	enum ledger_result got = LEDGER_FINE;
	struct str payload = r->payload;
	struct tlv t;

	while (got == LEDGER_FINE && tlv_next(&payload, &t) == TLV_VALUE)
		if (t.tag == TAG_ENTRY)
			got = ledger_entry(l, a, r->id, t.value);
	return a == NULL || got != LEDGER_FINE ? got : account_settle(l, a);
}

/* All that are left; of a moved one it is not known who was. */
static void
account_cancel(struct ledger *l, struct account *a, uint32_t i)
{
	unsigned state = account_state(a, i);

	if (state == STATE_PAST && a->was_moved) {
		must(a->left > 0);
		account_set(a, i, OUTCOME_CANCELLED);
		a->left--;
		l->totals.ended_before++;
	} else if (state == STATE_OPEN || state == STATE_PAST)
		account_tell(l, a, i, OUTCOME_CANCELLED);
}

static enum ledger_result
ledger_cancel(struct ledger *l, uint64_t id)
{
	struct account *a = account_find(l, id);

	if (a == NULL) {
		ledger_end_of_nobody(l, id, OUTCOME_CANCELLED);
		return LEDGER_FINE;
	}
	for (uint32_t i = 0; i < a->n; i++)
		account_cancel(l, a, i);
	return account_settle(l, a);
}

static void
ledger_hold(struct ledger *l, uint64_t id, bool is_held)
{
	struct account *a = account_find(l, id);

	if (a != NULL)
		a->is_held = is_held;
}

enum ledger_result
ledger_take(struct ledger *l, const struct record *r, uint64_t segment,
    uint64_t at)
{
	l->segment = segment;
	l->at = at;
	switch (r->type) {
	case RECORD_COMMIT:
	case RECORD_MOVED:
		return ledger_message(l, r);
	case RECORD_OUTCOME:
	case RECORD_EXPAND:
		return ledger_outcome(l, r);
	case RECORD_CANCEL:
		return ledger_cancel(l, r->id);
	case RECORD_HOLD:
	case RECORD_RELEASE:
		ledger_hold(l, r->id, r->type == RECORD_HOLD);
		return LEDGER_FINE;
	case RECORD_CHUNK:
	case RECORD_EVENT:
	case RECORD_ATTEMPT:
	case RECORD_RESCHEDULE:
	case RECORD_MARK:
		return LEDGER_FINE;
	default:
		return (r->flags & RECORD_MUST) != 0 ? LEDGER_FOREIGN :
		    LEDGER_FINE;
	}
}

/* ---- the end of the log ---- */

void
ledger_forget(struct ledger *l)
{
	uint64_t breaches = l->totals.breaches;

	accounts_drop(l);
	l->totals = (struct ledger_totals){ .breaches = breaches };
	l->is_whole = false;
}

/* Past without a record of it: where the log still holds the acceptance, it
 * should hold the end. */
static void
account_end(struct ledger *l, const struct account *a)
{
	l->segment = a->segment;
	l->at = a->at;
	for (uint32_t i = 0; i < a->n; i++)
		if (account_state(a, i) == STATE_OPEN) {
			l->totals.held += a->is_held;
			l->totals.queued += !a->is_held;
		} else if (account_state(a, i) == STATE_PAST) {
			l->totals.ended_before++;
			if (!a->was_moved)
				ledger_breach(l, a->node.hash, "recipient %u "
				    "has ended, and no record says how", i);
		}
}

void
ledger_end(struct ledger *l)
{
	struct table_walk w = { .bucket = 0 };
	struct table_node *t;

	while ((t = table_walk(&l->accounts, &w)) != NULL)
		account_end(l, OWNER_OF(t, struct account, node));
	must(l->totals.recipients == ledger_ended(&l->totals) +
	    l->totals.queued + l->totals.held);
}

uint64_t
ledger_ended(const struct ledger_totals *t)
{
	uint64_t n = t->ended_before;

	for (unsigned i = 0; i < LEDGER_KINDS; i++)
		n += t->ended[i];
	return n;
}
