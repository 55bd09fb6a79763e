#include "smtp/content.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/stream.h"
#include "intake/intake.h"
#include "smtp/say.h"
#include "smtp/toll.h"
#include "wire/data.h"
#include "wire/disposition.h"

/* So long without an octet, and no memory is kept ready for the next ones. */
#define CONTENT_QUIET_NS (500 * NS_PER_MS)

/* ---- how fast: SECURITY.md row 25 ---- */

struct pace
pace_begin(void)
{
	return (struct pace){ .began = clock_mono() };
}

static struct mono
pace_deadline(struct pace *p, const struct config *config)
{
	uint64_t least = config->limits.data_rate;
	int64_t window = config->timeouts.server.window;
	struct mono block = mono_add(clock_mono(), config->timeouts.server.data);

	if (least == 0)
		return block;
	if (p->octets >= least * (uint64_t)(window / NS_PER_SECOND))
		*p = pace_begin();
	return mono_first(block, mono_add(p->began, window));
}

yields int
content_peek(struct session *s, struct pace *pace, struct str *octets)
{
	struct mono quiet = mono_add(clock_mono(), CONTENT_QUIET_NS);

	s->net.deadline = pace_deadline(pace, session_config(s));
	if (s->txn.intake != NULL && stream_is_silent(&s->net, quiet))
		intake_rest(s->txn.intake);
	if (stream_peek(&s->net, octets) != 0)
		return -1;
	must(octets->n > 0);
	return 0;
}

void
content_took(struct session *s, struct pace *pace, size_t n, struct mono since)
{
	must(n > 0);
	stream_consume(&s->net, n);
	session_weigh(s);
	pace->octets += n;
	pace->began = mono_add(pace->began, clock_mono().ns - since.ns);
}

/* ---- what both ways share ---- */

/* SECURITY.md rows 1, 21 */
struct verdict
content_judge(const struct session *s, const struct data_reader *reader)
{
	if (reader->faults & DATA_NUL)
		return session_verdict(REPLY_NUL);
	if (reader->stopped)
		return session_verdict(REPLY_BARE_ENDS);
	if (reader->lines.longest > s->txn.config->limits.line)
		return session_verdict(REPLY_LONG_TEXT);
	return verdict_make(DELIVERED, 250, "2.0.0", "Ok");
}

bool
content_is_forgiven(const struct session *s)
{
	return networks_have(&s->txn.config->inbound.normalize,
	    &s->guest.client);
}

yields struct verdict
content_open(struct session *s)
{
	struct verdict v = intake_open(s->txn.intake);

	must(s->txn.n_rcpts > 0);
	session_name_client(s, intake_client_name(s->txn.intake));
	return v;
}

/* The law of 250: what is kept was paid for before. */
yields struct verdict
content_commit(struct session *s)
{
	uint64_t octets = intake_octets(s->txn.intake);
	struct verdict v;

	must(s->txn.n_rcpts > 0 && s->txn.config != NULL);
	if (intake_is_refused(s->txn.intake))
		return intake_commit(s->txn.intake);
	v = toll_pay(s, octets);
	if (v.disposition != DELIVERED)
		return v;
	v = intake_commit(s->txn.intake);
	if (v.disposition != DELIVERED)
		toll_back(s, octets);
	return v;
}

yields void
content_lost(struct session *s)
{
	must(s->net.trouble != STREAM_FINE);
	s->is_over = true;
	if (s->net.trouble == STREAM_LATE)
		session_say(s, REPLY_SLOW);
	else
		session_tell_broken(s, "gone");
	txn_reset(s);
}

yields void
content_end(struct session *s, const char *stage, const struct verdict *v)
{
	must(s->txn.config != NULL);
	if (v->disposition == DELIVERED) {
		s->errors = s->junk = 0;
		s->server->counts.messages++;
		session_say_verdict(s, v);
	} else {
		session_refuse(s, stage, STR_NONE, v);
	}
	txn_reset(s);
}

/* ---- DATA: RFC 5321 4.1.1.4 ---- */

/* Up to the dot, whatever becomes of it. */
static yields int
data_receive(struct session *s, struct data_reader *reader)
{
	struct pace pace = pace_begin();
	struct str bytes, rest, run;
	struct mono since;

	while (!reader->ended) {
		if (content_peek(s, &pace, &bytes) != 0)
			return -1;
		since = clock_mono();
		rest = bytes;
		while (data_read(reader, &rest, &run))
			intake_content(s->txn.intake, run);
		must(rest.n == 0 || reader->ended);
		content_took(s, &pace, bytes.n - rest.n, since);
	}
	return 0;
}

/* The framing's word goes before the content's. */
static yields struct verdict
data_judge(struct session *s, const struct data_reader *reader)
{
	struct verdict v = content_judge(s, reader);

	must(reader->ended);
	return v.disposition == DELIVERED ? content_commit(s) : v;
}

STEP static yields bool
data_begin(struct session *s)
{
	struct verdict v = content_open(s);

	if (v.disposition != DELIVERED) {
		session_refuse(s, "DATA", STR_NONE, &v);
		return false;
	}
	s->took_data = true;
	session_say(s, REPLY_GO_AHEAD);
	return true;
}

STEP static yields void
data_end(struct session *s, const struct data_reader *reader)
{
	struct verdict v = data_judge(s, reader);

	content_end(s, "END-OF-DATA", &v);
}

yields void
say_data(struct session *s, const struct command *command)
{
	struct data_reader reader;

	(void)command;
	must(s->state == SESSION_RCPT && s->txn.n_rcpts > 0);
	if (s->txn.body == BODY_BINARYMIME) {
		session_say(s, REPLY_BINARY);
		return;
	}
	if (!data_begin(s))
		return;
	data_reader_init(&reader, content_is_forgiven(s));
	if (data_receive(s, &reader) != 0)
		content_lost(s);
	else
		data_end(s, &reader);
}
