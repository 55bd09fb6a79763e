#include "policy/account.h"
#include "policy/finish.h"

#include "base/err.h"
#include "policy/source.h"
#include "policy/value.h"
#include "trust/client_cert.h"

static void
authorities_check(struct load *l, struct str pem, struct place place)
{
	X509_STORE *store = X509_STORE_new();

	if (store == NULL || client_cert_anchors(pem, store) < 0)
		problem_add(l->reader.problems, PROBLEM_ERROR, place,
		    "'auth.certificates': %s", err_text());
	X509_STORE_free(store);
	err_clear();
}

static void
authorities_read(struct load *l)
{
	struct config *c = l->config;
	struct place place = finish_place(c->origins, "auth.certificates");
	struct source_file file;

	c->auth.certificates_pem = STR_NONE;
	if (c->auth.certificates.n == 0 ||
	    !value_file(&l->reader, c->auth.certificates, place, &file))
		return;
	authorities_check(l, file.bytes, place);
	c->auth.certificates_pem = arena_copy(l->reader.arena, file.bytes);
	if (c->auth.certificates_pem.p == NULL)
		finish_is_full(l);
}

static bool
any_is_known(const struct config *c)
{
	for (size_t i = 0; i < c->n_accounts; i++)
		if (c->account_list[i]->certificates.n > 0)
			return true;
	return c->auth.certificates.n > 0;
}

static void
listener_check(struct load *l, const struct listener *s)
{
	struct place place = finish_place(s->origins,
	    "listen[].client_certificates");

	if (s->certificates == CERTIFICATES_OFF)
		return;
	if (s->tls == TLS_OFF)
		problem_add(l->reader.problems, PROBLEM_ERROR, place,
		    "there are no certificates without TLS; leave out "
		    "'tls: off', or this key");
	else if (!any_is_known(l->config))
		problem_add(l->reader.problems, PROBLEM_ERROR, place,
		    "no certificate of a client is known; 'auth.certificates' "
		    "names a file of authorities, 'certificates' of "
		    "'accounts.NAME' those of one account");
}

/* A certificate names one account, or none. */
static void
fingerprints_check(struct load *l, const struct account_rule *rule)
{
	for (size_t i = 0; i < rule->certificates.n; i++) {
		const struct account_rule *first = account_rule_certificate(
		    l->config, rule->certificates.v[i]);

		if (first == rule)
			continue;
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(rule->origins, "accounts.*.certificates"),
		    "this certificate is that of account '"STR_FMT"' already",
		    STR_ARG(first->given.name));
	}
}

void
finish_certificates(struct load *l)
{
	struct config *c = l->config;

	authorities_read(l);
	for (size_t i = 0; i < c->n_listeners; i++)
		listener_check(l, &c->listeners[i]);
	for (size_t i = 0; i < c->n_accounts; i++)
		fingerprints_check(l, c->account_list[i]);
}
