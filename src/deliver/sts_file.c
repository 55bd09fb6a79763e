/*
 * "DOMAIN" in the directory:
 *
 *	nightmail-mta-sts 1 ID SECONDS LF	when it was fetched, UTC
 *	the policy, as it was served
 *
 * ".NUMBER" is one that is being written.
 */
#include "deliver/sts_file.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/disk.h"
#include "fiber/random.h"

#include <inttypes.h>

enum { HEAD_MOST = 128, DOMAIN_MOST = 253, FILE_MEMORY = 256 * 1024 };

bool
sts_file_fits(struct str domain)
{
	if (domain.n == 0 || domain.n > DOMAIN_MOST || domain.p[0] == '.')
		return false;
	for (size_t i = 0; i < domain.n; i++)
		if (!ascii_is_alnum(domain.p[i]) && domain.p[i] != '-' &&
		    domain.p[i] != '_' && domain.p[i] != '.')
			return false;
	return true;
}

static const char *
file_path(struct str directory, struct str name, struct arena *a)
{
	must(directory.n > 0 && name.n > 0);
	return arena_cstr(a, arena_printf(a, STR_FMT "/" STR_FMT,
	    STR_ARG(directory), STR_ARG(name)));
}

/* ---- reading ---- */

static int
head_read(struct str head, struct sts_file *out)
{
	uint64_t seconds;
	struct str id;

	if (!str_skip(&head, STR("nightmail-mta-sts 1 ")))
		return -1;
	id = str_cut(&head, ' ');
	if (id.n == 0 || !str_cstr(id, out->id, sizeof out->id) ||
	    !parse_u64(head, INT64_MAX / US_PER_SECOND, &seconds))
		return -1;
	out->fetched = (struct wall){ (int64_t)seconds * US_PER_SECOND };
	return 0;
}

yields int
sts_file_read(struct str directory, struct str domain, struct arena *a,
    struct sts_file *out)
{
	const char *path = file_path(directory, domain, a);
	struct str bytes;

	*out = (struct sts_file){ .policy = arena_new(a, struct sts_policy) };
	if (path == NULL || out->policy == NULL || disk_read_file(path, a,
	    HEAD_MOST + STS_POLICY_MOST, &bytes) != 0) {
		err_clear();		/* most have none */
		return -1;
	}
	if (head_read(str_cut(&bytes, '\n'), out) != 0 ||
	    sts_policy_read(bytes, out->policy) != NULL)
		return -1;
	out->text = bytes;
	return 0;
}

/* ---- writing ---- */

static yields int
aside_write(const char *path, struct str head, struct str text)
{
	int fd = disk_open(path, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE,
	    0600), rc;

	if (fd < 0)
		return fd;
	rc = disk_pwrite(fd, head, 0);
	if (rc == 0)
		rc = disk_pwrite(fd, text, head.n);
	if (rc == 0)
		rc = disk_fdatasync(fd);
	disk_close(fd);
	return rc;
}

static yields int
file_replace(struct str directory, struct str domain,
    const struct sts_file *f, struct arena *a)
{
	const char *path = file_path(directory, domain, a);
	const char *aside = arena_cstr(a, arena_printf(a,
	    STR_FMT "/.%016" PRIx64, STR_ARG(directory), random_u64()));
	const char *in = arena_cstr(a, directory);
	struct str head = arena_printf(a, "nightmail-mta-sts 1 %s %" PRId64
	    "\n", f->id, f->fetched.us / US_PER_SECOND);
	int rc;

	if (path == NULL || aside == NULL || in == NULL || head.p == NULL)
		return err_set("no memory");
	(void)disk_mkdir(in, 0700);	/* it is there, mostly */
	err_clear();
	rc = aside_write(aside, head, f->text);
	if (rc == 0)
		rc = disk_rename(aside, path);
	if (rc == 0)
		return disk_sync_directory(in);
	(void)disk_unlink(aside);
	return -1;
}

yields int
sts_file_write(struct str directory, struct str domain,
    const struct sts_file *f)
{
	struct arena a;
	int rc;

	must(sts_file_fits(domain));
	arena_init(&a, FILE_MEMORY);
	rc = file_replace(directory, domain, f, &a);
	arena_clear(&a);
	return rc == 0 ? 0 : err_add("keeping the MTA-STS policy of " STR_FMT,
	    STR_ARG(domain));
}

yields void
sts_file_remove(struct str directory, struct str name)
{
	const char *path;
	struct arena a;

	arena_init(&a, FILE_MEMORY);
	path = file_path(directory, name, &a);
	if (path != NULL && disk_unlink(path) != 0)
		err_clear();
	arena_clear(&a);
}
