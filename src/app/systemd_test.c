#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/pulse.h"
#include "app/systemd.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- who hears ---- */

static int ear;
static char said[1024];

static int
ear_open(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char name[sizeof at.sun_path];

	(void)state;
	snprintf(name, sizeof name, "@nm-systemd-test-%d", (int)getpid());
	memcpy(at.sun_path, name, sizeof name);
	at.sun_path[0] = '\0';
	ear = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(ear, (void *)&at, (socklen_t)(offsetof(
	    struct sockaddr_un, sun_path) + strlen(name))), 0);
	return setenv("NOTIFY_SOCKET", name, 1);
}

static int
ear_close(void **state)
{
	(void)state;
	close(ear);
	return unsetenv("NOTIFY_SOCKET");
}

/* "": nothing. */
static const char *
heard(void)
{
	ssize_t n = recv(ear, said, sizeof said - 1, 0);

	said[n < 0 ? 0 : n] = '\0';
	return said;
}

static void
tells(void **state)
{
	char long_text[2000];

	(void)state;
	systemd_tell("READY=1\nSTATUS=%s", "fine");
	assert_string_equal(heard(), "READY=1\nSTATUS=fine");
	memset(long_text, 'x', sizeof long_text);
	long_text[sizeof long_text - 1] = '\0';
	systemd_tell("STATUS=%s", long_text);
	assert_int_equal(strlen(heard()), 511);
	systemd_tell_reloading();
	assert_non_null(strstr(heard(), "RELOADING=1\nMONOTONIC_USEC="));
	unsetenv("NOTIFY_SOCKET");
	systemd_tell("READY=1");
	assert_string_equal(heard(), "");
	setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	systemd_tell("READY=1");	/* harmless */
}

/* ---- the watchdog ---- */

static void
watch(const char *us, const char *pid)
{
	setenv("WATCHDOG_USEC", us, 1);
	if (pid != NULL)
		setenv("WATCHDOG_PID", pid, 1);
}

static void
watchdog_is_ours_or_not(void **state)
{
	char pid[32];

	(void)state;
	assert_int_equal(systemd_watchdog_ms(), 0);
	watch("3000000", NULL);
	assert_int_equal(systemd_watchdog_ms(), 3000);
	assert_int_equal(systemd_watchdog_ms(), 0);	/* taken */
	watch("3000000", "1");
	assert_int_equal(systemd_watchdog_ms(), 0);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	watch("10", pid);
	assert_int_equal(systemd_watchdog_ms(), 1);
	watch("soon", pid);
	assert_int_equal(systemd_watchdog_ms(), 0);
}

static void
pulse_is_the_workers(void **state)
{
	struct pulse p;

	(void)state;
	pulse_init(&p, 0);
	assert_int_equal(p.next_ms, 0);
	watch("3000000", NULL);
	pulse_init(&p, 0);
	assert_int_equal(p.next_ms, 1000);
	assert_false(pulse_beat(&p, 1000, false));	/* none is there */
	assert_string_equal(heard(), "WATCHDOG=1");
	assert_true(pulse_beat(&p, 2000, true));
	assert_string_equal(heard(), "");		/* not yet */
	pulse_heard(&p);
	assert_string_equal(heard(), "WATCHDOG=1");
	pulse_heard(&p);				/* nobody asked */
	assert_string_equal(heard(), "");
	assert_true(pulse_beat(&p, 3000, true));
	assert_false(pulse_beat(&p, 4000, true));	/* it hangs: silence */
	assert_false(pulse_beat(&p, 5000, true));
	assert_string_equal(heard(), "");
	assert_false(pulse_beat(&p, 6000, false));	/* it is dead */
	assert_string_equal(heard(), "WATCHDOG=1");
}

/* ---- sockets ---- */

