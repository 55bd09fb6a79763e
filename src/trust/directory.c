#include "trust/directory.h"

#include "base/buf.h"

enum { FAILURES_MOST = 6, RETRY_MOST_S = 30 };

bool
directory_may_try(struct directory_health *h, struct mono now,
    int64_t probing_ns)
{
	if (h->failures == 0)
		return true;
	if (mono_is_before(now, h->retry_at))
		return false;
	h->retry_at = mono_add(now, probing_ns);
	return true;
}

bool
directory_is_down(const struct directory_health *h)
{
	return h->failures > 0;
}

void
directory_failed(struct directory_health *h, struct mono now, const char *why)
{
	struct buf b = { .p = h->why, .cap = sizeof h->why - 1 };
	int64_t wait_s = INT64_C(1) << h->failures;

	buf_put(&b, str_sub(str_of(why), 0, b.cap));
	h->why[b.n] = '\0';
	h->retry_at = mono_add(now, NS_PER_SECOND *
	    (wait_s < RETRY_MOST_S ? wait_s : RETRY_MOST_S));
	if (h->tell != NULL)
		h->tell(h->arg, h->name, buf_str(&b));
	if (h->failures < FAILURES_MOST)
		h->failures++;
}

void
directory_worked(struct directory_health *h)
{
	if (h->failures > 0 && h->tell != NULL)
		h->tell(h->arg, h->name, STR_NONE);
	h->failures = 0;
}

bool
directory_person_copy(struct arena *a, const struct directory_person *from,
    struct directory_person *to)
{
	*to = *from;
	to->addresses = NULL;
	to->n_addresses = 0;
	if (from->name.n > 0 && (to->name = arena_copy(a, from->name)).p == NULL)
		return false;
	if (from->n_addresses == 0)
		return true;
	to->addresses = arena_alloc(a, from->n_addresses *
	    sizeof *to->addresses);
	for (; to->addresses != NULL && to->n_addresses < from->n_addresses;
	    to->n_addresses++) {
		struct str s = arena_copy(a, from->addresses[to->n_addresses]);

		if (s.p == NULL)
			return false;
		to->addresses[to->n_addresses] = s;
	}
	return to->addresses != NULL;
}
