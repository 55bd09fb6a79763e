#include "spool/envelope.h"

#include "base/must.h"
#include "spool/tlv.h"

/*
 * An envelope is the payload of a COMMIT or MOVED: the tags of tag.def, each at
 * most once but RCPT, which comes once for each recipient, in order of index.
 * EXTENTS and STATE may stand among them and are not looked at here.  Absent
 * numbers are 0, absent strings STR_NONE; tenant and stream are always there.
 */

enum { NUMBER_ROOM = TLV_HEAD + 8 };

static const struct str no_name = { "default", 7 };

static struct str
name_or_default(struct str s)
{
	return s.n > 0 ? s : no_name;
}

const struct recipient_more *
recipient_more(const struct recipient *r)
{
	static const struct recipient_more nothing;

	return r->more != NULL ? r->more : &nothing;
}

struct str
recipient_sender(const struct recipient *r, const struct envelope *e)
{
	return recipient_more(r)->sender.p != NULL ?
	    recipient_more(r)->sender : e->sender;
}

static size_t
recipient_room(const struct recipient *r)
{
	const struct recipient_more *m = recipient_more(r);

	return (size_t)TLV_HEAD * 8 + 3 * (size_t)NUMBER_ROOM + r->address.n +
	    r->orig.n + r->orcpt.n + r->transport.n + m->sender.n +
	    m->shared.n + m->rule.n;
}

size_t
envelope_room(const struct envelope *e)
{
	size_t n = 11 * (size_t)TLV_HEAD + 9 * (size_t)NUMBER_ROOM;

	n += e->sender.n + e->tenant.n + e->stream.n + 2 * no_name.n;
	n += e->idempotency_key.n + e->client.n + e->client_name.n + e->helo.n;
	n += e->user.n + e->protocol.n + e->listener.n + e->envid.n;
	for (size_t i = 0; i < e->n_rcpts; i++)
		n += recipient_room(&e->rcpts[i]);
	return n;
}

static void
put_number(struct buf *b, uint8_t tag, uint64_t v)
{
	if (v > 0)
		tlv_put_u64(b, tag, v);
}

/* A clock before 1970 is no reason to lose a message. */
static void
put_wall(struct buf *b, uint8_t tag, struct wall w)
{
	put_number(b, tag, w.us > 0 ? (uint64_t)w.us : 0);
}

static void
recipient_encode(const struct recipient *r, struct buf *b)
{
	const struct recipient_more *m = recipient_more(r);
	size_t opened = tlv_open(b, TAG_RCPT);

	must(r->address.p != NULL);
	tlv_put(b, TAG_RCPT_ADDRESS, r->address);
	tlv_put_some(b, TAG_RCPT_ORIG, r->orig);
	if (r->parent != RECIPIENT_NO_PARENT)
		tlv_put_u64(b, TAG_RCPT_PARENT, (uint64_t)r->parent + 1);
	put_number(b, TAG_RCPT_FLAGS, r->flags);
	if (m->sender.p != NULL)
		tlv_put(b, TAG_RCPT_SENDER, m->sender);
	tlv_put_some(b, TAG_RCPT_SHARED, m->shared);
	tlv_put_some(b, TAG_RCPT_RULE, m->rule);
	put_number(b, TAG_RCPT_NOTIFY, r->notify);
	tlv_put_some(b, TAG_RCPT_ORCPT, r->orcpt);
	tlv_put_some(b, TAG_RCPT_TRANSPORT, r->transport);
	tlv_close(b, opened);
}

void
envelope_encode(const struct envelope *e, struct buf *b)
{
	must(e->n_rcpts <= RECIPIENTS_MOST);
	tlv_put(b, TAG_SENDER, e->sender);
	tlv_put(b, TAG_TENANT, name_or_default(e->tenant));
	tlv_put(b, TAG_STREAM, name_or_default(e->stream));
	put_wall(b, TAG_ARRIVED, e->arrived);
	put_wall(b, TAG_RELEASE_AT, e->release);
	put_wall(b, TAG_EXPIRES, e->expires);
	put_number(b, TAG_FLAGS, e->flags);
	put_number(b, TAG_SIZE, e->size);
	put_number(b, TAG_EPOCH, e->epoch);
	put_number(b, TAG_PARENT, e->parent);
	tlv_put_some(b, TAG_IDEMPOTENCY_KEY, e->idempotency_key);
	tlv_put_some(b, TAG_CLIENT, e->client);
	tlv_put_some(b, TAG_CLIENT_NAME, e->client_name);
	tlv_put_some(b, TAG_HELO, e->helo);
	tlv_put_some(b, TAG_USER, e->user);
	tlv_put_some(b, TAG_PROTOCOL, e->protocol);
	tlv_put_some(b, TAG_LISTENER, e->listener);
	tlv_put_some(b, TAG_ENVID, e->envid);
	put_number(b, TAG_RET, e->ret);
	for (size_t i = 0; i < e->n_rcpts; i++)
		recipient_encode(&e->rcpts[i], b);
}

