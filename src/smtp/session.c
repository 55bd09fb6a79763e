#include "smtp/session.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "intake/intake.h"
#include "policy/account.h"
#include "policy/holder.h"
#include "policy/judge.h"
#include "wire/received.h"
#include "wire/reply.h"

static const struct session_says {
	short code;
	struct esc esc;
	const char *reason;
	struct str text;
} session_says[SESSION_REPLIES] = {
#define REPLY(name, code, class, subject, detail, reason, text) \
	[REPLY_##name] = { code, { class, subject, detail }, reason, \
	    STR_INIT(text) },
#include "smtp/replies.def"
#undef REPLY
};

const struct config *
session_config(const struct session *s)
{
	return s->txn.config != NULL ? s->txn.config :
	    config_now(s->server->configs);
}

struct judge_client
session_facts(const struct session *s)
{
	return (struct judge_client){
		.address = s->guest.client, .role = s->listener->role,
		.user = s->user, .account = s->txn.account,
	};
}

struct str
session_protocol(const struct session *s)
{
	bool is_login = s->user.n > 0 && !s->listener->is_local;

	return str_of(received_with((s->is_extended ? WITH_EXTENDED : 0u) |
	    (is_login ? WITH_AUTH : 0u) | (s->tls.n > 0 ? WITH_TLS : 0u) |
	    (s->txn.is_utf8 ? WITH_UTF8 : 0u)));
}

bool
session_room(struct session *s, size_t n, char **room)
{
	if (*room == NULL)
		*room = arena_alloc(&s->told, n);
	return *room != NULL;
}

void
session_name_client(struct session *s, struct str name)
{
	must(name.n == 0 || name.p != NULL);
	if (s->client_name.n > 0 || name.n == 0 || name.n > SESSION_TOLD ||
	    !session_room(s, SESSION_TOLD, &s->told_name))
		return;
	memcpy(s->told_name, name.p, name.n);
	s->client_name = (struct str){ s->told_name, name.n };
}

void
session_weigh(struct session *s)
{
	uint64_t now = s->arena.used + s->txn.arena.used +
	    s->knock.arena.used + s->shown.used + s->told.used;

	if (s->txn.intake != NULL)
		now += intake_weight(s->txn.intake);
	must(s->server->memory >= s->counted);
	s->server->memory += now - s->counted;
	s->counted = now;
}

void
txn_reset(struct session *s)
{
	struct config *config = s->txn.config;

	arena_clear(&s->txn.arena);
	s->txn = (struct txn){ 0 };
	if (config != NULL)
		config_unpin(s->server->configs, config);
	if (s->state > SESSION_READY)
		s->state = SESSION_READY;
	session_weigh(s);
}

void
session_forget(struct session *s)
{
	txn_reset(s);
	knock_forget(s);
	s->certificate = NULL;
	arena_clear(&s->shown);
	arena_clear(&s->arena);
	s->state = SESSION_START;
	s->helo = STR_NONE;
	s->is_extended = false;
}

/* RFC 3207 4: what may be said in clear text all the same. */
static bool
verb_is_harmless(enum verb verb)
{
	return verb == VERB_EHLO || verb == VERB_HELO || verb == VERB_HELP ||
	    verb == VERB_NOOP || verb == VERB_QUIT || verb == VERB_RSET ||
	    verb == VERB_STARTTLS;
}

bool
session_is_clear(const struct session *s)
{
	return s->tls.n == 0 && s->listener->tls == TLS_OFFERED &&
	    s->server->tls != NULL && !s->listener->is_local &&
	    !config_trusts(session_config(s), &s->guest.client);
}

bool
session_lacks_tls(const struct session *s, enum verb verb)
{
	bool must_begin = s->listener->tls == TLS_REQUIRED ||
	    s->listener->certificates == CERTIFICATES_REQUIRED ||
	    (session_config(s)->inbound.clear == CLEAR_REFUSE &&
	    session_is_clear(s));

	return must_begin && s->tls.n == 0 && !verb_is_harmless(verb);
}

const struct account_rule *
session_certified(const struct session *s)
{
	const struct session_certificate *c = s->certificate;

	return c == NULL ? NULL : account_rule_certificate(session_config(s),
	    (struct str){ c->fingerprint, sizeof c->fingerprint });
}

bool
session_lacks_certificate(const struct session *s, enum verb verb)
{
	if (s->listener->certificates != CERTIFICATES_REQUIRED ||
	    verb_is_harmless(verb))
		return false;
	return s->certificate == NULL || (s->certificate->names.n == 0 &&
	    session_certified(s) == NULL);
}

/* ---- events ---- */

static struct event
session_event(const struct session *s, enum event_type type)
{
	struct event e = event_make(type, clock_wall(), 0);

	event_str(&e, FIELD_client, str_of(s->client.text));
	if (s->listener->is_local)
		event_str(&e, FIELD_client_name, STR("localhost"));
	else if (s->client_name.n > 0)
		event_str(&e, FIELD_client_name, s->client_name);
	event_str(&e, FIELD_listener, s->listener->name);
	if (s->helo.p != NULL) {
		event_str(&e, FIELD_helo, s->helo);
		event_str(&e, FIELD_protocol, session_protocol(s));
	}
	if (s->tls.n > 0)
		event_str(&e, FIELD_tls, s->tls);
	return e;
}

static void
session_tell_sink(const struct session *s, const struct event *e)
{
	s->server->intake->sink->take(s->server->intake->sink, e);
}

