/* user_commands.c -- user add, list, show, passwd, disable, enable, rm, and app
 * passwords. */
#include "base/err.h"
#include "base/json.h"
#include "cli/accounts.h"
#include "cli/password.h"
#include "cli/usage.h"
#include "fiber/random.h"
#include "policy/account_text.h"
#include "store/account.h"
#include "trust/password.h"
#include "trust/scram.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum { JSON_LINE = 64 * 1024, APP_LETTERS = 20, APPS_MOST = 100,
	APP_NAME_MOST = 64 };

/* ---- a user at hand ---- */

/* The name as it is kept. */
static int
name_read(struct cli *c, struct str text, struct str *out)
{
	struct buf b = { .p = arena_alloc(&c->arena, ACCOUNT_KEY_ROOM),
		.cap = ACCOUNT_KEY_ROOM };

	if (b.p == NULL || !account_key(text, &b) || b.n > ACCOUNT_NAME_MOST)
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no name for a "
		    "user (examples: bob@example.org, bob)", STR_ARG(text));
	*out = buf_str(&b);
	return 0;
}

/* Opens the database and finds words[0]; who got 0 closes it. */
static int
user_open(struct cli *c, struct accounts *a, struct kept_user *u)
{
	struct str name;
	int rc = name_read(c, c->words[0], &name);

	if (rc == 0)
		rc = accounts_open(c, false, a);
	if (rc != 0)
		return rc;
	rc = accounts_result(kept_user_find(&a->database, name, &c->arena, u),
	    "user", name);
	if (rc != 0)
		accounts_close(a);
	return rc;
}

/* A change to a user as he is then: what others changed since we looked stays. */
struct user_change {
	struct accounts *accounts;
	struct str name;
	void (*make)(struct kept_user *, const void *how);
	const void *how;
};

static int
user_change_run(void *arg)
{
	const struct user_change *c = arg;
	struct database *d = &c->accounts->database;
	struct kept_user u;
	int rc = kept_user_find(d, c->name, &c->accounts->cli->arena, &u);

	if (rc != 0)
		return rc;
	c->make(&u, c->how);
	return kept_user_change(d, &u);
}

static int
user_change(struct accounts *a, struct str name,
    void (*make)(struct kept_user *, const void *how), const void *how)
{
	struct user_change c = { a, name, make, how };

	return accounts_result(database_together(&a->database, user_change_run,
	    &c), "user", name);
}

/* ---- passwords ---- */

static int
password_twice(struct cli *c, struct str *out)
{
	struct str again;

	if (password_ask(&c->arena, "Password: ", out) != 0)
		return cli_fail(EX_USAGE, "%s: type one, pipe one in, or say "
		    "--generate", err_text());
	if (isatty(STDIN_FILENO) == 0)
		return 0;
	if (password_ask(&c->arena, "Once more: ", &again) != 0 ||
	    !str_eq(*out, again))
		return cli_fail(EX_USAGE, "these two are not the same");
	return 0;
}

static int
password_get(struct cli *c, struct str *out)
{
	if (!c->generate)
		return password_twice(c, out);
	*out = accounts_random(c, APP_LETTERS);
	return 0;
}

struct salt_seek { struct scram_verifier *out; bool is_found; };

static int
app_salt(void *arg, const struct kept_app *p)
{
	struct salt_seek *s = arg;

	s->is_found = p->scram.n > 0 && scram_read(p->scram, s->out);
	return s->is_found;
}

/* All verifiers of a user have one salt: a challenge is for all of them. */
static struct str
salt_of(struct accounts *a, const struct kept_user *u,
    struct scram_verifier *room)
{
	struct salt_seek seek = { room, u->scram.n > 0 &&
		scram_read(u->scram, room) };

	if (!seek.is_found && u->id != 0)
		(void)kept_apps(&a->database, u->id, &a->cli->arena, app_salt,
		    &seek);
	if (!seek.is_found || room->rounds != SCRAM_ROUNDS) {
		random_bytes(room->salt, SCRAM_SALT);
		room->salt_n = SCRAM_SALT;
	}
	return (struct str){ (const char *)room->salt, room->salt_n };
}

