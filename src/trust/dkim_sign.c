#include "trust/dkim_sign.h"

#include "base/err.h"
#include "base/must.h"
#include "wire/address.h"
#include "wire/base64.h"
#include "wire/canon.h"

#include <inttypes.h>

enum { COLUMNS = 77, B_COLUMNS = 72, FIELD_SLACK = 1024,
	VALUE_MOST = 2 * DOMAIN_MOST };

enum often { OVER, THERE };

static const struct signed_name {
	struct str name;
	enum often often;
} signed_names[] = {
#define SIGNED(name, often) { STR_INIT(name), often },
#include "trust/dkim_sign.def"
#undef SIGNED
};

/* ---- folding ---- */

/* A field that is written; column is of the next character. */
struct folder {
	struct buf *out;
	size_t column;
};

static void
folder_raw(struct folder *f, struct str s)
{
	buf_put(f->out, s);
	f->column += s.n;
}

/* What must stay in one line, in this one or in the next. */
static void
folder_word(struct folder *f, struct str word, bool has_space)
{
	if (f->column + has_space + word.n > COLUMNS) {
		folder_raw(f, STR("\r\n\t"));
		f->column = 1;
	} else if (has_space)
		folder_raw(f, STR(" "));
	folder_raw(f, word);
}

static void
folder_tag(struct folder *f, const char *tag, struct str value)
{
	char room[VALUE_MOST + 8];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "%s=" STR_FMT ";", tag, STR_ARG(value));
	must(!b.full);
	folder_word(f, buf_str(&b), true);
}

/* ---- h= ---- */

static size_t
field_count(const struct digest *d, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < digest_fields(d); i++)
		n += str_eq_icase(digest_name(d, i), name);
	return n;
}

static bool
name_is_listed(struct str name)
{
	for (size_t i = 0; i < sizeof signed_names / sizeof *signed_names; i++)
		if (str_eq_icase(signed_names[i].name, name))
			return true;
	return false;
}

static void
names_add(struct buf *b, struct str name, size_t times)
{
	for (; times > 0; times--) {
		if (b->n > 0)
			buf_putc(b, ':');
		buf_put(b, name);
	}
}

/* A colon list without white space. */
static void
names_print(const struct digest *d, const struct dkim_ask *ask, struct buf *b)
{
	for (size_t i = 0; i < sizeof signed_names / sizeof *signed_names; i++)
		names_add(b, signed_names[i].name,
		    field_count(d, signed_names[i].name) +
		    (signed_names[i].often == OVER));
	for (size_t i = 0; i < ask->n_extra; i++)
		if (!name_is_listed(ask->extra[i]))
			names_add(b, ask->extra[i],
			    field_count(d, ask->extra[i]));
}

static size_t
names_room(const struct digest *d, const struct dkim_ask *ask)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof signed_names / sizeof *signed_names; i++)
		n += signed_names[i].name.n + 1;
	for (size_t i = 0; i < digest_fields(d); i++)
		n += digest_name(d, i).n + 1;
	for (size_t i = 0; i < ask->n_extra; i++)
		n += ask->extra[i].n + 1;
	return n;
}

/* RFC 6376 3.5: white space may stand around the colons. */
static void
folder_names(struct folder *f, struct str names)
{
	folder_word(f, STR("h="), true);
	while (names.n > 0) {
		size_t n = str_find(names, ':');

		folder_word(f, str_sub(names, 0, n + 1), false);
		names = str_sub(names, n + 1, names.n);
	}
	folder_raw(f, STR(";"));
}

/* ---- the field ---- */

static void
dkim_put_signature(struct buf *field, struct str signature)
{
	char room[(DKIM_SIGNED_MOST + 2) / 3 * 4];
	struct buf b = BUF_OF(room);
	struct str rest;

	must(signature.n <= DKIM_SIGNED_MOST);
	base64_encode(signature, &b);
	must(!b.full);
	for (rest = buf_str(&b); rest.n > 0;
	    rest = str_sub(rest, B_COLUMNS, rest.n)) {
		if (rest.n < b.n)
			buf_put(field, STR("\r\n\t"));
		buf_put(field, str_sub(rest, 0, B_COLUMNS));
	}
}

struct composing {
	struct digest *digest;
	const struct dkim_ask *ask;
	struct str names;		/* h= */
	struct str hash;		/* bh= */
	struct buf field;		/* of one key at a time */
	struct buf input;
};

