/*
 * The smallest server that promises something, to prove the simulator itself:
 * clients send "KEEP n", the server appends a record to a file, syncs it and
 * answers "250"; the world loses connections and is killed or loses its power
 * again and again.
 *
 * Law: each note answered with 250 is in the file after every life.  The same
 * server without the sync must be caught breaking it.
 *
 * A record: "note", n as six digits, CRC-32C of these ten octets as eight
 * hexadecimal digits, LF: 19 octets.
 */
#include "scenario.h"

#include "base/crc32c.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/disk.h"
#include "fiber/permit.h"
#include "fiber/stream.h"

#include <stdio.h>

enum { CLIENTS = 4, NOTES = 25, RECORD = 19, LIVES_MOST = 60 };

static struct ledger {
	bool is_acked[CLIENTS * NOTES];
	unsigned next[CLIENTS];		/* what each client sends next */
	unsigned n_done;
} *ledger;

/* ---- the server ---- */

static struct notes {
	struct permit writing;
	struct net_end *listener;
	int fd;
	uint64_t end;
	unsigned open;			/* conversations */
	bool syncs;
} notes;

static struct mono
in_seconds(int64_t s)
{
	return mono_add(clock_mono(), s * NS_PER_SECOND);
}

static void
record_make(unsigned n, char to[RECORD + 1])
{
	snprintf(to, RECORD + 1, "note%06u", n);
	snprintf(to + 10, RECORD + 1 - 10, "%08x\n",
	    crc32c(0, (struct str){ to, 10 }));
}

/* The record's number; false: no record stands there. */
static bool
record_read(struct str text, uint64_t *n)
{
	char whole[RECORD + 1];

	if (text.n < RECORD || !parse_u64(str_sub(text, 4, 6), 999999, n))
		return false;
	record_make((unsigned)*n, whole);
	return memcmp(whole, text.p, RECORD) == 0;
}

static yields int
notes_keep(unsigned n)
{
	char record[RECORD + 1];
	int rc;

	record_make(n, record);
	if (permit_take(&notes.writing, MONO_NEVER) != 0)
		return -1;
	rc = disk_pwrite(notes.fd, (struct str){ record, RECORD }, notes.end);
	if (rc == 0)
		notes.end += RECORD;
	if (rc == 0 && notes.syncs)
		rc = disk_fdatasync(notes.fd);
	permit_give(&notes.writing);
	return rc;
}

static yields void
notes_converse(void *arg)
{
	struct stream s;
	struct str line;
	enum line_ending ending;
	uint64_t n;

	stream_init(&s, arg);
	for (;;) {
		s.deadline = in_seconds(300);
		if (stream_line(&s, 100, &line, &ending) != 0)
			break;
		if (!str_skip(&line, STR("KEEP ")) ||
		    !parse_u64(line, 999999, &n))
			stream_put(&s, STR("500\r\n"));
		else if (notes_keep((unsigned)n) != 0)
			stream_put(&s, STR("451\r\n"));
		else
			stream_put(&s, STR("250\r\n"));
	}
	stream_close(&s);
	notes.open--;
}

/* What stands before the first octet that is no record is kept. */
static yields void
notes_recover(void)
{
	char text[RECORD];
	uint64_t n;

	notes.fd = disk_open("/notes", DISK_WRITE | DISK_CREATE, 0600);
	must(notes.fd >= 0 && disk_sync_directory("/") == 0);
	while (disk_pread(notes.fd, text, RECORD, notes.end) == RECORD &&
	    record_read((struct str){ text, RECORD }, &n))
		notes.end += RECORD;
}

static yields void
notes_serve(void *arg)
{
	struct address here, peer;
	struct net_end *end;

	(void)arg;
	notes_recover();
	must(address_parse(STR("192.0.2.1"), 25, &here));
	notes.listener = net_listen(&here);
	must(notes.listener != NULL);
	while ((end = net_accept(notes.listener, &peer, MONO_NEVER)) != NULL) {
		notes.open++;
		must(fiber_go("converse", notes_converse, end) == 0);
	}
	net_close(notes.listener);
	while (notes.open > 0)
		fiber_sleep(in_seconds(1));
	disk_close(notes.fd);
}

