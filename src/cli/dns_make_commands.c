/* dns_make_commands.c -- one record out of its own words: dns spf, dmarc, dkim,
 * mta-sts, tlsrpt, caa, tlsa. */
#include "base/err.h"
#include "base/num.h"
#include "cli/files.h"
#include "cli/resolve.h"
#include "fiber/dns.h"
#include "policy/domain.h"
#include "policy/record_text.h"
#include "trust/certificate.h"
#include "trust/dkim_published.h"
#include "trust/spf.h"
#include "wire/dmarc.h"
#include "wire/mta_sts.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <sysexits.h>

enum { LINE_MOST = 3000, TEXT_MOST = 2048, SPF_TEXT_MOST = 450, PORT_SMTP = 25,
	KEY_BITS_LEAST = 1024, KEY_BITS_GOOD = 2048 };

static int
line_print(const struct dns_entry *r)
{
	char room[LINE_MOST];
	struct buf b = BUF_OF(room);

	record_put_line(r, &b);
	if (b.full)
		return cli_fail(EX_DATAERR, "the record is too long");
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	return 0;
}

static int
text_print(struct str name, struct str text)
{
	struct dns_entry r = { .type = DNS_TXT, .name = name, .value = text };

	return line_print(&r);
}

static int
domain_of(struct cli *c, struct str text, struct str *out)
{
	return domain_canonical(&c->arena, text, out) ? 0 :
	    cli_fail(EX_USAGE, "'" STR_FMT "' is no domain", STR_ARG(text));
}

static struct str
below(struct cli *c, const char *label, struct str domain)
{
	return arena_printf(&c->arena, "%s." STR_FMT, label, STR_ARG(domain));
}

/* "name=value" */
static int
word_cut(struct str word, struct str *name, struct str *value)
{
	*value = word;
	if (str_find(word, '=') == word.n)
		return cli_fail(EX_USAGE, "'" STR_FMT "' is not NAME=VALUE",
		    STR_ARG(word));
	*name = str_cut(value, '=');
	return 0;
}

/* ---- SPF ---- */

static bool
terms_have(const struct spf_term *terms, size_t n, enum spf_kind kind)
{
	for (size_t i = 0; i < n; i++)
		if (terms[i].kind == kind)
			return true;
	return false;
}

/* RFC 7208 4.6.4: each of these asks the DNS. */
static unsigned
terms_cost(const struct spf_term *terms, size_t n)
{
	unsigned cost = 0;

	for (size_t i = 0; i < n; i++)
		cost += terms[i].kind != SPF_ALL && terms[i].kind != SPF_IP4 &&
		    terms[i].kind != SPF_IP6 && terms[i].kind != SPF_EXP &&
		    terms[i].kind != SPF_UNKNOWN;
	return cost;
}

static bool
terms_are_same(const struct spf_term *a, const struct spf_term *b)
{
	return a->kind == b->kind && str_eq_icase(a->text, b->text);
}

static int
twice_refuse(const struct spf_term *terms, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (terms_are_same(&terms[i], &terms[k]))
				return cli_fail(EX_USAGE, "'" STR_FMT
				    "' stands there twice",
				    STR_ARG(terms[i].text));
	return 0;
}

static int
terms_refuse(const struct spf_term *terms, size_t n)
{
	bool has_all = terms_have(terms, n, SPF_ALL);

	for (size_t i = 0; i < n; i++) {
		if (terms[i].kind == SPF_ALL &&
		    terms[i].qualifier == SPF_PASS)
			return cli_fail(EX_USAGE, "'" STR_FMT "' lets everybody "
			    "send with the domain's name; ~all or -all is meant",
			    STR_ARG(terms[i].text));
		if (terms[i].kind == SPF_ALL && i + 1 < n &&
		    terms[i + 1].kind < SPF_MECHANISMS)
			return cli_fail(EX_USAGE, "'" STR_FMT "' stands behind "
			    "all, where nobody looks", STR_ARG(terms[i + 1].text));
		if (terms[i].kind == SPF_REDIRECT && has_all)
			return cli_fail(EX_USAGE, "all and redirect contradict "
			    "each other: with all nobody goes on to '" STR_FMT
			    "'", STR_ARG(terms[i].text));
		if (terms[i].kind == SPF_PTR)
			return cli_fail(EX_USAGE, "ptr is not to be used (RFC "
			    "7208 5.5): name the addresses by ip4: and ip6:");
		if (terms[i].kind == SPF_UNKNOWN)
			return cli_fail(EX_USAGE, "'" STR_FMT "' is no term that "
			    "means something", STR_ARG(terms[i].text));
	}
	if (terms_cost(terms, n) > SPF_LOOKUPS)
		return cli_fail(EX_USAGE, "these terms cost %u look-ups, and 10 "
		    "are allowed", terms_cost(terms, n));
	return twice_refuse(terms, n);
}

