#include "wire/reason.h"

#include "base/must.h"

enum { ANY_DETAIL = 999, SOFT = 0, HARD = 1 };

static const struct reason classes[REASON_CLASSES] = {
#define CLASS(name, kind, why, what, about) [REASON_##name] = { \
	REASON_##name, kind, #name, WORDS_why_##why, WORDS_do_##what, about },
#include "wire/reason_class.def"
#undef CLASS
};

static const struct {
	unsigned short subject, detail;
	enum reason_class class;
} codes[] = {
#define REASON(subject, detail, class) { subject, detail, REASON_##class },
#include "wire/reason.def"
#undef REASON
};

const struct reason *
reason_get(enum reason_class c)
{
	must(c > REASON_UNSAID && c < REASON_CLASSES);
	return &classes[c];
}

const struct reason *
reason_named(struct str name)
{
	for (size_t i = REASON_UNSAID + 1; i < REASON_CLASSES; i++)
		if (str_eq(name, str_of(classes[i].name)))
			return &classes[i];
	return NULL;
}

/* RFC 5321 4.2.3: what servers without enhanced codes say of a mailbox. */
static bool
code_is_of_mailbox(int code)
{
	return code == 550 || code == 551 || code == 553;
}

const struct reason *
reason_find(struct esc e, int code)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (e.class != 0 && e.subject == codes[i].subject &&
		    (e.detail == codes[i].detail ||
		    codes[i].detail == ANY_DETAIL))
			return &classes[codes[i].class];
	return &classes[code_is_of_mailbox(code) && e.subject == 0 ?
	    REASON_bad_address : REASON_unknown];
}

const struct reason *
reason_of(const struct verdict *v)
{
	return v->reason != REASON_UNSAID ?
	    reason_get((enum reason_class)v->reason) :
	    reason_find(v->esc, v->code);
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
