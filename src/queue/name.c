#include "queue/name.h"

#include "base/list.h"
#include "base/must.h"

#include <stdlib.h>

void
names_init(struct names *s, struct hash_key key)
{
	*s = (struct names){ .key = key };
}

void
names_clear(struct names *s)
{
	must(s->table.n == 0);
	table_clear(&s->table);
}

static struct name *
name_find(const struct names *s, struct str text, uint64_t hash)
{
	struct table_node *k = table_find(&s->table, hash);
	struct name *a;

	for (; k != NULL; k = table_again(k)) {
		a = OWNER_OF(k, struct name, node);
		if (str_eq(name_str(a), text))
			return a;
	}
	return NULL;
}

static size_t
name_size(size_t n)
{
	return sizeof(struct name) + n;
}

static struct name *
name_new(struct names *s, struct str text, uint64_t hash)
{
	struct name *a = calloc(1, name_size(text.n));

	if (a == NULL)
		return NULL;
	if (text.n > 0)
		memcpy(a->text, text.p, text.n);
	a->n = (uint16_t)text.n;
	if (table_insert(&s->table, &a->node, hash) != 0) {
		free(a);
		return NULL;
	}
	s->memory += name_size(text.n);
	return a;
}

struct name *
name_take(struct names *s, struct str text)
{
	uint64_t hash = hash_bytes(s->key, text);
	struct name *a;

	must(text.n <= NAME_MOST);
	a = name_find(s, text, hash);
	if (a == NULL)
		a = name_new(s, text, hash);
	if (a != NULL)
		name_keep(a);
	return a;
}

void
name_keep(struct name *a)
{
	must(a->refs < UINT32_MAX);
	a->refs++;
}

void
name_give(struct names *s, struct name *a)
{
	if (a == NULL)
		return;
	must(a->refs > 0);
	if (--a->refs > 0)
		return;
	table_remove(&s->table, &a->node);
	s->memory -= name_size(a->n);
	free(a);
}
