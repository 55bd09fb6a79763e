#include "app/allowance.h"

#include "base/buf.h"
#include "base/num.h"

#include <fcntl.h>
#include <unistd.h>

enum { GROUPS_MOST = 2048, NUMBER_MOST = 32, PLACE_MOST = 1024 };

/* What the file says, cut at its room; n == 0: nothing. */
static struct str
allowance_text(const char *path, char *room, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return STR_NONE;
	n = read(fd, room, size);
	close(fd);
	return n <= 0 ? STR_NONE : (struct str){ room, (size_t)n };
}

static uint64_t
allowance_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* "max", or a number; version 1 writes a huge one where there is no limit. */
static uint64_t
allowance_file(const char *top, struct str group, const char *file)
{
	char path[PLACE_MOST], room[NUMBER_MOST];
	struct buf b = BUF_OF(path);
	uint64_t n;

	buf_printf(&b, "%s" STR_FMT "/%s", top, STR_ARG(group), file);
	buf_putc(&b, '\0');
	if (b.full || !parse_u64(str_trim(allowance_text(path, room,
	    sizeof room)), UINT64_MAX, &n))
		return UINT64_MAX;
	return n;
}

/* Its own limit, and those of the groups around it. */
static uint64_t
allowance_group(const char *top, struct str group, const char *file)
{
	uint64_t least = UINT64_MAX;

	while (group.n > 0 && group.p[group.n - 1] == '/')
		group.n--;
	for (;;) {
		least = allowance_least(least, allowance_file(top, group,
		    file));
		if (group.n == 0)
			return least;
		group.n = str_find_last(group, '/');
	}
}

static bool
controls_memory(struct str controllers)
{
	while (controllers.n > 0)
		if (str_eq(str_cut(&controllers, ','), STR("memory")))
			return true;
	return false;
}

/* cgroups(7): hierarchy-ID ":" controllers ":" path; 0 and none: version 2. */
uint64_t
allowance_of(struct str groups, const char *top)
{
	uint64_t least = UINT64_MAX;
	char v1[PLACE_MOST];
	struct buf b = BUF_OF(v1);

	buf_printf(&b, "%s/memory", top);
	buf_putc(&b, '\0');
	while (groups.n > 0 && !b.full) {
		struct str group = str_cut(&groups, '\n');
		struct str number = str_cut(&group, ':');
		struct str controllers = str_cut(&group, ':');

		if (str_eq(number, STR("0")) && controllers.n == 0)
			least = allowance_least(least, allowance_group(top,
			    group, "memory.max"));
		else if (controls_memory(controllers))
			least = allowance_least(least, allowance_group(v1,
			    group, "memory.limit_in_bytes"));
	}
	return least;
}

uint64_t
allowance_read(void)
{
	char room[GROUPS_MOST];
	uint64_t least = allowance_of(allowance_text("/proc/self/cgroup", room,
	    sizeof room), "/sys/fs/cgroup");
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	if (pages > 0 && page > 0)
		least = allowance_least(least, (uint64_t)pages *
		    (uint64_t)page);
	return least;
}

struct allowance
allowance_shares(uint64_t octets)
{
	if (octets == UINT64_MAX)
		return (struct allowance){ UINT64_MAX, UINT64_MAX };
	return (struct allowance){ .connections =
	    octets / 2 / ALLOWANCE_SESSION, .memory = octets / 4 };
}
