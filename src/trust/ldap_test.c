#include "base/err.h"
#include "fiber/test_core.h"
#include "fiber/test_tls.h"

#include "trust/ldap.h"
#include "wire/ber.h"
#include "wire/ldap.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

/*
 * A directory as a fiber: it reads requests and answers as `now' says.  It holds
 * uid=bob with the password "right"; the service is cn=mail with "service".
 */
static struct {
	struct net_end *listener;
	uint16_t port;
	unsigned visits, binds, searches, entries, tls;
	bool is_silent, closes, is_tls, refuses_tls, sends_nonsense;
	uint32_t code;			/* of binds by users; 0: as it is */
	char filter[256];
	struct tls_context *shown;
} now[2];

static unsigned downs, ups;

static void
told(void *arg, struct str name, struct str why)
{
	(void)arg;
	assert_true(name.n > 0);
	if (why.p == NULL)
		ups++;
	else
		downs++;
}

static yields void
answer(struct stream *s, uint32_t id, unsigned kind, uint32_t code)
{
	char room[128];
	struct buf b = BUF_OF(room);
	size_t message = ber_open(&b, BER_SEQUENCE), op;

	ber_put_number(&b, BER_INTEGER, id);
	op = ber_open(&b, BER_APPLICATION_SET(kind));
	ber_put_number(&b, BER_ENUMERATED, code);
	ber_put(&b, BER_OCTETS, STR(""));
	ber_put(&b, BER_OCTETS, STR("words"));
	ber_close(&b, op);
	ber_close(&b, message);
	stream_put(s, buf_str(&b));
	(void)stream_flush(s);
}

static void
attribute_put(struct buf *b, struct str name, struct str first,
    struct str second)
{
	size_t at = ber_open(b, BER_SEQUENCE), set;

	ber_put(b, BER_OCTETS, name);
	set = ber_open(b, BER_SET);
	ber_put(b, BER_OCTETS, first);
	if (second.n > 0)
		ber_put(b, BER_OCTETS, second);
	ber_close(b, set);
	ber_close(b, at);
}

static yields void
entry(struct stream *s, uint32_t id)
{
	char room[512];
	struct buf b = BUF_OF(room);
	size_t message = ber_open(&b, BER_SEQUENCE), op, list;

	ber_put_number(&b, BER_INTEGER, id);
	op = ber_open(&b, BER_APPLICATION_SET(LDAP_SEARCH_ENTRY));
	ber_put(&b, BER_OCTETS, STR("uid=bob,o=x"));
	list = ber_open(&b, BER_SEQUENCE);
	attribute_put(&b, STR("UID"), STR("bob"), STR("robert"));
	attribute_put(&b, STR("mail;x-y"), STR("bob@a.test"),
	    STR("smtp:b@a.test"));
	attribute_put(&b, STR("mail"), STR("no address"), STR(""));
	ber_close(&b, list);
	ber_close(&b, op);
	ber_close(&b, message);
	stream_put(s, buf_str(&b));
	(void)stream_flush(s);
}

static yields void
serve_bind(struct stream *s, size_t i, uint32_t id, struct str op)
{
	struct str dn, password;
	uint32_t version, code = LDAP_INVALID_CREDENTIALS;

	assert_true(ber_take_number(&op, BER_INTEGER, &version));
	assert_int_equal(version, 3);
	assert_true(ber_take_tag(&op, BER_OCTETS, &dn));
	assert_true(ber_take_tag(&op, BER_CONTEXT(0), &password));
	assert_true(password.n > 0);
	now[i].binds++;
	if (str_eq(dn, STR("cn=mail")))
		code = str_eq(password, STR("service")) ? LDAP_SUCCESS : code;
	else if (now[i].code != 0)
		code = now[i].code;
	else if (str_eq(dn, STR("uid=bob,o=x")) &&
	    str_eq(password, STR("right")))
		code = LDAP_SUCCESS;
	answer(s, id, LDAP_BIND_RESPONSE, code);
}

