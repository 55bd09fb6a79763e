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

/* The whole of a field of form LONG. */
static void
text_put_long(struct buf *out, struct str s)
{
	s = str_sub(s, 0, EVENT_LONG_MOST);
	for (; s.n > 0; s = str_sub(s, EVENT_TEXT_MOST, s.n))
		text_put(out, str_sub(s, 0, EVENT_TEXT_MOST), "");
}

/* A host that is an address has its brackets once, as its own address. */
static void
text_put_relay(struct buf *out, struct str relay)
{
	struct str host;

	if (str_skip(&relay, STR("["))) {
		host = str_cut(&relay, ']');
		text_put(out, host, NOT_IN_RELAYS);
	}
	text_put(out, relay, NOT_IN_RELAYS);
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
		text_put_relay(out, relay);
		buf_put(out, STR(" said: "));
		text_put_reply(out, e, reply);
		text_put_word(out, " (in reply to ", stage);
		buf_put(out, stage.p == NULL ? STR("") : STR(" command)"));
	}
}

/* Never absent: empty is what there is to tell. */
static struct str
text_or_empty(const struct event *e, enum event_field field)
{
	struct str s = event_get_str(e, field);

	return s.p == NULL ? STR("") : s;
}

static struct str
text_relay(const struct event *e)
{
	struct str relay = event_get_str(e, FIELD_relay);

	if (relay.n > 0)
		return relay;
	return event_get(e, FIELD_file) != NULL ? STR("local") : STR("none");
}

static bool
text_is_usual(struct str s)
{
	return str_eq(s, STR("default")) || str_eq(s, STR("local"));
}

static void
text_outcome(const struct event *e, const char *status, struct buf *out)
{
	struct str dsn = event_get_str(e, FIELD_dsn);
	struct str pool = event_get_str(e, FIELD_pool);
	struct str source = event_get_str(e, FIELD_source);
	uint64_t attempt = event_get_num(e, FIELD_attempt);

	text_put_id(out, e->id, "NOQUEUE");
	text_put_angle(out, "to=", event_get_str(e, FIELD_recipient));
	text_put_angle(out, ", orig_to=", event_get_str(e, FIELD_orig_to));
	buf_put(out, STR(", relay="));
	text_put_relay(out, text_relay(e));
	text_put_delays(out, e);
	text_put_word(out, ", dsn=", dsn);
	buf_printf(out, ", status=%s (", status);
	text_put_why(out, e);
	buf_putc(out, ')');
	/* Ours, behind all that others read; those that put deferrals together
	 * by their text would count each attempt for another. */
	if (attempt > 1 && e->type != EVENT_delayed) {
		buf_put(out, STR(", attempt="));
		buf_put_u64(out, attempt);
	}
	text_put_word(out, ", tls=", event_get_str(e, FIELD_tls));
	text_put_word(out, ", pool=", text_is_usual(pool) ? STR_NONE : pool);
	text_put_word(out, ", src=", text_is_usual(source) ? STR_NONE : source);
}

/* What comes in: smtpd and its client, or pickup and its user; then the header's
 * Message-ID from cleanup, then qmgr's own line. */
static void
text_client(const struct event *e, const char *words, struct buf *out)
{
	struct str user = event_get_str(e, FIELD_user);

	text_put_id(out, e->id, "NOQUEUE");
	text_put_client(out, words, e);
	text_put_word(out, ", sasl_method=", event_get_str(e, FIELD_mechanism));
	if (user.n > 0)
		text_put_word(out, ", sasl_username=", user);
}

/* fail2ban takes no offence where nobody could judge, if that stands first in
 * Postfix's words (`text'). */
static void
text_login(const struct event *e, const char *words, struct buf *out)
{
	struct str text = event_get_str(e, FIELD_text);

	buf_put(out, STR("warning: "));
	text_put_client(out, "", e);
	text_put_word(out, ": SASL ", event_get_str(e, FIELD_mechanism));
	buf_printf(out, " %s: ", words);
	text_put_prose(out, text.p != NULL ? text :
	    text_or_empty(e, FIELD_reason));
	text_put_word(out, ", sasl_username=", event_get_str(e, FIELD_user));
}

