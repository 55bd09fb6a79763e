/*
 * A zone's text, line by line (RFC 1035 5.1, without parentheses):
 *
 *	$ORIGIN name			what names without a final dot hang on
 *	$TTL seconds			for the lines below that give none
 *	owner [ttl] [IN] TYPE data	ttl and IN in either order
 *	      [ttl] [IN] TYPE data	begins with a blank: the owner above
 *	owner [ttl] WORD		SERVFAIL, NXDOMAIN, TIMEOUT, SECURE
 *
 * "@" is the origin; ";" begins a comment outside quotes.  TXT data are quoted
 * or bare strings in which \c is c and \ddd an octet.  TLSA data are three
 * numbers and hexadecimal digits; CAA data a number, a tag and a string.
 */
#include "fiber/zone.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/net.h"

#include <stdlib.h>

enum { CHAIN_MOST = 16, TOKENS_MOST = 64 };

enum zone_word { WORD_NONE, WORD_NXDOMAIN, WORD_SERVFAIL, WORD_TIMEOUT };

struct zone_record {
	struct zone_record *next;
	enum dns_type type;
	uint32_t ttl;
	struct dns_record record;
};

struct zone_name {
	struct table_node node;
	struct str name;
	struct zone_record *records, **last;
	enum zone_word word;
	bool secure;
	uint32_t word_ttl;
};

/* Where the reader stands. */
struct zone_reader {
	struct zone *zone;
	size_t line;
	struct str origin;		/* no final dot; empty: the root */
	struct str owner;
	uint32_t ttl;
	size_t n;			/* tokens of this line */
	struct str tokens[TOKENS_MOST];
	bool is_quoted[TOKENS_MOST];
	bool begins_blank;
};

static const struct { struct str name; enum dns_type type; } type_names[] = {
	{ STR_INIT("A"), DNS_A }, { STR_INIT("AAAA"), DNS_AAAA },
	{ STR_INIT("CAA"), DNS_CAA }, { STR_INIT("CNAME"), DNS_CNAME },
	{ STR_INIT("MX"), DNS_MX },
	{ STR_INIT("PTR"), DNS_PTR }, { STR_INIT("SRV"), DNS_SRV },
	{ STR_INIT("TLSA"), DNS_TLSA }, { STR_INIT("TXT"), DNS_TXT },
};

static struct zone_name *
zone_find(const struct zone *z, struct str name)
{
	uint64_t hash = hash_bytes((struct hash_key){ 0, 0 }, name);
	struct table_node *t = table_find(&z->names, hash);

	for (; t != NULL; t = table_again(t)) {
		struct zone_name *n = OWNER_OF(t, struct zone_name, node);

		if (str_eq(n->name, name))
			return n;
	}
	return NULL;
}

static struct zone_name *
zone_add_one(struct zone *z, struct str name)
{
	struct zone_name *n = arena_new(&z->arena, struct zone_name);

	if (n == NULL)
		return NULL;
	n->name = name;
	n->last = &n->records;
	if (table_insert(&z->names, &n->node,
	    hash_bytes((struct hash_key){ 0, 0 }, name)) != 0)
		return NULL;
	return n;
}

/* The name and, so that they exist, all names above it (RFC 4592 2.2.2). */
static struct zone_name *
zone_add(struct zone *z, struct str name)
{
	struct zone_name *first = zone_find(z, name);

	if (first != NULL)
		return first;
	first = zone_add_one(z, name);
	while (first != NULL && name.n > 0) {
		(void)str_cut(&name, '.');
		if (zone_find(z, name) != NULL)
			break;
		if (zone_add_one(z, name) == NULL)
			return NULL;
	}
	return first;
}

static int
reader_refuse(const struct zone_reader *r, const char *what, struct str which)
{
	return err_set("line %zu: %s: " STR_FMT, r->line, what,
	    STR_ARG(str_sub(which, 0, 80)));
}

