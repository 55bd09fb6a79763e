/* The suites of openspf.org and of blitiri, as data: test/vectors/spf-rfc7208. */
#include "base/err.h"
#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "trust/spf.h"
#include "trust/test_suite.h"

#include <stdio.h>

enum { ZONE_TEXT = 256 * 1024, FILE_MOST = 128 * 1024 };

static struct {
	struct fy_node *tests;
	const char *zone_name;
	bool is_strict;
	unsigned run, wrong, lenient;
} suite;

/* ---- the zone ---- */

/* The suite's "\xef" is an octet, which YAML gives as a character. */
static void
put_quoted(struct buf *zone, struct str text)
{
	buf_putc(zone, '"');
	for (size_t i = 0; i < text.n; i++)
		if (((unsigned char)text.p[i] & 0xfc) == 0xc0 && i + 1 < text.n) {
			buf_printf(zone, "\\%03u", (unsigned)((text.p[i] & 3) << 6 |
			    (text.p[i + 1] & 0x3f)));
			i++;
		} else if (text.p[i] == '"' || text.p[i] == '\\' ||
		    text.p[i] < 0x20 || text.p[i] > 0x7e)
			buf_printf(zone, "\\%03u", (unsigned char)text.p[i]);
		else
			buf_putc(zone, text.p[i]);
	buf_putc(zone, '"');
}

static void
put_texts(struct buf *zone, struct fy_node *value)
{
	struct fy_node *one;
	void *at = NULL;

	if (!fy_node_is_sequence(value)) {
		struct str all = text_of(value);

		for (size_t i = 0; i == 0 || i < all.n; i += 255) {
			put_quoted(zone, str_sub(all, i, 255));
			buf_putc(zone, ' ');
		}
		return;
	}
	if (fy_node_sequence_item_count(value) == 0)
		put_quoted(zone, STR_NONE);
	while ((one = fy_node_sequence_iterate(value, &at)) != NULL) {
		put_quoted(zone, text_of(one));
		buf_putc(zone, ' ');
	}
}

/* With one dot behind it. */
static void
put_host(struct buf *zone, struct str name)
{
	buf_put(zone, name);
	if (name.n == 0 || name.p[name.n - 1] != '.')
		buf_putc(zone, '.');
}

static void
put_record(struct buf *zone, struct str name, struct str type,
    struct fy_node *value)
{
	buf_putc(zone, '"');
	buf_put(zone, name);
	if (str_eq(type, STR("TXT")) || str_eq(type, STR("SPF"))) {
		buf_put(zone, STR(".\" TXT "));
		put_texts(zone, value);
	} else if (str_eq(type, STR("MX"))) {
		buf_printf(zone, ".\" MX " STR_FMT " ",
		    STR_ARG(text_of(fy_node_sequence_get_by_index(value, 0))));
		put_host(zone, text_of(fy_node_sequence_get_by_index(value, 1)));
	} else {
		buf_printf(zone, ".\" " STR_FMT " ", STR_ARG(type));
		if (str_eq(type, STR("PTR")) || str_eq(type, STR("CNAME")))
			put_host(zone, text_of(value));
		else
			buf_put(zone, text_of(value));
	}
	buf_putc(zone, '\n');
}

static bool
has_type(struct fy_node *records, struct str type)
{
	struct fy_node *one;
	void *at = NULL;

	while ((one = fy_node_sequence_iterate(records, &at)) != NULL)
		if (fy_node_is_mapping(one) &&
		    fy_node_mapping_lookup_by_string(one, type.p, FY_NT) != NULL)
			return true;
	return false;
}

static bool
has_true_txt(struct fy_node *records)
{
	struct fy_node *one;
	void *at = NULL;

	while ((one = fy_node_sequence_iterate(records, &at)) != NULL)
		if (fy_node_is_mapping(one) && member(one, "TXT").n > 0 &&
		    !str_eq(member(one, "TXT"), STR("NONE")))
			return true;
	return false;
}

/* SPF stands for TXT, unless there is a TXT, be it NONE (rfc7208-tests.CHANGES).
 * TIMEOUT is of all types that the name has not. */
static void
put_name(struct buf *zone, struct str name, struct fy_node *records)
{
	bool has_txt = has_type(records, STR("TXT"));
	bool has_text = has_txt ? has_true_txt(records) :
	    has_type(records, STR("SPF"));
	struct fy_node *one;
	void *at = NULL;

	while ((one = fy_node_sequence_iterate(records, &at)) != NULL) {
		struct fy_node_pair *pair;
		struct str type;

		if (!fy_node_is_mapping(one)) {
			if (!has_text)
				buf_printf(zone, STR_FMT ". TIMEOUT\n", STR_ARG(name));
			continue;
		}
		pair = fy_node_mapping_get_by_index(one, 0);
		type = text_of(fy_node_pair_key(pair));
		if (str_eq(text_of(fy_node_pair_value(pair)), STR("NONE")) ||
		    (has_txt && str_eq(type, STR("SPF"))))
			continue;
		if (str_eq(type, STR("TIMEOUT")) || str_eq(type, STR("SERVFAIL")))
			buf_printf(zone, STR_FMT ". " STR_FMT "\n", STR_ARG(name),
			    STR_ARG(type));
		else
			put_record(zone, name, type, fy_node_pair_value(pair));
	}
}

