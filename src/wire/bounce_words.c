#include "wire/bounce_words.h"

#include "base/must.h"
#include "wire/disposition.h"
#include "wire/dsn.h"

enum { MOST_CANDIDATES = BOUNCE_TOLD_MOST, LEAD_ROOM = 200, SURE = 3,
	LIKELY = 2, LOCAL_MOST = 65 };

/* ---- lines ---- */

static struct str
line_next(struct str *words)
{
	return str_cut(words, '\n');
}

bool
bounce_words_has(struct str s, const char *const *phrases)
{
	char room[BOUNCE_REPLY_MOST + 1];
	struct buf b = BUF_OF(room);

	for (size_t i = 0; i < s.n && b.n < b.cap; i++)
		buf_putc(&b, ascii_lower(s.p[i]));
	for (; *phrases != NULL; phrases++)
		if (str_find_str(buf_str(&b), str_of(*phrases)) < b.n)
			return true;
	return false;
}

/* ---- the copy of the message ---- */

/* What only a header section holds. */
static bool
line_is_field(struct str line)
{
	static const char *const fields[] = { "Received:", "Return-Path:",
		"DKIM-Signature:", "Message-ID:", "MIME-Version:",
		"X-Mailer:", "Delivered-To:", NULL };

	for (size_t i = 0; fields[i] != NULL; i++)
		if (str_has_prefix_icase(line, str_of(fields[i])))
			return true;
	return false;
}

static bool
line_begins_copy(struct str line)
{
	static const char *const says[] = { "copy of the message",
		"copy of your message", "copy of the original",
		"original message", "original header", "message headers follow",
		"message header follows", "message header:", "returned mail follows",
		"returned message", "unsent message", "message text follows",
		"text of your message", "your message follows", "message follows",
		"header of the", "headers of the", "body of the", "old message:",
		"- forwarded message", "mensaje original", "message original",
		"ursprüngliche nachricht", "original-nachricht",
		"first 100 lines", "message body", "below this line",
		"here is your message", "undelivered message",
		"start of returned", "begin returned", "message contents",
		"the message you sent", "is included below", "rejected message",
		"text of message", "your original mail", "mail header", NULL };
	static const char *const unless[] = { "was received at", "the original "
		"message was", "problem report", "could not be", "your message "
		"to", "delete your own", "do so, please", "was not",
		"were unable", "receive", NULL };
	struct str plain = str_trim(line);

	if (plain.n == 0 || plain.n > 120 || bounce_words_has(plain, unless))
		return false;
	return bounce_words_has(plain, says) && (plain.p[0] == '-' ||
	    plain.p[0] == '=' || plain.p[0] == '|' || plain.p[0] == '*' ||
	    plain.p[0] == '#' || plain.p[0] == '>' ||
	    plain.p[plain.n - 1] == ':' || plain.p[plain.n - 1] == '.' ||
	    plain.p[plain.n - 1] == '-');
}

size_t
bounce_words_copy(struct str words)
{
	struct str rest = words;

	while (rest.n > 0) {
		size_t at = words.n - rest.n;
		struct str line = line_next(&rest);

		if (line_is_field(line) || (at > 0 && line_begins_copy(line)))
			return at;
	}
	return words.n;
}

/* ---- addresses ---- */

