#include "app/report_child.h"

#include "app/porter_run.h"
#include "app/sandbox.h"
#include "base/err.h"
#include "base/num.h"
#include "deliver/report_form.h"
#include "store/report.h"
#include "wire/report_in.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The descriptors of the reader. */
enum { MESSAGE = 0, ANSWER = 1 };

enum { READ_SIZE = 16 * 1024, WRITE_SIZE = 4 * REPORT_FORM_ROW };

struct reading {
	uint64_t size;			/* of the message */
	uint64_t written;		/* octets of rows, behind it */
	struct buf rows;
	struct arena *row_arena;
	bool is_full;			/* no room for more */
};

/* ---- rows go out ---- */

static int
rows_flush(struct reading *r)
{
	struct str left = buf_str(&r->rows);

	if (r->written + left.n > REPORT_FORM_MOST)
		r->is_full = true;
	while (left.n > 0 && !r->is_full) {
		ssize_t n = pwrite(MESSAGE, left.p, left.n,
		    (off_t)(r->size + r->written));

		if (n < 0 && errno == EINTR)
			continue;
		r->is_full = n <= 0;
		if (n > 0) {
			r->written += (uint64_t)n;
			left = str_sub(left, (size_t)n, left.n);
		}
	}
	r->rows.n = 0;
	r->rows.full = false;
	return r->is_full ? -1 : 0;
}

static int
row_put(struct reading *r, enum report_rows which,
    const struct report_row *row, int rc)
{
	if (rc == 0 && !report_form_put(&r->rows, which, row))
		rc = rows_flush(r) == 0 && report_form_put(&r->rows, which,
		    row) ? 0 : -1;
	arena_clear(r->row_arena);
	return rc;
}

static int
record_tell(void *arg, const struct dmarc_report_record *record)
{
	struct reading *r = arg;
	struct report_row row;
	int rc = report_row_record(&row, record, r->row_arena);

	return row_put(r, REPORT_ROWS_DMARC, &row, rc);
}

static int
policy_tell(void *arg, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *f)
{
	struct reading *r = arg;
	struct report_row row;
	int rc = report_row_policy(&row, p, f, r->row_arena);

	return row_put(r, REPORT_ROWS_TLS, &row, rc);
}

static void
rows_forget(void *arg)
{
	struct reading *r = arg;

	r->written = 0;
	r->rows.n = 0;
	r->is_full = false;
}

/* ---- the reader ---- */

/* -1: the message cannot be read. */
static int
message_feed(struct report_in_read *in, char *room, uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		ssize_t n = pread(MESSAGE, room, size - at < READ_SIZE ?
		    (size_t)(size - at) : READ_SIZE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		report_in_take(in, (struct str){ room, (size_t)n });
		at += (uint64_t)n;
	}
	return 0;
}

static void
answer_words(struct porter_reply *reply, enum porter_end end,
    const char *text)
{
	porter_reply_trouble(reply, 0, text);
	reply->end = (uint16_t)end;
}

static void
answer_report(struct reading *r, const struct report_in *in,
    enum report_kind kind, struct porter_reply *reply)
{
	struct report_row row;
	int rc = 0;

	if (kind == REPORT_OF_FAILURE) {
		rc = report_row_feedback(&row, &in->arf, r->row_arena);
		rc = row_put(r, REPORT_ROWS_FAILURE, &row, rc);
	}
	if (rc == 0)
		rc = report_row_head(&row, in, r->row_arena);
	if (row_put(r, REPORT_HEADS, &row, rc) != 0 || rows_flush(r) != 0) {
		answer_words(reply, PORTER_REFUSED, "it is too much");
		return;
	}
	answer_words(reply, PORTER_REPORT, "");
	reply->status = (uint16_t)kind;
	reply->form = (uint32_t)r->written;
}

static void
answer_fill(struct reading *r, const struct report_in *in,
    struct porter_reply *reply)
{
	switch (in->kind) {
	case REPORT_IN_NONE:
		answer_words(reply, PORTER_NO_REPORT, "");
		break;
	case REPORT_IN_BROKEN:
		answer_words(reply, PORTER_REFUSED, in->why);
		break;
	case REPORT_IN_DMARC:
		answer_report(r, in, REPORT_OF_DMARC, reply);
		break;
	case REPORT_IN_TLS:
		answer_report(r, in, REPORT_OF_TLS, reply);
		break;
	case REPORT_IN_FEEDBACK:
		answer_report(r, in, REPORT_OF_FAILURE, reply);
		break;
	}
}

static void
reader_read(uint64_t size, struct porter_reply *reply)
{
	struct arena arena, row_arena;
	struct reading r = { .size = size, .row_arena = &row_arena };
	struct report_in_listener l = { record_tell, policy_tell, rows_forget,
		&r };
	struct report_in_read *in;
	char *room;

	arena_init(&arena, REPORT_IN_MEMORY + READ_SIZE + WRITE_SIZE + 4096);
	arena_init(&row_arena, 4 * REPORT_FORM_ROW);
	room = arena_alloc(&arena, READ_SIZE);
	r.rows = (struct buf){ .p = arena_alloc(&arena, WRITE_SIZE),
		.cap = WRITE_SIZE };
	in = report_in_begin(&arena, &l);
	if (room == NULL || r.rows.p == NULL || in == NULL)
		answer_words(reply, PORTER_REFUSED, "no memory to read it");
	else if (message_feed(in, room, size) != 0)
		porter_reply_trouble(reply, EIO, "the message ends early");
	else
		answer_fill(&r, report_in_end(in), reply);
	arena_clear(&row_arena);
	arena_clear(&arena);
}

