#include "wire/dkim.h"

#include "base/must.h"
#include "base/num.h"
#include "wire/address.h"
#include "wire/base64.h"
#include "wire/idna.h"
#include "wire/tags.h"

enum { QUESTION_MOST = 253, ROOM_OF_DOMAIN = DOMAIN_MOST + 1, INSTANCES = 50,
	DIGITS_MOST = 76 };

static const char no_memory[] = "there is no memory for it";

const char *
dkim_result_name(enum dkim_result r)
{
	static const char *const names[] = { [DKIM_NONE] = "none",
		[DKIM_PASS] = "pass", [DKIM_FAIL] = "fail",
		[DKIM_POLICY] = "policy", [DKIM_NEUTRAL] = "neutral",
		[DKIM_TEMPERROR] = "temperror", [DKIM_PERMERROR] = "permerror" };

	must(r <= DKIM_PERMERROR);
	return names[r];
}

const char *
dkim_algorithm_name(enum dkim_algorithm a)
{
	static const char *const names[] = { [DKIM_RSA_SHA256] = "rsa-sha256",
		[DKIM_ED25519_SHA256] = "ed25519-sha256",
		[DKIM_RSA_SHA1] = "rsa-sha1" };

	must(a <= DKIM_RSA_SHA1);
	return names[a];
}

/* ---- what is in several tags ---- */

/* sub-domain of RFC 5321, and "_", which selectors are full of. */
static bool
label_fits(struct str label)
{
	if (label.n == 0 || label.n > LABEL_MOST || label.p[0] == '-' ||
	    label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' &&
		    label.p[i] != '_')
			return false;
	return true;
}

static bool
ascii_name_fits(struct str name)
{
	struct str rest = name;

	if (name.n == 0 || name.n > DOMAIN_MOST || name.p[name.n - 1] == '.')
		return false;
	while (rest.n > 0)
		if (!label_fits(str_cut(&rest, '.')))
			return false;
	return true;
}

