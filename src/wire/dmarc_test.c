#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/dmarc.h"

#define N DMARC_POLICY_NONE
#define Q DMARC_POLICY_QUARANTINE
#define R DMARC_POLICY_REJECT

/* ---- RFC 9989 4.7 v: which TXT records are one ---- */

static void
test_version(void **state)
{
	static const struct { const char *text; bool is_one; } list[] = {
		{ "v=DMARC1; p=none", true },
		{ "v=DMARC1;p=none", true },
		{ "v=DMARC1;p=none;", true },
		{ "v=DMARC1 \t;\t p = none ; ", true },
		{ "v = DMARC1; p=none", true },
		/* RFC 5234 2.3: the tag's name in any case, DMARC1 is %s */
		{ "V=DMARC1; p=none", true },
		{ "v=dmarc1; p=none", false },
		{ "v=DMARC2; p=none", false },
		{ "v=DMARC1p=none", false },
		{ "v=DMARC1 p=none", false },
		{ "p=none; v=DMARC1", false },
		{ ";v=DMARC1; p=none", false },
		{ "p=none", false },
		{ "v=spf1 -all", false },
		{ "DMARC1; p=none", false },
		{ "v=; p=none", false },
		{ "", false },
	};
	struct dmarc_record r;

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if ((dmarc_read(str_of(list[i].text), &r) == DMARC_RECORD) !=
		    list[i].is_one)
			fail_msg("%s", list[i].text);
	assert_int_equal(dmarc_read(STR("v=DMARC1"), &r), DMARC_NO_POLICY);
	assert_int_equal(dmarc_read(STR("p=none"), &r), DMARC_NO_RECORD);
}

/* ---- p, sp, np (4.7, 4.10.1) ---- */

#define RUA "; rua=mailto:a@b.test"

static void
test_policies(void **state)
{
	static const struct {
		const char *text;
		enum dmarc_reading reading;
		enum dmarc_policy p, sp, np;
	} list[] = {
		{ "p=none", DMARC_RECORD, N, N, N },
		{ "p=quarantine", DMARC_RECORD, Q, Q, Q },
		{ "p=reject", DMARC_RECORD, R, R, R },
		{ "p=REJECT", DMARC_RECORD, R, R, R },
		{ "P=reject", DMARC_RECORD, R, R, R },
		/* order does not matter behind v */
		{ "sp=none; t=n; p=reject", DMARC_RECORD, R, N, N },
		{ "p=none; sp=reject", DMARC_RECORD, N, R, R },
		/* 4.7 np: else sp, else p */
		{ "p=none; np=reject", DMARC_RECORD, N, N, R },
		{ "p=reject; sp=quarantine; np=none", DMARC_RECORD, R, Q, N },
		{ "p=reject; sp=quarantine", DMARC_RECORD, R, Q, Q },
		/* 4.10.1: no valid p, or an sp or np that is not valid */
		{ "adkim=r", DMARC_NO_POLICY, N, N, N },
		{ "adkim=r" RUA, DMARC_RECORD, N, N, N },
		{ "p=none of it", DMARC_NO_POLICY, N, N, N },
		{ "p=rejects" RUA, DMARC_RECORD, N, N, N },
		{ "p=" RUA, DMARC_RECORD, N, N, N },
		{ "p", DMARC_NO_POLICY, N, N, N },
		{ "p=reject; sp=x", DMARC_NO_POLICY, N, N, N },
		{ "p=reject; sp=x" RUA, DMARC_RECORD, N, N, N },
		{ "p=reject; np=x; sp=reject" RUA, DMARC_RECORD, N, N, N },
		{ "p=x; sp=reject" RUA, DMARC_RECORD, N, N, N },
		/* ... a URI that is valid */
		{ "rua=a@b.test", DMARC_NO_POLICY, N, N, N },
		{ "rua=", DMARC_NO_POLICY, N, N, N },
		{ "rua=a@b.test,mailto:a@b.test", DMARC_RECORD, N, N, N },
		{ "rua=https://b.test/dmarc", DMARC_RECORD, N, N, N },
		{ "ruf=mailto:a@b.test", DMARC_NO_POLICY, N, N, N },
		/* 4.8: errors in the rest are passed over */
		{ "p=reject; what is that", DMARC_RECORD, R, R, R },
		{ "p=reject; x-y=z; foo=bar=baz;; ;", DMARC_RECORD, R, R, R },
		{ "p=reject; p=none", DMARC_RECORD, R, R, R },
		{ "=reject; p=none", DMARC_RECORD, N, N, N },
		/* RFC 7489's tags are historic (9.3) */
		{ "p=reject; pct=0; rf=afrf; ri=86400", DMARC_RECORD, R, R, R },
		{ "p=reject; pct=abc; ri=-1", DMARC_RECORD, R, R, R },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		char room[200];
		struct buf b = BUF_OF(room);
		struct dmarc_record r;

		buf_printf(&b, "v=DMARC1; %s", list[i].text);
		if (dmarc_read(buf_str(&b), &r) != list[i].reading ||
		    r.p != list[i].p || r.sp != list[i].sp ||
		    r.np != list[i].np)
			fail_msg("%s: %d %d %d", list[i].text, r.p, r.sp, r.np);
		assert_true(str_eq(r.text, buf_str(&b)));
	}
}

