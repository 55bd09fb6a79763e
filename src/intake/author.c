/*
 * Who a message says it is from.  SECURITY.md row 12: whoever logged in may put
 * into From and Sender only whom he may send as; all of them, where there are
 * several (RFC 5322 3.6.2), within groups too (RFC 6854), and in each field where
 * there is more than one From.  What cannot be read as an address is refused:
 * another reader might see somebody else's there.
 */
#include "base/must.h"
#include "intake/inner.h"
#include "policy/judge.h"
#include "wire/addrlist.h"
#include "wire/disposition.h"

static struct verdict
author_of(struct intake *in, const struct field *field,
    const struct addrlist_item *item)
{
	switch (item->kind) {
	case ADDRLIST_MAILBOX:
		return judge_author(in->config, in->origin.account,
		    field->known == HEADER_FROM, item->local, item->domain,
		    in->arena).verdict;
	case ADDRLIST_GROUP:
	case ADDRLIST_GROUP_END:
		break;
	case ADDRLIST_BAD:
		return judge_say(JUDGE_from_unreadable, STR("")).verdict;
	case ADDRLIST_NO_MEMORY:
		return intake_no_memory();
	}
	return intake_yes();
}

static struct verdict
author_walk(struct intake *in, const struct field *field)
{
	struct verdict v = intake_yes();
	struct addrlist_item item;
	struct addrlist list;
	size_t n = 0;

	addrlist_begin(&list, field->value, in->arena);
	while (v.disposition == DELIVERED && addrlist_next(&list, &item)) {
		n += item.kind == ADDRLIST_MAILBOX;
		v = author_of(in, field, &item);
	}
	if (v.disposition == DELIVERED && n == 0)
		v = judge_say(field->known == HEADER_FROM ? JUDGE_from_absent :
		    JUDGE_from_unreadable, STR("")).verdict;
	return v;
}

int
author_judge(struct intake *in, const struct field *field)
{
	struct arena_mark mark = arena_mark(in->arena);
	struct verdict v;

	must(field->known == HEADER_FROM || field->known == HEADER_SENDER);
	if (in->origin.account == NULL ||
	    account_is_anybody(in->origin.account))
		return 0;
	v = author_walk(in, field);
	arena_back(in->arena, mark);
	return v.disposition == DELIVERED ? 0 : intake_refuse(in, v);
}

/* The envelope's sender, which was judged at MAIL. */
int
author_missing(struct intake *in, struct str *from)
{
	*from = in->origin.sender;
	if (from->n == 0 && in->origin.account != NULL &&
	    !account_is_anybody(in->origin.account))
		return intake_refuse(in,
		    judge_say(JUDGE_from_absent, STR("")).verdict);
	return 0;
}
