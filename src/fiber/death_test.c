/* Each of these must kill its process, and say why. */
#include "base/err.h"
#include "fiber/test_core.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[64 * 1024];

/* Run body on n cores in a child; what it said on stderr is in `said'.  With
 * asan_options it is run by main(), in a program begun anew. */
static int
die(unsigned n_cores, yields void (*body)(void *), const char *asan_options)
{
	struct rlimit no_core = { 0, 0 };
	size_t n = 0;
	ssize_t got;
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(fds[1], STDERR_FILENO);
		close(fds[1]);
		if (asan_options != NULL) {
			setenv("ASAN_OPTIONS", asan_options, 1);
			execl("/proc/self/exe", "death", "again", NULL);
		}
		(void)core_run_all(n_cores, body, NULL);
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], said + n, sizeof said - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static bool
died_of(int status, int sig)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

static struct fiber *ended;

static void
end_soon(void *arg)
{
	(void)arg;
	ended = fiber_self();
}

static void
body_wake_dead(void *arg)
{
	(void)arg;
	err_set("my own trail");
	assert_int_equal(fiber_go("mortal", end_soon, NULL), 0);
	fiber_yield();
	fiber_wake(ended);
}

static void
test_wake_dead(void **state)
{
	int status = die(1, body_wake_dead, NULL);

	(void)state;
	assert_true(died_of(status, SIGABRT));
	assert_non_null(strstr(said, "FIBER_MAGIC"));
	assert_non_null(strstr(said, "fiber \"start\": my own trail"));
}

static struct fiber *foreign;

static void
body_wake_foreign(void *arg)
{
	(void)arg;
	if (core_index() == 0) {
		foreign = fiber_self();
		(void)fiber_park(MONO_NEVER);
	}
	fiber_sleep(in_ms(20));
	fiber_wake(foreign);
}

static void
test_wake_foreign(void **state)
{
	int status = die(2, body_wake_foreign, NULL);

	(void)state;
	assert_true(died_of(status, SIGABRT));
	assert_non_null(strstr(said, "core_here"));
	assert_non_null(strstr(said, "core 1, fiber \"start\""));
}

__attribute__((noinline, noclone))
static int
go_down(volatile char *above, unsigned left)
{
	volatile char room[1024];

	room[0] = above[0];
	for (size_t i = 1; i < sizeof room; i++)
		room[i] = (char)i;
	return left == 0 ? room[1] : go_down(room, left - 1) + room[2];
}

static void
body_guard(void *arg)
{
	volatile char top[1] = { 1 };	/* 256 KiB are less */

	(void)arg;
	(void)go_down(top, 400);
}

static void
test_guard(void **state)
{
	int status = die(1, body_guard, NULL);

	(void)state;
	assert_true(died_of(status, SIGSEGV));
}

#ifdef __SANITIZE_ADDRESS__
static volatile size_t room_size = 16;

static void
body_overflow(void *arg)
{
	volatile char room[16];

	(void)arg;
	for (size_t i = 0; i < sizeof room; i++)
		room[i] = 1;
	assert_int_equal(fiber_go("other", end_soon, NULL), 0);
	fiber_yield();
	fiber_sleep(in_ms(1));
	room[room_size] = 1;
}

/* The report names the variable, for which ASan must know whose stack it is. */
static void
test_overflow(void **state)
{
	int status = die(1, body_overflow, NULL);

	(void)state;
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(said, "stack-buffer-overflow"));
	assert_non_null(strstr(said, "'room'"));
	assert_non_null(strstr(said, "body_overflow"));
}

static volatile char *left_behind;

__attribute__((noinline))
static void
leave_behind(void)
{
	volatile char local[16];

	local[3] = 1;
	left_behind = local;
}

static void
body_after_return(void *arg)
{
	(void)arg;
	fiber_yield();
	leave_behind();
	fiber_yield();
	left_behind[3] = 2;
}

static void
test_after_return(void **state)
{
	int status = die(1, body_after_return,
	    "detect_stack_use_after_return=1");

	(void)state;
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(said, "stack-use-after-return"));
}
#endif

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wake_dead),
		cmocka_unit_test(test_wake_foreign),
		cmocka_unit_test(test_guard),
#ifdef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_after_return),
#endif
	};

	(void)argv;
#ifdef __SANITIZE_ADDRESS__
	if (argc == 2)
		return core_run_all(1, body_after_return, NULL);
#endif
	assert_int_equal(argc, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
