/*
 * The life of a transaction: a recipient whose verdict is DELIVERED is still in
 * the game; whoever refuses him writes why, and the reply to the end of the data
 * is for those that are left.
 *
 * STATE       function that moves     what is true
 * judged      exchange_run            who cannot be said is out already
 * said        exchange_say_*          the peer will answer; said counts
 * heard       exchange_hear_*         heard <= said
 * transferred transfer_run            all have the peer's last word
 */
#include "smtp/exchange.h"

#include "base/must.h"
#include "fiber/tls.h"
#include "smtp/client_inner.h"
#include "smtp/transfer.h"
#include "wire/address.h"
#include "wire/idna.h"
#include "wire/orcpt.h"
#include "wire/reply.h"
#include "wire/xtext.h"

#include <inttypes.h>

enum {
	/* RFC 2920 3.1: no more is said ahead of the replies than both sides'
	 * buffers surely hold, or they would wait for each other. */
	EXCHANGE_AHEAD = 100,
	EXCHANGE_ADDRESS = 2 * MAILBOX_TEXT,
	EXCHANGE_ENVID = 3 * 200	/* RFC 3461 4.4: 100 octets of xtext */
};

/* Whoever refuses one of these, having offered it, does not know it: MAIL's
 * parameters come from them. */
#define EXCHANGE_PARAMETERS (CAPABILITY_BIT(BINARYMIME) | \
	CAPABILITY_BIT(DSN) | CAPABILITY_BIT(EIGHTBITMIME) | \
	CAPABILITY_BIT(SIZE) | CAPABILITY_BIT(SMTPUTF8))

void
exchange_settle(struct exchange *x, const struct verdict *v)
{
	must(v->esc.class != 0);
	for (size_t i = 0; i < x->message->n; i++)
		if (x->verdicts[i].disposition == DELIVERED)
			x->verdicts[i] = *v;
}

size_t
exchange_count(const struct exchange *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->message->n; i++)
		n += x->verdicts[i].disposition == DELIVERED;
	return n;
}

bool
exchange_is_answered_early(struct exchange *x)
{
	struct verdict v;

	if (stream_buffered(x->client->net) == 0)
		return false;
	x->client->is_over = true;
	v = verdict_make(DEFERRED, 0, "4.5.0",
	    "the host answered before it was asked");
	exchange_settle(x, &v);
	return true;
}

/* ---- addresses ---- */

/*
 * The address as this peer may hear it.  RFC 6531 3.2: without SMTPUTF8 no
 * "internationalized email address"; one that is so by its domain alone is not,
 * once that is written in A-labels.  False: there is no such form.
 */
static bool
exchange_address(const struct exchange *x, struct str address, struct buf *out)
{
	size_t at = str_find_last(address, '@');
	struct str local = str_sub(address, 0, at);

	if (str_is_ascii(address) ||
	    client_has(x->client, CAPABILITY_BIT(SMTPUTF8))) {
		buf_put(out, address);
		return !out->full;
	}
	buf_put(out, local);
	buf_putc(out, '@');
	return at < address.n && str_is_ascii(local) &&
	    idna_ascii(str_sub(address, at + 1, address.n), out) && !out->full;
}

/* Only what the grammar lets through goes on a command line. */
static struct verdict
exchange_judge_address(const struct exchange *x, struct str address,
    const char *esc)
{
	bool has_utf8 = client_has(x->client, CAPABILITY_BIT(SMTPUTF8));
	char room[EXCHANGE_ADDRESS];
	struct buf b = BUF_OF(room);
	struct mailbox mailbox;

	if (!exchange_address(x, address, &b))
		return verdict_make(FAILED, 0, "5.6.7", "the address needs "
		    "SMTPUTF8, which the host does not offer");
	if (mailbox_parse(buf_str(&b), has_utf8 ? MAILBOX_UTF8 :
	    MAILBOX_STRICT, &mailbox) != NULL)
		return verdict_make(FAILED, 0, esc, "not a valid address");
	return verdict_make(DELIVERED, 0, "2.0.0", "not refused yet");
}

