/*
 * The life of a session, and what is true:
 *
 * STATE   function that moves there      what is true
 * START   server_session                 the banner was said
 * READY   say_ehlo, say_helo; txn_reset  helo is known; txn holds nothing
 * MAIL    say_mail                       txn has a pinned configuration and an
 *                                        envelope with a sender
 * RCPT    say_rcpt                       the envelope has a recipient
 * BDAT    say_bdat                       the draft is open; chunks may follow
 *
 * A transaction ends in txn_reset() and nowhere else, and wholly.  What is said
 * in which state stands in states.def, in what words in replies.def.
 */
#include "smtp/server.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/tls.h"
#include "policy/config.h"
#include "smtp/door.h"
#include "smtp/extension.h"
#include "smtp/knock.h"
#include "smtp/say.h"
#include "wire/address.h"
#include "wire/disposition.h"

/* ---- the tables ---- */

enum { LINGER_MOST = 256 * 1024 };	/* octets */
enum { KEPT_LEAST = 128, KEPT_MOST = 2048 };	/* descriptors */
#define LINGER_NS (500 * NS_PER_MS)

enum session_argument { ARGUMENT_BARE, ARGUMENT_NEEDS, ARGUMENT_MAY };
enum session_hold { REPLY_BATCH, REPLY_FLUSH };

