/*
 * sendmail.h -- the program called as sendmail, mailq or newaliases.
 *
 * The promise: sendmail_main() behaves as Postfix's commands of those names do
 * for cron, mailx, PHP, git and whoever else starts them: the same flags
 * (sendmail.def), the exit status of sysexits(3).  0 means that the server has
 * the message on disk for all its recipients; anything else, for none of them.
 * Not for: rights; the server asks the kernel who we are.
 * Waiting: blocks.
 * Memory: one arena.
 * Errors: 64 usage, 65 the message or an address, 67 no such user, 68 no such
 * host, 69 refused, 75 try again, 77 not allowed, 78 configuration.
 * Source: sendmail(1) of Postfix; PRODUCT.md A.1.
 */
#ifndef NM_CLI_SENDMAIL_H
#define NM_CLI_SENDMAIL_H

#include <stdbool.h>

/* Is it one of those names?  argv[0] may be a path. */
bool sendmail_is(const char *program);
int sendmail_main(int argc, char **argv);

#endif
