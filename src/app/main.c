/* main.c -- nightmail: one program, many commands, and some names. */
#include "app/master.h"
#include "cli/cli.h"
#include "cli/sendmail.h"

static int
serve(struct str config, bool is_caged)
{
	struct master_options o = { .config = config, .is_caged = is_caged };

	return master_run(&o);
}

int
main(int argc, char **argv)
{
	if (sendmail_is(argv[0]))
		return sendmail_main(argc, argv);
	if (argc > 1 && sendmail_is(argv[1]))
		return sendmail_main(argc - 1, argv + 1);
	return cli_main(argc, argv, serve);
}
