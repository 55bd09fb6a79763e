#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
story(void)
{
	static const char words[] = "in fiber session\n";

	(void)!write(STDERR_FILENO, words, sizeof words - 1);
	must(1 > 2);		/* a bug in the story must not tell itself */
}

/* What a child that breaks its word prints before it aborts. */
static void
last_words(void (*tell)(void), char *text, size_t room)
{
	ssize_t n;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		must_story = tell;
		must(1 + 1 == 3);
		_exit(0);
	}
	close(ends[1]);
	for (size_t at = 0; (n = read(ends[0], text + at, room - at - 1)) > 0;) {
		at += (size_t)n;
		text[at] = '\0';
	}
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
test_holds(void **state)
{
	(void)state;
	must(1 + 1 == 2);
}

static void
test_fails(void **state)
{
	char text[1024] = "";

	(void)state;
	last_words(NULL, text, sizeof text);
	assert_non_null(strstr(text, "must_test.c:"));
	assert_non_null(strstr(text, "must(1 + 1 == 3)"));
}

static void
test_tells_its_story_once(void **state)
{
	char text[1024] = "", *again;

	(void)state;
	last_words(story, text, sizeof text);
	assert_non_null(strstr(text, "must(1 + 1 == 3)"));
	again = strstr(text, "in fiber session");
	assert_non_null(again);
	assert_null(strstr(again + 1, "in fiber session"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_tells_its_story_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
