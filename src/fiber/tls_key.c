/*
 * A provider of OpenSSL's, in a library context of its own, so that nobody else
 * meets its RSA or ECDSA by chance.  A key of it is
 *
 *	public		an ordinary key: what is asked about it, it answers
 *	signer, key	who signs; signer == NULL: a public key that came by
 *			import, to be compared with ours
 *
 * OpenSSL first offers such a key to its own signers by exporting it whole;
 * that is refused, and so it comes to ours.
 */
#include "fiber/tls_key.h"

#include "base/err.h"
#include "base/must.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdlib.h>

static const char param_self[] = "nightmail-key";

/* ---- the key ---- */

struct key {
	const char *type;		/* "RSA", "EC", "ED25519" */
	EVP_PKEY *public;
	struct tls_signer *signer;
	uint64_t number;
};

static void *
key_new(const char *type)
{
	struct key *k = calloc(1, sizeof *k);

	must(type != NULL);
	if (k != NULL)
		k->type = type;
	return k;
}

static void *
key_new_rsa(void *provider)
{
	(void)provider;
	return key_new("RSA");
}

static void *
key_new_ec(void *provider)
{
	(void)provider;
	return key_new("EC");
}

static void *
key_new_ed25519(void *provider)
{
	(void)provider;
	return key_new("ED25519");
}

static void
key_free(void *key)
{
	struct key *k = key;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->public);
	free(k);
}

static int
key_has(const void *key, int selection)
{
	const struct key *k = key;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 &&
	    k->signer == NULL)
		return 0;
	return k->public != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct key *one = a, *other = b;

	(void)selection;
	return EVP_PKEY_eq(one->public, other->public) == 1;
}

/* Ours comes as a pointer to a whole struct; others as their numbers. */
static int
key_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct key *k = key;
	const OSSL_PARAM *self = OSSL_PARAM_locate_const(params, param_self);
	const void *at = NULL;
	size_t n = 0;
	EVP_PKEY_CTX *c;
	OSSL_PARAM *copy;
	int rc;

	if (self != NULL) {
		if (OSSL_PARAM_get_octet_ptr(self, &at, &n) != 1 ||
		    n != sizeof *k)
			return 0;
		*k = *(const struct key *)at;
		return EVP_PKEY_up_ref(k->public);
	}
	if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
		return 0;
	c = EVP_PKEY_CTX_new_from_name(NULL, k->type, NULL);
	copy = OSSL_PARAM_dup(params);
	rc = c != NULL && copy != NULL && EVP_PKEY_fromdata_init(c) == 1 &&
	    EVP_PKEY_fromdata(c, &k->public, EVP_PKEY_PUBLIC_KEY, copy) == 1;
	OSSL_PARAM_free(copy);
	EVP_PKEY_CTX_free(c);
	return rc;
}

static int
key_export(void *key, int selection, OSSL_CALLBACK *take, void *arg)
{
	struct key *k = key;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 &&
	    k->signer != NULL)
		return 0;
	return EVP_PKEY_export(k->public, EVP_PKEY_PUBLIC_KEY, take, arg);
}

static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_ptr(param_self, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END };

	(void)selection;
	return types;
}

static int
key_get_params(void *key, OSSL_PARAM params[])
{
	struct key *k = key;

	return EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_END };

	(void)provider;
	return types;
}

static const char *
key_signs_as(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

typedef void (*plain_fn)(void);

#define KEY_FUNCTIONS(make) \
	{ OSSL_FUNC_KEYMGMT_NEW, (plain_fn)make }, \
	{ OSSL_FUNC_KEYMGMT_FREE, (plain_fn)key_free }, \
	{ OSSL_FUNC_KEYMGMT_HAS, (plain_fn)key_has }, \
	{ OSSL_FUNC_KEYMGMT_MATCH, (plain_fn)key_match }, \
	{ OSSL_FUNC_KEYMGMT_IMPORT, (plain_fn)key_import }, \
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (plain_fn)key_types }, \
	{ OSSL_FUNC_KEYMGMT_EXPORT, (plain_fn)key_export }, \
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (plain_fn)key_types }, \
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, (plain_fn)key_get_params }, \
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (plain_fn)key_gettable }

static const OSSL_DISPATCH keys_rsa[] = { KEY_FUNCTIONS(key_new_rsa), { 0, NULL } };
static const OSSL_DISPATCH keys_ed25519[] = { KEY_FUNCTIONS(key_new_ed25519),
	{ 0, NULL } };
