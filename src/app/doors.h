/*
 * doors.h -- the listening sockets, bound by master and kept across workers.
 *
 * The promise: doors_open() binds every address of a configuration once for
 * each core (SO_REUSEPORT), keeping those that were bound already, so that a
 * reload or a dead worker loses no waiting client.  Doors that the new
 * configuration does not name are closed by doors_prune(), after the worker
 * swapped.  An address at which the service manager listens for us is not bound
 * but taken from it: one socket for all cores, as often as a configuration wants
 * it.
 * Not for: accepting (app/accept.c in the worker).
 * Waiting: none.
 * Memory: at most DOORS_MOST, in the struct.
 * Errors: -1 and the trail ("bind 192.0.2.1 port 25: Address already in use"),
 * also when the service manager listens where no listener is, or another;
 * what was new is closed again.
 * Source: DESIGN.md sections 3 and 7; socket(7), SO_REUSEPORT; systemd.socket(5).
 */
#ifndef NM_APP_DOORS_H
#define NM_APP_DOORS_H

#include "app/systemd.h"
#include "fiber/core.h"
#include "policy/config.h"

enum { DOORS_MOST = 64 };

struct door {
	struct address at;		/* as configured; port 0: any */
	unsigned n_fds;			/* one per core */
	int fds[CORES_MOST];
	bool is_wanted, is_new;
};

struct doors {
	size_t n;
	struct door list[DOORS_MOST];
	const struct systemd_sockets *given;	/* or NULL */
};

int doors_open(struct doors *, const struct config *, unsigned cores);
void doors_undo(struct doors *);	/* close what the last open made */
void doors_prune(struct doors *);	/* close what it did not want */
void doors_close(struct doors *);

/* "192.0.2.1 25", "2001:db8::1 25": how a door is called between processes. */
struct door_name { char text[sizeof(struct address_text) + 8]; };
struct door_name door_name(const struct address *);

#endif