/* ---- its prison ---- */

/* Octets of address space that are in use; 0: nobody knows. */
static rlim_t
address_space(void)
{
	char text[256];
	uint64_t pages = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	struct str s = { text, n < 0 ? 0 : (size_t)n };

	if (fd >= 0)
		close(fd);
	if (!parse_u64(str_cut(&s, ' '), UINT64_MAX >> 16, &pages))
		return 0;
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static int
limit_set(int which, rlim_t most)
{
	struct rlimit l = { most, most };

	return setrlimit((__rlimit_resource_t)which, &l);
}

/* A sanitizer's shadow has terabytes of addresses. */
static int
limits_set(uint64_t size)
{
	rlim_t used = address_space();
	int rc = 0;

#if !defined(__SANITIZE_ADDRESS__)
	if (used > 0)
		rc = limit_set(RLIMIT_AS, used + REPORT_CHILD_OCTETS);
#endif
	return used == 0 || rc != 0 ||
	    limit_set(RLIMIT_CPU, REPORT_CHILD_SECONDS) != 0 ||
	    limit_set(RLIMIT_FSIZE, size + REPORT_FORM_MOST) != 0 ||
	    limit_set(RLIMIT_CORE, 0) != 0 || limit_set(RLIMIT_NPROC, 0) != 0 ?
	    err_set("limits: %m") : 0;
}

static void
hashes_seed(void)
{
	size_t seed = 0;

	(void)!getrandom(&seed, sizeof seed, 0);
	json_object_seed(seed | 1);
}

/* Either may be where the other belongs. */
static int
descriptors_take(int message, int answer)
{
	int spare = dup(answer);

	return spare < 0 || dup2(message, MESSAGE) != MESSAGE ||
	    dup2(spare, ANSWER) != ANSWER ||
	    close_range(ANSWER + 1, ~0u, 0) != 0 ? -1 : 0;
}

static int
prison_enter(uint64_t size)
{
	hashes_seed();
	if (limits_set(size) != 0)
		return -1;
	if (limit_set(RLIMIT_NOFILE, ANSWER + 1) != 0)
		return err_set("limits: %m");
	return sandbox_reader_enter();
}

static _Noreturn void
reader_main(int message, int answer, uint64_t size)
{
	struct porter_reply reply;

	if (descriptors_take(message, answer) != 0)
		_exit(1);
	if (prison_enter(size) != 0)
		porter_reply_trouble(&reply, EPERM, err_text());
	else
		reader_read(size, &reply);
	_exit(write(ANSWER, &reply, sizeof reply) == (ssize_t)sizeof reply ? 0 :
	    1);
}

/* ---- who waits for it ---- */

static bool
answer_is_sound(const struct porter_reply *r)
{
	return r->magic == PORTER_MAGIC && r->version == PORTER_VERSION &&
	    r->length <= sizeof r->text && (r->end == PORTER_REPORT ||
	    r->end == PORTER_NO_REPORT || r->end == PORTER_REFUSED ||
	    r->end == PORTER_TROUBLE);
}

static bool
answer_hear(int answer, struct porter_reply *reply, bool *is_over)
{
	struct pollfd p = { answer, POLLIN, 0 };
	int rc;

	do
		rc = poll(&p, 1, REPORT_CHILD_WALL_S * 1000);
	while (rc < 0 && errno == EINTR);
	*is_over = rc <= 0;
	if (*is_over) {
		answer_words(reply, PORTER_OVERTIME, "");
		return false;
	}
	return read(answer, reply, sizeof *reply) == (ssize_t)sizeof *reply &&
	    answer_is_sound(reply);
}

static void
reader_wait(pid_t pid, int answer, struct porter_reply *reply)
{
	int status = 0;
	bool is_over, is_sound = answer_hear(answer, reply, &is_over);

	(void)kill(pid, SIGKILL);	/* it has said what it had to say */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (is_sound || is_over)
		return;
	answer_words(reply, PORTER_KILLED, "");
	reply->status = WIFSIGNALED(status) ? (uint16_t)WTERMSIG(status) : 0;
}

void
report_child_run(int message, uint64_t size, struct porter_reply *reply)
{
	int ends[2];
	pid_t pid;

	answer_words(reply, PORTER_KILLED, "");
	if (pipe2(ends, O_CLOEXEC) != 0) {
		porter_reply_trouble(reply, errno, "no pipe");
		return;
	}
	pid = fork();
	if (pid == 0)
		reader_main(message, ends[1], size);
	close(ends[1]);
	if (pid < 0)
		porter_reply_trouble(reply, errno, "fork failed");
	else
		reader_wait(pid, ends[0], reply);
	close(ends[0]);
}
