/* login_file.c -- users of auth.users, and of domains' files that have hashes. */
#include "base/err.h"
#include "fiber/fiber.h"
#include "policy/config.h"
#include "policy/login.h"

#include "policy/user_set.h"

bool
login_file_is_set(const struct config *c)
{
	return c->auth.n_hashes > 0;
}

bool
login_file_takes(const struct config *c, enum login_kind kind)
{
	return kind == LOGIN_PASSWORD && login_file_is_set(c);
}

/* bob@example.org of the users of example.org, or of what it is an alias of. */
static const struct user *
resident_find(const struct config *c, struct str key, struct str *name,
    struct arena *a)
{
	size_t at = str_find_last(key, '@');
	const struct domain *d = at == key.n ? NULL : config_domain(c,
	    str_sub(key, at + 1, key.n));
	const struct user *u;

	if (d == NULL || d->users == NULL)
		return NULL;
	u = user_find(d->users, str_sub(key, 0, at));
	if (u != NULL)
		*name = arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(u->name),
		    STR_ARG(d->name));
	return u;
}

/* Who has a password, by the name he logs in by; *name is what he is called. */
static const struct user *
login_find(const struct login_ask *ask, struct arena *a, struct str *name)
{
	const struct config *c = ask->config;
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);
	const struct user *u = NULL;

	if (!account_key(ask->name, &key))
		return NULL;
	for (size_t i = 0; i < c->auth.n_users && u == NULL; i++)
		u = user_set_login(c->auth.users[i], buf_str(&key));
	if (u != NULL)
		*name = u->name;
	else
		u = resident_find(c, buf_str(&key), name, a);
	return u == NULL || u->hash.n == 0 ? NULL : u;
}

/* Without room for his name he is nobody yet. */
static enum login_result
account_fill(const struct user *u, struct str name, struct account *out)
{
	*out = (struct account){ .name = name, .source = "file",
		.networks = u->networks };
	if (name.n > 0)
		return LOGIN_OK;
	err_set("no memory for an account's name");
	return LOGIN_LATER;
}

yields enum login_result
login_file_check(struct login *l, const struct login_ask *ask, struct arena *a,
    struct account *out, const char **why)
{
	struct str name;
	const struct user *u = login_find(ask, a, &name);
	enum login_result result;

	if (u == NULL)
		return LOGIN_UNKNOWN;
	result = login_hash(l, ask, u->hash);
	*why = result != LOGIN_OK ? "wrong password" : "disabled";
	if (result == LOGIN_OK && u->is_disabled)
		return LOGIN_BAD;
	return result == LOGIN_OK ? account_fill(u, name, out) : result;
}

enum login_result
login_file_named(const struct login_ask *ask, struct arena *a,
    struct account *out, const char **why)
{
	struct str name;
	const struct user *u = login_find(ask, a, &name);

	if (u == NULL)
		return LOGIN_UNKNOWN;
	*why = "disabled";
	if (u->is_disabled)
		return LOGIN_BAD;
	return account_fill(u, name, out);
}

enum login_result
login_file_verifier(const struct login_ask *ask, struct arena *a,
    struct login_verifiers *out)
{
	struct str name;
	const struct user *u = login_find(ask, a, &name);

	if (u == NULL)
		return LOGIN_UNKNOWN;
	if (u->is_disabled || !str_has_prefix_icase(u->hash,
	    STR("{SCRAM-SHA-256}")))
		return LOGIN_OK;
	out->v = arena_new(a, struct scram_verifier);
	out->account = arena_new(a, struct account);
	if (out->v == NULL || out->account == NULL) {
		err_set("no memory for a verifier");
		return LOGIN_LATER;
	}
	if (!scram_read(u->hash, out->v))
		return LOGIN_OK;
	out->n = 1;
	return account_fill(u, name, out->account);
}
