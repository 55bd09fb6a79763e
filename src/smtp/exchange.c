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
#include "smtp/client_inner.h"
#include "smtp/transfer.h"
#include "wire/address.h"

#include <inttypes.h>

/* RFC 2920 3.1: no more is said ahead of the replies than both sides' buffers
 * surely hold, or they would wait for each other. */
enum { EXCHANGE_AHEAD = 100 };

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

/* Only what the grammar lets through goes on a command line. */
static struct verdict
exchange_judge_address(struct str address, const char *esc)
{
	struct mailbox mailbox;

	if (!str_is_ascii(address))
		return verdict_make(FAILED, 0, "5.6.7",
		    "a non-ASCII address needs SMTPUTF8");
	if (mailbox_parse(address, MAILBOX_STRICT, &mailbox) != NULL)
		return verdict_make(FAILED, 0, esc, "not a valid address");
	return verdict_make(DELIVERED, 0, "2.0.0", "not refused yet");
}

/* What the peer told at EHLO that it will not take.  (RFC 1870 6.1; RFC 6152 3;
 * RFC 9422 4.2) */
static struct verdict
exchange_judge(const struct exchange *x)
{
	const struct client_message *m = x->message;
	const struct ehlo *ehlo = &x->client->ehlo;

	if (ehlo->size != 0 && m->size > ehlo->size)
		return verdict_make(FAILED, 552, "5.3.4", "%" PRIu64
		    " octets are more than the %" PRIu64 " the host takes",
		    m->size, ehlo->size);
	if (m->body == CLIENT_BODY_8BIT && !client_has(x->client, CAPABILITY_BIT(EIGHTBITMIME)))
		return verdict_make(FAILED, 0, "5.6.3",
		    "the host takes no 8-bit content");
	if (m->sender.n > 0)
		return exchange_judge_address(m->sender, "5.1.7");
	return verdict_make(DELIVERED, 0, "2.0.0", "not refused yet");
}

static void
exchange_judge_recipients(struct exchange *x)
{
	uint64_t most = x->client->ehlo.rcpt_max;
	uint64_t n = 0;

	for (size_t i = 0; i < x->message->n; i++) {
		x->verdicts[i] = exchange_judge_address(
		    x->message->recipients[i].address, "5.1.3");
		if (x->verdicts[i].disposition == DELIVERED &&
		    most != 0 && ++n > most)
			x->verdicts[i] = verdict_make(DEFERRED, 452, "4.5.3",
			    "the host takes %" PRIu64 " recipients at once",
			    most);
	}
}

static yields void
exchange_say_mail(struct exchange *x)
{
	struct client *c = x->client;
	const struct client_message *m = x->message;

	must(x->said == 0 && !x->data_is_said);
	client_await(c, PHASE_mail);
	if (c->must_reset)
		stream_put(c->net, STR("RSET\r\n"));
	stream_printf(c->net, "MAIL FROM:<" STR_FMT ">", STR_ARG(m->sender));
	if (client_has(c, CAPABILITY_BIT(SIZE)))
		stream_printf(c->net, " SIZE=%" PRIu64, m->size);
	if (m->body == CLIENT_BODY_8BIT)
		stream_put(c->net, STR(" BODY=8BITMIME"));
	stream_put(c->net, STR("\r\n"));
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
	if (!x->mail_is_good)
		exchange_settle(x, &v);
	return x->mail_is_good ? 0 : -1;
}

/* The next recipients who are in the game, at most n. */
static yields void
exchange_say_rcpts(struct exchange *x, size_t n)
{
	const struct client_message *m = x->message;

	for (; x->said < m->n && n > 0; x->said++) {
		if (x->verdicts[x->said].disposition != DELIVERED)
			continue;
		stream_printf(x->client->net, "RCPT TO:<" STR_FMT ">\r\n",
		    STR_ARG(m->recipients[x->said].address));
		n--;
	}
}

/*
 * RFC 5321 4.5.3.1.10: 552 to RCPT may mean "too many recipients" and is then
 * no failure.  An enhanced code that names another reason is believed.
 */
static struct verdict
exchange_judge_rcpt(struct verdict v)
{
	if (v.code == 552 && (v.esc.subject == 0 || v.esc.subject == 5))
		v = verdict_of(DEFERRED, 552, v.esc, str_of(v.text));
	return v;
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
			x->verdicts[x->heard] = exchange_judge_rcpt(v);
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

	for (; rcpts > 0 && !c->is_over; rcpts--)
		client_hear(c, PHASE_rcpt, NULL);
	if (!x->data_is_said || c->is_over)
		return;
	v = client_hear(c, PHASE_data, NULL);
	if (v.code == 354 && !c->is_over)
		transfer_nothing(c);
}

/* MAIL, every RCPT and DATA, as many in one packet as the peer allows.
 * -1: it ended here. */
static yields int
exchange_envelope(struct exchange *x)
{
	bool ahead = client_has(x->client, CAPABILITY_BIT(PIPELINING));
	size_t in_game;

	exchange_say_mail(x);
	if (!ahead && exchange_hear_mail(x) != 0)
		return -1;
	while (x->said < x->message->n) {
		client_await(x->client, PHASE_rcpt);
		in_game = exchange_count(x);
		exchange_say_rcpts(x, ahead ? EXCHANGE_AHEAD : 1);
		if (ahead && x->said == x->message->n)
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
	if (!x->data_is_said && exchange_count(x) > 0)
		exchange_say_data(x);
	return x->data_is_said ? 0 : -1;
}

yields void
exchange_run(struct exchange *x)
{
	struct verdict v;

	exchange_judge_recipients(x);
	v = exchange_judge(x);
	if (v.disposition != DELIVERED)
		exchange_settle(x, &v);
	if (exchange_count(x) == 0)
		return;
	if (exchange_envelope(x) == 0)
		transfer_run(x);
}
