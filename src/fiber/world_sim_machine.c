/*
 * Several machines in one world: each life is a process of its own, so that a
 * crash loses the memory of one and nothing of the others; and one process at a
 * time has the turn, so that a seed is one run.
 *
 *	SIM_DOWN	again()		its next life begins at `next'
 *	SIM_LIVING	machine_start()	a process; it waits for `go', or has
 *					the turn
 *	SIM_ABSENT	again() < 0	no more
 *
 * Who cannot go on before `next' passes the turn to whoever is first, and moves
 * the clock there; to begin and to bury lives is the parent's.
 */
#include "fiber/world_sim_state.h"

#include "base/must.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS (50 * NS_PER_MS)	/* of the real clock: did somebody die? */

/* ---- whose turn it is ---- */

static void
go_say(uint32_t *go)
{
	__atomic_store_n(go, 1, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, go, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* False: not within LOOK_NS. */
static bool
go_wait(uint32_t *go)
{
	struct timespec look = { 0, LOOK_NS };

	if (__atomic_exchange_n(go, 0, __ATOMIC_ACQUIRE) == 1)
		return true;
	(void)syscall(SYS_futex, go, FUTEX_WAIT, 0, &look, NULL, 0);
	return __atomic_exchange_n(go, 0, __ATOMIC_ACQUIRE) == 1;
}

static int64_t
first_due(void)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < SIM_MACHINES; i++)
		if (sim_now->machines[i].state != SIM_ABSENT &&
		    sim_now->machines[i].next < first)
			first = sim_now->machines[i].next;
	return first;
}

static bool
is_due(const struct sim_machine *m, int64_t at)
{
	return m->state != SIM_ABSENT && m->next <= at;
}

/* One of those that can go on at the first instant at which any can, which
 * becomes now; by the seed. */
static struct sim_machine *
machine_choose(void)
{
	struct sim *s = sim_now;
	int64_t first = first_due();
	uint64_t can = 0, chosen;

	if (first == INT64_MAX)
		sim_broken("stuck: every machine waits for ever");
	if (first > s->mono.ns)
		s->mono.ns = first;
	for (size_t i = 0; i < SIM_MACHINES; i++)
		can += is_due(&s->machines[i], s->mono.ns);
	chosen = can == 1 ? 0 : sim_chance(can);
	for (size_t i = 0; i < SIM_MACHINES; i++)
		if (is_due(&s->machines[i], s->mono.ns) && chosen-- == 0)
			return &s->machines[i];
	must(false);
	return NULL;
}

static void
turn_give(struct sim_machine *m)
{
	go_say(m->state == SIM_LIVING ? &m->go : &sim_now->parent_go);
}

void
sim_turn_pass(int64_t next)
{
	struct sim_machine *mine = sim_mine(), *m;

	mine->next = next;
	m = machine_choose();
	if (m != mine) {
		turn_give(m);
		while (!go_wait(&mine->go))
			;
	}
	sim_bells_hear();
}

bool
sim_others_wait(void)
{
	for (size_t i = 0; i < SIM_MACHINES; i++)
		if (i != sim_me &&
		    is_due(&sim_now->machines[i], sim_now->mono.ns))
			return true;
	return false;
}

void
sim_turn_leave(void)
{
	if (sim_now->is_shared)
		go_say(&sim_now->parent_go);
}

/* ---- bells ---- */

void
sim_ring(unsigned machine, void (*ring)(void *, int64_t), void *what,
    int64_t at)
{
	struct sim_machine *m = &sim_now->machines[machine];
	struct sim_bell *b;

	if (m->state != SIM_LIVING)
		return;
	b = sim_room_take(sizeof *b);
	*b = (struct sim_bell){ NULL, ring, what, at };
	if (m->bells == NULL)
		m->bells_tail = &m->bells;
	*m->bells_tail = b;
	m->bells_tail = &b->next;
	if (at < m->next)
		m->next = at;
}

static struct sim_bell *
bell_take(struct sim_machine *m)
{
	struct sim_bell *b = m->bells;

	if (b != NULL)
		m->bells = b->next;
	return b;
}

void
sim_bells_hear(void)
{
	struct sim_bell *b;

	while ((b = bell_take(sim_mine())) != NULL) {
		b->ring(b->what, b->at);
		sim_room_give(b, sizeof *b);
	}
}

