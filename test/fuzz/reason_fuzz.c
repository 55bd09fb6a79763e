/* Why mail failed: every code that a server may say has a reason, the same each
 * time, with words. */
#include "fuzz.h"
#include "wire/reason.h"
#include "wire/refusal.h"

FUZZ(in)
{
	struct esc esc = { 0 };
	const struct reason *r;
	const char *kind;
	int code = (int)(fuzz_choice(&in) * 4);

	esc.class = (unsigned char)fuzz_choice(&in);
	esc.subject = (unsigned short)(fuzz_choice(&in) * 256 + fuzz_choice(&in));
	esc.detail = (unsigned short)(fuzz_choice(&in) * 256 + fuzz_choice(&in));
	r = reason_find(esc, code);
	must(r != NULL && r->name[0] != '\0' && r == reason_find(esc, code));
	kind = reason_kind(r, esc);
	must(reason_is_hard(r, esc) == (str_eq(str_of(kind), STR("hard"))));
	must(!reason_is_hard(r, esc) || (r->can_be_hard && esc.class != 4));
	for (int i = 0; i < REFUSALS; i++)
		must(reason_find(refusal_get((enum refusal_name)i)->esc,
		    refusal_get((enum refusal_name)i)->code) != NULL);
}
