#include "fiber/process.h"

#include "fiber/clock.h"
#include "fiber/offload.h"
#include "fiber/world.h"

#include <errno.h>

struct asking {
	int socket, fd;
	struct str packet;
	void *reply;
	size_t room;
	int64_t wait_ns;
};

static int
process_do_ask(void *arg)
{
	struct asking *a = arg;

	return world_process_ask(a->socket, a->packet, a->fd, a->reply,
	    a->room, a->wait_ns);
}

yields int
process_ask(int socket, struct str packet, int fd, void *reply, size_t room,
    struct mono deadline)
{
	struct asking a = { socket, fd, packet, reply, room,
		deadline.ns - clock_mono().ns };

	return a.wait_ns <= 0 ? -ETIMEDOUT : offload_patient(process_do_ask, &a);
}

void
process_hurry(void)
{
	world_process_hurry();
}
