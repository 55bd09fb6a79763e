#include "trust/jwt.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "trust/json_in.h"
#include "wire/base64url.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

/* RFC 8725 3.1: what is not in this table does not exist; "none" and those with
 * a secret in common are not. */
enum jwt_kind { KIND_RSA, KIND_EC, KIND_OKP, KINDS };

static const struct algorithm {
	struct str name;
	enum jwt_kind kind;
	bool is_pss;
} algorithms[] = {
	{ STR_INIT("ES256"), KIND_EC, false },
	{ STR_INIT("EdDSA"), KIND_OKP, false },
	{ STR_INIT("PS256"), KIND_RSA, true },
	{ STR_INIT("RS256"), KIND_RSA, false },
};

enum { KID_MOST = 256, RSA_BITS_LEAST = 2048, RSA_BITS_MOST = 8192,
	RSA_OCTETS_MOST = RSA_BITS_MOST / 8 + 1, EC_OCTETS = 32,
	ED25519_OCTETS = 32, SIGNATURE_MOST = RSA_BITS_MOST / 8,
	ES256_OCTETS = 64, TRIES_MOST = 8, NAME_MOST = 255 };

struct jwk {
	EVP_PKEY *key;
	enum jwt_kind kind;
	struct str algorithm;		/* n == 0: any of its kind */
	char kid[KID_MOST];
	size_t kid_n;			/* 0: none */
};

struct jwks {
	size_t n;
	struct jwk v[JWKS_KEYS];
};

/* ---- octets ---- */

static struct str
letters_take(struct str in, struct arena *a)
{
	struct buf b = { .p = arena_alloc(a, in.n + 1), .cap = in.n };

	return b.p == NULL || !base64url_read(in, &b) ? STR_NONE : buf_str(&b);
}

/* ---- keys ---- */

static EVP_PKEY *
key_make(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || c == NULL || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	OSSL_PARAM_free(params);
	return key;
}

/* RFC 7518 6.3.1 */
static EVP_PKEY *
rsa_make(const json_t *j)
{
	char n_room[RSA_OCTETS_MOST], e_room[8];
	struct buf n = BUF_OF(n_room), e = BUF_OF(e_room);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = NULL, *exponent = NULL;
	EVP_PKEY *key = NULL;

	if (build != NULL && base64url_read(json_word(j, "n"), &n) &&
	    base64url_read(json_word(j, "e"), &e)) {
		modulus = BN_bin2bn((unsigned char *)n_room, (int)n.n, NULL);
		exponent = BN_bin2bn((unsigned char *)e_room, (int)e.n, NULL);
	}
	if (modulus != NULL && exponent != NULL &&
	    BN_num_bits(modulus) >= RSA_BITS_LEAST &&
	    BN_num_bits(modulus) <= RSA_BITS_MOST && BN_is_odd(modulus) &&
	    BN_is_odd(exponent) && !BN_is_one(exponent) &&
	    OSSL_PARAM_BLD_push_BN(build, "n", modulus) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, "e", exponent) == 1)
		key = key_make("RSA", build);
	BN_free(modulus);
	BN_free(exponent);
	OSSL_PARAM_BLD_free(build);
	return key;
}

/* RFC 7518 6.2.1; X9.62 4.3.6: 0x04, x, y.  OpenSSL sees that the point is on
 * the curve. */
