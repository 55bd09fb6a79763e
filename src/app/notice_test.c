/* What a hostile process may send, and what its packets leave behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/notice.h"
#include "app/passed.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES = offsetof(struct notice, fd) };

static int ends[2];

static int
pair_open(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
}

static int
pair_close(void **state)
{
	(void)state;
	close(ends[0]);
	return ends[1] >= 0 ? close(ends[1]) : 0;
}

/* The lowest free number: what was not closed would raise it. */
static int
fd_next(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void
packet_send(const void *p, size_t n, unsigned n_fds)
{
	union { char room[CMSG_SPACE(8 * sizeof(int))]; struct cmsghdr c; } u;
	struct iovec v = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int fds[8];
	struct cmsghdr *c;

	assert_true(n_fds <= 8);
	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = 0;
	if (n_fds > 0) {
		m.msg_control = u.room;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(ends[1], &m, 0), n);
}

static void
notices_arrive_whole(void **state)
{
	struct notice n = notice_make(NOTICE_LISTENER, 7, STR("::1 25")), got;
	char long_text[NOTICE_TEXT + 9] = "x";

	(void)state;
	n.fd = 0;
	assert_int_equal(notice_send(ends[1], &n), 0);
	assert_int_equal(notice_receive(ends[0], &got), 0);
	assert_int_equal(got.kind, NOTICE_LISTENER);
	assert_int_equal(got.number, 7);
	assert_true(str_eq(notice_text(&got), STR("::1 25")));
	assert_true(got.fd > 0);
	assert_int_equal(fcntl(got.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(got.fd);

	n = notice_make(NOTICE_STOP, 0, (struct str){ long_text,
		sizeof long_text });
	assert_int_equal(n.length, NOTICE_TEXT);
	assert_int_equal(notice_send(ends[1], &n), 0);
	assert_int_equal(notice_receive(ends[0], &got), 0);
	assert_int_equal(got.fd, -1);
	close(ends[1]);
	ends[1] = -1;
	assert_int_equal(notice_receive(ends[0], &got), NOTICE_GONE);
}

/* Each field, one wrong value at its edge. */
static void
nonsense_is_refused(void **state)
{
	struct notice good = notice_make(NOTICE_READY, 0, STR("x")), n, got;
	int before = fd_next();

	(void)state;
	for (int what = 0; what < 6; what++) {
		n = good;
		n.magic ^= what == 0;
		n.version = (uint16_t)(n.version + (what == 1));
		if (what == 2)
			n.kind = NOTICE_KINDS;
		if (what == 3)
			n.length = NOTICE_TEXT + 1;
		if (what == 4)
			n.length = UINT32_MAX;
		if (what == 5)
			n.kind = UINT16_MAX;
		packet_send(&n, BYTES, 1);
		assert_int_equal(notice_receive(ends[0], &got), -1);
		assert_int_equal(got.fd, -1);
		err_clear();
	}
	n = good;
	n.length = NOTICE_TEXT;
	n.kind = NOTICE_KINDS - 1;
	packet_send(&n, BYTES, 0);
	assert_int_equal(notice_receive(ends[0], &got), 0);
	assert_int_equal(fd_next(), before);
}

static void
sizes_have_an_edge(void **state)
{
	struct { struct notice n; char more[8]; } p = {
		notice_make(NOTICE_READY, 0, STR_NONE), "" };
	struct notice got;

	(void)state;
	packet_send(&p, BYTES - 1, 0);
	assert_int_equal(notice_receive(ends[0], &got), -1);
	packet_send(&p, BYTES + 1, 0);
	assert_int_equal(notice_receive(ends[0], &got), -1);
	packet_send(&p, 1, 1);
	assert_int_equal(notice_receive(ends[0], &got), -1);
	packet_send(&p, BYTES, 0);
	assert_int_equal(notice_receive(ends[0], &got), 0);
	packet_send(&p, 0, 0);
	assert_int_equal(notice_receive(ends[0], &got), NOTICE_GONE);
	err_clear();
}

/* More descriptors than wanted: none stays, however many were sent. */
static void
surplus_descriptors_are_closed(void **state)
{
	struct notice n = notice_make(NOTICE_READY, 0, STR_NONE), got;
	int before = fd_next(), fds[2];
	unsigned n_fds;

	(void)state;
	for (unsigned k = 2; k <= 8; k++) {
		packet_send(&n, BYTES, k);
		assert_int_equal(notice_receive(ends[0], &got), -1);
		assert_int_equal(fd_next(), before);
		err_clear();
	}
	for (unsigned k = 0; k <= 8; k++) {
		packet_send(&n, BYTES, k);
		assert_int_equal(passed_receive(ends[0], &got, BYTES, fds,
		    &n_fds, 2), k <= 2 ? 0 : -1);
		assert_int_equal(n_fds, k <= 2 ? k : 0);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(fds[i] >= 0, i < n_fds);
			if (fds[i] >= 0)
				close(fds[i]);
		}
		assert_int_equal(fd_next(), before);
	}
	err_clear();
}

/* Master's end has patience, not eternity. */
static void
a_deaf_side_does_not_hold_us(void **state)
{
	struct timeval little = { .tv_usec = 10000 };
	struct notice n = notice_make(NOTICE_READY, 0, STR_NONE);
	int sent = 0;

	(void)state;
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &little,
	    sizeof little), 0);
	while (notice_send(ends[1], &n) == 0)
		assert_true(++sent < 100000);
	assert_true(sent > 0);
	err_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(notices_arrive_whole, pair_open,
		    pair_close),
		cmocka_unit_test_setup_teardown(nonsense_is_refused, pair_open,
		    pair_close),
		cmocka_unit_test_setup_teardown(sizes_have_an_edge, pair_open,
		    pair_close),
		cmocka_unit_test_setup_teardown(surplus_descriptors_are_closed,
		    pair_open, pair_close),
		cmocka_unit_test_setup_teardown(a_deaf_side_does_not_hold_us,
		    pair_open, pair_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
