#include "spool/fault.h"

#include "base/num.h"
#include "fiber/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define FAULT_DELAY_NS (50 * NS_PER_MS)

struct fault_point {
	atomic_int action;		/* enum fault_action */
	atomic_uint_least64_t at;	/* the at-th time only; 0: each time */
	atomic_uint_least64_t seen;
};

static struct fault_point points[FAULTS];
static atomic_bool faults_on;

static const char *const names[] = {
#define FAULT(name, says) #name,
#include "spool/fault.def"
#undef FAULT
};

static bool
fault_find(struct str name, enum fault *out)
{
	for (unsigned i = 0; i < FAULTS; i++)
		if (str_eq(name, str_of(names[i]))) {
			*out = (enum fault)i;
			return true;
		}
	return false;
}

static bool
fault_action_of(struct str word, enum fault_action *out)
{
	static const struct { struct str word; enum fault_action action; }
	    words[] = {
		{ STR_INIT("crash"), FAULT_CRASH }, { STR_INIT("eio"), FAULT_EIO },
		{ STR_INIT("enospc"), FAULT_ENOSPC },
		{ STR_INIT("delay"), FAULT_DELAY },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq(word, words[i].word)) {
			*out = words[i].action;
			return true;
		}
	return false;
}

bool
fault_set(struct str spec)
{
	struct str name = str_cut(&spec, ':'), word = str_cut(&spec, ':');
	enum fault_action action;
	enum fault f;
	uint64_t at = 0;

	if (!fault_find(name, &f) || !fault_action_of(word, &action))
		return false;
	if (spec.n > 0 && !parse_u64(spec, UINT32_MAX, &at))
		return false;
	atomic_store(&points[f].at, at);
	atomic_store(&points[f].seen, 0);
	atomic_store(&points[f].action, (int)action);
	atomic_store(&faults_on, true);
	return true;
}

static enum fault_action
fault_due(enum fault f)
{
	uint64_t seen, at;

	if (!atomic_load_explicit(&faults_on, memory_order_relaxed))
		return FAULT_NOTHING;
	seen = atomic_fetch_add(&points[f].seen, 1) + 1;
	at = atomic_load(&points[f].at);
	if (at != 0 && at != seen)
		return FAULT_NOTHING;
	return (enum fault_action)atomic_load(&points[f].action);
}

static int
fault_do(enum fault f, enum fault_action action)
{
	switch (action) {
	case FAULT_CRASH:
		fprintf(stderr, "nightmail: fault %s: crash\n", names[f]);
		abort();
	case FAULT_EIO:
		return -EIO;
	case FAULT_ENOSPC:
		return -ENOSPC;
	case FAULT_NOTHING:
	case FAULT_DELAY:
		break;
	}
	return 0;
}

int
fault_step(enum fault f)
{
	return fault_do(f, fault_due(f));
}

yields int
fault_here(enum fault f)
{
	enum fault_action action = fault_due(f);

	if (action == FAULT_DELAY)
		fiber_sleep(mono_add(clock_mono(), FAULT_DELAY_NS));
	return fault_do(f, action);
}
