#include "cli/cli.h"

#include "base/id.h"
#include "base/must.h"
#include "base/near.h"
#include "base/num.h"
#include "base/utf8.h"
#include "policy/unit.h"
#include "wire/http.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

#define NIGHTMAIL_VERSION "0.1.0"

enum { CLI_MEMORY = 64 * 1024 * 1024 };

const char cli_default_config[] = "/etc/nightmail/nightmail.yaml";
const char *cli_name = "nightmail";

struct command_row {
	struct str words;
	int (*run)(struct cli *);
	const char *usage, *says;
};

static const struct command_row commands[] = {
#define COMMAND(words, name, usage, says) \
	{ { words, sizeof words - 1 }, command_##name, usage, says },
#include "cli/verb.def"
#undef COMMAND
};

enum { COMMANDS = sizeof commands / sizeof *commands };

int
cli_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", cli_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

int
cli_usage(const char *words)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (str_eq(commands[i].words, str_of(words)))
			fprintf(stderr, "usage: nightmail %s %s\n", words,
			    commands[i].usage);
	return EX_USAGE;
}

const char *
cli_visible(struct cli *c, const char *text)
{
	struct str s = str_of(text);
	struct buf b = { .p = arena_alloc(&c->arena, s.n + 1), .cap = s.n };
	uint32_t code;

	if (b.p == NULL)
		return "?";
	for (size_t n; s.n > 0; s = str_sub(s, n, s.n)) {
		n = utf8_next(s, &code);
		if (n > 0 && utf8_is_visible(code))
			buf_put(&b, str_sub(s, 0, n));
		else
			buf_putc(&b, '?');
		n = n == 0 ? 1 : n;
	}
	b.p[b.n] = '\0';
	return b.p;
}

int
command_version(struct cli *c)
{
	if (c->n_words > 0)
		return cli_usage("version");
	if (c->json)
		printf("{\"version\":\"%s\",\"compiler\":\"%s\"}\n",
		    NIGHTMAIL_VERSION, __VERSION__);
	else
		printf("nightmail %s\n", NIGHTMAIL_VERSION);
	return 0;
}

int
command_serve(struct cli *c)
{
	if (c->n_words > 0)
		return cli_usage("serve");
	return c->serve(c->config, !c->no_cage);
}

/* ---- options ---- */

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_FILTER, OPTION_OTHER };

static const struct option_row {
	struct str name;
	enum option_kind kind;
	size_t at;			/* in struct cli */
	const char *value, *says;
} options[] = {
#define AT_FLAG(field) offsetof(struct cli, field)
#define AT_TEXT(field) offsetof(struct cli, field)
#define AT_FILTER(field) 0
#define AT_OTHER(field) 0
#define OPTION(name, kind, field, value, says) \
	{ STR_INIT(name), OPTION_##kind, AT_##kind(field), value, says },
#include "cli/option.def"
#undef OPTION
};

enum { OPTIONS = sizeof options / sizeof *options };

_Static_assert(OPTIONS <= 64, "struct cli's `given' has a bit for each");

int
command_help(struct cli *c)
{
	if (c->n_words > 0)
		return cli_usage("help");
	printf("usage: nightmail COMMAND [OPTION ...]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-24s %s\n", commands[i].words.p, commands[i].says);
	printf("\nOptions:\n");
	for (size_t i = 0; i < OPTIONS; i++)
		printf("  --%-8s %-9s %s\n", options[i].name.p,
		    options[i].value, options[i].says);
	printf("\nnightmail(8) tells the rest.\n");
	return 0;
}

/* COMMAND --help */
static int
command_explain(const struct command_row *row)
{
	printf("nightmail %s %s\n\n%s\n\nnightmail(8) tells the rest.\n",
	    row->words.p, row->usage, row->says);
	return 0;
}

/* "&key=value", encoded. */
static int
query_add(struct cli *c, struct str key, struct str value)
{
	struct buf b = { .cap = c->query.n + key.n + 3 * value.n + 2 };

	b.p = arena_alloc(&c->arena, b.cap);
	if (b.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	buf_put(&b, c->query);
	buf_printf(&b, "%s" STR_FMT "=", c->query.n > 0 ? "&" : "",
	    STR_ARG(key));
	http_encode(&b, value);
	c->query = buf_str(&b);
	return 0;
}

static int
filter_add(struct cli *c, struct str key, struct str value)
{
	c->has_filter = true;
	return query_add(c, key, value);
}

static int
older_add(struct cli *c, struct str value)
{
	int64_t ns;

	if (!unit_duration(value, &ns))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is not a duration "
		    "(examples: 30s, 15m, 4h, 5d)", STR_ARG(value));
	return filter_add(c, STR("older"), arena_printf(&c->arena, "%lld",
	    (long long)(ns / NS_PER_SECOND)));
}

static int
limit_add(struct cli *c, struct str value)
{
	uint64_t n;

	if (!parse_u64(value, INT64_MAX, &n) || n == 0)
		return cli_fail(EX_USAGE, "--limit is a number from 1, not '"
		    STR_FMT "'", STR_ARG(value));
	return query_add(c, STR("limit"), value);
}

static int
recipient_add(struct cli *c, struct str value)
{
	if (c->n_to == CLI_WORDS_MOST)
		return cli_fail(EX_USAGE, "more than %d recipients",
		    CLI_WORDS_MOST);
	c->to[c->n_to++] = value;
	return 0;
}

static int
id_add(struct cli *c, struct str value)
{
	uint64_t id;

	if (!id_parse(value, &id))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no message id",
		    STR_ARG(value));
	return filter_add(c, STR("id"), value);
}

