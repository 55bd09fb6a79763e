#include "app/dns_watch_file.h"

#include "base/err.h"
#include "fiber/disk.h"

static const char *
path_of(struct str spool, struct str domain, const char *tail, struct arena *a)
{
	return arena_printf(a, STR_FMT "/dns-watch/" STR_FMT "%s",
	    STR_ARG(spool), STR_ARG(domain), tail).p;
}

yields void
dns_watch_read(struct str spool, struct str domain, struct arena *a,
    struct dns_state *out)
{
	const char *path = path_of(spool, domain, "", a);
	struct str text;

	*out = (struct dns_state){ .n = 0 };
	if (path != NULL && disk_read_file(path, a, DNS_STATE_MOST, &text) == 0)
		(void)dns_state_read(text, out);
	err_clear();
}

static yields int
aside_write(const char *path, struct str text)
{
	int fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600), rc;

	if (fd < 0)
		return -1;
	rc = disk_truncate(fd, 0);
	if (rc == 0)
		rc = disk_pwrite(fd, text, 0);
	if (rc == 0)
		rc = disk_fdatasync(fd);
	disk_close(fd);
	return rc == 0 ? 0 : -1;
}

yields int
dns_watch_write(struct str spool, struct str domain, struct arena *a,
    const struct dns_state *s)
{
	const char *path = path_of(spool, domain, "", a);
	const char *aside = path_of(spool, domain, "!", a);
	const char *in = arena_printf(a, STR_FMT "/dns-watch",
	    STR_ARG(spool)).p;
	struct buf b = { .p = arena_alloc(a, DNS_STATE_MOST),
		.cap = DNS_STATE_MOST };

	if (path == NULL || aside == NULL || in == NULL || b.p == NULL)
		return err_set("no memory");
	dns_state_print(s, &b);
	if (b.full)
		return err_set("the state of " STR_FMT " is too long",
		    STR_ARG(domain));
	(void)disk_mkdir(in, 0700);	/* it is there, mostly */
	err_clear();
	if (aside_write(aside, buf_str(&b)) != 0 ||
	    disk_rename(aside, path) != 0 || disk_sync_directory(in) != 0)
		return err_add("keeping the state of the DNS of " STR_FMT,
		    STR_ARG(domain));
	return 0;
}
