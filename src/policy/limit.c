#include "policy/limit.h"

#include "base/list.h"
#include "base/must.h"
#include "fiber/net.h"
#include "policy/config.h"

#include <stdlib.h>

/* An allowance that refills evenly: `whole_at' is when it is full again.  (The
 * generic cell rate algorithm, with a burst of the whole rate.) */
struct allowance {
	int64_t whole_at;		/* mono, ns */
};

struct limit_network {
	struct table_node node;
	struct link idle;		/* in the table's, while connections is 0 */
	struct address address;		/* the network's */
	unsigned connections;
	struct allowance connects, messages;
};

struct limit_table {
	struct hash_key key;
	struct table networks;
	struct list idle;		/* longest first */
};

struct limit_table *
limit_open(struct hash_key key)
{
	struct limit_table *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->key = key;
	list_init(&t->idle);
	return t;
}

void
limit_close(struct limit_table *t)
{
	struct table_walk w = { 0 };
	struct table_node *n;

	while ((n = table_walk(&t->networks, &w)) != NULL) {
		table_remove(&t->networks, n);
		free(OWNER_OF(n, struct limit_network, node));
	}
	table_clear(&t->networks);
	free(t);
}

static uint64_t
network_hash(struct hash_key key, const struct address *network)
{
	char bytes[17];

	bytes[0] = (char)network->family;
	memcpy(bytes + 1, network->of.ip, 16);
	return hash_bytes(key, (struct str){ bytes,
	    network->family == ADDRESS_V4 ? 5 : 17 });
}

unsigned
limit_owner(struct hash_key key, const struct address *client, unsigned n)
{
	struct address network = address_network(client);

	must(n > 0);
	return (unsigned)(network_hash(key, &network) % n);
}

/* ---- allowances ---- */

static bool
allowance_take(struct allowance *a, struct rate rate, struct mono now)
{
	int64_t each, from = a->whole_at > now.ns ? a->whole_at : now.ns;

	if (rate.n == 0)
		return true;
	each = rate.per_ns / (int64_t)rate.n;
	if (from + each - now.ns > rate.per_ns)
		return false;
	a->whole_at = from + each;
	return true;
}

static bool
network_is_whole(const struct limit_network *n, struct mono now)
{
	return n->connects.whole_at <= now.ns && n->messages.whole_at <= now.ns;
}

/* ---- the table ---- */

static struct limit_network *
network_find(const struct limit_table *t, const struct address *network)
{
	struct table_node *n = table_find(&t->networks,
	    network_hash(t->key, network));

	for (; n != NULL; n = table_again(n))
		if (address_eq_ip(&OWNER_OF(n, struct limit_network,
		    node)->address, network))
			return OWNER_OF(n, struct limit_network, node);
	return NULL;
}

static void
network_forget(struct limit_table *t, struct limit_network *n)
{
	must(n->connections == 0);
	list_remove(&n->idle);
	table_remove(&t->networks, &n->node);
	free(n);
}

/* Each new network pays for the forgetting of two old ones. */
static void
table_tidy(struct limit_table *t, struct mono now)
{
	for (int i = 0; i < 2 && !list_is_empty(&t->idle); i++) {
		struct limit_network *n = OWNER_OF(list_first(&t->idle),
		    struct limit_network, idle);

		if (!network_is_whole(n, now) &&
		    t->networks.n < LIMIT_NETWORKS)
			return;
		network_forget(t, n);
	}
}

static struct limit_network *
network_get(struct limit_table *t, const struct address *client,
    struct mono now)
{
	struct address network = address_network(client);
	struct limit_network *n = network_find(t, &network);

	if (n != NULL)
		return n;
	table_tidy(t, now);
	if (t->networks.n >= LIMIT_NETWORKS)
		return NULL;
	n = calloc(1, sizeof *n);
	if (n == NULL)
		return NULL;
	n->address = network;
	if (table_insert(&t->networks, &n->node,
	    network_hash(t->key, &network)) != 0) {
		free(n);
		return NULL;
	}
	list_append(&t->idle, &n->idle);
	return n;
}

/* Seen now: it is the last to be forgotten. */
static void
network_touch(struct limit_table *t, struct limit_network *n)
{
	list_remove(&n->idle);
	if (n->connections == 0)
		list_append(&t->idle, &n->idle);
}

struct judgment
limit_connect(struct limit_table *t, const struct config *c,
    const struct address *client, struct mono now)
{
	struct limit_network *n = config_trusts(c, client) ? NULL :
	    network_get(t, client, now);
	uint64_t most = c->limits.connections_per_ip;
	struct judgment j;

	if (n == NULL)
		return judge_say(JUDGE_uncounted, STR(""));
	if (most > 0 && n->connections >= most)
		j = judge_say(JUDGE_network_busy, STR(""));
	else if (!allowance_take(&n->connects, c->limits.per_ip, now))
		j = judge_say(JUDGE_network_rate, STR(""));
	else
		j = judge_say(JUDGE_ok, STR(""));
	n->connections += judgment_is_yes(&j);
	network_touch(t, n);
	return j;
}

void
limit_disconnect(struct limit_table *t, const struct address *client)
{
	struct address network = address_network(client);
	struct limit_network *n = network_find(t, &network);

	must(n != NULL && n->connections > 0);
	n->connections--;
	network_touch(t, n);
}

struct judgment
limit_mail(struct limit_table *t, const struct config *c,
    const struct address *client, struct mono now)
{
	struct limit_network *n = config_trusts(c, client) ? NULL :
	    network_get(t, client, now);

	if (n == NULL)
		return judge_say(JUDGE_uncounted, STR(""));
	network_touch(t, n);
	if (!allowance_take(&n->messages, c->limits.messages_per_ip, now))
		return judge_say(JUDGE_message_rate, STR(""));
	return judge_say(JUDGE_ok, STR(""));
}

struct address
limit_local_client(uint32_t uid)
{
	struct address a = { .family = ADDRESS_V6, .of.ip = { 1, 0 } };

	for (unsigned i = 0; i < 4; i++)
		a.of.ip[4 + i] = (unsigned char)(uid >> (24 - 8 * i));
	return a;
}

struct judgment
limit_local(struct limit_table *t, const struct config *c,
    const struct address *client, struct mono now)
{
	struct limit_network *n = network_get(t, client, now);

	if (n == NULL)
		return judge_say(JUDGE_uncounted, STR(""));
	network_touch(t, n);
	if (!allowance_take(&n->messages, c->submit.rate, now))
		return judge_say(JUDGE_local_rate, STR(""));
	return judge_say(JUDGE_ok, STR(""));
}
