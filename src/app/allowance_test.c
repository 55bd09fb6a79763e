/* allowance_test.c -- control groups of both versions, and what follows. */
#include "app/allowance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char top[] = "/tmp/nightmail-allowance-XXXXXX";

static void
place(const char *dir, const char *file, const char *text)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof path, "%s%s", top, dir);
	(void)mkdir(path, 0700);
	if (file == NULL)
		return;
	(void)snprintf(path, sizeof path, "%s%s/%s", top, dir, file);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static uint64_t
of(const char *groups)
{
	return allowance_of(str_of(groups), top);
}

static void
the_least_of_all_groups_holds(void **state)
{
	(void)state;
	assert_true(of("") == UINT64_MAX);
	assert_true(of("0::/a/b\n") == UINT64_MAX);
	place("/a", "memory.max", "max\n");
	place("/a/b", "memory.max", "268435456\n");
	assert_int_equal(of("0::/a/b\n"), 268435456);
	assert_true(of("0::/a\n") == UINT64_MAX);
	place("/a", "memory.max", "1000\n");
	assert_int_equal(of("0::/a/b\n"), 1000);
	assert_int_equal(of("0::/a/b/not/seen\n"), 1000);
	/* inside a container its own group is the top */
	place("", "memory.max", "900\n");
	assert_int_equal(of("0::/\n"), 900);
	assert_int_equal(of("0::/docker/0123\n"), 900);
	place("/a", "memory.max", "12x\n");
	place("/a/b", "memory.max", "");
	place("", "memory.max", "-1\n");
	assert_true(of("0::/a/b\n") == UINT64_MAX);
}

static void
version_one_too(void **state)
{
	(void)state;
	place("/memory", "memory.limit_in_bytes", "9223372036854771712\n");
	place("/memory/x", "memory.limit_in_bytes", "5000\n");
	assert_int_equal(of("4:cpu,cpuacct:/x\n3:memory:/x\n1:name=systemd:/"),
	    5000);
	assert_int_equal(of("3:hugetlb,memory:/x\n"), 5000);
	assert_true(of("4:cpu,memories:/x\n") == UINT64_MAX);
	assert_true(of("3:memory\n:\n\n") >= INT64_MAX / 2);
}

static void
shares_are_of_what_there_is(void **state)
{
	struct allowance a = allowance_shares(UINT64_C(256) << 20);

	(void)state;
	assert_int_equal(a.connections, 8192);
	assert_int_equal(a.memory, 64 << 20);
	a = allowance_shares(UINT64_MAX);
	assert_true(a.connections == UINT64_MAX && a.memory == UINT64_MAX);
	assert_true(allowance_read() > 1 << 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_of_all_groups_holds),
		cmocka_unit_test(version_one_too),
		cmocka_unit_test(shares_are_of_what_there_is),
	};
	static const char *const made[] = { "/memory.max", "/a/memory.max",
		"/a/b/memory.max", "/memory/memory.limit_in_bytes",
		"/memory/x/memory.limit_in_bytes", "/a/b", "/a", "/memory/x",
		"/memory", "" };
	char path[256];
	int rc;

	if (mkdtemp(top) == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		(void)snprintf(path, sizeof path, "%s%s", top, made[i]);
		if (remove(path) != 0)
			return 1;
	}
	return rc;
}
