/*
 * The life of a connection, as one client sees it:
 *
 * STATE       function that moves     what is true
 * new         client_init             nothing was said
 * private     secure_begin            TLS; what EHLO told before is forgotten
 * greeted     client_greet            ehlo holds what the peer offers
 * idle        client_send             between transactions; must_reset: the
 *                                     peer still has half of the last one
 * over        any                     421, trouble or nonsense was heard, or
 *                                     QUIT said: nothing is said any more
 */
#include "smtp/client.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/tls.h"
#include "smtp/client_inner.h"
#include "smtp/exchange.h"
#include "smtp/prove.h"
#include "smtp/secure.h"
#include "wire/disposition.h"

static const struct client_phase_row {
	const char *what;
	size_t patience;		/* offset in struct client_patience */
} client_phases[CLIENT_PHASES] = {
#define PHASE(name, what, patience) \
	{ what, offsetof(struct client_patience, patience) },
#include "smtp/phases.def"
#undef PHASE
};

struct client_patience
client_patience_of(const struct config *config)
{
	return (struct client_patience){
		.greeting = config->timeouts.client.greeting,
		.command = config->timeouts.client.command,
		.data = config->timeouts.client.data,
		.block = config->timeouts.client.block,
		.end = config->timeouts.client.end,
		.quit = config->timeouts.client.quit,
	};
}

void
client_init(struct client *c, struct stream *net, enum client_kind kind,
    const struct client_patience *patience)
{
	must(net->end != NULL);
	*c = (struct client){ .net = net, .kind = kind, .patience = patience };
}

bool
client_is_usable(const struct client *c)
{
	return c->is_greeted && !c->is_over && c->net->trouble == STREAM_FINE &&
	    (c->ehlo.mail_max == 0 || c->transactions < c->ehlo.mail_max);
}

void
client_await(struct client *c, enum client_phase phase)
{
	int64_t ns;

	must(phase < CLIENT_PHASES);
	memcpy(&ns, (const char *)c->patience + client_phases[phase].patience,
	    sizeof(ns));
	c->net->deadline = mono_add(clock_mono(), ns);
}

static struct verdict
client_break(struct client *c, const char *esc, const char *before,
    const char *what, const char *behind)
{
	struct buf b = { .p = c->breach, .cap = sizeof c->breach - 1 };

	buf_printf(&b, "%s%s%s", before, what, behind);
	must(b.n < sizeof c->breach);
	c->breach[b.n] = '\0';
	return verdict_make(DEFERRED, 0, esc, "%s", c->breach);
}

/* The connection is of no more use; say why. */
static struct verdict
client_lose(struct client *c, enum client_phase phase)
{
	const char *what = client_phases[phase].what;

	must(phase < CLIENT_PHASES && !c->is_over);
	c->is_over = true;
	switch (c->net->trouble) {
	case STREAM_LATE:
		if (phase == PHASE_rcpt || phase == PHASE_data)
			c->lies |= CAPABILITY_BIT(PIPELINING);
		return client_break(c, "4.4.2", "timed out waiting for ",
		    what, "");
	case STREAM_LONG:
		return client_break(c, "4.5.0", "", what,
		    " has a line without end");
	case STREAM_GONE:
	case STREAM_FINE:
		break;
	}
	return client_break(c, "4.4.2", "connection lost while waiting for ",
	    what, "");
}

/* A peer that has enough says so and closes; while we were still speaking, that
 * looks like a lost connection. */
static yields int
client_line(struct client *c, struct str *line)
{
	enum line_ending ending;

	if (stream_line(c->net, REPLY_LINE_MOST, line, &ending) == 0)
		return 0;
	if (stream_last_words(c->net) != 0)
		return -1;
	return stream_line(c->net, REPLY_LINE_MOST, line, &ending);
}

/*
 * The next reply, all its lines, as a verdict: 2xx is DELIVERED.  After 421 or
 * trouble the connection is over.  (RFC 5321 3.8: 421 may come at any time.)
 */
yields struct verdict
client_hear_reply(struct client *c, enum client_phase phase, struct ehlo *ehlo,
    struct reply *reply)
{
	enum reply_state state = REPLY_MORE;
	struct str line, rest;

