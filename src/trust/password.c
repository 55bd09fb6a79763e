/*
 * A stored text is "{SCHEME}text" or "{SCHEME.ENCODING}text" with encoding HEX or
 * B64, where the schemes are those of password.def, or a text of crypt(5) or of
 * argon2 alone, which begins with "$" and says itself what it is:
 *
 *	$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH	also argon2i; base64
 *							without "="
 *	$2b$ $5$ $6$ $7$ $y$ $gy$			crypt(5)
 */
#include "trust/password.h"

#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/random.h"
#include "trust/scram.h"
#include "trust/secret.h"
#include "wire/base64.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

enum {
	ARGON2_MEMORY = 19456,		/* KiB; OWASP's second choice of five */
	ARGON2_PASSES = 2,
	ARGON2_SALT = 16, ARGON2_HASH = 32,

	/* What others chose: up to seconds of one processor. */
	ARGON2_MEMORY_MOST = 256 * 1024, ARGON2_PASSES_MOST = 64,
	ARGON2_WORK_MOST = 4 * 1024 * 1024, ARGON2_LANES_MOST = 64,
	ARGON2_PART_MOST = 64,		/* octets of salt and of hash */
	SHA_ROUNDS_MOST = 1000000, BCRYPT_COST_MOST = 14,
	YESCRYPT_LOG_MOST = 16, PBKDF2_ROUNDS_MOST = 10000000,
	SALTED_MOST = 128, PBKDF2_HASH = 20
};

/* Of a hash that nothing is known to lead to, with our parameters. */
const char password_dummy[] = "$argon2id$v=19$m=19456,t=2,p=1$"
    "bmlnaHRtYWlsIG5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct stored;
struct scheme {
	struct str name;
	int (*check)(const struct stored *);
	int (*verify)(const struct stored *, struct str password,
	    struct arena *);
	const char *weak;		/* why; NULL: it is not */
};

enum encoding { ENCODING_OWN, ENCODING_HEX, ENCODING_B64 };

struct stored {
	const struct scheme *scheme;
	enum encoding encoding;
	struct str text;
};

#define SCHEME(name, noun) \
	static int scheme_##noun##_check(const struct stored *); \
	static int scheme_##noun##_verify(const struct stored *, struct str, \
	    struct arena *);
#define WEAK(name, why)
#include "trust/password.def"
#undef SCHEME
#undef WEAK

static const struct scheme schemes[] = {
#define SCHEME(name, noun) { STR_INIT(name), scheme_##noun##_check, \
	scheme_##noun##_verify, NULL },
#define WEAK(name, why) { STR_INIT(name), NULL, NULL, why },
#include "trust/password.def"
#undef SCHEME
#undef WEAK
};

static const struct scheme bare_argon2 = { STR_INIT("argon2"),
	scheme_argon2_check, scheme_argon2_verify, NULL };
static const struct scheme bare_crypt = { STR_INIT("crypt"),
	scheme_crypt_check, scheme_crypt_verify, NULL };

/* ---- taking it apart ---- */

