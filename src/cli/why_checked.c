#include "cli/why_checked.h"

#include "wire/authres.h"

#include <stdio.h>
#include <string.h>

/* Behind the time, which events begin with. */
#define INDENT "                       "

static const char *
text_of(struct cli *c, const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s == NULL ? NULL : cli_visible(c, s);
}

static const char *
visible(struct cli *c, struct str s)
{
	const char *text = arena_cstr(&c->arena, s);

	return text == NULL ? "?" : cli_visible(c, text);
}

/* ---- checks ---- */

/* What properties are to people; others are named as they are. */
static const struct { const char *property, *words; } inputs[] = {
	{ "header.a", "algorithm" },
	{ "header.b", "beginning" },
	{ "header.d", "domain" },
	{ "header.from", "author" },
	{ "header.oldest-pass", "unchanged since instance" },
	{ "header.s", "selector" },
	{ "policy.dmarc", "policy" },
	{ "policy.iprev", "address" },
	{ "smtp.helo", "HELO" },
	{ "smtp.mailfrom", "sender's domain" },
	{ "smtp.remote-ip", "address" },
};

static const char *
input_words(struct cli *c, const struct authres_property *p)
{
	struct str name = arena_printf(&c->arena, STR_FMT "." STR_FMT,
	    STR_ARG(p->ptype), STR_ARG(p->name));

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
		if (str_eq_icase(name, str_of(inputs[i].property)))
			return inputs[i].words;
	return visible(c, name);
}

static void
check_say(struct cli *c, const struct authres_result *r)
{
	printf("\n" INDENT "%-5s  %s", visible(c, r->method),
	    visible(c, r->result));
	for (size_t i = 0; i < r->n; i++)
		printf("%s %s %s", i == 0 ? " --" : ",",
		    input_words(c, &r->properties[i]),
		    visible(c, r->properties[i].value));
	if (r->reason.n > 0)
		printf(": %s", visible(c, r->reason));
}

static void
checks_say(struct cli *c, const char *results)
{
	struct authres_result r;
	enum authres_step step;
	struct authres a;

	authres_begin_list(&a, str_of(results), &c->arena);
	while ((step = authres_next(&a, &r)) == AUTHRES_RESULT)
		check_say(c, &r);
	if (step != AUTHRES_END)
		printf("\n" INDENT "%s", visible(c, a.rest));
}

/* ---- what follows ---- */

static void
record_say(struct cli *c, const json_t *j)
{
	const char *where = text_of(c, j, "domain");
	const char *record = text_of(c, j, "policy_text");

	if (where != NULL && record != NULL)
		printf("\n" INDENT "the record at _dmarc.%s: %s", where,
		    record);
}

static const char *
deed_words(const json_t *j, const char *disposition)
{
	json_int_t code = json_integer_value(json_object_get(j, "code"));

	if (code >= 500)
		return "refused";
	if (code >= 400)
		return "put off";
	return disposition != NULL && strcmp(disposition, "quarantine") == 0 ?
	    "taken, for the junk folder" : "taken";
}

static void
deed_say(struct cli *c, const json_t *j)
{
	const char *override = text_of(c, j, "override");
	const char *rule = text_of(c, j, "rule");
	const char *text = text_of(c, j, "text");
	const char *reply = text_of(c, j, "reply");

	printf("\n" INDENT "so it was %s", deed_words(j,
	    text_of(c, j, "disposition")));
	if (rule != NULL)
		printf(", by %s", rule);
	if (override != NULL)
		printf(", not as the policy asks (%s)", override);
	if (text != NULL)
		printf(": %s", text);
	if (reply != NULL)
		printf("\n" INDENT "the client was told: %jd %s %s",
		    (intmax_t)json_integer_value(json_object_get(j, "code")),
		    text_of(c, j, "dsn") == NULL ? "" : text_of(c, j, "dsn"),
		    reply);
}

void
why_checked(struct cli *c, const json_t *j)
{
	const char *sender = text_of(c, j, "sender");
	const char *client = text_of(c, j, "client");
	const char *name = text_of(c, j, "client_name");
	const char *helo = text_of(c, j, "helo");
	const char *author = text_of(c, j, "author");
	const char *results = json_string_value(json_object_get(j, "results"));

	printf("checked: from <%s>, by %s [%s] who says %s; author %s",
	    sender == NULL ? "" : sender, name == NULL ? "unknown" : name,
	    client == NULL ? "unknown" : client, helo == NULL ? "nothing" : helo,
	    author == NULL ? "unknown" : author);
	checks_say(c, results == NULL ? "" : results);
	record_say(c, j);
	deed_say(c, j);
}
