/*
 * The life of a session, and what is true:
 *
 * STATE   function that moves there      what is true
 * START   server_session                 the banner was said
 * READY   say_ehlo, say_helo; txn_reset  helo is known; txn holds nothing
 * MAIL    say_mail                       txn has a pinned configuration and an
 *                                        envelope with a sender
 * RCPT    say_rcpt                       the envelope has a recipient
 *
 * A transaction ends in txn_reset() and nowhere else, and wholly.  What is said
 * in which state stands in states.def, in what words in replies.def.
 */
#include "smtp/server.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "smtp/session.h"
#include "wire/command.h"
#include "wire/data.h"
#include "wire/reply.h"

#include <inttypes.h>

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
#define STATE(verb, start, ready, mail, rcpt, argument, hold) \
	[VERB_##verb] = { { REPLY_##start, REPLY_##ready, REPLY_##mail, \
	    REPLY_##rcpt }, ARGUMENT_##argument, REPLY_##hold },
#include "smtp/states.def"
#undef STATE
};

/* ---- HELO, EHLO: RFC 5321 4.1.1.1 ---- */

/* -1: refused, and the state is what it was. */
static yields int
session_hello(struct session *s, struct str name, bool is_extended)
{
	struct judge_client facts = session_facts(s);
	struct judgment judgment;

	judgment = judge_helo(session_config(s), &facts, name);
	if (!judgment_is_yes(&judgment)) {
		session_say_verdict(s, &judgment.verdict);
		return -1;
	}
	txn_reset(s);
	must(s->state <= SESSION_READY);
	arena_clear(&s->arena);
	s->state = SESSION_READY;
	s->is_extended = is_extended;
	s->helo = arena_copy(&s->arena, name);
	if (s->helo.p == NULL) {
		s->state = SESSION_START;
		session_say(s, REPLY_NO_ROOM);
		return -1;
	}
	return 0;
}

static yields void
say_helo(struct session *s, const struct command *command)
{
	if (session_hello(s, command->arg, false) == 0)
		session_put(s, 250, ESC_NONE, session_config(s)->hostname);
}

static yields void
say_ehlo(struct session *s, const struct command *command)
{
	const struct config *config;
	char room[512];
	struct buf text = BUF_OF(room);

	if (session_hello(s, command->arg, true) != 0)
		return;
	config = session_config(s);
	buf_put(&text, config->hostname);
	buf_put(&text, STR("\nPIPELINING"));
	buf_printf(&text, "\nSIZE %" PRIu64, config->limits.size);
	buf_put(&text, STR("\n8BITMIME\nENHANCEDSTATUSCODES"));
	must(!text.full);
	session_put(s, 250, ESC_NONE, buf_str(&text));
}

/* ---- MAIL: RFC 5321 4.1.1.2 ---- */

static yields struct verdict
mail_count(struct session *s, const struct config *config)
{
	uint64_t most = config->limits.messages;

	if (most != 0 && s->messages >= most)
		return session_verdict(REPLY_MESSAGES);
	return door_mail(&s->guest, config).verdict;
}

static struct verdict
mail_judge(struct session *s, const struct mail_params *mail)
{
	struct judge_client facts = session_facts(s);
	struct judgment judgment;
	struct verdict v;

	judgment = judge_mail(s->txn.config, &facts, &mail->from, mail->size);
	if (!judgment_is_yes(&judgment))
		return judgment.verdict;
	v = intake_has_room(s->server->intake, s->txn.config);
	if (v.disposition != DELIVERED)
		return v;
	/* each core has its share */
	if (s->server->memory > s->txn.config->limits.memory /
	    s->server->house->n)
		return session_verdict(REPLY_NO_ROOM);
	return judgment.verdict;
}

static bool
mail_open(struct session *s, const struct mail_params *mail)
{
	struct arena *arena = &s->txn.arena;
	struct intake_origin origin = {
		.listener = s->listener->name, .protocol = session_protocol(s),
		.helo = s->helo, .client = str_of(s->client.text),
		.user = s->user,
		.is_submission = s->listener->role == ROLE_SUBMISSION,
		.flags = mail->body == BODY_8BITMIME ? ENVELOPE_8BIT : 0,
	};

	s->txn.sender = arena_copy(arena, mail->from.mailbox.text);
	if (mail->from.is_null)
		s->txn.sender = STR("");
	if (s->txn.sender.p == NULL)
		return false;
	if (s->listener->is_local) {	/* no host brought it */
		origin.helo = origin.client = STR_NONE;
		origin.protocol = STR("local");
	}
	origin.sender = s->txn.sender;
	s->txn.intake = intake_new(s->server->intake, s->txn.config, arena,
	    &origin);
	return s->txn.intake != NULL;
}

