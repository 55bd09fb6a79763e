#include "policy/bounce_rules.h"

#include "base/must.h"
#include "wire/disposition.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { BITS = 2 * BOUNCE_RULES_MOST / 64 + 1, HOST_MOST = 256,
	MATCH_DEPTH = 100, BOUNCE_OVERLAP = PHRASE_MOST };

/* ---- providers ---- */

/* "*.example.org" is example.org, too. */
static bool
host_fits(struct str pattern, struct str host)
{
	if (!str_skip(&pattern, STR("*.")))
		return str_eq_icase(pattern, host);
	return str_eq_icase(pattern, host) ||
	    (host.n > pattern.n && host.p[host.n - pattern.n - 1] == '.' &&
	    str_has_suffix_icase(host, pattern));
}

static const struct bounce_provider *
provider_of(const struct bounce_rules *r, struct str host)
{
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	if (host.n == 0 || host.n > HOST_MOST)
		return NULL;
	for (size_t i = 0; i < r->n_providers; i++) {
		const struct bounce_provider *p = &r->providers[i];

		if (str_eq_icase(p->name, host))
			return p;
		for (size_t k = 0; k < p->n_hosts; k++)
			if (host_fits(p->hosts[k], host))
				return p;
	}
	return NULL;
}

/* "mx.example.org (TCP|192.0.2.1|25)" is mx.example.org. */
static const struct bounce_provider *
provider_of_reply(const struct bounce_rules *r, const struct bounce_reply *reply)
{
	struct str host = reply->host;
	const struct bounce_provider *p;

	host = str_trim(str_cut(&host, ' '));
	p = provider_of(r, host);
	return p != NULL ? p : provider_of(r, reply->domain);
}

/* ---- a rule ---- */

static bool
code_fits(const struct bounce_rule *r, int code)
{
	for (size_t i = 0; i < r->n_codes; i++)
		if (code >= r->codes[i].least && code <= r->codes[i].most)
			return true;
	return r->n_codes == 0;
}

static bool
number_fits(unsigned wanted, unsigned is)
{
	return wanted == BOUNCE_ANY || wanted == is;
}

static bool
esc_fits(const struct bounce_rule *r, struct esc e)
{
	for (size_t i = 0; i < r->n_escs; i++) {
		const struct bounce_esc *w = &r->escs[i];

		if (e.class != 0 && number_fits(w->class, e.class) &&
		    number_fits(w->subject, e.subject) &&
		    number_fits(w->detail, e.detail))
			return true;
	}
	return r->n_escs == 0;
}

static bool
expression_fits(const struct bounce_rule *r, struct str plain)
{
	pcre2_match_data *data;
	pcre2_match_context *limits;
	int rc = PCRE2_ERROR_NOMEMORY;

	if (r->expression == NULL)
		return true;
	data = pcre2_match_data_create(1, NULL);
	limits = pcre2_match_context_create(NULL);
	if (data != NULL && limits != NULL) {
		(void)pcre2_set_match_limit(limits, BOUNCE_MATCH_LIMIT);
		(void)pcre2_set_depth_limit(limits, MATCH_DEPTH);
		(void)pcre2_set_heap_limit(limits, BOUNCE_MATCH_HEAP);
		rc = pcre2_match(r->expression, (PCRE2_SPTR)plain.p, plain.n,
		    0, 0, data, limits);
	}
	pcre2_match_context_free(limits);
	pcre2_match_data_free(data);
	return rc >= 0;
}

static bool
rule_fits(const struct bounce_rules *rs, size_t i, const uint64_t *bits,
    const struct bounce_provider *p, const struct bounce_reply *reply,
    struct str plain)
{
	const struct bounce_rule *r = &rs->v[i];

	must(i < rs->n);
	return (r->provider == NULL || r->provider == p) &&
	    (r->phases == 0 || (r->phases >> reply->phase & 1) != 0) &&
	    !(r->has_unless && bit_is_set(bits, 2 * (unsigned)i + 1)) &&
	    code_fits(r, reply->code) && esc_fits(r, reply->esc) &&
	    expression_fits(r, plain);
}

