/*
 * sqlite.h -- a database file, opened in either world.
 *
 * The promise: sqlite_open() gives a connection of SQLite's to the file at a
 * path; a file that it makes has mode 0600 and the owner that was asked for, and
 * is there after a power cut as soon as something was committed to it.  In the
 * simulated world the file is memory that lasts as long as the life.
 * Not for: statements (store/database.h).
 * Waiting: none yields, all block: on a helper thread, or where there is no core.
 * Memory: SQLite's; sqlite3_close() gives it back.
 * Errors: -1 and the trail; SQLITE_NO_FILE when there is none, and none may be
 * made.
 * Source: DESIGN.md law 4; sqlite.org/c3ref/open.html.
 */
#ifndef NM_FIBER_SQLITE_H
#define NM_FIBER_SQLITE_H

#include <stdbool.h>
#include <stdint.h>


struct sqlite3;

enum { SQLITE_NO_FILE = -2 };

/* Who a file that is made belongs to; only root gives files away. */
struct sqlite_owner { bool may_create; uint32_t uid, gid; };

int sqlite_open(const char *path, const struct sqlite_owner *,
    struct sqlite3 **out);
bool sqlite_exists(const char *path);

#endif
