/* How many system calls a conversation costs; in the real world only. */
#include "fiber/test_core.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned sends, recvs;

/* These stand before libc's. */
ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	sends++;
	return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
	recvs++;
	return syscall(SYS_recvfrom, fd, p, n, flags, NULL, NULL);
}

static struct stream client, server;

enum { COMMANDS = 10 };

static void
serve(void *arg)
{
	struct str line;
	enum line_ending ending;

	(void)arg;
	stream_printf(&server, "220 %s\r\n", "ready");
	while (stream_line(&server, 512, &line, &ending) == 0)
		stream_printf(&server, "250 %.*s\r\n", (int)line.n, line.p);
	stream_close(&server);
}

static yields void
read_lines(unsigned n)
{
	struct str line;
	enum line_ending ending;

	while (n-- > 0)
		assert_int_equal(stream_line(&client, 512, &line, &ending), 0);
}

static void
body_pipelined(void *arg)
{
	(void)arg;
	make_pair(&client, &server);
	assert_int_equal(fiber_go("server", serve, NULL), 0);
	read_lines(1);
	sends = recvs = 0;
	for (unsigned i = 0; i < COMMANDS; i++)
		stream_printf(&client, "NOOP %u\r\n", i);
	read_lines(COMMANDS);
	/* one packet there, one back, and no call that found nothing */
	assert_int_equal(sends, 2);
	assert_int_equal(recvs, 2);
	sends = recvs = 0;
	for (unsigned i = 0; i < COMMANDS; i++) {
		stream_printf(&client, "NOOP %u\r\n", i);
		read_lines(1);
	}
	assert_int_equal(sends, 2 * COMMANDS);
	assert_int_equal(recvs, 2 * COMMANDS);
	stream_close(&client);
}

static void
test_pipelined(void **state)
{
	(void)state;
	on_core(body_pipelined);
}

static void
body_full(void *arg)
{
	static char big[3 * STREAM_BUFFER];

	(void)arg;
	make_pair(&client, &server);
	sends = 0;
	stream_put(&client, (struct str){ big, STREAM_BUFFER - 1 });
	assert_int_equal(sends, 0);
	stream_put(&client, STR("x"));
	assert_int_equal(sends, 1);		/* full */
	stream_put(&client, (struct str){ big, sizeof big });
	assert_int_equal(sends, 2);		/* not copied, not cut */
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(sends, 2);		/* nothing was left */
	stream_close(&client);
	stream_close(&server);
}

static void
test_full(void **state)
{
	(void)state;
	on_core(body_full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
