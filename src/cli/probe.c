/*
 * The way of a conversation:
 *
 *	CONNECT -> [TLS] -> BANNER -> EHLO -> [STARTTLS -> TLS -> EHLO] -> AUTH ->
 *	MAIL -> QUIT -> the handshake again, on another connection
 *
 * What is wrong is noted where it is seen; only what makes going on senseless
 * ends it.
 */
#include "cli/probe.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "fiber/stream.h"
#include "fiber/tls.h"

#include <stdarg.h>

enum { SLOW_BANNER_S = 10 };

const char *
probe_phase_name(enum probe_phase phase)
{
	static const char *const names[PROBE_PHASES] = {
		[PROBE_DNS] = "dns", [PROBE_CONNECT] = "connect", [PROBE_BANNER] = "banner",
		[PROBE_EHLO] = "ehlo", [PROBE_TLS] = "tls",
		[PROBE_AUTH] = "auth", [PROBE_MAIL] = "mail" };

	must(phase < PROBE_PHASES);
	return names[phase];
}

/* ---- notes ---- */

void
probe_find(struct probe *p, enum probe_weight weight, const char *to_do,
    const char *fmt, ...)
{
	struct probe_finding *f = arena_new(p->arena, struct probe_finding);
	char room[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(room, sizeof room, fmt, ap);
	va_end(ap);
	p->troubles += weight == PROBE_TROUBLE;
	if (f == NULL)
		return;
	*f = (struct probe_finding){ .weight = weight,
		.what = arena_copy(p->arena, str_of(room)),
		.to_do = to_do == NULL ? STR_NONE : str_of(to_do) };
	*p->findings_last = f;
	p->findings_last = &f->next;
}

/* What comes from outside moves no cursor. */
static struct str
said_clean(struct probe *p, struct str text)
{
	struct buf b = { .p = arena_alloc(p->arena, text.n + 1), .cap = text.n };

	for (size_t i = 0; b.p != NULL && i < text.n; i++)
		buf_putc(&b, text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] :
		    '?');
	return b.p == NULL ? STR_NONE : buf_str(&b);
}

static void
said_note(struct probe *p, bool is_theirs, struct str text)
{
	struct probe_said *s = arena_new(p->arena, struct probe_said);

	if (s == NULL) {
		p->is_over = true;
		return;
	}
	*s = (struct probe_said){ .is_theirs = is_theirs,
		.is_private = stream_is_private(&p->net),
		.at_ns = clock_mono_exact().ns - p->began.ns,
		.text = said_clean(p, text) };
	*p->said_last = s;
	p->said_last = &s->next;
	if (p->ask->tell != NULL)
		p->ask->tell(s);
}

struct mono
probe_patience(const struct probe *p)
{
	return mono_add(clock_mono(), p->ask->patience);
}

void
probe_took(struct probe *p, enum probe_phase phase, struct mono since)
{
	p->took[phase] = clock_mono_exact().ns - since.ns;
}

/* ---- words ---- */

yields void
probe_say(struct probe *p, struct str line, struct str secret)
{
	size_t at = secret.n == 0 ? line.n : str_find_str(line, secret);
	struct str shown = line;

	if (p->is_over)
		return;
	if (at < line.n)
		shown = arena_printf(p->arena, STR_FMT "********",
		    STR_ARG(str_sub(line, 0, at)));
	said_note(p, false, shown);
	p->net.deadline = probe_patience(p);
	stream_put(&p->net, line);
	stream_put(&p->net, STR("\r\n"));
	if (stream_flush(&p->net) != 0)
		p->is_over = true;
}

static void
silence_tell(struct probe *p)
{
	p->is_over = true;
	if (p->net.trouble == STREAM_LATE)
		probe_find(p, PROBE_TROUBLE, "a firewall or a proxy may hold it "
		    "up, or the server waits for the DNS: look there, and at "
		    "its load", "no whole reply came within %lld seconds",
		    (long long)(p->ask->patience / NS_PER_SECOND));
	else if (p->net.trouble == STREAM_LONG)
		probe_find(p, PROBE_TROUBLE, "this is no SMTP server, or one "
		    "that is out of order", "a line of its reply does not end");
	else
		probe_find(p, PROBE_TROUBLE, "its log says why; it may refuse "
		    "this address", "the server closed the connection");
}

