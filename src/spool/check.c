#include "spool/check.h"

#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/fiber.h"
#include "spool/apply.h"
#include "spool/envelope.h"
#include "spool/kept.h"
#include "spool/look.h"
#include "spool/outcome.h"
#include "spool/own.h"
#include "spool/tlv.h"
#include "spool/walk.h"

/*
 * A struct spool without fibers, lock or writing: the same index and the same
 * apply_record() as the server's, fed from the files.
 */
enum { LINE = 1024, ENVELOPE_MOST = 64 << 20 };

struct checking {
	struct check *check;
	struct spool *spool;
	bool is_dump;
	uint64_t sequence;		/* of the last record */
	struct arena arena;
	char room[LINE];
	struct buf line;
};

static void
line_begin(struct checking *c)
{
	c->line = (struct buf){ .p = c->room, .cap = sizeof c->room };
}

/* What came from outside may hold anything. */
static void
line_text(struct checking *c, struct str s)
{
	for (size_t i = 0; i < s.n && i < 200; i++)
		buf_putc(&c->line, (unsigned char)s.p[i] < ' ' ||
		    s.p[i] == 127 ? '?' : s.p[i]);
}

static void
line_end(struct checking *c)
{
	if (c->check->line != NULL)
		c->check->line(c->check, buf_str(&c->line));
}

/* ---- one record in words ---- */

static void
dump_message(struct checking *c, const struct record *r)
{
	struct arena_mark mark = arena_mark(&c->arena);
	struct envelope e;

	if (envelope_decode(r->payload, &c->arena, &e) == ENVELOPE_FINE) {
		buf_printf(&c->line, " size=%llu tenant=",
		    (unsigned long long)e.size);
		line_text(c, e.tenant);
		buf_printf(&c->line, " from=<");
		line_text(c, e.sender);
		buf_printf(&c->line, "> nrcpt=%zu to=<", e.n_rcpts);
		line_text(c, e.rcpts[0].address);
		buf_printf(&c->line, ">");
	} else {
		buf_printf(&c->line, " (envelope makes no sense)");
	}
	arena_back(&c->arena, mark);
}

static void
dump_entry(struct checking *c, struct str bytes)
{
	uint64_t number;
	uint32_t i;
	struct tlv t;

	while (tlv_next(&bytes, &t) == TLV_VALUE)
		if (t.tag == TAG_RECIPIENTS && take_le32(&t.value, &i))
			buf_printf(&c->line, " [%u]", i);
		else if (t.tag == TAG_KIND && tlv_u64(t.value, &number)) {
			const char *word = number > UINT8_MAX ? NULL :
			    outcome_word((enum outcome_kind)number);

			buf_printf(&c->line, " %s", word == NULL ? "?" : word);
		} else if (t.tag == TAG_TEXT) {
			buf_printf(&c->line, " (");
			line_text(c, t.value);
			buf_printf(&c->line, ")");
		}
}

static const char *
tag_word(uint8_t tag)
{
	switch (tag) {
	case TAG_ATTEMPTS:
		return "attempts";
	case TAG_WARNED:
		return "warned";
	case TAG_DUE:
		return "due";
	case TAG_PROJECTION:
		return "projection";
	case TAG_PLACE_SEGMENT:
		return "segment";
	case TAG_PLACE_OFFSET:
		return "offset";
	case TAG_CODE:
		return "code";
	default:
		return NULL;
	}
}

static void
dump_values(struct checking *c, struct str payload)
{
	struct tlv t;
	uint64_t v;

	while (tlv_next(&payload, &t) == TLV_VALUE) {
		const char *word = tag_word(t.tag);

		if (t.tag == TAG_ENTRY)
			dump_entry(c, t.value);
		else if (word != NULL && tlv_u64(t.value, &v))
			buf_printf(&c->line, " %s=%llu", word,
			    (unsigned long long)v);
		else if (t.tag == TAG_TEXT) {
			buf_printf(&c->line, " (");
			line_text(c, t.value);
			buf_printf(&c->line, ")");
		}
	}
}

