#include "base/err.h"
#include "fiber/test_core.h"
#include "fiber/test_tls.h"

#include <openssl/ssl.h>

static struct stream client, server;
static struct tls_context *shown, *asking;
static int accepted;
static unsigned left;

static void
accepting(void *arg)
{
	(void)arg;
	accepted = tls_accept(&server, shown);
	left--;
}

static yields int
shake(const char *name)
{
	int rc;

	make_pair(&client, &server);
	left = 1;
	accepted = 1;
	assert_int_equal(fiber_go("accept", accepting, NULL), 0);
	rc = tls_connect(&client, asking, str_of(name));
	while (left > 0)
		fiber_sleep(in_ms(1));
	return rc;
}

static void
close_both(void)
{
	stream_close(&client);
	stream_close(&server);
}

static void
contexts(const struct tls_server_setup *s, const struct tls_client_setup *c)
{
	static const struct tls_client_setup plain;

	assert_non_null(shown = tls_server_new(s));
	assert_non_null(asking = tls_client_new(c == NULL ? &plain : c));
}

static void
contexts_drop(void)
{
	tls_drop(shown);
	tls_drop(asking);
}

static yields void
expect_line(struct stream *s, const char *text)
{
	struct str line;
	enum line_ending ending;

	assert_int_equal(stream_line(s, 512, &line, &ending), 0);
	assert_int_equal(line.n, strlen(text));
	assert_memory_equal(line.p, text, line.n);
}

static void
body_talk(void *arg)
{
	const char *kind = arg;
	struct tls_identity id = test_identity(kind, "mx.test");
	struct tls_facts facts;

	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1 }, NULL);
	assert_int_equal(shake("mx.test"), 0);
	assert_int_equal(accepted, 0);
	assert_true(stream_is_private(&client) && stream_is_private(&server));
	stream_put(&client, STR("EHLO a\r\nNOOP\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	expect_line(&server, "EHLO a");
	expect_line(&server, "NOOP");
	stream_put(&server, STR("250 fine\r\n"));
	assert_int_equal(stream_flush(&server), 0);
	expect_line(&client, "250 fine");
	tls_facts(&server, &facts);
	assert_string_equal(facts.version, "TLSv1.3");
	assert_string_equal(facts.name, "mx.test");
	assert_null(facts.peer);
	tls_facts(&client, &facts);
	assert_int_equal(X509_cmp(facts.peer, id.leaf), 0);
	assert_int_not_equal(facts.verdict, X509_V_OK);
	close_both();
	contexts_drop();
	test_identity_free(&id);
}

static void
body_talk_rsa(void *arg)
{
	(void)arg;
	body_talk((void *)(uintptr_t)"RSA");
}

static void
body_talk_ec(void *arg)
{
	(void)arg;
	body_talk((void *)(uintptr_t)"EC");
}

static void
body_talk_ed25519(void *arg)
{
	(void)arg;
	body_talk((void *)(uintptr_t)"ED25519");
}

static void
test_talk(void **state)
{
	(void)state;
	on_core(body_talk_rsa);
	on_core(body_talk_ec);
	on_core(body_talk_ed25519);
}

/* ---- much in both directions at once ---- */

enum { MUCH = 3 * 1000 * 1000 };

static yields void
put_much(struct stream *s)
{
	char piece[3001];

	for (size_t at = 0; at < MUCH; at += sizeof piece) {
		for (size_t i = 0; i < sizeof piece; i++)
			piece[i] = (char)((at + i) * 31 >> 3);
		stream_put(s, (struct str){ piece, sizeof piece });
	}
	assert_int_equal(stream_flush(s), 0);
}

static yields void
take_much(struct stream *s)
{
	struct str have;

	for (size_t at = 0; at < MUCH; at += have.n) {
		assert_int_equal(stream_peek(s, &have), 0);
		for (size_t i = 0; i < have.n; i++)
			assert_int_equal(have.p[i],
			    (char)((at + i) * 31 >> 3));
		stream_consume(s, have.n);
	}
}

static void
echo_much(void *arg)
{
	(void)arg;
	take_much(&server);
	put_much(&server);
	left--;
}

static void
body_much(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1 }, NULL);
	assert_int_equal(shake(""), 0);
	client.deadline = server.deadline = in_ms(60000);
	left = 1;
	assert_int_equal(fiber_go("echo", echo_much, NULL), 0);
	put_much(&client);
	take_much(&client);
	while (left > 0)
		fiber_sleep(in_ms(1));
	close_both();
	contexts_drop();
	test_identity_free(&id);
}

static void
test_much(void **state)
{
	(void)state;
	on_core(body_much);
}

/* ---- names, protocols, versions ---- */

