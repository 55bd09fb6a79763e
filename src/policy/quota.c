/*
 * A line of a table that was printed:
 *
 *	line = kind SP name *( SP window cell ":" messages "," recipients ","
 *	       octets )
 *	kind = "account" / "tenant"	name = xtext
 *	window = "h" / "d"		cell = number of the cell since 1970
 *
 * Cells in which nothing was used are left out.
 */
#include "policy/quota.h"

#include "base/list.h"
#include "base/must.h"
#include "base/table.h"
#include "policy/unit.h"
#include "wire/xtext.h"

#include <stdlib.h>

enum { HOUR_CELLS = 13, DAY_CELLS = 25 };	/* the one that runs, and 12 or
						 * 24 whole ones */

static const struct quota_rule {
	int64_t width_us;
	int64_t cells;
	char letter;
} rules[2] = {
	{ 300 * US_PER_SECOND, HOUR_CELLS, 'h' },
	{ 3600 * US_PER_SECOND, DAY_CELLS, 'd' },
};

struct quota_window {
	int64_t newest;			/* number of the cell that runs */
	uint64_t used[DAY_CELLS][ACCOUNT_MEASURES];	/* by number mod cells */
};

struct quota_entry {
	struct table_node node;
	struct link seen;
	struct quota_window windows[2];	/* hour, day */
	enum quota_kind kind;
	struct str name;		/* behind the entry */
};

struct quota_table {
	struct hash_key key;
	struct table entries;
	struct list seen;		/* longest unseen first */
	bool is_changed;
};

static const char *const kind_names[QUOTA_KINDS] = { "account", "tenant" };

struct quota_table *
quota_open(struct hash_key key)
{
	struct quota_table *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->key = key;
	list_init(&t->seen);
	return t;
}

void
quota_close(struct quota_table *t)
{
	struct table_walk w = { 0 };
	struct table_node *n;

	while ((n = table_walk(&t->entries, &w)) != NULL) {
		table_remove(&t->entries, n);
		free(OWNER_OF(n, struct quota_entry, node));
	}
	table_clear(&t->entries);
	free(t);
}

bool
quota_is_changed(struct quota_table *t)
{
	bool was = t->is_changed;

	t->is_changed = false;
	return was;
}

static uint64_t
quota_hash(struct hash_key key, struct quota_name who)
{
	key.k1 ^= (uint64_t)who.kind;
	return hash_bytes(key, who.name);
}

unsigned
quota_owner(struct hash_key key, struct quota_name who, unsigned n)
{
	must(n > 0);
	return (unsigned)(quota_hash(key, who) % n);
}

/* ---- windows ---- */

/* A clock that goes back a little counts into the newest cell; one that was far
 * ahead is not believed any more. */
static void
window_turn(struct quota_window *w, const struct quota_rule *rule,
    struct wall now)
{
	int64_t cell = now.us / rule->width_us, from = w->newest + 1;

	if (cell < w->newest && cell > w->newest - rule->cells)
		return;
	if (cell < w->newest || cell - w->newest >= rule->cells)
		from = cell - rule->cells + 1;
	for (; from <= cell; from++)
		memset(w->used[(uint64_t)from % (uint64_t)rule->cells], 0,
		    sizeof w->used[0]);
	w->newest = cell;
}

static uint64_t
window_sum(const struct quota_window *w, const struct quota_rule *rule,
    enum account_measure m)
{
	uint64_t sum = 0;

	for (int64_t i = 0; i < rule->cells; i++)
		sum = add_sat(sum, w->used[i][m]);
	return sum;
}

/* When `need' of what is used will have left. */
static struct wall
window_opens(const struct quota_window *w, const struct quota_rule *rule,
    enum account_measure m, uint64_t need)
{
	int64_t cell = w->newest - rule->cells;