static void
dump_event(struct checking *c, struct str payload)
{
	struct event e;
	struct tlv t;

	if (tlv_next(&payload, &t) == TLV_VALUE && t.tag == TAG_EVENT &&
	    event_decode(t.value, &e))
		buf_printf(&c->line, " %s", event_name(e.type));
}

static void
dump_record(struct checking *c, const struct record *r, uint64_t number,
    uint64_t at)
{
	const char *name = record_type_name(r->type);

	line_begin(c);
	buf_printf(&c->line, "%llu:%llu #%llu %s", (unsigned long long)number,
	    (unsigned long long)at, (unsigned long long)r->sequence,
	    name == NULL ? "?" : name);
	if (r->id != 0)
		buf_printf(&c->line, " %s", id_print(r->id).text);
	if (r->type == RECORD_COMMIT || r->type == RECORD_MOVED)
		dump_message(c, r);
	else if (r->type == RECORD_EVENT)
		dump_event(c, r->payload);
	else if (r->type == RECORD_CHUNK)
		buf_printf(&c->line, " octets=%u", r->body_n);
	else
		dump_values(c, r->payload);
	line_end(c);
}

/* ---- walking ---- */

static void
check_damage(struct checking *c, const struct segment *s,
    const struct scan *scan)
{
	c->check->damaged++;
	line_begin(c);
	buf_printf(&c->line, "%llu:%llu damage up to %llu: %s",
	    (unsigned long long)s->number, (unsigned long long)scan->from,
	    (unsigned long long)scan->to, record_fault_says(scan->fault));
	line_end(c);
}

static enum spool_trouble
check_record(struct checking *c, const struct record *r, struct segment *s,
    uint64_t at)
{
	must(at >= SEGMENT_HEAD && at % RECORD_ALIGN == 0);
	c->check->records++;
	c->check->bytes += record_size(r->payload_n, r->body_n);
	if (c->is_dump)
		dump_record(c, r, s->number, at);
	switch (apply_record(c->spool, r, s, at)) {
	case APPLY_DONE:
		return SPOOL_FINE;
	case APPLY_MALFORMED:
		c->check->damaged++;
		line_begin(c);
		buf_printf(&c->line, "%llu:%llu makes no sense",
		    (unsigned long long)s->number, (unsigned long long)at);
		line_end(c);
		return SPOOL_FINE;
	case APPLY_FOREIGN:
		err_set("a record of type %u is not known to this version",
		    r->type);
		return SPOOL_FOREIGN;
	case APPLY_NO_MEMORY:
		break;
	}
	err_set("no memory for the messages in the log");
	return SPOOL_DISK;
}

static void
check_follow(struct checking *c, const struct segment *s,
    const struct scan *scan)
{
	if (scan->records == 0)
		return;
	if (c->sequence != 0 && scan->first_sequence > c->sequence + 1) {
		c->check->damaged++;
		line_begin(c);
		buf_printf(&c->line, "%llu: %llu records are missing before it",
		    (unsigned long long)s->number, (unsigned long long)
		    (scan->first_sequence - c->sequence - 1));
		line_end(c);
	}
	c->sequence = scan->sequence;
}

static yields enum spool_trouble
check_segment(struct checking *c, struct segment *s)
{
	enum spool_trouble trouble = SPOOL_FINE;
	enum walk_result got;
	struct record r;
	struct walk w;

	must(c->spool->is_read_only);
	if (walk_open(&w, s, s->size, true) != 0)
		return SPOOL_DISK;
	while (trouble == SPOOL_FINE && (got = walk_next(&w, &r)) != WALK_END) {
		if (got == WALK_DAMAGE)
			check_damage(c, s, &w.scan);
		else if (got == WALK_RECORD)
			trouble = check_record(c, &r, s, w.record_at);
		else
			trouble = SPOOL_DISK;
	}
	s->end = w.scan.from;
	if (c->is_dump && w.scan.to > w.scan.from) {
		line_begin(c);
		buf_printf(&c->line, "%llu:%llu the records end; octets up to "
		    "%llu are torn, or of an earlier turn",
		    (unsigned long long)s->number,
		    (unsigned long long)w.scan.from,
		    (unsigned long long)w.scan.to);
		line_end(c);
	}
	check_follow(c, s, &w.scan);
	c->check->segments++;
	walk_close(&w);
	return trouble;
}

