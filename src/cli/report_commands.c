/* report_commands.c -- report read: what a report of another server says. */
#include "base/json.h"
#include "cli/cli.h"
#include "policy/bounce_rules.h"
#include "wire/disposition.h"
#include "wire/dsn_read.h"
#include "wire/reason.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

enum { PIECE = 64 * 1024, JSON_LINE = 64 * 1024 };

/* ---- reading ---- */

static FILE *
report_open(struct cli *c)
{
	if (c->n_words == 0 || str_eq(c->words[0], STR("-")))
		return stdin;
	return fopen(arena_cstr(&c->arena, c->words[0]), "re");
}

/* NULL: it cannot be read; errno says why. */
static const struct dsn_report *
report_read(struct cli *c, FILE *f)
{
	struct dsn_reader *r = dsn_read_begin(&c->arena);
	char *piece = arena_alloc(&c->arena, PIECE);
	size_t n;

	if (r == NULL || piece == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	while ((n = fread(piece, 1, PIECE, f)) > 0)
		dsn_read(r, (struct str){ piece, n });
	return ferror(f) ? NULL : dsn_read_end(r);
}

/* What it means, as it would if the host had said it to us. */
static const struct reason *
told_reason(const struct dsn_told *t)
{
	size_t at = str_find_last(t->final.text, '@');
	struct bounce_reply reply = { .host = t->remote,
		.domain = str_sub(t->final.text, at + 1, t->final.text.n),
		.phase = BOUNCE_RCPT, .code = t->code, .esc = t->status,
		.text = t->diagnostic };
	struct bounce_judged j = bounce_judge(NULL, &reply);

	return j.rule != NULL ? j.reason : t->reason;
}

/* ---- as JSON ---- */

static void
json_some(struct json *j, const char *key, struct str s)
{
	if (s.n > 0)
		json_put_str(j, key, s);
}

static void
json_when(struct json *j, const char *key, struct wall at)
{
	if (at.us > 0)
		json_put_wall(j, key, at);
}

static void
json_address(struct json *j, const char *key, const char *type_key,
    const struct dsn_address *a)
{
	json_some(j, key, a->text);
	json_some(j, type_key, a->type);
}

static void
json_message(struct json *j, const struct dsn_report *r)
{
	json_put_object(j, NULL);
	json_put_u64(j, "recipients", r->n);
	json_some(j, "reporting_mta", r->reporting);
	json_some(j, "gateway", r->gateway);
	json_some(j, "received_from", r->received_from);
	json_some(j, "envelope_id", r->envid);
	json_some(j, "message_id", r->message_id);
	json_some(j, "subject", r->subject);
	json_when(j, "arrived", r->arrived);
	json_put_bool(j, "is_cut", r->is_cut);
	json_end_object(j);
}

static void
json_told(struct json *j, const struct dsn_told *t)
{
	json_put_object(j, NULL);
	json_address(j, "recipient", "recipient_type", &t->final);
	json_address(j, "original", "original_type", &t->original);
	if (t->action < DSN_ACTIONS)
		json_put_str(j, "action", str_of(dsn_word(t->action)));
	json_some(j, "status", str_of(esc_print(t->status).text));
	if (t->code != 0)
		json_put_u64(j, "code", (uint64_t)t->code);
	json_put_str(j, "bounce", str_of(reason_kind(told_reason(t),
	    t->status)));
	json_put_str(j, "class", str_of(told_reason(t)->name));
	json_some(j, "remote", t->remote);
	json_some(j, "diagnostic", t->diagnostic);
	json_some(j, "diagnostic_type", t->diagnostic_type);
	json_when(j, "tried_at", t->tried_at);
	json_when(j, "retry_until", t->retry_until);
	json_some(j, "log_id", t->log_id);
	json_end_object(j);
}

static int
report_json(struct cli *c, const struct dsn_report *r)
{
	struct buf line = { .p = arena_alloc(&c->arena, JSON_LINE),
		.cap = JSON_LINE };
	struct json j;

	if (line.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	json_begin(&j, &line);
	json_message(&j, r);
	printf(STR_FMT "\n", STR_ARG(buf_str(&line)));
	for (const struct dsn_told *t = r->told; t != NULL; t = t->next) {
		line.n = 0;
		json_begin(&j, &line);
		json_told(&j, t);
		printf(STR_FMT "\n", STR_ARG(buf_str(&line)));
	}
	return 0;
}

/* ---- for a person ---- */

static void
say(struct cli *c, const char *what, struct str s)
{
	if (s.n > 0)
		printf("%s%s\n", what, cli_visible(c, arena_cstr(&c->arena,
		    s)));
}

static void
say_when(const char *what, struct wall at)
{
	if (at.us > 0)
		printf("%s%s\n", what, wall_print(at).text);
}

static void
say_told(struct cli *c, const struct dsn_told *t)
{
	struct esc_text status = esc_print(t->status);

	printf("\n%s\n", cli_visible(c, arena_cstr(&c->arena,
	    t->final.text.n > 0 ? t->final.text : t->original.text)));
	printf("  %s %s (%s, %s)\n", t->action < DSN_ACTIONS ?
	    dsn_word(t->action) : "no known action", status.text,
	    reason_kind(told_reason(t), t->status), told_reason(t)->name);
	if (t->final.text.n > 0 && !str_eq(t->final.text, t->original.text))
		say(c, "  sent to      ", t->original.text);
	say(c, "  remote       ", t->remote);
	say(c, "  diagnostic   ", t->diagnostic);
	say_when("  tried at     ", t->tried_at);
	say_when("  tried until  ", t->retry_until);
	say(c, "  log id       ", t->log_id);
}

static void
report_say(struct cli *c, const struct dsn_report *r)
{
	say(c, "reported by    ", r->reporting);
	say(c, "gateway        ", r->gateway);
	say(c, "received from  ", r->received_from);
	say(c, "envelope id    ", r->envid);
	say(c, "message id     ", r->message_id);
	say(c, "subject        ", r->subject);
	say_when("arrived        ", r->arrived);
	for (const struct dsn_told *t = r->told; t != NULL; t = t->next)
		say_told(c, t);
	if (r->is_cut)
		printf("\nThere is more in it than can be read.\n");
}

static int
report_tell(struct cli *c, const struct dsn_report *r)
{
	if (!r->is_status)
		return cli_fail(EX_DATAERR, r->report_type.n == 0 ?
		    "there is no message/delivery-status in it" :
		    "there is no message/delivery-status in it: it is a '%s'",
		    cli_visible(c, arena_cstr(&c->arena, r->report_type)));
	if (c->json)
		return report_json(c, r);
	report_say(c, r);
	return 0;
}

int
command_report_read(struct cli *c)
{
	const struct dsn_report *r;
	FILE *f;

	if (c->n_words > 1)
		return cli_usage("report read");
	f = report_open(c);
	r = f == NULL ? NULL : report_read(c, f);
	if (f != NULL && f != stdin)
		(void)fclose(f);
	if (r == NULL)
		return cli_fail(EX_NOINPUT, STR_FMT ": %s",
		    STR_ARG(c->n_words == 0 ? STR("-") : c->words[0]),
		    strerror(errno));
	return report_tell(c, r);
}
