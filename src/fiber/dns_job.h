/*
 * dns_job.h -- one question on its way through the world.
 *
 * The promise: world_dns_start() takes the job; the world answers by filling
 * `answer' (and `why', for trouble) and calling dns_job_done() on the loop of
 * the core that asked, once, unless world_dns_cancel() came before.  A setup is
 * one configuration; whoever works with it holds it.
 * Not for: anyone but dns.c and fiber/world_*; others call dns_ask().
 * Waiting: none.
 * Memory: the job is on the asking fiber's stack, its strings in the arena; a
 * setup lives until the last holder dropped it, on whatever thread.
 * Errors: world_dns_start() returns a negative errno when it could not ask.
 * Source: fiber/world.h.
 */
#ifndef NM_FIBER_DNS_JOB_H
#define NM_FIBER_DNS_JOB_H

#include "base/list.h"
#include "fiber/dns.h"
#include "fiber/zone.h"

#include <stdatomic.h>

struct dns_setup {
	atomic_uint holders;
	struct arena arena;
	struct dns_config config;	/* its strings in the arena */
	struct zone zone;		/* read when config.zone.p != NULL */
};

void dns_setup_again(struct dns_setup *);	/* one holder more */
void dns_setup_drop(struct dns_setup *);

struct dns_job {
	struct str name;		/* no final dot, checked; "" is the root */
	enum dns_type type;
	struct arena *arena;
	struct dns_setup *setup;
	struct dns_answer answer;
	char why[120];			/* for DNS_TROUBLE */
	bool is_done;
	struct fiber *waiter;
	/* the world's, while it has the job */
	struct core *home;
	struct link link;
	void *of_world;
	int number;
};

void dns_job_done(struct dns_job *);

#endif
