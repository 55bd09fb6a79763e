#include "trust/dovecot_auth.h"

#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "base/table.h"
#include "fiber/clock.h"
#include "fiber/net.h"
#include "fiber/random.h"
#include "fiber/stream.h"
#include "fiber/tls.h"
#include "trust/secret.h"
#include "wire/base64.h"
#include "wire/dovecot.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

/*
 * A connection's life, all in one fiber:
 *
 * ABSENT	a request starts the fiber, unless the process is left alone
 * DIALING	requests gather in the outbox
 * GREETING	VERSION and DONE have not come yet
 * SERVING	the outbox is sent; lines are given to the talks that they answer
 * ABSENT	lost, silent, malformed or closed: every talk is answered LATER
 *
 * Only this fiber touches the stream; others put a line into the outbox and
 * nudge it.
 */

enum { DIAL_S = 5, GREET_S = 5, SEND_S = 10, GREETING_LINES = 200,
	WORD_ROOM = 512, LINE_EXTRA = 512 };

struct outgoing {
	struct outgoing *next;
	size_t n;
	char text[];
};

/* A conversation: begins with dovecot_auth(), goes on by dovecot_more() for as
 * long as it says MORE, and ends with dovecot_cancel() when it is given up.  The
 * owner keeps it in place. */
struct dovecot_talk {
	struct dovecot *dovecot;
	struct table_node node;		/* while it is open */
	struct fiber *waiter;
	struct arena *arena;		/* where the answer's words go */
	enum directory_says says;
	bool is_open, is_answered, is_told;
	uint32_t id;
	struct str challenge;		/* MORE: octets for the client */
	struct directory_person person;	/* YES, NO */
};

static void dovecot_cancel(struct dovecot_talk *);

struct dovecot {
	struct dovecot_setup setup;
	char at[TLS_NAME_MOST + ADDRESS_PATH_MOST], name[WORD_ROOM];
	struct directory_health health;
	char mechanisms[DOVECOT_MECHANISMS];
	struct table talks;		/* unanswered, or within steps, by id */
	struct arena outbox;
	struct outgoing *first, **last;
	struct stream net;
	bool is_running, is_listening, is_closing, is_silent;
	struct fiber *closer;
	uint32_t id;			/* the last that was given */
	struct mono heard_at;
};

/* ---- its life ---- */

struct dovecot *
dovecot_new(const struct dovecot_setup *setup)
{
	struct dovecot *d = calloc(1, sizeof *d);
	struct buf at = { .n = 0 }, name = { .n = 0 };
	const struct dial_target *t = &setup->at;

	if (d == NULL) {
		err_set("no memory for Dovecot's connection");
		return NULL;
	}
	at = (struct buf){ .p = d->at, .cap = sizeof d->at };
	name = (struct buf){ .p = d->name, .cap = sizeof d->name };
	buf_put(&at, t->path.n > 0 ? t->path : t->host);
	must(!at.full);
	d->setup = *setup;
	if (t->path.n > 0)
		d->setup.at.path = buf_str(&at);
	else
		d->setup.at.host = buf_str(&at);
	buf_printf(&name, t->path.n > 0 ? "dovecot:" STR_FMT :
	    "dovecot:" STR_FMT ":%u", STR_ARG(buf_str(&at)), t->port);
	d->health = (struct directory_health){ .name = buf_str(&name),
		.tell = setup->tell, .arg = setup->arg };
	d->last = &d->first;
	arena_init(&d->outbox, DOVECOT_WAITING);
	return d;
}

const struct directory_health *
dovecot_health(const struct dovecot *d)
{
	return &d->health;
}

static void
outgoing_wipe(struct outgoing *o)
{
	for (; o != NULL; o = o->next)
		OPENSSL_cleanse(o->text, o->n);
}

static void
outbox_clear(struct dovecot *d)
{
	outgoing_wipe(d->first);
	d->first = NULL;
	d->last = &d->first;
	arena_clear(&d->outbox);
}