static int
zone_load(struct fy_node *data)
{
	static char room[ZONE_TEXT];
	struct buf zone = BUF_OF(room);
	struct fy_node_pair *pair;
	void *at = NULL;

	if (data != NULL)
		while ((pair = fy_node_mapping_iterate(data, &at)) != NULL)
			put_name(&zone, text_of(fy_node_pair_key(pair)),
			    fy_node_pair_value(pair));
	assert_false(zone.full);
	if (sim_zone(buf_str(&zone)) == 0)
		return 0;
	fprintf(stderr, "%s\n" STR_FMT "\n", err_text(), STR_ARG(buf_str(&zone)));
	return -1;
}

/* ---- one test ---- */

static bool
is_wanted(struct fy_node *wanted, struct str got)
{
	struct fy_node *one;
	void *at = NULL;

	if (!fy_node_is_sequence(wanted))
		return str_eq(text_of(wanted), got);
	while ((one = fy_node_sequence_iterate(wanted, &at)) != NULL)
		if (str_eq(text_of(one), got))
			return true;
	return false;
}

static void
ask_of(struct fy_node *test, struct spf_ask *ask)
{
	struct str from = member(test, "mailfrom");
	size_t at = str_find_last(from, '@');

	ask->helo = member(test, "helo");
	ask->domain = at < from.n ? str_sub(from, at + 1, from.n) : from;
	ask->local = at < from.n ? str_sub(from, 0, at) : STR_NONE;
	if (!address_parse(member(test, "host"), 0, &ask->client))
		fail_msg("a test without a host");
}

static yields void
run_one(struct str name, struct fy_node *test)
{
	unsigned budget = 64;
	struct spf_ask ask = { .receiver = STR("receiver.test"),
	    .quest = { .budget = &budget, .deadline = in_ms(20000) },
	    .wants_explanation = true };
	struct str why = member(test, "explanation");
	struct spf_answer got;
	struct arena arena;
	bool good;

	ask_of(test, &ask);
	arena_init(&arena, 1 << 20);
	spf_check(&ask, &arena, &got);
	good = is_wanted(fy_node_mapping_lookup_by_string(test, "result", FY_NT),
	    str_of(spf_result_name(got.result)));
	if (good && why.n > 0)
		good = str_eq(why, STR("DEFAULT")) ? got.explanation.n == 0 :
		    str_eq_icase(why, got.explanation);
	suite.run++;
	suite.wrong += !good;
	if (!good)
		fprintf(stderr, "%s/" STR_FMT ": %s (" STR_FMT "), '" STR_FMT "'\n",
		    suite.zone_name, STR_ARG(name), spf_result_name(got.result),
		    STR_ARG(got.why), STR_ARG(got.explanation));
	arena_clear(&arena);
}

static yields void
run_all(void *arg)
{
	struct fy_node_pair *pair;
	void *at = NULL;

	(void)arg;
	while ((pair = fy_node_mapping_iterate(suite.tests, &at)) != NULL)
		run_one(text_of(fy_node_pair_key(pair)), fy_node_pair_value(pair));
}

/* libfyaml takes what stands behind an empty folded text for its text. */
static void
file_read(const char *path, char text[FILE_MOST])
{
	FILE *f = fopen(path, "r");
	char *at;

	assert_non_null(f);
	text[fread(text, 1, FILE_MOST - 1, f)] = '\0';
	fclose(f);
	while ((at = strstr(text, ">-\n    spec:")) != NULL)
		memcpy(at, "no", 2);
}

static void
run_file(const char *path)
{
	static char text[FILE_MOST];
	struct fy_parse_cfg how = { .flags = FYPCF_QUIET };
	struct fy_parser *p = fy_parser_create(&how);
	struct fy_document *doc;

	file_read(path, text);
	assert_int_equal(fy_parser_set_string(p, text, FY_NT), 0);
	suite.run = suite.wrong = 0;
	while ((doc = fy_parse_load_document(p)) != NULL) {
		struct fy_node *root = fy_document_root(doc);
		char name[200];

		assert_true(str_cstr(member(root, "description"), name, sizeof name));
		suite.zone_name = name;
		suite.tests = fy_node_mapping_lookup_by_string(root, "tests", FY_NT);
		sim_begin(1);
		assert_int_equal(zone_load(fy_node_mapping_lookup_by_string(root,
		    "zonedata", FY_NT)), 0);
		on_core(run_all);
		fy_parse_document_destroy(p, doc);
	}
	fy_parser_destroy(p);
}

static void
test_rfc7208(void **state)
{
	(void)state;
	run_file("test/vectors/spf-rfc7208/rfc7208-tests.yml");
	assert_int_equal(suite.run, 203);
	assert_int_equal(suite.wrong, 0);
}

/* Some of these want what the RFC forbids: names of one label, a third look-up
 * in vain (README). */
static void
test_blitiri(void **state)
{
	(void)state;
	run_file("test/vectors/spf-rfc7208/blitirispf-tests.yml");
	assert_int_equal(suite.run, 21);
	assert_int_equal(suite.wrong, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc7208),
		cmocka_unit_test(test_blitiri),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
