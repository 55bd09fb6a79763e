#include "trust/fitness.h"

#include "base/must.h"

#include <openssl/err.h>

#define DAY_US (INT64_C(86400) * US_PER_SECOND)

/* ---- about it ---- */

static struct wall
time_of(const ASN1_TIME *t)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	if (epoch == NULL || ASN1_TIME_diff(&days, &seconds, epoch, t) != 1)
		days = seconds = 0;
	ASN1_TIME_free(epoch);
	return (struct wall){ days * DAY_US + seconds * US_PER_SECOND };
}

void
certificate_life(const X509 *x, struct wall *from, struct wall *until)
{
	*from = time_of(X509_get0_notBefore(x));
	*until = time_of(X509_get0_notAfter(x));
}

bool
certificate_is_for(const X509 *x, struct str name)
{
	bool fits = name.n > 0 && X509_check_host((X509 *)(uintptr_t)x, name.p,
	    name.n, 0, NULL) == 1;

	ERR_clear_error();
	return fits;
}

void
certificate_kind(const X509 *x, struct buf *b)
{
	EVP_PKEY *k = X509_get0_pubkey(x);

	if (EVP_PKEY_is_a(k, "RSA"))
		buf_printf(b, "RSA %d", EVP_PKEY_get_bits(k));
	else if (EVP_PKEY_is_a(k, "EC"))
		buf_printf(b, "ECDSA P-%d", EVP_PKEY_get_bits(k));
	else
		buf_printf(b, "Ed25519");
}

void
certificate_issuer(const X509 *x, struct buf *b)
{
	static const int parts[] = { NID_commonName, NID_organizationName };
	X509_NAME *issuer = X509_get_issuer_name(x);
	char text[200];

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (X509_NAME_get_text_by_NID(issuer, parts[i], text,
		    sizeof text) > 0) {
			buf_put(b, str_of(text));
			return;
		}
}

bool
certificate_name(const GENERAL_NAMES *all, int *i, struct str *out)
{
	while (*i < sk_GENERAL_NAME_num(all)) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, (*i)++);

		if (g->type != GEN_DNS)
			continue;
		*out = (struct str){ (const char *)
		    ASN1_STRING_get0_data(g->d.dNSName),
		    (size_t)ASN1_STRING_length(g->d.dNSName) };
		return true;
	}
	return false;
}

/* ---- judging ---- */

static bool
is_by_itself(const X509 *x)
{
	return X509_NAME_cmp(X509_get_issuer_name(x),
	    X509_get_subject_name(x)) == 0;
}

/* RFC 5280 4.2.2.1: who tells where his issuer's certificate is has an issuer
 * between himself and a root. */
static bool
needs_chain(const X509 *x)
{
	return X509_get_ext_by_NID(x, NID_info_access, -1) >= 0;
}

static unsigned
chain_judge(const struct certificate *c)
{
	const X509 *below = c->leaf;

	if (is_by_itself(c->leaf))
		return 0;
	if (sk_X509_num(c->chain) == 0)
		return needs_chain(c->leaf) ? 1u << FITNESS_INCOMPLETE : 0;
	for (int i = 0; i < sk_X509_num(c->chain); i++) {
		const X509 *x = sk_X509_value(c->chain, i);

		if (X509_NAME_cmp(X509_get_issuer_name(below),
		    X509_get_subject_name(x)) != 0)
			return 1u << FITNESS_DISORDER;
		below = x;
	}
	return 0;
}

unsigned
fitness_judge(const struct certificate *c, struct wall now)
{
	unsigned faults = chain_judge(c);
	struct wall from, until;
	int64_t soon;

	certificate_life(c->leaf, &from, &until);
	soon = (until.us - from.us) / 6;
	if (soon > FITNESS_DAYS * DAY_US)
		soon = FITNESS_DAYS * DAY_US;
	if (wall_is_before(now, from))
		faults |= 1u << FITNESS_EARLY;
	if (!wall_is_before(now, until))
		faults |= 1u << FITNESS_EXPIRED;
	else if (until.us - now.us < soon)
		faults |= 1u << FITNESS_EXPIRES;
	return faults;
}

static const struct { const char *word, *says; } faults_told[FITNESS_FAULTS] = {
#define FAULT(name, word, says) { word, says },
#include "trust/fitness.def"
#undef FAULT
};

const char *
fitness_word(enum fitness_fault f)
{
	must(f < FITNESS_FAULTS);
	return faults_told[f].word;
}

const char *
fitness_says(enum fitness_fault f)
{
	must(f < FITNESS_FAULTS);
	return faults_told[f].says;
}
