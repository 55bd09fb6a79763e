#include "app/log.h"

#include "base/list.h"
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
	if (p->target == LOG_SYSLOG)
		closelog();
	p->fd = -1;
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
	struct buf b = { .p = l->gathering + l->n,
		.cap = LOG_BUFFER - 1 - l->n };

	if (b.cap > LOG_LINE)
		b.cap = LOG_LINE;
	line_put(l->place, e, &b);
	if (b.full) {
		l->dropped++;
		return;
	}
	l->gathering[l->n + b.n] = '\n';
	l->n += b.n + 1;
	l->lines++;
	fiber_wake(l->writer);
}

/* ---- writing, on a helper thread ---- */

struct writing {
	const struct log_place *place;
	struct str text;
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

static yields void
gathered_write(struct log *l)
{
	struct writing w = { l->place, { l->gathering, l->n } };
	uint64_t dropped = l->dropped;
	char *other = l->writing;

	l->writing = l->gathering;
	l->gathering = other;
	l->n = 0;
	l->dropped = 0;
	if (dropped > 0)	/* the first line of what gathers next */
		l->n = (size_t)snprintf(l->gathering, 80,
		    "nightmail: %llu log lines were dropped\n",
		    (unsigned long long)dropped);
	(void)offload(text_write, &w);
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
