/*
 * test_store.h -- a new database for each test.
 *
 * The promise: store_begin() opens one that nobody had before, and an arena;
 * store_end() closes both.
 * Not for: the server.
 * Waiting: none.
 * Memory: static, and the arena.
 * Errors: fail the test.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_STORE_TEST_STORE_H
#define NM_STORE_TEST_STORE_H

#include "base/arena.h"
#include "store/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct database db;
static struct arena arena;

static inline int
store_begin(void **state)
{
	static const struct sqlite_owner us = { .may_create = true };
	static int n;
	static char url[64];

	(void)state;
	snprintf(url, sizeof url, "sqlite:/state-%d.db", n++);
	arena_init(&arena, 1 << 20);
	return database_open(&db, str_of(url), &us);
}

static inline int
store_end(void **state)
{
	(void)state;
	database_close(&db);
	arena_clear(&arena);
	return 0;
}

#endif
