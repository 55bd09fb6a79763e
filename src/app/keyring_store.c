#include "app/keyring_store.h"

#include "base/err.h"
#include "base/must.h"

#include <dirent.h>
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
parents_make(const struct keyring_store *s, char *path)
{
	for (char *at = strchr(path + 1, '/'); at != NULL;
	    at = strchr(at + 1, '/')) {
		int rc;

		*at = '\0';
		rc = mkdir(path, 0755);
		*at = '/';
		if (rc != 0 && errno != EEXIST)
			return err_set("mkdir for %s: %m", s->key);
	}
	return 0;
}

static int
owner_check(const struct keyring_store *s, const char *path, uid_t uid)
{
	struct stat st;

	if (fstat(s->fd, &st) != 0)
		return err_set("%s: %s: %m", s->key, path);
	if (st.st_uid != uid || (st.st_mode & 077) != 0)
		return err_set("%s: %s must belong to the server's user, and "
		    "nobody else may look into it: say chown and chmod 0700",
		    s->key, path);
	return 0;
}

int
store_open(struct keyring_store *s, const char *key, struct str where, uid_t uid,
    gid_t gid)
{
	char path[1024];
	bool is_new;

	*s = (struct keyring_store){ .fd = -1, .key = key };
	if (!str_cstr(where, path, sizeof path) || path[0] != '/')
		return err_set("%s: no such path", s->key);
	while (strlen(path) > 1 && path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	if (parents_make(s, path) != 0)
		return -1;
	is_new = mkdir(path, 0700) == 0;
	if (!is_new && errno != EEXIST)
		return err_set("%s: mkdir %s: %m", s->key, path);
	s->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0)
		return err_set("%s: %s: %m", s->key, path);
	if (is_new && geteuid() == 0 && fchown(s->fd, uid, gid) != 0)
		return err_set("%s: chown %s: %m", s->key, path);
	return owner_check(s, path, uid);
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

char *
store_text(const struct keyring_store *s, const char *name, size_t most,
    struct str *out)
{
	int fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);
	char *p = fd < 0 ? NULL : malloc(most);
	ssize_t n = p == NULL ? -1 : read(fd, p, most);

	if (n < 0)
		err_set("%s: %s: %m", s->key, name);
	if (fd >= 0)
		close(fd);
	if (n >= 0) {
		*out = (struct str){ p, (size_t)n };
		return p;
	}
	free(p);
	return NULL;
}

void
store_forget(char *p, struct str text)
{
	OPENSSL_cleanse(p, text.n);
	free(p);
}

EVP_PKEY *
store_key(const struct keyring_store *s, const char *name)
{
	struct str text = STR_NONE;
	char *p = store_text(s, name, CERTIFICATE_PEM_MOST, &text);
	EVP_PKEY *k;

	if (p == NULL)
		return NULL;
	k = private_key_read(text);
	store_forget(p, text);
	if (k == NULL)
		err_add("%s: %s", s->key, name);
	return k;
}

int
store_pair(const struct keyring_store *s, const char *name,
    struct certificate *cert, EVP_PKEY **key)
{
	struct str text = STR_NONE;
	char *p = store_text(s, name, CERTIFICATE_PEM_MOST, &text);
	int rc;

	*key = NULL;
	if (p == NULL)
		return -1;
	rc = certificate_read(text, cert);
	if (rc == 0)
		*key = private_key_read(text);
	store_forget(p, text);
	if (rc == 0 && *key != NULL && certificate_fits(cert, *key))
		return 0;
	if (rc == 0) {
		if (*key != NULL)
			err_set("its key is not its certificate's");
		certificate_free(cert);
	}
	EVP_PKEY_free(*key);
	*key = NULL;
	return err_add("%s: %s", s->key, name);
}

/* By the descriptor that the cage knows: no path is opened. */
int
store_list(const struct keyring_store *s,
    void (*each)(void *arg, const char *name), void *arg)
{
	_Alignas(struct dirent64) char room[2048];
	ssize_t n;

	if (lseek(s->fd, 0, SEEK_SET) != 0)
		return err_set("%s: %m", s->key);
	while ((n = getdents64(s->fd, room, sizeof room)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *e = (const void *)(room + at);

			at += e->d_reclen;
			each(arg, e->d_name);
		}
	return n == 0 ? 0 : err_set("%s: %m", s->key);
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
		err_set("%s: writing: %m", s->key);
	if (fd >= 0)
		close(fd);
	return fine ? 0 : -1;
}

int
store_text_keep(const struct keyring_store *s, const char *name, struct str text)
{
	return part_write(s, text) == 0 ? store_move(s, store_part, name) : -1;
}

int
store_move(const struct keyring_store *s, const char *from, const char *to)
{
	if (renameat(s->fd, from, s->fd, to) != 0 || fsync(s->fd) != 0)
		return err_set("%s: %s: %m", s->key, to);
	return 0;
}

int
store_drop(const struct keyring_store *s, const char *name)
{
	if ((unlinkat(s->fd, name, 0) != 0 && errno != ENOENT) ||
	    fsync(s->fd) != 0)
		return err_set("%s: %s: %m", s->key, name);
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
		rc = store_text_keep(s, name, buf_str(&b));
	store_forget(b.p, buf_str(&b));
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
