#include "trust/quest.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"

bool
quest_is_over(const struct dns_quest *q)
{
	must(q->budget != NULL);
	return *q->budget == 0 || !mono_is_before(clock_mono(), q->deadline);
}

yields void
quest_ask(const struct dns_quest *q, struct str name, enum dns_type type,
    struct arena *arena, struct dns_answer *out)
{
	struct mono until = mono_add(clock_mono(), QUEST_SECONDS *
	    NS_PER_SECOND);

	*out = (struct dns_answer){ .status = DNS_NO_NAME };
	if (!dns_question_fits(name))
		return;
	if (quest_is_over(q)) {
		err_set("%s", *q->budget == 0 ?
		    "the message has too many questions to the DNS" :
		    "the DNS was too slow for the message");
		out->status = DNS_TROUBLE;
		return;
	}
	--*q->budget;
	dns_ask(name, type, arena, mono_first(until, q->deadline), out);
}
