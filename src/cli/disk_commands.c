/* disk_commands.c -- check-disk: how fast the spool's disk syncs, and whether it
 * keeps what it says. */
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/disk_judge.h"
#include "cli/files.h"
#include "policy/config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { JSON_ROOM = 32 << 10, SECOND_NS = 1000000000, PATIENCE_MS = 1500 };

struct checking {
	struct cli *cli;
	const char *path;
	struct disk_place place;
	struct disk_times times;
	struct disk_verdict verdict;
	bool shows_progress;
};

static volatile sig_atomic_t is_interrupted;

static void
interrupted(int number)
{
	(void)number;
	is_interrupted = 1;
}

/* ---- which directory ---- */

/* spool.path, or what is there of the way to it. */
static const char *
path_of_config(struct cli *c)
{
	struct problems problems;
	struct config *conf;
	struct str path;
	struct stat st;

	problems_init(&problems);
	conf = config_load(&files_source, cli_config_path(c), &problems);
	problems_clear(&problems);
	if (conf == NULL)
		return NULL;
	path = arena_copy(&c->arena, conf->spool.path);
	config_free(conf);
	while (path.n > 1 && stat(arena_cstr(&c->arena, path), &st) != 0)
		while (--path.n > 1 && path.p[path.n] != '/')
			continue;
	return arena_cstr(&c->arena, path);
}

/* ---- telling people ---- */

struct span { char text[24]; };		/* "0.41 ms" */

static struct span
span(int64_t ns)
{
	struct span s;

	if (ns < 1000000)
		snprintf(s.text, sizeof s.text, "%.1f us", (double)ns / 1e3);
	else
		snprintf(s.text, sizeof s.text, "%.2f ms", (double)ns / 1e6);
	return s;
}

/* How often a second, of what takes so long. */
static uint64_t
rate(int64_t ns, uint64_t each)
{
	return ns <= 0 ? 0 : each * SECOND_NS / (uint64_t)ns;
}

static void
place_print(struct checking *k)
{
	const struct disk_place *p = &k->place;

	for (size_t i = 0; i < p->n_layers; i++) {
		const struct disk_layer *l = &p->layers[i];

		printf("%s%s: " STR_FMT " on " STR_FMT " (" STR_FMT ")\n",
		    i == 0 ? "" : "  in a file of ", i == 0 ? k->path :
		    arena_cstr(&k->cli->arena, l->mount_point),
		    STR_ARG(l->filesystem), STR_ARG(l->source),
		    STR_ARG(l->options));
	}
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct disk_device *d = &p->devices[i];

		printf("  disk " STR_FMT ": %s%s, cache \"" STR_FMT "\"%s\n",
		    STR_ARG(d->name), d->is_rotating ? "rotating" :
		    "not rotating", d->is_virtual ? ", virtual" : "",
		    STR_ARG(d->write_cache), d->has_fua ? ", FUA" : "");
	}
}

static void
spread_print(const char *what, const struct disk_spread *s)
{
	printf("  %-38s p50 %10s, p99 %10s, %zu times\n", what,
	    span(s->p50).text, span(s->p99).text, s->n);
}

static void
times_print(const struct disk_times *t)
{
	uint64_t one = rate(t->synced.p50, 1);
	uint64_t shared = rate(t->shared.p50, DISK_SHARERS);

	spread_print("4 KiB written", &t->written);
	spread_print("4 KiB written and synced (fdatasync)", &t->synced);
	spread_print("16 times 4 KiB in one sync", &t->shared);
	spread_print("a rename and its directory synced", &t->renamed);
	printf("  %-38s %llu MiB/s\n", "in a row, synced at the end",
	    (unsigned long long)(t->in_a_row >> 20));
	printf("About %llu messages of 4 KiB a second by one connection, and "
	    "%llu where 16 wait for\none sync; more connections share more.\n",
	    (unsigned long long)one, (unsigned long long)shared);
}

static void
finding_print(enum disk_finding f)
{
	printf("%s: %s;\n    %s\n", disk_certainty_word(
	    disk_finding_certainty(f)), disk_finding_text(f),
	    disk_finding_advice(f));
}

static void
verdict_print(const struct disk_verdict *v)
{
	for (unsigned i = 0; i < DISK_FINDINGS; i++)
		if (v->found[i])
			finding_print((enum disk_finding)i);
	if (v->worst == DISK_CERTAIN)
		printf("A power cut here loses mail that was answered with "
		    "250.\n");
	else if (v->is_warned)
		printf("It is likely that a power cut here loses mail that was "
		    "answered with 250.\n");
	else
		printf("Nothing that was measured speaks against it.  That is "
		    "no proof: only a power cut is.\n");
}

/* ---- telling programs ---- */

static void
spread_json(struct json *j, const char *what, const struct disk_spread *s)
{
	json_put_object(j, what);
	json_put_u64(j, "p50_ns", (uint64_t)s->p50);
	json_put_u64(j, "p99_ns", (uint64_t)s->p99);
	json_put_u64(j, "times", s->n);
	json_end_object(j);
}