/* Whoever listens on the stream shall look around. */
static void
dovecot_nudge(struct dovecot *d)
{
	if (d->is_listening)
		stream_hurry(&d->net, clock_mono());
}

yields void
dovecot_close(struct dovecot *d)
{
	if (d == NULL)
		return;
	must(d->talks.n == 0);
	d->is_closing = true;
	d->closer = fiber_self();
	dovecot_nudge(d);
	while (d->is_running)
		(void)fiber_park(MONO_NEVER);
	outbox_clear(d);
	table_clear(&d->talks);
	free(d);
}

/* ---- who waits ---- */

static struct dovecot_talk *
talk_of(struct table_node *k)
{
	return k == NULL ? NULL : OWNER_OF(k, struct dovecot_talk, node);
}

static struct dovecot_talk *
talk_find(struct dovecot *d, uint32_t id)
{
	return talk_of(table_find(&d->talks, id));
}

static void
talk_answer(struct dovecot_talk *t, enum directory_says says)
{
	t->says = says;
	t->is_answered = true;
	if (says != DIRECTORY_MORE) {
		table_remove(&t->dovecot->talks, &t->node);
		t->is_open = false;
	}
	fiber_wake(t->waiter);
}

static void
talks_fail(struct dovecot *d)
{
	struct table_walk walk = { 0 };
	struct table_node *k;

	while ((k = table_walk(&d->talks, &walk)) != NULL)
		talk_answer(talk_of(k), DIRECTORY_LATER);
}

/* ---- what it says ---- */

/* An argument's value in the asker's memory; empty when there is none, or no
 * room. */
static struct str
word_take(struct arena *a, struct str value)
{
	struct buf b = { .cap = value.n };

	b.p = value.n > 0 ? arena_alloc(a, value.n) : NULL;
	if (b.p == NULL || !dovecot_unescape(value, &b))
		return (struct str){ "", 0 };
	return buf_str(&b);
}

static const char *
refusal_words(struct dovecot_talk *t, struct str args)
{
	struct str reason = word_take(t->arena, dovecot_find(args,
	    STR("reason")));

	if (reason.n > 0)
		return arena_cstr(t->arena, reason);
	if (dovecot_find(args, STR("user_disabled")).p != NULL)
		return "the account is disabled";
	if (dovecot_find(args, STR("pass_expired")).p != NULL)
		return "the password has expired";
	if (dovecot_find(args, STR("authz")).p != NULL)
		return "he may not log in as somebody else";
	return NULL;
}

static void
hear_ok(struct dovecot_talk *t, struct str args)
{
	t->person.name = word_take(t->arena, dovecot_find(args, STR("user")));
	talk_answer(t, t->person.name.n > 0 ? DIRECTORY_YES : DIRECTORY_LATER);
}

static void
hear_fail(struct dovecot_talk *t, struct str args)
{
	bool is_passing = dovecot_find(args, STR("temp")).p != NULL ||
	    str_eq(dovecot_find(args, STR("code")), STR("temp_fail"));

	t->is_told = is_passing;
	if (is_passing) {
		talk_answer(t, DIRECTORY_LATER);
		return;
	}
	t->person.name = word_take(t->arena, dovecot_find(args, STR("user")));
	t->person.why = refusal_words(t, args);
	talk_answer(t, DIRECTORY_NO);
}

static void
hear_more(struct dovecot_talk *t, struct str args)
{
	struct str text = str_cut(&args, '\t');
	struct buf b = { .cap = text.n };

	b.p = text.n > 0 ? arena_alloc(t->arena, text.n) : NULL;
	if (text.n > 0 && (b.p == NULL || !base64_decode(text, &b))) {
		talk_answer(t, DIRECTORY_LATER);
		return;
	}
	t->challenge = text.n > 0 ? buf_str(&b) : (struct str){ "", 0 };
	talk_answer(t, DIRECTORY_MORE);
}

