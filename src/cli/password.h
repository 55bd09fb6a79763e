/*
 * password.h -- a password from whoever sits there.
 *
 * The promise: password_ask() reads one line: from the terminal without showing
 * it, or from standard input where that is none.
 * Not for: secrets on the command line: everybody sees those.
 * Waiting: blocks.
 * Memory: the arena's; who asked wipes it.
 * Errors: -1 and the trail: no line came.
 * Source: termios(3).
 */
#ifndef NM_CLI_PASSWORD_H
#define NM_CLI_PASSWORD_H

#include "base/arena.h"

enum { PASSWORD_LINE = 1024 };

int password_ask(struct arena *, const char *prompt, struct str *out);

#endif