/* A name as absolute, lower case, without the final dot. */
static int
reader_name(struct zone_reader *r, struct str text, struct str *out)
{
	struct arena *a = &r->zone->arena;
	struct str name = text;

	if (str_eq(text, STR("@"))) {
		*out = r->origin;
		return 0;
	}
	if (str_eq(text, STR("."))) {
		*out = STR("");
		return 0;
	}
	if (text.n == 0)
		return reader_refuse(r, "not a name", text);
	if (text.p[text.n - 1] == '.')
		name.n--;
	else if (r->origin.n > 0)
		name = arena_join(a, arena_join(a, text, STR(".")), r->origin);
	if (!dns_question_fits(name))
		return reader_refuse(r, "not a name", text);
	*out = arena_lower(a, name);
	return out->p == NULL ? reader_refuse(r, "too much text", text) : 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One token off *s: quoted, or up to a blank or a comment. */
static int
reader_token(struct zone_reader *r, struct str *s)
{
	bool quoted = s->p[0] == '"';
	size_t i = quoted ? 1 : 0;

	must(s->n > 0 && r->n <= TOKENS_MOST);
	for (; i < s->n; i++) {
		if (s->p[i] == '\\')
			i++;
		else if (quoted ? s->p[i] == '"' :
		    is_blank(s->p[i]) || s->p[i] == ';')
			break;
	}
	if (i >= s->n && (quoted || i > s->n))
		return reader_refuse(r, "no end of string", *s);
	if (r->n == TOKENS_MOST)
		return reader_refuse(r, "too many words", *s);
	r->is_quoted[r->n] = quoted;
	r->tokens[r->n++] = str_sub(*s, quoted ? 1 : 0, quoted ? i - 1 : i);
	*s = str_sub(*s, quoted ? i + 1 : i, s->n);
	return 0;
}

static int
reader_tokens(struct zone_reader *r, struct str line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	r->begins_blank = line.n > 0 && is_blank(line.p[0]);
	r->n = 0;
	for (;;) {
		while (line.n > 0 && is_blank(line.p[0]))
			line = str_sub(line, 1, line.n);
		if (line.n == 0 || line.p[0] == ';')
			return 0;
		if (reader_token(r, &line) != 0)
			return -1;
	}
}

/* RFC 1035 5.1: \DDD is an octet, \X is X. */
static int
reader_unescape(struct zone_reader *r, struct str s, char *to, size_t *n)
{
	*n = 0;
	while (s.n > 0) {
		uint64_t octet;

		if (s.p[0] != '\\') {
			to[(*n)++] = s.p[0];
			s = str_sub(s, 1, s.n);
		} else if (s.n >= 4 && parse_u64(str_sub(s, 1, 3), 255, &octet)) {
			to[(*n)++] = (char)(unsigned char)octet;
			s = str_sub(s, 4, s.n);
		} else if (s.n >= 2 && !ascii_is_digit(s.p[1])) {
			to[(*n)++] = s.p[1];
			s = str_sub(s, 2, s.n);
		} else
			return reader_refuse(r, "bad escape", s);
	}
	return 0;
}

static int
reader_txt(struct zone_reader *r, size_t at, struct dns_record *out)
{
	size_t room = 0, n, fill = 0;
	char *p;

	for (size_t i = at; i < r->n; i++)
		room += r->tokens[i].n;
	p = arena_alloc(&r->zone->arena, room + 1);
	if (p == NULL)
		return reader_refuse(r, "too much text", STR("TXT"));
	for (size_t i = at; i < r->n; i++) {
		if (reader_unescape(r, r->tokens[i], p + fill, &n) != 0)
			return -1;
		/* RFC 1035 3.3: a character-string holds 255 octets */
		if (n > 255)
			return reader_refuse(r, "string over 255 octets",
			    r->tokens[i]);
		fill += n;
	}
	out->data = (struct str){ p, fill };
	return 0;
}

static int
hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 6698 2.2: usage selector matching-type hex, which may be spaced. */
static int
reader_tlsa(struct zone_reader *r, size_t at, struct dns_record *out)
{
	size_t room = 3, digits = 0;
	unsigned char *p;
	uint64_t u;

	if (r->n < at + 4)
		return reader_refuse(r, "TLSA needs four parts", r->owner);
	for (size_t i = at + 3; i < r->n; i++)
		room += r->tokens[i].n;
	p = arena_alloc(&r->zone->arena, room);
	if (p == NULL)
		return reader_refuse(r, "too much text", STR("TLSA"));
	for (size_t i = 0; i < 3; i++) {
		if (!parse_u64(r->tokens[at + i], 255, &u))
			return reader_refuse(r, "not a number",
			    r->tokens[at + i]);
		p[i] = (unsigned char)u;
	}
	for (size_t i = at + 3; i < r->n; i++)
		for (size_t k = 0; k < r->tokens[i].n; k++, digits++) {
			int d = hex_digit(r->tokens[i].p[k]);

			if (d < 0)
				return reader_refuse(r, "not hexadecimal",
				    r->tokens[i]);
			p[3 + digits / 2] = (unsigned char)
			    ((p[3 + digits / 2] << 4) | d);
		}
	if (digits % 2 != 0)
		return reader_refuse(r, "half an octet", r->tokens[r->n - 1]);
	out->data = (struct str){ (const char *)p, 3 + digits / 2 };
	return 0;
}

/* RFC 8659 4.1.1: flags tag value. */
static int
reader_caa(struct zone_reader *r, size_t at, struct dns_record *out)
{
	struct str tag = r->n == at + 3 ? r->tokens[at + 1] : STR("");
	size_t n = 0;
	uint64_t flags;
	char *p;

	if (tag.n == 0 || tag.n > 255)
		return reader_refuse(r, "CAA needs flags, a tag and a value",
		    r->owner);
	if (!parse_u64(r->tokens[at], 255, &flags))
		return reader_refuse(r, "not a number", r->tokens[at]);
	p = arena_alloc(&r->zone->arena, 2 + tag.n + r->tokens[at + 2].n);
	if (p == NULL)
		return reader_refuse(r, "too much text", STR("CAA"));
	p[0] = (char)flags;
	p[1] = (char)tag.n;
	memcpy(p + 2, tag.p, tag.n);
	if (reader_unescape(r, r->tokens[at + 2], p + 2 + tag.n, &n) != 0)
		return -1;
	out->data = (struct str){ p, 2 + tag.n + n };
	return 0;
}

static int
reader_address(struct zone_reader *r, struct str text,
    enum address_family family, struct dns_record *out)
{
	if (!address_parse(text, 0, &out->address) ||
	    out->address.family != family)
		return reader_refuse(r, "not such an address", text);
	return 0;
}

static int
reader_mx(struct zone_reader *r, size_t at, struct dns_record *out)
{
	uint64_t preference;

	must(r->n == at + 2);
	if (!parse_u64(r->tokens[at], UINT16_MAX, &preference))
		return reader_refuse(r, "not a preference", r->tokens[at]);
	out->preference = (uint16_t)preference;
	return reader_name(r, r->tokens[at + 1], &out->name);
}

/* RFC 2782 */
static int
reader_srv(struct zone_reader *r, size_t at, struct dns_record *out)
{
	uint16_t *to[] = { &out->preference, &out->weight, &out->port };
	uint64_t u;

	must(r->n == at + 4);
	for (size_t i = 0; i < 3; i++) {
		if (!parse_u64(r->tokens[at + i], UINT16_MAX, &u))
			return reader_refuse(r, "not a number",
			    r->tokens[at + i]);
		*to[i] = (uint16_t)u;
	}
	return reader_name(r, r->tokens[at + 3], &out->name);
}

/* Tokens from `at' on are the data of this type. */
static int
reader_data(struct zone_reader *r, size_t at, enum dns_type type,
    struct dns_record *out)
{
	size_t want = type == DNS_MX ? 2 : type == DNS_SRV ? 4 : 1;

	if (r->n <= at)
		return reader_refuse(r, "no data", r->owner);
	if (type != DNS_TXT && type != DNS_TLSA && type != DNS_CAA &&
	    r->n != at + want)
		return reader_refuse(r, "data of the wrong length",
		    r->tokens[at]);
	switch (type) {
	case DNS_A:
		return reader_address(r, r->tokens[at], ADDRESS_V4, out);
	case DNS_AAAA:
		return reader_address(r, r->tokens[at], ADDRESS_V6, out);
	case DNS_CNAME:
	case DNS_PTR:
		return reader_name(r, r->tokens[at], &out->name);
	case DNS_MX:
		return reader_mx(r, at, out);
	case DNS_SRV:
		return reader_srv(r, at, out);
	case DNS_TXT:
		return reader_txt(r, at, out);
	case DNS_TLSA:
		return reader_tlsa(r, at, out);
	case DNS_CAA:
		return reader_caa(r, at, out);
	}
	return reader_refuse(r, "no such type", r->tokens[at]);
}

static int
reader_record(struct zone_reader *r, struct zone_name *name, size_t at,
    enum dns_type type, uint32_t ttl)
{
	struct zone_record *rec = arena_new(&r->zone->arena, struct zone_record);

	must(name->last != NULL && *name->last == NULL);
	if (rec == NULL)
		return reader_refuse(r, "too much text", name->name);
	/* RFC 1034 3.6.2 */
	if (name->records != NULL &&
	    (type == DNS_CNAME || name->records->type == DNS_CNAME))
		return reader_refuse(r, "CNAME beside other data", name->name);
	rec->type = type;
	rec->ttl = ttl;
	if (reader_data(r, at, type, &rec->record) != 0)
		return -1;
	*name->last = rec;
	name->last = &rec->next;
	return 0;
}

static enum zone_word
word_of(struct str s)
{
	if (str_eq(s, STR("NXDOMAIN")))
		return WORD_NXDOMAIN;
	if (str_eq(s, STR("SERVFAIL")))
		return WORD_SERVFAIL;
	return str_eq(s, STR("TIMEOUT")) ? WORD_TIMEOUT : WORD_NONE;
}

/* The token at `at' is a type or a word; the rest are its data. */
static int
reader_typed(struct zone_reader *r, size_t at, uint32_t ttl)
{
	struct zone_name *name = zone_add(r->zone, r->owner);
	struct str word = r->tokens[at];

	must(at < r->n && r->owner.p != NULL);
	if (name == NULL)
		return reader_refuse(r, "too much text", r->owner);
	for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++)
		if (str_eq_icase(word, type_names[i].name))
			return reader_record(r, name, at + 1,
			    type_names[i].type, ttl);
	if (word_of(word) == WORD_NONE && !str_eq(word, STR("SECURE")))
		return reader_refuse(r, "no such type", word);
	if (r->n != at + 1)
		return reader_refuse(r, "data after a word", word);
	if (word_of(word) == WORD_NONE) {
		name->secure = true;
		return 0;
	}
	name->word = word_of(word);
	name->word_ttl = ttl;
	return 0;
}

