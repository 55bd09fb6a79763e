/*
 * A record that is no good is passed over for the next one of the same name
 * (RFC 6376 6.1.2, 4); what is told in the end is the best of what came of them:
 * a pass, or else a signature that does not fit, or else what was wrong with the
 * last record.
 */
#include "trust/dkim_key.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/dns.h"
#include "fiber/fiber.h"
#include "wire/ber.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { ED25519_OCTETS = 32, ED25519_BITS = 256, EXPONENT_BITS_MOST = 64,
	BIT_STRING = 3 };

/* What one name was answered. */
struct found {
	struct found *next;
	struct str name;
	enum dns_status status;
	struct str trouble;
	size_t n;
	struct str texts[DKIM_RECORDS];
};

struct dkim_keys {
	struct arena *arena;
	struct found *found;
};

struct dkim_keys *
dkim_keys_new(struct arena *arena)
{
	struct dkim_keys *k = arena_new(arena, struct dkim_keys);

	if (k != NULL)
		k->arena = arena;
	return k;
}

/* ---- asking ---- */

static struct found *
keys_had(const struct dkim_keys *k, struct str name)
{
	struct found *f = k->found;

	while (f != NULL && !str_eq(f->name, name))
		f = f->next;
	return f;
}

static void
found_fill(struct found *f, const struct dns_answer *got, struct arena *arena)
{
	f->status = got->status;
	if (got->status == DNS_TROUBLE)
		f->trouble = arena_copy(arena, str_of(err_text()));
	for (size_t i = 0; i < got->n && f->n < DKIM_RECORDS; i++)
		f->texts[f->n++] = got->records[i].data;
}

/* RFC 6376 3.6.2.1.  NULL: no memory. */
static yields const struct found *
keys_find(struct dkim_keys *k, const struct dns_quest *quest,
    const struct dkim_signature *s)
{
	struct str name = arena_printf(k->arena, STR_FMT "._domainkey." STR_FMT,
	    STR_ARG(s->selector), STR_ARG(s->domain));
	struct found *f = keys_had(k, name);
	struct dns_answer got;

	if (f != NULL || name.p == NULL)
		return f;
	quest_ask(quest, name, DNS_TXT, k->arena, &got);
	f = arena_new(k->arena, struct found);
	if (f == NULL)
		return NULL;
	f->name = name;
	found_fill(f, &got, k->arena);
	f->next = k->found;
	k->found = f;
	return f;
}

/* ---- one key ---- */

/* What is being checked, and what came of it so far. */
struct check {
	struct arena *arena;
	const struct dkim_signature *signature;
	const unsigned char *hash;
	struct str name;		/* of the key */
	struct dkim_key_answer *out;
};

static unsigned
result_rank(enum dkim_result r)
{
	return r == DKIM_PASS ? 2 : r == DKIM_FAIL ? 1 : 0;
}

static void
check_tell(struct check *c, enum dkim_result result, unsigned bits,
    const struct dkim_record *record, const char *what)
{
	if (c->out->why.n > 0 &&
	    result_rank(result) < result_rank(c->out->result))
		return;
	c->out->result = result;
	c->out->key_bits = bits;
	c->out->is_testing = record != NULL && record->is_testing;
	c->out->why = what == NULL ? STR_NONE : arena_printf(c->arena,
	    "the key " STR_FMT " %s", STR_ARG(c->name), what);
	if (what != NULL && c->out->why.p == NULL)
		c->out->why = STR("its key is no good");
}

/* The RSAPublicKey in a SubjectPublicKeyInfo of rsaEncryption (RFC 3279 2.3.1), or
 * what was given: OpenSSL tries all kinds of keys for it, which takes four times as
 * long as the check. */
static struct str
rsa_inside(struct str der)
{
	struct str rest = der, all, bits;

	if (!ber_take_tag(&rest, BER_SEQUENCE, &all) || rest.n > 0 ||
	    !str_skip(&all, STR("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7"
	    "\x0d\x01\x01\x01\x05\x00")) ||
	    !ber_take_tag(&all, BIT_STRING, &bits) || all.n > 0 ||
	    !str_skip(&bits, STR("\0")))
		return der;
	return bits;
}

/* RFC 6376 3.6.1 says RSAPublicKey, and has a SubjectPublicKeyInfo in its
 * examples: both are published. */
static EVP_PKEY *
rsa_read(struct str der)
{
	struct str inside = rsa_inside(der);
	const unsigned char *p = (const unsigned char *)inside.p;
	const unsigned char *end = p + inside.n;
	EVP_PKEY *key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)inside.n);

	if (key == NULL) {
		p = (const unsigned char *)der.p;
		end = p + der.n;
		key = d2i_PUBKEY(NULL, &p, (long)der.n);
	}
	if (key != NULL && (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
	    p != end)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

/* An exponent as long as the modulus would make each check cost a signature. */
static const char *
rsa_is_bad(EVP_PKEY *key)
{
	BIGNUM *e = NULL;
	int bits = EVP_PKEY_get_bits(key), e_bits = 0;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1)
		e_bits = BN_num_bits(e);
	BN_free(e);
	if (bits < DKIM_BITS_LEAST)
		return "has less than 1024 bits";	/* RFC 8301 3.2 */
	if (bits > DKIM_BITS_MOST)
		return "has more than 4096 bits";
	return e_bits > 1 && e_bits <= EXPONENT_BITS_MOST ? NULL :
	    "has an exponent that nobody uses";
}

