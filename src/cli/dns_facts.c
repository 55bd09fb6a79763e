#include "cli/dns_facts.h"

#include "base/err.h"
#include "cli/ask.h"
#include "cli/files.h"
#include "cli/own_address.h"
#include "cli/resolve.h"
#include "cli/told.h"
#include "fiber/net.h"
#include "policy/domain.h"
#include "policy/problem.h"
#include "policy/tls_wish.h"
#include "trust/certificate.h"
#include "trust/dkim_published.h"

#include <jansson.h>
#include <string.h>
#include <sysexits.h>

enum { ADDRESSES_MOST = 16 };

/* ---- the running server ---- */

static void
certificate_add(struct dns_facts *f, struct str pem, const char *source)
{
	struct record_certificate *c =
	    &f->certificates[f->records.n_certificates];

	if (f->records.n_certificates == FACTS_CERTIFICATES)
		return;
	if (certificate_read(pem, &c->cert) != 0) {
		err_clear();
		return;
	}
	c->is_renewed = strcmp(source, "acme") == 0;
	c->is_own = strcmp(source, "self") == 0;
	f->records.n_certificates++;
}

static int
chains_line(struct ask *a, struct str line)
{
	struct dns_facts *f = a->owner;
	json_t *j = told_read(line), *one;
	size_t i;

	if (j == NULL)
		return EX_DATAERR;
	json_array_foreach(json_object_get(j, "certificates"), i, one) {
		const char *source = json_string_value(json_object_get(one,
		    "source"));
		const char *pem = json_string_value(json_object_get(one,
		    "pem"));

		if (source != NULL && pem != NULL)
			certificate_add(f, str_of(pem), source);
	}
	json_decref(j);
	return 0;
}

static enum record_key_state
key_state(enum dkim_state s)
{
	return s == DKIM_NEXT ? RECORD_KEY_NEXT : s == DKIM_RETIRING ?
	    RECORD_KEY_RETIRING : RECORD_KEY_ACTIVE;
}

static int
keys_line(struct ask *a, struct str line)
{
	struct dns_facts *f = a->owner;
	struct dkim_published *list;
	struct record_key *keys;
	size_t n = 0;

	if (dkim_published_read(line, &a->cli->arena, &list, &n) != 0)
		return cli_fail(EX_DATAERR, "%s", err_text());
	keys = arena_alloc(&a->cli->arena, (n + 1) * sizeof *keys);
	if (keys == NULL)
		return cli_fail(EX_OSERR, "no memory");
	f->records.keys = keys;
	f->records.n_keys = 0;
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].domain, f->records.domain))
			keys[f->records.n_keys++] = (struct record_key){
			    list[i].selector, list[i].text,
			    key_state(list[i].state) };
	f->records.knows_keys = true;
	return 0;
}

/* Those that it has; those that it would get by the first mail. */
static int
keys_find(struct cli *c, struct dns_facts *f)
{
	struct ask shown = { .method = "GET", .body_fd = -1,
		.line = keys_line, .owner = f };
	struct ask made = { .method = "POST", .body_fd = -1,
		.line = keys_line, .owner = f };
	int rc;

	shown.target = arena_printf(&c->arena, "/v1/dkim?domain=" STR_FMT,
	    STR_ARG(f->records.domain));
	made.target = arena_printf(&c->arena, "/v1/dkim/make?domain=" STR_FMT,
	    STR_ARG(f->records.domain));
	rc = ask(c, &shown);
	if (rc == 0 && f->records.n_keys == 0 && f->makes_keys &&
	    f->config->outbound.dkim == DKIM_AUTO)
		rc = ask(c, &made);
	return rc;
}

static int
server_find(struct cli *c, struct dns_facts *f)
{
	struct ask chains = { .method = "GET", .target = STR("/v1/tls/chains"),
		.body_fd = -1, .line = chains_line, .owner = f };
	int rc = ask(c, &chains);

	if (rc == 0)
		rc = keys_find(c, f);
	f->records.knows_certificates = rc == 0;
	f->is_served = rc == 0;
	return rc;
}

