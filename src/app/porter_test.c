/* A porter takes the worker for hostile: whatever it is sent, it does what its
 * own configuration says or nothing, and lives on. */
#include "app/porter.h"

#include "deliver/porter_wire.h"
#include "policy/test_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 6, FDS_MOST = 4 };

static const char yaml[] =
    "domains:\n"
    "  a.example:\n"
    "    users: file:/users\n"
    "    deliver: { pipe: \"/bin/echo for ${recipient}\" }\n"
    "  b.example:\n"
    "    users: [ me ]\n"
    "    deliver: { pipe: \"/bin/cat\" }\n"
    "  c.example:\n"
    "    users: [ me ]\n"
    "    deliver: { pipe: \"/bin/echo ${sender}\" }\n"
    "timeouts: { pipe: 20s }\n";

static struct config *conf;
static struct porter_process porter;
static int message;

static int
begin(void **state)
{
	(void)state;
	conf_begin();
	conf_file("/users", "me\nroo:x:0:0::/root:\n");
	conf = conf_of(yaml);
	assert_int_equal(porter_start(&porter, conf, NULL), 1);
	message = memfd_create("message", MFD_CLOEXEC);
	assert_int_equal(write(message, "a\r\nb\r\n", SIZE), SIZE);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	porter_stop(&porter);
	close(message);
	config_free(conf);
	conf_end();
	return 0;
}

static struct porter_request
request(const char *mailbox, const char *sender, const char *target)
{
	struct porter_request q = { .magic = PORTER_MAGIC,
		.version = PORTER_VERSION, .size = SIZE,
		.length = (uint16_t)strlen(mailbox),
		.sender_length = (uint16_t)strlen(sender),
		.target_length = (uint16_t)strlen(target) };

	memcpy(q.mailbox, mailbox, q.length);
	memcpy(q.sender, sender, q.sender_length);
	memcpy(q.target, target, q.target_length);
	return q;
}

static void
packet_send(const void *packet, size_t n, const int *fds, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(FDS_MOST * sizeof(int))];
		struct cmsghdr align;
	} room = { .bytes = { 0 } };
	struct iovec v = { (void *)(uintptr_t)packet, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n_fds > 0) {
		m.msg_control = room.bytes;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(porter.fd, &m, MSG_NOSIGNAL), (ssize_t)n);
}

/* What comes back: "exited 0: words", or "nothing". */
static const char *
answer(const void *packet, size_t n, int fd, size_t n_fds)
{
	static const char *const ends[PORTER_ENDS] = { "trouble", "kept",
		"exited", "killed", "overtime", "unfit" };
	static char said[PORTER_TEXT + 64];
	struct porter_reply r;
	struct pollfd p = { .events = POLLIN };
	int pair[2], fds[FDS_MOST];
	ssize_t got;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    pair), 0);
	fds[0] = fds[2] = fds[3] = fd;
	fds[1] = pair[1];
	packet_send(packet, n, fds, n_fds);
	close(pair[1]);
	p.fd = pair[0];
	assert_int_equal(poll(&p, 1, 60000), 1);
	got = recv(pair[0], &r, sizeof r, 0);
	close(pair[0]);
	if (got == 0)
		return "nothing";
	assert_int_equal(got, sizeof r);
	assert_true(r.end < PORTER_ENDS && r.length <= sizeof r.text);
	snprintf(said, sizeof said, "%s %u: %.*s", ends[r.end], r.status,
	    (int)r.length, r.text);
	return said;
}

#define ASK(q) answer(&(q), sizeof(q), message, 2)

static void
lives_on(void)
{
	struct porter_request q = request("me@a.example", "s@x", "");

	assert_string_equal(ASK(q), "exited 0: for me@a.example\n");
}

