#include "store/database.h"

#include "base/err.h"
#include "base/must.h"
#include "base/num.h"

#include <sqlite3.h>
#include <stdio.h>

enum { BUSY_MS = 5000, SQL_MOST = 128, PATH_ROOM = 1024 };

/* "NMdb" in the file's header: it is ours. */
enum { DATABASE_MARK = 0x4e4d6462 };

static const char *const statements[STATEMENTS] = {
#define STATEMENT(name, sql) [STATEMENT_##name] = sql,
#include "store/statement.def"
#undef STATEMENT
};

static const struct migration { int64_t version; const char *sql; }
migrations[] = {
#define MIGRATION(version, sql) { version, sql },
#include "store/migration.def"
#undef MIGRATION
};

enum { MIGRATIONS = sizeof migrations / sizeof *migrations };

static int
database_trouble(struct database *d, const char *doing)
{
	return err_set("database: %s: %s", doing, sqlite3_errmsg(d->handle));
}

/* ---- a file ---- */

struct str
database_path(struct str url)
{
	if (!str_skip(&url, STR("sqlite:")) || url.n == 0 || url.p[0] != '/')
		return STR_NONE;
	return url;
}

bool
database_exists(struct str url)
{
	char path[PATH_ROOM];

	return str_cstr(database_path(url), path, sizeof path) &&
	    path[0] != '\0' && sqlite_exists(path);
}

static int
number_keep(void *arg, int n, char **values, char **names)
{
	struct str text = str_of(values[0]);
	bool is_negative = str_skip(&text, STR("-"));
	uint64_t v = 0;

	(void)n;
	(void)names;
	if (!parse_u64(text, INT64_MAX, &v))
		v = 0;
	*(int64_t *)arg = is_negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

static int
pragma_number(struct database *d, const char *sql, int64_t *out)
{
	*out = 0;
	return sqlite3_exec(d->handle, sql, number_keep, out, NULL) == SQLITE_OK
	    ? 0 : database_trouble(d, sql);
}

/* WAL outlives the connection, the rest does not. */
static int
database_tune(struct database *d)
{
	static const char *const pragmas[] = {
		"PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON",
		"PRAGMA temp_store = MEMORY", "PRAGMA foreign_keys = ON",
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
		"PRAGMA secure_delete = ON",
	};
	int keep = 1;

	(void)sqlite3_busy_timeout(d->handle, BUSY_MS);
	(void)sqlite3_db_config(d->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* The server may not make them anew in its cage. */
	(void)sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_PERSIST_WAL,
	    &keep);
	for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++)
		if (sqlite3_exec(d->handle, pragmas[i], NULL, NULL, NULL) !=
		    SQLITE_OK)
			return database_trouble(d, pragmas[i]);
	return 0;
}

static int
result_look(void *arg, int n, char **values, char **names)
{
	struct str first = str_of(values[0]);

	(void)n;
	(void)names;
	if (str_eq(first, STR("ok")))
		return 0;
	err_set(STR_FMT, STR_ARG(str_sub(first, 0, 160)));
	*(bool *)arg = true;
	return 1;
}

/* Everything of it is read: damage is found before somebody relies on it. */
static int
database_check(struct database *d, const char *path)
{
	static const char *const checks[] = { "PRAGMA integrity_check(1)",
		"PRAGMA foreign_key_check" };
	bool is_damaged = false;

	for (size_t i = 0; i < 2 && !is_damaged; i++)
		if (sqlite3_exec(d->handle, checks[i], result_look, &is_damaged,
		    NULL) != SQLITE_OK && !is_damaged) {
			err_set("%s", sqlite3_errmsg(d->handle));
			is_damaged = true;
		}
	if (!is_damaged)
		return 0;
	return err_add("the database %s is damaged; stop the server, keep the "
	    "file, and put a backup in its place or what `sqlite3 %s .recover' "
	    "saves of it", path, path);
}

/* ---- versions ---- */

