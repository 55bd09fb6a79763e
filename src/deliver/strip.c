/*
 * STATE      what is true at the next octet
 * START      a line of the header begins; the field before it stays
 * START_CUT  the same; the field before it was cut out
 * NAME       the line may be a Return-Path; what is seen of it is held back
 * KEEP       inside a line that stays
 * CUT        inside a line that is cut out
 * BODY       the empty line has come
 */
#include "deliver/strip.h"

#include "base/must.h"

static const struct str strip_name = STR_INIT("return-path");

void
strip_begin(struct strip *s)
{
	*s = (struct strip){ .state = STRIP_START };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static enum strip_state
line_begin(enum strip_state was, char c)
{
	if (is_blank(c))
		return was == STRIP_START_CUT ? STRIP_CUT : STRIP_KEEP;
	return c == '\r' || c == '\n' ? STRIP_BODY : STRIP_NAME;
}

/* With one more octet: may it still be the name? */
static bool
name_goes_on(const struct strip *s, char c)
{
	if (s->n < strip_name.n)
		return ascii_lower(c) == strip_name.p[s->n];
	return is_blank(c) && s->n < STRIP_HELD;
}

static void
name_step(struct strip *s, struct str *in)
{
	while (in->n > 0 && name_goes_on(s, in->p[0])) {
		s->held[s->n++] = in->p[0];
		*in = str_sub(*in, 1, in->n);
	}
	if (in->n == 0)
		return;
	if (s->n >= strip_name.n && in->p[0] == ':') {
		s->state = STRIP_CUT;
		s->n = 0;
	} else
		s->state = STRIP_KEEP;
}

/* Through the end of this line, or all there is. */
static struct str
line_take(struct strip *s, struct str *in, enum strip_state next)
{
	size_t lf = str_find(*in, '\n');
	struct str line = str_sub(*in, 0, lf + 1);

	if (lf < in->n)
		s->state = next;
	*in = str_sub(*in, line.n, in->n);
	return line;
}

struct str
strip_end(struct strip *s)
{
	struct str held = { s->held, s->n };

	must(s->n <= STRIP_HELD);
	s->n = 0;
	return held;
}

bool
strip_next(struct strip *s, struct str *in, struct str *out)
{
	while (in->n > 0) {
		switch (s->state) {
		case STRIP_START:
		case STRIP_START_CUT:
			s->state = line_begin(s->state, in->p[0]);
			continue;
		case STRIP_NAME:
			name_step(s, in);
			continue;
		case STRIP_KEEP:
			*out = s->n > 0 ? strip_end(s) :
			    line_take(s, in, STRIP_START);
			return true;
		case STRIP_CUT:
			(void)line_take(s, in, STRIP_START_CUT);
			continue;
		case STRIP_BODY:
			*out = *in;
			*in = str_sub(*in, in->n, 0);
			return true;
		}
	}
	return false;
}
