#include "wire/reason.h"

enum { ANY_DETAIL = 999, SOFT = 0, HARD = 1 };

static const struct reason reasons[] = {
#define REASON(subject, detail, kind, name, what) \
	{ subject, detail, kind, #name, WORDS_why_##name, WORDS_do_##what },
#include "wire/reason.def"
#undef REASON
};

static const struct reason no_reason = { 0, 0, SOFT, "unknown",
	WORDS_why_unknown, WORDS_do_ask_postmaster };
static const struct reason refused = { 0, 0, HARD, "bad_address",
	WORDS_why_bad_address, WORDS_do_check_address };

/* RFC 5321 4.2.3: what servers without enhanced codes say of a mailbox. */
static bool
code_is_of_mailbox(int code)
{
	return code == 550 || code == 551 || code == 553;
}

const struct reason *
reason_find(struct esc e, int code)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (e.class != 0 && e.subject == reasons[i].subject &&
		    (e.detail == reasons[i].detail ||
		    reasons[i].detail == ANY_DETAIL))
			return &reasons[i];
	return code_is_of_mailbox(code) && e.subject == 0 ? &refused :
	    &no_reason;
}

bool
reason_is_hard(const struct reason *r, struct esc e)
{
	return r->can_be_hard && e.class != 2 && e.class != 4;
}

const char *
reason_kind(const struct reason *r, struct esc e)
{
	return reason_is_hard(r, e) ? "hard" : "soft";
}