/* ---- without it ---- */

static void
files_find(struct cli *c, struct dns_facts *f)
{
	const struct conf_strings *certs = &f->config->tls.cert;
	struct source_file file;
	size_t n = 0;

	for (size_t i = 0; i < certs->n; i++)
		if (files_source.read(&files_source, certs->v[i], &c->arena,
		    &file) == SOURCE_FOUND) {
			certificate_add(f, file.bytes, "file");
			n++;
		}
	err_clear();
	f->records.knows_certificates = n > 0 && n == certs->n;
}

/* ---- the machine ---- */

static int
addresses_take(struct cli *c, struct conf_addresses *out)
{
	struct str rest = c->addresses;

	out->n = 0;
	out->v = arena_alloc(&c->arena, ADDRESSES_MOST * sizeof *out->v);
	if (out->v == NULL)
		return cli_fail(EX_OSERR, "no memory");
	while (rest.n > 0) {
		struct str one = str_trim(str_cut(&rest, ','));

		if (out->n == ADDRESSES_MOST ||
		    !address_parse(one, 0, &out->v[out->n]))
			return cli_fail(EX_USAGE, "--addresses: '" STR_FMT
			    "' is no address, or there are more than %d",
			    STR_ARG(one), ADDRESSES_MOST);
		out->n++;
	}
	return 0;
}

static int
domain_take(struct cli *c, struct str domain, struct dns_facts *f)
{
	struct records_ask *r = &f->records;

	if (!domain_canonical(&c->arena, domain, &r->domain) ||
	    str_find(r->domain, '.') == r->domain.n)
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no domain of the "
		    "Internet", STR_ARG(domain));
	if (!r->sends_nothing && config_domain(f->config, r->domain) == NULL)
		return cli_fail(EX_USAGE, STR_FMT " is not among the domains of "
		    "the configuration; if it has no mail at all, say --no-mail",
		    STR_ARG(r->domain));
	return 0;
}

static int
config_need(struct cli *c, struct dns_facts *f)
{
	struct problems *p;
	int rc = resolve_prepare(c, &f->config);

	if (rc != 0 || f->config != NULL)
		return rc;
	if (cli_config_path(c).n > 0)
		return cli_fail(EX_CONFIG, "the configuration is refused; "
		    "nightmail check-config says why");
	p = arena_new(&c->arena, struct problems);
	if (p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	problems_init(p);
	f->config = config_load(&files_source, STR_NONE, p);
	problems_clear(p);
	return f->config != NULL ? 0 : cli_fail(EX_CONFIG, "there is no "
	    "configuration; nightmail check-config says more");
}

int
dns_facts_find(struct cli *c, struct str domain, bool makes_keys,
    struct dns_facts *f)
{
	int rc;

	*f = (struct dns_facts){ .records.sends_nothing = c->no_mail,
		.makes_keys = makes_keys };
	rc = config_need(c, f);
	if (rc != 0)
		return rc;
	f->records.config = f->config;
	f->records.certificates = f->certificates;
	if (f->config->outbound.wish != NULL &&
	    f->config->outbound.wish->anchors != NULL &&
	    f->config->tls.ca.n > 0)
		f->anchors = f->config->outbound.wish->anchors->pem;
	rc = domain_take(c, domain, f);
	if (rc == 0 && c->addresses.n > 0)
		rc = addresses_take(c, &f->records.addresses);
	else if (rc == 0 && !own_addresses(f->config, &c->arena,
	    &f->records.addresses))
		rc = cli_fail(EX_OSERR, "no memory");
	if (rc != 0 || c->no_mail)
		return rc;
	if (ask_is_served(c))
		return server_find(c, f);
	files_find(c, f);
	return 0;
}

void
dns_facts_end(struct dns_facts *f)
{
	for (size_t i = 0; i < f->records.n_certificates; i++)
		certificate_free(&f->certificates[i].cert);
	if (f->config != NULL)
		config_free(f->config);
}