/* Is recipient i of a domain that none in the game before him is of? */
static bool
exchange_has_new_domain(const struct exchange *x, size_t i)
{
	const struct client_recipient *r = x->message->recipients;

	for (size_t k = 0; k < i; k++)
		if (x->verdicts[k].disposition == DELIVERED &&
		    str_eq_icase(mailbox_domain(r[k].address),
		    mailbox_domain(r[i].address)))
			return false;
	return true;
}

/* RFC 9422 4.2, 4.3: who is too many is for the next transaction. */
static void
exchange_judge_recipients(struct exchange *x)
{
	const struct ehlo *ehlo = &x->client->ehlo;
	uint64_t n = 0, domains = 0;

	must(x->said == 0 && x->message->n > 0);
	for (size_t i = 0; i < x->message->n; i++) {
		bool is_new = ehlo->rcpt_domain_max != 0 &&
		    exchange_has_new_domain(x, i);

		x->verdicts[i] = exchange_judge_address(x,
		    x->message->recipients[i].address, "5.1.3");
		if (x->verdicts[i].disposition != DELIVERED)
			continue;
		if ((ehlo->rcpt_max != 0 && n >= ehlo->rcpt_max) ||
		    (is_new && domains >= ehlo->rcpt_domain_max)) {
			x->verdicts[i] = verdict_make(DEFERRED, 452, "4.5.3",
			    "the host takes no more recipients at once");
			continue;
		}
		n++;
		domains += is_new;
	}
}

/* ---- commands ---- */

static yields void
exchange_say_address(const struct exchange *x, const char *command,
    struct str address)
{
	char room[EXCHANGE_ADDRESS];
	struct buf b = BUF_OF(room);
	bool ok = exchange_address(x, address, &b);

	must(ok || address.n == 0);
	stream_printf(x->client->net, "%s:<" STR_FMT ">", command,
	    STR_ARG(buf_str(&b)));
}

/* RFC 3461 4.3, 4.4, 5.2.1 */
static yields void
exchange_say_return(const struct exchange *x)
{
	static const char *const rets[] = { [RET_NONE] = "",
		[RET_FULL] = " RET=FULL", [RET_HDRS] = " RET=HDRS" };
	const struct client_message *m = x->message;
	char room[EXCHANGE_ENVID];
	struct buf b = BUF_OF(room);

	if (!client_has(x->client, CAPABILITY_BIT(DSN)))
		return;
	stream_put(x->client->net, str_of(rets[m->ret]));
	xtext_encode(m->envid, &b);
	if (m->envid.n > 0 && !b.full)
		stream_printf(x->client->net, " ENVID=" STR_FMT,
		    STR_ARG(buf_str(&b)));
}

