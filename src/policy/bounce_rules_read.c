/*
 * The form of a file, and of the table that is built in:
 *
 *	rules:				those of everybody
 *	  - class: too_fast		wire/reason_class.def
 *	    text: [ "slow down" ]	one of these phrases stands in it
 *	    unless: [ "..." ]		and none of these
 *	    code: [ 421, 45x ]		one of these codes
 *	    enhanced: [ 4.7.*, "*.5.3" ]
 *	    phase: [ data ]		the command it was said to: connect, helo,
 *					mail, rcpt, data, unsaid
 *	    expression: 'limit of [0-9]+'
 *	    guess: yes			nobody said so, it was seen
 *	providers:
 *	  NAME:
 *	    hosts: [ "*.example.org" ]	its MX hosts, and domains
 *	    source: where its rules come from
 *	    known: 2026-11
 *	    rules: [ ... ]		asked before the others
 */
#include "policy/bounce_rules.h"

#include "base/must.h"
#include "base/near.h"
#include "base/num.h"
#include "policy/yaml.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

enum { NEST_MOST = 20, BUILTIN_MOST = 32 * 1024 * 1024 };

extern const char bounce_rules_text[];
extern const size_t bounce_rules_text_n;

struct reading {
	struct arena *arena;
	struct problems *problems;
	struct yaml yaml;
	struct bounce_rules *rules;
	struct str file;
	size_t n_bare;			/* expressions without a phrase */
};

