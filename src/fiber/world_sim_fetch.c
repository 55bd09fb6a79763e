/*
 * The simulated web: pages that a scenario put there.
 */
#include "base/hash.h"
#include "fiber/fetch_job.h"
#include "fiber/world.h"
#include "fiber/world_sim_state.h"

#include <errno.h>
#include <stdio.h>

static const struct sim_web_page *pages;
static size_t n_pages;

void
sim_web(const struct sim_web_page *list, size_t n)
{
	pages = list;
	n_pages = n;
}

static const struct sim_web_page *
page_find(struct str url)
{
	for (size_t i = 0; i < n_pages; i++) {
		struct str want = str_of(pages[i].url), is = url;

		if (pages[i].serve != NULL ? str_skip(&is, want) :
		    str_eq(url, want))
			return &pages[i];
	}
	return NULL;
}

static enum fetch_trouble
page_tell(const struct sim_web_page *p, struct fetch_job *j)
{
	if (p->trouble != 0) {
		snprintf(j->why, sizeof j->why, "trouble of the simulator's");
		return (enum fetch_trouble)p->trouble;
	}
	j->status = p->status;
	if (p->serve != NULL)
		j->status = p->serve(j, &j->head, &j->text);
	else {
		buf_put(&j->head, str_of(p->head));
		if (j->method != FETCH_HEAD)
			buf_put(&j->text, str_of(p->body));
	}
	if (!j->head.full && !j->text.full)
		return FETCH_WELL;
	snprintf(j->why, sizeof j->why, "the answer is too big");
	return FETCH_BIG;
}

int
world_fetch_prepare(void)
{
	return 0;
}

void
world_fetch_hurry(void)
{
}

int
world_fetch(struct fetch_job *j)
{
	struct str url = str_of(j->url);
	const struct sim_web_page *p = page_find(url);
	int rc = sim_step(SIM_fetch, hash_bytes((struct hash_key){ 8, 0 }, url));

	sim_cost += sim_now->net.delay_ns * 4;
	if (rc == 0 && p != NULL)
		return (int)page_tell(p, j);
	snprintf(j->why, sizeof j->why, "nobody is there");
	return FETCH_UNREACHED;
}
