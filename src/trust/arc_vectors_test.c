/* The suite of ValiMail, as data: test/vectors/arc. */
#include "base/err.h"
#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "trust/arc.h"
#include "trust/digest.h"
#include "trust/dkim_sign.h"
#include "trust/quest.h"
#include "trust/test_suite.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

enum { ZONE_TEXT = 64 * 1024, FILE_MOST = 512 * 1024, MESSAGE_MOST = 64 * 1024 };

static struct {
	struct fy_node *root, *tests;
	bool is_signing;
	unsigned run, wrong, passed;
} suite;

/* ---- the zone ---- */

static void
put_text(struct buf *zone, struct str all)
{
	size_t column = 0;

	buf_putc(zone, '"');
	for (size_t i = 0; i < all.n; i++) {
		if (all.p[i] == '\n' || all.p[i] == '"' || all.p[i] == '\\')
			continue;
		if (column++ % 200 == 199)
			buf_put(zone, STR("\" \""));
		buf_putc(zone, all.p[i]);
	}
	buf_putc(zone, '"');
}

static void
zone_load(struct fy_node *data)
{
	static char room[ZONE_TEXT];
	struct buf zone = BUF_OF(room);
	struct fy_node_pair *pair;
	void *at = NULL;

	while ((pair = fy_node_mapping_iterate(data, &at)) != NULL) {
		buf_printf(&zone, STR_FMT ". TXT ",
		    STR_ARG(text_of(fy_node_pair_key(pair))));
		put_text(&zone, text_of(fy_node_pair_value(pair)));
		buf_putc(&zone, '\n');
	}
	assert_false(zone.full);
	if (sim_zone(buf_str(&zone)) != 0)
		fail_msg("%s", err_text());
}

/* ---- a message ---- */

/* YAML's lines end with LF. */
static struct str
message_of(struct fy_node *test, struct buf *out)
{
	struct str text = member(test, "message");

	out->n = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n')
			buf_putc(out, '\r');
		buf_putc(out, text.p[i]);
	}
	assert_false(out->full);
	return buf_str(out);
}

static struct arc_verify *
digest_feed(struct digest *d, struct str message, struct arena *arena,
    int *wish)
{
	struct header_scan scan;
	struct field field;
	struct arc_verify *v;
	enum header_step step;

	header_begin(&scan, arena);
	while ((step = header_next(&scan, &message, &field)) == HEADER_FIELD)
		assert_true(digest_field(d, &field));
	if (step == HEADER_MORE)
		while ((step = header_finish(&scan, &field)) == HEADER_FIELD)
			assert_true(digest_field(d, &field));
	assert_int_equal(step, HEADER_END);
	v = arc_verify_begin(d, arena);
	assert_non_null(v);
	*wish = digest_want(d, CANON_RELAXED, DIGEST_ALL);
	digest_body(d, field.raw);
	digest_body(d, message);
	assert_true(digest_end(d));
	return v;
}

static yields struct digest *
verify(struct str message, struct arena *arena, int *wish,
    struct arc_answer *out)
{
	unsigned budget = QUEST_QUESTIONS;
	struct dns_quest quest = { .deadline = in_ms(20000), .budget = &budget };
	struct digest *d = digest_new(arena);
	struct arc_verify *v;

	assert_non_null(d);
	v = digest_feed(d, message, arena, wish);
	arc_verify_end(v, &quest, out);
	return d;
}

/* ---- validation ---- */

/*
 * One case the RFCs forbid to pass: an ARC-Message-Signature without c= is signed
 * relaxed/relaxed there.  RFC 6376 3.5: "Message canonicalization (plain-text;
 * OPTIONAL, default is "simple/simple")"; RFC 8617 4.1.2 names what is different
 * for ARC, and c= is not among it.
 */
static const char *
wanted(struct fy_node *test, struct str name)
{
	struct str cv = member(test, "cv");

	if (str_eq(name, STR("ams_fields_c_na")))
		return "fail";
	if (str_eq(cv, STR("Pass")))
		return "pass";
	return str_eq(cv, STR("None")) ? "none" : "fail";
}

