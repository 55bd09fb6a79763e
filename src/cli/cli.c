#include "cli/cli.h"

#include "policy/unit.h"
#include "wire/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#define DEFAULT_CONFIG "/etc/nightmail/nightmail.yaml"
#define NIGHTMAIL_VERSION "0.1.0"

enum { CLI_MEMORY = 64 * 1024 * 1024 };

static const struct command_row {
	struct str words;
	int (*run)(struct cli *);
	const char *usage, *says;
} commands[] = {
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

	fputs("nightmail: ", stderr);
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

int
command_help(struct cli *c)
{
	(void)c;
	printf("usage: nightmail COMMAND [OPTION ...]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-16s %s\n", commands[i].words.p, commands[i].says);
	printf("\nOptions: --config FILE  --socket PATH  --json  --yes  "
	    "--dry-run\nFilters: --domain D  --site S  --tenant T  --status "
	    "deferred|held|due|scheduled|away\n         --older 1h  --limit N  "
	    "--all\n\nnightmail(8) tells the rest.\n");
	return 0;
}

int
command_version(struct cli *c)
{
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

/* "&key=value", encoded. */
static int
query_add(struct cli *c, const char *key, struct str value)
{
	struct buf b = { .cap = c->query.n + 3 * value.n + 64 };

	b.p = arena_alloc(&c->arena, b.cap);
	if (b.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	buf_put(&b, c->query);
	buf_printf(&b, "%s%s=", c->query.n > 0 ? "&" : "", key);
	http_encode(&b, value);
	c->query = buf_str(&b);
	return 0;
}

static int
filter_add(struct cli *c, const char *key, struct str value)
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
	return filter_add(c, "older", arena_printf(&c->arena, "%lld",
	    (long long)(ns / NS_PER_SECOND)));
}

static int
recipient_add(struct cli *c, struct str value)
{
	if (c->n_to == CLI_WORDS_MOST)
		return cli_fail(EX_USAGE, "too many recipients");
	c->to[c->n_to++] = value;
	return 0;
}

/* Options with a value.  EX_USAGE + 1: it is none of them. */
static int
value_option(struct cli *c, struct str name, struct str value)
{
	static const char *const filters[] = { "domain", "site", "tenant",
		"stream", "status" };

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		if (str_eq(name, str_of(filters[i])))
			return filter_add(c, filters[i], value);
	if (str_eq(name, STR("older")))
		return older_add(c, value);
	if (str_eq(name, STR("limit")))
		return query_add(c, "limit", value);
	if (str_eq(name, STR("id")))
		return filter_add(c, "id", value);
	if (str_eq(name, STR("to")))
		return recipient_add(c, value);
	if (str_eq(name, STR("config")))
		c->config = value;
	else if (str_eq(name, STR("socket")))
		c->socket = value;
	else if (str_eq(name, STR("from")))
		c->from = value;
	else if (str_eq(name, STR("since")))
		c->since = value;
	else
		return EX_USAGE + 1;
	return 0;
}

static bool
flag_option(struct cli *c, struct str name)
{
	const struct { const char *name; bool *flag; } flags[] = {
		{ "json", &c->json }, { "yes", &c->yes }, { "all", &c->all },
		{ "follow", &c->follow }, { "no-cage", &c->no_cage },
		{ "dry-run", &c->dry_run },
	};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (str_eq(name, str_of(flags[i].name))) {
			*flags[i].flag = true;
			return true;
		}
	return false;
}

static int
option_take(struct cli *c, int argc, char **argv, int *i)
{
	struct str value = str_of(argv[*i] + 2);
	struct str name = str_cut(&value, '=');
	bool has_value = str_find(str_of(argv[*i]), '=') <
	    strlen(argv[*i]);
	int rc;

	if (flag_option(c, name))
		return has_value ? cli_fail(EX_USAGE, "--" STR_FMT
		    " takes no value", STR_ARG(name)) : 0;
	if (!has_value && *i + 1 < argc)
		value = str_of(argv[++*i]);
	else if (!has_value)
		value = STR_NONE;
	rc = value_option(c, name, value);
	if (rc == EX_USAGE + 1)
		return cli_fail(EX_USAGE, "there is no option --" STR_FMT,
		    STR_ARG(name));
	if (value.p == NULL)
		return cli_fail(EX_USAGE, "--" STR_FMT " needs a value",
		    STR_ARG(name));
	return rc;
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
		else if (!only_words && str_eq(a, STR("-f")))
			c->follow = true;
		else if (!only_words && str_has_prefix_icase(a, STR("--")))
			rc = option_take(c, argc, argv, &i);
		else if (c->n_words == CLI_WORDS_MOST)
			rc = cli_fail(EX_USAGE, "too many words");
		else
			c->words[c->n_words++] = a;
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

static int
command_run(struct cli *c)
{
	size_t used;

	for (size_t i = 0; i < COMMANDS; i++) {
		if (!row_matches(c, commands[i].words, &used))
			continue;
		c->n_words -= used;
		memmove(c->words, c->words + used,
		    c->n_words * sizeof *c->words);
		return commands[i].run(c);
	}
	if (c->n_words == 0)
		return command_help(c);
	return cli_fail(EX_USAGE, "there is no command '" STR_FMT
	    "'; see nightmail help", STR_ARG(c->words[0]));
}

int
cli_main(int argc, char **argv, int (*serve)(struct str config, bool is_caged))
{
	struct cli c = { .config = STR(DEFAULT_CONFIG), .serve = serve };
	int rc;

	arena_init(&c.arena, CLI_MEMORY);
	rc = arguments_take(&c, argc, argv);
	if (rc == 0)
		rc = command_run(&c);
	arena_clear(&c.arena);
	if (fflush(stdout) != 0 && rc == 0)
		rc = EX_IOERR;
	return rc;
}
