#include "policy/account.h"

#include "base/hash.h"
#include "base/list.h"
#include "base/must.h"
#include "policy/domain.h"
#include "policy/expand.h"
#include "trust/client_cert.h"
#include "wire/idna.h"

/* ---- names, and rules by name ---- */

static const struct hash_key no_key;	/* only the operator adds names */

uint64_t
account_rule_hash(struct str key)
{
	return hash_bytes(no_key, key);
}

const struct account_rule *
account_rule_find(const struct config *c, struct str key)
{
	struct table_node *t = table_find(&c->accounts,
	    account_rule_hash(key));

	for (; t != NULL; t = table_again(t))
		if (str_eq(OWNER_OF(t, struct account_rule, node)->rights.name,
		    key))
			return OWNER_OF(t, struct account_rule, node);
	return NULL;
}

bool
account_fingerprint_read(struct arena *arena, struct str text, struct str *out)
{
	char digits[CLIENT_CERT_FINGERPRINT];

	*out = STR_NONE;
	if (client_cert_fingerprint_read(text, digits))
		*out = arena_copy(arena, (struct str){ digits, sizeof digits });
	return out->p != NULL;
}

const struct account_rule *
account_rule_certificate(const struct config *c, struct str fingerprint)
{
	for (size_t i = 0; i < c->n_accounts; i++)
		for (size_t k = 0; k < c->account_list[i]->certificates.n; k++)
			if (str_eq(c->account_list[i]->certificates.v[k],
			    fingerprint))
				return c->account_list[i];
	return NULL;
}

const struct tenant_rule *
tenant_rule_find(const struct config *c, struct str name)
{
	struct table_node *t = table_find(&c->tenants, account_rule_hash(name));

	for (; t != NULL; t = table_again(t))
		if (str_eq(OWNER_OF(t, struct tenant_rule, node)->name, name))
			return OWNER_OF(t, struct tenant_rule, node);
	return NULL;
}

static bool
name_is_fit(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
			return false;
	return name.n > 0 && name.n <= ACCOUNT_NAME_MOST;
}

bool
account_key(struct str name, struct buf *out)
{
	size_t at = str_find_last(name, '@');
	size_t begins = at + 1;
	struct str domain;

	if (!name_is_fit(name))
		return false;
	for (size_t i = 0; i < at; i++)
		buf_putc(out, ascii_lower(name.p[i]));
	if (at == name.n)
		return !out->full;
	domain = str_sub(name, begins, name.n);
	buf_putc(out, '@');
	/* what is no domain is part of a name that is no address */
	if (domain_is_valid(domain, MAILBOX_UTF8) && idna_ascii(domain, out))
		return !out->full;
	for (size_t i = 0; i < domain.n; i++)
		buf_putc(out, ascii_lower(domain.p[i]));
	return !out->full;
}

/* ---- senders, as they are kept ---- */

static bool
sender_domain_read(struct arena *arena, struct str text, struct str *out)
{
	struct str domain = text;

	if (!str_skip(&domain, STR("@*.")))
		(void)str_skip(&domain, STR("@"));
	if (!domain_canonical(arena, domain, out))
		return false;
	*out = arena_join(arena, str_sub(text, 0, text.n - domain.n), *out);
	return out->p != NULL;
}

bool
account_sender_read(struct arena *arena, struct str text, struct str *out)
{
	char room[MAILBOX_ROOM], key[MAILBOX_TEXT];
	struct buf ascii = BUF_OF(room), b = BUF_OF(key);
	struct mailbox m;

	if (str_eq(text, STR("*")) || str_eq(text, STR("<>"))) {
		*out = arena_copy(arena, text);
		return out->p != NULL;
	}
	if (text.n > 0 && text.p[0] == '@')
		return sender_domain_read(arena, text, out);
	if (mailbox_parse(text, MAILBOX_UTF8, &m) != NULL ||
	    !idna_mailbox(&m, &ascii))
		return false;
	mailbox_key(&m, &b);
	must(!b.full);
	*out = arena_copy(arena, buf_str(&b));
	return out->p != NULL;
}

