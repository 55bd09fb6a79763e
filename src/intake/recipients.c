/*
 * A recipient as the client gives it, a "parent", becomes its ends.  One that has
 * one end and no owner is that end, with what was given in `orig'.  Any other is
 * a recipient too, EXPANDED; each end names the first parent that brought it, and
 * a later parent names it in `shared'.  So the COMMIT alone says of whom everybody
 * is a child, and spool/ledger.c proves that no parent is without.
 */
#include "base/hash.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "intake/forward.h"
#include "intake/intake.h"
#include "policy/config.h"
#include "policy/expand.h"
#include "policy/route.h"
#include "spool/envelope.h"

enum {
	INTAKE_RCPTS_FIRST = 4,		/* room at first; then four times */
	INTAKE_RESERVE = 4096,		/* for the content, when the arena is
					 * full of recipients */
	INTAKE_SCRATCH = 2 << 20	/* EXPAND_MOST results and their ways */
};

/* Both arrays are one piece, so that there are both or neither. */
static struct recipient *
intake_room(struct intake *in, size_t room, uint64_t **hashes)
{
	struct recipient *rcpts = arena_alloc(in->arena,
	    room * (sizeof(*rcpts) + sizeof(**hashes)));

	_Static_assert(_Alignof(uint64_t) <= _Alignof(struct recipient),
	    "hashes may stand behind recipients");
	*hashes = rcpts == NULL ? NULL : (uint64_t *)(rcpts + room);
	return rcpts;
}

/* Room for one more.  What was outgrown stays in the arena: by fours that is a
 * third more, and the last step is by twos if need be. */
static int
intake_grow(struct intake *in)
{
	struct envelope *e = &in->envelope;
	size_t room = in->room == 0 ? INTAKE_RCPTS_FIRST : 4 * in->room;
	struct recipient *rcpts;
	uint64_t *hashes;

	must(e->n_rcpts <= in->room);
	if (e->n_rcpts < in->room)
		return 0;
	rcpts = intake_room(in, room, &hashes);
	if (rcpts == NULL) {
		room /= 2;
		rcpts = intake_room(in, room, &hashes);
	}
	if (rcpts == NULL)
		return -1;
	if (e->n_rcpts > 0) {
		memcpy(rcpts, e->rcpts, e->n_rcpts * sizeof(*rcpts));
		memcpy(hashes, in->hashes, e->n_rcpts * sizeof(*hashes));
	}
	e->rcpts = rcpts;
	in->hashes = hashes;
	in->room = room;
	return 0;
}

/* By what mailboxes are told apart: own ones without regard to case, as those
 * who live there are looked up; of others only the domain. */
static void
address_key(const struct config *config, struct str address, struct buf *out)
{
	struct mailbox mailbox;

	if (mailbox_parse(address, MAILBOX_UTF8, &mailbox) != NULL) {
		buf_put(out, address);
		return;
	}
	mailbox_key(&mailbox, out);
	if (config_domain(config, mailbox.domain) == NULL)
		return;
	for (size_t i = 0; i < out->n; i++)
		out->p[i] = ascii_lower(out->p[i]);
}

/* Who stands for others, who gets a copy, who is dropped and a command are
 * different, even by one name: an alias may name itself. */
static bool
recipient_is_as(const struct recipient *a, const struct recipient *b)
{
	const uint32_t kinds = RECIPIENT_EXPANDED | RECIPIENT_DISCARDED;

	return (a->flags & kinds) == (b->flags & kinds) &&
	    str_eq(a->transport, b->transport);
}

/* Where it is already, or n_rcpts. */
static size_t
intake_find(const struct intake *in, struct str key, uint64_t hash,
    const struct recipient *rcpt)
{
	const struct envelope *e = &in->envelope;
	char room[MAILBOX_TEXT];
	size_t i;

	must(rcpt->address.p != NULL && e->n_rcpts <= in->room);
	for (i = 0; i < e->n_rcpts; i++) {
		struct buf other = BUF_OF(room);

		if (in->hashes[i] != hash ||
		    !recipient_is_as(&e->rcpts[i], rcpt))
			continue;
		address_key(in->config, e->rcpts[i].address, &other);
		if (str_eq(buf_str(&other), key))
			break;
	}
	return i;
}

