/*
 * AUTH mechanism [SP initial-response]: RFC 4954 4.
 *
 * The life of an exchange, and what is true:
 *
 *	BEGUN    auth_begin      the mechanism may be spoken now
 *	ASKED    auth_hear       334 was said; the client's line is awaited
 *	JUDGED   auth_check      somebody who knows was asked
 *	OVER     auth_over       one reply was said, what was heard is wiped
 *
 * What the messages mean is trust/sasl.h's, who is who policy/login.h's.
 */
#include "policy/config.h"
#include "policy/holder.h"
#include "policy/login.h"
#include "smtp/door.h"
#include "smtp/knock.h"
#include "smtp/say.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/random.h"
#include "fiber/tls.h"
#include "trust/sasl.h"
#include "trust/secret.h"
#include "wire/base64.h"
#include "wire/refusal.h"

#define AUTH_PATIENCE (60 * NS_PER_SECOND)	/* with whom we ask */

struct auth {
	struct session *s;
	struct config *config;		/* pinned */
	struct sasl sasl;
	struct login_verifiers verifiers;
	struct account account;
	struct address local;
	struct tls_facts facts;
	const char *why;		/* he is not let in */
	const char *trouble;		/* nobody could tell; NULL: nobody asked */
	bool is_wrong;
	char room[SASL_CHALLENGE_MOST];
	struct buf out;
};

/* ---- what may be spoken ---- */

static enum login_kind
auth_kind(enum sasl_mechanism m)
{
	must(m < SASL_MECHANISMS);
	switch (sasl_traits(m)->proof) {
	case SASL_CERTIFICATE:
		return LOGIN_CERTIFICATE;
	case SASL_TOKEN:
		return LOGIN_TOKEN;
	case SASL_PASSWORD:
	case SASL_VERIFIER:
		break;
	}
	return LOGIN_PASSWORD;
}

static bool
auth_is_here(const struct session *s)
{
	const struct server_login *login = s->server->house->login;

	return s->listener->role == ROLE_SUBMISSION && !s->listener->is_local &&
	    login != NULL;
}

static bool
auth_is_allowed(const struct config *config, enum sasl_mechanism m)
{
	const struct conf_strings *names = &config->auth.mechanisms;

	for (size_t i = 0; i < names->n; i++)
		if (str_eq_icase(names->v[i], sasl_traits(m)->name))
			return (sasl_traits(m)->more & SASL_CLIENT) == 0;
	return false;
}

static bool
auth_can_bind(const struct session *s)
{
	unsigned char octets[64];
	size_t n;

	return s->tls.n > 0 && tls_end_point(&s->net, octets, &n);
}

/* What the connection has to offer: secrets are said in private only (SECURITY.md
 * row 8). */
static bool
auth_is_possible(const struct session *s, enum sasl_mechanism m)
{
	const struct server_login *login = s->server->house->login;
	const struct sasl_traits *t = sasl_traits(m);

	if (!login->takes(session_config(s), auth_kind(m)))
		return false;
	if ((t->more & SASL_OPEN) != 0 && s->tls.n == 0)
		return false;
	if (t->proof == SASL_CERTIFICATE)
		return s->certificate != NULL && (session_certified(s) != NULL
		    || s->certificate->names.n > 0);
	return (t->more & SASL_BOUND) == 0 || auth_can_bind(s);
}

uint32_t
auth_mechanisms(const struct session *s)
{
	const struct config *config = session_config(s);
	uint32_t may = 0;

	if (!auth_is_here(s) || s->user.n > 0 ||
	    session_lacks_tls(s, VERB_AUTH) ||
	    session_lacks_certificate(s, VERB_AUTH))
		return 0;
	for (enum sasl_mechanism m = 0; m < SASL_MECHANISMS; m++)
		if (auth_is_allowed(config, m) && auth_is_possible(s, m))
			may |= SASL_BIT(m);
	return may;
}

static bool
tls_may_begin(const struct session *s)
{
	return s->tls.n == 0 && s->server->tls != NULL &&
	    s->listener->tls == TLS_OFFERED;
}

