#include "deliver/local.h"

#include "deliver/delivery.h"
#include "deliver/maildir.h"
#include "deliver/porter_wire.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/process.h"
#include "policy/place.h"
#include "wire/header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { COPY_SIZE = 16 * 1024, PORTER_WAIT_S = 60,
	COPY_MEMORY = HEADER_ARENA + 128 * 1024 };

/* Where the octets of one copy go: a Maildir here, or a file for the porter. */
struct copy {
	struct maildir *maildir;	/* or NULL and ... */
	int fd;
	uint64_t at;
};

static yields int
copy_put(struct copy *c, struct str octets)
{
	int rc;

	if (c->maildir != NULL)
		return maildir_write(c->maildir, octets);
	rc = disk_pwrite(c->fd, octets, c->at);
	c->at += octets.n;
	return rc == 0 ? 0 : -1;
}

/* RFC 5321 4.4: the final delivery puts one Return-Path on top ... */
static yields int
trace_put(struct copy *c, const struct delivery *d,
    const struct delivery_recipient *r, struct arena *a)
{
	struct str head = arena_printf(a, "Return-Path: <" STR_FMT ">\r\n"
	    "Delivered-To: " STR_FMT "\r\n", STR_ARG(d->envelope.sender),
	    STR_ARG(r->address));

	return head.p == NULL ? err_set("no memory") : copy_put(c, head);
}

/* ... and takes off those that came with the message. */
static yields int
header_put_fields(struct copy *c, struct header_scan *scan, struct str *chunk,
    enum header_step *step)
{
	struct field f;

	while ((*step = header_next(scan, chunk, &f)) == HEADER_FIELD)
		if (f.known != HEADER_RETURN_PATH && copy_put(c, f.raw) != 0)
			return -1;
	return 0;
}

static yields int
header_copy(struct copy *c, struct body *b, struct arena *a, char *room,
    struct str *rest)
{
	enum header_step step = HEADER_MORE;
	struct header_scan scan;
	struct field f;
	int64_t n;

	header_begin(&scan, a);
	while (step == HEADER_MORE) {
		n = body_read(b, room, COPY_SIZE);
		if (n < 0)
			return -1;
		*rest = (struct str){ room, (size_t)n };
		if (n == 0)
			break;
		if (header_put_fields(c, &scan, rest, &step) != 0)
			return -1;
	}
	while (step == HEADER_MORE &&
	    header_finish(&scan, &f) == HEADER_FIELD)
		if (f.known != HEADER_RETURN_PATH && copy_put(c, f.raw) != 0)
			return -1;
	if (step == HEADER_TOO_BIG || step == HEADER_NO_MEMORY)
		return err_set("its header cannot be read");
	return copy_put(c, STR("\r\n"));
}

static yields int
message_copy(struct copy *c, struct delivery *d,
    const struct delivery_recipient *r, struct arena *a)
{
	char *room = arena_alloc(a, COPY_SIZE);
	struct str rest;
	struct body b;
	int64_t n;

	if (room == NULL)
		return err_set("no memory");
	body_open(&b, &d->pin);
	if (trace_put(c, d, r, a) != 0 ||
	    header_copy(c, &b, a, room, &rest) != 0 || copy_put(c, rest) != 0)
		return -1;
	while ((n = body_read(&b, room, COPY_SIZE)) > 0)
		if (copy_put(c, (struct str){ room, (size_t)n }) != 0)
			return -1;
	d->is_damaged = n == BODY_DAMAGED;
	return n == 0 ? 0 : -1;
}

static struct verdict
disk_verdict(int error)
{
	if (error == ENOSPC || error == EDQUOT)
		return verdict_make(DEFERRED, 452, "4.2.2",
		    "the mailbox is full: %s", err_text());
	return verdict_make(DEFERRED, 451, "4.3.0",
	    "the mailbox could not be written: %s", err_text());
}

static yields struct verdict
maildir_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct mailbox_place *place, const struct config *conf,
    struct arena *a)
{
	struct maildir m;
	struct copy c = { .maildir = &m, .fd = -1 };
	struct verdict v;

	if (maildir_open(&m, place->path, conf->hostname, a) != 0)
		return disk_verdict(m.maildir_errno);
	if (message_copy(&c, d, r, a) != 0 || maildir_commit(&m) != 0) {
		v = disk_verdict(m.maildir_errno);
		maildir_abandon(&m);
		return v;
	}
	r->file = arena_copy(&d->arena, str_of(m.new_name));
	return verdict_make(DELIVERED, 250, "2.0.0", "delivered to maildir");
}

/* ---- another uid's mailbox ---- */