static int
socket_at(int family, int type, bool listens)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_ANY_INIT };
	int fd = socket(family, type, 0);

	if (bind(fd, family == AF_INET ? (void *)&v4 : (void *)&v6,
	    family == AF_INET ? sizeof v4 : sizeof v6) != 0 ||
	    (listens && listen(fd, 1) != 0))
		return -1;
	return fd;
}

/* Descriptors from 3 on are taken: so in a process of its own, whose status is
 * 0 when `fits' said so. */
static void
taken(const int *fds, size_t n, const char *names, const char *count,
    bool (*fits)(int rc, const struct systemd_sockets *))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		static struct systemd_sockets s;
		char text[32];
		int high[8], rc;

		for (size_t i = 0; i < n; i++)
			high[i] = dup2(fds[i], 100 + (int)i);
		for (size_t i = 0; i < n; i++)
			(void)dup2(high[i], 3 + (int)i);
		snprintf(text, sizeof text, "%d", (int)getpid());
		setenv("LISTEN_PID", text, 1);
		setenv("LISTEN_FDS", count, 1);
		setenv("LISTEN_FDNAMES", names, 1);
		rc = systemd_take(&s);
		_exit(fits(rc, &s) && getenv("LISTEN_FDS") == NULL ? 0 : 1);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
}

static bool
fits_three(int rc, const struct systemd_sockets *s)
{
	return rc == 0 && s->n == 3 && strcmp(s->list[0].name, "smtp") == 0 &&
	    s->list[0].at.family == ADDRESS_V4 && s->list[0].at.port != 0 &&
	    !s->list[0].is_dual && s->list[1].name[0] == '\0' &&
	    s->list[1].at.family == ADDRESS_V6 && s->list[1].is_dual &&
	    s->list[2].name[0] == '\0' && s->list[2].fd == 5;
}

static bool
fits_no_tcp(int rc, const struct systemd_sockets *s)
{
	(void)s;
	return rc == -1 && strstr(err_text(), "is no TCP socket") != NULL;
}

static bool
fits_deaf(int rc, const struct systemd_sockets *s)
{
	(void)s;
	return rc == -1 && strstr(err_text(), "does not listen") != NULL;
}

static bool
fits_no_number(int rc, const struct systemd_sockets *s)
{
	(void)s;
	return rc == -1 && strstr(err_text(), "LISTEN_FDS is no number") != NULL;
}

static bool
fits_none(int rc, const struct systemd_sockets *s)
{
	return rc == 0 && s->n == 0;
}

static void
sockets_are_looked_at(void **state)
{
	int fds[3] = { socket_at(AF_INET, SOCK_STREAM, true),
		socket_at(AF_INET6, SOCK_STREAM, true),
		socket_at(AF_INET, SOCK_STREAM, true) };
	int datagram = socket_at(AF_INET, SOCK_DGRAM, false);
	int deaf = socket_at(AF_INET, SOCK_STREAM, false);

	(void)state;
	assert_true(fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0);
	taken(fds, 3, "smtp:nightmail.socket:unknown", "3", fits_three);
	taken(&datagram, 1, "smtp", "1", fits_no_tcp);
	taken(&deaf, 1, "smtp", "1", fits_deaf);
	taken(fds, 1, "smtp", "65", fits_no_number);
	taken(fds, 1, "smtp", "0", fits_none);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	close(datagram);
	close(deaf);
}

/* What a parent was given is not his children's. */
static void
words_for_others_are_not_believed(void **state)
{
	static struct systemd_sockets s;

	(void)state;
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(systemd_take(&s), 0);
	assert_int_equal(s.n, 0);
	assert_null(getenv("LISTEN_PID"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells, ear_open, ear_close),
		cmocka_unit_test(watchdog_is_ours_or_not),
		cmocka_unit_test_setup_teardown(pulse_is_the_workers, ear_open,
		    ear_close),
		cmocka_unit_test(sockets_are_looked_at),
		cmocka_unit_test(words_for_others_are_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
