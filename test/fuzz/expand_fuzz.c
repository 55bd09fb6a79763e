/* Aliases, and the files they include, parted by form feeds: whatever stands in
 * them is refused with words, or every name comes to an end, each end once. */
#include "fuzz.h"
#include "policy/domain.h"
#include "policy/expand.h"
#include "policy/problem.h"
#include "wire/address.h"

enum { INCLUDED = 3 };

static void
machine_make(struct source_memory *m, struct arena *a, struct str in)
{
	static const char *const paths[INCLUDED] = { "/1", "/2", "/3" };

	source_memory_init(m, a);
	source_memory_file(m, STR("/etc/passwd"), STR("root:x:0:0::/root:\n"));
	source_memory_file(m, STR("t.yaml"), STR("hostname: mx.x.example\n"
	    "domains:\n"
	    "  x.example: { users: [ a, b, c ], aliases: /0 }\n"
	    "  y.example: { aliases: /0 }\n"
	    "  z.example: { alias_of: x.example }\n"));
	source_memory_file(m, STR("/0"), str_cut(&in, '\f'));
	for (size_t i = 0; i < INCLUDED; i++)
		source_memory_file(m, str_of(paths[i]), str_cut(&in, '\f'));
}

static void
check_end(const struct config *c, const struct expansion_end *end)
{
	struct mailbox m;

	must(mailbox_parse(end->address, MAILBOX_UTF8, &m) == NULL);
	must(end->rule.p == NULL || end->transport.p == NULL);
	if (end->transport.p != NULL || end->rule.p != NULL)
		must(config_domain(c, m.domain) != NULL);
	if (end->transport.p != NULL)
		must(alias_target_is_place(end->transport));
	if (end->owner.p != NULL)
		must(mailbox_parse(end->owner, MAILBOX_UTF8, &m) == NULL);
}

static void
check_name(const struct config *c, const char *name)
{
	struct path to = { .mailbox = { .text = STR_NONE } };
	struct expansion x;
	struct arena a;

	must(mailbox_parse(str_of(name), MAILBOX_STRICT, &to.mailbox) == NULL);
	arena_init(&a, 2 << 20);
	x = expand(c, &to, &a);
	must((x.verdict.disposition == DELIVERED) == (x.verdict.code == 250));
	must(x.verdict.disposition != DELIVERED || x.n > 0);
	must(x.n <= EXPAND_MOST && (!x.is_same || x.n == 1));
	for (size_t i = 0; i < x.n; i++) {
		check_end(c, &x.to[i]);
		for (size_t k = 0; k < i && i < 50; k++)
			must(!str_eq(x.to[i].address, x.to[k].address) ||
			    !str_eq(x.to[i].transport, x.to[k].transport) ||
			    (x.to[i].rule.p == NULL) != (x.to[k].rule.p == NULL));
	}
	arena_clear(&a);
}

FUZZ(in)
{
	static const char *const names[] = { "a@x.example", "b@y.example",
		"list@x.example", "list@z.example", "l+d@y.example",
		"\"o d\"@x.example", "nobody@y.example", "postmaster@x.example" };
	struct source_memory m;
	struct problems ps;
	struct config *c;
	struct arena a;

	arena_init(&a, 1 << 24);
	machine_make(&m, &a, in);
	problems_init(&ps);
	c = config_load(&m.source, STR("t.yaml"), &ps);
	must((c == NULL) == (ps.counts[PROBLEM_ERROR] > 0));
	for (size_t i = 0; c != NULL && i < sizeof names / sizeof *names; i++)
		check_name(c, names[i]);
	if (c != NULL)
		config_free(c);
	problems_clear(&ps);
	arena_clear(&a);
}
