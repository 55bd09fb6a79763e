/* tenants_test.c -- a million messages by people who want another customer's
 * signature (SECURITY.md row 12): none gets one. */
#include "intake/test_intake.h"

#include "intake/inner.h"
#include "policy/account.h"
#include "trust/digest.h"
#include "trust/dkim_sign.h"

#include <stdlib.h>

enum {
#if defined(__SANITIZE_ADDRESS__)
	CASES = 100 * 1000,
#else
	CASES = 1000 * 1000,
#endif
	TENANTS = 4, NAMES = 16, NOBODY = TENANTS, FIELD = 1024,
	HEADER = 4 * FIELD
};

/* Whose each name is: some are below others', look like others', are other names
 * of a domain, or are written in two ways. */
static const struct {
	const char *name;
	int tenant;
} names[NAMES] = {
	{ "one.test", 0 }, { "mail.one.test", 0 }, { "b\xc3\xbc" "cher.test", 0 },
	{ "two.test", 1 }, { "below.one.test", 1 }, { "also.test", 1 },
	{ "three.test", 2 }, { "one.test.three.test", 2 }, { "tone.test", 2 },
	{ "four.test", 3 }, { "xn--bcher-kva.four.test", 3 },
	{ "else.test", NOBODY }, { "test", NOBODY }, { "localhost", NOBODY },
	{ "on.test", NOBODY }, { "mx.test", NOBODY },
};

static const char config[] =
    "hostname: mx.test\nadmin: root@one.test\ndomains:\n"
    "  one.test: { users: [ ann ] }\n  mail.one.test: { users: [ ann ] }\n"
    "  b\xc3\xbc" "cher.test: { users: [ ann ] }\n"
    "  two.test: { users: [ ann ] }\n  below.one.test: { users: [ ann ] }\n"
    "  three.test: { users: [ ann ] }\n"
    "  one.test.three.test: { users: [ ann ] }\n"
    "  tone.test: { users: [ ann ] }\n  four.test: { users: [ ann ] }\n"
    "  xn--bcher-kva.four.test: { users: [ ann ] }\n"
    "dkim: { also: [ also.test ] }\n";

static struct str from_0[] = { STR_INIT("@one.test"),
	STR_INIT("@mail.one.test"), STR_INIT("@xn--bcher-kva.test") };
static struct str from_1[] = { STR_INIT("@two.test"),
	STR_INIT("@below.one.test"), STR_INIT("@also.test") };
static struct str from_2[] = { STR_INIT("@three.test"),
	STR_INIT("@*.three.test"), STR_INIT("@tone.test") };
static struct str from_3[] = { STR_INIT("ann@four.test"),
	STR_INIT("@xn--bcher-kva.four.test") };
static const struct account accounts[TENANTS] = {
	{ .name = STR_INIT("zero"), .source = "test", .from = { from_0, 3 } },
	{ .name = STR_INIT("first"), .source = "test", .from = { from_1, 3 } },
	{ .name = STR_INIT("second"), .source = "test", .from = { from_2, 3 } },
	{ .name = STR_INIT("third"), .source = "test", .from = { from_3, 2 } },
};

/* ---- chance ---- */

static uint64_t state;

static unsigned
below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

static bool
chance(unsigned percent)
{
	return below(100) < percent;
}

/* ---- what is said ---- */

struct letter {
	int tenant;			/* who is logged in; NOBODY: a stranger */
	bool is_plain;			/* only forms that all read alike, and
					 * only his own names */
	struct buf text;
};

static const char *
any_name(struct letter *l, bool is_author)
{
	int i = (int)below(NAMES);

	if (l->tenant != NOBODY && is_author && chance(75))
		while (names[i].tenant != l->tenant)
			i = (int)below(NAMES);
	if (is_author && names[i].tenant != l->tenant)
		l->is_plain = false;
	return names[i].name;
}

/* In capitals, with a dot behind it, or torn apart by what means nothing. */
static void
domain_put(struct letter *l, const char *name)
{
	static const char *const glue[] = { " . ", "(x).", ".\r\n ", ".(\\)@)" };
	bool is_torn = chance(5), is_loud = chance(20);

	for (const char *p = name; *p != '\0'; p++)
		if (*p == '.' && is_torn) {
			buf_put(&l->text, str_of(glue[below(4)]));
			l->is_plain = false;
		} else
			buf_putc(&l->text, is_loud && *p >= 'a' && *p <= 'z' ?
			    (char)(*p - 32) : *p);
	if (chance(2)) {
		buf_putc(&l->text, '.');
		l->is_plain = false;
	}
}

static void
local_put(struct letter *l)
{
	static const char *const locals[] = { "\"ann\"", "\"a@two.test\"",
		"ann@two.test", "\"ann@one.test>\"", "a.b", "ann%two.test",
		"two.test!ann", "\"\\\"<a@three.test>\"" };

	if (chance(85)) {
		buf_put(&l->text, STR("ann"));
		return;
	}
	l->is_plain = false;
	buf_put(&l->text, str_of(locals[below(8)]));
}

static void
address_put(struct letter *l)
{
	local_put(l);
	buf_putc(&l->text, '@');
	domain_put(l, any_name(l, true));
}

/* Words before an address, which others may take for one. */
static void
phrase_put(struct letter *l)
{
	const char *name = any_name(l, false);

	switch (below(5)) {
	case 0:
		buf_printf(&l->text, "\"boss@%s\" ", name);
		break;
	case 1:
		buf_printf(&l->text, "=?utf-8?q?boss=40%s?= ", name);
		break;
	case 2:
		buf_printf(&l->text, "(boss@%s) ", name);
		break;
	case 3:
		buf_printf(&l->text, "\"<boss@%s>, \" ", name);
		break;
	default:
		buf_put(&l->text, STR("Ann "));
		break;
	}
}

