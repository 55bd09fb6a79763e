#include "cli/accounts.h"

#include "base/err.h"
#include "base/must.h"
#include "cli/files.h"
#include "fiber/random.h"
#include "fiber/sqlite.h"
#include "policy/problem.h"
#include "policy/unit.h"
#include "store/account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { SAID_ROOM = 64 * 1024 };

/* ---- opening ---- */

static struct config *
configuration(struct cli *c)
{
	struct problems *p = arena_new(&c->arena, struct problems);
	struct buf b = { .p = arena_alloc(&c->arena, SAID_ROOM),
		.cap = SAID_ROOM };
	struct config *conf;

	if (p == NULL || b.p == NULL)
		return NULL;
	problems_init(p);
	conf = config_load(&files_source, cli_config_path(c), p);
	if (conf == NULL) {
		problems_print(p, &b);
		fprintf(stderr, STR_FMT, STR_ARG(buf_str(&b)));
	}
	problems_clear(p);
	return conf;
}

/* Who the server runs as, so that he can open what root makes. */
static struct sqlite_owner
owner_find(struct cli *c, const struct config *conf, bool may_make)
{
	const char *user = arena_cstr(&c->arena, conf->user);
	const char *group = arena_cstr(&c->arena, conf->group);
	struct sqlite_owner o = { may_make, geteuid(), getegid() };
	const struct passwd *p;
	const struct group *g;

	if (o.uid != 0 || user == NULL || group == NULL)
		return o;
	p = getpwnam(user);
	g = getgrnam(group);
	if (p != NULL)
		o = (struct sqlite_owner){ may_make, p->pw_uid, p->pw_gid };
	if (g != NULL)
		o.gid = g->gr_gid;
	return o;
}

/* The last directory of the path; those above are the system's. */
static void
directory_make(struct cli *c, struct str path, const struct sqlite_owner *o)
{
	const char *dir = arena_cstr(&c->arena, str_sub(path, 0,
	    str_find_last(path, '/')));

	int fd;

	if (dir == NULL || dir[0] == '\0' || mkdir(dir, 0750) != 0 ||
	    geteuid() != 0)
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, o->uid, o->gid) != 0)
		(void)cli_fail(0, "%s belongs to root: %s", dir,
		    strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The database and its directory are the server's user's, who may put there what
 * he likes: root does there no more than he could. */
static int
owner_become(const struct sqlite_owner *o)
{
	if (geteuid() != 0 || o->uid == 0 || (setgroups(0, NULL) == 0 &&
	    setgid(o->gid) == 0 && setuid(o->uid) == 0))
		return 0;
	return cli_fail(EX_NOPERM, "becoming the server's user: %s",
	    strerror(errno));
}

static int
trouble(const struct config *conf, int rc)
{
	const char *text = err_text();

	if (rc == DATABASE_ABSENT)
		return cli_fail(EX_DATAERR, "there are no users and keys yet: "
		    "no file " STR_FMT, STR_ARG(database_path(conf->database)));
	return cli_fail(strstr(text, "Permission denied") != NULL ||
	    strstr(text, "unable to open") != NULL ? EX_NOPERM : EX_IOERR,
	    "%s", text);
}

int
accounts_open(struct cli *c, bool may_make, struct accounts *a)
{
	struct sqlite_owner owner;
	int rc;

	*a = (struct accounts){ .cli = c, .config = configuration(c) };
	if (a->config == NULL)
		return EX_CONFIG;
	owner = owner_find(c, a->config, may_make);
	if (may_make && !database_exists(a->config->database))
		directory_make(c, database_path(a->config->database), &owner);
	if (owner_become(&owner) != 0)
		return EX_NOPERM;
	rc = database_open(&a->database, a->config->database, &owner);
	if (rc == 0)
		return 0;
	rc = trouble(a->config, rc);
	accounts_close(a);
	return rc;
}

void
accounts_close(struct accounts *a)
{
	database_close(&a->database);
	if (a->config != NULL)
		config_free(a->config);
	a->config = NULL;
}

int
accounts_result(int rc, const char *what, struct str name)
{
	if (rc == 0)
		return 0;
	if (rc == KEPT_NONE)
		return cli_fail(EX_DATAERR, "there is no %s '" STR_FMT "'",
		    what, STR_ARG(name));
	if (rc == DATABASE_TAKEN)
		return cli_fail(EX_DATAERR, "there is a %s '" STR_FMT
		    "' already", what, STR_ARG(name));
	return cli_fail(EX_IOERR, "%s", err_text());
}

/* ---- small things ---- */

struct wall
accounts_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (struct wall){ (int64_t)t.tv_sec * US_PER_SECOND +
		t.tv_nsec / NS_PER_US };
}