/* ---- the other tags ---- */

static void
test_modes(void **state)
{
	static const struct {
		const char *text;
		bool dkim, spf, is_testing;
		enum dmarc_psd psd;
		unsigned fo;
	} list[] = {
		{ "", false, false, false, DMARC_PSD_U, DMARC_FO_0 },
		{ "; adkim=s", true, false, false, DMARC_PSD_U, DMARC_FO_0 },
		{ "; aspf=S", false, true, false, DMARC_PSD_U, DMARC_FO_0 },
		{ "; adkim=x; aspf=strict; t=yes; psd=maybe", false, false,
		    false, DMARC_PSD_U, DMARC_FO_0 },
		{ "; t=y; psd=y", false, false, true, DMARC_PSD_Y, DMARC_FO_0 },
		{ "; psd=N; t=n", false, false, false, DMARC_PSD_N, DMARC_FO_0 },
		{ "; psd=u", false, false, false, DMARC_PSD_U, DMARC_FO_0 },
		/* 4.7 fo: nothing without ruf */
		{ "; fo=1", false, false, false, DMARC_PSD_U, DMARC_FO_0 },
		{ "; fo=1; ruf=mailto:a@b.test", false, false, false,
		    DMARC_PSD_U, DMARC_FO_1 },
		{ "; ruf=mailto:a@b.test; fo=0:d:s", false, false, false,
		    DMARC_PSD_U, DMARC_FO_0 | DMARC_FO_D | DMARC_FO_S },
		{ "; ruf=mailto:a@b.test; fo=d", false, false, false,
		    DMARC_PSD_U, DMARC_FO_D },
		{ "; ruf=mailto:a@b.test; fo=s:1", false, false, false,
		    DMARC_PSD_U, DMARC_FO_S | DMARC_FO_1 },
		/* wrong ones are the default */
		{ "; ruf=mailto:a@b.test; fo=0:1", false, false, false,
		    DMARC_PSD_U, DMARC_FO_0 },
		{ "; ruf=mailto:a@b.test; fo=d:d", false, false, false,
		    DMARC_PSD_U, DMARC_FO_0 },
		{ "; ruf=mailto:a@b.test; fo=1:x", false, false, false,
		    DMARC_PSD_U, DMARC_FO_0 },
		{ "; ruf=mailto:a@b.test; fo=", false, false, false,
		    DMARC_PSD_U, DMARC_FO_0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		char room[200];
		struct buf b = BUF_OF(room);
		struct dmarc_record r;

		buf_printf(&b, "v=DMARC1; p=none%s", list[i].text);
		assert_int_equal(dmarc_read(buf_str(&b), &r), DMARC_RECORD);
		if (r.is_strict_dkim != list[i].dkim ||
		    r.is_strict_spf != list[i].spf ||
		    r.is_testing != list[i].is_testing ||
		    r.psd != list[i].psd || r.fo != list[i].fo)
			fail_msg("%s", list[i].text);
	}
}

/* ---- URIs (4.6, 4.8) ---- */

static void
test_uris(void **state)
{
	/* The mailboxes, with '|' between; "-": another scheme,
	 * "!": no mailbox. */
	static const struct { const char *list, *mailboxes; } list[] = {
		{ "mailto:a@b.test", "a@b.test" },
		{ "MAILTO:a@b.test", "a@b.test" },
		{ " mailto:a@b.test , mailto:c@d.test ", "a@b.test|c@d.test" },
		{ "mailto:a@b.test!10m,mailto:c@d.test!50", "a@b.test|c@d.test" },
		{ "mailto:a@b.test!10x", "" },
		{ "mailto:a!b@b.test", "" },
		{ "mailto:a%21b@b.test!1g", "a!b@b.test" },
		{ "mailto:a%2cb@b.test", "!" },	/* no atom in RFC 5321 */
		{ "mailto:%22a%2cb%22@b.test", "\"a,b\"@b.test" },
		{ "mailto:a%2@b.test,mailto:c@d.test", "c@d.test" },
		{ "mailto:a%zz@b.test", "" },
		{ "mailto:a@b.test?subject=x", "a@b.test" },
		{ "mailto:a b@b.test", "" },
		{ "mailto:a", "!" },
		{ "mailto:a@[192.0.2.1]", "!" },
		{ "mailto:?to=a@b.test", "!" },
		{ "mailto:", "" },
		{ "a@b.test", "" },
		{ "https://b.test/x,mailto:a@b.test", "-|a@b.test" },
		{ "1a:b,:c,x:y", "-" },
		{ ",,,", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		char room[300];
		struct buf b = BUF_OF(room);
		struct str rest = str_of(list[i].list), domain;
		struct dmarc_uri uri;

		while (dmarc_uri_next(&rest, &uri)) {
			size_t at;

			if (b.n > 0)
				buf_putc(&b, '|');
			at = b.n;
			if (uri.mailbox.p == NULL)
				buf_putc(&b, '-');
			else if (!dmarc_uri_mailbox(&uri, &b, &domain)) {
				b.n = at;
				buf_putc(&b, '!');
			} else
				assert_true(str_has_suffix_icase(buf_str(&b),
				    domain));
		}
		if (b.full || !str_eq(buf_str(&b), str_of(list[i].mailboxes)))
			fail_msg("%s: " STR_FMT, list[i].list,
			    STR_ARG(buf_str(&b)));
	}
}

static void
test_sizes(void **state)
{
	static const struct { const char *list; uint64_t most; } list[] = {
		{ "mailto:a@b.test", 0 },
		{ "mailto:a@b.test!50", 50 },
		{ "mailto:a@b.test!10m", 10 << 20 },
		{ "mailto:a@b.test!3K", 3 << 10 },
		{ "mailto:a@b.test!2g", UINT64_C(2) << 30 },
		{ "mailto:a@b.test!1t", UINT64_C(1) << 40 },
		{ "mailto:a@b.test!16777215t", UINT64_C(16777215) << 40 },
		{ "mailto:a@b.test!16777216t", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		struct str rest = str_of(list[i].list);
		struct dmarc_uri uri;

		assert_true(dmarc_uri_next(&rest, &uri));
		assert_int_equal(uri.most, list[i].most);
		assert_true(str_eq(uri.mailbox, STR("a@b.test")));
	}
}

static void
test_mailbox_needs_room(void **state)
{
	char room[8];
	struct buf fits = BUF_OF(room), small = { room, 0, 7, false };
	struct str list = STR("mailto:a@b.test"), domain;
	struct dmarc_uri uri;

	(void)state;
	assert_true(dmarc_uri_next(&list, &uri));
	assert_true(dmarc_uri_mailbox(&uri, &fits, &domain));
	assert_false(dmarc_uri_mailbox(&uri, &small, &domain));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_mailbox_needs_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