/* Bits of rules that might fit, lowest first. */
static const struct bounce_rule *
rules_ask(const struct bounce_rules *rs, const struct bounce_provider *p,
    const struct bounce_reply *reply, struct str plain)
{
	static const uint64_t texts = 0x5555555555555555u;
	uint64_t bits[BITS] = { 0 };

	memcpy(bits, rs->bare, (2 * rs->n + 63) / 64 * sizeof *bits);
	phrases_find(rs->phrases, plain, bits);
	for (size_t w = 0; w * 32 < rs->n; w++)
		for (uint64_t left = bits[w] & texts; left != 0;
		    left &= left - 1) {
			size_t i = w * 32 +
			    (size_t)__builtin_ctzll(left) / 2;

			if (rule_fits(rs, i, bits, p, reply, plain))
				return &rs->v[i];
		}
	return NULL;
}

/* ---- a reply ---- */

struct bounce_judged
bounce_judge(const struct bounce_rules *own, const struct bounce_reply *reply)
{
	const struct bounce_rules *both[] = { own, bounce_rules_builtin() };
	struct bounce_judged j = { 0 };
	char room[BOUNCE_TEXT];
	struct buf plain = BUF_OF(room);

	buf_putc(&plain, ' ');
	phrase_plain(reply->text, &plain);
	buf_putc(&plain, ' ');
	for (size_t i = 0; i < 2 && j.rule == NULL; i++) {
		const struct bounce_provider *p;

		if (both[i] == NULL)
			continue;
		p = provider_of_reply(both[i], reply);
		if (j.provider == NULL)
			j.provider = p;
		j.rule = rules_ask(both[i], p, reply, buf_str(&plain));
	}
	j.reason = j.rule != NULL ? reason_get(j.rule->class) :
	    reason_find(reply->esc, reply->code);
	return j;
}

/* Piece by piece: the codes are the reply's, and were looked at. */
static struct bounce_judged
words_judge(const struct bounce_rules *own, struct bounce_reply reply,
    struct str words)
{
	struct bounce_judged j = { 0 };

	for (; words.n > 0 && j.rule == NULL; words = str_sub(words,
	    BOUNCE_TEXT - BOUNCE_OVERLAP, words.n)) {
		reply.text = str_sub(words, 0, BOUNCE_TEXT - 2);
		j = bounce_judge(own, &reply);
	}
	return j;
}

/* Who writes of his own users knows them: his rules are held against all that
 * he writes. */
static struct bounce_judged
report_judge(const struct bounce_rules *own, const struct bounce *b,
    const struct bounce_reply *reply)
{
	size_t at = str_find_last(b->reporter, '@');
	struct bounce_reply about = *reply;
	struct bounce_judged none = { 0 }, j, by;

	about.host = about.text = STR_NONE;
	j = bounce_judge(own, &about);
	about.domain = at < b->reporter.n ? str_sub(b->reporter, at + 1,
	    b->reporter.n) : b->reporter;
	by = bounce_judge(own, &about);
	if (j.provider == NULL || by.provider != j.provider)
		return none;
	j = words_judge(own, *reply, b->words);
	return j.rule != NULL && j.rule->provider == by.provider ? j : none;
}

struct bounce_judged
bounce_judge_told(const struct bounce_rules *own, const struct bounce *b,
    const struct bounce_told *t)
{
	size_t at = str_find_last(t->address, '@');
	struct bounce_reply reply = { t->remote, str_sub(t->address, at + 1,
	    t->address.n), t->phase, t->code, t->esc, t->reply };
	struct bounce_judged j = report_judge(own, b, &reply), all;

	if (j.rule != NULL)
		return j;
	j = bounce_judge(own, &reply);
	if (j.rule != NULL || j.reason->class != REASON_unknown)
		return j;
	all = words_judge(own, reply, b->words);
	return all.rule != NULL ? all : j;
}

void
bounce_judge_verdict(const struct bounce_rules *own, struct str host,
    struct verdict *v)
{
	struct bounce_reply reply = { host, STR_NONE, BOUNCE_RCPT, v->code,
		v->esc, str_of(v->text) };

	must(v->disposition != DELIVERED);
	v->reason = (unsigned char)bounce_judge(own, &reply).reason->class;
}

const struct reason *
bounce_judge_said(const struct bounce_rules *own, struct str said)
{
	struct bounce_reply reply = { .phase = BOUNCE_RCPT };
	size_t at = str_find_str(said, STR("] said: "));

	if (!str_has_prefix_icase(said, STR("host ")) || at == said.n)
		return NULL;
	reply.host = str_sub(said, 5, str_find(said, '[') - 5);
	reply.text = str_sub(said, at + 8, said.n);
	bounce_reply_codes(reply.text, &reply.code, &reply.esc);
	return bounce_judge(own, &reply).reason;
}