static void
bells_forget(struct sim_machine *m)
{
	struct sim_bell *b;

	while ((b = bell_take(m)) != NULL)
		sim_room_give(b, sizeof *b);
}

/* ---- the parent ---- */

static void
machine_start(unsigned i, const struct sim_program *p)
{
	struct sim_machine *m = &sim_now->machines[i];
	bool was_dark = m->is_dark;
	pid_t pid;

	sim_life_begin(m);
	m->state = SIM_LIVING;
	m->go = 0;
	m->next = sim_now->mono.ns;
	if (was_dark)
		sim_net_return(i);
	(void)fflush(NULL);
	pid = fork();
	must(pid >= 0);
	if (pid > 0) {
		m->pid = pid;
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	sim_is_parent = false;
	sim_at(i);
	while (!go_wait(&m->go))
		;
	sim_child(p->live, p->arg);
}

/* Its process is no more: what others see of it, and when it comes back. */
static enum sim_ending
machine_bury(unsigned i, const struct sim_program *p, int status)
{
	struct sim_machine *m = &sim_now->machines[i];
	enum sim_ending e = sim_life_ending(m, status);
	int64_t off_ns;

	m->state = SIM_DOWN;
	m->next = INT64_MAX;
	bells_forget(m);
	if (e == SIM_BROKEN)
		return e;
	sim_at(i);
	m->is_dark = e == SIM_CRASHED && m->crash == SIM_POWER;
	sim_net_crash(i, m->is_dark ? SIM_POWER : SIM_KILL);
	off_ns = p->again == NULL ? -1 : p->again(p->arg, e);
	if (e == SIM_CRASHED)
		sim_machine_mend(m, off_ns < 0 ? 0 : off_ns);
	if (off_ns < 0)
		m->state = SIM_ABSENT;
	else
		m->next = mono_add(sim_now->mono, off_ns).ns;
	return e;
}

/* Those whose processes have ended.  False: one broke. */
static bool
machines_bury(const struct sim_program *programs, unsigned n)
{
	bool ok = true;

	for (unsigned i = 0; i < n; i++) {
		struct sim_machine *m = &sim_now->machines[i];
		int status;

		if (m->state != SIM_LIVING)
			continue;
		if (waitpid(m->pid, &status, m->has_crashed || m->has_ended ?
		    0 : WNOHANG) == m->pid)
			ok &= machine_bury(i, &programs[i], status) !=
			    SIM_BROKEN;
	}
	return ok;
}

static bool
machines_are_over(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (sim_now->machines[i].state != SIM_ABSENT)
			return false;
	return true;
}

static void
machines_end(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct sim_machine *m = &sim_now->machines[i];

		if (m->state == SIM_LIVING) {
			(void)kill(m->pid, SIGKILL);
			(void)waitpid(m->pid, NULL, 0);
		}
		m->state = SIM_ABSENT;
	}
}

static bool
machines_turn(const struct sim_program *programs, unsigned n)
{
	while (!machines_are_over(n)) {
		struct sim_machine *m = machine_choose();
		unsigned i = (unsigned)(m - sim_now->machines);

		if (m->state == SIM_DOWN) {
			machine_start(i, &programs[i]);
			continue;
		}
		turn_give(m);
		while (!go_wait(&sim_now->parent_go))
			if (!machines_bury(programs, n))
				return false;
		if (!machines_bury(programs, n))
			return false;
	}
	return true;
}

/* On one processor the turn changes hands five times as fast as on two. */
static void
processor_keep(cpu_set_t *before)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	CPU_ZERO(&one);
	must(sched_getaffinity(0, sizeof *before, before) == 0);
	if (cpu >= 0) {
		CPU_SET((size_t)cpu, &one);
		(void)sched_setaffinity(0, sizeof one, &one);
	}
}

bool
sim_run(const struct sim_program *programs, unsigned n)
{
	cpu_set_t before;
	bool ok;

	must(n <= SIM_MACHINES && !sim_now->is_shared);
	processor_keep(&before);
	sim_now->is_shared = sim_is_parent = true;
	for (unsigned i = 0; i < n; i++) {
		sim_at(i);
		sim_now->machines[i].state = SIM_DOWN;
		sim_now->machines[i].next = sim_now->mono.ns;
	}
	ok = machines_turn(programs, n);
	machines_end(n);
	sim_now->is_shared = sim_is_parent = false;
	sim_at(0);
	(void)sched_setaffinity(0, sizeof before, &before);
	return ok;
}
