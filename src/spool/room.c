#include "spool/room.h"

#include "base/must.h"

#include <stdlib.h>

enum { ROOMS_KEPT = 4 << 20, ROOMS_EASY = 16 << 20 };

void
rooms_init(struct rooms *r, size_t ceiling)
{
	*r = (struct rooms){ .ceiling = ceiling };
	list_init(&r->small);
	list_init(&r->large);
}

static void
rooms_free(struct list *l)
{
	struct link *k;

	while ((k = list_pop(l)) != NULL)
		free(OWNER_OF(k, struct room, link));
}

void
rooms_clear(struct rooms *r)
{
	must(r->out == 0);
	rooms_free(&r->small);
	rooms_free(&r->large);
	r->kept = 0;
}

static struct list *
rooms_of(struct rooms *r, size_t cap)
{
	if (cap == ROOM_SMALL)
		return &r->small;
	return cap == ROOM_LARGE ? &r->large : NULL;
}

static struct room *
room_take_cap(struct rooms *r, size_t cap)
{
	struct list *l = rooms_of(r, cap);
	struct link *k = l == NULL ? NULL : list_pop(l);
	struct room *room;

	must(cap > 0 && r->out <= r->ceiling);
	if (cap > r->ceiling - r->out)
		room = NULL;
	else if (k != NULL)
		room = OWNER_OF(k, struct room, link);
	else
		room = malloc(sizeof *room + cap);
	if (room == NULL) {
		if (k != NULL)
			list_push(l, k);
		return NULL;
	}
	if (k != NULL)
		r->kept -= cap;
	r->out += cap;
	room->link = (struct link){ NULL, NULL };
	room->cap = cap;
	room->n = 0;
	return room;
}

struct room *
room_take(struct rooms *r, size_t n)
{
	must(n > 0);
	return room_take_cap(r, n <= ROOM_SMALL ? ROOM_SMALL :
	    n <= ROOM_LARGE ? ROOM_LARGE : n);
}

struct room *
room_take_exact(struct rooms *r, size_t n)
{
	must(n != ROOM_SMALL && n != ROOM_LARGE);
	return room_take_cap(r, n);
}

bool
rooms_are_short(const struct rooms *r)
{
	return r->out > ROOMS_EASY || r->out > r->ceiling / 4;
}

void
room_give(struct rooms *r, struct room *room)
{
	struct list *l;

	if (room == NULL)
		return;
	must(!link_is_in(&room->link) && r->out >= room->cap);
	r->out -= room->cap;
	l = rooms_of(r, room->cap);
	if (l == NULL || r->kept + room->cap > ROOMS_KEPT) {
		free(room);
		return;
	}
	r->kept += room->cap;
	list_push(l, &room->link);
}
