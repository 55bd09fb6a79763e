#include "store/account.h"

#include "base/buf.h"
#include "base/err.h"

enum { NAME_MOST = 255 };

#define NUMBER DATABASE_NUMBER
#define TEXT DATABASE_TEXT
#define BYTES DATABASE_BYTES
#define COUNT(list) (sizeof (list) / sizeof *(list))

/* A name in lower case; names of any other length are nobody's. */
struct name { char octets[NAME_MOST]; size_t n; };

static struct str
name_lower(struct str name, struct name *room)
{
	room->n = name.n > NAME_MOST ? 0 : name.n;
	for (size_t i = 0; i < room->n; i++)
		room->octets[i] = ascii_lower(name.p[i]);
	return (struct str){ room->octets, room->n };
}

static int
kept_result(int64_t rc)
{
	return rc > 0 ? 0 : rc == 0 ? KEPT_NONE : (int)rc;
}

/* ---- what goes through the rows of a question ---- */

struct kept_walk {
	struct arena *arena;
	void *out;			/* of a question for one */
	int (*user)(void *arg, const struct kept_user *);
	int (*app)(void *arg, const struct kept_app *);
	int (*key)(void *arg, const struct kept_key *);
	void *arg;
	bool is_full;			/* the arena */
};

static struct str
column(struct kept_walk *w, const struct database *d, int at)
{
	struct str s = arena_copy(w->arena, database_text(d, at));

	w->is_full |= s.p == NULL;
	return s;
}

static struct wall
column_time(const struct database *d, int at)
{
	return (struct wall){ database_number(d, at) };
}

static int
walk_result(const struct kept_walk *w, int64_t rc)
{
	if (w->is_full)
		return err_set("no memory for what the database says");
	return rc < 0 ? (int)rc : 0;
}

/* ---- users ---- */

int
kept_user_add(struct database *d, const struct kept_user *u)
{
	struct name room;
	struct database_value v[] = { TEXT(name_lower(u->name, &room)),
		TEXT(u->hash), TEXT(u->scram), NUMBER(u->has_scram),
		NUMBER(u->is_disabled), TEXT(u->from), TEXT(u->networks),
		TEXT(u->limits), TEXT(u->tenant), NUMBER(u->expires.us),
		NUMBER(u->created.us) };

	if (room.n == 0)
		return err_set("a name has 1 to %d octets", NAME_MOST);
	return kept_result(database_ask(d, STATEMENT_user_add, v, COUNT(v),
	    NULL, NULL));
}

int
kept_user_change(struct database *d, const struct kept_user *u)
{
	struct database_value v[] = { TEXT(u->hash), TEXT(u->scram),
		NUMBER(u->has_scram), NUMBER(u->is_disabled), TEXT(u->from),
		TEXT(u->networks), TEXT(u->limits), TEXT(u->tenant),
		NUMBER(u->expires.us), NUMBER(u->id) };

	return kept_result(database_ask(d, STATEMENT_user_change, v, COUNT(v),
	    NULL, NULL));
}

int
kept_user_remove(struct database *d, struct str name)
{
	struct name room;
	struct database_value v[] = { TEXT(name_lower(name, &room)) };

	return kept_result(database_ask(d, STATEMENT_user_remove, v, COUNT(v),
	    NULL, NULL));
}

static int
user_row(void *arg, const struct database *d)
{
	struct kept_walk *w = arg;
	struct kept_user u = { .id = database_number(d, 0),
		.name = column(w, d, 1), .hash = column(w, d, 2),
		.scram = column(w, d, 3), .has_scram = database_number(d, 4),
		.is_disabled = database_number(d, 5), .from = column(w, d, 6),
		.networks = column(w, d, 7), .limits = column(w, d, 8),
		.tenant = column(w, d, 9), .expires = column_time(d, 10),
		.created = column_time(d, 11), .used = column_time(d, 12),
		.n_apps = database_number(d, 13) };

	if (w->is_full)
		return -1;
	if (w->user != NULL)
		return w->user(w->arg, &u);
	*(struct kept_user *)w->out = u;
	return 0;
}

int
kept_user_find(struct database *d, struct str name, struct arena *a,
    struct kept_user *out)
{
	struct name room;
	struct database_value v[] = { TEXT(name_lower(name, &room)) };
	struct kept_walk w = { .arena = a, .out = out };
	int64_t rc = database_ask(d, STATEMENT_user_find, v, COUNT(v), user_row,
	    &w);

	return w.is_full ? walk_result(&w, rc) : kept_result(rc);
}

int
kept_users(struct database *d, struct arena *a,
    int (*each)(void *arg, const struct kept_user *), void *arg)
{
	struct kept_walk w = { .arena = a, .user = each, .arg = arg };

	return walk_result(&w, database_ask(d, STATEMENT_user_list, NULL, 0,
	    user_row, &w));
}

/* ---- app passwords ---- */

int
kept_app_add(struct database *d, int64_t user, const struct kept_app *p)
{
	struct database_value v[] = { NUMBER(user), TEXT(p->name),
		BYTES(p->digest), TEXT(p->scram), NUMBER(p->created.us) };

	return kept_result(database_ask(d, STATEMENT_app_add, v, COUNT(v), NULL,
	    NULL));
}

