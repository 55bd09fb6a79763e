/* probe_login.c -- a login, and a message, as far as they were asked for. */
#include "cli/probe.h"
#include "fiber/clock.h"
#include "fiber/offload.h"
#include "fiber/random.h"
#include "fiber/tls.h"
#include "trust/sasl_client.h"
#include "wire/base64.h"
#include "wire/date.h"

#include <openssl/crypto.h>

enum { LOGIN_ROOM = 4096 };

/* ---- login ---- */

struct login {
	struct probe *probe;
	struct sasl_client client;
	struct sasl_credentials credentials;
	struct sasl_binding binding;
	struct buf out, line;		/* what to say, and how */
	struct str challenge;
};

static int
hash(void *arg)
{
	return sasl_client_hash(arg);
}

/* AUTH NAME, or a line by itself; "=" is the empty initial response (RFC 4954
 * 4). */
static yields void
message_say(struct login *l, bool is_first, bool has_message)
{
	struct str words = is_first ? arena_printf(l->probe->arena,
	    "AUTH " STR_FMT "%s", STR_ARG(sasl_traits(
	    l->client.mechanism)->name), has_message ? " " : "") : STR_NONE;
	struct str secret;

	l->line.n = 0;
	buf_put(&l->line, words);
	if (is_first && has_message && l->out.n == 0)
		buf_putc(&l->line, '=');
	else if (has_message)
		base64_encode(buf_str(&l->out), &l->line);
	secret = str_sub(buf_str(&l->line), words.n, l->line.n);
	probe_say(l->probe, buf_str(&l->line), secret);
	l->out.n = 0;
}

/* A challenge's octets: RFC 4954 4, behind "334 ". */
static bool
challenge_take(struct login *l, const struct reply *r)
{
	struct buf b = { .p = arena_alloc(l->probe->arena, REPLY_TEXT),
		.cap = REPLY_TEXT };

	if (b.p == NULL || !base64_decode((struct str){ r->text, r->text_n },
	    &b))
		return false;
	l->challenge = buf_str(&b);
	return true;
}

static yields enum sasl_client_step
step_next(struct login *l, enum sasl_client_step step)
{
	if (step != SASL_CLIENT_HASH)
		return step;
	if (offload_patient(hash, &l->client) != 0)
		return SASL_CLIENT_BAD;
	return sasl_client_proof(&l->client, &l->out);
}

static void
login_failed(struct login *l, const struct reply *r)
{
	if (l->client.why != NULL)
		probe_find(l->probe, PROBE_TROUBLE, "do not believe this server",
		    "login by %s: %s",
		    sasl_traits(l->client.mechanism)->name.p, l->client.why);
	else if (r->code != 0)
		probe_find(l->probe, PROBE_TROUBLE, "is the password right, may "
		    "this user log in from here, by this mechanism?",
		    "login by %s was answered %d: %s",
		    sasl_traits(l->client.mechanism)->name.p, r->code, r->text);
}

static yields void
login_talk(struct login *l, struct reply *r)
{
	enum sasl_client_step step = step_next(l, sasl_client_begin(&l->client,
	    &l->out));
	bool is_first = true;

	while (step != SASL_CLIENT_BAD) {
		message_say(l, is_first, step == SASL_CLIENT_SAY);
		is_first = false;
		if (probe_hear(l->probe, r, NULL) != 334)
			break;
		if (!challenge_take(l, r)) {
			l->client.why = "a challenge is no base64";
			break;
		}
		step = step_next(l, sasl_client_take(&l->client, l->challenge,
		    &l->out));
	}
	if (step == SASL_CLIENT_BAD && !is_first)
		probe_say(l->probe, STR("*"), STR_NONE);
	/* Who must prove that he knows us and did not is not believed. */
	l->probe->is_logged_in = r->code == 235 && l->client.why == NULL &&
	    sasl_client_is_done(&l->client);
}

static void
binding_find(struct login *l)
{
	struct stream *s = &l->probe->net;

	l->binding.has_exporter = tls_exporter(s, l->binding.exporter);
	if (!tls_end_point(s, l->binding.end_point, &l->binding.end_point_n))
		l->binding.end_point_n = 0;
}