/* ---- copies ---- */

static bool
strings_copy(struct arena *arena, struct conf_strings *list)
{
	struct str *v = arena_alloc(arena, (list->n + 1) * sizeof *v);

	if (list->v == NULL)
		return true;
	if (v == NULL)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		v[i] = arena_copy(arena, list->v[i]);
		if (v[i].p == NULL)
			return false;
	}
	list->v = v;
	return true;
}

static bool
networks_copy(struct arena *arena, struct conf_networks *list)
{
	struct network *v;

	if (list->n == 0)
		return true;
	v = arena_alloc(arena, list->n * sizeof *v);
	if (v == NULL)
		return false;
	memcpy(v, list->v, list->n * sizeof *v);
	list->v = v;
	return true;
}

bool
account_copy(struct arena *arena, const struct account *from,
    struct account *to)
{
	*to = *from;
	to->name = arena_copy(arena, from->name);
	if (from->tenant.p != NULL) {
		to->tenant = arena_copy(arena, from->tenant);
		if (to->tenant.p == NULL)
			return false;
	}
	return to->name.p != NULL && strings_copy(arena, &to->from) &&
	    networks_copy(arena, &to->networks);
}

/* ---- who says what ---- */

/* What `below' says where nothing was said. */
static void
account_fill(struct account *a, const struct account *below)
{
	if (a->tenant.n == 0)
		a->tenant = below->tenant;
	if (a->from.v == NULL)
		a->from = below->from;
	if (a->networks.n == 0)
		a->networks = below->networks;
	if (a->expires.us == 0)
		a->expires = below->expires;
	for (size_t i = 0; i < ACCOUNT_MEASURES; i++) {
		if (a->limits[i].hour == 0)
			a->limits[i].hour = below->limits[i].hour;
		if (a->limits[i].day == 0)
			a->limits[i].day = below->limits[i].day;
	}
}

void
account_settle(const struct config *c, const struct account *told,
    struct account *settled)
{
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);
	const struct account_rule *rule = NULL;

	must(told->name.n > 0);
	if (account_key(told->name, &key))
		rule = account_rule_find(c, buf_str(&key));
	*settled = rule == NULL || rule == c->everyone ? *told : rule->rights;
	settled->name = told->name;
	settled->source = told->source;
	account_fill(settled, told);
	if (c->everyone != NULL)
		account_fill(settled, &c->everyone->rights);
}

/* ---- here and now ---- */

enum account_stand
account_stands(const struct account *a, const struct address *client,
    struct wall now)
{
	if (a->expires.us != 0 && !wall_is_before(now, a->expires))
		return ACCOUNT_EXPIRED;
	if (a->networks.n > 0 && !networks_have(&a->networks, client))
		return ACCOUNT_ELSEWHERE;
	return ACCOUNT_STANDS;
}

bool
quota_is_set(const struct quota limits[ACCOUNT_MEASURES])
{
	for (size_t i = 0; i < ACCOUNT_MEASURES; i++)
		if ((limits[i].hour != 0 && limits[i].hour != QUOTA_NONE) ||
		    (limits[i].day != 0 && limits[i].day != QUOTA_NONE))
			return true;
	return false;
}

/* ---- as whom ---- */

/* A name of an own domain, without quotes. */
struct own {
	const struct domain *domain;
	struct str local;
};

static bool
own_is(const struct own *a, const struct own *b)
{
	return a->domain == b->domain && str_eq_icase(a->local, b->local);
}

/* "bob+news" of "bob", unless that is somebody's name (RFC 5233). */
static bool
own_is_detail(const struct own *mine, const struct own *as)
{
	const struct domain *d = as->domain;
	struct resident who;

	if (d != mine->domain || as->local.n <= mine->local.n + 1 ||
	    !str_eq_icase(str_sub(as->local, 0, mine->local.n), mine->local) ||
	    str_find(d->subaddress, as->local.p[mine->local.n]) ==
	    d->subaddress.n)
		return false;
	who = domain_resident(d, as->local);
	if (who.kind != RESIDENT_USER && who.kind != RESIDENT_ALIAS)
		return true;
	return who.detail.n == as->local.n - mine->local.n - 1;
}