static yields void
serve_search(struct stream *s, size_t i, uint32_t id)
{
	static const char reference[] = "\x30\x05\x02\x01\x00\x73\x00";
	char octets[sizeof reference];

	memcpy(octets, reference, sizeof reference);
	octets[4] = (char)id;
	now[i].searches++;
	for (unsigned n = 0; n < now[i].entries; n++)
		entry(s, id);
	stream_put(s, (struct str){ octets, sizeof octets - 1 });
	answer(s, id, LDAP_SEARCH_DONE, now[i].entries > 1 ? LDAP_SIZE_LIMIT :
	    LDAP_SUCCESS);
}

static yields int
serve_one(struct stream *s, size_t i)
{
	struct str bytes = STR_NONE, message, op;
	unsigned char tag = 0;
	uint32_t id = 0;
	int64_t n;

	do {
		if (stream_peek_more(s, bytes.n, &bytes) != 0)
			return -1;
		n = ber_length(bytes, 10000);
		assert_true(n >= 0);
	} while (n == 0 || (size_t)n > bytes.n);
	bytes = str_sub(bytes, 0, (size_t)n);
	assert_true(ber_take_tag(&bytes, BER_SEQUENCE, &message));
	assert_true(ber_take_number(&message, BER_INTEGER, &id));
	assert_true(ber_take(&message, &tag, &op));
	if (now[i].closes)
		return -1;
	if (now[i].sends_nonsense)
		stream_put(s, STR("HTTP/1.1 400 Bad\r\n\r\n"));
	else if (tag == BER_APPLICATION_SET(23) && now[i].refuses_tls)
		answer(s, id, LDAP_EXTENDED_RESPONSE, 2);
	else if (!now[i].is_silent && tag == BER_APPLICATION_SET(0))
		serve_bind(s, i, id, op);
	else if (!now[i].is_silent && tag == BER_APPLICATION_SET(3))
		serve_search(s, i, id);
	stream_consume(s, (size_t)n);
	if (tag == BER_APPLICATION_SET(23) && !now[i].refuses_tls) {
		answer(s, id, LDAP_EXTENDED_RESPONSE, LDAP_SUCCESS);
		now[i].tls++;
		return tls_accept(s, now[i].shown);
	}
	return 0;
}

struct visit { struct stream net; size_t i; };

static void
visiting(void *arg)
{
	struct visit *v = arg;

	v->net.deadline = in_ms(24 * 3600 * 1000);
	if (!now[v->i].is_tls || tls_accept(&v->net, now[v->i].shown) == 0)
		while (serve_one(&v->net, v->i) == 0)
			;
	stream_close(&v->net);
	free(v);
}

static void
accepting(void *arg)
{
	size_t i = (size_t)(uintptr_t)arg;
	struct net_end *l = now[i].listener, *e;
	struct address peer;
	struct visit *v;

	while ((e = net_accept(l, &peer, MONO_NEVER)) != NULL) {
		assert_non_null(v = calloc(1, sizeof *v));
		stream_init(&v->net, e);
		v->i = i;
		now[i].visits++;
		assert_int_equal(fiber_go("visit", visiting, v), 0);
	}
	net_close(l);
}

/* ---- clients ---- */

static struct arena arena;
static struct ldap_server servers[2];
static const struct str mail_attribute = STR_INIT("mail");
static struct ldap_setup setup;

static void
begin(size_t n)
{
	struct address at;

	arena_init(&arena, 1024 * 1024);
	downs = ups = 0;
	memset(now, 0, sizeof now);
	for (size_t i = 0; i < n; i++) {
		assert_true(address_parse(STR("127.0.0.1"), 0, &at));
		assert_non_null(now[i].listener = net_listen(&at));
		assert_true(net_local(now[i].listener, &at));
		now[i].port = at.port;
		now[i].entries = 1;
		assert_int_equal(fiber_go("directory", accepting,
		    (void *)(uintptr_t)i), 0);
		assert_true(ldap_server_parse(arena_printf(&arena,
		    "ldap://localhost:%u", at.port), &arena, &servers[i]));
	}
	setup = (struct ldap_setup){ .servers = servers, .n_servers = n,
		.may_be_clear = true, .base = STR("o=x"),
		.filter = STR("(&(mail=%u)(uid=%n))"), .bind_dn = STR("cn=mail"),
		.bind_password = STR("service"), .name_attribute = STR("uid"),
		.address_attributes = &mail_attribute, .n_address_attributes = 1,
		.timeout = 10 * NS_PER_SECOND, .tell = told };
}

