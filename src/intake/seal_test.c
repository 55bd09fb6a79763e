/* seal_test.c -- which messages are sealed, by whom, and what when it fails. */
#include "intake/test_intake.h"

#include "base/err.h"
#include "trust/dkim_sign.h"

enum { ROOM = 256 * 1024 };

static struct arena arena;
static char room[ROOM];
static bool has_no_key, fails;

static const char letter[] = "From: ann@one.test\r\nTo: bob@two.test\r\n"
    "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <a@one.test>\r\n"
    "\r\nhi\r\n";

static const char yaml[] =
    "hostname: mx.test\n"
    "admin: root@mx.test\n"
    "domains:\n"
    "  two.test: { users: [ bob, alice, carol ], aliases: /aliases }\n"
    "  inner.test: { relay_to: \"smtp://127.0.0.9\" }\n"
    "  seal.test: { users: [ bob ] }\n";

static yields int
test_keys(struct dkim_signer *s, struct str domain,
    struct dkim_key_ref out[DKIM_KEYS_MOST], size_t *n)
{
	(void)s;
	(void)domain;
	out[0] = (struct dkim_key_ref){ .selector = "s" };
	*n = has_no_key ? 0 : 1;
	return 0;
}

static yields int
test_sign(struct dkim_signer *s, struct str domain,
    const struct dkim_key_ref *key, struct str input, struct buf *signature)
{
	(void)s, (void)domain, (void)key, (void)input;
	if (fails)
		return err_set("the keyring is gone");
	buf_put(signature, STR("signed"));
	return 0;
}

static struct dkim_signer signer = { test_keys, test_sign };

static const struct intake_origin stranger = {
	.sender = STR_INIT("ann@one.test"), .listener = STR_INIT("mx"),
	.protocol = STR_INIT("ESMTP"), .helo = STR_INIT("me.test"),
	.client = STR_INIT("192.0.2.7"), .is_checked = true,
	.is_outside = true,
};

/* The domain that sealed it; n == 0: none did. */
static yields struct str
sealed_by(const struct intake_origin *origin, const char *to)
{
	struct intake *in = intake_new(&house.core, house.config, &arena,
	    origin);
	struct path path = { 0 };
	struct verdict v;
	struct str body, set;
	size_t at;

	must(in != NULL && mailbox_parse(str_of(to), MAILBOX_STRICT,
	    &path.mailbox) == NULL);
	must(intake_recipient(in, &path, NULL).disposition == DELIVERED);
	must(intake_open(in).disposition == DELIVERED);
	(void)intake_content(in, str_of(letter));
	v = intake_commit(in);
	if (v.disposition != DELIVERED)
		fail_msg("%s", v.text);
	arena_clear(&arena);
	body = house_body(room, sizeof room);
	set = str_sub(body, 0, str_find_str(body, STR("From: ann")));
	if (str_find_str(set, STR("ARC-")) == set.n)
		return STR_NONE;
	/* on top of what it repeats */
	must(str_has_prefix_icase(set, STR("ARC-Seal: a=rsa-sha256;")));
	at = str_find_str(set, STR("\r\nAuthentication-Results: mx.test;"));
	must(str_find_str(set, STR("\r\nARC-Authentication-Results: i=1; "
	    "mx.test;")) < at && at < set.n);
	set = str_sub(set, str_find_str(set, STR(" d=")) + 3, set.n);
	return str_cut(&set, ';');
}

static yields void
body_who(void *arg)
{
	struct intake_origin known = stranger;

	(void)arg;
	house_open();
	house.core.signer = &signer;
	assert_true(str_eq(sealed_by(&stranger, "away@two.test"),
	    STR("two.test")));
	assert_true(str_eq(sealed_by(&stranger, "here-and-away@two.test"),
	    STR("two.test")));
	assert_true(str_eq(sealed_by(&stranger, "x@inner.test"),
	    STR("inner.test")));
	assert_int_equal(sealed_by(&stranger, "bob@two.test").n, 0);
	assert_int_equal(sealed_by(&stranger, "filed@two.test").n, 0);
	assert_int_equal(sealed_by(&stranger, "trash@two.test").n, 0);
	known.is_checked = false;	/* of nobody whom we ask about */
	assert_int_equal(sealed_by(&known, "away@two.test").n, 0);
	house.core.signer = NULL;
	assert_int_equal(sealed_by(&stranger, "away@two.test").n, 0);
	house_close();
}

/* Mail goes on. */
static yields void
body_fails(void *arg)
{
	(void)arg;
	house_open();
	house.core.signer = &signer;
	has_no_key = true;
	assert_int_equal(sealed_by(&stranger, "away@two.test").n, 0);
	assert_int_equal(house_told("sign_failed", NULL), 0);
	has_no_key = false;
	fails = true;
	assert_int_equal(sealed_by(&stranger, "away@two.test").n, 0);
	fails = false;
	assert_int_equal(house_told("sign_failed", "the keyring is gone"), 1);
	house_close();
}

static yields void
body_domain(void *arg)
{
	(void)arg;
	house_open();
	house.core.signer = &signer;
	assert_true(str_eq(sealed_by(&stranger, "away@two.test"),
	    STR("seal.test")));
	house_close();
}

static yields void
body_off(void *arg)
{
	(void)arg;
	house_open();
	house.core.signer = &signer;
	assert_int_equal(sealed_by(&stranger, "away@two.test").n, 0);
	house_close();
}

#define TEST(name, more) \
static void \
test_##name(void **state) \
{ \
	(void)state; \
	sim_begin(1); \
	house.config = house_config(yaml, more); \
	arena_init(&arena, 256 * 1024); \
	on_core(body_##name); \
}
TEST(who, "forward: { arc: on }\n")
TEST(fails, "forward: { arc: on }\n")
TEST(domain, "forward: { arc: on, arc_domain: seal.test }\n")
TEST(off, "")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who), cmocka_unit_test(test_fails),
		cmocka_unit_test(test_domain), cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
