/*
 * spool_fuzz.c -- a whole spool directory that rotted, was cut, or was forged.
 *
 * Input: one octet of flags, then steps on a spool of two segments with sidecars
 * and a superblock: an octet that says what, one for the file, two for the place,
 * one for how many octets of the input it takes, and these.
 *
 *	ROT	the octets are laid over the file by exclusive or
 *	WRITE	the octets stand there now
 *	CUT	the file ends there
 *	GROW	the octets stand behind its end
 *	GONE	the file is not there
 *	SWAP	the next file has its content, too
 *	FORGE	a record (by place) gets another type, message and payload, and its
 *		sums are right
 *
 * It opens and recovers, or says why not; what it tells can be read or is called
 * damaged, and without FORGE is what was written; then it takes another message,
 * and a second recovery tells the same and that message.
 */
#include "fuzz.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "fiber/world_sim.h"
#include "spool/audit.h"
#include "spool/check.h"
#include "spool/record.h"
#include "spool/segment.h"
#include "spool/spool_test.h"

enum { ROT, WRITE, CUT, GROW, GONE, SWAP, FORGE, STEPS };
enum { FILES = 6, FILE_MOST = 300 * 1024, MESSAGES = 6, TOLD_MOST = 512,
	RECORDS_MOST = 64, BODY_MOST = 90000, FLAG_LOOK = 1 };

struct file { const char *path; size_t n; char octets[FILE_MOST]; };

static struct file made[FILES], now[FILES];
static const char *const paths[FILES] = { TEST_PATH "/superblock",
	TEST_PATH "/0000000001.log", TEST_PATH "/0000000001.idx",
	TEST_PATH "/0000000002.log", TEST_PATH "/0000000002.idx",
	TEST_PATH "/0000000003.log" };
static uint64_t ids[MESSAGES + 1];
static char bodies[MESSAGES][BODY_MOST];
static const uint64_t sizes[MESSAGES] = { 70000, 100, 90000, 60000, 900, 65000 };
static struct { size_t file, at; } records[RECORDS_MOST];
static size_t n_records;
static bool is_forged, looks;

struct told { size_t n; uint64_t ids[TOLD_MOST]; };
static struct told first, second;

/* ---- the spool as it was ---- */

static yields void
fill(void *arg)
{
	struct spool *sp = test_open();

	(void)arg;
	for (uint64_t i = 0; i < MESSAGES; i++)
		must(test_commit(sp, i, sizes[i], 1 + i % 3, &ids[i]) ==
		    DRAFT_FINE);
	must(test_deliver(sp, ids[1], 0) == 0);
	must(test_deliver(sp, ids[2], 1) == 0);
	fiber_sleep(in_ms(5000));
	must(spool_close(sp) == SPOOL_FINE);
}

static void
records_find(size_t file)
{
	struct file *f = &made[file];
	struct record r;

	for (size_t at = 0; at + RECORD_HEADER <= f->n; at += RECORD_ALIGN)
		if (n_records < RECORDS_MOST && record_read_header((struct str){
		    f->octets + at, f->n - at }, &r) == RECORD_WHOLE) {
			records[n_records].file = file;
			records[n_records++].at = at;
		}
}

static void
make(void)
{
	struct arena a;

	if (n_records > 0)
		return;
	for (size_t i = 0; i < MESSAGES; i++)
		for (size_t k = 0; k < sizes[i]; k++)
			bodies[i][k] = test_octet(i, k);
	sim_begin(1);
	must(core_run_all(1, fill, NULL) == 0);
	arena_init(&a, 1 << 22);
	for (size_t i = 0; i < FILES; i++) {
		struct str s = sim_disk_get(paths[i], &a);

		made[i].path = paths[i];
		must(s.n <= FILE_MOST);
		if (s.n > 0)
			memcpy(made[i].octets, s.p, s.n);
		made[i].n = s.n;
		records_find(i);
	}
	must(made[0].n > 0 && made[1].n > 0 && made[3].n > 0);
	must(n_records > MESSAGES);
	arena_clear(&a);
}

/* ---- what becomes of it ---- */

/* The places that matter lie at the front, or at records. */
static size_t
place_of(const struct file *f, size_t file, unsigned at)
{
	size_t n = 0;

	if (f->n == 0)
		return 0;
	for (size_t i = 0; at >= 0x8000 && i < n_records; i++)
		if (records[i].file == file && n++ == (at >> 7 & 0x1f))
			return (records[i].at + (at & 0x7f)) % f->n;
	return at % f->n;
}

static void
forge(unsigned at, struct str octets)
{
	size_t i = at % n_records;
	struct file *f = &now[records[i].file];
	struct str old = { f->octets + records[i].at, f->n - records[i].at };
	struct str payload;
	struct record r;

	if (records[i].at + RECORD_HEADER > f->n || record_read_payload(old,
	    &r) != RECORD_WHOLE)
		return;
	is_forged = true;
	r.type = (uint8_t)(fuzz_choice(&octets) % 16);
	r.flags = (uint16_t)fuzz_choice(&octets);
	r.id = ids[fuzz_choice(&octets) % MESSAGES];
	r.sequence += fuzz_choice(&octets) % 4;
	payload = str_sub(octets, 0, r.payload_n);
	memcpy(f->octets + records[i].at + RECORD_HEADER, payload.p, payload.n);
	r.payload_sum = crc32c(0, (struct str){ f->octets + records[i].at +
	    RECORD_HEADER, r.payload_n });
	record_seal(&r, f->octets + records[i].at);
}

