/*
 * control_socket.h -- the Unix sockets that commands come to.
 *
 * The promise: control_socket_open() binds control.socket so that nobody but
 * root, the server's user and control.group can ever connect;
 * submit_socket_open() binds submit.socket for everybody of this machine.  Both
 * bind over what a server that died left there, and over nothing else.
 * Not for: answering (http/control.h and smtp/server.h, in the worker).
 * Waiting: blocks shortly on the file system.
 * Memory: a value.
 * Errors: -1 and the trail: another server answers there, something lies there
 * that is no socket, or the directory is missing.
 * Source: unix(7); PRODUCT.md A.1, C.
 */
#ifndef NM_APP_CONTROL_SOCKET_H
#define NM_APP_CONTROL_SOCKET_H

#include "policy/config.h"

#include <sys/un.h>

struct control_socket {
	int fd;				/* -1: none is wanted */
	struct sockaddr_un at;
};

int control_socket_open(struct control_socket *, const struct config *);
int submit_socket_open(struct control_socket *, const struct config *);
void control_socket_close(struct control_socket *);	/* and removes it */

#endif
