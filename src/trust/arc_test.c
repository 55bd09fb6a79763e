#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "trust/arc.h"
#include "trust/digest.h"
#include "trust/dkim_sign.h"
#include "trust/quest.h"
#include "wire/base64.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { MESSAGE_MOST = 256 * 1024 };

static const char letter[] = "DKIM-Signature: v=1; d=a.example\r\n"
    "From: bob@a.example\r\nTo: list@b.example\r\nSubject: Hello\r\n"
    "Authentication-Results: b.example; spf=none\r\n\r\nHello.\r\n";

/* ---- one who seals ---- */

static EVP_PKEY *key;

struct test_signer {
	struct dkim_signer is;
	bool has_none, has_ed25519_only, fails, fails_late;
	unsigned signed_n;
};

static yields int
test_keys(struct dkim_signer *signer, struct str domain,
    struct dkim_key_ref out[DKIM_KEYS_MOST], size_t *n)
{
	struct test_signer *s = (struct test_signer *)signer;

	(void)domain;
	if (s->fails)
		return -1;
	out[0] = (struct dkim_key_ref){ .selector = "s", .algorithm =
	    s->has_ed25519_only ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256 };
	*n = s->has_none ? 0 : 1;
	return 0;
}

static yields int
test_sign(struct dkim_signer *signer, struct str domain,
    const struct dkim_key_ref *ref, struct str input, struct buf *signature)
{
	struct test_signer *s = (struct test_signer *)signer;
	unsigned char room[512];
	size_t n = sizeof room;
	EVP_MD_CTX *ctx;

	(void)domain;
	(void)ref;
	if (s->fails_late && s->signed_n++ > 0)
		return -1;
	ctx = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL,
	    key), 1);
	assert_int_equal(EVP_DigestSign(ctx, room, &n,
	    (const unsigned char *)input.p, input.n), 1);
	EVP_MD_CTX_free(ctx);
	buf_put(signature, (struct str){ (const char *)room, n });
	return 0;
}

static struct test_signer signer = { .is = { test_keys, test_sign } };

static void
world_begin(void)
{
	static const char *const domains[] = { "a", "b", "c" };
	unsigned char *der = NULL;
	static char room[4096], b64[1024];
	struct buf zone = BUF_OF(room), p = BUF_OF(b64);
	int n;

	sim_begin(1);
	if (key == NULL)
		key = EVP_RSA_gen(1024);
	n = i2d_PUBKEY(key, &der);
	base64_encode((struct str){ (const char *)der, (size_t)n }, &p);
	OPENSSL_free(der);
	for (size_t i = 0; i < 3; i++)
		buf_printf(&zone, "s._domainkey.%s.example. TXT \"v=DKIM1; p="
		    STR_FMT "\"\n", domains[i], STR_ARG(buf_str(&p)));
	assert_int_equal(sim_zone(buf_str(&zone)), 0);
}

/* ---- a message ---- */

static struct buf message;
static char message_room[MESSAGE_MOST];

static void
message_begin(void)
{
	message = BUF_OF(message_room);
	buf_put(&message, str_of(letter));
}

static void
message_top(struct str fields)
{
	assert_true(message.n + fields.n <= message.cap);
	memmove(message.p + fields.n, message.p, message.n);
	memcpy(message.p, fields.p, fields.n);
	message.n += fields.n;
}

/* What of it is replaced by as much. */
static void
message_change(const char *what, const char *by)
{
	size_t at = str_find_str(buf_str(&message), str_of(what));

	assert_true(at < message.n && strlen(what) == strlen(by));
	memcpy(message.p + at, by, strlen(by));
}

static struct digest *
message_digest(struct arena *arena, struct arc_verify **v, int *wish)
{
	struct str left = buf_str(&message);
	struct digest *d = digest_new(arena);
	struct header_scan scan;
	struct field field;

	assert_non_null(d);
	header_begin(&scan, arena);
	while (header_next(&scan, &left, &field) == HEADER_FIELD)
		assert_true(digest_field(d, &field));
	*v = arc_verify_begin(d, arena);
	assert_non_null(*v);
	*wish = digest_want(d, CANON_RELAXED, DIGEST_ALL);
	digest_body(d, left);
	assert_true(digest_end(d));
	return d;
}

struct checked {
	struct arena arena;
	struct digest *digest;
	int wish;
	unsigned budget;
	struct arc_answer is;
};

