#include "policy/finish.h"

#include "policy/login.h"
#include "policy/user_set.h"
#include "store/database.h"

enum { SAMPLES_MOST = 4096 };

/* ---- files ---- */

static const struct user_set *
logins_read(struct load *l, struct str from, struct place at)
{
	struct str path = from;

	if (str_skip(&path, STR("file:")))
		return user_set_logins(&l->reader, path, at);
	problem_add(l->reader.problems, PROBLEM_ERROR, at,
	    "'auth.users' is file: and a path, not '"STR_FMT"': who may log in "
	    "has a password", STR_ARG(from));
	return NULL;
}

static void
files_read(struct load *l)
{
	struct config *c = l->config;
	struct place at = finish_place(c->origins, "auth.users");

	c->auth.users = arena_alloc(l->reader.arena,
	    (c->auth.users_from.n + 1) * sizeof(struct user_set *));
	if (c->auth.users == NULL) {
		finish_is_full(l);
		return;
	}
	for (size_t i = 0; i < c->auth.users_from.n; i++) {
		const struct user_set *set = logins_read(l,
		    c->auth.users_from.v[i], at);

		if (set == NULL &&
		    l->reader.problems->counts[PROBLEM_ERROR] == 0)
			finish_is_full(l);
		if (set != NULL)
			c->auth.users[c->auth.n_users++] = set;
	}
}

static size_t
samples_of(const struct user_set *set)
{
	return set == NULL ? 0 : set->n_hashes < USER_SAMPLES ? set->n_hashes :
	    USER_SAMPLES;
}

static void
samples_take(struct config *c, const struct user_set *set, size_t most)
{
	size_t n = samples_of(set);

	c->auth.n_hashes += n == 0 ? 0 : set->n_hashes;
	for (size_t i = 0; i < n && c->auth.n_samples < most; i++)
		c->auth.samples[c->auth.n_samples++] = set->sample[i];
}

static void
samples_gather(struct load *l)
{
	struct config *c = l->config;
	size_t n = 0;

	for (size_t i = 0; i < c->auth.n_users; i++)
		n += samples_of(c->auth.users[i]);
	for (size_t i = 0; i < c->n_domains; i++)
		n += samples_of(c->domain_list[i]->users);
	n = n > SAMPLES_MOST ? SAMPLES_MOST : n;
	c->auth.samples = arena_alloc(l->reader.arena,
	    (n + 1) * sizeof *c->auth.samples);
	if (c->auth.samples == NULL) {
		finish_is_full(l);
		return;
	}
	for (size_t i = 0; i < c->auth.n_users; i++)
		samples_take(c, c->auth.users[i], n);
	for (size_t i = 0; i < c->n_domains; i++)
		samples_take(c, c->domain_list[i]->users, n);
}

/* ---- sources ---- */

static const struct login_source *
source_find(struct str name)
{
	for (size_t i = 0; i < login_sources_n; i++)
		if (str_eq(login_sources[i].name, name))
			return &login_sources[i];
	return NULL;
}

static void
sources_check(struct load *l)
{
	const struct config *c = l->config;
	const struct conf_strings *s = &c->auth.sources;
	struct place at = finish_place(c->origins, "auth.sources");

	for (size_t i = 0; i < s->n; i++) {
		const struct login_source *source = source_find(s->v[i]);

		for (size_t k = 0; k < i; k++)
			if (str_eq(s->v[k], s->v[i]))
				problem_add(l->reader.problems, PROBLEM_ERROR,
				    at, "'"STR_FMT"' stands twice in "
				    "'auth.sources'", STR_ARG(s->v[i]));
		if (source != NULL && !source->is_set(c))
			problem_add(l->reader.problems, PROBLEM_ERROR, at,
			    "'auth.sources' asks '"STR_FMT"', which is not set: "
			    "set it, or leave it out", STR_ARG(s->v[i]));
	}
}

static void
database_check_url(struct load *l)
{
	if (database_path(l->config->database).n == 0)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(l->config->origins, "database"),
		    "'"STR_FMT"' is not sqlite: and an absolute path; this "
		    "version has no other database",
		    STR_ARG(l->config->database));
}

void
finish_logins(struct load *l)
{
	database_check_url(l);
	files_read(l);
	samples_gather(l);
	sources_check(l);
}
