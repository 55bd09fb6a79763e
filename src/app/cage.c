#include "app/cage.h"

#include "app/sandbox.h"
#include "base/err.h"
#include "base/list.h"
#include "policy/domain.h"
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATHS_MOST = 4096, RESOLVER_FILES = 2 };

struct cage {
	struct arena arena;
	const char **paths;
	size_t n, left_out;
};

static bool
cage_has(const struct cage *c, struct str path)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(str_of(c->paths[i]), path))
			return true;
	return false;
}

/* One directory; that it is there must outlast a power cut, as what will be kept
 * in it. */
static int
directory_make_one(char *path, mode_t mode)
{
	char *slash = strrchr(path, '/');
	int fd;

	if (mkdir(path, mode) != 0)
		return errno == EEXIST ? 0 : -1;
	*slash = '\0';
	fd = open(slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	if (fd < 0)
		return 0;
	(void)fsync(fd);
	close(fd);
	return 0;
}

static int
directory_make(char *path)
{
	for (char *at = strchr(path + 1, '/'); at != NULL;
	    at = strchr(at + 1, '/')) {
		int rc;

		*at = '\0';
		rc = directory_make_one(path, 0755);
		*at = '/';
		if (rc != 0)
			return -1;
	}
	return directory_make_one(path, 0700);
}

static void
cage_keep(struct cage *c, struct str path)
{
	struct str copy;

	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n == 0 || path.p[0] != '/' || cage_has(c, path))
		return;
	if (c->n == PATHS_MOST) {
		c->left_out++;
		return;
	}
	copy = arena_copy(&c->arena, path);
	if (copy.p == NULL)
		return;
	/* Ours to change: the arena gave it. */
	if (directory_make((char *)(uintptr_t)copy.p) == 0)
		c->paths[c->n++] = copy.p;
}

/* "/var/mail/%d/%u/Maildir" -> "/var/mail" */
static void
template_keep(struct cage *c, struct str template)
{
	size_t fixed = str_find(template, '%');

	if (template.n == 0 || template.p[0] != '/')
		return;
	if (fixed < template.n)
		template = str_sub(template, 0,
		    str_find_last(str_sub(template, 0, fixed), '/'));
	cage_keep(c, template);
}

static void
parent_keep(struct cage *c, struct str path)
{
	size_t at = str_find_last(path, '/');

	if (at < path.n)
		cage_keep(c, str_sub(path, 0, at));
}

/* The database is open by now, or its first user is yet to be added: then it must
 * be possible to open it where it will be. */
static void
database_keep(struct cage *c, const struct config *conf)
{
	if (conf->auth.database == AUTH_DATABASE_ON)
		parent_keep(c, database_path(conf->database));
}

static void
homes_keep(struct cage *c, const struct user_set *users)
{
	struct table_walk walk = { 0 };
	struct table_node *k;

	while (users != NULL && (k = table_walk(&users->users, &walk)) != NULL) {
		const struct user *u = OWNER_OF(k, struct user, node);

		if (!u->has_uid || u->uid == geteuid())
			cage_keep(c, u->home);
	}
}

static void
mailboxes_keep(struct cage *c, const struct config *conf)
{
	template_keep(c, conf->deliver.by.maildir);
	template_keep(c, conf->deliver.virtual);
	template_keep(c, conf->deliver.admin);
	template_keep(c, conf->reports.copy);
	for (size_t i = 0; i < conf->n_transports; i++)
		template_keep(c, conf->transports[i].maildir);
	for (size_t i = 0; i < conf->n_domains; i++) {
		if (conf->domain_list[i]->transport != NULL)
			template_keep(c,
			    conf->domain_list[i]->transport->maildir);
		template_keep(c, conf->domain_list[i]->admin);
		homes_keep(c, conf->domain_list[i]->users);
	}
}

/* The resolver of each core reads them itself, when it is first asked. */
static size_t
resolver_files(const struct config *conf, struct arena *a,
    const char *list[RESOLVER_FILES])
{
	size_t n = 0;

	if (conf->dns.anchor.n > 0)
		list[n++] = arena_cstr(a, conf->dns.anchor);
	if (conf->dns.root.n > 0)
		list[n++] = arena_cstr(a, conf->dns.root);
	while (n > 0 && list[n - 1] == NULL)
		n--;
	return n;
}

/* What the worker may write it may read: keys are not kept there. */
static int
state_check(const struct cage *c, const char *key, struct str state)
{
	for (size_t i = 0; i < c->n; i++) {
		struct str rest = state, path = str_of(c->paths[i]);

		if (str_skip(&rest, path) && (rest.n == 0 || rest.p[0] == '/' ||
		    path.n == 1))
			return err_set("%s: " STR_FMT " is below " STR_FMT
			    ", where the worker may read and write; name a "
			    "directory elsewhere", key, STR_ARG(state),
			    STR_ARG(path));
	}
	return 0;
}

static int
states_check(const struct cage *c, const struct config *conf)
{
	if (conf->tls.acme.agree == ACME_AGREED &&
	    state_check(c, "tls.state", conf->tls.state) != 0)
		return -1;
	return conf->outbound.dkim == DKIM_OFF ? 0 :
	    state_check(c, "dkim.state", conf->dkim.state);
}

int
cage_enter(const struct config *conf, bool is_laid, bool has_database)
{
	const char *resolver[RESOLVER_FILES];
	struct cage c = { .n = 0 };
	struct sandbox_paths p;
	int level = 0, rc;

	arena_init(&c.arena, 8 * 1024 * 1024);
	c.paths = arena_alloc(&c.arena, PATHS_MOST * sizeof *c.paths);
	if (c.paths == NULL)
		return err_set("no memory");
	cage_keep(&c, conf->spool.path);
	if (!has_database)
		database_keep(&c, conf);
	mailboxes_keep(&c, conf);
	if (conf->log.target == LOG_TO_FILE)
		parent_keep(&c, conf->log.to);
	p = (struct sandbox_paths){ c.paths, c.n, resolver,
		resolver_files(conf, &c.arena, resolver) };
	rc = states_check(&c, conf);
	if (rc == 0 && is_laid)
		rc = sandbox_enter(&p, &level);
	if (is_laid && rc == 0 && level == 0)
		fprintf(stderr, "nightmail: this kernel has no Landlock: the "
		    "worker may open whatever its user may\n");
	if (c.left_out > 0)
		fprintf(stderr, "nightmail: the cage has room for %d "
		    "directories; %zu homes stay outside, and their mail "
		    "waits\n", PATHS_MOST, c.left_out);
	arena_clear(&c.arena);
	return rc;
}