static int
reader_ttl(struct zone_reader *r, struct str text, uint32_t *out)
{
	uint64_t seconds;

	/* RFC 2181 8: 31 bits */
	if (!parse_u64(text, INT32_MAX, &seconds))
		return reader_refuse(r, "not a TTL", text);
	*out = (uint32_t)seconds;
	return 0;
}

static int
reader_directive(struct zone_reader *r)
{
	must(r->n > 0);
	if (r->n != 2)
		return reader_refuse(r, "one word must follow", r->tokens[0]);
	if (str_eq(r->tokens[0], STR("$ORIGIN")))
		return reader_name(r, r->tokens[1], &r->origin);
	if (!str_eq(r->tokens[0], STR("$TTL")))
		return reader_refuse(r, "no such directive", r->tokens[0]);
	if (reader_ttl(r, r->tokens[1], &r->ttl) != 0)
		return -1;
	r->zone->ttl = r->ttl;
	return 0;
}

static int
reader_line(struct zone_reader *r, struct str line)
{
	uint32_t ttl = r->ttl;
	size_t at = 0;

	if (reader_tokens(r, line) != 0)
		return -1;
	if (r->n == 0)
		return 0;
	if (r->tokens[0].n > 0 && r->tokens[0].p[0] == '$')
		return reader_directive(r);
	if (!r->begins_blank &&
	    reader_name(r, r->tokens[at++], &r->owner) != 0)
		return -1;
	if (r->owner.p == NULL)
		return reader_refuse(r, "no owner yet", r->tokens[0]);
	for (; at < r->n; at++) {
		if (str_eq_icase(r->tokens[at], STR("IN")))
			continue;
		if (r->tokens[at].n == 0 || !ascii_is_digit(r->tokens[at].p[0]))
			break;
		if (reader_ttl(r, r->tokens[at], &ttl) != 0)
			return -1;
	}
	if (at >= r->n || r->is_quoted[at])
		return reader_refuse(r, "no type", r->owner);
	return reader_typed(r, at, ttl);
}