static void
text_pickup(const struct event *e, const char *words, struct buf *out)
{
	struct str user = event_get_str(e, FIELD_user);

	(void)str_skip(&user, STR("uid:"));
	text_put_id(out, e->id, "NOQUEUE");
	text_put_word(out, words, user);
	text_put_angle(out, " from=", event_get_str(e, FIELD_sender));
}

static void
text_message_id(const struct event *e, const char *words, struct buf *out)
{
	text_put_id(out, e->id, "NOQUEUE");
	text_put_angle(out, words, text_or_empty(e, FIELD_message_id));
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

/*
 * What was refused, before the reason, as Postfix has it: readers know a refusal
 * by these words.  Our replies to relaying and to unknown users have them.
 */
static void
text_put_refused(const struct event *e, struct str stage, struct buf *out)
{
	struct str dsn = event_get_str(e, FIELD_dsn);

	if (str_has_suffix_icase(dsn, STR(".3.4")))
		buf_put(out, STR("Message size exceeds fixed limit"));
	else if (str_has_suffix_icase(dsn, STR(".3.1")))
		buf_put(out, STR("Insufficient system storage"));
	else if (str_eq(stage, STR("MAIL"))) {
		text_put_angle(out, "", text_or_empty(e, FIELD_sender));
		buf_put(out, STR(": Sender address rejected"));
	} else if (str_eq(stage, STR("RCPT"))) {
		text_put_angle(out, "", text_or_empty(e, FIELD_recipient));
		buf_put(out, STR(": Recipient address rejected"));
	} else if (str_eq(stage, STR("CONNECT"))) {
		text_put_client(out, "<", e);
		buf_put(out, STR(">: Client host rejected"));
	} else
		buf_put(out, STR("<DATA>: Data command rejected"));
}

/* "550 5.6.0 <DATA>: Data command rejected: NUL in the message" */
static void
text_put_refusal(const struct event *e, struct str stage, struct buf *out)
{
	struct str reply = event_get_str(e, FIELD_reply);
	struct str dsn = event_get_str(e, FIELD_dsn);
	uint64_t code = event_get_num(e, FIELD_code), at;

	if (reply.p == NULL)
		reply = event_get_str(e, FIELD_text);
	if (reply.n > 0 && reply.p[0] != '<' && code != 0 && dsn.n > 0 &&
	    !parse_u64(str_sub(reply, 0, 3), 999, &at)) {
		buf_put_u64(out, code);
		text_put_word(out, " ", dsn);
		buf_putc(out, ' ');
		text_put_refused(e, stage, out);
		buf_put(out, str_has_suffix_icase(dsn, STR(".3.4")) ||
		    str_has_suffix_icase(dsn, STR(".3.1")) ? STR("; ") :
		    STR(": "));
		text_put_prose(out, reply);
	} else
		text_put_reply(out, e, reply);
}

static void
text_refused(const struct event *e, const char *words, struct buf *out)
{
	static const struct { enum event_field field; const char *name; } tail[] = {
		{ FIELD_sender, "from=" }, { FIELD_recipient, "to=" },
		{ FIELD_protocol, "proto=" }, { FIELD_helo, "helo=" } };
	struct str stage = event_get_str(e, FIELD_stage);
	const char *gap = "; ";

	if (text_put_after(e, out))
		return;
	if (str_eq(stage, STR("END-OF-DATA")))
		stage = STR("END-OF-MESSAGE");
	text_put_id(out, e->id, "NOQUEUE");
	buf_put(out, str_of(words));
	text_put_word(out, ": ", stage);
	text_put_client(out, " from ", e);
	buf_put(out, STR(": "));
	text_put_refusal(e, stage, out);
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
	if (gap[0] == ';')
		buf_put(out, STR("; proto=SMTP"));
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

	if (report.n == 0) {		/* why there is none */
		buf_put(out, STR("warning: "));
		text_put_id(out, e->id, "");
		text_put_prose(out, event_get_str(e, FIELD_text));
		return;
	}
	text_put_id(out, e->id, "NOQUEUE");
	buf_printf(out, "sender %s", str_eq(reason, STR("failed")) ? words :
	    str_eq(reason, STR("delayed")) ? "delay notification" :
	    "delivery status notification");
	text_put_word(out, ": ", report);
}

/* A rule is "KEY (default)" or "KEY, FILE:LINE": KEY@default, KEY@FILE:LINE.  No
 * key has an '@', so the first one parts them, whatever the file is called. */
static void
text_put_rule(struct buf *out, struct str rule)
{
	struct str where = rule, key = str_cut(&where, ' ');

	if (key.n > 0 && key.p[key.n - 1] == ',')
		key.n--;
	if (where.n > 1 && where.p[0] == '(' && where.p[where.n - 1] == ')')
		where = str_sub(where, 1, where.n - 2);
	text_put_word(out, ", rule=", key);
	if (where.n > 0)
		text_put_word(out, "@", where);
}

/* What was found out of a message, and what is done with it. */
static void
text_checked(const struct event *e, const char *words, struct buf *out)
{
	struct str rule = event_get_str(e, FIELD_rule);

	text_put_id(out, e->id, "NOQUEUE");
	text_put_client(out, words, e);
	text_put_angle(out, ", from=", event_get_str(e, FIELD_sender));
	text_put_word(out, ", author=", event_get_str(e, FIELD_author));
	text_put_word(out, ", disposition=",
	    event_get_str(e, FIELD_disposition));
	text_put_word(out, ", override=", event_get_str(e, FIELD_override));
	if (rule.p != NULL)
		text_put_rule(out, rule);
	buf_put(out, STR(": "));
	text_put_long(out, event_get_str(e, FIELD_results));
}

/* ": why, to=whom (in words)" */
static void
text_put_ending(const struct event *e, struct buf *out)
{
	text_put_word(out, ": ", event_get_str(e, FIELD_reason));
	text_put_word(out, ", to=", event_get_str(e, FIELD_recipient));
	buf_put(out, STR(" ("));
	text_put_prose(out, event_get_str(e, FIELD_text));
	buf_putc(out, ')');
}

/* To a domain: "report of dmarc to a.example (mailto:x@a.example): sent". */
static void
text_report(const struct event *e, const char *words, struct buf *out)
{
	text_put_id(out, e->id, "");
	buf_printf(out, "%s", words);
	text_put_word(out, " of ", event_get_str(e, FIELD_class));
	text_put_word(out, " to ", event_get_str(e, FIELD_domain));
	text_put_ending(e, out);
}

/* One that came. */
static void
text_report_in(const struct event *e, const char *words, struct buf *out)
{
	text_put_id(out, e->id, "");
	buf_printf(out, "report");
	text_put_word(out, " of ", event_get_str(e, FIELD_class));
	text_put_word(out, " about ", event_get_str(e, FIELD_domain));
	text_put_word(out, " from ", event_get_str(e, FIELD_author));
	buf_printf(out, " %s", words);
	text_put_ending(e, out);
}

/* As local(8) tells of an alias: the copies keep the message's id here. */
static void
text_expanded(const struct event *e, const char *words, struct buf *out)
{
	struct id_text id = id_print(e->id);

	text_put_id(out, e->id, "NOQUEUE");
	text_put_angle(out, "to=", event_get_str(e, FIELD_recipient));
	buf_put(out, STR(", relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, "
	    "status=sent ("));
	buf_printf(out, "%s %s)", words, id.text);
	text_put_angle(out, ", owner=", event_get_str(e, FIELD_sender));
	buf_put(out, STR(", nrcpt="));
	buf_put_u64(out, event_get_num(e, FIELD_recipients));
	if (event_get(e, FIELD_text) == NULL)
		return;
	buf_put(out, STR(", to "));
	text_put_prose(out, event_get_str(e, FIELD_text));
}

static void
text_plain(const struct event *e, const char *words, struct buf *out)
{
	struct str text = event_get_str(e, FIELD_text);

	text_put_id(out, e->id, "");
	buf_put(out, str_of(words));
	if (text.p == NULL || str_eq(text, STR("by an administrator")))
		return;
	buf_put(out, STR(" -- "));
	text_put_prose(out, text);
}

static void
text_reload(const struct event *e, const char *words, struct buf *out)
{
	struct str text = event_get_str(e, FIELD_text);

	buf_printf(out, "%s%s ", words, str_has_prefix_icase(text,
	    STR("configuration")) ? "" : " --");
	text_put_prose(out, text);
}

/* What Postfix tells with smtp_tls_loglevel = 1; how far the host was proven to be
 * who he is stands behind the version: "TLSv1.3/dane". */
static void
text_tls(const struct event *e, const char *words, struct buf *out)
{
	struct str proof = event_get_str(e, FIELD_tls);
	bool is_sure = str_has_suffix_icase(proof, STR("/verify")) ||
	    str_has_suffix_icase(proof, STR("/mta_sts")) ||
	    str_has_suffix_icase(proof, STR("/dane"));
	const char *how = is_sure ? "Verified" :
	    str_has_suffix_icase(proof, STR("/trust")) ? "Trusted" :
	    "Untrusted";

	if (proof.n == 0 || str_eq(proof, STR("clear")))
		buf_printf(out, "%s not established to ", words);
	else
		buf_printf(out, "%s %s established to ", how, words);
	text_put_prose(out, event_get_str(e, FIELD_relay));
	text_put_word(out, ": ", proof);
	text_put_word(out, ", policy=", event_get_str(e, FIELD_policy));
	text_put_word(out, ", domain=", event_get_str(e, FIELD_domain));
	text_put_word(out, ", result=", event_get_str(e, FIELD_result));
	if (event_get(e, FIELD_text) == NULL)
		return;
	buf_printf(out, ": ");
	text_put_prose(out, event_get_str(e, FIELD_text));
}

/* "warning: " goes first, whatever it is about. */
static void
text_trouble(const struct event *e, const char *words, struct buf *out)
{
	buf_printf(out, "%s: ", words);
	text_put_id(out, e->id, "");
	text_put_prose(out, event_get_str(e, FIELD_text));
}

/* One that was renewed is no reason to look. */
static void
text_certificate(const struct event *e, const char *words, struct buf *out)
{
	bool is_good = str_eq(event_get_str(e, FIELD_reason), STR("renewed"));

	buf_printf(out, "%s%s: ", is_good ? "" : "warning: ", words);
	text_put_prose(out, event_get_str(e, FIELD_text));
}

/* What is to be done by somebody is a warning. */
static void
text_dkim_key(const struct event *e, const char *words, struct buf *out)
{
	struct str reason = event_get_str(e, FIELD_reason);
	bool is_good = !str_eq(reason, STR("trouble")) &&
	    !str_eq(reason, STR("made"));

	buf_printf(out, "%s%s", is_good ? "" : "warning: ", words);
	if (event_get_str(e, FIELD_selector).n > 0)
		buf_printf(out, " " STR_FMT "._domainkey." STR_FMT,
		    STR_ARG(event_get_str(e, FIELD_selector)),
		    STR_ARG(event_get_str(e, FIELD_domain)));
	buf_put(out, STR(": "));
	text_put_prose(out, event_get_str(e, FIELD_text));
}

static void
text_expired(const struct event *e, const char *words, struct buf *out)
{
	text_put_id(out, e->id, "NOQUEUE");
	text_put_angle(out, "from=", text_or_empty(e, FIELD_sender));
	buf_printf(out, ", status=%s", words);
}

static const struct shape {
	void (*write)(const struct event *, const char *words, struct buf *);
	const char *words;
} shapes[EVENT_TYPES] = {
	[EVENT_bounce_made] = { text_bounce, "non-delivery notification" },
	[EVENT_canceled] = { text_outcome, "canceled" },
	[EVENT_certificate] = { text_certificate, "certificate" },
	[EVENT_checked] = { text_checked, "client=" },
	[EVENT_connected] = { text_connection, "connect" },
	[EVENT_delayed] = { text_outcome, "deferred" },
	[EVENT_delivered] = { text_outcome, "sent" },
	[EVENT_dkim_key] = { text_dkim_key, "key" },
	[EVENT_directory_back] = { text_trouble, "restored" },
	[EVENT_directory_down] = { text_trouble, "warning" },
	[EVENT_discarded] = { text_outcome, "sent" },
	[EVENT_disconnected] = { text_connection, "disconnect" },
	[EVENT_dns_changed] = { text_trouble, "changed" },
	[EVENT_expanded] = { text_expanded, "forwarded as" },
	[EVENT_expired] = { text_outcome, "bounced" },
	[EVENT_failed] = { text_outcome, "bounced" },
	[EVENT_held] = { text_plain, "placed on hold" },
	[EVENT_insecure] = { text_trouble, "warning" },
	[EVENT_login_failed] = { text_login, "authentication failed" },
	[EVENT_login_good] = { text_login, "" },	/* never said */
	[EVENT_peers_failing] = { text_trouble, "warning" },
	[EVENT_queued] = { text_queued, "queue active" },
	[EVENT_refused] = { text_refused, "reject" },
	[EVENT_relay_login] = { text_trouble, "warning" },
	[EVENT_released] = { text_plain, "released from hold" },
	[EVENT_reloaded] = { text_reload, "reload" },
	[EVENT_report_refused] = { text_report_in, "refused" },
	[EVENT_report_sent] = { text_report, "report" },
	[EVENT_report_taken] = { text_report_in, "taken" },
	[EVENT_rescheduled] = { text_plain, "requeued" },
	[EVENT_sign_failed] = { text_trouble, "warning: not signed" },
	[EVENT_slowed] = { text_trouble, "slowed" },
	[EVENT_started] = { text_plain, "daemon started" },
	[EVENT_stopped] = { text_plain, "daemon stopped" },
	[EVENT_tls_session] = { text_tls, "TLS connection" },
	[EVENT_trouble] = { text_trouble, "warning" },
};

/* The lines of an event of which Postfix would have written several. */
static const struct shape *
text_shape(const struct event *e, unsigned nth, const char **tag)
{
	static const struct shape client = { text_client, "client=" },
	    pickup = { text_pickup, "uid=" },
	    message_id = { text_message_id, "message-id=" },
	    expired = { text_expired, "expired, returned to sender" };
	bool is_local = str_has_prefix_icase(event_get_str(e, FIELD_user),
	    STR("uid:"));

	*tag = event_tag(e->type);
	/* Postfix says nothing of reports that nobody asked for, nor of a good
	 * login, but on the line of the message that follows. */
	if (e->type == EVENT_login_good || (e->type == EVENT_bounce_made &&
	    str_eq(event_get_str(e, FIELD_reason), STR("none"))))
		return NULL;
	/* Nor of hosts that have no TLS, where nobody asks for it. */
	if (e->type == EVENT_tls_session &&
	    str_eq(event_get_str(e, FIELD_tls), STR("clear")) &&
	    str_eq(event_get_str(e, FIELD_policy), STR("no-policy-found")) &&
	    event_get(e, FIELD_text) == NULL)
		return NULL;
	if (e->type == EVENT_expired && nth == 1) {
		*tag = "qmgr";
		return &expired;
	}
	if (e->type != EVENT_queued)
		return nth == 0 ? &shapes[e->type] : NULL;
	if (!is_local && event_get(e, FIELD_client) == NULL)
		nth++;			/* from inside */
	if (nth == 0)
		*tag = is_local ? "pickup" : "smtpd";
	if (nth == 1)
		*tag = "cleanup";
	return nth == 0 ? is_local ? &pickup : &client :
	    nth == 1 ? &message_id : nth == 2 ? &shapes[EVENT_queued] : NULL;
}

/* Mailboxes of this machine have a program of their own. */
const char *
event_text_tag(const struct event *e, unsigned nth)
{
	const char *tag;
	const struct shape *shape = text_shape(e, nth, &tag);

	if (shape == NULL)
		return NULL;
	return shape->write == text_outcome &&
	    str_eq(text_relay(e), STR("local")) ? "local" : tag;
}

void
event_text(const struct event *e, unsigned nth, struct buf *out)
{
	const char *tag;
	const struct shape *shape;

	must(e->type < EVENT_TYPES && shapes[e->type].write != NULL);
	shape = text_shape(e, nth, &tag);
	must(shape != NULL);
	shape->write(e, shape->words, out);
}
