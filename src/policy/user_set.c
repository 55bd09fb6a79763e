#include "policy/user_set.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "policy/account_text.h"
#include "policy/problem.h"
#include "policy/source.h"
#include "trust/password.h"
#include "wire/address.h"
#include "wire/passwd.h"

static const struct str system_passwd = STR_INIT("/etc/passwd");

/* Debian Policy 9.2.2: uids of people.  Others belong to daemons. */
enum { UID_PEOPLE_FIRST = 1000, UID_PEOPLE_LAST = 59999 };

static const struct hash_key no_key;	/* only the operator adds names */

const struct user *
user_find(const struct user_set *set, struct str name)
{
	char lower[LOCAL_MOST];
	struct table_node *t;

	if (name.n > sizeof lower)
		return NULL;
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	name.p = lower;
	t = table_find(&set->users, hash_bytes(no_key, name));
	for (; t != NULL; t = table_again(t))
		if (str_eq(OWNER_OF(t, struct user, node)->name, name))
			return OWNER_OF(t, struct user, node);
	return NULL;
}

static void
table_drop(void *arg)
{
	table_clear(arg);
}

static struct user_set *
user_set_new(struct value_reader *r, struct str path)
{
	struct user_set *set = arena_new(r->arena, struct user_set);

	if (set == NULL || arena_defer(r->arena, table_drop, &set->users) != 0)
		return NULL;
	set->path = path;
	return set;
}

/* The set has it from here on; u.name is as it is looked up. */
static bool
user_keep(struct value_reader *r, struct user_set *set, struct user u)
{
	struct user *mine = arena_new(r->arena, struct user);

	if (mine == NULL)
		return false;
	*mine = u;
	mine->name = arena_copy(r->arena, u.name);
	mine->home = arena_copy(r->arena, u.home);
	mine->hash = arena_copy(r->arena, u.hash);
	if (mine->hash.n > 0 && set->n_hashes < USER_SAMPLES)
		set->sample[set->n_hashes] = mine->hash;
	set->n_hashes += mine->hash.n > 0;
	return mine->name.p != NULL && table_insert(&set->users, &mine->node,
	    hash_bytes(no_key, mine->name)) == 0;
}

static bool
user_is_twice(struct value_reader *r, struct str name, struct place at)
{
	problem_add(r->problems, PROBLEM_ERROR, at,
	    "user '"STR_FMT"' stands here twice", STR_ARG(name));
	return false;
}

static bool
user_add(struct value_reader *r, struct user_set *set, struct user u,
    struct place at)
{
	if (!local_is_safe(u.name) || u.name.n > LOCAL_MOST) {
		problem_add(r->problems, PROBLEM_ERROR, at,
		    "'"STR_FMT"' is no name for a mailbox: letters, digits and "
		    "._+=- only", STR_ARG(u.name));
		return false;
	}
	if (user_find(set, u.name) != NULL)
		return user_is_twice(r, u.name, at);
	u.name = arena_lower(r->scratch, u.name);
	return u.name.p != NULL && user_keep(r, set, u);
}

const struct user *
user_set_login(const struct user_set *set, struct str key)
{
	struct table_node *t = table_find(&set->users, hash_bytes(no_key, key));

	for (; t != NULL; t = table_again(t))
		if (str_eq(OWNER_OF(t, struct user, node)->name, key))
			return OWNER_OF(t, struct user, node);
	return NULL;
}

static bool
login_add(struct value_reader *r, struct user_set *set, struct user u,
    struct place at)
{
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);

	if (!account_key(u.name, &key)) {
		problem_add(r->problems, PROBLEM_ERROR, at,
		    "'"STR_FMT"' is no name to log in by", STR_ARG(u.name));
		return false;
	}
	if (user_set_login(set, buf_str(&key)) != NULL)
		return user_is_twice(r, u.name, at);
	u.name = buf_str(&key);
	return user_keep(r, set, u);
}

static struct user
user_of_passwd(const struct passwd *p)
{
	struct user u = { .name = p->user, .home = p->home };

	u.has_uid = p->has_uid;
	u.uid = p->uid;
	u.gid = p->has_gid ? p->gid : p->uid;
	if (u.home.n == 0 || u.home.p[0] != '/')
		u.home = STR("");
	return u;
}

static struct place
line_place(struct str path, unsigned line, struct str text)
{
	return (struct place){ .file = path, .line = line, .column = 1,
		.line_text = text.n <= 160 && str_find(text, ':') == text.n ?
		text : STR_NONE, .width = (unsigned)str_find(text, ':') };
}

/* "{SCHEME}hash" again: passwd_parse() has cut it in two. */
static struct str
passwd_stored(const struct passwd *p)
{
	if (p->scheme.p == NULL)
		return p->hash;
	return (struct str){ p->scheme.p - 1, (size_t)(p->hash.p - p->scheme.p)
		+ p->hash.n + 1 };
}

static bool
user_password(struct value_reader *r, const struct passwd *p, struct place at,
    struct user *u)
{
	struct str stored = passwd_stored(p);
	bool is_plain;

	u->hash = password_is_none(stored) ? STR("") : stored;
	if (u->hash.n == 0)
		return true;
	if (password_check(stored, &is_plain) != 0) {
		problem_add(r->problems, PROBLEM_ERROR, at, "the password of "
		    "'"STR_FMT"': %s", STR_ARG(p->user), err_text());
		err_clear();
		return false;
	}
	if (is_plain)
		problem_add(r->problems, PROBLEM_WARNING, at, "the password of "
		    "'"STR_FMT"' stands here in clear: whoever reads this file, "
		    "or a backup of it, has it", STR_ARG(p->user));
	return true;
}

/* Extra fields of Dovecot's that say who may not: to pass over them would let
 * him in. */
