#include "spool/apply.h"

#include "base/must.h"
#include "base/num.h"
#include "spool/envelope.h"
#include "spool/extents.h"
#include "spool/kept.h"
#include "spool/lasts.h"
#include "spool/own.h"
#include "spool/tlv.h"

/* What stands in a COMMIT or MOVED besides the envelope. */
struct tally {
	struct str extents, state, release;
};

/* What a payload may say about one thing. */
struct change {
	uint64_t attempts, warned, due, held, projection, segment, offset;
	struct str recipients, ended, text;
};

static enum apply_result
tlv_judge(enum tlv_result end, bool is_foreign)
{
	if (is_foreign)
		return APPLY_FOREIGN;
	return end == TLV_END ? APPLY_DONE : APPLY_MALFORMED;
}

static enum apply_result
tally_take(struct str payload, struct tally *out, size_t *recipients)
{
	struct tlv t;

	*out = (struct tally){ .extents = STR_NONE };
	switch (envelope_check(payload, recipients)) {
	case ENVELOPE_FINE:
		break;
	case ENVELOPE_FOREIGN:
		return APPLY_FOREIGN;
	case ENVELOPE_MALFORMED:
	case ENVELOPE_NO_ROOM:
		return APPLY_MALFORMED;
	}
	while (tlv_next(&payload, &t) == TLV_VALUE)
		if (t.tag == TAG_EXTENTS)
			out->extents = t.value;
		else if (t.tag == TAG_STATE)
			out->state = t.value;
		else if (t.tag == TAG_RELEASE_AT)
			out->release = t.value;
	return APPLY_DONE;
}

static enum apply_result
change_take(struct str payload, struct change *c)
{
	uint64_t *number;
	enum tlv_result got;
	bool is_foreign = false, is_bad = false;
	struct tlv t;

	*c = (struct change){ .attempts = 0 };
	while ((got = tlv_next(&payload, &t)) == TLV_VALUE) {
		number = t.tag == TAG_ATTEMPTS ? &c->attempts :
		    t.tag == TAG_WARNED ? &c->warned :
		    t.tag == TAG_DUE ? &c->due : t.tag == TAG_HELD ? &c->held :
		    t.tag == TAG_PROJECTION ? &c->projection :
		    t.tag == TAG_PLACE_SEGMENT ? &c->segment :
		    t.tag == TAG_PLACE_OFFSET ? &c->offset : NULL;
		if (number != NULL)
			is_bad = is_bad || !tlv_u64(t.value, number);
		else if (t.tag == TAG_RECIPIENTS)
			c->recipients = t.value;
		else if (t.tag == TAG_ENDED)
			c->ended = t.value;
		else if (t.tag == TAG_TEXT)
			c->text = t.value;
		else
			is_foreign = is_foreign || !tlv_is_native(t.tag);
	}
	return tlv_judge(is_bad ? TLV_BAD : got, is_foreign);
}

/* ---- COMMIT, MOVED ---- */

static bool
rcpt_is_over(struct str bytes)
{
	struct recipient r = { .flags = 0 };
	uint64_t flags = 0;
	struct tlv t;

	while (tlv_next(&bytes, &t) == TLV_VALUE)
		if (t.tag == TAG_RCPT_FLAGS && tlv_u64(t.value, &flags))
			r.flags = (uint32_t)flags;
	return recipient_is_over(&r);
}

static void
kept_end_over(struct kept *k, struct str payload)
{
	uint32_t i = 0;
	struct tlv t;

	while (tlv_next(&payload, &t) == TLV_VALUE)
		if (t.tag == TAG_RCPT && rcpt_is_over(t.value))
			(void)kept_end(k, i++);
		else if (t.tag == TAG_RCPT)
			i++;
}

static void
kept_set_due(struct kept *k, uint64_t due)
{
	k->due.us = due < INT64_MAX ? (int64_t)due : INT64_MAX;
}

static void
kept_set_times(struct kept *k, const struct change *c)
{
	k->attempts = c->attempts < UINT16_MAX ? (uint16_t)c->attempts :
	    UINT16_MAX;
	/* Of several destinations, one may have been told less. */
	if (c->warned > k->warned)
		k->warned = c->warned < UINT8_MAX ? (uint8_t)c->warned :
		    UINT8_MAX;
	kept_set_due(k, c->due);
}

static enum apply_result
kept_take_state(struct kept *k, struct str state)
{
	struct change c;
	enum apply_result got = change_take(state, &c);

	if (got != APPLY_DONE)
		return got;
	for (uint32_t i = 0; i < k->n && i / 8 < c.ended.n; i++)
		if ((c.ended.p[i / 8] >> (i % 8) & 1) != 0)
			(void)kept_end(k, i);
	kept_set_times(k, &c);
	kept_set_held(k, c.held != 0, held_wall(c.held));
	return APPLY_DONE;
}

/* It was there before: what it knew of ends stays true. */
static void
kept_replace(struct index *x, struct kept *old, struct kept *k)
{
	must(old != k && kept_id(old) == kept_id(k));
	for (uint32_t i = 0; i < old->n && i < k->n; i++)
		if (kept_has_ended(old, i))
			(void)kept_end(k, i);
	kept_end_all(old);
	index_settle(x, old);
}

