#include "spool/outcome.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "spool/kept.h"
#include "spool/own.h"
#include "spool/tlv.h"
#include "spool/writer.h"

/*
 * Memory is changed first, whole, before anything can wait; the records follow.
 * A message may be gone when a wait is over, so only its id is carried across.
 */
enum { PAYLOAD = 2048, INDEXES_MOST = 256 };

static struct kept *
outcome_find(struct spool *sp, uint64_t id)
{
	struct kept *k = index_find(&sp->index, id);

	if (k != NULL && (k->flags & KEPT_OVER) == 0)
		return k;
	err_set("no such message is kept");
	return NULL;
}

static yields int
outcome_write(struct spool *sp, enum record_type type, uint64_t id,
    const struct buf *b)
{
	must(!b->full);
	while (writer_lazy(sp, type, id, buf_str(b), LAZY_OUTCOME) != 0) {
		if (sp->health == SPOOL_BROKEN)
			return err_set("the spool is broken; what became of "
			    "the message is not written");
		writer_wait_room(sp);
	}
	return 0;
}

static struct str
outcome_text(struct str text)
{
	return str_sub(text, 0, OUTCOME_TEXT_MOST);
}

static void
put_index(struct buf *b, uint32_t i)
{
	size_t opened = tlv_open(b, TAG_RECIPIENTS);

	buf_le32(b, i);
	tlv_close(b, opened);
}

static void
put_reason(struct buf *b, unsigned code, struct str text)
{
	if (code > 0)
		tlv_put_u64(b, TAG_CODE, code);
	tlv_put_some(b, TAG_TEXT, outcome_text(text));
}

static void
put_entry(struct buf *b, const struct outcome *o)
{
	size_t opened = tlv_open(b, TAG_ENTRY);

	put_index(b, o->recipient);
	tlv_put_u64(b, TAG_KIND, o->kind);
	put_reason(b, o->code, o->text);
	tlv_close(b, opened);
}

/* ---- ends ---- */

static enum record_type
outcome_record(const struct outcome *o)
{
	return o->kind == OUTCOME_EXPANDED ? RECORD_EXPAND : RECORD_OUTCOME;
}

/* As many of the list as fit into one record of one type; how many. */
static size_t
outcome_pack(struct buf *b, const struct outcome *list, size_t n)
{
	enum record_type type = outcome_record(&list[0]);
	size_t i = 0;

	must(n > 0);
	while (i < n && outcome_record(&list[i]) == type) {
		size_t need = 6 * (size_t)TLV_HEAD + 4 + 2 * 8 +
		    outcome_text(list[i].text).n;

		if (need > b->cap - b->n)
			break;
		put_entry(b, &list[i++]);
	}
	must(i > 0);
	return i;
}

