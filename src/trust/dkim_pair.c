#include "trust/dkim_pair.h"

#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "wire/dkim.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { BITS_LEAST = 1024, BITS_MOST = 4096 };

static const char first_line[] = "nightmail-dkim-key: 1";

/* ---- names ---- */

static bool
label_is_one(struct str s)
{
	bool fine = s.n > 0 && s.n <= 63;

	for (size_t i = 0; fine && i < s.n; i++) {
		char c = s.p[i];

		fine = ascii_lower(c) == c && (ascii_is_alnum(c) || c == '_' ||
		    (c == '-' && i > 0 && i + 1 < s.n));
	}
	return fine;
}

static bool
labels_are_fine(struct str s)
{
	while (s.n > 0) {
		size_t n = str_find(s, '.');

		if (!label_is_one(str_sub(s, 0, n)) || n + 1 == s.n)
			return false;
		s = str_sub(s, n + 1, s.n);
	}
	return true;
}

bool
dkim_pair_names_fit(struct str domain, struct str selector)
{
	return domain.n > 0 && selector.n > 0 &&
	    selector.n <= DKIM_SELECTOR_MOST &&
	    domain.n + selector.n + sizeof "._domainkey." - 1 <=
	    DKIM_DOMAIN_MOST &&
	    labels_are_fine(domain) && labels_are_fine(selector);
}

void
dkim_pair_file(const struct dkim_pair *k, char name[DKIM_PAIR_NAME])
{
	int n = snprintf(name, DKIM_PAIR_NAME, "%s.%s.key", k->domain,
	    k->selector);

	must(n > 0 && n < DKIM_PAIR_NAME);
}

static int
names_take(struct dkim_pair *k, struct str domain, struct str selector)
{
	if (!dkim_pair_names_fit(domain, selector) ||
	    !str_cstr(domain, k->domain, sizeof k->domain) ||
	    !str_cstr(selector, k->selector, sizeof k->selector))
		return err_set("a DKIM key needs a domain and a selector of "
		    "lower-case letters, digits and hyphens, of at most %d "
		    "characters together", DKIM_DOMAIN_MOST - 12);
	return 0;
}

/* ---- keys ---- */

unsigned
dkim_key_bits(EVP_PKEY *key)
{
	return (unsigned)EVP_PKEY_get_bits(key);
}

static int
algorithm_of(EVP_PKEY *key, enum dkim_algorithm *out)
{
	unsigned bits = dkim_key_bits(key);

	*out = EVP_PKEY_is_a(key, "ED25519") ? DKIM_ED25519_SHA256 :
	    DKIM_RSA_SHA256;
	if (*out == DKIM_ED25519_SHA256)
		return 0;
	if (!EVP_PKEY_is_a(key, "RSA"))
		return err_set("the key is neither RSA nor Ed25519: DKIM has no "
		    "other kinds");
	if (bits < BITS_LEAST || bits > BITS_MOST)
		return err_set("the RSA key has %u bits: receivers take %d to %d",
		    bits, BITS_LEAST, BITS_MOST);
	return 0;
}

/* No key is asked for by a prompt. */
static int
no_password(char *to, int room, int is_writing, void *arg)
{
	(void)to;
	(void)room;
	(void)is_writing;
	(void)arg;
	return -1;
}