static enum apply_result
apply_message(struct spool *sp, const struct record *r, struct segment *s,
    uint64_t at)
{
	struct kept *old = index_find(&sp->index, r->id), *k;
	struct tally tally;
	size_t recipients;
	enum apply_result got = tally_take(r->payload, &tally, &recipients);
	int64_t extents = extents_count(tally.extents);
	uint64_t release;

	if (got == APPLY_DONE && extents < 0)
		got = APPLY_MALFORMED;
	if (got != APPLY_DONE || (r->type == RECORD_COMMIT && old != NULL))
		return got;		/* read twice: known already */
	k = kept_new(&sp->index, r->id, (uint32_t)recipients, (size_t)extents);
	if (k == NULL)
		return APPLY_NO_MEMORY;
	if (extents > 0)
		extents_take(tally.extents, &sp->log, k->more->extents);
	kept_end_over(k, r->payload);
	if (tlv_u64(tally.release, &release))
		kept_set_due(k, release);
	if (tally.state.p != NULL)
		got = kept_take_state(k, tally.state);
	if (got != APPLY_DONE) {
		kept_drop(&sp->index, k);
		return got;
	}
	if (old != NULL)
		kept_replace(&sp->index, old, k);
	index_insert(&sp->index, k, (struct kept_place){ .segment = s, .at = at,
		.payload_n = r->payload_n, .body_n = r->body_n });
	index_settle(&sp->index, k);
	return APPLY_DONE;
}

/* ---- what becomes of it ---- */

static enum apply_result
apply_entry(struct kept *k, struct str bytes)
{
	bool is_foreign = false;
	struct str recipients = STR_NONE;
	enum tlv_result got;
	uint32_t i;
	struct tlv t;

	while ((got = tlv_next(&bytes, &t)) == TLV_VALUE)
		if (t.tag == TAG_RECIPIENTS)
			recipients = t.value;
		else
			is_foreign = is_foreign || !tlv_is_native(t.tag);
	while (got == TLV_END && take_le32(&recipients, &i))
		if (k != NULL)
			(void)kept_end(k, i);
	return tlv_judge(got, is_foreign);
}

static enum apply_result
apply_outcome(struct spool *sp, struct kept *k, struct str payload)
{
	enum apply_result result = APPLY_DONE;
	enum tlv_result got;
	struct tlv t;

	while ((got = tlv_next(&payload, &t)) == TLV_VALUE &&
	    result == APPLY_DONE)
		if (t.tag == TAG_ENTRY)
			result = apply_entry(k, t.value);
		else
			result = tlv_judge(TLV_END, !tlv_is_native(t.tag));
	if (k != NULL)
		index_settle(&sp->index, k);
	return result != APPLY_DONE ? result : tlv_judge(got, false);
}

static enum apply_result
apply_mark(struct spool *sp, const struct change *c, const struct segment *s)
{
	struct mark *m;

	if (c->projection >= PROJECTIONS_MOST)
		return APPLY_MALFORMED;
	must(c->projection < PROJECTIONS_MOST && s != NULL);
	m = &sp->marks[c->projection];
	m->place = (struct tail_place){ c->segment, c->offset };
	m->in_segment = s->number;
	return APPLY_DONE;
}

/* HOLD, RELEASE, RESCHEDULE, ATTEMPT, CANCEL, of a message that is there. */
static void
kept_change(struct spool *sp, struct kept *k, uint8_t type,
    const struct change *c)
{
	if (type == RECORD_HOLD || type == RECORD_RELEASE)
		kept_set_held(k, type == RECORD_HOLD, held_wall(c->held));
	if (type == RECORD_ATTEMPT)
		kept_set_times(k, c);
	if (type == RECORD_ATTEMPT && sp->lasts != NULL)
		lasts_note(sp->lasts, kept_id(k), c->recipients, c->text);
	if (type == RECORD_RESCHEDULE)
		kept_set_due(k, c->due);
	if (type == RECORD_CANCEL) {
		kept_end_all(k);
		index_settle(&sp->index, k);
	}
}

static enum apply_result
apply_change(struct spool *sp, const struct record *r, const struct segment *s)
{
	struct kept *k = index_find(&sp->index, r->id);
	struct change c;
	enum apply_result got = change_take(r->payload, &c);

	if (got == APPLY_DONE && r->type == RECORD_MARK)
		return apply_mark(sp, &c, s);
	if (got == APPLY_DONE && k != NULL)
		kept_change(sp, k, r->type, &c);
	return got;
}

enum apply_result
apply_record(struct spool *sp, const struct record *r, struct segment *s,
    uint64_t at)
{
	struct kept *k;

	must(s != NULL && at >= SEGMENT_HEAD && at % RECORD_ALIGN == 0);
	switch (r->type) {
	case RECORD_CHUNK:
	case RECORD_EVENT:
		return APPLY_DONE;
	case RECORD_COMMIT:
	case RECORD_MOVED:
		return apply_message(sp, r, s, at);
	case RECORD_OUTCOME:
	case RECORD_EXPAND:
		k = index_find(&sp->index, r->id);
		return apply_outcome(sp, k, r->payload);
	case RECORD_ATTEMPT:
	case RECORD_HOLD:
	case RECORD_RELEASE:
	case RECORD_RESCHEDULE:
	case RECORD_CANCEL:
	case RECORD_MARK:
		return apply_change(sp, r, s);
	default:
		return (r->flags & RECORD_MUST) != 0 ? APPLY_FOREIGN : APPLY_DONE;
	}
}
