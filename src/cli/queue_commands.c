/* queue_commands.c -- queue list, show, hold, release, retry, delete. */
#include "base/buf.h"
#include "base/id.h"
#include "cli/ask.h"
#include "cli/told.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* ---- list: as postqueue -p has it with long ids ---- */

enum { COLUMNS = 76 };

struct listing {
	uint64_t messages, octets;
};

/* "Sat Nov 21 09:11:45", of this machine. */
static void
arrival_put(struct buf *b, intmax_t seconds)
{
	time_t at = (time_t)seconds;
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&at, &tm) == NULL ||
	    strftime(text, sizeof text, "%a %b %e %H:%M:%S", &tm) == 0)
		buf_put(b, STR("?"));
	buf_put(b, str_of(text));
	buf_putc(b, '\0');
}

static void
reason_print(struct cli *c, const char *reason)
{
	const char *text = cli_visible(c, reason);
	int n = (int)strlen(text);

	printf("%*s(%s)\n", n < COLUMNS ? COLUMNS - n : 0, "", text);
}

/* A reason stands above all recipients it is about. */
static void
recipients_print(struct cli *c, const json_t *to)
{
	const char *last = "";

	for (size_t i = 0; i < json_array_size(to); i++) {
		const json_t *r = json_array_get(to, i);
		const char *reason = told_text(r, "delay_reason");

		if (reason[0] != '\0' && strcmp(reason, last) != 0)
			reason_print(c, reason);
		last = reason;
		printf("%-17s %8s %-19s %s\n", "", "", "",
		    told_visible(c, r, "address"));
	}
}

static void
message_print(struct cli *c, const json_t *j)
{
	const char *queue = told_text(j, "queue_name");
	intmax_t left_out = told_number(j, "recipients_left_out");
	char arrival[40], id[40];
	struct buf b = BUF_OF(arrival), name = BUF_OF(id);

	arrival_put(&b, told_number(j, "arrival_time"));
	buf_printf(&name, "%.20s%s", told_text(j, "queue_id"),
	    strcmp(queue, "active") == 0 ? "*" :
	    strcmp(queue, "hold") == 0 ? "!" : "");
	printf("%-17s %8jd %19.19s %s\n", id, told_number(j, "message_size"),
	    arrival, told_visible(c, j, "sender"));
	recipients_print(c, json_object_get(j, "recipients"));
	if (left_out > 0)
		printf("%47s and %jd more\n", "", left_out);
}

static int
item_line(struct ask *a, struct str line)
{
	struct listing *l = a->owner;
	struct arena_mark mark;
	json_t *j = told_read(line);

	if (j == NULL)
		return EX_DATAERR;
	if (l->messages++ == 0)
		printf("%-17s %8s %-19s %s\n", "----Queue ID-----", "--Size--",
		    "---Arrival Time----", "--Sender/Recipient------");
	else
		putchar('\n');
	l->octets += (uint64_t)told_number(j, "message_size");
	/* Millions of them: each gives back what it printed. */
	mark = arena_mark(&a->cli->arena);
	message_print(a->cli, j);
	arena_back(&a->cli->arena, mark);
	json_decref(j);
	return 0;
}

static struct str
target_make(struct cli *c, const char *path)
{
	return c->query.n == 0 ? str_of(path) :
	    arena_printf(&c->arena, "%s?" STR_FMT, path, STR_ARG(c->query));
}

int
command_queue_list(struct cli *c)
{
	struct listing l = { 0 };
	struct ask a = { .method = "GET", .target = target_make(c, "/v1/queue"),
		.body_fd = -1, .line = c->json ? NULL : item_line, .owner = &l };
	int rc;

	if (c->n_words > 0)
		return cli_usage("queue list");
	rc = ask(c, &a);
	if (rc != 0 || c->json)
		return rc;
	if (l.messages == 0)
		printf("Mail queue is empty\n");
	else
		printf("\n-- %ju Kbytes in %ju Request%s.\n",
		    (uintmax_t)(l.octets / 1024), (uintmax_t)l.messages,
		    l.messages == 1 ? "" : "s");
	return rc;
}

/* ---- show ---- */

static int
pretty_line(struct ask *a, struct str line)
{
	json_t *j = told_read(line);

	(void)a;
	if (j == NULL)
		return EX_DATAERR;
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER |
	    JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(j);
	return 0;
}

