/*
 * test_conf.h -- configurations out of strings, for unit tests.
 *
 * The promise: conf_of() loads a text as t.yaml beside a few files that stand
 * for a machine (passwd, aliases, mailname), and fails the test on errors.
 * Not for: anything but tests.
 * Waiting: none.
 * Memory: one static arena for the machine; conf_end() gives it back.
 * Errors: fail_msg().
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_POLICY_TEST_CONF_H
#define NM_POLICY_TEST_CONF_H

#include "policy/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct arena conf_arena;
static struct source_memory conf_machine;
static struct problems conf_problems;

static inline void
conf_file(const char *path, const char *text)
{
	assert_int_equal(source_memory_file(&conf_machine, str_of(path),
	    str_of(text)), 0);
}

/* The machine every test begins with. */
static inline void
conf_begin(void)
{
	arena_init(&conf_arena, 1 << 24);
	source_memory_init(&conf_machine, &conf_arena);
	problems_init(&conf_problems);
	conf_file("/etc/mailname", "mx.example.org\n");
	conf_file("/etc/passwd",
	    "root:x:0:0:root:/root:/bin/bash\n"
	    "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
	    "alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\n"
	    "bob:x:1001:100:Bob:/home/bob:/bin/sh\n"
	    "vmail:x:150:8::/var/mail:/usr/sbin/nologin\n"
	    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
	    "+::::::\n");
}

static inline void
conf_end(void)
{
	problems_clear(&conf_problems);
	arena_clear(&conf_arena);
}

/* The same, for cmocka. */
static inline int
conf_set_up(void **state)
{
	(void)state;
	conf_begin();
	return 0;
}

static inline int
conf_tear_down(void **state)
{
	(void)state;
	conf_end();
	return 0;
}

static inline struct config *
conf_try(const char *text)
{
	problems_clear(&conf_problems);
	conf_file("t.yaml", text);
	return config_load(&conf_machine.source, STR("t.yaml"),
	    &conf_problems);
}

static inline struct config *
conf_of(const char *text)
{
	static char said[16384];
	struct buf b = BUF_OF(said);
	struct config *c = conf_try(text);

	problems_print(&conf_problems, &b);
	if (c == NULL)
		fail_msg("%.*s", (int)b.n, said);
	return c;
}

/* What was found, a line each: "[file:]line:column+width [level: ]text"; the
 * level is left out of errors, the file when it is t.yaml. */
static inline const char *
conf_said(bool errors_only)
{
	static char said[32768];
	struct buf b = BUF_OF(said);

	for (size_t i = 0; i < conf_problems.n; i++) {
		const struct problem *p = &conf_problems.list[i];

		if (errors_only && p->level != PROBLEM_ERROR)
			continue;
		if (!str_eq(p->at.file, STR("t.yaml")) && p->at.file.n > 0)
			buf_printf(&b, STR_FMT":", STR_ARG(p->at.file));
		buf_printf(&b, "%u:%u+%u ", p->at.line, p->at.column,
		    p->at.line_text.n > 0 ? p->at.width : 0);
		if (p->level != PROBLEM_ERROR)
			buf_printf(&b, "%s: ", problem_level_name(p->level));
		buf_printf(&b, STR_FMT"\n", STR_ARG(p->text));
	}
	buf_putc(&b, '\0');
	assert_false(b.full);
	return said;
}

#endif
