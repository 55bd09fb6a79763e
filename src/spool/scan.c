#include "spool/scan.h"

#include "base/must.h"

/*
 * STATE    moved by           what is true
 * ORDERLY  scan_init, accept  a record begins at `at', or the rest is junk
 * JUNK     scan_enter_junk    [junk_from, at) holds no whole record; junk_end
 *                             stands behind its last octet that is not zero
 * END      scan_finish        at == end
 *
 * In junk one looks at every RECORD_ALIGN octets.  A header whose sum is right
 * is believed about its length even when payload or body is damaged, so nothing
 * inside that record is taken for a record.
 */

void
scan_init(struct scan *s, uint64_t salt, uint64_t from, uint64_t end,
    bool wants_bodies)
{
	must(from % RECORD_ALIGN == 0);
	*s = (struct scan){ .salt = salt, .at = from, .end = end,
		.record_end = from, .wants_bodies = wants_bodies };
}

/* The window's bytes from `at' on. */
static struct str
scan_bytes(const struct scan *s)
{
	if (s->at < s->window_at || s->at - s->window_at >= s->window.n)
		return STR_NONE;
	return str_sub(s->window, (size_t)(s->at - s->window_at), s->window.n);
}

static enum scan_result
scan_more(struct scan *s, uint64_t n)
{
	uint64_t left = s->end - s->at;

	must(n > 0 && s->at <= s->end);
	s->want_at = s->at;
	s->want_n = n < left ? n : left;
	return SCAN_MORE;
}

static void
scan_enter_junk(struct scan *s, enum record_fault fault)
{
	must(fault != RECORD_WHOLE);
	if (s->in_junk)
		return;
	s->in_junk = true;
	s->junk_fault = fault;
	s->junk_from = s->junk_end = s->at;
}

static void
scan_junk_to(struct scan *s, uint64_t to)
{
	must(s->in_junk && to > s->at && to <= s->end);
	s->junk_end = to;
	s->at = to;
}

/* Move through the window to the next place where a record may begin, at least
 * by one step. */
static void
scan_seek(struct scan *s)
{
	struct str b = scan_bytes(s);
	size_t i = 0;
	uint64_t word;

	must(s->in_junk);
	must(b.n > 0);
	for (; b.n - i >= RECORD_ALIGN; i += RECORD_ALIGN) {
		memcpy(&word, b.p + i, sizeof word);
		if (word == 0)
			continue;
		if (i > 0 && memcmp(b.p + i, "NM\0r", 4) == 0)
			break;
		s->junk_end = s->at + i + RECORD_ALIGN;
	}
	if (b.n - i < RECORD_ALIGN && s->at + b.n == s->end) {
		for (; i < b.n; i++)
			if (b.p[i] != '\0')
				s->junk_end = s->at + i + 1;
	}
	s->at += i;
}

/* How much of the record must be at hand to judge it. */
static uint64_t
scan_need(const struct scan *s, const struct record *r)
{
	return (uint64_t)RECORD_HEADER + r->payload_n +
	    (s->wants_bodies ? r->body_n : 0);
}

static enum record_fault
scan_judge_header(const struct scan *s, struct str b, struct record *r)
{
	enum record_fault fault = record_read_header(b, r);

	if (fault != RECORD_WHOLE)
		return fault;
	if (r->salt != s->salt || r->sequence <= s->sequence)
		return RECORD_STALE;
	if ((r->flags & RECORD_BODILESS) != 0)
		return RECORD_BAD_HEADER;	/* never in a segment */
	if (record_size(r->payload_n, r->body_n) > s->end - s->at)
		return RECORD_SHORT;
	return RECORD_WHOLE;
}

static enum scan_result
scan_accept(struct scan *s, const struct record *r)
{
	uint64_t settled = (uint64_t)r->settled * RECORD_ALIGN;

	if (s->in_junk) {	/* told first; the record is met again */
		s->in_junk = false;
		s->from = s->junk_from;
		s->to = s->at;
		s->fault = s->junk_fault;
		return SCAN_DAMAGE;
	}
	if (settled > s->settled)
		s->settled = settled;
	if (s->records++ == 0)
		s->first_sequence = r->sequence;
	must(r->salt == s->salt && r->sequence > s->sequence);
	s->from = s->at;
	s->at += record_size(r->payload_n, r->body_n);
	must(s->at <= s->end);
	s->to = s->record_end = s->at;
	s->sequence = r->sequence;
	return SCAN_RECORD;
}

static enum scan_result
scan_finish(struct scan *s)
{
	s->at = s->end;
	s->from = s->record_end;
	s->to = s->in_junk && s->junk_end > s->from ? s->junk_end : s->from;
	return SCAN_END;
}

/* One step; SCAN_END stands for "go on" when more is left. */
static enum scan_result
scan_step(struct scan *s, struct record *r)
{
	struct str b = scan_bytes(s);
	enum record_fault fault;

	if (b.n < RECORD_HEADER && s->at + b.n < s->end)
		return scan_more(s, RECORD_HEADER);
	fault = scan_judge_header(s, b, r);
	if (fault != RECORD_WHOLE) {
		scan_enter_junk(s, fault);
		scan_seek(s);
		return SCAN_END;
	}
	if (b.n < scan_need(s, r))
		return scan_more(s, scan_need(s, r));
	fault = s->wants_bodies ? record_read(b, r) : record_read_payload(b, r);
	if (fault != RECORD_WHOLE) {
		scan_enter_junk(s, fault);
		scan_junk_to(s, s->at + record_size(r->payload_n, r->body_n));
		return SCAN_END;
	}
	return scan_accept(s, r);
}

enum scan_result
scan_next(struct scan *s, struct record *r)
{
	enum scan_result got = SCAN_END;

	while (s->at < s->end && got == SCAN_END)
		got = scan_step(s, r);
	return got != SCAN_END ? got : scan_finish(s);
}