/* The envelope's end is a fact to keep, a broken off greeting is not. */
void
session_tell_broken(const struct session *s, const char *reason)
{
	struct event e = session_event(s, EVENT_refused);

	event_str(&e, FIELD_stage, str_of(s->stage));
	event_str(&e, FIELD_reason, str_of(reason));
	if (s->txn.sender.p != NULL) {
		event_str(&e, FIELD_sender, s->txn.sender);
		intake_tell(s->server->intake, &e);
	} else {
		session_tell_sink(s, &e);
	}
}

static void
session_tell_refused(const struct session *s, const char *stage, struct str rcpt,
    const struct verdict *v)
{
	struct event e = session_event(s, EVENT_refused);
	struct esc_text esc = esc_print(v->esc);

	must(v->code >= 400);
	event_str(&e, FIELD_stage, str_of(stage));
	event_num(&e, FIELD_code, (uint64_t)v->code);
	event_str(&e, FIELD_dsn, str_of(esc.text));
	event_str(&e, FIELD_reply, str_of(v->text));
	if (s->account != NULL)
		event_str(&e, FIELD_user, s->user);
	if (s->txn.sender.p != NULL)
		event_str(&e, FIELD_sender, s->txn.sender);
	if (rcpt.p != NULL)
		event_str(&e, FIELD_recipient, rcpt);
	intake_tell(s->server->intake, &e);
}

/* To the log alone: a thousand of them a second must not fill the spool. */
void
session_tell_login(const struct session *s, const struct session_login *login)
{
	bool is_good = login->end == LOGIN_WAS_GOOD;
	struct event e = session_event(s, is_good ? EVENT_login_good :
	    EVENT_login_failed);

	must(is_good == (login->why == NULL));
	event_str(&e, FIELD_mechanism, str_of(login->mechanism));
	if (login->user.n > 0)
		event_str(&e, FIELD_user, str_sub(login->user, 0,
		    ACCOUNT_NAME_MOST));
	if (!is_good)
		event_str(&e, FIELD_reason, str_of(login->why));
	if (login->end == LOGIN_WAS_UNJUDGED)
		event_str(&e, FIELD_text, STR("Connection lost to "
		    "authentication server"));
	if (login->waited_ns > 0)
		event_num(&e, FIELD_delay_us,
		    (uint64_t)(login->waited_ns / NS_PER_US));
	session_tell_sink(s, &e);
}

void
session_tell_connected(const struct session *s)
{
	struct event e = session_event(s, EVENT_connected);

	if (s->listener->is_local)	/* no client of the network's */
		return;
	session_tell_sink(s, &e);
}

void
session_tell_disconnected(const struct session *s)
{
	struct event e = session_event(s, EVENT_disconnected);

	must(s->messages <= s->commands);
	if (s->listener->is_local)
		return;
	event_num(&e, FIELD_commands, s->commands);
	event_num(&e, FIELD_seconds,
	    (uint64_t)((clock_mono().ns - s->began.ns) / NS_PER_SECOND));
	session_tell_sink(s, &e);
}

/* ---- replies ---- */

yields void
session_put(struct session *s, short code, struct esc esc, struct str text)
{
	char room[1024];
	struct buf out = BUF_OF(room);

	must(code >= 200 && code <= 599);
	must(esc.class == 0 || esc.class == code / 100);
	reply_write(&out, code, esc, text, false);
	must(!out.full);
	/* whoever is late is still told so */
	if (code == 421)
		s->net.deadline = mono_add(clock_mono(),
		    session_config(s)->timeouts.server.write);
	stream_put(&s->net, buf_str(&out));
	s->code = code;
	if (code >= 500) {
		s->errors++;
		s->server->counts.errors++;
	}
	/* RFC 5321 3.8: 421 is said before the connection is closed. */
	if (code == 421)
		s->is_over = true;
}

yields void
session_greet(struct session *s)
{
	char room[300];
	struct buf banner = BUF_OF(room);

	must(s->state == SESSION_START);
	buf_put(&banner, session_config(s)->hostname);
	buf_put(&banner, STR(" ESMTP Nightmail"));
	must(!banner.full);
	session_put(s, 220, ESC_NONE, buf_str(&banner));
}

yields void
session_say(struct session *s, enum session_reply reply)
{
	const struct session_says *says = &session_says[reply];

	must(reply > REPLY_GO && reply < SESSION_REPLIES);
	session_put(s, says->code, says->esc, says->text);
	if (says->reason != NULL)
		session_tell_broken(s, says->reason);
}

yields void
session_say_refusal(struct session *s, const struct refusal *r)
{
	must(r->code >= 400 && r->text != NULL);
	session_put(s, r->code, r->esc, str_of(r->text));
}

yields void
session_say_verdict(struct session *s, const struct verdict *v)
{
	session_put(s, v->code, v->esc, str_of(v->text));
}

yields void
session_lost(struct session *s)
{
	must(s->net.trouble != STREAM_FINE);
	if (s->net.trouble == STREAM_LATE) {
		session_say(s, s->server->is_shut ? REPLY_SHUT : REPLY_LATE);
		return;
	}
	session_tell_broken(s, "gone");
	s->is_over = true;
}

yields void
session_refuse(struct session *s, const char *stage, struct str rcpt,
    const struct verdict *v)
{
	must(v->disposition != DELIVERED);
	session_tell_refused(s, stage, rcpt, v);
	session_say_verdict(s, v);
}

struct verdict
session_verdict(enum session_reply reply)
{
	const struct session_says *says = &session_says[reply];

	must(reply > REPLY_GO && reply < SESSION_REPLIES);
	must(says->code >= 400);
	return verdict_of(says->code >= 500 ? FAILED : DEFERRED, says->code,
	    says->esc, says->text);
}

struct verdict
session_verdict_of(const struct refusal *r)
{
	must(r->code >= 400);
	return verdict_of(r->code >= 500 ? FAILED : DEFERRED, r->code, r->esc,
	    str_of(r->text));
}