/* All of it, up to an empty b= at the end. */
static int
field_compose(struct composing *c, const struct dkim_key_ref *key)
{
	const struct dkim_ask *ask = c->ask;
	struct folder f = { .out = &c->field };
	int64_t now = ask->now.us / US_PER_SECOND;
	char room[24];
	struct buf b = BUF_OF(room);

	c->field.n = 0;
	folder_raw(&f, STR("DKIM-Signature:"));
	folder_tag(&f, "v", STR("1"));
	folder_tag(&f, "a", str_of(dkim_algorithm_name(key->algorithm)));
	folder_tag(&f, "c", STR("relaxed/relaxed"));
	folder_tag(&f, "d", ask->domain);
	folder_tag(&f, "s", str_of(key->selector));
	if (ask->identity.n > 0)
		folder_tag(&f, "i", ask->identity);
	buf_printf(&b, "%" PRId64, now);
	folder_tag(&f, "t", buf_str(&b));
	if (ask->life > 0) {
		b.n = 0;
		buf_printf(&b, "%" PRId64, now + ask->life);
		folder_tag(&f, "x", buf_str(&b));
	}
	folder_names(&f, c->names);
	folder_tag(&f, "bh", c->hash);
	folder_raw(&f, STR("\r\n\tb="));
	return c->field.full ? err_set("a signature is too long") : 0;
}

static yields int
field_sign(struct composing *c, struct dkim_signer *signer,
    const struct dkim_key_ref *key)
{
	struct digest_ask what = { .canon = CANON_RELAXED, .names = c->names,
		.skip = SIZE_MAX };
	char room[DKIM_SIGNED_MOST];
	struct buf signature = BUF_OF(room);

	if (field_compose(c, key) != 0)
		return -1;
	what.last = buf_str(&c->field);
	c->input.n = 0;
	c->input.full = false;
	if (!digest_signed(c->digest, &what, &c->input) || c->input.full)
		return err_set("no memory for what is signed");
	must(c->input.n <= DKIM_INPUT_MOST);
	if (signer->sign(signer, c->ask->domain, key, buf_str(&c->input),
	    &signature) != 0)
		return -1;
	dkim_put_signature(&c->field, buf_str(&signature));
	buf_put(&c->field, STR("\r\n"));
	return c->field.full ? err_set("a signature is too long") : 0;
}

static size_t
field_room(size_t names)
{
	return FIELD_SLACK + 2 * VALUE_MOST + 2 * names + 2 * DKIM_SIGNED_MOST;
}

size_t
dkim_sign_room(const struct digest *d, const struct dkim_ask *ask)
{
	return DKIM_KEYS_MOST * field_room(names_room(d, ask));
}

static bool
composing_begin(struct composing *c, struct arena *a, struct buf *names,
    struct buf *hash)
{
	unsigned char octets[DIGEST_OCTETS];

	names->cap = names_room(c->digest, c->ask);
	names->p = arena_alloc(a, names->cap);
	c->field.cap = field_room(names->cap);
	c->field.p = arena_alloc(a, c->field.cap);
	if (names->p == NULL || c->field.p == NULL ||
	    !digest_body_hash(c->digest, c->ask->wish, octets, NULL))
		return false;
	names_print(c->digest, c->ask, names);
	base64_encode((struct str){ (char *)octets, sizeof octets }, hash);
	must(!names->full && !hash->full);
	c->names = buf_str(names);
	c->hash = buf_str(hash);
	c->input.cap = digest_signed_most(c->digest,
	    (struct str){ c->field.p, c->field.cap });
	c->input.p = arena_alloc(a, c->input.cap);
	return c->input.p != NULL;
}

static yields int
dkim_sign_all(struct dkim_signer *signer, struct composing *c, struct arena *a,
    const struct dkim_key_ref *keys, size_t n, struct buf *out)
{
	char room[DIGEST_OCTETS / 3 * 4 + 4];
	struct buf hash = BUF_OF(room), names = { .p = NULL };
	size_t before = out->n;
	int rc = 0;

	if (!composing_begin(c, a, &names, &hash))
		return err_set("no memory for a signature");
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = field_sign(c, signer, &keys[i]);
		if (rc == 0)
			buf_put(out, buf_str(&c->field));
		if (rc == 0 && out->full)
			rc = err_set("no room for a signature");
	}
	if (rc != 0)
		out->n = before;
	return rc;
}

yields int
dkim_sign(struct dkim_signer *signer, struct digest *d,
    const struct dkim_ask *ask, struct arena *a, struct buf *out,
    struct dkim_signed *by)
{
	struct composing c = { .digest = d, .ask = ask };
	struct arena_mark mark = arena_mark(a);
	int rc;

	must(ask->domain.n > 0 && ask->domain.n <= DOMAIN_MOST);
	must(ask->identity.n <= VALUE_MOST);
	by->n = 0;
	if (signer->keys(signer, ask->domain, by->keys, &by->n) != 0)
		return -1;
	must(by->n <= DKIM_KEYS_MOST);
	if (by->n == 0)
		return 0;
	rc = dkim_sign_all(signer, &c, a, by->keys, by->n, out);
	arena_back(a, mark);
	return rc;
}