static bool
user_restrictions(struct value_reader *r, const struct passwd *p,
    struct place at, struct user *u)
{
	struct str nets = passwd_extra(p, STR("allow_nets"));

	u->is_disabled = passwd_extra(p, STR("nologin")).p != NULL;
	if (nets.p == NULL)
		return true;
	if (account_text_networks(r->arena, nets, &u->networks) == 0 &&
	    u->networks.n > 0)
		return true;
	problem_add(r->problems, PROBLEM_ERROR, at,
	    "allow_nets="STR_FMT" is no list of networks", STR_ARG(nets));
	err_clear();
	return false;
}

/* "x", "*" and "!" stand for "somewhere else" or "none". */
static void
warn_of_hash(struct value_reader *r, const struct passwd *p, struct place at,
    bool *warned)
{
	if (*warned || p->hash.n < 3)
		return;
	*warned = true;
	problem_add(r->problems, PROBLEM_WARNING, at,
	    "everybody on this machine may read the password hashes in this "
	    "file");
}

/* deliver=NAME among the extra fields. */
static bool
user_transport(struct value_reader *r, const struct config *c,
    struct user_set *set, const struct passwd *p, struct place at,
    struct user *u)
{
	struct str name = passwd_extra(p, STR("deliver"));

	if (name.p == NULL)
		return true;
	u->transport = transport_find(c, name);
	set->has_transports = true;
	if (u->transport == NULL)
		problem_add(r->problems, PROBLEM_ERROR, at,
		    "deliver="STR_FMT" is not among the transports",
		    STR_ARG(name));
	return u->transport != NULL;
}

/* c == NULL: for logging in alone. */
static bool
user_entry(struct value_reader *r, const struct config *c,
    struct user_set *set, const struct passwd *p, struct place at)
{
	struct user u = user_of_passwd(p);
	bool is_fine = user_password(r, p, at, &u);

	is_fine &= user_restrictions(r, p, at, &u);
	if (c == NULL)
		return login_add(r, set, u, at) && is_fine;
	is_fine &= user_transport(r, c, set, p, at, &u);
	return user_add(r, set, u, at) && is_fine;
}

static bool
user_set_lines(struct value_reader *r, const struct config *c,
    struct user_set *set, const struct source_file *file)
{
	struct str bytes = file->bytes;
	bool warned = !file->is_world_readable;
	bool fine = true;

	for (unsigned line = 1; bytes.n > 0; line++) {
		struct str text = str_cut(&bytes, '\n');
		struct place at = line_place(set->path, line, text);
		const char *why = NULL;
		struct passwd p;

		switch (passwd_parse(text, &p, &why)) {
		case PASSWD_BLANK:
			break;
		case PASSWD_ENTRY:
			fine &= user_entry(r, c, set, &p, at);
			warn_of_hash(r, &p, at, &warned);
			break;
		case PASSWD_BAD:
			problem_add(r->problems, PROBLEM_ERROR, at,
			    "this line %s", why);
			fine = false;
			break;
		}
	}
	return fine;
}

struct user_set *
user_set_file(struct value_reader *r, const struct config *c, struct str path,
    struct place at)
{
	struct user_set *set;
	struct source_file file;

	if (!value_file(r, path, at, &file))
		return NULL;
	set = user_set_new(r, path);
	if (set == NULL || !user_set_lines(r, c, set, &file))
		return NULL;
	return set;
}

struct user_set *
user_set_logins(struct value_reader *r, struct str path, struct place at)
{
	return user_set_file(r, NULL, path, at);
}

struct user_set *
user_set_list(struct value_reader *r, const struct conf_strings *names,
    struct place at)
{
	struct user_set *set = user_set_new(r, STR_NONE);
	bool fine = set != NULL;

	for (size_t i = 0; i < names->n && fine; i++)
		fine = user_add(r, set, (struct user){ .name = names->v[i],
		    .home = STR("") }, at);
	return fine ? set : NULL;
}

/* Lines that no mail can use (NIS marks, daemons' names) are passed over. */
static void
system_add(struct value_reader *r, struct user_set *set, const struct passwd *p)
{
	bool is_person = p->has_uid && p->uid >= UID_PEOPLE_FIRST &&
	    p->uid <= UID_PEOPLE_LAST;

	if (p->has_uid && (is_person || p->uid == 0) &&
	    local_is_safe(p->user) && user_find(set, p->user) == NULL)
		(void)user_add(r, set, user_of_passwd(p), (struct place){
		    .file = system_passwd });
}

struct user_set *
user_set_system(struct value_reader *r, struct str path)
{
	struct user_set *set = user_set_new(r, path);
	struct source_file file;
	const char *why;
	struct passwd p;

	if (set == NULL || r->source->read(r->source, system_passwd, r->scratch,
	    &file) != SOURCE_FOUND)
		return set;		/* a machine without people */
	while (file.bytes.n > 0)
		if (passwd_parse(str_cut(&file.bytes, '\n'), &p, &why) ==
		    PASSWD_ENTRY)
			system_add(r, set, &p);
	return set;
}

bool
user_of_system(struct value_reader *r, struct str name, uint32_t *uid,
    uint32_t *gid)
{
	struct source_file file;
	const char *why;
	struct passwd p;

	if (r->source->read(r->source, system_passwd, r->scratch, &file) !=
	    SOURCE_FOUND)
		return false;
	while (file.bytes.n > 0)
		if (passwd_parse(str_cut(&file.bytes, '\n'), &p, &why) ==
		    PASSWD_ENTRY && str_eq(p.user, name) && p.has_uid) {
			*uid = p.uid;
			*gid = p.has_gid ? p.gid : p.uid;
			return true;
		}
	return false;
}
