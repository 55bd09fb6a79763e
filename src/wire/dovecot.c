#include "wire/dovecot.h"

#include "base/num.h"

static const struct dovecot_verb {
	struct str name;
	enum dovecot_kind kind;
	bool has_id;
} verbs[] = {
	{ STR_INIT("CONT"), DOVECOT_CONT, true },
	{ STR_INIT("DONE"), DOVECOT_DONE, false },
	{ STR_INIT("FAIL"), DOVECOT_FAIL, true },
	{ STR_INIT("MECH"), DOVECOT_MECH, false },
	{ STR_INIT("OK"), DOVECOT_OK, true },
	{ STR_INIT("VERSION"), DOVECOT_VERSION, true },
};

bool
dovecot_read(struct str line, struct dovecot_line *out)
{
	struct str verb = str_cut(&line, '\t'), id;
	uint64_t n = 0;

	*out = (struct dovecot_line){ .kind = DOVECOT_OTHER };
	if (verb.n == 0)
		return false;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (!str_eq(verb, verbs[i].name))
			continue;
		if (verbs[i].has_id) {
			id = str_cut(&line, '\t');
			if (!parse_u64(id, UINT32_MAX, &n))
				return false;
		}
		out->kind = verbs[i].kind;
	}
	out->id = (uint32_t)n;
	out->args = line;
	return true;
}

bool
dovecot_arg(struct str *args, struct str *name, struct str *value)
{
	struct str word;
	size_t at;

	if (args->n == 0)
		return false;
	word = str_cut(args, '\t');
	at = str_find(word, '=');
	*name = str_sub(word, 0, at);
	*value = at < word.n ? str_sub(word, at + 1, word.n) : STR_NONE;
	return true;
}

struct str
dovecot_find(struct str args, struct str name)
{
	struct str n, value;

	while (dovecot_arg(&args, &n, &value))
		if (str_eq(n, name))
			return value.p == NULL ? (struct str){ "", 0 } : value;
	return STR_NONE;
}

/* ---- escapes: \001 and a letter ---- */

static const struct { char octet, letter; } escapes[] = {
	{ '\0', '0' }, { '\001', '1' }, { '\t', 't' }, { '\r', 'r' },
	{ '\n', 'n' },
};

enum { ESCAPES = sizeof escapes / sizeof escapes[0] };

void
dovecot_escape(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		for (size_t k = 0; k < ESCAPES; k++) {
			if (escapes[k].octet == s.p[i]) {
				buf_putc(out, '\001');
				c = escapes[k].letter;
			}
		}
		buf_putc(out, c);
	}
}

bool
dovecot_unescape(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		size_t k = 0;

		if (s.p[i] != '\001') {
			buf_putc(out, s.p[i]);
			continue;
		}
		if (++i == s.n)
			return false;
		while (k < ESCAPES && escapes[k].letter != s.p[i])
			k++;
		if (k == ESCAPES)
			return false;
		buf_putc(out, escapes[k].octet);
	}
	return true;
}
