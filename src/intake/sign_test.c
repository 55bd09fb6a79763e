/* sign_test.c -- who signs what, and what is signed is what is kept. */
#include "intake/test_intake.h"

#include "base/err.h"
#include "policy/account.h"
#include "trust/dkim_pair.h"
#include "trust/dkim_verify.h"

enum { ROOM = 1024 * 1024 };

static struct arena arena;
static char room[ROOM];
static struct dkim_pair pairs[2];
static unsigned fails, asked;		/* so often yet; all */

static yields int
test_keys(struct dkim_signer *s, struct str domain,
    struct dkim_key_ref out[DKIM_KEYS_MOST], size_t *n)
{
	(void)s;
	asked++;
	*n = str_eq(domain, STR("young.test")) ? 0 : 2;
	for (size_t i = 0; i < *n; i++) {
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
	if (fails > 0 && fails-- > 0)
		return err_set("the keyring is gone");
	return dkim_key_sign(pairs[key->id].key, input, signature);
}

static struct dkim_signer signer = { test_keys, test_sign };

static void
zone_make(void)
{
	static char zone[4096], key[DKIM_PUBLIC_MOST], text[1024];
	struct buf z = BUF_OF(zone);

	for (size_t i = 0; i < 2; i++) {
		struct buf k = BUF_OF(key), t = BUF_OF(text);

		must(dkim_key_public(pairs[i].key, &k) == 0);
		dkim_record_put(&t, pairs[i].algorithm, buf_str(&k));
		buf_printf(&z, "%s._domainkey.two.test. TXT \"",
		    pairs[i].selector);
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

static void
begin(const char *more)
{
	sim_begin(11);
	must(dkim_pair_make(STR("two.test"), STR("r1"), DKIM_RSA_SHA256, 1,
	    &pairs[0]) == 0);
	must(dkim_pair_make(STR("two.test"), STR("e1"), DKIM_ED25519_SHA256, 1,
	    &pairs[1]) == 0);
	zone_make();
	house_use(more);
	fails = asked = 0;
	arena_init(&arena, 1024 * 1024);
}

static int
tear_down(void **state)
{
	(void)state;
	dkim_pair_free(&pairs[0]);
	dkim_pair_free(&pairs[1]);
	return 0;
}

/* Kept: all of it is in `room'. */
static yields struct verdict
bring(const struct intake_origin *origin, struct str text, size_t piece,
    struct str *kept)
{
	struct path path = { 0 };
	struct intake *in;
	struct verdict v;

	in = intake_new(&house.core, house.config, &arena, origin);
	must(in != NULL && mailbox_parse(STR("bob@two.test"), MAILBOX_STRICT,
	    &path.mailbox) == NULL);
	must(intake_recipient(in, &path, NULL).disposition == DELIVERED);
	must(intake_open(in).disposition == DELIVERED);
	while (text.n > 0) {
		(void)intake_content(in, str_sub(text, 0, piece));
		text = str_sub(text, piece, text.n);
	}
	v = intake_commit(in);
	*kept = v.disposition == DELIVERED ? house_body(room, ROOM) : STR("");
	arena_clear(&arena);
	return v;
}

/* ---- who ---- */

static struct account ann = { .name = STR_INIT("bob@two.test"),
	.source = "test" };
static struct str anybody_from[] = { STR_INIT("*") };
static struct account anybody = { .name = STR_INIT("boss"), .source = "test",
	.from = { anybody_from, 1 } };

#define OUTSIDE .sender = STR_INIT("bob@two.test"), \
	.listener = STR_INIT("mx"), .protocol = STR_INIT("ESMTP"), \
	.helo = STR_INIT("me.test"), .client = STR_INIT("192.0.2.7"), \
	.is_outside = true

static const struct intake_origin stranger = { OUTSIDE },
	logged_in = { OUTSIDE, .account = &ann, .is_submission = true },
	boss = { OUTSIDE, .account = &anybody },
	trusted = { .sender = STR_INIT("bob@two.test"),
		.listener = STR_INIT("relay"), .helo = STR_INIT("app.test"),
		.protocol = STR_INIT("ESMTP"), .client = STR_INIT("127.0.0.1") },
	local = { .sender = STR_INIT("bob@two.test"),
		.listener = STR_INIT("submit"), .user = STR_INIT("uid:1000"),
		.protocol = STR_INIT("local"), .is_outside = true },
	inside = { .sender = STR_INIT("") };

static const struct {
	const struct intake_origin *origin;
	const char *from, *domain;	/* NULL: nobody signs */
} who[] = {
	{ &stranger, "From: bob@two.test", NULL },
	{ &stranger, "From: MAILER-DAEMON@mx.test", NULL },
	{ &logged_in, "From: Bob <bob@two.test>", "two.test" },
	{ &logged_in, "From: bob@TWO.test", "two.test" },
	{ &logged_in, "Subject: no From", "two.test" },
	{ &boss, "From: alice@two.test", "two.test" },
	{ &boss, "From: x@stranger.test", NULL },
	{ &boss, "From: x@sub.two.test", NULL },
	{ &boss, "From: x@b\xc3\xbc" "cher.test", "xn--bcher-kva.test" },
	{ &boss, "From: x@other.test", "other.test" },
	{ &boss, "From: x@also.test", "also.test" },
	{ &boss, "From: x@quiet.test", NULL },
	{ &boss, "From: x@young.test", NULL },
	{ &boss, "From: a@two.test, b@two.test", "two.test" },
	{ &boss, "From: a@two.test, b@also.test", NULL },
	{ &boss, "From: a@two.test\r\nFrom: b@two.test", NULL },
	{ &boss, "From: a@two.test, b@stranger.test", NULL },
	{ &boss, "From: \"a@two.test\" <b@stranger.test>", NULL },
	{ &trusted, "From: bob@two.test", "two.test" },
	{ &trusted, "From: bob@stranger.test", NULL },
	{ &local, "From: bob@two.test", "two.test" },
	{ &inside, "From: MAILER-DAEMON@mx.test", "mx.test" },
	{ &inside, "From: bob@two.test", "two.test" },
	{ &inside, "From: bob@stranger.test", NULL },
};

#define DOMAINS "dkim: { also: [ also.test, young.test ] }\n"

static yields void
ask_who(void *arg)
{
	char text[300], tag[100];
	struct str kept;
	struct buf b = BUF_OF(text);

	(void)arg;
	house_open();
	house.core.signer = &signer;
	for (size_t i = 0; i < sizeof who / sizeof *who; i++) {
		b.n = 0;
		buf_printf(&b, "%s\r\nTo: x@y.test\r\n\r\nhi\r\n", who[i].from);
		must(bring(who[i].origin, buf_str(&b), 999, &kept).disposition ==
		    DELIVERED);
		(void)snprintf(tag, sizeof tag, " d=%s;",
		    who[i].domain == NULL ? "" : who[i].domain);
		if (who[i].domain == NULL ? str_find_str(kept,
		    STR("DKIM-Signature")) < kept.n :
		    str_find_str(kept, STR("DKIM-Signature:")) != 0 ||
		    str_find_str(kept, str_of(tag)) == kept.n)
			print_message("row %zu: %.*s\n", i, (int)kept.n, kept.p);
		must(who[i].domain == NULL ? str_find_str(kept,
		    STR("DKIM-Signature")) == kept.n :
		    str_find_str(kept, STR("DKIM-Signature:")) == 0 &&
		    str_find_str(kept, str_of(tag)) < kept.n);
	}
	must(house_told("\"signed\"", "r1._domainkey.two.test e1._domainkey") > 5);
	house_close();
}

static void
who_may_is_signed_for(void **state)
{
	(void)state;
	begin("");
	config_release(house.config);
	house.config = house_config("hostname: mx.test\n"
	    "trusted: [ 127.0.0.1 ]\n"
	    "domains:\n"
	    "  two.test: { users: [ bob, alice ] }\n"
	    "  b\xc3\xbc" "cher.test: { users: [ bob ] }\n"
	    "  other.test: { alias_of: two.test }\n"
	    "  quiet.test: { users: [ bob ], dkim: off }\n", DOMAINS);
	on_core(ask_who);
}

/* ---- what ---- */

static void
digest_feed(struct digest *d, struct str header)
{
	struct header_scan scan;
	struct field f;

	header_begin(&scan, &arena);
	while (header_next(&scan, &header, &f) == HEADER_FIELD)
		must(digest_field(d, &f));
}

/* How many signatures of the kept octets pass, as a receiver sees them. */
static yields size_t
passes(struct str kept)
{
	size_t header = str_find_str(kept, STR("\r\n\r\n")) + 4, n = 0;
	unsigned budget = 64;
	struct dns_quest quest = { in_ms(5000), &budget, clock_wall() };
	struct digest *d = digest_new(&arena);
	const struct dkim_outcome *o;
	struct dkim_verify *v;
	size_t passed = 0;

	digest_feed(d, str_sub(kept, 0, header));
	v = dkim_verify_begin(d, &arena);
	digest_body(d, str_sub(kept, header, kept.n));
	must(v != NULL && digest_end(d));
	o = dkim_verify_end(v, &quest, &n);
	must(n == 2);
	for (size_t i = 0; i < n; i++)
		passed += o[i].result == DKIM_PASS;
	arena_clear(&arena);
	return passed;
}

static yields void
sign_all_sizes(void *arg)
{
	static const size_t sizes[] = { 0, 1, 500, 65000, 300000 };
	static const size_t pieces[] = { 1, 77, 4096, SIZE_MAX };
	static char text[310000];
	struct buf b = BUF_OF(text);
	struct str kept;

	(void)arg;
	house_open();
	house.core.signer = &signer;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t p = sizes[i] > 1000; p < 4; p++) {
			b.n = 0;
			buf_put(&b, STR("Subject: x\r\nReceived: by us\r\n"
			    "Authentication-Results: mx.test; spf=pass\r\n"
			    "To: a@b.test\r\n\r\n"));
			for (size_t k = 0; k < sizes[i]; k++)
				buf_putc(&b, k % 60 == 58 ? '\r' : k % 60 == 59 ?
				    '\n' : (char)('a' + k % 23));
			must(bring(&logged_in, buf_str(&b), pieces[p],
			    &kept).disposition == DELIVERED);
			/* From, Date and Message-ID were added, and the forged
			 * results are gone */
			must(str_find_str(kept, STR("From: bob@two.test")) <
			    kept.n);
			must(str_find_str(kept, STR("spf=pass")) == kept.n);
			must(passes(kept) == 2);
		}
	/* no empty line, and no body */
	must(bring(&boss, STR("From: bob@two.test\r\n"), SIZE_MAX,
	    &kept).disposition == DELIVERED);
	must(str_find_str(kept, STR("DKIM-Signature")) == 0);
	house_close();
}

static void
what_is_kept_is_signed(void **state)
{
	(void)state;
	begin("");
	on_core(sign_all_sizes);
}

/* ---- troubles ---- */

static const char mail[] = "From: bob@two.test\r\n\r\nhi\r\n";

static yields void
fail_some(void *arg)
{
	bool sends = *(bool *)arg;
	struct str kept;
	struct verdict v;

	house_open();
	house.core.signer = &signer;
	fails = 3;			/* the keyring begins anew */
	must(bring(&logged_in, str_of(mail), 99, &kept).disposition ==
	    DELIVERED);
	must(fails == 0 && str_find_str(kept, STR("DKIM-Signature")) == 0);
	must(house_told("sign_failed", NULL) == 0);
	fails = UINT32_MAX;
	v = bring(&logged_in, str_of(mail), 99, &kept);
	must(house_told("sign_failed", "the keyring is gone") == 1);
	if (sends)
		must(v.disposition == DELIVERED && str_find_str(kept,
		    STR("DKIM-Signature")) == kept.n);
	else
		must(v.disposition == DEFERRED && v.code == 451);
	/* our own reports leave as they are */
	must(bring(&inside, str_of(mail), 99, &kept).disposition == DELIVERED);
	must(str_find_str(kept, STR("DKIM-Signature")) == kept.n);
	must(house_told("sign_failed", NULL) == 2);
	/* and what nobody signs does not notice */
	must(bring(&stranger, str_of(mail), 99, &kept).disposition == DELIVERED);
	house_close();
}

static void
a_keyring_that_fails(void **state)
{
	static bool sends[] = { false, true };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(sends[i] ? "dkim: { trouble: send }\n" : "");
		must(core_run_all(1, fail_some, &sends[i]) == 0);
		(void)tear_down(NULL);
	}
	pairs[0].key = pairs[1].key = NULL;
}

static yields void
sign_nothing(void *arg)
{
	struct str kept;

	(void)arg;
	house_open();
	house.core.signer = &signer;
	must(bring(&logged_in, str_of(mail), 99, &kept).disposition ==
	    DELIVERED);
	must(asked == 0 && str_find_str(kept, STR("DKIM-Signature")) == kept.n);
	house_close();
}

static void
off_signs_nothing(void **state)
{
	(void)state;
	begin("outbound: { dkim: off }\n");
	on_core(sign_nothing);
}

/* A header section as long as one may be is signed; what we add ourselves may
 * make it longer than what is digested: then it leaves as it is. */
static yields void
try_length(size_t octets, bool is_complete)
{
	static char text[HEADER_OCTETS_MOST + 100];
	struct buf b = BUF_OF(text);
	struct str kept;

	if (is_complete)
		buf_put(&b, STR("From: bob@two.test\r\n"));
	for (int i = 0; b.n + 200 < octets; i++)
		buf_printf(&b, "%s<user%d@a-long-name-of-some-other-domain.example>",
		    i == 0 ? "To: " : ",\r\n ", i);
	buf_put(&b, STR("\r\nX-End: "));
	while (b.n + 2 < octets)
		buf_putc(&b, 'x');
	buf_put(&b, STR("\r\n\r\nhi\r\n"));
	must(!b.full);
	must(bring(is_complete ? &boss : &logged_in, buf_str(&b), 4000,
	    &kept).disposition == DELIVERED);
	must((str_find_str(kept, STR("DKIM-Signature")) == 0) == is_complete);
	/* what a receiver with such a limit can still read */
	if (octets < HEADER_OCTETS_MOST - 4000)
		must(passes(kept) == 2);
}

static yields void
long_headers(void *arg)
{
	(void)arg;
	house_open();
	house.core.signer = &signer;
	try_length(HEADER_OCTETS_MOST - 8000, true);
	try_length(HEADER_OCTETS_MOST - 10, true);
	must(house_told("sign_failed", NULL) == 0);
	try_length(HEADER_OCTETS_MOST - 10, false);
	must(house_told("sign_failed", "too long") == 1);
	house_close();
}

static void
a_header_as_long_as_may_be(void **state)
{
	(void)state;
	begin("");
	on_core(long_headers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(who_may_is_signed_for, tear_down),
		cmocka_unit_test_teardown(what_is_kept_is_signed, tear_down),
		cmocka_unit_test_teardown(a_keyring_that_fails, tear_down),
		cmocka_unit_test_teardown(off_signs_nothing, tear_down),
		cmocka_unit_test_teardown(a_header_as_long_as_may_be, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
