/* ACME: what an authority says is read or refused, and what was read can stand in
 * a request. */
#include "fuzz.h"
#include "base/err.h"
#include "trust/acme.h"
#include "trust/jws.h"

static void
url_check(struct str url)
{
	static char room[JWS_HEADER_MOST];
	struct buf b = BUF_OF(room);
	struct jws_header h = { .alg = "ES256", .url = url, .kid = url };

	must(url.n == 0 || jws_header_print(&h, &b) == 0);
}

static void
order_check(struct str in, struct arena *a)
{
	static struct acme_order o;

	if (acme_read_order(in, a, &o) != 0)
		return;
	url_check(o.finalize);
	url_check(o.certificate);
	must(o.status != ACME_VALID || o.certificate.n > 0);
	must(o.n <= ACME_NAMES_MOST);
	for (size_t i = 0; i < o.n; i++)
		url_check(o.authorizations[i]);
	must(o.problem.type.p == NULL || str_is_printable(o.problem.detail));
}

FUZZ(in)
{
	struct arena a;
	struct acme_directory d;
	struct acme_authorization z;
	struct acme_window w;
	struct acme_problem p;

	arena_init(&a, 1 << 20);
	if (acme_read_directory(in, &a, &d) == 0) {
		url_check(d.new_nonce);
		url_check(d.renewal);
		must(d.new_order.n > 0 && d.n_issuers <= ACME_ISSUERS_MOST);
	}
	order_check(in, &a);
	if (acme_read_authorization(in, STR("http-01"), &a, &z) == 0 &&
	    z.url.n > 0) {
		url_check(z.url);
		must(z.token.n > 0 && str_find(z.token, '/') == z.token.n);
	}
	if (acme_read_window(in, &a, &w) == 0)
		must(wall_is_before(w.start, w.end));
	acme_read_problem(in, &a, &p);
	must(p.type.p != NULL && str_is_printable(p.detail));
	must(acme_retry_after(in, (struct wall){ 0 }) >= 0);
	arena_clear(&a);
	err_clear();
}
