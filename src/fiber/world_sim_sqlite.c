#include "base/must.h"
#include "fiber/world.h"

#include <sqlite3.h>
#include <stdio.h>

enum { SIM_SQLITE_MOST = 8, SIM_SQLITE_PATH = 256 };

/*
 * A file is SQLite's own memory with a name, which lives as long as somebody has
 * it open: we do, until this process, which is a life, ends.
 */
static struct sim_sqlite {
	char path[SIM_SQLITE_PATH];
	struct sqlite3 *handle;
} files[SIM_SQLITE_MOST];

static struct sim_sqlite *
file_find(const char *path)
{
	for (size_t i = 0; i < SIM_SQLITE_MOST; i++)
		if (files[i].handle != NULL && strcmp(files[i].path, path) == 0)
			return &files[i];
	return NULL;
}

bool
world_sqlite_exists(const char *path)
{
	return file_find(path) != NULL;
}

int
world_sqlite_make(const char *path, const struct sqlite_owner *owner)
{
	size_t i = 0;

	(void)owner;
	while (i < SIM_SQLITE_MOST && files[i].handle != NULL)
		i++;
	must(i < SIM_SQLITE_MOST);
	must(str_cstr(str_of(path), files[i].path, SIM_SQLITE_PATH));
	must(world_sqlite_open(path, &files[i].handle) == SQLITE_OK);
	return 0;
}

int
world_sqlite_open(const char *path, struct sqlite3 **out)
{
	char uri[SIM_SQLITE_PATH + 32];

	snprintf(uri, sizeof uri, "file:%s?vfs=memdb", path);
	return sqlite3_open_v2(uri, out, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX |
	    SQLITE_OPEN_EXRESCODE, NULL);
}
