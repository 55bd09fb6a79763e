/*
 * spool_test.h -- what the spool's tests have in common.
 *
 * The promise: small spools of small segments, messages whose bodies can be
 * recomputed from their number, and checks that abort with a place.
 * Not for: the server.
 * Waiting: what touches the spool yields.
 * Memory: none.
 * Errors: must().
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_SPOOL_SPOOL_TEST_H
#define NM_SPOOL_SPOOL_TEST_H

#include "base/must.h"
#include "fiber/test_core.h"
#include "spool/body.h"
#include "spool/draft.h"
#include "spool/outcome.h"

#define TEST_PATH "/spool"

enum { TEST_ROOM = 8192 };

static inline struct spool_config
test_config(void)
{
	return (struct spool_config){ .path = TEST_PATH, .node = 3, .number = 1,
		.segment_bytes = 256 << 10, .reserve_bytes = 64 << 10 };
}

static inline yields struct spool *
test_open_with(struct spool_config c,
    yields void (*each)(void *, const struct kept *, const struct envelope *),
    void *arg)
{
	struct spool *sp;

	must(spool_open(&c, &sp) == SPOOL_FINE);
	must(spool_recover(sp, each, arg) == SPOOL_FINE);
	return sp;
}

static inline yields struct spool *
test_open(void)
{
	return test_open_with(test_config(), NULL, NULL);
}

static inline char
test_octet(uint64_t seed, uint64_t i)
{
	return (char)('A' + (seed * 7 + i * 13 + i / 61) % 57);
}

/* The test's own memory: where one allocation is refused, the next is not. */
static inline char *
test_room(size_t n)
{
	char *room = malloc(n);

	room = room == NULL ? malloc(n) : room;
	must(room != NULL);
	return room;
}

/* Octets [at, end) of the body, given to the draft in pieces. */
static inline yields enum draft_trouble
test_append(struct draft *d, uint64_t seed, uint64_t at, uint64_t end)
{
	enum draft_trouble trouble = DRAFT_FINE;
	char room[1000];

	while (at < end && trouble == DRAFT_FINE) {
		size_t k = end - at < sizeof room ? (size_t)(end - at) :
		    sizeof room;

		for (size_t i = 0; i < k; i++)
			room[i] = test_octet(seed, at + i);
		trouble = draft_append(d, (struct str){ room, k });
		at += k;
	}
	return trouble;
}

/* The same before what is there, in one piece. */
static inline yields enum draft_trouble
test_prepend(struct draft *d, uint64_t seed, uint64_t at, uint64_t end)
{
	size_t n = (size_t)(end - at);
	char *room = test_room(n + 1);
	enum draft_trouble trouble;

	for (size_t i = 0; i < n; i++)
		room[i] = test_octet(seed, at + i);
	trouble = draft_prepend(d, (struct str){ room, n });
	free(room);
	return trouble;
}

/* All n octets; of one body in four the first third comes last, in two pieces. */
static inline yields enum draft_trouble
test_fill(struct draft *d, uint64_t seed, uint64_t n)
{
	uint64_t front = seed % 4 == 2 ? n / 3 : 0;
	enum draft_trouble trouble = test_append(d, seed, front, n);

	if (trouble == DRAFT_FINE)
		trouble = test_prepend(d, seed, front / 2, front);
	if (trouble == DRAFT_FINE)
		trouble = test_prepend(d, seed, 0, front / 2);
	return trouble;
}

/* A message whose body comes from `seed'; to so many recipients. */
static inline yields enum draft_trouble
test_commit(struct spool *sp, uint64_t seed, uint64_t n, size_t rcpts,
    uint64_t *id)
{
	struct envelope e = { .sender = STR("sender@example.com"),
		.arrived = { (int64_t)seed + 1 }, .n_rcpts = rcpts };
	enum draft_trouble trouble;
	struct arena a;
	struct draft *d;

	arena_init(&a, 1 << 20);
	e.rcpts = arena_alloc(&a, rcpts * sizeof *e.rcpts);
	must(e.rcpts != NULL);
	for (size_t i = 0; i < rcpts; i++)
		e.rcpts[i] = (struct recipient){
			.address = arena_printf(&a, "r%zu-%llu@example.org", i,
			    (unsigned long long)seed),
			.parent = RECIPIENT_NO_PARENT };
	d = draft_open(sp, &a, &trouble);
	if (id != NULL)
		*id = d != NULL ? draft_id(d) : 0;
	if (d != NULL)
		trouble = test_fill(d, seed, n);
	if (d != NULL && trouble == DRAFT_FINE)
		trouble = draft_commit(d, &e);
	arena_clear(&a);
	return trouble;
}

/* 1 when the body is what test_commit() wrote; 0 when the message has ended;
 * negative when it cannot be read. */
static inline yields int64_t
test_body(struct spool *sp, uint64_t id, uint64_t seed, uint64_t n)
{
	uint64_t at = 0;
	struct body b;
	struct pin p;
	int64_t got;
	char *room;

	if (!spool_pin(sp, id, &p))
		return 0;
	room = test_room(TEST_ROOM);	/* others read meanwhile */
	body_open(&b, &p);
	while ((got = body_read(&b, room, TEST_ROOM)) > 0)
		for (int64_t i = 0; i < got; i++)
			must(room[i] == test_octet(seed, at++));
	spool_unpin(&p);
	free(room);
	must(got < 0 || at == n);
	return got < 0 ? got : 1;
}

static inline yields int
test_deliver(struct spool *sp, uint64_t id, uint32_t recipient)
{
	struct outcome o = { .recipient = recipient, .kind = OUTCOME_DELIVERED,
		.code = 250, .text = STR("2.0.0 OK") };

	return spool_outcome(sp, id, &o, 1);
}

#endif
