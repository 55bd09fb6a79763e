/*
 * <spool.path>/reports.<name>, lines of text; one without its end is none:
 *
 *	day <days since 1970>		the first line
 *	begin <id> <domain>		its message is about to be kept
 *	done <domain>
 *	over				of that day nothing is left to do
 *
 * A day's file is written aside and renamed, so there always is one, whole.
 */
#include "app/report_mark.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/list.h"
#include "base/must.h"
#include "fiber/disk.h"

#include <errno.h>

enum { LINE_MOST = 512, FILE_MOST = REPORT_MARK_MOST / 2 };

struct marked {
	struct table_node node;
	struct str name;
};

/* ---- what is known ---- */

bool
report_mark_has(const struct report_mark *m, struct str domain)
{
	struct table_node *k = table_find(&m->domains,
	    hash_bytes(m->key, domain));

	while (k != NULL && !str_eq(OWNER_OF(k, struct marked, node)->name,
	    domain))
		k = table_again(k);
	return k != NULL;
}

static void
mark_forget(struct report_mark *m)
{
	table_clear(&m->domains);
	m->domains = (struct table){ 0 };
	arena_clear(&m->arena);
	m->n = 0;
	m->begun = STR_NONE;
	m->begun_id = 0;
	m->is_over = false;
}

static int
mark_keep(struct report_mark *m, struct str domain)
{
	struct marked *d;

	if (str_eq(m->begun, domain))
		m->begun = STR_NONE;
	if (report_mark_has(m, domain))
		return 0;
	d = arena_new(&m->arena, struct marked);
	if (d == NULL || (d->name = arena_copy(&m->arena, domain)).p == NULL ||
	    table_insert(&m->domains, &d->node,
	    hash_bytes(m->key, domain)) != 0)
		return err_set("no memory for the domains that got reports");
	m->n++;
	return 0;
}

static int
begun_keep(struct report_mark *m, struct str domain, uint64_t id)
{
	m->begun = arena_copy(&m->arena, domain);
	m->begun_id = id;
	return m->begun.p == NULL ? err_set("no memory for a domain") : 0;
}

/* ---- reading ---- */

static int
line_take(struct report_mark *m, struct str line)
{
	struct str word = str_cut(&line, ' ');
	uint64_t n = 0;

	if (str_eq(word, STR("day")) && parse_u64(line, INT32_MAX, &n))
		m->day = (int64_t)n;
	else if (str_eq(word, STR("done")))
		return mark_keep(m, line);
	else if (str_eq(word, STR("over")))
		m->is_over = true;
	else if (str_eq(word, STR("begin"))) {
		word = str_cut(&line, ' ');
		(void)id_parse(word, &n);
		return begun_keep(m, line, n);
	}
	return 0;
}

static yields int
file_read(struct report_mark *m)
{
	struct str bytes, line;
	struct arena a;
	int rc;

	arena_init(&a, FILE_MOST + 4096);
	rc = disk_read_file(m->path, &a, FILE_MOST, &bytes);
	if (rc == -ENOENT) {
		err_clear();
		arena_clear(&a);
		return 0;
	}
	while (rc == 0 && str_find(bytes, '\n') < bytes.n) {
		line = str_cut(&bytes, '\n');
		m->size += line.n + 1;
		rc = line_take(m, line);
	}
	arena_clear(&a);
	return rc == 0 ? 0 : -1;
}

yields int
report_mark_open(struct report_mark *m, struct hash_key key,
    struct str directory, const char *name)
{
	struct buf b = BUF_OF(m->path);

	*m = (struct report_mark){ .key = key, .fd = -1, .day = -1 };
	arena_init(&m->arena, REPORT_MARK_MOST);
	buf_printf(&b, STR_FMT "/reports.%s", STR_ARG(directory), name);
	buf_putc(&b, '\0');
	if (b.full)
		return err_set("the path of the spool is too long");
	if (file_read(m) != 0)
		return err_add("read %s", m->path);
	if (m->day < 0)
		return 0;
	m->fd = disk_open(m->path, DISK_WRITE, 0);
	return m->fd < 0 ? -1 : 0;
}

void
report_mark_close(struct report_mark *m)
{
	if (m->fd >= 0)
		disk_close(m->fd);
	m->fd = -1;
	mark_forget(m);
}

/* ---- writing ---- */

static yields int
line_write(struct report_mark *m, struct str line)
{
	must(line.p[line.n - 1] == '\n');
	if (m->fd < 0)			/* closed: who asked for it comes late */
		return err_set("%s is closed", m->path);
	if (disk_pwrite(m->fd, line, m->size) != 0 ||
	    disk_fdatasync(m->fd) != 0)
		return err_add("write %s", m->path);
	m->size += line.n;
	return 0;
}

static yields int
aside_make(struct report_mark *m, const char *aside, struct str line)
{
	int rc;

	if (m->fd >= 0)
		disk_close(m->fd);
	m->size = 0;
	m->fd = disk_open(aside, DISK_WRITE | DISK_CREATE, 0600);
	rc = m->fd < 0 ? -1 : disk_truncate(m->fd, 0);
	return rc == 0 ? line_write(m, line) : -1;
}

yields int
report_mark_day(struct report_mark *m, int64_t day)
{
	char aside[sizeof m->path + 8], room[LINE_MOST], above[sizeof m->path];
	struct buf b = BUF_OF(aside), line = BUF_OF(room);
	struct str path = str_of(m->path);

	buf_printf(&b, "%s.new", m->path);
	buf_putc(&b, '\0');
	buf_printf(&line, "day %lld\n", (long long)day);
	must(!b.full && !line.full && day >= 0);
	mark_forget(m);
	if (aside_make(m, aside, buf_str(&line)) != 0 ||
	    disk_rename(aside, m->path) != 0)
		return err_add("write %s", m->path);
	m->day = day;
	path = str_sub(path, 0, str_find_last(path, '/'));
	return str_cstr(path, above, sizeof above) &&
	    disk_sync_directory(above) == 0 ? 0 : -1;
}

yields int
report_mark_begin(struct report_mark *m, struct str domain, uint64_t id)
{
	struct id_text name = id_print(id);
	char room[LINE_MOST];
	struct buf line = BUF_OF(room);

	buf_printf(&line, "begin %s " STR_FMT "\n", name.text, STR_ARG(domain));
	must(!line.full && str_find(domain, '\n') == domain.n);
	if (begun_keep(m, domain, id) != 0)
		return -1;
	return line_write(m, buf_str(&line));
}

yields int
report_mark_done(struct report_mark *m, struct str domain)
{
	char room[LINE_MOST];
	struct buf line = BUF_OF(room);

	buf_printf(&line, "done " STR_FMT "\n", STR_ARG(domain));
	must(!line.full && str_find(domain, '\n') == domain.n);
	if (line_write(m, buf_str(&line)) != 0)
		return -1;
	return mark_keep(m, domain);
}

yields int
report_mark_over(struct report_mark *m)
{
	m->is_over = true;
	return line_write(m, STR("over\n"));
}
