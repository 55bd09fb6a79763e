#include "fiber/offload.h"

#include "base/must.h"
#include "fiber/inner.h"

#include <errno.h>

enum { OFFLOAD_THREADS = 4, OFFLOAD_DISK_THREADS = 4,
	OFFLOAD_PATIENT_THREADS = 64 };

static struct {
	struct lane *work, *disk, *patient;
	atomic_uint waiting;		/* submitted, not begun */
} offloads;

static struct lane *
lane_start(const char *name, unsigned threads)
{
	struct lane *l = NULL;
	int rc = world_lane_open(name, threads, &l);

	must(threads >= 1);
	if (rc < 0) {
		errno = -rc;
		err_set("start helper thread %s: %m", name);
		return NULL;
	}
	return l;
}

int
offload_open(void)
{
	must(offloads.work == NULL && offloads.disk == NULL);
	atomic_store(&offloads.waiting, 0);
	offloads.work = lane_start("offload", OFFLOAD_THREADS);
	offloads.disk = lane_start("disk", OFFLOAD_DISK_THREADS);
	offloads.patient = lane_start("patient", OFFLOAD_PATIENT_THREADS);
	if (offloads.work != NULL && offloads.disk != NULL &&
	    offloads.patient != NULL)
		return 0;
	offload_close();
	return -1;
}

void
offload_close(void)
{
	lane_close(offloads.work);
	lane_close(offloads.disk);
	lane_close(offloads.patient);
	offloads.work = offloads.disk = offloads.patient = NULL;
}

/* ---- a job's way ---- */

void
job_run(struct job *j)
{
	must(j->fn != NULL && !j->is_done);
	if (j->is_counted)
		atomic_fetch_sub(&offloads.waiting, 1);
	err_use(&j->trail);
	j->result = j->fn(j->arg);
	err_use(NULL);
}

static void
job_arrived(struct core_post *p)
{
	struct job *j = OWNER_OF(p, struct job, post);

	must(core_current() == j->home);
	j->is_done = true;
	fiber_wake(j->waiter);
}

void
job_done(struct job *j)
{
	j->post.run = job_arrived;
	core_send(j->home, &j->post);
}

static yields int
job_wait(struct lane *l, struct job *j)
{
	j->home = core_current();
	j->waiter = fiber_self();
	must(l != NULL && j->waiter != NULL);
	world_lane_submit(l, j);
	while (!j->is_done)
		(void)fiber_park(MONO_NEVER);
	if (j->trail.n > 0)
		err_set("%s", j->trail.text);
	return j->result;
}

yields int
offload(int (*fn)(void *), void *arg)
{
	struct job j = { .fn = fn, .arg = arg, .is_counted = true };

	if (atomic_fetch_add(&offloads.waiting, 1) >= OFFLOAD_QUEUE) {
		atomic_fetch_sub(&offloads.waiting, 1);
		err_set("too many calls wait for a helper thread");
		return OFFLOAD_BUSY;
	}
	return job_wait(offloads.work, &j);
}

yields int
offload_disk(int (*fn)(void *), void *arg)
{
	struct job j = { .fn = fn, .arg = arg };

	return job_wait(offloads.disk, &j);
}

yields int
offload_patient(int (*fn)(void *), void *arg)
{
	struct job j = { .fn = fn, .arg = arg };

	return job_wait(offloads.patient, &j);
}

/* ---- lanes ---- */

struct lane *
lane_open(const char *name)
{
	return lane_start(name, 1);
}

void
lane_close(struct lane *l)
{
	if (l != NULL)
		world_lane_close(l);
}

yields int
lane_run(struct lane *l, int (*fn)(void *), void *arg)
{
	struct job j = { .fn = fn, .arg = arg };

	return job_wait(l, &j);
}
