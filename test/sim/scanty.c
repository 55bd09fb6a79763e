/*
 * A configuration that is read while memory is short is whole or is none: each
 * allocation of the reading is refused in turn, and what comes out in spite of it
 * knows every user, alias and route of the file.
 */
#include "memory.h"
#include "scenario.h"

#include "base/must.h"
#include "policy/config.h"
#include "policy/domain.h"
#include "policy/problem.h"
#include "policy/source.h"

#include <stdio.h>

enum { MEMORY = 1 << 24 };

static const char text[] =
	"hostname: mx.h.test\n"
	"admin: admin@h.test\n"
	"listen: [ { address: 192.0.2.1, port: 25, role: mx } ]\n"
	"trusted: [ 203.0.113.0/24, 192.0.2.0/24 ]\n"
	"domains:\n"
	"  h.test: { users: [ admin, u0, u1, u2, u3, u4, u5 ],\n"
	"    aliases: /aliases }\n"
	"  g.test: { relay_to: \"smtp://mx.g.test\" }\n"
	"deliver: { maildir: /mail/%u }\n"
	"route:\n"
	"  - { if: { rcpt_domain: x.test }, relay: \"smtp://mx.x.test\" }\n"
	"  - { if: { rcpt_domain: y.test }, relay: \"smtp://mx.y.test\" }\n";
static const char aliases[] = "a: u0\nb: u1, u2\nc: x@x.test\n";

static struct config *
load(uint64_t nth)
{
	struct source_memory machine;
	struct problems problems;
	struct config *c;
	struct arena a;

	arena_init(&a, MEMORY);
	source_memory_init(&machine, &a);
	problems_init(&problems);
	must(source_memory_file(&machine, STR("t.yaml"), str_of(text)) == 0);
	must(source_memory_file(&machine, STR("/aliases"),
	    str_of(aliases)) == 0);
	memory_refuse(nth, 1);
	c = config_load(&machine.source, STR("t.yaml"), &problems);
	memory_refuse(0, 0);
	problems_clear(&problems);
	arena_clear(&a);
	return c;
}

static bool
is_whole(const struct config *c)
{
	static const char *const residents[] = { "admin", "u0", "u1", "u2",
		"u3", "u4", "u5", "a", "b", "c" };
	const struct domain *d = config_domain(c, STR("h.test"));
	bool ok = d != NULL && config_domain(c, STR("g.test")) != NULL &&
	    c->n_routes == 2 && c->n_listeners == 1 && c->trusted.n == 2;

	for (size_t i = 0; ok && i < sizeof residents / sizeof *residents; i++)
		ok = domain_resident(d, str_of(residents[i])).kind !=
		    RESIDENT_NONE;
	return ok;
}

static bool
scanty_run(uint64_t seed)
{
	bool ok = true;

	(void)seed;
	for (uint64_t n = 1; n < 5000; n++) {
		uint64_t before = memory_refused();
		size_t live = memory_live();
		struct config *c = load(n);
		bool was_refused = memory_refused() > before;

		if (c != NULL && !is_whole(c)) {
			fprintf(stderr, "allocation %ju refused: a part of the "
			    "configuration is in force\n", (uintmax_t)n);
			ok = false;
		}
		if (c != NULL)
			config_free(c);
		if (memory_live() != live && n > 1) {
			fprintf(stderr, "allocation %ju refused: %zd are left\n",
			    (uintmax_t)n, (ssize_t)(memory_live() - live));
			ok = false;
		}
		if (!was_refused)
			return ok && n > 10;
	}
	return false;
}

const struct scenario scenario_scanty = { .name = "scanty", .run = scanty_run,
	.percent = 1 };
