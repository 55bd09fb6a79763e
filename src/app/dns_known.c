#include "app/dns_known.h"
#include "app/keyring_wire.h"
#include "trust/certificate.h"
#include "trust/dkim_published.h"

static void
certificate_let_go(void *cert)
{
	certificate_free(cert);
}

static bool
certificate_hold(const struct identity_shown *s, struct arena *a,
    struct record_certificate *out)
{
	if (X509_up_ref(s->cert.leaf) != 1)
		return false;
	out->cert.leaf = s->cert.leaf;
	out->cert.chain = s->cert.chain == NULL ? NULL :
	    X509_chain_up_ref(s->cert.chain);
	out->is_renewed = s->source == KEYRING_ACME;
	out->is_own = s->source == KEYRING_SELF;
	if (arena_defer(a, certificate_let_go, &out->cert) == 0)
		return true;
	certificate_free(&out->cert);
	return false;
}

void
dns_known_certificates(const struct identity *id, struct arena *a,
    struct records_ask *ask)
{
	struct record_certificate *list = arena_alloc(a, (id->n_shown + 1) *
	    sizeof *list);
	size_t n = 0;

	if (list == NULL)
		return;
	while (n < id->n_shown && certificate_hold(&id->shown[n], a, &list[n]))
		n++;
	ask->certificates = list;
	ask->n_certificates = n;
	ask->knows_certificates = n == id->n_shown;
}

static enum record_key_state
key_state(enum dkim_state s)
{
	return s == DKIM_NEXT ? RECORD_KEY_NEXT : s == DKIM_RETIRING ?
	    RECORD_KEY_RETIRING : RECORD_KEY_ACTIVE;
}

void
dns_known_keys(const struct dkim *d, struct arena *a, struct records_ask *ask)
{
	struct record_key *list = arena_alloc(a, (d->n + 1) * sizeof *list);
	bool has_room = list != NULL;
	size_t n = 0;

	for (size_t i = 0; has_room && i < d->n; i++) {
		const struct dkim_published *k = &d->known[i].is;

		if (!str_eq(k->domain, ask->domain))
			continue;
		list[n] = (struct record_key){ arena_copy(a, k->selector),
			arena_copy(a, k->text), key_state(k->state) };
		has_room = list[n].selector.p != NULL && list[n].text.p != NULL;
		n++;
	}
	ask->keys = list;
	ask->n_keys = has_room ? n : 0;
	ask->knows_keys = has_room && d->reads > 0;
}