/* text: local, then "@", then the domain; local's room is the caller's. */
static bool
own_read(const struct config *c, struct str text, struct buf *local,
    struct own *out)
{
	char room[MAILBOX_ROOM];
	struct buf ascii = BUF_OF(room);
	struct mailbox m;

	if (mailbox_parse(text, MAILBOX_UTF8, &m) != NULL ||
	    !idna_mailbox(&m, &ascii))
		return false;
	mailbox_local(&m, local);
	*out = (struct own){ config_domain(c, m.domain), buf_str(local) };
	return out->domain != NULL && !local->full;
}

/* An alias, or a role, all of whose mail is his. */
static bool
own_leads(const struct config *c, const struct own *mine,
    const struct mailbox *as, struct arena *arena)
{
	struct path path = { .mailbox = *as };
	struct expansion e = expand(c, &path, arena);
	char room[LOCAL_MOST];
	struct buf local = BUF_OF(room);
	struct own end;

	return e.verdict.disposition == DELIVERED && e.n == 1 &&
	    e.to[0].transport.p == NULL && e.to[0].rule.p == NULL &&
	    own_read(c, e.to[0].address, &local, &end) &&
	    (own_is(mine, &end) || own_is_detail(mine, &end));
}

/* The default right: as himself. */
static bool
may_send_as_self(const struct config *c, const struct account *a,
    const struct mailbox *as, const struct own *own, struct arena *arena)
{
	char room[LOCAL_MOST];
	struct buf local = BUF_OF(room);
	struct own mine;
	enum resident_kind kind;

	if (!own_read(c, a->name, &local, &mine))
		return false;
	if (own_is(&mine, own) || own_is_detail(&mine, own))
		return true;
	kind = domain_resident(own->domain, own->local).kind;
	return (kind == RESIDENT_ALIAS || kind == RESIDENT_ROLE) &&
	    own_leads(c, &mine, as, arena);
}

/* own->domain is NULL where the domain is not ours. */
static bool
sender_has(const struct config *c, struct str sender, const struct own *own,
    struct str domain)
{
	size_t at = str_find_last(sender, '@');
	struct str local = str_sub(sender, 0, at), of = sender;
	struct own mine;

	if (str_eq(sender, STR("*")))
		return true;
	of = str_sub(of, at + 1, of.n);
	if (at == sender.n || of.n == 0)
		return false;
	if (at == 0 && str_skip(&of, STR("*")))
		return domain.n > of.n && str_has_suffix_icase(domain, of);
	mine = (struct own){ config_domain(c, of), local };
	if (at == 0 || mine.domain == NULL)
		return str_eq_icase(of, domain) &&
		    (at == 0 || str_eq_icase(local, own->local));
	return own_is(&mine, own) || own_is_detail(&mine, own);
}

bool
account_may_send(const struct config *c, const struct account *a,
    const struct mailbox *as, struct arena *arena)
{
	struct arena_mark mark = arena_mark(arena);
	char room[LOCAL_MOST];
	struct buf local = BUF_OF(room);
	struct own own;
	bool may = false;

	mailbox_local(as, &local);
	must(!local.full);
	own = (struct own){ config_domain(c, as->domain), buf_str(&local) };
	for (size_t i = 0; i < a->from.n && !may; i++)
		may = sender_has(c, a->from.v[i], &own, as->domain);
	if (!may && own.domain != NULL)
		may = may_send_as_self(c, a, as, &own, arena);
	arena_back(arena, mark);
	return may;
}

static bool
from_has(const struct account *a, struct str what)
{
	for (size_t i = 0; i < a->from.n; i++)
		if (str_eq(a->from.v[i], what))
			return true;
	return false;
}

bool
account_may_report(const struct account *a)
{
	return from_has(a, STR("<>")) || from_has(a, STR("*"));
}

bool
account_is_anybody(const struct account *a)
{
	return from_has(a, STR("*"));
}