static void
mailbox_put(struct letter *l)
{
	bool is_angled = chance(60);

	if (is_angled && chance(70))
		phrase_put(l);
	if (is_angled)
		buf_putc(&l->text, '<');
	if (is_angled && chance(3)) {
		buf_printf(&l->text, "@%s:", any_name(l, false));
		l->is_plain = false;
	}
	address_put(l);
	if (is_angled)
		buf_putc(&l->text, '>');
	if (chance(5))
		buf_printf(&l->text, " (ann@%s)", any_name(l, false));
}

static void
mailboxes_put(struct letter *l)
{
	unsigned n = chance(85) ? 1 : 1 + below(3);
	bool is_group = chance(5);

	if (is_group)
		buf_put(&l->text, STR("friends: "));
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_put(&l->text, chance(90) ? STR(", ") : STR(",\r\n\t,"));
		mailbox_put(l);
	}
	if (n > 1)
		l->is_plain = false;	/* all his, but of two domains perhaps */
	if (is_group)
		buf_putc(&l->text, ';');
}

/* A few octets become others: whoever reads it, nobody meant it. */
static void
octets_spoil(struct letter *l, size_t from)
{
	static const char with[] = "<>@,;:\"()\\ .[]=?\t%\xc3\xbc";

	for (unsigned n = 1 + below(3); n > 0; n--)
		l->text.p[from + below((unsigned)(l->text.n - from))] =
		    with[below(sizeof with - 1)];
	l->is_plain = false;
}

static void
field_put(struct letter *l, const char *name)
{
	size_t at;

	buf_printf(&l->text, "%s: ", name);
	at = l->text.n;
	mailboxes_put(l);
	if (chance(15))
		octets_spoil(l, at);
	buf_put(&l->text, STR("\r\n"));
}

static void
letter_make(struct letter *l)
{
	l->tenant = chance(90) ? (int)below(TENANTS) : NOBODY;
	l->is_plain = l->tenant != NOBODY;
	l->text.n = 0;
	if (chance(5)) {
		field_put(l, "From");
		l->is_plain = false;
	}
	field_put(l, chance(90) ? "From" : "fRoM ");
	if (chance(10))
		field_put(l, "Sender");
	must(!l->text.full);
}

/* ---- what comes of it ---- */

static void
fields_take(struct intake *in, struct str text, bool *fine)
{
	struct field field;

	header_begin(&in->scan, &in->scan_arena);
	while (*fine && text.n > 0 &&
	    header_next(&in->scan, &text, &field) == HEADER_FIELD) {
		if (field.known == HEADER_FROM || field.known == HEADER_SENDER)
			*fine = author_judge(in, &field) == 0;
		sign_field(in, &field);
	}
	while (*fine &&
	    header_finish(&in->scan, &field) == HEADER_FIELD) {
		if (field.known == HEADER_FROM || field.known == HEADER_SENDER)
			*fine = author_judge(in, &field) == 0;
		sign_field(in, &field);
	}
}

static int
owner_of(struct str domain)
{
	for (size_t i = 0; i < NAMES; i++)
		if (str_eq(domain, str_of(names[i].name)) ||
		    (names[i].name[1] == '\xc3' &&
		    str_eq(domain, STR("xn--bcher-kva.test"))))
			return names[i].tenant;
	return NOBODY;
}

static struct dkim_signer signer;

/* Who signs: a slice of the arena, or nobody. */
static struct str
letter_bring(const struct letter *l, struct arena *a, struct arena *scan)
{
	struct intake_core core = { .signer = &signer };
	struct intake in = { .core = &core, .config = house.config, .arena = a,
		.no = { .disposition = DELIVERED },
		.origin = { .sender = STR("ann@one.test"), .listener = STR("mx"),
		    .is_outside = true, .account = l->tenant == NOBODY ? NULL :
		    &accounts[l->tenant] }, .scan_arena = *scan,
		.digest = digest_new(a) };
	bool fine = true;

	must(in.digest != NULL);
	fields_take(&in, buf_str(&l->text), &fine);
	if (fine)
		sign_header_end(&in);
	arena_clear(&in.scan_arena);
	return fine ? in.signing.domain : STR_NONE;
}

static void
test_nobody_gets_anothers(void **unused)
{
	static char room[HEADER];
	struct letter l = { .text = BUF_OF(room) };
	const char *seed = getenv("SEED");
	unsigned is_signed = 0, plain = 0;
	struct arena a, scan;

	(void)unused;
	state = seed != NULL ? strtoull(seed, NULL, 10) : 20261121;
	house.config = house_config(config, "");
	arena_init(&a, 1 << 20);
	arena_init(&scan, 1 << 20);
	for (unsigned i = 0; i < CASES; i++) {
		struct str by;

		letter_make(&l);
		by = letter_bring(&l, &a, &scan);
		if (by.n > 0 && (l.tenant == NOBODY ||
		    owner_of(by) != l.tenant))
			fail_msg("tenant %d is signed for by " STR_FMT ":\n"
			    STR_FMT, l.tenant, STR_ARG(by),
			    STR_ARG(buf_str(&l.text)));
		if (by.n == 0 && l.is_plain)
			fail_msg("tenant %d gets no signature of his own:\n"
			    STR_FMT, l.tenant, STR_ARG(buf_str(&l.text)));
		is_signed += by.n > 0;
		plain += l.is_plain;
		arena_clear(&a);
	}
	assert_true(is_signed > CASES / 4 && is_signed < CASES * 3 / 4);
	assert_true(plain > CASES / 10);
	config_release(house.config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_gets_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
