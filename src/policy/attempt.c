#include "policy/attempt.h"

#include "base/list.h"
#include "base/must.h"
#include "base/table.h"

#include <stdlib.h>

/* Who it is about is in the hash alone: 64 keyed bits tell a hundred thousand
 * entries apart, and hold no names. */
struct attempt_entry {
	struct table_node node;
	struct link seen;		/* in one of the two lists */
	struct mono whole_at;		/* when nothing is owed any more */
	struct mono known_until;
	bool is_known;			/* in which list */
};

struct attempt_table {
	struct hash_key key;
	struct table entries;
	struct list owing, known;	/* longest unseen first */
	size_t n_known;
};

enum attempt_kind { ATTEMPT_NAME = 1, ATTEMPT_NETWORK, ATTEMPT_PAIR };

static const struct attempt_rule {
	int64_t free, each_ns, most_ns;
} rules[] = {
	[ATTEMPT_NAME] = { ATTEMPT_NAME_FREE, ATTEMPT_NAME_NS,
	    ATTEMPT_NAME_MOST_NS },
	[ATTEMPT_NETWORK] = { ATTEMPT_NETWORK_FREE, ATTEMPT_NETWORK_NS,
	    ATTEMPT_MOST_NS },
	[ATTEMPT_PAIR] = { ATTEMPT_PAIR_FREE, ATTEMPT_PAIR_NS,
	    ATTEMPT_MOST_NS },
};

/* What is owed beyond the free ones never takes longer than this many to wear
 * off. */
enum { ATTEMPT_STEPS = 10 };

struct attempt_table *
attempt_open(struct hash_key key)
{
	struct attempt_table *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->key = key;
	list_init(&t->owing);
	list_init(&t->known);
	return t;
}

void
attempt_close(struct attempt_table *t)
{
	struct table_walk w = { 0 };
	struct table_node *n;

	while ((n = table_walk(&t->entries, &w)) != NULL) {
		table_remove(&t->entries, n);
		free(OWNER_OF(n, struct attempt_entry, node));
	}
	table_clear(&t->entries);
	free(t);
}

/* ---- who it is about ---- */

enum { NETWORK_OCTETS = 17, NAME_OCTETS = 255 };

static uint64_t
attempt_hash(struct hash_key key, enum attempt_kind kind,
    const struct address *client, struct str name)
{
	char bytes[1 + NETWORK_OCTETS + NAME_OCTETS] = { (char)kind };
	struct address network;
	size_t n = 1;

	if (client != NULL) {
		network = address_network(client);
		bytes[1] = (char)network.family;
		memcpy(bytes + 2, network.of.ip, NETWORK_OCTETS - 1);
		n += NETWORK_OCTETS;
	}
	name = str_sub(name, 0, NAME_OCTETS);
	for (size_t i = 0; i < name.n; i++)
		bytes[n++] = ascii_lower(name.p[i]);
	return hash_bytes(key, (struct str){ bytes, n });
}

unsigned
attempt_owner_network(struct hash_key key, const struct address *client,
    unsigned n)
{
	must(n > 0);
	return (unsigned)(attempt_hash(key, ATTEMPT_NETWORK, client, STR("")) %
	    n);
}

unsigned
attempt_owner_name(struct hash_key key, struct str name, unsigned n)
{
	must(n > 0);
	return (unsigned)(attempt_hash(key, ATTEMPT_NAME, NULL, name) % n);
}

/* ---- entries ---- */

static struct attempt_entry *
entry_find(const struct attempt_table *t, uint64_t hash)
{
	struct table_node *n = table_find(&t->entries, hash);

	return n == NULL ? NULL : OWNER_OF(n, struct attempt_entry, node);
}

static void
entry_forget(struct attempt_table *t, struct attempt_entry *e)
{
	must(!e->is_known || t->n_known > 0);
	t->n_known -= e->is_known;
	list_remove(&e->seen);
	table_remove(&t->entries, &e->node);
	free(e);
}

static bool
entry_is_idle(const struct attempt_entry *e, struct mono now)
{
	return e->whole_at.ns <= now.ns && e->known_until.ns <= now.ns;
}

/* Each new entry pays for the forgetting of two old ones of either kind. */
static void
table_tidy(struct attempt_table *t, struct mono now)
{
	struct attempt_entry *e;

	for (int i = 0; i < 2 && !list_is_empty(&t->owing); i++) {
		e = OWNER_OF(list_first(&t->owing), struct attempt_entry, seen);
		if (!entry_is_idle(e, now) &&
		    t->entries.n - t->n_known < ATTEMPT_ENTRIES)
			break;
		entry_forget(t, e);
	}
	for (int i = 0; i < 2 && !list_is_empty(&t->known); i++) {
		e = OWNER_OF(list_first(&t->known), struct attempt_entry, seen);
		if (!entry_is_idle(e, now) && t->n_known <= ATTEMPT_KNOWN)
			break;
		entry_forget(t, e);
	}
}