static int
dovecot_hear(struct dovecot *d, struct str text)
{
	struct dovecot_talk *t;
	struct dovecot_line line;

	d->heard_at = clock_mono_exact();
	if (!dovecot_read(text, &line))
		return err_set("it said a line that is none of the protocol");
	t = talk_find(d, line.id);
	/* Whoever gave up hears nothing; nor does who did not ask. */
	if (t == NULL || t->is_answered)
		return 0;
	directory_worked(&d->health);
	if (line.kind == DOVECOT_OK)
		hear_ok(t, line.args);
	else if (line.kind == DOVECOT_FAIL)
		hear_fail(t, line.args);
	else if (line.kind == DOVECOT_CONT)
		hear_more(t, line.args);
	return 0;
}

/* ---- the greeting ---- */

static void
mechanism_add(struct dovecot *d, struct str args)
{
	struct str name = str_cut(&args, '\t');
	size_t n = strlen(d->mechanisms);

	if (dovecot_find(args, STR("private")).p != NULL || name.n == 0 ||
	    !str_is_printable(name) || n + name.n + 2 > sizeof d->mechanisms)
		return;
	(void)snprintf(d->mechanisms + n, sizeof d->mechanisms - n, "%s"
	    STR_FMT, n > 0 ? " " : "", STR_ARG(name));
}

/* 1: it is over. */
static int
greeting_line(struct dovecot *d, struct str text, bool *has_version)
{
	struct dovecot_line line;

	if (!dovecot_read(text, &line))
		return err_set("its greeting is none of the protocol");
	if (line.kind == DOVECOT_VERSION) {
		*has_version = line.id == 1;
		return *has_version ? 0 : err_set("it speaks version %u of the "
		    "protocol, not 1", line.id);
	}
	if (line.kind == DOVECOT_MECH)
		mechanism_add(d, line.args);
	if (line.kind != DOVECOT_DONE)
		return 0;
	return *has_version ? 1 : err_set("it greets without a version");
}

static yields int
dovecot_greet(struct dovecot *d)
{
	bool has_version = false;
	enum line_ending ending;
	struct str line;
	int rc = 0;

	d->net.deadline = mono_add(clock_mono(), GREET_S * NS_PER_SECOND);
	d->mechanisms[0] = '\0';
	/* The CPID must be nobody else's: our cores have one pid. */
	stream_printf(&d->net, "VERSION\t1\t2\nCPID\t%u\n",
	    (unsigned)random_below(INT32_MAX - 1) + 1);
	for (unsigned n = 0; rc == 0 && n < GREETING_LINES; n++) {
		if (stream_line(&d->net, DOVECOT_LINE_MOST, &line, &ending) != 0)
			return err_set(d->net.trouble == STREAM_LATE ?
			    "it does not greet" : d->net.trouble == STREAM_LONG
			    ? "it greets with a line too long" :
			    "it closed instead of greeting");
		rc = greeting_line(d, line, &has_version);
	}
	return rc == 1 ? 0 : rc == 0 ? err_set("its greeting has no end") : -1;
}

/* ---- serving ---- */

static yields int
dovecot_send(struct dovecot *d)
{
	struct arena taken = d->outbox;
	struct outgoing *first = d->first;

	if (first == NULL)
		return 0;
	arena_init(&d->outbox, DOVECOT_WAITING);
	d->first = NULL;
	d->last = &d->first;
	d->net.deadline = mono_add(clock_mono(), SEND_S * NS_PER_SECOND);
	for (const struct outgoing *o = first; o != NULL; o = o->next)
		stream_put(&d->net, (struct str){ o->text, o->n });
	outgoing_wipe(first);
	arena_clear(&taken);
	return stream_flush(&d->net) == 0 ? 0 :
	    err_set("it takes no requests");
}

static yields int
dovecot_listen(struct dovecot *d)
{
	enum line_ending ending;
	struct str line;
	int rc;

	d->net.deadline = MONO_NEVER;
	d->is_listening = true;
	rc = stream_line(&d->net, DOVECOT_LINE_MOST, &line, &ending);
	d->is_listening = false;
	if (rc == 0)
		return dovecot_hear(d, line);
	if (d->net.trouble == STREAM_LATE) {
		/* Nudged.  What is buffered stays. */
		d->net.trouble = STREAM_FINE;
		return 0;
	}
	return err_set(d->net.trouble == STREAM_LONG ?
	    "it said a line too long" : "it closed the connection");
}

