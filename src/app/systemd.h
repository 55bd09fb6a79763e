/*
 * systemd.h -- talk with the service manager, and sockets from it.
 *
 * The promise: systemd_tell("READY=1") reaches whoever started us with
 * NOTIFY_SOCKET; without one it does nothing.  systemd_take() takes what a
 * service manager passed by LISTEN_FDS to this very process, once, and removes
 * the words of it from the environment; so does systemd_watchdog_ms().
 * Not for: telling a worker that is well from one that hangs (pulse.h).
 * Waiting: none.
 * Memory: struct systemd_sockets is a value; its descriptors stay open, so that
 * a reload may want again what another did without.
 * Errors: systemd_take(): -1 and the trail, which names the socket.  Who does
 * not listen does not hear: systemd_tell() has none.
 * Source: sd_notify(3); sd_listen_fds(3); sd_watchdog_enabled(3).
 */
#ifndef NM_APP_SYSTEMD_H
#define NM_APP_SYSTEMD_H

#include "fiber/net.h"

enum { SYSTEMD_SOCKETS = 64, SYSTEMD_NAME = 64 };

struct systemd_socket {
	int fd;
	struct address at;		/* where it is bound */
	bool is_dual;			/* of IPv6, and hears IPv4 too */
	char name[SYSTEMD_NAME];	/* FileDescriptorName=; "": none */
};

struct systemd_sockets {
	size_t n;
	struct systemd_socket list[SYSTEMD_SOCKETS];
};

int systemd_take(struct systemd_sockets *);
void systemd_close(struct systemd_sockets *);
/* At the start: closes what was inherited and is none of them. */
void systemd_shed_others(void);

/* Lines NAME=value; at most 512 octets. */
void systemd_tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* RELOADING=1 wants to know when; READY=1 is its end. */
void systemd_tell_reloading(void);
/* WATCHDOG=1 is wanted at least this often; 0: it is not. */
int64_t systemd_watchdog_ms(void);

#endif
