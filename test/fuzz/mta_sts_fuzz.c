/* MTA-STS: a policy that is read can be applied, and each name of it is one; of
 * records one counts, and its id is fit for a file. */
#include "fuzz.h"
#include "wire/mta_sts.h"

static void
check_policy(struct str in)
{
	static struct sts_policy p;

	if (sts_policy_read(in, &p) != NULL)
		return;
	must(p.max_age <= STS_AGE_MOST && p.n <= STS_MX_MOST);
	must(p.mode == STS_NONE || p.n > 0);
	for (size_t i = 0; i < p.n; i++) {
		struct str host = p.mx[i];

		must(host.n > 0 && str_is_printable(host));
		if (str_skip(&host, STR("*.")))
			must(!str_eq_icase(host, p.mx[i]));
		else
			must(sts_policy_has(&p, host));
	}
	(void)sts_policy_has(&p, str_sub(in, 0, 40));
}

FUZZ(in)
{
	struct str texts[3], rest = in, id;
	size_t n = 0;

	check_policy(in);
	while (n < 3 && rest.n > 0)
		texts[n++] = str_cut(&rest, '\n');
	if (!sts_record_choose(texts, n, &id))
		return;
	must(id.n > 0 && id.n <= STS_ID_MOST);
	for (size_t i = 0; i < id.n; i++)
		must(ascii_is_alnum(id.p[i]));
}