static int
value_take(struct cli *c, const struct option_row *o, struct str value)
{
	if (o->kind == OPTION_TEXT) {
		memcpy((char *)c + o->at, &value, sizeof value);
		return 0;
	}
	if (str_eq(o->name, STR("id")))
		return id_add(c, value);
	if (str_eq(o->name, STR("older")))
		return older_add(c, value);
	if (str_eq(o->name, STR("limit")))
		return limit_add(c, value);
	if (str_eq(o->name, STR("to")))
		return recipient_add(c, value);
	must(o->kind == OPTION_FILTER);
	if (str_eq(o->name, STR("tenant")))
		c->tenant = value;
	return filter_add(c, o->name, value);
}

static int
option_unknown(struct str name)
{
	const struct option_row *best = NULL;
	size_t least = near_least(name);

	for (size_t i = 0; i < OPTIONS; i++) {
		size_t d = near_distance(name, options[i].name);

		if (d <= least) {
			best = &options[i];
			least = d == 0 ? 0 : d - 1;
		}
	}
	if (best != NULL)
		return cli_fail(EX_USAGE, "there is no option --" STR_FMT
		    "; did you mean --%s?", STR_ARG(name), best->name.p);
	return cli_fail(EX_USAGE, "there is no option --" STR_FMT
	    "; see nightmail help", STR_ARG(name));
}

/* argv[*i] is "--name", "--name=value", or "--name" before its value. */
static int
option_take(struct cli *c, int argc, char **argv, int *i)
{
	struct str value = str_of(argv[*i] + 2);
	bool has_value = str_find(value, '=') < value.n;
	struct str name = str_cut(&value, '=');
	size_t k = 0;

	while (k < OPTIONS && !str_eq(options[k].name, name))
		k++;
	if (k == OPTIONS)
		return option_unknown(name);
	c->given |= UINT64_C(1) << k;
	if (options[k].kind == OPTION_FLAG) {
		*(bool *)(void *)((char *)c + options[k].at) = true;
		return has_value ? cli_fail(EX_USAGE, "--" STR_FMT
		    " takes no value", STR_ARG(name)) : 0;
	}
	if (!has_value && *i + 1 < argc)
		value = str_of(argv[++*i]);
	else if (!has_value)
		return cli_fail(EX_USAGE, "--" STR_FMT " needs a value: %s",
		    STR_ARG(name), options[k].value);
	return value_take(c, &options[k], value);
}

static int
word_take(struct cli *c, struct str a)
{
	if (c->n_words == CLI_WORDS_MOST)
		return cli_fail(EX_USAGE, "more than %d words", CLI_WORDS_MOST);
	c->words[c->n_words++] = a;
	return 0;
}

/* Behind a command's words: about that command. */
static int
help_take(struct cli *c)
{
	if (c->n_words == 0)
		return word_take(c, STR("help"));
	c->asks_help = true;
	return 0;
}

/* "-f", and what people try first. */
static int
short_take(struct cli *c, struct str a)
{
	if (str_eq(a, STR("-f"))) {
		char text[] = "--follow", *follow[] = { text };
		int i = 0;

		return option_take(c, 1, follow, &i);
	}
	if (str_eq(a, STR("-h")))
		return help_take(c);
	if (str_eq(a, STR("-all")))	/* a term of SPF */
		return word_take(c, a);
	return cli_fail(EX_USAGE, "there is no option " STR_FMT
	    "; see nightmail help", STR_ARG(a));
}