static void
end(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (now[i].listener != NULL)
			net_stop_listening(now[i].listener);
	arena_clear(&arena);
}

static yields enum directory_says
login(struct ldap *l, const char *password, struct directory_person *who)
{
	return ldap_login(l, STR("bob@a.test"), str_of(password), in_ms(30000),
	    &arena, who);
}

static void
body_search(void *arg)
{
	struct directory_person who;
	struct ldap *l;

	(void)arg;
	begin(1);
	assert_non_null(l = ldap_new(&setup));
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	assert_true(str_eq(who.name, STR("bob")));
	assert_int_equal(who.n_addresses, 2);
	assert_true(str_eq(who.addresses[1], STR("b@a.test")));
	assert_int_equal(login(l, "wrong", &who), DIRECTORY_NO);
	assert_string_equal(who.why, "wrong password");
	assert_int_equal(login(l, "", &who), DIRECTORY_NO);
	now[0].entries = 0;
	assert_int_equal(login(l, "right", &who), DIRECTORY_NO);
	assert_string_equal(who.why, "unknown");
	now[0].entries = 2;
	assert_int_equal(login(l, "right", &who), DIRECTORY_NO);
	assert_non_null(strstr(who.why, "more than one"));
	now[0].entries = 1;
	now[0].code = LDAP_UNWILLING;
	assert_int_equal(login(l, "right", &who), DIRECTORY_NO);
	assert_non_null(strstr(who.why, "refuses this account"));
	/* Trouble with one name is not the server's. */
	now[0].code = 80;
	assert_int_equal(login(l, "right", &who), DIRECTORY_LATER);
	now[0].code = 0;
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	/* One connection searched, one tried, all the time. */
	assert_int_equal(now[0].visits, 2);
	assert_int_equal(downs, 0);
	ldap_close(l);
	end(1);
}

static void
test_search(void **state)
{
	(void)state;
	on_core(body_search);
}

static void
body_template(void *arg)
{
	struct directory_person who;
	struct ldap *l;

	(void)arg;
	begin(1);
	setup.dn = STR("uid=%n,o=x");
	assert_non_null(l = ldap_new(&setup));
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	assert_true(str_eq(who.name, STR("bob@a.test")));
	assert_int_equal(who.n_addresses, 0);
	/* It stays one value of one name. */
	assert_int_equal(ldap_login(l, STR("bob,o=x"), STR("right"),
	    in_ms(5000), &arena, &who), DIRECTORY_NO);
	assert_int_equal(now[0].searches, 0);
	ldap_close(l);
	end(1);
}

static void
test_template(void **state)
{
	(void)state;
	on_core(body_template);
}

static void
body_fail_over(void *arg)
{
	struct directory_person who;
	struct mono began;
	struct ldap *l;

	(void)arg;
	begin(2);
	assert_non_null(l = ldap_new(&setup));
	now[0].is_silent = true;
	began = clock_mono();
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	assert_int_equal(now[1].searches, 1);
	assert_true(clock_mono().ns - began.ns >= 5 * NS_PER_SECOND);
	assert_true(clock_mono().ns - began.ns < 6 * NS_PER_SECOND);
	assert_int_equal(downs, 1);
	/* Now it is left alone. */
	began = clock_mono();
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	assert_true(clock_mono().ns - began.ns < NS_PER_SECOND);
	assert_int_equal(now[0].visits, 1);
	/* Both: they are tried more and more rarely, and nobody waits then. */
	now[1].is_silent = true;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(login(l, "right", &who), DIRECTORY_LATER);
	began = clock_mono();
	assert_int_equal(login(l, "right", &who), DIRECTORY_LATER);
	assert_int_equal(clock_mono().ns, began.ns);
	assert_non_null(strstr(err_text(), "does not answer"));
	assert_true(downs > 2);
	now[0].is_silent = now[1].is_silent = false;
	fiber_sleep(in_ms(31000));
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	assert_int_equal(ups, 1);
	ldap_close(l);
	end(2);
}

