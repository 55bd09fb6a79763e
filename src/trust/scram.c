/*
 * The form printed, RFC 5803 2:
 *
 *	scheme "$" iter-count ":" salt "$" stored-key ":" server-key
 *
 * with salt and keys in base64, and Dovecot's:
 *
 *	"{" scheme "}" iter-count "," salt "," stored-key "," server-key
 */
#include "trust/scram.h"

#include "base/must.h"
#include "base/err.h"
#include "base/num.h"
#include "trust/saslprep.h"
#include "wire/base64.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { PASSWORD_ROOM = 2048 };

static const struct {
	struct str name;
	const EVP_MD *(*digest)(void);
	size_t size;
} hashes[] = {
	[SCRAM_SHA_1] = { STR_INIT("SCRAM-SHA-1"), EVP_sha1, 20 },
	[SCRAM_SHA_256] = { STR_INIT("SCRAM-SHA-256"), EVP_sha256, 32 },
};

size_t
scram_key_size(enum scram_hash hash)
{
	must(hash <= SCRAM_SHA_256);
	return hashes[hash].size;
}

/* ---- arithmetic ---- */

void
scram_digest(enum scram_hash hash, const struct scram_key *in,
    struct scram_key *out)
{
	struct scram_key digest = { { 0 } };

	must(EVP_Digest(in->octets, hashes[hash].size, digest.octets, NULL,
	    hashes[hash].digest(), NULL) == 1);
	*out = digest;
}

void
scram_sign(enum scram_hash hash, const struct scram_key *key, struct str text,
    struct scram_key *out)
{
	*out = (struct scram_key){ { 0 } };
	must(HMAC(hashes[hash].digest(), key->octets, (int)hashes[hash].size,
	    (const unsigned char *)text.p, text.n, out->octets, NULL) != NULL);
}

int
scram_salt(enum scram_hash hash, struct str prepared, struct str salt,
    uint32_t rounds, struct scram_key *salted)
{
	must(prepared.n <= INT_MAX && salt.n <= SCRAM_SALT_MOST);
	must(rounds > 0 && rounds <= SCRAM_ROUNDS_MOST);
	*salted = (struct scram_key){ { 0 } };
	if (PKCS5_PBKDF2_HMAC(prepared.p, (int)prepared.n,
	    (const unsigned char *)salt.p, (int)salt.n, (int)rounds,
	    hashes[hash].digest(), (int)hashes[hash].size,
	    salted->octets) != 1)
		return err_set("PBKDF2 failed");
	return 0;
}

void
scram_keys(enum scram_hash hash, const struct scram_key *salted,
    struct scram_key *client, struct scram_key *server)
{
	scram_sign(hash, salted, STR("Client Key"), client);
	scram_sign(hash, salted, STR("Server Key"), server);
}

/* ---- verifiers ---- */

static int
verifier_fill(struct str prepared, struct scram_verifier *out)
{
	struct scram_key salted, client;
	struct str salt = { (const char *)out->salt, out->salt_n };

	if (scram_salt(out->hash, prepared, salt, out->rounds, &salted) != 0)
		return -1;
	scram_keys(out->hash, &salted, &client, &out->server);
	scram_digest(out->hash, &client, &out->stored);
	OPENSSL_cleanse(&salted, sizeof salted);
	OPENSSL_cleanse(&client, sizeof client);
	return 0;
}

int
scram_make(enum scram_hash hash, struct str password, struct str salt,
    uint32_t rounds, struct scram_verifier *out)
{
	char room[PASSWORD_ROOM];
	struct buf prepared = BUF_OF(room);
	int rc;

	must(salt.n > 0 && salt.n <= SCRAM_SALT_MOST);
	*out = (struct scram_verifier){ .hash = hash, .rounds = rounds,
		.salt_n = salt.n };
	memcpy(out->salt, salt.p, salt.n);
	rc = saslprep(password, SASLPREP_STORED, &prepared) ?
	    verifier_fill(buf_str(&prepared), out) :
	    err_set("the password is empty, too long, or has characters that "
	    "SCRAM does not allow");
	OPENSSL_cleanse(room, sizeof room);
	return rc;
}

void
scram_false(const unsigned char key[32], struct str name,
    struct scram_verifier *out)
{
	struct scram_key seed, made;

	memcpy(seed.octets, key, sizeof seed.octets);
	scram_sign(SCRAM_SHA_256, &seed, name, &made);
	*out = (struct scram_verifier){ .hash = SCRAM_SHA_256,
		.rounds = SCRAM_ROUNDS, .salt_n = SCRAM_SALT };
	memcpy(out->salt, made.octets, SCRAM_SALT);
	/* an octet string that nobody knows a preimage of */
	scram_sign(SCRAM_SHA_256, &seed, (struct str){
	    (const char *)made.octets, SCRAM_KEY }, &out->stored);
	scram_digest(SCRAM_SHA_256, &out->stored, &out->server);
	OPENSSL_cleanse(&seed, sizeof seed);
}

/* ---- the form on disk ---- */

static void
key_print(const struct scram_verifier *v, const struct scram_key *key,
    struct buf *out)
{
	base64_encode((struct str){ (const char *)key->octets,
	    hashes[v->hash].size }, out);
}

void
scram_print(const struct scram_verifier *v, struct buf *out)
{
	buf_put(out, hashes[v->hash].name);
	buf_printf(out, "$%u:", v->rounds);
	base64_encode((struct str){ (const char *)v->salt, v->salt_n }, out);
	buf_putc(out, '$');
	key_print(v, &v->stored, out);
	buf_putc(out, ':');
	key_print(v, &v->server, out);
}

static bool
scheme_read(struct str name, struct scram_verifier *out)
{
	for (enum scram_hash h = SCRAM_SHA_1; h <= SCRAM_SHA_256; h++)
		if (str_eq_icase(name, hashes[h].name)) {
			out->hash = h;
			return true;
		}
	return false;
}

static bool
rounds_read(struct str s, struct scram_verifier *out)
{
	uint64_t rounds;

	if (!parse_u64(s, SCRAM_ROUNDS_MOST, &rounds) ||
	    rounds < SCRAM_ROUNDS_LEAST)
		return false;
	out->rounds = (uint32_t)rounds;
	return true;
}

static bool
salt_read(struct str s, struct scram_verifier *out)
{
	char room[SCRAM_SALT_MOST];
	struct buf b = BUF_OF(room);

	if (!base64_decode(s, &b) || b.n == 0)
		return false;
	memcpy(out->salt, room, b.n);
	out->salt_n = b.n;
	return true;
}

static bool
key_read(struct str s, const struct scram_verifier *v, struct scram_key *key)
{
	char room[SCRAM_KEY];
	struct buf b = BUF_OF(room);
	bool is_fine = base64_decode(s, &b) && b.n == hashes[v->hash].size;

	if (is_fine)
		memcpy(key->octets, room, b.n);
	OPENSSL_cleanse(room, sizeof room);
	return is_fine;
}

bool
scram_read(struct str s, struct scram_verifier *out)
{
	bool is_dovecot = str_skip(&s, STR("{"));
	char comma = is_dovecot ? ',' : ':';

	*out = (struct scram_verifier){ .rounds = 0 };
	return scheme_read(str_cut(&s, is_dovecot ? '}' : '$'), out) &&
	    rounds_read(str_cut(&s, comma), out) &&
	    salt_read(str_cut(&s, is_dovecot ? ',' : '$'), out) &&
	    key_read(str_cut(&s, comma), out, &out->stored) &&
	    key_read(s, out, &out->server);
}
