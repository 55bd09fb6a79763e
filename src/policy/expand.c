#include "policy/expand.h"

#include "base/list.h"
#include "base/must.h"

/* Work per recipient is bounded by the aliases that an operator wrote. */
static const struct hash_key no_key;

/* A name on the way: first in the queue, then seen. */
struct step {
	struct step *next;
	struct table_node node;		/* seen, by key */
	struct str key;			/* own: canonical and lower case */
	struct str local, domain;	/* local without quotes */
	struct str text;
	unsigned depth;
};

struct walk {
	const struct config *config;
	struct arena *arena;
	struct expansion *out;
	struct step *first, **last;
	struct table seen;
	bool is_full, is_deep, is_loop, is_many;
};

static bool
step_is_seen(const struct walk *w, struct str key, uint64_t hash)
{
	struct table_node *t = table_find(&w->seen, hash);

	for (; t != NULL; t = table_again(t))
		if (str_eq(OWNER_OF(t, struct step, node)->key, key))
			return true;
	return false;
}

/* Own names meet whatever their case and their domain's other names. */
static struct str
step_key(struct walk *w, const struct step *s, const struct domain *home)
{
	struct str key = arena_printf(w->arena, STR_FMT"@"STR_FMT,
	    STR_ARG(s->local), STR_ARG(home != NULL ? home->name : s->domain));

	if (key.p == NULL)
		return key;
	if (home != NULL)
		return arena_lower(w->arena, key);
	return arena_join(w->arena, str_sub(key, 0, s->local.n),
	    arena_lower(w->arena, str_sub(key, s->local.n, key.n)));
}

static struct str
mailbox_text(struct walk *w, struct str local, struct str domain)
{
	char room[MAILBOX_TEXT];
	struct buf b = BUF_OF(room);

	mailbox_print(local, domain, &b);
	must(!b.full);
	return arena_copy(w->arena, buf_str(&b));
}

static void
walk_to(struct walk *w, struct str local, struct str domain, unsigned depth)
{
	const struct domain *home = config_domain(w->config, domain);
	struct step *s = arena_new(w->arena, struct step);
	uint64_t hash;

	if (s == NULL) {
		w->is_full = true;
		return;
	}
	s->local = local;
	s->domain = home != NULL ? home->name : domain;
	s->depth = depth;
	s->key = step_key(w, s, home);
	s->text = mailbox_text(w, local, s->domain);
	if (s->key.p == NULL || s->text.p == NULL) {
		w->is_full = true;
		return;
	}
	hash = hash_bytes(no_key, s->key);
	if (step_is_seen(w, s->key, hash)) {
		w->is_loop = true;
		return;
	}
	w->is_full |= table_insert(&w->seen, &s->node, hash) != 0;
	*w->last = s;
	w->last = &s->next;
}

/* "bob", "bob@example.org", with quotes or without. */
static void
walk_to_text(struct walk *w, struct str text, struct str domain, unsigned depth)
{
	char room[LOCAL_MOST];
	struct buf b = BUF_OF(room);
	struct mailbox m;
	struct str local;

	if (mailbox_parse(text, MAILBOX_UTF8, &m) != NULL) {
		walk_to(w, text, domain, depth);
		return;
	}
	mailbox_local(&m, &b);
	local = arena_copy(w->arena, buf_str(&b));
	if (local.p == NULL)
		w->is_full = true;
	else
		walk_to(w, local, m.domain, depth);
}

static void
walk_ends(struct walk *w, const struct step *s)
{
	if (w->out->n == EXPAND_MOST)
		w->is_many = true;
	else
		w->out->to[w->out->n++] = s->text;
}

/* RFC 5321 3.9.1: each target in the alias's place.  Its own name among them is
 * the user. */
static void
walk_alias(struct walk *w, const struct step *s, const struct domain *d,
    const struct resident *who)
{
	for (size_t i = 0; i < who->alias->n; i++) {
		struct str target = who->alias->targets[i];

		if (!str_eq_icase(target, who->alias->name))
			walk_to_text(w, target, d->name, s->depth + 1);
		else if (who->user != NULL)
			walk_ends(w, s);
		else
			w->is_loop = true;
	}
}

