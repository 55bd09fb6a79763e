/* A core at its end of a socket, and the keyring at the other. */
#include "app/keyring_hear.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct keyring keys;		/* none: each answer says so */
static int core, keyring;
static char room[1024 * 1024];

static int
set_up(void **state)
{
	int pair[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	core = pair[0];
	keyring = pair[1];
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (core >= 0)
		(void)close(core);
	return close(keyring);
}

/* A request of so many octets, behind `at'; where it ends. */
static size_t
put(size_t at, uint32_t number, uint32_t length)
{
	struct keyring_frame q = { .magic = KEYRING_MAGIC,
		.version = KEYRING_VERSION, .what = KEYRING_SIGN,
		.number = number, .length = length };

	memcpy(room + at, &q, sizeof q);
	memset(room + at + sizeof q, 'x', length);
	return at + sizeof q + length;
}

static void
say(size_t n)
{
	assert_int_equal(send(core, room, n, MSG_NOSIGNAL), n);
}

/* Replies first to last, in one piece or in several; no octet besides. */
static void
expect(uint32_t first, uint32_t last)
{
	struct keyring_frame r;

	for (uint32_t i = first; i <= last; i++) {
		assert_int_equal(recv(core, &r, sizeof r, MSG_WAITALL),
		    sizeof r);
		assert_int_equal(r.number, i);
		assert_int_equal(r.what, 1);
		assert_in_range(r.length, 1, KEYRING_TELL_MOST);
		assert_int_equal(recv(core, room, r.length, MSG_WAITALL),
		    r.length);
	}
	assert_int_equal(recv(core, room, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* n requests in one packet, around the number that is one send back. */
static void
what_is_asked_at_once_is_answered(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 17; n++) {
		size_t at = 0;

		for (uint32_t i = 1; i <= n; i++)
			at = put(at, i, i * 10);
		say(at);
		assert_true(keyring_hear(&keys, keyring));
		expect(1, n);
	}
}

/* More than is read first: the last request is read to its end. */
static void
a_long_request_is_whole(void **state)
{
	static const uint32_t lengths[] = { 16 * 1024 - 25, 16 * 1024 - 24,
		16 * 1024 - 23, 16 * 1024, 60 * 1024 };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		say(put(put(0, 1, 3), 2, lengths[i]));
		for (int n = 0; n < 2 && (n == 0 ||
		    recv(keyring, room, 1, MSG_PEEK | MSG_DONTWAIT) == 1); n++)
			assert_true(keyring_hear(&keys, keyring));
		expect(1, 2);
	}
}

/* In a process of its own, for no socket holds the most that is allowed. */
static _Noreturn void
core_of_few_words(void)
{
	size_t n = put(put(put(0, 1, 0), 2, 7), 3, 1);
	struct keyring_frame r;

	for (size_t i = 0; i < n; i++)
		if (send(core, room + i, 1, MSG_NOSIGNAL) != 1)
			_exit(1);
	n = put(0, 4, KEYRING_ASK_MOST);
	for (size_t i = 0; i < n;)
		i += (size_t)send(core, room + i, n - i, MSG_NOSIGNAL);
	for (uint32_t i = 1; i <= 4; i++)
		if (recv(core, &r, sizeof r, MSG_WAITALL) != sizeof r ||
		    r.number != i || recv(core, room, r.length, MSG_WAITALL) !=
		    (ssize_t)r.length)
			_exit(2);
	_exit(0);
}

static void
octets_may_come_one_by_one(void **state)
{
	int status = -1;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		core_of_few_words();
	assert_int_equal(close(core), 0);
	core = -1;
	while (keyring_hear(&keys, keyring))
		continue;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
nonsense_ends_it(void **state)
{
	struct keyring_frame *q = (void *)room;

	(void)state;
	(void)put(0, 1, 0);
	q->magic++;
	say(sizeof *q);
	assert_false(keyring_hear(&keys, keyring));
	(void)put(0, 1, 0);
	q->version++;
	say(sizeof *q);
	assert_false(keyring_hear(&keys, keyring));
	(void)put(0, 1, 0);
	q->what = KEYRING_OPS;
	say(sizeof *q);
	assert_false(keyring_hear(&keys, keyring));
	(void)put(0, 1, 0);
	q->length = KEYRING_ASK_MOST + 1;
	say(sizeof *q);
	assert_false(keyring_hear(&keys, keyring));
	say(put(0, 1, 0));
	assert_true(keyring_hear(&keys, keyring));
	expect(1, 1);
	assert_int_equal(shutdown(core, SHUT_WR), 0);
	assert_false(keyring_hear(&keys, keyring));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(what_is_asked_at_once_is_answered),
		CASE(a_long_request_is_whole),
		CASE(octets_may_come_one_by_one),
		CASE(nonsense_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