static bool
login_make(struct login *l)
{
	struct probe *p = l->probe;
	unsigned char octets[SASL_NONCE];

	l->out.p = arena_alloc(p->arena, LOGIN_ROOM);
	l->line.p = arena_alloc(p->arena, 2 * LOGIN_ROOM);
	if (l->out.p == NULL || l->line.p == NULL)
		return false;
	l->out.cap = LOGIN_ROOM;
	l->line.cap = 2 * LOGIN_ROOM;
	l->credentials = (struct sasl_credentials){ .user = p->ask->user,
		.secret = p->ask->password, .host = p->host,
		.port = p->at.port };
	binding_find(l);
	random_bytes(octets, sizeof octets);
	l->client = (struct sasl_client){ .arena = p->arena,
		.credentials = &l->credentials, .binding = &l->binding,
		.offered = sasl_offered(str_of(p->auth[1])),
		.nonce = sasl_nonce(p->arena, octets) };
	l->client.mechanism = sasl_choose(l->client.offered, &l->credentials,
	    &l->binding);
	return true;
}

yields void
probe_login(struct probe *p)
{
	struct login *l = arena_new(p->arena, struct login);
	struct reply *r = arena_new(p->arena, struct reply);
	struct mono since = clock_mono_exact();

	if (!stream_is_private(&p->net)) {
		probe_find(p, PROBE_TROUBLE, NULL, "the login was not tried: a "
		    "password is not said in clear text");
		return;
	}
	if (l == NULL || r == NULL)
		return;
	*l = (struct login){ .probe = p };
	if (!login_make(l))
		return;
	if (l->client.mechanism == SASL_UNKNOWN) {
		probe_find(p, PROBE_TROUBLE, NULL, "the login was not tried: no "
		    "mechanism that is offered takes a password (%s)",
		    p->auth[1]);
		return;
	}
	login_talk(l, r);
	probe_took(p, PROBE_AUTH, since);
	if (!p->is_logged_in)
		login_failed(l, r);
	OPENSSL_cleanse(l->out.p, l->out.cap);
	OPENSSL_cleanse(l->line.p, l->line.cap);
}

/* ---- mail ---- */

static yields bool
command(struct probe *p, struct reply *r, struct str line, short class)
{
	probe_say(p, line, STR_NONE);
	return probe_hear(p, r, NULL) / 100 == class;
}

static yields bool
envelope(struct probe *p, struct reply *r)
{
	return command(p, r, arena_printf(p->arena, "MAIL FROM:<" STR_FMT ">",
	    STR_ARG(p->ask->from)), 2) && command(p, r, arena_printf(p->arena,
	    "RCPT TO:<" STR_FMT ">", STR_ARG(p->ask->to)), 2);
}

static yields bool
letter(struct probe *p, struct reply *r)
{
	struct str id = arena_printf(p->arena, "%llx",
	    (unsigned long long)random_u64());
	struct str text;

	if (!command(p, r, STR("DATA"), 3))
		return false;
	text = arena_printf(p->arena, "Date: %s\nFrom: <" STR_FMT ">\nTo: <"
	    STR_FMT ">\nSubject: nightmail test smtp\nMessage-ID: <" STR_FMT
	    "@" STR_FMT ">\n\nThis is a test.\n.",
	    date_print(clock_wall(), 0).text, STR_ARG(p->ask->from),
	    STR_ARG(p->ask->to), STR_ARG(id), STR_ARG(p->ask->hostname));
	while (text.n > 0)
		probe_say(p, str_cut(&text, '\n'), STR_NONE);
	return probe_hear(p, r, NULL) == 250;
}

static yields void
relay_check(struct probe *p, struct reply *r)
{
	bool taken = envelope(p, r);

	if (taken)
		probe_find(p, PROBE_TROUBLE, "if neither address is this "
		    "server's own, and you are no user of it, it is an open "
		    "relay: close it before others find it", "mail from "
		    STR_FMT " to " STR_FMT " is taken%s", STR_ARG(p->ask->from),
		    STR_ARG(p->ask->to), p->is_logged_in ? " behind the login" :
		    " from anybody at this address");
	(void)command(p, r, STR("RSET"), 2);
}

yields void
probe_mail(struct probe *p)
{
	struct reply *r = arena_new(p->arena, struct reply);
	struct mono since = clock_mono_exact();

	if (r == NULL || p->is_over)
		return;
	if (p->ask->is_relay_check) {
		relay_check(p, r);
		return;
	}
	p->is_sent = envelope(p, r) && letter(p, r);
	probe_took(p, PROBE_MAIL, since);
	if (!p->is_sent && r->code != 0)
		probe_find(p, PROBE_TROUBLE, "the reply says why", "the test "
		    "message was answered %d: %s", r->code, r->text);
}
