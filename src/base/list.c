#include "base/list.h"

#include "base/must.h"

void
list_init(struct list *l)
{
	l->head.prev = l->head.next = &l->head;
}

bool
list_is_empty(const struct list *l)
{
	return l->head.next == &l->head;
}

bool
link_is_in(const struct link *k)
{
	return k->next != NULL;
}

static void
link_between(struct link *prev, struct link *k, struct link *next)
{
	must(!link_is_in(k));
	k->prev = prev;
	k->next = next;
	prev->next = k;
	next->prev = k;
}

void
list_push(struct list *l, struct link *k)
{
	link_between(&l->head, k, l->head.next);
}

void
list_append(struct list *l, struct link *k)
{
	link_between(l->head.prev, k, &l->head);
}

void
list_remove(struct link *k)
{
	if (!link_is_in(k))
		return;
	must(k->prev->next == k && k->next->prev == k);
	k->prev->next = k->next;
	k->next->prev = k->prev;
	k->prev = k->next = NULL;
}

struct link *
list_first(const struct list *l)
{
	return list_is_empty(l) ? NULL : l->head.next;
}

struct link *
list_next(const struct list *l, const struct link *k)
{
	return k->next == &l->head ? NULL : k->next;
}

struct link *
list_pop(struct list *l)
{
	struct link *k = list_first(l);

	if (k != NULL)
		list_remove(k);
	return k;
}

void
list_take_all(struct list *to, struct list *from)
{
	struct link *first = list_first(from);

	must(to != from);
	if (first == NULL)
		return;
	first->prev = to->head.prev;
	to->head.prev->next = first;
	to->head.prev = from->head.prev;
	to->head.prev->next = &to->head;
	list_init(from);
}
