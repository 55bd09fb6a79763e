#include "spool/lasts.h"

#include "base/list.h"
#include "base/num.h"
#include "fiber/random.h"

struct last_text {
	struct table_node node;
	struct str text;
};

struct last_rcpt {
	struct table_node node;
	uint64_t id;
	uint32_t recipient;
	const struct last_text *text;
};

void
lasts_begin(struct lasts *l, size_t memory)
{
	*l = (struct lasts){ .key = random_hash_key() };
	arena_init(&l->arena, memory);
}

void
lasts_end(struct lasts *l)
{
	table_clear(&l->texts);
	table_clear(&l->rcpts);
	arena_clear(&l->arena);
}

static const struct last_text *
text_take(struct lasts *l, struct str text)
{
	uint64_t hash = hash_bytes(l->key, text);
	struct table_node *k = table_find(&l->texts, hash);
	struct last_text *t;

	for (; k != NULL; k = table_again(k)) {
		t = OWNER_OF(k, struct last_text, node);
		if (str_eq(t->text, text))
			return t;
	}
	t = arena_new(&l->arena, struct last_text);
	if (t == NULL)
		return NULL;
	t->text = arena_copy(&l->arena, text);
	return t->text.p != NULL &&
	    table_insert(&l->texts, &t->node, hash) == 0 ? t : NULL;
}

static uint64_t
rcpt_hash(const struct lasts *l, uint64_t id, uint32_t recipient)
{
	return hash_u64(l->key, id ^ (uint64_t)recipient << 46);
}

static struct last_rcpt *
rcpt_find(const struct lasts *l, uint64_t id, uint32_t recipient)
{
	struct table_node *k = table_find(&l->rcpts, rcpt_hash(l, id, recipient));

	for (; k != NULL; k = table_again(k)) {
		struct last_rcpt *r = OWNER_OF(k, struct last_rcpt, node);

		if (r->id == id && r->recipient == recipient)
			return r;
	}
	return NULL;
}

static void
rcpt_note(struct lasts *l, uint64_t id, uint32_t recipient,
    const struct last_text *text)
{
	struct last_rcpt *r = rcpt_find(l, id, recipient);

	if (r == NULL && (r = arena_new(&l->arena, struct last_rcpt)) != NULL) {
		r->id = id;
		r->recipient = recipient;
		if (table_insert(&l->rcpts, &r->node,
		    rcpt_hash(l, id, recipient)) != 0)
			return;
	}
	if (r != NULL)
		r->text = text;
}

void
lasts_note(struct lasts *l, uint64_t id, struct str recipients,
    struct str text)
{
	const struct last_text *t = text_take(l, text);
	uint32_t i;

	while (take_le32(&recipients, &i))
		rcpt_note(l, id, i, t);
}

struct str
lasts_find(const struct lasts *l, uint64_t id, uint32_t recipient)
{
	const struct last_rcpt *r = rcpt_find(l, id, recipient);

	return r == NULL || r->text == NULL ? STR_NONE : r->text->text;
}