static yields void
expect_shown(const char *name, const struct tls_identity *id)
{
	struct tls_facts facts;

	assert_int_equal(shake(name), 0);
	tls_facts(&client, &facts);
	assert_int_equal(X509_cmp(facts.peer, id->leaf), 0);
	close_both();
}

static void
body_names(void *arg)
{
	struct tls_identity ids[3] = { test_identity("EC", "first.test"),
		test_identity("EC", "*.wild.test"),
		test_identity("EC", "third.test") };

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = ids, .n = 3 }, NULL);
	expect_shown("", &ids[0]);
	expect_shown("first.test", &ids[0]);
	expect_shown("a.wild.test", &ids[1]);
	expect_shown("THIRD.test", &ids[2]);
	expect_shown("unknown.test", &ids[0]);
	contexts_drop();
	for (size_t i = 0; i < 3; i++)
		test_identity_free(&ids[i]);
}

static void
test_names(void **state)
{
	(void)state;
	on_core(body_names);
}

/* RSA beside ECDSA for one name: each client gets what it can check. */
static void
body_both(void *arg)
{
	struct tls_identity ids[2] = { test_identity("RSA", "mx.test"),
		test_identity("EC", "mx.test") };

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = ids, .n = 2 }, NULL);
	expect_shown("mx.test", &ids[1]);
	contexts_drop();
	for (size_t i = 0; i < 2; i++)
		test_identity_free(&ids[i]);
}

static void
test_both(void **state)
{
	(void)state;
	on_core(body_both);
}

static void
body_alpn(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1,
	    .alpn = "smtp" }, &(struct tls_client_setup){ .alpn = "smtp" });
	assert_int_equal(shake(""), 0);
	close_both();
	contexts_drop();
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1,
	    .alpn = "smtp,esmtp" }, &(struct tls_client_setup){
	    .alpn = "esmtp" });
	assert_int_equal(shake(""), 0);
	close_both();
	contexts_drop();
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1,
	    .alpn = "smtp,esmtp" }, NULL);
	assert_int_equal(shake(""), 0);		/* who offers none */
	close_both();
	contexts_drop();
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1,
	    .alpn = "smtp" }, &(struct tls_client_setup){ .alpn = "http/1.1" });
	assert_int_equal(shake(""), -1);
	assert_int_equal(accepted, -1);
	assert_int_equal(client.trouble, STREAM_GONE);
	close_both();
	contexts_drop();
	test_identity_free(&id);
}

static void
test_alpn(void **state)
{
	(void)state;
	on_core(body_alpn);
}

/* ---- going on where it ended ---- */

static void
body_end(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");
	struct str line;
	enum line_ending ending;

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1 }, NULL);
	assert_int_equal(shake(""), 0);
	stream_put(&client, STR("QUIT\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	stream_close(&client);
	expect_line(&server, "QUIT");
	assert_int_equal(stream_line(&server, 512, &line, &ending), -1);
	assert_int_equal(server.trouble, STREAM_GONE);
	stream_put(&server, STR("more\r\n"));
	assert_int_equal(stream_flush(&server), -1);
	stream_close(&server);
	contexts_drop();
	test_identity_free(&id);
}

static void
test_end(void **state)
{
	(void)state;
	on_core(body_end);
}

/* Clear text behind the start is not carried over (SECURITY.md row 4). */
static void
body_behind(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1 }, NULL);
	make_pair(&client, &server);
	stream_put(&client, STR("STARTTLS\r\nRSET\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	expect_line(&server, "STARTTLS");
	assert_int_equal(tls_accept(&server, shown), -1);
	assert_null(server.tls);
	close_both();
	contexts_drop();
	test_identity_free(&id);
}

static void
test_behind(void **state)
{
	(void)state;
	on_core(body_behind);
}

/* Somebody who says nothing, and somebody who speaks no TLS. */
static void
body_strangers(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1 }, NULL);
	make_pair(&client, &server);
	server.deadline = in_ms(20);
	assert_int_equal(tls_accept(&server, shown), -1);
	assert_int_equal(server.trouble, STREAM_LATE);
	close_both();
	make_pair(&client, &server);
	stream_put(&client, STR("GET / HTTP/1.0\r\n\r\n"));
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(tls_accept(&server, shown), -1);
	assert_int_equal(server.trouble, STREAM_GONE);
	assert_non_null(strstr(err_text(), "TLS handshake"));
	close_both();
	contexts_drop();
	test_identity_free(&id);
}

static void
test_strangers(void **state)
{
	(void)state;
	on_core(body_strangers);
}

