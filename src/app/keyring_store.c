#include "app/keyring_store.h"

#include "base/err.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char store_part[] = "part";	/* what is being written */

/* ---- the directory ---- */

static int
parents_make(char *path)
{
	for (char *at = strchr(path + 1, '/'); at != NULL;
	    at = strchr(at + 1, '/')) {
		int rc;

		*at = '\0';
		rc = mkdir(path, 0755);
		*at = '/';
		if (rc != 0 && errno != EEXIST)
			return err_set("mkdir for tls.state: %m");
	}
	return 0;
}

static int
owner_check(int fd, const char *path, uid_t uid)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set("tls.state: %s: %m", path);
	if (st.st_uid != uid || (st.st_mode & 077) != 0)
		return err_set("tls.state: %s must belong to the server's user, "
		    "and nobody else may look into it: say chown and chmod 0700",
		    path);
	return 0;
}

int
store_open(struct keyring_store *s, struct str where, uid_t uid, gid_t gid)
{
	char path[1024];
	bool is_new;

	if (!str_cstr(where, path, sizeof path) || path[0] != '/')
		return err_set("tls.state: no such path");
	while (strlen(path) > 1 && path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	if (parents_make(path) != 0)
		return -1;
	is_new = mkdir(path, 0700) == 0;
	if (!is_new && errno != EEXIST)
		return err_set("tls.state: mkdir %s: %m", path);
	s->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0)
		return err_set("tls.state: %s: %m", path);
	if (is_new && geteuid() == 0 && fchown(s->fd, uid, gid) != 0)
		return err_set("tls.state: chown %s: %m", path);
	return owner_check(s->fd, path, uid);
}

/* ---- reading ---- */

bool
store_has(const struct keyring_store *s, const char *name)
{
	int fd = s->fd < 0 ? -1 : openat(s->fd, name, O_RDONLY | O_CLOEXEC |
	    O_NOFOLLOW);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* malloc'd, with room for a NUL; holds a key: wipe it. */
static char *
file_read(const struct keyring_store *s, const char *name, struct str *out)
{
	int fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *p = fd < 0 ? NULL : malloc(CERTIFICATE_PEM_MOST);
	ssize_t n = p == NULL ? -1 : read(fd, p, CERTIFICATE_PEM_MOST);

	if (n < 0)
		err_set("tls.state: %s: %m", name);
	if (fd >= 0)
		close(fd);
	if (n >= 0) {
		*out = (struct str){ p, (size_t)n };
		return p;
	}
	free(p);
	return NULL;
}

static void
file_forget(char *p, struct str text)
{
	OPENSSL_cleanse(p, text.n);
	free(p);
}

EVP_PKEY *
store_key(const struct keyring_store *s, const char *name)
{
	struct str text = STR_NONE;
	char *p = file_read(s, name, &text);
	EVP_PKEY *k;

	if (p == NULL)
		return NULL;
	k = private_key_read(text);
	file_forget(p, text);
	if (k == NULL)
		err_add("tls.state: %s", name);
	return k;
}

int
store_pair(const struct keyring_store *s, const char *name,
    struct certificate *cert, EVP_PKEY **key)
{
	struct str text = STR_NONE;
	char *p = file_read(s, name, &text);
	int rc;

	*key = NULL;
	if (p == NULL)
		return -1;
	rc = certificate_read(text, cert);
	if (rc == 0)
		*key = private_key_read(text);
	file_forget(p, text);
	if (rc == 0 && *key != NULL && certificate_fits(cert, *key))
		return 0;
	if (rc == 0) {
		if (*key != NULL)
			err_set("its key is not its certificate's");
		certificate_free(cert);
	}
	EVP_PKEY_free(*key);
	*key = NULL;
	return err_add("tls.state: %s", name);
}

/* ---- writing ---- */

static int
part_write(const struct keyring_store *s, struct str text)
{
	int fd = openat(s->fd, store_part, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0600);
	bool fine = fd >= 0;

	while (fine && text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		fine = n > 0;
		text = str_sub(text, fine ? (size_t)n : 0, text.n);
	}
	fine = fine && fsync(fd) == 0;
	if (!fine)
		err_set("tls.state: writing: %m");
	if (fd >= 0)
		close(fd);
	return fine ? 0 : -1;
}

static int
file_keep(const struct keyring_store *s, const char *name, struct str text)
{
	return part_write(s, text) == 0 ? store_move(s, store_part, name) : -1;
}

int
store_move(const struct keyring_store *s, const char *from, const char *to)
{
	if (renameat(s->fd, from, s->fd, to) != 0 || fsync(s->fd) != 0)
		return err_set("tls.state: %s: %m", to);
	return 0;
}

int
store_drop(const struct keyring_store *s, const char *name)
{
	if ((unlinkat(s->fd, name, 0) != 0 && errno != ENOENT) ||
	    fsync(s->fd) != 0)
		return err_set("tls.state: %s: %m", name);
	return 0;
}

static int
text_keep(const struct keyring_store *s, const char *name,
    const struct certificate *cert, EVP_PKEY *key)
{
	struct buf b = { .p = malloc(CERTIFICATE_PEM_MOST),
		.cap = CERTIFICATE_PEM_MOST };
	int rc;

	if (b.p == NULL)
		return err_set("no memory for a key");
	rc = private_key_print(key, &b);
	if (rc == 0 && cert != NULL)
		rc = certificate_print(cert, &b);
	if (rc == 0)
		rc = file_keep(s, name, buf_str(&b));
	file_forget(b.p, buf_str(&b));
	return rc;
}

int
store_key_keep(const struct keyring_store *s, const char *name, EVP_PKEY *key)
{
	must(strlen(name) < STORE_NAME_MOST);
	return text_keep(s, name, NULL, key);
}

int
store_pair_keep(const struct keyring_store *s, const char *name,
    const struct certificate *cert, EVP_PKEY *key)
{
	must(strlen(name) < STORE_NAME_MOST);
	return text_keep(s, name, cert, key);
}
