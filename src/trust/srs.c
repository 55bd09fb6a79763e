/*
 * A hash is the beginning of HMAC-SHA-1, in base64, over what follows it, in
 * lower case: of SRS0 stamp, domain and local part, of SRS1 host and the rest.
 * SHA-1 is what the others have; HMAC does not need it to be free of collisions
 * (RFC 6151 says so of MD5 even).
 *
 * Four letters that hosts on the way may fold are 20 bits.  They guard one
 * address each: who tries a million of them at RCPT may then send to one more
 * recipient, and only from the null sender (intake/forward.c).
 */
#include "trust/srs.h"

#include "base/must.h"
#include "wire/address.h"
#include "wire/base64.h"
#include "wire/srs.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SRS_MAC = 20, SRS_HASH_MOST = 27, SRS_TEXT = 2 * LOCAL_MOST + DOMAIN_MOST };

/* One secret, as it is used. */
struct srs_key {
	struct str is;
	unsigned char room[SRS_SECRET];	/* of one that is made */
};

static uint64_t
day_of(struct wall now)
{
	must(now.us >= 0);
	return (uint64_t)(now.us / US_PER_SECOND) / (24 * 60 * 60);
}

bool
srs_can_sign(const struct srs_keys *keys)
{
	return keys->n_given > 0 || keys->made != NULL;
}

static void
key_make(const struct srs_keys *keys, uint64_t day, struct srs_key *out)
{
	char text[40];
	struct buf about = BUF_OF(text);
	unsigned n = sizeof out->room;

	must(keys->made != NULL);
	buf_put(&about, STR("nightmail srs "));
	buf_put_u64(&about, day / SRS_EPOCH_DAYS);
	must(!about.full);
	must(HMAC(EVP_sha256(), keys->made, SRS_SECRET,
	    (const unsigned char *)about.p, about.n, out->room, &n) != NULL);
	out->is = (struct str){ (const char *)out->room, sizeof out->room };
}

/* What is hashed, in lower case. */
static void
text_lower(struct buf *text, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_putc(text, ascii_lower(s.p[i]));
}

static bool
hash_make(const struct srs *srs, const struct srs_key *key,
    char hash[SRS_HASH_MOST + 1])
{
	unsigned char mac[SRS_MAC];
	char room[SRS_TEXT];
	struct buf text = BUF_OF(room), out = { .p = hash,
	    .cap = SRS_HASH_MOST + 1 };
	unsigned n = sizeof mac;

	text_lower(&text, srs->stamp);
	text_lower(&text, srs->domain);
	text_lower(&text, srs->local);
	if (text.full)
		return false;
	must(HMAC(EVP_sha1(), key->is.p, (int)key->is.n,
	    (const unsigned char *)text.p, text.n, mac, &n) != NULL);
	base64_encode((struct str){ (const char *)mac, sizeof mac }, &out);
	must(!out.full && out.n == SRS_HASH_MOST + 1);
	return true;
}

/* ---- writing ---- */

/* SRS0 of another's becomes SRS1, and SRS1 one of ours: it never grows by more
 * than the first who forwarded. */
static void
srs_of_sender(struct str local, struct str domain, struct srs *srs)
{
	struct srs given;

	if (!srs_is_meant(local) || !srs_read(local, &given) ||
	    !domain_is_valid(given.domain, MAILBOX_STRICT))
		*srs = (struct srs){ .domain = domain, .local = local };
	else if (given.is_second)
		*srs = given;
	else
		*srs = (struct srs){ .is_second = true, .domain = domain,
			.local = str_sub(local, 4, local.n) };
	srs->hash = STR_NONE;
}

bool
srs_rewrite(const struct srs_keys *keys, struct wall now, struct str local,
    struct str domain, struct buf *out)
{
	char stamp[SRS_STAMP], hash[SRS_HASH_MOST + 1];
	struct buf b = BUF_OF(stamp);
	struct srs_key key;
	struct srs srs;
	size_t before = out->n;
	bool fits;