EVP_PKEY *
dkim_key_import(struct str pem, enum dkim_algorithm *algorithm)
{
	BIO *b = pem.n > DKIM_PAIR_MOST ? NULL :
	    BIO_new_mem_buf(pem.n == 0 ? "" : pem.p, (int)pem.n);
	EVP_PKEY *key = b == NULL ? NULL : PEM_read_bio_PrivateKey(b, NULL,
	    no_password, NULL);

	BIO_free(b);
	ERR_clear_error();
	if (key == NULL) {
		err_set("there is no private key in it that can be read (PEM, "
		    "without a password)");
		return NULL;
	}
	if (algorithm_of(key, algorithm) == 0)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

int
dkim_key_public(EVP_PKEY *key, struct buf *out)
{
	unsigned char room[DKIM_PUBLIC_MOST], *end = room;
	size_t n = sizeof room;
	int rc;

	if (EVP_PKEY_is_a(key, "ED25519"))
		rc = EVP_PKEY_get_raw_public_key(key, room, &n) == 1 ? (int)n : -1;
	else
		rc = i2d_PUBKEY(key, NULL) > DKIM_PUBLIC_MOST ? -1 :
		    i2d_PUBKEY(key, &end);
	ERR_clear_error();
	if (rc <= 0)
		return err_set("the key has no public half");
	buf_put(out, (struct str){ (char *)room, (size_t)rc });
	return out->full ? err_set("no room for a public key") : 0;
}

/* RFC 8463 3: Ed25519 signs the SHA-256, as a message of its own. */
int
dkim_key_sign(EVP_PKEY *key, struct str input, struct buf *out)
{
	bool is_rsa = EVP_PKEY_is_a(key, "RSA");
	unsigned char hash[SHA256_DIGEST_LENGTH], room[DKIM_SIGNED_MOST];
	size_t n = sizeof room;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool fine;

	SHA256((const unsigned char *)(input.n == 0 ? "" : input.p), input.n,
	    hash);
	if (is_rsa)
		fine = c != NULL && EVP_DigestSignInit(c, NULL, EVP_sha256(),
		    NULL, key) == 1 && EVP_DigestSign(c, room, &n,
		    (const unsigned char *)input.p, input.n) == 1;
	else
		fine = c != NULL && EVP_DigestSignInit(c, NULL, NULL, NULL,
		    key) == 1 && EVP_DigestSign(c, room, &n, hash,
		    sizeof hash) == 1;
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	if (!fine)
		return err_set("OpenSSL does not sign with that key");
	buf_put(out, (struct str){ (char *)room, n });
	return out->full ? err_set("no room for a signature") : 0;
}

/* ---- pairs ---- */

int
dkim_pair_make(struct str domain, struct str selector,
    enum dkim_algorithm algorithm, int64_t now, struct dkim_pair *out)
{
	*out = (struct dkim_pair){ .algorithm = algorithm, .state = DKIM_NEXT,
		.made = now, .since = now };
	if (names_take(out, domain, selector) != 0)
		return -1;
	out->key = algorithm == DKIM_ED25519_SHA256 ?
	    EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") :
	    EVP_RSA_gen(DKIM_BITS_MADE);
	ERR_clear_error();
	return out->key != NULL ? 0 : err_set("no key came to be");
}

void
dkim_pair_free(struct dkim_pair *k)
{
	EVP_PKEY_free(k->key);
	k->key = NULL;
}

static bool
state_read(struct str word, enum dkim_state *out)
{
	for (unsigned i = 0; i < DKIM_STATES; i++)
		if (str_eq(word, str_of(dkim_state_name((enum dkim_state)i)))) {
			*out = (enum dkim_state)i;
			return true;
		}
	return false;
}

/* The next line, if it begins so: what follows. */
static struct str
line_take(struct str *text, struct str name)
{
	struct str line = str_cut(text, '\n');

	return str_skip(&line, name) ? line : STR_NONE;
}

static bool
time_take(struct str *text, struct str name, int64_t *out)
{
	uint64_t seconds;

	if (!parse_u64(line_take(text, name), INT64_MAX / US_PER_SECOND,
	    &seconds))
		return false;
	*out = (int64_t)seconds;
	return true;
}

int
dkim_pair_read(struct str text, struct dkim_pair *out)
{
	struct str domain, selector;

	*out = (struct dkim_pair){ .key = NULL };
	if (!str_eq(str_cut(&text, '\n'), str_of(first_line)))
		return err_set("it is no key of Nightmail's (nightmail dkim import "
		    "takes others)");
	domain = line_take(&text, STR("domain: "));
	selector = line_take(&text, STR("selector: "));
	if (names_take(out, domain, selector) != 0)
		return -1;
	if (!state_read(line_take(&text, STR("state: ")), &out->state) ||
	    !time_take(&text, STR("made: "), &out->made) ||
	    !time_take(&text, STR("since: "), &out->since))
		return err_set("its first lines make no sense");
	out->key = dkim_key_import(text, &out->algorithm);
	return out->key == NULL ? -1 : 0;
}

int
dkim_pair_print(const struct dkim_pair *k, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long n;
	int rc = -1;

	buf_printf(out, "%s\ndomain: %s\nselector: %s\nstate: %s\n"
	    "made: %" PRId64 "\nsince: %" PRId64 "\n", first_line, k->domain,
	    k->selector, dkim_state_name(k->state), k->made, k->since);
	if (b != NULL && PEM_write_bio_PrivateKey(b, k->key, NULL, NULL, 0, NULL,
	    NULL) == 1 && (n = BIO_get_mem_data(b, &text)) > 0) {
		buf_put(out, (struct str){ text, (size_t)n });
		rc = out->full ? -1 : 0;
	}
	BIO_free(b);
	ERR_clear_error();
	return rc == 0 ? 0 : err_set("a key cannot be written");
}