/* A client that resumes: from the second time on, by either version. */
static void
body_resumes(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");
	const unsigned char keys[1][TLS_TICKET_KEY] = { { 7 } };
	struct tls_facts facts;

	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1 },
	    &(struct tls_client_setup){ .resumes = arg == NULL });
	tls_tickets(shown, keys, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(shake("mx.test"), 0);
		tls_facts(&client, &facts);
		assert_int_equal(facts.is_resumed, i > 0 && arg == NULL);
		stream_put(&server, STR("250 fine\r\n"));
		assert_int_equal(stream_flush(&server), 0);
		expect_line(&client, "250 fine");
		close_both();
	}
	contexts_drop();
	test_identity_free(&id);
}

static void
body_begins_anew(void *arg)
{
	(void)arg;
	body_resumes(&(int){ 1 });
}

static void
test_resumes(void **state)
{
	(void)state;
	on_core(body_resumes);
	on_core(body_begins_anew);
}

/* Both ends see the same binding, and another one next time. */
static void
body_binding(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");
	unsigned char a[32], b[32], c[64], d[64];
	size_t n_c, n_d;

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1 }, NULL);
	assert_int_equal(shake(""), 0);
	assert_true(tls_exporter(&client, a) && tls_exporter(&server, b));
	assert_memory_equal(a, b, sizeof a);
	assert_true(tls_end_point(&client, c, &n_c));
	assert_true(tls_end_point(&server, d, &n_d));
	assert_int_equal(n_c, 32);
	assert_int_equal(n_c, n_d);
	assert_memory_equal(c, d, n_c);
	close_both();
	assert_int_equal(shake(""), 0);
	assert_true(tls_exporter(&client, b));
	assert_memory_not_equal(a, b, sizeof a);
	close_both();
	contexts_drop();
	test_identity_free(&id);
}

/* Whoever says nothing, or a part of a hello, is nothing to OpenSSL yet; what is
 * no hello it refuses at once, and what is too long for a buffer we. */
static yields void
try_hello(struct str said, bool is_judged, const char *why)
{
	make_pair(&client, &server);
	server.deadline = in_ms(50);
	stream_put(&client, said);
	assert_int_equal(stream_flush(&client), 0);
	assert_int_equal(tls_accept(&server, shown), -1);
	assert_int_equal(server.tls != NULL, is_judged);
	if (why != NULL)
		assert_string_equal(err_text(), why);
	assert_true(server.in == NULL || said.n > 2048 || is_judged ||
	    server.trouble == STREAM_FINE);
	close_both();
}

static void
body_hello(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");
	static char hello[STREAM_BUFFER] = { 22, 3, 1, 7, (char)0xfb, 1 };
	static const char late[] = "TLS handshake: nothing in time";

	(void)arg;
	contexts(&(struct tls_server_setup){ .identities = &id, .n = 1 }, NULL);
	try_hello(STR(""), false, late);
	try_hello((struct str){ hello, 1 }, false, late);
	try_hello((struct str){ hello, 4 }, false, late);
	try_hello((struct str){ hello, 5 }, false, late);
	try_hello((struct str){ hello, 2047 }, false, late);	/* of 2048 */
	try_hello((struct str){ hello, 2048 }, true, NULL);
	try_hello(STR("GET"), false, late);
	try_hello(STR("EHLO a\r\n"), true, NULL);
	hello[3] = 0x3f;				/* 16384, head and all */
	try_hello((struct str){ hello, 16383 }, false, late);
	try_hello((struct str){ hello, 16384 }, true, NULL);
	hello[4]++;
	try_hello((struct str){ hello, 5 }, false,
	    "TLS handshake: the hello is too long");
	contexts_drop();
	test_identity_free(&id);
}

/* The server's certificates are replaced while somebody's hello is awaited: the
 * handshake goes on with those that it began with. */
static void
body_replaced(void *arg)
{
	struct tls_identity id = test_identity("EC", "mx.test");
	const struct tls_server_setup setup = { .identities = &id, .n = 1 };

	(void)arg;
	contexts(&setup, NULL);
	make_pair(&client, &server);
	left = 1;
	assert_int_equal(fiber_go("accept", accepting, NULL), 0);
	fiber_sleep(in_ms(5));
	tls_drop(shown);
	assert_int_equal(tls_connect(&client, asking, STR("mx.test")), 0);
	while (left > 0)
		fiber_sleep(in_ms(1));
	assert_int_equal(accepted, 0);
	close_both();
	tls_drop(asking);
	test_identity_free(&id);
}

static void
test_replaced(void **state)
{
	(void)state;
	on_core(body_replaced);
}

static void
test_hello(void **state)
{
	(void)state;
	on_core(body_hello);
}

static void
test_binding(void **state)
{
	(void)state;
	on_core(body_binding);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talk),
		cmocka_unit_test(test_much),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_resumes),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