static struct attempt_entry *
entry_get(struct attempt_table *t, uint64_t hash, struct mono now)
{
	struct attempt_entry *e = entry_find(t, hash);

	if (e != NULL) {
		list_remove(&e->seen);
		list_append(e->is_known ? &t->known : &t->owing, &e->seen);
		return e;
	}
	table_tidy(t, now);
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return NULL;
	if (table_insert(&t->entries, &e->node, hash) != 0) {
		free(e);
		return NULL;
	}
	list_append(&t->owing, &e->seen);
	return e;
}

/* ---- what is owed ---- */

static int64_t
owed_ns(const struct attempt_entry *e, struct mono now)
{
	return e->whole_at.ns > now.ns ? e->whole_at.ns - now.ns : 0;
}

/* How long an attempt waits that finds this owed. */
static int64_t
owed_wait(const struct attempt_rule *rule, int64_t owed)
{
	int64_t over = (owed + rule->each_ns - 1) / rule->each_ns - rule->free;
	int64_t wait = ATTEMPT_FIRST_NS;

	if (over < 0)
		return 0;
	for (; over > 0 && wait < rule->most_ns; over--)
		wait *= 2;
	return wait < rule->most_ns ? wait : rule->most_ns;
}

/* One more; how long it waits for those before it. */
static int64_t
entry_charge(struct attempt_entry *e, enum attempt_kind kind, struct mono now)
{
	const struct attempt_rule *rule = &rules[kind];
	int64_t most = (rule->free + ATTEMPT_STEPS) * rule->each_ns;
	int64_t owed = owed_ns(e, now), wait = owed_wait(rule, owed);

	owed += rule->each_ns;
	e->whole_at = mono_add(now, owed < most ? owed : most);
	return wait;
}

static void
entry_take_back(struct attempt_table *t, uint64_t hash, enum attempt_kind kind,
    struct mono now)
{
	struct attempt_entry *e = entry_find(t, hash);

	if (e != NULL && owed_ns(e, now) > 0)
		e->whole_at.ns -= rules[kind].each_ns;
}

static int64_t
attempt_charge(struct attempt_table *t, uint64_t hash, enum attempt_kind kind,
    struct mono now)
{
	struct attempt_entry *e = entry_get(t, hash, now);

	return e == NULL ? 0 : entry_charge(e, kind, now);
}

/* ---- attempts ---- */

struct attempt_wait
attempt_begin(struct attempt_table *t, const struct address *client,
    struct str name, bool is_trusted, struct mono now)
{
	uint64_t pair = attempt_hash(t->key, ATTEMPT_PAIR, client, name);
	uint64_t network = attempt_hash(t->key, ATTEMPT_NETWORK, client,
	    STR(""));
	const struct attempt_entry *e;
	int64_t of_network = is_trusted ? 0 :
	    attempt_charge(t, network, ATTEMPT_NETWORK, now);
	struct attempt_wait w = {
		.ns = attempt_charge(t, pair, ATTEMPT_PAIR, now),
	};

	e = entry_find(t, pair);
	w.is_known = e != NULL && now.ns < e->known_until.ns;
	if (w.is_known)
		w.ns = w.ns < ATTEMPT_KNOWN_MOST_NS ? w.ns :
		    ATTEMPT_KNOWN_MOST_NS;
	else if (of_network > w.ns)
		w.ns = of_network;
	return w;
}

int64_t
attempt_begin_name(struct attempt_table *t, struct str name, struct mono now)
{
	return attempt_charge(t, attempt_hash(t->key, ATTEMPT_NAME, NULL, name),
	    ATTEMPT_NAME, now);
}

void
attempt_unjudged(struct attempt_table *t, const struct address *client,
    struct str name, bool is_trusted, struct mono now)
{
	entry_take_back(t, attempt_hash(t->key, ATTEMPT_PAIR, client, name),
	    ATTEMPT_PAIR, now);
	if (!is_trusted)
		entry_take_back(t, attempt_hash(t->key, ATTEMPT_NETWORK,
		    client, STR("")), ATTEMPT_NETWORK, now);
}

/* From now on this network is known to the account, and owes it nothing. */
void
attempt_good(struct attempt_table *t, const struct address *client,
    struct str name, bool is_trusted, struct mono now)
{
	struct attempt_entry *e = entry_get(t, attempt_hash(t->key,
	    ATTEMPT_PAIR, client, name), now);

	if (!is_trusted)
		entry_take_back(t, attempt_hash(t->key, ATTEMPT_NETWORK,
		    client, STR("")), ATTEMPT_NETWORK, now);
	if (e == NULL)
		return;
	e->whole_at = now;
	e->known_until = mono_add(now, ATTEMPT_KNOWN_NS);
	if (!e->is_known) {
		e->is_known = true;
		t->n_known++;
		list_remove(&e->seen);
		list_append(&t->known, &e->seen);
	}
	must(t->n_known <= t->entries.n);
}

void
attempt_back_name(struct attempt_table *t, struct str name, struct mono now)
{
	entry_take_back(t, attempt_hash(t->key, ATTEMPT_NAME, NULL, name),
	    ATTEMPT_NAME, now);
}
