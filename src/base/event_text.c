/*
 * The text view: the lines Postfix would write, because fail2ban, pflogsumm and
 * twenty years of habit read them.
 *
 * Nobody can forge one.  Control characters, line separators and malformed
 * UTF-8 become '?'; so does whatever would close the brackets that a field
 * stands in.  The words a refusal or an end may carry in `reason':
 *
 *	errors		too many errors
 *	pipelining	improper command pipelining
 *	gone		lost connection
 *	late		timeout
 */
#include "base/event.h"

#include "base/id.h"
#include "base/must.h"
#include "base/utf8.h"

#define NOT_IN_RELAYS " ,;=\"()<>"
#define NOT_IN_WORDS NOT_IN_RELAYS "[]"

/* How many octets may stand as they are. */
static size_t
text_fit(struct str s, const char *without)
{
	size_t n = 0, most = utf8_plain(s);

	while (n < most && strchr(without, s.p[n]) == NULL)
		n++;
	return n;
}

static void
text_put(struct buf *out, struct str s, const char *without)
{
	uint32_t code;

	s = str_sub(s, 0, EVENT_TEXT_MOST);
	for (size_t n; s.n > 0; s = str_sub(s, n, s.n)) {
		n = text_fit(s, without);
		if (n > 0) {
			buf_put(out, str_sub(s, 0, n));
			continue;
		}
		n = utf8_next(str_sub(s, 0, UTF8_MOST), &code);
		if (n == 0 || !utf8_is_visible(code) ||
		    (code < 0x80 && strchr(without, (int)code) != NULL)) {
			buf_putc(out, '?');
			n = n == 0 ? 1 : n;
		} else
			buf_put(out, str_sub(s, 0, n));
	}
}

static void
text_put_word(struct buf *out, const char *lead, struct str word)
{
	if (word.p == NULL)
		return;
	buf_put(out, str_of(lead));
	text_put(out, word, NOT_IN_WORDS);
}

static void
text_put_angle(struct buf *out, const char *lead, struct str s)
{
	if (s.p == NULL)
		return;
	if (s.n > 1 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = str_sub(s, 1, s.n - 2);
	buf_put(out, str_of(lead));
	buf_putc(out, '<');
	text_put(out, s, "<>");
	buf_putc(out, '>');
}

/* Free text within parentheses may hold pairs of them, but not close ours. */
static bool
text_is_balanced(struct str s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ')' && depth-- == 0)
			return false;
		if (s.p[i] == '(')
			depth++;
	}
	return depth == 0;
}

static void
text_put_prose(struct buf *out, struct str s)
{
	s = str_sub(s, 0, EVENT_TEXT_MOST);
	text_put(out, s, text_is_balanced(s) ? "" : "()");
}

static void
text_put_id(struct buf *out, uint64_t id, const char *otherwise)
{
	struct id_text text = id_print(id);

	buf_put(out, str_of(id == 0 ? otherwise : text.text));
	if (id != 0 || otherwise[0] != '\0')
		buf_put(out, STR(": "));
}

/* "name[192.0.2.7]"; the name is a stranger's choice, so no bracket in it. */
static void
text_put_client(struct buf *out, const char *lead, const struct event *e)
{
	struct str name = event_get_str(e, FIELD_client_name);
	struct str ip = event_get_str(e, FIELD_client);

	text_put_word(out, lead, name.n == 0 ? STR("unknown") : name);
	text_put_word(out, "[", ip.n == 0 ? STR("unknown") : ip);
	buf_putc(out, ']');
}

/* Two digits that matter, at most two after the point, as Postfix does. */
static void
text_put_seconds(struct buf *out, uint64_t us)
{
	uint64_t unit = us >= 10000000 ? 1000000 : us >= 1000000 ? 100000 : 10000;
	uint64_t parts = add_sat(us, unit / 2) / unit, per = 1000000 / unit;
	uint64_t part = parts % per;

	buf_put_u64(out, parts / per);
	if (part == 0)
		return;
	buf_putc(out, '.');
	if (per == 100 && part % 10 == 0) {
		part /= 10;
		per = 10;
	}
	if (per == 100 && part < 10)
		buf_putc(out, '0');
	buf_put_u64(out, part);
}

static void
text_put_delays(struct buf *out, const struct event *e)
{
	static const enum event_field parts[] = { FIELD_queue_us,
		FIELD_wait_us, FIELD_connect_us, FIELD_transfer_us };

	buf_put(out, STR(", delay="));
	text_put_seconds(out, event_get_num(e, FIELD_delay_us));
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		buf_put(out, i == 0 ? STR(", delays=") : STR("/"));
		text_put_seconds(out, event_get_num(e, parts[i]));
	}
}

