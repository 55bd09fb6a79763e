/* dkim_commands.c -- dkim list, show, rotate, check, import, remove. */
#include "base/err.h"
#include "cli/ask.h"
#include "cli/dkim_import.h"
#include "cli/files.h"
#include "policy/domain.h"
#include "policy/problem.h"
#include "policy/record_text.h"
#include "trust/dkim_pair.h"
#include "wire/dkim.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

enum { SAID_ROOM = 64 * 1024 };

/* How an answer is shown. */
enum dkim_form { FORM_LIST, FORM_ZONE };

struct dkim_asking {
	struct ask ask;
	enum dkim_form form;
	size_t n;			/* keys that were told */
	bool is_missing;		/* one of them is not in the DNS */
};

/* ---- showing ---- */

static const char *
seen_says(const struct dkim_published *k)
{
	switch (k->seen) {
	case DKIM_UNASKED:
		return "";
	case DKIM_SEEN:
		return "in the DNS";
	case DKIM_MISSING:
		return "not in the DNS";
	case DKIM_OTHER:
		return "another record in the DNS";
	case DKIM_UNKNOWN:
	case DKIM_SEENS:
		break;
	}
	return "the DNS does not answer";
}

static void
list_print(const struct dkim_published *k)
{
	printf("%-24.*s %-16.*s %-15s %4u  %-9s %.10s  %s\n", (int)k->domain.n,
	    k->domain.p, (int)k->selector.n, k->selector.p,
	    dkim_algorithm_name(k->algorithm), k->bits,
	    dkim_state_name(k->state), wall_print(k->since).text,
	    seen_says(k));
}

static void
zone_print(const struct dkim_published *k)
{
	static const char *const says[DKIM_STATES] = {
		"to be published: it signs when this was seen",
		"signs", "signs no more; stays until it is removed" };
	char room[2 * DKIM_PUBLISHED_MOST];
	struct buf b = BUF_OF(room);

	text_put_strings(k->text, &b);
	printf("; %s, %s%s%s\n" STR_FMT ". TXT " STR_FMT "\n",
	    dkim_algorithm_name(k->algorithm), says[k->state],
	    k->seen == DKIM_UNASKED ? "" : "; ", seen_says(k),
	    STR_ARG(k->name), STR_ARG(buf_str(&b)));
}

static void
trouble_print(struct cli *c, struct str line)
{
	json_t *j = json_loadb(line.p, line.n, 0, NULL);
	const char *text = json_string_value(json_object_get(j, "trouble"));

	if (text != NULL)
		fprintf(stderr, "nightmail: warning: %s\n", cli_visible(c, text));
	json_decref(j);
}

static int
keys_line(struct ask *ask, struct str line)
{
	struct dkim_asking *a = ask->owner;
	struct dkim_published *keys;

	trouble_print(ask->cli, line);
	if (dkim_published_read(line, &ask->cli->arena, &keys, &a->n) != 0)
		return cli_fail(EX_DATAERR, "the answer: %s", err_text());
	for (size_t i = 0; i < a->n; i++) {
		a->is_missing = a->is_missing || (keys[i].seen != DKIM_SEEN &&
		    keys[i].seen != DKIM_UNASKED);
		if (ask->cli->json)
			continue;
		if (a->form == FORM_LIST)
			list_print(&keys[i]);
		else
			zone_print(&keys[i]);
	}
	if (ask->cli->json)
		printf(STR_FMT "\n", STR_ARG(line));
	else if (a->n == 0)
		fprintf(stderr, "There are no keys.\n");
	return 0;
}

/* ---- asking ---- */

static bool
domain_read(struct cli *c, struct str said, struct str *out)
{
	if (domain_canonical(&c->arena, said, out))
		return true;
	(void)cli_fail(EX_USAGE, "'" STR_FMT "' is no domain", STR_ARG(said));
	return false;
}

