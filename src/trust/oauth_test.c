#include "base/err.h"
#include "fiber/test_core.h"

#include "base/buf.h"
#include "fiber/dns.h"
#include "fiber/fetch_job.h"
#include "fiber/world_sim.h"
#include "trust/oauth.h"
#include "wire/base64url.h"

#include <openssl/evp.h>
#include <stdio.h>

static struct arena arena;
static EVP_PKEY *key;
static const char *kid;			/* of the key that the issuer shows */
static unsigned discoveries, keys, introspections, downs, ups;
static unsigned status;			/* of the issuer's answers */
static const char *says;		/* to introspection */
static char asked[1024], authorized[256];

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

static unsigned
serve_discovery(const struct fetch_job *j, struct buf *head, struct buf *body)
{
	(void)j, (void)head;
	discoveries++;
	buf_put(body, STR("{\"issuer\":\"https://i.test\","
	    "\"jwks_uri\":\"https://i.test/keys\"}"));
	return status;
}

static unsigned
serve_keys(const struct fetch_job *j, struct buf *head, struct buf *body)
{
	unsigned char raw[32];
	size_t n = sizeof raw;

	(void)j, (void)head;
	keys++;
	assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &n), 1);
	buf_printf(body, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
	    "\"kid\":\"%s\",\"x\":\"", kid);
	base64url_put(body, (struct str){ (char *)raw, n });
	buf_put(body, STR("\"}]}"));
	return status;
}

static unsigned
serve_introspection(const struct fetch_job *j, struct buf *head,
    struct buf *body)
{
	(void)head;
	introspections++;
	assert_int_equal(j->method, FETCH_POST);
	assert_true(str_cstr(j->body, asked, sizeof asked));
	authorized[0] = '\0';
	for (size_t i = 0; i < j->n_lines; i++)
		if (strncmp(j->lines[i], "Authorization", 13) == 0)
			(void)snprintf(authorized, sizeof authorized, "%s",
			    j->lines[i]);
	buf_put(body, str_of(says));
	return status;
}

static const struct sim_web_page pages[] = {
	{ "https://i.test/.well-known/openid-configuration", 0, NULL, NULL, 0,
	    serve_discovery },
	{ "https://i.test/keys", 0, NULL, NULL, 0, serve_keys },
	{ "https://i.test/introspect", 0, NULL, NULL, 0, serve_introspection },
	{ "https://liar.test/.well-known/openid-configuration", 0, NULL, NULL, 0,
	    serve_discovery },
};

