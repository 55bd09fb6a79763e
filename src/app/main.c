/* main.c -- nightmail: one program, many commands. */
#include "app/master.h"
#include "cli/cli.h"

static int
serve(struct str config, bool is_caged)
{
	struct master_options o = { .config = config, .is_caged = is_caged };

	return master_run(&o);
}

int
main(int argc, char **argv)
{
	return cli_main(argc, argv, serve);
}