static yields void
check(struct checked *c, unsigned budget)
{
	struct dns_quest quest = { .deadline = in_ms(20000),
		.budget = &c->budget };
	struct arc_verify *v;

	arena_init(&c->arena, 2 * DIGEST_ARENA);
	c->budget = budget;
	c->digest = message_digest(&c->arena, &v, &c->wish);
	arc_verify_end(v, &quest, &c->is);
	assert_int_equal(c->is.result == ARC_FAIL, c->is.why.n > 0);
}

static yields enum arc_result
result(void)
{
	struct checked c;
	enum arc_result r;

	check(&c, 200);
	r = c.is.result;
	arena_clear(&c.arena);
	return r;
}

/* The next set, on top.  How many octets it has. */
static yields size_t
seal(const char *domain)
{
	static char room[ARC_SEAL_MOST];
	struct buf set = BUF_OF(room);
	struct arc_seal_ask ask = { .domain = str_of(domain),
		.authserv_id = str_of(domain), .results = STR("spf=pass"),
		.now = { 1700000000 * US_PER_SECOND } };
	struct checked c;
	int rc;

	check(&c, 200);
	rc = arc_seal(&signer.is, c.digest, c.wish, &c.is, &ask, &set);
	arena_clear(&c.arena);
	if (rc != 0)
		return SIZE_MAX;
	message_top(buf_str(&set));
	return set.n;
}

static yields void
seals(unsigned n)
{
	while (n-- > 0)
		assert_true(seal("b.example") > 0);
}

/* ---- tests ---- */

static yields void
body_sealed(void *arg)
{
	struct checked c;

	(void)arg;
	message_begin();
	assert_int_equal(result(), ARC_NONE);
	seals(1);
	assert_true(str_has_prefix_icase(buf_str(&message), STR("ARC-Seal: ")));
	assert_true(str_find_str(buf_str(&message), STR("h=from:from:"
	    "dkim-signature:to:subject;")) < message.n);
	assert_true(seal("c.example") > 0);
	check(&c, 200);
	assert_int_equal(c.is.result, ARC_PASS);
	assert_int_equal(c.is.n, 2);
	assert_int_equal(c.is.oldest_pass, 0);
	assert_true(str_eq(c.is.sets[0].seal_domain, STR("b.example")));
	assert_true(str_eq(c.is.sets[0].cv, STR("none")));
	assert_true(str_eq(c.is.sets[1].seal_domain, STR("c.example")));
	assert_true(str_eq(c.is.sets[1].seal_selector, STR("s")));
	assert_true(str_eq(c.is.sets[1].signature_domain, STR("c.example")));
	assert_true(str_eq(c.is.sets[1].cv, STR("pass")));
	assert_true(str_eq(c.is.sets[1].results, STR("c.example; spf=pass")));
	assert_true(c.is.sets[1].signs_author);
	arena_clear(&c.arena);
}

/* 50 sets are a chain; the 51st is not made, and one that others make fails. */
static yields void
body_most(void *arg)
{
	struct checked c;

	(void)arg;
	message_begin();
	for (unsigned n = 1; n <= ARC_SETS_MOST; n++) {
		seals(1);
		if (n < ARC_SETS_MOST - 1)
			continue;
		check(&c, 200);
		assert_int_equal(c.is.result, ARC_PASS);
		assert_int_equal(c.is.n, n);
		arena_clear(&c.arena);
	}
	assert_int_equal(seal("b.example"), 0);
	message_top(STR("ARC-Authentication-Results: i=51; b.example; none\r\n"));
	assert_int_equal(result(), ARC_FAIL);
}

/* One key for all is one question; what cannot be asked fails the chain. */
static yields void
body_budget(void *arg)
{
	struct checked c;

	(void)arg;
	message_begin();
	seals(10);
	check(&c, 1);
	assert_int_equal(c.is.result, ARC_PASS);
	assert_int_equal(c.budget, 0);
	arena_clear(&c.arena);
	assert_true(seal("a.example") > 0);
	check(&c, 1);
	assert_int_equal(c.is.result, ARC_FAIL);
	arena_clear(&c.arena);
	check(&c, 2);
	assert_int_equal(c.is.result, ARC_PASS);
	arena_clear(&c.arena);
	check(&c, 0);
	assert_int_equal(c.is.result, ARC_FAIL);
	arena_clear(&c.arena);
}

