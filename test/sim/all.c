#include "scenario.h"

#include "base/must.h"
#include "base/num.h"
#include "policy/bounce_rules.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MOST = 64 };

/* Keep sorted, please. */
static const struct scenario *const all[] = {
	&scenario_alias,
	&scenario_clock,
	&scenario_crash,
	&scenario_crash_lying,
	&scenario_evil,
	&scenario_lmtp,
	&scenario_network,
	&scenario_notes,
	&scenario_notes_unsynced,
	&scenario_octets,
	&scenario_private,
	&scenario_retry,
	&scenario_scanty,
	&scenario_spool,
	&scenario_spool_hasty,
	&scenario_storm,
	&scenario_walk,
	&scenario_warning,
};

static uint64_t
seeds_of_mode(struct str mode)
{
	if (str_eq(mode, STR("fast")))
		return 20;
	return str_eq(mode, STR("long")) ? 5000 : 200;
}

/* CHECK_JOBS, or two. */
static unsigned
jobs(void)
{
	uint64_t n;

	return parse_u64(str_of(getenv("CHECK_JOBS")), JOBS_MOST, &n) && n > 0 ?
	    (unsigned)n : 2;
}

/* What all jobs did together: the world's nanoseconds of each seed's last world. */
static struct { _Atomic int64_t ns; } *done;

static double
processor_seconds(void)
{
	struct rusage u;

	must(getrusage(RUSAGE_CHILDREN, &u) == 0);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* In a process of its own: 0, or 1 when a seed was not well, which ends it, but
 * not a record run. */
static int
job_run(const struct scenario *s, uint64_t first, uint64_t last, uint64_t step)
{
	int failed = 0;
	int64_t begun;

	for (uint64_t seed = first; seed <= last &&
	    (!failed || getenv("SEEDS") != NULL); seed += step) {
		sim_begin(seed);
		begun = sim_world_mono().ns;
		if (!s->run(seed)) {
			printf("not ok %s: seed %ju\n# again: SEED=%ju "
			    "test/sim/run %s\n", s->name, (uintmax_t)seed,
			    (uintmax_t)seed, s->name);
			failed = 1;
		}
		atomic_fetch_add(&done->ns, sim_world_mono().ns - begun);
	}
	return failed;
}

static int
scenario_try(const struct scenario *s, uint64_t first, uint64_t n)
{
	unsigned n_jobs = n < jobs() ? (unsigned)n : jobs();
	double before = processor_seconds(), hours, seconds;
	int status, failed = 0;

	atomic_store(&done->ns, 0);
	fflush(NULL);
	for (unsigned i = 0; i < n_jobs; i++) {
		pid_t pid = fork();

		must(pid >= 0);
		if (pid == 0) {
			status = job_run(s, first + i, first + n - 1, n_jobs);
			fflush(NULL);
			_exit(status);
		}
	}
	for (unsigned i = 0; i < n_jobs; i++) {
		must(wait(&status) > 0);
		failed |= status != 0;
		if (status != 0 && !WIFEXITED(status))
			printf("not ok %s: a job died of signal %d\n", s->name,
			    WTERMSIG(status));
	}
	if (!failed)
		printf("ok %s\n", s->name);
	seconds = processor_seconds() - before + 1e-6;
	hours = (double)atomic_load(&done->ns) / 3600e9;
	printf("# %s: seeds %ju to %ju, %.1f of them in a second of processor "
	    "time; %.0f hours in %.1f s, %.0f in an hour\n", s->name,
	    (uintmax_t)first, (uintmax_t)(first + n - 1), (double)n / seconds,
	    hours, seconds, hours * 3600 / seconds);
	return failed;
}

static uint64_t
seeds_for(const struct scenario *s, uint64_t n)
{
	n = n * (s->percent == 0 ? 100 : s->percent) / 100;
	return n == 0 ? 1 : n;
}

int
main(int argc, char **argv)
{
	uint64_t first = 1, n = seeds_of_mode(str_of(getenv("CHECK_MODE")));
	bool is_one = getenv("SEED") != NULL, is_record = getenv("SEEDS") != NULL;
	int failed = 0;

	if (is_record &&
	    !parse_u64(str_of(getenv("SEEDS")), UINT32_MAX, &n))
		return 64;
	if (is_one && !parse_u64(str_of(getenv("SEED")), UINT32_MAX, &first))
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(done != MAP_FAILED);
	/* It stays, once read, and is no memory that a world left behind. */
	must(bounce_rules_builtin() != NULL);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		bool chosen = argc < 2;

		for (int k = 1; k < argc; k++)
			chosen |= str_has_prefix_icase(str_of(all[i]->name),
			    str_of(argv[k]));
		if (chosen)
			failed |= scenario_try(all[i], first,
			    is_record ? n : is_one ? 1 : seeds_for(all[i], n));
	}
	return failed;
}
