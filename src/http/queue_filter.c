#include "http/queue_filter.h"

#include "base/id.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "queue/queue.h"

static bool
state_of(struct str word, struct view_filter *f)
{
	if (word.p == NULL || str_eq(word, STR("any")))
		return true;
	if (str_eq(word, STR("deferred"))) {
		f->is_deferred = true;
		return true;
	}
	for (int i = 0; i < ITEM_STATES; i++)
		if (str_eq(word,
		    str_of(item_state_name((enum item_state)i)))) {
			f->states = 1u << i;
			return true;
		}
	return false;
}

static bool
older_of(struct str text, struct view_filter *f)
{
	uint64_t seconds;

	if (text.p == NULL)
		return true;
	if (!parse_u64(text, UINT32_MAX, &seconds))
		return false;
	f->arrived_before = mono_add(clock_mono(),
	    -(int64_t)seconds * NS_PER_SECOND);
	return true;
}

static bool
id_of(struct str text, uint64_t *id)
{
	return text.p == NULL || id_parse(text, id);
}

yields bool
queue_filter_take(struct talk *t, struct queue_filter *f)
{
	struct str limit = talk_query(t, STR("limit"));

	*f = (struct queue_filter){ .limit = UINT64_MAX };
	f->view.domain = talk_query(t, STR("domain"));
	f->view.tenant = talk_query(t, STR("tenant"));
	f->view.stream = talk_query(t, STR("stream"));
	f->view.site = talk_query(t, STR("site"));
	if (id_of(talk_query(t, STR("id")), &f->view.id) &&
	    state_of(talk_query(t, STR("status")), &f->view) &&
	    older_of(talk_query(t, STR("older")), &f->view) &&
	    (limit.p == NULL || parse_u64(limit, UINT64_MAX, &f->limit))) {
		if (!t->lacks_memory)
			return true;
		/* a filter that lost a part would mean more messages */
		talk_error(t, 503, "no_memory", "no memory now");
		return false;
	}
	talk_error(t, 422, "filter", "id is 13 characters; status is any, "
	    "deferred, scheduled, due, active or held; older and limit are "
	    "numbers (seconds, messages)");
	return false;
}

bool
queue_filter_is_empty(const struct queue_filter *f)
{
	return f->view.id == 0 && f->view.domain.p == NULL &&
	    f->view.tenant.p == NULL && f->view.site.p == NULL &&
	    f->view.stream.p == NULL &&
	    f->view.states == 0 && !f->view.is_deferred &&
	    f->view.arrived_before.ns == 0;
}
