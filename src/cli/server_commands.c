/* server_commands.c -- status, sites, reload, stop, log, send. */
#include "base/json.h"
#include "cli/ask.h"
#include "cli/told.h"
#include "policy/unit.h"
#include "wire/http.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static intmax_t
number_at(const json_t *j, const char *a, const char *b)
{
	const json_t *v = json_object_get(j, a);

	if (b != NULL)
		v = json_object_get(v, b);
	return (intmax_t)json_integer_value(v);
}

static const char *
text_at(const json_t *j, const char *a, const char *b)
{
	const json_t *v = json_object_get(j, a);
	const char *s;

	if (b != NULL)
		v = json_object_get(v, b);
	s = json_string_value(v);
	return s == NULL ? "" : s;
}

/* To other servers, by how far they were proven to be who they are. */
static void
sessions_print(const json_t *sessions)
{
	const char *name;
	json_t *v;
	intmax_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)sessions, name, v)
		n += (intmax_t)json_integer_value(v);
	if (n == 0)
		return;
	printf("outward %jd connections:", n);
	json_object_foreach((json_t *)(uintptr_t)sessions, name, v)
		if (json_integer_value(v) > 0)
			printf(" %s %jd", name,
			    (intmax_t)json_integer_value(v));
	printf("\n");
}

/* "12 hosts fail since ...: TLS handshake: dh key too small". */
static void
failing_print(struct cli *c, const json_t *list)
{
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one)
		printf("failing %jd host%s fail%s since %s: %s\n",
		    number_at(one, "hosts", NULL),
		    number_at(one, "hosts", NULL) == 1 ? "" : "s",
		    number_at(one, "hosts", NULL) == 1 ? "s" : "",
		    text_at(one, "since", NULL),
		    cli_visible(c, text_at(one, "how", NULL)));
}

/* Places that know users, and do not answer. */
static void
down_print(struct cli *c, const json_t *list)
{
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one)
		printf("down    %s: %s\n",
		    cli_visible(c, text_at(one, "name", NULL)),
		    cli_visible(c, text_at(one, "why", NULL)));
}

static void
status_tls_print(const json_t *j)
{
	intmax_t n = number_at(j, "tls", "certificates");

	if (json_object_get(j, "tls") == NULL)
		return;
	printf("tls     %jd certificate%s, the first is over in %jd days", n,
	    n == 1 ? "" : "s", number_at(j, "tls", "days_left"));
	if (number_at(j, "tls", "faulty") + number_at(j, "tls", "failing") > 0)
		printf("; WARNING: %jd with faults, %jd not renewed: see "
		    "nightmail tls show", number_at(j, "tls", "faulty"),
		    number_at(j, "tls", "failing"));
	printf("\n");
}

/* Nothing, when all is well. */
static void
status_dns_print(struct cli *c, const json_t *j)
{
	intmax_t more = number_at(j, "domains_wrong", NULL);
	const json_t *list = json_object_get(j, "wrong");
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one) {
		printf("dns     WARNING: %s: %jd error%s; see nightmail dns check "
		    "%s\n", cli_visible(c, text_at(one, "domain", NULL)),
		    number_at(one, "errors", NULL),
		    number_at(one, "errors", NULL) == 1 ? "" : "s",
		    cli_visible(c, text_at(one, "domain", NULL)));
		more--;
	}
	if (more > 0)
		printf("dns     and %jd domains more\n", more);
}

static void
status_dkim_print(struct cli *c, const json_t *j)
{
	const char *trouble = text_at(j, "dkim", "trouble");

	if (number_at(j, "dkim", "active") + number_at(j, "dkim", "next") > 0)
		printf("dkim    %jd keys sign, %jd wait for their record in the "
		    "DNS%s\n", number_at(j, "dkim", "active"),
		    number_at(j, "dkim", "next"), number_at(j, "dkim", "next") >
		    0 ? ": see nightmail dkim list" : "");
	if (trouble[0] != '\0')
		printf("dkim    WARNING: %s\n", cli_visible(c, trouble));
}