static const OSSL_DISPATCH keys_ec[] = { KEY_FUNCTIONS(key_new_ec),
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (plain_fn)key_signs_as },
	{ 0, NULL } };

/* ---- signing ---- */

struct signing {
	const struct key *key;
	bool is_pss;
	char digest[TLS_DIGEST_MOST];
};

static void *
signing_new(void *provider, const char *properties)
{
	(void)provider, (void)properties;
	return calloc(1, sizeof(struct signing));
}

static void *
signing_dup(void *signing)
{
	struct signing *copy = malloc(sizeof *copy);

	if (copy != NULL)
		*copy = *(struct signing *)signing;
	return copy;
}

/* provider-signature(7): the padding comes as a word or as a number. */
static int
signing_set(void *signing, const OSSL_PARAM params[])
{
	struct signing *s = signing;
	const OSSL_PARAM *p = params == NULL ? NULL :
	    OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	const char *word = NULL;
	int number = 0;

	if (p == NULL)
		return 1;
	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		if (OSSL_PARAM_get_utf8_string_ptr(p, &word) != 1)
			return 0;
		s->is_pss = strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return s->is_pss ||
		    strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0;
	}
	if (OSSL_PARAM_get_int(p, &number) != 1)
		return 0;
	s->is_pss = number == RSA_PKCS1_PSS_PADDING;
	return s->is_pss || number == RSA_PKCS1_PADDING;
}

static const OSSL_PARAM *
signing_settable(void *signing, void *provider)
{
	/* TLS has one length of salt, the hash's: its wish needs no ear. */
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_END };

	(void)signing, (void)provider;
	return types;
}

static int
signing_begin(void *signing, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	struct signing *s = signing;
	size_t n = digest == NULL ? 0 : strlen(digest);

	if (key != NULL)
		s->key = key;
	if (s->key == NULL || s->key->signer == NULL || n >= sizeof s->digest)
		return 0;
	memcpy(s->digest, n == 0 ? "" : digest, n + 1);
	return signing_set(s, params);
}

static enum tls_scheme
signing_scheme(const struct signing *s)
{
	must(s->key != NULL);
	if (strcmp(s->key->type, "RSA") == 0)
		return s->is_pss ? TLS_SIGN_RSA_PSS : TLS_SIGN_RSA_PKCS1;
	return strcmp(s->key->type, "EC") == 0 ? TLS_SIGN_ECDSA :
	    TLS_SIGN_EDDSA;
}

/* Parks, perhaps: the thread's errors are somebody else's after that. */
static yields int
signing_sign(void *signing, unsigned char *out, size_t *n, size_t room,
    const unsigned char *input, size_t input_n)
{
	const struct signing *s = signing;
	const struct key *k = s->key;
	struct tls_signing what = { .scheme = signing_scheme(s),
		.input = { (const char *)input, input_n } };
	struct buf b = { .p = (char *)out, .cap = room };
	int rc;

	must(k != NULL && k->signer != NULL);
	if (out == NULL) {
		*n = (size_t)EVP_PKEY_get_size(k->public);
		return 1;
	}
	memcpy(what.digest, s->digest, sizeof what.digest);
	ERR_clear_error();
	rc = k->signer->sign(k->signer, k->number, &what, &b);
	ERR_clear_error();
	if (rc != 0 || b.full)
		return 0;
	*n = b.n;
	return 1;
}

static const OSSL_DISPATCH signs[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, (plain_fn)signing_new },
	{ OSSL_FUNC_SIGNATURE_FREECTX, (plain_fn)free },
	{ OSSL_FUNC_SIGNATURE_DUPCTX, (plain_fn)signing_dup },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (plain_fn)signing_begin },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (plain_fn)signing_sign },
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (plain_fn)signing_set },
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (plain_fn)signing_settable },
	{ 0, NULL } };

/* ---- the provider ---- */