static void reading_wrong(struct reading *, struct place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
reading_wrong(struct reading *r, struct place at, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	problem_add(r->problems, PROBLEM_ERROR, at, "%s", why);
}

static void
reading_full(struct reading *r, struct place at)
{
	reading_wrong(r, at, "there is no room for this rule");
}

static struct str
keep(struct reading *r, struct str s, struct place at)
{
	struct str kept = arena_copy(r->arena, s);

	if (kept.p == NULL)
		reading_full(r, at);
	return kept;
}

/* ---- keys ---- */

/* Of a map: is each key one of these? */
static void
keys_check(struct reading *r, const struct node *map, const char *const *keys)
{
	for (const struct node *n = map->first; n != NULL; n = n->next) {
		const char *near = NULL;
		bool is_known = false;

		for (size_t i = 0; keys[i] != NULL; i++) {
			is_known |= str_eq(n->key, str_of(keys[i]));
			if (near_distance(n->key, str_of(keys[i])) <=
			    near_least(n->key))
				near = keys[i];
		}
		if (is_known)
			continue;
		problem_add(r->problems, PROBLEM_ERROR, n->key_at,
		    "unknown key '" STR_FMT "'%s%s%s", STR_ARG(n->key),
		    near == NULL ? "" : "; did you mean '",
		    near == NULL ? "" : near, near == NULL ? "" : "'?");
		}
}

/* NULL when it is not there; of another kind is an error. */
static const struct node *
key_get(struct reading *r, const struct node *map, const char *key,
    enum node_kind kind)
{
	static const char *const kinds[] = { "a text", "a list", "a map" };
	const struct node *n = yaml_get(&r->yaml, map, str_of(key));

	if (n == NULL || n->is_empty || n->is_broken)
		return NULL;
	if (n->kind == kind)
		return n;
	problem_add(r->problems, PROBLEM_ERROR, n->at, "'%s' is %s", key,
	    kinds[kind]);
	return NULL;
}

/* A text alone is a list of one. */
static size_t
list_size(const struct node *n)
{
	return n == NULL ? 0 : n->kind == NODE_LIST ? n->n : 1;
}

static const struct node *
list_first(const struct node *n)
{
	return n == NULL ? NULL : n->kind == NODE_LIST ? n->first : n;
}

static const struct node *
list_next(const struct node *list, const struct node *one)
{
	return list->kind == NODE_LIST ? one->next : NULL;
}

/* A list of texts, or one; NULL when there is none. */
static const struct node *
texts_get(struct reading *r, const struct node *map, const char *key)
{
	const struct node *list = yaml_get(&r->yaml, map, str_of(key));

	if (list == NULL || list->is_broken)
		return NULL;
	for (const struct node *n = list_first(list); n != NULL;
	    n = list_next(list, n))
		if (n->kind != NODE_TEXT || n->is_empty) {
			reading_wrong(r, n->at, "'%s' is a text, or a list of texts",
			    key);
			return NULL;
		}
	return list;
}

/* ---- what a rule asks for ---- */

static bool
phrases_read(struct reading *r, const struct node *rule, const char *key,
    unsigned bit)
{
	const struct node *list = texts_get(r, rule, key);

	for (const struct node *n = list_first(list); n != NULL;
	    n = list_next(list, n))
		if (phrases_add(r->rules->phrases, n->text, bit) != 0)
			reading_wrong(r, n->at, "'" STR_FMT "': a phrase has 4 "
			    "to 120 octets, and all files 8000 phrases at most",
			    STR_ARG(n->text));
	return list_size(list) > 0;
}

/* "550", "45x", "4xx" */
static bool
code_read(struct str s, struct bounce_code *out)
{
	unsigned least = 0, most = 0;

	if (s.n != 3 || s.p[0] < '2' || s.p[0] > '5')
		return false;
	for (size_t i = 0; i < 3; i++) {
		bool is_any = ascii_lower(s.p[i]) == 'x';

		if (!is_any && !ascii_is_digit(s.p[i]))
			return false;
		least = 10 * least + (is_any ? 0 : (unsigned)(s.p[i] - '0'));
		most = 10 * most + (is_any ? 9 : (unsigned)(s.p[i] - '0'));
	}
	*out = (struct bounce_code){ (unsigned short)least,
		(unsigned short)most };
	return true;
}

static bool
number_read(struct str s, uint64_t most, unsigned short *out)
{
	uint64_t v = BOUNCE_ANY;

	if (!str_eq(s, STR("*")) && !parse_u64(s, most, &v))
		return false;
	*out = (unsigned short)v;
	return true;
}

static bool
esc_read(struct str s, struct bounce_esc *out)
{
	struct str class = str_cut(&s, '.'), subject = str_cut(&s, '.');

	return number_read(class, 5, &out->class) &&
	    number_read(subject, 999, &out->subject) &&
	    number_read(s, 999, &out->detail);
}

static void
codes_read(struct reading *r, const struct node *node, struct bounce_rule *rule)
{
	const struct node *list = texts_get(r, node, "code");
	struct bounce_code *v = arena_alloc(r->arena,
	    (list_size(list) + 1) * sizeof *v);

	if (v == NULL || list_size(list) > BOUNCE_CODES_MOST) {
		reading_full(r, node->at);
		return;
	}
	for (const struct node *n = list_first(list); n != NULL;
	    n = list_next(list, n))
		if (!code_read(n->text, &v[rule->n_codes++]))
			reading_wrong(r, n->at, "'" STR_FMT "' is no code, as "
			    "550, 45x or 4xx", STR_ARG(n->text));
	rule->codes = v;
}

static void
escs_read(struct reading *r, const struct node *node, struct bounce_rule *rule)
{
	const struct node *list = texts_get(r, node, "enhanced");
	struct bounce_esc *v = arena_alloc(r->arena,
	    (list_size(list) + 1) * sizeof *v);

	if (v == NULL || list_size(list) > BOUNCE_CODES_MOST) {
		reading_full(r, node->at);
		return;
	}
	for (const struct node *n = list_first(list); n != NULL;
	    n = list_next(list, n))
		if (!esc_read(n->text, &v[rule->n_escs++]))
			reading_wrong(r, n->at, "'" STR_FMT "' is no enhanced "
			    "code, as 5.1.1, 4.7.* or \"*.2.2\"", STR_ARG(n->text));
	rule->escs = v;
}

static void
phases_read(struct reading *r, const struct node *node, struct bounce_rule *rule)
{
	const struct node *list = texts_get(r, node, "phase");

	for (const struct node *n = list_first(list); n != NULL;
	    n = list_next(list, n)) {
		unsigned p = 0;

		while (p < BOUNCE_PHASES && !str_eq(n->text,
		    str_of(bounce_phase_word((enum bounce_phase)p))))
			p++;
		if (p == BOUNCE_PHASES)
			reading_wrong(r, n->at, "'" STR_FMT "' is none of "
			    "connect, helo, mail, rcpt, data, unsaid",
			    STR_ARG(n->text));
		else
			rule->phases |= 1u << p;
	}
}

static void
expression_free(void *code)
{
	pcre2_code_free(code);
}

static void
expression_wrong(struct reading *r, const struct node *n, int rc,
    PCRE2_SIZE at)
{
	PCRE2_UCHAR why[128] = "";

	(void)pcre2_get_error_message(rc, why, sizeof why);
	problem_add(r->problems, PROBLEM_ERROR, n->at, "this expression is "
	    "wrong at its character %zu: %s", (size_t)at + 1,
	    (const char *)why);
}

/* Texts are octets here, in small letters. */
static void
expression_read(struct reading *r, const struct node *node,
    struct bounce_rule *rule)
{
	const struct node *n = key_get(r, node, "expression", NODE_TEXT);
	pcre2_compile_context *c;
	PCRE2_SIZE at = 0;
	int rc = PCRE2_ERROR_NOMEMORY;

	if (n == NULL)
		return;
	c = pcre2_compile_context_create(NULL);
	if (c != NULL) {
		(void)pcre2_set_max_pattern_length(c, BOUNCE_EXPRESSION_MOST);
		(void)pcre2_set_parens_nest_limit(c, NEST_MOST);
		rule->expression = pcre2_compile((PCRE2_SPTR)n->text.p,
		    n->text.n, PCRE2_CASELESS | PCRE2_NEVER_UTF |
		    PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C |
		    PCRE2_NO_AUTO_CAPTURE, &rc, &at, c);
	}
	pcre2_compile_context_free(c);
	if (rule->expression == NULL)
		expression_wrong(r, n, rc, at);
	else if (arena_defer(r->arena, expression_free, rule->expression) != 0) {
		expression_free(rule->expression);
		rule->expression = NULL;
		reading_full(r, n->at);
	} else if (!rule->has_text && ++r->n_bare > BOUNCE_BARE_MOST)
		reading_wrong(r, n->at, "there are more than 50 expressions "
		    "without a text; say a text that stands beside it");
}

static void
class_read(struct reading *r, const struct node *node, struct bounce_rule *rule)
{
	const struct node *n = key_get(r, node, "class", NODE_TEXT);
	const struct reason *reason = n == NULL ? NULL : reason_named(n->text);

	if (reason != NULL)
		rule->class = reason->class;
	else if (n != NULL)
		reading_wrong(r, n->at, "there is no class '" STR_FMT "'; "
		    "nightmail bounce classes tells them", STR_ARG(n->text));
	else
		reading_wrong(r, node->at, "a rule has a 'class'");
}

static void
guess_read(struct reading *r, const struct node *node, struct bounce_rule *rule)
{
	const struct node *n = key_get(r, node, "guess", NODE_TEXT);

	if (n == NULL)
		return;
	rule->is_guess = str_eq(n->text, STR("yes"));
	if (!rule->is_guess && !str_eq(n->text, STR("no")))
		reading_wrong(r, n->at, "'" STR_FMT "' is not yes or no",
		    STR_ARG(n->text));
}

/* ---- rules ---- */

static void
rule_read(struct reading *r, const struct node *node,
    const struct bounce_provider *provider)
{
	static const char *const keys[] = { "class", "text", "unless", "code",
		"enhanced", "phase", "expression", "guess", NULL };
	unsigned i = (unsigned)r->rules->n;
	struct bounce_rule *rule = &r->rules->v[i];

	must(i < BOUNCE_RULES_MOST);
	if (node->kind != NODE_MAP) {
		reading_wrong(r, node->at, "a rule is a map, as { class: "
		    "too_fast, text: \"slow down\" }");
		return;
	}
	keys_check(r, node, keys);
	*rule = (struct bounce_rule){ .provider = provider,
		.line = node->at.line, .file = r->file };
	class_read(r, node, rule);
	rule->has_text = phrases_read(r, node, "text", 2 * i);
	rule->has_unless = phrases_read(r, node, "unless", 2 * i + 1);
	codes_read(r, node, rule);
	escs_read(r, node, rule);
	phases_read(r, node, rule);
	expression_read(r, node, rule);
	guess_read(r, node, rule);
	if (!rule->has_text && rule->n_codes + rule->n_escs == 0 &&
	    yaml_get(&r->yaml, node, STR("expression")) == NULL)
		reading_wrong(r, node->at, "this rule would fit everything; say "
		    "a text, code, enhanced or expression");
	if (!rule->has_text)
		r->rules->bare[2 * i / 64] |= (uint64_t)1 << 2 * i % 64;
	r->rules->n++;
}

static void
rules_read(struct reading *r, const struct node *map,
    const struct bounce_provider *provider)
{
	const struct node *list = key_get(r, map, "rules", NODE_LIST);

	if (list == NULL)
		return;
	for (const struct node *n = list->first; n != NULL; n = n->next) {
		if (r->rules->n == BOUNCE_RULES_MOST) {
			reading_wrong(r, n->at, "there are more than 1000 rules");
			return;
		}
		rule_read(r, n, provider);
	}
}

static struct str
text_read(struct reading *r, const struct node *map, const char *key)
{
	const struct node *n = key_get(r, map, key, NODE_TEXT);

	return n == NULL ? STR_NONE : keep(r, n->text, n->at);
}

static void
provider_read(struct reading *r, const struct node *node)
{
	static const char *const keys[] = { "hosts", "source", "known", "rules",
		NULL };
	struct bounce_provider *p =
	    &r->rules->providers[r->rules->n_providers++];
	const struct node *list;
	struct str *hosts;

	must(r->rules->n_providers <= BOUNCE_PROVIDERS_MOST);
	if (node->kind != NODE_MAP) {
		reading_wrong(r, node->at, "'" STR_FMT "' is a map with hosts "
		    "and rules", STR_ARG(node->key));
		return;
	}
	keys_check(r, node, keys);
	list = texts_get(r, node, "hosts");
	hosts = arena_alloc(r->arena, (list_size(list) + 1) * sizeof *hosts);
	if (hosts == NULL) {
		reading_full(r, node->at);
		return;
	}
	for (const struct node *n = list_first(list); n != NULL;
	    n = list_next(list, n))
		hosts[p->n_hosts++] = keep(r, n->text, n->at);
	p->hosts = hosts;
	p->name = keep(r, node->key, node->at);
	p->source = text_read(r, node, "source");
	p->known = text_read(r, node, "known");
	rules_read(r, node, p);
}

/* Those of providers come first, so that they are asked first. */
static void
file_read(struct reading *r, const struct node *root)
{
	static const char *const keys[] = { "rules", "providers", NULL };
	const struct node *map;

	keys_check(r, root, keys);
	map = key_get(r, root, "providers", NODE_MAP);
	for (const struct node *n = map == NULL ? NULL : map->first; n != NULL;
	    n = n->next) {
		if (r->rules->n_providers == BOUNCE_PROVIDERS_MOST) {
			reading_wrong(r, n->at, "there are more than 200 "
			    "providers");
			break;
		}
		provider_read(r, n);
	}
	rules_read(r, root, NULL);
}

static struct bounce_rules *
rules_new(struct arena *a)
{
	struct bounce_rules *rs = arena_new(a, struct bounce_rules);

	if (rs == NULL)
		return NULL;
	rs->providers = arena_alloc(a, BOUNCE_PROVIDERS_MOST *
	    sizeof *rs->providers);
	rs->v = arena_alloc(a, BOUNCE_RULES_MOST * sizeof *rs->v);
	rs->bare = arena_alloc(a, (2 * BOUNCE_RULES_MOST / 64 + 1) *
	    sizeof *rs->bare);
	rs->phrases = phrases_new(a);
	return rs->providers == NULL || rs->v == NULL || rs->bare == NULL ||
	    rs->phrases == NULL ? NULL : rs;
}

const struct bounce_rules *
bounce_rules_read(struct arena *a, struct arena *scratch,
    struct problems *problems, const struct source_file *file)
{
	struct reading r = { .arena = a, .problems = problems,
		.rules = rules_new(a), .file = arena_copy(a, file->name) };
	const struct node *root;
	size_t before;

	if (r.rules == NULL || r.file.p == NULL ||
	    file->bytes.n > BOUNCE_FILE_MOST) {
		problem_add(problems, PROBLEM_ERROR, (struct place){ .file =
		    file->name }, "this file is too large: rules are at most "
		    "1 MiB");
		return NULL;
	}
	yaml_begin(&r.yaml, scratch, problems);
	before = problems->counts[PROBLEM_ERROR];
	root = yaml_parse(&r.yaml, file);
	if (root != NULL)
		file_read(&r, root);
	yaml_end(&r.yaml);
	return root != NULL && problems->counts[PROBLEM_ERROR] == before ?
	    r.rules : NULL;
}

/* ---- the table that is built in ---- */

/* It lives as long as the program does.  NULL: no memory, as its test knows. */
static const struct bounce_rules *
builtin_read(struct arena *a)
{
	struct source_file file = { .name = STR("(built in)"),
		.bytes = { bounce_rules_text, bounce_rules_text_n } };
	const struct bounce_rules *rules;
	struct problems problems;
	struct arena scratch;

	problems_init(&problems);
	arena_init(&scratch, BUILTIN_MOST);
	rules = bounce_rules_read(a, &scratch, &problems, &file);
	arena_clear(&scratch);
	problems_clear(&problems);
	return rules;
}

/* Two that load configurations at once may both read it; one is kept. */
const struct bounce_rules *
bounce_rules_builtin(void)
{
	static const struct bounce_rules *_Atomic kept;
	const struct bounce_rules *now = atomic_load(&kept), *none = NULL;
	struct arena a;

	if (now != NULL)
		return now;
	arena_init(&a, BUILTIN_MOST);
	now = builtin_read(&a);
	if (now != NULL && atomic_compare_exchange_strong(&kept, &none, now))
		return now;
	arena_clear(&a);
	return none;
}
