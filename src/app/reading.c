#include "app/reading.h"

#include "base/err.h"
#include "fiber/core.h"
#include "policy/problem.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void
problems_show(const struct problems *p, struct str *text, struct arena *a)
{
	enum { ROOM = 64 * 1024 };
	struct buf b = { .p = arena_alloc(a, ROOM), .cap = ROOM };

	if (b.p == NULL)
		return;
	problems_print(p, &b);
	*text = buf_str(&b);
}

struct config *
reading_config(struct conf_source *from, struct str path, struct str *text,
    struct arena *a)
{
	struct problems *problems = arena_new(a, struct problems);
	struct config *c;

	if (problems == NULL)
		return NULL;
	problems_init(problems);
	c = config_load(from, path, problems);
	problems_show(problems, text, a);
	problems_clear(problems);
	return c;
}

unsigned
reading_cores(const struct config *c)
{
	cpu_set_t set;
	int n = 1;

	if (c->cores > 0)
		return c->cores < CORES_MOST ? (unsigned)c->cores : CORES_MOST;
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > CORES_MOST ? CORES_MOST : (unsigned)n;
}

int
reading_as_file(struct str text)
{
	int fd = memfd_create("nightmail", MFD_CLOEXEC);

	if (fd < 0)
		return err_set("memfd: %m");
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n <= 0) {
			close(fd);
			return err_set("memfd: %m");
		}
		text = str_sub(text, (size_t)n, text.n);
	}
	return fd;
}

int
reading_from_file(int fd, struct arena *a, struct str *out)
{
	struct stat st;
	char *p;

	if (fstat(fd, &st) != 0 || st.st_size > INT32_MAX)
		return err_set("the bundle cannot be read: %m");
	p = arena_alloc(a, (size_t)st.st_size + 1);
	if (p == NULL)
		return err_set("no memory for the bundle");
	if (pread(fd, p, (size_t)st.st_size, 0) != st.st_size)
		return err_set("the bundle ends early");
	*out = (struct str){ p, (size_t)st.st_size };
	return 0;
}
