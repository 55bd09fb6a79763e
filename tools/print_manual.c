/* print_manual -- nightmail.yaml(5), or with "schema" the JSON Schema, from the
 * table of keys.  tools/manual keeps doc/ by it. */
#include "policy/manual.h"

#include <stdio.h>

static void
line_print(struct show_lines *lines, struct str line)
{
	(void)lines;
	printf(STR_FMT"\n", STR_ARG(line));
}

int
main(int argc, char **argv)
{
	struct show_lines lines = { line_print };

	if (argc > 1 && str_eq(str_of(argv[1]), STR("schema")))
		manual_json_schema(&lines);
	else
		manual_page(&lines);
	return fflush(stdout) == 0 ? 0 : 1;
}
