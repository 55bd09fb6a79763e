#include "trust/ldap.h"

#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/permit.h"
#include "fiber/stream.h"
#include "fiber/tls.h"
#include "trust/recall.h"
#include "trust/secret.h"
#include "wire/ber.h"
#include "wire/ldap.h"

#include <stdlib.h>

/* A connection is bound as the service and searches, or it tries passwords: a
 * bind ends whatever the connection was before (RFC 4511 4.2.1). */
enum ldap_use { LDAP_SEARCHES, LDAP_BINDS, LDAP_USES };

enum { USER_MOST = 320, PASSWORD_MOST = 1024, REQUEST_EXTRA = 256,
	FILTER_ROOM = 4096, TEXT_MOST = 200, PROBE_S = 3,
	ASK_MEMORY = 256 * 1024 };

struct ldap_conn {
	struct link link;		/* while idle */
	struct stream net;
	size_t server;
	enum ldap_use use;
	uint32_t id;			/* of the last request */
	bool is_used;			/* it was idle before */
};

struct ldap_pool {
	struct permit permit;
	struct list idle;
};

struct ldap {
	const struct ldap_setup *setup;
	struct tls_context *tls;	/* NULL: nobody needs it */
	struct recall *recall;		/* NULL: no cache */
	struct directory_health health[LDAP_SERVERS];
	struct ldap_pool pools[LDAP_SERVERS][LDAP_USES];
};

/* One login on its way. */
struct ldap_ask {
	struct ldap *ldap;
	struct arena *arena;
	struct str user, password;
	struct mono deadline;
	size_t server;
	struct str dn;			/* found by the search */
	uint32_t entries;
	bool is_trouble_of_one;		/* LATER, but for this name only */
	struct directory_person *out;
};

/* ---- what stands in the configuration ---- */

static int
hex_digit(char c)
{
	return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ?
	    c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986 2.1, as ldapi:// names a path by it. */
static struct str
percent_read(struct arena *a, struct str s)
{
	struct buf b = { .p = arena_alloc(a, s.n + 1), .cap = s.n };

	if (b.p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && s.n - i > 2 && hex_digit(s.p[i + 1]) >= 0
		    && hex_digit(s.p[i + 2]) >= 0) {
			buf_putc(&b, (char)(hex_digit(s.p[i + 1]) * 16 +
			    hex_digit(s.p[i + 2])));
			i += 2;
		} else
			buf_putc(&b, s.p[i]);
	}
	return buf_str(&b);
}

