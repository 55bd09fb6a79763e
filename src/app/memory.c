#include "app/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { LOCKED_LEAST = 192 * 1024 * 1024, ROOM_LATER = 8 * 1024 * 1024 };

/* Room for keys that are made later is there before it is locked. */
static void
memory_make_room(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 2 * ROOM_LATER);
	(void)mallopt(M_TRIM_THRESHOLD, 2 * ROOM_LATER);
	free(malloc(ROOM_LATER));
}

/* Not in swap.  Who is root lifts the limit; another has to have room in it, since
 * with MCL_FUTURE what is beyond it cannot be allocated any more. */
void
memory_lock(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	memory_make_room();
	if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 &&
	    getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_MEMLOCK, &limit);
	}
	if (limit.rlim_cur >= LOCKED_LEAST &&
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
		return;
	if (mlockall(MCL_CURRENT | MCL_ONFAULT) != 0)
		fprintf(stderr, "nightmail: private keys may come into swap: this "
		    "user may lock %llu octets of memory (ulimit -l)\n",
		    (unsigned long long)limit.rlim_cur);
}

/* In no core dump, and out of sight of others of the same uid. */
void
memory_hide(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}
