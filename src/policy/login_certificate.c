/* login_certificate.c -- whoever a certificate names, that TLS has verified. */
#include "fiber/fiber.h"
#include "policy/login.h"

bool
login_certificate_is_set(const struct config *c)
{
	for (size_t i = 0; i < c->n_accounts; i++)
		if (c->account_list[i]->certificates.n > 0)
			return true;
	return c->auth.certificates.n > 0;
}

bool
login_certificate_takes(const struct config *c, enum login_kind kind)
{
	return kind == LOGIN_CERTIFICATE && login_certificate_is_set(c);
}

/* What he said he is, if he said it, is only compared. */
static bool
subject_is_wanted(const struct login_ask *ask, struct str subject)
{
	char one_room[ACCOUNT_KEY_ROOM], other_room[ACCOUNT_KEY_ROOM];
	struct buf one = BUF_OF(one_room), other = BUF_OF(other_room);

	if (!account_key(subject, &one))
		return false;
	return ask->name.n == 0 || (account_key(ask->name, &other) &&
	    str_eq(buf_str(&one), buf_str(&other)));
}

/* Users whom another source has are not let in when it has disabled them. */
static yields enum login_result
subject_known(struct login *l, const struct login_ask *ask, struct str subject,
    struct arena *a, struct account *out, const char **why)
{
	struct login_ask named = *ask;
	enum login_result result;

	named.name = subject;
	result = login_database_named(l, &named, a, out, why);
	return result != LOGIN_UNKNOWN ? result :
	    login_file_named(&named, a, out, why);
}

/* Nobody else has heard of him: the authority's word, or the operator's who named
 * the very certificate, is enough. */
static enum login_result
subject_alone(struct str subject, struct arena *a, struct account *out)
{
	*out = (struct account){ .name = arena_copy(a, subject),
		.source = "certificate" };
	return out->name.p != NULL ? LOGIN_OK : LOGIN_LATER;
}

yields enum login_result
login_certificate_check(struct login *l, const struct login_ask *ask,
    struct arena *a, struct account *out, const char **why)
{
	enum login_result result = LOGIN_UNKNOWN;
	struct str rest = ask->subjects, first = STR_NONE;

	while (rest.n > 0 && result == LOGIN_UNKNOWN) {
		struct str subject = str_cut(&rest, '\n');

		if (!subject_is_wanted(ask, subject))
			continue;
		if (first.p == NULL)
			first = subject;
		result = subject_known(l, ask, subject, a, out, why);
	}
	if (result != LOGIN_UNKNOWN)
		return result;
	*why = "another name than the certificate's";
	return first.p == NULL ? LOGIN_BAD : subject_alone(first, a, out);
}
