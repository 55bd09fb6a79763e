#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void (*must_story)(void);

_Noreturn void
must_failed(const char *cond, const char *file, int line)
{
	void (*story)(void) = must_story;

	fprintf(stderr, "nightmail: bug: %s:%d: must(%s)\n", file, line, cond);
	must_story = NULL;	/* a bug in the story must not tell itself */
	if (story != NULL)
		story();
	abort();
}
