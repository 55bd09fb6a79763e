/*
 * poison.h -- which message each fiber works on, known to who survives.
 *
 * The promise: between poison_enter(id) and poison_leave() the id stands in a
 * table shared with master.  When a worker dies, master calls poison_count():
 * what stood there at two deaths is in the held list, and the next worker holds
 * it instead of trying it again.
 * Not for: errors that are answered; only for what kills a process.
 * Waiting: none.
 * Memory: one anonymous shared mapping of POISON_BYTES, made by master before it
 * forks; without poison_use() every verb does nothing.
 * Errors: when all slots are taken, the message is not watched.
 * Source: DESIGN.md section 5, "Poison".
 */
#ifndef NM_BASE_POISON_H
#define NM_BASE_POISON_H

#include <stdbool.h>
#include <stdint.h>

enum { POISON_SLOTS = 4096, POISON_SUSPECTS = 1024, POISON_DEATHS = 2 };

struct poison_suspect {
	uint64_t id;
	uint32_t deaths;
};

struct poison_table {
	_Atomic uint64_t working[POISON_SLOTS];		/* 0: free */
	struct poison_suspect suspects[POISON_SUSPECTS];/* master writes */
	uint32_t n_suspects;
};

enum { POISON_BYTES = sizeof(struct poison_table) };

void poison_use(struct poison_table *);		/* zeroed; or NULL */
int poison_enter(uint64_t id);			/* a slot, or -1 */
void poison_leave(int slot);			/* -1 is allowed */

/* Master, after a worker died: count what it worked on, empty the table.
 * Returns how many are now at POISON_DEATHS or more. */
unsigned poison_count(struct poison_table *);
bool poison_is_held(uint64_t id);
bool poison_is_suspect(uint64_t id);		/* one death, or more */

#endif