static int
verifier_make(struct accounts *a, const struct kept_user *u,
    struct str password, struct str *out)
{
	struct buf b = { .p = arena_alloc(&a->cli->arena, SCRAM_TEXT),
		.cap = SCRAM_TEXT };
	struct scram_verifier salt, v;

	*out = STR("");
	if (!u->has_scram)
		return 0;
	if (b.p == NULL || scram_make(SCRAM_SHA_256, password, salt_of(a, u,
	    &salt), SCRAM_ROUNDS, &v) != 0)
		return cli_fail(EX_DATAERR, "%s", err_text());
	scram_print(&v, &b);
	OPENSSL_cleanse(&v, sizeof v);
	*out = buf_str(&b);
	return 0;
}

/* Into the row; shown is what a person must be told, absent: he knows. */
static int
password_set(struct accounts *a, struct kept_user *u, struct str *shown)
{
	struct cli *c = a->cli;
	struct buf b = { .p = arena_alloc(&c->arena, PASSWORD_TEXT),
		.cap = PASSWORD_TEXT };
	struct str password;
	int rc = password_get(c, &password);

	if (rc != 0)
		return rc;
	if (b.p == NULL || password_make(password, &b) != 0)
		return cli_fail(EX_DATAERR, "%s", err_text());
	u->hash = buf_str(&b);
	*shown = c->generate ? password : STR_NONE;
	return verifier_make(a, u, password, &u->scram);
}

static void
secret_say(struct cli *c, const char *key, struct str name, const char *what,
    struct str secret)
{
	char room[2048];
	struct buf b = BUF_OF(room);
	struct json j;

	if (c->json) {
		json_begin(&j, &b);
		json_put_object(&j, NULL);
		json_put_str(&j, key, name);
		if (secret.p != NULL)
			json_put_str(&j, "password", secret);
		json_end_object(&j);
		printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	} else if (secret.p != NULL) {
		fprintf(stderr, "The %s, which is not shown again:\n", what);
		printf(STR_FMT "\n", STR_ARG(secret));
	}
}

/* ---- add, passwd, rm ---- */

/* What stands behind the options, checked. */
static int
rights_set(struct cli *c, struct kept_user *u)
{
	struct quota limits[ACCOUNT_MEASURES];
	struct conf_networks networks;
	struct conf_strings senders;

	if (account_text_senders(&c->arena, c->from, &senders) != 0 ||
	    account_text_networks(&c->arena, c->networks, &networks) != 0 ||
	    account_text_limits(c->limits, limits) != 0)
		return cli_fail(EX_USAGE, "%s", err_text());
	u->from = c->from;
	u->networks = c->networks;
	u->limits = c->limits;
	u->tenant = c->tenant;
	return accounts_expiry(c->expires, &u->expires);
}

static int
user_make(struct accounts *a, const struct kept_user *u, struct str shown)
{
	int rc = accounts_result(kept_user_add(&a->database, u), "user",
	    u->name);

	if (rc == 0)
		secret_say(a->cli, "user", u->name, "password", shown);
	return rc;
}

int
command_user_add(struct cli *c)
{
	struct kept_user u = { .has_scram = c->scram,
		.created = accounts_now() };
	struct accounts a = { .cli = c };
	struct str shown;
	int rc;

	if (c->n_words != 1)
		return cli_usage("user add");
	rc = name_read(c, c->words[0], &u.name);
	if (rc == 0)
		rc = rights_set(c, &u);
	if (rc == 0)		/* first: nothing is made for who has none */
		rc = password_set(&a, &u, &shown);
	if (rc == 0)
		rc = accounts_open(c, true, &a);
	if (rc != 0)
		return rc;
	rc = user_make(&a, &u, shown);
	accounts_close(&a);
	return rc;
}

static void
password_take(struct kept_user *u, const void *how)
{
	const struct kept_user *with = how;

	u->hash = with->hash;
	u->scram = with->scram;
	u->has_scram = with->has_scram;
}

