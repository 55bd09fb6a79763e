/* login_database.c -- users, app passwords and API keys of the database. */
#include "policy/login_own.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/fiber.h"
#include "fiber/offload.h"
#include "fiber/sqlite.h"
#include "policy/account_text.h"
#include "policy/domain.h"
#include "fiber/clock.h"
#include "store/account.h"
#include "store/database.h"
#include "trust/password.h"
#include "trust/scram.h"

#include <openssl/crypto.h>
#include <stdatomic.h>

enum { LOOK_MEMORY = 512 * 1024, APPS_MOST = 1000 };

bool
login_database_is_set(const struct config *c)
{
	return c->auth.database == AUTH_DATABASE_ON;
}

bool
login_database_takes(const struct config *c, enum login_kind kind)
{
	return kind == LOGIN_PASSWORD && login_database_is_set(c);
}

/* Once in a process, since a database that was opened stays so: no core looks at
 * it before it is whole. */
static void
secret_take(struct login *l)
{
	_Static_assert((int)KEPT_SECRET == (int)LOGIN_KEY, "it is one");
	must(!atomic_load(&l->has_secret));
	if (kept_secret(&l->database, l->secret) == 0)
		atomic_store(&l->has_secret, true);
	else
		err_clear();
}

int
login_database_open(struct login *l, struct str url, bool may_create)
{
	struct sqlite_owner owner = { .may_create = may_create,
		.uid = UINT32_MAX, .gid = UINT32_MAX };
	int rc;

	if (l->database.handle != NULL)
		return 0;
	rc = database_open(&l->database, url, &owner);
	if (rc == 0)
		secret_take(l);
	return rc;
}

const unsigned char *
login_secret(const struct login *l)
{
	return atomic_load(&l->has_secret) ? l->secret : l->key;
}

/* ---- others who keep something there ---- */

struct keeping {
	struct login *login;
	struct str url;
	int (*fn)(struct database *, void *);
	void *arg;
};

static int
keeping_run(void *arg)
{
	struct keeping *k = arg;

	if (login_database_open(k->login, k->url, true) != 0)
		return err_add("the database is not there");
	return k->fn(&k->login->database, k->arg);
}

yields int
login_database_with(struct login *l, const struct config *c,
    int (*fn)(struct database *, void *), void *arg)
{
	struct keeping k = { l, c->database, fn, arg };

	return lane_run(l->records, keeping_run, &k);
}

/* ---- looking, on the records' thread ---- */

struct look {
	struct login *login;
	struct str url, name;		/* key: of the account */
	struct str public;		/* of an API key; n == 0: none */
	struct arena arena;		/* of what is found */
	struct kept_user user;
	struct kept_key key;
	struct kept_app *apps;
	size_t n_apps;
	bool is_found;
};

static int
app_keep(void *arg, const struct kept_app *p)
{
	struct look *k = arg;

	k->apps[k->n_apps++] = *p;
	return k->n_apps < APPS_MOST ? 0 : -1;	/* the others do not count */
}

static int
look_user(struct look *k)
{
	struct database *d = &k->login->database;
	int rc = kept_user_find(d, k->name, &k->arena, &k->user);

	k->is_found = rc == 0;
	if (rc != 0 || k->user.n_apps == 0)
		return rc == KEPT_NONE ? 0 : rc;
	k->apps = arena_alloc(&k->arena, APPS_MOST * sizeof *k->apps);
	if (k->apps == NULL)
		return err_set("no memory for app passwords");
	return kept_apps(d, k->user.id, &k->arena, app_keep, k);
}

static int
look_run(void *arg)
{
	struct look *k = arg;
	int rc = login_database_open(k->login, k->url, false);

	if (rc != 0)
		return rc == DATABASE_ABSENT ? 0 : rc;
	if (k->public.n == 0)
		return look_user(k);
	rc = kept_key_find(&k->login->database, k->public, &k->arena, &k->key);
	k->is_found = rc == 0;
	return rc == KEPT_NONE ? 0 : rc;
}

/* A database in trouble is not asked by everybody: to look at it takes time. */
static yields int
look_wait(struct look *k)
{
	struct mono now = clock_mono();
	int rc;

	arena_init_wiped(&k->arena, LOOK_MEMORY);
	if (now.ns < atomic_load(&k->login->retry_ns))
		return err_set("the database was in trouble a moment ago");
	rc = lane_run(k->login->records, look_run, k);
	if (rc != 0)
		atomic_store(&k->login->retry_ns, now.ns +
		    LOGIN_RETRY_S * NS_PER_SECOND);
	return rc;
}

/* ---- an account out of a row ---- */

