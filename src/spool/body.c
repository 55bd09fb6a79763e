#include "spool/body.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/id.h"
#include "base/must.h"
#include "fiber/disk.h"
#include "spool/envelope.h"
#include "spool/kept.h"
#include "spool/own.h"
#include "spool/segment.h"

enum { BODY_LEAST = 4096 };

/* ---- at home ---- */

bool
spool_pin(struct spool *sp, uint64_t id, struct pin *out)
{
	struct kept *k = index_find(&sp->index, id);

	if (k == NULL || (k->flags & KEPT_OVER) != 0)
		return false;
	must(k->pins < UINT32_MAX);
	k->pins++;
	*out = (struct pin){ .spool = sp, .kept = k, .segment = k->segment,
		.at = k->at };
	return true;
}

void
spool_unpin(struct pin *p)
{
	struct spool *sp = p->spool;
	struct kept *k = p->kept;

	must(k != NULL && k->pins > 0);
	*p = (struct pin){ .kept = NULL };
	if (--k->pins == 0)
		spool_settle(sp, k);
}

/* ---- anywhere ---- */

/*
 * What a reader touches of a kept message, its id, extents and their segments'
 * descriptors and salts, does not change while it is pinned.
 */
static size_t
pin_chunks(const struct pin *p)
{
	return p->kept->more == NULL ? 0 : p->kept->more->n_extents;
}

static struct extent
body_place(const struct body *b)
{
	must(b->piece <= pin_chunks(b->pin));
	if (b->piece < pin_chunks(b->pin))
		return b->pin->kept->more->extents[b->piece];
	return (struct extent){ .segment = NULL, .at = b->pin->at };
}

static const struct segment *
body_segment(const struct body *b)
{
	if (b->piece < pin_chunks(b->pin))
		return b->pin->kept->more->extents[b->piece].segment;
	return b->pin->segment;
}

static int
body_is_damaged(const struct body *b, const char *what)
{
	err_set("message %s: %s", id_print(kept_id(b->pin->kept)).text, what);
	return BODY_DAMAGED;
}

static yields int
body_read_header(struct body *b)
{
	const struct segment *s = body_segment(b);
	struct extent place = body_place(b);
	struct record *r = &b->record;
	char head[RECORD_HEADER];
	int64_t n;

	if (s == NULL)
		return body_is_damaged(b, "a piece of the body is lost");
	n = disk_pread(s->fd, head, sizeof head,
	    (uint64_t)place.at * RECORD_ALIGN);
	if (n < 0)
		return BODY_FAILED;
	if (record_read_header((struct str){ head, (size_t)n }, r) !=
	    RECORD_WHOLE || r->salt != s->salt ||
	    r->id != kept_id(b->pin->kept))
		return body_is_damaged(b, "the record's header is damaged");
	b->has_record = true;
	b->is_checked = r->body_n == 0;
	b->at = 0;
	return 0;
}

/* Octets [at, at + n) of the piece. */
static yields int
body_load(const struct body *b, char *to, uint32_t at, size_t n)
{
	uint64_t from = (uint64_t)body_place(b).at * RECORD_ALIGN +
	    RECORD_HEADER + b->record.payload_n + at;
	int64_t got = disk_pread(body_segment(b)->fd, to, n, from);

	must(b->has_record && at + n <= b->record.body_n);
	if (got < 0)
		return BODY_FAILED;
	return (size_t)got == n ? 0 : body_is_damaged(b, "the body is cut off");
}

/* All of the piece goes through `to' once; what it holds then is its end. */
static yields int
body_check(struct body *b, char *to, size_t room)
{
	uint32_t sum = 0;
	size_t n;
	int rc;

	must(room > 0 && b->has_record && !b->is_checked);
	for (uint32_t at = 0; at < b->record.body_n; at += (uint32_t)n) {
		n = b->record.body_n - at;
		if (n > room)
			n = room;
		rc = body_load(b, to, at, n);
		if (rc != 0)
			return rc;
		sum = crc32c(sum, (struct str){ to, n });
	}
	if (sum != b->record.body_sum)
		return body_is_damaged(b, "the body is damaged");
	b->is_checked = true;
	return 0;
}

