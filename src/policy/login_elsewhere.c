/* login_elsewhere.c -- users that Dovecot, a directory or an issuer knows. */
#include "base/err.h"
#include "fiber/core.h"
#include "policy/login_own.h"

#include "fiber/clock.h"
#include "policy/account.h"
#include "policy/elsewhere.h"
#include "trust/dovecot_auth.h"
#include "trust/ldap.h"
#include "trust/oauth.h"

/* Dovecot answers a wrong password after two seconds. */
enum { DOVECOT_S = 20 };

/* The account of whoever was found; false without room.  What the directory
 * says he may send as stands beside his own name. */
static bool
account_of(struct arena *a, const struct directory_person *p,
    const char *source, struct account *out)
{
	struct str *from;

	*out = (struct account){ .name = p->name, .source = source };
	if (p->n_addresses == 0)
		return true;
	from = arena_alloc(a, (p->n_addresses + 1) * sizeof *from);
	if (from == NULL)
		return false;
	out->from.v = from;
	if (account_sender_read(a, p->name, &from[out->from.n]))
		out->from.n++;
	for (size_t i = 0; i < p->n_addresses; i++)
		if (account_sender_read(a, p->addresses[i],
		    &from[out->from.n]))
			out->from.n++;
	return true;
}

static enum login_result
result_of(enum directory_says says, struct arena *a,
    const struct directory_person *p, const char *source, struct account *out,
    const char **why)
{
	switch (says) {
	case DIRECTORY_YES:
		if (p->name.n > 0 && p->name.n <= ACCOUNT_NAME_MOST &&
		    account_of(a, p, source, out))
			return LOGIN_OK;
		err_set("%s gave a name that cannot be used", source);
		return LOGIN_LATER;
	case DIRECTORY_NO:
		*why = p->why == NULL ? "wrong password" : p->why;
		return LOGIN_BAD;
	case DIRECTORY_LATER:
	case DIRECTORY_MORE:
		break;
	}
	return LOGIN_LATER;
}

static struct elsewhere *
elsewhere_here(struct login *l)
{
	return l->cores[core_index()]->elsewhere;
}

/* One question to this core's clients, which are kept until it is answered. */
static yields enum login_result
elsewhere_check(struct login *l, const struct login_ask *ask, struct arena *a,
    yields enum directory_says (*put)(const struct elsewhere_clients *,
    const struct login_ask *, struct arena *, struct directory_person *),
    const char *source, struct account *out, const char **why)
{
	struct elsewhere_clients *c = elsewhere_take(elsewhere_here(l),
	    ask->config);
	struct directory_person p = { .n_addresses = 0 };
	enum directory_says says;

	if (c == NULL)
		return LOGIN_LATER;
	says = put(c, ask, a, &p);
	elsewhere_give(elsewhere_here(l), c);
	return result_of(says, a, &p, source, out, why);
}

/* ---- Dovecot ---- */

bool
login_dovecot_is_set(const struct config *c)
{
	return c->auth.dovecot_at != NULL;
}

bool
login_dovecot_takes(const struct config *c, enum login_kind kind)
{
	return login_dovecot_is_set(c) && (kind == LOGIN_PASSWORD ||
	    (kind == LOGIN_TOKEN &&
	    c->auth.dovecot_tokens == DOVECOT_TOKENS_YES));
}

static yields enum directory_says
dovecot_ask(const struct elsewhere_clients *c, const struct login_ask *ask,
    struct arena *a, struct directory_person *p)
{
	const struct dovecot_ask how = { .client = ask->client,
		.local = ask->local, .is_private = ask->protocol.n > 0 };
	const struct mono deadline = mono_first(ask->deadline,
	    mono_add(clock_mono(), DOVECOT_S * NS_PER_SECOND));

	if (c->dovecot == NULL)
		return DIRECTORY_LATER;
	if (ask->kind == LOGIN_TOKEN)
		return dovecot_token(c->dovecot, &how, ask->name, ask->secret,
		    deadline, a, p);
	return dovecot_password(c->dovecot, &how, ask->name, ask->secret,
	    deadline, a, p);
}

yields enum login_result
login_dovecot_check(struct login *l, const struct login_ask *ask,
    struct arena *a, struct account *out, const char **why)
{
	return elsewhere_check(l, ask, a, dovecot_ask, "dovecot", out, why);
}

/* ---- LDAP ---- */

bool
login_ldap_is_set(const struct config *c)
{
	return c->auth.ldap.setup != NULL;
}

bool
login_ldap_takes(const struct config *c, enum login_kind kind)
{
	return kind == LOGIN_PASSWORD && login_ldap_is_set(c);
}

static yields enum directory_says
ldap_ask(const struct elsewhere_clients *c, const struct login_ask *ask,
    struct arena *a, struct directory_person *p)
{
	return c->ldap == NULL ? DIRECTORY_LATER : ldap_login(c->ldap,
	    ask->name, ask->secret, ask->deadline, a, p);
}

yields enum login_result
login_ldap_check(struct login *l, const struct login_ask *ask, struct arena *a,
    struct account *out, const char **why)
{
	return elsewhere_check(l, ask, a, ldap_ask, "ldap", out, why);
}

/* ---- OAuth ---- */

bool
login_oauth_is_set(const struct config *c)
{
	return c->auth.oauth.setup != NULL;
}

bool
login_oauth_takes(const struct config *c, enum login_kind kind)
{
	return kind == LOGIN_TOKEN && login_oauth_is_set(c);
}

static yields enum directory_says
oauth_ask(const struct elsewhere_clients *c, const struct login_ask *ask,
    struct arena *a, struct directory_person *p)
{
	return c->oauth == NULL ? DIRECTORY_LATER : oauth_check(c->oauth,
	    ask->name, ask->secret, ask->deadline, a, p);
}

yields enum login_result
login_oauth_check(struct login *l, const struct login_ask *ask, struct arena *a,
    struct account *out, const char **why)
{
	return elsewhere_check(l, ask, a, oauth_ask, "oauth", out, why);
}

const struct directory_health *
login_place(const struct login *l, size_t i)
{
	const struct login_core *c = l->cores[core_index()];

	return c == NULL ? NULL : elsewhere_down(c->elsewhere, i);
}

void
login_about_token(const struct config *c, const char *why, struct buf *out)
{
	if (c->auth.oauth.setup != NULL)
		oauth_about(c->auth.oauth.setup, why == oauth_lacks_scope, out);
}
