#include "cli/files.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum source_status
fd_read(int fd, const char *path, struct arena *a, struct source_file *out)
{
	struct stat st;
	size_t n = 0;
	ssize_t got;
	char *p;

	if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
		err_set("%s: not a file", path);
		return SOURCE_TROUBLE;
	}
	if (st.st_size > SOURCE_FILE_MOST) {
		err_set("%s: larger than %d octets", path, SOURCE_FILE_MOST);
		return SOURCE_TROUBLE;
	}
	p = arena_alloc(a, (size_t)st.st_size + 1);
	if (p == NULL) {
		err_set("%s: no memory", path);
		return SOURCE_TROUBLE;
	}
	while (n < (size_t)st.st_size &&
	    (got = read(fd, p + n, (size_t)st.st_size - n)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_set("read %s: %m", path);
			return SOURCE_TROUBLE;
		}
		n += (size_t)got;
	}
	out->bytes = (struct str){ p, n };
	out->is_world_readable = (st.st_mode & S_IROTH) != 0;
	out->is_world_writable = (st.st_mode & S_IWOTH) != 0;
	out->is_trusted = (st.st_uid == 0 || st.st_uid == geteuid()) &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
	return SOURCE_FOUND;
}

static enum source_status
files_read(struct conf_source *s, struct str path, struct arena *a,
    struct source_file *out)
{
	const char *name = arena_cstr(a, path);
	enum source_status status;
	int fd;

	(void)s;
	if (name == NULL || strlen(name) != path.n) {
		err_set("a path holds a NUL, or no memory");
		return SOURCE_TROUBLE;
	}
	*out = (struct source_file){ .name = { name, path.n } };
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return SOURCE_ABSENT;
	if (fd < 0) {
		err_set("open %s: %m", name);
		return SOURCE_TROUBLE;
	}
	status = fd_read(fd, name, a, out);
	close(fd);
	return status;
}

static enum source_status
glob_take(const glob_t *g, struct arena *a, struct str **paths, size_t *n)
{
	struct str *list = arena_alloc(a, (g->gl_pathc + 1) * sizeof *list);

	if (list == NULL)
		return SOURCE_TROUBLE;
	for (size_t i = 0; i < g->gl_pathc; i++)
		list[i] = arena_copy(a, str_of(g->gl_pathv[i]));
	*paths = list;
	*n = g->gl_pathc;
	return SOURCE_FOUND;
}

static enum source_status
files_glob(struct conf_source *s, struct str pattern, struct arena *a,
    struct str **paths, size_t *n)
{
	const char *text = arena_cstr(a, pattern);
	enum source_status status = SOURCE_FOUND;
	glob_t g;
	int rc;

	(void)s;
	*paths = NULL;
	*n = 0;
	if (text == NULL)
		return SOURCE_TROUBLE;
	rc = glob(text, GLOB_ERR, NULL, &g);
	if (rc == 0)
		status = glob_take(&g, a, paths, n);
	else if (rc != GLOB_NOMATCH) {
		err_set("cannot list %s", text);
		status = SOURCE_TROUBLE;
	}
	globfree(&g);
	return status;
}

static enum source_status
files_env(struct conf_source *s, struct str name, struct arena *a,
    struct str *value)
{
	const char *key = arena_cstr(a, name);
	const char *found = key == NULL ? NULL : getenv(key);

	(void)s;
	if (found == NULL)
		return SOURCE_ABSENT;
	*value = arena_copy(a, str_of(found));
	return value->p == NULL ? SOURCE_TROUBLE : SOURCE_FOUND;
}

struct conf_source files_source = {
	.read = files_read, .glob = files_glob, .env = files_env,
};
