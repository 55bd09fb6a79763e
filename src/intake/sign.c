/*
 * What leaves in the name of our domains is signed by them (RFC 6376).  SECURITY.md
 * row 12: who brings it must have shown that he may write so: by a login, whose
 * account may send as each address in From (author.c refuses others); by being a
 * user of this machine, or a host in trusted; or it is written here.  What others
 * bring, whatever its From says, is never signed.
 *
 * RFC 9989 4.4: a signature counts for DMARC where it is by the author's domain.
 * Mail of other authors is not signed by hostname's domain instead: that would
 * prove nothing to DMARC, and would answer for what is not ours.
 */
#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "intake/inner.h"
#include "policy/signing.h"
#include "trust/digest.h"
#include "trust/dkim_sign.h"
#include "wire/addrlist.h"
#include "wire/idna.h"

enum {
	SIGN_ARENA = 8 * 1024 * 1024,	/* ceiling: a header section, twice */
	SIGN_PATIENCE_S = 5,		/* a keyring that died is back by then */
	SIGN_PAUSE_MS = 300,
	SIGN_BY_ROOM = 1024
};

bool
sign_may(const struct intake *in)
{
	const struct intake_origin *o = &in->origin;

	return in->core->signer != NULL &&
	    in->config->outbound.dkim == DKIM_AUTO && (o->account != NULL ||
	    o->user.n > 0 || o->listener.n == 0 || !o->is_outside);
}

static void
sign_tell_failure(struct intake *in)
{
	struct event e = event_make(EVENT_sign_failed, clock_wall(),
	    intake_id(in));

	intake_tell_some(&e, FIELD_domain, in->signing.domain);
	event_str(&e, FIELD_sender, in->origin.sender);
	event_str(&e, FIELD_text, str_of(err_text()));
	intake_tell(in->core, &e);
	err_clear();
}

/* ---- whose it is ---- */

/* One author: all of them must have one signer. */
static void
sign_author(struct intake *in, struct str domain)
{
	struct signing *s = &in->signing;
	char room[DOMAIN_MOST];
	struct buf ascii = BUF_OF(room);
	struct str signer = STR_NONE;

	if (idna_ascii(domain, &ascii))
		signer = signing_domain(in->config, buf_str(&ascii));
	if (signer.n == 0 || (s->domain.n > 0 && !str_eq(s->domain, signer)))
		s->is_mixed = true;
	else if (s->domain.n == 0)
		s->domain = arena_copy(in->arena, signer);
	if (s->domain.p == NULL)
		s->is_mixed = true;
}

static void
sign_from(struct intake *in, struct str value)
{
	struct addrlist_item item;
	struct addrlist list;

	must(in->signing.authors > 0);
	addrlist_begin(&list, value, in->arena);
	while (addrlist_next(&list, &item))
		if (item.kind == ADDRLIST_MAILBOX)
			sign_author(in, item.domain);
		else if (item.kind == ADDRLIST_BAD ||
		    item.kind == ADDRLIST_NO_MEMORY)
			in->signing.is_mixed = true;
}

void
sign_field(struct intake *in, const struct field *field)
{
	if (field->known != HEADER_FROM || !sign_may(in))
		return;
	in->signing.authors++;
	sign_from(in, field->value);
}

/* A header beyond what is digested (limits.header was raised) leaves as it is. */
void
sign_give_up(struct intake *in)
{
	must(in->digest != NULL && in->proof == NULL);
	in->digest = NULL;
	err_set("the header section is too long");
	sign_tell_failure(in);
	in->signing.is_mixed = true;
}

int
sign_added(struct intake *in, struct str fields)
{
	struct header_scan scan;
	struct field field;
	struct arena a;
	bool fine = true;

	if (in->digest == NULL)
		return 0;
	arena_init(&a, HEADER_ARENA);
	header_begin(&scan, &a);
	while (fine && header_next(&scan, &fields, &field) == HEADER_FIELD) {
		sign_field(in, &field);
		fine = digest_field(in->digest, &field);
	}
	while (fine && header_finish(&scan, &field) == HEADER_FIELD) {
		sign_field(in, &field);
		fine = digest_field(in->digest, &field);
	}
	arena_clear(&a);
	if (fine)
		return 0;
	if (in->proof != NULL)
		return intake_refuse(in, intake_no_memory());
	sign_give_up(in);
	return 0;
}

void
sign_header_end(struct intake *in)
{
	struct signing *s = &in->signing;

	if (s->authors != 1 || s->is_mixed)
		s->domain = STR_NONE;
	must(s->domain.n == 0 || in->digest != NULL);
	if (s->domain.n > 0) {
		s->wish = digest_want(in->digest, CANON_RELAXED, DIGEST_ALL);
		if (s->wish < 0)
			s->domain = STR_NONE;
	}
	if (s->domain.n == 0 && in->proof == NULL)
		in->digest = NULL;	/* nobody asks */
}

/* ---- signing ---- */

/* The keyring may be another in this moment: who is told to come again waits
 * longer than we do here. */
static yields int
sign_try(struct intake *in, const struct dkim_ask *ask, struct arena *a,
    struct buf *out, struct dkim_signed *by)
{
	struct mono until = mono_add(clock_mono(),
	    SIGN_PATIENCE_S * NS_PER_SECOND);
	int rc;

	out->cap = dkim_sign_room(in->digest, ask);
	out->p = arena_alloc(a, out->cap);
	if (out->p == NULL)
		return err_set("no memory for a signature");
	while ((rc = dkim_sign(in->core->signer, in->digest, ask, a, out, by)) !=
	    0 && mono_is_before(clock_mono(), until))
		fiber_sleep(mono_add(clock_mono(), SIGN_PAUSE_MS * NS_PER_MS));
	return rc;
}

static void
sign_note(struct intake *in, const struct dkim_signed *by)
{
	char room[SIGN_BY_ROOM];
	struct buf b = BUF_OF(room);

	must(by->n > 0 && in->signing.domain.n > 0);
	for (size_t i = 0; i < by->n; i++)
		buf_printf(&b, "%s%s._domainkey." STR_FMT, i > 0 ? " " : "",
		    by->keys[i].selector, STR_ARG(in->signing.domain));
	in->signing.by = arena_copy(in->arena, buf_str(&b));
}

/* Ours leave as they are: a report that is unsigned is better than none. */
static int
sign_failed(struct intake *in)
{
	sign_tell_failure(in);
	if (in->origin.listener.n == 0 ||
	    in->config->dkim.trouble == DKIM_SEND)
		return 0;
	return intake_refuse(in, verdict_make(DEFERRED, 451, "4.7.5",
	    "The message cannot be signed now; try again later"));
}

yields int
sign_finish(struct intake *in)
{
	const struct config *c = in->config;
	struct dkim_ask ask = { .wish = in->signing.wish,
		.domain = in->signing.domain, .extra = c->dkim.fields.v,
		.n_extra = c->dkim.fields.n,
		.life = c->dkim.life / NS_PER_SECOND, .now = clock_wall() };
	struct buf out = { .p = NULL };
	struct dkim_signed by = { .n = 0 };
	struct arena a;
	int rc;

	if (ask.domain.n == 0)
		return 0;
	must(in->digest != NULL && in->core->signer != NULL);
	arena_init(&a, SIGN_ARENA);
	rc = sign_try(in, &ask, &a, &out, &by);
	if (rc != 0)
		rc = sign_failed(in);
	else if (by.n > 0) {
		sign_note(in, &by);
		rc = intake_prepend(in, buf_str(&out));
	}
	arena_clear(&a);
	return rc;
}
