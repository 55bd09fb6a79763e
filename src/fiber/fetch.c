#include "fiber/fetch.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/dns.h"
#include "fiber/fetch_job.h"
#include "fiber/offload.h"
#include "fiber/world.h"

#include <errno.h>

/* The second family may be one that nobody serves. */
enum { FIRST_FAMILY_S = 20, SECOND_FAMILY_S = 5, PLACES_ROOM = 1024 };

struct place {
	struct str host;		/* without brackets */
	uint16_t port;
};

static int
trouble(struct fetch_answer *out, enum fetch_trouble t)
{
	must(t != FETCH_WELL);
	out->trouble = t;
	return -1;
}

/* ---- what is asked ---- */

static bool
host_fits(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!ascii_is_alnum(host.p[i]) && host.p[i] != '-' &&
		    host.p[i] != '.' && host.p[i] != '_')
			return false;
	return host.n > 0 && dns_name_fits(host);
}

/* host [":" port]; "[" IPv6 "]" [":" port]: RFC 3986 3.2, without userinfo. */
static bool
authority_read(struct str from, uint16_t port, struct place *out)
{
	struct address a;
	uint64_t number = port;
	struct str host;

	if (str_skip(&from, STR("["))) {
		if (str_find(from, ']') == from.n)
			return false;
		host = str_cut(&from, ']');
		if (from.n > 0 && !str_skip(&from, STR(":")))
			return false;
		if (!address_parse(host, 0, &a) || a.family != ADDRESS_V6)
			return false;
	} else {
		host = str_cut(&from, ':');
		if (!host_fits(host))
			return false;
	}
	if (from.n > 0 && !parse_u64(from, UINT16_MAX, &number))
		return false;
	*out = (struct place){ host, (uint16_t)number };
	return number > 0;
}

static bool
url_read(struct str url, bool may_be_plain, struct place *out)
{
	uint16_t port = 443;
	size_t end;

	if (url.n == 0 || url.n > FETCH_URL_MOST || !str_is_printable(url) ||
	    str_find(url, ' ') < url.n || str_find(url, '#') < url.n ||
	    str_find(url, '\\') < url.n)
		return false;
	if (may_be_plain && str_skip(&url, STR("http://")))
		port = 80;
	else if (!str_skip(&url, STR("https://")))
		return false;
	for (end = 0; end < url.n; end++)
		if (url.p[end] == '/' || url.p[end] == '?')
			break;
	return authority_read(str_sub(url, 0, end), port, out);
}

/* RFC 9110 5.6.2 token; 5.5: no control may stand in a value. */
static bool
header_fits(const struct fetch_header *h)
{
	for (size_t i = 0; i < h->name.n; i++)
		if (!ascii_is_alnum(h->name.p[i]) && h->name.p[i] != '-' &&
		    h->name.p[i] != '_')
			return false;
	return h->name.n > 0 && str_is_printable(h->value);
}

/* "name:" takes a field of the library's own away; one that is empty is meant. */
static int
lines_make(const struct fetch_ask *ask, struct fetch_job *j)
{
	must(ask->n_headers <= FETCH_HEADERS_MOST);
	for (size_t i = 0; i < ask->n_headers; i++) {
		const struct fetch_header *h = &ask->headers[i];

		if (!header_fits(h))
			return err_set("not a header field: " STR_FMT,
			    STR_ARG(h->name));
		j->lines[i] = arena_cstr(ask->arena, arena_printf(ask->arena,
		    STR_FMT "%s" STR_FMT, STR_ARG(h->name),
		    h->value.n == 0 ? ";" : ": ", STR_ARG(h->value)));
		if (j->lines[i] == NULL)
			return err_set("no memory");
		j->n_lines++;
	}
	return 0;
}

/* ---- where it is ---- */

struct places {
	struct buf text;
	size_t n;
};

static void
places_add(struct places *p, const struct dns_answer *a)
{
	size_t most = p->n + FETCH_ADDRESSES_MOST / 2;

	must(p->n <= FETCH_ADDRESSES_MOST / 2);
	for (size_t i = 0; a->status == DNS_FOUND && i < a->n &&
	    p->n < most; i++) {
		const struct address *at = &a->records[i].address;
		struct address_text t = address_print(at);

		buf_printf(&p->text, at->family == ADDRESS_V6 ? "%s[%s]" :
		    "%s%s", p->n > 0 ? "," : "", t.text);
		p->n++;
	}
}

