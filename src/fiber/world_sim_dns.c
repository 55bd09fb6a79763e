/*
 * The simulated DNS: a zone's text asked over a network with a delay.
 */
#include "base/hash.h"
#include "fiber/dns_job.h"
#include "fiber/world.h"
#include "fiber/world_sim_state.h"

#include "base/err.h"
#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct question {
	struct sim_event event;
	struct dns_job *job;
};

static struct zone zone_now;
static bool has_zone;

void
sim_dns_forget(void)
{
	if (has_zone)
		zone_clear(&zone_now);
	has_zone = false;
}

int
sim_zone(struct str text)
{
	struct zone fresh;

	(void)sim_get();
	if (zone_read(&fresh, text) != 0)
		return -1;
	sim_dns_forget();
	zone_now = fresh;
	has_zone = true;
	return 0;
}

void
sim_dns_delay(int64_t ns)
{
	sim_get()->dns_delay_ns = ns;
}

static void
question_answer(struct question *q)
{
	struct dns_job *j = q->job;

	if (!zone_answer(&zone_now, j->name, j->type, j->arena, &j->answer))
		return;			/* TIMEOUT: silence */
	if (j->answer.status == DNS_TROUBLE)
		snprintf(j->why, sizeof j->why, "%s", err_text());
	sim_note((uint64_t)j->answer.status ^ j->answer.n << 8);
	j->of_world = NULL;
	free(q);
	core_enter(j->home);
	dns_job_done(j);
	core_enter(NULL);
}

static void
question_fire(struct sim_event *e)
{
	question_answer(OWNER_OF(e, struct question, event));
}

int
world_dns_start(struct dns_job *j)
{
	int rc = sim_step(SIM_dns, hash_bytes((struct hash_key){ 9, j->type },
	    j->name));
	struct question *q;

	if (rc != 0 || !has_zone)
		return rc != 0 ? rc : -ENETUNREACH;
	q = calloc(1, sizeof *q);
	if (q == NULL)
		return -ENOMEM;
	q->event.fire = question_fire;
	q->job = j;
	j->of_world = q;
	j->home = core_current();
	sim_event_in(&q->event, sim_now->dns_delay_ns +
	    sim_jitter(sim_now->dns_delay_ns));
	return 0;
}

void
world_dns_cancel(struct dns_job *j)
{
	struct question *q = j->of_world;

	must(q != NULL);
	sim_event_cancel(&q->event);
	free(q);
}
