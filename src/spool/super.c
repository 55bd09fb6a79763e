#include "spool/super.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/disk.h"
#include "spool/fault.h"

#include <errno.h>

/*
 * The file "superblock" holds two copies, at 0 and at 4096; generation g is
 * written to copy g mod 2, so the one before it stays whole meanwhile:
 *
 *	 0   8	magic "NMSUPER\1"
 *	 8   4	format version of the spool
 *	12   4	oldest reader: programs below this version keep off
 *	16   8	generation
 *	24   8	instance, random
 *	32   4	node
 *	36   4	number of the spool on its node
 *	40   4	flags: 1 = stopped cleanly
 *	44   4	zero
 *	48   8	counters of message ids below this may have been given
 *	56   8	segment numbers below this were used
 *	64   8	sequence of the last record, when stopped cleanly
 *	72   8	number of the last segment, when stopped cleanly
 *	80   8	where its records end
 *	88   4	zero
 *	92   4	CRC-32C of octets 0 to 91
 */
enum { SUMMED = 92, FLAG_CLEAN = 1 };

static const struct str magic = { "NMSUPER\1", 8 };

void
super_encode(const struct super *s, struct buf *b)
{
	size_t from = b->n;

	buf_put(b, magic);
	buf_le32(b, s->version);
	buf_le32(b, s->oldest_reader);
	buf_le64(b, s->generation);
	buf_le64(b, s->instance);
	buf_le32(b, s->node);
	buf_le32(b, s->number);
	buf_le32(b, s->is_clean ? FLAG_CLEAN : 0);
	buf_le32(b, 0);
	buf_le64(b, s->ids);
	buf_le64(b, s->next_segment);
	buf_le64(b, s->sequence);
	buf_le64(b, s->tail);
	buf_le64(b, s->tail_end);
	buf_le32(b, 0);
	must(b->full || b->n - from == SUMMED);
	buf_le32(b, crc32c(0, str_sub(buf_str(b), from, SUMMED)));
}

enum super_fault
super_decode(struct str s, struct super *out)
{
	struct str sum_at = str_sub(s, SUMMED, s.n);
	uint32_t sum, flags, zero;

	*out = (struct super){ .version = 0 };
	if (s.n < SUPER_BYTES || !take_le32(&sum_at, &sum) ||
	    crc32c(0, str_sub(s, 0, SUMMED)) != sum || !str_skip(&s, magic))
		return SUPER_DAMAGED;
	must(take_le32(&s, &out->version) && take_le32(&s, &out->oldest_reader));
	must(take_le64(&s, &out->generation) && take_le64(&s, &out->instance));
	must(take_le32(&s, &out->node) && take_le32(&s, &out->number));
	must(take_le32(&s, &flags) && take_le32(&s, &zero));
	must(take_le64(&s, &out->ids) && take_le64(&s, &out->next_segment));
	must(take_le64(&s, &out->sequence) && take_le64(&s, &out->tail));
	must(take_le64(&s, &out->tail_end));
	out->is_clean = (flags & FLAG_CLEAN) != 0;
	if (out->oldest_reader > SUPER_VERSION || out->version < SUPER_READS)
		return SUPER_FOREIGN;
	return SUPER_FINE;
}

yields int
super_read(int fd, struct super *out)
{
	bool is_found = false, is_foreign = false;
	char room[SUPER_BYTES];
	struct super s;

	for (uint64_t i = 0; i < SUPER_COPIES; i++) {
		int64_t n = disk_pread(fd, room, sizeof room, i * SUPER_COPY);
		enum super_fault fault;

		if (n < 0)
			return (int)n;
		fault = super_decode((struct str){ room, (size_t)n }, &s);
		is_foreign = is_foreign || fault == SUPER_FOREIGN;
		if (fault != SUPER_FINE ||
		    (is_found && s.generation < out->generation))
			continue;
		*out = s;
		is_found = true;
	}
	if (is_foreign) {
		err_set("this spool was written by a newer Nightmail");
		return -EPROTO;
	}
	if (!is_found)
		err_set("both copies of the superblock are damaged");
	return is_found ? 0 : -EBADMSG;
}

yields int
super_write(int fd, struct super *s)
{
	char room[SUPER_BYTES];
	struct buf b = BUF_OF(room);
	int rc;

	must(fd >= 0);
	s->generation++;
	s->version = SUPER_VERSION;
	s->oldest_reader = SUPER_READS;
	super_encode(s, &b);
	must(!b.full);
	rc = disk_pwrite(fd, buf_str(&b), s->generation % SUPER_COPIES *
	    SUPER_COPY);
	if (rc == 0)
		rc = fault_here(FAULT_superblock_after_write);
	if (rc == 0)
		rc = disk_fsync(fd);
	if (rc != 0) {
		s->generation--;	/* the other copy is the whole one */
		err_add("writing the superblock");
	}
	return rc;
}
