#include "wire/received.h"

#include "base/must.h"
#include "wire/address.h"
#include "wire/lex.h"

enum { BRACKETS_MOST = 2 * MAILBOX_TEXT };	/* octets between < and > */

/* RFC 3848; RFC 6531 4.3 for UTF8SMTP and UTF8LMTP, which imply EHLO. */
const char *
received_with(unsigned flags)
{
	static const char *const smtp[] = { "ESMTP", "ESMTPS", "ESMTPA",
		"ESMTPSA" };
	static const char *const lmtp[] = { "LMTP", "LMTPS", "LMTPA",
		"LMTPSA" };
	static const char *const utf8[] = { "UTF8SMTP", "UTF8SMTPS",
		"UTF8SMTPA", "UTF8SMTPSA" };
	static const char *const utf8_lmtp[] = { "UTF8LMTP", "UTF8LMTPS",
		"UTF8LMTPA", "UTF8LMTPSA" };
	unsigned i = ((flags & WITH_TLS) != 0 ? 1u : 0u) +
	    ((flags & WITH_AUTH) != 0 ? 2u : 0u);

	if ((flags & WITH_LMTP) != 0)
		return (flags & WITH_UTF8) != 0 ? utf8_lmtp[i] : lmtp[i];
	if ((flags & WITH_UTF8) != 0)
		return utf8[i];
	return (flags & WITH_EXTENDED) != 0 ? smtp[i] : "SMTP";
}

/* An IP address without brackets? */
static bool
is_ip(struct str s)
{
	char text[64];
	struct buf b = BUF_OF(text);
	unsigned char ip[16];

	literal_print(s, &b);
	return s.n > 0 && s.p[0] != '[' && !b.full &&
	    literal_parse(buf_str(&b), ip) > 0;
}

/* ---- writing ---- */

/* A word from outside that must stay one word: a literal, or what looks like a
 * domain once all else has become '?'. */
static void
put_host(struct buf *out, struct str host)
{
	static const struct str marks = STR_INIT(".-_");
	bool is_literal = host_parse(host, 0) == HOST_LITERAL;

	host = str_sub(host, 0, DOMAIN_MOST);
	if (host.n == 0)
		buf_put(out, STR("unknown"));
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		buf_putc(out, is_literal || ascii_is_alnum(c) ||
		    str_find(marks, c) < marks.n ? c : '?');
	}
}

/* The same for ids, protocols and the like: printable, no specials. */
static void
put_word(struct buf *out, struct str word)
{
	for (size_t i = 0; i < word.n; i++) {
		struct str c = str_sub(word, i, 1);

		buf_put(out, c.p[0] >= 0 && (lex_atom(c) == 1 ||
		    c.p[0] == '.') ? c : STR("?"));
	}
}

/* A name in the DNS that looks like an address, or like a word of ours, is no
 * name. */
static bool
is_name(struct str host)
{
	return domain_is_valid(host, 0) && !is_ip(host) &&
	    (str_find(host, '.') < host.n ||
	    str_eq_icase(host, STR("localhost")));
}

/* From-domain with TCP-info = address-literal / ( Domain FWS address-literal) */
static void
put_from(struct buf *out, const struct received *r)
{
	buf_put(out, STR("from "));
	put_host(out, r->helo);
	buf_put(out, STR(" ("));
	put_host(out, is_name(r->host) ? r->host : STR_NONE);
	if (r->ip.n > 0) {
		buf_putc(out, ' ');
		literal_print(r->ip, out);
	}
	buf_put(out, STR(")\r\n\t"));
}

/* For = CFWS "FOR" FWS ( Path / Mailbox ); only what parses is shown. */
static void
put_for(struct buf *out, struct str rcpt)
{
	struct mailbox m;

	if (rcpt.n == 0 || mailbox_parse(rcpt, MAILBOX_UTF8, &m) != NULL)
		return;
	buf_put(out, STR("\r\n\tfor <"));
	buf_put(out, rcpt);
	buf_putc(out, '>');
}

