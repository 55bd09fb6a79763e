#include "trust/recall.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/random.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

struct recalled {
	struct link link;		/* newest first; or free */
	struct recall_mark mark;
	struct mono until;
	size_t n;
	char text[RECALL_ROOM];		/* parts with their lengths */
};

struct recall {
	unsigned char key[RECALL_KEY];
	struct list kept, idle;
	struct recalled v[RECALL_MOST];
};

struct recall *
recall_new(void)
{
	struct recall *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	random_bytes(r->key, sizeof r->key);
	list_init(&r->kept);
	list_init(&r->idle);
	for (size_t i = 0; i < RECALL_MOST; i++)
		list_append(&r->idle, &r->v[i].link);
	return r;
}

void
recall_free(struct recall *r)
{
	if (r == NULL)
		return;
	OPENSSL_cleanse(r, sizeof *r);
	free(r);
}

struct recall_mark
recall_mark(const struct recall *r, const struct str *parts, size_t n)
{
	struct recall_mark mark;
	unsigned char length[8];
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", sha256, 0),
		OSSL_PARAM_construct_end() };
	size_t got = 0;
	bool fine = c != NULL && EVP_MAC_init(c, r->key, sizeof r->key,
	    params) == 1;

	for (size_t i = 0; fine && i < n; i++) {
		for (size_t k = 0; k < sizeof length; k++)
			length[k] = (unsigned char)(parts[i].n >> (8 * k));
		fine = EVP_MAC_update(c, length, sizeof length) == 1 &&
		    EVP_MAC_update(c, (const unsigned char *)parts[i].p,
		    parts[i].n) == 1;
	}
	fine = fine && EVP_MAC_final(c, mark.octets, &got,
	    sizeof mark.octets) == 1 && got == sizeof mark.octets;
	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
	/* Without memory: a mark that nobody has had, nor will have. */
	if (!fine)
		random_bytes(mark.octets, sizeof mark.octets);
	return mark;
}

static struct recalled *
recalled_of(struct link *k)
{
	return k == NULL ? NULL : OWNER_OF(k, struct recalled, link);
}

static void
recalled_drop(struct recall *r, struct recalled *e)
{
	list_remove(&e->link);
	OPENSSL_cleanse(e->text, e->n);
	e->n = 0;
	list_append(&r->idle, &e->link);
}

static struct recalled *
recalled_find(struct recall *r, const struct recall_mark *mark)
{
	struct link *k;

	/* The marks are hashes by a key that nobody knows: how many octets of
	 * two are alike tells nothing, and all of RECALL_MOST cost less than
	 * one of theirs. */
	for (k = list_first(&r->kept); k != NULL; k = list_next(&r->kept, k))
		if (memcmp(recalled_of(k)->mark.octets, mark->octets,
		    sizeof mark->octets) == 0)
			return recalled_of(k);
	return NULL;
}

static void
part_put(struct buf *b, struct str s)
{
	buf_le16(b, (uint16_t)s.n);
	buf_put(b, s);
	b->full = b->full || s.n > UINT16_MAX;
}

static bool
part_take(struct str *s, struct arena *a, struct str *out)
{
	uint16_t n;

	if (!take_le16(s, &n) || !take_bytes(s, n, out))
		return false;
	*out = arena_copy(a, *out);
	return out->p != NULL;
}

void
recall_keep(struct recall *r, const struct recall_mark *mark, struct mono until,
    const struct directory_person *p)
{
	struct recalled *e = recalled_find(r, mark);
	struct buf b;

	if (e == NULL)
		e = recalled_of(list_first(&r->idle));
	if (e == NULL) {
		for (struct link *k = list_first(&r->kept); k != NULL;
		    k = list_next(&r->kept, k))
			e = recalled_of(k);
	}
	must(e != NULL);
	recalled_drop(r, e);
	b = BUF_OF(e->text);
	part_put(&b, p->name);
	for (size_t i = 0; i < p->n_addresses; i++)
		part_put(&b, p->addresses[i]);
	e->n = b.n;
	if (b.full)
		return;
	e->mark = *mark;
	e->until = until;
	list_remove(&e->link);
	list_push(&r->kept, &e->link);
}

bool
recall_find(struct recall *r, const struct recall_mark *mark, struct mono now,
    struct arena *a, struct directory_person *out)
{
	struct recalled *e = recalled_find(r, mark);
	struct str rest;

	*out = (struct directory_person){ .n_addresses = 0 };
	if (e == NULL)
		return false;
	if (!mono_is_before(now, e->until)) {
		recalled_drop(r, e);
		return false;
	}
	rest = (struct str){ e->text, e->n };
	out->addresses = arena_alloc(a, DIRECTORY_ADDRESSES *
	    sizeof *out->addresses);
	if (out->addresses == NULL || !part_take(&rest, a, &out->name))
		return false;
	while (rest.n > 0 && out->n_addresses < DIRECTORY_ADDRESSES)
		if (!part_take(&rest, a, &out->addresses[out->n_addresses++]))
			return false;
	return true;
}