void
body_open(struct body *b, const struct pin *p)
{
	must(p->kept != NULL);
	*b = (struct body){ .pin = p };
}

void
body_rewind(struct body *b)
{
	body_open(b, b->pin);
}

/* The next octets of this piece; 0: it has no more. */
static yields int64_t
body_read_piece(struct body *b, char *to, size_t n)
{
	size_t left;
	int rc = 0;

	if (!b->has_record && (rc = body_read_header(b)) != 0)
		return rc;
	left = b->record.body_n - b->at;
	if (!b->is_checked) {
		if ((rc = body_check(b, to, n)) != 0)
			return rc;
		if (left <= n) {	/* it is all there already */
			b->at = b->record.body_n;
			return (int64_t)left;
		}
	}
	if (n > left)
		n = left;
	if (n > 0)
		rc = body_load(b, to, b->at, n);
	b->at += (uint32_t)n;
	return rc != 0 ? rc : (int64_t)n;
}

yields int64_t
body_read(struct body *b, char *to, size_t n)
{
	int64_t got = 0;

	must(n >= BODY_LEAST);
	while (b->piece <= pin_chunks(b->pin)) {
		got = body_read_piece(b, to, n);
		if (got != 0)
			return got;
		b->piece++;
		b->has_record = false;
	}
	return 0;
}

/* ---- the envelope, at home ---- */

static yields int
envelope_load(const struct pin *p, struct arena *a, struct record *out)
{
	size_t n = (size_t)RECORD_HEADER + p->kept->payload_n;
	char *room = arena_alloc(a, n);
	int64_t got;

	must(p->segment != NULL && p->kept->pins > 0);
	if (room == NULL)
		return err_set("no room for an envelope");
	got = disk_pread(p->segment->fd, room, n,
	    (uint64_t)p->at * RECORD_ALIGN);
	if (got < 0)
		return BODY_FAILED;
	if (record_read_payload((struct str){ room, (size_t)got }, out) ==
	    RECORD_WHOLE && out->salt == p->segment->salt &&
	    out->id == kept_id(p->kept))
		return 0;
	err_set("the envelope of message %s is damaged",
	    id_print(kept_id(p->kept)).text);
	return BODY_DAMAGED;
}

static int
envelope_parse(struct str payload, struct arena *a, struct envelope *out)
{
	switch (envelope_decode(payload, a, out)) {
	case ENVELOPE_FINE:
		return 0;
	case ENVELOPE_NO_ROOM:
		return err_set("no room for an envelope");
	case ENVELOPE_MALFORMED:
	case ENVELOPE_FOREIGN:
		break;
	}
	err_set("an envelope cannot be understood");
	return BODY_DAMAGED;
}

static int
envelope_ended(const struct kept *k, struct arena *a, size_t n,
    const bool **out)
{
	bool *ended = arena_alloc(a, (n + 1) * sizeof *ended);

	if (ended == NULL)
		return err_set("no room for an envelope");
	for (size_t i = 0; i < n && i < kept_recipients(k); i++)
		ended[i] = kept_has_ended(k, i);
	*out = ended;
	return 0;
}

yields int
spool_envelope(struct spool *sp, uint64_t id, struct arena *a,
    struct envelope *out, const bool **ended)
{
	struct record r;
	struct pin p;
	int rc;

	if (!spool_pin(sp, id, &p))
		return err_set("no such message is kept");
	rc = envelope_load(&p, a, &r);
	if (rc == 0)
		rc = envelope_parse(r.payload, a, out);
	if (rc == 0)
		rc = envelope_ended(p.kept, a, out->n_rcpts, ended);
	out->id = id;
	spool_unpin(&p);
	return rc;
}
