/* What only the real world has: descriptors, signals, users, pages. */
#include "base/err.h"
#include "fiber/test_core.h"

#include "fiber/random.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Unix sockets ---- */

static void
body_unix(void *arg)
{
	struct address at = { .family = ADDRESS_UNIX }, peer;
	struct net_end *l, *a, *b;
	unsigned uid = 99, gid = 99;

	(void)arg;
	snprintf(at.of.path, sizeof at.of.path, "/tmp/nm-net-%ld",
	    (long)getpid());
	assert_null(net_connect(&at, NULL, in_ms(1000)));
	assert_non_null(l = net_listen(&at));
	net_close(l);
	assert_non_null(l = net_listen(&at));	/* over what was left there */
	assert_non_null(a = net_connect(&at, NULL, in_ms(1000)));
	assert_non_null(b = net_accept(l, &peer, in_ms(1000)));
	assert_int_equal(peer.family, ADDRESS_UNIX);
	assert_true(net_peer_uid(b, &uid, &gid));
	assert_int_equal(uid, getuid());
	assert_int_equal(gid, getgid());
	net_close(a);
	net_close(b);
	net_close(l);
	unlink(at.of.path);
}

static void
test_unix(void **state)
{
	(void)state;
	on_core(body_unix);
}

/* ---- addresses ---- */

static void
body_v6(void *arg)
{
	struct address at, peer, odd = { .family = ADDRESS_NONE };
	struct net_end *l, *a, *b;

	(void)arg;
	assert_true(address_parse(STR("::1"), 0, &at));
	assert_non_null(l = net_listen(&at));
	assert_true(net_local(l, &at));
	assert_int_equal(at.family, ADDRESS_V6);
	assert_non_null(a = net_connect(&at, NULL, in_ms(1000)));
	assert_non_null(b = net_accept(l, &peer, in_ms(1000)));
	assert_true(address_is_loopback(&peer));
	net_close(a);
	net_close(b);
	net_close(l);
	assert_null(net_listen(&odd));
	assert_null(net_connect(&odd, NULL, in_ms(1000)));
	/* not ours (RFC 5737) */
	assert_true(address_parse(STR("192.0.2.1"), 0, &odd));
	assert_null(net_listen(&odd));
	assert_non_null(strstr(err_text(), "192.0.2.1"));
	assert_null(net_connect(&at, &odd, in_ms(1000)));
}

static void
test_v6(void **state)
{
	(void)state;
	on_core(body_v6);
}

/* ---- no memory for stacks ---- */

#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__

static struct rlimit memory_before;
static atomic_uint n_parked, n_ran;
static atomic_bool may_go;

static void
park_until_told(void *arg)
{
	(void)arg;
	while (!may_go)
		fiber_sleep(in_ms(1));
}

static void
take_all_stacks(void *arg)
{
	(void)arg;
	while (fiber_go("parked", park_until_told, NULL) == 0)
		n_parked++;
	assert_non_null(strstr(err_text(), "no stack for fiber parked"));
}

static void
count_run(void *arg)
{
	(void)arg;
	assert_int_equal(core_index(), 1);
	n_ran++;
}

static void
body_no_stacks(void *arg)
{
	struct rlimit little;

	(void)arg;
	if (core_index() != 0)
		return;
	/* Its first fiber has ended then, and left a stack. */
	assert_int_equal(core_call(1, count_run, NULL), 0);
	fiber_sleep(in_ms(1));
	n_ran = 0;
	assert_int_equal(getrlimit(RLIMIT_AS, &memory_before), 0);
	little = memory_before;
	little.rlim_cur = 64 << 20;
	assert_int_equal(setrlimit(RLIMIT_AS, &little), 0);
	assert_int_equal(core_call(1, take_all_stacks, NULL), 0);
	/* The call's own stack is free again. */
	assert_int_equal(core_post(1, park_until_told, NULL), 0);
	assert_int_equal(core_call(1, count_run, NULL), -1);
	assert_non_null(strstr(err_text(), "core 1 has no memory"));
	assert_int_equal(core_post(1, count_run, NULL), 0);
	fiber_sleep(in_ms(5));
	assert_int_equal(n_ran, 0);
	may_go = true;
	assert_int_equal(setrlimit(RLIMIT_AS, &memory_before), 0);
}

static void
test_no_stacks(void **state)
{
	(void)state;
	assert_int_equal(core_run_all(2, body_no_stacks, NULL), 0);
	assert_int_equal(n_ran, 1);	/* a post is never lost */
	assert_true(n_parked < 20000);
}
#endif
#endif

/* ---- a listener bound by somebody else ---- */

static int
bind_one(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&sin, sizeof sin),
	    0);
	return fd;
}

static void
body_adopt(void *arg)
{
	struct address at, peer;
	struct net_end *l, *a, *b;

	(void)arg;
	assert_non_null(l = net_adopt_listener(bind_one()));
	assert_true(net_local(l, &at));
	assert_non_null(a = net_connect(&at, NULL, in_ms(1000)));
	assert_non_null(b = net_accept(l, &peer, in_ms(1000)));
	net_close(a);
	net_close(b);
	net_close(l);
	assert_null(net_adopt_listener(-1));
}

static void
test_adopt(void **state)
{
	(void)state;
	on_core(body_adopt);
}

/* ---- no descriptors left ---- */

static unsigned times_told;

static void
count_told(const char *text)
{
	assert_non_null(strstr(text, "Too many open files"));
	times_told++;
}

static void
free_some(void *arg)
{
	struct rlimit *before = arg;

	fiber_sleep(in_ms(250));
	setrlimit(RLIMIT_NOFILE, before);
}

static void
body_shortage(void *arg)
{
	struct rlimit before, few;
	struct address at, peer;
	struct net_end *l, *a, *b;
	struct mono begun;

	(void)arg;
	assert_true(address_parse(STR("127.0.0.1"), 0, &at));
	assert_non_null(l = net_listen(&at));
	assert_true(net_local(l, &at));
	assert_non_null(a = net_connect(&at, NULL, in_ms(1000)));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	begun = clock_mono();
	net_tell = count_told;
	assert_null(net_accept(l, &peer, in_ms(20)));
	assert_int_equal(fiber_go("frees", free_some, &before), 0);
	b = net_accept(l, &peer, in_ms(5000));
	assert_non_null(b);
	assert_int_equal(times_told, 1);
	assert_true(clock_mono().ns - begun.ns >= 250 * NS_PER_MS);
	net_tell = NULL;
	net_close(a);
	net_close(b);
	net_close(l);
}

static void
test_shortage(void **state)
{
	(void)state;
	on_core(body_shortage);
}

static void
body_random(void *arg)
{
	struct hash_key a = random_hash_key(), b = random_hash_key();
	uint64_t seen = 0;

	(void)arg;
	assert_true(a.k0 != b.k0 && a.k1 != b.k1);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = random_below(7);

		assert_true(v < 7);
		seen |= UINT64_C(1) << v;
	}
	assert_int_equal(seen, 127);
	assert_int_equal(random_below(1), 0);
	assert_true(random_below(UINT64_MAX) < UINT64_MAX);
}

static void
test_random(void **state)
{
	(void)state;
	on_core(body_random);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_shortage),
		cmocka_unit_test(test_random),
#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(test_no_stacks),
#endif
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
