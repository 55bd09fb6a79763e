#include "store/report.h"

#include "base/err.h"
#include "base/must.h"

#define NONE(form, name)
#define COLUMN_TEXT(name) { #name, false },
#define COLUMN_NUMBER(name) { #name, true },
#define COLUMN(form, name) COLUMN_##form(name)

static const struct report_column head[] = {
#define HEAD COLUMN
#define DMARC NONE
#define TLS NONE
#define FAILURE NONE
#include "store/report.def"
#undef HEAD
#undef DMARC
#undef TLS
#undef FAILURE
};

static const struct report_column dmarc[] = {
#define HEAD NONE
#define DMARC COLUMN
#define TLS NONE
#define FAILURE NONE
#include "store/report.def"
#undef HEAD
#undef DMARC
#undef TLS
#undef FAILURE
};

static const struct report_column tls[] = {
#define HEAD NONE
#define DMARC NONE
#define TLS COLUMN
#define FAILURE NONE
#include "store/report.def"
#undef HEAD
#undef DMARC
#undef TLS
#undef FAILURE
};

static const struct report_column failure[] = {
#define HEAD NONE
#define DMARC NONE
#define TLS NONE
#define FAILURE COLUMN
#include "store/report.def"
#undef HEAD
#undef DMARC
#undef TLS
#undef FAILURE
};

static const struct report_table {
	const struct report_column *columns;
	size_t n;
	enum statement add, list;
} tables[REPORT_ROWS_KINDS] = {
	[REPORT_ROWS_DMARC] = { dmarc, REPORT_DMARC_COLUMNS,
	    STATEMENT_report_dmarc_add, STATEMENT_report_dmarc_list },
	[REPORT_ROWS_TLS] = { tls, REPORT_TLS_COLUMNS,
	    STATEMENT_report_tls_add, STATEMENT_report_tls_list },
	[REPORT_ROWS_FAILURE] = { failure, REPORT_FAILURE_COLUMNS,
	    STATEMENT_report_failure_add, STATEMENT_report_failure_list },
	[REPORT_HEADS] = { head, REPORT_HEAD_COLUMNS,
	    STATEMENT_report_add, STATEMENT_report_list },
};

_Static_assert((int)REPORT_HEAD_COLUMNS <= (int)REPORT_COLUMNS &&
    (int)REPORT_DMARC_COLUMNS <= (int)REPORT_COLUMNS &&
    (int)REPORT_TLS_COLUMNS <= (int)REPORT_COLUMNS &&
    (int)REPORT_FAILURE_COLUMNS <= (int)REPORT_COLUMNS &&
    (int)REPORT_COLUMNS < (int)DATABASE_VALUES, "a row has room");

const struct report_column *
report_columns(enum report_rows which, size_t *n)
{
	must(which < REPORT_ROWS_KINDS);
	*n = tables[which].n;
	return tables[which].columns;
}

const char *
report_kind_name(enum report_kind kind)
{
	static const char *const names[REPORT_KINDS] = { "dmarc", "tls",
		"failure" };

	must(kind < REPORT_KINDS);
	return names[kind];
}

/* ---- keeping ---- */

/* first: of what belongs to the row besides its columns. */
static int64_t
row_add(struct database *d, const struct report_table *t, int64_t first,
    const struct report_row *row)
{
	struct database_value v[DATABASE_VALUES];

	v[0] = DATABASE_NUMBER(first);
	for (size_t i = 0; i < t->n; i++)
		v[i + 1] = t->columns[i].is_number ?
		    DATABASE_NUMBER(row->v[i].number) :
		    DATABASE_TEXT(row->v[i].text);
	return database_ask(d, t->add, v, t->n + 1, NULL, NULL);
}

static int
id_take(void *arg, const struct database *d)
{
	*(int64_t *)arg = database_number(d, 0);
	return 0;
}

struct adding {
	struct database *database;
	enum report_kind kind;
	const struct report_row *head;
	int (*next)(void *arg, struct report_row *);
	void *arg;
};

static int
adding_run(void *arg)
{
	struct adding *a = arg;
	const struct report_table *t = &tables[a->kind];
	struct report_row row;
	int64_t id = 0, rc;
	int more;

	rc = row_add(a->database, &tables[REPORT_HEADS], a->kind, a->head);
	if (rc < 0)
		return (int)rc;
	if (database_ask(a->database, STATEMENT_report_last, NULL, 0, id_take,
	    &id) != 1)
		return -1;
	while ((more = a->next(a->arg, &row)) == 1)
		if (row_add(a->database, t, id, &row) < 0)
			return -1;
	return more;
}

int
report_add(struct database *d, enum report_kind kind,
    const struct report_row *row, int (*next)(void *, struct report_row *),
    void *arg)
{
	struct adding a = { d, kind, row, next, arg };

	must(kind < REPORT_KINDS);
	return database_together(d, adding_run, &a);
}

int
report_expire(struct database *d, struct wall before)
{
	struct database_value v[] = { DATABASE_NUMBER(before.us) };

	return database_ask(d, STATEMENT_report_expire, v, 1, NULL, NULL) < 0 ?
	    -1 : 0;
}

/* ---- listing ---- */

struct listing {
	const struct report_table *table;
	enum report_kind kind;
	struct arena *arena;
	int (*each)(void *arg, enum report_kind, const struct report_row *);
	void *arg;
	bool is_full, is_head;
};

/* Heads have their kind behind their columns. */
static int
listing_row(void *arg, const struct database *d)
{
	struct listing *l = arg;
	struct arena_mark mark = arena_mark(l->arena);
	struct report_row row = { 0 };
	int64_t kind = l->kind;
	int rc;

	for (size_t i = 0; i < l->table->n; i++) {
		if (l->table->columns[i].is_number) {
			row.v[i].number = database_number(d, (int)i);
			continue;
		}
		row.v[i].text = arena_copy(l->arena, database_text(d, (int)i));
		l->is_full |= row.v[i].text.p == NULL;
	}
	if (l->is_full)
		return -1;
	if (l->is_head)
		kind = database_number(d, (int)l->table->n);
	if (kind < 0 || kind >= REPORT_KINDS)
		return 0;
	rc = l->each(l->arg, (enum report_kind)kind, &row);
	arena_back(l->arena, mark);
	return rc;
}

int
report_list(struct database *d, enum report_rows which, struct str domain,
    struct wall since, struct arena *a, int (*each)(void *, enum report_kind,
    const struct report_row *), void *arg)
{
	struct listing l = { &tables[which], (enum report_kind)which, a, each,
		arg, false, which == REPORT_HEADS };
	struct database_value v[] = { DATABASE_TEXT(domain),
		DATABASE_NUMBER(since.us), DATABASE_NUMBER(REPORT_LIST_MOST) };
	int64_t rc;

	must(which < REPORT_ROWS_KINDS);
	rc = database_ask(d, l.table->list, v, 3, listing_row, &l);
	if (l.is_full)
		return err_set("no memory for what the database says");
	return rc < 0 ? -1 : 0;
}
