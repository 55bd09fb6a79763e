#include "trust/dkim_sign.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/test_core.h"
#include "fiber/world_sim.h"
#include "trust/dkim_pair.h"
#include "trust/dkim_verify.h"

/*
 * What we sign is what the verifier beside it takes (trust/dkim_verify.h); that
 * others take it too is tried with the real server (test/mailauth).
 */
static struct dkim_pair pairs[2];
static size_t n_keys;
static bool breaks;

static yields int
test_keys(struct dkim_signer *s, struct str domain,
    struct dkim_key_ref out[DKIM_KEYS_MOST], size_t *n)
{
	(void)s;
	must(str_eq(domain, STR("a.example")));
	*n = n_keys;
	for (size_t i = 0; i < n_keys; i++) {
		out[i] = (struct dkim_key_ref){ .id = i,
			.algorithm = pairs[i].algorithm };
		memcpy(out[i].selector, pairs[i].selector,
		    sizeof out[i].selector);
	}
	return 0;
}

static yields int
test_sign(struct dkim_signer *s, struct str domain,
    const struct dkim_key_ref *key, struct str input, struct buf *signature)
{
	(void)s, (void)domain;
	if (breaks && key->id == 1)
		return err_set("no");
	return dkim_key_sign(pairs[key->id].key, input, signature);
}

static struct dkim_signer signer = { test_keys, test_sign };

#define NOW ((struct wall){ INT64_C(1790000000000000) })

static const char mail[] = "From: Ann <ann@a.example>\r\n"
    "To: Bob <bob@b.example>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\tagain\r\n"
    "List-Unsubscribe: <https://a.example/u>\r\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    "X-Ours: 1\r\n";
static const char body[] = "Hello,  \r\n\r\n world \r\n\r\n\r\n";

/* The header, whole; with a wish for the body, if it is to be signed. */
static void
digest_feed(struct digest *d, struct arena *a, struct str header)
{
	struct header_scan scan;
	struct field f;

	header_begin(&scan, a);
	while (header_next(&scan, &header, &f) == HEADER_FIELD)
		must(digest_field(d, &f));
	while (header_finish(&scan, &f) == HEADER_FIELD)
		must(digest_field(d, &f));
}

static yields int
sign(struct str header, struct str content, const struct dkim_ask *like,
    struct arena *a, struct buf *out, size_t *n)
{
	struct dkim_signed by;
	struct dkim_ask ask = *like;
	struct digest *d = digest_new(a);
	int rc;

	must(d != NULL);
	digest_feed(d, a, header);
	ask.wish = digest_want(d, CANON_RELAXED, DIGEST_ALL);
	ask.now = NOW;
	digest_body(d, content);
	must(digest_end(d));
	rc = dkim_sign(&signer, d, &ask, a, out, &by);
	must(rc != 0 || out->n <= dkim_sign_room(d, &ask));
	*n = by.n;
	return rc;
}

/* How many signatures pass. */
static yields size_t
verify(struct str header, struct str content, struct arena *a)
{
	unsigned budget = 64;
	struct dns_quest quest = { in_ms(5000), &budget, NOW };
	struct digest *d = digest_new(a);
	const struct dkim_outcome *o;
	struct dkim_verify *v;
	size_t n = 0, passed = 0;

	digest_feed(d, a, header);
	v = dkim_verify_begin(d, a);
	digest_body(d, content);
	must(v != NULL && digest_end(d));
	o = dkim_verify_end(v, &quest, &n);
	for (size_t i = 0; i < n; i++) {
		passed += o[i].result == DKIM_PASS;
		must(str_eq(o[i].domain, STR("a.example")));
	}
	return passed;
}

static const struct dkim_ask plain = { .domain = STR_INIT("a.example") };

static void
zone_make(void)
{
	static char zone[4096], key[DKIM_PUBLIC_MOST], text[1024];
	struct buf z = BUF_OF(zone);

	for (size_t i = 0; i < 2; i++) {
		struct buf k = BUF_OF(key), t = BUF_OF(text);

		must(dkim_key_public(pairs[i].key, &k) == 0);
		dkim_record_put(&t, pairs[i].algorithm, buf_str(&k));
		buf_printf(&z, "%s._domainkey.a.example. TXT \"", pairs[i].selector);
		for (struct str rest = buf_str(&t); rest.n > 0;
		    rest = str_sub(rest, 200, rest.n)) {
			if (rest.n < t.n)
				buf_put(&z, STR("\" \""));
			buf_put(&z, str_sub(rest, 0, 200));
		}
		buf_put(&z, STR("\"\n"));
	}
	must(!z.full && sim_zone(buf_str(&z)) == 0);
}

static int
set_up(void **state)
{
	(void)state;
	sim_begin(3);
	must(dkim_pair_make(STR("a.example"), STR("r1"), DKIM_RSA_SHA256, 1,
	    &pairs[0]) == 0);
	must(dkim_pair_make(STR("a.example"), STR("e1"), DKIM_ED25519_SHA256, 1,
	    &pairs[1]) == 0);
	zone_make();
	n_keys = 2;
	breaks = false;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dkim_pair_free(&pairs[0]);
	dkim_pair_free(&pairs[1]);
	return 0;
}

/* No line is longer than 78, and all but the first are folds. */
static void
check_lines(struct str field)
{
	size_t n;

	while (field.n > 0) {
		n = str_find_str(field, STR("\r\n"));
		must(n <= 78 && n < field.n);
		field = str_sub(field, n + 2, field.n);
	}
}

