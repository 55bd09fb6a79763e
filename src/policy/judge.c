#include "policy/judge.h"

#include "base/must.h"
#include "policy/domain.h"
#include "policy/route.h"
#include "wire/idna.h"
#include "wire/srs.h"

struct judge_row {
	short code;
	const char *esc, *text;
};

static const struct judge_row rows[JUDGE_REASONS] = {
#define JUDGE(name, code, esc, text) [JUDGE_##name] = \
	{ code, esc, text },
#include "policy/judge.def"
#undef JUDGE
};

struct judgment
judge_say(enum judge_reason reason, struct str about)
{
	const struct judge_row *row;
	struct judgment j = { .reason = reason };
	struct str text, before;
	enum disposition d;

	must(reason < JUDGE_REASONS);
	row = &rows[reason];
	d = row->code < 300 ? DELIVERED : row->code < 500 ? DEFERRED : FAILED;
	text = str_of(row->text);
	before = str_sub(text, 0, str_find_str(text, STR("%s")));
	if (before.n == text.n)
		j.verdict = verdict_make(d, row->code, row->esc, "%s",
		    row->text);
	else
		j.verdict = verdict_make(d, row->code, row->esc,
		    STR_FMT STR_FMT"%s", STR_ARG(before), STR_ARG(about),
		    row->text + before.n + 2);
	return j;
}

bool
judgment_is_yes(const struct judgment *j)
{
	return j->verdict.disposition == DELIVERED;
}

static bool
judge_may_relay(const struct config *c, const struct judge_client *client)
{
	return client->user.n > 0 || config_trusts(c, &client->address);
}

/* RFC 5321 4.1.4: a name that does not verify is no reason to refuse; what is
 * no name at all is. */
struct judgment
judge_helo(const struct config *c, const struct judge_client *client,
    struct str helo)
{
	(void)c;
	(void)client;
	return judge_say(host_parse(helo, MAILBOX_STRICT) == HOST_BAD ?
	    JUDGE_bad_helo : JUDGE_ok, helo);
}

/* RFC 6409 6.1.  Reports, with no sender, are for who was given that. */
static bool
judge_owns(const struct config *c, const struct account *a,
    const struct path *from, struct arena *arena)
{
	return from->is_null ? account_may_report(a) :
	    account_may_send(c, a, &from->mailbox, arena);
}

/* What no Mailbox of RFC 5321 can say is nobody's. */
struct judgment
judge_author(const struct config *c, const struct account *a, bool is_from,
    struct str local, struct str domain, struct arena *arena)
{
	enum judge_reason no = is_from ? JUDGE_from_foreign :
	    JUDGE_sender_field;
	char printed[MAILBOX_TEXT], room[MAILBOX_ROOM];
	struct buf text = BUF_OF(printed), ascii = BUF_OF(room);
	struct mailbox m;

	mailbox_print(local, domain, &text);
	if (text.full || mailbox_parse(buf_str(&text), MAILBOX_UTF8, &m) != NULL
	    || !idna_mailbox(&m, &ascii) ||
	    !account_may_send(c, a, &m, arena))
		return judge_say(no, buf_str(&text));
	return judge_say(JUDGE_ok, STR(""));
}

/* RFC 6409 4.3: submission is for those who are known.  RFC 1870 6.1. */
struct judgment
judge_mail(const struct config *c, const struct judge_client *client,
    const struct path *from, uint64_t size, struct arena *arena)
{
	if (client->role != ROLE_MX && !judge_may_relay(c, client))
		return judge_say(JUDGE_auth_required, from->mailbox.text);
	if (client->account != NULL && !judge_owns(c, client->account, from,
	    arena))
		return judge_say(JUDGE_sender_foreign, from->mailbox.text);
	if (size > c->limits.size)
		return judge_say(JUDGE_too_big, from->mailbox.text);
	return judge_say(JUDGE_sender_ok, from->mailbox.text);
}

/* The own domain a path is in: <Postmaster> is in hostname's. */
static const struct domain *
path_home(const struct config *c, const struct path *to)
{
	return config_domain(c, to->is_postmaster ? c->hostname :
	    to->mailbox.domain);
}

/* Whether it was made here is seen by intake/forward.h, which has the keys. */
static bool
judge_may_be_srs(const struct config *c, struct str local)
{
	return c->forward.srs == FORWARD_SRS_ON && srs_is_meant(local);
}

static struct judgment
judge_resident(const struct config *c, const struct domain *d,
    const struct path *to)
{
	char local[LOCAL_MOST];
	struct buf b = BUF_OF(local);

	if (to->is_postmaster)
		return judge_say(JUDGE_rcpt_ok, to->mailbox.text);
	mailbox_local(&to->mailbox, &b);
	must(!b.full);
	return judge_say(!judge_may_be_srs(c, buf_str(&b)) &&
	    domain_resident(d, buf_str(&b)).kind == RESIDENT_NONE ?
	    JUDGE_user_unknown : JUDGE_rcpt_ok, to->mailbox.text);
}

/* A rule of route: may refuse what would be relayed. */
static struct judgment
judge_relay(const struct config *c, struct str sender, const struct path *to)
{
	struct judgment j = judge_say(JUDGE_rcpt_ok, to->mailbox.text);
	struct route r = route_find(c, sender, to->mailbox.text);

	if (r.kind == ROUTE_REFUSED) {
		j.reason = JUDGE_route_refused;
		j.verdict = r.why;
	}
	return j;
}

/* RFC 5321 3.3, 7.9; SECURITY.md row 13.  Only the domain behind the last @
 * decides, and wire/address.h has refused everything that is ambiguous. */
struct judgment
judge_rcpt(const struct config *c, const struct judge_client *client,
    struct str sender, const struct path *to, size_t n)
{
	const struct domain *d = path_home(c, to);

	if (n >= c->limits.recipients)
		return judge_say(JUDGE_rcpt_many, to->mailbox.text);
	if (d != NULL)
		return judge_resident(c, d, to);
	if (!judge_may_relay(c, client))
		return judge_say(JUDGE_relay_denied, to->mailbox.text);
	return judge_relay(c, sender, to);
}