int
zone_read(struct zone *z, struct str text)
{
	struct zone_reader *r;
	int rc = 0;

	*z = (struct zone){ .ttl = ZONE_TTL };
	arena_init(&z->arena, ZONE_MOST);
	r = arena_new(&z->arena, struct zone_reader);
	if (r == NULL)
		return err_set("no memory for a zone");
	r->zone = z;
	r->origin = STR("");
	r->ttl = ZONE_TTL;
	while (text.n > 0 && rc == 0) {
		r->line++;
		rc = reader_line(r, str_cut(&text, '\n'));
	}
	if (rc != 0)
		zone_clear(z);
	return rc;
}

void
zone_clear(struct zone *z)
{
	table_clear(&z->names);
	arena_clear(&z->arena);
}

/*
 * RFC 4592 3.3.1: the name itself; else "*" under the closest name above it
 * that exists.  NULL: no such name.
 */
static const struct zone_name *
zone_match(const struct zone *z, struct str name)
{
	char star[DNS_NAME_MOST + 3] = "*.";
	const struct zone_name *found = zone_find(z, name);

	must(name.n <= DNS_NAME_MOST);
	while (found == NULL && name.n > 0) {
		(void)str_cut(&name, '.');
		if (zone_find(z, name) == NULL)
			continue;
		if (name.n > 0)
			memcpy(star + 2, name.p, name.n);
		return zone_find(z, (struct str){ star,
		    name.n == 0 ? 1 : name.n + 2 });
	}
	return found;
}

