/* The simulated world has one process: nobody is there to be asked. */
#include "fiber/world.h"

#include <errno.h>

void
world_process_hurry(void)
{
}

int
world_process_ask(int socket, struct str packet, int fd, void *reply,
    size_t room, int64_t wait_ns)
{
	(void)socket;
	(void)packet;
	(void)fd;
	(void)reply;
	(void)room;
	(void)wait_ns;
	return -EPIPE;
}