/* The reply with its codes, whether or not it came with them. */
static void
text_put_reply(struct buf *out, const struct event *e, struct str reply)
{
	struct str dsn = event_get_str(e, FIELD_dsn);
	uint64_t code = event_get_num(e, FIELD_code), at;

	if (code != 0 && !(parse_u64(str_sub(reply, 0, 3), 999, &at) &&
	    at == code)) {
		buf_put_u64(out, code);
		buf_putc(out, ' ');
		if (dsn.n > 0 && !str_has_prefix_icase(reply, dsn)) {
			text_put_word(out, "", dsn);
			buf_putc(out, ' ');
		}
	}
	text_put_prose(out, reply);
}

static void
text_put_why(struct buf *out, const struct event *e)
{
	struct str reply = event_get_str(e, FIELD_reply);
	struct str relay = event_get_str(e, FIELD_relay);
	struct str stage = event_get_str(e, FIELD_stage);
	struct str file = event_get_str(e, FIELD_file);

	if (reply.p == NULL && event_get(e, FIELD_text) == NULL && file.n > 0) {
		buf_put(out, STR("delivered to "));
		text_put_prose(out, file);
	} else if (reply.p == NULL)
		text_put_prose(out, event_get_str(e, FIELD_text));
	else if (e->type == EVENT_delivered || relay.n == 0)
		text_put_reply(out, e, reply);
	else {
		relay = str_sub(relay, 0, str_find_last(relay, ']') + 1);
		buf_put(out, STR("host "));
		text_put(out, relay, NOT_IN_RELAYS);
		buf_put(out, STR(" said: "));
		text_put_reply(out, e, reply);
		text_put_word(out, " (in reply to ", stage);
		buf_put(out, stage.p == NULL ? STR("") : STR(" command)"));
	}
}

static struct str
text_relay(const struct event *e)
{
	struct str relay = event_get_str(e, FIELD_relay);

	if (relay.n > 0)
		return relay;
	return event_get(e, FIELD_file) != NULL ? STR("local") : STR("none");
}

static void
text_outcome(const struct event *e, const char *status, struct buf *out)
{
	struct str dsn = event_get_str(e, FIELD_dsn);
	uint64_t attempt = event_get_num(e, FIELD_attempt);

	text_put_id(out, e->id, "NOQUEUE");
	text_put_angle(out, "to=", event_get_str(e, FIELD_recipient));
	text_put_angle(out, ", orig_to=", event_get_str(e, FIELD_orig_to));
	buf_put(out, STR(", relay="));
	text_put(out, text_relay(e), NOT_IN_RELAYS);
	text_put_delays(out, e);
	text_put_word(out, ", dsn=", dsn);
	buf_printf(out, ", status=%s (", status);
	text_put_why(out, e);
	buf_putc(out, ')');
	if (attempt > 1) {
		buf_put(out, STR(", attempt="));
		buf_put_u64(out, attempt);
	}
	text_put_word(out, ", pool=", event_get_str(e, FIELD_pool));
	text_put_word(out, ", src=", event_get_str(e, FIELD_source));
}

static void
text_queued(const struct event *e, const char *words, struct buf *out)
{
	text_put_id(out, e->id, "NOQUEUE");
	text_put_angle(out, "from=", event_get_str(e, FIELD_sender));
	buf_put(out, STR(", size="));
	buf_put_u64(out, event_get_num(e, FIELD_size));
	buf_put(out, STR(", nrcpt="));
	buf_put_u64(out, event_get_num(e, FIELD_recipients));
	buf_printf(out, " (%s)", words);
	if (event_get(e, FIELD_client) != NULL)
		text_put_client(out, ", client=", e);
	text_put_word(out, ", proto=", event_get_str(e, FIELD_protocol));
	text_put_angle(out, ", helo=", event_get_str(e, FIELD_helo));
	text_put_word(out, ", sasl_username=", event_get_str(e, FIELD_user));
	text_put_angle(out, ", message-id=", event_get_str(e, FIELD_message_id));
}