static const struct scheme *
scheme_find(struct str name)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_eq_icase(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

static bool
encoding_read(struct str name, enum encoding *out)
{
	*out = name.n == 0 ? ENCODING_OWN : str_eq_icase(name, STR("hex")) ?
	    ENCODING_HEX : ENCODING_B64;
	return *out != ENCODING_B64 || str_eq_icase(name, STR("b64")) ||
	    str_eq_icase(name, STR("base64"));
}

static int
bare_read(struct str text, struct stored *out)
{
	struct str rest = text;

	if (!str_skip(&rest, STR("$")))
		return err_set(text.n == 13 || str_skip(&rest, STR("_")) ?
		    "a DES hash is guessed in minutes" :
		    "what kind of hash this is stands nowhere: put it before, as "
		    "{SHA512-CRYPT}");
	out->scheme = str_skip(&rest, STR("argon2")) ? &bare_argon2 :
	    &bare_crypt;
	out->text = text;
	return 0;
}

static int
stored_read(struct str text, struct stored *out)
{
	struct str name, encoding;

	*out = (struct stored){ .text = text };
	if (text.n > PASSWORD_STORED_MOST)
		return err_set("a hash has at most %d octets",
		    PASSWORD_STORED_MOST);
	if (!str_skip(&out->text, STR("{")))
		return bare_read(text, out);
	encoding = str_cut(&out->text, '}');
	name = str_cut(&encoding, '.');
	out->scheme = scheme_find(name);
	if (out->scheme == NULL || !encoding_read(encoding, &out->encoding))
		return err_set("the scheme {" STR_FMT "} is not known; those of "
		    "`doveadm pw -l' that are strong enough are",
		    STR_ARG(name));
	if (out->scheme->weak != NULL)
		return err_set("{" STR_FMT "} %s; give a new password, as "
		    "`doveadm pw -s ARGON2ID' makes them", STR_ARG(name),
		    out->scheme->weak);
	if (str_eq(out->scheme->name, STR("CRYPT")))
		return bare_read(out->text, out);
	return 0;
}

bool
password_is_none(struct str s)
{
	return s.n == 0 || str_eq(s, STR("x")) || s.p[0] == '*' ||
	    s.p[0] == '!';
}

int
password_check(struct str text, bool *is_plain)
{
	struct stored s;

	*is_plain = false;
	if (stored_read(text, &s) != 0 || s.scheme->check(&s) != 0)
		return -1;
	*is_plain = s.scheme->verify == scheme_plain_verify;
	return 0;
}

int
password_verify(struct str text, struct str password, struct arena *a)
{
	struct stored s;

	if (stored_read(text, &s) != 0 || s.scheme->check(&s) != 0)
		return -1;
	if (password.n > PASSWORD_MOST || str_find(password, '\0') < password.n)
		return 0;
	return s.scheme->verify(&s, password, a);
}

/* As long whatever differs. */
static int
octets_same(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

static int
hash_malformed(const struct stored *s)
{
	return err_set("this is no hash of " STR_FMT,
	    STR_ARG(s->scheme->name));
}

static bool
hex_decode(struct str s, struct buf *out)
{
	static const struct str digits = STR_INIT("0123456789abcdef");

	for (; s.n >= 2; s = str_sub(s, 2, s.n)) {
		size_t high = str_find(digits, ascii_lower(s.p[0]));
		size_t low = str_find(digits, ascii_lower(s.p[1]));

		if (high == digits.n || low == digits.n)
			return false;
		buf_putc(out, (char)(high << 4 | low));
	}
	return s.n == 0 && !out->full;
}

/* ---- argon2 ---- */

struct argon2_text {
	argon2_type type;
	uint32_t version, memory, passes, lanes;
	char salt[ARGON2_PART_MOST], hash[ARGON2_PART_MOST];
	struct buf salt_is, hash_is;
};

/* Base64 that leaves its "=" out. */
static bool
part_decode(struct str s, struct buf *out)
{
	char room[2 * ARGON2_PART_MOST];
	struct buf padded = BUF_OF(room);

	buf_put(&padded, s);
	while (padded.n % 4 != 0 && !padded.full)
		buf_putc(&padded, '=');
	return !padded.full && s.n > 0 && s.p[s.n - 1] != '=' &&
	    base64_decode(buf_str(&padded), out);
}

static bool
number_take(struct str *s, struct str name, char end, uint64_t most,
    uint32_t *out)
{
	uint64_t v;

	if (!str_skip(s, name) || !parse_u64(str_cut(s, end), most, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
argon2_read(struct str s, struct argon2_text *t)
{
	t->salt_is = BUF_OF(t->salt);
	t->hash_is = BUF_OF(t->hash);
	t->version = ARGON2_VERSION_10;
	if (str_skip(&s, STR("$argon2id$")))
		t->type = Argon2_id;
	else if (str_skip(&s, STR("$argon2i$")))
		t->type = Argon2_i;
	else
		return false;
	if (str_has_prefix_icase(s, STR("v=")) && !number_take(&s, STR("v="),
	    '$', ARGON2_VERSION_13, &t->version))
		return false;
	return number_take(&s, STR("m="), ',', UINT32_MAX, &t->memory) &&
	    number_take(&s, STR("t="), ',', UINT32_MAX, &t->passes) &&
	    number_take(&s, STR("p="), '$', UINT32_MAX, &t->lanes) &&
	    part_decode(str_cut(&s, '$'), &t->salt_is) &&
	    part_decode(s, &t->hash_is);
}

static int
scheme_argon2_check(const struct stored *s)
{
	struct argon2_text t;

	if (!argon2_read(s->text, &t) || t.salt_is.n < ARGON2_MIN_SALT_LENGTH ||
	    t.hash_is.n < 16 || t.lanes == 0 || t.passes == 0 ||
	    t.memory < 8 * (uint64_t)t.lanes ||
	    (t.version != ARGON2_VERSION_10 && t.version != ARGON2_VERSION_13))
		return hash_malformed(s);
	if (t.memory > ARGON2_MEMORY_MOST || t.passes > ARGON2_PASSES_MOST ||
	    t.lanes > ARGON2_LANES_MOST ||
	    (uint64_t)t.memory * t.passes > ARGON2_WORK_MOST)
		return err_set("this argon2 takes too long: %u KiB %u times, "
		    "and at most %d KiB and together %d KiB are", t.memory,
		    t.passes, ARGON2_MEMORY_MOST, ARGON2_WORK_MOST);
	return 0;
}

/* libargon2 takes what it only reads as pointers that it might write to. */
static uint8_t *
argon2_octets(struct str s)
{
	return (uint8_t *)(uintptr_t)s.p;
}

/* One thread, however many lanes: of all cores we have one. */
static int
argon2_compute(const struct argon2_text *t, struct str password, uint8_t *out,
    uint32_t n)
{
	argon2_context c = { .out = out, .outlen = n,
		.pwd = argon2_octets(password), .pwdlen = (uint32_t)password.n,
		.salt = argon2_octets(buf_str(&t->salt_is)),
		.saltlen = (uint32_t)t->salt_is.n, .t_cost = t->passes,
		.m_cost = t->memory, .lanes = t->lanes, .threads = 1,
		.version = t->version };
	int rc = argon2_ctx(&c, t->type);

	return rc == ARGON2_OK ? 0 : err_set("argon2: %s",
	    argon2_error_message(rc));
}

static int
scheme_argon2_verify(const struct stored *s, struct str password,
    struct arena *a)
{
	struct argon2_text t;
	uint8_t out[ARGON2_PART_MOST];
	int rc;

	(void)a;
	must(argon2_read(s->text, &t));
	rc = argon2_compute(&t, password, out, (uint32_t)t.hash_is.n);
	if (rc == 0)
		rc = octets_same(out, t.hash, t.hash_is.n);
	OPENSSL_cleanse(out, sizeof out);
	return rc;
}

/* Base64 without its "=". */
static void
part_encode(const void *p, size_t n, struct buf *out)
{
	char room[2 * ARGON2_PART_MOST];
	struct buf b = BUF_OF(room);

	base64_encode((struct str){ p, n }, &b);
	while (b.n > 0 && b.p[b.n - 1] == '=')
		b.n--;
	buf_put(out, buf_str(&b));
}

int
password_make(struct str password, struct buf *out)
{
	struct argon2_text t = { .type = Argon2_id, .memory = ARGON2_MEMORY,
		.version = ARGON2_VERSION_13, .passes = ARGON2_PASSES,
		.lanes = 1 };
	uint8_t hash[ARGON2_HASH];

	if (password.n == 0 || password.n > PASSWORD_MOST ||
	    str_find(password, '\0') < password.n)
		return err_set("a password has 1 to %d octets, and no NUL",
		    PASSWORD_MOST);
	t.salt_is = BUF_OF(t.salt);
	random_bytes(t.salt, ARGON2_SALT);
	t.salt_is.n = ARGON2_SALT;
	if (argon2_compute(&t, password, hash, sizeof hash) != 0)
		return -1;
	buf_printf(out, "$argon2id$v=19$m=%d,t=%d,p=1$", ARGON2_MEMORY,
	    ARGON2_PASSES);
	part_encode(t.salt, ARGON2_SALT, out);
	buf_putc(out, '$');
	part_encode(hash, sizeof hash, out);
	OPENSSL_cleanse(hash, sizeof hash);
	return out->full ? err_set("no room for the hash") : 0;
}

/* ---- crypt(5) ---- */

/* crypt(5): "./0-9A-Za-z" are the digits; yescrypt's first is the flavour, its
 * second one less than the logarithm of the memory; scrypt's first is that
 * logarithm. */
static bool
yescrypt_is_quick(struct str s, bool is_scrypt)
{
	static const struct str digits = STR_INIT(
	    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	size_t at = is_scrypt ? 0 : 1;
	size_t log = s.n <= at ? digits.n : str_find(digits, s.p[at]) + at;

	return log <= YESCRYPT_LOG_MOST + (is_scrypt ? 2 : 0);
}

static bool
bcrypt_is_quick(struct str s)
{
	uint64_t cost;

	return parse_u64(str_cut(&s, '$'), BCRYPT_COST_MOST, &cost);
}

static bool
sha_is_quick(struct str s)
{
	uint64_t rounds;

	return !str_skip(&s, STR("rounds=")) ||
	    parse_u64(str_cut(&s, '$'), SHA_ROUNDS_MOST, &rounds);
}

static bool
crypt_is_quick(struct str s)
{
	if (str_skip(&s, STR("$5$")) || str_skip(&s, STR("$6$")))
		return sha_is_quick(s);
	if (str_skip(&s, STR("$y$")) || str_skip(&s, STR("$gy$")))
		return yescrypt_is_quick(s, false);
	if (str_skip(&s, STR("$7$")))
		return yescrypt_is_quick(s, true);
	return (str_skip(&s, STR("$2a$")) || str_skip(&s, STR("$2b$")) ||
	    str_skip(&s, STR("$2y$"))) && bcrypt_is_quick(s);
}

static bool
crypt_is_known(struct str s)
{
	static const char *const known[] = { "$2a$", "$2b$", "$2y$", "$5$",
		"$6$", "$7$", "$gy$", "$y$" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_has_prefix_icase(s, str_of(known[i])))
			return true;
	return false;
}

static int
scheme_crypt_check(const struct stored *s)
{
	char text[PASSWORD_STORED_MOST + 1];
	size_t last = str_find_last(s->text, '$');

	if (str_has_prefix_icase(s->text, STR("$1$")) ||
	    str_has_prefix_icase(s->text, STR("$md5")) ||
	    str_has_prefix_icase(s->text, STR("$3$")) ||
	    str_has_prefix_icase(s->text, STR("$sha1")))
		return err_set("MD5 and its like are too quick: millions of "
		    "guesses a second; give a new password, as `doveadm pw -s "
		    "ARGON2ID' makes them");
	/* $5$ is "legacy", as what is worse: crypt_is_known() decides. */
	if (!crypt_is_known(s->text) || !str_cstr(s->text, text, sizeof text) ||
	    crypt_checksalt(text) == CRYPT_SALT_INVALID || s->text.n - last < sizeof "$" + 20)
		return hash_malformed(s);
	if (!crypt_is_quick(s->text))
		return err_set("this hash takes too long: at most %d rounds of "
		    "SHA, cost %d of bcrypt, 2^%d blocks of yescrypt",
		    SHA_ROUNDS_MOST, BCRYPT_COST_MOST, YESCRYPT_LOG_MOST);
	return 0;
}

static int
scheme_crypt_verify(const struct stored *s, struct str password,
    struct arena *a)
{
	struct crypt_data *data = secret_new(a, sizeof *data);
	char *phrase = secret_new(a, password.n + 1);
	char text[PASSWORD_STORED_MOST + 1];
	const char *out;

	if (data == NULL || phrase == NULL ||
	    !str_cstr(s->text, text, sizeof text))
		return err_set("no memory for a password");
	memcpy(phrase, password.p == NULL ? "" : password.p, password.n);
	out = crypt_rn(phrase, text, data, sizeof *data);
	if (out == NULL)
		return err_set("crypt: %m");
	return strlen(out) == s->text.n && octets_same(out, text, s->text.n);
}

/* bare_read() has made it one of the two above. */
static int
scheme_bare_check(const struct stored *s)
{
	return hash_malformed(s);
}

static int
scheme_bare_verify(const struct stored *s, struct str password, struct arena *a)
{
	(void)password;
	(void)a;
	return hash_malformed(s);
}

/* ---- PBKDF2: "$1$SALT$ROUNDS$HEX", HMAC-SHA-1 ---- */

struct pbkdf2_text {
	struct str salt;
	uint64_t rounds;
	char hash[PBKDF2_HASH];
};

static bool
pbkdf2_read(struct str s, struct pbkdf2_text *t)
{
	struct buf b = BUF_OF(t->hash);

	if (!str_skip(&s, STR("$1$")))
		return false;
	t->salt = str_cut(&s, '$');
	return t->salt.n > 0 && parse_u64(str_cut(&s, '$'), PBKDF2_ROUNDS_MOST,
	    &t->rounds) && t->rounds > 0 && hex_decode(s, &b) &&
	    b.n == PBKDF2_HASH;
}

static int
scheme_pbkdf2_check(const struct stored *s)
{
	struct pbkdf2_text t;

	return pbkdf2_read(s->text, &t) ? 0 : hash_malformed(s);
}

static int
scheme_pbkdf2_verify(const struct stored *s, struct str password,
    struct arena *a)
{
	struct pbkdf2_text t;
	unsigned char out[PBKDF2_HASH];
	int same;

	(void)a;
	must(pbkdf2_read(s->text, &t));
	if (PKCS5_PBKDF2_HMAC_SHA1(password.n == 0 ? "" : password.p,
	    (int)password.n, (const unsigned char *)t.salt.p, (int)t.salt.n,
	    (int)t.rounds, sizeof out, out) != 1)
		return err_set("PBKDF2 failed");
	same = octets_same(out, t.hash, sizeof out);
	OPENSSL_cleanse(out, sizeof out);
	return same;
}

/* ---- SCRAM's verifier, for who sends his password ---- */

static bool
scram_text(const struct stored *s, struct scram_verifier *out)
{
	char room[PASSWORD_STORED_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "{" STR_FMT "}" STR_FMT, STR_ARG(s->scheme->name),
	    STR_ARG(s->text));
	return !b.full && scram_read(buf_str(&b), out);
}

static int
scheme_scram_check(const struct stored *s)
{
	struct scram_verifier v;

	return scram_text(s, &v) ? 0 : hash_malformed(s);
}

static int
scheme_scram_verify(const struct stored *s, struct str password, struct arena *a)
{
	struct scram_verifier v, made;
	int same;

	(void)a;
	must(scram_text(s, &v));
	if (scram_make(v.hash, password, (struct str){ (const char *)v.salt,
	    v.salt_n }, v.rounds, &made) != 0) {
		err_clear();		/* no password of SCRAM's */
		return 0;
	}
	same = octets_same(&made.stored, &v.stored, sizeof v.stored);
	OPENSSL_cleanse(&made, sizeof made);
	OPENSSL_cleanse(&v, sizeof v);
	return same;
}

/* ---- salted SHA-2: digest and salt behind it, in base64 or hex ---- */

static const EVP_MD *
salted_digest(const struct stored *s)
{
	return str_eq(s->scheme->name, STR("SSHA256")) ? EVP_sha256() :
	    EVP_sha512();
}

static bool
salted_read(const struct stored *s, struct buf *out)
{
	size_t size = (size_t)EVP_MD_get_size(salted_digest(s));

	return (s->encoding == ENCODING_HEX ? hex_decode(s->text, out) :
	    base64_decode(s->text, out)) && out->n > size;
}

static int
scheme_salted_check(const struct stored *s)
{
	char room[SALTED_MOST];
	struct buf b = BUF_OF(room);

	return salted_read(s, &b) ? 0 : hash_malformed(s);
}

static int
scheme_salted_verify(const struct stored *s, struct str password,
    struct arena *a)
{
	char room[SALTED_MOST];
	struct buf b = BUF_OF(room);
	size_t size = (size_t)EVP_MD_get_size(salted_digest(s));
	unsigned char out[EVP_MAX_MD_SIZE];
	char *both;

	must(salted_read(s, &b));
	both = secret_new(a, password.n + b.n - size);
	if (both == NULL)
		return err_set("no memory for a password");
	memcpy(both, password.p == NULL ? "" : password.p, password.n);
	memcpy(both + password.n, room + size, b.n - size);
	must(EVP_Digest(both, password.n + b.n - size, out, NULL,
	    salted_digest(s), NULL) == 1);
	return octets_same(out, room, size);
}

/* ---- the password itself ---- */

static int
scheme_plain_check(const struct stored *s)
{
	char room[PASSWORD_MOST];
	struct buf b = BUF_OF(room);

	if (s->text.n == 0)
		return err_set("an empty password lets everybody in");
	if (s->encoding == ENCODING_HEX && !hex_decode(s->text, &b))
		return hash_malformed(s);
	if (s->encoding == ENCODING_B64 && !base64_decode(s->text, &b))
		return hash_malformed(s);
	OPENSSL_cleanse(room, sizeof room);
	return 0;
}

static int
scheme_plain_verify(const struct stored *s, struct str password, struct arena *a)
{
	unsigned char ours[PASSWORD_DIGEST], his[PASSWORD_DIGEST];
	struct buf b = { .p = secret_new(a, PASSWORD_MOST),
		.cap = PASSWORD_MOST };

	if (b.p == NULL)
		return err_set("no memory for a password");
	if (s->encoding == ENCODING_HEX)
		must(hex_decode(s->text, &b));
	else if (s->encoding == ENCODING_B64)
		must(base64_decode(s->text, &b));
	else
		buf_put(&b, s->text);
	password_digest(buf_str(&b), ours);
	password_digest(password, his);
	return octets_same(ours, his, sizeof ours);
}

void
password_digest(struct str secret, unsigned char out[PASSWORD_DIGEST])
{
	must(EVP_Digest(secret.p == NULL ? "" : secret.p, secret.n, out, NULL,
	    EVP_sha256(), NULL) == 1);
}
