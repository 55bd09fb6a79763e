/*
 * database.h -- what operators create, in one SQLite file.
 *
 * The promise: what a change returned 0 for is on disk (WAL, synchronous FULL);
 * several processes may have the file open, the server and the commands; all
 * changes inside database_together() happen or none does.  A file of an older
 * version is brought to ours by the steps of migration.def, in one transaction;
 * one of a newer version is refused.  A new file belongs to whom it is said to,
 * mode 0600.
 * Not for: messages and events (spool/), or anything on a message's way.
 * Waiting: none yields, all block: on a helper thread, one caller at a time.
 * Memory: struct database is the caller's; SQLite has its own.  Slices of a row
 * are good until its function returns.
 * Errors: -1 and the trail; DATABASE_ABSENT when there is no file;
 * DATABASE_TAKEN when a name is taken already.
 * Source: sqlite.org/wal.html, pragma.html.  Statements (statement.def) are
 * named, written once, and in the SQL that PostgreSQL has too: another engine
 * is another database.c.
 */
#ifndef NM_STORE_DATABASE_H
#define NM_STORE_DATABASE_H

#include "base/str.h"
#include "fiber/sqlite.h"

struct sqlite3_stmt;

enum { DATABASE_ABSENT = -2, DATABASE_TAKEN = -3, DATABASE_VALUES = 16 };

enum statement {
#define STATEMENT(name, sql) STATEMENT_##name,
#include "store/statement.def"
#undef STATEMENT
	STATEMENTS
};

struct database {
	struct sqlite3 *handle;		/* NULL: not open */
	struct sqlite3_stmt *prepared[STATEMENTS];
	struct sqlite3_stmt *row;	/* at which database_ask() stands */
};

/* "sqlite:/path": the path, or STR_NONE. */
struct str database_path(struct str url);

/* 0, -1 or DATABASE_ABSENT (may_create false).  A whole check of the file is
 * part of it. */
int database_open(struct database *, struct str url,
    const struct sqlite_owner *);
void database_close(struct database *);		/* open or not */
/* Is there a file? */
bool database_exists(struct str url);

/* A value for $1, $2 ... */
enum value_kind { VALUE_NUMBER, VALUE_TEXT, VALUE_BYTES };
struct database_value {
	enum value_kind kind;
	int64_t number;
	struct str text;		/* BYTES too */
};
#define DATABASE_NUMBER(i) \
	((struct database_value){ VALUE_NUMBER, (i), { NULL, 0 } })
#define DATABASE_TEXT(s) ((struct database_value){ VALUE_TEXT, 0, (s) })
#define DATABASE_BYTES(s) ((struct database_value){ VALUE_BYTES, 0, (s) })

/* Run it; each row goes to row(), which ends it by anything but 0.  How many
 * rows were changed (or given), -1, or DATABASE_TAKEN. */
int64_t database_ask(struct database *, enum statement,
    const struct database_value *values, size_t n,
    int (*row)(void *arg, const struct database *), void *arg);

/* Inside row(): columns from 0; octets are text, too. */
int64_t database_number(const struct database *, int column);
struct str database_text(const struct database *, int column);

/* All of fn's changes, or (when it is not 0) none.  fn's result, or -1. */
int database_together(struct database *, int (*fn)(void *), void *arg);

#endif
