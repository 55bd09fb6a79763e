#include "app/log.h"

#include "base/list.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/offload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* ---- the place ---- */

int
log_place_open(struct log_place *p, const struct config *c)
{
	char path[1024];

	*p = (struct log_place){ .format = c->log.format,
		.target = c->log.target, .fd = STDERR_FILENO, .pid = getpid(),
		.has_time = c->log.target == LOG_FILE ||
		    getenv("JOURNAL_STREAM") == NULL };
	(void)str_cstr(c->hostname, p->host, sizeof p->host);
	(void)str_cstr(c->log.ident, p->ident, sizeof p->ident);
	if (p->target == LOG_SYSLOG) {
		p->fd = -1;
		openlog(p->ident, LOG_NDELAY | LOG_PID, LOG_MAIL);
	}
	if (p->target != LOG_FILE)
		return 0;
	if (!str_cstr(c->log.to, path, sizeof path))
		return err_set("log.to: the path is too long");
	p->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	return p->fd >= 0 ? 0 : err_set("log.to: %s: %m", path);
}

void
log_place_close(struct log_place *p)
{
	if (p->target == LOG_FILE && p->fd >= 0)
		close(p->fd);
	p->fd = -1;	/* syslog(3) has one connection, which goes on */
}

/* ---- lines ---- */

/* "Nov 21 05:18:01 mx.example.com nightmail/smtpd[812]: ", as syslog has it. */
static void
prefix_put(const struct log_place *p, const struct event *e, struct buf *out)
{
	time_t seconds = (time_t)(e->at.us / US_PER_SECOND);
	char stamp[32] = "";
	struct tm tm;

	if (p->has_time && p->target != LOG_SYSLOG &&
	    localtime_r(&seconds, &tm) != NULL &&
	    strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &tm) > 0)
		buf_printf(out, "%s %s ", stamp, p->host);
	if (p->target != LOG_SYSLOG)
		buf_printf(out, "%s/%s[%d]: ", p->ident, event_tag(e->type),
		    p->pid);
}

static void
line_put(const struct log_place *p, const struct event *e, struct buf *out)
{
	if (p->format == LOG_JSON)
		event_json(e, out);
	else {
		prefix_put(p, e, out);
		event_text(e, out);
	}
}

static void
log_event(struct event_sink *sink, const struct event *e)
{
	struct log *l = OWNER_OF(sink, struct log, sink);
	size_t room = LOG_BUFFER - l->n;
	struct buf b = { .p = l->gathering + l->n,
		.cap = room < LOG_LINE ? room : LOG_LINE };

	must(l->n <= LOG_BUFFER);
	line_put(l->place, e, &b);
	buf_putc(&b, '\n');
	if (b.full)
		l->dropped++;
	else {
		l->n += b.n;
		l->lines++;
	}
	fiber_wake(l->writer);
}

/* ---- writing, on a helper thread ---- */

struct writing {
	const struct log_place *place;
	struct str text;		/* what is left to write */
};

static int
syslog_write(struct str text)
{
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');

		syslog(LOG_INFO, STR_FMT, STR_ARG(line));
	}
	return 0;
}

static int
text_write(void *arg)
{
	struct writing *w = arg;

	if (w->place->target == LOG_SYSLOG)
		return syslog_write(w->text);
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
		if (l->n > 0)
			gathered_write(l);
		else
			(void)fiber_park(MONO_NEVER);
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
