/* What the operator wants of a host, and which names prove who it is: where the
 * domain itself has nothing to say (a socket, a neighbour, names that were given). */
#include "deliver/security.h"

#include "deliver/site.h"
#include "policy/test_conf.h"
#include "policy/tls_wish.h"

static const struct row {
	const char *outbound;		/* outbound.tls */
	const char *route;		/* what the rule says of TLS; NULL: no rule */
	bool is_lmtp, is_socket;
	const char *host, *says;
} rows[] = {
	/* by MX: the host's name is anybody's word, the domain's own proves */
	{ "may", NULL, .host = "mx.b.test", .says = "may mx.b.test? to mx.b.test" },
	{ "encrypt", NULL, .host = "mx.b.test",
	    .says = "encrypt mx.b.test? to mx.b.test" },
	{ "verify", NULL, .host = "mx.b.test",
	    .says = "verify a.test .a.test to mx.b.test" },
	{ "none", NULL, .host = "mx.b.test",
	    .says = "none mx.b.test? to mx.b.test" },
	/* an address is no name that may be asked for */
	{ "may", NULL, .host = "[192.0.2.1]", .says = "may 192.0.2.1]?" },
	/* a relay's name stands in the configuration */
	{ "may", "", .host = "r.test", .says = "may r.test to r.test" },
	{ "may", "tls: verify", .host = "r.test",
	    .says = "verify r.test to r.test" },
	{ "verify", "tls: may", .host = "r.test", .says = "may r.test to r.test" },
	/* names that are given are the only ones; "*." is all below */
	{ "may", "tls: { level: verify, names: [ \"*.n.test\", m.test ] }",
	    .host = "r.test", .says = "verify .n.test m.test to r.test" },
	/* outbound.tls is for the Internet, a rule for whom it names */
	{ "verify", "", .is_lmtp = true, .host = "r.test",
	    .says = "may r.test to r.test" },
	{ "encrypt", "tls: verify", .is_lmtp = true, .host = "r.test",
	    .says = "verify r.test to r.test" },
	{ "none", "", .is_lmtp = true, .host = "r.test",
	    .says = "none r.test to r.test" },
	{ "verify", "", .is_lmtp = true, .is_socket = true, .host = "/s",
	    .says = "none /s to /s" },
};

static const char *
said(const struct tls_demand *d)
{
	static const char *const levels[] = { "none", "may", "encrypt",
		"verify", "dane" };
	static char text[512];
	struct buf b = BUF_OF(text);

	buf_put(&b, str_of(levels[d->level]));
	for (size_t i = 0; i < d->n_names; i++)
		buf_printf(&b, " " STR_FMT, STR_ARG(d->names[i]));
	if (!d->names_are_sure)
		buf_putc(&b, '?');
	if (d->sni.n > 0)
		buf_printf(&b, " to " STR_FMT, STR_ARG(d->sni));
	buf_putc(&b, '\0');
	return text;
}

static struct config *
conf_row(const struct row *r)
{
	bool has_more = r->route != NULL && r->route[0] != '\0';
	char text[512];

	if (r->route == NULL)
		(void)snprintf(text, sizeof text, "outbound: { tls: %s }\n",
		    r->outbound);
	else
		(void)snprintf(text, sizeof text, "outbound: { tls: %s }\n"
		    "route: [ { relay: \"%s://r.test:24\"%s%s } ]\n",
		    r->outbound, r->is_lmtp ? "lmtp" : "smtp",
		    has_more ? ", " : "", has_more ? r->route : "");
	return conf_of(text);
}

static void
what_a_host_must_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct address at = { .family = r->is_socket ? ADDRESS_UNIX :
		    ADDRESS_V4 };
		struct site_host host = { .name = str_of(r->host) };
		struct tls_demand d;
		struct verdict why;
		struct config *c;
		struct arena a;

		conf_begin();
		conf_file("/etc/ssl/certs/ca-certificates.crt", "some");
		c = conf_row(r);
		arena_init(&a, 4096);
		assert_int_equal(security_demand(&(struct security_ask){
		    .conf = c, .domain = STR("a.test"),
		    .hop = r->route == NULL ? NULL : c->routes[0].relay,
		    .rule = r->route == NULL ? NULL : c->routes[0].relay,
		    .host = &host, .address = &at }, &a, &d, &why), 0);
		assert_string_equal(said(&d), r->says);
		arena_clear(&a);
		config_free(c);
		conf_end();
	}
}

/* Beyond what a demand has room for the configuration is refused, so that no name
 * is left out without a word. */
static void
names_are_all_asked_for(void **state)
{
	char text[512];

	(void)state;
	for (unsigned n = TLS_DEMAND_NAMES - 1; n <= TLS_DEMAND_NAMES + 1; n++) {
		struct buf b = BUF_OF(text);
		struct address at = { .family = ADDRESS_V4 };
		struct site_host host = { .name = STR("r.test") };
		struct tls_demand d;
		struct verdict why;
		struct config *c;
		struct arena a;

		buf_put(&b, STR("route: [ { relay: \"smtp://r.test\", tls: "
		    "{ names: [ n0.test"));
		for (unsigned i = 1; i < n; i++)
			buf_printf(&b, ", n%u.test", i);
		buf_put(&b, STR(" ] } } ]\n"));
		buf_putc(&b, '\0');
		conf_begin();
		conf_file("/etc/ssl/certs/ca-certificates.crt", "some");
		arena_init(&a, 4096);
		c = conf_try(text);
		assert_int_equal(c != NULL, n <= TLS_DEMAND_NAMES);
		if (c != NULL) {
			assert_int_equal(security_demand(&(struct security_ask){
			    .conf = c, .hop = c->routes[0].relay,
			    .rule = c->routes[0].relay, .host = &host,
			    .address = &at }, &a, &d, &why), 0);
			assert_int_equal(d.n_names, n);
			assert_int_equal(d.level, TLS_LEVEL_VERIFY);
			config_free(c);
		}
		arena_clear(&a);
		conf_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_host_must_be),
		cmocka_unit_test(names_are_all_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