	while (need > 0 && cell < w->newest) {
		uint64_t n = w->used[(uint64_t)++cell %
		    (uint64_t)rule->cells][m];

		need -= n < need ? n : need;
	}
	return (struct wall){ (cell + rule->cells) * rule->width_us };
}

static bool
window_is_idle(const struct quota_window *w, const struct quota_rule *rule)
{
	for (enum account_measure m = 0; m < ACCOUNT_MEASURES; m++)
		if (window_sum(w, rule, m) > 0)
			return false;
	return true;
}

/* ---- entries ---- */

static struct quota_entry *
entry_find(const struct quota_table *t, struct quota_name who)
{
	struct table_node *n = table_find(&t->entries,
	    quota_hash(t->key, who));

	for (; n != NULL; n = table_again(n)) {
		struct quota_entry *e = OWNER_OF(n, struct quota_entry, node);

		if (e->kind == who.kind && str_eq(e->name, who.name))
			return e;
	}
	return NULL;
}

static void
entry_turn(struct quota_entry *e, struct wall now)
{
	for (size_t i = 0; i < 2; i++)
		window_turn(&e->windows[i], &rules[i], now);
}

static void
entry_forget(struct quota_table *t, struct quota_entry *e)
{
	list_remove(&e->seen);
	table_remove(&t->entries, &e->node);
	free(e);
}

/* Each new name pays for the forgetting of two that have sent nothing for a
 * day. */
static void
table_tidy(struct quota_table *t, struct wall now)
{
	for (int i = 0; i < 2 && !list_is_empty(&t->seen); i++) {
		struct quota_entry *e = OWNER_OF(list_first(&t->seen),
		    struct quota_entry, seen);

		entry_turn(e, now);
		if (!window_is_idle(&e->windows[1], &rules[1]) &&
		    t->entries.n < QUOTA_NAMES)
			return;
		entry_forget(t, e);
	}
}

static struct quota_entry *
entry_new(struct quota_table *t, struct quota_name who)
{
	struct quota_entry *e = calloc(1, sizeof *e + who.name.n);

	if (e == NULL)
		return NULL;
	e->kind = who.kind;
	memcpy(e + 1, who.name.p, who.name.n);
	e->name = (struct str){ (const char *)(e + 1), who.name.n };
	if (table_insert(&t->entries, &e->node, quota_hash(t->key, who)) != 0) {
		free(e);
		return NULL;
	}
	list_append(&t->seen, &e->seen);
	return e;
}

static struct quota_entry *
entry_get(struct quota_table *t, struct quota_name who, struct wall now)
{
	struct quota_entry *e = entry_find(t, who);

	must(who.kind < QUOTA_KINDS && who.name.n <= QUOTA_NAME_MOST);
	if (e == NULL) {
		table_tidy(t, now);
		e = entry_new(t, who);
	}
	if (e == NULL)
		return NULL;
	list_remove(&e->seen);
	list_append(&t->seen, &e->seen);
	entry_turn(e, now);
	return e;
}

/* ---- asking ---- */

static uint64_t
limit_of(const struct quota *q, size_t window)
{
	uint64_t most = window == 0 ? q->hour : q->day;

	return most == 0 ? QUOTA_NONE : most;
}

/* The limit that is shut longest is told. */
static void
answer_no(struct quota_answer *a, enum account_measure m, size_t window,
    uint64_t most, struct wall opens)
{
	if (!a->fits && !wall_is_before(a->opens, opens))
		return;
	a->fits = false;
	a->measure = m;
	a->is_day = window == 1;
	a->most = most;
	a->opens = opens;
}

static void
answer_window(struct quota_answer *a, const struct quota_entry *e,
    size_t window, enum account_measure m, uint64_t most, uint64_t ask)
{
	const struct quota_rule *rule = &rules[window];
	uint64_t used = window_sum(&e->windows[window], rule, m);
	uint64_t left = used < most ? most - used : 0;

	if (left < a->left[m])
		a->left[m] = left;
	if (ask <= left)
		return;
	answer_no(a, m, window, most, ask > most ? WALL_NEVER :
	    window_opens(&e->windows[window], rule, m, ask - left));
}

