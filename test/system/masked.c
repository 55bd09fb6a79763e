/* The server, but for one entry of the lists of its sandbox: NIGHTMAIL_MASK as
 * "WORKER.accept4".  It is read before main(): who signs forgets the environment
 * before he enters his sandbox. */
#include "app/sandbox_mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char masked[100];

static void __attribute__((constructor))
masked_read(void)
{
	const char *s = getenv("NIGHTMAIL_MASK");

	if (s != NULL)
		(void)snprintf(masked, sizeof masked, "%s", s);
}

bool
sandbox_is_masked(const char *who, const char *name)
{
	size_t n = strlen(who);

	return strncmp(masked, who, n) == 0 && masked[n] == '.' &&
	    strcmp(masked + n + 1, name) == 0;
}
