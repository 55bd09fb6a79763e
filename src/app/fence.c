#include "app/fence.h"

#include "app/sandbox_mask.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Names of headers that are newer than the oldest kernel's we build on. */
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)	/* level 3 */
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15)	/* level 5 */
#define RIGHT_BIND_TCP (UINT64_C(1) << 0)	/* level 4 */
#define RULE_NET_PORT 2
#define SCOPE_ABSTRACT (UINT64_C(1) << 0)	/* level 6 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)		/* level 6 */

enum { LEVEL_LEAST = 2, LEVEL_TRUNCATE = 3, LEVEL_NET = 4, LEVEL_IOCTL = 5,
	LEVEL_SCOPE = 6 };

struct fence_rules {
	uint64_t files, net, scoped;
};

struct fence_port {
	uint64_t allowed, port;
};

static const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t writing = LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_REFER;
static const uint64_t keeping = LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
/* What one may do with a file that is no directory. */
static const uint64_t of_files = LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE;
static const uint64_t all_files = LANDLOCK_ACCESS_FS_EXECUTE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
    LANDLOCK_ACCESS_FS_REFER;

static const char *const places[] = {
#define PLACE(path, why) path,
#include "app/fence_place.def"
#undef PLACE
};

static int
fence_level(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	/* level 1 forbids tmp -> new of a Maildir */
	return abi < LEVEL_LEAST ? 0 : (int)abi;
}

/* An older kernel takes the front of the structure. */
static int
fence_begin(int level)
{
	struct fence_rules r = { .files = all_files };
	size_t n = sizeof r.files;
	long fd;

	if (level >= LEVEL_TRUNCATE)
		r.files |= RIGHT_TRUNCATE;
	if (level >= LEVEL_IOCTL)
		r.files |= RIGHT_IOCTL_DEV;
	if (level >= LEVEL_NET) {
		r.net = RIGHT_BIND_TCP;
		n += sizeof r.net;
	}
	if (level >= LEVEL_SCOPE) {
		r.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
		n += sizeof r.scoped;
	}
	fd = syscall(SYS_landlock_create_ruleset, &r, n, 0);
	return fd >= 0 ? (int)fd : err_set("landlock: %m");
}

static int
right_give(int rules, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights,
		.parent_fd = fd };

	return (int)syscall(SYS_landlock_add_rule, rules,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int
place_let_in(int rules, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC), rc;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_set("open %s: %m", path);
	rc = right_give(rules, fd, rights);
	if (rc != 0 && errno == EINVAL)		/* a file, not a directory */
		rc = right_give(rules, fd, rights & of_files);
	close(fd);
	return rc == 0 ? 0 : err_set("landlock rule for %s: %m", path);
}

/* Port 0: one that the kernel picks, for outbound.bind. */
static int
ports_let_in(int rules, int level)
{
	struct fence_port any = { RIGHT_BIND_TCP, 0 };

	if (level < LEVEL_NET || syscall(SYS_landlock_add_rule, rules,
	    RULE_NET_PORT, &any, 0) == 0)
		return 0;
	return err_set("landlock rule for ports: %m");
}

static int
fence_end(int rules, int rc)
{
	if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		rc = err_set("landlock: %m");
	close(rules);
	return rc;
}

static int
places_let_in(int rules, int level, const struct sandbox_paths *p)
{
	uint64_t all = writing | (level >= LEVEL_TRUNCATE ? RIGHT_TRUNCATE : 0);

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (!sandbox_is_masked("PLACE", places[i]) &&
		    place_let_in(rules, places[i], reading) != 0)
			return -1;
	for (size_t i = 0; i < p->n_readable; i++)
		if (place_let_in(rules, p->readable[i], reading) != 0)
			return -1;
	for (size_t i = 0; i < p->n_writable; i++)
		if (place_let_in(rules, p->writable[i], all) != 0)
			return -1;
	return 0;
}

int
fence_worker(const struct sandbox_paths *p, int *level)
{
	int rules, rc;

	*level = fence_level();
	if (*level == 0)
		return 0;
	rules = fence_begin(*level);
	if (rules < 0)
		return -1;
	rc = places_let_in(rules, *level, p);
	return fence_end(rules, rc == 0 ? ports_let_in(rules, *level) : rc);
}

/* It truncates nothing: files are written beside, and renamed. */
int
fence_keyring(const int *dirs, size_t n)
{
	int level = fence_level(), rules, rc = 0;

	if (level == 0)
		return 0;
	rules = fence_begin(level);
	if (rules < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++)
		if (right_give(rules, dirs[i], keeping) != 0)
			rc = err_set("landlock: %m");
	return fence_end(rules, rc);
}