enum session_reply
auth_otherwise(const struct session *s)
{
	if (!auth_is_here(s))
		return REPLY_NO_AUTH;
	if (s->user.n > 0)
		return REPLY_HAS_LOGIN;
	return tls_may_begin(s) ? REPLY_OPEN_MECHANISM : REPLY_NO_AUTH;
}

/* RFC 4954 4, 6: 504 for what nobody speaks here, 538 for what may be spoken in
 * private, 534 for what may not be spoken. */
static enum session_reply
auth_may(const struct session *s, enum sasl_mechanism m)
{
	if (m == SASL_UNKNOWN || (sasl_traits(m)->more & SASL_CLIENT) != 0)
		return REPLY_BAD_MECHANISM;
	if (!auth_is_allowed(session_config(s), m))
		return REPLY_WEAK_MECHANISM;
	if (!auth_is_possible(s, m))
		return s->tls.n == 0 ? REPLY_OPEN_MECHANISM :
		    REPLY_BAD_MECHANISM;
	return REPLY_GO;
}

/* ---- the end of it ---- */

static const char *
auth_name(const struct auth *a)
{
	return sasl_traits(a->sasl.mechanism)->name.p;
}

/* SECURITY.md row 10: each attempt is counted, and waits for those before it.
 * -1: the conversation is over. */
static yields int
auth_knock(struct auth *a)
{
	if (a->s->knock.is_open)
		return 0;
	return knock_begin(a->s, a->sasl.user);
}

static yields void
auth_fail(struct auth *a, const char *why)
{
	if (auth_knock(a) == 0 &&
	    knock_failed(a->s, auth_name(a), why) == 0)
		session_say(a->s, REPLY_BAD_LOGIN);
}

/* He is known from here on, until TLS begins or he goes. */
static yields void
auth_know(struct auth *a)
{
	const char *why;

	if (knock_good(a->s, &a->account, auth_name(a), &why) == 0) {
		must(a->s->user.n > 0);
		session_say(a->s, REPLY_OK_LOGIN);
	} else if (why != NULL) {
		auth_fail(a, why);
	} else {
		session_say(a->s, REPLY_NO_ROOM);
	}
}

/* However it ended: what was judged wrong counts, also when he went before he
 * heard of it; what was not judged does not. */
static yields void
auth_end(struct auth *a)
{
	if (!a->s->knock.is_open)
		return;
	if (a->is_wrong)
		(void)knock_failed(a->s, auth_name(a), a->why);
	else
		knock_unjudged(a->s, auth_name(a), a->trouble);
}

/* ---- what the client says ---- */

/* False: a reply was said.  The response is copied, where it will be wiped. */
static yields bool
auth_decode(struct auth *a, struct str letters, struct str *out)
{
	struct arena *arena = &a->s->arena;
	struct buf b = { .cap = letters.n / 4 * 3 };

	if (letters.n > COMMAND_AUTH_MOST) {
		session_say(a->s, REPLY_LONG_AUTH);
		return false;
	}
	b.p = secret_new(arena, b.cap + 1);
	if (b.p == NULL) {
		session_say(a->s, REPLY_NO_ROOM);
		return false;
	}
	if (!base64_decode(letters, &b)) {
		session_say(a->s, REPLY_BAD_BASE64);
		return false;
	}
	*out = buf_str(&b);
	stream_wipe(&a->s->net);
	return true;
}

static yields void
auth_put_challenge(struct auth *a)
{
	char room[SASL_CHALLENGE_MOST / 3 * 4 + 16];
	struct buf b = BUF_OF(room);

	buf_put(&b, STR("334 "));
	base64_encode(buf_str(&a->out), &b);
	buf_put(&b, STR("\r\n"));
	must(!b.full);
	stream_put(&a->s->net, buf_str(&b));
}

static yields void
auth_lost(struct session *s)
{
	if (s->net.trouble != STREAM_LONG)
		session_lost(s);
	else if (stream_skip_line(&s->net, COMMAND_SKIP_MOST) != 0)
		session_say(s, REPLY_LONG_LINE);
	else
		session_say(s, REPLY_LONG_AUTH);
}