static void
test_fail_over(void **state)
{
	(void)state;
	on_core(body_fail_over);
}

static void
body_restart(void *arg)
{
	struct directory_person who;
	struct ldap *l;

	(void)arg;
	begin(1);
	assert_non_null(l = ldap_new(&setup));
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	/* It closes idle connections when they are used: others are made. */
	now[0].closes = true;
	assert_int_equal(login(l, "right", &who), DIRECTORY_LATER);
	now[0].closes = false;
	fiber_sleep(in_ms(2000));
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	now[0].sends_nonsense = true;
	assert_int_equal(login(l, "right", &who), DIRECTORY_LATER);
	assert_non_null(strstr(err_text(), "not LDAP"));
	ldap_close(l);
	end(1);
}

static void
test_restart(void **state)
{
	(void)state;
	on_core(body_restart);
}

static void
body_cache(void *arg)
{
	struct directory_person who;
	struct ldap *l;

	(void)arg;
	begin(1);
	setup.cache = 60 * NS_PER_SECOND;
	assert_non_null(l = ldap_new(&setup));
	assert_int_equal(login(l, "wrong", &who), DIRECTORY_NO);
	assert_int_equal(login(l, "wrong", &who), DIRECTORY_NO);
	assert_int_equal(now[0].searches, 2);
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	assert_int_equal(now[0].searches, 3);
	assert_true(str_eq(who.name, STR("bob")));
	assert_int_equal(who.n_addresses, 2);
	assert_int_equal(login(l, "wrong", &who), DIRECTORY_NO);
	now[0].is_silent = true;
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	fiber_sleep(in_ms(61000));
	assert_int_equal(login(l, "right", &who), DIRECTORY_LATER);
	ldap_close(l);
	end(1);
}

static void
test_cache(void **state)
{
	(void)state;
	on_core(body_cache);
}

static void
body_tls(void *arg)
{
	static char pem[8192];
	struct tls_identity id = test_identity("EC", "localhost");
	struct tls_identity other = test_identity("EC", "localhost");
	BIO *b = BIO_new(BIO_s_mem());
	struct directory_person who;
	struct ldap *l;
	int n;

	(void)arg;
	assert_int_equal(PEM_write_bio_X509(b, id.leaf), 1);
	n = BIO_read(b, pem, sizeof pem);
	BIO_free(b);
	begin(1);
	setup.may_be_clear = false;
	setup.starts_tls = true;
	setup.anchors = (struct str){ pem, (size_t)n };
	now[0].shown = tls_server_new(&(struct tls_server_setup){
	    .identities = &id, .n = 1 });
	assert_non_null(l = ldap_new(&setup));
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	assert_int_equal(now[0].tls, 2);
	ldap_close(l);
	/* Who will not begin TLS hears no password. */
	now[0].refuses_tls = true;
	now[0].binds = 0;
	assert_non_null(l = ldap_new(&setup));
	assert_int_equal(login(l, "right", &who), DIRECTORY_LATER);
	assert_int_equal(now[0].binds, 0);
	ldap_close(l);
	/* From the first octet; and somebody else's certificate. */
	now[0].is_tls = servers[0].is_tls = true;
	assert_non_null(l = ldap_new(&setup));
	assert_int_equal(login(l, "right", &who), DIRECTORY_YES);
	ldap_close(l);
	tls_drop(now[0].shown);
	now[0].shown = tls_server_new(&(struct tls_server_setup){
	    .identities = &other, .n = 1 });
	assert_non_null(l = ldap_new(&setup));
	now[0].binds = 0;
	assert_int_equal(login(l, "right", &who), DIRECTORY_LATER);
	assert_non_null(strstr(err_text(), "not to be trusted"));
	assert_int_equal(now[0].binds, 0);
	ldap_close(l);
	setup.anchors = STR("no certificate");
	assert_null(ldap_new(&setup));
	tls_drop(now[0].shown);
	test_identity_free(&id);
	test_identity_free(&other);
	end(1);
}

