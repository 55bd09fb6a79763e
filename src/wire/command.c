#include "wire/command.h"

#include "base/num.h"
#include "wire/orcpt.h"
#include "wire/refusal.h"
#include "wire/xtext.h"

enum { ENVID_MOST = 100, XTEXT_MOST = 500, SIZE_DIGITS = 20 };

static const struct {
	struct str name;
	enum verb_kind kind;
	const char *says;
} verbs[] = {
#define VERB(name, kind, says) { STR_INIT(#name), kind, says },
#include "wire/verbs.def"
#undef VERB
};

const char *
verb_name(enum verb v)
{
	return v < VERBS ? verbs[v].name.p : "?";
}

const char *
verb_help(enum verb v)
{
	return v < VERBS ? verbs[v].says : "";
}

static enum verb
verb_find(struct str word)
{
	enum verb v = 0;

	while (v < VERBS && !str_eq_icase(word, verbs[v].name))
		v++;
	return v;
}

/* RFC 8446 5.1: TLSPlaintext begins with ContentType handshake (22) and a
 * legacy version of major 3. */
static bool
speaks_tls(struct str s)
{
	return s.n >= 2 && s.p[0] == 0x16 && s.p[1] == 0x03;
}

bool
command_is_foreign(struct str s)
{
	bool tls = speaks_tls(s);
	enum verb v = verb_find(str_cut(&s, ' '));

	return tls || (v < VERBS && verbs[v].kind == VERB_FOREIGN);
}

/* What must not stand in any command, by SECURITY.md rows 3 and 20. */
static const struct refusal *
check_octets(struct str line, unsigned flags)
{
	bool is_ascii = true;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c == '\r' || c == '\n')
			return refusal_get(REFUSAL_BARE_ENDING);
		if ((c >= 0 && c < 0x20) || c == 0x7f)
			return refusal_get(REFUSAL_CONTROL);
		is_ascii = is_ascii && c >= 0;
	}
	if (is_ascii)
		return NULL;
	if ((flags & MAILBOX_UTF8) == 0)
		return refusal_get(REFUSAL_EIGHT_BIT);
	return str_is_utf8(line) ? NULL : refusal_get(REFUSAL_BAD_UTF8);
}

