#include "policy/elsewhere.h"

#include "base/err.h"
#include "base/must.h"
#include "policy/holder.h"
#include "trust/dovecot_auth.h"
#include "trust/ldap.h"
#include "trust/oauth.h"

#include <stdlib.h>

_Static_assert(ELSEWHERE_PLACES - ELSEWHERE_LDAP == LDAP_SERVERS,
    "each server of LDAP has its place");

/* How one client tells; several places of LDAP tell by one. */
struct elsewhere_report {
	struct elsewhere_board *board;
	const struct elsewhere_clients *clients;
	size_t first;			/* its places begin here */
};

struct elsewhere {
	struct elsewhere_board *board;
	struct elsewhere_clients *now;	/* NULL: none yet */
};

struct elsewhere *
elsewhere_new(struct elsewhere_board *board)
{
	struct elsewhere *e = calloc(1, sizeof *e);

	if (e == NULL) {
		err_set("no memory");
		return NULL;
	}
	e->board = board;
	return e;
}

/* ---- who is down ---- */

static const struct directory_health *
clients_health(const struct elsewhere_clients *c, size_t i)
{
	if (i == ELSEWHERE_DOVECOT)
		return c->dovecot == NULL ? NULL : dovecot_health(c->dovecot);
	if (i == ELSEWHERE_OAUTH)
		return c->oauth == NULL ? NULL : oauth_health(c->oauth);
	return c->ldap == NULL ? NULL : ldap_health(c->ldap,
	    i - ELSEWHERE_LDAP);
}

const struct directory_health *
elsewhere_down(const struct elsewhere *e, size_t i)
{
	for (size_t k = 0; e->now != NULL && k < ELSEWHERE_PLACES; k++) {
		const struct directory_health *h = clients_health(e->now, k);

		/* What one core has back, another may not have tried yet. */
		if (h != NULL && directory_is_down(h) &&
		    atomic_load(&e->board->down[k]) && i-- == 0)
			return h;
	}
	return NULL;
}

static size_t
report_place(const struct elsewhere_report *r, struct str name)
{
	const struct ldap_setup *s = r->clients->config->auth.ldap.setup;

	if (r->first != ELSEWHERE_LDAP)
		return r->first;
	for (size_t i = 0; i < s->n_servers; i++)
		if (s->servers[i].url.p == name.p)
			return ELSEWHERE_LDAP + i;
	must(!"a server that is none of its list");
	return r->first;
}

static void
report_tell(void *arg, struct str name, struct str why)
{
	const struct elsewhere_report *r = arg;
	bool _Atomic *down = &r->board->down[report_place(r, name)];
	bool is_down = why.p != NULL;
	bool is_news = atomic_exchange(down, is_down) != is_down;

	if (is_news && r->board->tell != NULL)
		r->board->tell(r->board->arg, name, why);
}

/* Whoever is gone is not down. */
static void
clients_forget(struct elsewhere *e, const struct elsewhere_clients *c)
{
	for (size_t i = 0; i < ELSEWHERE_PLACES; i++) {
		const struct directory_health *h = clients_health(c, i);

		if (h != NULL && directory_is_down(h))
			atomic_store(&e->board->down[i], false);
	}
}

/* ---- clients ---- */

static yields void
clients_end(struct elsewhere *e, struct elsewhere_clients *c)
{
	must(c->users == 0);
	clients_forget(e, c);
	dovecot_close(c->dovecot);
	ldap_close(c->ldap);
	oauth_close(c->oauth);
	config_release(c->config);
	free(c->ldap_setup);
	free(c->oauth_setup);
	free(c->reports);
	free(c);
}

static void
clients_make_dovecot(struct elsewhere_clients *c)
{
	const struct config *conf = c->config;

	if (conf->auth.dovecot_at == NULL)
		return;
	c->dovecot = dovecot_new(&(struct dovecot_setup){
	    .at = *conf->auth.dovecot_at, .tell = report_tell,
	    .arg = &c->reports[ELSEWHERE_DOVECOT] });
}

static void
clients_make_ldap(struct elsewhere_clients *c)
{
	const struct ldap_setup *s = c->config->auth.ldap.setup;

	if (s == NULL || (c->ldap_setup = malloc(sizeof *s)) == NULL)
		return;
	*c->ldap_setup = *s;
	c->ldap_setup->tell = report_tell;
	c->ldap_setup->arg = &c->reports[ELSEWHERE_LDAP];
	c->ldap = ldap_new(c->ldap_setup);
}

static void
clients_make_oauth(struct elsewhere_clients *c)
{
	const struct oauth_setup *s = c->config->auth.oauth.setup;

	if (s == NULL || (c->oauth_setup = malloc(sizeof *s)) == NULL)
		return;
	*c->oauth_setup = *s;
	c->oauth_setup->tell = report_tell;
	c->oauth_setup->arg = &c->reports[ELSEWHERE_OAUTH];
	c->oauth = oauth_new(c->oauth_setup);
}

static struct elsewhere_clients *
clients_new(struct elsewhere *e, const struct config *conf)
{
	struct elsewhere_clients *c = calloc(1, sizeof *c);

	if (c == NULL || (c->reports = calloc(ELSEWHERE_LDAP + 1,
	    sizeof *c->reports)) == NULL) {
		free(c);
		err_set("no memory");
		return NULL;
	}
	for (size_t i = 0; i <= ELSEWHERE_LDAP; i++)
		c->reports[i] = (struct elsewhere_report){ e->board, c, i };
	c->config = config_keep(conf);
	clients_make_dovecot(c);
	clients_make_ldap(c);
	clients_make_oauth(c);
	return c;
}

yields struct elsewhere_clients *
elsewhere_take(struct elsewhere *e, const struct config *conf)
{
	struct elsewhere_clients *old = e->now, *c = old;

	if (old == NULL || old->config != conf) {
		if ((c = clients_new(e, conf)) == NULL)
			return NULL;
		e->now = c;
	}
	c->users++;
	if (old != NULL && old != c) {
		old->is_old = true;
		if (old->users == 0)
			clients_end(e, old);
	}
	return c;
}

yields void
elsewhere_give(struct elsewhere *e, struct elsewhere_clients *c)
{
	must(c->users > 0);
	if (--c->users == 0 && c->is_old)
		clients_end(e, c);
}

yields void
elsewhere_end(struct elsewhere *e)
{
	if (e == NULL)
		return;
	if (e->now != NULL)
		clients_end(e, e->now);
	free(e);
}
