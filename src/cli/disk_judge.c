#include "cli/disk_judge.h"

#include "base/instant.h"
#include "base/must.h"

/*
 * The limits, and why they stand there:
 *	a turn of the fastest disk (15,000 a minute) is 4 ms, so that the mean of a
 *	sync cannot be below 1 ms;
 *	flash is programmed in 100 us and more, so that below 20 us a memory
 *	answers, protected or not;
 *	a request that reaches any device and comes back costs more than 3 us.
 */
#define ROTATING_NS (1 * NS_PER_MS)
#define FAST_NS (20 * NS_PER_US)
#define FREE_NS (3 * NS_PER_US)
#define SLOW_NS (100 * NS_PER_MS)

#define LIKELY DISK_LIKELY
#define CERTAIN DISK_CERTAIN
#define POSSIBLE DISK_POSSIBLE
static const struct finding_row {
	const char *name, *text, *advice;
	enum disk_certainty certainty;
} rows[DISK_FINDINGS] = {
#define FINDING(name, certainty, text, advice) \
	[DISK_##name] = { #name, text, advice, certainty },
#include "cli/disk_finding.def"
#undef FINDING
};

static bool
is_one_of(struct str s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_eq(s, str_of(*words)))
			return true;
	return false;
}

static bool
begins(struct str s, struct str with)
{
	return str_eq(str_sub(s, 0, with.n), with);
}

static bool
is_memory(const struct disk_device *d)
{
	return begins(d->name, STR("ram")) || begins(d->name, STR("zram")) ||
	    begins(d->name, STR("nullb"));
}

static void
judge_layer(const struct disk_layer *l, struct disk_verdict *v)
{
	static const char *const memory[] = { "tmpfs", "ramfs", "devtmpfs",
		NULL };
	static const char *const network[] = { "nfs", "nfs4", "cifs", "smb3",
		"ceph", "9p", "virtiofs", "glusterfs", "lustre", "afs", NULL };

	v->found[DISK_memory_filesystem] |= is_one_of(l->filesystem, memory);
	v->found[DISK_network] |= is_one_of(l->filesystem, network) ||
	    begins(l->filesystem, STR("fuse"));
	v->found[DISK_no_barrier] |= disk_option_has(l->options,
	    STR("nobarrier")) || disk_option_has(l->options, STR("barrier=0"));
	if (!str_eq(l->filesystem, STR("overlay")))
		return;
	v->found[DISK_overlay] = true;
	v->found[DISK_overlay_volatile] |= disk_option_has(l->options,
	    STR("volatile")) || disk_option_has(l->options,
	    STR("fsync=volatile"));		/* later kernels */
}

/* What a turning disk says sooner than it can turn. */
static void
judge_rotating(const struct disk_device *d, struct disk_verdict *v)
{
	if (str_eq(d->write_cache, STR("write back")) && !d->is_virtual)
		v->found[DISK_fast_rotating] = true;
	else
		v->found[DISK_fast_rotating_perhaps] = true;
}

static void
judge_device(const struct disk_device *d, const struct disk_times *t,
    struct disk_verdict *v)
{
	if (is_memory(d)) {
		v->found[DISK_memory_device] = true;
		return;
	}
	if (d->is_rotating && t->synced.p50 < ROTATING_NS)
		judge_rotating(d, v);
	if (t->synced.p50 >= FAST_NS)
		return;
	if (str_eq(d->write_cache, STR("write back")))
		v->found[DISK_fast_sync] = true;
	else
		v->found[DISK_fast_sync_perhaps] = true;
}

/* Memory is as fast as it is. */
static void
judge_times(const struct disk_place *p, const struct disk_times *t,
    struct disk_verdict *v)
{
	bool is_memory_known = v->found[DISK_memory_filesystem] ||
	    v->found[DISK_memory_device];

	v->found[DISK_free_sync] = !is_memory_known &&
	    t->synced.p50 - t->written.p50 < FREE_NS;
	v->found[DISK_fast_sync_perhaps] |= !is_memory_known &&
	    p->n_devices == 0 && t->synced.p50 < FAST_NS;
	v->found[DISK_slow_sync] = t->synced.p99 > SLOW_NS;
}

struct disk_verdict
disk_judge(const struct disk_place *p, const struct disk_times *t)
{
	struct disk_verdict v = { .worst = DISK_POSSIBLE };

	must(p->n_layers <= DISK_LAYERS_MOST);
	must(p->n_devices <= DISK_DEVICES_MOST);
	for (size_t i = 0; i < p->n_layers; i++)
		judge_layer(&p->layers[i], &v);
	for (size_t i = 0; i < p->n_devices; i++)
		judge_device(&p->devices[i], t, &v);
	judge_times(p, t, &v);
	v.found[DISK_no_sync_library] = p->has_no_sync_library;
	v.found[DISK_virtual_machine] = p->is_virtual_machine &&
	    p->n_devices > 0;
	for (size_t i = 0; i < DISK_FINDINGS; i++)
		if (v.found[i] && rows[i].certainty > v.worst)
			v.worst = rows[i].certainty;
	v.is_warned = v.worst > DISK_POSSIBLE;
	return v;
}

enum disk_certainty
disk_finding_certainty(enum disk_finding f)
{
	must(f < DISK_FINDINGS);
	return rows[f].certainty;
}

const char *
disk_finding_name(enum disk_finding f)
{
	must(f < DISK_FINDINGS);
	return rows[f].name;
}

const char *
disk_finding_text(enum disk_finding f)
{
	must(f < DISK_FINDINGS);
	return rows[f].text;
}

const char *
disk_finding_advice(enum disk_finding f)
{
	must(f < DISK_FINDINGS);
	return rows[f].advice;
}

const char *
disk_certainty_word(enum disk_certainty c)
{
	static const char *const words[] = { [DISK_POSSIBLE] = "possible",
		[DISK_LIKELY] = "likely", [DISK_CERTAIN] = "certain" };

	must(c <= DISK_CERTAIN);
	return words[c];
}