static void
test_does_what_is_configured(void **state)
{
	struct porter_request q;

	(void)state;
	lives_on();
	q = request("me@b.example", "s@x", "");
	assert_string_equal(ASK(q), "exited 0: a\nb\n");
	q = request("nobody@a.example", "s@x", "");
	assert_true(strncmp(ASK(q), "trouble 2: ", 11) == 0);
	q = request("me@else.example", "s@x", "");
	assert_true(strncmp(ASK(q), "trouble 2: ", 11) == 0);
	q = request("me@c.example", "-x@y", "");
	assert_string_equal(ASK(q), "unfit 0: ${sender} begins with '-', which "
	    "a command would take for an option");
	/* Mail for root is the administrator's, and no work for a porter. */
	q = request("roo@a.example", "s@x", "");
	assert_true(strncmp(ASK(q), "trouble ", 8) == 0);
	lives_on();
}

static void
test_names_come_from_the_configuration(void **state)
{
	static const char *const targets[] = { "|/bin/sh -c id", "|/bin/cat",
		"/tmp/", "|", "/", "me" };
	struct porter_request q;

	(void)state;
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		q = request("me@a.example", "s@x", targets[i]);
		assert_string_equal(ASK(q),
		    "trouble 2: 'me@a.example' no longer names this");
	}
	lives_on();
}

static void
test_malformed_requests(void **state)
{
	static struct porter_request good, q[13];
	static char more[sizeof good + 8];
	size_t n = 0;

	(void)state;
	good = request("me@a.example", "s@x", "");
	for (size_t i = 0; i < 13; i++)
		q[i] = good;
	q[n++].magic++;
	q[n++].version++;
	q[n++].length = 0;
	q[n++].length = PORTER_MAILBOX + 1;
	q[n++].length = UINT16_MAX;
	q[n++].sender_length = PORTER_MAILBOX + 1;
	q[n++].orig_length = PORTER_MAILBOX + 1;
	q[n++].target_length = PORTER_TARGET + 1;
	q[n++].is_junk = 2;
	q[n++].mailbox[1] = '\0';
	q[n++].mailbox[1] = '\n';
	q[n++].sender[0] = 0x7f;
	q[n].orig_length = 1;		/* a NUL */
	for (size_t i = 0; i <= n; i++)
		assert_string_equal(ASK(q[i]), "nothing");
	memcpy(more, &good, sizeof good);
	assert_string_equal(answer(&good, sizeof good - 1, message, 2),
	    "nothing");
	assert_string_equal(answer(more, sizeof more, message, 2), "nothing");
	assert_string_equal(answer(more, 1, message, 2), "nothing");
	lives_on();
}

static void
test_wrong_descriptors(void **state)
{
	const struct porter_request q = request("me@a.example", "s@x", "");

	(void)state;
	for (int i = 0; i < 100; i++) {		/* its table does not fill */
		assert_string_equal(answer(&q, sizeof q, message, 3),
		    "nothing");
		assert_string_equal(answer(&q, sizeof q, message, 4),
		    "nothing");
	}
	packet_send(&q, sizeof q, &message, 1);
	packet_send(&q, sizeof q, NULL, 0);
	lives_on();
}

/* The message is read at places: what cannot be is no message. */
static void
test_messages_that_are_none(void **state)
{
	struct porter_request q = request("me@b.example", "s@x", "");
	int pair[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int path = open("/", O_PATH | O_CLOEXEC);

	(void)state;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	q.size = SIZE + 1;
	assert_string_equal(ASK(q), "trouble 5: the message ends early");
	q.size = UINT64_MAX;
	assert_string_equal(ASK(q), "trouble 5: the message ends early");
	q.size = SIZE;
	assert_string_equal(answer(&q, sizeof q, pair[0], 2),
	    "trouble 5: the message ends early");
	assert_string_equal(answer(&q, sizeof q, null, 2),
	    "trouble 5: the message ends early");
	assert_string_equal(answer(&q, sizeof q, path, 2),
	    "trouble 5: the message ends early");
	close(pair[0]);
	close(pair[1]);
	close(null);
	close(path);
	lives_on();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_does_what_is_configured),
		cmocka_unit_test(test_names_come_from_the_configuration),
		cmocka_unit_test(test_malformed_requests),
		cmocka_unit_test(test_wrong_descriptors),
		cmocka_unit_test(test_messages_that_are_none),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
