#include "deliver/original.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/fiber.h"
#include "spool/body.h"
#include "spool/envelope.h"
#include "wire/header.h"
#include "wire/words.h"

enum { READ_SIZE = 16 * 1024 };

/* Where the header section ends, or its last whole line that is here. */
static size_t
header_end(struct str text)
{
	size_t at = str_find_str(text, STR("\r\n\r\n"));

	if (at < text.n)
		return at + 2;
	at = str_find_last(text, '\n');
	return at == text.n ? 0 : at + 1;
}

static bool
is_bulk(struct str precedence)
{
	precedence = str_trim(precedence);
	return str_eq_icase(precedence, STR("bulk")) ||
	    str_eq_icase(precedence, STR("junk")) ||
	    str_eq_icase(precedence, STR("list"));
}

static void
field_learn(struct original *o, const struct field *f, struct arena *a)
{
	if (f->known == HEADER_MESSAGE_ID && o->message_id.p == NULL)
		o->message_id = arena_copy(a, field_msgid(f->value));
	else if (f->known == HEADER_ACCEPT_LANGUAGE)
		o->language = language_accepted(f->value, o->language);
	else if (f->known == HEADER_LIST_ID ||
	    (f->known == HEADER_AUTO_SUBMITTED && field_is_auto(f->value)) ||
	    (f->known == HEADER_PRECEDENCE && is_bulk(f->value)))
		o->is_automatic = true;
}

static void
header_learn(struct original *o, struct str header, struct arena *a)
{
	struct header_scan scan;
	struct field f;

	header_begin(&scan, a);
	/* The last field ends only where the section does. */
	while (header_next(&scan, &header, &f) == HEADER_FIELD ||
	    header_finish(&scan, &f) == HEADER_FIELD)
		field_learn(o, &f, a);
}

/* As much as there is, up to most octets, of which p has READ_SIZE more. */
static yields struct str
octets_read(const struct delivery *d, char *p, size_t most)
{
	struct body body;
	size_t got = 0;

	body_open(&body, &d->pin);
	while (got < most) {
		int64_t n = body_read(&body, p + got, READ_SIZE);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return (struct str){ p, got };
}

/* Octets of a binary message are encoded whatever they are: RFC 3030 3 lets it
 * hold what no line may. */
static enum dsn_octets
kind_of(const struct delivery *d, struct str octets)
{
	return dsn_octets((d->envelope.flags & ENVELOPE_BINARY) != 0 ?
	    DSN_OCTETS : DSN_ASCII, octets);
}

yields int
original_read(struct original *o, const struct delivery *d, struct arena *a,
    bool whole, uint64_t most)
{
	uint64_t size = d->envelope.size;
	struct str header;
	size_t want;
	char *p;

	must(d->is_pinned);
	*o = (struct original){ .language = LANGUAGES };
	whole = whole && size <= most &&
	    (d->envelope.flags & ENVELOPE_BINARY) == 0;
	want = whole || size < ORIGINAL_HEADER ? (size_t)size :
	    ORIGINAL_HEADER;
	p = arena_alloc(a, want + READ_SIZE);
	if (p == NULL)
		return err_set("no memory for a report");
	o->octets = octets_read(d, p, want);
	header = str_sub(o->octets, 0, header_end(o->octets));
	header_learn(o, header, a);
	whole = whole && o->octets.n >= size;
	if (!whole)
		o->octets = header;
	o->returns = o->octets.n == 0 ? DSN_NOTHING : whole ? DSN_WHOLE :
	    DSN_HEADER;
	o->kind = kind_of(d, o->octets);
	return 0;
}
