#include "policy/config.h"
#include "policy/finish.h"

/* RFC 5322 2.2: printable, and no colon. */
static bool
field_name_is_one(struct str s)
{
	return s.n > 0 && s.n <= 76 && str_is_printable(s) &&
	    str_find(s, ':') == s.n && str_find(s, ' ') == s.n &&
	    str_find(s, ';') == s.n;
}

/* RFC 6376 5.4.1: what is written, or taken away, on the way. */
static bool
field_is_of_the_way(struct str s)
{
	static const struct str names[] = { STR_INIT("Received"),
		STR_INIT("Return-Path"), STR_INIT("DKIM-Signature"),
		STR_INIT("Authentication-Results"), STR_INIT("Delivered-To"),
		STR_INIT("Received-SPF"), STR_INIT("Bcc") };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_eq_icase(names[i], s))
			return true;
	return str_has_prefix_icase(s, STR("ARC-"));
}

static void
finish_dkim_fields(struct load *l)
{
	const struct conf_strings *f = &l->config->dkim.fields;
	struct place at = finish_place(l->config->origins, "dkim.fields");

	for (size_t i = 0; i < f->n; i++)
		if (!field_name_is_one(f->v[i]))
			problem_add(l->reader.problems, PROBLEM_ERROR, at,
			    "'" STR_FMT "' is no name of a header field",
			    STR_ARG(f->v[i]));
		else if (field_is_of_the_way(f->v[i]))
			problem_add(l->reader.problems, PROBLEM_ERROR, at,
			    "'" STR_FMT "' changes on the way; a signature over it "
			    "breaks", STR_ARG(f->v[i]));
}

static void
finish_dkim_also(struct load *l)
{
	const struct conf_strings *also = &l->config->dkim.also;

	for (size_t i = 0; i < also->n; i++)
		if (str_find(also->v[i], '*') < also->v[i].n ||
		    str_find(also->v[i], '<') < also->v[i].n)
			problem_add(l->reader.problems, PROBLEM_ERROR,
			    finish_place(l->config->origins, "dkim.also"),
			    "'" STR_FMT "' is no domain: each one has keys of its "
			    "own", STR_ARG(also->v[i]));
}

void
finish_dkim(struct load *l)
{
	struct config *c = l->config;
	struct place at = finish_place(c->origins, "dkim.state");

	if (c->dkim.state.p[0] != '/')
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "'dkim.state' must begin with /");
	else if (finish_is_below(c->dkim.state, c->spool.path))
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "'dkim.state' must not be below the spool, where the worker "
		    "writes");
	finish_dkim_fields(l);
	finish_dkim_also(l);
}
