/* bounce_commands.c -- bounce: what failures mean, and what bounces say. */
#include "base/json.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "policy/bounce_rules.h"
#include "policy/config.h"
#include "wire/disposition.h"
#include "wire/dsn.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

enum { PIECE = 64 * 1024, JSON_LINE = 64 * 1024 };

static const char *
clean(struct cli *c, struct str s)
{
	return cli_visible(c, arena_cstr(&c->arena, s));
}

/* The operator's rules: those of the configuration, where there is one.  -1: it
 * was asked for, and is refused. */
static int
rules_of(struct cli *c, struct config **conf)
{
	struct str path = cli_config_path(c);
	struct problems problems;

	*conf = NULL;
	if (path.n == 0)
		return 0;
	problems_init(&problems);
	*conf = config_load(&files_source, path, &problems);
	problems_clear(&problems);
	if (*conf == NULL && !str_eq(c->config, str_of(cli_default_config)))
		return cli_fail(EX_CONFIG, STR_FMT ": it is refused; nightmail "
		    "check-config says why", STR_ARG(path));
	return 0;
}

static const struct bounce_rules *
own_rules(const struct config *conf)
{
	return conf == NULL ? NULL : conf->bounces.rules;
}

/* ---- why it is so ---- */

static struct str
rule_name(struct cli *c, const struct bounce_rule *r)
{
	return r == NULL ? STR("by its codes") :
	    arena_printf(&c->arena, STR_FMT ":%u%s", STR_ARG(r->file), r->line,
	    r->is_guess ? ", a guess" : "");
}

static void
json_judged(struct cli *c, struct json *j, const struct bounce_judged *is,
    struct esc esc)
{
	json_put_str(j, "class", str_of(is->reason->name));
	json_put_str(j, "bounce", str_of(reason_kind(is->reason, esc)));
	if (is->provider != NULL)
		json_put_str(j, "provider", is->provider->name);
	if (is->rule != NULL) {
		json_put_str(j, "rule", arena_printf(&c->arena, STR_FMT ":%u",
		    STR_ARG(is->rule->file), is->rule->line));
		json_put_bool(j, "guess", is->rule->is_guess);
	}
	json_put_str(j, "means", str_of(is->reason->about));
	json_put_str(j, "advice", str_of(words_text(LANGUAGE_en,
	    is->reason->what)));
}

static void
say_judged(struct cli *c, const struct bounce_judged *is, struct esc esc)
{
	printf("  %-9s%s: %s\n", reason_kind(is->reason, esc),
	    is->reason->name, is->reason->about);
	printf("  rule     " STR_FMT, STR_ARG(rule_name(c, is->rule)));
	if (is->provider != NULL)
		printf("; provider " STR_FMT, STR_ARG(is->provider->name));
	printf("\n  to do    %s\n", words_text(LANGUAGE_en, is->reason->what));
}

/* ---- bounce classes ---- */

static int
class_say(struct cli *c, const struct reason *r)
{
	char room[1024];
	struct buf b = BUF_OF(room);
	struct json j;

	if (!c->json) {
		printf("%-12s %-5s %s\n", r->name, r->can_be_hard ? "hard" :
		    "soft", r->about);
		return 0;
	}
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "class", str_of(r->name));
	json_put_str(&j, "bounce", str_of(r->can_be_hard ? "hard" : "soft"));
	json_put_str(&j, "means", str_of(r->about));
	json_put_str(&j, "words", str_of(words_text(LANGUAGE_en, r->why)));
	json_put_str(&j, "advice", str_of(words_text(LANGUAGE_en, r->what)));
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	return b.full ? EX_SOFTWARE : 0;
}

int
command_bounce_classes(struct cli *c)
{
	int rc = 0;

	if (c->n_words != 0)
		return cli_usage("bounce classes");
	for (int i = REASON_UNSAID + 1; i < REASON_CLASSES && rc == 0; i++)
		rc = class_say(c, reason_get((enum reason_class)i));
	return rc;
}

/* ---- bounce classify ---- */