static int
spf_read_back(struct cli *c, struct str text, bool *is_open)
{
	struct spf_term *terms = arena_alloc(&c->arena, CLI_WORDS_MOST *
	    sizeof *terms);
	const char *wrong;
	size_t n = 0;

	if (terms == NULL)
		return cli_fail(EX_OSERR, "no memory");
	wrong = spf_read(text, terms, CLI_WORDS_MOST, &n);
	if (wrong != NULL)
		return cli_fail(EX_USAGE, "'" STR_FMT "' %s", STR_ARG(n > 0 ?
		    terms[n - 1].text : text), wrong);
	*is_open = !terms_have(terms, n, SPF_ALL) &&
	    !terms_have(terms, n, SPF_REDIRECT);
	return terms_refuse(terms, n);
}

int
command_dns_spf(struct cli *c)
{
	char room[TEXT_MOST];
	struct buf b = BUF_OF(room);
	struct str domain;
	bool is_open = false;
	int rc;

	if (c->n_words < 2)
		return cli_usage("dns spf");
	rc = domain_of(c, c->words[0], &domain);
	buf_printf(&b, "v=spf1");
	for (size_t i = 1; i < c->n_words; i++)
		buf_printf(&b, " " STR_FMT, STR_ARG(c->words[i]));
	if (rc == 0)
		rc = b.full ? cli_fail(EX_USAGE, "these terms are too long") :
		    spf_read_back(c, buf_str(&b), &is_open);
	if (rc == 0 && is_open)
		buf_printf(&b, " ~all");
	if (rc == 0 && b.n > SPF_TEXT_MOST)
		return cli_fail(EX_USAGE, "the record would have %zu octets; "
		    "beyond %d an answer may not fit into a packet (RFC 7208 "
		    "3.4)", b.n, SPF_TEXT_MOST);
	return rc != 0 ? rc : text_print(domain, buf_str(&b));
}

/* ---- DMARC ---- */

static bool
is_one_of(struct str value, const char *words)
{
	struct str rest = str_of(words);

	while (rest.n > 0)
		if (str_eq(str_cut(&rest, '|'), value))
			return true;
	return false;
}

/* RFC 9989 4.7 */
static const struct { const char *name, *words; } dmarc_tags[] = {
	{ "p", "none|quarantine|reject" }, { "sp", "none|quarantine|reject" },
	{ "np", "none|quarantine|reject" }, { "adkim", "r|s" },
	{ "aspf", "r|s" }, { "t", "y|n" }, { "psd", "y|n|u" },
	{ "fo", NULL }, { "rua", NULL }, { "ruf", NULL },
};

static int
tag_refuse(struct str name, struct str value)
{
	for (size_t i = 0; i < sizeof dmarc_tags / sizeof *dmarc_tags; i++) {
		if (!str_eq(name, str_of(dmarc_tags[i].name)))
			continue;
		if (dmarc_tags[i].words != NULL &&
		    !is_one_of(value, dmarc_tags[i].words))
			return cli_fail(EX_USAGE, "%s is one of %s, not '"
			    STR_FMT "'", dmarc_tags[i].name,
			    dmarc_tags[i].words, STR_ARG(value));
		return 0;
	}
	if (is_one_of(name, "pct|rf|ri"))
		return cli_fail(EX_USAGE, STR_FMT " is no tag any more (RFC "
		    "9989): for testing there is t=y", STR_ARG(name));
	return cli_fail(EX_USAGE, "there is no tag '" STR_FMT "'",
	    STR_ARG(name));
}

static int
uris_refuse(struct str name, struct str list)
{
	struct dmarc_uri uri;
	size_t n = 0, wanted = 1;

	for (size_t i = 0; i < list.n; i++)
		wanted += list.p[i] == ',';
	while (dmarc_uri_next(&list, &uri))
		n += uri.mailbox.p != NULL;
	return n == wanted ? 0 : cli_fail(EX_USAGE, STR_FMT " is a list of "
	    "mailto: URIs with commas between", STR_ARG(name));
}