/* ---- clients: sim peers are fibers as any other ---- */

/* True when the note was answered with 250. */
static yields bool
client_send(struct stream *s, unsigned n)
{
	struct str line;
	enum line_ending ending;

	s->deadline = in_seconds(60);
	stream_printf(s, "KEEP %u\r\n", n);
	return stream_line(s, 100, &line, &ending) == 0 &&
	    str_eq(line, STR("250"));
}

static yields void
client_run(void *arg)
{
	unsigned me = *(unsigned *)arg;
	struct address to;

	must(address_parse(STR("192.0.2.1"), 25, &to));
	while (ledger->next[me] < NOTES) {
		struct net_end *end = net_connect(&to, NULL, in_seconds(30));
		struct stream s;

		fiber_sleep(in_seconds(end == NULL ? 5 : 0));
		if (end == NULL)
			continue;
		stream_init(&s, end);
		while (ledger->next[me] < NOTES &&
		    client_send(&s, me * NOTES + ledger->next[me])) {
			ledger->is_acked[me * NOTES + ledger->next[me]] = true;
			ledger->next[me]++;
		}
		stream_close(&s);
	}
	if (++ledger->n_done == CLIENTS)
		net_stop_listening(notes.listener);
}

static yields void
life_start(void *arg)
{
	static unsigned numbers[CLIENTS];

	permit_init(&notes.writing, 1);
	ledger->n_done = 0;
	must(fiber_go("server", notes_serve, arg) == 0);
	fiber_sleep(in_seconds(1));
	for (unsigned i = 0; i < CLIENTS; i++) {
		numbers[i] = i;
		must(fiber_go("client", client_run, &numbers[i]) == 0);
	}
}

static void
life_live(void *arg)
{
	must(core_run_all(1, life_start, arg) == 0);
}

/* ---- the law ---- */

static bool
law_holds(void)
{
	bool is_there[CLIENTS * NOTES] = { false };
	struct arena a;
	struct str text;
	uint64_t n;
	unsigned lost = 0;

	arena_init(&a, 1 << 20);
	text = sim_disk_get("/notes", &a);
	while (record_read(text, &n)) {
		must(n < CLIENTS * NOTES);
		is_there[n] = true;
		text = str_sub(text, RECORD, text.n);
	}
	arena_clear(&a);
	for (unsigned i = 0; i < CLIENTS * NOTES; i++)
		lost += ledger->is_acked[i] && !is_there[i];
	return lost == 0;
}

/* Lives until one ends by itself; false when the law was broken on the way. */
static bool
notes_live(bool syncs)
{
	struct sim_net net = sim_net();
	enum sim_ending ending = SIM_CRASHED;

	net.reset_per_million = 2000;
	sim_net_set(net);
	ledger = sim_ledger(sizeof *ledger);
	notes = (struct notes){ .syncs = syncs };
	for (int i = 0; ending == SIM_CRASHED; i++) {
		if (i < LIVES_MOST)
			sim_crash_at(1 + sim_chance(400), sim_chance(2) == 0 ?
			    SIM_KILL : SIM_POWER);
		ending = sim_life(life_live, NULL);
		if (ending == SIM_BROKEN || !law_holds())
			return false;
	}
	return true;
}

static bool
notes_run(uint64_t seed)
{
	if (notes_live(true))
		return true;
	fprintf(stderr, "seed %ju: a note answered with 250 is gone\n",
	    (uintmax_t)seed);
	return false;
}

/* Who leaves the sync out is caught, at the latest in some tries. */
static bool
notes_unsynced_run(uint64_t seed)
{
	for (uint64_t i = 0; i < 30; i++) {
		sim_begin(seed * 30 + i);
		if (!notes_live(false))
			return true;
	}
	fprintf(stderr, "seed %ju: nobody noticed the missing sync\n",
	    (uintmax_t)seed);
	return false;
}

const struct scenario scenario_notes = { .name = "notes", .run = notes_run };
const struct scenario scenario_notes_unsynced = {
	.name = "notes-unsynced", .run = notes_unsynced_run,
	.percent = 20 };