static yields void
run_validation(struct fy_node *test, struct str name)
{
	static char room[MESSAGE_MOST];
	struct buf text = BUF_OF(room);
	struct arc_answer got;
	struct arena arena;
	bool is_right;
	int wish;

	arena_init(&arena, DIGEST_ARENA);
	(void)verify(message_of(test, &text), &arena, &wish, &got);
	is_right = strcmp(arc_result_name(got.result), wanted(test, name)) == 0 &&
	    (got.result == ARC_FAIL) == (got.why.n > 0);
	suite.wrong += !is_right;
	suite.passed += got.result == ARC_PASS;
	if (!is_right)
		fprintf(stderr, STR_FMT ": %s instead of %s (" STR_FMT ")\n",
		    STR_ARG(name), arc_result_name(got.result), wanted(test, name),
		    STR_ARG(got.why));
	arena_clear(&arena);
}

/* ---- signing ---- */

struct suite_signer {
	struct dkim_signer is;
	EVP_PKEY *key;
};

static yields int
suite_keys(struct dkim_signer *signer, struct str domain,
    struct dkim_key_ref out[DKIM_KEYS_MOST], size_t *n)
{
	(void)signer;
	assert_true(str_eq(domain, member(suite.root, "domain")));
	/* Of several the RSA key is chosen. */
	out[0] = (struct dkim_key_ref){ .algorithm = DKIM_ED25519_SHA256 };
	out[1] = (struct dkim_key_ref){ .algorithm = DKIM_RSA_SHA256 };
	assert_true(str_cstr(member(suite.root, "sel"), out[1].selector,
	    sizeof out[1].selector));
	*n = 2;
	return 0;
}

static yields int
suite_sign(struct dkim_signer *signer, struct str domain,
    const struct dkim_key_ref *ref, struct str input, struct buf *signature)
{
	struct suite_signer *s = (struct suite_signer *)signer;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char room[512];
	size_t n = sizeof room;

	(void)domain;
	assert_int_equal(ref->algorithm, DKIM_RSA_SHA256);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL,
	    s->key), 1);
	assert_int_equal(EVP_DigestSign(ctx, room, &n,
	    (const unsigned char *)input.p, input.n), 1);
	EVP_MD_CTX_free(ctx);
	buf_put(signature, (struct str){ (const char *)room, n });
	return 0;
}

static EVP_PKEY *
suite_key(void)
{
	struct str pem = member(suite.root, "privatekey");
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(key);
	return key;
}

/* The suite's messages have what was found in Authentication-Results of srv-id,
 * which are one in the AAR. */
static void
results_gather(const struct digest *d, struct str id, struct buf *out)
{
	for (size_t i = 0; i < digest_fields(d); i++) {
		struct str value = str_trim(digest_value(d, i));

		if (!str_eq_icase(digest_name(d, i),
		    STR("Authentication-Results")) ||
		    !str_eq(str_trim(str_cut(&value, ';')), id))
			continue;
		if (out->n > 0)
			buf_put(out, STR("; "));
		field_unfold(str_trim(value), out);
	}
	assert_false(out->full);
}

/* Tags are compared without white space. */
static void
squeeze(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\r' &&
		    s.p[i] != '\n')
			buf_putc(out, s.p[i]);
}

static bool
field_is(struct str set, const char *name, struct str want)
{
	static char rooms[2][4096];
	struct buf got = BUF_OF(rooms[0]), right = BUF_OF(rooms[1]);
	size_t at = str_find_str(set, str_of(name)), end;

	if (want.n == 0)
		return set.n == 0;
	set = str_sub(set, at + strlen(name), set.n);
	end = str_find_str(set, STR("\r\nARC-"));
	squeeze(str_sub(set, 0, end), &got);
	squeeze(want, &right);
	return at < set.n + at && str_eq(buf_str(&got), buf_str(&right));
}