/*
 * RFC 5321 4.4: Time-stamp-line = "Received:" FWS Stamp CRLF
 *	Stamp = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
 *	Opt-info = [Via] [With] [ID] [For] [Additional-Registered-Clauses]
 */
void
received_write(struct buf *out, const struct received *r)
{
	must(r->by.n > 0 && r->with.n > 0);
	buf_put(out, STR("Received: "));
	if (r->helo.p != NULL)
		put_from(out, r);
	buf_put(out, STR("by "));
	put_host(out, r->by);
	buf_put(out, STR(" (Nightmail"));
	if (r->userid.n > 0) {
		buf_put(out, STR(", from userid "));
		put_word(out, r->userid);
	}
	buf_put(out, STR(") with "));
	put_word(out, r->with);
	if (r->id.n > 0) {
		buf_put(out, STR(" id "));
		put_word(out, r->id);
	}
	put_for(out, r->rcpt);
	if (r->tls.n > 0) {
		buf_put(out, STR("\r\n\ttls "));
		put_word(out, r->tls);
	}
	buf_put(out, STR(";\r\n\t"));
	buf_put(out, str_of(date_print(r->at, r->zone).text));
	buf_put(out, STR("\r\n"));
}

/* ---- reading ---- */

/* One clause's keyword: where its first word goes. */
static struct str *
clause_of(struct received_read *out, struct str word)
{
	const struct { struct str name; struct str *slot; } clauses[] = {
		{ STR("from"), &out->from }, { STR("by"), &out->by },
		{ STR("via"), &out->via }, { STR("with"), &out->with },
		{ STR("id"), &out->id }, { STR("for"), &out->rcpt },
		{ STR("tls"), &out->cipher },
	};

	for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++)
		if (str_eq_icase(word, clauses[i].name))
			return clauses[i].slot;
	return NULL;
}

/* A word off the front of s, which begins with no space: a bracketed one with
 * all that is in its brackets, unless a comment or the date comes first. */
static struct str
take_word(struct str *s)
{
	struct str word = *s, near = str_sub(*s, 0, BRACKETS_MOST);
	size_t close;

	near.n = str_find(near, ';');
	near.n = str_find(near, '(');
	close = s->p[0] == '[' ? str_find(near, ']') :
	    s->p[0] == '<' ? str_find(near, '>') : near.n;
	word.n = close < near.n ? close : 0;
	while (word.n < s->n && word.p[word.n] > ' ' &&
	    word.p[word.n] != ';' && word.p[word.n] != '(')
		word.n++;
	if (word.n == 0)
		word.n = 1;		/* a control character, or 8-bit */
	*s = str_sub(*s, word.n, s->n);
	return word;
}

/* Without what people put around words. */
static struct str
bare(struct str word)
{
	while (word.n > 0 && word.p[word.n - 1] == ',')
		word.n--;
	if (word.n >= 2 && ((word.p[0] == '<' && word.p[word.n - 1] == '>') ||
	    (word.p[0] == '"' && word.p[word.n - 1] == '"')))
		word = str_sub(word, 1, word.n - 2);
	return word;
}

/* An address without a port, or with one: its length, 0: it is none. */
static struct str
ip_in(struct str s)
{
	size_t colon = str_find_last(s, ':');

	str_skip_icase(&s, STR("IPv6:"));
	if (is_ip(s))
		return s;
	s = str_sub(s, 0, colon);
	return is_ip(s) ? s : STR_NONE;
}

/* A name in a from clause's comment, if it is one. */
static void
see_host(struct received_read *out, struct str word)
{
	word = bare(word);
	if (word.n > 0 && word.p[word.n - 1] == '.')
		word.n--;
	if (out->host.p == NULL && domain_is_valid(word, 0) && !is_ip(word) &&
	    !str_eq_icase(word, STR("unknown")))
		out->host = word;
}

