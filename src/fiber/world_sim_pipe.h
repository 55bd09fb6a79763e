/*
 * world_sim_pipe.h -- what is under way between two ends, wherever these live.
 *
 * The promise: pipes, segments and doors lie in the shared room, so that a
 * connection goes from one machine's process to another's; the ends themselves
 * are memory of their process, and only it looks into them.  What one process
 * does to a pipe and another must notice is rung there.
 * Not for: the verbs (world_sim_net.c).
 * Waiting: none.
 * Memory: the shared room; a pipe ends when both of its ends are gone.
 * Errors: none.
 * Source: RFC 9293 3.6 and 3.10.7 (what is sent to who is gone is reset).
 */
#ifndef NM_FIBER_WORLD_SIM_PIPE_H
#define NM_FIBER_WORLD_SIM_PIPE_H

#include "base/list.h"
#include "fiber/net.h"
#include "fiber/world_sim.h"

enum sim_segment_kind { SIM_BYTES, SIM_FIN, SIM_RST };

struct sim_segment {
	struct link link;
	struct mono arrives;
	enum sim_segment_kind kind;
	size_t n, at;
	char bytes[];
};

struct sim_end;

struct sim_party {
	struct sim_end *end;		/* of that process; NULL until accepted */
	unsigned machine;
	bool is_gone;
};

/* One direction. */
struct sim_pipe {
	struct link link;		/* in sim.pipes */
	struct list segments;
	struct sim_party from, to;
	struct sim_pipe *other;		/* the way back; NULL: freed */
	size_t unread;			/* bytes in segments */
	struct mono last;		/* arrival of the newest segment */
	bool is_lost;			/* its last segment is an RST */
	bool is_cut;			/* writing it fails: RST was met */
	struct address sender, receiver;	/* for their hosts' state */
};

/* Where somebody listens, and who waits there. */
struct sim_door {
	struct link link;		/* in sim.doors */
	struct address at;
	struct sim_party owner;
	struct list backlog;
	size_t n_backlog;
};

struct sim_caller {
	struct link link;		/* in a door's backlog */
	struct sim_pipe *in, *out;	/* as the accepted end will have them */
};

enum sim_host sim_host_of(const struct address *);
bool sim_pipe_is_silent(const struct sim_pipe *);

/* Both directions of a connection from here to who accepts it. */
struct sim_pipe *sim_pipe_pair(struct sim_end *caller,
    const struct address *local, const struct sim_door *,
    const struct address *peer);
struct sim_segment *sim_pipe_first(const struct sim_pipe *);
bool sim_pipe_has_arrived(const struct sim_pipe *);
bool sim_pipe_has_rst(const struct sim_pipe *);
int64_t sim_pipe_delay(const struct sim_pipe *);
void sim_pipe_put(struct sim_pipe *, enum sim_segment_kind, const char *,
    size_t);
void sim_pipe_take(struct sim_pipe *);		/* its first segment goes */
/* The connection is lost in this direction: nothing more after it. */
void sim_pipe_reset(struct sim_pipe *);
void sim_loss_note(const struct sim_pipe *);
/* The reader learns of what is there, the writer that there is room. */
void sim_pipe_arm(struct sim_pipe *);
void sim_pipe_room(struct sim_pipe *, int64_t in_ns);
/* This side goes, as close() does; or as a power cut does, without a word. */
void sim_pipes_close(struct sim_pipe *in, struct sim_pipe *out);
void sim_pipes_vanish(struct sim_pipe *in, struct sim_pipe *out);

void sim_door_close(struct sim_door *, enum sim_crash);

/* Of world_sim_net.c, for the ends of this process. */
void sim_end_arrival(void *end, int64_t at);
void sim_end_room(void *end, int64_t at);
void sim_end_called(void *end, int64_t at);

#endif