static yields void
run_signing(struct fy_node *test, struct str name)
{
	static char room[MESSAGE_MOST], made[ARC_SEAL_MOST], found[4096];
	struct buf text = BUF_OF(room), set = BUF_OF(made),
	    results = BUF_OF(found);
	struct suite_signer signer = { { suite_keys, suite_sign }, suite_key() };
	struct arc_seal_ask ask = { .domain = member(suite.root, "domain"),
		.authserv_id = member(test, "srv-id"),
		.names = member(test, "sig-headers") };
	struct arc_answer chain;
	struct digest *d;
	struct arena arena;
	uint64_t now;
	bool is_right;
	int wish;

	arena_init(&arena, DIGEST_ARENA);
	assert_true(parse_u64(member(test, "t"), INT64_MAX, &now));
	ask.now.us = (int64_t)now * US_PER_SECOND;
	d = verify(message_of(test, &text), &arena, &wish, &chain);
	results_gather(d, ask.authserv_id, &results);
	ask.results = buf_str(&results);
	assert_int_equal(arc_seal(&signer.is, d, wish, &chain, &ask, &set), 0);
	is_right = field_is(buf_str(&set), "ARC-Seal:", member(test, "AS")) &&
	    field_is(buf_str(&set), "ARC-Message-Signature:",
	    member(test, "AMS")) && field_is(buf_str(&set),
	    "ARC-Authentication-Results:", member(test, "AAR"));
	suite.wrong += !is_right;
	suite.passed += set.n > 0;
	if (!is_right)
		fprintf(stderr, STR_FMT " (%s, " STR_FMT "):\n" STR_FMT "\n",
		    STR_ARG(name), arc_result_name(chain.result),
		    STR_ARG(chain.why), STR_ARG(buf_str(&set)));
	EVP_PKEY_free(signer.key);
	arena_clear(&arena);
}

/* ---- files ---- */

static yields void
run_all(void *arg)
{
	struct fy_node_pair *pair;
	void *at = NULL;

	(void)arg;
	while ((pair = fy_node_mapping_iterate(suite.tests, &at)) != NULL) {
		suite.run++;
		if (suite.is_signing)
			run_signing(fy_node_pair_value(pair),
			    text_of(fy_node_pair_key(pair)));
		else
			run_validation(fy_node_pair_value(pair),
			    text_of(fy_node_pair_key(pair)));
	}
}

static void
run_file(const char *path, bool is_signing)
{
	static char text[FILE_MOST];
	struct fy_parse_cfg how = { .flags = FYPCF_QUIET |
	    FYPCF_ALLOW_DUPLICATE_KEYS };
	struct fy_parser *p = fy_parser_create(&how);
	struct fy_document *doc;
	FILE *f = fopen(path, "r");
	char *at;

	assert_non_null(f);
	text[fread(text, 1, FILE_MOST - 1, f)] = '\0';
	fclose(f);
	at = strstr(text, "message:     |\n\n    cv:");
	if (at != NULL)			/* libfyaml makes the rest its text */
		memcpy(at, "message: \"\"   \n", 15);
	assert_int_equal(fy_parser_set_string(p, text, FY_NT), 0);
	suite.is_signing = is_signing;
	suite.run = suite.wrong = suite.passed = 0;
	while ((doc = fy_parse_load_document(p)) != NULL) {
		struct fy_node *root = suite.root = fy_document_root(doc);

		suite.tests = fy_node_mapping_lookup_by_string(root, "tests",
		    FY_NT);
		sim_begin(1);
		zone_load(fy_node_mapping_lookup_by_string(root, "txt-records",
		    FY_NT));
		on_core(run_all);
		fy_parse_document_destroy(p, doc);
	}
	fy_parser_destroy(p);
}

static void
validation(void **state)
{
	(void)state;
	run_file("test/vectors/arc/arc-draft-validation-tests.yml", false);
	assert_int_equal(suite.wrong, 0);
	assert_int_equal(suite.run, 175);	/* 171 names, four of them twice */
	assert_int_equal(suite.passed, 57);
}

static void
signing(void **state)
{
	(void)state;
	run_file("test/vectors/arc/arc-draft-sign-tests.yml", true);
	assert_int_equal(suite.run, 17);
	assert_int_equal(suite.passed, 16);
	assert_int_equal(suite.wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(validation),
		cmocka_unit_test(signing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
