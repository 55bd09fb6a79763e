/*
 * The life of a delivery:
 *
 *	WRITING    maildir_open     tmp/<unique> exists, nobody reads it
 *	SYNCED     maildir_commit   its bytes are on disk, still in tmp/
 *	NAMED      maildir_commit   renamed to new/<unique>,S=<size>
 *	DELIVERED  maildir_commit   new/ is synced
 *	ABANDONED  maildir_abandon  the file is gone, by whichever name
 *
 * A crash before NAMED leaves a file in tmp/ that readers ignore and clean up
 * after 36 hours; the message is delivered again.
 *
 * Of a Maildir that we make, tmp/ is made last, when all above it and beside it
 * is on disk: whoever finds tmp/ need not ask whether a power cut could take
 * the rest away.
 */
#include "deliver/maildir.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/random.h"

#include <errno.h>

static int
trouble(struct maildir *m, int negative_errno)
{
	must(negative_errno < 0);
	m->maildir_errno = -negative_errno;
	return err_add("Maildir " STR_FMT, STR_ARG(m->path));
}

static int
no_memory(struct maildir *m)
{
	err_set("no memory");
	return trouble(m, -ENOMEM);
}

/* ---- the directories ---- */

static yields int
directory_make(struct maildir *m, struct str path)
{
	const char *p = arena_cstr(m->arena, path);
	int rc;

	if (p == NULL)
		return no_memory(m);
	rc = disk_mkdir(p, 0700);
	return rc == 0 || rc == -EEXIST ? 0 : trouble(m, rc);
}

/* Not all of the way down to a mailbox may be ours to look at: what we may not
 * open we have not made, and need not sync. */
static yields int
directory_sync(struct maildir *m, struct str path)
{
	const char *p = arena_cstr(m->arena, path);
	int rc;

	if (p == NULL)
		return no_memory(m);
	rc = disk_sync_directory(p);
	return rc == 0 || rc == -EACCES || rc == -EPERM ? 0 : trouble(m, rc);
}

/* The path and all that leads to it. */
static yields int
path_make(struct maildir *m)
{
	must(m->path.n > 0);
	for (size_t i = 1; i <= m->path.n; i++)
		if ((i == m->path.n || m->path.p[i] == '/') &&
		    directory_make(m, str_sub(m->path, 0, i)) != 0)
			return -1;
	return 0;
}

static yields int
path_sync(struct maildir *m)
{
	struct str p = m->path;

	while (p.n > 0) {
		if (directory_sync(m, p) != 0)
			return -1;
		p = str_sub(p, 0, str_find_last(p, '/') % p.n);
	}
	return m->path.p[0] == '/' ? directory_sync(m, STR("/")) : 0;
}

static yields int
part_make(struct maildir *m, struct str name)
{
	struct str p = arena_join(m->arena, m->path, name);

	return p.p == NULL ? no_memory(m) : directory_make(m, p);
}

static yields int
directories_make(struct maildir *m)
{
	return path_make(m) != 0 || part_make(m, STR("/new")) != 0 ||
	    part_make(m, STR("/cur")) != 0 || path_sync(m) != 0 ||
	    part_make(m, STR("/tmp")) != 0 ? -1 : 0;
}

/* ---- the names ---- */

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

static int
names_make(struct maildir *m, struct str hostname)
{
	struct str unique = unique_make(m, hostname);
	struct str tmp = arena_printf(m->arena, STR_FMT "/tmp/" STR_FMT,
	    STR_ARG(m->path), STR_ARG(unique));

	m->unique = unique;
	m->tmp_name = tmp.p;
	return unique.p == NULL || tmp.p == NULL ? no_memory(m) : 0;
}

/* ---- the file ---- */

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
	if (m->fd < 0)
		return trouble(m, m->fd);
	m->name = m->tmp_name;
	return 0;
}

yields int
maildir_open(struct maildir *m, struct str path, struct str hostname,
    struct arena *a)
{
	must(path.n > 0);
	*m = (struct maildir){ .path = path, .fd = -1, .arena = a };
	m->buffer = arena_alloc(a, MAILDIR_BUFFER);
	if (m->buffer == NULL)
		return no_memory(m);
	return names_make(m, hostname) != 0 ? -1 : tmp_open(m);
}

yields struct str
maildir_choose(struct str path, struct str folder)
{
	struct disk_stat st;

	return folder.n > 0 && disk_stat(folder.p, &st) == 0 &&
	    st.is_directory ? folder : path;
}

static yields int
buffer_flush(struct maildir *m)
{
	int rc;

	must(m->held <= MAILDIR_BUFFER && m->fd >= 0);
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

	must(m->held == 0 && m->fd >= 0);
	disk_close(m->fd);
	m->fd = -1;
	return rc == 0 ? 0 : trouble(m, rc);
}

/* new/ can only be missing when somebody took it away. */
static yields int
file_name(struct maildir *m)
{
	int rc = disk_rename(m->tmp_name, m->new_name);

	must(m->fd < 0);
	if (rc == -ENOENT) {
		if (directories_make(m) != 0)
			return -1;
		rc = disk_rename(m->tmp_name, m->new_name);
	}
	if (rc != 0)
		return trouble(m, rc);
	m->name = m->new_name;
	return 0;
}

yields int
maildir_commit(struct maildir *m)
{
	struct str directory = arena_join(m->arena, m->path, STR("/new"));
	int rc;

	must(m->name == m->tmp_name && m->name != NULL);
	if (buffer_flush(m) != 0 || file_sync(m) != 0)
		return -1;
	m->new_name = arena_printf(m->arena, STR_FMT "/" STR_FMT ",S=%llu",
	    STR_ARG(directory), STR_ARG(m->unique),
	    (unsigned long long)m->size).p;
	if (directory.p == NULL || m->new_name == NULL)
		return no_memory(m);
	if (file_name(m) != 0)
		return -1;
	rc = disk_sync_directory(directory.p);
	if (rc != 0)
		return trouble(m, rc);
	m->name = NULL;
	return 0;
}

yields void
maildir_abandon(struct maildir *m)
{
	if (m->fd >= 0)
		disk_close(m->fd);
	m->fd = -1;
	if (m->name != NULL)
		(void)disk_unlink(m->name);
	m->name = NULL;
}
