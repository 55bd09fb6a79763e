#include "smtp/knock.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "policy/attempt.h"
#include "policy/config.h"
#include "smtp/session.h"

/* The reply to the nth failure of a conversation waits n times n of these. */
#define KNOCK_FAILED_NS (250 * NS_PER_MS)
#define KNOCK_FAILED_MOST_NS (10 * NS_PER_SECOND)

/* ---- counted by their owner cores ---- */

struct knock_question {
	struct server_house *house;
	const struct address *client;
	struct str name;
	bool is_trusted;
	struct attempt_wait wait;
};

static struct attempt_table *
knock_table(const struct knock_question *q)
{
	struct server *owner = q->house->cores[core_index()];

	must(owner != NULL && owner->attempts != NULL);
	return owner->attempts;
}

static yields void
knock_count(void *arg)
{
	struct knock_question *q = arg;

	q->wait = attempt_begin(knock_table(q), q->client, q->name,
	    q->is_trusted, clock_mono());
}

static yields void
knock_count_name(void *arg)
{
	struct knock_question *q = arg;

	q->wait.ns = attempt_begin_name(knock_table(q), q->name, clock_mono());
}

static yields void
knock_make_known(void *arg)
{
	struct knock_question *q = arg;

	attempt_good(knock_table(q), q->client, q->name, q->is_trusted,
	    clock_mono());
}

static yields void
knock_take_back(void *arg)
{
	struct knock_question *q = arg;

	attempt_unjudged(knock_table(q), q->client, q->name, q->is_trusted,
	    clock_mono());
}

static yields void
knock_take_back_name(void *arg)
{
	struct knock_question *q = arg;

	attempt_back_name(knock_table(q), q->name, clock_mono());
}

/* Whom the other core has no memory to count waits for nothing. */
static yields struct attempt_wait
knock_ask(const struct session *s, bool of_name, yields void (*count)(void *))
{
	struct knock_question q = {
		.house = s->server->house, .client = &s->guest.client,
		.name = s->knock.name, .is_trusted = s->knock.is_trusted,
	};
	unsigned owner = of_name ?
	    attempt_owner_name(q.house->key, q.name, q.house->n) :
	    attempt_owner_network(q.house->key, q.client, q.house->n);

	if (owner == core_index())
		count(&q);
	else
		core_call(owner, count, &q);
	return q.wait;
}

/* ---- waiting ---- */

/* False: there is no more room to wait, or no time. */
static yields bool
knock_wait(struct session *s, int64_t ns)
{
	struct mono until = mono_add(clock_mono(), ns);
	struct knocker me = { .fiber = fiber_self() };

	if (ns <= 0)
		return !s->server->is_shut;
	if (s->server->n_knockers >= KNOCKS_MOST)
		return false;
	s->server->n_knockers++;
	list_append(&s->server->knockers, &me.link);
	while (!s->server->is_shut && mono_is_before(clock_mono(), until))
		(void)fiber_park(until);
	list_remove(&me.link);
	must(s->server->n_knockers > 0);
	s->server->n_knockers--;
	return !s->server->is_shut;
}

void
knock_hurry(struct server *server)
{
	for (struct link *l = list_first(&server->knockers); l != NULL;
	    l = list_next(&server->knockers, l))
		fiber_wake(OWNER_OF(l, struct knocker, link)->fiber);
}

/* What was said goes out before a wait that may be long. */
static yields int
knock_wait_or_end(struct session *s, int64_t ns)
{
	if (ns > 0)
		stream_flush(&s->net);
	s->knock.waited_ns += ns;
	if (knock_wait(s, ns))
		return 0;
	session_say(s, s->server->is_shut ? REPLY_SHUT : REPLY_LOGINS);
	return -1;
}

/* ---- an attempt ---- */

static int
knock_open(struct session *s, struct str name)
{
	struct knock *k = &s->knock;

	must(!k->is_open && s->account == NULL);
	if (!session_room(s, ACCOUNT_NAME_MOST, &k->name_room))
		return -1;
	name = str_sub(name, 0, ACCOUNT_NAME_MOST);
	memcpy(k->name_room, name.n > 0 ? name.p : "", name.n);
	k->name = (struct str){ k->name_room, name.n };
	k->is_trusted = config_trusts(session_config(s), &s->guest.client);
	k->is_name_counted = false;
	k->waited_ns = 0;
	k->is_open = true;
	return 0;
}