/* RFC 8616 5: U-labels are let in; the answer has A-labels in lower case. */
static bool
name_read(struct str value, struct arena *arena, struct str *out)
{
	char room[ROOM_OF_DOMAIN];
	struct buf b = BUF_OF(room);

	if (str_is_ascii(value)) {
		if (ascii_name_fits(value))
			*out = arena_lower(arena, value);
	} else if (idna_ascii(value, &b))
		*out = arena_copy(arena, buf_str(&b));
	return out->n > 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* base64string = ALPHADIGITPS *([FWS] ALPHADIGITPS) [[FWS] "=" [[FWS] "="]]: what
 * stands behind a group need not be there. */
static bool
octets_read(struct str value, struct arena *arena, struct str *out)
{
	struct base64_reader r = { 0 };
	struct str end = STR("=");
	size_t cap = value.n / 4 * 3 + 8;
	struct buf b = { .p = arena_alloc(arena, cap), .cap = cap };

	if (b.p == NULL || !base64_take(&r, &value, &b) ||
	    (r.n > 0 && !base64_take(&r, &end, &b)) || r.faults != 0)
		return false;
	*out = buf_str(&b);
	return true;
}

static bool
digits_fit(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (!ascii_is_digit(value.p[i]))
			return false;
	return value.n > 0 && value.n <= DIGITS_MOST;
}

/* 3.5: "MAY consider any value longer than 12 digits to be infinite". */
static bool
number_read(struct str value, int64_t *out)
{
	uint64_t n;

	if (!digits_fit(value))
		return false;
	*out = parse_u64(value, INT64_MAX, &n) ? (int64_t)n : INT64_MAX;
	return true;
}

static bool
list_has(struct str list, struct str what)
{
	struct str item;

	while (tag_item(&list, ':', &item))
		if (str_eq_icase(item, what))
			return true;
	return false;
}

bool
dkim_names_have(struct str names, struct str name)
{
	return list_has(names, name);
}

/* ---- tags of a signature ---- */

struct reading {
	struct arena *arena;
	enum dkim_field field;
	struct dkim_signature *out;
};

static const char *
read_v(struct reading *r, struct str value)
{
	(void)r;
	return str_eq(value, STR("1")) ? NULL : "its version (v=) is not 1";
}

static const char *
read_a(struct reading *r, struct str value)
{
	if (str_eq_icase(value, STR("rsa-sha256")))
		r->out->algorithm = DKIM_RSA_SHA256;
	else if (str_eq_icase(value, STR("ed25519-sha256")))
		r->out->algorithm = DKIM_ED25519_SHA256;
	else if (str_eq_icase(value, STR("rsa-sha1"))) {
		r->out->algorithm = DKIM_RSA_SHA1;
		return "it is made with SHA-1 (a=rsa-sha1), which proves "
		    "nothing";			/* RFC 8301 3.1 */
	} else
		return "its algorithm (a=) is none that is known";
	return NULL;
}

/* sig-d-tag: at least two labels */
static const char *
read_d(struct reading *r, struct str value)
{
	if (!name_read(value, r->arena, &r->out->domain) ||
	    str_find(r->out->domain, '.') == r->out->domain.n) {
		r->out->domain = STR_NONE;
		return "its domain (d=) is no domain name";
	}
	return NULL;
}

static const char *
read_s(struct reading *r, struct str value)
{
	return name_read(value, r->arena, &r->out->selector) ? NULL :
	    "its selector (s=) is no name";
}

static const char *
read_b(struct reading *r, struct str value)
{
	char *room = arena_alloc(r->arena, DKIM_B_SHOWN);
	struct buf shown = { .p = room, .cap = DKIM_B_SHOWN };

	for (size_t i = 0; i < value.n && shown.n < shown.cap; i++)
		if (!is_space(value.p[i]) && room != NULL)
			buf_putc(&shown, value.p[i]);
	r->out->b = buf_str(&shown);
	if (!octets_read(value, r->arena, &r->out->signature))
		return "its signature (b=) is no base64";
	if (r->out->signature.n == 0)
		return "its signature (b=) is empty";
	return r->out->signature.n <= DKIM_SIGNATURE_MOST ? NULL :
	    "its signature (b=) is too long";
}

static const char *
read_bh(struct reading *r, struct str value)
{
	struct str octets = STR_NONE;

	if (r->field == DKIM_ARC_SEAL)
		return "it has a hash of the body (bh=)";
	if (!octets_read(value, r->arena, &octets))
		return "its hash of the body (bh=) is no base64";
	if (r->out->algorithm == DKIM_RSA_SHA1)
		return NULL;
	if (octets.n != DKIM_HASH)
		return "its hash of the body (bh=) is no SHA-256";
	memcpy(r->out->hash, octets.p, DKIM_HASH);
	return NULL;
}

/* hdr-name *( [FWS] ":" [FWS] hdr-name ): field-name of RFC 5322 3.6.8.  The
 * suite of those who wrote RFC 8617 has names that are blank in ARC's h=. */
static bool
names_fit(struct str names, bool may_be_blank)
{
	struct str name;

	while (tag_item(&names, ':', &name)) {
		for (size_t i = 0; i < name.n; i++)
			if (name.p[i] <= ' ' || name.p[i] > '~')
				return false;
		if (name.n == 0 && !may_be_blank)
			return false;
	}
	return true;
}

/* RFC 6376 5.4: From is signed.  Of a chain that is no condition, but of
 * believing it (arc_first_trusted()). */
static const char *
read_h(struct reading *r, struct str value)
{
	if (r->field == DKIM_ARC_SEAL)
		return "it has a list of fields (h=)";
	r->out->names = value;
	if (!names_fit(value, r->field == DKIM_ARC_MESSAGE))
		return "its list of fields (h=) is malformed";
	return r->field == DKIM_ARC_MESSAGE || list_has(value, STR("from")) ? NULL :
	    "it does not sign From (h=)";
}

static bool
canon_read(struct str value, enum canon *out)
{
	for (*out = CANON_SIMPLE; *out <= CANON_RELAXED; ++*out)
		if (str_eq_icase(value, str_of(canon_name(*out))))
			return true;
	return false;
}

/* sig-c-tag-alg ["/" sig-c-tag-alg], without white space around the slash. */
static const char *
read_c(struct reading *r, struct str value)
{
	bool has_slash = str_find(value, '/') < value.n;
	struct str header = str_cut(&value, '/');

	if (!canon_read(header, &r->out->header) ||
	    (has_slash && !canon_read(value, &r->out->body)))
		return "its canonicalization (c=) is none that is known";
	return NULL;
}

/* RFC 6376 2.11: dkim-quoted-printable, whose white space means nothing. */
static bool
quoted_read(struct str value, struct buf *out)
{
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];
		int octet = 0;

		if (is_space(c))
			continue;
		if (c != '=') {
			buf_putc(out, c);
			continue;
		}
		for (int digit = 0; digit < 2; digit++) {
			c = ++i < value.n ? value.p[i] : '\0';
			if (!ascii_is_digit(c) && (c < 'A' || c > 'F'))
				return false;
			octet = 16 * octet + (ascii_is_digit(c) ? c - '0' :
			    c - 'A' + 10);
		}
		buf_putc(out, (char)octet);
	}
	return !out->full;
}

