/*
 * The rules of RFC 7671 are OpenSSL's own: a connection that never connects
 * carries the records to where a chain is verified.
 */
#include "trust/dane.h"

#include "base/must.h"
#include "fiber/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { FULL = 0, SHA2_256 = 1, SHA2_512 = 2 };	/* RFC 7218 2.3 */
enum { CERT = 0, SPKI = 1 };

/* RFC 6698 2.1: usage, selector, matching type, an octet each; the rest. */
bool
dane_read(struct str rdata, struct tlsa *out)
{
	if (rdata.n < 4)
		return false;
	*out = (struct tlsa){ .usage = (uint8_t)rdata.p[0],
		.selector = (uint8_t)rdata.p[1],
		.matching = (uint8_t)rdata.p[2],
		.data = str_sub(rdata, 3, rdata.n) };
	return true;
}

static bool
whole_is_one(const struct tlsa *t)
{
	const unsigned char *p = (const unsigned char *)t->data.p;
	const unsigned char *end = p + t->data.n;
	X509 *cert = NULL;
	EVP_PKEY *key = NULL;
	bool is_one;

	if (t->selector == CERT)
		cert = d2i_X509(NULL, &p, (long)t->data.n);
	else
		key = d2i_PUBKEY(NULL, &p, (long)t->data.n);
	is_one = (cert != NULL || key != NULL) && p == end;
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return is_one;
}

bool
dane_is_usable(const struct tlsa *t)
{
	if ((t->usage != DANE_TA && t->usage != DANE_EE) ||
	    (t->selector != CERT && t->selector != SPKI))
		return false;
	switch (t->matching) {
	case FULL:
		return whole_is_one(t);
	case SHA2_256:
		return t->data.n == 32;
	case SHA2_512:
		return t->data.n == 64;
	default:
		return false;
	}
}

void
dane_print(const struct tlsa *t, struct buf *out)
{
	buf_printf(out, "%u %u %u ", t->usage, t->selector, t->matching);
	for (size_t i = 0; i < t->data.n; i++)
		buf_printf(out, "%02x", (unsigned char)t->data.p[i]);
}

/* ---- what a chain is held against ---- */

static int
records_give(const struct tls_demand *d, SSL *ssl)
{
	int n = 0;

	for (size_t i = 0; i < d->n_tlsa; i++) {
		const struct tlsa *t = &d->tlsa[i];

		if (dane_is_usable(t) && SSL_dane_tlsa_add(ssl, t->usage,
		    t->selector, t->matching,
		    (const unsigned char *)t->data.p, t->data.n) == 1)
			n++;
	}
	return n;
}

/* RFC 7672 3.1.1: of a certificate that is named itself neither name nor dates
 * count. */
static SSL *
bearer_make(SSL_CTX *context, const struct tls_demand *d)
{
	SSL *ssl = SSL_new(context);
	char base[TLS_NAME_MOST + 1];

	if (ssl == NULL || !str_cstr(d->sni, base, sizeof base) ||
	    SSL_dane_enable(ssl, base) != 1 || records_give(d, ssl) == 0) {
		SSL_free(ssl);
		return NULL;
	}
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	return ssl;
}

/* RFC 7672 3.2.2, 3.2.3: any of the names, the Common Name too. */
static bool
names_give(const struct tls_demand *d, X509_VERIFY_PARAM *p)
{
	must(d->n_names > 0);
	X509_VERIFY_PARAM_set_hostflags(p,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < d->n_names; i++)
		if (X509_VERIFY_PARAM_add1_host(p, d->names[i].p,
		    d->names[i].n) != 1)
			return false;
	return true;
}

static long
chain_verify(X509_STORE_CTX *x, const struct tls_demand *d, SSL *bearer,
    struct wall now)
{
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(x);

	if (X509_STORE_CTX_set_default(x, "ssl_server") != 1 ||
	    !names_give(d, p))
		return X509_V_ERR_OUT_OF_MEM;
	X509_VERIFY_PARAM_set_time(p, (time_t)(now.us / US_PER_SECOND));
	X509_STORE_CTX_set0_dane(x, SSL_get0_dane(bearer));
	if (X509_verify_cert(x) == 1)
		return X509_V_OK;
	return X509_STORE_CTX_get_error(x) == X509_V_OK ?
	    X509_V_ERR_UNSPECIFIED : X509_STORE_CTX_get_error(x);
}

long
dane_verify(const struct tls_demand *d, X509 *leaf, STACK_OF(X509) *chain,
    struct wall now)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *bearer = context != NULL && SSL_CTX_dane_enable(context) == 1 ?
	    bearer_make(context, d) : NULL;
	X509_STORE *nobody = X509_STORE_new();
	X509_STORE_CTX *x = X509_STORE_CTX_new();
	long verdict = X509_V_ERR_OUT_OF_MEM;

	if (leaf == NULL)
		verdict = X509_V_ERR_DANE_NO_MATCH;
	else if (bearer != NULL && nobody != NULL && x != NULL &&
	    X509_STORE_CTX_init(x, nobody, leaf, chain) == 1)
		verdict = chain_verify(x, d, bearer, now);
	X509_STORE_CTX_free(x);
	X509_STORE_free(nobody);
	SSL_free(bearer);
	SSL_CTX_free(context);
	ERR_clear_error();
	return verdict;
}
