#include "trust/dial.h"

#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/dns.h"
#include "fiber/fiber.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { ANCHORS_MOST = 1000, ANSWER_ROOM = 16 * 1024 };

struct dial_list {
	struct address v[DIAL_ADDRESSES];
	size_t n;
};

/* ---- what stands in the configuration ---- */

static bool
path_parse(struct str s, struct dial_target *out)
{
	out->path = s;
	return s.n > 1 && s.n < ADDRESS_PATH_MOST && str_find(s, '\0') == s.n;
}

bool
dial_parse(struct str s, uint16_t port, struct dial_target *out)
{
	struct str host = s, number = STR_NONE;
	uint64_t n = port;
	size_t at;

	*out = (struct dial_target){ .port = port };
	(void)str_skip(&s, STR("unix:"));
	if (s.n > 0 && s.p[0] == '/')
		return path_parse(s, out);
	if (str_skip(&host, STR("["))) {
		at = str_find(host, ']');
		if (at == host.n)
			return false;
		number = str_sub(host, at + 1, host.n);
		host = str_sub(host, 0, at);
	} else if ((at = str_find_last(host, ':')) < host.n) {
		number = str_sub(host, at, host.n);
		host = str_sub(host, 0, at);
	}
	if (number.n > 0 && (!str_skip(&number, STR(":")) ||
	    !parse_u64(number, UINT16_MAX, &n)))
		return false;
	out->host = host;
	out->port = (uint16_t)n;
	return n > 0 && host.n > 0 && host.n <= TLS_NAME_MOST &&
	    str_is_printable(host) && str_find(host, ' ') == host.n &&
	    str_find(host, '/') == host.n;
}

static bool
host_is_localhost(struct str host)
{
	return str_eq_icase(host, STR("localhost"));
}

bool
dial_is_local(const struct dial_target *t)
{
	struct address a;

	return t->path.n > 0 || host_is_localhost(t->host) ||
	    (address_parse(t->host, t->port, &a) && address_is_loopback(&a));
}

/* ---- where it is ---- */

static void
list_add(struct dial_list *l, const struct address *a, uint16_t port)
{
	if (l->n == DIAL_ADDRESSES)
		return;
	l->v[l->n] = *a;
	l->v[l->n++].port = port;
}

static yields int
list_ask(const struct dial_target *t, enum dns_type type, struct mono deadline,
    struct dial_list *l)
{
	struct dns_answer answer;
	struct arena a;

	arena_init(&a, ANSWER_ROOM);
	dns_ask(t->host, type, &a, deadline, &answer);
	for (size_t i = 0; answer.status == DNS_FOUND && i < answer.n; i++)
		list_add(l, &answer.records[i].address, t->port);
	arena_clear(&a);
	return answer.status == DNS_TROUBLE ? -1 : 0;
}

static yields int
target_find(const struct dial_target *t, struct mono deadline,
    struct dial_list *l)
{
	struct address a = { .family = ADDRESS_UNIX };

	if (t->path.n > 0) {
		must(str_cstr(t->path, a.of.path, sizeof a.of.path));
		list_add(l, &a, 0);
	} else if (host_is_localhost(t->host)) {
		if (address_parse(STR("::1"), t->port, &a))
			list_add(l, &a, t->port);
		if (address_parse(STR("127.0.0.1"), t->port, &a))
			list_add(l, &a, t->port);
	} else if (address_parse(t->host, t->port, &a)) {
		list_add(l, &a, t->port);
	} else {
		int v6 = list_ask(t, DNS_AAAA, deadline, l);
		int v4 = list_ask(t, DNS_A, deadline, l);

		if (l->n == 0 && (v6 != 0 || v4 != 0))
			return err_add("looking up " STR_FMT, STR_ARG(t->host));
	}
	return l->n > 0 ? 0 : err_set("the DNS knows no address of " STR_FMT,
	    STR_ARG(t->host));
}

yields struct net_end *
dial(const struct dial_target *t, struct mono deadline)
{
	struct dial_list l = { .n = 0 };
	struct net_end *end = NULL;

	if (target_find(t, deadline, &l) != 0)
		return NULL;
	for (size_t i = 0; i < l.n && end == NULL; i++) {
		struct mono now = clock_mono();
		int64_t left = mono_is_before(now, deadline) ?
		    deadline.ns - now.ns : 0;

		end = net_connect(&l.v[i], NULL, mono_first(deadline,
		    mono_add(now, left / (int64_t)(l.n - i))));
	}
	return end;
}

/* ---- who it is ---- */

static bool
certificate_names(X509 *x, struct str host)
{
	char name[TLS_NAME_MOST + 1];
	struct address a;
	bool fits;

	if (x == NULL || !str_cstr(host, name, sizeof name))
		return false;
	if (address_parse(host, 0, &a))
		fits = X509_check_ip(x, a.of.ip,
		    a.family == ADDRESS_V4 ? 4 : 16, 0) == 1;
	else
		/* RFC 6125 6.4.4: the common name counts for nothing. */
		fits = X509_check_host(x, name, 0,
		    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
		    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
	ERR_clear_error();
	return fits;
}

yields int
dial_secure(struct stream *s, struct tls_context *context, struct str host)
{
	struct tls_facts facts;
	struct address a;

	if (tls_connect(s, context, address_parse(host, 0, &a) ?
	    (struct str){ "", 0 } : host) != 0)
		return err_add("TLS with " STR_FMT, STR_ARG(host));
	tls_facts(s, &facts);
	if (facts.verdict != X509_V_OK)
		return err_set("the certificate of " STR_FMT " is not to be "
		    "trusted: %s", STR_ARG(host),
		    X509_verify_cert_error_string(facts.verdict));
	if (!certificate_names(facts.peer, host))
		return err_set("the certificate that " STR_FMT " showed is "
		    "for somebody else", STR_ARG(host));
	return 0;
}

/* ---- whom to trust ---- */

static int
store_fill(X509_STORE *store, BIO *b)
{
	size_t n = 0;
	X509 *x;
	int rc;

	while ((x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		rc = X509_STORE_add_cert(store, x);
		X509_free(x);
		if (rc != 1 || ++n > ANCHORS_MOST)
			return err_set("certificate %zu cannot be used", n + 1);
	}
	if (n == 0)
		return err_set("it holds no certificate in PEM");
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return err_set("certificate %zu is malformed", n + 1);
	return 0;
}

X509_STORE *
dial_anchors(struct str pem)
{
	X509_STORE *store = X509_STORE_new();
	BIO *b = pem.n <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	int rc;

	ERR_clear_error();
	rc = store == NULL || b == NULL ? err_set("no memory for certificates")
	    : store_fill(store, b);
	BIO_free(b);
	ERR_clear_error();
	if (rc != 0) {
		X509_STORE_free(store);
		store = NULL;
	}
	return store;
}