static enum envelope_fault
take_number(struct str value, uint64_t most, uint64_t *out)
{
	if (!tlv_u64(value, out) || *out > most)
		return ENVELOPE_MALFORMED;
	return ENVELOPE_FINE;
}

static enum envelope_fault
take_wall(struct str value, struct wall *out)
{
	uint64_t v = 0;
	enum envelope_fault fault = take_number(value, INT64_MAX, &v);

	out->us = (int64_t)v;
	return fault;
}

static enum envelope_fault
take_u32(struct str value, uint64_t most, uint32_t *out)
{
	uint64_t v = 0;
	enum envelope_fault fault = take_number(value, most, &v);

	*out = (uint32_t)v;
	return fault;
}

static enum envelope_fault
more_take(struct tlv t, struct recipient *r, struct arena *a)
{
	struct recipient_more *m = arena_new(a, struct recipient_more);

	if (m == NULL)
		return ENVELOPE_NO_ROOM;
	*m = *recipient_more(r);
	if (t.tag == TAG_RCPT_RULE)
		m->rule = t.value;
	else if (t.tag == TAG_RCPT_SENDER)
		m->sender = t.value;
	else
		m->shared = t.value;
	r->more = m;
	return ENVELOPE_FINE;
}

/* a == NULL: only looking. */
static enum envelope_fault
recipient_take(struct tlv t, struct recipient *r, struct arena *a)
{
	enum envelope_fault fault;

	switch (t.tag) {
	case TAG_RCPT_ADDRESS:
		r->address = t.value;
		return ENVELOPE_FINE;
	case TAG_RCPT_ORIG:
		r->orig = t.value;
		return ENVELOPE_FINE;
	case TAG_RCPT_ORCPT:
		r->orcpt = t.value;
		return ENVELOPE_FINE;
	case TAG_RCPT_RULE:
	case TAG_RCPT_SENDER:
	case TAG_RCPT_SHARED:
		if (t.tag == TAG_RCPT_SHARED && t.value.n % 4 != 0)
			return ENVELOPE_MALFORMED;
		return a == NULL ? ENVELOPE_FINE : more_take(t, r, a);
	case TAG_RCPT_NOTIFY:
		return take_u32(t.value, NOTIFY_ALL, &r->notify);
	case TAG_RCPT_TRANSPORT:
		r->transport = t.value;
		return ENVELOPE_FINE;
	case TAG_RCPT_FLAGS:
		return take_u32(t.value, UINT32_MAX, &r->flags);
	case TAG_RCPT_PARENT:
		fault = take_u32(t.value, RECIPIENTS_MOST, &r->parent);
		r->parent--;		/* 0 becomes RECIPIENT_NO_PARENT */
		return fault;
	default:
		return tlv_is_native(t.tag) ? ENVELOPE_FINE : ENVELOPE_FOREIGN;
	}
}

static enum envelope_fault
recipient_decode(struct str bytes, struct recipient *r, struct arena *a)
{
	enum envelope_fault fault;
	enum tlv_result got;
	struct tlv t;

	*r = (struct recipient){ .parent = RECIPIENT_NO_PARENT };
	while ((got = tlv_next(&bytes, &t)) == TLV_VALUE)
		if ((fault = recipient_take(t, r, a)) != ENVELOPE_FINE)
			return fault;
	return got == TLV_END && r->address.p != NULL ? ENVELOPE_FINE :
	    ENVELOPE_MALFORMED;
}

