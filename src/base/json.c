#include "base/json.h"

#include "base/must.h"
#include "base/utf8.h"

#include <stdio.h>
#include <time.h>

enum { CHAR_ROOM = 13 };	/* a surrogate pair, escaped, and a NUL */

void
json_begin(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
}

/* RFC 8259 7: characters beyond U+FFFF are escaped as a surrogate pair. */
static void
json_escaped(struct buf *out, uint32_t code)
{
	if (code > 0xffff) {
		code -= 0x10000;
		buf_printf(out, "\\u%04x", 0xd800u + (code >> 10));
		code = 0xdc00u + (code & 0x3ff);
	}
	buf_printf(out, "\\u%04x", code);
}

/* One character off s, as it stands between quotes. */
static void
json_char(struct buf *out, struct str *s)
{
	uint32_t code;
	size_t n = utf8_next(str_sub(*s, 0, UTF8_MOST), &code);

	if (n == 0) {
		buf_put(out, STR("\\ufffd"));
		n = 1;
	} else if (code == '"' || code == '\\')
		buf_printf(out, "\\%c", (char)code);
	else if (!utf8_is_visible(code))
		json_escaped(out, code);
	else
		buf_put(out, str_sub(*s, 0, n));
	*s = str_sub(*s, n, s->n);
}

static void
json_quote(struct buf *out, struct str s, size_t most)
{
	char room[CHAR_ROOM];
	size_t n = 0;

	buf_putc(out, '"');
	while (s.n > 0) {
		struct buf one = BUF_OF(room);

		json_char(&one, &s);
		must(!one.full);
		if (one.n > most - n)
			break;
		n += one.n;
		buf_put(out, buf_str(&one));
	}
	buf_putc(out, '"');
}

static void
json_lead(struct json *j, const char *key)
{
	if (j->depth > 0 && j->has_member[j->depth - 1])
		buf_putc(j->out, ',');
	if (j->depth > 0)
		j->has_member[j->depth - 1] = true;
	if (key != NULL) {
		json_quote(j->out, str_of(key), SIZE_MAX);
		buf_putc(j->out, ':');
	}
}

static void
json_open(struct json *j, const char *key, char bracket)
{
	json_lead(j, key);
	must(j->depth < JSON_DEPTH);
	j->has_member[j->depth++] = false;
	buf_putc(j->out, bracket);
}

static void
json_close(struct json *j, char bracket)
{
	must(j->depth > 0);
	j->depth--;
	buf_putc(j->out, bracket);
}

void
json_put_object(struct json *j, const char *key)
{
	json_open(j, key, '{');
}

void
json_end_object(struct json *j)
{
	json_close(j, '}');
}

void
json_put_array(struct json *j, const char *key)
{
	json_open(j, key, '[');
}

void
json_end_array(struct json *j)
{
	json_close(j, ']');
}

void
json_put_str(struct json *j, const char *key, struct str s)
{
	json_put_cut(j, key, s, SIZE_MAX);
}

void
json_put_cut(struct json *j, const char *key, struct str s, size_t most)
{
	json_lead(j, key);
	json_quote(j->out, s, most);
}

void
json_put_u64(struct json *j, const char *key, uint64_t v)
{
	json_lead(j, key);
	buf_put_u64(j->out, v);
}

void
json_put_i64(struct json *j, const char *key, int64_t v)
{
	json_lead(j, key);
	buf_printf(j->out, "%lld", (long long)v);
}

void
json_put_bool(struct json *j, const char *key, bool v)
{
	json_lead(j, key);
	buf_put(j->out, v ? STR("true") : STR("false"));
}

void
json_put_null(struct json *j, const char *key)
{
	json_lead(j, key);
	buf_put(j->out, STR("null"));
}

struct wall_text
wall_print(struct wall w)
{
	struct wall_text t = { "" };
	time_t s = (time_t)(w.us / US_PER_SECOND);
	struct tm tm;

	if (w.us < 0 || gmtime_r(&s, &tm) == NULL || tm.tm_year > 8099)
		return t;
	snprintf(t.text, sizeof t.text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100,
	    tm.tm_mday % 100, tm.tm_hour % 100, tm.tm_min % 100,
	    tm.tm_sec % 100, (int)(w.us / 1000 % 1000) % 1000);
	return t;
}

void
json_put_wall(struct json *j, const char *key, struct wall w)
{
	struct wall_text t = wall_print(w);

	if (t.text[0] == '\0')
		json_put_null(j, key);
	else
		json_put_str(j, key, str_of(t.text));
}