/* Without the key of an older signature the chain stands, and is younger. */
static yields void
body_oldest(void *arg)
{
	struct checked c;

	(void)arg;
	message_begin();
	seals(1);
	message_change("Subject: Hello", "Subject: HELLO");
	assert_int_equal(result(), ARC_FAIL);
	message_change("Subject: HELLO", "Subject: Hello");
	seals(1);
	assert_int_equal(result(), ARC_PASS);
	message_begin();
	seals(2);
	{
		/* as a list does: changed, and sealed after that */
		static char room[ARC_SEAL_MOST];
		struct buf set = BUF_OF(room);
		struct arc_seal_ask ask = { .domain = STR("c.example"),
			.authserv_id = STR("c.example"),
			.results = STR("arc=pass") };
		struct arc_answer was;
		struct checked after;

		check(&c, 200);
		message_change("Hello.\r\n", "HELLO.\r\n");
		check(&after, 200);
		assert_int_equal(after.is.result, ARC_FAIL);
		was = c.is;
		assert_int_equal(arc_seal(&signer.is, after.digest, after.wish,
		    &was, &ask, &set), 0);
		arena_clear(&after.arena);
		arena_clear(&c.arena);
		message_top(buf_str(&set));
	}
	check(&c, 200);
	assert_int_equal(c.is.result, ARC_PASS);
	assert_int_equal(c.is.oldest_pass, 3);
	arena_clear(&c.arena);
}

/* Each field once, none missing, none twice, none with another's number. */
static yields void
body_structure(void *arg)
{
	static const char *const names[] = { "ARC-Seal:", "ARC-Message-Signature:",
	    "ARC-Authentication-Results:" };

	(void)arg;
	for (size_t i = 0; i < 3; i++)
		for (size_t which = 0; which < 3; which++) {
			size_t at = 0, n, end;
			struct str all, one;
			char copy[2048];

			message_begin();
			seals(3);
			all = buf_str(&message);
			for (size_t k = 0; k <= which; k++)
				at += str_find_str(str_sub(all, at + 1, all.n),
				    str_of(names[i])) + (k > 0 || i > 0);
			if (which == 0 && i == 0)
				at = 0;
			one = str_sub(all, at, all.n);
			assert_true(str_has_prefix_icase(one, str_of(names[i])));
			for (n = 2; str_sub(one, n, 1).p[0] == ' ' ||
			    str_sub(one, n - 1, 1).p[0] != '\n'; n++)
				;
			assert_true(n < sizeof copy);
			memcpy(copy, one.p, n);
			end = all.n - at - n;
			memmove(message.p + at, message.p + at + n, end);
			message.n -= n;
			assert_int_equal(result(), ARC_FAIL);
			message_top((struct str){ copy, n });
			assert_int_equal(result(), ARC_PASS);
			message_top((struct str){ copy, n });
			assert_int_equal(result(), ARC_FAIL);
		}
}

/* A chain that failed is closed by one set that covers itself alone; behind it
 * nobody says more. */
static yields void
body_failed(void *arg)
{
	struct checked c;

	(void)arg;
	message_begin();
	seals(2);
	message_change("Hello.\r\n", "hELLO.\r\n");
	assert_int_equal(result(), ARC_FAIL);
	assert_true(seal("c.example") > 0);
	assert_true(str_find_str(buf_str(&message), STR("cv=fail; d=c.example"))
	    < message.n);
	check(&c, 200);
	assert_int_equal(c.is.result, ARC_FAIL);
	assert_true(c.is.is_closed);
	assert_int_equal(c.is.newest, 3);
	arena_clear(&c.arena);
	assert_int_equal(seal("a.example"), 0);
}

/* A field that nobody can read does not hide how far the chain went. */
static yields void
body_unreadable(void *arg)
{
	struct checked c;

	(void)arg;
	message_begin();
	seals(2);
	message_top(STR("ARC-Seal: i=three\r\n"));
	check(&c, 200);
	assert_int_equal(c.is.result, ARC_FAIL);
	assert_int_equal(c.is.newest, 2);
	assert_int_equal(c.is.n, 0);
	assert_null(c.is.sets);
	arena_clear(&c.arena);
	message_begin();
	message_top(STR("ARC-Seal: \r\n"));
	check(&c, 200);
	assert_int_equal(c.is.result, ARC_FAIL);
	assert_int_equal(c.is.newest, 0);
	arena_clear(&c.arena);
	assert_true(seal("a.example") > 0);
	assert_true(str_find_str(buf_str(&message), STR("cv=fail; d=a.example;"
	    "\r\n i=1;")) < message.n);
}