static yields int
dovecot_serve(struct dovecot *d)
{
	while (!d->is_closing) {
		if (d->is_silent)
			return err_set("it does not answer");
		if (dovecot_send(d) != 0)
			return -1;
		/* What came while it was sent is sent first. */
		if (d->first == NULL && dovecot_listen(d) != 0)
			return -1;
	}
	return 0;
}

static yields int
dovecot_connect(struct dovecot *d)
{
	struct net_end *end = dial(&d->setup.at, mono_add(clock_mono(),
	    DIAL_S * NS_PER_SECOND));

	if (end == NULL)
		return -1;
	stream_init(&d->net, end);
	return 0;
}

static yields void
dovecot_run(void *arg)
{
	struct dovecot *d = arg;
	bool has_stream = dovecot_connect(d) == 0, is_met;
	int rc;

	is_met = has_stream && dovecot_greet(d) == 0;
	rc = is_met ? dovecot_serve(d) : -1;
	/* Closed by it while nobody asked: it restarts, perhaps. */
	if (rc != 0 && (!is_met || d->is_silent || d->talks.n > 0))
		directory_failed(&d->health, clock_mono(), err_text());
	talks_fail(d);
	outbox_clear(d);
	if (has_stream)
		stream_close(&d->net);
	d->is_running = d->is_silent = false;
	fiber_wake(d->closer);
}

/* ---- asking ---- */

static int
dovecot_start(struct dovecot *d)
{
	if (d->is_running)
		return 0;
	if (!directory_may_try(&d->health, clock_mono(), 0))
		return err_set("%s", d->health.why);
	d->is_silent = false;
	if (fiber_go("dovecot", dovecot_run, d) != 0)
		return -1;
	d->is_running = true;
	return 0;
}

static struct outgoing *
outgoing_new(struct dovecot *d, size_t room, struct buf *b)
{
	struct outgoing *o = arena_alloc(&d->outbox, sizeof *o + room);

	if (o == NULL)
		err_set("too much waits for Dovecot already");
	else
		*b = (struct buf){ .p = o->text, .cap = room };
	return o;
}

static int
outgoing_go(struct dovecot *d, struct outgoing *o, struct buf *b)
{
	buf_putc(b, '\n');
	o->n = b->n;
	if (b->full || b->n > DOVECOT_LINE_MOST) {
		OPENSSL_cleanse(o->text, o->n);
		return err_set("the request is longer than Dovecot takes");
	}
	*d->last = o;
	d->last = &o->next;
	dovecot_nudge(d);
	return 0;
}

/* The next number that is nobody's; 0 is never given (nor after a wrap). */
static uint32_t
id_next(struct dovecot *d)
{
	do {
		d->id++;
	} while (d->id == 0 || talk_find(d, d->id) != NULL);
	return d->id;
}

static int
talk_open(struct dovecot_talk *t)
{
	t->id = id_next(t->dovecot);
	if (table_insert(&t->dovecot->talks, &t->node, t->id) != 0)
		return err_set("no memory for a request to Dovecot");
	t->is_open = true;
	return 0;
}

static void
talk_close(struct dovecot_talk *t)
{
	if (t->is_open)
		table_remove(&t->dovecot->talks, &t->node);
	t->is_open = false;
}

/* Says nothing for as long as somebody's whole patience: it is not there. */
static void
talk_give_up(struct dovecot_talk *t, struct mono asked_at)
{
	struct dovecot *d = t->dovecot;

	if (mono_is_before(d->heard_at, asked_at)) {
		d->is_silent = true;
		dovecot_nudge(d);
		talk_close(t);
		err_set("Dovecot does not answer");
		return;
	}
	dovecot_cancel(t);
	err_set("Dovecot has no answer in time");
}