static yields void
mail_refuse(struct session *s, struct str sender, const struct verdict *v)
{
	s->txn.sender = sender;
	session_refuse(s, "MAIL", STR_NONE, v);
	txn_reset(s);
}

/*
 * MAIL FROM:<reverse-path> [SP SIZE=octets] [SP BODY=7BIT|8BITMIME]
 * (RFC 1870 4; RFC 6152 2).  The configuration of this moment serves the whole
 * transaction.
 */
static yields void
say_mail(struct session *s, const struct command *command)
{
	struct config *config = config_pin(s->server->configs);
	const struct refusal *refusal;
	struct mail_params mail;
	struct verdict v;

	must(s->state == SESSION_READY);
	must(s->txn.config == NULL && s->txn.intake == NULL);
	s->txn.config = config;
	s->txn.began = clock_mono();
	arena_init(&s->txn.arena, config->limits.message_memory);
	refusal = mail_parse(command->arg, s->is_extended ?
	    PARAM_BIT(SIZE) | PARAM_BIT(BODY) : 0, &mail);
	if (refusal == NULL && mail.body == BODY_BINARYMIME)
		refusal = refusal_get(REFUSAL_BAD_PARAMETER);
	if (refusal != NULL) {
		v = session_verdict_of(refusal);
		mail_refuse(s, command->arg, &v);
		return;
	}
	v = mail_count(s, config);
	if (v.disposition == DELIVERED)
		v = mail_judge(s, &mail);
	if (v.disposition == DELIVERED && !mail_open(s, &mail))
		v = session_verdict(REPLY_NO_ROOM);
	if (v.disposition != DELIVERED) {
		mail_refuse(s, mail.from.mailbox.text, &v);
		return;
	}
	must(s->txn.sender.p != NULL && s->txn.n_rcpts == 0);
	s->messages++;
	s->state = SESSION_MAIL;
	session_say_verdict(s, &v);
}

/* ---- RCPT: RFC 5321 4.1.1.3 ---- */

static struct verdict
rcpt_judge(struct session *s, const struct command *command,
    struct rcpt_params *rcpt)
{
	struct judge_client facts = session_facts(s);
	const struct refusal *refusal;
	struct judgment judgment;
	struct verdict v;

	rcpt->to.mailbox.text = command->arg;
	refusal = rcpt_parse(command->arg, 0, MAILBOX_STRICT, rcpt);
	if (refusal != NULL)
		return session_verdict_of(refusal);
	judgment = judge_rcpt(s->txn.config, &facts, s->txn.sender,
	    &rcpt->to, s->txn.n_rcpts);
	if (!judgment_is_yes(&judgment))
		return judgment.verdict;
	v = intake_recipient(s->txn.intake, &rcpt->to, NULL);
	return v.disposition == DELIVERED ? judgment.verdict : v;
}

static yields void
say_rcpt(struct session *s, const struct command *command)
{
	struct rcpt_params rcpt = { 0 };
	struct verdict v;

	must(s->state >= SESSION_MAIL && s->txn.intake != NULL);
	v = rcpt_judge(s, command, &rcpt);
	if (v.disposition != DELIVERED) {
		session_refuse(s, "RCPT", rcpt.to.mailbox.text, &v);
		return;
	}
	s->txn.n_rcpts++;
	s->state = SESSION_RCPT;
	session_say_verdict(s, &v);
}

/* ---- DATA: RFC 5321 4.1.1.4 ---- */

/* SECURITY.md row 25: so many octets in each window, or it ends.  Time we spend
 * ourselves is not the client's. */
struct pace {
	struct mono began;
	uint64_t octets;		/* since then */
};

static struct mono
pace_deadline(struct pace *p, const struct config *config)
{
	uint64_t least = config->limits.data_rate;
	int64_t window = config->timeouts.server.window;
	struct mono block = mono_add(clock_mono(), config->timeouts.server.data);

	if (least == 0)
		return block;
	if (p->octets >= least * (uint64_t)(window / NS_PER_SECOND))
		*p = (struct pace){ .began = clock_mono() };
	return mono_first(block, mono_add(p->began, window));
}

/*
 * Take the data up to the dot, whatever becomes of them: what is refused is
 * still read to its end, so that the refusal is heard and nothing behind it is
 * taken for commands.  -1: the client is gone, or too slow.
 */
static yields int
data_receive(struct session *s, struct data_reader *reader)
{
	struct pace pace = { .began = clock_mono() };
	struct str bytes, rest, run;
	struct mono idle;

	while (!reader->ended) {
		s->net.deadline = pace_deadline(&pace, s->txn.config);
		if (stream_peek(&s->net, &bytes) != 0)
			return -1;
		idle = clock_mono();
		must(bytes.n > 0);
		rest = bytes;
		while (data_read(reader, &rest, &run))
			intake_content(s->txn.intake, run);
		must(rest.n == 0 || reader->ended);
		stream_consume(&s->net, bytes.n - rest.n);
		pace.octets += bytes.n - rest.n;
		pace.began = mono_add(pace.began, clock_mono().ns - idle.ns);
	}
	return 0;
}