yields short
probe_hear(struct probe *p, struct reply *r, struct ehlo *ehlo)
{
	enum reply_state state = REPLY_MORE;
	enum line_ending ending = LINE_CRLF;
	struct str line, rest;

	reply_begin(r);
	if (p->is_over)
		return 0;
	p->net.deadline = probe_patience(p);
	while (state == REPLY_MORE) {
		if (stream_line(&p->net, REPLY_LINE_MOST, &line, &ending) != 0) {
			silence_tell(p);
			return 0;
		}
		said_note(p, true, line);
		rest = STR_NONE;
		state = reply_push(r, line, &rest);
		if (ehlo != NULL && state != REPLY_BAD)
			ehlo_push(ehlo, rest);
	}
	if (ending != LINE_CRLF)
		probe_find(p, PROBE_HINT, "lines of SMTP end in CR LF: other "
		    "clients may refuse it", "a reply ends in a bare LF");
	if (state == REPLY_BAD) {
		p->is_over = true;
		probe_find(p, PROBE_TROUBLE, "this is no SMTP server, or one "
		    "that is out of order", "%s", r->text);
		return 0;
	}
	return r->code;
}

/* ---- the phases ---- */

static yields bool
connect_do(struct probe *p)
{
	struct mono since = clock_mono_exact();
	struct net_end *end = net_connect(&p->at, NULL, probe_patience(p));

	if (end == NULL) {
		probe_find(p, PROBE_TROUBLE, "is the server running, is this "
		    "the port, does a firewall stand between?", "%s",
		    err_text());
		err_clear();
		return false;
	}
	probe_took(p, PROBE_CONNECT, since);
	stream_init(&p->net, end);
	p->is_open = p->is_reached = true;
	return true;
}

static yields bool
banner_hear(struct probe *p)
{
	struct mono since = clock_mono_exact();
	struct reply r;
	short code = probe_hear(p, &r, NULL);

	if (code == 0)
		return false;
	probe_took(p, PROBE_BANNER, since);
	p->banner = arena_copy(p->arena, (struct str){ r.text, r.text_n });
	if (code != 220)
		probe_find(p, PROBE_TROUBLE, "the server takes nobody now, or "
		    "not this address: its log says why", "its greeting is "
		    "%d: %s", code, r.text);
	else if (p->took[PROBE_BANNER] > SLOW_BANNER_S * NS_PER_SECOND)
		probe_find(p, PROBE_HINT, "some clients give up sooner; look at "
		    "what it asks the DNS before it greets", "the greeting took "
		    "%lld s", (long long)(p->took[PROBE_BANNER] /
		    NS_PER_SECOND));
	if (r.lines > 1)
		probe_find(p, PROBE_HINT, NULL, "the greeting has %u lines: "
		    "some clients read one only", r.lines);
	return code == 220;
}

static void
offers_keep(struct probe *p, bool is_private, const struct probe_said *from)
{
	struct probe_extension **last = &p->offers[is_private];
	size_t n = 0;

	for (const struct probe_said *s = from; s != NULL; s = s->next) {
		struct probe_extension *e;

		if (!s->is_theirs || n++ == 0 || s->text.n < 5)
			continue;	/* the first line is the greeting */
		e = arena_new(p->arena, struct probe_extension);
		if (e == NULL)
			return;
		*e = (struct probe_extension){ .line = str_sub(s->text, 4,
		    s->text.n) };
		*last = e;
		last = &e->next;
	}
	memcpy(p->auth[is_private], p->ehlo.auth, sizeof p->auth[0]);
}

static yields bool
ehlo_say(struct probe *p)
{
	struct mono since = clock_mono_exact();
	bool is_private = stream_is_private(&p->net);
	struct probe_said **from = p->said_last;
	struct reply r;
	short code;

	p->ehlo = (struct ehlo){ 0 };
	probe_say(p, arena_printf(p->arena, "EHLO " STR_FMT,
	    STR_ARG(p->ask->hostname)), STR_NONE);
	code = probe_hear(p, &r, &p->ehlo);
	if (code == 0)
		return false;
	if (p->took[PROBE_EHLO] < 0)
		probe_took(p, PROBE_EHLO, since);
	if (code == 250) {
		offers_keep(p, is_private, *from);
		return true;
	}
	probe_find(p, PROBE_TROUBLE, "the server knows HELO only, or does not "
	    "like the name: --name says another", "EHLO was answered %d: %s",
	    code, r.text);
	return false;
}

static bool
offers(const struct probe *p, enum capability what)
{
	return (p->ehlo.has & UINT32_C(1) << what) != 0;
}