bool
ldap_server_parse(struct str url, struct arena *a, struct ldap_server *out)
{
	struct str rest = url;
	bool is_local = str_skip_icase(&rest, STR("ldapi://"));

	*out = (struct ldap_server){ .url = url };
	if (is_local) {
		rest = percent_read(a, rest);
		return dial_parse(rest, 0, &out->at) && out->at.path.n > 0;
	}
	out->is_tls = str_skip_icase(&rest, STR("ldaps://"));
	if (!out->is_tls && !str_skip_icase(&rest, STR("ldap://")))
		return false;
	while (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	return dial_parse(rest, out->is_tls ? LDAPS_PORT : LDAP_PORT, &out->at)
	    && out->at.host.n > 0;
}

bool
ldap_is_private(const struct ldap_setup *s, const struct ldap_server *server)
{
	return server->at.path.n > 0 || server->is_tls || s->starts_tls ||
	    (s->may_be_clear && dial_is_local(&server->at));
}

/* With the user's name in the place of %u, %n and %d; STR_NONE when there is no
 * room, or % is followed by something else. */
static struct str
template_fill(struct arena *a, struct str template, struct str user,
    void (*escape)(struct str, struct buf *))
{
	struct buf b = { .p = arena_alloc(a, FILTER_ROOM), .cap = FILTER_ROOM };
	size_t at = str_find_last(user, '@');

	if (b.p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < template.n; i++) {
		char c = template.p[i];

		if (c != '%') {
			buf_putc(&b, c);
			continue;
		}
		c = ++i < template.n ? template.p[i] : '\0';
		if (c == 'u')
			escape(user, &b);
		else if (c == 'n')
			escape(str_sub(user, 0, at), &b);
		else if (c == 'd')
			escape(str_sub(user, at + 1, user.n), &b);
		else if (c == '%')
			buf_putc(&b, '%');
		else
			return STR_NONE;
	}
	return b.full ? STR_NONE : buf_str(&b);
}

bool
ldap_template_fits(struct str template, bool is_filter)
{
	struct arena a;
	struct str text;
	struct buf b = { .cap = 2 * FILTER_ROOM };
	bool fits;

	arena_init(&a, 4 * FILTER_ROOM);
	text = template_fill(&a, template, STR("bob@a.example"),
	    is_filter ? ldap_escape_filter : ldap_escape_dn);
	b.p = arena_alloc(&a, b.cap);
	fits = text.p != NULL && b.p != NULL &&
	    (!is_filter || (ldap_put_filter(&b, text) && !b.full));
	arena_clear(&a);
	return fits;
}

/* ---- a core's client ---- */

static int
ldap_prepare(struct ldap *l)
{
	const struct ldap_setup *s = l->setup;
	X509_STORE *anchors = NULL;
	bool needs_tls = false;

	for (size_t i = 0; i < s->n_servers; i++) {
		must(ldap_is_private(s, &s->servers[i]));
		needs_tls |= s->servers[i].at.path.n == 0 &&
		    (s->servers[i].is_tls || s->starts_tls);
	}
	if (s->cache > 0 && (l->recall = recall_new()) == NULL)
		return err_set("no memory for LDAP's cache");
	if (!needs_tls)
		return 0;
	if ((anchors = dial_anchors(s->anchors)) == NULL)
		return err_add("the certificates to trust");
	l->tls = tls_client_new(&(struct tls_client_setup){
	    .anchors = anchors });
	X509_STORE_free(anchors);
	return l->tls == NULL ? -1 : 0;
}

struct ldap *
ldap_new(const struct ldap_setup *s)
{
	struct ldap *l = calloc(1, sizeof *l);

	if (l == NULL) {
		err_set("no memory for LDAP");
		return NULL;
	}
	must(s->n_servers > 0 && s->n_servers <= LDAP_SERVERS);
	l->setup = s;
	for (size_t i = 0; i < s->n_servers; i++) {
		l->health[i] = (struct directory_health){
			.name = s->servers[i].url, .tell = s->tell,
			.arg = s->arg };
		for (size_t use = 0; use < LDAP_USES; use++) {
			permit_init(&l->pools[i][use].permit, LDAP_CONNECTIONS);
			list_init(&l->pools[i][use].idle);
		}
	}
	if (ldap_prepare(l) == 0)
		return l;
	ldap_close(l);
	return NULL;
}

const struct directory_health *
ldap_health(const struct ldap *l, size_t i)
{
	return i < l->setup->n_servers ? &l->health[i] : NULL;
}

static void
conn_close(struct ldap_conn *c)
{
	stream_close(&c->net);
	free(c);
}

void
ldap_close(struct ldap *l)
{
	struct link *k;

	if (l == NULL)
		return;
	for (size_t i = 0; i < l->setup->n_servers; i++) {
		for (size_t use = 0; use < LDAP_USES; use++) {
			must(l->pools[i][use].permit.out == 0);
			while ((k = list_pop(&l->pools[i][use].idle)) != NULL)
				conn_close(OWNER_OF(k, struct ldap_conn, link));
		}
	}
	recall_free(l->recall);
	tls_drop(l->tls);
	free(l);
}

/* ---- one request, one answer ---- */

static yields int
conn_send(struct ldap_conn *c, const struct buf *request)
{
	must(!request->full);
	stream_put(&c->net, buf_str(request));
	return stream_flush(&c->net) == 0 ? 0 :
	    err_set("it takes no requests");
}

/* The next message, still in the stream's buffer: *n octets to consume. */
static yields int
conn_hear(struct ldap_conn *c, struct ldap_message *m, size_t *n)
{
	struct str bytes = STR_NONE;
	int64_t length = 0;

	do {
		if (stream_peek_more(&c->net, bytes.n, &bytes) != 0)
			return err_set(c->net.trouble == STREAM_LATE ?
			    "it does not answer" : "it closed the connection");
		length = bytes.p[0] != BER_SEQUENCE ? -1 :
		    ber_length(bytes, LDAP_MESSAGE_MOST);
	} while (length == 0 || (length > 0 && (size_t)length > bytes.n));
	if (length < 0 || !ldap_read(str_sub(bytes, 0, (size_t)length), m))
		return err_set("what it says is not LDAP, or too long");
	*n = (size_t)length;
	if (m->id == 0 && m->kind == LDAP_EXTENDED_RESPONSE)
		/* RFC 4511 4.4.1: notice of disconnection */
		return err_set("it ends the connection: " STR_FMT,
		    STR_ARG(str_sub(m->text, 0, TEXT_MOST)));
	return m->id == c->id ? 0 :
	    err_set("it answers what was not asked");
}

static yields int
conn_result(struct ldap_conn *c, enum ldap_kind kind, struct ldap_message *m)
{
	size_t n;

	if (conn_hear(c, m, &n) != 0)
		return -1;
	/* No slice of it is looked at behind this. */
	stream_consume(&c->net, n);
	return m->kind == kind ? 0 : err_set("it answers something else");
}

static int
code_trouble(const char *doing, uint32_t code)
{
	const char *says = ldap_code_says(code);

	return says == NULL ? err_set("%s: it says code %u", doing, code) :
	    err_set("%s: it says %s (%u)", doing, says, code);
}

/* 0 and its code, or -1. */
static yields int
conn_bind(struct ldap_conn *c, struct arena *a, struct str dn,
    struct str password, uint32_t *code)
{
	size_t room = dn.n + password.n + REQUEST_EXTRA;
	struct buf b = { .p = secret_new(a, room), .cap = room };
	struct ldap_message m;

	if (b.p == NULL)
		return err_set("no memory for a bind");
	ldap_put_bind(&b, ++c->id, dn, password);
	if (conn_send(c, &b) != 0 ||
	    conn_result(c, LDAP_BIND_RESPONSE, &m) != 0)
		return -1;
	*code = m.code;
	return 0;
}

/* ---- connections ---- */

static yields int
conn_secure(struct ldap *l, struct ldap_conn *c)
{
	const struct ldap_server *s = &l->setup->servers[c->server];
	char room[REQUEST_EXTRA];
	struct buf b = BUF_OF(room);
	struct ldap_message m;

	if (s->at.path.n > 0 || (!s->is_tls && !l->setup->starts_tls))
		return 0;
	if (!s->is_tls) {
		ldap_put_start_tls(&b, ++c->id);
		if (conn_send(c, &b) != 0 ||
		    conn_result(c, LDAP_EXTENDED_RESPONSE, &m) != 0)
			return -1;
		if (m.code != LDAP_SUCCESS)
			return code_trouble("StartTLS", m.code);
	}
	return dial_secure(&c->net, l->tls, s->at.host);
}

static yields int
conn_serve(struct ldap *l, struct ldap_conn *c, struct arena *a)
{
	uint32_t code = 0;

	if (conn_secure(l, c) != 0)
		return -1;
	if (c->use != LDAP_SEARCHES || l->setup->bind_dn.n == 0)
		return 0;
	if (conn_bind(c, a, l->setup->bind_dn, l->setup->bind_password,
	    &code) != 0)
		return -1;
	return code == LDAP_SUCCESS ? 0 :
	    code_trouble("binding as auth.ldap.bind_dn", code);
}

static yields struct ldap_conn *
conn_open(struct ldap_ask *ask, enum ldap_use use)
{
	struct ldap *l = ask->ldap;
	struct net_end *end = dial(&l->setup->servers[ask->server].at,
	    ask->deadline);
	struct ldap_conn *c = end == NULL ? NULL : calloc(1, sizeof *c);

	if (c == NULL) {
		if (end != NULL) {
			net_close(end);
			err_set("no memory for a connection");
		}
		return NULL;
	}
	stream_init(&c->net, end);
	c->server = ask->server;
	c->use = use;
	c->net.deadline = ask->deadline;
	if (conn_serve(l, c, ask->arena) == 0)
		return c;
	conn_close(c);
	return NULL;
}

/* An idle one of this use that is still there, or a new one.  A permit is out
 * for it. */
static yields struct ldap_conn *
conn_take(struct ldap_ask *ask, enum ldap_use use)
{
	struct ldap_pool *pool = &ask->ldap->pools[ask->server][use];
	struct link *k;
	struct ldap_conn *c;

	while ((k = list_pop(&pool->idle)) != NULL) {
		c = OWNER_OF(k, struct ldap_conn, link);
		c->net.deadline = ask->deadline;
		c->is_used = true;
		if (!stream_has_ended(&c->net))
			return c;
		conn_close(c);
	}
	return conn_open(ask, use);
}

static void
conn_give(struct ldap_ask *ask, struct ldap_conn *c, bool is_whole)
{
	if (is_whole)
		list_push(&ask->ldap->pools[ask->server][c->use].idle,
		    &c->link);
	else
		conn_close(c);
}

/* Run what() on a connection; once more when an idle one had died. */
static yields int
conn_use(struct ldap_ask *ask, enum ldap_use use,
    yields int (*what)(struct ldap_ask *, struct ldap_conn *, uint32_t *),
    uint32_t *code)
{
	struct permit *permit = &ask->ldap->pools[ask->server][use].permit;
	struct ldap_conn *c;
	bool was_idle;
	int rc;

	if (permit_take(permit, ask->deadline) != 0)
		return err_set("too many logins wait for it");
	do {
		c = conn_take(ask, use);
		was_idle = c != NULL && c->is_used;
		rc = c == NULL ? -1 : what(ask, c, code);
		/* Silence is not death: there is no time for another. */
		was_idle = was_idle && c->net.trouble == STREAM_GONE;
		if (c != NULL)
			conn_give(ask, c, rc == 0);
	} while (rc != 0 && was_idle);
	permit_give(permit);
	return rc;
}

/* ---- the search ---- */

static bool
attribute_is(struct str name, struct str wanted)
{
	/* RFC 4512 2.5: options follow a semicolon. */
	return str_eq_icase(str_sub(name, 0, str_find(name, ';')), wanted);
}

static void
address_add(struct ldap_ask *ask, struct str value)
{
	struct directory_person *p = ask->out;

	/* As Active Directory's proxyAddresses are written. */
	(void)str_skip_icase(&value, STR("smtp:"));
	if (str_find(value, '@') == value.n ||
	    p->n_addresses == DIRECTORY_ADDRESSES)
		return;
	if (p->addresses == NULL)
		p->addresses = arena_alloc(ask->arena, DIRECTORY_ADDRESSES *
		    sizeof *p->addresses);
	if (p->addresses == NULL)
		return;
	value = arena_copy(ask->arena, value);
	if (value.p != NULL)
		p->addresses[p->n_addresses++] = value;
}

static void
attribute_take(struct ldap_ask *ask, struct str name, struct str values)
{
	const struct ldap_setup *s = ask->ldap->setup;
	struct str value;
	bool is_address = false;

	for (size_t i = 0; i < s->n_address_attributes; i++)
		is_address |= attribute_is(name, s->address_attributes[i]);
	while (ldap_value(&values, &value)) {
		if (ask->out->name.n == 0 && s->name_attribute.n > 0 &&
		    attribute_is(name, s->name_attribute))
			ask->out->name = arena_copy(ask->arena, value);
		if (is_address)
			address_add(ask, value);
	}
}

static int
entry_take(struct ldap_ask *ask, const struct ldap_message *m)
{
	struct str rest = m->attributes, name, values;

	if (ask->entries++ > 0)
		return 0;
	ask->dn = arena_copy(ask->arena, m->dn);
	if (ask->dn.p == NULL)
		return err_set("no memory for an entry");
	while (ldap_attribute(&rest, &name, &values))
		attribute_take(ask, name, values);
	return 0;
}

static bool
search_put(struct ldap_ask *ask, uint32_t id, struct buf *b)
{
	const struct ldap_setup *s = ask->ldap->setup;
	struct str names[DIRECTORY_ADDRESSES];
	struct ldap_search search = { .base = s->base, .size_limit = 2,
		.attributes = names };
	int64_t left = ask->deadline.ns - clock_mono().ns;

	search.time_limit = left < NS_PER_SECOND ? 1 :
	    (uint32_t)(left / NS_PER_SECOND);
	search.filter = template_fill(ask->arena, s->filter, ask->user,
	    ldap_escape_filter);
	if (s->name_attribute.n > 0)
		names[search.n_attributes++] = s->name_attribute;
	for (size_t i = 0; i < s->n_address_attributes &&
	    search.n_attributes < DIRECTORY_ADDRESSES; i++)
		names[search.n_attributes++] = s->address_attributes[i];
	return search.filter.p != NULL && ldap_put_search(b, id, &search) &&
	    !b->full;
}

static yields int
conn_search(struct ldap_ask *ask, struct ldap_conn *c, uint32_t *code)
{
	struct buf b = { .p = arena_alloc(ask->arena, 2 * FILTER_ROOM),
		.cap = 2 * FILTER_ROOM };
	struct ldap_message m;
	size_t n = 0;
	int rc = 0;

	if (b.p == NULL || !search_put(ask, ++c->id, &b))
		return err_set("the search does not fit in memory");
	if (conn_send(c, &b) != 0)
		return -1;
	ask->entries = 0;
	do {
		if (conn_hear(c, &m, &n) != 0)
			return -1;
		if (m.kind == LDAP_SEARCH_ENTRY)
			rc = entry_take(ask, &m);
		stream_consume(&c->net, n);
	} while (rc == 0 && (m.kind == LDAP_SEARCH_ENTRY ||
	    m.kind == LDAP_SEARCH_REFERENCE || m.kind == LDAP_INTERMEDIATE));
	if (rc == 0 && m.kind != LDAP_SEARCH_DONE)
		rc = err_set("it answers something else");
	*code = m.code;
	return rc;
}

static yields enum directory_says
ask_search(struct ldap_ask *ask)
{
	uint32_t code = 0;

	if (conn_use(ask, LDAP_SEARCHES, conn_search, &code) != 0)
		return DIRECTORY_LATER;
	if (code != LDAP_SUCCESS && (code != LDAP_SIZE_LIMIT ||
	    ask->entries < 2)) {
		code_trouble("searching below auth.ldap.base", code);
		return DIRECTORY_LATER;
	}
	ask->out->why = ask->entries == 0 ? "unknown" :
	    "more than one entry of the directory";
	return ask->entries == 1 ? DIRECTORY_YES : DIRECTORY_NO;
}

/* ---- the bind ---- */

static yields int
conn_try(struct ldap_ask *ask, struct ldap_conn *c, uint32_t *code)
{
	return conn_bind(c, ask->arena, ask->dn, ask->password, code);
}

static yields enum directory_says
ask_bind(struct ldap_ask *ask)
{
	uint32_t code = 0;

	if (conn_use(ask, LDAP_BINDS, conn_try, &code) != 0)
		return DIRECTORY_LATER;
	ask->out->why = "wrong password";
	switch (code) {
	case LDAP_SUCCESS:
		ask->out->why = NULL;
		return DIRECTORY_YES;
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_INVALID_DN:
	case LDAP_NO_SUCH_OBJECT:
		return DIRECTORY_NO;
	case LDAP_CONSTRAINT_VIOLATION:
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_UNWILLING:
		ask->out->why = "the directory refuses this account";
		return DIRECTORY_NO;
	default:
		code_trouble("binding", code);
		ask->is_trouble_of_one = code != LDAP_BUSY &&
		    code != LDAP_UNAVAILABLE;
		return DIRECTORY_LATER;
	}
}

static yields enum directory_says
ask_server(struct ldap_ask *ask)
{
	const struct ldap_setup *s = ask->ldap->setup;
	enum directory_says says = DIRECTORY_YES;

	*ask->out = (struct directory_person){ .n_addresses = 0 };
	if (s->dn.n > 0) {
		ask->dn = template_fill(ask->arena, s->dn, ask->user,
		    ldap_escape_dn);
		if (ask->dn.p == NULL) {
			err_set("the name does not fit in memory");
			return DIRECTORY_LATER;
		}
	} else
		says = ask_search(ask);
	/* RFC 4513 5.1.1: an empty name would be an anonymous bind. */
	if (says == DIRECTORY_YES && ask->dn.n == 0)
		says = DIRECTORY_NO;
	if (says == DIRECTORY_YES)
		says = ask_bind(ask);
	if (ask->out->name.n == 0)
		ask->out->name = arena_copy(ask->arena, ask->user);
	return says;
}

/* ---- servers in turn ---- */

static yields enum directory_says
ask_servers(struct ldap_ask *ask, struct mono deadline)
{
	struct ldap *l = ask->ldap;
	size_t n = l->setup->n_servers;
	const char *why = NULL;

	for (size_t i = 0; i < n; i++) {
		struct mono now = clock_mono();
		int64_t share = (deadline.ns - now.ns) / (int64_t)(n - i);
		enum directory_says says;

		if (share <= 0)
			break;
		if (directory_is_down(&l->health[i]) &&
		    share > PROBE_S * NS_PER_SECOND)
			share = PROBE_S * NS_PER_SECOND;
		if (!directory_may_try(&l->health[i], now, share)) {
			why = l->health[i].why;
			continue;
		}
		ask->server = i;
		ask->deadline = mono_add(now, share);
		says = ask_server(ask);
		if (says != DIRECTORY_LATER) {
			directory_worked(&l->health[i]);
			return says;
		}
		if (ask->is_trouble_of_one)
			return DIRECTORY_LATER;
		directory_failed(&l->health[i], clock_mono(), err_text());
		why = l->health[i].why;
	}
	err_set("LDAP: %s", why == NULL ? "no time is left" : why);
	return DIRECTORY_LATER;
}

/* In memory of its own: what several servers say is more than a session has. */
static yields enum directory_says
ask_in_private(struct ldap_ask *ask, struct mono deadline)
{
	struct directory_person found, *out = ask->out;
	struct arena own, *theirs = ask->arena;
	enum directory_says says;

	arena_init(&own, ASK_MEMORY);
	ask->arena = &own;
	ask->out = &found;
	says = ask_servers(ask, deadline);
	if (says == DIRECTORY_LATER)
		found = (struct directory_person){ .n_addresses = 0 };
	if (!directory_person_copy(theirs, &found, out)) {
		err_set("no memory for a name");
		says = DIRECTORY_LATER;
	}
	arena_clear(&own);
	return says;
}

yields enum directory_says
ldap_login(struct ldap *l, struct str user, struct str password,
    struct mono deadline, struct arena *a, struct directory_person *out)
{
	struct ldap_ask ask = { .ldap = l, .arena = a, .user = user,
		.password = password, .out = out };
	const struct str shown[] = { user, password };
	struct recall_mark mark = { { 0 } };
	enum directory_says says;

	*out = (struct directory_person){ .why = "no password" };
	/* RFC 4513 5.1.2: with a name and no password anybody would be let in. */
	if (user.n == 0 || user.n > USER_MOST || password.n == 0 ||
	    password.n > PASSWORD_MOST)
		return DIRECTORY_NO;
	if (l->recall != NULL) {
		mark = recall_mark(l->recall, shown, 2);
		if (recall_find(l->recall, &mark, clock_mono(), a, out))
			return DIRECTORY_YES;
	}
	says = ask_in_private(&ask, mono_first(deadline,
	    mono_add(clock_mono(), l->setup->timeout)));
	if (says == DIRECTORY_YES && l->recall != NULL)
		recall_keep(l->recall, &mark, mono_add(clock_mono(),
		    l->setup->cache), out);
	return says;
}
