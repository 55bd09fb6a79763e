#include "policy/expand.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/must.h"
#include "policy/domain.h"
#include "wire/address.h"

/* Most recipients are one, and ask for no memory until there are more than FEW;
 * then the list doubles.  Work per recipient is bounded by the aliases that an
 * operator wrote. */
enum { FEW = 4, EXPAND_SCRATCH = 4 * EXPAND_MOST * sizeof(struct expansion_end) };

static const struct hash_key no_key;

/* A name on the way: first in the queue, then seen.  An end is only seen. */
struct step {
	struct step *next;
	struct table_node node;		/* seen, by key */
	struct str key;			/* own: canonical and lower case */
	struct str local, domain;	/* local without quotes */
	struct str text;
	struct str owner;		/* of the list it came from; or absent */
	unsigned depth;
};

struct walk {
	const struct config *config;
	struct arena *arena;
	struct expansion *out;
	size_t room;			/* in out->to */
	struct arena *scratch;		/* where it grows */
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

/* False: it was there, or there is no memory. */
static bool
step_see(struct walk *w, struct step *s)
{
	uint64_t hash = hash_bytes(no_key, s->key);

	if (s->key.p == NULL) {
		w->is_full = true;
		return false;
	}
	if (step_is_seen(w, s->key, hash))
		return false;
	w->is_full |= table_insert(&w->seen, &s->node, hash) != 0;
	return !w->is_full;
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

/* The name `local' in `domain', not yet seen. */
static struct step *
step_new(struct walk *w, struct str local, struct str domain, struct str owner)
{
	const struct domain *home = config_domain(w->config, domain);
	struct step *s = arena_new(w->arena, struct step);

	if (s == NULL) {
		w->is_full = true;
		return NULL;
	}
	s->local = local;
	s->domain = home != NULL ? home->name : domain;
	s->owner = owner;
	s->key = step_key(w, s, home);
	s->text = mailbox_text(w, local, s->domain);
	w->is_full |= s->key.p == NULL || s->text.p == NULL;
	return w->is_full ? NULL : s;
}

static void
walk_to(struct walk *w, struct str local, struct str domain, struct str owner,
    unsigned depth)
{
	struct step *s = step_new(w, local, domain, owner);

	if (s == NULL)
		return;
	s->depth = depth;
	if (!step_see(w, s)) {
		w->is_loop = true;
		return;
	}
	*w->last = s;
	w->last = &s->next;
}

/* "bob", "bob@example.org", with quotes or without, in pieces. */
static bool
text_split(struct walk *w, struct str text, struct str *local,
    struct str *domain)
{
	char room[LOCAL_MOST];
	struct buf b = BUF_OF(room);
	struct mailbox m;

	*local = text;
	if (mailbox_parse(text, MAILBOX_UTF8, &m) == NULL) {
		mailbox_local(&m, &b);
		*local = arena_copy(w->arena, buf_str(&b));
		*domain = m.domain;
	}
	w->is_full |= local->p == NULL;
	return !w->is_full;
}

static void
walk_to_text(struct walk *w, struct str text, struct str domain,
    struct str owner, unsigned depth)
{
	struct str local;

	if (text_split(w, text, &local, &domain))
		walk_to(w, local, domain, owner, depth);
}

/* ---- ends ---- */

/* Room for one more.  False: there is no memory. */
static bool
walk_grow(struct walk *w)
{
	struct expansion_end *more;

	if (w->out->n < w->room)
		return true;
	more = arena_alloc(w->scratch, 2 * w->room * sizeof *more);
	if (more == NULL) {
		w->is_full = true;
		return false;
	}
	memcpy(more, w->out->to, w->out->n * sizeof *more);
	w->out->to = more;
	w->room *= 2;
	return true;
}

/* The same end is reached by many ways; a name and what it leads to beside
 * mailboxes are different ends. */
static void
walk_ends_as(struct walk *w, const struct step *s, struct expansion_end end)
{
	struct step *seen = arena_new(w->arena, struct step);

	if (seen == NULL) {
		w->is_full = true;
		return;
	}
	seen->key = arena_printf(w->arena, "\n"STR_FMT"\n"STR_FMT"\n%d",
	    STR_ARG(s->key), STR_ARG(end.transport), end.rule.p != NULL);
	if (!step_see(w, seen))
		return;
	if (w->out->n == EXPAND_MOST) {
		w->is_many = true;
		return;
	}
	if (!walk_grow(w))
		return;
	end.address = s->text;
	end.owner = s->owner;
	w->out->is_list |= end.owner.p != NULL;
	w->out->to[w->out->n++] = end;
}

static void
walk_ends(struct walk *w, const struct step *s)
{
	walk_ends_as(w, s, (struct expansion_end){ .address = s->text });
}

/* ---- aliases ---- */

/* owner-NAME beside NAME: reports about what the list leads to go there. */
static struct str
list_owner(struct walk *w, const struct domain *d,
    const struct alias_entry *alias)
{
	char room[LOCAL_MOST];
	struct buf name = BUF_OF(room);

	buf_put(&name, STR("owner-"));
	buf_put(&name, alias->local);
	if (name.full || alias->local.n == 0 ||
	    (alias_find(d->aliases, buf_str(&name), d->name) == NULL &&
	    (d->users == NULL || user_find(d->users, buf_str(&name)) == NULL)))
		return STR_NONE;
	return mailbox_text(w, buf_str(&name), d->name);
}

static void walk_role(struct walk *, const struct step *);

/* \name: no alias of his counts. */
static void
walk_user(struct walk *w, struct str local, struct str domain,
    struct str owner, unsigned depth)
{
	struct step *s = step_new(w, local, domain, owner);
	const struct domain *d = config_domain(w->config, domain);
	struct resident who;

	if (s == NULL)
		return;
	s->depth = depth;
	if (d == NULL) {
		walk_ends(w, s);
		return;
	}
	who = domain_resident(d, local);
	if (who.kind == RESIDENT_ROLE)
		walk_role(w, s);
	else if (who.user != NULL || who.kind == RESIDENT_RELAYED ||
	    who.kind == RESIDENT_REPORTS)
		walk_ends(w, s);
}

/* Its own name among the targets, with or without its domain, is the user. */
static void
walk_target(struct walk *w, const struct step *s, const struct domain *d,
    const struct resident *who, const struct alias_to *to)
{
	struct str domain = d->name, other = to->text, local;

	if (str_skip(&other, STR("@"))) {
		walk_to(w, s->local, other, s->owner, s->depth + 1);
		return;
	}
	if (!text_split(w, to->text, &local, &domain))
		return;
	if (to->kind == ALIAS_TO_USER)
		walk_user(w, local, domain, s->owner, s->depth + 1);
	else if (config_domain(w->config, domain) != d ||
	    !str_eq_icase(local, who->alias->local))
		walk_to(w, local, domain, s->owner, s->depth + 1);
	else if (who->user != NULL)
		walk_ends(w, s);
	else
		w->is_loop = true;
}

/* RFC 5321 3.9.1: each target in the alias's place. */
static void
walk_alias(struct walk *w, const struct step *from, const struct domain *d,
    const struct resident *who)
{
	struct step s = *from;
	struct str owner = list_owner(w, d, who->alias);

	if (owner.p != NULL)
		s.owner = owner;
	for (size_t i = 0; i < who->alias->n; i++) {
		const struct alias_to *to = &who->alias->to[i];

		switch (to->kind) {
		case ALIAS_TO_ADDRESS:
		case ALIAS_TO_USER:
			walk_target(w, &s, d, who, to);
			break;
		case ALIAS_TO_TRANSPORT:
			walk_ends_as(w, &s, (struct expansion_end){
			    .transport = to->text });
			break;
		case ALIAS_TO_NOBODY:
			walk_ends_as(w, &s, (struct expansion_end){
			    .rule = arena_printf(w->arena, "alias "STR_FMT,
			    STR_ARG(s.text)) });
			break;
		}
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
		walk_to_text(w, w->config->admin, domain, s->owner,
		    s->depth + 1);
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
	case RESIDENT_REPORTS:
		walk_ends(w, s);
		break;
	case RESIDENT_ALIAS:
		walk_alias(w, s, d, &who);
		break;
	case RESIDENT_CATCH_ALL:
		if (who.alias != NULL)
			walk_alias(w, s, d, &who);
		else
			walk_to_text(w, d->catch_all, d->name, s->owner,
			    s->depth + 1);
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
		    "<"STR_FMT">: It stands for more than %d",
		    STR_ARG(rcpt), EXPAND_MOST);
	if (w->is_deep)
		return verdict_make(FAILED, 550, "5.4.6",
		    "<"STR_FMT">: Its aliases go deeper than %d",
		    STR_ARG(rcpt), EXPAND_DEPTH);
	if (w->out->n == 0 && w->is_loop)
		return verdict_make(FAILED, 550, "5.4.6",
		    "<"STR_FMT">: Its aliases loop", STR_ARG(rcpt));
	if (w->out->n == 0)
		return verdict_make(FAILED, 550, "5.1.1",
		    "<"STR_FMT">: Recipient address rejected: User unknown",
		    STR_ARG(rcpt));
	return verdict_make(DELIVERED, 250, "2.1.5", "Ok");
}

static void
walk_run(struct walk *w, const struct path *rcpt)
{
	struct step *s;

	if (rcpt->is_postmaster)
		walk_to(w, STR("postmaster"), w->config->hostname, STR_NONE, 0);
	else
		walk_to_text(w, rcpt->mailbox.text, w->config->hostname,
		    STR_NONE, 0);
	for (s = w->first; s != NULL && !w->is_full && !w->is_many; s = s->next)
		walk_step(w, s);
	w->out->is_same = w->out->n == 1 && w->first != NULL &&
	    w->out->to[0].address.p == w->first->text.p &&
	    w->out->to[0].transport.p == NULL &&
	    w->out->to[0].rule.p == NULL && w->out->to[0].owner.p == NULL;
}

struct expansion
expand(const struct config *c, const struct path *rcpt, struct arena *a)
{
	struct expansion_end few[FEW];
	struct expansion out = { .to = few };
	struct arena scratch;
	struct walk w = { .config = c, .arena = a, .out = &out, .room = FEW,
		.scratch = &scratch, .last = &w.first };
	struct expansion_end *all;

	arena_init(&scratch, EXPAND_SCRATCH);
	walk_run(&w, rcpt);
	table_clear(&w.seen);
	all = out.to;
	out.to = arena_alloc(a, out.n * sizeof out.to[0]);
	if (out.to == NULL)
		w.is_full = true;
	else if (out.n > 0)
		memcpy(out.to, all, out.n * sizeof out.to[0]);
	arena_clear(&scratch);
	out.verdict = walk_verdict(&w, rcpt->mailbox.text);
	return out;
}