static EVP_PKEY *
ec_make(const json_t *j)
{
	char point[1 + 2 * EC_OCTETS] = { 0x04 };
	struct buf x = { .p = point + 1, .cap = EC_OCTETS };
	struct buf y = { .p = point + 1 + EC_OCTETS, .cap = EC_OCTETS };
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (build != NULL && str_eq(json_word(j, "crv"), STR("P-256")) &&
	    base64url_read(json_word(j, "x"), &x) && x.n == EC_OCTETS &&
	    base64url_read(json_word(j, "y"), &y) && y.n == EC_OCTETS &&
	    OSSL_PARAM_BLD_push_utf8_string(build, "group", "prime256v1", 0)
	    == 1 && OSSL_PARAM_BLD_push_octet_string(build, "pub", point,
	    sizeof point) == 1)
		key = key_make("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

/* RFC 8037 2 */
static EVP_PKEY *
okp_make(const json_t *j)
{
	char room[ED25519_OCTETS];
	struct buf x = BUF_OF(room);

	if (!str_eq(json_word(j, "crv"), STR("Ed25519")) ||
	    !base64url_read(json_word(j, "x"), &x) || x.n != sizeof room)
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
	    (const unsigned char *)room, sizeof room);
}

/* RFC 7517 4.2, 4.3: a key for something else is not for this. */
static bool
key_is_for_signatures(const json_t *j)
{
	const json_t *use = json_object_get(j, "use");
	const json_t *ops = json_object_get(j, "key_ops"), *op;
	bool verifies = ops == NULL;
	size_t i;

	json_array_foreach(ops, i, op)
		verifies |= json_is_string(op) &&
		    strcmp(json_string_value(op), "verify") == 0;
	return verifies && (use == NULL || str_eq(json_word(j, "use"),
	    STR("sig")));
}

static const struct algorithm *
algorithm_find(struct str name)
{
	for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
		if (str_eq(name, algorithms[i].name))
			return &algorithms[i];
	return NULL;
}

static bool
jwk_read(const json_t *j, struct jwk *out)
{
	struct str kty = json_word(j, "kty"), kid = json_word(j, "kid");
	const struct algorithm *alg = algorithm_find(json_word(j, "alg"));

	*out = (struct jwk){ .kid_n = kid.n };
	if (!key_is_for_signatures(j) || kid.n > sizeof out->kid ||
	    (json_object_get(j, "alg") != NULL && alg == NULL))
		return false;
	if (kid.n > 0)
		memcpy(out->kid, kid.p, kid.n);
	if (str_eq(kty, STR("RSA"))) {
		out->kind = KIND_RSA;
		out->key = rsa_make(j);
	} else if (str_eq(kty, STR("EC"))) {
		out->kind = KIND_EC;
		out->key = ec_make(j);
	} else if (str_eq(kty, STR("OKP"))) {
		out->kind = KIND_OKP;
		out->key = okp_make(j);
	}
	ERR_clear_error();
	if (alg != NULL)
		out->algorithm = alg->name;
	if (out->key != NULL && (alg == NULL || alg->kind == out->kind))
		return true;
	EVP_PKEY_free(out->key);
	return false;
}

struct jwks *
jwks_read(struct str text)
{
	json_t *j = text.n <= JWKS_MOST ? json_read(text) : NULL;
	struct jwks *set = j != NULL ? calloc(1, sizeof *set) : NULL;
	const json_t *one;
	size_t i;

	if (set == NULL) {
		json_decref(j);
		err_add("keys of the issuer");
		return NULL;
	}
	json_array_foreach(json_object_get(j, "keys"), i, one)
		if (set->n < JWKS_KEYS && jwk_read(one, &set->v[set->n]))
			set->n++;
	json_decref(j);
	if (set->n > 0)
		return set;
	free(set);
	err_set("the issuer has no key that could be used");
	return NULL;
}

void
jwks_free(struct jwks *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n; i++)
		EVP_PKEY_free(set->v[i].key);
	free(set);
}

/* ---- signatures ---- */

/* RFC 7518 3.4: R and S, 32 octets each; OpenSSL wants them in DER. */
static int
es256_der(struct str raw, unsigned char **der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	const unsigned char *p = (const unsigned char *)raw.p;
	BIGNUM *r, *s;
	int n = -1;

	*der = NULL;
	if (sig == NULL || raw.n != ES256_OCTETS) {
		ECDSA_SIG_free(sig);
		return -1;
	}
	r = BN_bin2bn(p, ES256_OCTETS / 2, NULL);
	s = BN_bin2bn(p + ES256_OCTETS / 2, ES256_OCTETS / 2, NULL);
	if (r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1)
		n = i2d_ECDSA_SIG(sig, der);
	else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return n;
}