/* Add it unless it is there; *at is where.  -1: the arena is full. */
static int
intake_add(struct intake *in, const struct recipient *rcpt, size_t *at)
{
	struct envelope *e = &in->envelope;
	char room[MAILBOX_TEXT];
	struct buf key = BUF_OF(room);
	uint64_t hash;

	address_key(in->config, rcpt->address, &key);
	must(!key.full);
	hash = hash_bytes((struct hash_key){ 0, 0 }, buf_str(&key));
	*at = intake_find(in, buf_str(&key), hash, rcpt);
	if (*at < e->n_rcpts)
		return 0;
	if (e->n_rcpts >= RECIPIENTS_MOST || intake_grow(in) != 0)
		return -1;
	in->hashes[e->n_rcpts] = hash;
	e->rcpts[e->n_rcpts++] = *rcpt;
	return 0;
}

/* ---- what a recipient became ---- */

/* What the ends of one recipient have in common. */
struct ending {
	struct str given;		/* p == NULL: it is the end itself */
	uint32_t parent;
	struct intake_wish wish;
	const struct recipient_more *last;	/* neighbours share theirs */
};

/* The sender of a report stays nobody, or reports would meet in a circle. */
static struct str
end_sender(const struct intake *in, const struct expansion_end *x,
    const struct ending *ending, char room[MAILBOX_TEXT])
{
	if (in->envelope.sender.n == 0)
		return STR_NONE;
	return x->owner.p != NULL ? x->owner :
	    forward_sender(in, x, ending->given, room);
}

static const struct recipient_more *
end_more(struct intake *in, struct str sender, struct str rule,
    struct ending *ending)
{
	struct recipient_more *m;

	must(sender.p != NULL || rule.p != NULL);
	if (ending->last != NULL && str_eq(ending->last->sender, sender) &&
	    str_eq(ending->last->rule, rule))
		return ending->last;
	m = arena_new(in->arena, struct recipient_more);
	if (m == NULL)
		return NULL;
	if (sender.p != NULL)
		m->sender = arena_copy(in->arena, sender);
	if (rule.p != NULL)
		m->rule = arena_copy(in->arena, rule);
	ending->last = m;
	return (sender.p != NULL && m->sender.p == NULL) ||
	    (rule.p != NULL && m->rule.p == NULL) ? NULL : m;
}

/* RFC 3461 5.2.7.1: of what a list sends on, its owner hears, and he has asked
 * for nothing. */
static void
end_wish(struct recipient *rcpt, const struct expansion_end *x,
    const struct ending *ending)
{
	if (recipient_more(rcpt)->sender.p != NULL && x->owner.p != NULL)
		return;
	rcpt->notify = ending->wish.notify;
	rcpt->orcpt = ending->wish.orcpt;
}

/* One that gets a copy, or is dropped by a rule right now. */
static int
intake_add_end(struct intake *in, const struct expansion_end *x,
    struct ending *ending, size_t *at)
{
	struct recipient rcpt = {
		.address = arena_copy(in->arena, x->address),
		.orig = ending->given, .parent = ending->parent };
	char room[MAILBOX_TEXT];
	struct str rule = x->rule, sender = end_sender(in, x, ending, room);
	struct route route;

	must(ending->parent == RECIPIENT_NO_PARENT ||
	    ending->parent < in->envelope.n_rcpts);
	if (x->transport.p == NULL && rule.p == NULL) {
		route = route_find(in->config, in->envelope.sender, x->address);
		rule = route.kind == ROUTE_DISCARD ? route.rule : STR_NONE;
	} else if (x->transport.p != NULL)
		rcpt.transport = arena_copy(in->arena, x->transport);
	if (rule.p != NULL)
		rcpt.flags = RECIPIENT_DISCARDED;
	if (rule.p != NULL || sender.p != NULL) {
		rcpt.more = end_more(in, sender, rule, ending);
		if (rcpt.more == NULL)
			return -1;
	}
	if (sender.p != NULL && x->owner.p == NULL)
		rcpt.flags |= RECIPIENT_FORWARDED;
	end_wish(&rcpt, x, ending);
	if (rcpt.address.p == NULL ||
	    (x->transport.p != NULL && rcpt.transport.p == NULL))
		return -1;
	return intake_add(in, &rcpt, at);
}

/*
 * RFC 3461 5.2.7.3 (c): children are not told of as delivered, since he who
 * stands for them was told of as expanded.  Whoever wanted to hear of nothing
 * else hears nothing of them.
 */
static struct intake_wish
intake_wish_of_child(const struct intake_wish *wish)
{
	struct intake_wish child = *wish;

	child.notify &= ~(unsigned)NOTIFY_SUCCESS;
	if (wish->notify != 0 && child.notify == 0)
		child.notify = NOTIFY_NEVER;
	return child;
}