/* What is looked at once all are there. */
struct dmarc_words {
	struct str rua, fo;
};

static int
dmarc_word_take(struct str word, struct dmarc_words *w)
{
	struct str name, value;
	int rc = word_cut(word, &name, &value);

	if (rc == 0)
		rc = tag_refuse(name, value);
	if (rc != 0)
		return rc;
	if (str_find(value, ';') < value.n)
		return cli_fail(EX_USAGE, "in '" STR_FMT "' a semicolon ends the "
		    "tag: write %%3B", STR_ARG(word));
	if (str_eq(name, STR("rua")))
		w->rua = value;
	else if (str_eq(name, STR("fo")))
		w->fo = value;
	return is_one_of(name, "rua|ruf") ? uris_refuse(name, value) : 0;
}

static int
tags_twice_refuse(const struct cli *c)
{
	for (size_t i = 1; i < c->n_words; i++)
		for (size_t k = 1; k < i; k++) {
			struct str a = c->words[i], b = c->words[k];
			struct str name = str_cut(&a, '=');

			if (str_eq(name, str_cut(&b, '=')))
				return cli_fail(EX_USAGE, "'" STR_FMT "' stands "
				    "there twice", STR_ARG(name));
		}
	return 0;
}

static int
fo_refuse(const struct dmarc_record *r, struct str fo)
{
	if (fo.p == NULL)
		return 0;
	if (r->ruf.p == NULL)
		return cli_fail(EX_USAGE, "fo says when failures are reported, "
		    "and without ruf they are reported to nobody");
	return r->fo != DMARC_FO_0 || str_eq(fo, STR("0")) ? 0 :
	    cli_fail(EX_USAGE, "fo is 0 or 1, d, s, with colons between, not '"
	    STR_FMT "'", STR_ARG(fo));
}

static int
dmarc_whole_refuse(struct str text, struct str fo)
{
	struct dmarc_record r;

	if (dmarc_read(text, &r) != DMARC_RECORD || !r.has_p)
		return cli_fail(EX_USAGE, "there must be p=none, p=quarantine or "
		    "p=reject");
	if (r.has_sp && r.sp > r.p && r.p == DMARC_POLICY_NONE)
		(void)cli_fail(0, "subdomains are stricter than the domain itself; "
		    "that may be meant");
	if (r.is_testing && r.p == DMARC_POLICY_NONE)
		return cli_fail(EX_USAGE, "t=y makes a policy one step weaker, and "
		    "p=none has none below");
	if (r.p == DMARC_POLICY_NONE && r.rua.p == NULL)
		return cli_fail(EX_USAGE, "p=none without rua does nothing: it "
		    "protects nobody, and nobody is told");
	return fo_refuse(&r, fo);
}

/* RFC 9990 4 */
static int
consents_print(struct cli *c, struct str domain, struct str list)
{
	char room[400];
	struct dmarc_uri uri;
	int rc = 0;

	while (rc == 0 && dmarc_uri_next(&list, &uri)) {
		struct buf b = BUF_OF(room);
		struct str to;

		if (!dmarc_uri_mailbox(&uri, &b, &to) ||
		    name_is_within(to, domain) || name_is_within(domain, to))
			continue;
		printf("; in the zone of " STR_FMT ", which says by it that it "
		    "wants the reports:\n;", STR_ARG(to));
		rc = text_print(arena_printf(&c->arena, STR_FMT
		    "._report._dmarc." STR_FMT, STR_ARG(domain), STR_ARG(to)),
		    STR("v=DMARC1;"));
	}
	return rc;
}

int
command_dns_dmarc(struct cli *c)
{
	char room[TEXT_MOST];
	struct buf b = BUF_OF(room);
	struct dmarc_words w = { .rua = STR_NONE };
	struct str domain;
	int rc;

	if (c->n_words < 2)
		return cli_usage("dns dmarc");
	rc = domain_of(c, c->words[0], &domain);
	buf_printf(&b, "v=DMARC1");
	for (size_t i = 1; rc == 0 && i < c->n_words; i++) {
		rc = dmarc_word_take(c->words[i], &w);
		buf_printf(&b, "; " STR_FMT, STR_ARG(c->words[i]));
	}
	if (rc == 0)
		rc = tags_twice_refuse(c);
	if (rc == 0)
		rc = b.full ? cli_fail(EX_USAGE, "the record is too long") :
		    dmarc_whole_refuse(buf_str(&b), w.fo);
	if (rc == 0)
		rc = text_print(below(c, "_dmarc", domain), buf_str(&b));
	return rc != 0 ? rc : consents_print(c, domain, w.rua);
}

