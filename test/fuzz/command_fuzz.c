/* Command lines: what passes holds no control character, and what MAIL and RCPT
 * accept lies within the line.  Refusals are replies. */
#include "fuzz.h"
#include "wire/command.h"
#include "wire/xtext.h"

static void
check_refusal(const struct refusal *no)
{
	must(no->name < REFUSALS && no == refusal_get(no->name));
	must(no->code / 100 == no->esc.class);
}

static void
check_xtext(struct str s)
{
	char room[8192];
	struct buf b = BUF_OF(room);

	must(s.n > sizeof room || xtext_decode(s, &b));
}

static void
check_raw(const struct str *raw, uint32_t given, uint32_t offered,
    struct str arg)
{
	must((given & ~offered) == 0);
	for (enum param p = 0; p < PARAMS; p++) {
		bool is_given = (given & UINT32_C(1) << p) != 0;

		must(is_given || raw[p].p == NULL);
		must(fuzz_is_inside(raw[p], arg));
	}
	check_xtext(raw[PARAM_ENVID]);
	check_xtext(raw[PARAM_AUTH]);
}

static void
check_mail(struct str arg, uint32_t offered)
{
	struct mail_params m;
	const struct refusal *no = mail_parse(arg, offered, &m);

	if (no != NULL) {
		check_refusal(no);
		return;
	}
	check_raw(m.raw, m.given, offered, arg);
	must(m.from.is_null || m.from.mailbox.domain.n > 0);
	must(!m.from.mailbox.has_utf8 || m.smtputf8);
}

static void
check_rcpt(struct str arg, uint32_t offered, unsigned flags)
{
	struct rcpt_params r;
	const struct refusal *no = rcpt_parse(arg, offered, flags, &r);

	if (no != NULL) {
		check_refusal(no);
		return;
	}
	check_raw(r.raw, r.given, offered, arg);
	must(r.to.is_postmaster || r.to.mailbox.domain.n > 0);
	must(!r.to.mailbox.has_utf8 || flags != 0);
}

FUZZ(in)
{
	unsigned choice = fuzz_choice(&in);
	unsigned flags = choice & 1u ? MAILBOX_UTF8 : MAILBOX_STRICT;
	uint32_t offered = choice & 2u ? ~UINT32_C(0) :
	    PARAM_BIT(SIZE) | PARAM_BIT(BODY);
	struct command c;
	const struct refusal *no = command_parse(in, flags, &c);

	command_is_foreign(in);
	if (no != NULL)
		check_refusal(no);
	must(no != NULL || (c.verb < VERBS && c.kind != VERB_FOREIGN));
	must(no == NULL || c.kind == VERB_CORE || c.kind == VERB_FOREIGN);
	must(fuzz_is_inside(c.arg, in) && fuzz_is_inside(c.word, in));
	for (size_t i = 0; i < c.arg.n; i++)
		must(c.arg.p[i] < 0 || (c.arg.p[i] >= ' ' &&
		    c.arg.p[i] != 0x7f));
	if (flags == 0)
		must(str_is_ascii(c.arg));
	check_mail(c.arg, offered);
	check_rcpt(c.arg, offered, flags);
}
