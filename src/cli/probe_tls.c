/* probe_tls.c -- TLS: what it came to, and whether the certificate is right. */
#include "base/err.h"
#include "cli/probe.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "fiber/tls.h"
#include "trust/dane.h"

#include <time.h>

enum { SOON_DAYS = 14, RSA_LEAST = 2048 };

/* ---- certificates ---- */

static struct str
name_print(struct probe *p, X509_NAME *name)
{
	BIO *out = BIO_new(BIO_s_mem());
	struct str text = STR("?");
	char *bytes;
	long n;

	if (out != NULL && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 &
	    ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
		n = BIO_get_mem_data(out, &bytes);
		if (n > 0)
			text = arena_copy(p->arena, (struct str){ bytes,
			    (size_t)n });
	}
	BIO_free(out);
	return text;
}

static struct wall
time_of(const ASN1_TIME *t)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return (struct wall){ 0 };
	return (struct wall){ (int64_t)timegm(&tm) * US_PER_SECOND };
}

static struct str
key_print(struct probe *p, X509 *x)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	const char *kind = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);

	return arena_printf(p->arena, "%s %d, %s", kind == NULL ? "?" : kind,
	    key == NULL ? 0 : EVP_PKEY_get_bits(key),
	    OBJ_nid2sn(X509_get_signature_nid(x)));
}

static void
chain_keep(struct probe *p, const struct tls_facts *f)
{
	for (int i = 0; f->peer_chain != NULL && p->tls.n < PROBE_CHAIN_MOST &&
	    i < sk_X509_num(f->peer_chain); i++) {
		X509 *x = sk_X509_value(f->peer_chain, i);

		p->tls.chain[p->tls.n++] = (struct probe_certificate){
			.subject = name_print(p, X509_get_subject_name(x)),
			.issuer = name_print(p, X509_get_issuer_name(x)),
			.key = key_print(p, x),
			.until = time_of(X509_get0_notAfter(x)) };
	}
}

static int64_t
days_left(const struct probe_certificate *c)
{
	return (c->until.us - clock_wall().us) / (86400 * US_PER_SECOND);
}

static void
leaf_judge(struct probe *p, X509 *leaf)
{
	EVP_PKEY *key = X509_get0_pubkey(leaf);
	int64_t days = days_left(&p->tls.chain[0]);
	int hash = NID_undef;

	if (X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0 &&
	    days < SOON_DAYS)
		probe_find(p, PROBE_HINT, "renew it now, and see why that did "
		    "not happen by itself", "the certificate ends in %lld "
		    "days", (long long)days);
	if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	    EVP_PKEY_get_bits(key) < RSA_LEAST)
		probe_find(p, PROBE_TROUBLE, "make a new key: RSA of 2048 bits "
		    "or P-256", "the certificate's key has %d bits",
		    EVP_PKEY_get_bits(key));
	if (OBJ_find_sigid_algs(X509_get_signature_nid(leaf), &hash, NULL) == 1 &&
	    (hash == NID_sha1 || hash == NID_md5))
		probe_find(p, PROBE_TROUBLE, "have it signed anew",
		    "the certificate is signed by way of %s",
		    OBJ_nid2sn(hash));
}

/* ---- the judgment ---- */

static void
dane_judge(struct probe *p, const struct tls_demand *d,
    const struct tls_facts *f)
{
	long verdict;

	if (p->dane != PROBE_DANE_FITS)
		return;			/* there is nothing that could fit */
	verdict = dane_verify(d, f->peer, f->peer_chain, clock_wall());
	if (verdict == X509_V_OK)
		return;
	p->dane = PROBE_DANE_MISFITS;
	probe_find(p, PROBE_TROUBLE, "publish TLSA records for this certificate "
	    "before it is used, and take the old ones away afterwards; until "
	    "then servers that heed DANE send nothing", "no TLSA record names "
	    "this certificate: %s", X509_verify_cert_error_string(verdict));
}

/* To other servers a certificate that nobody vouches for is still worth more
 * than none; to users it is not. */
static void
trust_judge(struct probe *p, const struct tls_demand *d,
    const struct tls_facts *f)
{
	bool is_needed = p->ask->is_submission || p->ask->knows_mta_sts;
	enum probe_weight weight = is_needed ? PROBE_TROUBLE : PROBE_HINT;
	enum tls_result result;
	const char *why = tls_chain_trouble(f->verdict, &result);

	p->tls.is_trusted = f->peer != NULL && f->verdict == X509_V_OK;
	p->tls.has_name = tls_demand_has_name(d, f->peer);
	if (!p->tls.is_trusted) {
		p->tls.trouble = arena_copy(p->arena, str_of(why));
		probe_find(p, p->dane == PROBE_DANE_FITS ? PROBE_HINT :
		    result == TLS_RESULT_CERTIFICATE_EXPIRED ? PROBE_TROUBLE :
		    weight, "have one from an authority, with those that lead "
		    "to it in the file (tls.cert), and renewed in time",
		    "the certificate is not trusted: %s", why);
	}
	if (!p->tls.has_name)
		probe_find(p, p->dane == PROBE_DANE_FITS ? PROBE_HINT : weight,
		    "have one for this name, or name the host as the "
		    "certificate does", "the certificate is not for " STR_FMT,
		    STR_ARG(p->host));
}