struct str
accounts_random(struct cli *c, size_t n)
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char *octets = arena_alloc(&c->arena, n);
	char *out = arena_alloc(&c->arena, n);

	_Static_assert(sizeof letters == 33, "five bits");
	must(octets != NULL && out != NULL);
	random_bytes(octets, n);
	for (size_t i = 0; i < n; i++)
		out[i] = letters[octets[i] & 31];
	return (struct str){ out, n };
}

const char *
accounts_text(struct cli *c, struct str s)
{
	const char *text = s.n == 0 ? "" : arena_cstr(&c->arena, s);

	return text == NULL ? "?" : cli_visible(c, text);
}

int
accounts_expiry(struct str text, struct wall *out)
{
	int64_t ns;

	*out = (struct wall){ 0 };
	if (text.n == 0 || str_eq(text, STR("never")))
		return 0;
	if (unit_duration(text, &ns) && ns > 0) {
		*out = wall_add(accounts_now(), ns / NS_PER_US);
		return 0;
	}
	return unit_date(text, out) ? 0 : cli_fail(EX_USAGE, "'" STR_FMT
	    "' is neither a date nor a duration (examples: 2027-12-31, 30d, "
	    "never)", STR_ARG(text));
}

/* ---- settings ---- */

static const char *
encryption(const struct listener *s)
{
	switch (s->tls) {
	case TLS_IMPLICIT:
		return "SSL/TLS (from the start)";
	case TLS_OFFERED:
	case TLS_REQUIRED:
		return "STARTTLS";
	case TLS_OFF:
		break;
	}
	return NULL;
}

/* One with TLS from the first octet first (RFC 8314 3). */
static const struct listener *
listener_best(const struct config *c)
{
	const struct listener *best = NULL;

	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct listener *s = &c->listeners[i];

		if (s->role != ROLE_SUBMISSION || encryption(s) == NULL)
			continue;
		if (best == NULL || (s->tls == TLS_IMPLICIT &&
		    best->tls != TLS_IMPLICIT))
			best = s;
	}
	return best;
}

static void
snippets(const struct listener *s, const char *host, const char *name)
{
	bool implicit = s->tls == TLS_IMPLICIT;
	unsigned port = (unsigned)s->port;

	printf("\nTo try it:\n"
	    "  swaks --server %s --port %u %s --auth PLAIN \\\n"
	    "    --auth-user '%s' --from ADDRESS --to ADDRESS\n"
	    "\nFrom Python:\n"
	    "  import smtplib\n"
	    "  with smtplib.%s(\"%s\", %u) as s:\n%s"
	    "      s.login(\"%s\", PASSWORD)\n"
	    "      s.send_message(message)\n", host, port, implicit ?
	    "--tls-on-connect" : "--tls", name, implicit ? "SMTP_SSL" : "SMTP",
	    host, port, implicit ? "" : "      s.starttls()\n", name);
}

static void
listener_print(const struct listener *s, const char *host, const char *what)
{
	printf("  %-14s %s, port %u, %s\n", what, host, (unsigned)s->port,
	    encryption(s));
}

void
accounts_settings(const struct accounts *a, struct str user)
{
	const struct listener *best = listener_best(a->config);
	const char *host = accounts_text(a->cli, a->config->hostname);
	const char *name = accounts_text(a->cli, user);

	if (best == NULL) {
		printf("\nNobody can log in: no listener has role submission "
		    "and TLS.\n");
		return;
	}
	printf("\nSettings for a mail program (Thunderbird, iOS, Outlook):\n");
	listener_print(best, host, "outgoing mail");
	for (size_t i = 0; i < a->config->n_listeners; i++) {
		const struct listener *s = &a->config->listeners[i];

		if (s != best && s->role == ROLE_SUBMISSION &&
		    encryption(s) != NULL)
			listener_print(s, host, "or");
	}
	printf("  %-14s %s\n  %-14s %s\n  %-14s %s\n", "user name", name,
	    "password", "his own, or better one of his app passwords",
	    "method", "normal password (PLAIN or LOGIN)");
	snippets(best, host, name);
}
