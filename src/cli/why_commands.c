/* why_commands.c -- why: what became of a message, in words. */
#include "base/id.h"
#include "cli/ask.h"
#include "cli/told.h"
#include "cli/why_checked.h"
#include "wire/http.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { WHY_MESSAGES = 20 };

/* One message while its events come by. */
struct telling {
	uint64_t events;
};

/* What a word was found in. */
struct finding {
	uint64_t ids[WHY_MESSAGES];	/* the last of them, oldest first */
	size_t n;
	uint64_t found;
};

/* ---- one event in words ---- */

static bool
has(const json_t *j, const char *key)
{
	return json_object_get(j, key) != NULL;
}

/* ", the words" or nothing. */
static void
say_some(struct cli *c, const json_t *j, const char *before, const char *key,
    const char *after)
{
	if (has(j, key))
		printf("%s%s%s", before, told_visible(c, j, key), after);
}

static void
say_queued(struct cli *c, const json_t *j)
{
	printf("accepted from <%s>", told_visible(c, j, "sender"));
	say_some(c, j, " for <", "recipient", ">");
	if (!has(j, "recipient"))
		printf(" for %jd recipients", told_number(j, "recipients"));
	printf(", %jd octets", told_number(j, "size"));
	if (has(j, "client"))
		printf(", by %s from %s [%s]", told_visible(c, j, "protocol"),
		    has(j, "client_name") ? told_visible(c, j, "client_name") :
		    "unknown", told_visible(c, j, "client"));
	say_some(c, j, " at listener ", "listener", "");
	say_some(c, j, ", user ", "user", "");
	say_some(c, j, ", Message-ID <", "message_id", ">");
	say_some(c, j, ", signed by ", "signed", "");
	say_some(c, j, "; it is a report about ", "parent", "");
}

static void
say_expanded(struct cli *c, const json_t *j)
{
	printf("<%s> is an alias and became %jd: %s",
	    told_visible(c, j, "recipient"), told_number(j, "recipients"),
	    told_visible(c, j, "text"));
	say_some(c, j, "; sent on, and reported to, as <", "sender", ">");
}

/* "<bob@a.example> (given as list@b.example)" */
static void
say_recipient(struct cli *c, const json_t *j)
{
	printf("<%s>", told_visible(c, j, "recipient"));
	say_some(c, j, " (given as ", "orig_to", ")");
}

static void
say_words(struct cli *c, const json_t *j)
{
	const char *relay = told_visible(c, j, "relay");

	if (relay[0] != '\0' && strcmp(relay, "none") != 0 &&
	    strcmp(relay, "local") != 0)
		printf(" at %s", relay);
	say_some(c, j, " (", "tls", ")");
	if (has(j, "reply"))
		printf(", which said: %s", told_visible(c, j, "reply"));
	else
		say_some(c, j, ": ", "text", "");
	say_some(c, j, " (file ", "file", ")");
}

static void
say_delivered(struct cli *c, const json_t *j)
{
	printf("delivered to ");
	say_recipient(c, j);
	say_words(c, j);
}

/* "; soft: full" */
static void
say_class(struct cli *c, const json_t *j)
{
	if (has(j, "class"))
		printf("; %s: %s", told_visible(c, j, "bounce"),
		    told_visible(c, j, "class"));
}

static void
say_delayed(struct cli *c, const json_t *j)
{
	printf("attempt %jd for ", told_number(j, "attempt"));
	say_recipient(c, j);
	printf(" was put off");
	say_words(c, j);
	say_class(c, j);
	if (has(j, "next_at"))
		printf("; next try %s", told_visible(c, j, "next_at"));
	else
		printf("; no next try while it is held");
}

static void
say_failed(struct cli *c, const json_t *j)
{
	printf("failed for good for ");
	say_recipient(c, j);
	say_words(c, j);
	say_class(c, j);
}

static void
say_expired(struct cli *c, const json_t *j)
{
	printf("given up, too old, for ");
	say_recipient(c, j);
	say_words(c, j);
	say_class(c, j);
}

static void
say_discarded(struct cli *c, const json_t *j)
{
	printf("discarded for ");
	say_recipient(c, j);
	say_some(c, j, ": ", "text", "");
}

static void
say_canceled(struct cli *c, const json_t *j)
{
	printf("cancelled by an administrator for ");
	say_recipient(c, j);
}

static void
say_bounce_made(struct cli *c, const json_t *j)
{
	if (has(j, "report"))
		printf("a report (%s) went to <%s>: message %s",
		    told_visible(c, j, "reason"), told_visible(c, j, "recipient"),
		    told_visible(c, j, "report"));
	else
		printf("for <%s>: %s", told_visible(c, j, "recipient"),
		    told_visible(c, j, "text"));
}

