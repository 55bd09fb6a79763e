#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "app/doors.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct doors doors;
static struct address at[4];
static struct listener listener;
static struct config *config;

/* A configuration with these listening addresses; "ip port". */
static const struct config *
listening(size_t n, const char *const *ips, const uint16_t *ports)
{
	for (size_t i = 0; i < n; i++)
		assert_true(address_parse(str_of(ips[i]), ports[i], &at[i]));
	listener.at = (struct conf_addresses){ at, n };
	config->listeners = &listener;
	config->n_listeners = 1;
	return config;
}

static const struct config *
listening_at(const char *ip, uint16_t port)
{
	return listening(1, &ip, &port);
}

static int
strange_socket(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (void *)&a, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static uint16_t
port_free(void)
{
	uint16_t port;

	close(strange_socket(&port));
	return port;
}

static int
setup(void **state)
{
	(void)state;
	doors = (struct doors){ .n = 0 };
	config = calloc(1, sizeof *config);
	return config == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < doors.n; i++)
		doors.list[i].is_wanted = false;
	doors_prune(&doors);
	err_clear();
	free(config);
	return 0;
}

static void
doors_are_kept_over_a_reload(void **state)
{
	const char *const ips[] = { "127.0.0.1", "127.0.0.2" };
	uint16_t ports[2] = { port_free(), 0 };
	int first;

	(void)state;
	ports[1] = ports[0];
	assert_int_equal(doors_open(&doors, listening_at(ips[0], ports[0]), 3), 0);
	assert_int_equal(doors.n, 1);
	assert_int_equal(doors.list[0].n_fds, 3);
	first = doors.list[0].fds[0];
	assert_int_equal(doors_open(&doors, listening(2, ips, ports), 3), 0);
	assert_int_equal(doors.n, 2);
	assert_int_equal(doors.list[0].fds[0], first);
	assert_false(doors.list[0].is_new);
	assert_true(doors.list[1].is_new);
	doors_prune(&doors);			/* the worker swapped */
	assert_int_equal(doors.n, 2);
	assert_false(doors.list[1].is_new);
	assert_int_equal(doors_open(&doors, listening_at(ips[1], ports[1]), 3), 0);
	assert_int_equal(doors.n, 2);		/* until the worker swapped */
	doors_prune(&doors);
	assert_int_equal(doors.n, 1);
	assert_string_equal(address_print(&doors.list[0].at).text, ips[1]);
}

static void
a_refused_reload_is_undone(void **state)
{
	const char *const ips[] = { "127.0.0.1", "127.0.0.2" };
	uint16_t ports[2] = { port_free(), port_free() }, taken;
	int strange;

	(void)state;
	assert_int_equal(doors_open(&doors, listening_at(ips[0], ports[0]), 2), 0);
	assert_int_equal(doors_open(&doors, listening(2, ips, ports), 2), 0);
	doors_undo(&doors);			/* the worker refused */
	assert_int_equal(doors.n, 1);
	assert_int_equal(doors.list[0].at.port, ports[0]);

	/* The second of two cannot be bound: the first goes again, too. */
	strange = strange_socket(&taken);
	ports[0] = port_free();
	ports[1] = taken;
	assert_int_equal(doors_open(&doors, listening(2, (const char *const[]){
		"127.0.0.1", "127.0.0.1" }, ports), 2), -1);
	assert_non_null(strstr(err_text(), "Address already in use"));
	assert_non_null(strstr(err_text(), "bind 127.0.0.1 port "));
	assert_int_equal(doors.n, 1);
	close(strange);
}

/* A second server would get half of the clients, were it let in by
 * SO_REUSEPORT. */
static void
a_second_server_is_refused(void **state)
{
	static struct doors other;
	uint16_t port = port_free();

	(void)state;
	assert_int_equal(doors_open(&doors, listening_at("127.0.0.1", port), 2), 0);
	assert_int_equal(doors_open(&other, listening_at("127.0.0.1", port), 2), -1);
	assert_int_equal(other.n, 0);
}

/* From all addresses to one and back is no conflict with ourselves. */
static void
wildcards_and_addresses_alternate(void **state)
{
	uint16_t port = port_free();

	(void)state;
	assert_int_equal(doors_open(&doors, listening_at("0.0.0.0", port), 2), 0);
	assert_int_equal(doors_open(&doors, listening_at("127.0.0.1", port), 2), 0);
	doors_prune(&doors);
	assert_int_equal(doors.n, 1);
	assert_int_equal(doors_open(&doors, listening_at("0.0.0.0", port), 2), 0);
	doors_prune(&doors);
	assert_int_equal(doors.n, 1);
	assert_string_equal(address_print(&doors.list[0].at).text, "0.0.0.0");
}

