#include "queue/key.h"

/* A mailbox has an '@', also one that begins with '|'; a domain has neither '@'
 * nor '!', a literal neither. */
static bool
key_is_mailbox(struct str key)
{
	return str_find(key, '@') < key.n;
}

static struct str
behind_at(struct str mailbox)
{
	size_t at = str_find_last(mailbox, '@');

	return str_sub(mailbox, at + 1, mailbox.n);
}

struct str
key_domain(struct str key)
{
	if (key_is_mailbox(key))
		return behind_at(key);
	(void)str_skip(&key, STR("|"));
	return str_cut(&key, '!');
}

bool
key_is_for(struct str key, struct str mailbox, bool by_alias)
{
	bool is_alias = key.n > 0 && key.p[0] == '|' && !key_is_mailbox(key);

	if (is_alias != by_alias)
		return false;
	return key_is_mailbox(key) ? str_eq_icase(key, mailbox) :
	    str_eq_icase(key_domain(key), behind_at(mailbox));
}