static bool
user_account(struct arena *a, const struct kept_user *u, struct account *out)
{
	struct str name = arena_copy(a, u->name);

	*out = (struct account){ .name = name, .source = "database",
		.expires = u->expires, .tenant = u->tenant.n == 0 ? STR_NONE :
		    arena_copy(a, u->tenant) };
	return name.p != NULL &&
	    account_text_senders(a, u->from, &out->from) == 0 &&
	    account_text_networks(a, u->networks, &out->networks) == 0 &&
	    account_text_limits(u->limits, out->limits) == 0;
}

/* Domains of a key become senders; without any, all own domains are. */
static bool
key_senders(const struct config *c, struct arena *a, struct str domains,
    struct conf_strings *out)
{
	struct buf b = { .cap = 2 * domains.n + 2 };
	struct str part;

	if (domains.n == 0) {
		out->v = arena_alloc(a, c->n_domains * sizeof *out->v);
		for (size_t i = 0; out->v != NULL && i < c->n_domains; i++)
			out->v[out->n++] = arena_printf(a, "@" STR_FMT,
			    STR_ARG(c->domain_list[i]->name));
		return out->v != NULL;
	}
	b.p = arena_alloc(a, b.cap);
	if (b.p == NULL)
		return false;
	while ((part = str_cut(&domains, ' ')).n > 0)
		buf_printf(&b, "@" STR_FMT " ", STR_ARG(part));
	must(!b.full);
	return account_text_senders(a, buf_str(&b), out) == 0;
}

static bool
key_account(const struct config *c, struct arena *a, const struct kept_key *k,
    struct account *out)
{
	struct str name = arena_printf(a, "key:" STR_FMT, STR_ARG(k->public));

	*out = (struct account){ .name = name, .source = "database",
		.expires = k->expires, .tenant = k->tenant.n == 0 ? STR_NONE :
		    arena_copy(a, k->tenant) };
	return name.p != NULL && key_senders(c, a, k->domains, &out->from) &&
	    account_text_networks(a, k->networks, &out->networks) == 0;
}

static enum login_result
account_made(struct login *l, bool is_made, struct kept_use use)
{
	if (!is_made) {
		err_add("the account that the database has");
		return LOGIN_LATER;
	}
	login_use(l, use);
	return LOGIN_OK;
}

/* ---- API keys: nm_live_PUBLIC_SECRET ---- */

static bool
secret_is(struct str digest, struct str secret)
{
	unsigned char his[PASSWORD_DIGEST];

	password_digest(secret, his);
	return digest.n == sizeof his &&
	    CRYPTO_memcmp(digest.p, his, sizeof his) == 0;
}

static bool
scopes_have(struct str scopes, struct str what)
{
	while (scopes.n > 0)
		if (str_eq(str_cut(&scopes, ' '), what))
			return true;
	return false;
}

static enum login_result
key_judge(const struct look *k, struct str secret, const char **why)
{
	if (!k->is_found || !secret_is(k->key.digest, secret))
		*why = k->is_found ? "wrong key" : "unknown key";
	else if (k->key.is_revoked)
		*why = "revoked";
	else if (!scopes_have(k->key.scopes, STR("send")) &&
	    !scopes_have(k->key.scopes, STR("admin")))
		*why = "scope";
	else
		return LOGIN_OK;
	return LOGIN_BAD;
}

static yields enum login_result
key_check(struct login *l, const struct login_ask *ask, struct str key,
    struct arena *a, struct account *out, const char **why)
{
	struct look k = { .login = l, .url = ask->config->database };
	enum login_result result = LOGIN_LATER;

	k.public = str_cut(&key, '_');
	if (k.public.n == 0)
		return LOGIN_UNKNOWN;
	if (look_wait(&k) == 0)
		result = key_judge(&k, key, why);
	if (result == LOGIN_OK)
		result = account_made(l, key_account(ask->config, a, &k.key,
		    out), (struct kept_use){ .kind = KEPT_KEY, .id = k.key.id });
	arena_clear(&k.arena);
	return result;
}

/* ---- users ---- */

/* People type the groups of an app password with or without their dashes. */
static struct str
app_plain(struct str secret, struct buf *room)
{
	for (size_t i = 0; i < secret.n; i++)
		if (secret.p[i] != '-' && secret.p[i] != ' ')
			buf_putc(room, ascii_lower(secret.p[i]));
	return room->full ? STR_NONE : buf_str(room);
}

static bool
app_fits(const struct look *k, struct str secret, size_t *which)
{
	char room[64];
	struct buf b = BUF_OF(room);
	struct str plain = app_plain(secret, &b);
	bool fits = false;

	for (size_t i = 0; i < k->n_apps && plain.n > 0; i++)
		if (secret_is(k->apps[i].digest, plain)) {
			*which = i;
			fits = true;
		}
	OPENSSL_cleanse(room, sizeof room);
	return fits;
}

