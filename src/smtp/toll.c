#include "smtp/toll.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "policy/judge.h"
#include "policy/quota.h"
#include "smtp/session.h"

/* ---- the core that counts ---- */

enum toll_op { TOLL_LOOK, TOLL_TAKE, TOLL_GIVE };

struct toll_question {
	struct server_house *house;
	struct quota_name who;
	struct quota limits[ACCOUNT_MEASURES];
	struct quota_use use;
	enum toll_op op;
	struct quota_answer answer;
};

static yields void
toll_count(void *arg)
{
	struct toll_question *q = arg;
	struct server *owner = q->house->cores[core_index()];

	must(owner != NULL && owner->quotas != NULL);
	switch (q->op) {
	case TOLL_LOOK:
		q->answer = quota_look(owner->quotas, q->who, q->limits,
		    &q->use, clock_wall());
		break;
	case TOLL_TAKE:
		q->answer = quota_take(owner->quotas, q->who, q->limits,
		    &q->use, clock_wall());
		break;
	case TOLL_GIVE:
		quota_give(owner->quotas, q->who, &q->use, clock_wall());
		break;
	}
}

/* RFC 3463: X.2.2 is a mailbox that is full; ours is one of sending.  Who sends
 * fewer recipients at a time may go on at once. */
static struct verdict
toll_verdict(const struct quota_name *who, const struct quota_answer *a)
{
	char room[160];
	struct buf b = BUF_OF(room);
	bool is_never = a->opens.us == WALL_NEVER.us &&
	    a->measure == ACCOUNT_OCTETS;

	must(!a->fits);
	quota_words(a, &b);
	must(!b.full);
	return judge_say(is_never ? JUDGE_quota_small :
	    who->kind == QUOTA_TENANT ? JUDGE_quota_tenant : JUDGE_quota_account,
	    buf_str(&b)).verdict;
}

static yields struct verdict
toll_ask(const struct session *s, struct toll_question *q)
{
	unsigned owner;

	q->house = s->server->house;
	q->answer = (struct quota_answer){ .fits = true,
	    .left = { QUOTA_NONE, QUOTA_NONE, QUOTA_NONE } };
	owner = quota_owner(q->house->key, q->who, q->house->n);
	if (owner == core_index())
		toll_count(q);
	else
		core_call(owner, toll_count, q);
	return q->answer.fits ? judge_say(JUDGE_ok, STR("")).verdict :
	    toll_verdict(&q->who, &q->answer);
}

/* ---- account, then tenant ---- */

static struct toll_question
toll_of_account(const struct session *s, enum toll_op op,
    const struct quota_use *use)
{
	struct toll_question q = { .who = { QUOTA_ACCOUNT, s->txn.toll.name },
		.use = *use, .op = op };

	memcpy(q.limits, s->txn.account->limits, sizeof q.limits);
	return q;
}

static struct toll_question
toll_of_tenant(const struct session *s, enum toll_op op,
    const struct quota_use *use)
{
	const struct tenant_rule *tenant = s->txn.toll.tenant;
	struct toll_question q = { .who = { QUOTA_TENANT, tenant->name },
		.use = *use, .op = op };

	must(tenant != NULL);
	memcpy(q.limits, tenant->limits, sizeof q.limits);
	return q;
}

static void
toll_learn(struct session *s, const struct toll_question *q)
{
	uint64_t left = q->answer.left[ACCOUNT_RECIPIENTS];

	if (left < s->txn.toll.recipients)
		s->txn.toll.recipients = left;
}

/* Both or neither. */
static yields struct verdict
toll_both(struct session *s, enum toll_op op, const struct quota_use *use)
{
	struct verdict v = judge_say(JUDGE_ok, STR("")).verdict;
	struct toll_question q;

	must(s->txn.account != NULL && s->txn.config != NULL);
	if (s->txn.toll.name.n > 0) {
		q = toll_of_account(s, op, use);
		v = toll_ask(s, &q);
		toll_learn(s, &q);
	}
	if (v.disposition != DELIVERED || s->txn.toll.tenant == NULL)
		return v;
	q = toll_of_tenant(s, op, use);
	v = toll_ask(s, &q);
	toll_learn(s, &q);
	if (v.disposition != DELIVERED && op == TOLL_TAKE &&
	    s->txn.toll.name.n > 0) {
		q = toll_of_account(s, TOLL_GIVE, use);
		(void)toll_ask(s, &q);
	}
	return v;
}

/* ---- of a transaction ---- */

/* False: there is no memory. */
static bool
toll_begin(struct session *s)
{
	const struct account *a = s->txn.account;
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);

	s->txn.toll.recipients = QUOTA_NONE;
	s->txn.toll.tenant = tenant_rule_find(s->txn.config, a->tenant);
	if (s->txn.toll.tenant != NULL &&
	    !quota_is_set(s->txn.toll.tenant->limits))
		s->txn.toll.tenant = NULL;
	if (!quota_is_set(a->limits) || !account_key(a->name, &key))
		return true;
	s->txn.toll.name = arena_copy(&s->txn.arena, buf_str(&key));
	return s->txn.toll.name.p != NULL;
}

yields struct verdict
toll_mail(struct session *s, uint64_t size)
{
	struct quota_use use = { { 1, 1, size } };

	if (s->txn.account == NULL)
		return judge_say(JUDGE_ok, STR("")).verdict;
	if (!toll_begin(s))
		return session_verdict(REPLY_NO_ROOM);
	return toll_both(s, TOLL_LOOK, &use);
}

yields struct verdict
toll_rcpt(struct session *s)
{
	struct quota_use use = { { 1, s->txn.n_rcpts + 1, 0 } };

	if (s->txn.account == NULL ||
	    s->txn.n_rcpts < s->txn.toll.recipients)
		return judge_say(JUDGE_ok, STR("")).verdict;
	return toll_both(s, TOLL_LOOK, &use);
}

yields struct verdict
toll_pay(struct session *s, uint64_t octets)
{
	struct quota_use use = { { 1, s->txn.n_rcpts, octets } };

	must(s->txn.n_rcpts > 0);
	if (s->txn.account == NULL)
		return judge_say(JUDGE_ok, STR("")).verdict;
	return toll_both(s, TOLL_TAKE, &use);
}

yields void
toll_back(struct session *s, uint64_t octets)
{
	struct quota_use use = { { 1, s->txn.n_rcpts, octets } };

	if (s->txn.account != NULL)
		(void)toll_both(s, TOLL_GIVE, &use);
}
