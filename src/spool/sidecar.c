#include "spool/sidecar.h"

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/disk.h"
#include "spool/fault.h"
#include "spool/record.h"
#include "spool/walk.h"

#include <stdlib.h>

/*
 * The sidecar of segment NNNNNNNNNN.log is NNNNNNNNNN.idx:
 *
 *	 0   8	magic "NMSIDE\0\1"
 *	 8   8	number of the segment
 *	16   8	its salt
 *	24   8	its end: where the last record stops
 *	32   8	sequence of its last record
 *	40   8	how many entries follow
 *	48   8	sequence of its first record
 *	56   4	zero
 *	60   4	CRC-32C of octets 0 to 59
 *	64	entries, in the segment's order, all but CHUNK and EVENT:
 *		 0   4	where the record stands in the segment / 8
 *		 4   4	CRC-32C of those and the salt
 *		 8	header (with RECORD_BODILESS) and payload, zeros up to a
 *			multiple of 8
 *
 * The head is written last, so a sidecar that was cut short has none.  Mostly it
 * is not synced: if a crash spoils it, the sums say so.
 */
enum { SUMMED = 60, OUT_BYTES = 256 << 10 };

static const struct str magic = { "NMSIDE\0\1", 8 };

static void
sidecar_encode(const struct sidecar *s, char to[SIDECAR_HEAD])
{
	struct buf b = { .p = to, .cap = SIDECAR_HEAD };

	buf_put(&b, magic);
	buf_le64(&b, s->number);
	buf_le64(&b, s->salt);
	buf_le64(&b, s->end);
	buf_le64(&b, s->sequence);
	buf_le64(&b, s->entries);
	buf_le64(&b, s->first);
	buf_le32(&b, 0);
	must(b.n == SUMMED);
	buf_le32(&b, crc32c(0, buf_str(&b)));
}

bool
sidecar_decode(struct str s, struct sidecar *out)
{
	struct str sum_at = str_sub(s, SUMMED, s.n);
	uint32_t sum;

	if (s.n < SIDECAR_HEAD || !take_le32(&sum_at, &sum) ||
	    crc32c(0, str_sub(s, 0, SUMMED)) != sum || !str_skip(&s, magic))
		return false;
	must(take_le64(&s, &out->number) && take_le64(&s, &out->salt));
	must(take_le64(&s, &out->end) && take_le64(&s, &out->sequence));
	must(take_le64(&s, &out->entries) && take_le64(&s, &out->first));
	return true;
}

static uint32_t
sidecar_entry_sum(uint32_t units, uint64_t salt)
{
	char room[12];
	struct buf b = BUF_OF(room);

	buf_le32(&b, units);
	buf_le64(&b, salt);
	return crc32c(0, buf_str(&b));
}

static void
sidecar_entry_encode(uint64_t at, uint64_t salt, char to[SIDECAR_ENTRY])
{
	struct buf b = { .p = to, .cap = SIDECAR_ENTRY };

	must(at % RECORD_ALIGN == 0 && at / RECORD_ALIGN <= UINT32_MAX);
	buf_le32(&b, (uint32_t)(at / RECORD_ALIGN));
	buf_le32(&b, sidecar_entry_sum((uint32_t)(at / RECORD_ALIGN), salt));
}

bool
sidecar_entry_decode(struct str s, uint64_t salt, uint64_t *at)
{
	uint32_t units, sum;

	if (!take_le32(&s, &units) || !take_le32(&s, &sum))
		return false;
	*at = (uint64_t)units * RECORD_ALIGN;
	return sum == sidecar_entry_sum(units, salt);
}

static bool
sidecar_takes(uint8_t type)
{
	return type != RECORD_CHUNK && type != RECORD_EVENT;
}

/* ---- writing ---- */

struct sidecar_out {
	int fd;
	char *room;
	size_t n;
	uint64_t at;			/* of the file, behind what was written */
};

static yields int
out_flush(struct sidecar_out *o)
{
	int rc = disk_pwrite(o->fd, (struct str){ o->room, o->n }, o->at);

	o->at += o->n;
	o->n = 0;
	return rc;
}