/* A thousand fields cost what their length costs. */
static yields void
body_many(void *arg)
{
	struct checked c;

	(void)arg;
	message_begin();
	seals(1);
	for (int i = 0; i < 1000; i++)
		message_top(STR("ARC-Seal: i=1; a=rsa-sha256; cv=none; "
		    "d=b.example; s=s; b=AAAA\r\n"));
	check(&c, 200);
	assert_int_equal(c.is.result, ARC_FAIL);
	assert_int_equal(c.budget, 200);
	assert_true(c.arena.used < 512 * 1024);
	arena_clear(&c.arena);
}

static yields void
body_trusted(void *arg)
{
	static const struct str ab[] = { STR_INIT("A.example"),
		STR_INIT("b.example") }, c_only[] = { STR_INIT("c.example") };
	static const struct str below[] = { STR_INIT("*.example"),
		STR_INIT("*"), STR_INIT("*.b.example") };
	struct checked c;

	(void)arg;
	message_begin();
	assert_true(seal("b.example") > 0);
	assert_true(seal("c.example") > 0);
	assert_true(seal("a.example") > 0);
	assert_true(seal("b.example") > 0);
	check(&c, 200);
	assert_int_equal(c.is.result, ARC_PASS);
	assert_ptr_equal(arc_first_trusted(&c.is, ab, 2), &c.is.sets[2]);
	assert_ptr_equal(arc_first_trusted(&c.is, ab + 1, 1), &c.is.sets[3]);
	assert_null(arc_first_trusted(&c.is, ab, 1));
	assert_null(arc_first_trusted(&c.is, c_only, 1));
	assert_null(arc_first_trusted(&c.is, ab, 0));
	assert_ptr_equal(arc_first_trusted(&c.is, below, 1), &c.is.sets[0]);
	assert_null(arc_first_trusted(&c.is, below + 1, 2));
	c.is.sets[3].signs_author = false;
	assert_null(arc_first_trusted(&c.is, ab, 2));
	c.is.sets[3].signs_author = true;
	c.is.result = ARC_FAIL;
	assert_null(arc_first_trusted(&c.is, ab, 2));
	arena_clear(&c.arena);
}

static yields void
body_no_seal(void *arg)
{
	struct test_signer fine = signer;

	(void)arg;
	message_begin();
	signer.has_none = true;
	assert_int_equal(seal("b.example"), 0);
	signer = fine;
	signer.has_ed25519_only = true;
	assert_int_equal(seal("b.example"), 0);
	signer = fine;
	signer.fails = true;
	assert_int_equal(seal("b.example"), SIZE_MAX);
	signer = fine;
	signer.fails_late = true;
	assert_int_equal(seal("b.example"), SIZE_MAX);
	signer = fine;
}

/* Every octet of the sets is covered by something, but what canonicalization
 * takes away. */
static yields void
body_mutated(void *arg)
{
	size_t set;

	(void)arg;
	message_begin();
	seals(2);
	set = str_find_str(buf_str(&message), STR("DKIM-Signature:"));
	for (size_t i = 0; i < set; i += 7) {
		char was = message.p[i];
		enum arc_result r;

		if (was == '\r' || was == '\n' || was == '\t' || was == ' ' ||
		    was == ':')
			continue;
		message.p[i] = was == 'x' ? 'y' : 'x';
		r = result();
		message.p[i] = was;
		if (r == ARC_PASS)
			fail_msg("octet %zu, '%c'", i, was);
	}
	assert_int_equal(result(), ARC_PASS);
}

#define TEST(name) \
static void \
test_##name(void **state) \
{ \
	(void)state; \
	world_begin(); \
	on_core(body_##name); \
}
TEST(sealed)
TEST(most)
TEST(budget)
TEST(oldest)
TEST(structure)
TEST(failed)
TEST(unreadable)
TEST(many)
TEST(trusted)
TEST(no_seal)
TEST(mutated)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_oldest),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_trusted),
		cmocka_unit_test(test_no_seal),
		cmocka_unit_test(test_mutated),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	EVP_PKEY_free(key);
	return rc;
}