static const char *
text_reason(struct str reason)
{
	static const struct { const char *reason, *words; } known[] = {
		{ "errors", "too many errors" },
		{ "gone", "lost connection" },
		{ "late", "timeout" },
		{ "pipelining", "improper command pipelining" },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (str_eq(reason, str_of(known[i].reason)))
			return known[i].words;
	return NULL;
}

/* "lost connection after RCPT from name[ip]" */
static bool
text_put_after(const struct event *e, struct buf *out)
{
	const char *words = text_reason(event_get_str(e, FIELD_reason));
	struct str stage = event_get_str(e, FIELD_stage);

	if (words == NULL)
		return false;
	buf_put(out, str_of(words));
	text_put_word(out, " after ", stage.n == 0 ? STR("CONNECT") : stage);
	text_put_client(out, " from ", e);
	return true;
}

static void
text_refused(const struct event *e, const char *words, struct buf *out)
{
	static const struct { enum event_field field; const char *name; } tail[] = {
		{ FIELD_sender, "from=" }, { FIELD_recipient, "to=" },
		{ FIELD_protocol, "proto=" }, { FIELD_helo, "helo=" } };
	struct str reply = event_get_str(e, FIELD_reply);
	const char *gap = "; ";

	if (text_put_after(e, out))
		return;
	text_put_id(out, e->id, "NOQUEUE");
	buf_put(out, str_of(words));
	text_put_word(out, ": ", event_get_str(e, FIELD_stage));
	text_put_client(out, " from ", e);
	buf_put(out, STR(": "));
	text_put_reply(out, e, reply.p != NULL ? reply :
	    event_get_str(e, FIELD_text));
	for (size_t i = 0; i < sizeof tail / sizeof tail[0]; i++) {
		struct str s = event_get_str(e, tail[i].field);

		if (s.p == NULL)
			continue;
		buf_put(out, str_of(gap));
		gap = " ";
		if (tail[i].field == FIELD_protocol)
			text_put_word(out, tail[i].name, s);
		else
			text_put_angle(out, tail[i].name, s);
	}
}

static void
text_connection(const struct event *e, const char *words, struct buf *out)
{
	const struct event_value *commands = event_get(e, FIELD_commands);

	if (!text_put_after(e, out)) {
		buf_put(out, str_of(words));
		text_put_client(out, " from ", e);
	}
	if (commands != NULL) {
		buf_put(out, STR(" commands="));
		buf_put_u64(out, commands->number);
	}
}

static void
text_bounce(const struct event *e, const char *words, struct buf *out)
{
	struct str report = event_get_str(e, FIELD_report);
	struct str reason = event_get_str(e, FIELD_reason);

	buf_put(out, str_of(id_print(e->id).text));
	buf_put(out, STR(": "));
	if (report.n == 0) {		/* why there is none */
		text_put_prose(out, event_get_str(e, FIELD_text));
		return;
	}
	buf_put(out, str_eq(reason, STR("delayed")) ?
	    STR("sender delay notification") :
	    str_eq(reason, STR("failed")) ? str_of(words) :
	    STR("sender delivery status notification"));
	text_put_word(out, ": ", report);
}

static void
text_expanded(const struct event *e, const char *words, struct buf *out)
{
	struct str owner = event_get_str(e, FIELD_sender);

	text_put_id(out, e->id, "NOQUEUE");
	text_put_angle(out, "to=", event_get_str(e, FIELD_recipient));
	if (owner.p != NULL)
		text_put_angle(out, ", owner=", owner);
	buf_printf(out, ", %s ", words);
	buf_put_u64(out, event_get_num(e, FIELD_recipients));
	buf_put(out, STR(": "));
	text_put_prose(out, event_get_str(e, FIELD_text));
}

static void
text_plain(const struct event *e, const char *words, struct buf *out)
{
	struct str text = event_get_str(e, FIELD_text);

	text_put_id(out, e->id, "");
	buf_put(out, str_of(words));
	if (text.p == NULL)
		return;
	buf_put(out, e->type == EVENT_trouble ? STR(": ") : STR(" -- "));
	text_put_prose(out, text);
}

static const struct shape {
	void (*write)(const struct event *, const char *words, struct buf *);
	const char *words;
} shapes[EVENT_TYPES] = {
	[EVENT_bounce_made] = { text_bounce, "sender non-delivery notification" },
	[EVENT_canceled] = { text_outcome, "canceled" },
	[EVENT_connected] = { text_connection, "connect" },
	[EVENT_delayed] = { text_outcome, "deferred" },
	[EVENT_delivered] = { text_outcome, "sent" },
	[EVENT_discarded] = { text_outcome, "discarded" },
	[EVENT_disconnected] = { text_connection, "disconnect" },
	[EVENT_expanded] = { text_expanded, "expanded into" },
	[EVENT_expired] = { text_outcome, "expired" },
	[EVENT_failed] = { text_outcome, "bounced" },
	[EVENT_held] = { text_plain, "placed on hold" },
	[EVENT_queued] = { text_queued, "queue active" },
	[EVENT_refused] = { text_refused, "reject" },
	[EVENT_released] = { text_plain, "released from hold" },
	[EVENT_reloaded] = { text_plain, "reload" },
	[EVENT_rescheduled] = { text_plain, "requeued" },
	[EVENT_started] = { text_plain, "daemon started" },
	[EVENT_stopped] = { text_plain, "daemon stopped" },
	[EVENT_trouble] = { text_plain, "warning" },
};

void
event_text(const struct event *e, struct buf *out)
{
	must(e->type < EVENT_TYPES && shapes[e->type].write != NULL);
	shapes[e->type].write(e, shapes[e->type].words, out);
}
