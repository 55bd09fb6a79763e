/* test_commands.c -- test smtp: another server, seen as a good client sees it. */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "cli/probe_domain.h"
#include "cli/probe_show.h"
#include "cli/password.h"
#include "cli/resolve.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/dns.h"
#include "fiber/fetch.h"
#include "policy/holder.h"
#include "policy/unit.h"
#include "wire/address.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <sysexits.h>

enum { PORTS_MOST = 8, ADDRESSES_MOST = 4, PROBE_MEMORY = 8 * 1024 * 1024,
	PATIENCE_S = 30, PORT_IMPLICIT = 465, PORT_SUBMISSION = 587,
	PORT_OTHER = 2525 };

struct testing {
	struct cli *cli;
	struct config *config;		/* or NULL */
	struct probe_ask ask;
	struct str host, domain;	/* one of them */
	size_t n_ports;
	uint16_t ports[PORTS_MOST];
	struct str anchors;		/* PEM, for HTTPS; or the system's */
	unsigned reached, troubles;
	bool is_unfound;		/* no host had an address */
	int64_t dns_ns;			/* of the last host's addresses; -1: none asked */
	struct utsname names;
};

/* ---- the words of the command ---- */

static int
port_add(struct testing *t, struct str text)
{
	uint64_t port;

	if (!parse_u64(text, 65535, &port) || port == 0)
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no port",
		    STR_ARG(text));
	if (t->n_ports == PORTS_MOST)
		return cli_fail(EX_USAGE, "more than %d ports", PORTS_MOST);
	t->ports[t->n_ports++] = (uint16_t)port;
	return 0;
}

static int
ports_take(struct testing *t)
{
	struct str list = t->cli->ports;
	int rc = 0;

	if (t->cli->all)
		list = STR("25,465,587,2525");
	while (rc == 0 && list.n > 0)
		rc = port_add(t, str_cut(&list, ','));
	if (rc == 0 && t->n_ports == 0)
		rc = port_add(t, STR("25"));
	return rc;
}

/* "host", "host:25", "192.0.2.1:25", "[2001:db8::1]:25", "2001:db8::1" */
static int
host_take(struct testing *t, struct str word)
{
	struct address a;
	struct str host = word;

	if (word.n > 0 && word.p[0] == '[') {
		host = str_sub(word, 1, word.n);
		host = str_cut(&host, ']');
		word = str_sub(word, host.n + 2, word.n);
	} else if (address_parse(word, 0, &a) ||
	    str_find(word, ':') == word.n)
		word = STR_NONE;
	else
		host = str_cut(&word, ':'), word = str_sub(t->cli->words[0],
		    host.n, t->cli->words[0].n);
	t->host = host;
	if (!address_parse(host, 0, &a) && !domain_is_valid(host, 0))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is neither a host's "
		    "name nor an address", STR_ARG(host));
	if (word.n == 0)
		return 0;
	if (word.p[0] != ':' || t->cli->ports.n > 0 || t->cli->all)
		return cli_fail(EX_USAGE, "one port behind the host, or --ports "
		    "or --all");
	return port_add(t, str_sub(word, 1, word.n));
}

static int
target_take(struct testing *t)
{
	struct cli *c = t->cli;

	if (c->n_words + (c->mx.n > 0) != 1)
		return cli_usage("test smtp");
	if (c->mx.n > 0 && !domain_is_valid(c->mx, 0))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no domain",
		    STR_ARG(c->mx));
	t->domain = c->mx;
	if (c->n_words == 1 && host_take(t, c->words[0]) != 0)
		return EX_USAGE;
	return t->n_ports > 0 ? 0 : ports_take(t);
}

static bool
address_is_fine(struct str s, bool may_be_null)
{
	struct mailbox m;

	return (s.n == 0 && may_be_null) ||
	    mailbox_parse(s, MAILBOX_STRICT, &m) == NULL;
}

static int
mail_take(struct testing *t)
{
	struct cli *c = t->cli;
	bool has_both = c->from.p != NULL && c->n_to == 1;

	if (str_eq(c->from, STR("<>")))
		c->from = STR("");
	if (c->n_to > 1 || (!has_both && (c->from.p != NULL || c->n_to > 0 ||
	    c->relay_check)))
		return cli_fail(EX_USAGE, "--from and one --to belong together%s",
		    c->relay_check ? ": --relay-check tries the addresses that "
		    "you name" : "");
	if (!has_both)
		return 0;
	if (!address_is_fine(c->from, true) || !address_is_fine(c->to[0], false))
		return cli_fail(EX_USAGE, "--from or --to is no mail address");
	t->ask.from = c->from;
	t->ask.to = c->to[0];
	t->ask.is_relay_check = c->relay_check;
	return 0;
}

static int
user_take(struct testing *t)
{
	struct cli *c = t->cli;

	if (c->user.n == 0)
		return 0;
	t->ask.user = c->user;
	if (password_ask(&c->arena, "Password: ", &t->ask.password) != 0)
		return cli_fail(EX_NOINPUT, "%s", err_text());
	return 0;
}

static int
patience_take(struct testing *t)
{
	t->ask.patience = PATIENCE_S * NS_PER_SECOND;
	if (t->cli->timeout.n > 0 && (!unit_duration(t->cli->timeout,
	    &t->ask.patience) || t->ask.patience <= 0))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is not a duration "
		    "(examples: 5s, 2m)", STR_ARG(t->cli->timeout));
	return 0;
}

/* ---- what is needed of this machine ---- */