/* Children of his that others brought before: they are his as well. */
static int
parent_share(struct intake *in, uint32_t parent, struct buf *shared)
{
	struct recipient_more *m;

	must(!shared->full && shared->n % sizeof(uint32_t) == 0);
	must(parent < in->envelope.n_rcpts);
	if (shared->n == 0)
		return 0;
	m = arena_new(in->arena, struct recipient_more);
	if (m == NULL)
		return -1;
	m->shared = arena_copy(in->arena, buf_str(shared));
	in->envelope.rcpts[parent].more = m;
	return m->shared.p == NULL ? -1 : 0;
}

static int
intake_add_children(struct intake *in, const struct expansion *x,
    struct ending *ending, struct buf *shared)
{
	must(x->n > 0 && ending->parent < in->envelope.n_rcpts);
	for (size_t i = 0; i < x->n; i++) {
		size_t before = in->envelope.n_rcpts, at;

		if (intake_add_end(in, &x->to[i], ending, &at) != 0)
			return -1;
		if (at < before &&
		    in->envelope.rcpts[at].parent != ending->parent)
			buf_le32(shared, (uint32_t)at);
	}
	return parent_share(in, ending->parent, shared);
}

/* A parent, and those that stand for it.  It has ended by that; only when the
 * sender wants to hear of success is there something left to do (5.2.7.1,
 * 5.2.7.3). */
static int
intake_add_expansion(struct intake *in, const struct expansion *x,
    struct arena *scratch, struct str given, const struct intake_wish *wish)
{
	bool tells = (wish->notify & NOTIFY_SUCCESS) != 0 &&
	    in->envelope.sender.n > 0;
	struct recipient parent = {
		.address = given, .parent = RECIPIENT_NO_PARENT,
		.flags = RECIPIENT_EXPANDED | (tells ? RECIPIENT_TELLING : 0),
		.notify = wish->notify, .orcpt = wish->orcpt,
	};
	struct ending ending = { .given = given,
		.parent = RECIPIENT_NO_PARENT, .wish = *wish };
	size_t before = in->envelope.n_rcpts, at;
	struct buf shared = { .cap = x->n * sizeof(uint32_t) };

	if (x->n == 1 && !x->is_list)
		return intake_add_end(in, &x->to[0], &ending, &at);
	shared.p = arena_alloc(scratch, shared.cap);
	if (shared.p == NULL || intake_add(in, &parent, &at) != 0)
		return -1;
	if (at < before)
		return 0;	/* he was expanded before */
	ending.parent = (uint32_t)at;
	ending.wish = intake_wish_of_child(wish);
	return intake_add_children(in, x, &ending, &shared);
}

/* Wishes of who became another: reports name whom the sender wrote to. */
static int
intake_keep_wish(struct intake *in, const struct expansion *x, struct str text,
    struct intake_wish *wish)
{
	const char *type = str_is_ascii(text) ? "rfc822" : "utf-8";

	if (wish->orcpt.p != NULL)
		wish->orcpt = arena_copy(in->arena, wish->orcpt);
	else if (!x->is_same)
		wish->orcpt = arena_printf(in->arena, "%s;" STR_FMT, type,
		    STR_ARG(text));
	else
		return 0;
	return wish->orcpt.p == NULL ? -1 : 0;
}

static struct verdict
intake_take_expansion(struct intake *in, const struct expansion *x,
    struct arena *scratch, struct str text, struct intake_wish wish)
{
	struct str given = STR_NONE;
	struct route route;
	int rc;

	if (x->verdict.disposition != DELIVERED)
		return x->verdict;
	must(x->n > 0);
	route = route_find(in->config, in->envelope.sender, x->to[0].address);
	if (x->n == 1 && route.kind == ROUTE_REFUSED &&
	    x->to[0].transport.p == NULL && x->to[0].rule.p == NULL)
		return route.why;
	if (!x->is_same || in->asked == 0)
		given = arena_copy(in->arena, text);
	if (given.p == NULL && (!x->is_same || in->asked == 0))
		return intake_no_memory();
	if (intake_keep_wish(in, x, text, &wish) != 0)
		return intake_no_memory();
	if (in->asked++ == 0)
		in->asked_first = given;
	rc = intake_add_expansion(in, x, scratch,
	    x->is_same ? STR_NONE : given, &wish);
	return rc == 0 ? intake_yes() : intake_no_memory();
}