static const struct session_row {
	enum session_reply in[SESSION_STATES];
	enum session_argument argument;
	enum session_hold hold;
} session_rows[VERBS] = {
#define STATE(verb, start, ready, mail, rcpt, bdat, argument, hold) \
	[VERB_##verb] = { { REPLY_##start, REPLY_##ready, REPLY_##mail, \
	    REPLY_##rcpt, REPLY_##bdat }, ARGUMENT_##argument, REPLY_##hold },
#include "smtp/states.def"
#undef STATE
};

static yields void say_help(struct session *, const struct command *);
static yields void say_noop(struct session *, const struct command *);
static yields void say_quit(struct session *, const struct command *);
static yields void say_rset(struct session *, const struct command *);
static yields void say_vrfy(struct session *, const struct command *);

static yields void (*const session_verbs[VERBS])(struct session *,
    const struct command *) = {
	[VERB_AUTH] = say_auth, [VERB_BDAT] = say_bdat, [VERB_DATA] = say_data,
	[VERB_EHLO] = say_ehlo, [VERB_ETRN] = say_etrn,
	[VERB_HELO] = say_helo,
	[VERB_HELP] = say_help, [VERB_MAIL] = say_mail, [VERB_NOOP] = say_noop,
	[VERB_QUIT] = say_quit, [VERB_RCPT] = say_rcpt, [VERB_RSET] = say_rset,
	[VERB_STARTTLS] = say_starttls,
	[VERB_VRFY] = say_vrfy, [VERB_XCLIENT] = say_xclient,
};

/* ---- the small verbs: RFC 5321 4.1.1.5 to 4.1.1.10 ---- */

static yields void
say_rset(struct session *s, const struct command *command)
{
	(void)command;
	txn_reset(s);
	session_say(s, REPLY_RESET);
}

/* RFC 5321 7.3: "a server may answer 252". */
static yields void
say_vrfy(struct session *s, const struct command *command)
{
	(void)command;
	session_say(s, REPLY_VRFY);
}

static bool
verb_is_offered(const struct session *s, enum verb verb)
{
	const enum session_reply *in = session_rows[verb].in;

	return session_verbs[verb] != NULL &&
	    extension_reply(s, verb) == REPLY_GO &&
	    (in[SESSION_RCPT] == REPLY_GO || in[SESSION_READY] == REPLY_GO);
}

static yields void
say_help(struct session *s, const struct command *command)
{
	struct command about;
	char room[512];
	struct buf text = BUF_OF(room);

	if (command->arg.n > 0 &&
	    command_parse(command->arg, 0, &about) == NULL &&
	    verb_is_offered(s, about.verb)) {
		buf_put(&text, str_of(verb_help(about.verb)));
	} else {
		buf_put(&text, STR("RFC 5321, with these commands:\n"));
		for (enum verb v = 0; v < VERBS; v++)
			if (verb_is_offered(s, v))
				buf_printf(&text, "%s ", verb_name(v));
		text.n--;
	}
	session_put(s, 214, (struct esc){ 2, 0, 0 }, buf_str(&text));
}

static yields void
say_noop(struct session *s, const struct command *command)
{
	(void)command;
	session_say(s, REPLY_NOOP);
}

static yields void
say_quit(struct session *s, const struct command *command)
{
	(void)command;
	must(!s->is_over);
	session_say(s, REPLY_QUIT);
	s->is_over = true;
}

/* ---- one command ---- */

static yields void
session_obey(struct session *s, const struct command *command)
{
	const struct session_row *row = &session_rows[command->verb];
	enum session_reply reply;

	must(command->verb < VERBS && s->state < SESSION_STATES);
	must((s->state >= SESSION_MAIL) == (s->txn.config != NULL));
	reply = row->in[s->state];
	s->stage = verb_name(command->verb);
	if (reply == REPLY_GO)
		reply = extension_reply(s, command->verb);
	if (session_lacks_tls(s, command->verb))
		reply = REPLY_NO_PRIVACY;
	else if (session_lacks_certificate(s, command->verb))
		reply = REPLY_NO_CERTIFICATE;
	/* a chunk comes whatever is said to BDAT: bdat.c refuses both */
	if (reply != REPLY_GO && command->verb != VERB_BDAT) {
		session_say(s, reply);
	} else if (row->argument == ARGUMENT_BARE && command->arg.n > 0) {
		session_say(s, REPLY_SPARE_ARGUMENT);
	} else if (row->argument == ARGUMENT_NEEDS && command->arg.n == 0) {
		session_say(s, REPLY_NO_ARGUMENT);
	} else {
		must(session_verbs[command->verb] != NULL);
		session_verbs[command->verb](s, command);
	}
	if (row->hold == REPLY_FLUSH && !s->is_over)
		stream_flush(&s->net);	/* else session_leave() */
}

static bool
line_has_word(struct str line, struct str word)
{
	while (line.n > 0)
		if (str_eq_icase(str_cut(&line, ' '), word))
			return true;
	return false;
}

/* RFC 6531 3.4, 3.7.4: UTF-8 may stand where SMTPUTF8 was said, and there only.
 * HELO and EHLO want A-labels. */
static unsigned
line_flags(const struct session *s, struct str line)
{
	bool is_rcpt = str_has_prefix_icase(line, STR("RCPT "));
	bool says = line_has_word(line, STR("SMTPUTF8")) &&
	    (str_has_prefix_icase(line, STR("MAIL ")) ||
	    str_has_prefix_icase(line, STR("VRFY ")) ||
	    str_has_prefix_icase(line, STR("EXPN ")));

	if (!s->is_extended)
		return MAILBOX_STRICT;
	return says || (is_rcpt && s->txn.is_utf8) ? MAILBOX_UTF8 :
	    MAILBOX_STRICT;
}

/* RFC 5321 4.5.3.1.4: 512 octets with the CRLF, but for what extensions add to
 * MAIL and RCPT; nobody gets more than the stream let through. */
static const struct refusal *
session_parse(const struct session *s, struct str line,
    enum line_ending ending, struct command *out)
{
	const struct refusal *refusal;

	/* RFC 5321 2.3.8, SECURITY.md row 3; a CR inside is the grammar's to see */
	if (ending != LINE_CRLF)
		return refusal_get(REFUSAL_BARE_ENDING);
	refusal = command_parse(line, line_flags(s, line), out);
	if (refusal == NULL && line.n > COMMAND_MOST &&
	    out->verb != VERB_AUTH && out->verb != VERB_MAIL &&
	    out->verb != VERB_RCPT)
		refusal = refusal_get(REFUSAL_LONG_LINE);
	return refusal;
}

/* Behind these words a client sends what is no command. */
static bool
line_begins_body(struct str line)
{
	return str_has_prefix_icase(line, STR("DATA")) ||
	    str_has_prefix_icase(line, STR("BDAT"));
}

/* SECURITY.md row 24: who moves no mail is not entertained for ever. */
static yields void
session_lose_patience(struct session *s, const struct command *command)
{
	const struct config *config = session_config(s);
	bool moves_mail = command != NULL && (command->verb == VERB_RCPT ||
	    (s->code < 400 && (command->verb == VERB_MAIL ||
	    command->verb == VERB_BDAT || command->verb == VERB_DATA)));

	must(s->state < SESSION_STATES);
	if (!moves_mail)
		s->junk++;
	if (s->is_over)
		return;
	if (s->errors >= config->limits.errors)
		session_say(s, REPLY_ERRORS);
	else if (s->junk >= config->limits.junk)
		session_say(s, REPLY_JUNK);
}

static yields void
session_answer(struct session *s, struct str line, enum line_ending ending)
{
	bool begins_body = line_begins_body(line);
	const struct refusal *refusal;
	struct command command;

	s->commands++;
	s->server->counts.commands++;
	s->took_data = false;
	refusal = session_parse(s, line, ending, &command);
	if (refusal != NULL)
		session_say_refusal(s, refusal);
	else
		session_obey(s, &command);
	/* SECURITY.md row 3: text behind a refused DATA is no command. */
	if (begins_body && !s->took_data && !s->is_over &&
	    stream_buffered(&s->net) > 0)
		session_say(s, REPLY_BEHIND_DATA);
	session_lose_patience(s, refusal != NULL ? NULL : &command);
	session_weigh(s);
}

/* ---- listening ---- */

/* No line of at most so many octets came: who is late or endless is told. */
static yields void
session_trouble(struct session *s, size_t most)
{
	const struct refusal *refusal = refusal_get(REFUSAL_LONG_LINE);

	must(s->net.trouble != STREAM_FINE);
	if (s->net.trouble != STREAM_LONG) {
		session_lost(s);
		return;
	}
	if (stream_skip_line(&s->net, COMMAND_SKIP_MOST) != 0) {
		session_say(s, REPLY_LONG_LINE);
		return;
	}
	if (most > COMMAND_HARD_MOST)
		session_say(s, REPLY_LONG_AUTH);
	else
		session_say_refusal(s, refusal);
	session_lose_patience(s, NULL);
}

/* The first octets tell whether somebody took us for HTTPS or HTTP (SECURITY.md
 * row 35). */
static yields int
session_hear_first(struct session *s)
{
	const struct refusal *refusal = refusal_get(REFUSAL_FOREIGN);
	struct str bytes;

	if (s->is_heard)
		return 0;
	if (stream_peek(&s->net, &bytes) != 0)
		return -1;
	s->is_heard = true;
	if (command_is_foreign(bytes))
		session_say_refusal(s, refusal);
	return 0;
}

/* RFC 4954 4: AUTH's line is as long as its mechanisms need.  Enough of a line
 * to tell is at hand then. */
static yields size_t
session_line_most(struct session *s)
{
	struct str have = STR_NONE;
	int rc = stream_peek(&s->net, &have);

	while (rc == 0 && have.n < 5 && str_find(have, '\n') == have.n)
		rc = stream_peek_more(&s->net, have.n, &have);
	return rc == 0 && str_has_prefix_icase(have, STR("AUTH ")) ?
	    AUTH_LINE_MOST : COMMAND_HARD_MOST;
}

static yields void
session_command(struct session *s)
{
	const struct config *config = session_config(s);
	enum line_ending ending = LINE_LF;
	struct str line = STR_NONE;
	size_t most = 0;
	int rc;

	must(!s->is_over);
	door_wait(s->server, &s->waiter, &s->net, config);
	rc = session_hear_first(s);
	if (rc == 0 && !s->is_over) {
		most = session_line_most(s);
		rc = stream_line(&s->net, most, &line, &ending);
	}
	door_waited(&s->waiter);
	if (s->is_over)
		return;
	if (rc != 0)
		session_trouble(s, most);
	else if (s->server->is_shut)
		session_say(s, REPLY_SHUT);
	else
		session_answer(s, line, ending);
}

/* ---- the whole conversation ---- */

static yields void
session_begin(struct session *s)
{
	must(s->state == SESSION_START && !s->is_over);
	if (s->listener->tls == TLS_IMPLICIT && session_secure(s) != 0) {
		session_tell_broken(s, "tls");
		s->is_over = true;
		return;
	}
	session_greet(s);
	session_tell_connected(s);
}

/* -1: turned away. */
STEP static yields int
session_enter(struct session *s)
{
	struct config *config = config_pin(s->server->configs);
	struct judgment judgment = door_enter(&s->guest, config);

	must(s->state == SESSION_START && s->txn.config == NULL);
	s->net.deadline = mono_add(clock_mono(), config->timeouts.server.write);
	if (judgment_is_yes(&judgment)) {
		arena_init(&s->arena, config->limits.session_memory);
		arena_init(&s->told, config->limits.session_memory);
		session_begin(s);
	} else if (s->listener->tls == TLS_IMPLICIT) {
		s->server->counts.turned_away++;
		s->is_over = true;	/* clear text would be no word to him */
	} else {
		s->server->counts.turned_away++;
		session_refuse(s, "CONNECT", STR_NONE, &judgment.verdict);
		s->is_over = true;
	}
	config_unpin(s->server->configs, config);
	return s->is_over ? -1 : 0;
}

/*
 * A close with input unread is a reset, and a reset may overtake the words that
 * told why.  So take what is at hand, and what comes in a moment, first.
 */
static yields void
session_linger(struct session *s)
{
	struct str bytes;
	size_t most = LINGER_MOST;
	struct mono until = mono_add(clock_mono(), LINGER_NS);

	must(s->is_over && s->code == 421);
	s->net.deadline = clock_mono();
	while (most > 0 && stream_peek(&s->net, &bytes) == 0) {
		bytes = str_sub(bytes, 0, most);
		most -= bytes.n;
		stream_consume(&s->net, bytes.n);
		s->net.deadline = until;
	}
}

STEP static yields void
session_leave(struct session *s)
{
	struct config *config = config_pin(s->server->configs);

	s->net.deadline = mono_add(clock_mono(), config->timeouts.server.write);
	if (s->code != 421)
		(void)stream_flush_last(&s->net);
	else if (stream_flush(&s->net) == 0)
		session_linger(s);
	if (s->guest.is_inside && s->arena.ceiling > 0)
		session_tell_disconnected(s);
	session_forget(s);
	arena_clear(&s->told);
	must(s->txn.config == NULL && s->account == NULL);
	session_weigh(s);
	must(s->counted == 0);
	door_leave(&s->guest, config);
	config_unpin(s->server->configs, config);
	stream_close(&s->net);
}

/* unix(7), SO_PEERCRED.  Whom the kernel does not know may send nothing: the
 * role submission is for those who are known. */
static void
session_know_local(struct session *s, const struct net_end *end)
{
	unsigned uid = 0, gid = 0;
	bool is_known = net_peer_uid(end, &uid, &gid);
	struct buf b = BUF_OF(s->client.text);

	must(s->listener->role == ROLE_SUBMISSION);
	s->guest.client = limit_local_client(uid);
	s->guest.uid = is_known ? uid : UINT32_MAX;
	if (is_known)
		buf_printf(&b, "uid:%u", uid);
	buf_putc(&b, '\0');
	s->user = str_of(s->client.text);
}

yields void
server_session(struct server *server, const struct server_listener *listener,
    struct net_end *end, const struct address *client)
{
	struct session s = {
		.server = server, .listener = listener,
		.guest = { .server = server, .listener = listener,
		    .client = *client },
		.peer = *client,
		.client = address_print(client), .began = clock_mono(),
		.stage = "CONNECT",
	};

	stream_init(&s.net, end);
	if (listener->is_local)
		session_know_local(&s, end);
	if (session_enter(&s) == 0)
		while (!s.is_over)
			session_command(&s);
	session_leave(&s);
}

/* ---- the server of a core ---- */

/* SECURITY.md row 26: a crowd of clients must not take the descriptors that
 * deliveries and the spool need; who finds no room is told so. */
static unsigned
sessions_most(const struct server_house *house)
{
	unsigned all = net_descriptors(), kept = all / 4, most;

	if (kept < KEPT_LEAST)
		kept = KEPT_LEAST;
	if (kept > KEPT_MOST)
		kept = KEPT_MOST;
	most = kept > all / 2 ? all / 2 : all - kept;
	return house->connections_most > 0 && house->connections_most < most ?
	    (unsigned)house->connections_most : most;
}

int
server_open(struct server *server, struct server_house *house,
    struct intake_core *intake, struct config_holder *configs)
{
	must(house->n >= 1 && core_index() < house->n);
	*server = (struct server){
		.house = house, .intake = intake, .configs = configs,
		.limits = limit_open(house->key),
		.attempts = attempt_open(house->key),
		.quotas = quota_open(house->key),
		.sessions_most = sessions_most(house),
	};
	list_init(&server->waiting);
	list_init(&server->knockers);
	if (server->limits == NULL || server->attempts == NULL ||
	    server->quotas == NULL) {
		server_close(server);
		return err_set("no memory for counting clients");
	}
	house->cores[core_index()] = server;
	return 0;
}

void
server_close(struct server *server)
{
	must(server->sessions == 0 && server->memory == 0);
	must(list_is_empty(&server->waiting));
	tls_drop(server->tls);
	server->tls = NULL;
	if (server->limits != NULL)
		limit_close(server->limits);
	if (server->attempts != NULL)
		attempt_close(server->attempts);
	if (server->quotas != NULL)
		quota_close(server->quotas);
	server->limits = NULL;
	server->attempts = NULL;
	server->quotas = NULL;
}

void
server_shut(struct server *server)
{
	server->is_shut = true;
	door_hurry(server);
	knock_hurry(server);
}
