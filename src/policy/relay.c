/*
 * relay      = "mx" / uri / "[" uri *("," uri) "]"
 * uri        = ("smtp://" / "smtp+tls://" / "smtps://") host [ ":" port ] /
 *              "lmtp://" host ":" port /
 *              "unix:" absolute-path
 * host       = domain / IPv4 / "[" IPv6 "]"
 * lmtp       = lmtp-uri / "[" lmtp-uri *("," lmtp-uri) "]"
 * lmtp-uri   = "unix:" absolute-path / [ "lmtp://" ] host ":" port
 */
#include "policy/relay.h"

#include "policy/config.h"
#include "policy/schema.h"
#include "policy/yaml.h"
#include "wire/address.h"

enum { SMTP_PORT = 25, SMTPS_PORT = 465 };

static bool
host_is_set(struct value_reader *r, struct str host, struct relay_host *out)
{
	bool bracket = host.n > 2 && host.p[0] == '[' &&
	    host.p[host.n - 1] == ']';

	if (bracket)
		host = str_sub(host, 1, host.n - 2);
	if (address_parse(host, out->port, &out->literal) &&
	    bracket == (out->literal.family == ADDRESS_V6)) {
		out->host = arena_copy(r->arena, host);
		return out->host.p != NULL;
	}
	out->literal = (struct address){ .family = ADDRESS_NONE };
	if (bracket || !domain_is_valid(host, MAILBOX_STRICT))
		return false;
	out->host = arena_lower(r->arena, host);
	return out->host.p != NULL;
}

/* host [":" port]; port 0: there must be one. */
static bool
host_read(struct value_reader *r, struct str s, uint64_t port,
    struct relay_host *out)
{
	size_t colon, bracket;

	(void)(s.n > 0 && s.p[s.n - 1] == '/' && s.n--);
	colon = str_find_last(s, ':');
	bracket = str_find_last(s, ']');
	if (colon < s.n && (bracket == s.n || colon > bracket)) {
		if (!parse_u64(str_sub(s, colon + 1, s.n), UINT16_MAX, &port))
			return false;
		s = str_sub(s, 0, colon);
	}
	out->port = (uint16_t)port;
	return port != 0 && host_is_set(r, s, out);
}

static bool
socket_read(struct value_reader *r, struct str path, struct relay_host *out)
{
	out->literal.family = ADDRESS_UNIX;
	out->host = arena_copy(r->arena, path);
	return path.n > 1 && path.p[0] == '/' && out->host.p != NULL &&
	    str_cstr(path, out->literal.of.path, sizeof out->literal.of.path);
}

const char *
relay_scheme(const struct relay *r, const struct relay_host *h)
{
	return r->is_lmtp ? "lmtp" : h->scheme == RELAY_IMPLICIT ? "smtps" :
	    h->scheme == RELAY_STARTTLS ? "smtp+tls" : "smtp";
}

static bool
scheme_read(struct str *s, enum relay_scheme *scheme)
{
	*scheme = RELAY_STARTTLS;
	if (str_skip(s, STR("smtp+tls://")))
		return true;
	*scheme = RELAY_IMPLICIT;
	if (str_skip(s, STR("smtps://")))
		return true;
	*scheme = RELAY_CLEAR;
	return str_skip(s, STR("smtp://"));
}

static bool
uri_read(struct value_reader *r, const struct schema *row, struct str s,
    struct relay_host *out, bool *is_lmtp)
{
	*out = (struct relay_host){ .port = 0 };
	*is_lmtp = row->type == TYPE_LMTP;
	if (!*is_lmtp && scheme_read(&s, &out->scheme))
		return host_read(r, s, out->scheme == RELAY_IMPLICIT ?
		    SMTPS_PORT : SMTP_PORT, out);
	if (str_skip(&s, STR("unix:"))) {
		*is_lmtp = true;
		return socket_read(r, s, out);
	}
	if (!str_skip(&s, STR("lmtp://")) && !*is_lmtp)
		return false;
	*is_lmtp = true;
	return host_read(r, s, 0, out);
}

static bool
uri_is_no(struct value_reader *r, const struct schema *row,
    const struct node *n)
{
	problem_add(r->problems, PROBLEM_ERROR, n->at,
	    "'"STR_FMT"' is not %s (examples: %s)", STR_ARG(n->text),
	    schema_type_says(row->type), schema_type_examples(row->type));
	return false;
}

static bool
uri_add(struct value_reader *r, const struct schema *row, const struct node *n,
    struct relay *relay)
{
	bool is_lmtp;

	if (n->is_broken)
		return false;
	if (n->kind != NODE_TEXT ||
	    !uri_read(r, row, n->text, &relay->hosts[relay->n], &is_lmtp))
		return uri_is_no(r, row, n);
	if (relay->n > 0 && relay->is_lmtp != is_lmtp) {
		problem_add(r->problems, PROBLEM_ERROR, n->at,
		    "'"STR_FMT"' speaks another protocol than the first of "
		    "the list", STR_ARG(n->text));
		return false;
	}
	relay->is_lmtp = is_lmtp;
	relay->text = relay->n++ == 0 ? arena_copy(r->arena, n->text) :
	    arena_printf(r->arena, STR_FMT", "STR_FMT, STR_ARG(relay->text),
	    STR_ARG(n->text));
	return true;
}

static bool
relay_list(struct value_reader *r, const struct schema *row,
    const struct node *n, struct relay *relay)
{
	bool fine = true;

	if (n->n == 0 || n->n > row->most) {
		problem_add(r->problems, PROBLEM_ERROR, n->key_at,
		    "these are %zu hosts; there may be 1 to %llu", n->n,
		    (unsigned long long)row->most);
		return false;
	}
	for (const struct node *m = n->first; m != NULL; m = m->next)
		fine &= uri_add(r, row, m, relay);
	return fine;
}

bool
relay_read(struct value_reader *r, const struct schema *row,
    const struct node *n, struct relay **out)
{
	struct relay *relay = arena_new(r->arena, struct relay);
	size_t most = n->kind == NODE_LIST ? n->n : 1;

	if (relay == NULL)
		return false;
	relay->hosts = arena_alloc(r->arena, most * sizeof relay->hosts[0]);
	if (relay->hosts == NULL)
		return false;
	*out = relay;
	if (n->kind == NODE_LIST)
		return relay_list(r, row, n, relay);
	if (row->type == TYPE_LMTP || !str_eq(n->text, STR("mx")))
		return uri_add(r, row, n, relay);
	relay->by_mx = true;
	relay->text = STR("mx");
	return true;
}