int
command_user_passwd(struct cli *c)
{
	struct kept_user u;
	struct accounts a;
	struct str shown;
	int rc;

	if (c->n_words != 1)
		return cli_usage("user passwd");
	rc = user_open(c, &a, &u);
	if (rc != 0)
		return rc;
	u.has_scram |= c->scram;
	rc = password_set(&a, &u, &shown);
	if (rc == 0)
		rc = user_change(&a, u.name, password_take, &u);
	if (rc == 0)
		secret_say(c, "user", u.name, "password", shown);
	accounts_close(&a);
	return rc;
}

static void
disabled_set(struct kept_user *u, const void *how)
{
	u->is_disabled = *(const bool *)how;
}

static int
user_turn(struct cli *c, const char *usage, bool is_disabled)
{
	struct kept_user u;
	struct accounts a;
	int rc;

	if (c->n_words != 1)
		return cli_usage(usage);
	rc = user_open(c, &a, &u);
	if (rc != 0)
		return rc;
	rc = user_change(&a, u.name, disabled_set, &is_disabled);
	accounts_close(&a);
	return rc;
}

int
command_user_disable(struct cli *c)
{
	return user_turn(c, "user disable", true);
}

int
command_user_enable(struct cli *c)
{
	return user_turn(c, "user enable", false);
}

int
command_user_rm(struct cli *c)
{
	struct kept_user u;
	struct accounts a;
	int rc;

	if (c->n_words != 1)
		return cli_usage("user rm");
	rc = user_open(c, &a, &u);
	if (rc != 0)
		return rc;
	rc = accounts_result(kept_user_remove(&a.database, u.name), "user",
	    u.name);
	accounts_close(&a);
	return rc;
}

/* ---- list, show ---- */

static void
json_when(struct json *j, const char *key, struct wall at)
{
	if (at.us > 0)
		json_put_wall(j, key, at);
}

static void
json_some(struct json *j, const char *key, struct str s)
{
	if (s.n > 0)
		json_put_str(j, key, s);
}

static void
user_json(struct json *j, const struct kept_user *u)
{
	json_put_str(j, "user", u->name);
	json_put_bool(j, "disabled", u->is_disabled);
	json_put_bool(j, "password_set", u->hash.n > 0);
	json_put_bool(j, "scram", u->has_scram);
	json_some(j, "from", u->from);
	json_some(j, "networks", u->networks);
	json_some(j, "limits", u->limits);
	json_some(j, "tenant", u->tenant);
	json_put_u64(j, "app_passwords", (uint64_t)u->n_apps);
	json_when(j, "expires_at", u->expires);
	json_when(j, "created_at", u->created);
	json_when(j, "last_used_at", u->used);
}

static int
user_line(void *arg, const struct kept_user *u)
{
	struct cli *c = arg;
	struct arena_mark mark = arena_mark(&c->arena);
	struct buf b = { .p = arena_alloc(&c->arena, JSON_LINE),
		.cap = JSON_LINE };
	struct json j;

	if (b.p == NULL)
		return -1;
	if (c->json) {
		json_begin(&j, &b);
		json_put_object(&j, NULL);
		user_json(&j, u);
		json_end_object(&j);
		printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	} else
		printf("%-32s %-8s %3lld app  %s\n", accounts_text(c, u->name),
		    u->is_disabled ? "disabled" : "", (long long)u->n_apps,
		    u->used.us > 0 ? wall_print(u->used).text : "never used");
	arena_back(&c->arena, mark);
	return 0;
}

int
command_user_list(struct cli *c)
{
	struct accounts a;
	struct arena rows;
	int rc;

	if (c->n_words != 0)
		return cli_usage("user list");
	rc = accounts_open(c, false, &a);
	if (rc != 0)
		return rc;
	arena_init(&rows, (size_t)1 << 30);
	rc = accounts_result(kept_users(&a.database, &rows, user_line, c),
	    "user", STR(""));
	arena_clear(&rows);
	accounts_close(&a);
	return rc;
}

static void
show_some(struct cli *c, const char *what, struct str s)
{
	if (s.n > 0)
		printf("  %-14s %s\n", what, accounts_text(c, s));
}

static void
show_when(const char *what, struct wall at)
{
	if (at.us > 0)
		printf("  %-14s %s\n", what, wall_print(at).text);
}

