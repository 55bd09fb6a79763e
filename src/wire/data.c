/*
 * The life of a reader (RFC 5321 4.1.1.4: only CRLF.CRLF ends the data):
 *
 * STATE     what was just read                 the next octet
 * LINE      CRLF, or nothing yet               '.' -> DOT, CR -> CR, else TEXT
 * TEXT      an octet of a line                 CR -> CR, else TEXT
 * CR        a CR, held back                    LF -> LINE (CRLF goes out), else
 *                                              it was bare -> TEXT
 * DOT       CRLF "." with the dot held back    CR -> DOT_CR, else it was
 *                                              stuffed and falls -> TEXT
 * DOT_CR    CRLF "." CR, both held back        LF -> the end, else the dot falls
 *                                              and the CR was bare -> TEXT
 *
 * A bare LF leads to TEXT, never to LINE, where dots frame: what follows it cannot
 * be the dot that ends the data.  data_run() takes the common case, whole canonical lines; the
 * machine takes one octet where something is special.  A writer knows LINE,
 * TEXT and CR only, and so do chunks.
 */
#include "wire/data.h"

enum { LINE, TEXT, CR, DOT, DOT_CR };

/* data_run() looks no further at a time, so that a hostile mixture of endings
 * costs a bounded number of looks per octet. */
enum { WINDOW = 1024 };

static const struct str crlf = STR_INIT("\r\n");

static void
lines_end(struct data_lines *l)
{
	if (l->now > l->longest)
		l->longest = l->now;
	l->was_empty = l->now == 0;
	l->now = 0;
}

enum dots { DOTS_FRAME, DOTS_PLAIN };

/* How many octets at the front of s, which holds no NUL, need nothing done: up
 * to a dot that begins a line (where they frame), an ending that is not CRLF, or a CR whose LF is
 * not in sight. */
static size_t
lines_run(struct str s, unsigned char *state, struct data_lines *l,
    enum dots dots)
{
	size_t i = 0;

	while (i < s.n && !(*state == LINE && s.p[i] == '.' &&
	    dots == DOTS_FRAME)) {
		struct str rest = str_sub(s, i, s.n);
		size_t lf = str_find(rest, '\n');
		size_t cr = str_find(str_sub(rest, 0, lf), '\r');

		l->now += cr;
		i += cr;
		if (cr > 0)
			*state = TEXT;
		if (lf < rest.n && cr + 1 == lf) {
			lines_end(l);
			i += 2;
			*state = LINE;
		} else if (cr < rest.n)
			break;
	}
	return i;
}

/* The same for any s, block by block. */
static size_t
data_run(struct str s, unsigned char *state, struct data_lines *l,
    enum dots dots)
{
	size_t done = 0;

	while (done < s.n) {
		struct str block = str_sub(s, done, WINDOW);
		struct str clean = str_sub(block, 0, str_find(block, '\0'));
		size_t n = lines_run(clean, state, l, dots);

		done += n;
		/* A CR may only have lost sight of its LF: look once more. */
		if (n == 0 || (n < block.n && s.p[done] != '\r'))
			break;
	}
	return done;
}

static bool
has_8bit(struct str s)
{
	uint64_t word, any = 0;
	size_t i = 0;

	for (; i + sizeof word <= s.n; i += sizeof word) {
		memcpy(&word, s.p + i, sizeof word);
		any |= word;
	}
	for (; i < s.n; i++)
		any |= (unsigned char)s.p[i] & 0x80u;
	return (any & UINT64_C(0x8080808080808080)) != 0;
}

/* ---- reading ---- */

void
data_reader_init(struct data_reader *r, bool normalize)
{
	*r = (struct data_reader){ .state = LINE, .normalize = normalize };
}

void
data_reader_init_chunks(struct data_reader *r, bool normalize, bool is_binary)
{
	*r = (struct data_reader){ .state = LINE, .normalize = normalize,
		.is_chunked = true, .is_binary = is_binary };
}

static void
reader_fault(struct data_reader *r, unsigned fault)
{
	r->faults |= fault;
	if (!r->normalize || fault == DATA_NUL)
		r->stopped = true;
}

/* A CR that no LF follows; what it becomes. */
static struct str
reader_bare_cr(struct data_reader *r)
{
	reader_fault(r, DATA_BARE_CR);
	r->state = TEXT;
	r->lines.now++;
	return STR(" ");
}

/* One octet in LINE or TEXT where data_run() stopped. */
static struct str
reader_begin(struct data_reader *r, char c)
{
	if (c == '.' && !r->is_chunked) {
		r->state = DOT;
		return STR_NONE;
	}
	if (c == '\r') {
		r->state = CR;
		return STR_NONE;
	}
	r->state = TEXT;
	if (c == '\n') {
		/* forgiven, it ends the line; but no dot behind it is first */
		if (r->is_chunked)
			r->state = LINE;
		reader_fault(r, DATA_BARE_LF);
		lines_end(&r->lines);
		return crlf;
	}
	reader_fault(r, DATA_NUL);
	r->lines.now++;
	return STR_NONE;
}

