#include "trust/tls_demand.h"

#include "base/buf.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "trust/dane.h"

#include <openssl/x509v3.h>

const char *
tls_level_name(enum tls_level level)
{
	static const char *const names[TLS_LEVELS] = {
		[TLS_LEVEL_NONE] = "none", [TLS_LEVEL_MAY] = "may",
		[TLS_LEVEL_ENCRYPT] = "encrypt", [TLS_LEVEL_VERIFY] = "verify",
		[TLS_LEVEL_DANE] = "dane" };

	must(level < TLS_LEVELS);
	return names[level];
}

const char *
tls_result_name(enum tls_result result)
{
	static const char *const names[TLS_RESULTS] = {
		[TLS_RESULT_FINE] = "",
#define TLS_RESULT(name, word) [TLS_RESULT_##name] = word,
#include "trust/tls_demand.def"
#undef TLS_RESULT
	};

	must(result < TLS_RESULTS);
	return names[result];
}

/* ---- names ---- */

/* RFC 9525 6.3: no wildcard but a whole first label, no Common Name; what the
 * older law still counts is asked for by cn_counts (RFC 7672 3.2.3). */
static bool
name_is_of(const struct tls_demand *d, struct str name, X509 *leaf)
{
	unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	    (d->cn_counts ? 0u : X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	char ip[80];

	if (name.n == 0)
		return false;
	if (str_cstr(name, ip, sizeof ip) &&
	    X509_check_ip_asc(leaf, ip, 0) == 1)
		return true;
	return X509_check_host(leaf, name.p, name.n, flags, NULL) == 1;
}

bool
tls_demand_has_name(const struct tls_demand *d, X509 *leaf)
{
	must(d->n_names <= TLS_DEMAND_NAMES);
	for (size_t i = 0; leaf != NULL && i < d->n_names; i++)
		if (name_is_of(d, d->names[i], leaf))
			return true;
	return false;
}

/* ---- chains ---- */

const char *
tls_chain_trouble(long verdict, enum tls_result *result)
{
	*result = TLS_RESULT_CERTIFICATE_NOT_TRUSTED;
	switch (verdict) {
	case X509_V_OK:
		*result = TLS_RESULT_FINE;
		return "";
	case X509_V_ERR_CERT_HAS_EXPIRED:
		*result = TLS_RESULT_CERTIFICATE_EXPIRED;
		return "it has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		*result = TLS_RESULT_CERTIFICATE_EXPIRED;
		return "it is not valid yet";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return "it is signed by itself";
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return "no authority that is trusted here vouches for it";
	default:
		*result = TLS_RESULT_VALIDATION_FAILURE;
		return X509_verify_cert_error_string(verdict);
	}
}

/* ---- judgments ---- */

const char *
tls_kind_name(enum tls_kind kind)
{
	static const char *const names[TLS_KINDS] = {
		[TLS_KIND_CLEAR] = "clear", [TLS_KIND_ENCRYPT] = "encrypt",
		[TLS_KIND_TRUST] = "trust", [TLS_KIND_VERIFY] = "verify",
		[TLS_KIND_MTA_STS] = "mta_sts", [TLS_KIND_DANE] = "dane",
		[TLS_KIND_REFUSED] = "refused" };

	must(kind < TLS_KINDS);
	return names[kind];
}

static enum tls_kind
kind_of_proof(const struct tls_demand *d, enum tls_proof proof)
{
	switch (proof) {
	case TLS_PROOF_NONE:
		return TLS_KIND_CLEAR;
	case TLS_PROOF_ENCRYPTED:
		return TLS_KIND_ENCRYPT;
	case TLS_PROOF_TRUSTED:
		return TLS_KIND_TRUST;
	case TLS_PROOF_VERIFIED:
		return d->asker == TLS_ASKED_BY_STS && !d->is_testing &&
		    d->level == TLS_LEVEL_VERIFY ? TLS_KIND_MTA_STS :
		    TLS_KIND_VERIFY;
	case TLS_PROOF_DANE:
		return TLS_KIND_DANE;
	}
	must(false);
	return TLS_KIND_REFUSED;
}

enum tls_kind
tls_kind_of(const struct tls_demand *d, const struct tls_judgment *j)
{
	return j == NULL || !j->is_met ? TLS_KIND_REFUSED :
	    kind_of_proof(d, j->proof);
}

static void
judgment_tell(struct tls_judgment *j, const struct tls_demand *d,
    const char *version)
{
	struct buf b = BUF_OF(j->told);

	buf_printf(&b, "%s%s%s", j->proof == TLS_PROOF_NONE ? "" : version,
	    j->proof == TLS_PROOF_NONE ? "" : "/",
	    tls_kind_name(kind_of_proof(d, j->proof)));
	buf_putc(&b, '\0');
	must(!b.full);
}

/* What `b' says, into j->why, with who wants it. */
static void
judgment_refuse(struct tls_judgment *j, const struct tls_demand *d,
    struct buf *b)
{
	struct buf why = { .p = j->why, .cap = sizeof j->why - 1 };

	buf_put(&why, buf_str(b));
	if (d->asked_in.n > 0)
		buf_printf(&why, " (" STR_FMT " asks for '%s')",
		    STR_ARG(d->asked_in), tls_level_name(d->level));
	j->why[why.n] = '\0';
	j->is_met = false;
}

/* What the chain and its name prove by themselves. */
static void
proof_find(const struct tls_demand *d, const struct tls_facts *f,
    struct tls_judgment *j)
{
	bool has_name = tls_demand_has_name(d, f->peer);

	j->proof = TLS_PROOF_ENCRYPTED;
	(void)tls_chain_trouble(f->verdict, &j->result);
	if (f->peer == NULL)
		j->result = TLS_RESULT_CERTIFICATE_NOT_TRUSTED;
	else if (j->result == TLS_RESULT_FINE && has_name)
		j->proof = d->names_are_sure ? TLS_PROOF_VERIFIED :
		    TLS_PROOF_TRUSTED;
	else if (j->result == TLS_RESULT_FINE) {
		j->proof = TLS_PROOF_TRUSTED;
		j->result = TLS_RESULT_CERTIFICATE_HOST_MISMATCH;
	}
}

static void
verify_refuse(const struct tls_demand *d, const struct tls_facts *f,
    struct tls_judgment *j)
{
	char room[TLS_WHY_MOST];
	struct buf b = BUF_OF(room);
	enum tls_result r;

	if (f->peer == NULL)
		buf_printf(&b, "the host showed no certificate");
	else if (d->n_names == 0)
		buf_printf(&b, "it is not known which name the host's "
		    "certificate should have");
	else if (j->result == TLS_RESULT_CERTIFICATE_HOST_MISMATCH)
		buf_printf(&b, "the host's certificate is not for " STR_FMT,
		    STR_ARG(d->names[0]));
	else
		buf_printf(&b, "the host's certificate is not trusted: %s",
		    tls_chain_trouble(f->verdict, &r));
	judgment_refuse(j, d, &b);
}

/* What the owner of the domain says of his host is all that counts. */
static void
dane_judge(const struct tls_demand *d, const struct tls_facts *f,
    struct tls_judgment *j)
{
	long verdict = dane_verify(d, f->peer, f->peer_chain, clock_wall());
	char room[TLS_WHY_MOST];
	struct buf b = BUF_OF(room);

	j->proof = verdict == X509_V_OK ? TLS_PROOF_DANE :
	    TLS_PROOF_ENCRYPTED;
	j->result = TLS_RESULT_FINE;
	if (verdict == X509_V_OK)
		return;
	if (verdict == X509_V_ERR_HOSTNAME_MISMATCH) {
		j->result = TLS_RESULT_CERTIFICATE_HOST_MISMATCH;
		buf_printf(&b, "the host's certificate is not for " STR_FMT,
		    STR_ARG(d->names[0]));
	} else if (verdict == X509_V_ERR_CERT_HAS_EXPIRED ||
	    verdict == X509_V_ERR_CERT_NOT_YET_VALID) {
		buf_printf(&b, "of the host's certificate: %s",
		    tls_chain_trouble(verdict, &j->result));
	} else {
		j->result = TLS_RESULT_VALIDATION_FAILURE;
		buf_printf(&b, "no TLSA record names the host's certificate");
	}
	judgment_refuse(j, d, &b);
}

void
tls_demand_judge(const struct tls_demand *d, const struct tls_facts *f,
    struct tls_judgment *j)
{
	*j = (struct tls_judgment){ .is_met = true };
	must(d->level < TLS_LEVELS && f->version != NULL);
	proof_find(d, f, j);
	switch (d->level) {
	case TLS_LEVEL_NONE:
	case TLS_LEVEL_MAY:
	case TLS_LEVEL_ENCRYPT:
		break;
	case TLS_LEVEL_VERIFY:
		if (j->proof < TLS_PROOF_VERIFIED)
			verify_refuse(d, f, j);
		break;
	case TLS_LEVEL_DANE:
		dane_judge(d, f, j);
		break;
	case TLS_LEVELS:
		must(false);
	}
	judgment_tell(j, d, f->version);
}

void
tls_demand_judge_clear(const struct tls_demand *d, struct str trouble,
    struct tls_judgment *j)
{
	char room[TLS_WHY_MOST];
	struct buf b = BUF_OF(room);

	*j = (struct tls_judgment){ .proof = TLS_PROOF_NONE, .is_met = true,
		.result = trouble.n == 0 ? TLS_RESULT_STARTTLS_NOT_SUPPORTED :
		    TLS_RESULT_VALIDATION_FAILURE };
	if (d->level == TLS_LEVEL_NONE)
		j->result = TLS_RESULT_FINE;
	buf_put(&b, trouble.n == 0 ? STR("the host does not offer STARTTLS") :
	    trouble);
	if (d->level > TLS_LEVEL_MAY)
		judgment_refuse(j, d, &b);
	judgment_tell(j, d, "");
}
