#include "fiber/world.h"
#include "fiber/world_real.h"

#include "base/must.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { LANE_THREADS_MOST = 64 };

struct lane {
	pthread_mutex_t lock;
	pthread_cond_t submitted;
	struct job *first, **tail;	/* not begun */
	size_t n_jobs;
	const char *name;
	unsigned threads_most, n_threads, n_idle;
	bool is_closing;
	unsigned long threads[LANE_THREADS_MOST];
};

static struct job *
lane_next(struct lane *l)
{
	struct job *j;

	pthread_mutex_lock(&l->lock);
	l->n_idle++;
	while ((j = l->first) == NULL && !l->is_closing)
		pthread_cond_wait(&l->submitted, &l->lock);
	must(l->n_idle > 0);
	l->n_idle--;
	if (j != NULL) {
		must(l->n_jobs > 0);
		l->first = j->next;
		l->n_jobs--;
		if (l->first == NULL)
			l->tail = &l->first;
	}
	pthread_mutex_unlock(&l->lock);
	return j;
}

static void *
lane_main(void *arg)
{
	struct lane *l = arg;
	struct job *j;

	while ((j = lane_next(l)) != NULL) {
		job_run(j);
		job_done(j);
	}
	return NULL;
}

/* With the lock held, or before anybody knows the lane. */
static int
lane_grow(struct lane *l)
{
	int rc = real_thread_start(l->name, lane_main, l,
	    &l->threads[l->n_threads]);

	must(l->n_threads < l->threads_most);
	if (rc == 0)
		l->n_threads++;
	return rc;
}

int
world_lane_open(const char *name, unsigned threads, struct lane **out)
{
	struct lane *l = calloc(1, sizeof *l);
	int rc;

	must(threads >= 1);
	if (l == NULL)
		return -ENOMEM;
	must(pthread_mutex_init(&l->lock, NULL) == 0);
	must(pthread_cond_init(&l->submitted, NULL) == 0);
	l->tail = &l->first;
	l->name = name;
	l->threads_most = threads < LANE_THREADS_MOST ? threads :
	    LANE_THREADS_MOST;
	rc = lane_grow(l);
	if (rc != 0) {
		free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void
world_lane_close(struct lane *l)
{
	pthread_mutex_lock(&l->lock);
	must(l->first == NULL);
	l->is_closing = true;
	pthread_cond_broadcast(&l->submitted);
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < l->n_threads; i++)
		real_thread_join(l->threads[i]);
	must(pthread_cond_destroy(&l->submitted) == 0);
	must(pthread_mutex_destroy(&l->lock) == 0);
	free(l);
}

/* The signal comes behind the lock, or who wakes by it would meet the lock and
 * sleep again. */
void
world_lane_submit(struct lane *l, struct job *j)
{
	bool is_awaited;

	pthread_mutex_lock(&l->lock);
	must(!l->is_closing);
	j->next = NULL;
	*l->tail = j;
	l->tail = &j->next;
	l->n_jobs++;
	/* One thread less than hoped for is no harm: there is always one. */
	if (l->n_jobs > l->n_idle && l->n_threads < l->threads_most)
		(void)lane_grow(l);
	is_awaited = l->n_idle > 0;
	pthread_mutex_unlock(&l->lock);
	if (is_awaited)
		pthread_cond_signal(&l->submitted);
}
