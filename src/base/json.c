#include "base/json.h"

#include "base/must.h"

#include <stdio.h>
#include <time.h>

void
json_begin(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
}

static void
json_escape(struct buf *out, struct str s)
{
	for (size_t n; s.n > 0; s = str_sub(s, n, s.n)) {
		unsigned char c = (unsigned char)s.p[0];

		n = str_utf8_char(s);
		if (n == 0) {
			buf_put(out, STR("\\ufffd"));
			n = 1;
		} else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else
			buf_put(out, str_sub(s, 0, n));
	}
}

static void
json_quote(struct buf *out, struct str s)
{
	buf_putc(out, '"');
	json_escape(out, s);
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
		json_quote(j->out, str_of(key));
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
json_object(struct json *j, const char *key)
{
	json_open(j, key, '{');
}

void
json_object_end(struct json *j)
{
	json_close(j, '}');
}

void
json_array(struct json *j, const char *key)
{
	json_open(j, key, '[');
}

void
json_array_end(struct json *j)
{
	json_close(j, ']');
}

void
json_str(struct json *j, const char *key, struct str s)
{
	json_lead(j, key);
	json_quote(j->out, s);
}

void
json_u64(struct json *j, const char *key, uint64_t v)
{
	json_lead(j, key);
	buf_put_u64(j->out, v);
}

void
json_i64(struct json *j, const char *key, int64_t v)
{
	json_lead(j, key);
	buf_printf(j->out, "%lld", (long long)v);
}

void
json_bool(struct json *j, const char *key, bool v)
{
	json_lead(j, key);
	buf_put(j->out, v ? STR("true") : STR("false"));
}

void
json_null(struct json *j, const char *key)
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
json_wall(struct json *j, const char *key, struct wall w)
{
	struct wall_text t = wall_print(w);

	if (t.text[0] == '\0')
		json_null(j, key);
	else
		json_str(j, key, str_of(t.text));
}