/* A sidecar must say what its segment says. */
static yields void
check_sidecar(struct checking *c, const struct segment *s)
{
	enum walk_result got;
	uint64_t end;
	struct record r;
	struct walk w;

	got = walk_open_sidecar(&w, c->spool->path, s);
	end = w.end;
	while (got == WALK_RECORD)
		got = walk_next(&w, &r);
	if (w.fd >= 0 && (got != WALK_END || end != s->end)) {
		c->check->sidecars_bad++;
		line_begin(c);
		buf_printf(&c->line, "%llu: its sidecar is damaged",
		    (unsigned long long)s->number);
		line_end(c);
	}
	walk_close(&w);
}

static yields enum spool_trouble
check_log(struct checking *c)
{
	enum spool_trouble trouble = SPOOL_FINE;
	const struct log *l = &c->spool->log;

	for (size_t i = 0; i < l->n && trouble == SPOOL_FINE; i++) {
		if (l->segments[i] == NULL) {
			c->check->damaged++;
			line_begin(c);
			buf_printf(&c->line, "%llu: the segment is missing",
			    (unsigned long long)(l->first + i));
			line_end(c);
			continue;
		}
		trouble = check_segment(c, l->segments[i]);
		if (trouble == SPOOL_FINE)
			check_sidecar(c, l->segments[i]);
	}
	return trouble;
}

/* What was met before any segment was read. */
static void
check_directory(struct checking *c)
{
	uint64_t n = c->spool->stats.damaged;

	c->check->damaged += n;
	if (n == 0)
		return;
	line_begin(c);
	buf_printf(&c->line, "both superblocks are lost, or segments are not as "
	    "long as they were made: %llu", (unsigned long long)n);
	line_end(c);
}

/* A clean stop wrote down which record was the last. */
static void
check_end(struct checking *c)
{
	const struct super *super = &c->spool->super;

	if (!super->is_clean || super->sequence <= c->sequence)
		return;
	c->check->damaged++;
	line_begin(c);
	buf_printf(&c->line, "%llu records are missing at the end",
	    (unsigned long long)(super->sequence - c->sequence));
	line_end(c);
}

static void
check_live(struct checking *c)
{
	struct table_walk w = { .bucket = 0 };
	struct table_node *node;

	while ((node = table_walk(&c->spool->index.table, &w)) != NULL) {
		const struct kept *k = OWNER_OF(node, struct kept, node);

		line_begin(c);
		buf_printf(&c->line, "live %s recipients=%zu left=%zu "
		    "attempts=%u%s", id_print(kept_id(k)).text,
		    kept_recipients(k), kept_left(k), kept_attempts(k),
		    kept_is_held(k) ? " held" : "");
		if (kept_due(k).us > 0)
			buf_printf(&c->line, " due=%s",
			    wall_print(kept_due(k)).text);
		line_end(c);
	}
	c->check->live = c->spool->index.n;
}

/* ---- the whole ---- */

static yields enum spool_trouble
check_run(const char *path, struct check *check, bool is_dump)
{
	struct checking c = { .check = check, .is_dump = is_dump };
	enum spool_trouble trouble;
	struct look look;

	trouble = look_open(&look, path);
	if (trouble != SPOOL_FINE) {
		err_add("checking spool %s", path);
		return trouble;
	}
	c.spool = look.spool;
	check->was_clean = look.was_clean;
	check->is_in_use = look.is_in_use;
	check_directory(&c);
	arena_init(&c.arena, ENVELOPE_MOST);
	trouble = check_log(&c);
	if (trouble == SPOOL_FINE) {
		check_end(&c);
		check_live(&c);
	} else
		err_add("checking spool %s", path);
	arena_clear(&c.arena);
	look_close(&look);
	return trouble;
}

yields enum spool_trouble
spool_check(const char *path, struct check *check)
{
	return check_run(path, check, false);
}

yields enum spool_trouble
spool_dump(const char *path, struct check *check)
{
	return check_run(path, check, true);
}
