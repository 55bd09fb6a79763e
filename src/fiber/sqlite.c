#include "fiber/sqlite.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/world.h"

#include <errno.h>
#include <sqlite3.h>

int
sqlite_open(const char *path, const struct sqlite_owner *owner,
    struct sqlite3 **out)
{
	int rc;

	must(path != NULL && owner != NULL);
	*out = NULL;
	if (!world_sqlite_exists(path)) {
		if (!owner->may_create)
			return SQLITE_NO_FILE;
		rc = world_sqlite_make(path, owner);
		if (rc < 0) {
			errno = -rc;
			return err_set("make %s: %m", path);
		}
	}
	rc = world_sqlite_open(path, out);
	if (rc == SQLITE_OK)
		return 0;
	err_set("open %s: %s", path, *out == NULL ? sqlite3_errstr(rc) :
	    sqlite3_errmsg(*out));
	(void)sqlite3_close(*out);
	*out = NULL;
	return -1;
}

bool
sqlite_exists(const char *path)
{
	return world_sqlite_exists(path);
}
