#include "policy/value_kind.h"

#include "base/must.h"
#include "fiber/net.h"
#include "policy/account.h"
#include "policy/domain.h"
#include "policy/pipe.h"
#include "policy/relay.h"
#include "policy/schema.h"
#include "policy/unit.h"
#include "trust/tls_demand.h"
#include "wire/words.h"

_Static_assert(sizeof(struct wall) == sizeof(uint64_t), "dates are numbers");
_Static_assert(sizeof(enum listener_role) == sizeof(unsigned) &&
    sizeof(enum listener_tls) == sizeof(unsigned) &&
    sizeof(enum listener_certificates) == sizeof(unsigned) &&
    sizeof(enum auth_old_form) == sizeof(unsigned) &&
    sizeof(enum tls_version) == sizeof(unsigned) &&
    sizeof(enum acme_agree) == sizeof(unsigned) &&
    sizeof(enum acme_challenge) == sizeof(unsigned) &&
    sizeof(enum acme_keys) == sizeof(unsigned) &&
    sizeof(enum auth_database) == sizeof(unsigned) &&
    sizeof(enum log_format) == sizeof(unsigned) &&
    sizeof(enum ip_preference) == sizeof(unsigned) &&
    sizeof(enum detail_use) == sizeof(unsigned) &&
    sizeof(enum dkim_algorithms) == sizeof(unsigned) &&
    sizeof(enum dkim_trouble) == sizeof(unsigned) &&
    sizeof(enum dkim_use) == sizeof(unsigned) &&
    sizeof(enum double_bounces) == sizeof(unsigned) &&
    sizeof(enum language) == sizeof(unsigned) &&
    sizeof(enum report_return) == sizeof(unsigned) &&
    sizeof(enum report_send) == sizeof(unsigned) &&
    sizeof(enum report_success) == sizeof(unsigned) &&
    sizeof(enum yes_no) == sizeof(unsigned) && sizeof(enum relay_level) == sizeof(unsigned) &&
    sizeof(enum forward_arc) == sizeof(unsigned) &&
    sizeof(enum forward_srs) == sizeof(unsigned) &&
    sizeof(enum dns_mta_sts) == sizeof(unsigned) &&
    sizeof(enum dns_watching) == sizeof(unsigned) &&
    sizeof(enum inbound_clear) == sizeof(unsigned) &&
    sizeof(enum inbound_dkim_fail) == sizeof(unsigned) &&
    sizeof(enum inbound_dmarc) == sizeof(unsigned) &&
    sizeof(enum inbound_from) == sizeof(unsigned) &&
    sizeof(enum inbound_own_domains) == sizeof(unsigned) &&
    sizeof(enum inbound_received_spf) == sizeof(unsigned) &&
    sizeof(enum inbound_spf_fail) == sizeof(unsigned) &&
    sizeof(enum inbound_spf) == sizeof(unsigned) &&
    sizeof(enum inbound_temperror) == sizeof(unsigned) &&
    sizeof(enum tls_level) == sizeof(unsigned), "enums are unsigned");

/* ---- one text of each type ---- */

static bool
str_keep(struct value_reader *r, struct str s, void *to)
{
	struct str *out = to;

	*out = arena_copy(r->arena, s);
	return out->p != NULL;
}

static bool
address_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return address_parse(s, 0, to);
}

static bool
network_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return network_parse(s, to);
}

static bool
domain_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str *out = to;

	(void)row;
	return domain_canonical(r->arena, s, out);
}

static bool
date_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return unit_date(s, to);
}

static bool
duration_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return unit_duration(s, to);
}

static bool
enum_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str words = str_of(row->words), word;
	unsigned *out = to;

	(void)r;
	for (*out = 0; schema_word(&words, &word); (*out)++)
		if (str_eq(word, s))
			return true;
	*out = 0;
	return false;
}

static bool
integer_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return parse_u64(s, UINT64_MAX, to);
}

static bool
mailbox_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct mailbox m;

	(void)row;
	return (local_is_safe(s) || mailbox_parse(s, MAILBOX_STRICT, &m) == NULL)
	    && str_keep(r, s, to);
}

static bool
path_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)row;
	return s.n > 0 && s.p[0] == '/' && str_keep(r, s, to);
}

static bool
pattern_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str rest = s;
	struct str *out = to;

	(void)row;
	if (!str_eq(s, STR("*")) && !str_eq(s, STR("<>"))) {
		(void)str_skip(&rest, STR("*."));
		if (!domain_canonical(r->arena, rest, out))
			return false;
		*out = arena_join(r->arena, str_sub(s, 0, s.n - rest.n), *out);
		return out->p != NULL;
	}
	*out = arena_copy(r->arena, s);
	return out->p != NULL;
}

