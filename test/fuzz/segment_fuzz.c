/*
 * A segment's octets, as recovery reads them: first the input as it is; then
 * records made of it, with right sums or with some octets spoilt, walked in
 * windows of any size and applied to an index.
 */
#include "fuzz.h"
#include "base/crc32c.h"
#include "spool/apply.h"
#include "spool/own.h"
#include "spool/scan.h"
#include "spool/sidecar.h"

enum { ROOM = 8192, SALT = 77 };

static char segment[ROOM];
static struct spool_config config = { .path = "/fuzz" };

/* When all messages have ended nothing of the segment matters. */
static void
end_all(struct index *x, const struct segment *s)
{
	struct table_walk w = { .bucket = 0 };
	struct table_node *node;

	while ((node = table_walk(&x->table, &w)) != NULL) {
		struct kept *k = OWNER_OF(node, struct kept, node);

		must(k->n_ended < k->n && k->segment == s);
		kept_end_all(k);
		index_settle(x, k);
	}
	must(x->n == 0 && s->refs == 0 && s->live_bytes == 0);
}

/* Whole records follow each other; what lies between them is told. */
static uint64_t
check_scan(struct str bytes, size_t step, bool bodies, struct spool *sp)
{
	struct segment s = { .number = 1, .salt = SALT, .size = bytes.n };
	uint64_t seen = SEGMENT_HEAD, n = 0, sequence = 0;
	enum scan_result got;
	struct record r;
	struct scan scan;

	if (bytes.n < SEGMENT_HEAD)
		return 0;
	scan_init(&scan, SALT, SEGMENT_HEAD, bytes.n, bodies);
	while ((got = scan_next(&scan, &r)) != SCAN_END) {
		if (got == SCAN_MORE) {
			must(scan.want_n > 0 && scan.want_at >= seen);
			must(scan.want_at + scan.want_n <= bytes.n);
			scan.window_at = scan.want_at;
			scan.window = str_sub(bytes, scan.want_at,
			    scan.want_n > step ? scan.want_n : step);
			continue;
		}
		must(scan.from == seen && scan.to > scan.from);
		seen = scan.to;
		if (got == SCAN_DAMAGE)
			continue;
		must(r.sequence > sequence && r.salt == SALT);
		must(fuzz_is_inside(r.payload, bytes));
		must(fuzz_is_inside(r.body, bytes));
		sequence = r.sequence;
		n++;
		if (sp != NULL)
			(void)apply_record(sp, &r, &s, scan.from);
	}
	must(scan.from == seen && scan.to >= seen && scan.to <= bytes.n);
	must(scan.records == n);
	if (sp != NULL)
		end_all(&sp->index, &s);
	return n;
}

/* One record from the input; false when there is no room for it. */
static bool
make_record(struct str *in, uint64_t *at, uint64_t sequence)
{
	unsigned type = fuzz_choice(in), id = fuzz_choice(in) % 8;
	unsigned payload_n = fuzz_choice(in), body_n = fuzz_choice(in);
	struct str payload = str_sub(*in, 0, payload_n), body;
	struct record r = { .type = (uint8_t)(type % 14), .salt = SALT,
		.flags = type > 127 ? RECORD_MUST : 0, .sequence = sequence,
		.id = id, .settled = (uint32_t)(*at / RECORD_ALIGN) };

	*in = str_sub(*in, payload.n, in->n);
	body = str_sub(*in, 0, body_n);
	*in = str_sub(*in, body.n, in->n);
	r.payload_n = (uint32_t)payload.n;
	r.body_n = (uint32_t)body.n;
	if (*at + record_size(r.payload_n, r.body_n) > ROOM)
		return false;
	r.payload_sum = crc32c(0, payload);
	r.body_sum = crc32c(0, body);
	record_seal(&r, segment + *at);
	if (payload.n > 0)
		memcpy(segment + *at + RECORD_HEADER, payload.p, payload.n);
	if (body.n > 0)
		memcpy(segment + *at + RECORD_HEADER + payload.n, body.p, body.n);
	*at += record_size(r.payload_n, r.body_n);
	return true;
}

/* How many records the input makes. */
static uint64_t
make_records(struct str in)
{
	uint64_t at = SEGMENT_HEAD, n = 0;

	memset(segment, 0, sizeof segment);
	while (in.n > 0 && make_record(&in, &at, n + 1))
		n++;
	return n;
}

static void
check_made(struct str in)
{
	unsigned step = fuzz_choice(&in), spoils = fuzz_choice(&in) % 4;
	struct segment other = { .number = 1, .fd = -1 };
	struct str all = { segment, ROOM }, spoil = str_sub(in, 0, 3 * spoils);
	struct spool *sp = spool_new(&config);
	uint64_t n;

	must(sp != NULL && log_append(&sp->log, &other) != NULL);
	in = str_sub(in, spoil.n, in.n);
	n = make_records(in);
	must(check_scan(all, step * 16, true, NULL) == n);
	must(check_scan(all, step * 16, false, NULL) == n);
	while (spoil.n > 0) {
		unsigned at = fuzz_choice(&spoil) * 16 + fuzz_choice(&spoil) % 16;

		segment[SEGMENT_HEAD + at] = (char)fuzz_choice(&spoil);
	}
	must(check_scan(all, step * 16, true, sp) <= n);
	spool_free(sp);
}

static void
check_sidecar(struct str in)
{
	struct sidecar s;
	uint64_t at;

	(void)sidecar_decode(in, &s);
	(void)sidecar_entry_decode(in, SALT, &at);
}

FUZZ(in)
{
	check_sidecar(in);
	memset(segment, 0, sizeof segment);
	memcpy(segment + SEGMENT_HEAD, in.p, in.n < ROOM - SEGMENT_HEAD ? in.n :
	    ROOM - SEGMENT_HEAD);
	(void)check_scan((struct str){ segment, ROOM }, 64, true, NULL);
	check_made(in);
}