/* Mail for roles is admin's, unless admin is such a role: then it stays. */
static void
walk_role(struct walk *w, const struct step *s)
{
	struct str domain = w->config->admin;
	struct str local = str_sub(domain, 0, str_find_last(domain, '@'));
	const struct domain *d;

	domain = str_sub(domain, local.n + 1, domain.n);
	d = config_domain(w->config, domain);
	if (d != NULL && domain_resident(d, local).kind == RESIDENT_ROLE)
		walk_ends(w, s);
	else
		walk_to_text(w, w->config->admin, domain, s->depth + 1);
}

static void
walk_own(struct walk *w, const struct step *s, const struct domain *d)
{
	struct resident who = domain_resident(d, s->local);

	switch (who.kind) {
	case RESIDENT_NONE:
		break;			/* a dead end; advice.c told it */
	case RESIDENT_USER:
	case RESIDENT_RELAYED:
		walk_ends(w, s);
		break;
	case RESIDENT_ALIAS:
		walk_alias(w, s, d, &who);
		break;
	case RESIDENT_CATCH_ALL:
		walk_to_text(w, d->catch_all, d->name, s->depth + 1);
		break;
	case RESIDENT_ROLE:
		walk_role(w, s);
		break;
	}
}

static void
walk_step(struct walk *w, const struct step *s)
{
	const struct domain *d = config_domain(w->config, s->domain);

	if (s->depth > EXPAND_DEPTH)
		w->is_deep = true;
	else if (d == NULL)
		walk_ends(w, s);
	else
		walk_own(w, s, d);
}

static struct verdict
walk_verdict(const struct walk *w, struct str rcpt)
{
	if (w->is_full)
		return verdict_make(DEFERRED, 452, "4.3.1",
		    "<"STR_FMT">: No room to expand it", STR_ARG(rcpt));
	if (w->is_many)
		return verdict_make(FAILED, 550, "5.2.4",
		    "<"STR_FMT">: It stands for too many", STR_ARG(rcpt));
	if (w->is_deep || (w->out->n == 0 && w->is_loop))
		return verdict_make(FAILED, 550, "5.4.6",
		    "<"STR_FMT">: Its aliases loop", STR_ARG(rcpt));
	if (w->out->n == 0)
		return verdict_make(FAILED, 550, "5.1.1",
		    "<"STR_FMT">: Recipient address rejected: User unknown",
		    STR_ARG(rcpt));
	return verdict_make(DELIVERED, 250, "2.1.5", "Ok");
}

/* owner-NAME beside NAME: reports about the list's members go there. */
static void
walk_owner(struct walk *w, const struct step *s)
{
	const struct domain *d = config_domain(w->config, s->domain);
	char name[LOCAL_MOST];
	struct buf b = BUF_OF(name);

	if (d == NULL || d->aliases == NULL ||
	    domain_resident(d, s->local).kind != RESIDENT_ALIAS)
		return;
	buf_put(&b, STR("owner-"));
	buf_put(&b, s->local);
	if (!b.full && alias_find(d->aliases, buf_str(&b)) != NULL)
		w->out->owner = mailbox_text(w, buf_str(&b), d->name);
}

static void
walk_run(struct walk *w, const struct path *rcpt)
{
	struct step *s;

	if (rcpt->is_postmaster)
		walk_to(w, STR("postmaster"), w->config->hostname, 0);
	else
		walk_to_text(w, rcpt->mailbox.text, w->config->hostname, 0);
	s = w->first;
	if (s == NULL)
		return;
	walk_owner(w, s);
	for (; s != NULL && !w->is_full && !w->is_many; s = s->next)
		walk_step(w, s);
	w->out->is_same = w->out->n == 1 && w->out->to[0].p == w->first->text.p;
}

struct expansion
expand(const struct config *c, const struct path *rcpt, struct arena *a)
{
	struct expansion out = { .n = 0 };
	struct walk w = { .config = c, .arena = a, .out = &out,
		.last = &w.first };
	struct arena scratch;
	struct str *all;

	arena_init(&scratch, EXPAND_MOST * sizeof(struct str) + 64);
	all = out.to = arena_alloc(&scratch, EXPAND_MOST * sizeof(struct str));
	if (all == NULL)
		w.is_full = true;
	else
		walk_run(&w, rcpt);
	table_clear(&w.seen);
	out.to = arena_alloc(a, out.n * sizeof out.to[0]);
	if (out.to == NULL)
		w.is_full = true;
	else if (out.n > 0)
		memcpy(out.to, all, out.n * sizeof out.to[0]);
	arena_clear(&scratch);
	out.verdict = walk_verdict(&w, rcpt->mailbox.text);
	return out;
}