static bool
rate_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return unit_rate(s, to);
}

static bool
sender_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	return row->type == TYPE_SENDERS ? account_sender_read(r->arena, s, to) :
	    account_fingerprint_read(r->arena, s, to);
}

static bool
size_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return unit_size(s, to);
}

static bool
has_controls(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static bool
string_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)row;
	return !has_controls(s) && str_keep(r, s, to);
}

static bool
lines_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str rest = s;

	(void)row;
	while (rest.n > 0)
		if (has_controls(str_trim(str_cut(&rest, '\n'))))
			return false;
	return str_keep(r, s, to);
}

/* SECURITY.md row 14: only %u, %d and %% expand, and only a checked user name
 * ever stands for %u. */
static bool
template_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)row;
	if (s.n < 2 || (s.p[0] != '/' && !(s.p[0] == '~' && s.p[1] == '/')))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%' && (++i == s.n ||
		    (s.p[i] != 'u' && s.p[i] != 'd' && s.p[i] != '%')))
			return false;
	return str_keep(r, s, to);
}

/* file:PATH, system, or the name of a user. */
static bool
user_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str path = s;

	(void)row;
	if (str_skip(&path, STR("file:")) ? path.n == 0 || path.p[0] != '/' :
	    !local_is_safe(s))
		return false;
	return str_keep(r, s, to);
}

/* One of the row's words. */
static bool
word_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	unsigned which;

	return enum_read(r, row, s, &which) && str_keep(r, s, to);
}

/* ---- and back ---- */

/* Plain where YAML takes it for text whatever the reader, quoted elsewhere. */
static bool
text_is_plain(struct str s)
{
	static const struct str safe = STR_INIT("-_./@+:%~");

	if (s.n == 0 || (!ascii_is_alnum(s.p[0]) && s.p[0] != '/'))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && str_find(safe, s.p[i]) == safe.n)
			return false;
	return s.p[s.n - 1] != ':' && str_find_str(s, STR(": ")) == s.n;
}

void
value_put_text(const struct schema *row, const void *from, struct buf *out)
{
	const struct str *s = from;

	(void)row;
	if (text_is_plain(*s)) {
		buf_put(out, *s);
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < s->n; i++) {
		if (s->p[i] == '"' || s->p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s->p[i]);
	}
	buf_putc(out, '"');
}

static void
text_print(const char *text, struct buf *out)
{
	struct str s = str_of(text);

	value_put_text(NULL, &s, out);
}

void
value_print_text(struct str s, struct buf *out)
{
	value_put_text(NULL, &s, out);
}

static void
address_put(const struct schema *row, const void *from, struct buf *out)
{
	struct address_text t = address_print(from);

	(void)row;
	text_print(t.text, out);
}

static void
network_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct network *n = from;
	struct address_text t = address_print(&n->base);
	char text[sizeof t.text + 8];
	struct buf b = BUF_OF(text);

	(void)row;
	buf_printf(&b, "%s/%u", t.text, n->bits);
	buf_putc(&b, '\0');
	text_print(text, out);
}

static void
date_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct wall *at = from;

	(void)row;
	buf_put(out, str_of(unit_print_date(*at).text));
}

static void
duration_put(const struct schema *row, const void *from, struct buf *out)
{
	(void)row;
	buf_put(out, str_of(unit_print_duration(*(const int64_t *)from).text));
}

static void
enum_put(const struct schema *row, const void *from, struct buf *out)
{
	struct str words = str_of(row->words), word = STR("?");

	for (unsigned i = 0; i <= *(const unsigned *)from; i++)
		must(schema_word(&words, &word));
	buf_put(out, word);
}

static void
integer_put(const struct schema *row, const void *from, struct buf *out)
{
	(void)row;
	buf_put_u64(out, *(const uint64_t *)from);
}

static void
rate_put(const struct schema *row, const void *from, struct buf *out)
{
	(void)row;
	buf_put(out, str_of(unit_print_rate(*(const struct rate *)from).text));
}

static void
size_put(const struct schema *row, const void *from, struct buf *out)
{
	(void)row;
	buf_put(out, str_of(unit_print_size(*(const uint64_t *)from).text));
}