/* RFC 3207 4: the answer is the last thing in clear text. */
static yields bool
starttls_say(struct probe *p)
{
	struct reply r;
	short code;

	probe_say(p, STR("STARTTLS"), STR_NONE);
	code = probe_hear(p, &r, NULL);
	if (code == 0)
		return false;
	if (code != 220) {
		probe_find(p, PROBE_TROUBLE, "is there a certificate, and may "
		    "the server read its key?  Its log says", "STARTTLS is "
		    "offered and answered %d: %s", code, r.text);
		return false;
	}
	if (stream_buffered(&p->net) > 0) {
		p->is_over = true;
		probe_find(p, PROBE_TROUBLE, "somebody between puts words into "
		    "this conversation, or the server is broken: trust neither",
		    "text came behind the answer to STARTTLS, in clear");
		return false;
	}
	return probe_tls_begin(p);
}

static void
no_starttls_tell(struct probe *p)
{
	if (p->ask->is_submission)
		probe_find(p, PROBE_TROUBLE, "give the server a certificate "
		    "(tls.cert) and require TLS for logins", "STARTTLS is not "
		    "offered: passwords and mail go in clear text");
	else
		probe_find(p, PROBE_TROUBLE, "give the server a certificate "
		    "(tls.cert); where it has one, a firewall that strips "
		    "STARTTLS may stand between", "STARTTLS is not offered: "
		    "mail comes in clear text");
}

/* RFC 8314 3.3: clear text has no login. */
static void
offers_judge(struct probe *p)
{
	if (p->auth[0][0] != '\0')
		probe_find(p, p->ask->is_submission ? PROBE_TROUBLE :
		    PROBE_HINT, "offer AUTH inside TLS only", "AUTH is offered "
		    "in clear text (%s): passwords can be read on the way",
		    p->auth[0]);
	if (p->ask->is_submission && p->auth[0][0] == '\0' &&
	    p->auth[1][0] == '\0')
		probe_find(p, PROBE_HINT, "users need AUTH, unless their "
		    "network is trusted", "no AUTH is offered to users");
	if (p->auth[1][0] != '\0' && !p->ask->is_submission)
		probe_find(p, PROBE_HINT, "users belong to ports 465 and 587; "
		    "on this one guessers come", "AUTH is offered to other "
		    "servers");
	if (!offers(p, CAPABILITY_PIPELINING))
		probe_find(p, PROBE_HINT, NULL, "no PIPELINING: each command "
		    "costs a round trip");
	if (!offers(p, CAPABILITY_EIGHTBITMIME))
		probe_find(p, PROBE_HINT, NULL, "no 8BITMIME: mail in 8 bits is "
		    "converted, and breaks signatures");
	if (!offers(p, CAPABILITY_SIZE))
		probe_find(p, PROBE_HINT, NULL, "no SIZE: what is too large is "
		    "sent before it is refused");
}

static yields bool
private_get(struct probe *p)
{
	if (!offers(p, CAPABILITY_STARTTLS)) {
		no_starttls_tell(p);
		return true;
	}
	p->offered_starttls = true;
	return starttls_say(p) && ehlo_say(p);
}

static yields void
conversation(struct probe *p)
{
	struct reply r;

	if (p->ask->is_implicit && !probe_tls_begin(p))
		return;
	if (!banner_hear(p) || !ehlo_say(p) ||
	    (!p->ask->is_implicit && !private_get(p)))
		return;
	offers_judge(p);
	if (p->ask->user.n > 0)
		probe_login(p);
	if (p->ask->from.p != NULL && p->ask->to.n > 0)
		probe_mail(p);
	probe_say(p, STR("QUIT"), STR_NONE);
	if (!p->is_over)
		(void)probe_hear(p, &r, NULL);
}

void
probe_init(struct probe *p, const struct probe_ask *ask, struct arena *a,
    struct str host, const struct address *at)
{
	*p = (struct probe){ .arena = a, .ask = ask, .host = host, .at = *at,
		.said_last = &p->said, .findings_last = &p->findings };
	for (size_t i = 0; i < PROBE_PHASES; i++)
		p->took[i] = -1;
}

yields void
probe_run(struct probe *p)
{
	p->began = clock_mono_exact();
	if (connect_do(p)) {
		conversation(p);
		stream_close(&p->net);
		p->is_open = false;
	}
	if (p->tls.is_there)
		probe_tls_again(p);
	if (p->is_reached)
		probe_reverse(p);
}