static void
name_choose(struct testing *t, const struct config *c)
{
	t->ask.hostname = t->cli->name;
	if (t->ask.hostname.n == 0 && c != NULL)
		t->ask.hostname = arena_copy(&t->cli->arena, c->hostname);
	if (t->ask.hostname.n == 0 && uname(&t->names) == 0)
		t->ask.hostname = str_of(t->names.nodename);
	if (!domain_is_valid(t->ask.hostname, 0))
		t->ask.hostname = STR("localhost");
}

/* The DNS as the server asks it, the anchors as OpenSSL finds them. */
static int
world_make(struct testing *t)
{
	const char *file = getenv("SSL_CERT_FILE");
	struct source_file pem;
	int rc = resolve_prepare(t->cli, &t->config);

	name_choose(t, t->config);
	t->ask.anchors = X509_STORE_new();
	if (rc == 0 && (t->ask.anchors == NULL ||
	    X509_STORE_set_default_paths(t->ask.anchors) != 1 ||
	    fetch_prepare() != 0))
		rc = cli_fail(EX_OSERR, "no anchors: %s", err_text());
	if (rc == 0 && file != NULL && files_source.read(&files_source,
	    str_of(file), &t->cli->arena, &pem) == SOURCE_FOUND)
		t->anchors = pem.bytes;
	return rc;
}

/* ---- the tests ---- */

static void
findings_count(struct testing *t, const struct probe *p)
{
	t->troubles += p->troubles;
	t->reached += p->is_reached;
}

static yields void
address_test(struct testing *t, struct str host, const struct address *at)
{
	struct probe_ask ask = t->ask;
	struct arena a;
	struct probe *p;

	ask.is_implicit = t->cli->implicit || at->port == PORT_IMPLICIT;
	ask.is_submission = ask.is_implicit ||
	    at->port == PORT_SUBMISSION || at->port == PORT_OTHER;
	ask.tell = t->cli->json ? NULL : probe_said_print;
	arena_init(&a, PROBE_MEMORY);
	p = arena_new(&a, struct probe);
	if (p != NULL) {
		if (!t->cli->json)
			printf(STR_FMT " [%s] port %u\n", STR_ARG(host),
			    address_print(at).text, at->port);
		probe_init(p, &ask, &a, host, at);
		p->took[PROBE_DNS] = t->dns_ns;
		probe_run(p);
		if (!t->cli->json)
			probe_print(p);
		else if (probe_json(p) != 0)
			t->troubles++;
		findings_count(t, p);
	}
	arena_clear(&a);
}

static yields size_t
addresses_find(struct testing *t, struct str host, struct address *out)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	size_t n = 0;
	struct mono since = clock_mono_exact();

	t->dns_ns = -1;
	if (address_parse(host, 0, out))
		return 1;
	for (size_t k = 0; k < 2; k++) {
		struct dns_answer a;

		dns_ask(host, types[k], &t->cli->arena, mono_add(clock_mono(),
		    t->ask.patience), &a);
		for (size_t i = 0; a.status == DNS_FOUND && i < a.n &&
		    n < ADDRESSES_MOST; i++)
			out[n++] = a.records[i].address;
	}
	t->dns_ns = clock_mono_exact().ns - since.ns;
	return n;
}

static yields void
host_test(struct testing *t, struct str host)
{
	struct address list[ADDRESSES_MOST];
	size_t n = addresses_find(t, host, list);

	if (n == 0) {
		t->is_unfound = true;
		(void)cli_fail(0, STR_FMT ": it has no address%s%s",
		    STR_ARG(host), err_text()[0] != '\0' ? ": " : "",
		    err_text());
	}
	err_clear();
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < t->n_ports; k++) {
			list[i].port = t->ports[k];
			address_test(t, host, &list[i]);
		}
}

static yields void
domain_test(struct testing *t)
{
	struct probe_domain *d = arena_new(&t->cli->arena, struct probe_domain);

	if (d == NULL)
		return;
	probe_domain_find(d, &t->cli->arena, t->domain, t->anchors,
	    t->ask.patience);
	if (!t->cli->json)
		probe_domain_print(d);
	else if (probe_domain_json(d) != 0)
		t->troubles++;
	t->troubles += d->notes.troubles;
	t->ask.knows_mta_sts = d->policy != NULL;
	for (size_t i = 0; i < d->n; i++) {
		t->ask.mta_sts_has = d->policy != NULL &&
		    sts_policy_has(d->policy, d->hosts[i].host);
		host_test(t, d->hosts[i].host);
	}
}

static yields void
test(void *arg)
{
	struct testing *t = arg;

	if (t->domain.n > 0)
		domain_test(t);
	else
		host_test(t, t->host);
}

int
command_test_smtp(struct cli *c)
{
	struct testing t = { .cli = c };

	if (target_take(&t) != 0 || mail_take(&t) != 0 || patience_take(&t) != 0)
		return EX_USAGE;
	if (user_take(&t) != 0)
		return EX_NOINPUT;
	if (world_make(&t) != 0)
		return EX_CONFIG;
	if (core_run_all(1, test, &t) != 0)
		return cli_fail(EX_OSERR, "%s", err_text());
	X509_STORE_free(t.ask.anchors);
	if (t.config != NULL)
		config_release(t.config);
	if (t.ask.password.n > 0)
		OPENSSL_cleanse((char *)(uintptr_t)t.ask.password.p,
		    t.ask.password.n);
	if (t.reached == 0)
		return EX_UNAVAILABLE;
	return t.troubles > 0 || t.is_unfound ? 1 : 0;
}
