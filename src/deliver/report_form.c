/*
 * Rows, one after the other:
 *
 *	u8  enum report_rows
 *	    for each column of such rows (store/report.def), in order:
 *	    NUMBER: u64, at most INT64_MAX
 *	    TEXT:   u16 n, at most REPORT_TEXT; n octets of printable UTF-8
 *
 * All numbers little endian.  Rows of one kind come first; one head is the last.
 */
#include "deliver/report_form.h"

#include "base/must.h"
#include "base/num.h"
#include "store/report.h"

bool
report_form_put(struct buf *b, enum report_rows which,
    const struct report_row *row)
{
	size_t was = b->n, n;
	const struct report_column *c = report_columns(which, &n);

	buf_putc(b, (char)which);
	for (size_t i = 0; i < n; i++) {
		if (c[i].is_number) {
			must(row->v[i].number >= 0);
			buf_le64(b, (uint64_t)row->v[i].number);
			continue;
		}
		must(row->v[i].text.n <= REPORT_TEXT);
		buf_le16(b, (uint16_t)row->v[i].text.n);
		buf_put(b, row->v[i].text);
	}
	if (!b->full)
		return true;
	b->n = was;
	return false;
}

static bool
number_take(struct str *form, int64_t *out)
{
	uint64_t v;

	if (!take_le64(form, &v) || v > INT64_MAX)
		return false;
	*out = (int64_t)v;
	return true;
}

static bool
text_take(struct str *form, struct str *out)
{
	uint16_t n;

	return take_le16(form, &n) && take_bytes(form, n, out) &&
	    report_row_text_fits(*out);
}

int
report_form_next(struct str *form, enum report_rows *which,
    struct report_row *out)
{
	const struct report_column *c;
	unsigned kind;
	size_t n;

	if (form->n == 0)
		return 0;
	kind = (unsigned char)form->p[0];
	*form = str_sub(*form, 1, form->n);
	if (kind >= REPORT_ROWS_KINDS)
		return -1;
	*which = (enum report_rows)kind;
	*out = (struct report_row){ 0 };
	c = report_columns(*which, &n);
	for (size_t i = 0; i < n; i++)
		if (c[i].is_number ? !number_take(form, &out->v[i].number) :
		    !text_take(form, &out->v[i].text))
			return -1;
	return 1;
}
