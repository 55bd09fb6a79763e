/*
 * One attempt, and what is true:
 *
 *	CHOSEN   prove_try      the best mechanism that is left
 *	BEGUN    prove_begin    AUTH was said
 *	ASKED    prove_answer   a 334 was answered
 *	OVER     prove_judge    235, or why not; 504: chosen again without it
 */
#include "smtp/prove.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/offload.h"
#include "fiber/random.h"
#include "fiber/tls.h"
#include "smtp/client_inner.h"
#include "trust/sasl_client.h"
#include "trust/secret.h"
#include "wire/base64.h"
#include "wire/reply.h"

/* RFC 4954 4: 12,288 octets of a line are enough for every mechanism. */
enum { PROVE_MEMORY = 128 * 1024, PROVE_OCTETS = 12 * 1024,
	PROVE_ROUNDS_MOST = 8 };

struct prove {
	struct client *client;
	struct arena arena;
	struct sasl_credentials credentials;
	struct sasl_binding binding;
	uint32_t left;			/* of what is offered */
	struct sasl_client sasl;
	struct buf out;
	struct reply reply;
};

/* ---- what may be used ---- */

static uint32_t
allowed_bits(const struct client_login *l)
{
	uint32_t bits = l->mechanisms.n == 0 ? UINT32_MAX : SASL_SOME_BOUND;

	for (size_t i = 0; i < l->mechanisms.n; i++) {
		enum sasl_mechanism m = sasl_find(l->mechanisms.v[i]);

		if (m != SASL_UNKNOWN)
			bits |= SASL_BIT(m);
	}
	return bits;
}

static void
binding_take(struct prove *p)
{
	const struct stream *net = p->client->net;

	p->binding.has_exporter = tls_exporter(net, p->binding.exporter);
	if (!tls_end_point(net, p->binding.end_point,
	    &p->binding.end_point_n))
		p->binding.end_point_n = 0;
}

static int
prove_open(struct prove *p)
{
	const struct client_login *l = p->client->login;

	must(l != NULL && stream_is_private(p->client->net));
	p->credentials = (struct sasl_credentials){ .user = l->user,
		.secret = l->secret, .is_token = l->is_token, .host = l->host,
		.port = l->port };
	binding_take(p);
	p->left = sasl_offered(str_of(p->client->ehlo.auth)) &
	    allowed_bits(l);
	p->out = (struct buf){ .p = secret_new(&p->arena, PROVE_OCTETS),
		.cap = PROVE_OCTETS };
	return p->out.p == NULL ? -1 : 0;
}

/* ---- words ---- */

static struct verdict
prove_fail(struct prove *p, short code, const char *esc, const char *what,
    const char *why)
{
	struct client *c = p->client;
	struct buf b = { .p = c->breach, .cap = sizeof c->breach - 1 };

	buf_printf(&b, "AUTH: %s", what);
	c->breach[b.n] = '\0';
	return verdict_make(DEFERRED, code, esc, "logging in as " STR_FMT
	    ": %s%s%s", STR_ARG(c->login->user), what,
	    why[0] == '\0' ? "" : ": ", why);
}

static yields void
prove_say(struct prove *p)
{
	char room[1026];
	struct str left = buf_str(&p->out);

	/* in pieces that are whole groups of base64 */
	while (left.n > 0) {
		struct str piece = str_sub(left, 0, 768);
		struct buf b = BUF_OF(room);

		base64_encode(piece, &b);
		must(!b.full);
		stream_put(p->client->net, buf_str(&b));
		left = str_sub(left, piece.n, left.n);
	}
	OPENSSL_cleanse(room, sizeof room);
	stream_put(p->client->net, STR("\r\n"));
}

static yields struct verdict
prove_hear(struct prove *p)
{
	return client_hear_reply(p->client, PHASE_auth, NULL, &p->reply);
}

/* ---- the exchange ---- */

static int
prove_hash(void *arg)
{
	return sasl_client_hash(arg);
}

static yields enum sasl_client_step
prove_step(struct prove *p, enum sasl_client_step step)
{
	if (step != SASL_CLIENT_HASH)
		return step;
	if (offload(prove_hash, &p->sasl) != 0) {
		err_clear();
		p->sasl.why = "no helper thread";
		return SASL_CLIENT_BAD;
	}
	p->out.n = 0;
	return sasl_client_proof(&p->sasl, &p->out);
}

static yields void
prove_begin(struct prove *p, enum sasl_client_step step)
{
	struct stream *net = p->client->net;

	must(p->sasl.mechanism < SASL_MECHANISMS);
	client_await(p->client, PHASE_auth);
	stream_printf(net, "AUTH " STR_FMT,
	    STR_ARG(sasl_traits(p->sasl.mechanism)->name));
	if (step == SASL_CLIENT_WAIT) {
		stream_put(net, STR("\r\n"));
		return;
	}
	/* RFC 4954 4: an empty initial response is "=" */
	stream_put(net, p->out.n == 0 ? STR(" =") : STR(" "));
	prove_say(p);
}

