/* main.c -- nightmail: one program, many verbs. */
#include "app/master.h"

#include <stdio.h>
#include <sysexits.h>

#define DEFAULT_CONFIG "/etc/nightmail/nightmail.yaml"

int
main(int argc, char **argv)
{
	struct master_options o = { .config = STR(DEFAULT_CONFIG),
		.is_caged = true };

	if (argc > 2)
		o.config = str_of(argv[2]);
	return master_run(&o);
}