static int
classified_json(struct cli *c, const struct bounce_reply *reply,
    const struct bounce_judged *is)
{
	struct buf b = { .p = arena_alloc(&c->arena, JSON_LINE),
		.cap = JSON_LINE };
	struct json j;

	if (b.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	if (reply->code != 0)
		json_put_u64(&j, "code", (uint64_t)reply->code);
	if (reply->esc.class != 0)
		json_put_str(&j, "status", str_of(esc_print(reply->esc).text));
	json_judged(c, &j, is, reply->esc);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	return 0;
}

/* A code without an enhanced one says as much as for good or for now. */
static int
classify(struct cli *c, const struct bounce_rules *own)
{
	struct bounce_reply reply = { .host = c->provider,
		.phase = BOUNCE_RCPT, .text = c->words[0] };
	struct bounce_judged is;

	bounce_reply_codes(reply.text, &reply.code, &reply.esc);
	if (reply.esc.class == 0)
		reply.esc.class = (unsigned char)(reply.code / 100);
	is = bounce_judge(own, &reply);
	if (c->provider.n > 0 && is.provider == NULL)
		return cli_fail(EX_USAGE, "no rules know the provider '%s'; "
		    "nightmail bounce classify without --provider asks those of "
		    "everybody", clean(c, c->provider));
	if (c->json)
		return classified_json(c, &reply, &is);
	printf("%d %s\n", reply.code, esc_print(reply.esc).text);
	say_judged(c, &is, reply.esc);
	return 0;
}

int
command_bounce_classify(struct cli *c)
{
	struct config *conf;
	int rc;

	if (c->n_words != 1)
		return cli_usage("bounce classify");
	rc = rules_of(c, &conf);
	if (rc == 0)
		rc = classify(c, own_rules(conf));
	if (conf != NULL)
		config_free(conf);
	return rc;
}

/* ---- bounce read ---- */

struct reading {
	struct cli *cli;
	const struct bounce_rules *own;
	struct arena arena;		/* of one message */
	struct str name;		/* of the file */
	const struct bounce *bounce;
};

static void
json_some(struct json *j, const char *key, struct str s)
{
	if (s.n > 0)
		json_put_str(j, key, s);
}

static void
told_json(struct reading *r, struct json *j, const struct bounce_told *t)
{
	struct bounce_judged is = bounce_judge_told(r->own, r->bounce, t);

	json_put_object(j, NULL);
	json_put_str(j, "recipient", t->address);
	if (t->action < DSN_ACTIONS)
		json_put_str(j, "action", str_of(dsn_word(t->action)));
	if (t->code != 0)
		json_put_u64(j, "code", (uint64_t)t->code);
	if (t->esc.class != 0)
		json_put_str(j, "status", str_of(esc_print(t->esc).text));
	json_some(j, "remote", t->remote);
	if (bounce_is_trouble(t))
		json_judged(r->cli, j, &is, t->esc);
	json_some(j, "reply", t->reply);
	json_end_object(j);
}

static int
bounce_json(struct reading *r)
{
	const struct bounce *b = r->bounce;
	size_t room = JSON_LINE + b->n * 8 * BOUNCE_REPLY_MOST;
	struct buf line = { .p = arena_alloc(&r->cli->arena, room),
		.cap = room };
	struct json j;

	if (line.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	json_begin(&j, &line);
	json_put_object(&j, NULL);
	json_put_str(&j, "file", r->name);
	json_put_str(&j, "kind", str_of(bounce_kind_word(b->kind)));
	json_some(&j, "reported_by", b->reporter);
	json_some(&j, "subject", b->subject);
	json_some(&j, "feedback", b->feedback);
	json_some(&j, "message_id", b->message_id);
	json_some(&j, "original_subject", b->original_subject);
	json_some(&j, "original_sender", b->original_sender);
	json_put_bool(&j, "is_cut", b->is_cut);
	json_put_array(&j, "recipients");
	for (const struct bounce_told *t = b->told; t != NULL && b->n > 0;
	    t = t->next)
		told_json(r, &j, t);
	json_end_array(&j);
	json_end_object(&j);
	if (line.full)
		return cli_fail(EX_SOFTWARE, "what it says is too long");
	printf(STR_FMT "\n", STR_ARG(buf_str(&line)));
	return 0;
}

static void
told_say(struct reading *r, const struct bounce_told *t)
{
	struct bounce_judged is = bounce_judge_told(r->own, r->bounce, t);

	printf("%s\n", t->address.n == 0 ? "(it does not say whom)" :
	    clean(r->cli, t->address));
	if (t->reply.n > 0)
		printf("  said     %s\n", clean(r->cli, t->reply));
	if (t->remote.n > 0)
		printf("  host     %s\n", clean(r->cli, t->remote));
	if (bounce_is_trouble(t))
		say_judged(r->cli, &is, t->esc);
}

static int
bounce_say(struct reading *r)
{
	const struct bounce *b = r->bounce;

	printf("%s: %s", clean(r->cli, r->name), bounce_kind_word(b->kind));
	if (b->feedback.n > 0)
		printf(" (%s)", clean(r->cli, b->feedback));
	if (b->reporter.n > 0)
		printf(", from %s", clean(r->cli, b->reporter));
	if (b->message_id.n > 0)
		printf(", about <%s>", clean(r->cli, b->message_id));
	printf("\n");
	for (const struct bounce_told *t = b->told; t != NULL && b->n > 0;
	    t = t->next)
		told_say(r, t);
	if (b->is_cut)
		printf("There is more in it than is read.\n");
	return 0;
}

/* False: it cannot be read; errno says why. */
static bool
message_read(struct reading *r, FILE *f)
{
	struct bounce_reader *reader = bounce_read_begin(&r->arena);
	char *piece = arena_alloc(&r->cli->arena, PIECE);
	size_t n;

	if (reader == NULL || piece == NULL) {
		errno = ENOMEM;
		return false;
	}
	while ((n = fread(piece, 1, PIECE, f)) > 0)
		bounce_read(reader, (struct str){ piece, n });
	r->bounce = bounce_read_end(reader);
	return !ferror(f);
}

static int
file_tell(struct reading *r)
{
	bool is_stdin = str_eq(r->name, STR("-"));
	struct arena_mark mark = arena_mark(&r->cli->arena);
	FILE *f = is_stdin ? stdin :
	    fopen(arena_cstr(&r->cli->arena, r->name), "re");
	int rc;

	arena_init(&r->arena, BOUNCE_READ_MEMORY);
	if (f == NULL || !message_read(r, f))
		rc = cli_fail(EX_NOINPUT, STR_FMT ": %s", STR_ARG(r->name),
		    strerror(errno));
	else
		rc = r->cli->json ? bounce_json(r) : bounce_say(r);
	if (f != NULL && !is_stdin)
		(void)fclose(f);
	arena_clear(&r->arena);
	arena_back(&r->cli->arena, mark);
	return rc;
}

/* Each is told, whatever is wrong with another. */
int
command_bounce_read(struct cli *c)
{
	struct reading r = { .cli = c };
	struct config *conf;
	int rc = 0, worst;

	if (c->n_words == 0)
		return cli_usage("bounce read");
	worst = rules_of(c, &conf);
	r.own = own_rules(conf);
	for (size_t i = 0; i < c->n_words && worst != EX_CONFIG; i++) {
		r.name = c->words[i];
		rc = file_tell(&r);
		if (worst == 0)
			worst = rc;
	}
	if (conf != NULL)
		config_free(conf);
	return worst;
}