static yields int
out_put(struct sidecar_out *o, struct str s)
{
	must(o->n < OUT_BYTES);
	while (s.n > 0) {
		size_t n = OUT_BYTES - o->n < s.n ? OUT_BYTES - o->n : s.n;

		memcpy(o->room + o->n, s.p, n);
		o->n += n;
		s = str_sub(s, n, s.n);
		if (o->n == OUT_BYTES && out_flush(o) != 0)
			return -1;
	}
	return 0;
}

static yields int
out_put_record(struct sidecar_out *o, const struct record *r, uint64_t at)
{
	char head[SIDECAR_ENTRY + RECORD_HEADER], zeros[RECORD_ALIGN] = { 0 };
	uint64_t n = (uint64_t)RECORD_HEADER + r->payload_n;
	struct record copy = *r;

	must(at % RECORD_ALIGN == 0);
	copy.flags |= RECORD_BODILESS;
	sidecar_entry_encode(at, r->salt, head);
	record_seal(&copy, head + SIDECAR_ENTRY);
	if (out_put(o, (struct str){ head, sizeof head }) != 0 ||
	    out_put(o, r->payload) != 0)
		return -1;
	return out_put(o, (struct str){ zeros,
	    (size_t)(record_size(r->payload_n, 0) - n) });
}

static yields int
sidecar_copy(struct sidecar_out *o, struct walk *w, struct sidecar *head)
{
	enum walk_result got;
	struct record r;

	while ((got = walk_next(w, &r)) != WALK_END) {
		if (got == WALK_FAILED)
			return -1;
		if (got == WALK_DAMAGE || !sidecar_takes(r.type))
			continue;
		if (out_put_record(o, &r, w->record_at) != 0)
			return -1;
		head->entries++;
	}
	return out_flush(o);
}

static yields int
sidecar_write_to(struct sidecar_out *o, const struct segment *s, bool is_torn)
{
	struct sidecar head = { .number = s->number, .salt = s->salt,
		.end = s->end, .first = s->first_sequence,
		.sequence = s->sequence };
	char room[SIDECAR_HEAD];
	struct walk w;
	int rc;

	/* a torn body hides behind a whole header; one that rotted since is for
	 * its reader to find, the message is not forgotten for it */
	if (walk_open(&w, s, s->end, is_torn) != 0)
		return -1;
	o->at = SIDECAR_HEAD;
	rc = sidecar_copy(o, &w, &head);
	walk_close(&w);
	if (rc != 0)
		return -1;
	sidecar_encode(&head, room);
	return disk_pwrite(o->fd, (struct str){ room, sizeof room }, 0);
}

static yields int
sidecar_write_file(const char *tmp, const struct segment *s, bool is_torn)
{
	struct sidecar_out o = { .room = malloc(OUT_BYTES) };
	int rc = -1;

	if (o.room == NULL)
		return err_set("no memory for a sidecar");
	o.fd = disk_open(tmp, DISK_WRITE | DISK_CREATE, 0600);
	if (o.fd >= 0) {
		rc = disk_truncate(o.fd, 0);
		if (rc == 0)
			rc = sidecar_write_to(&o, s, is_torn);
		if (rc == 0 && is_torn)
			rc = disk_fsync(o.fd);
		disk_close(o.fd);
	}
	free(o.room);
	return rc == 0 ? 0 : -1;
}

yields int
sidecar_write(const char *dir, const struct segment *s, bool is_torn)
{
	char path[SEGMENT_PATH_MOST], tmp[SEGMENT_PATH_MOST];
	int rc;

	must(s->is_sealed);
	segment_path(path, dir, s->number, SEGMENT_SIDECAR);
	segment_path(tmp, dir, s->number, SEGMENT_NEW_SIDECAR);
	rc = sidecar_write_file(tmp, s, is_torn);
	if (rc == 0)
		rc = fault_here(FAULT_sidecar_before_rename);
	if (rc == 0)
		rc = disk_rename(tmp, path);
	if (rc == 0 && is_torn)
		rc = disk_sync_directory(dir);
	if (rc != 0) {
		(void)disk_unlink(tmp);
		return err_add("writing the sidecar of segment %llu",
		    (unsigned long long)s->number);
	}
	return 0;
}