static struct str
token_make(const char *name, int64_t seconds)
{
	struct buf b = { .p = arena_alloc(&arena, 2048), .cap = 2048 };
	unsigned char sig[64];
	size_t n = sizeof sig;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	char text[512];

	(void)snprintf(text, sizeof text, "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}",
	    kid);
	base64url_put(&b, str_of(text));
	buf_putc(&b, '.');
	(void)snprintf(text, sizeof text, "{\"iss\":\"https://i.test\",\"aud\":"
	    "\"mail\",\"scope\":\"smtp\",\"sub\":\"%s\",\"exp\":%lld}", name,
	    (long long)(clock_wall().us / US_PER_SECOND + seconds));
	base64url_put(&b, str_of(text));
	assert_int_equal(EVP_DigestSignInit(c, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(c, sig, &n, (unsigned char *)b.p, b.n),
	    1);
	EVP_MD_CTX_free(c);
	buf_putc(&b, '.');
	base64url_put(&b, (struct str){ (char *)sig, n });
	return buf_str(&b);
}

static struct oauth_setup setup;
static struct directory_person who;

static void
begin(void)
{
	static const struct dns_config zone = { .zone = STR_INIT(
	    "i.test A 192.0.2.1\nliar.test A 192.0.2.2\n") };

	arena_init(&arena, 8 * 1024 * 1024);
	assert_int_equal(dns_configure(&zone), 0);
	sim_web(pages, sizeof pages / sizeof pages[0]);
	discoveries = keys = introspections = downs = ups = 0;
	status = 200;
	kid = "one";
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	setup = (struct oauth_setup){ .rules = { .issuer = STR("https://i.test"),
		.audience = STR("mail"), .scope = STR("smtp"),
		.claim = STR("sub") }, .timeout = 10 * NS_PER_SECOND,
		.tell = told };
}

static void
end(struct oauth *o)
{
	oauth_close(o);
	EVP_PKEY_free(key);
	arena_clear(&arena);
}

static yields enum directory_says
check(struct oauth *o, const char *user, struct str token)
{
	return oauth_check(o, str_of(user), token, in_ms(30000), &arena, &who);
}

/* The issuer's other key. */
static void
rotate(const char *name)
{
	EVP_PKEY_free(key);
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	kid = name;
}

static void
body_keys(void *arg)
{
	struct oauth *o;
	struct str old;

	(void)arg;
	begin();
	assert_non_null(o = oauth_new(&setup));
	assert_int_equal(check(o, "bob", token_make("bob", 60)), DIRECTORY_YES);
	assert_true(str_eq(who.name, STR("bob")));
	assert_int_equal(check(o, "", token_make("bob", 60)), DIRECTORY_YES);
	assert_int_equal(check(o, "eve", token_make("bob", 60)), DIRECTORY_NO);
	assert_int_equal(check(o, "bob", token_make("bob", -60)), DIRECTORY_NO);
	assert_string_equal(who.why, "an expired token");
	assert_int_equal(check(o, "bob", STR("")), DIRECTORY_NO);
	assert_int_equal(discoveries, 1);
	assert_int_equal(keys, 1);
	old = token_make("bob", 86400);
	/* A new key: it is asked for, but not by every stranger's token. */
	fiber_sleep(in_ms(31000));
	rotate("two");
	assert_int_equal(check(o, "bob", token_make("bob", 60)), DIRECTORY_YES);
	assert_int_equal(keys, 2);
	assert_int_equal(check(o, "bob", old), DIRECTORY_NO);
	kid = "three";
	assert_int_equal(check(o, "bob", token_make("bob", 60)), DIRECTORY_NO);
	assert_int_equal(check(o, "bob", token_make("bob", 60)), DIRECTORY_NO);
	assert_int_equal(keys, 2);
	kid = "two";
	/* Once an hour anyway; and when that fails, those that were had. */
	fiber_sleep(in_ms(3601 * 1000));
	assert_int_equal(check(o, "bob", token_make("bob", 60)), DIRECTORY_YES);
	assert_int_equal(keys, 3);
	status = 503;
	fiber_sleep(in_ms(3601 * 1000));
	assert_int_equal(check(o, "bob", token_make("bob", 60)), DIRECTORY_YES);
	assert_int_equal(downs, 1);
	fiber_sleep(in_ms(INT64_C(24) * 3600 * 1000));
	assert_int_equal(check(o, "bob", token_make("bob", 60)),
	    DIRECTORY_LATER);
	assert_true(directory_is_down(oauth_health(o)));
	status = 200;
	fiber_sleep(in_ms(60000));
	assert_int_equal(check(o, "bob", token_make("bob", 60)), DIRECTORY_YES);
	assert_int_equal(ups, 1);
	end(o);
}

static void
test_keys(void **state)
{
	(void)state;
	on_core(body_keys);
}

static void
body_cache(void *arg)
{
	struct oauth *o;
	struct str token;

	(void)arg;
	begin();
	setup.cache = 600 * NS_PER_SECOND;
	setup.jwks = STR("https://i.test/keys");
	assert_non_null(o = oauth_new(&setup));
	token = token_make("bob", 100);
	assert_int_equal(check(o, "bob", token), DIRECTORY_YES);
	assert_int_equal(discoveries, 0);
	rotate("two");
	status = 503;
	/* Remembered, but not for somebody else, nor beyond its end. */
	assert_int_equal(check(o, "BOB", token), DIRECTORY_YES);
	assert_int_equal(check(o, "eve", token), DIRECTORY_NO);
	fiber_sleep(in_ms(99000));
	assert_int_equal(check(o, "bob", token), DIRECTORY_YES);
	fiber_sleep(in_ms(1000 + JWT_LEEWAY_S * 1000));
	assert_int_equal(check(o, "bob", token), DIRECTORY_NO);
	end(o);
}

static void
test_cache(void **state)
{
	(void)state;
	on_core(body_cache);
}

static void
body_introspection(void *arg)
{
	static const struct { const char *says; enum directory_says is; }
	    cases[] = {
		{ "{\"active\":true,\"sub\":\"bob\",\"scope\":\"smtp\"}",
		    DIRECTORY_YES },
		{ "{\"active\":false,\"sub\":\"bob\",\"scope\":\"smtp\"}",
		    DIRECTORY_NO },
		{ "{\"active\":\"true\",\"sub\":\"bob\",\"scope\":\"smtp\"}",
		    DIRECTORY_NO },
		{ "{\"sub\":\"bob\",\"scope\":\"smtp\"}", DIRECTORY_NO },
		{ "{\"active\":true,\"sub\":\"bob\"}", DIRECTORY_NO },
		{ "{\"active\":true,\"sub\":\"bob\",\"scope\":\"smtp\","
		    "\"aud\":\"other\"}", DIRECTORY_NO },
		{ "{\"active\":true,\"sub\":\"bob\",\"scope\":\"smtp\","
		    "\"exp\":1}", DIRECTORY_NO },
		{ "<html>", DIRECTORY_LATER },
	};
	struct oauth *o;

	(void)arg;
	begin();
	setup.introspect = STR("https://i.test/introspect");
	setup.client_id = STR("nightmail");
	setup.client_secret = STR("a:b c");
	assert_non_null(o = oauth_new(&setup));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		says = cases[i].says;
		assert_int_equal(check(o, "bob", STR("opaque/+token")),
		    cases[i].is);
	}
	assert_string_equal(asked,
	    "token=opaque%2F%2Btoken&token_type_hint=access_token");
	/* nightmail:a%3Ab%20c */
	assert_string_equal(authorized,
	    "Authorization: Basic bmlnaHRtYWlsOmElM0FiJTIwYw==");
	assert_int_equal(introspections, sizeof cases / sizeof cases[0]);
	assert_int_equal(downs, 1);
	/* Left alone for a while, then refused as a client. */
	assert_int_equal(check(o, "bob", STR("t")), DIRECTORY_LATER);
	assert_int_equal(introspections, sizeof cases / sizeof cases[0]);
	fiber_sleep(in_ms(2000));
	status = 401;
	assert_int_equal(check(o, "bob", STR("t")), DIRECTORY_LATER);
	assert_non_null(strstr(err_text(), "client_id"));
	end(o);
}