/* What expansion needs on its way is not the transaction's to keep. */
static struct verdict
intake_expand(struct intake *in, const struct path *to, struct str text,
    bool is_back, const struct intake_wish *wish)
{
	struct expansion x;
	struct arena scratch;
	struct verdict v;

	arena_init(&scratch, INTAKE_SCRATCH);
	x = expand(in->config, to, &scratch);
	if (is_back)
		x.is_same = false;
	v = intake_take_expansion(in, &x, &scratch, text, *wish);
	arena_clear(&scratch);
	return v;
}

/* A refused recipient leaves everything as it was. */
struct verdict
intake_recipient(struct intake *in, const struct path *to,
    const struct intake_wish *wish)
{
	static const struct intake_wish none;
	struct arena_mark mark = arena_mark(in->arena);
	struct intake before = *in;
	struct path path = *to;
	struct verdict v;
	bool is_back;

	must(in->draft == NULL);
	v = forward_back(in, &path, &is_back);
	if (v.disposition == DELIVERED)
		v = intake_expand(in, &path, to->mailbox.text, is_back,
		    wish != NULL ? wish : &none);
	if (v.disposition == DELIVERED &&
	    !arena_has(in->arena, INTAKE_RESERVE))
		v = intake_no_memory();
	if (v.disposition != DELIVERED) {
		*in = before;
		arena_back(in->arena, mark);
	}
	return v;
}

/* ---- telling ---- */

static void
intake_tell_discarded(const struct intake *in, const struct recipient *r)
{
	const struct envelope *e = &in->envelope;
	struct event event = event_make(EVENT_discarded, clock_wall(), e->id);
	struct route route = route_find(in->config, e->sender, r->address);
	struct str rule = recipient_more(r)->rule;
	char text[256];
	struct buf b = BUF_OF(text);

	must((r->flags & RECIPIENT_DISCARDED) != 0);
	/* A route's rule has words of the operator's. */
	if (route.kind == ROUTE_DISCARD && str_eq(route.rule, rule))
		buf_put(&b, str_of(route.why.text));
	else
		buf_printf(&b, "Discarded by rule " STR_FMT, STR_ARG(rule));
	event_str(&event, FIELD_sender, e->sender);
	event_str(&event, FIELD_recipient, r->address);
	intake_tell_some(&event, FIELD_orig_to, r->orig);
	intake_tell_some(&event, FIELD_reason, rule);
	event_str(&event, FIELD_text, buf_str(&b));
	intake_tell(in->core, &event);
}

/* Whom a parent stands for, as far as there is room to name them. */
static void
intake_tell_expanded(const struct intake *in, uint32_t parent)
{
	const struct envelope *e = &in->envelope;
	struct event event = event_make(EVENT_expanded, clock_wall(), e->id);
	struct str shared = recipient_more(&e->rcpts[parent])->shared;
	char text[EVENT_TEXT_MOST];
	struct buf b = BUF_OF(text);
	uint64_t n = shared.n / sizeof(uint32_t);
	uint32_t at = parent;

	must((e->rcpts[parent].flags & RECIPIENT_EXPANDED) != 0);
	must(shared.n % sizeof(uint32_t) == 0);
	for (size_t i = parent + 1; i < e->n_rcpts; i++)
		if (e->rcpts[i].parent == parent) {
			if (n++ > 0)
				buf_put(&b, STR(", "));
			buf_put(&b, e->rcpts[i].transport.p != NULL ?
			    e->rcpts[i].transport : e->rcpts[i].address);
			at = (uint32_t)i;
		}
	event_str(&event, FIELD_recipient, e->rcpts[parent].address);
	event_num(&event, FIELD_recipients, n);
	if (recipient_more(&e->rcpts[at])->sender.p != NULL)
		event_str(&event, FIELD_sender,
		    recipient_more(&e->rcpts[at])->sender);
	event_str(&event, FIELD_text, buf_str(&b));
	intake_tell(in->core, &event);
}

void
intake_tell_ends(const struct intake *in)
{
	const struct envelope *e = &in->envelope;

	for (uint32_t i = 0; i < e->n_rcpts; i++)
		if (e->rcpts[i].flags & RECIPIENT_DISCARDED)
			intake_tell_discarded(in, &e->rcpts[i]);
		else if (e->rcpts[i].flags & RECIPIENT_EXPANDED)
			intake_tell_expanded(in, i);
}