static void
status_print(struct cli *c, const json_t *j)
{
	printf("%s up %jd s on %jd cores\n", cli_visible(c, text_at(j, "hostname", NULL)),
	    number_at(j, "uptime_seconds", NULL), number_at(j, "cores", NULL));
	if (number_at(j, "restarts", NULL) > 0)
		printf("worker  the %jd before this one ended; the last %s\n",
		    number_at(j, "restarts", NULL),
		    cli_visible(c, text_at(j, "last_end", NULL)));
	printf("queue   %jd messages, %jd recipients: %jd deferred, %jd held, "
	    "%jd being sent\n", number_at(j, "queue", "messages"),
	    number_at(j, "queue", "recipients"),
	    number_at(j, "queue", "deferred"), number_at(j, "queue", "held"),
	    number_at(j, "queue", "active"));
	printf("        %jd connections to %jd sites, %jd KiB of memory\n",
	    number_at(j, "queue", "connections"),
	    number_at(j, "queue", "sites"),
	    number_at(j, "queue", "memory_bytes") / 1024);
	printf("spool   %s: %jd segments, %jd MiB of which %jd live, %jd MiB "
	    "free on the disk\n", text_at(j, "spool", "health"),
	    number_at(j, "spool", "segments"),
	    number_at(j, "spool", "log_bytes") >> 20,
	    number_at(j, "spool", "live_bytes") >> 20,
	    number_at(j, "spool", "free_bytes") >> 20);
	printf("        %jd commits in %jd syncs, last %jd us, longest %jd us, "
	    "%jd damaged records\n", number_at(j, "spool", "commits"),
	    number_at(j, "spool", "syncs"), number_at(j, "spool", "sync_us"),
	    number_at(j, "spool", "sync_most_us"),
	    number_at(j, "spool", "damaged"));
	sessions_print(json_object_get(j, "tls_sessions"));
	failing_print(c, json_object_get(j, "failing"));
	status_tls_print(j);
	status_dns_print(c, json_object_get(j, "dns"));
	status_dkim_print(c, j);
	down_print(c, json_object_get(j, "directories_down"));
}

static int
status_line(struct ask *a, struct str line)
{
	return told_say(a, line, status_print);
}

int
command_status(struct cli *c)
{
	struct ask a = { .method = "GET", .target = STR("/v1/status"),
		.body_fd = -1, .line = c->json ? NULL : status_line };

	if (c->n_words > 0)
		return cli_usage("status");
	return ask(c, &a);
}

static void
site_print(struct cli *c, const json_t *j)
{
	const char *pace = text_at(j, "pace", NULL);

	printf("%8jd %8jd %4jd/%-4jd %6jds  %s\n", number_at(j, "waiting", NULL),
	    number_at(j, "messages", NULL), number_at(j, "connections", NULL),
	    number_at(j, "connections_most", NULL),
	    number_at(j, "left_alone_seconds", NULL),
	    cli_visible(c, text_at(j, "site", NULL)));
	if (pace[0] != '\0')
		printf("%39s%s\n", "", cli_visible(c, pace));
}

static int
site_line(struct ask *a, struct str line)
{
	return told_say(a, line, site_print);
}

int
command_sites(struct cli *c)
{
	struct ask a = { .method = "GET", .target = STR("/v1/sites"),
		.body_fd = -1, .line = c->json ? NULL : site_line };

	if (c->n_words > 0)
		return cli_usage("sites");
	if (!c->json)
		printf("%8s %8s %-9s %7s  %s\n", "WAITING", "SENT", "CONNS",
		    "PAUSED", "SITE");
	return ask(c, &a);
}

enum { SAID_MOST = 2048 };

/* What the server says in lines of text is one string in JSON. */
static int
text_gather(struct ask *a, struct str line)
{
	struct buf *b = a->owner;

	buf_printf(b, "%s" STR_FMT, b->n > 0 ? "\n" : "", STR_ARG(line));
	return 0;
}

static void
json_say(const char *key, struct str text)
{
	char room[SAID_MOST + 64];
	struct buf b = BUF_OF(room);
	struct json j;

	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_bool(&j, key, true);
	if (text.n > 0)
		json_put_cut(&j, "text", text, SAID_MOST);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
}