yields int
spool_outcome(struct spool *sp, uint64_t id, const struct outcome *list,
    size_t n)
{
	struct kept *k = outcome_find(sp, id);
	char room[PAYLOAD];
	size_t done = 0;
	int rc = 0;

	if (k == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		sp->stats.outcomes += kept_end(k, list[i].recipient);
	while (done < n && rc == 0) {
		struct buf b = BUF_OF(room);
		enum record_type type = outcome_record(&list[done]);

		done += outcome_pack(&b, list + done, n - done);
		rc = outcome_write(sp, type, id, &b);
	}
	k = index_find(&sp->index, id);
	if (k != NULL)
		spool_settle(sp, k);
	return rc;
}

yields int
spool_cancel(struct spool *sp, uint64_t id, struct str reason)
{
	struct kept *k = outcome_find(sp, id);
	char room[PAYLOAD];
	struct buf b = BUF_OF(room);
	int rc;

	if (k == NULL)
		return -1;
	sp->stats.outcomes += kept_left(k);
	kept_end_all(k);
	put_reason(&b, 0, reason);
	rc = outcome_write(sp, RECORD_CANCEL, id, &b);
	k = index_find(&sp->index, id);
	if (k != NULL)
		spool_settle(sp, k);
	return rc;
}

/* ---- what is put off ---- */

static void
put_wall(struct buf *b, struct wall w)
{
	tlv_put_u64(b, TAG_DUE, w.us > 0 ? (uint64_t)w.us : 0);
}

static size_t
attempt_pack(struct buf *b, const struct attempt *a, size_t from)
{
	size_t n = a->n - from, opened;

	must(from <= a->n);
	tlv_put_u64(b, TAG_ATTEMPTS, a->attempts);
	if (a->warned > 0)
		tlv_put_u64(b, TAG_WARNED, a->warned);
	put_wall(b, a->due);
	put_reason(b, a->code, a->text);
	if (a->recipients == NULL)
		return a->n;
	if (n > INDEXES_MOST)
		n = INDEXES_MOST;
	opened = tlv_open(b, TAG_RECIPIENTS);
	for (size_t i = 0; i < n; i++)
		buf_le32(b, a->recipients[from + i]);
	tlv_close(b, opened);
	return from + n;
}

yields int
spool_attempt(struct spool *sp, uint64_t id, const struct attempt *a)
{
	struct kept *k = outcome_find(sp, id);
	char room[PAYLOAD];
	size_t done = 0;
	int rc;

	if (k == NULL)
		return -1;
	k->attempts = (uint16_t)(a->attempts < UINT16_MAX ? a->attempts :
	    UINT16_MAX);
	if (a->warned > k->warned)
		k->warned = (uint8_t)(a->warned < UINT8_MAX ? a->warned :
		    UINT8_MAX);
	k->due = a->due;
	do {
		struct buf b = BUF_OF(room);

		done = attempt_pack(&b, a, done);
		rc = outcome_write(sp, RECORD_ATTEMPT, id, &b);
	} while (rc == 0 && done < a->n);
	return rc;
}

yields int
spool_reschedule(struct spool *sp, uint64_t id, struct wall due)
{
	struct kept *k = outcome_find(sp, id);
	char room[PAYLOAD];
	struct buf b = BUF_OF(room);

	if (k == NULL)
		return -1;
	k->due = due;
	put_wall(&b, due);
	return outcome_write(sp, RECORD_RESCHEDULE, id, &b);
}

yields int
spool_hold(struct spool *sp, uint64_t id, struct str reason)
{
	struct kept *k = outcome_find(sp, id);
	char room[PAYLOAD];
	struct buf b = BUF_OF(room);

	if (k == NULL)
		return -1;
	kept_set_held(k, true, clock_wall());
	tlv_put_u64(&b, TAG_HELD, held_number(k));
	put_reason(&b, 0, reason);
	return outcome_write(sp, RECORD_HOLD, id, &b);
}

yields int
spool_release(struct spool *sp, uint64_t id)
{
	struct kept *k = outcome_find(sp, id);
	struct buf none = { .p = NULL };

	if (k == NULL)
		return -1;
	kept_set_held(k, false, (struct wall){ 0 });
	return outcome_write(sp, RECORD_RELEASE, id, &none);
}

/* ---- events ---- */

static int
event_write(struct spool *sp, const struct event *e, size_t room)
{
	struct room *r = room_take(&sp->writer.slips.rooms, room);
	size_t opened;
	struct buf b;
	int rc = -1;

	if (r == NULL)
		return -1;
	b = (struct buf){ .p = r->bytes, .cap = r->cap < WRITER_LAZY_MOST ?
	    r->cap : WRITER_LAZY_MOST };
	opened = tlv_open(&b, TAG_EVENT);
	event_encode(e, &b);
	tlv_close(&b, opened);
	if (!b.full)
		rc = writer_lazy(sp, RECORD_EVENT, e->id, buf_str(&b),
		    LAZY_EVENT);
	room_give(&sp->writer.slips.rooms, r);
	return b.full ? 1 : rc;
}

void
spool_event(struct spool *sp, const struct event *e)
{
	int rc = event_write(sp, e, ROOM_SMALL);

	if (rc == 1)
		rc = event_write(sp, e, ROOM_LARGE);
	sp->stats.events += rc == 0;
	sp->stats.events_lost += rc != 0;
}

yields void
spool_await_written(struct spool *sp)
{
	writer_wait_written(sp, mono_add(clock_mono(), NS_PER_SECOND));
}

const char *
outcome_word(enum outcome_kind kind)
{
	static const char *const words[] = {
#define OUTCOME(name, number, word) [number] = word,
#include "spool/outcome.def"
#undef OUTCOME
	};

	return kind < sizeof words / sizeof *words ? words[kind] : NULL;
}