static struct quota_answer
entry_answer(const struct quota_entry *e,
    const struct quota limits[ACCOUNT_MEASURES], const struct quota_use *use)
{
	struct quota_answer a = { .fits = true };

	for (enum account_measure m = 0; m < ACCOUNT_MEASURES; m++) {
		a.left[m] = QUOTA_NONE;
		for (size_t window = 0; e != NULL && window < 2; window++) {
			uint64_t most = limit_of(&limits[m], window);

			if (most != QUOTA_NONE)
				answer_window(&a, e, window, m, most,
				    use->n[m]);
		}
	}
	return a;
}

struct quota_answer
quota_look(struct quota_table *t, struct quota_name who,
    const struct quota limits[ACCOUNT_MEASURES], const struct quota_use *use,
    struct wall now)
{
	return entry_answer(entry_get(t, who, now), limits, use);
}

static uint64_t *
window_now(struct quota_window *w, const struct quota_rule *rule)
{
	return w->used[(uint64_t)w->newest % (uint64_t)rule->cells];
}

struct quota_answer
quota_take(struct quota_table *t, struct quota_name who,
    const struct quota limits[ACCOUNT_MEASURES], const struct quota_use *use,
    struct wall now)
{
	struct quota_entry *e = entry_get(t, who, now);
	struct quota_answer a = entry_answer(e, limits, use);

	if (!a.fits || e == NULL)
		return a;
	t->is_changed = true;
	for (size_t i = 0; i < 2; i++)
		for (size_t m = 0; m < ACCOUNT_MEASURES; m++) {
			uint64_t *used = window_now(&e->windows[i], &rules[i]);

			used[m] = add_sat(used[m], use->n[m]);
		}
	return a;
}

void
quota_give(struct quota_table *t, struct quota_name who,
    const struct quota_use *use, struct wall now)
{
	struct quota_entry *e = entry_find(t, who);

	if (e == NULL)
		return;
	entry_turn(e, now);
	t->is_changed = true;
	for (size_t i = 0; i < 2; i++)
		for (size_t m = 0; m < ACCOUNT_MEASURES; m++) {
			uint64_t *used = window_now(&e->windows[i], &rules[i]);

			used[m] -= used[m] < use->n[m] ? used[m] : use->n[m];
		}
}

struct quota_seen
quota_see(struct quota_table *t, struct quota_name who, struct wall now)
{
	struct quota_entry *e = entry_find(t, who);
	struct quota_seen seen = { { { 0 } }, { { 0 } } };

	if (e == NULL)
		return seen;
	entry_turn(e, now);
	for (enum account_measure m = 0; m < ACCOUNT_MEASURES; m++) {
		seen.hour.n[m] = window_sum(&e->windows[0], &rules[0], m);
		seen.day.n[m] = window_sum(&e->windows[1], &rules[1], m);
	}
	return seen;
}

/* ---- lines ---- */

static void
window_print(const struct quota_window *w, const struct quota_rule *rule,
    struct buf *out)
{
	for (int64_t i = w->newest - rule->cells + 1; i <= w->newest; i++) {
		const uint64_t *used = w->used[(uint64_t)i %
		    (uint64_t)rule->cells];

		if (used[0] == 0 && used[1] == 0 && used[2] == 0)
			continue;
		buf_putc(out, ' ');
		buf_putc(out, rule->letter);
		for (size_t m = 0; m <= ACCOUNT_MEASURES; m++) {
			buf_put_u64(out, m == 0 ? (uint64_t)i : used[m - 1]);
			if (m < ACCOUNT_MEASURES)
				buf_putc(out, m == 0 ? ':' : ',');
		}
	}
}