/* RFC 3461 4.1, 4.2.  What was not asked for is not asked for here (5.2.1). */
static yields void
exchange_say_wish(const struct exchange *x, const struct client_recipient *r)
{
	static const struct { unsigned bit; const char *word; } words[] = {
		{ NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" } };
	const char *separator = " NOTIFY=";
	char room[2 * ORCPT_MOST];
	struct buf b = BUF_OF(room);

	if (!client_has(x->client, CAPABILITY_BIT(DSN)))
		return;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if ((r->notify & words[i].bit) != 0) {
			stream_printf(x->client->net, "%s%s", separator,
			    words[i].word);
			separator = ",";
		}
	if (r->orcpt.p == NULL)
		return;
	orcpt_write(r->orcpt, x->fit.is_utf8, &b);
	if (!b.full && b.n <= ORCPT_MOST)
		stream_printf(x->client->net, " ORCPT=" STR_FMT,
		    STR_ARG(buf_str(&b)));
}

static const char *
exchange_body_word(const struct exchange *x)
{
	switch (x->fit.body) {
	case CLIENT_BODY_8BIT:
		return " BODY=8BITMIME";
	case CLIENT_BODY_BINARY:
		return " BODY=BINARYMIME";
	case CLIENT_BODY_7BIT:
		break;
	}
	return "";
}

static yields void
exchange_say_mail(struct exchange *x)
{
	struct client *c = x->client;

	must(x->said == 0 && !x->data_is_said);
	client_await(c, PHASE_mail);
	if (c->must_reset)
		stream_put(c->net, STR("RSET\r\n"));
	exchange_say_address(x, "MAIL FROM", x->message->sender);
	if (client_has(c, CAPABILITY_BIT(SIZE)))
		stream_printf(c->net, " SIZE=%" PRIu64, x->fit.size);
	stream_put(c->net, str_of(exchange_body_word(x)));
	if (x->fit.is_utf8)
		stream_put(c->net, STR(" SMTPUTF8"));
	/* a report goes on without, too (RFC 8689 5) */
	if (x->message->requires_tls && stream_is_private(c->net) &&
	    client_has(c, CAPABILITY_BIT(REQUIRETLS)))
		stream_put(c->net, STR(" REQUIRETLS"));
	/* RFC 4954 5: we vouch for nobody where we have proved who we are.  Who
	 * knew not all parameters that he offered hears no more than he must. */
	if (c->login != NULL && client_has(c, CAPABILITY_BIT(AUTH)) &&
	    ((c->distrust | c->lies) & EXCHANGE_PARAMETERS) == 0)
		stream_put(c->net, STR(" AUTH=<>"));
	exchange_say_return(x);
	stream_put(c->net, STR("\r\n"));
}

/*
 * RFC 5321 4.2.3: 555 and 504 are for parameters that the peer does not know;
 * RFC 3463 3.6 has X.5.4 for both.  From one who offered them all.
 */
static bool
is_ignorant(const struct verdict *v)
{
	return v->code == 555 || v->code == 504 ||
	    (v->code == 501 && v->esc.subject == 5 && v->esc.detail == 4);
}

/* He shall have MAIL again, and plainer: first without DSN's parameters, then
 * without any. */
static void
exchange_distrust(struct exchange *x)
{
	const struct client_message *m = x->message;
	struct client *c = x->client;
	bool has_dsn = client_has(c, CAPABILITY_BIT(DSN)) &&
	    (m->ret != RET_NONE || m->envid.n > 0);

	x->is_repeated = client_has(c, EXCHANGE_PARAMETERS);
	c->lies |= has_dsn ? CAPABILITY_BIT(DSN) : EXCHANGE_PARAMETERS;
}

/* -1: there will be no transaction; everybody knows why. */
static yields int
exchange_hear_mail(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v;

	must(!x->mail_is_heard && x->heard == 0);
	x->mail_is_heard = true;
	if (c->must_reset) {
		v = client_hear(c, PHASE_rset, NULL);
		if (v.disposition != DELIVERED) {
			c->is_over = true;
			v = verdict_of(DEFERRED, v.code, v.esc,
			    str_of(v.text));
			exchange_settle(x, &v);
			return -1;
		}
		c->must_reset = false;
	}
	v = client_hear(c, PHASE_mail, NULL);
	x->mail_is_good = v.disposition == DELIVERED;
	c->must_reset = x->mail_is_good;
	if (is_ignorant(&v))
		exchange_distrust(x);
	if (!x->mail_is_good && !x->is_repeated)
		exchange_settle(x, &v);
	return x->mail_is_good ? 0 : -1;
}

/* The next recipients who are in the game, at most n. */
static yields void
exchange_say_rcpts(struct exchange *x, size_t n)
{
	const struct client_message *m = x->message;

	must(n > 0 && x->heard <= x->said);
	for (; x->said < m->n && n > 0; x->said++) {
		if (x->verdicts[x->said].disposition != DELIVERED)
			continue;
		exchange_say_address(x, "RCPT TO",
		    m->recipients[x->said].address);
		exchange_say_wish(x, &m->recipients[x->said]);
		stream_put(x->client->net, STR("\r\n"));
		n--;
	}
}

/*
 * RFC 5321 4.5.3.1.10: 552 to RCPT may mean "too many recipients" and is then
 * no failure.  An enhanced code that names another reason is believed.  Nor is
 * it one that a host does not know NOTIFY and ORCPT, which it offered: the next
 * transaction does without.
 */
static struct verdict
exchange_judge_rcpt(struct exchange *x, struct verdict v)
{
	bool is_full = v.code == 552 &&
	    (v.esc.subject == 0 || v.esc.subject == 5);

	if (is_ignorant(&v) && client_has(x->client, CAPABILITY_BIT(DSN))) {
		x->client->lies |= CAPABILITY_BIT(DSN);
		is_full = true;
	}
	return is_full ? verdict_of(DEFERRED, v.code, v.esc, str_of(v.text)) :
	    v;
}

static yields int
exchange_hear_rcpts(struct exchange *x)
{
	struct verdict v;

	must(x->mail_is_good && x->said <= x->message->n);
	for (; x->heard < x->said; x->heard++) {
		if (x->verdicts[x->heard].disposition != DELIVERED)
			continue;
		v = client_hear(x->client, PHASE_rcpt, NULL);
		if (x->client->is_over) {
			exchange_settle(x, &v);
			return -1;
		}
		if (v.disposition != DELIVERED)
			x->verdicts[x->heard] =
			    exchange_judge_rcpt(x, v);
	}
	return 0;
}

static yields void
exchange_say_data(struct exchange *x)
{
	must(!x->data_is_said && x->said == x->message->n);
	client_await(x->client, PHASE_data);
	stream_put(x->client->net, STR("DATA\r\n"));
	x->data_is_said = true;
}

/* MAIL was refused, but what was said ahead is still answered: hear that, so
 * that the connection can serve another message. */
static yields void
exchange_hear_rest(struct exchange *x, size_t rcpts)
{
	struct client *c = x->client;
	struct verdict v;

	must(rcpts <= EXCHANGE_AHEAD);
	for (; rcpts > 0 && !c->is_over; rcpts--)
		client_hear(c, PHASE_rcpt, NULL);
	if (!x->data_is_said || c->is_over)
		return;
	v = client_hear(c, PHASE_data, NULL);
	if (v.code == 354 && !c->is_over)
		transfer_nothing(c);
}

/* MAIL, every RCPT and, unless BDAT comes, DATA, as many in one packet as the
 * peer allows.  (RFC 3030 2: BDAT waits for "all MAIL and RCPT responses".)
 * -1: it ended here. */
static yields int
exchange_envelope(struct exchange *x)
{
	bool ahead = client_has(x->client, CAPABILITY_BIT(PIPELINING));
	bool by_bdat = client_has(x->client, CAPABILITY_BIT(CHUNKING));
	size_t in_game;

	exchange_say_mail(x);
	if (!ahead && exchange_hear_mail(x) != 0)
		return -1;
	while (x->said < x->message->n) {
		if (x->mail_is_heard && exchange_is_answered_early(x))
			return -1;
		client_await(x->client, PHASE_rcpt);
		in_game = exchange_count(x);
		exchange_say_rcpts(x, ahead ? EXCHANGE_AHEAD : 1);
		if (ahead && !by_bdat && x->said == x->message->n)
			exchange_say_data(x);
		if (!x->mail_is_heard && exchange_hear_mail(x) != 0) {
			if (in_game > EXCHANGE_AHEAD)
				in_game = EXCHANGE_AHEAD;
			exchange_hear_rest(x, in_game);
			return -1;
		}
		if (exchange_hear_rcpts(x) != 0)
			return -1;
	}
	if (!x->data_is_said && !by_bdat && exchange_count(x) > 0)
		exchange_say_data(x);
	return x->data_is_said || exchange_count(x) > 0 ? 0 : -1;
}

static yields void
exchange_try(struct exchange *x)
{
	struct verdict v;

	exchange_judge_recipients(x);
	v = fit_open(&x->fit, x->client, x->message);
	if (v.disposition == DELIVERED && x->message->sender.n > 0)
		v = exchange_judge_address(x, x->message->sender, "5.1.7");
	if (v.disposition != DELIVERED)
		exchange_settle(x, &v);
	if (exchange_count(x) > 0 && exchange_envelope(x) == 0)
		transfer_run(x);
	fit_close(&x->fit);
}

/* Again and plainer, when the peer does not know what it offered.  A connection
 * that broke on the way is its own fault: all are deferred. */
yields void
exchange_run(struct exchange *x)
{
	struct client *c = x->client;
	struct verdict v;

	must(x->client->is_greeted && x->message->n > 0);
	exchange_try(x);
	while (x->is_repeated && !c->is_over) {
		*x = (struct exchange){ .client = c, .message = x->message,
			.verdicts = x->verdicts };
		exchange_try(x);
	}
	if (!x->is_repeated)
		return;
	v = verdict_make(DEFERRED, 0, "4.5.0", "the host does not know what "
	    "it offered, and broke the connection");
	exchange_settle(x, &v);
}