static yields int
places_ask(const struct fetch_ask *ask, struct str host, struct places *p)
{
	struct dns_answer a;
	bool was_found;

	dns_ask(host, DNS_A, ask->arena, mono_first(ask->deadline,
	    mono_add(clock_mono(), FIRST_FAMILY_S * NS_PER_SECOND)), &a);
	was_found = a.status == DNS_FOUND;
	places_add(p, &a);
	if (a.status == DNS_NO_NAME)
		return err_set("no such name: " STR_FMT, STR_ARG(host));
	dns_ask(host, DNS_AAAA, ask->arena, mono_first(ask->deadline,
	    mono_add(clock_mono(), (was_found ? SECOND_FAMILY_S :
	    FIRST_FAMILY_S) * NS_PER_SECOND)), &a);
	places_add(p, &a);
	if (p->n > 0)
		return 0;
	return a.status == DNS_TROUBLE ? -1 :
	    err_set(STR_FMT " has no address", STR_ARG(host));
}

/* The library never asks a resolver: it is told. */
static yields int
places_find(const struct fetch_ask *ask, const struct place *at,
    struct fetch_job *j)
{
	char *room = arena_alloc(ask->arena, PLACES_ROOM);
	struct places p = { .text = { .p = room, .cap = PLACES_ROOM } };
	struct address literal;

	if (address_parse(at->host, at->port, &literal))
		return 0;
	if (room == NULL)
		return err_set("no memory");
	buf_printf(&p.text, STR_FMT ":%u:", STR_ARG(at->host), at->port);
	if (places_ask(ask, at->host, &p) != 0)
		return -1;
	err_clear();			/* of the family that is not there */
	buf_putc(&p.text, '\0');
	j->places = room;
	return p.text.full ? err_set("no room for the addresses of " STR_FMT,
	    STR_ARG(at->host)) : 0;
}

/* ---- asking ---- */

static int
fetch_do(void *arg)
{
	return world_fetch(arg);
}

static int
job_make(const struct fetch_ask *ask, struct fetch_job *j)
{
	j->url = arena_cstr(ask->arena, ask->url);
	j->head = (struct buf){ .p = arena_alloc(ask->arena, FETCH_HEAD_MOST),
		.cap = FETCH_HEAD_MOST };
	j->text = (struct buf){ .p = arena_alloc(ask->arena,
	    ask->body_most + 1), .cap = ask->body_most };
	if (j->url == NULL || j->head.p == NULL || j->text.p == NULL)
		return err_set("no memory");
	return 0;
}

static yields int
fetch_run(const struct fetch_ask *ask, struct fetch_job *j,
    struct fetch_answer *out)
{
	must(j->url != NULL && j->head.n == 0 && j->text.n == 0);
	j->wait_ns = ask->deadline.ns - clock_mono().ns;
	if (j->wait_ns <= 0) {
		err_set("no answer in time");
		return trouble(out, FETCH_LATE);
	}
	out->trouble = (enum fetch_trouble)offload_patient(fetch_do, j);
	if (out->trouble != FETCH_WELL)
		return err_set("%s", j->why);
	must(!j->head.full && !j->text.full);
	out->status = j->status;
	out->head = buf_str(&j->head);
	out->body = buf_str(&j->text);
	return 0;
}

static yields int
fetch_from(const struct fetch_ask *ask, const struct place *at,
    struct fetch_answer *out)
{
	struct fetch_job *j = arena_new(ask->arena, struct fetch_job);

	if (j == NULL || job_make(ask, j) != 0) {
		err_set("no memory");
		return trouble(out, FETCH_BUSY);
	}
	j->method = ask->method;
	j->body = ask->body;
	j->anchors = ask->anchors;
	j->may_be_plain = ask->may_be_plain;
	if (lines_make(ask, j) != 0)
		return trouble(out, FETCH_MISUSED);
	if (places_find(ask, at, j) != 0)
		return trouble(out, FETCH_NAME);
	return fetch_run(ask, j, out);
}

yields int
fetch(const struct fetch_ask *ask, struct fetch_answer *out)
{
	struct place at;

	*out = (struct fetch_answer){ .trouble = FETCH_WELL };
	must(ask->arena != NULL && ask->body_most > 0);
	if (!url_read(ask->url, ask->may_be_plain, &at)) {
		err_set("not a URL that can be fetched: " STR_FMT,
		    STR_ARG(str_sub(ask->url, 0, 200)));
		return trouble(out, FETCH_MISUSED);
	}
	if (fetch_from(ask, &at, out) == 0)
		return 0;
	must(out->trouble != FETCH_WELL);
	return err_add(STR_FMT, STR_ARG(str_sub(ask->url, 0, 200)));
}

struct str
fetch_field(const struct fetch_answer *a, struct str name)
{
	struct str rest = a->head;

	while (rest.n > 0) {
		struct str value = str_cut(&rest, '\n');

		if (str_find(value, ':') == value.n)
			continue;
		if (str_eq_icase(str_cut(&value, ':'), name))
			return str_trim(value);
	}
	return STR_NONE;
}

int
fetch_prepare(void)
{
	int rc = world_fetch_prepare();

	errno = -rc;
	return rc == 0 ? 0 : err_set("libcurl, or the anchors of TLS: %m");
}

void
fetch_hurry(void)
{
	world_fetch_hurry();
}