static void
step(unsigned what, size_t file, unsigned at, struct str octets)
{
	struct file *f = &now[file];
	size_t place = place_of(f, file, at);

	switch (what) {
	case ROT:
	case WRITE:
		for (size_t i = 0; i < octets.n && place + i < f->n; i++)
			f->octets[place + i] = what == WRITE ? octets.p[i] :
			    (char)(f->octets[place + i] ^ octets.p[i]);
		break;
	case CUT:
		f->n = place;
		break;
	case GROW:
		if (f->n + octets.n <= FILE_MOST) {
			memcpy(f->octets + f->n, octets.p, octets.n);
			f->n += octets.n;
		}
		break;
	case GONE:
		f->n = SIZE_MAX;
		break;
	case SWAP:
		is_forged = true;
		f->n = made[(file + 1) % FILES].n;
		memcpy(f->octets, made[(file + 1) % FILES].octets, f->n);
		break;
	default:
		forge(at, octets);
		break;
	}
}

static void
spoil(struct str in)
{
	for (unsigned i = 0; i < 20 && in.n > 0; i++) {
		unsigned what = fuzz_choice(&in) % STEPS;
		size_t file = fuzz_choice(&in) % FILES;
		unsigned at = fuzz_choice(&in) << 8;
		struct str octets;

		at |= fuzz_choice(&in);
		octets = str_sub(in, 1, fuzz_choice(&in));
		octets = str_sub(in, 0, octets.n);
		in = str_sub(in, octets.n, in.n);
		if (now[file].n != SIZE_MAX)
			step(what, file, at, octets);
	}
	for (size_t i = 0; i < FILES; i++)
		if (now[i].n != SIZE_MAX && (now[i].n > 0 || made[i].n > 0))
			sim_disk_put(paths[i], (struct str){ now[i].octets,
			    now[i].n });
}

/* ---- what is made of it ---- */

static yields void
told_take(void *arg, const struct kept *k, const struct envelope *e)
{
	struct told *t = arg;

	must(kept_id(k) == e->id && kept_recipients(k) == e->n_rcpts);
	for (size_t i = 0; i < t->n; i++)
		must(t->ids[i] != e->id);
	must(t->n < TOLD_MOST);
	t->ids[t->n++] = e->id;
}

static yields void
body_check(struct spool *sp, uint64_t id)
{
	static char room[TEST_ROOM];
	uint64_t at = 0, seed = 0;
	struct body b;
	struct pin p;
	int64_t got;

	while (seed < MESSAGES && ids[seed] != id)
		seed++;
	must(is_forged || seed < MESSAGES || id == ids[MESSAGES]);
	must(spool_pin(sp, id, &p));
	body_open(&b, &p);
	while ((got = body_read(&b, room, TEST_ROOM)) > 0) {
		must(is_forged || seed == MESSAGES || (at + (uint64_t)got <=
		    sizes[seed] && memcmp(room, bodies[seed] + at,
		    (size_t)got) == 0));
		at += (uint64_t)got;
	}
	must(is_forged || got < 0 || seed == MESSAGES || at == sizes[seed]);
	spool_unpin(&p);
	err_clear();
}

static yields struct spool *
open_told(struct told *t)
{
	struct spool_config c = test_config();
	enum spool_trouble trouble;
	struct spool *sp;

	t->n = 0;
	trouble = spool_open(&c, &sp);
	if (trouble != SPOOL_FINE) {
		must(err_text()[0] != '\0');
		err_clear();
		return NULL;
	}
	trouble = spool_recover(sp, told_take, t);
	if (trouble == SPOOL_FINE) {
		err_clear();
		return sp;
	}
	must(err_text()[0] != '\0');
	err_clear();
	(void)spool_close(sp);
	err_clear();
	return NULL;
}

static void
check_line(struct check *c, struct str line)
{
	(void)c;
	must(line.n > 0);
}

static void
audit_tell(struct audit *a, uint64_t segment, uint64_t at, struct str text)
{
	(void)a;
	(void)segment;
	(void)at;
	must(text.n > 0);
}

static yields void
look(void)
{
	struct check c = { .line = check_line };
	struct audit a = { .tell = audit_tell };

	(void)spool_dump(TEST_PATH, &c);
	(void)spool_audit(TEST_PATH, &a);
	err_clear();
}

static yields void
live(void *arg)
{
	struct spool *sp;
	bool is_kept;

	(void)arg;
	if (looks)
		look();
	if ((sp = open_told(&first)) == NULL)
		return;
	for (size_t i = 0; i < first.n; i++)
		body_check(sp, first.ids[i]);
	is_kept = test_commit(sp, MESSAGES, 5000, 1, &ids[MESSAGES]) ==
	    DRAFT_FINE;
	err_clear();
	must(is_forged || is_kept);
	fiber_sleep(in_ms(5000));
	(void)spool_close(sp);
	err_clear();
	sp = open_told(&second);
	must(sp != NULL || is_forged);
	if (sp == NULL)
		return;
	must(is_forged || second.n == first.n + is_kept);
	for (size_t i = 0; !is_forged && i < first.n; i++)
		must(second.ids[i] == first.ids[i]);
	must(!is_kept || is_forged || second.ids[first.n] == ids[MESSAGES]);
	(void)spool_close(sp);
	err_clear();
}

FUZZ(in)
{
	unsigned flags = fuzz_choice(&in);

	make();
	sim_begin(1);
	for (size_t i = 0; i < FILES; i++) {
		now[i].n = made[i].n;
		memcpy(now[i].octets, made[i].octets, made[i].n);
	}
	is_forged = false;
	looks = (flags & FLAG_LOOK) != 0;
	spoil(in);
	must(core_run_all(1, live, NULL) == 0);
}
