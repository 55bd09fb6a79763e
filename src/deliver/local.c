#include "deliver/local.h"

#include "base/err.h"
#include "base/must.h"
#include "deliver/carrier.h"
#include "deliver/connection.h"
#include "deliver/delivery.h"
#include "deliver/junk.h"
#include "deliver/maildir.h"
#include "deliver/remote.h"
#include "deliver/report_taker.h"
#include "deliver/strip.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "policy/domain.h"
#include "policy/holder.h"
#include "policy/place.h"
#include "queue/ready.h"
#include "wire/recode.h"

#include <errno.h>

enum { COPY_SIZE = 16 * 1024, COPY_MEMORY = 128 * 1024 };

/* ---- one copy ---- */

/* Where its octets go: a Maildir here, or a file for the porter. */
struct copy {
	struct delivery *delivery;
	struct maildir *maildir;	/* or NULL and ... */
	int fd;
	uint64_t at;
	int error;			/* of writing: errno; 0: none */
	struct strip strip;
	bool is_unread;			/* the spool did not give it */
	const char *refusal;		/* no mailbox can hold it; or NULL */
};

static yields int
copy_put(struct copy *c, struct str octets)
{
	int rc;

	must(c->maildir != NULL || c->fd >= 0);
	if (c->maildir != NULL) {
		rc = maildir_write(c->maildir, octets);
		c->error = c->maildir->maildir_errno;
		return rc;
	}
	rc = disk_pwrite(c->fd, octets, c->at);
	c->at += octets.n;
	c->error = -rc;
	return rc == 0 ? 0 : -1;
}

/* RFC 5321 4.4: the final delivery puts one Return-Path on top ... */
static yields int
trace_put(struct copy *c, const struct delivery_recipient *r, struct arena *a)
{
	struct str head = arena_printf(a, "Return-Path: <" STR_FMT ">\r\n"
	    "Delivered-To: " STR_FMT "\r\n",
	    STR_ARG(r->sender), STR_ARG(r->address));

	if (head.p != NULL && r->orig.n > 0)
		head = arena_printf(a, STR_FMT "X-Original-To: " STR_FMT "\r\n",
		    STR_ARG(head), STR_ARG(r->orig));
	if (head.p != NULL)
		return copy_put(c, head);
	c->error = ENOMEM;
	return err_set("no memory");
}

/* ... and takes off those that came with the message. */
static yields int
content_put(struct copy *c, struct str in)
{
	struct str out;

	while (strip_next(&c->strip, &in, &out))
		if (copy_put(c, out) != 0)
			return -1;
	return 0;
}

static int
copy_unread(struct copy *c, int64_t rc)
{
	must(rc < 0);
	c->is_unread = true;
	c->delivery->is_damaged |= rc == BODY_DAMAGED;
	return -1;
}

static yields int
body_copy(struct copy *c, char *room)
{
	struct body b;
	int64_t n;

	body_open(&b, &c->delivery->pin);
	while ((n = body_read(&b, room, COPY_SIZE)) > 0)
		if (content_put(c, (struct str){ room, (size_t)n }) != 0)
			return -1;
	return n < 0 ? copy_unread(c, n) : 0;
}

/* ---- octets that are no lines (RFC 3030) ---- */

static yields int
binary_survey(struct copy *c, struct recode *r, char *room)
{
	struct body b;
	int64_t n;

	body_open(&b, &c->delivery->pin);
	while ((n = body_read(&b, room, COPY_SIZE)) > 0)
		recode_survey(r, (struct str){ room, (size_t)n });
	if (n < 0)
		return copy_unread(c, n);
	if (recode_survey_end(r) == 0 && r->refusal == NULL)
		return 0;
	c->refusal = r->refusal;
	return -1;
}

static yields int
binary_write(struct copy *c, struct recode *r, char *room)
{
	struct body b;
	struct str out;
	int64_t n;
	int rc = 0;

	body_open(&b, &c->delivery->pin);
	while ((n = body_read(&b, room, COPY_SIZE)) > 0) {
		struct str in = { room, (size_t)n };

		while ((rc = recode_next(r, &in, &out)) == 1)
			if (content_put(c, out) != 0)
				return -1;
		if (rc != 0)
			return copy_unread(c, BODY_DAMAGED);
	}
	if (n < 0)
		return copy_unread(c, n);
	while ((rc = recode_finish(r, &out)) == 1)
		if (content_put(c, out) != 0)
			return -1;
	return rc == 0 ? 0 : copy_unread(c, BODY_DAMAGED);
}

