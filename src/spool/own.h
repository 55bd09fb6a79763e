/*
 * own.h -- the spool's inside, for spool/'s own files.
 *
 * The promise: who changes what: writer.c the current segment and what waits to
 * be written; keeper.c spares, front and superblock; cleaner.c nothing but
 * through the writer; index.c the messages.
 * Not for: anyone outside spool/.
 * Waiting: none here.
 * Memory: one struct from spool_open() to spool_close(), by malloc, as it has no
 * arena to live in.
 * Errors: none here.
 * Source: DESIGN.md section 5.
 */
#ifndef NM_SPOOL_OWN_H
#define NM_SPOOL_OWN_H

#include "spool/cleaner.h"
#include "spool/index.h"
#include "spool/keeper.h"
#include "spool/log.h"
#include "spool/room.h"
#include "spool/spool.h"
#include "spool/super.h"
#include "spool/tail.h"
#include "spool/writer.h"

/* So many spares are made; of old segments more are kept. */
enum { SPARES_WANTED = 2, SPARES_MOST = 4, OWN_PATH_MOST = 200 };

struct mark {
	bool is_registered;
	struct tail_place place;		/* {0, 0}: none yet */
	uint64_t in_segment;		/* where its last MARK record stands */
};

struct lasts;

struct spool {
	struct spool_config config;	/* defaults filled in; path is ours */
	char path[OWN_PATH_MOST];
	int lock_fd, super_fd;
	struct super super;
	struct index index;
	struct log log;
	struct segment *current;	/* the last of the log; NULL: none yet */
	struct segment spares[SPARES_MOST];	/* next numbers, in order */
	size_t n_spares;
	struct rooms rooms;
	struct list drafts;
	struct writer writer;
	struct keeper keeper;
	struct cleaner cleaner;
	struct mark marks[PROJECTIONS_MOST];
	uint64_t id_next;		/* counter */
	enum spool_health health;
	struct mono error_at;		/* the last device error */
	bool has_error;
	size_t tails;
	uint64_t batches;		/* written, ever */
	struct fiber *follower;		/* waits for one more; or NULL */
	struct lasts *lasts;		/* while spool_recover() runs; or NULL */
	bool is_running;		/* spool_recover() is done */
	bool is_read_only;		/* check.c's */
	bool is_orphan;			/* its superblock is lost */
	struct spool_stats stats;
};

/* The parts of spool_open() and spool_close() that check.c needs too. */
struct spool *spool_new(const struct spool_config *);
void spool_free(struct spool *);
void spool_without_super(struct spool *);
void spool_file(char to[SEGMENT_PATH_MOST], const struct spool *,
    const char *name);
yields enum spool_trouble spool_find_segments(struct spool *,
    const struct str *names, size_t n);

/* Trouble told to the sink: reason is one word. */
void spool_tell(struct spool *, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A write or sync failed on the device: the second within 60 s breaks. */
void spool_device_error(struct spool *, int error);
bool spool_is_space_error(int error);

/* index_settle() and segment_give(), and the keeper hears when the front of the
 * log is worth a look. */
void spool_settle(struct spool *, struct kept *);
void spool_give_segment(struct spool *, struct segment *, uint64_t bytes);
void spool_look_at_front(struct spool *);

#endif