int
kept_app_remove(struct database *d, int64_t user, struct str name)
{
	struct database_value v[] = { NUMBER(user), TEXT(name) };

	return kept_result(database_ask(d, STATEMENT_app_remove, v, COUNT(v),
	    NULL, NULL));
}

static int
app_row(void *arg, const struct database *d)
{
	struct kept_walk *w = arg;
	struct kept_app p = { .id = database_number(d, 0),
		.name = column(w, d, 1), .digest = column(w, d, 2),
		.scram = column(w, d, 3), .created = column_time(d, 4),
		.used = column_time(d, 5) };

	return w->is_full ? -1 : w->app(w->arg, &p);
}

int
kept_apps(struct database *d, int64_t user, struct arena *a,
    int (*each)(void *arg, const struct kept_app *), void *arg)
{
	struct database_value v[] = { NUMBER(user) };
	struct kept_walk w = { .arena = a, .app = each, .arg = arg };

	return walk_result(&w, database_ask(d, STATEMENT_app_list, v, COUNT(v),
	    app_row, &w));
}

/* ---- API keys ---- */

int
kept_key_add(struct database *d, const struct kept_key *k)
{
	struct database_value v[] = { TEXT(k->public), TEXT(k->name),
		BYTES(k->digest), TEXT(k->scopes), TEXT(k->domains),
		TEXT(k->networks), TEXT(k->tenant), NUMBER(k->expires.us),
		NUMBER(k->created.us) };

	return kept_result(database_ask(d, STATEMENT_key_add, v, COUNT(v), NULL,
	    NULL));
}

int
kept_key_revoke(struct database *d, struct str public)
{
	struct database_value v[] = { TEXT(public) };

	return kept_result(database_ask(d, STATEMENT_key_revoke, v, COUNT(v),
	    NULL, NULL));
}

static int
key_row(void *arg, const struct database *d)
{
	struct kept_walk *w = arg;
	struct kept_key k = { .id = database_number(d, 0),
		.public = column(w, d, 1), .name = column(w, d, 2),
		.digest = column(w, d, 3), .scopes = column(w, d, 4),
		.domains = column(w, d, 5), .networks = column(w, d, 6),
		.tenant = column(w, d, 7), .is_revoked = database_number(d, 8),
		.expires = column_time(d, 9), .created = column_time(d, 10),
		.used = column_time(d, 11) };

	if (w->is_full)
		return -1;
	if (w->key != NULL)
		return w->key(w->arg, &k);
	*(struct kept_key *)w->out = k;
	return 0;
}

int
kept_key_find(struct database *d, struct str public, struct arena *a,
    struct kept_key *out)
{
	struct database_value v[] = { TEXT(public) };
	struct kept_walk w = { .arena = a, .out = out };
	int64_t rc = database_ask(d, STATEMENT_key_find, v, COUNT(v), key_row,
	    &w);

	return w.is_full ? walk_result(&w, rc) : kept_result(rc);
}

int
kept_keys(struct database *d, struct arena *a,
    int (*each)(void *arg, const struct kept_key *), void *arg)
{
	struct kept_walk w = { .arena = a, .key = each, .arg = arg };

	return walk_result(&w, database_ask(d, STATEMENT_key_list, NULL, 0,
	    key_row, &w));
}

/* ---- when they were used ---- */

struct using { struct database *database; const struct kept_use *uses; size_t n; };

/* Who was removed meanwhile is passed over. */
static int
uses_write(void *arg)
{
	static const enum statement statement_of[] = {
		[KEPT_USER] = STATEMENT_user_used,
		[KEPT_APP] = STATEMENT_app_used,
		[KEPT_KEY] = STATEMENT_key_used,
	};
	const struct using *u = arg;

	for (size_t i = 0; i < u->n; i++) {
		struct database_value v[] = { NUMBER(u->uses[i].at.us),
			NUMBER(u->uses[i].id) };

		if (database_ask(u->database, statement_of[u->uses[i].kind], v,
		    COUNT(v), NULL, NULL) < 0)
			return -1;
	}
	return 0;
}

int
kept_uses(struct database *d, const struct kept_use *uses, size_t n)
{
	struct using u = { d, uses, n };

	return n == 0 ? 0 : database_together(d, uses_write, &u);
}

/* ---- the secret ---- */

static int
secret_row(void *arg, const struct database *d)
{
	buf_put(arg, database_text(d, 0));
	return 0;
}

int
kept_secret(struct database *d, unsigned char out[KEPT_SECRET])
{
	struct database_value v[] = { TEXT(STR("secret")) };

	struct buf secret = { .p = (char *)out, .cap = KEPT_SECRET };
	int rc = kept_result(database_ask(d, STATEMENT_setting_find, v,
	    COUNT(v), secret_row, &secret));

	return rc != 0 || (!secret.full && secret.n == KEPT_SECRET) ? rc :
	    err_set("the database's secret has not %d octets", KEPT_SECRET);
}