static int
arguments_take(struct cli *c, int argc, char **argv)
{
	bool only_words = false;
	int rc = 0;

	for (int i = 1; i < argc && rc == 0; i++) {
		struct str a = str_of(argv[i]);

		if (!only_words && str_eq(a, STR("--")))
			only_words = true;
		else if (!only_words && str_eq(a, STR("--help")))
			rc = help_take(c);
		else if (!only_words && str_eq(a, STR("--version")))
			rc = word_take(c, STR("version"));
		else if (!only_words && str_has_prefix_icase(a, STR("--")))
			rc = option_take(c, argc, argv, &i);
		else if (!only_words && a.n > 1 && a.p[0] == '-')
			rc = short_take(c, a);
		else
			rc = word_take(c, a);
	}
	return rc;
}

/* ---- which command ---- */

static bool
row_matches(const struct cli *c, struct str words, size_t *used)
{
	*used = 0;
	while (words.n > 0) {
		if (*used == c->n_words ||
		    !str_eq(str_cut(&words, ' '), c->words[*used]))
			return false;
		++*used;
	}
	return true;
}

static bool
usage_has(const struct command_row *row, struct str what)
{
	struct str usage = str_of(row->usage);

	return str_find_str(usage, what) < usage.n;
}

static bool
option_fits(const struct command_row *row, const struct option_row *o)
{
	char text[40];
	struct buf b = BUF_OF(text);
	static const char *const filtering[] = { "all", "domain", "id",
		"older", "site", "status", "stream", "tenant" };

	if (usage_has(row, STR("SERVER")) && (str_eq(o->name, STR("config")) ||
	    str_eq(o->name, STR("socket"))))
		return true;
	for (size_t i = 0; i < sizeof filtering / sizeof *filtering; i++)
		if (str_eq(o->name, str_of(filtering[i])) &&
		    usage_has(row, STR("FILTER")))
			return true;
	buf_printf(&b, "--%s", o->name.p);
	return usage_has(row, buf_str(&b));
}

static int
options_check(const struct cli *c, const struct command_row *row)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if ((c->given & UINT64_C(1) << i) != 0 && !option_fits(row, &options[i])) {
			(void)cli_fail(EX_USAGE, "%s takes no --%s",
			    row->words.p, options[i].name.p);
			return cli_usage(row->words.p);
		}
	return 0;
}

static int
command_unknown(const struct cli *c)
{
	struct str first = c->n_words > 0 ? c->words[0] : STR_NONE;
	struct str second = c->n_words > 1 ? c->words[1] : STR_NONE;
	char text[80];
	struct buf b = BUF_OF(text);
	const struct command_row *best = NULL;
	size_t least = near_least(first);

	buf_put(&b, first);
	for (size_t i = 0; i < COMMANDS; i++) {
		struct buf two = b;
		size_t d;

		if (str_find(commands[i].words, ' ') < commands[i].words.n)
			buf_printf(&two, " " STR_FMT, STR_ARG(second));
		d = near_distance(buf_str(&two), commands[i].words);
		if (!two.full && d <= least) {
			best = &commands[i];
			least = d == 0 ? 0 : d - 1;
		}
	}
	if (best != NULL)
		return cli_fail(EX_USAGE, "there is no command '" STR_FMT "%s"
		    STR_FMT "'; did you mean '%s'?", STR_ARG(first),
		    second.n > 0 ? " " : "", STR_ARG(second), best->words.p);
	return cli_fail(EX_USAGE, "there is no command '" STR_FMT
	    "'; see nightmail help", STR_ARG(first));
}

static int
cli_parse(struct cli *c, int argc, char **argv, const struct command_row **row)
{
	size_t used;
	int rc = arguments_take(c, argc, argv);

	if (rc == 0 && c->n_words == 0)
		rc = word_take(c, STR("help"));
	for (size_t i = 0; rc == 0 && i < COMMANDS; i++) {
		if (!row_matches(c, commands[i].words, &used))
			continue;
		c->n_words -= used;
		memmove(c->words, c->words + used,
		    c->n_words * sizeof *c->words);
		*row = &commands[i];
		return options_check(c, *row);
	}
	return rc != 0 ? rc : command_unknown(c);
}

int
cli_main(int argc, char **argv, int (*serve)(struct str config, bool is_caged))
{
	struct cli c = { .config = str_of(cli_default_config), .serve = serve };
	const struct command_row *row = NULL;
	int rc;

	arena_init(&c.arena, CLI_MEMORY);
	rc = cli_parse(&c, argc, argv, &row);
	must(rc != 0 || row != NULL);
	if (rc == 0)
		rc = c.asks_help ? command_explain(row) : row->run(&c);
	arena_clear(&c.arena);
	if ((fflush(stdout) != 0 || ferror(stdout)) && rc == 0)
		rc = EX_IOERR;
	return rc;
}
