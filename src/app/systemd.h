/*
 * systemd.h -- a word to the service manager.
 *
 * The promise: systemd_tell("READY=1") reaches whoever started us with
 * NOTIFY_SOCKET; without one it does nothing.
 * Not for: sockets that systemd opens.
 * Waiting: none.
 * Memory: none.
 * Errors: none: who does not listen does not hear.
 * Source: sd_notify(3).
 */
#ifndef NM_APP_SYSTEMD_H
#define NM_APP_SYSTEMD_H

void systemd_tell(const char *state);

#endif