/* ---- sockets of the service manager ---- */

static struct systemd_sockets given;

static uint16_t
give(const char *name, const char *ip)
{
	struct systemd_socket *s = &given.list[given.n++];
	uint16_t port;

	*s = (struct systemd_socket){ .fd = strange_socket(&port) };
	assert_true(address_parse(str_of(ip), port, &s->at));
	snprintf(s->name, sizeof s->name, "%s", name);
	doors.given = &given;
	return port;
}

static int
given_end(void **state)
{
	systemd_close(&given);
	return teardown(state);
}

static void
what_is_given_is_not_bound(void **state)
{
	uint16_t port = give("smtp", "127.0.0.1"), free_port = port_free();

	(void)state;
	listener.name = STR("smtp");
	/* A stranger's socket there would refuse us. */
	assert_int_equal(doors_open(&doors, listening_at("127.0.0.1", port), 3), 0);
	assert_int_equal(doors.n, 1);
	assert_int_equal(doors.list[0].n_fds, 3);
	assert_int_not_equal(doors.list[0].fds[0], given.list[0].fd);
	doors_close(&doors);
	assert_int_equal(doors_open(&doors, listening(2, (const char *const[]){
		"127.0.0.1", "127.0.0.1" }, (const uint16_t[]){ port,
		free_port }), 1), 0);
	assert_int_equal(doors.n, 2);		/* the other one is ours */
}

static void
what_is_given_must_be_wanted(void **state)
{
	uint16_t port = give("smtp", "127.0.0.1");

	(void)state;
	listener.name = STR("mx:25");
	assert_int_equal(doors_open(&doors, listening_at("127.0.0.1", port), 1), -1);
	assert_non_null(strstr(err_text(), "no listener has that name"));
	listener.name = STR("smtp");
	assert_int_equal(doors_open(&doors, listening_at("127.0.0.2", port), 1), -1);
	assert_non_null(strstr(err_text(), "listen has that name elsewhere"));
	given.list[0].name[0] = '\0';
	assert_int_equal(doors_open(&doors, listening_at("127.0.0.2", port), 1), -1);
	assert_non_null(strstr(err_text(), "where listen has nothing"));
	assert_int_equal(doors.n, 0);
	assert_int_equal(doors_open(&doors, listening_at("127.0.0.1", port), 1), 0);
}

/* ListenStream=25 is a socket of IPv6 that hears both. */
static void
one_of_both_families_serves_both(void **state)
{
	const char *const all[] = { "0.0.0.0", "::" };
	uint16_t port = give("", "::"), ports[2] = { port, port };

	(void)state;
	given.list[0].is_dual = true;
	assert_int_equal(doors_open(&doors, listening(2, all, ports), 2), 0);
	assert_int_equal(doors.n, 2);
	doors_close(&doors);
	given.list[0].is_dual = false;
	assert_int_equal(doors_open(&doors, listening_at("0.0.0.0", port), 1), -1);
}

static void
doors_have_an_end(void **state)
{
	struct address *many = calloc(DOORS_MOST + 1, sizeof *many);

	(void)state;
	assert_non_null(many);
	for (unsigned i = 0; i <= DOORS_MOST; i++) {
		char ip[32];

		snprintf(ip, sizeof ip, "127.0.3.%u", i + 1);
		assert_true(address_parse(str_of(ip), 0, &many[i]));
	}
	listener.at = (struct conf_addresses){ many, DOORS_MOST + 1 };
	config->listeners = &listener;
	config->n_listeners = 1;
	assert_int_equal(doors_open(&doors, config, 1), -1);
	assert_int_equal(doors.n, 0);
	listener.at.n = DOORS_MOST;
	assert_int_equal(doors_open(&doors, config, 1), 0);
	assert_int_equal(doors.n, DOORS_MOST);
	free(many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(doors_are_kept_over_a_reload,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_given_is_not_bound,
		    setup, given_end),
		cmocka_unit_test_setup_teardown(what_is_given_must_be_wanted,
		    setup, given_end),
		cmocka_unit_test_setup_teardown(one_of_both_families_serves_both,
		    setup, given_end),
		cmocka_unit_test_setup_teardown(a_refused_reload_is_undone,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_server_is_refused,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    wildcards_and_addresses_alternate, setup, teardown),
		cmocka_unit_test_setup_teardown(doors_have_an_end, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