/* what: behind /v1/dkim; domain: n == 0 for all. */
static int
dkim_ask_of(struct cli *c, struct dkim_asking *a, const char *method,
    const char *what, struct str domain)
{
	a->ask = (struct ask){ .method = method, .body_fd = -1,
		.line = keys_line, .owner = a,
		.target = arena_printf(&c->arena, "/v1/dkim%s%s" STR_FMT, what,
		    domain.n == 0 ? "" : str_find(str_of(what), '?') <
		    strlen(what) ? "&domain=" : "?domain=", STR_ARG(domain)) };
	return ask(c, &a->ask);
}

static int
dkim_command(struct cli *c, const char *words, bool needs_domain,
    const char *what, enum dkim_form form)
{
	struct dkim_asking a = { .form = form };
	struct str domain = STR("");
	int rc;

	if (c->n_words > 1 || (needs_domain && c->n_words == 0))
		return cli_usage(words);
	if (c->n_words == 1 && !domain_read(c, c->words[0], &domain))
		return EX_USAGE;
	rc = dkim_ask_of(c, &a, what[0] == '\0' ? "GET" : "POST", what, domain);
	if (rc == 0 && str_eq(str_of(what), STR("/check")) && a.is_missing)
		return 1;
	return rc;
}

int
command_dkim_list(struct cli *c)
{
	return dkim_command(c, "dkim list", false, "", FORM_LIST);
}

int
command_dkim_show(struct cli *c)
{
	return dkim_command(c, "dkim show", true, "/make", FORM_ZONE);
}

int
command_dkim_rotate(struct cli *c)
{
	return dkim_command(c, "dkim rotate", true, "/rotate", FORM_ZONE);
}

int
command_dkim_check(struct cli *c)
{
	return dkim_command(c, "dkim check", false, "/check", FORM_LIST);
}

int
command_dkim_remove(struct cli *c)
{
	struct dkim_asking a = { .form = FORM_LIST };
	struct str domain;
	const char *what;

	if (c->n_words != 2)
		return cli_usage("dkim remove");
	if (!domain_read(c, c->words[0], &domain))
		return EX_USAGE;
	if (!dkim_pair_names_fit(domain, c->words[1]))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no selector",
		    STR_ARG(c->words[1]));
	what = arena_cstr(&c->arena, arena_printf(&c->arena,
	    "/remove?selector=" STR_FMT "%s", STR_ARG(c->words[1]),
	    c->yes ? "&sure=yes" : ""));
	return what == NULL ? EX_OSERR : dkim_ask_of(c, &a, "POST", what,
	    domain);
}

/* ---- import ---- */

static int
state_find(struct cli *c, struct str *out)
{
	struct problems *p = arena_new(&c->arena, struct problems);
	struct buf b = { .p = arena_alloc(&c->arena, SAID_ROOM),
		.cap = SAID_ROOM };
	struct config *conf;

	if (p == NULL || b.p == NULL)
		return EX_OSERR;
	problems_init(p);
	conf = config_load(&files_source, cli_config_path(c), p);
	if (conf == NULL) {
		problems_print(p, &b);
		fprintf(stderr, STR_FMT, STR_ARG(buf_str(&b)));
	} else {
		*out = arena_copy(&c->arena, conf->dkim.state);
		config_free(conf);
	}
	problems_clear(p);
	return conf == NULL ? EX_CONFIG : 0;
}

int
command_dkim_import(struct cli *c)
{
	struct dkim_asking a = { .form = FORM_LIST };
	struct str domain, dir = STR_NONE;
	int rc;

	if (c->n_words != 3)
		return cli_usage("dkim import");
	if (!domain_read(c, c->words[0], &domain))
		return EX_USAGE;
	rc = state_find(c, &dir);
	if (rc == 0)
		rc = dkim_import(c, dir, domain, arena_lower(&c->arena,
		    c->words[1]), c->words[2]);
	if (rc != 0)
		return rc;
	if (ask_is_served(c))
		return dkim_ask_of(c, &a, "POST", "/check", domain);
	fprintf(stderr, "The key is kept; the server will look for its record "
	    "when it runs.\n");
	return 0;
}