static int
app_line(void *arg, const struct kept_app *p)
{
	struct cli *c = arg;
	char room[1024];
	struct buf b = BUF_OF(room);
	struct json j;

	if (!c->json) {
		printf("  %-14s %s, %s%s\n", "app password", accounts_text(c,
		    p->name), p->used.us > 0 ? "last used " : "never used",
		    p->used.us > 0 ? wall_print(p->used).text : "");
		return 0;
	}
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "app_password", p->name);
	json_put_bool(&j, "scram", p->scram.n > 0);
	json_when(&j, "created_at", p->created);
	json_when(&j, "last_used_at", p->used);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	return 0;
}

static void
user_show(struct cli *c, const struct kept_user *u)
{
	printf("%s%s\n", accounts_text(c, u->name),
	    u->is_disabled ? " (disabled)" : "");
	if (u->hash.n == 0)
		printf("  no password but those of apps\n");
	if (u->has_scram)
		printf("  %-14s on\n", "SCRAM");
	show_some(c, "sends as", u->from);
	show_some(c, "from networks", u->networks);
	show_some(c, "limits", u->limits);
	show_some(c, "tenant", u->tenant);
	show_when("expires", u->expires);
	show_when("created", u->created);
	show_when("last used", u->used);
}

int
command_user_show(struct cli *c)
{
	struct kept_user u;
	struct accounts a;
	int rc;

	if (c->n_words != 1)
		return cli_usage("user show");
	rc = user_open(c, &a, &u);
	if (rc != 0)
		return rc;
	if (c->json)
		rc = user_line(c, &u);
	else
		user_show(c, &u);
	if (rc == 0)
		rc = accounts_result(kept_apps(&a.database, u.id, &c->arena,
		    app_line, c), "user", u.name);
	if (rc == 0 && !c->json)
		usage_show(c, u.name);
	if (rc == 0 && !c->json)
		accounts_settings(&a, u.name);
	accounts_close(&a);
	return rc;
}

/* ---- app passwords ---- */

static int
app_make(struct accounts *a, const struct kept_user *u, struct str name)
{
	struct str secret = accounts_random(a->cli, APP_LETTERS);
	unsigned char digest[PASSWORD_DIGEST];
	struct kept_app p = { .name = name, .created = accounts_now() };
	int rc = verifier_make(a, u, secret, &p.scram);

	if (rc != 0)
		return rc;
	password_digest(secret, digest);
	p.digest = (struct str){ (const char *)digest, sizeof digest };
	rc = accounts_result(kept_app_add(&a->database, u->id, &p),
	    "app password", name);
	if (rc == 0)
		secret_say(a->cli, "app_password", name, "app password", secret);
	return rc;
}

int
command_app_add(struct cli *c)
{
	struct kept_user u;
	struct accounts a;
	int rc;

	if (c->n_words != 2)
		return cli_usage("user app-password add");
	if (c->words[1].n == 0 || c->words[1].n > APP_NAME_MOST)
		return cli_fail(EX_USAGE, "an app password's name has 1 to %d "
		    "octets", APP_NAME_MOST);
	rc = user_open(c, &a, &u);
	if (rc != 0)
		return rc;
	rc = u.n_apps >= APPS_MOST ? cli_fail(EX_DATAERR, "there are %d of "
	    "them: remove one", APPS_MOST) : app_make(&a, &u, c->words[1]);
	accounts_close(&a);
	return rc;
}

int
command_app_list(struct cli *c)
{
	struct kept_user u;
	struct accounts a;
	int rc;

	if (c->n_words != 1)
		return cli_usage("user app-password list");
	rc = user_open(c, &a, &u);
	if (rc != 0)
		return rc;
	rc = accounts_result(kept_apps(&a.database, u.id, &c->arena, app_line,
	    c), "user", u.name);
	accounts_close(&a);
	return rc;
}

int
command_app_rm(struct cli *c)
{
	struct kept_user u;
	struct accounts a;
	int rc;

	if (c->n_words != 2)
		return cli_usage("user app-password rm");
	rc = user_open(c, &a, &u);
	if (rc != 0)
		return rc;
	rc = accounts_result(kept_app_remove(&a.database, u.id, c->words[1]),
	    "app password", c->words[1]);
	accounts_close(&a);
	return rc;
}
