#include "spool/look.h"

#include "base/err.h"
#include "fiber/disk.h"
#include "spool/segment.h"
#include "spool/spool.h"
#include "spool/super.h"

#include <errno.h>

enum { NAMES_MOST = 16 << 20 };

static yields void
look_lock(struct look *l)
{
	char path[SEGMENT_PATH_MOST];
	int fd;

	spool_file(path, l->spool, "lock");
	fd = disk_open(path, DISK_READ, 0);
	if (fd < 0)
		return;
	l->is_in_use = disk_lock(fd) == -EWOULDBLOCK;
	disk_close(fd);
}

static yields enum spool_trouble
look_super(struct look *l)
{
	struct spool *sp = l->spool;
	char path[SEGMENT_PATH_MOST];
	int rc;

	spool_file(path, sp, "superblock");
	sp->super_fd = disk_open(path, DISK_READ, 0);
	if (sp->super_fd < 0)
		return SPOOL_DISK;
	rc = super_read(sp->super_fd, &sp->super);
	l->is_super_lost = rc == -EBADMSG;
	if (l->is_super_lost)
		spool_without_super(sp);
	else if (rc != 0)
		return rc == -EPROTO ? SPOOL_FOREIGN : SPOOL_DISK;
	l->was_clean = sp->super.is_clean;
	return SPOOL_FINE;
}

static yields enum spool_trouble
look_segments(struct look *l)
{
	enum spool_trouble trouble = SPOOL_DISK;
	struct str *names;
	struct arena a;
	size_t n;

	arena_init(&a, NAMES_MOST);
	if (disk_list(l->spool->path, &a, &names, &n) == 0)
		trouble = spool_find_segments(l->spool, names, n);
	arena_clear(&a);
	return trouble;
}

yields enum spool_trouble
look_open(struct look *l, const char *path)
{
	struct spool_config config = { .path = path };
	enum spool_trouble trouble;

	*l = (struct look){ .spool = NULL };
	if (strlen(path) >= OWN_PATH_MOST) {
		err_set("the path is too long");
		return SPOOL_FOREIGN;
	}
	l->spool = spool_new(&config);
	if (l->spool == NULL)
		return SPOOL_DISK;
	l->spool->is_read_only = true;
	trouble = look_super(l);
	if (trouble == SPOOL_FINE) {
		look_lock(l);
		trouble = look_segments(l);
	}
	if (trouble != SPOOL_FINE)
		look_close(l);
	return trouble;
}

void
look_close(struct look *l)
{
	spool_free(l->spool);
	l->spool = NULL;
}
