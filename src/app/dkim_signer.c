#include "app/dkim_signer.h"

#include "app/keyring_wire.h"
#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "trust/dkim_sign.h"
#include "wire/dkim.h"

#include <stdlib.h>

static struct dkim_core *
core_of(struct dkim_signer *s)
{
	return OWNER_OF(s, struct dkim_core, is);
}

/* ---- what is remembered ---- */

static struct dkim_remembered *
remembered_find(struct dkim_core *c, struct str domain)
{
	for (size_t i = 0; i < DKIM_REMEMBERED; i++)
		if (c->remembered[i].domain[0] != '\0' &&
		    str_eq(str_of(c->remembered[i].domain), domain))
			return &c->remembered[i];
	return NULL;
}

static void
remembered_forget(struct dkim_core *c, struct str domain)
{
	struct dkim_remembered *r = remembered_find(c, domain);

	if (r != NULL)
		r->domain[0] = '\0';
}

static void
remembered_keep(struct dkim_core *c, struct str domain,
    const struct dkim_key_ref *keys, size_t n)
{
	struct dkim_remembered *r;

	remembered_forget(c, domain);	/* another fiber asked, too */
	r = &c->remembered[c->turn];
	c->turn = (c->turn + 1) % DKIM_REMEMBERED;
	must(str_cstr(domain, r->domain, sizeof r->domain));
	memcpy(r->keys, keys, n * sizeof *keys);
	r->n = n;
	r->until = n > 0 ? MONO_NEVER : mono_add(clock_mono(),
	    DKIM_NONE_S * NS_PER_SECOND);
}

void
dkim_core_forget(struct dkim_core *c)
{
	for (size_t i = 0; i < DKIM_REMEMBERED; i++)
		c->remembered[i].domain[0] = '\0';
}

/* ---- a domain without keys ---- */

struct wanted {
	struct dkim *dkim;
	char domain[DKIM_DOMAIN_MOST + 1];
};

static void
wanted_arrive(void *arg)
{
	struct wanted *w = arg;

	dkim_want(w->dkim, str_of(w->domain));
	free(w);
}

static void
wanted_tell(struct dkim_core *c, struct str domain)
{
	struct wanted *w = calloc(1, sizeof *w);

	if (w == NULL)
		return;			/* the next message asks again */
	w->dkim = c->dkim;
	if (!str_cstr(domain, w->domain, sizeof w->domain) ||
	    core_post(0, wanted_arrive, w) != 0)
		free(w);
}

/* ---- asking ---- */

/* The link of this moment; kept over the question, whatever comes. */
static yields int
core_ask(struct dkim_core *c, enum keyring_op op, uint64_t key, struct str field,
    struct buf *out)
{
	struct keyring_link *link = *c->link;
	int rc;

	if (link == NULL)
		return err_set("there is no keyring");
	keyring_link_keep(link);
	rc = keyring_link_ask(link, op, key, &field, 1, out);
	keyring_link_drop(link);
	return rc == 0 ? 0 : err_add("the keyring");
}

static int
keys_read(struct str body, struct dkim_key_ref out[DKIM_KEYS_MOST], size_t *n)
{
	struct str selector;
	uint64_t algorithm;

	for (*n = 0; body.n > 0; ++*n) {
		struct dkim_key_ref *k = &out[*n];

		if (*n == DKIM_KEYS_MOST || !keyring_number(&body, &k->id) ||
		    !keyring_number(&body, &algorithm) ||
		    !keyring_field(&body, &selector) ||
		    algorithm > DKIM_ED25519_SHA256 ||
		    !str_cstr(selector, k->selector, sizeof k->selector))
			return err_set("the keyring tells no keys");
		k->algorithm = (enum dkim_algorithm)algorithm;
	}
	return 0;
}

static yields int
core_keys(struct dkim_signer *s, struct str domain,
    struct dkim_key_ref out[DKIM_KEYS_MOST], size_t *n)
{
	struct dkim_core *c = core_of(s);
	const struct dkim_remembered *r = remembered_find(c, domain);
	char room[1024];
	struct buf b = BUF_OF(room);

	must(domain.n > 0 && domain.n <= DKIM_DOMAIN_MOST);
	if (r != NULL && mono_is_before(clock_mono(), r->until)) {
		memcpy(out, r->keys, r->n * sizeof *out);
		*n = r->n;
		return 0;
	}
	if (core_ask(c, KEYRING_DKIM_KEYS, 0, domain, &b) != 0 ||
	    keys_read(buf_str(&b), out, n) != 0)
		return -1;
	if (*n == 0)
		wanted_tell(c, domain);
	remembered_keep(c, domain, out, *n);
	return 0;
}

static yields int
core_sign(struct dkim_signer *s, struct str domain,
    const struct dkim_key_ref *key, struct str input, struct buf *signature)
{
	struct dkim_core *c = core_of(s);
	int rc = core_ask(c, KEYRING_DKIM_SIGN, key->id, input, signature);

	if (rc != 0)
		remembered_forget(c, domain);
	return rc;
}

void
dkim_core_init(struct dkim_core *c, struct dkim *dkim,
    struct keyring_link **link)
{
	*c = (struct dkim_core){ .is = { core_keys, core_sign }, .dkim = dkim,
		.link = link };
}