/* A mailbox holds lines: such parts are put into base64. */
static yields int
binary_copy(struct copy *c, char *room)
{
	struct recode *r;
	struct arena a;
	int rc = -1;

	must((c->delivery->envelope.flags & ENVELOPE_BINARY) != 0);
	arena_init(&a, RECODE_ARENA + 2 * sizeof *r);
	r = arena_new(&a, struct recode);
	if (r == NULL) {
		c->error = ENOMEM;
		err_set("no memory");
	} else {
		recode_begin(r, RECODE_TO_8BIT, true, &a);
		rc = binary_survey(c, r, room);
	}
	if (rc == 0) {
		recode_again(r);
		rc = binary_write(c, r, room);
	}
	arena_clear(&a);
	return rc;
}

static yields int
message_copy(struct copy *c, const struct delivery_recipient *r,
    struct arena *a)
{
	char *room = arena_alloc(a, COPY_SIZE);

	must(c->delivery->is_pinned);
	if (room == NULL) {
		c->error = ENOMEM;
		return err_set("no memory");
	}
	strip_begin(&c->strip);
	if (trace_put(c, r, a) != 0)
		return -1;
	if ((c->delivery->envelope.flags & ENVELOPE_BINARY) != 0 ?
	    binary_copy(c, room) != 0 : body_copy(c, room) != 0)
		return -1;
	return copy_put(c, strip_end(&c->strip));
}

static struct verdict
copy_verdict(const struct copy *c)
{
	if (c->refusal != NULL)
		return verdict_make(FAILED, 0, "5.6.3",
		    "a mailbox cannot hold its binary parts: %s", c->refusal);
	if (c->is_unread)
		return verdict_make(DEFERRED, 0, "4.3.0",
		    "our copy of the message could not be read: %s",
		    err_text());
	return carrier_trouble(c->error);
}

/* ---- a mailbox of our own ---- */

static yields struct str
maildir_place(const struct delivery *d, const struct mailbox_place *place,
    struct arena *a)
{
	if ((d->envelope.flags & ENVELOPE_JUNK) != 0)
		return junk_folder(place->path, a);
	return maildir_choose(place->path, place->folder);
}

static yields struct verdict
maildir_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct mailbox_place *place, const struct config *conf,
    struct arena *a)
{
	struct maildir m;
	struct copy c = { .delivery = d, .maildir = &m, .fd = -1 };
	struct str path = maildir_place(d, place, a);
	struct verdict v;

	must(place->pipe == NULL && !place->needs_porter);
	if (path.p == NULL) {
		err_set("no memory");
		return carrier_trouble(ENOMEM);
	}
	if (maildir_open(&m, path, conf->hostname, a) != 0)
		return carrier_trouble(m.maildir_errno);
	if (message_copy(&c, r, a) != 0) {
		v = copy_verdict(&c);
		maildir_abandon(&m);
		return v;
	}
	if (maildir_commit(&m) != 0) {
		v = carrier_trouble(m.maildir_errno);
		maildir_abandon(&m);
		return v;
	}
	r->file = arena_copy(&d->arena, str_of(m.new_name));
	return verdict_make(DELIVERED, 0, "2.0.0", "delivered to maildir");
}

/* ---- another uid's mailbox ---- */

static yields struct verdict
porter_deliver(struct delivery *d, struct delivery_recipient *r,
    bool is_command, const struct config *conf, struct arena *a)
{
	struct copy c = { .delivery = d };
	struct verdict v;

	if (d->at->porter_fd < 0)
		return verdict_make(DEFERRED, 0, "4.3.5", "there is no porter");
	c.fd = carrier_file(conf, a);
	if (c.fd < 0)
		return carrier_trouble(-c.fd);
	v = message_copy(&c, r, a) == 0 ? carrier_ask(d, r,
	    &(struct carrier_copy){ c.fd, c.at, is_command }, conf, a) :
	    copy_verdict(&c);
	disk_close(c.fd);
	return v;
}

/* What an alias names, which the porter looks up again. */
static yields struct verdict
target_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct config *conf)
{
	struct verdict v;
	struct arena a;

	must(r->transport.p != NULL);
	arena_init(&a, COPY_MEMORY);
	v = alias_target_is_place(r->transport) ? porter_deliver(d, r,
	    r->transport.p[0] == '|', conf, &a) : verdict_make(FAILED, 0,
	    "5.3.5", "'" STR_FMT "' is neither |command nor /path/",
	    STR_ARG(r->transport));
	arena_clear(&a);
	return v;
}