int
command_queue_show(struct cli *c)
{
	struct ask a = { .method = "GET", .body_fd = -1,
		.line = c->json ? NULL : pretty_line };
	uint64_t id;

	if (c->n_words != 1)
		return cli_usage("queue show");
	if (!id_parse(c->words[0], &id))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no message id",
		    STR_ARG(c->words[0]));
	a.target = arena_printf(&c->arena, "/v1/queue/%s", id_print(id).text);
	return ask(c, &a);
}

/* ---- actions ---- */

static int
counted_line(struct ask *a, struct str line)
{
	intmax_t *matched = a->owner;
	json_t *j = told_read(line);

	if (j == NULL)
		return EX_DATAERR;
	*matched = told_number(j, "matched");
	json_decref(j);
	return 0;
}

static int
action_ask(struct cli *c, const char *verb, bool is_dry, intmax_t *matched)
{
	struct ask a = { .method = "POST", .body_fd = -1,
		.line = counted_line, .owner = matched };
	struct str path = arena_printf(&c->arena, "/v1/queue/%s?" STR_FMT
	    "%s%s", verb, STR_ARG(c->query), c->all ? "&all=yes" : "",
	    is_dry ? "&dry_run=yes" : "");

	a.target = path;
	return ask(c, &a);
}

static void
id_say(struct cli *c, uint64_t id, const char *verb)
{
	if (c->json)
		printf("{\"id\":\"%s\",\"action\":\"%s\",\"dry_run\":%s}\n",
		    id_print(id).text, verb, c->dry_run ? "true" : "false");
	else
		printf("%s %s%s\n", id_print(id).text,
		    c->dry_run ? "would be: " : "", verb);
}

static void
matches_say(struct cli *c, intmax_t matched, const char *verb, bool is_done)
{
	if (c->json)
		printf("{\"matched\":%jd,\"action\":\"%s\",\"done\":%s}\n",
		    matched, verb, is_done ? "true" : "false");
	else if (!is_done)
		printf("%jd match%s\n", matched, matched == 1 ? "" : "es");
}

static int
ids_act(struct cli *c, const char *verb)
{
	int rc = 0;

	for (size_t i = 0; i < c->n_words && rc == 0; i++) {
		intmax_t matched = 0;
		uint64_t id;

		if (!id_parse(c->words[i], &id))
			return cli_fail(EX_USAGE, "'" STR_FMT "' is no message "
			    "id", STR_ARG(c->words[i]));
		c->query = arena_printf(&c->arena, "id=%s", id_print(id).text);
		rc = action_ask(c, verb, c->dry_run, &matched);
		if (rc == 0 && matched == 0)
			rc = cli_fail(EX_DATAERR, "%s is not queued",
			    id_print(id).text);
		else if (rc == 0)
			id_say(c, id, verb);
	}
	return rc;
}

/* The count is told first; without --yes nothing happens. */
static int
filter_act(struct cli *c, const char *verb)
{
	intmax_t matched = 0;
	bool is_done = c->yes && !c->dry_run;
	int rc = action_ask(c, verb, true, &matched);

	if (rc != 0)
		return rc;
	if (!c->json || !is_done)
		matches_say(c, matched, verb, false);
	if (!is_done)
		return c->dry_run || matched == 0 ? 0 :
		    cli_fail(EX_USAGE, "add --yes to %s them", verb);
	rc = action_ask(c, verb, false, &matched);
	if (rc == 0)
		matches_say(c, matched, verb, true);
	return rc;
}

static int
queue_act(struct cli *c, const char *verb, const char *words)
{
	if (c->n_words > 0 && (c->has_filter || c->all))
		return cli_fail(EX_USAGE, "name ids or a filter, not both");
	if (c->n_words > 0)
		return ids_act(c, verb);
	if (!c->has_filter && !c->all)
		return cli_usage(words);
	return filter_act(c, verb);
}

int
command_queue_hold(struct cli *c)
{
	return queue_act(c, "hold", "queue hold");
}

int
command_queue_release(struct cli *c)
{
	return queue_act(c, "release", "queue release");
}

int
command_queue_retry(struct cli *c)
{
	return queue_act(c, "retry", "queue retry");
}

int
command_queue_delete(struct cli *c)
{
	return queue_act(c, "delete", "queue delete");
}
