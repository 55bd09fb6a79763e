#include "fiber/test_core.h"
#include "fiber/test_tls.h"
#include "fiber/world_sim.h"

static struct stream client, server;
static struct tls_context *shown;
static int accepted;
static const char *kind;
static unsigned char key[32];		/* of the handshake */

static void
accepting(void *arg)
{
	(void)arg;
	accepted = tls_accept(&server, shown);
}

static void
handshake(void *arg)
{
	static const struct tls_client_setup plain;
	struct tls_identity id = test_identity(kind, "mx.test");
	struct tls_context *asking = tls_client_new(&plain);

	(void)arg;
	shown = tls_server_new(&(struct tls_server_setup){ .identities = &id,
	    .n = 1 });
	accepted = 1;
	make_pair(&client, &server);
	assert_int_equal(fiber_go("accept", accepting, NULL), 0);
	assert_int_equal(tls_connect(&client, asking, STR("mx.test")), 0);
	while (accepted == 1)
		fiber_sleep(in_ms(1));
	assert_int_equal(accepted, 0);
	assert_true(tls_exporter(&client, key));
	stream_close(&client);
	stream_close(&server);
	tls_drop(asking);
	tls_drop(shown);
	test_identity_free(&id);
}

static uint64_t
run(uint64_t seed, unsigned char out[32])
{
	sim_begin(seed);
	on_core(handshake);
	memcpy(out, key, sizeof key);
	return sim_trace();
}

/* The keys too are the seed's: the same run to the last octet. */
static void
a_seed_is_one_handshake(void **state)
{
	static const char *const kinds[] = { "EC", "ED25519", "RSA" };
	unsigned char first[32], again[32], other[32];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint64_t trace;

		kind = kinds[i];
		trace = run(114, first);
		assert_int_equal(run(114, again), trace);
		assert_memory_equal(first, again, sizeof first);
		(void)run(115, other);
		assert_memory_not_equal(first, other, sizeof first);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_is_one_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
