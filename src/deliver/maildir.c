/*
 * The life of a delivery:
 *
 *	WRITING    maildir_open     tmp/<unique> exists, nobody reads it
 *	SYNCED     maildir_commit   its bytes are on disk, still in tmp/
 *	DELIVERED  maildir_commit   renamed to new/<unique>,S=<size>, new/ synced
 *	ABANDONED  maildir_abandon  tmp/<unique> is gone
 *
 * A crash in WRITING or SYNCED leaves a file in tmp/ that readers ignore and
 * clean up after 36 hours; the message is delivered again.
 */
#include "deliver/maildir.h"

#include "base/buf.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/random.h"

#include <errno.h>

static int
trouble(struct maildir *m, int negative_errno)
{
	m->maildir_errno = -negative_errno;
	return err_add("Maildir " STR_FMT, STR_ARG(m->path));
}

static yields int
directory_make(struct maildir *m, const char *path)
{
	int rc = disk_mkdir(path, 0700);

	return rc == 0 || rc == -EEXIST ? 0 : trouble(m, rc);
}

/* The folder above must know the new name too. */
static yields int
directories_make(struct maildir *m)
{
	static const char *const parts[] = { "", "/tmp", "/new", "/cur" };
	struct str parent = str_sub(m->path, 0, str_find_last(m->path, '/'));
	int rc;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct str p = arena_printf(m->arena, STR_FMT "%s",
		    STR_ARG(m->path), parts[i]);

		if (p.p == NULL)
			return err_set("no memory");
		if (directory_make(m, p.p) != 0)
			return -1;
	}
	rc = disk_sync_directory(arena_cstr(m->arena, m->path));
	if (rc == 0 && parent.n > 0 && parent.n < m->path.n)
		rc = disk_sync_directory(arena_cstr(m->arena, parent));
	return rc == 0 ? 0 : trouble(m, rc);
}

/* maildir(5): '/' and ':' of a host name become \057 and \072. */
static struct str
host_for_name(struct arena *a, struct str host)
{
	char room[256 * 4];
	struct buf b = BUF_OF(room);

	for (size_t i = 0; i < host.n && i < 255; i++) {
		if (host.p[i] == '/' || host.p[i] == ':')
			buf_printf(&b, "\\%03o", (unsigned)host.p[i]);
		else if (host.p[i] > ' ' && host.p[i] < 0x7f)
			buf_putc(&b, host.p[i]);
	}
	return arena_copy(a, buf_str(&b));
}

static struct str
unique_make(struct maildir *m, struct str hostname)
{
	struct wall now = clock_wall();

	return arena_printf(m->arena, "%lld.M%lldR%016llx." STR_FMT,
	    (long long)(now.us / US_PER_SECOND),
	    (long long)(now.us % US_PER_SECOND),
	    (unsigned long long)random_u64(),
	    STR_ARG(host_for_name(m->arena, hostname)));
}

static yields int
tmp_open(struct maildir *m)
{
	enum { FLAGS = DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE };

	m->fd = disk_open(m->tmp_name, FLAGS, 0600);
	if (m->fd == -ENOENT) {
		if (directories_make(m) != 0)
			return -1;
		m->fd = disk_open(m->tmp_name, FLAGS, 0600);
	}
	return m->fd < 0 ? trouble(m, m->fd) : 0;
}

yields int
maildir_open(struct maildir *m, struct str path, struct str hostname,
    struct arena *a)
{
	*m = (struct maildir){ .path = path, .fd = -1, .arena = a };
	m->unique = unique_make(m, hostname);
	m->tmp_name = arena_printf(a, STR_FMT "/tmp/" STR_FMT, STR_ARG(path),
	    STR_ARG(m->unique)).p;
	m->buffer = arena_alloc(a, MAILDIR_BUFFER);
	if (m->tmp_name == NULL || m->buffer == NULL)
		return err_set("no memory");
	return tmp_open(m);
}

static yields int
buffer_flush(struct maildir *m)
{
	int rc;

	if (m->held == 0)
		return 0;
	rc = disk_pwrite(m->fd, (struct str){ m->buffer, m->held }, m->size);
	m->size += m->held;
	m->held = 0;
	return rc == 0 ? 0 : trouble(m, rc);
}

static yields int
buffer_put(struct maildir *m, struct str s)
{
	while (s.n > 0) {
		size_t n = MAILDIR_BUFFER - m->held;

		if (n > s.n)
			n = s.n;
		memcpy(m->buffer + m->held, s.p, n);
		m->held += n;
		s = str_sub(s, n, s.n);
		if (m->held == MAILDIR_BUFFER && buffer_flush(m) != 0)
			return -1;
	}
	return 0;
}

/* The spool's bodies hold no CR but before LF, so dropping CR is enough. */
yields int
maildir_write(struct maildir *m, struct str s)
{
	must(m->fd >= 0);
	while (s.n > 0) {
		size_t line = str_find(s, '\r');

		if (buffer_put(m, str_sub(s, 0, line)) != 0)
			return -1;
		s = str_sub(s, line < s.n ? line + 1 : line, s.n);
	}
	return 0;
}

static yields int
file_sync(struct maildir *m)
{
	int rc = disk_fsync(m->fd);

	disk_close(m->fd);
	m->fd = -1;
	return rc == 0 ? 0 : trouble(m, rc);
}

yields int
maildir_commit(struct maildir *m)
{
	struct str directory = arena_printf(m->arena, STR_FMT "/new",
	    STR_ARG(m->path));
	int rc;

	if (buffer_flush(m) != 0 || file_sync(m) != 0)
		return -1;
	m->new_name = arena_printf(m->arena, STR_FMT "/" STR_FMT ",S=%llu",
	    STR_ARG(directory), STR_ARG(m->unique),
	    (unsigned long long)m->size).p;
	if (directory.p == NULL || m->new_name == NULL)
		return err_set("no memory");
	rc = disk_rename(m->tmp_name, m->new_name);
	if (rc == 0)
		rc = disk_sync_directory(directory.p);
	return rc == 0 ? 0 : trouble(m, rc);
}

yields void
maildir_abandon(struct maildir *m)
{
	if (m->fd >= 0)
		disk_close(m->fd);
	m->fd = -1;
	if (m->tmp_name != NULL && m->new_name == NULL)
		(void)disk_unlink(m->tmp_name);
}