static void
facts_keep(struct probe *p, const struct tls_demand *d)
{
	struct tls_facts f;

	tls_facts(&p->net, &f);
	p->tls.is_there = true;
	p->tls.version = arena_copy(p->arena, str_of(f.version));
	p->tls.cipher = arena_copy(p->arena, str_of(f.cipher));
	chain_keep(p, &f);
	if (f.peer != NULL && p->tls.n > 0)
		leaf_judge(p, f.peer);
	dane_judge(p, d, &f);
	trust_judge(p, d, &f);
}

/* ---- the handshake ---- */

static struct tls_context *
context_new(const struct probe *p, bool resumes)
{
	struct tls_client_setup setup = { .anchors = p->ask->anchors,
		.least = TLS_LEAST_1_2, .resumes = resumes };

	return tls_client_new(&setup);
}

static struct str
host_sni(const struct probe *p)
{
	struct address a;

	return address_parse(p->host, 0, &a) ? STR_NONE : p->host;
}

static void
handshake_failed(struct probe *p)
{
	p->is_over = true;
	probe_find(p, PROBE_TROUBLE, p->ask->is_implicit ?
	    "does this port speak TLS from the first octet?  Else it may know "
	    "nothing newer than TLS 1.1, or no suite of ours" :
	    "it may know nothing newer than TLS 1.1, or no suite of ours; or "
	    "its key is not that of its certificate: its log says",
	    "%s", err_text());
	err_clear();
}

yields bool
probe_tls_begin(struct probe *p)
{
	struct tls_context *c = context_new(p, false);
	struct tls_demand d = { .level = TLS_LEVEL_VERIFY, .n_names = 1,
		.names = { p->host }, .sni = host_sni(p),
		.cn_counts = !p->ask->is_submission };
	struct mono since;
	int rc;

	if (c == NULL) {
		handshake_failed(p);
		return false;
	}
	probe_dane_ask(p, &d);
	p->net.deadline = probe_patience(p);
	since = clock_mono_exact();
	rc = tls_connect(&p->net, c, d.sni);
	tls_drop(c);
	if (rc != 0) {
		handshake_failed(p);
		return false;
	}
	probe_took(p, PROBE_TLS, since);
	facts_keep(p, &d);
	return true;
}

/* ---- again ---- */

static yields bool
answers(struct probe *q, const char *line, short code)
{
	struct reply *r = arena_new(q->arena, struct reply);

	if (r == NULL)
		return false;
	if (line != NULL)
		probe_say(q, str_of(line), STR_NONE);
	return probe_hear(q, r, NULL) == code;
}

static yields bool
clear_say(struct probe *q)
{
	const char *ehlo = arena_printf(q->arena, "EHLO " STR_FMT,
	    STR_ARG(q->ask->hostname)).p;

	return ehlo != NULL && answers(q, NULL, 220) && answers(q, ehlo, 250) &&
	    answers(q, "STARTTLS", 220);
}

/* By TLS 1.3 a ticket comes behind the handshake: something must be read. */
static yields bool
handshake_again(struct probe *q, struct tls_context *c, bool *is_resumed)
{
	struct tls_facts *f = arena_new(q->arena, struct tls_facts);

	if (f == NULL || (!q->ask->is_implicit && !clear_say(q)))
		return false;
	q->net.deadline = probe_patience(q);
	if (tls_connect(&q->net, c, host_sni(q)) != 0)
		return false;
	tls_facts(&q->net, f);
	*is_resumed = f->is_resumed;
	if (q->ask->is_implicit && !answers(q, NULL, 220))
		return false;
	return answers(q, "QUIT", 221);
}

/* Another connection, of which nothing is told. */
static yields bool
again(struct probe *p, struct tls_context *c, bool *is_resumed)
{
	struct probe *q = arena_new(p->arena, struct probe);
	struct probe_ask *quiet = arena_new(p->arena, struct probe_ask);
	struct net_end *end;
	bool fine;

	if (q == NULL || quiet == NULL)
		return false;
	*quiet = *p->ask;
	quiet->tell = NULL;
	probe_init(q, quiet, p->arena, p->host, &p->at);
	q->began = clock_mono();
	end = net_connect(&p->at, NULL, probe_patience(p));
	if (end == NULL)
		return false;
	stream_init(&q->net, end);
	fine = handshake_again(q, c, is_resumed);
	stream_close(&q->net);
	return fine;
}

/* Two more: the first has a ticket to show to the second. */
yields void
probe_tls_again(struct probe *p)
{
	struct tls_context *c = context_new(p, true);
	bool is_resumed = false;

	if (c != NULL && again(p, c, &is_resumed) &&
	    again(p, c, &is_resumed)) {
		p->tls.is_tried_again = true;
		p->tls.resumes = is_resumed;
	}
	tls_drop(c);
	err_clear();
}