static void
test_introspection(void **state)
{
	(void)state;
	on_core(body_introspection);
}

static void
body_liar(void *arg)
{
	struct oauth *o;

	(void)arg;
	begin();
	setup.rules.issuer = STR("https://liar.test/");
	assert_non_null(o = oauth_new(&setup));
	assert_int_equal(check(o, "bob", token_make("bob", 60)),
	    DIRECTORY_LATER);
	assert_non_null(strstr(err_text(), "another issuer"));
	assert_int_equal(keys, 0);
	end(o);
}

static void
test_liar(void **state)
{
	(void)state;
	on_core(body_liar);
}

/* ---- many who need keys at once ---- */

static unsigned left, right;

static void
one_of_many(void *arg)
{
	struct directory_person p;
	struct arena a;

	arena_init(&a, 64 * 1024);
	if (oauth_check(arg, STR("bob"), token_make("bob", 60), in_ms(30000),
	    &a, &p) == DIRECTORY_YES)
		right++;
	arena_clear(&a);
	left--;
}

static void
body_many(void *arg)
{
	struct oauth *o;

	(void)arg;
	begin();
	assert_non_null(o = oauth_new(&setup));
	right = 0;
	for (left = 0; left < 20; left++)
		assert_int_equal(fiber_go("login", one_of_many, o), 0);
	while (left > 0)
		fiber_sleep(in_ms(10));
	assert_int_equal(right, 20);
	assert_int_equal(keys, 1);
	end(o);
}

static void
test_many(void **state)
{
	(void)state;
	on_core(body_many);
}

static void
test_about(void **state)
{
	const struct oauth_setup s = { .rules = { .issuer =
		STR("https://i.test/x/"), .scope = STR("smtp") } };
	char room[512];
	struct buf b = BUF_OF(room);

	(void)state;
	oauth_about(&s, false, &b);
	assert_true(str_eq(buf_str(&b), STR("{\"status\":\"invalid_token\","
	    "\"scope\":\"smtp\",\"openid-configuration\":\"https://i.test/x/"
	    ".well-known/openid-configuration\"}")));
	b.n = 0;
	oauth_about(&s, true, &b);
	assert_non_null(strstr(room, "insufficient_scope"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_introspection),
		cmocka_unit_test(test_liar),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