static int
version_set(struct database *d, int64_t version)
{
	char sql[SQL_MOST];

	snprintf(sql, sizeof sql, "PRAGMA user_version = %lld; "
	    "PRAGMA application_id = %d", (long long)version, DATABASE_MARK);
	return sqlite3_exec(d->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 :
	    database_trouble(d, "set its version");
}

struct migrating { struct database *database; const char *path; };

/* Inside a transaction: whoever came first did it for the others. */
static int
database_migrate(void *arg)
{
	struct migrating *m = arg;
	struct database *d = m->database;
	int64_t version, mark;

	if (pragma_number(d, "PRAGMA user_version", &version) != 0 ||
	    pragma_number(d, "PRAGMA application_id", &mark) != 0)
		return -1;
	if (version != 0 && mark != DATABASE_MARK)
		return err_set("%s is a database of another program", m->path);
	if (version > migrations[MIGRATIONS - 1].version)
		return err_set("%s was written by a newer nightmail (version "
		    "%lld, ours is %lld): run that one, or put a backup in its "
		    "place", m->path, (long long)version,
		    (long long)migrations[MIGRATIONS - 1].version);
	for (size_t i = 0; i < MIGRATIONS; i++)
		if (migrations[i].version > version && (sqlite3_exec(d->handle,
		    migrations[i].sql, NULL, NULL, NULL) != SQLITE_OK ||
		    version_set(d, migrations[i].version) != 0))
			return err_add("bring %s to version %lld", m->path,
			    (long long)migrations[i].version);
	return 0;
}

static int
database_is_ready(struct database *d, const char *path)
{
	struct migrating m = { d, path };
	int64_t version;

	if (database_tune(d) != 0 || database_check(d, path) != 0 ||
	    pragma_number(d, "PRAGMA user_version", &version) != 0)
		return -1;
	return version == migrations[MIGRATIONS - 1].version ? 0 :
	    database_together(d, database_migrate, &m);
}

int
database_open(struct database *d, struct str url,
    const struct sqlite_owner *owner)
{
	char path[PATH_ROOM];
	int rc;

	*d = (struct database){ .handle = NULL };
	if (!str_cstr(database_path(url), path, sizeof path) || path[0] == '\0')
		return err_set("'"STR_FMT"' is not sqlite:/ and a path",
		    STR_ARG(url));
	rc = sqlite_open(path, owner, &d->handle);
	if (rc != 0)
		return rc == SQLITE_NO_FILE ? DATABASE_ABSENT : -1;
	if (database_is_ready(d, path) == 0)
		return 0;
	database_close(d);
	return -1;
}

void
database_close(struct database *d)
{
	for (size_t i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(d->prepared[i]);
	if (d->handle != NULL)
		must(sqlite3_close(d->handle) == SQLITE_OK);
	*d = (struct database){ .handle = NULL };
}

/* ---- statements ---- */

static int
value_bind(struct sqlite3_stmt *s, int at, const struct database_value *v)
{
	switch (v->kind) {
	case VALUE_NUMBER:
		return sqlite3_bind_int64(s, at, v->number);
	case VALUE_TEXT:
		return sqlite3_bind_text64(s, at, v->text.n == 0 ? "" :
		    v->text.p, v->text.n, SQLITE_STATIC, SQLITE_UTF8);
	case VALUE_BYTES:
		break;
	}
	return v->text.n == 0 ? sqlite3_bind_zeroblob(s, at, 0) :
	    sqlite3_bind_blob64(s, at, v->text.p, v->text.n, SQLITE_STATIC);
}

static struct sqlite3_stmt *
statement_prepare(struct database *d, enum statement which,
    const struct database_value *values, size_t n)
{
	struct sqlite3_stmt **s = &d->prepared[which];

	if (*s == NULL && sqlite3_prepare_v3(d->handle, statements[which], -1,
	    SQLITE_PREPARE_PERSISTENT, s, NULL) != SQLITE_OK) {
		(void)database_trouble(d, statements[which]);
		return NULL;
	}
	must(sqlite3_bind_parameter_count(*s) == (int)n);
	for (size_t i = 0; i < n; i++)
		if (value_bind(*s, (int)i + 1, &values[i]) != SQLITE_OK) {
			(void)database_trouble(d, statements[which]);
			return NULL;
		}
	return *s;
}

static int64_t
statement_run(struct database *d, struct sqlite3_stmt *s,
    int (*row)(void *arg, const struct database *), void *arg)
{
	int64_t n = 0;
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct sqlite3_stmt *outer = d->row;

		d->row = s;
		n++;
		rc = row == NULL ? 0 : row(arg, d);
		d->row = outer;
		if (rc != 0)
			return n;
	}
	if (rc == SQLITE_DONE)
		return sqlite3_column_count(s) > 0 ? n :
		    sqlite3_changes64(d->handle);
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		return DATABASE_TAKEN;
	return database_trouble(d, sqlite3_sql(s));
}

int64_t
database_ask(struct database *d, enum statement which,
    const struct database_value *values, size_t n,
    int (*row)(void *arg, const struct database *), void *arg)
{
	struct sqlite3_stmt *s;
	int64_t rc;

	must(d->handle != NULL && n <= DATABASE_VALUES);
	s = statement_prepare(d, which, values, n);
	if (s == NULL)
		return -1;
	rc = statement_run(d, s, row, arg);
	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return rc;
}

int64_t
database_number(const struct database *d, int column)
{
	return sqlite3_column_int64(d->row, column);
}

struct str
database_text(const struct database *d, int column)
{
	const void *p = sqlite3_column_blob(d->row, column);

	return (struct str){ p == NULL ? "" : p,
		(size_t)sqlite3_column_bytes(d->row, column) };
}

/* ---- together ---- */

int
database_together(struct database *d, int (*fn)(void *), void *arg)
{
	int rc;

	if (database_ask(d, STATEMENT_begin, NULL, 0, NULL, NULL) < 0)
		return -1;
	rc = fn(arg);
	if (rc == 0 && database_ask(d, STATEMENT_commit, NULL, 0, NULL, NULL) >= 0)
		return 0;
	/* A trail is of what went wrong first. */
	if (sqlite3_get_autocommit(d->handle) == 0)
		(void)sqlite3_exec(d->handle, statements[STATEMENT_rollback],
		    NULL, NULL, NULL);
	return rc == 0 ? -1 : rc;
}
