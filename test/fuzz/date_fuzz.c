/* Dates: what is read is written, and reads the same. */
#include "fuzz.h"
#include "wire/date.h"

FUZZ(in)
{
	struct date_text t;
	struct date a, b;

	if (!date_parse(in, &a))
		return;
	must(a.zone >= -5999 && a.zone <= 5999);
	t = date_print(a.at, a.zone);
	must(strlen(t.text) == 31 && date_parse(str_of(t.text), &b));
	must(a.at.us == b.at.us && a.zone == b.zone);
}
