/*
 * STATE     left by               what is true of a fact
 * KNOWN     another is found      value is what was told last, pending is 0
 * DOUBTED   found again, or not   pending was found once instead
 *
 * What is found a second time is told, and is the value from then on.
 */
#include "policy/dns_state.h"

#include "base/hash.h"
#include "base/must.h"
#include "base/num.h"
#include "policy/records.h"

static const struct str head = STR_INIT("nightmail-dns 1 ");

/* ---- text ---- */

static bool
hex_read(struct str s, uint64_t *out)
{
	*out = 0;
	if (s.n == 0 || s.n > 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
		*out = *out << 4 | (uint64_t)(ascii_is_digit(c) ? c - '0' :
		    c - 'a' + 10);
	}
	return true;
}

static bool
topic_read(struct str s, enum record_topic *out)
{
	for (unsigned t = 0; t < RECORD_TOPICS; t++)
		if (str_eq(s, str_of(record_topic_word((enum record_topic)t)))) {
			*out = (enum record_topic)t;
			return true;
		}
	return false;
}

static bool
mark_read(struct str s, enum finding_mark *out)
{
	for (unsigned m = 0; m < FINDING_MARKS; m++)
		if (str_eq(s, str_of(finding_mark_word((enum finding_mark)m)))) {
			*out = (enum finding_mark)m;
			return true;
		}
	return false;
}

static bool
fact_read(struct str line, struct dns_fact *f)
{
	uint64_t part;

	if (!topic_read(str_cut(&line, ' '), &f->topic) ||
	    !parse_u64(str_cut(&line, ' '), UINT16_MAX, &part) ||
	    !mark_read(str_cut(&line, ' '), &f->mark) ||
	    !hex_read(str_cut(&line, ' '), &f->value) ||
	    !hex_read(str_cut(&line, ' '), &f->pending))
		return false;
	f->part = (unsigned)part;
	f->name = line;
	return line.n > 0 && str_is_printable(line);
}

bool
dns_state_read(struct str text, struct dns_state *out)
{
	struct str first = str_cut(&text, '\n');
	uint64_t seconds;

	*out = (struct dns_state){ .n = 0 };
	if (!str_skip(&first, head) ||
	    !parse_u64(first, INT64_MAX / US_PER_SECOND, &seconds))
		return false;
	while (text.n > 0) {
		if (out->n == FINDINGS_MOST ||
		    !fact_read(str_cut(&text, '\n'), &out->v[out->n])) {
			out->n = 0;
			return false;
		}
		out->n++;
	}
	out->at = (struct wall){ (int64_t)seconds * US_PER_SECOND };
	return true;
}

void
dns_state_print(const struct dns_state *s, struct buf *b)
{
	buf_printf(b, STR_FMT "%lld\n", STR_ARG(head),
	    (long long)(s->at.us / US_PER_SECOND));
	for (size_t i = 0; i < s->n; i++) {
		const struct dns_fact *f = &s->v[i];

		buf_printf(b, "%s %u %s %llx %llx " STR_FMT "\n",
		    record_topic_word(f->topic), f->part,
		    finding_mark_word(f->mark), (unsigned long long)f->value,
		    (unsigned long long)f->pending, STR_ARG(f->name));
	}
}

/* ---- following ---- */

/* Not what is said of it: words may change with our version. */
static uint64_t
value_of(const struct finding *f)
{
	struct hash_key key = { (uint64_t)f->mark + 1, 53 };
	uint64_t h = hash_bytes(key, f->found);

	return h == 0 ? 1 : h;
}

static const struct dns_fact *
fact_find(const struct dns_state *s, const struct finding *f)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].topic == f->topic && s->v[i].part == f->part &&
		    str_eq(s->v[i].name, f->name))
			return &s->v[i];
	return NULL;
}

/* What is well, or is the first that is known and not wrong, needs no word. */
static struct dns_fact
fact_begin(const struct finding *f, bool is_first)
{
	bool is_quiet = f->mark == MARK_WELL ||
	    (is_first && f->mark != MARK_WRONG);

	return (struct dns_fact){ .topic = f->topic, .part = f->part,
		.name = f->name, .mark = is_quiet ? f->mark : MARK_WELL,
		.value = is_quiet ? value_of(f) : 0,
		.pending = is_quiet ? 0 : value_of(f) };
}

/* True: it is told now. */
static bool
fact_follow(struct dns_fact *fact, const struct finding *f)
{
	uint64_t value = value_of(f);

	/* what was never told, and is well again, stays untold */
	if (fact->value == value || (fact->value == 0 &&
	    f->mark == MARK_WELL)) {
		fact->value = value;
		fact->pending = 0;
		return false;
	}
	if (fact->pending != value) {
		fact->pending = value;
		return false;
	}
	fact->value = value;
	fact->pending = 0;
	fact->mark = f->mark;
	return true;
}

/* What was not looked at now, because the DNS did not answer, stays. */
static void
rest_keep(const struct dns_state *before, struct dns_state *next)
{
	for (size_t i = 0; i < before->n && next->n < FINDINGS_MOST; i++) {
		const struct dns_fact *old = &before->v[i];
		bool is_there = false;

		for (size_t k = 0; k < next->n; k++)
			is_there = is_there || (next->v[k].topic == old->topic &&
			    next->v[k].part == old->part &&
			    str_eq(next->v[k].name, old->name));
		if (!is_there)
			next->v[next->n++] = *old;
	}
}

size_t
dns_state_follow(const struct dns_state *before, const struct dns_report *r,
    struct wall at, struct dns_state *next, struct dns_change *changes)
{
	bool is_first = before->at.us == 0;
	size_t n = 0;

	*next = (struct dns_state){ .at = at };
	for (size_t i = 0; i < r->n; i++) {
		const struct finding *f = &r->v[i];
		const struct dns_fact *old = fact_find(before, f);
		struct dns_fact fact;

		must(next->n < FINDINGS_MOST);
		if (f->mark == MARK_UNKNOWN)
			continue;
		fact = old == NULL ? fact_begin(f, is_first) : *old;
		if (old != NULL && fact_follow(&fact, f))
			changes[n++] = (struct dns_change){ f, old->mark,
			    old->value == 0 };
		next->v[next->n++] = fact;
	}
	if (r->marks[MARK_UNKNOWN] > 0)
		rest_keep(before, next);
	return n;
}

bool
dns_state_is_open(const struct dns_state *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].pending != 0)
			return true;
	return false;
}

unsigned
dns_state_wrong(const struct dns_state *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].mark == MARK_WRONG;
	return n;
}