static bool
signature_fits(const struct jwk *k, const struct algorithm *alg, struct str text,
    struct str signature)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey = NULL;
	unsigned char *der = NULL;
	const unsigned char *sig = (const unsigned char *)signature.p;
	int n = (int)signature.n;
	bool fits;

	must(signature.n <= SIGNATURE_MOST && alg->kind == k->kind);
	if (alg->kind == KIND_EC) {
		n = es256_der(signature, &der);
		sig = der;
	}
	fits = c != NULL && n > 0 && EVP_DigestVerifyInit(c, &pkey,
	    alg->kind == KIND_OKP ? NULL : EVP_sha256(), NULL, k->key) == 1;
	if (fits && alg->is_pss)
		/* RFC 7518 3.5 */
		fits = EVP_PKEY_CTX_set_rsa_padding(pkey,
		    RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey,
		    RSA_PSS_SALTLEN_DIGEST) == 1;
	fits = fits && EVP_DigestVerify(c, sig, (size_t)n,
	    (const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(c);
	OPENSSL_free(der);
	ERR_clear_error();
	return fits;
}

static bool
jwk_may_have_signed(const struct jwk *k, const struct algorithm *alg,
    struct str kid)
{
	return k->kind == alg->kind && (k->algorithm.n == 0 ||
	    str_eq(k->algorithm, alg->name)) && (kid.p == NULL ||
	    str_eq(kid, (struct str){ k->kid, k->kid_n }));
}

/* RFC 7515 4.1: what the header may say.  RFC 8725 3.11, RFC 9068 2.1: a token of
 * another type is for something else. */
static const struct algorithm *
header_read(const json_t *j, const char **why)
{
	const struct algorithm *alg = algorithm_find(json_word(j, "alg"));
	struct str typ = json_word(j, "typ");

	(void)str_skip_icase(&typ, STR("application/"));
	if (alg == NULL)
		*why = "a token signed by no way that is taken here";
	else if (json_object_get(j, "crit") != NULL)
		*why = "a token with critical extensions";
	else if (json_object_get(j, "typ") != NULL && !str_eq_icase(typ,
	    STR("JWT")) && !str_eq_icase(typ, STR("at+jwt")))
		*why = "a token of another type";
	else if (json_object_get(j, "kid") != NULL &&
	    json_word(j, "kid").p == NULL)
		*why = "a token whose key has no name";
	else
		return alg;
	return NULL;
}

static enum jwt_verdict
keys_try(const struct jwks *set, const json_t *header,
    const struct algorithm *alg, struct str text, struct str signature,
    const char **why)
{
	struct str kid = json_word(header, "kid");
	size_t tries = 0;

	for (size_t i = 0; i < set->n && tries < TRIES_MOST; i++) {
		if (!jwk_may_have_signed(&set->v[i], alg, kid))
			continue;
		tries++;
		if (signature_fits(&set->v[i], alg, text, signature))
			return JWT_FINE;
	}
	/* Without a name the key may be one that came since. */
	*why = tries == 0 || kid.p == NULL ? "a token signed by an unknown key"
	    : "a token with a false signature";
	return tries == 0 || kid.p == NULL ? JWT_UNKNOWN_KEY : JWT_REFUSED;
}

enum jwt_verdict
jwt_signed(struct str token, const struct jwks *set, struct arena *a,
    struct str *payload, const char **why)
{
	size_t last = str_find_last(token, '.');
	struct str text = str_sub(token, 0, last), rest = text;
	struct str head = str_cut(&rest, '.'), signature;
	const struct algorithm *alg;
	enum jwt_verdict v = JWT_REFUSED;
	json_t *header;

	*payload = STR_NONE;
	*why = "no token of three parts";
	/* RFC 7515 7.1: BASE64URL(header) . BASE64URL(payload) . BASE64URL(sig) */
	if (token.n > JWT_MOST || last == token.n || head.n == text.n ||
	    str_find(rest, '.') < rest.n)
		return JWT_REFUSED;
	signature = letters_take(str_sub(token, last + 1, token.n), a);
	*payload = letters_take(rest, a);
	head = letters_take(head, a);
	if (signature.p == NULL || payload->p == NULL || head.p == NULL ||
	    signature.n > SIGNATURE_MOST || (header = json_read(head)) == NULL)
		return JWT_REFUSED;
	alg = header_read(header, why);
	if (alg != NULL)
		v = keys_try(set, header, alg, text, signature, why);
	json_decref(header);
	return v;
}

/* ---- claims ---- */

/* RFC 7519 4.1.3: a string, or an array of them. */
static bool
claim_has(const json_t *claim, struct str wanted)
{
	const json_t *one;
	size_t i;

	if (json_is_string(claim))
		return str_eq(wanted, (struct str){ json_string_value(claim),
		    json_string_length(claim) });
	json_array_foreach(claim, i, one)
		if (json_is_string(one) && str_eq(wanted, (struct str){
		    json_string_value(one), json_string_length(one) }))
			return true;
	return false;
}

/* RFC 8693 4.2: "scope" is words with spaces between; others say "scp", and
 * that may be an array. */
static bool
scope_has(const json_t *j, struct str word)
{
	struct str scope = json_word(j, "scope"), scp = json_word(j, "scp");

	while (scope.n > 0)
		if (str_eq(str_cut(&scope, ' '), word))
			return true;
	while (scp.n > 0)
		if (str_eq(str_cut(&scp, ' '), word))
			return true;
	return claim_has(json_object_get(j, "scp"), word);
}

static bool
scope_suffices(const json_t *j, struct str wanted)
{
	while (wanted.n > 0) {
		struct str word = str_cut(&wanted, ' ');

		if (word.n > 0 && !scope_has(j, word))
			return false;
	}
	return true;
}

/* RFC 7519 2, NumericDate: seconds, perhaps with a fraction.  False: none. */
static bool
date_read(const json_t *v, struct wall *out)
{
	double s = json_is_number(v) ? json_number_value(v) : -1;

	if (!(s >= 0))
		return false;
	/* The year 9999 is for ever. */
	*out = s > 253402300799.0 ? WALL_NEVER : (struct wall){ (int64_t)(s *
	    (double)US_PER_SECOND) };
	return true;
}

static const char *
times_check(const json_t *j, bool is_whole, struct wall now,
    struct jwt_facts *out)
{
	const json_t *exp = json_object_get(j, "exp");
	const json_t *nbf = json_object_get(j, "nbf");
	const json_t *iat = json_object_get(j, "iat");
	int64_t leeway = JWT_LEEWAY_S * US_PER_SECOND;
	struct wall soon = wall_add(now, leeway), at;

	out->expires = WALL_NEVER;
	if (exp != NULL ? !date_read(exp, &out->expires) : is_whole)
		return "a token that never expires";
	if (!wall_is_before(now, wall_add(out->expires, leeway)))
		return "an expired token";
	if (nbf != NULL && (!date_read(nbf, &at) || wall_is_before(soon, at)))
		return "a token that is not valid yet";
	if (iat != NULL && (!date_read(iat, &at) || wall_is_before(soon, at)))
		return "a token from the future";
	return NULL;
}

static const char *
parties_check(const json_t *j, const struct jwt_rules *rules, bool is_whole)
{
	const json_t *iss = json_object_get(j, "iss");
	const json_t *aud = json_object_get(j, "aud");

	if (rules->issuer.n > 0 && (iss != NULL ? !str_eq(json_word(j, "iss"),
	    rules->issuer) : is_whole))
		return "a token of another issuer";
	if (rules->audience.n > 0 && (aud != NULL ? !claim_has(aud,
	    rules->audience) : is_whole))
		return "a token for somebody else's service";
	return NULL;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static const char *
name_take(const json_t *j, const struct jwt_rules *rules, struct arena *a,
    struct jwt_facts *out)
{
	char claim[NAME_MOST + 1];
	struct str name;

	if (!str_cstr(rules->claim, claim, sizeof claim))
		return "a claim that cannot be asked for";
	name = json_word(j, claim);
	if (name.n == 0 || name.n > NAME_MOST || has_control(name))
		return "a token that does not name its owner";
	/* OpenID Connect Core 5.1: an address that anybody may have typed. */
	if (str_eq(rules->claim, STR("email")) &&
	    json_is_false(json_object_get(j, "email_verified")))
		return "a token with an address that nobody has verified";
	out->name = arena_copy(a, name);
	return out->name.p == NULL ? "no memory for a name" : NULL;
}

enum jwt_verdict
jwt_claims(struct str text, const struct jwt_rules *rules, bool is_whole,
    struct wall now, struct arena *a, struct jwt_facts *out)
{
	json_t *j = json_read(text);
	enum jwt_verdict v = JWT_REFUSED;

	*out = (struct jwt_facts){ .why = "a token whose claims are no JSON" };
	if (j == NULL)
		return JWT_REFUSED;
	out->why = parties_check(j, rules, is_whole);
	if (out->why == NULL)
		out->why = times_check(j, is_whole, now, out);
	if (out->why == NULL)
		out->why = name_take(j, rules, a, out);
	if (out->why == NULL && !scope_suffices(j, rules->scope)) {
		out->why = "a token without the scope that is needed";
		v = JWT_LACKS_SCOPE;
	}
	json_decref(j);
	return out->why == NULL ? JWT_FINE : v;
}

enum jwt_verdict
jwt_check(struct str token, const struct jwks *set,
    const struct jwt_rules *rules, struct wall now, struct arena *a,
    struct jwt_facts *out)
{
	struct str payload;
	enum jwt_verdict v;

	*out = (struct jwt_facts){ .name = STR_NONE };
	v = jwt_signed(token, set, a, &payload, &out->why);
	return v == JWT_FINE ? jwt_claims(payload, rules, true, now, a, out) : v;
}