static bool
is_of_local(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c >= 0x80 ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool
is_of_domain(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' ||
	    (unsigned char)c >= 0x80;
}

/* Quoted local parts, too: "a b"@example.org. */
static size_t
local_begin(struct str s, size_t at)
{
	size_t from = at;

	if (at > 1 && s.p[at - 1] == '"') {
		for (from = at - 1; from > 0 && s.p[from - 1] != '"'; from--)
			;
		return from > 0 ? from - 1 : at;
	}
	while (from > 0 && is_of_local(s.p[from - 1]))
		from--;
	if (str_has_prefix_icase(str_sub(s, from, at - from), STR("SMTP=")))
		from += 5;
	/* What stands around addresses more often than in them. */
	while (from < at && (strchr("'`*=#!?.|{", s.p[from]) != NULL))
		from++;
	return from;
}

bool
bounce_words_address(struct str *s, struct str *address)
{
	size_t at = str_find(*s, '@');

	while (at < s->n) {
		size_t from = local_begin(*s, at), to = at + 1;

		while (to < s->n && is_of_domain(s->p[to]))
			to++;
		while (to > at && !ascii_is_alnum(s->p[to - 1]) &&
		    (unsigned char)s->p[to - 1] < 0x80)
			to--;
		*address = str_sub(*s, from, to - from);
		if (from < at && str_find(str_sub(*s, at, to - at), '.') <
		    to - at) {
			*s = str_sub(*s, to, s->n);
			return true;
		}
		at = at + 1 + str_find(str_sub(*s, at + 1, s->n), '@');
	}
	*s = str_sub(*s, s->n, 0);
	return false;
}

static bool
value_has(struct str value, struct str address)
{
	struct str one;

	while (bounce_words_address(&value, &one))
		if (str_eq_icase(one, address))
			return true;
	return false;
}

/* ---- how sure it is that an address is a recipient's ---- */

/* What stands before it on its line, without signs. */
static struct str
lead_of(struct str line, struct str address)
{
	struct str lead = { line.p, (size_t)(address.p - line.p) };

	must(address.p >= line.p && lead.n <= line.n);
	while (lead.n > 0 && strchr(" \t<>\"'*|-:#([=,;.", lead.p[0]) != NULL)
		lead = str_sub(lead, 1, lead.n);
	while (lead.n > 0 && strchr(" \t<\"'([:=,;", lead.p[lead.n - 1]) != NULL)
		lead.n--;
	return lead;
}

static int
address_rank(struct str line, struct str address)
{
	static const char *const no[] = { "contact", "postmaster", "assist",
		"help", "question", "mail from", "sender", "from:", " from ",
		"originator", "reply", "message-id", "complain", "abuse",
		"report to", "www", "support", "write to", "envelope-from",
		"send mail to", "forward", "e-mail me", "email me", "http",
		"accepting mail from", "subscribe", "please", "by ", NULL };
	static const char *const yes[] = { "recipient", "deliver", "unknown",
		"invalid", "user", "address", "mailbox", "rcpt to", "failed",
		"sent to", "full", "error-for", "message to", "mail to",
		"send to", "for", "quota", "generated from", "expanded from",
		"account", "to", "attempts", "empf", "destinat", NULL };
	static const char *const origin[] = { "expanded from", NULL };
	struct str lead = lead_of(line, address);

	if (lead.n == 0)
		return SURE;
	if (lead.n > LEAD_ROOM)
		return 0;
	if (bounce_words_has(lead, origin))
		return SURE;
	if (str_has_suffix_icase(lead, STR("dda:SMTP")))
		return SURE;		/* RFC 2156 4.3.1 */
	if (str_eq_icase(lead, STR("to")))
		return 1;
	if (str_has_prefix_icase(lead, STR("from")) ||
	    str_has_prefix_icase(lead, STR("reply")) ||
	    bounce_words_has(lead, no))
		return 0;
	return bounce_words_has(lead, yes) || ascii_is_digit(lead.p[0]) ?
	    LIKELY : 1;
}

/* ---- what was said ---- */

static int
code_at(struct str s, size_t i)
{
	if (i + 3 > s.n || (s.p[i] != '4' && s.p[i] != '5') ||
	    !ascii_is_digit(s.p[i + 1]) || !ascii_is_digit(s.p[i + 2]) ||
	    s.p[i + 1] > '5' || (i > 0 && (ascii_is_alnum(s.p[i - 1]) ||
	    strchr(".-@_/#", s.p[i - 1]) != NULL)))
		return 0;
	if (i + 3 < s.n && strchr(" -:,;)]\t\"'\n", s.p[i + 3]) == NULL)
		return 0;
	return (s.p[i] - '0') * 100 + (s.p[i + 1] - '0') * 10 +
	    (s.p[i + 2] - '0');
}

static bool
esc_at(struct str s, size_t i, struct esc *e)
{
	size_t n = 0;

	if ((s.p[i] != '4' && s.p[i] != '5' && s.p[i] != '2') || (i > 0 &&
	    (ascii_is_alnum(s.p[i - 1]) || s.p[i - 1] == '.' ||
	    s.p[i - 1] == '@')))
		return false;
	while (i + n < s.n && (ascii_is_digit(s.p[i + n]) ||
	    (s.p[i + n] == '.' && i + n + 1 < s.n &&
	    ascii_is_digit(s.p[i + n + 1]))))
		n++;
	return esc_parse(str_sub(s, i, n), e);
}

void
bounce_reply_codes(struct str s, int *code, struct esc *esc)
{
	*code = 0;
	*esc = ESC_NONE;
	for (size_t i = 0; i < s.n && (*code == 0 || esc->class == 0); i++) {
		if (*code == 0)
			*code = code_at(s, i);
		if (esc->class == 0)
			(void)esc_at(s, i, esc);
	}
}

/* ">>> DATA" is said, and "<<< 550" is heard. */
static enum bounce_phase
command_phase(struct str line, enum bounce_phase otherwise)
{
	static const struct { struct str verb; enum bounce_phase phase; } v[] = {
		{ STR_INIT("DATA"), BOUNCE_DATA },
		{ STR_INIT("BDAT"), BOUNCE_DATA },
		{ STR_INIT("RCPT"), BOUNCE_RCPT },
		{ STR_INIT("MAIL"), BOUNCE_MAIL },
		{ STR_INIT("EHLO"), BOUNCE_HELO },
		{ STR_INIT("HELO"), BOUNCE_HELO },
	};

	line = str_trim(line);
	if (!str_skip(&line, STR(">>>")))
		return otherwise;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++)
		if (str_has_prefix_icase(str_trim(line), v[i].verb))
			return v[i].phase;
	return str_eq(str_trim(line), STR(".")) ? BOUNCE_DATA : otherwise;
}

