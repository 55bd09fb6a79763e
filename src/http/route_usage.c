/* route_usage.c -- what an account, or a tenant, sent lately, and may send. */
#include "fiber/clock.h"
#include "http/control_inner.h"
#include "policy/holder.h"
#include "policy/quota.h"

struct usage_work {
	struct control_work work;	/* first */
	struct quota_name who;
	struct quota_seen seen;
	struct quota limits[ACCOUNT_MEASURES];
};

/* One core counts him; the others know nothing. */
static yields void
usage_see(void *arg)
{
	struct usage_work *w = arg;
	struct quota_seen seen = quota_see(w->work.core->quotas, w->who,
	    clock_wall());

	for (size_t m = 0; m < ACCOUNT_MEASURES; m++) {
		w->seen.hour.n[m] += seen.hour.n[m];
		w->seen.day.n[m] += seen.day.n[m];
	}
}

/* What the file says; a source of accounts may say more. */
static void
usage_limits(struct usage_work *w)
{
	const struct config *config =
	    config_now(w->work.control->setup.cores[0].holder);
	struct account told = { .name = w->who.name }, settled;
	const struct tenant_rule *tenant;

	if (w->who.kind == QUOTA_ACCOUNT) {
		account_settle(config, &told, &settled);
		memcpy(w->limits, settled.limits, sizeof w->limits);
		return;
	}
	tenant = tenant_rule_find(config, w->who.name);
	if (tenant != NULL)
		memcpy(w->limits, tenant->limits, sizeof w->limits);
}

static void
usage_window(struct json *j, const char *key, const struct quota_use *use,
    const struct quota *limits, bool is_day)
{
	static const char *const names[ACCOUNT_MEASURES] = { "messages",
		"recipients", "bytes" };
	static const char *const mosts[ACCOUNT_MEASURES] = { "messages_most",
		"recipients_most", "bytes_most" };

	json_put_object(j, key);
	for (size_t m = 0; m < ACCOUNT_MEASURES; m++) {
		uint64_t most = is_day ? limits[m].day : limits[m].hour;

		json_put_u64(j, names[m], use->n[m]);
		if (most != 0 && most != QUOTA_NONE)
			json_put_u64(j, mosts[m], most);
	}
	json_end_object(j);
}

static yields void
usage_say(struct request *q, const struct usage_work *w)
{
	char room[2048];
	struct buf b = BUF_OF(room);
	struct json j;

	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, w->who.kind == QUOTA_TENANT ? "tenant" : "account",
	    w->who.name);
	usage_window(&j, "hour", &w->seen.hour, w->limits, false);
	usage_window(&j, "day", &w->seen.day, w->limits, true);
	json_end_object(&j);
	talk_say(q->talk, 200, "application/json", buf_str(&b));
}

yields void
route_usage_show(struct request *q)
{
	struct str account = talk_query(q->talk, STR("account"));
	struct str tenant = talk_query(q->talk, STR("tenant"));
	char room[ACCOUNT_KEY_ROOM];
	struct buf key = BUF_OF(room);
	struct usage_work w = { .who.kind = tenant.n > 0 ? QUOTA_TENANT :
	    QUOTA_ACCOUNT };

	if ((account.n > 0) == (tenant.n > 0) || tenant.n > 64 ||
	    (account.n > 0 && !account_key(account, &key))) {
		talk_error(q->talk, 422, "name", "say account=NAME or "
		    "tenant=NAME");
		return;
	}
	w.who.name = tenant.n > 0 ? tenant : buf_str(&key);
	control_each(q->control, usage_see, &w.work);
	usage_limits(&w);
	usage_say(q, &w);
}