static yields enum directory_says
talk_await(struct dovecot_talk *t, struct mono deadline)
{
	struct mono asked_at = clock_mono();
	int rc = 0;

	t->waiter = fiber_self();
	while (!t->is_answered && rc == 0)
		rc = fiber_park(deadline);
	t->waiter = NULL;
	if (!t->is_answered) {
		talk_give_up(t, asked_at);
		return DIRECTORY_LATER;
	}
	if (t->says == DIRECTORY_LATER)
		err_set("%s", t->is_told || t->dovecot->health.failures == 0 ?
		    "Dovecot has trouble of its own" : t->dovecot->health.why);
	return t->says;
}

static void
address_put(struct buf *b, const char *ip, const char *port,
    const struct address *a)
{
	if (a->family == ADDRESS_V4 || a->family == ADDRESS_V6)
		buf_printf(b, "\t%s=%s\t%s=%u", ip, address_print(a).text, port,
		    a->port);
}

static void
word_put(struct buf *b, const char *name, struct str value)
{
	if (value.n == 0)
		return;
	buf_printf(b, "\t%s=", name);
	dovecot_escape(value, b);
}

/* "resp" is the last, whatever comes after it belongs to it. */
static void
ask_put(struct buf *b, const struct dovecot_ask *ask, uint32_t id)
{
	buf_printf(b, "AUTH\t%u\t", id);
	dovecot_escape(ask->mechanism, b);
	/* Who tries too often waits before we ask. */
	buf_put(b, STR("\tservice=smtp\tnologin\tno-penalty"));
	if (ask->is_private)
		buf_put(b, STR("\tsecured"));
	if (ask->certificate.n > 0)
		buf_put(b, STR("\tvalid-client-cert"));
	word_put(b, "cert_username", ask->certificate);
	word_put(b, "session", ask->session);
	word_put(b, "local_name", ask->local_name);
	address_put(b, "lip", "lport", &ask->local);
	address_put(b, "rip", "rport", &ask->client);
	if (!ask->has_initial)
		return;
	buf_put(b, STR("\tresp="));
	base64_encode(ask->initial, b);
}

static yields enum directory_says
dovecot_auth(struct dovecot *d, const struct dovecot_ask *ask,
    struct mono deadline, struct arena *a, struct dovecot_talk *t)
{
	struct outgoing *o;
	struct buf b;

	*t = (struct dovecot_talk){ .dovecot = d, .arena = a };
	must(!d->is_closing);
	if (dovecot_start(d) != 0 || talk_open(t) != 0)
		return DIRECTORY_LATER;
	o = outgoing_new(d, LINE_EXTRA + 2 * (ask->mechanism.n +
	    ask->certificate.n + ask->session.n + ask->local_name.n +
	    ask->initial.n), &b);
	if (o != NULL)
		ask_put(&b, ask, t->id);
	if (o == NULL || outgoing_go(d, o, &b) != 0) {
		talk_close(t);
		return DIRECTORY_LATER;
	}
	return talk_await(t, deadline);
}

static yields enum directory_says
dovecot_more(struct dovecot_talk *t, struct str response, struct mono deadline)
{
	struct dovecot *d = t->dovecot;
	struct outgoing *o;
	struct buf b;

	if (!t->is_open) {
		err_set("Dovecot went away in the middle");
		return DIRECTORY_LATER;
	}
	t->is_answered = false;
	o = outgoing_new(d, LINE_EXTRA + 2 * response.n, &b);
	if (o != NULL) {
		buf_printf(&b, "CONT\t%u\t", t->id);
		base64_encode(response, &b);
	}
	if (o == NULL || outgoing_go(d, o, &b) != 0) {
		dovecot_cancel(t);
		return DIRECTORY_LATER;
	}
	return talk_await(t, deadline);
}