/* A file without a name, that the porter's child can read and nobody else. */
static yields int
unnamed_file(const struct config *conf, struct arena *a)
{
	struct str path = arena_printf(a, STR_FMT "/porter.%lld.%p",
	    STR_ARG(conf->spool.path), (long long)clock_mono_exact().ns,
	    (void *)a);
	int fd;

	if (path.p == NULL)
		return err_set("no memory");
	fd = disk_open(path.p, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, 0600);
	if (fd >= 0)
		(void)disk_unlink(path.p);
	return fd;
}

static struct verdict
porter_verdict(const struct porter_reply *r, int got, struct delivery *d,
    struct delivery_recipient *rcpt)
{
	if (got != (int)sizeof *r || r->magic != PORTER_MAGIC ||
	    r->version != PORTER_VERSION)
		return verdict_make(DEFERRED, 451, "4.3.0",
		    "the porter gave no answer");
	if (r->error != 0) {
		err_set("%.*s", PORTER_TEXT - 1, r->text);
		return disk_verdict(r->error);
	}
	rcpt->file = arena_copy(&d->arena, str_of(r->text));
	return verdict_make(DELIVERED, 250, "2.0.0", "delivered to maildir");
}

static yields struct verdict
porter_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct config *conf, struct arena *a)
{
	struct porter_request q = { .magic = PORTER_MAGIC,
		.version = PORTER_VERSION };
	struct copy c = { .fd = unnamed_file(conf, a) };
	struct porter_reply reply;
	struct verdict v;
	int got;

	if (c.fd < 0)
		return disk_verdict(-c.fd);
	if (message_copy(&c, d, r, a) != 0 || r->address.n > PORTER_MAILBOX) {
		v = disk_verdict(EIO);
		disk_close(c.fd);
		return v;
	}
	q.size = c.at;
	q.length = (uint16_t)r->address.n;
	memcpy(q.mailbox, r->address.p, r->address.n);
	reply.text[PORTER_TEXT - 1] = '\0';
	got = process_ask(d->at->porter_fd,
	    (struct str){ (const char *)&q, sizeof q }, c.fd, &reply,
	    sizeof reply, mono_add(clock_mono(), PORTER_WAIT_S * NS_PER_SECOND));
	reply.text[PORTER_TEXT - 1] = '\0';
	disk_close(c.fd);
	return porter_verdict(&reply, got, d, r);
}

/* ---- one recipient, by what the configuration says of him now ---- */

static yields struct verdict
mailbox_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct route *route, const struct config *conf)
{
	struct mailbox_place place;
	struct verdict v;
	struct arena a;

	arena_init(&a, COPY_MEMORY);
	if (place_find(conf, route, d->at->own_uid, d->at->own_gid, &a,
	    &place) != 0)
		v = verdict_make(DEFERRED, 451, "4.3.5", "%s", err_text());
	else if (!place.needs_porter)
		v = maildir_deliver(d, r, &place, conf, &a);
	else if (d->at->porter_fd >= 0)
		v = porter_deliver(d, r, conf, &a);
	else
		v = verdict_make(DEFERRED, 451, "4.3.5", "the mailbox belongs "
		    "to uid %u; only a server started as root can write it",
		    place.uid);
	arena_clear(&a);
	return v;
}

static yields void
recipient_deliver(struct delivery *d, struct delivery_recipient *r,
    const struct config *conf)
{
	struct route route = route_find(conf, d->envelope.sender, r->address);

	r->is_tried = true;
	switch (route.kind) {
	case ROUTE_LOCAL:
		r->verdict = mailbox_deliver(d, r, &route, conf);
		break;
	case ROUTE_REFUSED:
	case ROUTE_DISCARD:
		r->verdict = route.why;
		break;
	case ROUTE_RELAY_MX:
	case ROUTE_RELAY_HOST:	/* a reload between queue and here */
		r->verdict = verdict_make(DEFERRED, 0, "4.3.5",
		    "its route has changed; it is tried again");
		break;
	}
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
	d.times.sent_from = clock_mono();
	for (size_t i = 0; i < d.n && !d.is_damaged; i++)
		recipient_deliver(&d, &d.rcpts[i], conf);
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

	d->counts.locals++;
	ready_opened(d->ready, clock_mono(), &c->ready);
	while (!d->is_stopping && ready_take(d->ready, clock_mono(), &c->ready,
	    &h, &until) == READY_TAKEN) {
		struct config *conf = config_pin(d->holder);

		message_deliver(d, &h, conf);
		config_unpin(d->holder, conf);
	}
	d->counts.locals--;
	ready_closed(d->ready, clock_mono(), &c->ready);
	list_remove(&c->link);
	fiber_wake(d->dispatcher);
	fiber_wake(d->stopper);
	free(c);
}