static struct str
trim_spaces(struct str s)
{
	while (s.n > 0 && s.p[0] == ' ')
		s = str_sub(s, 1, s.n);
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

const struct refusal *
command_parse(struct str line, unsigned flags, struct command *out)
{
	const struct refusal *no;

	*out = (struct command){ .verb = VERB_UNKNOWN };
	if (speaks_tls(line))
		return refusal_get(REFUSAL_FOREIGN);
	if ((no = check_octets(line, flags)) != NULL)
		return no;
	out->word = str_cut(&line, ' ');
	out->arg = trim_spaces(line);
	if (out->word.n == 0)
		return refusal_get(REFUSAL_NO_COMMAND);
	out->verb = verb_find(out->word);
	if (out->verb == VERB_UNKNOWN)
		return refusal_get(REFUSAL_UNKNOWN_VERB);
	out->kind = verbs[out->verb].kind;
	return out->kind == VERB_FOREIGN ? refusal_get(REFUSAL_FOREIGN) : NULL;
}

/* ---- parameters ---- */

enum param_verb { FOR_MAIL, FOR_RCPT };
enum param_form {
	FORM_ANY, FORM_BODY, FORM_ENVID, FORM_NOTHING, FORM_NOTIFY,
	FORM_NUMBER, FORM_ORCPT, FORM_RET, FORM_SIZE, FORM_SUBMITTER
};

static const struct {
	struct str keyword;
	enum param_verb verb;
	enum param_form form;
} params[] = {
#define PARAM(name, keyword, verb, form) \
	{ STR_INIT(keyword), FOR_##verb, FORM_##form },
#include "wire/params.def"
#undef PARAM
};

_Static_assert(PARAMS <= 32, "a bit for each parameter");

/* What the values of either command become. */
struct param_values {
	uint32_t given;
	struct str *raw;
	uint64_t size;
	enum body_kind body;
	enum ret_kind ret;
	unsigned notify;
	unsigned flags;			/* MAILBOX_, in */
};

/* Decoded, all of it is printable ASCII: RFC 3461 4.2, 4.4. */
static bool
is_printable_xtext(struct str value, size_t most)
{
	char text[XTEXT_MOST];
	struct buf b = BUF_OF(text);

	return value.n <= most && xtext_decode(value, &b) &&
	    str_is_printable(buf_str(&b));
}

/* RFC 4954 5: "<>" or a mailbox, as xtext. */
static bool
is_submitter(struct str value, unsigned flags)
{
	char text[XTEXT_MOST];
	struct buf b = BUF_OF(text);
	struct mailbox unused;

	if (value.n == 0 || !xtext_decode(value, &b))
		return false;
	return str_eq(buf_str(&b), STR("<>")) ||
	    mailbox_parse(buf_str(&b), flags, &unused) == NULL;
}

static bool
is_orcpt(struct str value, unsigned flags)
{
	char text[ORCPT_MOST];
	struct buf b = BUF_OF(text);

	return orcpt_read(value, (flags & MAILBOX_UTF8) != 0, &b);
}

/* RFC 3461 4.1: "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) */
static bool
read_notify(struct str value, unsigned *out)
{
	bool has_more = true;

	*out = 0;
	while (has_more) {
		struct str word;

		has_more = str_find(value, ',') < value.n;
		word = str_cut(&value, ',');
		if (str_eq_icase(word, STR("NEVER")))
			*out |= NOTIFY_NEVER;
		else if (str_eq_icase(word, STR("SUCCESS")))
			*out |= NOTIFY_SUCCESS;
		else if (str_eq_icase(word, STR("FAILURE")))
			*out |= NOTIFY_FAILURE;
		else if (str_eq_icase(word, STR("DELAY")))
			*out |= NOTIFY_DELAY;
		else
			return false;
	}
	return (*out & NOTIFY_NEVER) == 0 || *out == NOTIFY_NEVER;
}

/* RFC 1870 4: size-value = 1*20DIGIT; what 64 bits do not hold is as much as
 * they do, and too much for anybody. */
static bool
read_size(struct str value, uint64_t *out)
{
	for (size_t i = 0; i < value.n; i++)
		if (!ascii_is_digit(value.p[i]))
			return false;
	if (value.n == 0 || value.n > SIZE_DIGITS)
		return false;
	if (!parse_u64(value, UINT64_MAX, out))
		*out = UINT64_MAX;
	return true;
}

static bool
read_body(struct str value, enum body_kind *out)
{
	if (str_eq_icase(value, STR("7BIT")))
		*out = BODY_7BIT;
	else if (str_eq_icase(value, STR("8BITMIME")))
		*out = BODY_8BITMIME;
	else if (str_eq_icase(value, STR("BINARYMIME")))
		*out = BODY_BINARYMIME;
	else
		return false;
	return true;
}

static bool
read_ret(struct str value, enum ret_kind *out)
{
	if (str_eq_icase(value, STR("FULL")))
		*out = RET_FULL;
	else if (str_eq_icase(value, STR("HDRS")))
		*out = RET_HDRS;
	else
		return false;
	return true;
}

static bool
read_value(enum param_form form, struct str value, struct param_values *out)
{
	uint64_t number;

	switch (form) {
	case FORM_ANY:
		return value.n > 0;
	case FORM_BODY:
		return read_body(value, &out->body);
	case FORM_ENVID:
		return value.n > 0 && is_printable_xtext(value, ENVID_MOST);
	case FORM_NOTHING:
		return value.p == NULL;
	case FORM_NOTIFY:
		return read_notify(value, &out->notify);
	case FORM_NUMBER:
		return parse_u64(value, UINT64_MAX, &number);
	case FORM_ORCPT:
		return is_orcpt(value, out->flags);
	case FORM_RET:
		return read_ret(value, &out->ret);
	case FORM_SIZE:
		return read_size(value, &out->size);
	case FORM_SUBMITTER:
		return is_submitter(value, out->flags);
	}
	return false;
}

/* RFC 5321 4.1.2: esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool
is_keyword(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && (i == 0 || s.p[i] != '-'))
			return false;
	return s.n > 0;
}

static enum param
param_find(struct str keyword)
{
	enum param p = 0;

	while (p < PARAMS && !str_eq_icase(keyword, params[p].keyword))
		p++;
	return p;
}

/* esmtp-param = esmtp-keyword ["=" esmtp-value] */
static const struct refusal *
read_param(struct str word, enum param_verb verb, uint32_t offered,
    struct param_values *out)
{
	bool has_value = str_find(word, '=') < word.n;
	struct str keyword = str_cut(&word, '=');
	struct str value = has_value ? word : STR_NONE;
	enum param p = param_find(keyword);

	if (!is_keyword(keyword))
		return refusal_get(REFUSAL_BAD_ARGUMENT);
	if (p == PARAMS || (offered & UINT32_C(1) << p) == 0)
		return refusal_get(REFUSAL_UNKNOWN_PARAM);
	if (params[p].verb != verb)
		return refusal_get(verb == FOR_MAIL ? REFUSAL_BAD_FOR_MAIL :
		    REFUSAL_BAD_FOR_RCPT);
	if ((out->given & UINT32_C(1) << p) != 0)
		return refusal_get(REFUSAL_TWICE);
	if (str_find(value, '=') < value.n ||
	    !read_value(params[p].form, value, out))
		return refusal_get(REFUSAL_BAD_PARAMETER);
	out->given |= UINT32_C(1) << p;
	out->raw[p] = value;
	return NULL;
}

static const struct refusal *
read_params(struct str s, enum param_verb verb, uint32_t offered,
    struct param_values *out)
{
	const struct refusal *no;

	while ((s = trim_spaces(s)).n > 0) {
		no = read_param(str_cut(&s, ' '), verb, offered, out);
		if (no != NULL)
			return no;
	}
	return NULL;
}

/* What follows a path is nothing or a space. */
static bool
path_has_ended(struct str rest)
{
	return rest.n == 0 || rest.p[0] == ' ';
}

/* "MAIL FROM:" Reverse-path [SP Mail-parameters] */
const struct refusal *
mail_parse(struct str arg, uint32_t offered, struct mail_params *out)
{
	unsigned flags = (offered & PARAM_BIT(SMTPUTF8)) != 0 ? MAILBOX_UTF8 :
	    MAILBOX_STRICT;
	struct param_values v = { .raw = out->raw, .flags = flags };
	const struct refusal *no;

	*out = (struct mail_params){ .given = 0 };
	if (!str_skip_icase(&arg, STR("FROM:")))
		return refusal_get(REFUSAL_BAD_MAIL);
	arg = trim_spaces(arg);
	if ((no = path_take_reverse(&arg, flags, &out->from)) != NULL)
		return no;
	if (!path_has_ended(arg))
		return refusal_get(REFUSAL_BAD_SENDER);
	if ((no = read_params(arg, FOR_MAIL, offered, &v)) != NULL)
		return no;
	out->given = v.given;
	out->size = v.size;
	out->body = v.body;
	out->ret = v.ret;
	out->smtputf8 = (v.given & PARAM_BIT(SMTPUTF8)) != 0;
	if (out->from.mailbox.has_utf8 && !out->smtputf8)
		return refusal_get(REFUSAL_EIGHT_BIT);
	return NULL;
}

/* "RCPT TO:" Forward-path [SP Rcpt-parameters] */
const struct refusal *
rcpt_parse(struct str arg, uint32_t offered, unsigned flags,
    struct rcpt_params *out)
{
	struct param_values v = { .raw = out->raw, .flags = flags };
	const struct refusal *no;

	*out = (struct rcpt_params){ .given = 0 };
	if (!str_skip_icase(&arg, STR("TO:")))
		return refusal_get(REFUSAL_BAD_RCPT);
	arg = trim_spaces(arg);
	if ((no = path_take_forward(&arg, flags, &out->to)) != NULL)
		return no;
	if (!path_has_ended(arg))
		return refusal_get(REFUSAL_BAD_RECIPIENT);
	if ((no = read_params(arg, FOR_RCPT, offered, &v)) != NULL)
		return no;
	out->given = v.given;
	out->notify = v.notify;
	return NULL;
}