static void
dovecot_cancel(struct dovecot_talk *t)
{
	struct dovecot *d = t->dovecot;
	struct outgoing *o;
	struct buf b;

	if (!t->is_open)
		return;
	o = outgoing_new(d, LINE_EXTRA, &b);
	if (o != NULL) {
		buf_printf(&b, "CANCEL\t%u", t->id);
		(void)outgoing_go(d, o, &b);
	}
	talk_close(t);
}

/* In one step; whoever asks for more will refuse, and says so once he is
 * answered (RFC 7628 3.2.3: a token), or has to be left (a password). */
static yields enum directory_says
dovecot_at_once(struct dovecot *d, const struct dovecot_ask *ask,
    struct mono deadline, struct arena *a, struct directory_person *out)
{
	struct dovecot_talk t;
	enum directory_says says = dovecot_auth(d, ask, deadline, a, &t);

	if (says == DIRECTORY_MORE)
		says = dovecot_more(&t, STR(""), deadline);
	if (says == DIRECTORY_MORE) {
		dovecot_cancel(&t);
		err_set("Dovecot asks for more than it was told");
		says = DIRECTORY_LATER;
	}
	*out = t.person;
	return says;
}

/* RFC 4616 2: message = [authzid] UTF8NUL authcid UTF8NUL passwd */
yields enum directory_says
dovecot_password(struct dovecot *d, const struct dovecot_ask *ask,
    struct str user, struct str password, struct mono deadline,
    struct arena *a, struct directory_person *out)
{
	struct dovecot_ask plain = *ask;
	size_t n = user.n + password.n + 2;
	struct buf b = { .p = secret_new(a, n), .cap = n };

	*out = (struct directory_person){ .n_addresses = 0 };
	if (b.p == NULL) {
		err_set("no memory for a login");
		return DIRECTORY_LATER;
	}
	if (user.n == 0 || str_find(user, '\0') < user.n ||
	    str_find(password, '\0') < password.n)
		return DIRECTORY_NO;
	buf_putc(&b, '\0');
	buf_put(&b, user);
	buf_putc(&b, '\0');
	buf_put(&b, password);
	plain.mechanism = STR("PLAIN");
	plain.has_initial = true;
	plain.initial = buf_str(&b);
	return dovecot_at_once(d, &plain, deadline, a, out);
}

static bool
dovecot_offers(const struct dovecot *d, struct str mechanism)
{
	struct str rest = str_of(d->mechanisms);

	while (rest.n > 0)
		if (str_eq(str_cut(&rest, ' '), mechanism))
			return true;
	return false;
}

/* RFC 7628 3.1, and Google's form of it.  A name with the octet that parts would
 * say something else. */
yields enum directory_says
dovecot_token(struct dovecot *d, const struct dovecot_ask *ask, struct str user,
    struct str token, struct mono deadline, struct arena *a,
    struct directory_person *out)
{
	struct dovecot_ask bearer = *ask;
	size_t n = user.n + token.n + LINE_EXTRA;
	struct buf b = { .p = secret_new(a, n), .cap = n };
	bool is_rfc = dovecot_offers(d, STR("OAUTHBEARER")) &&
	    !dovecot_offers(d, STR("XOAUTH2"));

	*out = (struct directory_person){ .why = "no token" };
	if (b.p == NULL) {
		err_set("no memory for a token");
		return DIRECTORY_LATER;
	}
	if (token.n == 0 || !str_is_printable(token) ||
	    str_find(user, '\1') < user.n || str_find(user, ',') < user.n)
		return DIRECTORY_NO;
	buf_put(&b, is_rfc ? STR("n,a=") : STR("user="));
	buf_put(&b, user);
	buf_put(&b, is_rfc ? STR(",\1auth=Bearer ") : STR("\1auth=Bearer "));
	buf_put(&b, token);
	buf_put(&b, STR("\1\1"));
	bearer.mechanism = is_rfc ? STR("OAUTHBEARER") : STR("XOAUTH2");
	bearer.has_initial = true;
	bearer.initial = buf_str(&b);
	return dovecot_at_once(d, &bearer, deadline, a, out);
}