static void
say_trouble(struct cli *c, const json_t *j)
{
	printf("trouble");
	say_some(c, j, " (", "reason", ")");
	say_some(c, j, ": ", "text", "");
}

static const struct sentence {
	const char *event;
	void (*say)(struct cli *, const json_t *);	/* or ... */
	const char *words;		/* ... these and the event's text */
} sentences[] = {
	{ "bounce_made", say_bounce_made, NULL },
	{ "canceled", say_canceled, NULL },
	{ "checked", why_checked, NULL },
	{ "delayed", say_delayed, NULL },
	{ "delivered", say_delivered, NULL },
	{ "discarded", say_discarded, NULL },
	{ "expanded", say_expanded, NULL },
	{ "expired", say_expired, NULL },
	{ "failed", say_failed, NULL },
	{ "held", NULL, "put on hold" },
	{ "queued", say_queued, NULL },
	{ "released", NULL, "released from hold" },
	{ "rescheduled", NULL, "made due by an administrator" },
	{ "trouble", say_trouble, NULL },
};

static void
event_say(struct cli *c, const json_t *j)
{
	const char *event = told_visible(c, j, "event");
	const struct sentence *s = NULL;

	for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
		if (strcmp(sentences[i].event, event) == 0)
			s = &sentences[i];
	printf("%.19s  ", told_visible(c, j, "at"));
	if (s != NULL && s->say != NULL)
		s->say(c, j);
	else {
		printf("%s", s != NULL ? s->words : event);
		say_some(c, j, ": ", "text", "");
	}
	putchar('\n');
}

/* ---- one message ---- */

static int
event_line(struct ask *a, struct str line)
{
	struct telling *t = a->owner;

	t->events++;
	return told_say(a, line, event_say);
}

static int
message_tell(struct cli *c, uint64_t id)
{
	struct telling t = { 0 };
	struct ask a = { .method = "GET", .body_fd = -1, .line = event_line,
		.owner = &t };
	int rc;

	a.target = arena_printf(&c->arena, "/v1/events?since=%" PRIu32 "&id=%s",
	    UINT32_MAX, id_print(id).text);
	rc = ask(c, &a);
	if (rc == 0 && t.events == 0)
		return cli_fail(EX_DATAERR, "nothing is known of %s: it was "
		    "never here, or longer ago than retain.events",
		    id_print(id).text);
	return rc;
}

/* ---- a Message-ID, or an address ---- */

static void
finding_add(struct finding *f, uint64_t id)
{
	size_t at = 0;

	while (at < f->n && f->ids[at] != id)
		at++;
	if (at == f->n)
		f->found++;
	if (at == f->n && f->n == WHY_MESSAGES)
		at = 0;
	if (at < f->n)
		memmove(f->ids + at, f->ids + at + 1,
		    (--f->n - at) * sizeof f->ids[0]);
	f->ids[f->n++] = id;
}

static int
found_line(struct ask *a, struct str line)
{
	json_t *j = told_read(line);
	const char *text = json_string_value(json_object_get(j, "id"));
	uint64_t id;

	if (text != NULL && id_parse(str_of(text), &id))
		finding_add(a->owner, id);
	json_decref(j);
	return 0;
}

static struct str
find_target(struct cli *c, struct str what)
{
	struct buf b = { .cap = HTTP_TARGET_MOST };

	b.p = arena_alloc(&c->arena, b.cap);
	if (b.p == NULL)
		return STR_NONE;
	buf_printf(&b, "/v1/events?since=%" PRIu32 "&about=", UINT32_MAX);
	http_encode(&b, what);
	return b.full ? STR_NONE : buf_str(&b);
}

static int
messages_tell(struct cli *c, struct str what)
{
	struct finding f = { .n = 0 };
	struct ask a = { .method = "GET", .body_fd = -1, .line = found_line,
		.owner = &f, .target = find_target(c, what) };
	int rc;

	if (a.target.p == NULL)
		return cli_fail(EX_USAGE, "that is too long");
	rc = ask(c, &a);
	if (rc == 0 && f.n == 0)
		return cli_fail(EX_DATAERR, "nothing is known of '%s': no such "
		    "id, Message-ID or recipient, or longer ago than "
		    "retain.events", arena_cstr(&c->arena, what));
	if (rc == 0 && !c->json && f.found > f.n)
		printf("%" PRIu64 " messages; the last %zu:\n", f.found, f.n);
	for (size_t i = 0; i < f.n && rc == 0; i++) {
		if (!c->json)
			printf("%s%s\n", i > 0 ? "\n" : "",
			    id_print(f.ids[i]).text);
		rc = message_tell(c, f.ids[i]);
	}
	return rc;
}

int
command_why(struct cli *c)
{
	uint64_t id;

	if (c->n_words != 1)
		return cli_usage("why");
	if (id_parse(c->words[0], &id))
		return message_tell(c, id);
	return messages_tell(c, c->words[0]);
}
