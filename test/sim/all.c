#include "scenario.h"

#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>

/* Keep sorted, please. */
static const struct scenario *const all[] = {
	&scenario_crash,
	&scenario_notes,
	&scenario_notes_unsynced,
	&scenario_spool,
	&scenario_spool_hasty,
	&scenario_walk,
};

static uint64_t
seeds_of_mode(struct str mode)
{
	if (str_eq(mode, STR("fast")))
		return 20;
	return str_eq(mode, STR("long")) ? 5000 : 200;
}

static int
scenario_try(const struct scenario *s, uint64_t first, uint64_t n)
{
	for (uint64_t seed = first; seed < first + n; seed++) {
		sim_begin(seed);
		if (!s->run(seed)) {
			printf("not ok %s: seed %ju\n", s->name,
			    (uintmax_t)seed);
			return 1;
		}
	}
	printf("ok %s\n# seeds %ju to %ju\n", s->name, (uintmax_t)first,
	    (uintmax_t)(first + n - 1));
	return 0;
}

int
main(int argc, char **argv)
{
	uint64_t first = 1, n = seeds_of_mode(str_of(getenv("CHECK_MODE")));
	int failed = 0;

	if (getenv("SEED") != NULL) {
		if (!parse_u64(str_of(getenv("SEED")), UINT64_MAX - 1, &first))
			return 64;
		n = 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		bool chosen = argc < 2;

		for (int k = 1; k < argc; k++)
			chosen |= str_has_prefix_icase(str_of(all[i]->name),
			    str_of(argv[k]));
		if (chosen)
			failed |= scenario_try(all[i], first, n);
	}
	return failed;
}