static yields bool
auth_hear_line(struct session *s, struct str *line)
{
	enum line_ending ending = LINE_LF;
	int rc;

	door_wait(s->server, &s->waiter, &s->net, session_config(s));
	rc = stream_line(&s->net, COMMAND_AUTH_MOST, line, &ending);
	door_waited(&s->waiter);
	if (rc != 0)
		auth_lost(s);
	else if (s->server->is_shut)
		session_say(s, REPLY_SHUT);
	else if (ending != LINE_CRLF)
		session_say_refusal(s, refusal_get(REFUSAL_BARE_ENDING));
	return rc == 0 && ending == LINE_CRLF && !s->is_over;
}

/* Whoever writes on before he was asked does not know what his words will be
 * taken for.  "*": the client cancels. */
static yields bool
auth_hear(struct auth *a, struct str *response)
{
	struct str line = STR_NONE;

	if (stream_buffered(&a->s->net) > 0) {
		session_say(a->s, REPLY_BEHIND_AUTH);
		return false;
	}
	auth_put_challenge(a);
	if (!auth_hear_line(a->s, &line))
		return false;
	if (str_eq(line, STR("*"))) {
		session_say(a->s, REPLY_CANCELLED);
		return false;
	}
	return auth_decode(a, line, response);
}

/* ---- who knows ---- */

/* The account whose very certificate it is stands before the names that an
 * authority gave. */
static struct str
auth_subjects(struct auth *a)
{
	const struct account_rule *rule = session_certified(a->s);

	if (a->s->certificate == NULL)
		return STR_NONE;
	return rule != NULL ? rule->given.name : a->s->certificate->names;
}

static struct login_ask
auth_ask(struct auth *a)
{
	struct session *s = a->s;

	if (s->tls.n > 0)
		tls_facts(&s->net, &a->facts);
	(void)net_local(s->net.end, &a->local);
	return (struct login_ask){
		.kind = auth_kind(a->sasl.mechanism),
		.config = a->config, .name = a->sasl.user,
		.secret = a->sasl.secret,
		.subjects = auth_subjects(a), .client = s->guest.client,
		.local = a->local, .protocol = str_of(a->facts.version),
		.deadline = mono_add(clock_mono(), AUTH_PATIENCE),
	};
}

static yields bool
auth_later(struct auth *a)
{
	const char *why = err_text()[0] == '\0' ? NULL :
	    arena_cstr(&a->s->arena, str_of(err_text()));

	a->trouble = why == NULL ? "nobody could be asked" : why;
	err_clear();
	session_say(a->s, REPLY_LOGIN_LATER);
	return false;
}

/* False: a reply was said. */
static yields bool
auth_check(struct auth *a, enum sasl_step *step)
{
	const struct server_login *login = a->s->server->house->login;
	struct login_ask ask;
	char room[SASL_CHALLENGE_MOST];
	struct buf about = BUF_OF(room);
	enum login_result result;

	if (auth_knock(a) != 0)
		return false;
	must(a->s->knock.is_open);
	ask = auth_ask(a);
	result = login->check(login->login, &ask, &a->s->arena, &a->account,
	    &a->why);
	if (result == LOGIN_LATER)
		return auth_later(a);
	a->is_wrong = result != LOGIN_OK;
	a->out = BUF_OF(a->room);
	if (a->is_wrong && ask.kind == LOGIN_TOKEN)
		login_about_token(a->config, a->why, &about);
	*step = sasl_judge(&a->sasl, !a->is_wrong, about.n == 0 || about.full ?
	    STR_NONE : buf_str(&about), &a->out);
	return true;
}

static yields bool
auth_verify(struct auth *a, enum sasl_step *step)
{
	const struct server_login *login = a->s->server->house->login;
	struct login_ask ask;

	if (auth_knock(a) != 0)
		return false;
	must(a->s->knock.is_open);
	ask = auth_ask(a);
	if (login->verifier(login->login, &ask, &a->s->arena,
	    &a->verifiers) != LOGIN_OK)
		return auth_later(a);
	a->out = BUF_OF(a->room);
	*step = sasl_verify(&a->sasl, a->verifiers.v, a->verifiers.n, &a->out);
	return true;
}

