/*
 * keyring_dkim.h -- the keys of DKIM in the keyring.
 *
 * The promise: each key is a file DOMAIN.SELECTOR.key (trust/dkim_pair.h) in
 * dkim.state, there before anybody hears of it, and gone when it was dropped.  An
 * active key signs what is the header of a message as DKIM or ARC hash it, whose
 * last field names that key's d=, s= and a=; a next or a retiring one signs
 * nothing.  Of one domain and algorithm one key is active.  What others put into
 * the directory, or take out, is seen at the next request: an older keyring, or
 * nightmail dkim import.
 * Not for: when a key becomes active (app/dkim.h).
 * Waiting: blocks on the disk; making an RSA key takes tenths of a second.
 * Memory: KEYRING_DKIM_MOST keys at most, for the life of the process.
 * Errors: -1 and the trail.  A file that cannot be used is left alone and told by
 * DKIM_LIST.
 * Source: DESIGN.md section 7; RFC 6376 3.7; RFC 8617 4.1; RFC 8463.
 */
#ifndef NM_APP_KEYRING_DKIM_H
#define NM_APP_KEYRING_DKIM_H

#include "app/keyring_store.h"
#include "app/keyring_wire.h"
#include "trust/dkim_pair.h"

enum { KEYRING_DKIM_MOST = 8192, KEYRING_TROUBLE_MOST = 300 };

struct keyring_dkim_held {
	struct dkim_pair pair;
	uint64_t id;
	char file[DKIM_PAIR_NAME];
	uint64_t ino;			/* what was read */
	int64_t changed_ns;
	bool is_there;
};

struct keyring_dkim {
	struct keyring_store store;	/* fd -1: there is none; trouble says why */
	uid_t owner;			/* of the files */
	struct keyring_dkim_held *held;	/* by file */
	size_t n, room;
	int64_t looked_ns;		/* the directory's time, then; 0: again */
	char trouble[KEYRING_TROUBLE_MOST];	/* of a file; "": none */
};

void keyring_dkim_init(struct keyring_dkim *);
/* With master's rights; what is wrong is told by each request. */
void keyring_dkim_open(struct keyring_dkim *, struct str path, uid_t, gid_t);
/* Fields of the request, fields of the reply. */
int keyring_dkim_answer(struct keyring_dkim *, enum keyring_op, uint64_t key,
    struct str body, struct buf *out);

#endif