int
command_reload(struct cli *c)
{
	char room[SAID_MOST];
	struct buf said = BUF_OF(room);
	struct ask a = { .method = "POST", .target = STR("/v1/reload"),
		.body_fd = -1, .line = text_gather, .owner = &said };
	int rc;

	if (c->n_words > 0)
		return cli_usage("reload");
	rc = ask(c, &a);
	if (rc == 0 && c->json)
		json_say("reloaded", buf_str(&said));
	else if (rc == 0)
		printf(STR_FMT "\n", STR_ARG(buf_str(&said)));
	return rc == EX_DATAERR ? EX_CONFIG : rc;
}

static int
line_ignore(struct ask *a, struct str line)
{
	(void)a;
	(void)line;
	return 0;
}

int
command_stop(struct cli *c)
{
	struct ask a = { .method = "POST", .target = STR("/v1/stop"),
		.body_fd = -1, .line = line_ignore };
	int rc;

	if (c->n_words > 0)
		return cli_usage("stop");
	rc = ask(c, &a);
	if (rc == 0 && c->json)
		json_say("stopping", STR_NONE);
	else if (rc == 0)
		printf("The server ends when its conversations have ended.\n");
	return rc;
}

/* ---- log ---- */

int
command_log(struct cli *c)
{
	struct ask a = { .method = "GET", .body_fd = -1 };
	int64_t since = 24 * 3600 * NS_PER_SECOND;

	if (c->n_words > 0)
		return cli_usage("log");
	if (c->since.p != NULL && !unit_duration(c->since, &since))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is not a duration "
		    "(examples: 30s, 15m, 4h, 5d)", STR_ARG(c->since));
	if (c->follow)		/* whoever reads us reads now */
		(void)setvbuf(stdout, NULL, _IOLBF, 0);
	a.target = arena_printf(&c->arena, "/v1/events?since=%lld%s%s%s"
	    STR_FMT, (long long)(since / NS_PER_SECOND),
	    c->json ? "" : "&form=text", c->follow ? "&follow=yes" : "",
	    c->query.n > 0 ? "&" : "", STR_ARG(c->query));
	return ask(c, &a);
}

/* ---- send ---- */

static struct str
send_target(struct cli *c)
{
	struct buf b = { .cap = HTTP_TARGET_MOST };

	b.p = arena_alloc(&c->arena, b.cap);
	if (b.p == NULL)
		return STR_NONE;
	buf_put(&b, STR("/v1/emails/raw?from="));
	http_encode(&b, c->from);
	for (size_t k = 0; k < c->n_to; k++) {
		buf_put(&b, STR("&to="));
		http_encode(&b, c->to[k]);
	}
	return b.full ? STR_NONE : buf_str(&b);
}

static void
id_print_one(struct cli *c, const json_t *j)
{
	printf("%s\n", cli_visible(c, text_at(j, "id", NULL)));
}

static int
id_line(struct ask *a, struct str line)
{
	return told_say(a, line, id_print_one);
}

int
command_send(struct cli *c)
{
	struct ask a = { .method = "POST", .body_fd = STDIN_FILENO,
		.line = c->json ? NULL : id_line };
	int rc;

	if (c->n_to == 0 || c->from.p == NULL || c->n_words > 1)
		return cli_usage("send");
	a.target = send_target(c);
	if (a.target.p == NULL)
		return cli_fail(EX_USAGE, "too many recipients at once");
	if (c->n_words == 1 && !str_eq(c->words[0], STR("-"))) {
		a.body_fd = open(arena_cstr(&c->arena, c->words[0]),
		    O_RDONLY | O_CLOEXEC);
		if (a.body_fd < 0)
			return cli_fail(EX_NOINPUT, STR_FMT ": %s",
			    STR_ARG(c->words[0]), strerror(errno));
	}
	rc = ask(c, &a);
	if (a.body_fd != STDIN_FILENO)
		close(a.body_fd);
	return rc;
}
