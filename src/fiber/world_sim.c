/*
 * The life of a world:
 *
 *	BEGUN		sim_begin()	disk empty, no life yet
 *	LIVING		sim_life()	a child runs; the parent waits
 *	CRASHED		sim_step() or	child gone by _exit(); unsynced bytes
 *			the clock	are on the disk's lists
 *	BEGUN		sim_machine_mend()	lists settled by the seed; wall went on
 */
#include "fiber/world.h"
#include "fiber/world_sim_state.h"

#include "base/must.h"
#include "base/num.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_CRASHED = 71, EXIT_BROKEN = 72 };

/* 2026-11-20T12:00:00Z, and a machine that has been up for some time */
#define WALL_FIRST INT64_C(1795176000000000)
#define MONO_FIRST (1000 * NS_PER_SECOND)

struct sim *sim_now;
unsigned sim_me;
bool sim_is_parent;
static unsigned meant;
static bool is_child, is_telling;

/* Linked in by -fsanitize=address only. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
/* And this one where coverage is counted: _exit() would lose a life's counts. */
void __gcov_dump(void) __attribute__((weak));

/* splitmix64 (Steele, Lea, Flood, 2014). */
static uint64_t
sim_mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
sim_map(void)
{
	void *p;

	if (sim_now == NULL) {
		p = mmap(NULL, SIM_ROOM, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		must(p != MAP_FAILED);
		sim_now = p;
	} else {
		must(!is_child);
		must(madvise(sim_now, (size_t)(sim_now->fresh -
		    (char *)sim_now), MADV_REMOVE) == 0);
		memset(sim_now, 0, sizeof *sim_now);
	}
	sim_now->fresh = (char *)sim_now + ((sizeof *sim_now + 4095) &
	    ~(size_t)4095);
	sim_now->end = (char *)sim_now + SIM_ROOM;
}

void
sim_begin(uint64_t seed)
{
	const char *trace = getenv("SIM_TRACE");

	sim_time_forget();
	sim_dns_forget();
	sim_net_forget();
	sim_disk_forget();
	sim_map();
	sim_openssl_begin();
	is_telling = trace != NULL && trace[0] == '1';
	sim_now->seed = sim_now->trace = seed;
	sim_now->chance_state = seed ^ UINT64_C(0x6e69676874000001);
	sim_now->bytes_state = seed ^ UINT64_C(0x6d61696c00000002);
	sim_now->mono = (struct mono){ MONO_FIRST };
	sim_now->net = (struct sim_net){ .delay_ns = NS_PER_MS,
		.jitter_ns = 2 * NS_PER_MS, .split_per_million = 100000,
		.window = 64 * 1024 };
	must(address_parse(STR("198.51.100.1"), 0, &sim_now->net.self_v4));
	must(address_parse(STR("2001:db8::1"), 0, &sim_now->net.self_v6));
	sim_now->dns_delay_ns = 5 * NS_PER_MS;
	list_init(&sim_now->pipes);
	list_init(&sim_now->doors);
	sim_at(0);
}

/* ---- machines ---- */

struct sim_machine *
sim_mine(void)
{
	return &sim_get()->machines[sim_me];
}

struct sim_machine *
sim_meant(void)
{
	return &sim_get()->machines[meant];
}

bool
sim_is_mine(unsigned machine)
{
	return machine == sim_me && !sim_is_parent;
}

void
sim_machine_address(const char *ip)
{
	must(address_parse(str_of(ip), 0, &sim_meant()->address));
}

void
sim_silence_most(int64_t ns)
{
	sim_meant()->silence_most = ns;
}

struct mono
sim_world_mono(void)
{
	return sim_get()->mono;
}

static void
machine_furnish(struct sim_machine *m)
{
	m->next = INT64_MAX;
	m->crash_time = MONO_NEVER;
	m->wall_us = WALL_FIRST - MONO_FIRST / NS_PER_US;
	m->costs = (struct sim_disk_costs){ .verb_ns = 20 * NS_PER_US,
		.sync_ns = NS_PER_MS, .jitter_ns = 200 * NS_PER_US,
		.slow_per_million = 1000, .cold_per_million = 300000 };
	m->disk = sim_disk_make();
}

void
sim_at(unsigned machine)
{
	must(machine < SIM_MACHINES);
	meant = machine;
	if (!is_child)
		sim_me = machine;
	if (sim_get()->machines[machine].disk == NULL)
		machine_furnish(&sim_now->machines[machine]);
}

static uint64_t
sim_seed_of_environment(void)
{
	struct str text = str_of(getenv("SIM_SEED"));
	uint64_t seed;

	return parse_u64(text, UINT64_MAX, &seed) ? seed : 1;
}

struct sim *
sim_get(void)
{
	if (sim_now == NULL)
		sim_begin(sim_seed_of_environment());
	return sim_now;
}

uint64_t
sim_seed(void)
{
	return sim_get()->seed;
}

uint64_t
sim_trace(void)
{
	return sim_get()->trace;
}

uint64_t
sim_verbs(void)
{
	return sim_meant()->verbs;
}

uint64_t
sim_verbs_of(enum sim_verb v)
{
	must(v < SIM_VERBS);
	return sim_meant()->verbs_of[v];
}

struct mono
sim_crashed_at(void)
{
	return sim_meant()->crashed_at;
}

/* ---- chance ---- */

uint64_t
sim_chance(uint64_t n)
{
	must(n > 0);
	return sim_mix(&sim_get()->chance_state) % n;
}

bool
sim_happens(unsigned per_million)
{
	return per_million > 0 && sim_chance(1000000) < per_million;
}

int64_t
sim_jitter(int64_t most_ns)
{
	return most_ns <= 0 ? 0 : (int64_t)sim_chance((uint64_t)most_ns + 1);
}

void
world_random(void *to, size_t n)
{
	unsigned char *p = to;
	uint64_t bits = 0;

	for (size_t i = 0; i < n; i++, bits >>= 8) {
		if (i % 8 == 0)
			bits = sim_mix(&sim_get()->bytes_state);
		p[i] = (unsigned char)bits;
	}
}

/* ---- shared memory: powers of two from 64 bytes ---- */

static size_t
room_class(size_t n, size_t *size)
{
	size_t class = 0;

	for (*size = 64; *size < n; *size *= 2)
		class++;
	must(class < SIM_CLASSES);
	return class;
}

void *
sim_room_take(size_t n)
{
	struct sim *s = sim_now;
	size_t size, class = room_class(n, &size);
	void *p = s->freed[class];

	if (p != NULL) {
		memcpy(&s->freed[class], p, sizeof p);
		return memset(p, 0, size);
	}
	must((size_t)(s->end - s->fresh) >= size);
	p = s->fresh;
	s->fresh += size;
	return p;
}

void
sim_room_give(void *p, size_t n)
{
	size_t size, class = room_class(n, &size);

	if (p == NULL)
		return;
	memcpy(p, &sim_now->freed[class], sizeof(void *));
	sim_now->freed[class] = p;
}

void *
sim_ledger(size_t n)
{
	return (void)sim_get(), sim_room_take(n);
}

/* ---- steps ---- */

const char *
sim_verb_name(enum sim_verb v)
{
	static const char *const names[] = {
#define VERB(name) #name,
#include "fiber/world_sim_verb.def"
#undef VERB
	};

	return names[v];
}

void
sim_note(uint64_t result)
{
	struct sim *s = sim_get();

	s->trace ^= result;
	(void)sim_mix(&s->trace);
	s->trace = sim_mix(&s->trace);
}

static _Noreturn void
sim_exit(int status)
{
	fflush(NULL);
	if (__gcov_dump != NULL)
		__gcov_dump();
	_exit(status);
}

void
sim_broken(const char *why)
{
	const struct sim *s = sim_now;

	fprintf(stderr, "sim: seed %ju, machine %u, life %ju, verb %ju, at "
	    "%jd.%09jd s: %s\n", (uintmax_t)s->seed, sim_me,
	    (uintmax_t)s->lives, (uintmax_t)sim_mine()->verbs,
	    (intmax_t)(s->mono.ns / NS_PER_SECOND),
	    (intmax_t)(s->mono.ns % NS_PER_SECOND), why);
	if (is_child)
		sim_exit(EXIT_BROKEN);
	fflush(NULL);
	abort();
}

void
sim_crash_now(void)
{
	must(is_child);
	sim_mine()->has_crashed = true;
	sim_turn_leave();
	sim_exit(EXIT_CRASHED);
}

bool
sim_is_crash_next(void)
{
	return sim_mine()->crash_verb == sim_mine()->verbs + 1;
}

static int
sim_fault_of(const struct sim_machine *s, enum sim_verb v)
{
	for (size_t i = 0; i < s->n_nths; i++) {
		const struct sim_nth *f = &s->nths[i];

		if (f->verb == v && s->verbs_of[v] >= f->from &&
		    s->verbs_of[v] - f->from < f->times)
			return f->error;
	}
	for (size_t i = 0; i < s->n_rates; i++)
		if (s->rates[i].verb == v &&
		    sim_happens(s->rates[i].per_million))
			return s->rates[i].error;
	return 0;
}

int
sim_step(enum sim_verb v, uint64_t about)
{
	struct sim *s = sim_get();
	struct sim_machine *m = sim_mine();
	int error;

	m->verbs++;
	m->verbs_of[v]++;
	if (m->verbs == m->crash_verb || s->mono.ns >= m->crash_time.ns)
		sim_crash_now();
	error = sim_fault_of(m, v);
	sim_note((uint64_t)v << 56 ^ about ^ (uint64_t)s->mono.ns << 20 ^
	    (uint64_t)error);
	if (is_telling)
		fprintf(stderr, "sim: %u %ju %jd %s %jx%s\n", sim_me,
		    (uintmax_t)m->verbs, (intmax_t)s->mono.ns,
		    sim_verb_name(v), (uintmax_t)about,
		    error != 0 ? " fails" : "");
	return -error;
}

void
sim_crash_at(uint64_t verb, enum sim_crash kind)
{
	sim_meant()->crash_verb = verb;
	sim_meant()->crash = kind;
}

void
sim_crash_at_time(struct mono at, enum sim_crash kind)
{
	sim_meant()->crash_time = at.ns == MONO_NEVER.ns ? at :
	    (struct mono){ sim_world_of(sim_meant(), at.ns) };
	sim_meant()->crash = kind;
}

void
sim_turns_most(uint64_t n)
{
	sim_get()->turns_most = n;
}

void
sim_fault_nth(enum sim_verb v, uint64_t nth, uint64_t times, int error)
{
	struct sim_machine *s = sim_meant();

	must(s->n_nths < SIM_NTHS && nth > 0);
	s->nths[s->n_nths++] = (struct sim_nth){ v, nth, times, error };
}

void
sim_fault_rate(enum sim_verb v, unsigned per_million, int error)
{
	struct sim_machine *s = sim_meant();

	must(s->n_rates < SIM_RATES);
	s->rates[s->n_rates++] = (struct sim_rate){ v, per_million, error };
}

void
sim_faults_clear(void)
{
	sim_meant()->n_nths = 0;
	sim_meant()->n_rates = 0;
}

/* ---- lives ---- */

static void
sim_leftovers(void)
{
	char text[120];

	if (sim_net_left() == 0 && sim_disk_left() == 0)
		return;
	snprintf(text, sizeof text, "left open: %zu network ends, "
	    "%zu descriptors", sim_net_left(), sim_disk_left());
	sim_broken(text);
}

/* A life that a fault ends has its counts kept too; then it ends. */
static void
sim_abort(int number)
{
	(void)number;
	__gcov_dump();
}

_Noreturn void
sim_child(void (*fn)(void *), void *arg)
{
	struct sigaction dump = { .sa_handler = sim_abort };

	is_child = true;
	if (__gcov_dump != NULL)
		(void)sigaction(SIGABRT, &dump, NULL);
	/* a failed assert of a test ends this life, not its parent's copy */
	must(setenv("CMOCKA_TEST_ABORT", "1", 1) == 0);
	fn(arg);
	sim_leftovers();
	if (__lsan_do_recoverable_leak_check != NULL &&
	    __lsan_do_recoverable_leak_check() != 0)
		sim_broken("memory was left behind");
	sim_mine()->has_ended = true;
	sim_turn_leave();
	sim_exit(0);
}

/* What a machine is after a crash: the disk's rule, some time off. */
void
sim_machine_mend(struct sim_machine *m, int64_t off_ns)
{
	int64_t back = sim_now->mono.ns + off_ns;

	m->crashed_at = world_mono();
	sim_disk_crash(m->disk, m->crash);
	if (m->crash == SIM_POWER)
		m->mono_off += sim_mono_of(m, back) - 10 * NS_PER_SECOND -
		    sim_jitter(20 * NS_PER_SECOND);
	m->crash_verb = 0;
	m->crash_time = MONO_NEVER;
}

void
sim_life_begin(struct sim_machine *m)
{
	m->life = ++sim_now->lives;
	m->verbs = m->turns = 0;
	m->has_crashed = m->has_ended = m->is_dark = false;
	memset(m->verbs_of, 0, sizeof m->verbs_of);
}

enum sim_ending
sim_life_ending(const struct sim_machine *m, int status)
{
	bool is_well = WIFEXITED(status) && (m->has_crashed ||
	    (m->has_ended && WEXITSTATUS(status) == 0));

	if (is_well)
		return m->has_crashed ? SIM_CRASHED : SIM_ENDED;
	fprintf(stderr, "sim: seed %ju: life %ju, of machine %td, is broken "
	    "after verb %ju (status %#x)\n", (uintmax_t)sim_now->seed,
	    (uintmax_t)m->life, m - sim_now->machines, (uintmax_t)m->verbs,
	    (unsigned)status);
	return SIM_BROKEN;
}

enum sim_ending
sim_life(void (*fn)(void *), void *arg)
{
	struct sim_machine *m = sim_mine();
	int64_t off_ns;
	int status;
	pid_t pid;

	must(!is_child && core_current() == NULL);
	sim_life_begin(m);
	fflush(NULL);
	pid = fork();
	must(pid >= 0);
	if (pid == 0)
		sim_child(fn, arg);
	must(waitpid(pid, &status, 0) == pid);
	sim_is_parent = true;
	sim_net_crash(sim_me, SIM_KILL);
	sim_is_parent = false;
	if (m->has_crashed) {
		off_ns = 5 * NS_PER_SECOND + sim_jitter(60 * NS_PER_SECOND);
		sim_machine_mend(m, off_ns);
		sim_now->mono.ns += off_ns;
		return SIM_CRASHED;
	}
	return sim_life_ending(m, status);
}
