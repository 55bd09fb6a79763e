/*
 * event.h -- one step of the mail's way, told once.
 *
 * The promise: an event is written by whoever knows, with typed fields from
 * event_field.def, and given to the sink; the text log line, the JSON log line,
 * the record in the spool, the API and the metrics are all views of it.
 * Not for: debugging prints.
 * Waiting: none; a sink that needs the disk queues.
 * Memory: strings are the caller's until the sink returns.
 * Errors: each field at most once and at most EVENT_FIELDS of them, or a must()
 * fails; strings are cut at 1 KiB on output, or 16 KiB (form LONG, of which an
 * event has two at most), so that a line of either form fits in EVENT_LINE_MOST
 * octets; event_encode() sets the buffer's `full'.
 * Source: DESIGN.md section 6; SECURITY.md row 37; PRODUCT.md A.5 for the text.
 */
#ifndef NM_BASE_EVENT_H
#define NM_BASE_EVENT_H

#include "base/buf.h"
#include "base/instant.h"

enum event_type {
#define EVENT(name, tag, says) EVENT_##name,
#include "base/event.def"
#undef EVENT
	EVENT_TYPES
};

enum event_field {
#define FIELD(name, form) FIELD_##name,
#include "base/event_field.def"
#undef FIELD
	EVENT_FIELD_COUNT
};

enum { EVENT_FIELDS = 32, EVENT_TEXT_MOST = 1024, EVENT_LONG_MOST = 16 * 1024,
	EVENT_LINE_MOST = 68 * 1024 };

struct event_value {
	enum event_field field;
	uint64_t number;
	struct str string;		/* p == NULL: a number */
};

struct event {
	enum event_type type;
	struct wall at;
	uint64_t id;			/* of the message; 0: none */
	size_t n;
	struct event_value values[EVENT_FIELDS];
};

/* Where events go.  One sink for the process, set by app/ before any event;
 * tests set their own. */
struct event_sink {
	void (*take)(struct event_sink *, const struct event *);
};

struct event event_make(enum event_type, struct wall at, uint64_t id);
/* An absent string (p == NULL) is not written; an empty one is. */
void event_str(struct event *, enum event_field, struct str);
void event_num(struct event *, enum event_field, uint64_t);
const struct event_value *event_get(const struct event *, enum event_field);
struct str event_get_str(const struct event *, enum event_field);	/* or STR_NONE */
uint64_t event_get_num(const struct event *, enum event_field);	/* or 0 */

const char *event_name(enum event_type);
bool event_type_of(struct str name, enum event_type *);
const char *event_tag(enum event_type);
const char *event_field_name(enum event_field);

/* As bytes in an EVENT record, and back (strings are slices of `bytes').
 * Fields that a later version added are skipped.  False: malformed, or of a
 * type this version does not know. */
void event_encode(const struct event *, struct buf *out);
bool event_decode(struct str bytes, struct event *);

/*
 * As one JSON object, and as the lines that Postfix's programs would write, all
 * without a newline.  A line begins after "tag[pid]: ", which is the sink's: with
 * the message's id, NOQUEUE, or the words "connect from".  No octet of a field
 * can end the line, and no field of a peer's choice stands before the address
 * that fail2ban reads.  event_text_tag() is the program of the nth line; NULL:
 * there are no more than nth.
 */
enum { EVENT_TEXT_LINES = 3 };
void event_json(const struct event *, struct buf *out);
const char *event_text_tag(const struct event *, unsigned nth);
void event_text(const struct event *, unsigned nth, struct buf *out);

#endif