/* ---- files ---- */

static int
file_take(struct cli *c, struct str path, struct str *out)
{
	struct source_file file;

	if (files_source.read(&files_source, path, &c->arena, &file) !=
	    SOURCE_FOUND)
		return cli_fail(EX_NOINPUT, STR_FMT " cannot be read",
		    STR_ARG(path));
	*out = file.bytes;
	return 0;
}

/* ---- DKIM ---- */

/* A public key, or the public half of a private one: that is refused, so that
 * nobody gets used to handing it about. */
static int
key_take(struct cli *c, struct str path, EVP_PKEY **out)
{
	struct str pem;
	BIO *bio;
	int rc = file_take(c, path, &pem);

	*out = NULL;
	if (rc != 0)
		return rc;
	if (str_find_str(pem, STR("PRIVATE KEY")) < pem.n)
		return cli_fail(EX_DATAERR, STR_FMT " holds a private key; "
		    "openssl pkey -pubout gives the public one", STR_ARG(path));
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (bio != NULL)
		*out = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return *out != NULL ? 0 : cli_fail(EX_DATAERR, STR_FMT
	    " holds no public key in PEM", STR_ARG(path));
}

static int
key_put(EVP_PKEY *key, struct buf *b)
{
	unsigned char raw[32], *der = NULL;
	size_t n = sizeof raw;
	int bits = EVP_PKEY_get_bits(key), size;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
		if (EVP_PKEY_get_raw_public_key(key, raw, &n) != 1)
			return cli_fail(EX_DATAERR, "the key cannot be read");
		dkim_record_put(b, DKIM_ED25519_SHA256,
		    (struct str){ (const char *)raw, n });
		return 0;
	}
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		return cli_fail(EX_DATAERR, "DKIM has keys of RSA and Ed25519 "
		    "only");
	if (bits < KEY_BITS_LEAST)
		return cli_fail(EX_DATAERR, "RSA with %d bits is refused by "
		    "receivers (RFC 8301): take 2048", bits);
	if (bits < KEY_BITS_GOOD)
		(void)cli_fail(0, "RSA with %d bits is weak: 2048 are what RFC "
		    "8301 wants", bits);
	size = i2d_PUBKEY(key, &der);
	if (size <= 0)
		return cli_fail(EX_DATAERR, "the key cannot be read");
	dkim_record_put(b, DKIM_RSA_SHA256,
	    (struct str){ (const char *)der, (size_t)size });
	OPENSSL_free(der);
	return 0;
}

int
command_dns_dkim(struct cli *c)
{
	char room[TEXT_MOST];
	struct buf b = BUF_OF(room);
	EVP_PKEY *key = NULL;
	struct str domain;
	int rc;

	if (c->n_words != 3)
		return cli_usage("dns dkim");
	rc = domain_of(c, c->words[0], &domain);
	if (rc == 0 && !dns_name_fits(c->words[1]))
		rc = cli_fail(EX_USAGE, "'" STR_FMT "' is no selector",
		    STR_ARG(c->words[1]));
	if (rc == 0)
		rc = key_take(c, c->words[2], &key);
	if (rc == 0)
		rc = key_put(key, &b);
	EVP_PKEY_free(key);
	return rc != 0 ? rc : text_print(arena_printf(&c->arena, STR_FMT
	    "._domainkey." STR_FMT, STR_ARG(c->words[1]), STR_ARG(domain)),
	    buf_str(&b));
}

/* ---- MTA-STS ---- */

struct sts_words {
	struct str mode, max_age, mx;	/* mx: lines */
};

static int
sts_word_take(struct cli *c, struct str word, struct sts_words *w)
{
	struct str name, value;
	int rc = word_cut(word, &name, &value);

	if (rc != 0)
		return rc;
	if (str_eq(name, STR("mode")))
		w->mode = value;
	else if (str_eq(name, STR("max_age")))
		w->max_age = value;
	else if (str_eq(name, STR("mx")))
		w->mx = arena_printf(&c->arena, STR_FMT "mx: " STR_FMT "\n",
		    STR_ARG(w->mx), STR_ARG(value));
	else
		return cli_fail(EX_USAGE, "a policy has mode, mx and max_age, not "
		    "'" STR_FMT "'", STR_ARG(name));
	return 0;
}

