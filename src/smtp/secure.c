/*
 * What may become of a connection whose host offers STARTTLS:
 *
 *	level     its answer      handshake   what follows
 *	none      -               -           clear text
 *	may       not 220         -           clear text, here
 *	          220             fails       DEFERRED; clear text on another
 *	                                      connection (deliver/ remembers)
 *	encrypt.. not 220, or not offered     DEFERRED 4.7.4
 *	          220             fails       DEFERRED 4.7.5
 *	any       220 and more text           DEFERRED 4.7.0: somebody is between
 */
#include "smtp/secure.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/fiber.h"
#include "fiber/stream.h"
#include "smtp/client_inner.h"
#include "trust/tls_demand.h"
#include "wire/reply.h"

static void
breach_note(struct client *c, const char *kind, const char *what)
{
	struct buf b = { .p = c->breach, .cap = sizeof c->breach - 1 };

	buf_printf(&b, "%s%s", kind, what);
	c->breach[b.n] = '\0';
}

/* The connection is of no use; nothing more is said in it. */
static struct verdict
secure_fail(struct client *c, const char *esc, const char *why)
{
	c->is_over = true;
	return verdict_make(DEFERRED, 0, esc, "%s", why);
}

/* The host is not what it should be.  It may be told so. */
static yields struct verdict
secure_refuse(struct client *c, const char *esc)
{
	struct verdict v = verdict_make(DEFERRED, 0, esc, "%s",
	    c->security.why);

	must(!c->security.is_met);
	breach_note(c, "TLS: ", tls_result_name(c->security.result));
	client_quit(c);
	c->is_over = true;
	return v;
}

static yields struct verdict
secure_judge(struct client *c)
{
	struct tls_facts facts;

	tls_facts(c->net, &facts);
	tls_demand_judge(c->demand, &facts, &c->security);
	if (!c->security.is_met)
		return secure_refuse(c, "4.7.5");
	return verdict_make(DELIVERED, 0, "2.0.0", "private");
}

yields struct verdict
secure_begin(struct client *c)
{
	char room[TLS_WHY_MOST];
	struct buf b = { .p = room, .cap = sizeof room - 1 };

	must(c->demand != NULL && c->tls != NULL);
	must(!stream_is_private(c->net));
	client_await(c, PHASE_tls);
	if (tls_connect(c->net, c->tls, c->demand->sni) == 0)
		return secure_judge(c);
	buf_printf(&b, "%s", err_text());
	room[b.n] = '\0';
	err_clear();
	c->lies |= CAPABILITY_BIT(STARTTLS);
	tls_demand_judge_clear(c->demand, buf_str(&b), &c->security);
	breach_note(c, "", room);
	return secure_fail(c, "4.7.5", room);
}

/* It goes on in clear text, if that will do. */
static yields struct verdict
secure_do_without(struct client *c, struct str trouble)
{
	tls_demand_judge_clear(c->demand, trouble, &c->security);
	if (!c->security.is_met)
		return secure_refuse(c, "4.7.4");
	return verdict_make(DELIVERED, 0, "2.0.0", "clear text");
}

static yields struct verdict
secure_ask(struct client *c, bool *begun)
{
	struct verdict v;

	must(!stream_is_private(c->net) && c->tls != NULL);
	client_await(c, PHASE_starttls);
	stream_put(c->net, STR("STARTTLS\r\n"));
	v = client_hear(c, PHASE_starttls, NULL);
	if (c->is_over)
		return v;
	/* RFC 3207 4: 454 for the moment, 501, 502 ... */
	if (v.code != 220) {
		breach_note(c, "STARTTLS is offered and refused", "");
		c->lies |= CAPABILITY_BIT(STARTTLS);
		return secure_do_without(c,
		    STR("the host offers STARTTLS and refuses it"));
	}
	if (stream_buffered(c->net) > 0) {
		breach_note(c, "text behind the answer to STARTTLS", "");
		return secure_fail(c, "4.7.0", "there was text behind the "
		    "answer to STARTTLS, as if somebody stood between");
	}
	*begun = true;
	return secure_begin(c);
}

yields struct verdict
secure_offer(struct client *c, bool *begun)
{
	enum tls_level level = c->demand == NULL ? TLS_LEVEL_NONE :
	    c->demand->level;
	bool is_offered = (c->ehlo.has & CAPABILITY_BIT(STARTTLS)) != 0;

	*begun = false;
	if (!stream_is_private(c->net))
		c->offer = is_offered ? OFFER_TLS : OFFER_NONE;
	if (c->demand == NULL || stream_is_private(c->net))
		return verdict_make(DELIVERED, 0, "2.0.0", "as it is");
	/* What did not work may be left alone only where it may be missing. */
	if (level == TLS_LEVEL_MAY)
		is_offered = client_has(c, CAPABILITY_BIT(STARTTLS));
	if (level == TLS_LEVEL_NONE || !is_offered || c->tls == NULL)
		return secure_do_without(c, STR_NONE);
	return secure_ask(c, begun);
}