/* One step of the machine: takes one octet off *in, or none when the octet is
 * to be seen again in another state. */
static struct str
reader_step(struct data_reader *r, struct str *in)
{
	char c = in->p[0];

	if (r->state == DOT && c != '\r') {
		r->state = TEXT;
		return STR_NONE;
	}
	if ((r->state == CR || r->state == DOT_CR) && c != '\n')
		return reader_bare_cr(r);
	*in = str_sub(*in, 1, in->n);
	if (r->state == CR) {
		lines_end(&r->lines);
		r->state = LINE;
		return crlf;
	}
	if (r->state == DOT)
		r->state = DOT_CR;
	else if (r->state == DOT_CR)
		r->ended = true;
	else
		return reader_begin(r, c);
	return STR_NONE;
}

static struct str
reader_take(struct data_reader *r, struct str *in, size_t n)
{
	struct str run = str_sub(*in, 0, n);

	*in = str_sub(*in, run.n, in->n);
	if ((r->faults & DATA_8BIT) == 0 && has_8bit(run))
		r->faults |= DATA_8BIT;
	return run;
}

/* What needs nothing done, off the front of *in. */
static struct str
reader_run(struct data_reader *r, struct str *in)
{
	struct str all = *in;

	if (r->state != LINE && r->state != TEXT)
		return STR_NONE;
	if (r->is_binary) {	/* not beyond the line: the body may begin */
		all = str_sub(all, 0, WINDOW);
		all = str_sub(all, 0, str_find(all, '\n') + 1);
	}
	return reader_take(r, in, data_run(all, &r->state, &r->lines,
	    r->is_chunked ? DOTS_PLAIN : DOTS_FRAME));
}

/* The next octets, whatever they are, of what is counted: RFC 3030 3 for what
 * is binary; and what is refused is not looked at any more. */
static struct str
reader_pass(struct data_reader *r, struct str *in)
{
	if (!r->is_chunked || !(r->stopped || r->in_body))
		return STR_NONE;
	return reader_take(r, in, in->n);
}

bool
data_read(struct data_reader *r, struct str *in, struct str *out)
{
	while (in->n > 0 && !r->ended) {
		*out = reader_pass(r, in);
		if (out->n == 0)
			*out = reader_run(r, in);
		if (out->n == 0 && in->n > 0)
			*out = reader_step(r, in);
		if (r->is_binary && r->state == LINE && r->lines.was_empty)
			r->in_body = true;
		if (out->n > 0 && !r->stopped) {
			r->octets += out->n;
			return true;
		}
	}
	*out = STR_NONE;
	return false;
}

struct str
data_read_end(struct data_reader *r)
{
	struct str end = STR_NONE;

	if (r->state == CR)
		reader_fault(r, DATA_BARE_CR);
	if (r->state != LINE && !r->in_body && !r->stopped)
		end = crlf;
	if (end.n > 0)
		lines_end(&r->lines);
	r->ended = true;
	r->octets += end.n;
	return end;
}

/* ---- writing ---- */

void
data_writer_init(struct data_writer *w)
{
	*w = (struct data_writer){ .state = LINE };
}

/* One octet where data_run() stopped; what goes out for it. */
static struct str
writer_step(struct data_writer *w, struct str *in)
{
	char c = in->p[0];

	if (w->state == LINE && c == '.') {
		w->state = TEXT;	/* RFC 5321 4.5.2: one more dot */
		return STR(".");
	}
	*in = str_sub(*in, 1, in->n);
	if (w->state == CR && c == '\n') {
		w->state = LINE;
		return crlf;
	}
	if (w->state != CR && c == '\r')
		w->state = CR;
	else
		w->broken = true;
	return STR_NONE;
}

bool
data_write(struct data_writer *w, struct str *in, struct str *out)
{
	struct data_lines unused = { 0 };

	while (in->n > 0 && !w->broken) {
		*out = STR_NONE;
		if (w->state != CR) {
			*out = str_sub(*in, 0, data_run(*in, &w->state,
			    &unused, DOTS_FRAME));
			*in = str_sub(*in, out->n, in->n);
		}
		if (out->n == 0)
			*out = writer_step(w, in);
		if (out->n > 0) {
			w->octets += out->n;
			return true;
		}
	}
	*out = STR_NONE;
	return false;
}

struct str
data_write_end(struct data_writer *w)
{
	struct str end;

	if (w->state == CR)
		w->broken = true;
	if (w->broken)
		return STR_NONE;
	end = w->state == LINE ? STR(".\r\n") : STR("\r\n.\r\n");
	w->octets += end.n;
	return end;
}