static void
host_put(struct buf *out, const struct relay *r, const struct relay_host *h)
{
	char room[ADDRESS_PATH_MOST + sizeof "unix:"];
	struct buf b = BUF_OF(room);
	const char *scheme = relay_scheme(r, h);

	if (h->literal.family == ADDRESS_UNIX) {
		buf_printf(&b, "unix:"STR_FMT, STR_ARG(h->host));
		must(!b.full);
		buf_putc(&b, '\0');
		text_print(room, out);
	} else if (h->literal.family == ADDRESS_V6)
		buf_printf(out, "\"%s://["STR_FMT"]:%u\"", scheme,
		    STR_ARG(h->host), h->port);
	else
		buf_printf(out, "%s://"STR_FMT":%u", scheme, STR_ARG(h->host),
		    h->port);
}

static void
pipe_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct pipe *const *pipe = from;

	value_put_text(row, &(*pipe)->text, out);
}

static void
relay_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct relay *const *relay = from;

	(void)row;
	if (*relay == NULL || (*relay)->by_mx) {
		buf_put(out, *relay == NULL ? STR("\"\"") : STR("mx"));
		return;
	}
	for (size_t i = 0; i < (*relay)->n; i++) {
		const struct relay_host *h = &(*relay)->hosts[i];

		buf_put(out, i == 0 ? STR("[ ") : STR(", "));
		host_put(out, *relay, h);
	}
	buf_put(out, STR(" ]"));
}

static void
shares_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct conf_shares *shares = from;

	for (size_t i = 0; i < shares->n; i++) {
		buf_put(out, i == 0 ? STR("{ ") : STR(", "));
		value_put_text(row, &shares->v[i].source, out);
		buf_printf(out, ": %llu",
		    (unsigned long long)shares->v[i].weight);
	}
	buf_put(out, shares->n == 0 ? STR("{}") : STR(" }"));
}

#define ONE(type) sizeof(type), false, false
#define LIST(type) sizeof(type), true, false
#define TEXT sizeof(struct str), false, true

const struct value_kind value_kinds[SCHEMA_TYPES] = {
	[TYPE_NONE] = { NULL, NULL, 0, false, false },
	[TYPE_ADDRESSES] = { address_read, address_put, LIST(struct address) },
	[TYPE_DATE] = { date_read, date_put, ONE(struct wall) },
	[TYPE_DOMAIN] = { domain_read, value_put_text, TEXT },
	[TYPE_DURATION] = { duration_read, duration_put, ONE(int64_t) },
	[TYPE_DURATIONS] = { duration_read, duration_put, LIST(int64_t) },
	[TYPE_ENUM] = { enum_read, enum_put, ONE(unsigned) },
	[TYPE_INCLUDE] = { NULL, NULL, 0, false, false },
	[TYPE_INTEGER] = { integer_read, integer_put, ONE(uint64_t) },
	[TYPE_LMTP] = { NULL, relay_put, ONE(struct relay *) },
	[TYPE_MAILBOX] = { mailbox_read, value_put_text, TEXT },
	[TYPE_NETWORKS] = { network_read, network_put, LIST(struct network) },
	[TYPE_PATH] = { path_read, value_put_text, ONE(struct str) },
	[TYPE_PATHS] = { path_read, value_put_text, LIST(struct str) },
	[TYPE_PATTERNS] = { pattern_read, value_put_text, LIST(struct str) },
	[TYPE_PIPE] = { NULL, pipe_put, ONE(struct pipe *) },
	[TYPE_RATE] = { rate_read, rate_put, ONE(struct rate) },
	[TYPE_RELAY] = { NULL, relay_put, ONE(struct relay *) },
	[TYPE_SECRET] = { string_read, value_put_text, TEXT },
	[TYPE_SECRETS] = { lines_read, value_put_text, TEXT },
	[TYPE_FINGERPRINTS] = { sender_read, value_put_text, LIST(struct str) },
	[TYPE_SENDERS] = { sender_read, value_put_text, LIST(struct str) },
	[TYPE_SHARES] = { NULL, shares_put, ONE(struct conf_shares) },
	[TYPE_SIZE] = { size_read, size_put, ONE(uint64_t) },
	[TYPE_STRING] = { string_read, value_put_text, TEXT },
	[TYPE_STRINGS] = { string_read, value_put_text, LIST(struct str) },
	[TYPE_TEMPLATE] = { template_read, value_put_text, ONE(struct str) },
	[TYPE_USERS] = { user_read, value_put_text, LIST(struct str) },
	[TYPE_WORDS] = { word_read, value_put_text, LIST(struct str) },
};
