#include "app/challenge.h"

#include "base/must.h"
#include "fiber/core.h"

void
challenge_board_init(struct challenge_board *b)
{
	list_init(&b->all);
}

void
challenge_show(struct challenge_board *b, struct challenge *c)
{
	must(core_index() == 0);
	list_append(&b->all, &c->link);
}

void
challenge_hide(struct challenge *c)
{
	must(core_index() == 0);
	list_remove(&c->link);
}

struct looking {
	const struct challenge_board *board;
	bool is_tls, is_found;
	struct str key;
	struct buf *answer;
};

static yields void
look_here(void *arg)
{
	struct looking *l = arg;

	for (struct link *at = list_first(&l->board->all); at != NULL;
	    at = list_next(&l->board->all, at)) {
		const struct challenge *c = OWNER_OF(at, struct challenge,
		    link);

		if (c->is_tls != l->is_tls || !((l->is_tls && l->key.n == 0) ||
		    str_eq(c->key, l->key)))
			continue;
		buf_put(l->answer, c->answer);
		l->is_found = !l->answer->full;
		return;
	}
}

yields bool
challenge_look(struct challenge_board *b, bool is_tls, struct str key,
    struct buf *answer)
{
	struct looking l = { .board = b, .is_tls = is_tls, .key = key,
		.answer = answer };

	return core_call(0, look_here, &l) == 0 && l.is_found;
}
