#include "queue/sentinel.h"

#include "base/must.h"

static bool
class_is_alive(const struct sentinel_class *c, struct mono now)
{
	return c->words[0] != '\0' && mono_is_before(now, mono_add(c->last,
	    SENTINEL_HOURS * 3600 * NS_PER_SECOND));
}

/* The class of these words, or the place for it. */
static struct sentinel_class *
class_find(struct sentinel *s, struct mono now, struct str words)
{
	struct sentinel_class *quiet = &s->classes[0];

	for (size_t i = 0; i < SENTINEL_CLASSES; i++) {
		struct sentinel_class *c = &s->classes[i];

		if (class_is_alive(c, now) &&
		    str_eq(str_of(c->words), words))
			return c;
		if (mono_is_before(c->last, quiet->last) ||
		    (!class_is_alive(c, now) && class_is_alive(quiet, now)))
			quiet = c;
	}
	*quiet = (struct sentinel_class){ .n = 0 };
	must(str_cstr(words, quiet->words, sizeof quiet->words));
	return quiet;
}

static size_t
host_find(const struct sentinel_class *c, uint64_t host)
{
	size_t i = 0;

	while (i < c->n && c->hosts[i] != host)
		i++;
	return i;
}

const struct sentinel_class *
sentinel_note(struct sentinel *s, struct mono now, struct wall wall,
    struct str words, uint64_t host)
{
	struct sentinel_class *c;

	must(host != 0);
	words = str_sub(words, 0, SENTINEL_WORDS - 1);
	if (words.n == 0 || memchr(words.p, '\0', words.n) != NULL)
		return NULL;
	c = class_find(s, now, words);
	c->last = now;
	c->failures++;
	if (c->n == 0) {
		c->since = wall;
		c->told = 0;
	}
	if (host_find(c, host) < c->n || c->n == SENTINEL_KNOWN)
		return NULL;
	c->hosts[c->n++] = host;
	if (c->n < SENTINEL_HOSTS || c->n < 2 * c->told)
		return NULL;
	c->told = c->n;
	return c;
}

void
sentinel_well(struct sentinel *s, uint64_t host)
{
	for (size_t i = 0; i < SENTINEL_CLASSES; i++) {
		struct sentinel_class *c = &s->classes[i];
		size_t at = host_find(c, host);

		if (at < c->n)
			c->hosts[at] = c->hosts[--c->n];
	}
}

bool
sentinel_offer(struct sentinel *s, uint64_t host, bool offers)
{
	uint64_t *place = &s->offered[host % SENTINEL_OFFERED];
	bool did = *place == host;

	must(host != 0);
	if (offers)
		*place = host;
	else if (did)
		*place = 0;		/* told once */
	return did && !offers;
}

const struct sentinel_class *
sentinel_next(const struct sentinel *s, struct mono now, size_t *at)
{
	while (*at < SENTINEL_CLASSES) {
		const struct sentinel_class *c = &s->classes[(*at)++];

		if (c->n > 0 && class_is_alive(c, now))
			return c;
	}
	return NULL;
}