/* "[192.0.2.1]", "host[192.0.2.1]:25" or "192.0.2.1" in a from clause. */
static bool
see_ip(struct received_read *out, struct str word)
{
	struct str tail = word, head = str_cut(&tail, '[');
	struct str ip = ip_in(str_sub(tail, 0, str_find(tail, ']')));

	if (ip.p == NULL) {
		ip = ip_in(word);
		head = STR_NONE;
	}
	if (ip.p == NULL)
		return false;
	if (out->ip.p == NULL)
		out->ip = ip;
	see_host(out, head);
	return true;
}

/* A word of a comment, with the word before it. */
static void
see_comment_word(struct received_read *out, struct str before, struct str word,
    bool of_from)
{
	struct str value = word, key = str_cut(&value, '=');

	if (value.n == 0) {
		value = word;
		key = before;
	}
	if (out->helo.p == NULL && (str_eq_icase(key, STR("HELO")) ||
	    str_eq_icase(key, STR("EHLO")) || str_eq_icase(key, STR("LHLO"))))
		out->helo = value;
	else if (str_eq_icase(key, STR("cipher")) && out->cipher.p == NULL)
		out->cipher = value;
	else if ((str_eq_icase(key, STR("using")) ||
	    str_eq_icase(key, STR("version"))) && out->tls.p == NULL &&
	    str_has_prefix_icase(value, STR("TLS")))
		out->tls = value;
	else if (of_from && !see_ip(out, word) && before.n == 0 &&
	    out->ip.p == NULL && str_find(word, '.') < word.n)
		see_host(out, word);
}

static void
see_comment(struct received_read *out, struct str comment, bool of_from)
{
	struct str before = STR_NONE;

	while (comment.n > 0) {
		size_t n = 0;
		struct str word;

		while (n < comment.n && comment.p[n] != ' ' &&
		    comment.p[n] != '\t' && comment.p[n] != ',')
			n++;
		word = str_trim(str_sub(comment, 0, n));
		comment = str_sub(comment, n + 1, comment.n);
		if (word.n == 0)
			continue;
		see_comment_word(out, before, word, of_from);
		before = word;
	}
}

/* A word outside comments: a clause's name, its first word, or one more.  Right
 * behind "from" stands what a client said, be it "by". */
static void
see_word(struct received_read *out, struct str word, struct str **slot,
    bool behind_comment)
{
	struct str *clause = clause_of(out, word);

	if (*slot == &out->from && out->from.p == NULL && !behind_comment)
		clause = NULL;
	if (clause != NULL && clause->p == NULL) {
		*slot = clause;
		return;
	}
	if (*slot == NULL)
		return;
	if (*slot != &out->from) {
		if ((*slot)->p == NULL)
			**slot = bare(word);
		return;
	}
	word = bare(word);
	if (out->from.p != NULL)
		see_ip(out, word);
	else if (word.n > 0 && word.p[0] == '[')
		out->from = str_sub(word, 0, str_find(word, ']') + 1);
	else
		out->from = word;
}

/* The word after from was said by the client, so it counts last. */
static void
see_from(struct received_read *out)
{
	struct str ip = out->from;

	if (out->ip.p != NULL || ip.p == NULL)
		return;
	if (str_skip(&ip, STR("[")))
		ip = str_sub(ip, 0, str_find(ip, ']'));
	out->ip = ip_in(ip);
}

void
received_read(struct str value, struct received_read *out)
{
	struct str *slot = NULL;
	bool behind_comment = false;

	*out = (struct received_read){ .has_date = false };
	for (lex_skip_space(&value); value.n > 0; lex_skip_space(&value)) {
		size_t n = lex_comment(value);

		if (n > 0) {
			see_comment(out, str_sub(value, 1, n - 2),
			    slot == &out->from);
			value = str_sub(value, n, value.n);
		} else if (str_skip(&value, STR(";"))) {
			out->has_date = date_parse(value, &out->date);
			break;
		} else
			see_word(out, take_word(&value), &slot,
			    behind_comment);
		behind_comment = n > 0;
	}
	see_from(out);
}