/* RFC 4954 4: "*" ends it; what the server says to that is not asked. */
static yields void
prove_cancel(struct prove *p)
{
	if (p->client->is_over)
		return;
	client_await(p->client, PHASE_auth);
	stream_put(p->client->net, STR("*\r\n"));
	(void)prove_hear(p);
}

/* A 334: what we say to it.  -1: nothing; the exchange was ended. */
static yields int
prove_answer(struct prove *p)
{
	struct str text = { p->reply.text, p->reply.text_n };
	struct buf challenge = { .p = secret_new(&p->arena, REPLY_TEXT),
		.cap = REPLY_TEXT };
	enum sasl_client_step step = SASL_CLIENT_BAD;

	p->sasl.why = "its challenge is no base64";
	p->out.n = 0;
	if (challenge.p != NULL && base64_decode(str_trim(text), &challenge))
		step = prove_step(p, sasl_client_take(&p->sasl,
		    buf_str(&challenge), &p->out));
	if (step != SASL_CLIENT_SAY) {
		prove_cancel(p);
		return -1;
	}
	client_await(p->client, PHASE_auth);
	prove_say(p);
	return 0;
}

/* ---- the end ---- */

static struct verdict
prove_judge(struct prove *p, const struct verdict *v)
{
	char why[VERDICT_TEXT];
	struct buf b = { .p = why, .cap = sizeof why - 1 };

	if (v->code == 235 && sasl_client_is_done(&p->sasl))
		return *v;
	if (v->code == 235)
		return prove_fail(p, 0, "4.7.0", "the server did not prove that "
		    "it knows us", "");
	if (p->client->is_over && v->code == 0)
		return *v;		/* it broke: told by the phase */
	buf_printf(&b, "%d %s", v->code, v->text);
	why[b.n] = '\0';
	if (v->disposition == DEFERRED)
		return prove_fail(p, v->code, "4.7.0",
		    "the relay cannot say now", why);
	return prove_fail(p, v->code, "4.7.8",
	    "the relay does not take our name and password", why);
}

static yields struct verdict
prove_talk(struct prove *p, enum sasl_client_step step)
{
	struct verdict v;

	prove_begin(p, step);
	v = prove_hear(p);
	for (int i = 0; i < PROVE_ROUNDS_MOST && p->reply.code == 334 &&
	    !p->client->is_over; i++) {
		if (prove_answer(p) != 0)
			return prove_fail(p, 0, "4.7.0", "the relay speaks the "
			    "mechanism wrongly", p->sasl.why == NULL ? "" :
			    p->sasl.why);
		v = prove_hear(p);
	}
	return prove_judge(p, &v);
}

static yields struct verdict
prove_try(struct prove *p)
{
	unsigned char octets[SASL_NONCE];
	enum sasl_client_step step;

	random_bytes(octets, sizeof octets);
	p->sasl = (struct sasl_client){
		.mechanism = sasl_choose(p->left, &p->credentials, &p->binding),
		.arena = &p->arena, .credentials = &p->credentials,
		.binding = &p->binding, .offered = p->left,
		.nonce = sasl_nonce(&p->arena, octets) };
	if (p->sasl.mechanism == SASL_UNKNOWN)
		return prove_fail(p, 0, "4.7.0", "the relay offers no way to "
		    "log in that fits", p->client->ehlo.auth);
	p->out.n = 0;
	step = prove_step(p, sasl_client_begin(&p->sasl, &p->out));
	if (step == SASL_CLIENT_BAD)
		return prove_fail(p, 0, "4.7.0", "our own name or password",
		    p->sasl.why);
	return prove_talk(p, step);
}

static yields struct verdict
prove_all(struct prove *p)
{
	struct verdict v = verdict_make(DEFERRED, 0, "4.3.0", "no memory");

	if (prove_open(p) != 0)
		return v;
	do {
		v = prove_try(p);
		/* RFC 4954 4: 504, it does not know what it offers */
		if (p->sasl.mechanism < SASL_MECHANISMS)
			p->left &= ~SASL_BIT(p->sasl.mechanism);
	} while (v.code == 504 && !p->client->is_over);
	if (v.disposition == DELIVERED)
		p->client->breach[0] = '\0';	/* of the ways that failed */
	return v;
}

yields struct verdict
prove_self(struct client *c)
{
	struct prove *p;
	struct verdict v = verdict_make(DEFERRED, 0, "4.3.0", "no memory");
	struct arena arena;

	must(c->login != NULL);
	arena_init(&arena, PROVE_MEMORY);
	p = secret_new(&arena, sizeof *p);
	if (p != NULL) {
		p->client = c;
		arena_init(&p->arena, PROVE_MEMORY);
		if (stream_is_private(c->net))
			v = prove_all(p);
		else
			v = prove_fail(p, 0, "4.7.11", "it is done inside TLS "
			    "only, and the relay has none", "");
		arena_clear(&p->arena);
	}
	arena_clear(&arena);
	return v;
}
