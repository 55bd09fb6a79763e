#include "trust/dkim_published.h"

#include "base/err.h"
#include "base/must.h"
#include "trust/json_in.h"
#include "wire/base64.h"

#include <time.h>

static const char *const state_names[DKIM_STATES] = { "next", "active",
	"retiring" };
static const char *const seen_names[DKIM_SEENS] = { "unasked", "seen",
	"missing", "other", "unknown" };

const char *
dkim_state_name(enum dkim_state state)
{
	must(state < DKIM_STATES);
	return state_names[state];
}

static const char *
dkim_seen_name(enum dkim_seen seen)
{
	must(seen < DKIM_SEENS);
	return seen_names[seen];
}

/* RFC 6376 3.6.1; h= and s= are left at their defaults: fewer octets, and
 * nothing that can be wrong. */
void
dkim_record_put(struct buf *b, enum dkim_algorithm algorithm, struct str key)
{
	buf_printf(b, "v=DKIM1; k=%s; p=", algorithm == DKIM_ED25519_SHA256 ?
	    "ed25519" : "rsa");
	base64_encode(key, b);
}

void
dkim_published_put(struct json *j, const struct dkim_published *k)
{
	json_put_object(j, NULL);
	json_put_str(j, "domain", k->domain);
	json_put_str(j, "selector", k->selector);
	json_put_str(j, "algorithm", str_of(dkim_algorithm_name(k->algorithm)));
	json_put_u64(j, "bits", k->bits);
	json_put_str(j, "state", str_of(dkim_state_name(k->state)));
	json_put_wall(j, "made_at", k->made);
	json_put_wall(j, "since", k->since);
	json_put_str(j, "name", k->name);
	json_put_str(j, "text", k->text);
	json_put_str(j, "dns", str_of(dkim_seen_name(k->seen)));
	if (k->asked.us > 0)
		json_put_wall(j, "asked_at", k->asked);
	json_end_object(j);
}

/* ---- reading ---- */

/* Which of the names it is; n: none. */
static unsigned
word_index(struct str word, const char *const *names, unsigned n)
{
	unsigned i = 0;

	while (i < n && !str_eq(word, str_of(names[i])))
		i++;
	return i;
}

static bool
algorithm_read(struct str word, enum dkim_algorithm *out)
{
	*out = str_eq(word, str_of(dkim_algorithm_name(DKIM_ED25519_SHA256))) ?
	    DKIM_ED25519_SHA256 : DKIM_RSA_SHA256;
	return str_eq(word, str_of(dkim_algorithm_name(*out)));
}

/* n digits at that place. */
static int
digits_at(struct str s, size_t at, size_t n)
{
	uint64_t v = 0;

	return parse_u64(str_sub(s, at, n), 9999, &v) ? (int)v : 0;
}

/* As json_put_wall() writes it, to the second; 1970 when it is not there. */
static struct wall
time_read(const json_t *o, const char *name)
{
	struct str s = json_word(o, name);
	struct tm tm = { .tm_year = digits_at(s, 0, 4) - 1900,
		.tm_mon = digits_at(s, 5, 2) - 1, .tm_mday = digits_at(s, 8, 2),
		.tm_hour = digits_at(s, 11, 2), .tm_min = digits_at(s, 14, 2),
		.tm_sec = digits_at(s, 17, 2) };

	return s.n < 20 ? (struct wall){ 0 } :
	    (struct wall){ (int64_t)timegm(&tm) * US_PER_SECOND };
}

static bool
published_read(const json_t *o, struct arena *a, struct dkim_published *k)
{
	unsigned state = word_index(json_word(o, "state"), state_names,
	    DKIM_STATES);
	unsigned seen = word_index(json_word(o, "dns"), seen_names, DKIM_SEENS);
	json_int_t bits = json_integer_value(json_object_get(o, "bits"));

	*k = (struct dkim_published){
		.domain = arena_copy(a, json_word(o, "domain")),
		.selector = arena_copy(a, json_word(o, "selector")),
		.name = arena_copy(a, json_word(o, "name")),
		.text = arena_copy(a, json_word(o, "text")),
		.bits = bits > 0 && bits < 65536 ? (unsigned)bits : 0,
		.made = time_read(o, "made_at"), .since = time_read(o, "since"),
		.asked = time_read(o, "asked_at"),
		.state = (enum dkim_state)state, .seen = (enum dkim_seen)seen };
	return state < DKIM_STATES && seen < DKIM_SEENS && k->domain.n > 0 &&
	    k->selector.n > 0 && k->name.n > 0 && k->text.n > 0 &&
	    algorithm_read(json_word(o, "algorithm"), &k->algorithm);
}

static int
keys_read(const json_t *keys, struct arena *a, struct dkim_published **out,
    size_t *n)
{
	size_t most = json_array_size(keys);

	*out = arena_alloc(a, (most + 1) * sizeof **out);
	if (*out == NULL)
		return err_set("no memory for keys");
	for (*n = 0; *n < most; ++*n)
		if (!published_read(json_array_get(keys, *n), a, &(*out)[*n]))
			return err_set("key %zu makes no sense", *n);
	return 0;
}

int
dkim_published_read(struct str text, struct arena *a,
    struct dkim_published **out, size_t *n)
{
	json_t *o = json_read(text);
	const json_t *keys = json_object_get(o, "keys");
	int rc = keys_read(keys, a, out, n);

	if (rc == 0 && !json_is_array(keys))
		rc = err_set("no list of keys");
	json_decref(o);
	return rc;
}