static bool
has_controls(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] >= 0 && s.p[i] < ' ') || s.p[i] == 0x7f)
			return true;
	return false;
}

/* sig-i-tag: [ Local-part ] "@" domain-name, which is d= or below it. */
static const char *
read_identity(struct reading *r, struct str value)
{
	struct buf b = { .p = arena_alloc(r->arena, value.n + 1),
	    .cap = value.n + 1 };
	struct str text, local;
	size_t at;

	if (b.p == NULL)
		return no_memory;
	if (!quoted_read(value, &b))
		return "its identity (i=) is no quoted-printable";
	text = buf_str(&b);
	at = str_find_last(text, '@');
	local = str_sub(text, 0, at);
	if (at == text.n || local.n > DOMAIN_MOST || has_controls(local) || !str_is_utf8(local) ||
	    !name_read(str_sub(text, at + 1, text.n), r->arena,
	    &r->out->identity_domain))
		return "its identity (i=) is no address";
	r->out->identity = arena_printf(r->arena, STR_FMT "@" STR_FMT,
	    STR_ARG(local), STR_ARG(r->out->identity_domain));
	return r->out->identity.p != NULL ? NULL : no_memory;
}

/* RFC 8617 4.2.1: 1 to 50 */
static const char *
read_i(struct reading *r, struct str value)
{
	uint64_t n;

	if (r->field == DKIM_SIGNATURE)
		return read_identity(r, value);
	if (!parse_u64(value, INSTANCES, &n) || n == 0)
		return "its instance (i=) is no number from 1 to 50";
	r->out->instance = (unsigned)n;
	return NULL;
}

static const char *
read_l(struct reading *r, struct str value)
{
	return number_read(value, &r->out->length) ? NULL :
	    "its length of the body (l=) is no number";
}

static const char *
read_q(struct reading *r, struct str value)
{
	(void)r;
	return list_has(value, STR("dns/txt")) ? NULL :
	    "its key is not to be asked for in the DNS (q=)";
}

static const char *
read_t(struct reading *r, struct str value)
{
	return number_read(value, &r->out->signed_at) ? NULL :
	    "its time (t=) is no number";
}

static const char *
read_x(struct reading *r, struct str value)
{
	return number_read(value, &r->out->expires_at) ? NULL :
	    "its time of expiry (x=) is no number";
}

static const char *
read_cv(struct reading *r, struct str value)
{
	r->out->cv = value;
	return NULL;
}

/* ---- the signature ---- */

enum { OF_DKIM = 1 << DKIM_SIGNATURE, OF_MESSAGE = 1 << DKIM_ARC_MESSAGE,
	OF_SEAL = 1 << DKIM_ARC_SEAL, OF_ALL = 7, OF_NONE = 0 };

/* In the order in which what is wrong is told; bh= needs a=. */
static const struct row {
	const char *name;
	unsigned fields;		/* that know it */
	unsigned needed;		/* by whom */
	const char *missing;
	const char *(*read)(struct reading *, struct str value);
} rows[] = {
	{ "v", OF_DKIM, OF_DKIM, "it has no version (v=)", read_v },
	{ "a", OF_ALL, OF_ALL, "it has no algorithm (a=)", read_a },
	{ "d", OF_ALL, OF_ALL, "it has no domain (d=)", read_d },
	{ "s", OF_ALL, OF_ALL, "it has no selector (s=)", read_s },
	{ "h", OF_ALL, OF_DKIM | OF_MESSAGE, "it has no list of fields (h=)",
	    read_h },
	{ "b", OF_ALL, OF_ALL, "it has no signature (b=)", read_b },
	{ "bh", OF_ALL, OF_DKIM | OF_MESSAGE, "it has no hash of the body (bh=)",
	    read_bh },
	{ "c", OF_DKIM | OF_MESSAGE, OF_NONE, NULL, read_c },
	{ "i", OF_ALL, OF_MESSAGE | OF_SEAL, "it has no instance (i=)", read_i },
	{ "l", OF_DKIM | OF_MESSAGE, OF_NONE, NULL, read_l },
	{ "q", OF_DKIM | OF_MESSAGE, OF_NONE, NULL, read_q },
	{ "t", OF_ALL, OF_NONE, NULL, read_t },
	{ "x", OF_DKIM | OF_MESSAGE, OF_NONE, NULL, read_x },
	{ "cv", OF_SEAL, OF_SEAL, "it does not say what the chain was (cv=)",
	    read_cv },
};

