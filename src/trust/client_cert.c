#include "trust/client_cert.h"

#include "base/err.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { DEPTH_MOST = 8, ANCHORS_MOST = 1000, NAME_MOST = 255,
	PEM_MOST = 4 * 1024 * 1024 };

/* ---- anchors and chains ---- */

static int
no_password(char *room, int n, int writing, void *arg)
{
	(void)room, (void)n, (void)writing, (void)arg;
	return -1;
}

static int
anchors_add(BIO *b, X509_STORE *store)
{
	X509 *x;
	int n = 0;

	while ((x = PEM_read_bio_X509(b, NULL, no_password, NULL)) != NULL) {
		int fine = X509_STORE_add_cert(store, x);

		X509_free(x);
		if (fine != 1 || ++n > ANCHORS_MOST)
			return err_set("more than %d certificates, or no "
			    "memory for them", ANCHORS_MOST);
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return err_set("certificate %d is malformed", n + 1);
	return n > 0 ? n : err_set("there is no certificate in PEM");
}

int
client_cert_anchors(struct str pem, X509_STORE *store)
{
	BIO *b;
	int n;

	if (pem.n > PEM_MOST)
		return err_set("it is longer than %d octets", PEM_MOST);
	ERR_clear_error();
	b = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (b == NULL)
		return err_set("no memory for certificates");
	n = anchors_add(b, store);
	BIO_free(b);
	ERR_clear_error();
	return n;
}

/* RFC 5280 6; 4.2.1.12: where purposes are told, TLS client is one of them. */
static bool
chain_verify(X509_STORE *store, X509 *leaf, STACK_OF(X509) *chain,
    struct wall now)
{
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	bool fine = false;

	if (c == NULL)
		return err_set("no memory for a certificate") == 0;
	if (X509_STORE_CTX_init(c, store, leaf, chain) == 1 &&
	    X509_STORE_CTX_set_default(c, "ssl_client") == 1) {
		X509_STORE_CTX_set_time(c, 0, (time_t)(now.us / 1000000));
		X509_STORE_CTX_set_depth(c, DEPTH_MOST);
		fine = X509_verify_cert(c) == 1;
		if (!fine)
			err_set("%s", X509_verify_cert_error_string(
			    X509_STORE_CTX_get_error(c)));
	}
	X509_STORE_CTX_free(c);
	return fine;
}

bool
client_cert_leads(X509 *leaf, STACK_OF(X509) *chain, struct str anchors,
    struct wall now)
{
	X509_STORE *store = X509_STORE_new();
	bool fine = store != NULL && client_cert_anchors(anchors, store) > 0 &&
	    chain_verify(store, leaf, chain, now);

	X509_STORE_free(store);
	ERR_clear_error();
	return fine;
}

bool
client_cert_is_current(const X509 *x, struct wall now)
{
	time_t t = (time_t)(now.us / 1000000);

	return X509_cmp_time(X509_get0_notBefore(x), &t) < 0 &&
	    X509_cmp_time(X509_get0_notAfter(x), &t) > 0;
}

/* ---- fingerprints ---- */

void
client_cert_fingerprint(const X509 *x,
    char out[static CLIENT_CERT_FINGERPRINT])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[EVP_MAX_MD_SIZE] = { 0 };
	unsigned n = 0;

	(void)X509_digest(x, EVP_sha256(), hash, &n);
	for (size_t i = 0; i < CLIENT_CERT_FINGERPRINT / 2; i++) {
		out[2 * i] = digits[hash[i] >> 4];
		out[2 * i + 1] = digits[hash[i] & 15];
	}
}

static bool
is_digit(char c)
{
	return ascii_is_digit(c) || (c >= 'a' && c <= 'f');
}

/* Pairs of digits, all of them parted by colons or none. */
bool
client_cert_fingerprint_read(struct str s,
    char out[static CLIENT_CERT_FINGERPRINT])
{
	size_t step, pairs = CLIENT_CERT_FINGERPRINT / 2;

	(void)str_skip_icase(&s, STR("sha256:"));
	step = s.n == 3 * pairs - 1 ? 3 : 2;
	if (s.n != step * pairs - (step - 2))
		return false;
	for (size_t i = 0; i < pairs; i++) {
		out[2 * i] = ascii_lower(s.p[step * i]);
		out[2 * i + 1] = ascii_lower(s.p[step * i + 1]);
		if (!is_digit(out[2 * i]) || !is_digit(out[2 * i + 1]) ||
		    (step == 3 && i > 0 && s.p[step * i - 1] != ':'))
			return false;
	}
	return true;
}

/* ---- names ---- */

static void
name_put(struct buf *out, const ASN1_STRING *s)
{
	unsigned char *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, s);
	struct str name = { (const char *)text, n > 0 ? (size_t)n : 0 };

	if (name.n > 0 && name.n <= NAME_MOST && str_is_printable(name)) {
		if (out->n > 0)
			buf_putc(out, '\n');
		buf_put(out, name);
	}
	OPENSSL_free(text);
}

/* RFC 5280 4.2.1.6: rfc822Name. */
static void
alternative_put(struct buf *out, const X509 *x)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_EMAIL)
			name_put(out, g->d.rfc822Name);
	}
	GENERAL_NAMES_free(all);
}

static void
subject_put(struct buf *out, const X509 *x, int nid)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	int at = -1;

	while ((at = X509_NAME_get_index_by_NID(subject, nid, at)) >= 0)
		name_put(out, X509_NAME_ENTRY_get_data(
		    X509_NAME_get_entry(subject, at)));
}

void
client_cert_names(const X509 *x, struct buf *out)
{
	alternative_put(out, x);
	if (out->n == 0)
		subject_put(out, x, NID_pkcs9_emailAddress);
	subject_put(out, x, NID_commonName);
	ERR_clear_error();
}
