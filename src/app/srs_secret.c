/*
 * "srs.secret": 64 hexadecimal digits and LF.  "srs.secret.NUMBER" is one that a
 * core is writing; the link to the name decides whose it is.
 */
#include "app/srs_secret.h"

#include "base/arena.h"
#include "base/err.h"
#include "fiber/disk.h"
#include "fiber/random.h"

#include <errno.h>
#include <openssl/crypto.h>

enum { HEX = 2 * SRS_SECRET, FILE_MEMORY = 8192 };

/* ---- its letters ---- */

static int
digit_read(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
hex_read(struct str text, unsigned char out[SRS_SECRET])
{
	if (text.n != HEX + 1 || text.p[HEX] != '\n')
		return -1;
	for (size_t i = 0; i < SRS_SECRET; i++) {
		int high = digit_read(text.p[2 * i]),
		    low = digit_read(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

static void
hex_make(char text[HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char octets[SRS_SECRET];

	random_bytes(octets, sizeof octets);
	for (size_t i = 0; i < SRS_SECRET; i++) {
		text[2 * i] = digits[octets[i] >> 4];
		text[2 * i + 1] = digits[octets[i] & 15];
	}
	text[HEX] = '\n';
	OPENSSL_cleanse(octets, sizeof octets);
}

/* ---- the file ---- */

/* 1: there is none. */
static yields int
secret_read(const char *path, unsigned char out[SRS_SECRET])
{
	char room[HEX + 2];
	int fd = disk_open(path, DISK_READ, 0), rc;
	int64_t n;

	if (fd == -ENOENT) {
		err_clear();
		return 1;
	}
	if (fd < 0)
		return -1;
	n = disk_pread(fd, room, sizeof room, 0);
	disk_close(fd);
	if (n < 0)
		return -1;
	rc = hex_read((struct str){ room, (size_t)n }, out);
	OPENSSL_cleanse(room, sizeof room);
	return rc == 0 ? 0 : err_set("%s: it is no secret; restore it, or remove "
	    "it: then another is made, and reports to senders that were rewritten "
	    "do not come back", path);
}

static yields int
secret_write(const char *path)
{
	int fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600), rc;
	char text[HEX + 1];

	if (fd < 0)
		return -1;
	hex_make(text);
	rc = disk_pwrite(fd, (struct str){ text, sizeof text }, 0);
	OPENSSL_cleanse(text, sizeof text);
	if (rc == 0)
		rc = disk_truncate(fd, HEX + 1);
	if (rc == 0)
		rc = disk_fsync(fd);
	disk_close(fd);
	return rc == 0 ? 0 : -1;
}

/* Another core may have been faster: then the file is its. */
static yields int
secret_make(const char *path, const char *aside, const char *directory)
{
	int rc;

	if (secret_write(aside) != 0)
		return -1;
	rc = disk_link(aside, path);
	(void)disk_unlink(aside);
	if (rc != 0 && rc != -EEXIST)
		return -1;
	err_clear();
	return disk_sync_directory(directory) == 0 ? 0 : -1;
}

yields int
srs_secret_take(struct str directory, unsigned number,
    unsigned char out[SRS_SECRET])
{
	const char *path, *aside, *where;
	struct arena a;
	int rc = -1;

	arena_init(&a, FILE_MEMORY);
	path = arena_cstr(&a, arena_join(&a, directory, STR("/srs.secret")));
	aside = arena_cstr(&a, arena_printf(&a, STR_FMT "/srs.secret.%u",
	    STR_ARG(directory), number));
	where = arena_cstr(&a, directory);
	if (path == NULL || aside == NULL || where == NULL)
		err_set("no memory");
	else
		rc = secret_read(path, out);
	if (rc == 1 && (rc = secret_make(path, aside, where)) == 0)
		rc = secret_read(path, out);
	arena_clear(&a);
	return rc == 0 ? 0 : err_add("the secret of rewritten senders");
}