	must(!c->is_over);
	client_await(c, phase);
	reply_begin(reply);
	while (state == REPLY_MORE) {
		if (client_line(c, &line) != 0)
			return client_lose(c, phase);
		state = reply_push(reply, line, &rest);
		if (state != REPLY_BAD && ehlo != NULL)
			ehlo_push(ehlo, rest);
	}
	if (state == REPLY_BAD) {
		c->is_over = true;
		(void)client_break(c, "4.5.0", "", client_phases[phase].what,
		    " is not SMTP");
		return verdict_make(DEFERRED, 0, "4.5.0", "%s is not SMTP: %s",
		    client_phases[phase].what, reply->text);
	}
	c->is_over = reply->code == 421;
	return reply_verdict(reply);
}

yields struct verdict
client_hear(struct client *c, enum client_phase phase, struct ehlo *ehlo)
{
	struct reply reply;

	return client_hear_reply(c, phase, ehlo, &reply);
}

static yields struct verdict
client_hello(struct client *c, const char *verb, enum client_phase phase,
    struct str hostname)
{
	must(!c->is_over && !c->is_greeted);
	client_await(c, phase);
	c->ehlo = (struct ehlo){ 0 };
	stream_printf(c->net, "%s " STR_FMT "\r\n", verb, STR_ARG(hostname));
	return client_hear(c, phase, &c->ehlo);
}

/* RFC 5321 3.2: "the client ... SHOULD ... fall back to HELO" when EHLO is not
 * understood, which any 5xx may mean.  RFC 2033 4.1: LHLO, and nothing else. */
static yields struct verdict
client_introduce(struct client *c, struct str hostname)
{
	struct verdict v;

	if (c->kind == CLIENT_LMTP)
		return client_hello(c, "LHLO", PHASE_lhlo, hostname);
	v = client_hello(c, "EHLO", PHASE_ehlo, hostname);
	if (v.disposition != FAILED || c->is_over)
		return v;
	v = client_hello(c, "HELO", PHASE_ehlo, hostname);
	c->ehlo = (struct ehlo){ 0 };
	return v;
}

yields struct verdict
client_greet(struct client *c, struct str hostname)
{
	struct verdict v = { .disposition = DELIVERED };
	bool begun;

	must(!c->is_greeted && !c->is_over && c->transactions == 0);
	if (c->is_implicit)
		v = secure_begin(c);
	if (v.disposition == DELIVERED)
		v = client_hear(c, PHASE_greeting, NULL);
	if (v.disposition == DELIVERED)
		v = client_introduce(c, hostname);
	if (v.disposition != DELIVERED)
		return v;
	v = secure_offer(c, &begun);
	/* RFC 3207 4.2: what was known before is not known any more. */
	if (v.disposition == DELIVERED && begun)
		v = client_introduce(c, hostname);
	if (v.disposition == DELIVERED && c->login != NULL)
		v = prove_self(c);
	c->is_greeted = v.disposition == DELIVERED;
	return v;
}

bool
client_passes_dsn(const struct client *c)
{
	return client_has(c, CAPABILITY_BIT(DSN));
}

bool
client_keeps_tls(const struct client *c)
{
	return stream_is_private(c->net) &&
	    c->security.proof >= TLS_PROOF_VERIFIED &&
	    client_has(c, CAPABILITY_BIT(REQUIRETLS));
}

bool
client_has(const struct client *c, uint32_t capability_bits)
{
	return (c->ehlo.has & ~(c->distrust | c->lies) & capability_bits) != 0;
}

yields void
client_send(struct client *c, const struct client_message *m,
    struct verdict verdicts[])
{
	struct exchange x = { .client = c, .message = m, .verdicts = verdicts };

	must(m->n > 0 && c->is_greeted && !c->is_over);
	c->transactions++;
	exchange_run(&x);
}

yields void
client_quit(struct client *c)
{
	if (c->is_over || c->net->trouble != STREAM_FINE)
		return;
	client_await(c, PHASE_quit);
	stream_put(c->net, STR("QUIT\r\n"));
	client_hear(c, PHASE_quit, NULL);
	c->is_over = true;
}