enum bounce_phase
bounce_words_phase(struct str words)
{
	static const char *const rcpt[] = { "to rcpt to", "after rcpt to",
		"our rcpt to", "rcpt command", "[rcpt_to]",
		"does not like recipient", NULL };
	static const char *const data[] = { "end of data", "to data command",
		"final data", "data command", "text command", "after data", NULL };
	static const char *const mail[] = { "to mail from", "after mail from",
		"our mail from", "mail command", NULL };
	static const char *const helo[] = { "to helo", "to ehlo", "after helo",
		"after ehlo", NULL };
	static const char *const connect[] = { "initial connection", NULL };
	enum bounce_phase said = BOUNCE_UNSAID;

	while (words.n > 0) {
		struct str line = str_cut(&words, '\n');

		said = command_phase(line, said);
		if (said != BOUNCE_UNSAID && str_has_prefix_icase(
		    str_trim(line), STR("<<< 5")))
			return said;
		if (bounce_words_has(line, rcpt))
			return BOUNCE_RCPT;
		if (bounce_words_has(line, data))
			return BOUNCE_DATA;
		if (bounce_words_has(line, mail))
			return BOUNCE_MAIL;
		if (bounce_words_has(line, helo))
			return BOUNCE_HELO;
		if (bounce_words_has(line, connect))
			return BOUNCE_CONNECT;
	}
	return BOUNCE_UNSAID;
}

static bool
line_is_empty(struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if (strchr(" \t\r<>|*-=", line.p[i]) == NULL)
			return false;
	return true;
}

/* Does a line speak of another recipient first? */
static bool
line_is_of_other(struct str line, struct str address)
{
	struct str rest = line, one;

	return bounce_words_address(&rest, &one) &&
	    !str_eq_icase(one, address) && address_rank(line, one) == SURE;
}

