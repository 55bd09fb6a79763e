#include "wire/refusal.h"

#include "base/must.h"

static const struct refusal refusals[] = {
#define REFUSAL(name, code, class, subject, detail, text) \
	{ REFUSAL_##name, code, { class, subject, detail }, text },
#include "wire/refusal.def"
#undef REFUSAL
};

const struct refusal *
refusal_get(enum refusal_name name)
{
	must(name < REFUSALS);
	return &refusals[name];
}
