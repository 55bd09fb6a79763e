#include "deliver/throttle.h"

#include "base/must.h"

static const struct {
	enum pace_said said;
	struct str words;
} rows[] = {
#define THROTTLE(said, words) { PACE_##said, STR_INIT(words) },
#include "deliver/throttle.def"
#undef THROTTLE
};

/* Gmail's 4.7.28 is about nothing else; what its texts say changes. */
static bool
esc_is_rate(struct esc e)
{
	return e.class == 4 && e.subject == 7 && e.detail == 28;
}

static bool
text_has(struct str text, struct str words)
{
	for (; text.n >= words.n; text = str_sub(text, 1, text.n))
		if (str_has_prefix_icase(text, words))
			return true;
	return false;
}

enum pace_said
throttle_of(const struct verdict *v)
{
	must(v->code >= 0);
	if (v->code == 0 && v->disposition != DELIVERED)
		return PACE_LOST;
	if (v->disposition != DEFERRED || v->code >= 500)
		return PACE_ANSWERED;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (text_has(str_of(v->text), rows[i].words))
			return rows[i].said;
	return esc_is_rate(v->esc) ? PACE_SLOWER : PACE_ANSWERED;
}
