/* nightmail analyze: any file at all, in pieces of any size, with a DNS that knows
 * nothing, is taken apart the same; each rule has its answer. */
#include "fuzz.h"
#include "base/err.h"
#include "cli/analysis_check.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/world_sim.h"

static struct str input;
static unsigned size;			/* of pieces */

struct told { size_t fields, hops, told; enum analysis_mark marks[ANALYSIS_RULES]; };

static yields void
analyze(struct str in, size_t piece, struct told *out)
{
	static struct analysis_answer answers[ANALYSIS_RULES];
	struct analysis_wish wish = { .hostname = STR("mx.test") };
	struct analysis a;
	struct arena arena;

	arena_init(&arena, ANALYSIS_ARENA);
	must(analysis_begin(&a, &arena, &wish));
	for (size_t i = 0; i < in.n; i += piece)
		analysis_feed(&a, str_sub(in, i, piece));
	must(analysis_end(&a));
	must(a.octets == in.n && a.proof != NULL && !a.is_cut);
	must(a.longest_line <= in.n && a.header_octets <= in.n);
	must(a.n_hops <= ANALYSIS_HOPS && a.n_told <= ANALYSIS_TOLD);
	must(a.proof->dmarc.result != DMARC_PASS);
	*out = (struct told){ digest_fields(a.digest), a.n_hops, a.n_told,
		{ ANALYSIS_GOOD } };
	analysis_check(&a, clock_wall(), answers);
	for (size_t i = 0; i < ANALYSIS_RULES; i++) {
		must(answers[i].is.n > 0);
		out->marks[i] = answers[i].mark;
	}
	analysis_clear(&a);
	arena_clear(&arena);
	err_clear();
}

static yields void
analyze_both(void *arg)
{
	struct told whole, cut;

	(void)arg;
	memset(&whole, 0, sizeof whole);
	memset(&cut, 0, sizeof cut);
	analyze(input, input.n + 1, &whole);
	analyze(input, size, &cut);
	must(whole.fields == cut.fields && whole.hops == cut.hops &&
	    whole.told == cut.told);
	must(memcmp(whole.marks, cut.marks, sizeof cut.marks) == 0);
}

FUZZ(in)
{
	size = fuzz_choice(&in) % 64 + 1;
	input = in;
	sim_begin(1);
	must(sim_zone(STR("nothing.test. A 192.0.2.1\n")) == 0);
	must(core_run_all(1, analyze_both, NULL) == 0);
}
