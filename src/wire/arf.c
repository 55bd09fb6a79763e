#include "wire/arf.h"

#include "base/num.h"
#include "wire/date.h"
#include "wire/lex.h"

static const struct arf_field {
	enum arf_name name;
	struct str text;
	bool is_once;
} fields[] = {
#define ONCE(name, text) { ARF_##name, STR_INIT(text), true },
#define MANY(name, text) { ARF_##name, STR_INIT(text), false },
#include "wire/arf.def"
#undef ONCE
#undef MANY
};

struct arf_read {
	struct arena *arena;
	struct arf arf;
	const char *why;
	char line[ARF_TEXT];
};

struct arf_read *
arf_read_begin(struct arena *a)
{
	struct arf_read *r = arena_new(a, struct arf_read);

	if (r != NULL) {
		r->arena = a;
		r->arf.incidents = 1;
	}
	return r;
}

static void
arf_fail(struct arf_read *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
}

static const struct arf_field *
arf_field_find(struct str name)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (str_eq_icase(fields[i].text, name))
			return &fields[i];
	return NULL;
}

/* On one line; what is too long is cut, and controls are spaces. */
static struct str
arf_value(struct arf_read *r, struct str value)
{
	struct buf b = BUF_OF(r->line);
	struct str s;

	field_unfold(str_sub(value, 0, ARF_TEXT - 1), &b);
	for (size_t i = 0; i < b.n; i++)
		if ((b.p[i] >= 0 && b.p[i] < ' ') || b.p[i] == 0x7f)
			b.p[i] = ' ';
	s = arena_copy(r->arena, str_trim(buf_str(&b)));
	if (s.p == NULL)
		arf_fail(r, "it is too much");
	return s;
}

static struct arf_list *
arf_list_of(struct arf *f, enum arf_name name)
{
	return name == ARF_AUTHENTICATION_RESULTS ? &f->results :
	    name == ARF_ORIGINAL_RCPT_TO ? &f->rcpts :
	    name == ARF_REPORTED_DOMAIN ? &f->domains : &f->uris;
}

void
arf_read_field(struct arf_read *r, const struct field *f)
{
	const struct arf_field *known = arf_field_find(str_trim(f->name));
	struct arf_list *list;

	if (known == NULL || r->why != NULL)
		return;
	if (known->is_once) {
		if (r->arf.text[known->name].p != NULL)
			arf_fail(r, "a field of it stands there twice");
		r->arf.text[known->name] = arf_value(r, f->value);
		return;
	}
	list = arf_list_of(&r->arf, known->name);
	if (list->n < ARF_LIST)
		list->v[list->n++] = arf_value(r, f->value);
}

/* The first of each counts. */
void
arf_read_original(struct arf_read *r, const struct field *f)
{
	struct str *to = f->known == HEADER_FROM ? &r->arf.from :
	    f->known == HEADER_SUBJECT ? &r->arf.subject :
	    f->known == HEADER_MESSAGE_ID ? &r->arf.message_id : NULL;

	if (to != NULL && to->p == NULL && r->why == NULL)
		*to = arf_value(r, f->value);
}

/* ---- what the values mean ---- */

/* [CFWS] word [CFWS]: up to white space or a comment. */
static struct str
arf_word(struct str value)
{
	size_t n = 0;

	if (value.p == NULL)
		return STR_NONE;
	(void)lex_skip_cfws(&value, NULL);
	while (n < value.n && value.p[n] != ' ' && value.p[n] != '\t' &&
	    value.p[n] != '(')
		n++;
	return str_sub(value, 0, n);
}

static struct str
arf_lower(struct arf_read *r, enum arf_name name)
{
	struct str s = arf_word(r->arf.text[name]);

	return s.p == NULL ? s : arena_lower(r->arena, s);
}

static uint64_t
arf_number(const struct arf_read *r, enum arf_name name, uint64_t most,
    uint64_t otherwise)
{
	uint64_t v;

	return parse_u64(arf_word(r->arf.text[name]), most, &v) ? v : otherwise;
}

/* reverse-path, as "<a@b>" or without its brackets. */
static struct str
arf_path(struct str value)
{
	struct str s = arf_word(value);

	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = str_sub(s, 1, s.n - 2);
	return s;
}

/* RFC 5965 3.5: mta-name-type ";" mta-name. */
static struct str
arf_mta(struct str value)
{
	size_t at = str_find(value, ';');

	return arf_word(at < value.n ? str_sub(value, at + 1, value.n) : value);
}

/* RFC 5321 4.1.3: an IPv6 address has its tag; some write brackets. */
static struct str
arf_address(struct str value)
{
	struct str s = arf_word(value);

	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = str_sub(s, 1, s.n - 2);
	(void)str_skip_icase(&s, STR("IPv6:"));
	return s;
}

static void
arf_dates(struct arf *f)
{
	struct str s = f->text[ARF_ARRIVAL_DATE];
	struct date d;

	if (s.p == NULL)
		s = f->text[ARF_RECEIVED_DATE];
	if (s.n > 0 && date_parse(s, &d) && d.at.us > 0)
		f->arrived = d.at;
}

/* RFC 9991 4: dmarc-method *( "," dmarc-method ) / "none". */
static void
arf_alignment(struct arf *f)
{
	struct str rest = f->text[ARF_IDENTITY_ALIGNMENT];

	while (rest.n > 0) {
		struct str method = arf_word(str_cut(&rest, ','));

		f->failed_dkim |= str_eq_icase(method, STR("dkim"));
		f->failed_spf |= str_eq_icase(method, STR("spf"));
	}
}

/* RFC 5965 3.1, 3.2; 4: what deviates is not used; "1.0" is written by many. */
static void
arf_judge(struct arf_read *r)
{
	const struct str *t = r->arf.text;
	struct str version = arf_word(t[ARF_VERSION]);
	uint64_t v;

	if (arf_word(t[ARF_FEEDBACK_TYPE]).n == 0 || t[ARF_USER_AGENT].p == NULL ||
	    t[ARF_VERSION].n == 0)
		arf_fail(r, "it lacks Feedback-Type, User-Agent or Version");
	else if (!parse_u64(str_cut(&version, '.'), UINT32_MAX, &v) || v == 0)
		arf_fail(r, "its Version is no number");
	else if (t[ARF_ARRIVAL_DATE].p != NULL && t[ARF_RECEIVED_DATE].p != NULL)
		arf_fail(r, "it has both Arrival-Date and Received-Date");
}

const struct arf *
arf_read_end(struct arf_read *r)
{
	struct arf *f = &r->arf;

	arf_judge(r);
	if (r->why != NULL)
		return NULL;
	f->type = arf_lower(r, ARF_FEEDBACK_TYPE);
	f->auth_failure = arf_lower(r, ARF_AUTH_FAILURE);
	f->delivery_result = arf_lower(r, ARF_DELIVERY_RESULT);
	f->source_ip = arf_address(f->text[ARF_SOURCE_IP]);
	f->mail_from = arf_path(f->text[ARF_ORIGINAL_MAIL_FROM]);
	f->reporting_mta = arf_mta(f->text[ARF_REPORTING_MTA]);
	f->incidents = arf_number(r, ARF_INCIDENTS, UINT32_MAX, 1);
	f->source_port = arf_number(r, ARF_SOURCE_PORT, UINT16_MAX, 0);
	if (f->incidents == 0)
		f->incidents = 1;
	arf_dates(f);
	arf_alignment(f);
	return f;
}

const char *
arf_read_why(const struct arf_read *r)
{
	return r->why == NULL ? "nothing is wrong with it" : r->why;
}