static void
place_json(struct json *j, const struct disk_place *p)
{
	json_put_array(j, "filesystems");
	for (size_t i = 0; i < p->n_layers; i++) {
		json_put_object(j, NULL);
		json_put_cut(j, "type", p->layers[i].filesystem, 64);
		json_put_cut(j, "source", p->layers[i].source, 512);
		json_put_cut(j, "options", p->layers[i].options, 1024);
		json_end_object(j);
	}
	json_end_array(j);
	json_put_array(j, "disks");
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct disk_device *d = &p->devices[i];

		json_put_object(j, NULL);
		json_put_cut(j, "name", d->name, 64);
		json_put_cut(j, "write_cache", d->write_cache, 64);
		json_put_bool(j, "rotating", d->is_rotating);
		json_put_bool(j, "fua", d->has_fua);
		json_put_bool(j, "virtual", d->is_virtual);
		json_end_object(j);
	}
	json_end_array(j);
	json_put_bool(j, "virtual_machine", p->is_virtual_machine);
}

static void
verdict_json(struct json *j, const struct disk_verdict *v)
{
	json_put_array(j, "findings");
	for (unsigned i = 0; i < DISK_FINDINGS; i++) {
		enum disk_finding f = (enum disk_finding)i;

		if (!v->found[i])
			continue;
		json_put_object(j, NULL);
		json_put_str(j, "name", str_of(disk_finding_name(f)));
		json_put_str(j, "certainty", str_of(disk_certainty_word(
		    disk_finding_certainty(f))));
		json_put_str(j, "text", str_of(disk_finding_text(f)));
		json_put_str(j, "advice", str_of(disk_finding_advice(f)));
		json_end_object(j);
	}
	json_end_array(j);
	json_put_bool(j, "warned", v->is_warned);
}

static int
all_json(struct checking *k)
{
	const struct disk_times *t = &k->times;
	struct buf b = { .p = arena_alloc(&k->cli->arena, JSON_ROOM),
		.cap = JSON_ROOM };
	struct json j;

	if (b.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "path", str_of(k->path));
	place_json(&j, &k->place);
	spread_json(&j, "written", &t->written);
	spread_json(&j, "synced", &t->synced);
	spread_json(&j, "shared", &t->shared);
	spread_json(&j, "renamed", &t->renamed);
	json_put_u64(&j, "bytes_per_second", t->in_a_row);
	json_put_u64(&j, "messages_per_second_one", rate(t->synced.p50, 1));
	json_put_u64(&j, "messages_per_second_shared",
	    rate(t->shared.p50, DISK_SHARERS));
	verdict_json(&j, &k->verdict);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	return 0;
}

/* ---- the whole ---- */

static bool
progress(void *owner, const char *what, unsigned percent)
{
	struct checking *k = owner;

	if (k->shows_progress)
		fprintf(stderr, "\r%s: %u %%\033[K", what, percent);
	return !is_interrupted;
}

static int
trouble_status(int rc)
{
	switch (rc) {
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return EX_NOPERM;
	case -ENOENT:
	case -ENOTDIR:
		return EX_NOINPUT;
	case -ENOSPC:
		return EX_TEMPFAIL;
	default:
		return EX_IOERR;
	}
}

static int
disk_check(struct checking *k)
{
	struct disk_timing t = { .progress = progress, .owner = k,
		.patience = PATIENCE_MS * INT64_C(1000000) };
	struct sigaction a = { .sa_handler = interrupted };
	int rc;

	(void)sigaction(SIGINT, &a, NULL);
	(void)sigaction(SIGTERM, &a, NULL);
	if (disk_place_find(k->path, &k->cli->arena, &k->place) != 0)
		return cli_fail(EX_NOINPUT, "%s", err_text());
	rc = disk_time(k->path, &t, &k->times);
	if (k->shows_progress)
		fprintf(stderr, "\r\033[K");
	if (rc == -EINTR)
		return cli_fail(EX_TEMPFAIL, "interrupted; nothing is left "
		    "behind");
	if (rc != 0)
		return cli_fail(trouble_status(rc), "%s", err_text());
	k->verdict = disk_judge(&k->place, &k->times);
	return 0;
}

int
command_check_disk(struct cli *c)
{
	struct checking k = { .cli = c,
		.shows_progress = isatty(STDERR_FILENO) != 0 };
	int rc;

	if (c->n_words > 1)
		return cli_usage("check-disk");
	k.path = c->n_words == 1 ? arena_cstr(&c->arena, c->words[0]) :
	    path_of_config(c);
	if (k.path == NULL)
		return cli_fail(EX_CONFIG, "the configuration is refused; "
		    "nightmail check-config says why, or name a directory");
	rc = disk_check(&k);
	if (rc == 0 && c->json)
		rc = all_json(&k);
	else if (rc == 0) {
		place_print(&k);
		times_print(&k.times);
		verdict_print(&k.verdict);
	}
	return rc != 0 ? rc : k.verdict.is_warned;
}
