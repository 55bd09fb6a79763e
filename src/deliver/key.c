#include "deliver/key.h"

#include "base/must.h"

struct str
mailbox_domain(struct str mailbox)
{
	size_t at = str_find_last(mailbox, '@');

	return at == mailbox.n ? str_sub(mailbox, at, 0) :
	    str_sub(mailbox, at + 1, mailbox.n);
}

/* Does any rule want to know this sender? */
static bool
sender_matters(const struct config *c, struct str sender_domain)
{
	for (size_t i = 0; i < c->n_routes; i++)
		for (size_t k = 0; k < c->routes[i].sender_domain.n; k++) {
			struct str want = c->routes[i].sender_domain.v[k];

			if (want.n > 0 && want.p[0] == '*')
				want = str_sub(want, 1, want.n);
			if (str_has_suffix_icase(sender_domain, want) ||
			    (sender_domain.n == 0 && str_eq(want, STR("<>"))))
				return true;
		}
	return false;
}

struct str
key_make(const struct config *c, struct str sender, struct str rcpt,
    struct arena *a)
{
	struct str domain = mailbox_domain(rcpt);
	struct str from = mailbox_domain(sender);

	must(domain.n > 0 && domain.n <= KEY_MOST);
	if (!sender_matters(c, from) || domain.n + 1 + from.n > KEY_MOST)
		return arena_lower(a, domain);
	domain = arena_printf(a, STR_FMT "!" STR_FMT, STR_ARG(domain),
	    STR_ARG(from));
	return domain.p == NULL ? STR_NONE : arena_lower(a, domain);
}

/* A domain holds no '!', a literal neither. */
bool
key_has(struct str key, struct str rcpt)
{
	return str_eq_icase(str_cut(&key, '!'), mailbox_domain(rcpt));
}

/* Of a key without a sender's domain it is only known that no rule asks for it:
 * a domain that none can name. */
static struct str
key_sender(bool is_told, struct str domain, struct arena *a)
{
	if (!is_told)
		return STR("anybody@!");
	return domain.n == 0 ? STR_NONE :
	    arena_join(a, STR("postmaster@"), domain);
}

struct route
key_route(const struct config *c, struct str key, struct arena *a)
{
	bool is_told = str_find(key, '!') < key.n;
	struct str domain = str_cut(&key, '!');

	return route_find(c, key_sender(is_told, key, a),
	    arena_join(a, STR("postmaster@"), domain));
}