static const OSSL_ALGORITHM *
provider_offers(void *provider, int operation, int *no_cache)
{
	static const char ours[] = "provider=nightmail";
	static const OSSL_ALGORITHM keys[] = {
		{ "RSA:rsaEncryption", ours, keys_rsa, "RSA" },
		{ "EC:id-ecPublicKey", ours, keys_ec, "EC" },
		{ "ED25519", ours, keys_ed25519, "Ed25519" },
		{ NULL, NULL, NULL, NULL } };
	static const OSSL_ALGORITHM signatures[] = {
		{ "RSA:rsaEncryption", ours, signs, "RSA" },
		{ "ECDSA", ours, signs, "ECDSA" },
		{ "ED25519", ours, signs, "Ed25519" },
		{ NULL, NULL, NULL, NULL } };

	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys :
	    operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION,
		    (plain_fn)provider_offers },
		{ 0, NULL } };
	static char self;

	(void)handle, (void)in;
	*out = functions;
	*provider = &self;
	return 1;
}

/* One for all threads, for the life of the process. */
static OSSL_LIB_CTX *
provider_context(void)
{
	static OSSL_LIB_CTX *_Atomic context;
	OSSL_LIB_CTX *c = atomic_load(&context), *none = NULL;

	if (c != NULL)
		return c;
	c = OSSL_LIB_CTX_new();
	if (c == NULL || OSSL_PROVIDER_add_builtin(c, "nightmail",
	    provider_init) != 1 || OSSL_PROVIDER_load(c, "nightmail") == NULL) {
		OSSL_LIB_CTX_free(c);
		return NULL;
	}
	if (atomic_compare_exchange_strong(&context, &none, c))
		return c;
	OSSL_LIB_CTX_free(c);
	return none;
}

static const char *
key_type_of(EVP_PKEY *k)
{
	static const char *const types[] = { "RSA", "EC", "ED25519" };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (EVP_PKEY_is_a(k, types[i]))
			return types[i];
	return NULL;
}

EVP_PKEY *
tls_key_new(EVP_PKEY *public, struct tls_signer *signer, uint64_t number)
{
	struct key whole = { .type = key_type_of(public), .public = public,
		.signer = signer, .number = number };
	const void *at = &whole;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_ptr(param_self,
	    (void **)(uintptr_t)&at, sizeof whole), OSSL_PARAM_construct_end() };
	OSSL_LIB_CTX *context = provider_context();
	EVP_PKEY_CTX *c;
	EVP_PKEY *key = NULL;

	must(public != NULL && signer != NULL);
	if (whole.type == NULL) {
		err_set("a certificate's key must be RSA, ECDSA or Ed25519");
		return NULL;
	}
	c = context == NULL ? NULL :
	    EVP_PKEY_CTX_new_from_name(context, whole.type, NULL);
	if (c == NULL || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) != 1)
		err_set("OpenSSL does not take the key");
	EVP_PKEY_CTX_free(c);
	ERR_clear_error();
	return key;
}

/* ---- where the key is ---- */

static bool
scheme_fits(EVP_PKEY *key, enum tls_scheme scheme)
{
	switch (scheme) {
	case TLS_SIGN_RSA_PKCS1:
	case TLS_SIGN_RSA_PSS:
		return EVP_PKEY_is_a(key, "RSA") == 1;
	case TLS_SIGN_ECDSA:
		return EVP_PKEY_is_a(key, "EC") == 1;
	case TLS_SIGN_EDDSA:
		return EVP_PKEY_is_a(key, "ED25519") == 1;
	}
	return false;
}

int
tls_sign_here(EVP_PKEY *whole, const struct tls_signing *what,
    struct buf *signature)
{
	unsigned char out[TLS_SIGNATURE_MOST];
	size_t n = sizeof out;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p = NULL;
	bool is_pss = what->scheme == TLS_SIGN_RSA_PSS, fine;

	fine = c != NULL && scheme_fits(whole, what->scheme) &&
	    EVP_DigestSignInit_ex(c, &p, what->scheme == TLS_SIGN_EDDSA ? NULL :
	    what->digest, NULL, NULL, whole, NULL) == 1 &&
	    (!is_pss || (EVP_PKEY_CTX_set_rsa_padding(p,
	    RSA_PKCS1_PSS_PADDING) > 0 && EVP_PKEY_CTX_set_rsa_pss_saltlen(p,
	    RSA_PSS_SALTLEN_DIGEST) > 0)) &&
	    EVP_DigestSign(c, out, &n, (const unsigned char *)what->input.p,
	    what->input.n) == 1;
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	if (!fine)
		return err_set("the key cannot sign so");
	buf_put(signature, (struct str){ (const char *)out, n });
	return signature->full ? err_set("the signature is too long") : 0;
}