	must(srs_can_sign(keys) && local.n > 0 && domain.n > 0);
	srs_of_sender(local, domain, &srs);
	if (!srs.is_second) {
		srs_stamp_write(day_of(now), &b);
		srs.stamp = buf_str(&b);
	}
	if (keys->n_given > 0)
		key.is = keys->given[0];
	else
		key_make(keys, day_of(now), &key);
	fits = hash_make(&srs, &key, hash);
	OPENSSL_cleanse(key.room, sizeof key.room);
	srs.hash = (struct str){ hash, SRS_HASH };
	if (fits)
		srs_write(&srs, out);
	return fits && !out->full && out->n - before <= LOCAL_MOST;
}

/* ---- taking back ---- */

/* Hosts on the way fold letters; newer postsrsds write - and _ for + and /. */
static char
hash_letter(char c)
{
	return c == '-' ? '+' : c == '_' ? '/' : ascii_lower(c);
}

static bool
hash_is(struct str given, const struct srs *srs, const struct srs_key *key)
{
	char hash[SRS_HASH_MOST + 1];
	unsigned differs = 0;

	if (given.n < SRS_HASH || given.n > SRS_HASH_MOST ||
	    !hash_make(srs, key, hash))
		return false;
	for (size_t i = 0; i < given.n; i++)
		differs |= (unsigned)(hash_letter(given.p[i]) ^
		    hash_letter(hash[i]));
	return differs == 0;
}

/* By what was made for the epoch of that day. */
static bool
hash_is_made(const struct srs_keys *keys, const struct srs *srs, uint64_t day)
{
	struct srs_key key;
	bool is;

	if (keys->made == NULL)
		return false;
	key_make(keys, day, &key);
	is = hash_is(srs->hash, srs, &key);
	OPENSSL_cleanse(key.room, sizeof key.room);
	return is;
}

static bool
hash_is_given(const struct srs_keys *keys, const struct srs *srs)
{
	struct srs_key key;
	bool is = false;

	for (size_t i = 0; i < keys->n_given && !is; i++) {
		key.is = keys->given[i];
		is = hash_is(srs->hash, srs, &key);
	}
	return is;
}

/* The day of a stamp: tomorrow (another's clock), or the last that it can be. */
static uint64_t
stamp_day(unsigned stamp, uint64_t today)
{
	uint64_t day = today + 1;

	while (day % SRS_DAYS != stamp && day > 0)
		day--;
	return day;
}

/* SRS1 has no stamp of ours: this epoch and the one before. */
static enum srs_verdict
second_check(const struct srs_keys *keys, const struct srs *srs, uint64_t today)
{
	return hash_is_given(keys, srs) || hash_is_made(keys, srs, today) ||
	    (today >= SRS_EPOCH_DAYS &&
	    hash_is_made(keys, srs, today - SRS_EPOCH_DAYS)) ?
	    SRS_GOOD : SRS_FORGED;
}

static enum srs_verdict
first_check(const struct srs_keys *keys, const struct srs *srs, uint64_t today)
{
	unsigned stamp;
	uint64_t day;

	if (!srs_stamp_read(srs->stamp, &stamp))
		return SRS_BAD;
	day = stamp_day(stamp, today);
	if (!hash_is_given(keys, srs) && !hash_is_made(keys, srs, day))
		return SRS_FORGED;
	return day + SRS_AGE_DAYS < today ? SRS_EXPIRED : SRS_GOOD;
}

enum srs_verdict
srs_take_back(const struct srs_keys *keys, struct wall now, struct str local,
    struct buf *out)
{
	char room[LOCAL_MOST + 4];
	struct buf whose = BUF_OF(room);
	enum srs_verdict v;
	struct srs srs;

	if (!srs_is_meant(local))
		return SRS_OTHER;
	if (!srs_read(local, &srs) ||
	    !domain_is_valid(srs.domain, MAILBOX_STRICT))
		return SRS_BAD;
	v = srs.is_second ? second_check(keys, &srs, day_of(now)) :
	    first_check(keys, &srs, day_of(now));
	if (v != SRS_GOOD)
		return v;
	buf_put(&whose, srs.is_second ? STR("SRS0") : STR(""));
	buf_put(&whose, srs.local);
	mailbox_print(buf_str(&whose), srs.domain, out);
	return whose.full || whose.n > LOCAL_MOST || out->full ? SRS_BAD : SRS_GOOD;
}