/* The strings; false when the tag is none of them. */
static bool
envelope_take_str(struct tlv t, struct envelope *e)
{
	struct str *const homes[] = {
		&e->sender, &e->tenant, &e->stream, &e->idempotency_key,
		&e->client, &e->client_name, &e->helo, &e->user, &e->protocol,
		&e->listener, &e->envid };
	static const uint8_t tags[] = {
		TAG_SENDER, TAG_TENANT, TAG_STREAM, TAG_IDEMPOTENCY_KEY,
		TAG_CLIENT, TAG_CLIENT_NAME, TAG_HELO, TAG_USER, TAG_PROTOCOL,
		TAG_LISTENER, TAG_ENVID };

	for (size_t i = 0; i < sizeof tags; i++)
		if (tags[i] == t.tag) {
			*homes[i] = t.value;
			return true;
		}
	return false;
}

static enum envelope_fault
envelope_take_number(struct tlv t, struct envelope *e)
{
	enum envelope_fault fault;
	uint32_t v;

	switch (t.tag) {
	case TAG_ARRIVED:
		return take_wall(t.value, &e->arrived);
	case TAG_RELEASE_AT:
		return take_wall(t.value, &e->release);
	case TAG_EXPIRES:
		return take_wall(t.value, &e->expires);
	case TAG_FLAGS:
		return take_u32(t.value, UINT32_MAX, &e->flags);
	case TAG_SIZE:
		return take_number(t.value, UINT64_MAX, &e->size);
	case TAG_PARENT:
		return take_number(t.value, UINT64_MAX, &e->parent);
	case TAG_RET:
		fault = take_u32(t.value, RET_HDRS, &v);
		e->ret = (enum ret_kind)v;
		return fault;
	case TAG_EPOCH:
		fault = take_u32(t.value, UINT16_MAX, &v);
		e->epoch = (uint16_t)v;
		return fault;
	default:
		return tlv_is_native(t.tag) ? ENVELOPE_FINE : ENVELOPE_FOREIGN;
	}
}

/* Into rcpts, or over and over into the one there without an arena. */
static enum envelope_fault
envelope_take(struct str bytes, struct envelope *e, struct arena *a)
{
	enum envelope_fault fault = ENVELOPE_FINE;
	enum tlv_result got;
	size_t n = 0;
	struct tlv t;

	while ((got = tlv_next(&bytes, &t)) == TLV_VALUE) {
		if (t.tag == TAG_RCPT && n == RECIPIENTS_MOST)
			return ENVELOPE_MALFORMED;
		if (t.tag == TAG_RCPT)
			fault = recipient_decode(t.value,
			    &e->rcpts[a == NULL ? 0 : n], a);
		else if (!envelope_take_str(t, e))
			fault = envelope_take_number(t, e);
		n += t.tag == TAG_RCPT;
		if (fault != ENVELOPE_FINE)
			return fault;
	}
	e->n_rcpts = n;
	if (got != TLV_END || n == 0 || e->sender.p == NULL)
		return ENVELOPE_MALFORMED;
	return ENVELOPE_FINE;
}

enum envelope_fault
envelope_check(struct str bytes, size_t *recipients)
{
	struct recipient one;
	struct envelope e = { .rcpts = &one };
	enum envelope_fault fault = envelope_take(bytes, &e, NULL);

	*recipients = e.n_rcpts;
	return fault;
}

enum envelope_fault
envelope_decode(struct str bytes, struct arena *a, struct envelope *e)
{
	enum envelope_fault fault;
	size_t n;

	*e = (struct envelope){ .id = 0 };
	if ((fault = envelope_check(bytes, &n)) != ENVELOPE_FINE)
		return fault;
	e->rcpts = arena_alloc(a, n * sizeof *e->rcpts);
	if (e->rcpts == NULL)
		return ENVELOPE_NO_ROOM;
	fault = envelope_take(bytes, e, a);
	if (fault == ENVELOPE_NO_ROOM)
		return fault;
	must(fault == ENVELOPE_FINE && e->n_rcpts == n);
	e->tenant = name_or_default(e->tenant);
	e->stream = name_or_default(e->stream);
	return ENVELOPE_FINE;
}

bool
recipient_is_over(const struct recipient *r)
{
	return (r->flags & RECIPIENT_DISCARDED) != 0 ||
	    (r->flags & (RECIPIENT_EXPANDED | RECIPIENT_TELLING)) ==
	    RECIPIENT_EXPANDED;
}