/* A proof of a verifier counts when there is somebody whose it is. */
static bool
auth_proof_counts(struct auth *a)
{
	const struct server_login *login = a->s->server->house->login;

	if (sasl_traits(a->sasl.mechanism)->proof != SASL_VERIFIER)
		return true;
	must(sasl_is_proved(&a->sasl));
	if (a->verifiers.account == NULL)
		return false;
	login->proved(login->login, &a->verifiers, a->sasl.scram.proved);
	a->account = *a->verifiers.account;
	return true;
}

/* ---- the exchange ---- */

static yields void
auth_over(struct auth *a, enum sasl_step step)
{
	if (step == SASL_DONE && auth_proof_counts(a))
		auth_know(a);
	else if (step == SASL_BAD)
		session_say(a->s, REPLY_BAD_RESPONSE);
	else if (step == SASL_FULL)
		session_say(a->s, REPLY_NO_ROOM);
	else
		auth_fail(a, a->why != NULL ? a->why : a->sasl.why);
}

static yields void
auth_follow(struct auth *a, struct str response)
{
	enum sasl_step step;
	bool goes_on = true;

	a->out = BUF_OF(a->room);
	step = sasl_take(&a->sasl, response, &a->out);
	while (goes_on) {
		switch (step) {
		case SASL_SAY:
			goes_on = auth_hear(a, &response);
			a->out = BUF_OF(a->room);
			if (goes_on)
				step = sasl_take(&a->sasl, response, &a->out);
			break;
		case SASL_CHECK:
			goes_on = auth_check(a, &step);
			break;
		case SASL_VERIFY:
			goes_on = auth_verify(a, &step);
			break;
		case SASL_BAD:
		case SASL_DONE:
		case SASL_FULL:
		case SASL_REFUSED:
			auth_over(a, step);
			goes_on = false;
			break;
		}
	}
}

static bool
auth_begin(struct auth *a, enum sasl_mechanism mechanism)
{
	struct sasl_binding binding = { .has_exporter = false };
	struct session *s = a->s;
	unsigned char octets[SASL_NONCE];
	struct str nonce;

	must(mechanism < SASL_MECHANISMS);
	random_bytes(octets, sizeof octets);
	nonce = sasl_nonce(&s->arena, octets);
	if (nonce.p == NULL)
		return false;
	if (s->tls.n > 0) {
		binding.has_exporter = tls_exporter(&s->net, binding.exporter);
		(void)tls_end_point(&s->net, binding.end_point,
		    &binding.end_point_n);
	}
	sasl_begin(&a->sasl, mechanism, &s->arena, &binding, nonce);
	a->sasl.offers_bound = (auth_mechanisms(s) &
	    SASL_BIT(SASL_SCRAM_SHA_256_PLUS)) != 0;
	return true;
}

/* "=": an initial response that is there, and empty. */
static yields void
auth_run(struct auth *a, struct str arg)
{
	struct str word = str_cut(&arg, ' '), response = STR_NONE;
	enum sasl_mechanism mechanism = sasl_find(word);
	enum session_reply reply = auth_may(a->s, mechanism);

	if (reply == REPLY_GO && !auth_begin(a, mechanism))
		reply = REPLY_NO_ROOM;
	if (reply != REPLY_GO)
		session_say(a->s, reply);
	else if (str_eq(arg, STR("=")))
		auth_follow(a, STR(""));
	else if (arg.n == 0 || auth_decode(a, arg, &response))
		auth_follow(a, response);
}

yields void
say_auth(struct session *s, const struct command *command)
{
	struct arena_mark mark = arena_mark(&s->arena);
	struct auth a = { .s = s, .config = config_pin(s->server->configs) };

	must(s->state == SESSION_READY && s->txn.config == NULL);
	must(s->user.n == 0 && s->account == NULL);
	auth_run(&a, command->arg);
	auth_end(&a);
	must(!s->knock.is_open);
	OPENSSL_cleanse(&a.sasl, sizeof a.sasl);
	stream_wipe(&s->net);
	arena_back(&s->arena, mark);
	session_weigh(s);
	config_unpin(s->server->configs, a.config);
}