/* From its line to an empty one behind some words, or another's. */
struct str
bounce_words_of(struct str words, struct str address)
{
	struct str from = STR_NONE, rest = words;
	size_t said = 0;

	while (rest.n > 0) {
		struct str before = rest, line = line_next(&rest);

		if (from.p == NULL) {
			if (!value_has(line, address))
				continue;
			from = before;
			said = line.n > address.n + 12 ? line.n : 0;
			continue;
		}
		if (from.n - before.n > BOUNCE_REPLY_MOST ||
		    line_is_of_other(line, address) ||
		    (line_is_empty(line) && said > 0))
			return str_sub(from, 0, from.n - before.n);
		said += line_is_empty(line) ? 0 : line.n;
	}
	return from;
}

/* ---- the whole ---- */

struct candidate {
	struct str address;
	int rank;
};

struct candidates {
	const struct bounce_known *known;
	struct candidate *v;
	size_t n;
	int best;
};

static void
candidate_add(struct candidates *c, struct str address, int rank)
{
	const struct bounce_known *k = c->known;

	if (value_has(k->failed, address))
		rank = SURE;
	else if (value_has(k->from, address) || value_has(k->to, address))
		return;
	else if (value_has(k->original_to, address) && rank < LIKELY)
		rank = rank == 0 ? 1 : LIKELY;
	if (rank > c->best)
		c->best = rank;
	for (size_t i = 0; i < c->n; i++)
		if (str_eq_icase(c->v[i].address, address)) {
			if (rank > c->v[i].rank)
				c->v[i].rank = rank;
			return;
		}
	if (c->n < MOST_CANDIDATES)
		c->v[c->n++] = (struct candidate){ address, rank };
}

static void
candidates_of_value(struct candidates *c, struct str value)
{
	struct str one;

	while (bounce_words_address(&value, &one))
		candidate_add(c, one, SURE);
}

static void
candidates_find(struct candidates *c, struct str words)
{
	while (words.n > 0) {
		struct str line = line_next(&words), rest = line, one;

		while (bounce_words_address(&rest, &one))
			candidate_add(c, one, address_rank(line, one));
	}
}

/* "... the following recipients ...:" and then a name alone: a user of who
 * writes. */
static void
candidates_of_names(struct arena *a, struct candidates *c, struct str words)
{
	struct str rest = c->known->from, from;
	bool is_next = false;

	if (!bounce_words_address(&rest, &from))
		return;
	(void)str_cut(&from, '@');
	while (words.n > 0) {
		struct str line = str_trim(line_next(&words));

		if (line.n == 0)
			continue;
		if (is_next && line.n < LOCAL_MOST &&
		    str_find(line, ' ') == line.n && is_of_local(line.p[0]))
			candidate_add(c, arena_printf(a, STR_FMT "@" STR_FMT,
			    STR_ARG(line), STR_ARG(from)), LIKELY);
		is_next = line.p[line.n - 1] == ':';
	}
}

struct bounce_told *
bounce_words_read(struct arena *a, struct str words,
    const struct bounce_known *known, size_t *n)
{
	struct candidates c = { .known = known, .best = 1,
		.v = arena_alloc(a, MOST_CANDIDATES * sizeof *c.v) };
	struct bounce_told *v;

	*n = 0;
	if (c.v == NULL)
		return NULL;
	candidates_of_value(&c, known->failed);
	if (c.n == 0)
		candidates_find(&c, words);
	if (c.best < LIKELY)
		candidates_of_names(a, &c, words);
	if (c.n == 0)
		candidates_of_value(&c, known->original_to);
	v = arena_alloc(a, (c.n + 1) * sizeof *v);
	for (size_t i = 0; v != NULL && i < c.n; i++) {
		if (c.v[i].rank < c.best)
			continue;
		v[*n].address = c.v[i].address;
		v[*n].action = DSN_ACTIONS;
		if (*n > 0)
			v[*n - 1].next = &v[*n];
		(*n)++;
	}
	must(*n <= MOST_CANDIDATES);
	return v;
}
