/* config_commands.c -- check-config, config show, explain, schema. */
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "cli/pair.h"
#include "policy/problem.h"
#include "trust/fitness.h"
#include "policy/holder.h"
#include "policy/manual.h"
#include "policy/show.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum { PROBLEMS_ROOM = 256 * 1024 };

static void
line_print(struct show_lines *s, struct str line)
{
	(void)s;
	printf(STR_FMT "\n", STR_ARG(line));
}

static struct show_lines printer = { line_print };

static void
problem_json(const struct problem *p, struct buf *out)
{
	struct json j;

	json_begin(&j, out);
	json_put_object(&j, NULL);
	json_put_str(&j, "level", str_of(problem_level_name(p->level)));
	if (p->at.line > 0) {
		json_put_str(&j, "file", p->at.file);
		json_put_u64(&j, "line", p->at.line);
		json_put_u64(&j, "column", p->at.column);
	}
	json_put_str(&j, "text", p->text);
	json_end_object(&j);
	buf_putc(out, '\n');
}

static void
problems_say(struct cli *c, const struct problems *p)
{
	struct buf b = { .p = arena_alloc(&c->arena, PROBLEMS_ROOM),
		.cap = PROBLEMS_ROOM };

	if (b.p == NULL)
		return;
	if (c->json) {
		for (size_t i = 0; i < p->n; i++)
			problem_json(&p->list[i], &b);
		printf(STR_FMT, STR_ARG(buf_str(&b)));
		return;
	}
	problems_print(p, &b);
	fprintf(stderr, STR_FMT, STR_ARG(buf_str(&b)));
}

/* The usual file need not be there: then all is default. */
struct str
cli_config_path(struct cli *c)
{
	struct source_file file;
	struct arena a;
	bool is_there;

	arena_init(&a, SOURCE_FILE_MOST + 4096);
	is_there = files_source.read(&files_source, c->config, &a, &file) !=
	    SOURCE_ABSENT;
	arena_clear(&a);
	return is_there || !str_eq(c->config,
	    STR("/etc/nightmail/nightmail.yaml")) ? c->config : STR_NONE;
}

static struct config *
config_read(struct cli *c, struct problems **p)
{
	struct config *conf;

	*p = arena_new(&c->arena, struct problems);
	if (*p == NULL)
		return NULL;
	problems_init(*p);
	conf = config_load(&files_source, cli_config_path(c), *p);
	problems_say(c, *p);
	problems_clear(*p);
	return conf;
}

/* What clients will dislike about it. */
static unsigned
certificate_warn(struct str path, const struct certificate *cert)
{
	struct timespec t;
	unsigned faults, n = 0;

	clock_gettime(CLOCK_REALTIME, &t);
	faults = fitness_judge(cert, (struct wall){ (int64_t)t.tv_sec *
	    US_PER_SECOND });
	for (unsigned f = 0; f < FITNESS_FAULTS; f++)
		if ((faults & 1u << f) != 0) {
			fprintf(stderr, "nightmail: warning: " STR_FMT ": %s\n",
			    STR_ARG(path), fitness_says((enum fitness_fault)f));
			n++;
		}
	return n;
}

/* As the keyring will read them; whoever may not read keys hears so. */
static bool
certificates_check(const struct config *conf, size_t *warnings)
{
	bool fine = conf->tls.cert.n == conf->tls.key.n;
	bool has_name = conf->tls.cert.n == 0 ||
	    conf->tls.acme.agree == ACME_AGREED;

	for (size_t i = 0; fine && i < conf->tls.cert.n; i++) {
		struct pair pair;

		fine = pair_read(conf->tls.cert.v[i], conf->tls.key.v[i],
		    &pair) == 0;
		if (!fine) {
			fprintf(stderr, "nightmail: tls: %s\n", err_text());
			break;
		}
		*warnings += certificate_warn(conf->tls.cert.v[i], &pair.cert);
		has_name = has_name || certificate_is_for(pair.cert.leaf,
		    conf->hostname);
		pair_free(&pair);
	}
	if (fine && !has_name) {
		fprintf(stderr, "nightmail: warning: tls.cert: %s (" STR_FMT
		    ")\n", fitness_says(FITNESS_OTHER_NAME),
		    STR_ARG(conf->hostname));
		++*warnings;
	}
	return fine;
}

int
command_check_config(struct cli *c)
{
	struct problems *p;
	struct config *conf;
	size_t warnings = 0;
	bool fine;

	if (c->n_words > 0)
		return cli_usage("check-config");
	conf = config_read(c, &p);
	fine = conf != NULL && certificates_check(conf, &warnings);
	if (c->json)
		printf("{\"valid\":%s}\n", fine ? "true" : "false");
	if (conf != NULL)
		config_release(conf);
	if (!fine)
		return EX_CONFIG;
	if (c->json)
		return 0;
	printf("The configuration is valid");
	warnings += p->counts[PROBLEM_WARNING];
	if (warnings > 0)
		printf(", with %zu warning%s", warnings,
		    warnings == 1 ? "" : "s");
	printf(".\n");
	return 0;
}

int
command_config_show(struct cli *c)
{
	struct problems *p;
	struct config *conf;

	if (c->n_words > 0)
		return cli_usage("config show");
	conf = config_read(c, &p);
	if (conf == NULL)
		return EX_CONFIG;
	show_config(conf, &printer);
	config_release(conf);
	return 0;
}

int
command_config_explain(struct cli *c)
{
	if (c->n_words != 1)
		return cli_usage("config explain");
	if (!show_key(c->words[0], &printer))
		return cli_fail(EX_USAGE, "there is no key '" STR_FMT "'",
		    STR_ARG(c->words[0]));
	return 0;
}

int
command_config_schema(struct cli *c)
{
	if (c->n_words > 0)
		return cli_usage("config schema");
	manual_json_schema(&printer);
	return 0;
}