static void
answer_trouble(struct dns_answer *out, const char *why, struct str name)
{
	err_set("%s: " STR_FMT, why, STR_ARG(name));
	out->status = DNS_TROUBLE;
	out->n = 0;
	out->ttl = 0;
	out->secure = false;
}

static bool
record_copy(const struct dns_record *from, struct arena *a,
    struct dns_record *to)
{
	*to = *from;
	if (from->name.p != NULL)
		to->name = arena_copy(a, from->name);
	if (from->data.p != NULL)
		to->data = arena_copy(a, from->data);
	return (from->name.p == NULL || to->name.p != NULL) &&
	    (from->data.p == NULL || to->data.p != NULL);
}

static void
answer_records(const struct zone *z, const struct zone_name *name,
    enum dns_type type, struct arena *a, struct dns_answer *out)
{
	size_t n = 0;

	for (struct zone_record *r = name->records; r != NULL; r = r->next)
		n += r->type == type;
	out->status = n == 0 ? DNS_NO_DATA : DNS_FOUND;
	if (n == 0) {
		out->ttl = out->ttl < z->ttl ? out->ttl : z->ttl;
		return;
	}
	if (n > DNS_RECORDS) {
		answer_trouble(out, "too many records", name->name);
		return;
	}
	out->records = arena_alloc(a, n * sizeof *out->records);
	for (struct zone_record *r = name->records; r != NULL; r = r->next) {
		if (r->type != type)
			continue;
		if (out->records == NULL || !record_copy(&r->record, a,
		    &out->records[out->n++])) {
			answer_trouble(out, "no room for records", name->name);
			return;
		}
		out->ttl = out->ttl < r->ttl ? out->ttl : r->ttl;
	}
}

static void
answer_word(const struct zone_name *name, struct dns_answer *out)
{
	if (name->word == WORD_SERVFAIL) {
		answer_trouble(out, "SERVFAIL", name->name);
		return;
	}
	must(name->word == WORD_NXDOMAIN);
	out->status = DNS_NO_NAME;
	out->ttl = out->ttl < name->word_ttl ? out->ttl : name->word_ttl;
}

/* RFC 1034 3.6.2: restart at the alias's target. */
static bool
answer_follow(const struct zone *z, struct str *name, enum dns_type type,
    const struct zone_name **found, struct dns_answer *out)
{
	for (unsigned i = 0; i < CHAIN_MOST; i++) {
		*found = zone_match(z, *name);
		if (*found == NULL)
			return true;
		out->secure = out->secure && (*found)->secure;
		if ((*found)->word != WORD_NONE ||
		    (*found)->records == NULL ||
		    (*found)->records->type != DNS_CNAME || type == DNS_CNAME)
			return true;
		if ((*found)->records->ttl < out->ttl)
			out->ttl = (*found)->records->ttl;
		*name = (*found)->records->record.name;
	}
	return false;
}

bool
zone_answer(const struct zone *z, struct str name, enum dns_type type,
    struct arena *a, struct dns_answer *out)
{
	const struct zone_name *found;

	*out = (struct dns_answer){ .ttl = UINT32_MAX, .secure = true };
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	name = arena_lower(a, name);
	if (name.p == NULL || !dns_question_fits(name)) {
		answer_trouble(out, "not a name", name);
		return true;
	}
	if (!answer_follow(z, &name, type, &found, out)) {
		answer_trouble(out, "too many CNAMEs", name);
		return true;
	}
	if (found != NULL && found->word == WORD_TIMEOUT)
		return false;
	out->canonical = arena_copy(a, name);
	if (found == NULL) {
		out->status = DNS_NO_NAME;
		out->secure = false;
		out->ttl = out->ttl < z->ttl ? out->ttl : z->ttl;
	} else if (found->word != WORD_NONE)
		answer_word(found, out);
	else
		answer_records(z, found, type, a, out);
	return true;
}
