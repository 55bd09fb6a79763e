/*
 * An event as bytes, the payload of the spool's EVENT record:
 *
 *	at	octets
 *	0	1	1, the form described here
 *	1	1	n, the length of the type's name
 *	2	n	the type's name, as in event.def
 *	2+n	8	when: microseconds of UTC since 1970
 *	10+n	8	the message's id; 0: of no message
 *	18+n	...	fields up to the end, in any order, each once:
 *		1	number, then 8 octets; or
 *		1	number + 128, then 4 octets of length and the string
 *
 * Integers are little-endian.  It is whole when (1) the last field ends where
 * the bytes end, and (2) every known field has its known form.  Types go by
 * name because event.def is kept sorted; fields go by number because there are
 * many, and the form is in the tag so that an older reader can skip them.
 */
#include "base/event.h"

#include "base/id.h"
#include "base/json.h"
#include "base/must.h"

enum { FORM_BYTES = 1, TAG_STRING = 0x80 };

enum form { FORM_STRING, FORM_LONG, FORM_NUMBER, FORM_WALL };

static const struct { const char *name, *tag; } types[] = {
#define EVENT(name, tag, says) { #name, tag },
#include "base/event.def"
#undef EVENT
};

static const struct { const char *name; enum form form; } fields[] = {
#define FIELD(name, form) { #name, FORM_##form },
#include "base/event_field.def"
#undef FIELD
};

_Static_assert((int)EVENT_FIELD_COUNT < (int)TAG_STRING, "a field's number has 7 bits");

static bool
field_is_text(unsigned field)
{
	must(field < EVENT_FIELD_COUNT);
	return fields[field].form == FORM_STRING ||
	    fields[field].form == FORM_LONG;
}

struct event
event_make(enum event_type type, struct wall at, uint64_t id)
{
	must(type < EVENT_TYPES);
	return (struct event){ .type = type, .at = at, .id = id };
}

static void
event_add(struct event *e, struct event_value v)
{
	must(e->n < EVENT_FIELDS);
	must(event_get(e, v.field) == NULL);
	e->values[e->n++] = v;
}

void
event_str(struct event *e, enum event_field field, struct str s)
{
	must(field_is_text(field));
	if (s.p != NULL)
		event_add(e, (struct event_value){ .field = field, .string = s });
}

void
event_num(struct event *e, enum event_field field, uint64_t v)
{
	must(!field_is_text(field));
	event_add(e, (struct event_value){ .field = field, .number = v });
}

const struct event_value *
event_get(const struct event *e, enum event_field field)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->values[i].field == field)
			return &e->values[i];
	return NULL;
}

struct str
event_get_str(const struct event *e, enum event_field field)
{
	const struct event_value *v = event_get(e, field);

	return v == NULL ? STR_NONE : v->string;
}

uint64_t
event_get_num(const struct event *e, enum event_field field)
{
	const struct event_value *v = event_get(e, field);

	return v == NULL ? 0 : v->number;
}

const char *
event_name(enum event_type type)
{
	must(type < EVENT_TYPES);
	return types[type].name;
}

bool
event_type_of(struct str name, enum event_type *type)
{
	for (size_t i = 0; i < EVENT_TYPES; i++)
		if (str_eq(name, str_of(types[i].name))) {
			*type = (enum event_type)i;
			return true;
		}
	return false;
}

const char *
event_tag(enum event_type type)
{
	must(type < EVENT_TYPES);
	return types[type].tag;
}

const char *
event_field_name(enum event_field field)
{
	must(field < EVENT_FIELD_COUNT);
	return fields[field].name;
}

static void
value_encode(const struct event_value *v, struct buf *out)
{
	if (v->string.p == NULL) {
		buf_putc(out, (char)v->field);
		buf_le64(out, v->number);
		return;
	}
	must(v->string.n <= UINT32_MAX);
	buf_putc(out, (char)(v->field | TAG_STRING));
	buf_le32(out, (uint32_t)v->string.n);
	buf_put(out, v->string);
}

void
event_encode(const struct event *e, struct buf *out)
{
	struct str name = str_of(event_name(e->type));

	buf_putc(out, FORM_BYTES);
	buf_putc(out, (char)name.n);
	buf_put(out, name);
	buf_le64(out, (uint64_t)e->at.us);
	buf_le64(out, e->id);
	for (size_t i = 0; i < e->n; i++)
		value_encode(&e->values[i], out);
}

static bool
head_decode(struct str *bytes, struct event *e)
{
	struct str form, n, name;
	uint64_t at;

	*e = (struct event){ .n = 0 };
	if (!take_bytes(bytes, 1, &form) || form.p[0] != FORM_BYTES ||
	    !take_bytes(bytes, 1, &n) ||
	    !take_bytes(bytes, (unsigned char)n.p[0], &name) ||
	    !event_type_of(name, &e->type) ||
	    !take_le64(bytes, &at) || !take_le64(bytes, &e->id))
		return false;
	e->at.us = (int64_t)at;
	return true;
}

static bool
value_decode(struct str *bytes, struct event_value *v, unsigned *number)
{
	struct str tag;
	uint32_t n;

	*v = (struct event_value){ .number = 0 };
	if (!take_bytes(bytes, 1, &tag))
		return false;
	*number = (unsigned char)tag.p[0] & ~(unsigned)TAG_STRING;
	v->field = (enum event_field)*number;
	if (((unsigned char)tag.p[0] & TAG_STRING) == 0)
		return take_le64(bytes, &v->number);
	return take_le32(bytes, &n) && take_bytes(bytes, n, &v->string);
}

bool
event_decode(struct str bytes, struct event *e)
{
	struct event_value v;
	unsigned number;

	if (!head_decode(&bytes, e))
		return false;
	while (bytes.n > 0) {
		if (!value_decode(&bytes, &v, &number))
			return false;
		if (number >= EVENT_FIELD_COUNT)
			continue;
		if ((v.string.p != NULL) != field_is_text(number) ||
		    e->n == EVENT_FIELDS || event_get(e, v.field) != NULL)
			return false;
		event_add(e, v);
	}
	return true;
}

void
event_json(const struct event *e, struct buf *out)
{
	struct id_text id = id_print(e->id);
	struct json j;

	json_begin(&j, out);
	json_put_object(&j, NULL);
	json_put_wall(&j, "at", e->at);
	json_put_str(&j, "event", str_of(event_name(e->type)));
	if (e->id != 0)
		json_put_str(&j, "id", str_of(id.text));
	for (size_t i = 0; i < e->n; i++) {
		const struct event_value *v = &e->values[i];
		const char *key = event_field_name(v->field);

		if (v->string.p != NULL)
			json_put_cut(&j, key, v->string,
			    fields[v->field].form == FORM_LONG ?
			    EVENT_LONG_MOST : EVENT_TEXT_MOST);
		else if (fields[v->field].form == FORM_WALL)
			json_put_wall(&j, key, (struct wall){ (int64_t)v->number });
		else
			json_put_u64(&j, key, v->number);
	}
	json_end_object(&j);
}
