#include "cli/dkim_import.h"

#include "base/err.h"
#include "trust/dkim_pair.h"
#include "wire/dkim.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* ---- their file ---- */

/* What everybody could read was everybody's key. */
static int
file_check(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return cli_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cli_fail(EX_NOINPUT, "%s: that is no file", path);
	if ((st.st_mode & 077) != 0)
		return cli_fail(EX_NOPERM, "%s: others than its owner may read or "
		    "write this private key (mode %03o).  Say chmod 0600; and if "
		    "somebody may have read it, make a new one instead: nightmail "
		    "dkim rotate", path, (unsigned)(st.st_mode & 0777));
	if (st.st_size > DKIM_PAIR_MOST)
		return cli_fail(EX_DATAERR, "%s: too long for a key", path);
	return 0;
}

static int
key_take(const char *path, int fd, struct dkim_pair *out)
{
	char *text = OPENSSL_malloc(DKIM_PAIR_MOST);
	ssize_t n = text == NULL ? -1 : read(fd, text, DKIM_PAIR_MOST);
	int rc = 0;

	if (n < 0)
		rc = cli_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
	else {
		out->key = dkim_key_import((struct str){ text, (size_t)n },
		    &out->algorithm);
		if (out->key == NULL)
			rc = cli_fail(EX_DATAERR, "%s: %s", path, err_text());
	}
	OPENSSL_clear_free(text, DKIM_PAIR_MOST);
	return rc;
}

static int
key_read(struct cli *c, struct str file, struct dkim_pair *out)
{
	const char *path = arena_cstr(&c->arena, file);
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK);
	int rc;

	if (fd < 0)
		return cli_fail(EX_NOINPUT, STR_FMT ": %s", STR_ARG(file),
		    strerror(errno));
	rc = file_check(path, fd);
	if (rc == 0)
		rc = key_take(path, fd, out);
	close(fd);
	if (rc == 0 && out->algorithm == DKIM_RSA_SHA256 &&
	    dkim_key_bits(out->key) < DKIM_BITS_FINE)
		fprintf(stderr, "nightmail: warning: an RSA key of %u bits is taken, "
		    "but 2048 is what RFC 8301 asks for: nightmail dkim rotate "
		    "makes such a one\n", dkim_key_bits(out->key));
	return rc;
}

/* ---- our directory ---- */

/* A new file: the directory is another user's, who may have put one there. */
static int
part_write(int dir, const char *name, uid_t uid, gid_t gid, struct str text)
{
	int fd = unlinkat(dir, name, 0) != 0 && errno != ENOENT ? -1 :
	    openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	bool fine = fd >= 0 && (geteuid() != 0 || fchown(fd, uid, gid) == 0);

	while (fine && text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		fine = n > 0;
		text = str_sub(text, fine ? (size_t)n : 0, text.n);
	}
	fine = fine && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return fine ? 0 : -1;
}

/* Never over another key. */
static int
text_keep(int dir, const char *where, const struct dkim_pair *pair,
    struct str text)
{
	char name[DKIM_PAIR_NAME], part[64];
	struct stat st;
	int rc = 0;

	dkim_pair_file(pair, name);
	(void)snprintf(part, sizeof part, "import.%d", (int)getpid());
	if (fstat(dir, &st) != 0 ||
	    part_write(dir, part, st.st_uid, st.st_gid, text) != 0)
		rc = cli_fail(EX_CANTCREAT, "%s: %s", where, strerror(errno));
	else if (linkat(dir, part, dir, name, 0) != 0)
		rc = errno == EEXIST ? cli_fail(EX_CANTCREAT, "%s has that "
		    "selector already: nightmail dkim list shows it",
		    pair->domain) :
		    cli_fail(EX_CANTCREAT, "%s: %s", where, strerror(errno));
	(void)unlinkat(dir, part, 0);
	(void)fsync(dir);
	return rc;
}

static int
pair_keep(struct cli *c, struct str where, const struct dkim_pair *pair)
{
	const char *path = arena_cstr(&c->arena, where);
	int dir = path == NULL ? -1 : open(path, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	struct buf text = { .p = OPENSSL_malloc(DKIM_PAIR_MOST),
		.cap = DKIM_PAIR_MOST };
	int rc;

	if (dir < 0)
		rc = cli_fail(EX_UNAVAILABLE, STR_FMT ": %s (dkim.state; the "
		    "server makes it when it starts)", STR_ARG(where),
		    strerror(errno));
	else if (text.p == NULL || dkim_pair_print(pair, &text) != 0)
		rc = cli_fail(EX_OSERR, "%s", err_text());
	else
		rc = text_keep(dir, path, pair, buf_str(&text));
	OPENSSL_clear_free(text.p, DKIM_PAIR_MOST);
	if (dir >= 0)
		close(dir);
	return rc;
}

int
dkim_import(struct cli *c, struct str dir, struct str domain,
    struct str selector, struct str file)
{
	int64_t now = (int64_t)time(NULL);
	struct dkim_pair pair = { .state = DKIM_NEXT, .made = now,
		.since = now };
	int rc;

	if (!dkim_pair_names_fit(domain, selector) ||
	    !str_cstr(domain, pair.domain, sizeof pair.domain) ||
	    !str_cstr(selector, pair.selector, sizeof pair.selector))
		return cli_fail(EX_USAGE, STR_FMT "._domainkey." STR_FMT " is no "
		    "name for a key: letters, digits and hyphens", STR_ARG(
		    selector), STR_ARG(domain));
	rc = key_read(c, file, &pair);
	if (rc == 0)
		rc = pair_keep(c, dir, &pair);
	dkim_pair_free(&pair);
	return rc;
}
