#include "app/log.h"

#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/offload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOG_PATIENCE_NS (10 * NS_PER_MS)
#define SYSLOG_SOCKET "/dev/log"

/* ---- the place ---- */

static int
syslog_connect(int fd)
{
	static const struct sockaddr_un at = { .sun_family = AF_UNIX,
		.sun_path = SYSLOG_SOCKET };

	return connect(fd, (const void *)&at, sizeof at);
}

static int
syslog_open(struct log_place *p)
{
	p->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return err_set("log.to: syslog: %m");
	(void)syslog_connect(p->fd);	/* it may come later */
	return 0;
}

int
log_place_open(struct log_place *p, const struct config *c)
{
	char path[1024];

	*p = (struct log_place){ .format = c->log.format,
		.target = c->log.target, .fd = STDERR_FILENO, .pid = getpid(),
		.has_time = c->log.target != LOG_TO_STDERR ||
		    getenv("JOURNAL_STREAM") == NULL };
	(void)str_cstr(c->hostname, p->host, sizeof p->host);
	(void)str_cstr(c->log.ident, p->ident, sizeof p->ident);
	if (p->target == LOG_TO_SYSLOG)
		return syslog_open(p);
	if (p->target != LOG_TO_FILE)
		return 0;
	if (!str_cstr(c->log.to, path, sizeof path))
		return err_set("log.to: the path is too long");
	p->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	return p->fd >= 0 ? 0 : err_set("log.to: %s: %m", path);
}