static bool
rsa_fits(EVP_PKEY *key, struct str signature, const unsigned char *hash)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	bool fits = c != NULL && EVP_PKEY_verify_init(c) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1 &&
	    EVP_PKEY_verify(c, (const unsigned char *)signature.p, signature.n,
	    hash, DKIM_HASH) == 1;

	EVP_PKEY_CTX_free(c);
	return fits;
}

/* RFC 8463 3: the SHA-256 is what is signed. */
static bool
ed25519_fits(EVP_PKEY *key, struct str signature, const unsigned char *hash)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool fits = c != NULL &&
	    EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(c, (const unsigned char *)signature.p, signature.n,
	    hash, DKIM_HASH) == 1;

	EVP_MD_CTX_free(c);
	return fits;
}

static void
check_rsa(struct check *c, const struct dkim_record *record)
{
	EVP_PKEY *key = rsa_read(record->key);
	unsigned bits = key == NULL ? 0 : (unsigned)EVP_PKEY_get_bits(key);
	const char *bad = key == NULL ? "is no RSA key" : rsa_is_bad(key);

	if (bad != NULL)
		check_tell(c, DKIM_PERMERROR, bits, record, bad);
	else if (rsa_fits(key, c->signature->signature, c->hash))
		check_tell(c, DKIM_PASS, bits, record, NULL);
	else
		check_tell(c, DKIM_FAIL, bits, record, "did not sign that");
	EVP_PKEY_free(key);
}

static void
check_ed25519(struct check *c, const struct dkim_record *record)
{
	EVP_PKEY *key = record->key.n != ED25519_OCTETS ? NULL :
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
	    (const unsigned char *)record->key.p, record->key.n);

	if (key == NULL)
		check_tell(c, DKIM_PERMERROR, 0, record, "is no Ed25519 key");
	else if (ed25519_fits(key, c->signature->signature, c->hash))
		check_tell(c, DKIM_PASS, ED25519_BITS, record, NULL);
	else
		check_tell(c, DKIM_FAIL, ED25519_BITS, record,
		    "did not sign that");
	EVP_PKEY_free(key);
}

/* RFC 6376 6.1.2, 5 to 8. */
static const char *
record_is_unfit(const struct dkim_record *r, const struct dkim_signature *s)
{
	if (r->key.n == 0)
		return "is revoked";
	if (!r->takes_sha256)
		return "is not for SHA-256 (h=)";
	if (!r->is_for_mail)
		return "is not for mail (s=)";
	if (r->is_strict && s->identity_domain.n > 0 &&
	    !str_eq(s->identity_domain, s->domain))
		return "is not for domains below its own (t=s)";
	if ((s->algorithm == DKIM_RSA_SHA256 && r->type != DKIM_KEY_RSA) ||
	    (s->algorithm == DKIM_ED25519_SHA256 &&
	    r->type != DKIM_KEY_ED25519))
		return "is of another kind than the signature (k=)";
	return NULL;
}

static void
check_record(struct check *c, struct str text)
{
	struct dkim_record record;
	const char *bad = dkim_record_read(text, c->arena, &record);
	char room[120];
	struct buf b = BUF_OF(room);

	if (bad != NULL) {
		buf_printf(&b, "has a record that is none: %s", bad);
		buf_putc(&b, '\0');
		must(!b.full);
		check_tell(c, DKIM_PERMERROR, 0, NULL, room);
		return;
	}
	bad = record_is_unfit(&record, c->signature);
	if (bad != NULL)
		check_tell(c, DKIM_PERMERROR, 0, &record, bad);
	else if (record.type == DKIM_KEY_RSA)
		check_rsa(c, &record);
	else
		check_ed25519(c, &record);
}

/* ---- all of its keys ---- */

static void
check_found(struct check *c, const struct found *f)
{
	switch (f->status) {
	case DNS_FOUND:
		break;
	case DNS_NO_DATA:
	case DNS_NO_NAME:
		check_tell(c, DKIM_PERMERROR, 0, NULL, "is not there");
		return;
	case DNS_TROUBLE:
		c->out->result = DKIM_TEMPERROR;
		c->out->why = arena_printf(c->arena, "the key " STR_FMT
		    " could not be asked for: " STR_FMT, STR_ARG(c->name),
		    STR_ARG(f->trouble));
		return;
	}
	if (f->n == 0)
		check_tell(c, DKIM_PERMERROR, 0, NULL, "is not there");
	for (size_t i = 0; i < f->n && c->out->result != DKIM_PASS; i++)
		check_record(c, f->texts[i]);
}

yields void
dkim_key_check(struct dkim_keys *k, const struct dns_quest *quest,
    const struct dkim_signature *s, const unsigned char hash[DKIM_HASH],
    struct dkim_key_answer *out)
{
	const struct found *f;
	struct check c = { .arena = k->arena, .signature = s, .hash = hash,
		.out = out };

	must(s->algorithm != DKIM_RSA_SHA1);
	must(s->domain.n > 0 && s->selector.n > 0 && s->signature.n > 0);
	*out = (struct dkim_key_answer){ .result = DKIM_TEMPERROR };
	f = keys_find(k, quest, s);
	if (f == NULL) {
		out->why = STR("there is no memory for its key");
		return;
	}
	c.name = f->name;
	check_found(&c, f);
	ERR_clear_error();
	if (out->result != DKIM_PASS && out->why.p == NULL)
		out->why = STR("its key could not be asked for");
}