static void
entry_print(const struct quota_entry *e, void (*line)(void *, struct str),
    void *arg)
{
	char room[3584];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "%s ", kind_names[e->kind]);
	xtext_encode(e->name, &b);
	for (size_t i = 0; i < 2; i++)
		window_print(&e->windows[i], &rules[i], &b);
	if (!b.full)			/* no name is as long as that */
		line(arg, buf_str(&b));
}

bool
quota_print(const struct quota_table *t, size_t *at, size_t most,
    void (*line)(void *, struct str), void *arg)
{
	struct table_walk w = { .bucket = *at };
	struct table_node *n;
	size_t done = 0;

	while ((done < most || w.next != NULL) &&
	    (n = table_walk(&t->entries, &w)) != NULL) {
		entry_print(OWNER_OF(n, struct quota_entry, node), line, arg);
		done++;
	}
	*at = w.bucket;
	return done >= most;
}

bool
quota_line_name(struct str line, struct buf *room, struct quota_name *out)
{
	struct str kind = str_cut(&line, ' '), name = str_cut(&line, ' ');

	out->kind = str_eq(kind, str_of(kind_names[QUOTA_TENANT])) ?
	    QUOTA_TENANT : QUOTA_ACCOUNT;
	if (!str_eq(kind, str_of(kind_names[out->kind])) || name.n == 0 ||
	    !xtext_decode(name, room) || room->n > QUOTA_NAME_MOST)
		return false;
	out->name = buf_str(room);
	return true;
}

/* "h5926312:1,2,3" */
static bool
cell_read(struct quota_entry *e, struct str word)
{
	const struct quota_rule *rule = NULL;
	struct quota_window *w = NULL;
	uint64_t cell, used[ACCOUNT_MEASURES];
	struct str number;

	for (size_t i = 0; i < 2; i++)
		if (word.n > 0 && word.p[0] == rules[i].letter) {
			rule = &rules[i];
			w = &e->windows[i];
		}
	word = str_sub(word, 1, word.n);
	number = str_cut(&word, ':');
	if (rule == NULL || !parse_u64(number, (uint64_t)INT32_MAX, &cell))
		return false;
	for (size_t m = 0; m < ACCOUNT_MEASURES; m++) {
		number = str_cut(&word, ',');
		if (!parse_u64(number, UINT64_MAX, &used[m]))
			return false;
	}
	/* cells come in order */
	window_turn(w, rule, (struct wall){ (int64_t)cell * rule->width_us });
	memcpy(window_now(w, rule), used, sizeof used);
	return word.n == 0;
}

bool
quota_read(struct quota_table *t, struct str line)
{
	char room[QUOTA_NAME_MOST];
	struct buf b = BUF_OF(room);
	struct quota_name who;
	struct quota_entry *e;
	bool fine = true;

	if (!quota_line_name(line, &b, &who) || entry_find(t, who) != NULL ||
	    t->entries.n >= QUOTA_NAMES)
		return false;
	e = entry_new(t, who);
	if (e == NULL)
		return false;
	str_cut(&line, ' ');
	str_cut(&line, ' ');
	while (line.n > 0)
		fine &= cell_read(e, str_cut(&line, ' '));
	if (!fine)
		entry_forget(t, e);
	return fine;
}

/* ---- words ---- */

void
quota_words(const struct quota_answer *a, struct buf *out)
{
	static const char *const things[ACCOUNT_MEASURES] = { " messages",
		" recipients", " octets" };
	struct unit_text at = unit_print_date(a->opens);
	const char *span = a->is_day ? "24 hours" : "60 minutes";

	must(!a->fits);
	buf_put_u64(out, a->most);
	buf_printf(out, "%s in %s", things[a->measure], span);
	if (a->opens.us == WALL_NEVER.us)
		buf_put(out, STR(", and this is more"));
	else
		buf_printf(out, " is reached; it opens again at %s", at.text);
}