void
log_place_close(struct log_place *p)
{
	if (p->target != LOG_TO_STDERR && p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* ---- lines ---- */

/*
 * "Nov 21 05:18:01 mx.example.com nightmail/smtpd[812]: ", and to syslog
 * "<22>Nov 21 05:18:01 nightmail/smtpd[812]: " (RFC 3164 4.1): facility mail,
 * informational, or a warning.  An ident with a slash is the whole tag.
 */
static void
prefix_put(const struct log *l, const struct event *e, const char *tag,
    struct buf *out)
{
	const struct log_place *p = l->place;

	if (p->target == LOG_TO_SYSLOG)
		buf_put(out, e->type == EVENT_trouble ? STR("<20>") :
		    STR("<22>"));
	if (p->has_time && l->stamp[0] != '\0') {
		buf_put(out, str_of(l->stamp));
		buf_putc(out, ' ');
		if (p->target != LOG_TO_SYSLOG) {
			buf_put(out, str_of(p->host));
			buf_putc(out, ' ');
		}
	}
	buf_put(out, str_of(p->ident));
	if (strchr(p->ident, '/') == NULL) {
		buf_putc(out, '/');
		buf_put(out, str_of(tag));
	}
	buf_printf(out, "[%d]: ", p->pid);
}

/* Many lines are of one second, and what time it is here takes libc's lock. */
static void
stamp_make(struct log *l, struct wall at)
{
	time_t seconds = (time_t)(at.us / US_PER_SECOND);
	struct tm tm;

	if (!l->place->has_time || (l->stamp[0] != '\0' &&
	    l->stamped == seconds))
		return;
	l->stamped = seconds;
	if (localtime_r(&seconds, &tm) == NULL || strftime(l->stamp,
	    sizeof l->stamp, "%b %e %H:%M:%S", &tm) == 0)
		l->stamp[0] = '\0';
}

static unsigned
lines_put(const struct log *l, const struct event *e, struct buf *out)
{
	const char *tag;
	unsigned n = 0;

	if (l->place->format == LOG_JSON) {
		if (l->place->target == LOG_TO_SYSLOG)
			prefix_put(l, e, event_tag(e->type), out);
		event_json(e, out);
		buf_putc(out, '\n');
		return 1;
	}
	for (; (tag = event_text_tag(e, n)) != NULL; n++) {
		prefix_put(l, e, tag, out);
		event_text(e, n, out);
		buf_putc(out, '\n');
	}
	return n;
}

/* Each write is two switches to another thread and back, so lines wait for others
 * of their moment; but not behind trouble, which may be the last that is said. */
static void
log_gathered(struct log *l, size_t before, bool is_urgent)
{
	bool is_full = l->n >= LOG_BUFFER / 2 && before < LOG_BUFFER / 2;

	if (l->n == 0 || (before > 0 && !is_full && !is_urgent))
		return;
	if (is_full || is_urgent)
		l->due = clock_mono();
	else
		l->due = mono_add(clock_mono(), LOG_PATIENCE_NS);
	fiber_wake(l->writer);
}

static void
log_event(struct event_sink *sink, const struct event *e)
{
	struct log *l = OWNER_OF(sink, struct log, sink);
	size_t room = LOG_BUFFER - l->n, before = l->n;
	struct buf b = { .p = l->gathering + l->n,
		.cap = room < LOG_LINE ? room : LOG_LINE };
	unsigned n;

	must(l->n <= LOG_BUFFER);
	stamp_make(l, e->at);
	n = lines_put(l, e, &b);
	if (b.full)
		l->dropped += n;
	else {
		l->n += b.n;
		l->lines += n;
	}
	log_gathered(l, before, b.full || e->type == EVENT_trouble);
}

/* ---- writing, on a helper thread ---- */

struct writing {
	const struct log_place *place;
	struct str text;		/* what is left to write */
};

/* A datagram for each line.  A syslogd that was started anew has another
 * socket behind the same name. */
static int
syslog_write(int fd, struct str *text)
{
	bool is_again = false;

	while (text->n > 0) {
		struct str rest = *text, line = str_cut(&rest, '\n');
		ssize_t n = send(fd, line.p, line.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EMSGSIZE && is_again)
			return -errno;
		is_again = n < 0 && errno != EMSGSIZE;
		if (!is_again)
			*text = rest;
		else if (syslog_connect(fd) != 0)
			return -errno;
	}
	return 0;
}

static int
text_write(void *arg)
{
	struct writing *w = arg;

	if (w->place->target == LOG_TO_SYSLOG)
		return syslog_write(w->place->fd, &w->text);
	while (w->text.n > 0) {
		ssize_t n = write(w->place->fd, w->text.p, w->text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		w->text = str_sub(w->text, (size_t)n, w->text.n);
	}
	return 0;
}

static uint64_t
lines_in(struct str text)
{
	uint64_t n = 0;

	for (; text.n > 0; n++)
		(void)str_cut(&text, '\n');
	return n;
}

/* That lines are missing is itself an event, in the form of the others. */
static void
dropped_tell(struct log *l)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);
	char text[64];
	uint64_t dropped = l->dropped;

	snprintf(text, sizeof text, "%llu log lines were dropped",
	    (unsigned long long)dropped);
	event_str(&e, FIELD_text, str_of(text));
	l->dropped = 0;
	log_event(&l->sink, &e);
}

/* What the place did not take is lost, and counted. */
static yields void
gathered_write(struct log *l)
{
	struct writing w = { l->place, { l->gathering, l->n } };
	char *other = l->writing;

	l->writing = l->gathering;
	l->gathering = other;
	l->n = 0;
	if (l->dropped > 0)	/* the first line of what gathers next */
		dropped_tell(l);
	l->is_writing = true;
	if (offload(text_write, &w) != 0) {
		l->dropped += lines_in(w.text);
		err_clear();
	}
	l->is_writing = false;
}

yields int
log_move(struct log *l, const struct log_place *to, struct mono deadline)
{
	l->place = to;
	while (l->is_writing) {
		if (mono_is_before(deadline, clock_mono()))
			return -1;
		fiber_sleep(mono_add(clock_mono(), NS_PER_MS));
	}
	return 0;
}

yields void
log_run(void *arg)
{
	struct log *l = arg;

	l->writer = fiber_self();
	while (!l->is_ending || l->n > 0) {
		if (l->n == 0)
			(void)fiber_park(MONO_NEVER);
		else if (!l->is_ending && mono_is_before(clock_mono(), l->due))
			(void)fiber_park(l->due);
		else
			gathered_write(l);
	}
	l->writer = NULL;
	l->has_ended = true;
	fiber_wake(l->ender);
}

int
log_open(struct log *l, const struct log_place *place)
{
	*l = (struct log){ .sink.take = log_event, .place = place,
		.gathering = malloc(LOG_BUFFER), .writing = malloc(LOG_BUFFER) };
	if (l->gathering != NULL && l->writing != NULL)
		return 0;
	log_close(l);
	return err_set("no memory for the log");
}

yields void
log_end(struct log *l)
{
	l->is_ending = true;
	l->ender = fiber_self();
	fiber_wake(l->writer);
	while (!l->has_ended)
		(void)fiber_park(MONO_NEVER);
}

void
log_close(struct log *l)
{
	free(l->gathering);
	free(l->writing);
	l->gathering = l->writing = NULL;
}