/* What is not told is the configuration's word. */
static int
sts_words_complete(struct cli *c, struct sts_words *w)
{
	struct config *config = NULL;
	int rc = w->mx.n > 0 ? 0 : resolve_prepare(c, &config);

	if (rc == 0 && w->mx.n == 0 && config == NULL)
		rc = cli_fail(EX_USAGE, "without a configuration mx=HOST must "
		    "be told");
	if (rc == 0 && w->mx.n == 0)
		w->mx = arena_printf(&c->arena, "mx: " STR_FMT "\n",
		    STR_ARG(config->hostname));
	if (w->mode.n == 0)
		w->mode = config != NULL && config->dns.mta_sts ==
		    DNS_STS_ENFORCE ? STR("enforce") : STR("testing");
	if (w->max_age.n == 0)
		w->max_age = str_eq(w->mode, STR("enforce")) ? STR("604800") :
		    STR("86400");
	if (config != NULL)
		config_free(config);
	return rc;
}

static int
sts_print(struct cli *c, struct str domain, const struct sts_words *w)
{
	struct sts_policy *read = arena_new(&c->arena, struct sts_policy);
	struct str text = arena_printf(&c->arena, "version: STSv1\nmode: "
	    STR_FMT "\n" STR_FMT "max_age: " STR_FMT "\n", STR_ARG(w->mode),
	    STR_ARG(w->mx), STR_ARG(w->max_age)), rest = text;
	const char *wrong;
	int rc;

	if (read == NULL || text.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	wrong = sts_policy_read(text, read);
	if (wrong != NULL)
		return cli_fail(EX_USAGE, "such a policy would not be "
		    "understood: %s", wrong);
	rc = text_print(below(c, "_mta-sts", domain), arena_printf(&c->arena,
	    "v=STSv1; id=" STR_FMT ";", STR_ARG(sts_policy_id(text,
	    &c->arena))));
	printf("; the text of https://mta-sts." STR_FMT
	    "/.well-known/mta-sts.txt:\n", STR_ARG(domain));
	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');

		printf(";    " STR_FMT "\n", STR_ARG(line));
	}
	return rc;
}

int
command_dns_mta_sts(struct cli *c)
{
	struct sts_words w = { STR(""), STR(""), STR("") };
	struct str domain;
	int rc;

	if (c->n_words < 1)
		return cli_usage("dns mta-sts");
	rc = domain_of(c, c->words[0], &domain);
	for (size_t i = 1; rc == 0 && i < c->n_words; i++)
		rc = sts_word_take(c, c->words[i], &w);
	if (rc == 0)
		rc = sts_words_complete(c, &w);
	return rc != 0 ? rc : sts_print(c, domain, &w);
}

/* ---- TLS-RPT ---- */

/* RFC 8460 3: "," and ";" in an URI are encoded. */
static int
uri_refuse(struct str uri)
{
	if (!str_is_printable(uri) || str_find(uri, ',') < uri.n ||
	    str_find(uri, ';') < uri.n || str_find(uri, ' ') < uri.n ||
	    str_find(uri, '!') < uri.n)
		return cli_fail(EX_USAGE, "in '" STR_FMT "' a comma, a semicolon, "
		    "a space or ! must be written as %%2C, %%3B, %%20, %%21",
		    STR_ARG(uri));
	if ((str_has_prefix_icase(uri, STR("mailto:")) &&
	    str_find(uri, '@') < uri.n) ||
	    (str_has_prefix_icase(uri, STR("https://")) && uri.n > 8))
		return 0;
	return cli_fail(EX_USAGE, "'" STR_FMT "' is not mailto:ADDRESS or "
	    "https://...", STR_ARG(uri));
}