/* ---- one recipient, by what the configuration says of him now ---- */

static yields struct verdict
mailbox_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct route *route, const struct config *conf)
{
	struct mailbox_place place;
	struct verdict v;
	struct arena a;

	must(route->kind == ROUTE_LOCAL && r->transport.p == NULL);
	arena_init(&a, COPY_MEMORY);
	if (place_find(conf, route, d->at->own_uid, d->at->own_gid, &a,
	    &place) != 0)
		v = verdict_make(DEFERRED, 0, "4.3.5", "%s", err_text());
	else if (!place.needs_porter)
		v = maildir_deliver(d, r, &place, conf, &a);
	else
		v = porter_deliver(d, r, place.pipe != NULL, conf, &a);
	arena_clear(&a);
	return v;
}

/* ---- reports of others ---- */

/* A copy as it came, for people who want to look at it. */
static yields struct verdict
copy_deliver(struct delivery *d, struct delivery_recipient *r,
    struct str path, const struct config *conf)
{
	struct mailbox_place place = { .uid = d->at->own_uid };
	struct verdict v = verdict_make(DEFERRED, 0, "4.3.0", "no memory");
	struct arena a;

	must(path.n > 0);
	arena_init(&a, COPY_MEMORY);
	place.path = arena_copy(&a, path);
	if (place.path.p != NULL)
		v = maildir_deliver(d, r, &place, conf, &a);
	arena_clear(&a);
	return v;
}

/* What is no report is for people: the admin's. */
static yields void
inbox_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct route *route, const struct config *conf)
{
	struct route admin = { .kind = ROUTE_LOCAL, .domain = route->domain,
		.home = route->home };
	struct verdict v;

	must(route->kind == ROUTE_REPORTS);
	if (!report_take(d, r, conf)) {
		r->verdict = mailbox_deliver(d, r, &admin, conf);
		return;
	}
	if (r->verdict.disposition != DELIVERED || conf->reports.copy.n == 0)
		return;
	v = copy_deliver(d, r, conf->reports.copy, conf);
	if (v.disposition != DELIVERED)
		r->verdict = v;
}

static yields void
route_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct route *route, const struct config *conf)
{
	switch (route->kind) {
	case ROUTE_LOCAL:
		r->verdict = mailbox_deliver(d, r, route, conf);
		break;
	case ROUTE_REPORTS:
		inbox_deliver(d, r, route, conf);
		break;
	case ROUTE_DISCARD:
		r->is_discarded = true;
		r->verdict = route->why;
		break;
	case ROUTE_REFUSED:
		r->verdict = route->why;
		break;
	case ROUTE_RELAY_HOST:	/* a reload since the queue knew where */
		remote_deliver_one(d, r, route->relay, conf);
		break;
	case ROUTE_RELAY_MX:
		r->verdict = verdict_make(DEFERRED, 0, "4.3.5",
		    "its route has changed; it is tried again");
		break;
	}
}

yields void
local_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct config *conf)
{
	struct route route = route_find(conf, r->sender, r->address);

	must(!r->is_tried && d->is_pinned);
	if (r->transport.p != NULL)
		r->verdict = target_deliver(d, r, conf);
	else
		route_deliver(d, r, &route, conf);
	r->is_tried = true;
	err_clear();
}

static yields void
message_deliver(struct deliver *at, const struct handoff *h,
    const struct config *conf)
{
	struct delivery d;

	if (delivery_open(&d, at, h) != 0)
		return;
	d.relay = STR("local");
	d.reach = REACH_MAILBOX;
	d.times.sent_from = clock_mono();
	for (size_t i = 0; i < d.n && !d.is_damaged; i++)
		if (!d.rcpts[i].is_tried)
			local_deliver(&d, &d.rcpts[i], conf);
	d.times.done = clock_mono();
	delivery_finish(&d);
}

yields void
local_run(void *arg)
{
	struct connection *c = arg;
	struct deliver *d = c->deliver;
	struct handoff h;
	struct mono until;

	must(c->is_local);
	ready_opened(d->mailboxes, clock_mono(), &c->ready);
	while (!d->is_stopping && ready_take(d->mailboxes, clock_mono(),
	    &c->ready, &h, &until) == READY_TAKEN) {
		struct config *conf = config_pin(d->holder);

		message_deliver(d, &h, conf);
		config_unpin(d->holder, conf);
	}
	connection_end(c);
}
