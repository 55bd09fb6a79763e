#include "spool/segment.h"

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/random.h"
#include "spool/fault.h"

#include <errno.h>
#include <stdio.h>

/*
 * A segment is the file NNNNNNNNNN.log, ten decimal digits, which never come
 * again.  It has its whole size from the first moment:
 *
 *	 0   8	magic "NMSEG\0\0\1"
 *	 8   4	format version, 1
 *	12   4	oldest version whose programs can read it, 1
 *	16   8	number, as in the name
 *	24   8	salt: random for each turn of the file
 *	32   8	instance of the spool (superblock)
 *	40   8	size of the file
 *	48   8	when it was prepared, wall, microseconds
 *	56   4	zero
 *	60   4	CRC-32C of octets 0 to 59
 *	64	zeros up to 4096, then records (record.c), then zeros, or what an
 *		earlier turn left, which the salt tells from records
 *
 * STATE      moved by           what is true
 * .tmp       segment_prepare    filled, then header written, then fsync
 * spare      (rename, fsync of  has its name; no record yet
 *            the directory)
 * current    writer_roll        takes records, up to its size
 * sealed     writer_roll        takes no more; gets a sidecar (sidecar.c)
 * dead       keeper             nothing in it matters any longer: renamed to the
 *                               .tmp of a new number, the directory synced, and
 *                               only then written over
 */
enum { SEGMENT_VERSION = 1, SEGMENT_OLDEST = 1, HEAD_USED = 64, SUMMED = 60 };

static const struct str magic = { "NMSEG\0\0\1", 8 };

void
segment_path(char to[SEGMENT_PATH_MOST], const char *dir, uint64_t number,
    enum segment_kind kind)
{
	static const char *const ends[] = { [SEGMENT_LOG] = "log",
		[SEGMENT_SIDECAR] = "idx", [SEGMENT_NEW] = "tmp",
		[SEGMENT_NEW_SIDECAR] = "new" };
	int n = snprintf(to, SEGMENT_PATH_MOST, "%s/%010llu.%s", dir,
	    (unsigned long long)number, ends[kind]);

	must(n > 0 && n < SEGMENT_PATH_MOST);
}

bool
segment_name(struct str name, uint64_t *number, enum segment_kind *kind)
{
	struct str digits = str_cut(&name, '.');

	if (str_eq(name, STR("log")))
		*kind = SEGMENT_LOG;
	else if (str_eq(name, STR("idx")))
		*kind = SEGMENT_SIDECAR;
	else if (str_eq(name, STR("tmp")))
		*kind = SEGMENT_NEW;
	else if (str_eq(name, STR("new")))
		*kind = SEGMENT_NEW_SIDECAR;
	else
		return false;
	return digits.n >= 10 && parse_u64(digits, UINT64_MAX, number);
}

static void
segment_encode(const struct segment *s, uint64_t instance, struct buf *b)
{
	buf_put(b, magic);
	buf_le32(b, SEGMENT_VERSION);
	buf_le32(b, SEGMENT_OLDEST);
	buf_le64(b, s->number);
	buf_le64(b, s->salt);
	buf_le64(b, instance);
	buf_le64(b, s->size);
	buf_le64(b, (uint64_t)clock_wall().us);
	buf_le32(b, 0);
	buf_le32(b, crc32c(0, buf_str(b)));
	must(b->n == HEAD_USED && !b->full);
}

/* 0, -EBADMSG when damaged, -EPROTO when it is not for us to read. */
static int
segment_decode(struct str s, uint64_t number, uint64_t instance,
    struct segment *out)
{
	struct str sum_at = str_sub(s, SUMMED, s.n);
	uint32_t sum, version, oldest;
	uint64_t its_number, its_instance, size;

	if (s.n < HEAD_USED || !take_le32(&sum_at, &sum) ||
	    crc32c(0, str_sub(s, 0, SUMMED)) != sum || !str_skip(&s, magic))
		return -EBADMSG;
	must(take_le32(&s, &version) && take_le32(&s, &oldest));
	must(take_le64(&s, &its_number) && take_le64(&s, &out->salt));
	must(take_le64(&s, &its_instance) && take_le64(&s, &size));
	if (oldest > SEGMENT_VERSION) {
		err_set("segment %llu has format %u", (unsigned long long)number,
		    version);
		return -EPROTO;
	}
	out->instance = its_instance;
	out->size_made = size;
	if (its_number != number || (instance != 0 && its_instance != instance))
		return -EBADMSG;
	return 0;
}

static yields int
segment_write_new(struct segment *s, const char *tmp, uint64_t instance,
    bool is_recycled)
{
	char room[HEAD_USED];
	struct buf b = BUF_OF(room);
	int rc = 0;

	must(s->fd < 0 && s->size > SEGMENT_HEAD);
	s->fd = disk_open(tmp, DISK_WRITE | DISK_CREATE, 0600);
	if (s->fd < 0)
		return s->fd;
	if (!is_recycled)
		rc = disk_zero_fill(s->fd, s->size);
	segment_encode(s, instance, &b);
	if (rc == 0)
		rc = disk_pwrite(s->fd, buf_str(&b), 0);
	if (rc == 0)
		rc = disk_fsync(s->fd);
	if (rc == 0)
		rc = fault_here(FAULT_segment_after_prepare);
	return rc;
}

yields int
segment_prepare(const char *dir, uint64_t number, uint64_t size,
    uint64_t instance, bool is_recycled, struct segment *out)
{
	char tmp[SEGMENT_PATH_MOST], path[SEGMENT_PATH_MOST];
	int rc;

	must(size > SEGMENT_HEAD);
	*out = (struct segment){ .number = number, .salt = random_u64(),
		.size = size, .end = SEGMENT_HEAD, .settled = SEGMENT_HEAD,
		.fd = -1 };
	segment_path(tmp, dir, number, SEGMENT_NEW);
	segment_path(path, dir, number, SEGMENT_LOG);
	rc = segment_write_new(out, tmp, instance, is_recycled);
	if (rc == 0)
		rc = disk_rename(tmp, path);
	if (rc == 0)
		rc = fault_here(FAULT_segment_after_rename);
	if (rc == 0)
		rc = disk_sync_directory(dir);
	if (rc != 0) {
		segment_close(out);
		(void)disk_unlink(tmp);
		err_add("preparing segment %llu", (unsigned long long)number);
	}
	return rc;
}

yields int
segment_open(const char *dir, uint64_t number, uint64_t instance,
    bool for_writing, struct segment *out)
{
	char path[SEGMENT_PATH_MOST], head[HEAD_USED];
	struct disk_stat st;
	int64_t n;

	*out = (struct segment){ .number = number, .end = SEGMENT_HEAD,
		.fd = -1, .is_sealed = true };
	segment_path(path, dir, number, SEGMENT_LOG);
	n = disk_stat(path, &st);
	if (n < 0)
		return (int)n;
	out->size = st.size;
	out->fd = disk_open(path, for_writing ? DISK_WRITE : DISK_READ, 0);
	if (out->fd < 0)
		return out->fd;
	n = disk_pread(out->fd, head, sizeof head, 0);
	if (n < 0)
		return (int)n;
	return segment_decode((struct str){ head, (size_t)n }, number, instance,
	    out);
}

void
segment_close(struct segment *s)
{
	if (s->fd >= 0)
		disk_close(s->fd);
	s->fd = -1;
}