/* SECURITY.md rows 1, 21: the framing's word goes before the content's. */
static yields struct verdict
data_judge(struct session *s, const struct data_reader *reader)
{
	must(reader->ended);
	if (reader->faults & DATA_NUL)
		return session_verdict(REPLY_NUL);
	if (reader->stopped)
		return session_verdict(REPLY_BARE_ENDS);
	if (reader->lines.longest > s->txn.config->limits.line)
		return session_verdict(REPLY_LONG_TEXT);
	return intake_commit(s->txn.intake);
}

static bool
data_is_forgiven(const struct session *s)
{
	const struct config *config = s->txn.config;

	for (size_t i = 0; i < config->inbound.normalize.n; i++)
		if (network_has(&config->inbound.normalize.v[i],
		    &s->guest.client))
			return true;
	return false;
}

static yields void
data_lost(struct session *s)
{
	s->is_over = true;
	if (s->net.trouble == STREAM_LATE)
		session_say(s, REPLY_SLOW);
	else
		session_tell_broken(s, "gone");
}

static yields void
say_data(struct session *s, const struct command *command)
{
	struct data_reader reader;
	struct verdict v;

	(void)command;
	must(s->state == SESSION_RCPT && s->txn.n_rcpts > 0);
	v = intake_open(s->txn.intake);
	if (v.disposition != DELIVERED) {
		session_refuse(s, "DATA", STR_NONE, &v);
		return;
	}
	s->took_data = true;
	session_say(s, REPLY_GO_AHEAD);
	data_reader_init(&reader, data_is_forgiven(s));
	if (data_receive(s, &reader) != 0) {
		data_lost(s);
		txn_reset(s);
		return;
	}
	v = data_judge(s, &reader);
	if (v.disposition == DELIVERED) {
		s->errors = s->junk = 0;
		s->server->counts.messages++;
		session_say_verdict(s, &v);
	} else {
		session_refuse(s, "END-OF-DATA", STR_NONE, &v);
	}
	txn_reset(s);
}

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
verb_is_offered(enum verb verb)
{
	return session_rows[verb].in[SESSION_RCPT] == REPLY_GO ||
	    session_rows[verb].in[SESSION_READY] == REPLY_GO;
}

static yields void
say_help(struct session *s, const struct command *command)
{
	struct command about;
	char room[512];
	struct buf text = BUF_OF(room);

	if (command->arg.n > 0 &&
	    command_parse(command->arg, 0, &about) == NULL &&
	    verb_is_offered(about.verb)) {
		buf_put(&text, str_of(verb_help(about.verb)));
	} else {
		buf_put(&text, STR("RFC 5321, with these commands:\n"));
		for (enum verb v = 0; v < VERBS; v++)
			if (verb_is_offered(v))
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
	session_say(s, REPLY_QUIT);
	s->is_over = true;
}

/* ---- one command ---- */

static yields void (*const session_verbs[VERBS])(struct session *,
    const struct command *) = {
	[VERB_DATA] = say_data, [VERB_EHLO] = say_ehlo, [VERB_HELO] = say_helo,
	[VERB_HELP] = say_help, [VERB_MAIL] = say_mail, [VERB_NOOP] = say_noop,
	[VERB_QUIT] = say_quit, [VERB_RCPT] = say_rcpt, [VERB_RSET] = say_rset,
	[VERB_VRFY] = say_vrfy,
};

static yields void
session_obey(struct session *s, const struct command *command)
{
	const struct session_row *row = &session_rows[command->verb];
	enum session_reply reply;

	must(command->verb < VERBS && s->state < SESSION_STATES);
	must((s->state >= SESSION_MAIL) == (s->txn.config != NULL));
	reply = row->in[s->state];
	s->stage = verb_name(command->verb);
	if (reply != REPLY_GO) {
		session_say(s, reply);
	} else if (row->argument == ARGUMENT_BARE && command->arg.n > 0) {
		session_say(s, REPLY_SPARE_ARGUMENT);
	} else if (row->argument == ARGUMENT_NEEDS && command->arg.n == 0) {
		session_say(s, REPLY_NO_ARGUMENT);
	} else {
		must(session_verbs[command->verb] != NULL);
		session_verbs[command->verb](s, command);
	}
	if (row->hold == REPLY_FLUSH)
		stream_flush(&s->net);
}

/* RFC 5321 4.5.3.1.4: 512 octets with the CRLF, but for what extensions add to
 * MAIL and RCPT; nobody gets more than the stream let through. */
static const struct refusal *
session_parse(struct str line, enum line_ending ending, struct command *out)
{
	const struct refusal *refusal;

	/* RFC 5321 2.3.8, SECURITY.md row 3; a CR inside is the grammar's to see */
	if (ending != LINE_CRLF)
		return refusal_get(REFUSAL_BARE_ENDING);
	refusal = command_parse(line, MAILBOX_STRICT, out);
	if (refusal == NULL && line.n > COMMAND_MOST &&
	    out->verb != VERB_MAIL && out->verb != VERB_RCPT)
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
	    command->verb == VERB_DATA)));

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
	refusal = session_parse(line, ending, &command);
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

