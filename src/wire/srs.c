#include "wire/srs.h"

#include "base/must.h"

static const struct str separators = STR_INIT("=+-");

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

enum { SRS_BITS = 5, SRS_LETTERS = 32 };

bool
srs_is_meant(struct str local)
{
	if (!str_skip_icase(&local, STR("SRS0")) &&
	    !str_skip_icase(&local, STR("SRS1")))
		return false;
	return local.n > 0 && str_find(separators, local.p[0]) < separators.n;
}

/* What stands before the next "=", which must come. */
static bool
part_take(struct str *s, struct str *part)
{
	if (str_find(*s, '=') == s->n)
		return false;
	*part = str_cut(s, '=');
	return part->n > 0;
}

bool
srs_read(struct str local, struct srs *out)
{
	struct str rest = str_sub(local, 5, local.n);

	*out = (struct srs){ .stamp = STR_NONE };
	if (!srs_is_meant(local))
		return false;
	out->is_second = local.p[3] == '1';
	if (!part_take(&rest, &out->hash) ||
	    (!out->is_second && !part_take(&rest, &out->stamp)) ||
	    !part_take(&rest, &out->domain) || rest.n == 0)
		return false;
	out->local = rest;
	return !out->is_second ||
	    (rest.n > 1 && str_find(separators, rest.p[0]) < separators.n);
}

void
srs_write(const struct srs *srs, struct buf *out)
{
	must(srs->hash.n > 0 && srs->domain.n > 0 && srs->local.n > 0);
	must(srs->is_second == (srs->stamp.n == 0));
	buf_put(out, srs->is_second ? STR("SRS1=") : STR("SRS0="));
	buf_put(out, srs->hash);
	buf_putc(out, '=');
	if (!srs->is_second) {
		buf_put(out, srs->stamp);
		buf_putc(out, '=');
	}
	buf_put(out, srs->domain);
	buf_putc(out, '=');
	buf_put(out, srs->local);
}

void
srs_stamp_write(uint64_t day, struct buf *out)
{
	buf_putc(out, letters[day / SRS_LETTERS % SRS_LETTERS]);
	buf_putc(out, letters[day % SRS_LETTERS]);
}

/* Letters count in either case: hosts on the way may fold them. */
static bool
letter_read(char c, unsigned *value)
{
	char lower = ascii_lower(c);

	for (*value = 0; *value < SRS_LETTERS; ++*value)
		if (ascii_lower(letters[*value]) == lower)
			return true;
	return false;
}

bool
srs_stamp_read(struct str stamp, unsigned *day)
{
	unsigned high, low;

	if (stamp.n != SRS_STAMP || !letter_read(stamp.p[0], &high) ||
	    !letter_read(stamp.p[1], &low))
		return false;
	*day = high << SRS_BITS | low;
	must(*day < SRS_DAYS);
	return true;
}