int
command_dns_tlsrpt(struct cli *c)
{
	char room[TEXT_MOST];
	struct buf b = BUF_OF(room);
	struct str domain;
	int rc;

	if (c->n_words < 2)
		return cli_usage("dns tlsrpt");
	rc = domain_of(c, c->words[0], &domain);
	buf_printf(&b, "v=TLSRPTv1; rua=");
	for (size_t i = 1; rc == 0 && i < c->n_words; i++) {
		rc = uri_refuse(c->words[i]);
		buf_printf(&b, "%s" STR_FMT, i > 1 ? "," : "",
		    STR_ARG(c->words[i]));
	}
	if (rc == 0 && b.full)
		rc = cli_fail(EX_USAGE, "the record is too long");
	return rc != 0 ? rc : text_print(below(c, "_smtp._tls", domain),
	    buf_str(&b));
}

/* ---- CAA ---- */

/* RFC 8659 4.2, 4.4 */
static int
caa_refuse(struct str tag, struct str value)
{
	struct str rest = value, issuer = str_trim_wsp(str_cut(&rest, ';'));

	if (str_eq(tag, STR("iodef")))
		return str_has_prefix_icase(value, STR("mailto:")) ||
		    str_has_prefix_icase(value, STR("https://")) ? 0 :
		    cli_fail(EX_USAGE, "iodef is mailto: or https://");
	if (!is_one_of(tag, "issue|issuewild"))
		return cli_fail(EX_USAGE, "CAA has issue, issuewild and iodef, "
		    "not '" STR_FMT "'", STR_ARG(tag));
	return issuer.n == 0 || dns_name_fits(issuer) ? 0 : cli_fail(EX_USAGE,
	    "'" STR_FMT "' is no name of an authority; ; alone allows none",
	    STR_ARG(issuer));
}

/* Nobody, and somebody. */
static int
caa_contradiction(struct cli *c)
{
	for (size_t i = 1; i < c->n_words; i++)
		for (size_t k = 1; k < c->n_words; k++) {
			struct str a, b, x, y;

			if (word_cut(c->words[i], &a, &x) != 0 ||
			    word_cut(c->words[k], &b, &y) != 0)
				return EX_USAGE;
			if (str_eq(a, b) && str_eq(str_trim(x), STR(";")) &&
			    !str_eq(str_trim(y), STR(";")))
				return cli_fail(EX_USAGE, STR_FMT "=; allows "
				    "nobody, and '" STR_FMT "' somebody",
				    STR_ARG(a), STR_ARG(c->words[k]));
		}
	return 0;
}

int
command_dns_caa(struct cli *c)
{
	struct dns_entry r = { .type = DNS_CAA };
	int rc;

	if (c->n_words < 2)
		return cli_usage("dns caa");
	rc = domain_of(c, c->words[0], &r.name);
	if (rc == 0)
		rc = caa_contradiction(c);
	for (size_t i = 1; rc == 0 && i < c->n_words; i++) {
		rc = word_cut(c->words[i], &r.tag, &r.value);
		if (rc == 0)
			rc = caa_refuse(r.tag, r.value);
	}
	for (size_t i = 1; rc == 0 && i < c->n_words; i++) {
		rc = word_cut(c->words[i], &r.tag, &r.value);
		if (rc == 0)
			rc = line_print(&r);
	}
	return rc;
}

/* ---- TLSA ---- */

static int
tlsa_print(struct cli *c, struct str host, uint64_t port, struct str path)
{
	struct certificate cert;
	struct dns_entry r = { .type = DNS_TLSA };
	struct str pem;
	int rc = file_take(c, path, &pem);

	if (rc != 0)
		return rc;
	if (certificate_read(pem, &cert) != 0)
		return cli_fail(EX_DATAERR, STR_FMT ": %s", STR_ARG(path),
		    err_text());
	r.name = arena_printf(&c->arena, "_%u._tcp." STR_FMT, (unsigned)port,
	    STR_ARG(host));
	r.value = tlsa_print_key(&cert, &c->arena);
	certificate_free(&cert);
	return r.value.p == NULL ? cli_fail(EX_OSERR, "no memory") :
	    line_print(&r);
}

int
command_dns_tlsa(struct cli *c)
{
	uint64_t port = PORT_SMTP;
	struct str host, rest;
	int rc;

	if (c->n_words < 2)
		return cli_usage("dns tlsa");
	rest = c->words[0];
	host = str_cut(&rest, ':');
	if (rest.n > 0 && (!parse_u64(rest, UINT16_MAX, &port) || port == 0))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no port",
		    STR_ARG(rest));
	rc = domain_of(c, host, &host);
	for (size_t i = 1; rc == 0 && i < c->n_words; i++)
		rc = tlsa_print(c, host, port, c->words[i]);
	return rc;
}