/* A user who is disabled costs what others cost. */
static yields enum login_result
user_judge(struct login *l, const struct login_ask *ask, const struct look *k,
    struct kept_use *use, const char **why)
{
	enum login_result result = LOGIN_OK;
	size_t which;

	*use = (struct kept_use){ .kind = KEPT_USER, .id = k->user.id };
	if (app_fits(k, ask->secret, &which))
		*use = (struct kept_use){ .kind = KEPT_APP,
			.id = k->apps[which].id };
	else
		result = login_hash(l, ask, k->user.hash);
	*why = result == LOGIN_OK ? "disabled" : "wrong password";
	return result == LOGIN_OK && k->user.is_disabled ? LOGIN_BAD : result;
}

static yields enum login_result
user_check(struct login *l, const struct login_ask *ask, struct arena *a,
    struct account *out, const char **why)
{
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);
	struct look k = { .login = l, .url = ask->config->database };
	enum login_result result = LOGIN_UNKNOWN;
	struct kept_use use;

	if (!account_key(ask->name, &key))
		return LOGIN_UNKNOWN;
	k.name = buf_str(&key);
	if (look_wait(&k) != 0)
		result = LOGIN_LATER;
	else if (k.is_found)
		result = user_judge(l, ask, &k, &use, why);
	if (result == LOGIN_OK)
		result = account_made(l, user_account(a, &k.user, out), use);
	arena_clear(&k.arena);
	return result;
}

yields enum login_result
login_database_named(struct login *l, const struct login_ask *ask,
    struct arena *a, struct account *out, const char **why)
{
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);
	struct look k = { .login = l, .url = ask->config->database };
	enum login_result result = LOGIN_UNKNOWN;

	if (!login_database_is_set(ask->config) ||
	    !account_key(ask->name, &key))
		return LOGIN_UNKNOWN;
	k.name = buf_str(&key);
	if (look_wait(&k) != 0)
		result = LOGIN_LATER;
	else if (k.is_found)
		result = k.user.is_disabled ? LOGIN_BAD : LOGIN_OK;
	*why = "disabled";
	if (result == LOGIN_OK)
		result = account_made(l, user_account(a, &k.user, out),
		    (struct kept_use){ .kind = KEPT_USER, .id = k.user.id });
	arena_clear(&k.arena);
	return result;
}

yields enum login_result
login_database_check(struct login *l, const struct login_ask *ask,
    struct arena *a, struct account *out, const char **why)
{
	struct str key = ask->secret;

	return str_skip(&key, STR("nm_live_")) ?
	    key_check(l, ask, key, a, out, why) :
	    user_check(l, ask, a, out, why);
}

/* ---- SCRAM ---- */

static void
verifier_add(struct login_verifiers *out, struct str text, struct kept_use use)
{
	struct scram_verifier *v = &out->v[out->n];

	if (out->n == LOGIN_VERIFIERS || text.n == 0 || !scram_read(text, v))
		return;
	/* One challenge is for all. */
	if (out->n > 0 && (v->rounds != out->v[0].rounds ||
	    v->salt_n != out->v[0].salt_n ||
	    memcmp(v->salt, out->v[0].salt, v->salt_n) != 0))
		return;
	out->use[out->n++] = use;
}

static enum login_result
verifiers_fill(const struct look *k, struct arena *a,
    struct login_verifiers *out)
{
	if (!k->is_found || k->user.is_disabled)
		return k->is_found ? LOGIN_OK : LOGIN_UNKNOWN;
	out->v = arena_alloc(a, LOGIN_VERIFIERS * sizeof *out->v);
	out->use = arena_alloc(a, LOGIN_VERIFIERS * sizeof *out->use);
	out->account = arena_new(a, struct account);
	if (out->v == NULL || out->use == NULL || out->account == NULL) {
		err_set("no memory for verifiers");
		return LOGIN_LATER;
	}
	verifier_add(out, k->user.scram, (struct kept_use){ .kind = KEPT_USER,
	    .id = k->user.id });
	for (size_t i = 0; i < k->n_apps; i++)
		verifier_add(out, k->apps[i].scram, (struct kept_use){
		    .kind = KEPT_APP, .id = k->apps[i].id });
	return out->n == 0 || user_account(a, &k->user, out->account) ?
	    LOGIN_OK : LOGIN_LATER;
}

yields enum login_result
login_database_verifier(struct login *l, const struct login_ask *ask,
    struct arena *a, struct login_verifiers *out)
{
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);
	struct look k = { .login = l, .url = ask->config->database };
	enum login_result result = LOGIN_LATER;

	if (!account_key(ask->name, &key))
		return LOGIN_UNKNOWN;
	k.name = buf_str(&key);
	if (look_wait(&k) == 0)
		result = verifiers_fill(&k, a, out);
	arena_clear(&k.arena);
	return result;
}