static yields void
two_signatures(void *arg)
{
	static char room[16384];
	struct buf b = BUF_OF(room);
	struct arena a;
	size_t n = 0;

	(void)arg;
	arena_init(&a, 1 << 20);
	must(sign(str_of(mail), str_of(body), &plain, &a, &b, &n) == 0 && n == 2);
	check_lines(buf_str(&b));
	must(str_find_str(buf_str(&b), STR("a=rsa-sha256")) <
	    str_find_str(buf_str(&b), STR("a=ed25519-sha256")));
	must(str_find_str(buf_str(&b), STR("List-Unsubscribe-Post")) < b.n);
	must(str_find_str(buf_str(&b), STR("X-Ours")) == b.n);
	must(str_find_str(buf_str(&b), STR("l=")) == b.n);
	buf_put(&b, str_of(mail));
	must(verify(buf_str(&b), str_of(body), &a) == 2);
	/* what is added behind us, or changed */
	must(verify(arena_join(&a, STR("From: Eve <e@e.example>\r\n"),
	    buf_str(&b)), str_of(body), &a) == 0);
	must(verify(arena_join(&a, buf_str(&b), STR("Subject: two\r\n")),
	    str_of(body), &a) == 0);
	must(verify(arena_join(&a, STR("Reply-To: e@e.example\r\n"),
	    buf_str(&b)), str_of(body), &a) == 0);
	must(verify(arena_join(&a, buf_str(&b),
	    STR("Content-Type: text/html\r\n")), str_of(body), &a) == 0);
	must(verify(buf_str(&b), STR("Hello,\r\n\r\n world\r\nmore\r\n"),
	    &a) == 0);
	/* what those on the way do */
	must(verify(arena_join(&a, STR("Received: x\r\nSender: l@l.example\r\n"
	    "List-Id: <l.example>\r\n"), buf_str(&b)),
	    STR("Hello,\r\n\r\n world\r\n"), &a) == 2);
	arena_clear(&a);
}

static void
two_signatures_pass_and_cover(void **state)
{
	(void)state;
	on_core(two_signatures);
}

static yields void
options(void *arg)
{
	static const struct str extra[] = { STR_INIT("x-ours"),
		STR_INIT("Subject"), STR_INIT("X-Nowhere") };
	struct dkim_ask ask = plain;
	static char room[16384];
	struct buf b = BUF_OF(room);
	struct arena a;
	size_t n = 0;

	(void)arg;
	arena_init(&a, 1 << 20);
	ask.extra = extra;
	ask.n_extra = 3;
	ask.life = 86400;
	ask.identity = STR("ann@a.example");
	must(sign(str_of(mail), STR(""), &ask, &a, &b, &n) == 0 && n == 2);
	must(str_find_str(buf_str(&b), STR("x=1790086400;")) < b.n);
	must(str_find_str(buf_str(&b), STR("i=ann@a.example;")) < b.n);
	must(str_find_str(buf_str(&b), STR("X-Nowhere")) == b.n);
	buf_put(&b, str_of(mail));
	must(verify(buf_str(&b), STR(""), &a) == 2);
	must(verify(buf_str(&b), STR("\r\n\r\n"), &a) == 2);
	b.n -= 4;
	buf_put(&b, STR("2\r\n"));		/* X-Ours */
	must(verify(buf_str(&b), STR(""), &a) == 0);
	arena_clear(&a);
}

static void
what_is_asked_is_said(void **state)
{
	(void)state;
	on_core(options);
}

/* A header as large as one may be: all of it is signed. */
static yields void
much(void *arg)
{
	static char room[300000], header[200000];
	struct buf b = BUF_OF(room), h = BUF_OF(header);
	struct arena a;
	size_t n = 0;

	(void)arg;
	arena_init(&a, 8 << 20);
	buf_put(&h, str_of(mail));
	for (int i = 0; i < 300; i++)
		buf_printf(&h, "Cc: u%d@b.example\r\n", i);
	for (int i = 0; i < 2000; i++)
		buf_printf(&h, "%s<u%d@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example>",
		    i == 0 ? "To: " : ",\r\n ", i);
	buf_put(&h, STR("\r\n"));
	must(!h.full);
	must(sign(buf_str(&h), str_of(body), &plain, &a, &b, &n) == 0 && n == 2);
	must(b.n < 60000);
	check_lines(buf_str(&b));
	buf_put(&b, buf_str(&h));
	must(verify(buf_str(&b), str_of(body), &a) == 2);
	arena_clear(&a);
}

static void
long_headers_are_signed(void **state)
{
	(void)state;
	on_core(much);
}

static yields void
troubles(void *arg)
{
	static char room[8192], small[700];
	struct buf b = BUF_OF(room), s = BUF_OF(small);
	struct arena a;
	size_t n = 9;

	(void)arg;
	arena_init(&a, 1 << 20);
	buf_put(&b, STR("before"));
	n_keys = 0;
	must(sign(str_of(mail), str_of(body), &plain, &a, &b, &n) == 0 && n == 0);
	n_keys = 2;
	breaks = true;
	must(sign(str_of(mail), str_of(body), &plain, &a, &b, &n) == -1);
	must(str_eq(buf_str(&b), STR("before")));
	breaks = false;
	must(sign(str_of(mail), str_of(body), &plain, &a, &s, &n) == -1);
	must(s.n == 0);
	arena_clear(&a);
}

static void
trouble_appends_nothing(void **state)
{
	(void)state;
	on_core(troubles);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_signatures_pass_and_cover,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_asked_is_said, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(long_headers_are_signed, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(trouble_appends_nothing, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