yields int
knock_begin(struct session *s, struct str name)
{
	struct attempt_wait wait;
	int64_t of_name;

	if (knock_open(s, name) != 0) {
		session_say(s, REPLY_LOGINS);
		return -1;
	}
	wait = knock_ask(s, false, knock_count);
	if (!wait.is_known && s->knock.name.n > 0) {
		of_name = knock_ask(s, true, knock_count_name).ns;
		s->knock.is_name_counted = true;
		wait.ns = of_name > wait.ns ? of_name : wait.ns;
	}
	if (knock_wait_or_end(s, wait.ns) == 0)
		return 0;
	s->knock.is_open = false;
	return -1;
}

static yields void
knock_close(struct session *s, yields void (*count)(void *))
{
	must(s->knock.is_open);
	s->knock.is_open = false;
	(void)knock_ask(s, false, count);
	if (s->knock.is_name_counted)
		(void)knock_ask(s, true, knock_take_back_name);
}

static const char *
knock_bars(const struct session *s, const struct account *told)
{
	struct account settled;

	account_settle(session_config(s), told, &settled);
	switch (account_stands(&settled, &s->guest.client, clock_wall())) {
	case ACCOUNT_STANDS:
		break;
	case ACCOUNT_EXPIRED:
		return "expired";
	case ACCOUNT_ELSEWHERE:
		return "network";
	}
	return NULL;
}

static bool
knock_keep(struct session *s, const struct account *told)
{
	struct arena *arena = &s->knock.arena;
	struct account *mine;

	must(s->account == NULL && s->user.n == 0);
	arena_init(arena, session_config(s)->limits.session_memory);
	mine = arena_new(arena, struct account);
	if (mine == NULL || !account_copy(arena, told, mine)) {
		arena_clear(arena);
		return false;
	}
	s->account = mine;
	s->user = mine->name;
	session_weigh(s);
	return true;
}

yields int
knock_good(struct session *s, const struct account *told,
    const char *mechanism, const char **why)
{
	must(s->knock.is_open);
	*why = knock_bars(s, told);
	if (*why != NULL || !knock_keep(s, told))
		return -1;
	s->mechanism = mechanism;
	knock_close(s, knock_make_known);
	session_tell_login(s, &(struct session_login){ LOGIN_WAS_GOOD, s->user,
	    mechanism, NULL, s->knock.waited_ns });
	s->knock.failures = 0;
	return 0;
}

static int64_t
knock_patience(const struct session *s)
{
	int64_t n = s->knock.failures;
	int64_t ns = n * n * KNOCK_FAILED_NS;

	must(n >= 0);
	return ns < KNOCK_FAILED_MOST_NS ? ns : KNOCK_FAILED_MOST_NS;
}

yields int
knock_failed(struct session *s, const char *mechanism, const char *why)
{
	must(s->knock.is_open);
	s->knock.is_open = false;
	s->knock.failures++;
	session_tell_login(s, &(struct session_login){ LOGIN_WAS_BAD,
	    s->knock.name, mechanism, why, s->knock.waited_ns });
	if (knock_wait_or_end(s, knock_patience(s)) != 0)
		return -1;
	if (s->knock.failures < session_config(s)->auth.failures)
		return 0;
	session_say(s, REPLY_LOGINS);
	return -1;
}

yields void
knock_unjudged(struct session *s, const char *mechanism, const char *why)
{
	knock_close(s, knock_take_back);
	if (why != NULL)
		session_tell_login(s, &(struct session_login){
		    LOGIN_WAS_UNJUDGED, s->knock.name, mechanism, why,
		    s->knock.waited_ns });
}

void
knock_forget(struct session *s)
{
	must(!s->knock.is_open);
	s->knock.failures = 0;
	if (s->account == NULL)
		return;
	arena_clear(&s->knock.arena);
	s->account = NULL;
	s->user = STR_NONE;
	s->mechanism = NULL;
}
