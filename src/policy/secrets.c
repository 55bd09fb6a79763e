#include "policy/secrets.h"

#include "base/list.h"
#include "policy/domain.h"

/* Ours: the copy that came by fork. */
static void
secret_forget(struct str s)
{
	if (s.n > 0)
		explicit_bzero((char *)(uintptr_t)s.p, s.n);
}

static void
keys_forget(const struct relay_keys *k)
{
	secret_forget(k->auth.login);
	secret_forget(k->auth.user);
	secret_forget(k->auth.password);
	secret_forget(k->auth.token);
}

static void
hashes_forget(const struct user_set *set)
{
	struct table_walk walk = { 0 };
	struct table_node *k;

	while (set != NULL && (k = table_walk(&set->users, &walk)) != NULL)
		secret_forget(OWNER_OF(k, struct user, node)->hash);
}

void
secrets_forget(const struct config *c)
{
	secret_forget(c->auth.ldap.password);
	secret_forget(c->auth.oauth.client_secret);
	secret_forget(c->tls.acme.eab.key);
	secret_forget(c->forward.srs_secret);
	for (size_t i = 0; i < c->n_routes; i++)
		keys_forget(&c->routes[i].keys);
	for (size_t i = 0; i < c->auth.n_users; i++)
		hashes_forget(c->auth.users[i]);
	for (size_t i = 0; i < c->n_domains; i++) {
		keys_forget(&c->domain_list[i]->relay_keys);
		hashes_forget(c->domain_list[i]->users);
	}
}
