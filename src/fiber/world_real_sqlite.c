#include "fiber/world.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SQLITE_PATH_MOST = 1024 };

bool
world_sqlite_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* That its name is there must outlast a power cut, too. */
static void
directory_sync(const char *path)
{
	char room[SQLITE_PATH_MOST];
	int fd;

	if (!str_cstr(str_of(path), room, sizeof room))
		return;
	fd = open(dirname(room), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	(void)close(fd);
}

/* Two may make it at once: it is the same empty file for both.  The descriptor
 * of one that was there is closed before SQLite has its locks in this process. */
int
world_sqlite_make(const char *path, const struct sqlite_owner *owner)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	int rc = 0;

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	if (geteuid() == 0 && fchown(fd, owner->uid, owner->gid) != 0)
		rc = -errno;
	(void)close(fd);
	directory_sync(path);
	return rc;
}

int
world_sqlite_open(const char *path, struct sqlite3 **out)
{
	return sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
}