/* No line came: who is late or endless is told. */
static yields void
session_trouble(struct session *s)
{
	const struct refusal *refusal;

	switch (s->net.trouble) {
	case STREAM_LONG:
		if (stream_skip_line(&s->net, COMMAND_SKIP_MOST) != 0) {
			session_say(s, REPLY_LONG_LINE);
			return;
		}
		refusal = refusal_get(REFUSAL_LONG_LINE);
		session_say_refusal(s, refusal);
		session_lose_patience(s, NULL);
		return;
	case STREAM_LATE:
		session_say(s, s->server->is_shut ? REPLY_SHUT : REPLY_LATE);
		return;
	case STREAM_GONE:
	case STREAM_FINE:
		break;
	}
	session_tell_broken(s, "gone");
	s->is_over = true;
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

static yields void
session_command(struct session *s)
{
	const struct config *config = session_config(s);
	enum line_ending ending = LINE_LF;
	struct str line = STR_NONE;
	int rc;

	must(!s->is_over);
	door_wait(s->server, &s->waiter, &s->net, config);
	rc = session_hear_first(s);
	if (rc == 0 && !s->is_over)
		rc = stream_line(&s->net, COMMAND_HARD_MOST, &line, &ending);
	door_waited(&s->waiter);
	if (s->is_over)
		return;
	if (rc != 0)
		session_trouble(s);
	else if (s->server->is_shut)
		session_say(s, REPLY_SHUT);
	else
		session_answer(s, line, ending);
}

/* ---- the whole conversation ---- */

/* -1: turned away. */
static yields int
session_enter(struct session *s)
{
	struct config *config = config_pin(s->server->configs);
	struct judgment judgment = door_enter(&s->guest, config);
	char room[300];
	struct buf banner = BUF_OF(room);

	must(s->state == SESSION_START && s->txn.config == NULL);
	s->net.deadline = mono_add(clock_mono(), config->timeouts.server.write);
	if (judgment_is_yes(&judgment)) {
		arena_init(&s->arena, config->limits.session_memory);
		buf_put(&banner, config->hostname);
		buf_put(&banner, STR(" ESMTP Nightmail"));
		must(!banner.full);
		session_put(s, 220, ESC_NONE, buf_str(&banner));
		session_tell_connected(s);
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

	s->net.deadline = clock_mono();
	while (most > 0 && stream_peek(&s->net, &bytes) == 0) {
		bytes = str_sub(bytes, 0, most);
		most -= bytes.n;
		stream_consume(&s->net, bytes.n);
		s->net.deadline = until;
	}
}

static yields void
session_leave(struct session *s)
{
	struct config *config = config_pin(s->server->configs);

	s->net.deadline = mono_add(clock_mono(), config->timeouts.server.write);
	if (stream_flush(&s->net) == 0 && s->code == 421)
		session_linger(s);
	if (s->guest.is_inside && s->arena.ceiling > 0)
		session_tell_disconnected(s);
	txn_reset(s);
	arena_clear(&s->arena);
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
sessions_most(void)
{
	unsigned all = net_descriptors(), kept = all / 4;

	if (kept < KEPT_LEAST)
		kept = KEPT_LEAST;
	if (kept > KEPT_MOST)
		kept = KEPT_MOST;
	return kept > all / 2 ? all / 2 : all - kept;
}

int
server_open(struct server *server, struct server_house *house,
    struct intake_core *intake, struct config_holder *configs)
{
	*server = (struct server){
		.house = house, .intake = intake, .configs = configs,
		.limits = limit_open(house->key),
		.sessions_most = sessions_most(),
	};
	if (server->limits == NULL)
		return err_add("server");
	list_init(&server->waiting);
	house->cores[core_index()] = server;
	return 0;
}

void
server_close(struct server *server)
{
	must(server->sessions == 0 && server->memory == 0);
	must(list_is_empty(&server->waiting));
	limit_close(server->limits);
	server->limits = NULL;
}

void
server_shut(struct server *server)
{
	server->is_shut = true;
	door_hurry(server);
}