static const char *
row_read(const struct row *row, struct reading *r, const struct tags *tags)
{
	struct str value = tags_get(tags, row->name);
	unsigned field = 1U << r->field;

	if (value.p == NULL)
		return row->needed & field ? row->missing : NULL;
	return row->fields & field ? row->read(r, value) : NULL;
}

static bool
name_is_below(struct str name, struct str domain)
{
	return str_eq(name, domain) || (name.n > domain.n + 1 &&
	    name.p[name.n - domain.n - 1] == '.' &&
	    str_has_suffix_icase(name, domain));
}

/* What tags say of each other. */
static const char *
signature_agrees(const struct dkim_signature *s, enum dkim_field field)
{
	if (s->selector.n + s->domain.n + STR("._domainkey.").n >
	    QUESTION_MOST)
		return "its key has a name too long for the DNS";
	if (field == DKIM_SIGNATURE &&
	    !name_is_below(s->identity_domain, s->domain))
		return "its identity (i=) is outside its domain (d=)";
	if (s->expires_at >= 0 && s->signed_at >= 0 &&
	    s->expires_at <= s->signed_at)
		return "it expires (x=) before it is made (t=)";
	return NULL;
}

static const char *
signature_default(struct reading *r, const struct tags *tags)
{
	struct dkim_signature *s = r->out;

	if (r->field != DKIM_SIGNATURE || s->domain.n == 0 ||
	    tags_get(tags, "i").p != NULL)
		return NULL;
	s->identity_domain = s->domain;
	s->identity = arena_printf(r->arena, "@" STR_FMT, STR_ARG(s->domain));
	return s->identity.p != NULL ? NULL : no_memory;
}

const char *
dkim_signature_read(struct str value, enum dkim_field field,
    struct arena *arena, struct dkim_signature *out)
{
	struct reading r = { .arena = arena, .field = field, .out = out };
	struct tags *tags = arena_new(arena, struct tags);
	const char *wrong = NULL;

	*out = (struct dkim_signature){ .length = -1, .signed_at = -1,
	    .expires_at = -1, .header = CANON_SIMPLE, .body = CANON_SIMPLE };
	if (tags == NULL)
		return no_memory;
	if (!tags_read(value, tags))
		return "it is no list of tags";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *what = row_read(&rows[i], &r, tags);

		wrong = wrong == NULL ? what : wrong;
	}
	if (wrong == NULL)
		wrong = signature_default(&r, tags);
	else
		(void)signature_default(&r, tags);
	return wrong == NULL ? signature_agrees(out, field) : wrong;
}

/* ---- records of keys ---- */

static enum dkim_key_type
type_read(struct str value)
{
	if (value.p == NULL || str_eq_icase(value, STR("rsa")))
		return DKIM_KEY_RSA;
	return str_eq_icase(value, STR("ed25519")) ? DKIM_KEY_ED25519 :
	    DKIM_KEY_OTHER;
}

/* A list that says nothing when it is not there. */
static bool
lets(struct str list, struct str what)
{
	return list.p == NULL || list_has(list, what);
}

static const char *
record_fill(const struct tags *tags, struct arena *arena,
    struct dkim_record *out)
{
	struct str v = tags_get(tags, "v"), p = tags_get(tags, "p");
	struct str s = tags_get(tags, "s"), t = tags_get(tags, "t");

	/* 3.6.1: "MUST be the first tag", "a string comparison" */
	if (v.p != NULL && (!str_eq(v, STR("DKIM1")) ||
	    !str_eq(tags->tag[0].name, STR("v"))))
		return "it does not begin with v=DKIM1";
	if (p.p == NULL)
		return "it has no key (p=)";
	if (!octets_read(p, arena, &out->key))
		return "its key (p=) is no base64";
	out->type = type_read(tags_get(tags, "k"));
	out->takes_sha256 = lets(tags_get(tags, "h"), STR("sha256"));
	out->is_for_mail = lets(s, STR("*")) || list_has(s, STR("email"));
	out->is_testing = t.p != NULL && list_has(t, STR("y"));
	out->is_strict = t.p != NULL && list_has(t, STR("s"));
	return NULL;
}

const char *
dkim_record_read(struct str text, struct arena *arena, struct dkim_record *out)
{
	struct tags *tags = arena_new(arena, struct tags);

	*out = (struct dkim_record){ .type = DKIM_KEY_OTHER };
	if (tags == NULL)
		return no_memory;
	return tags_read(text, tags) ? record_fill(tags, arena, out) :
	    "it is no list of tags";
}