static void
test_tls(void **state)
{
	(void)state;
	on_core(body_tls);
}

/* ---- many at once ---- */

static unsigned left, right;

static void
one_of_many(void *arg)
{
	struct directory_person who;
	struct arena a;

	arena_init(&a, 256 * 1024);
	if (ldap_login(arg, STR("bob@a.test"), STR("right"), in_ms(30000), &a,
	    &who) == DIRECTORY_YES)
		right++;
	arena_clear(&a);
	left--;
}

static void
body_many(void *arg)
{
	enum { MANY = 100 };
	struct ldap *l;

	(void)arg;
	begin(1);
	right = 0;
	assert_non_null(l = ldap_new(&setup));
	for (left = 0; left < MANY; left++)
		assert_int_equal(fiber_go("login", one_of_many, l), 0);
	while (left > 0)
		fiber_sleep(in_ms(10));
	assert_int_equal(right, MANY);
	assert_in_range(now[0].visits, 2, 2 * LDAP_CONNECTIONS);
	ldap_close(l);
	end(1);
}

static void
test_many(void **state)
{
	(void)state;
	on_core(body_many);
}

/* ---- what stands in the configuration ---- */

static void
test_urls(void **state)
{
	static const struct {
		const char *url, *where;
		uint16_t port;
		bool is_tls, is_private;
	} cases[] = {
		{ "ldap://a.example", "a.example", 389, false, false },
		{ "ldap://a.example:1/", "a.example", 1, false, false },
		{ "LDAPS://a.example", "a.example", 636, true, true },
		{ "ldaps://[::1]:7", "::1", 7, true, true },
		{ "ldap://127.0.0.1", "127.0.0.1", 389, false, true },
		{ "ldapi:///run/slapd/ldapi", "/run/slapd/ldapi", 0, false,
		    true },
		{ "ldapi://%2frun%2Fx", "/run/x", 0, false, true },
		{ "http://a.example", NULL, 0, false, false },
		{ "ldap://", NULL, 0, false, false },
		{ "ldap://a/o=x", NULL, 0, false, false },
		{ "ldap:///x", NULL, 0, false, false },
		{ "ldapi://a", NULL, 0, false, false },
		{ "a.example", NULL, 0, false, false },
	};
	struct ldap_setup s = { .may_be_clear = true };
	struct ldap_server server;

	(void)state;
	arena_init(&arena, 64 * 1024);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool is = ldap_server_parse(str_of(cases[i].url), &arena,
		    &server);

		if (is != (cases[i].where != NULL))
			fail_msg("%s", cases[i].url);
		if (!is)
			continue;
		assert_true(str_eq(server.at.path.n > 0 ? server.at.path :
		    server.at.host, str_of(cases[i].where)));
		assert_int_equal(server.at.port, cases[i].port);
		assert_int_equal(server.is_tls, cases[i].is_tls);
		assert_int_equal(ldap_is_private(&s, &server),
		    cases[i].is_private);
	}
	arena_clear(&arena);
}

static void
test_templates(void **state)
{
	(void)state;
	assert_true(ldap_template_fits(STR("(uid=%u)"), true));
	assert_true(ldap_template_fits(STR("(&(a=%n)(b=%d)(c=%%))"), true));
	assert_false(ldap_template_fits(STR("(uid=%u"), true));
	assert_false(ldap_template_fits(STR("(uid=%x)"), true));
	assert_false(ldap_template_fits(STR("(uid=%"), true));
	assert_true(ldap_template_fits(STR("uid=%n,ou=people"), false));
	assert_false(ldap_template_fits(STR("uid=%z"), false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_fail_over),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
