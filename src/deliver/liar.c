#include "deliver/liar.h"

#include "base/must.h"
#include "wire/reply.h"

static bool
is_same(const struct address *a, const struct address *b)
{
	if (a->family == ADDRESS_UNIX && b->family == ADDRESS_UNIX)
		return str_eq(str_of(a->of.path), str_of(b->of.path));
	return a->port == b->port && address_eq_ip(a, b);
}

static bool
liar_is(const struct liar *l, struct mono now, const struct address *a)
{
	return l->bits != 0 && mono_is_before(now, l->until) &&
	    is_same(&l->address, a);
}

/* What of it is forgiven already. */
static uint32_t
liar_over(const struct liar *l, struct mono now)
{
	return mono_is_before(now, l->clear_until) ? 0 :
	    CAPABILITY_BIT(STARTTLS);
}

void
liar_note(struct liars *list, struct mono now, const struct address *a,
    uint32_t bits)
{
	struct liar *place = &list->v[0];
	bool is_clear = (bits & CAPABILITY_BIT(STARTTLS)) != 0;
	struct mono clear_until = { 0 };

	must(a->family != ADDRESS_NONE);
	if (bits == 0)
		return;
	for (size_t i = 0; i < LIARS_MOST; i++) {
		struct liar *l = &list->v[i];

		if (liar_is(l, now, a)) {
			bits |= l->bits & ~liar_over(l, now);
			clear_until = l->clear_until;
			place = l;
			break;
		}
		if (mono_is_before(l->until, place->until))
			place = l;
	}
	if (is_clear)
		clear_until = mono_add(now, LIAR_CLEAR_HOURS * 3600 *
		    NS_PER_SECOND);
	*place = (struct liar){ .address = *a, .bits = bits,
		.until = mono_add(now, LIAR_HOURS * 3600 * NS_PER_SECOND),
		.clear_until = clear_until };
}

uint32_t
liar_recall(const struct liars *list, struct mono now,
    const struct address *a)
{
	for (size_t i = 0; i < LIARS_MOST; i++)
		if (liar_is(&list->v[i], now, a))
			return list->v[i].bits & ~liar_over(&list->v[i], now);
	return 0;
}
