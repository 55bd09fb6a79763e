#include "deliver/carrier.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/process.h"
#include "fiber/random.h"
#include "spool/envelope.h"
#include "wire/disposition.h"

#include <errno.h>

/* Maildirs, and how much longer a command's end may take to be told. */
enum { PORTER_WAIT_S = 60, COMMAND_GRACE_S = 30, PORTER_TRIES = 3,
	PORTER_PAUSE_MS = 1000 };

struct verdict
carrier_trouble(int error)
{
	if (error == ENOSPC || error == EDQUOT)
		return verdict_make(DEFERRED, 0, "4.2.2",
		    "the mailbox is full: %s", err_text());
	return verdict_make(DEFERRED, 0, "4.3.0",
	    "the mailbox could not be written: %s", err_text());
}

/* ---- what a command said ---- */

struct sysexit {
	unsigned status;
	enum disposition disposition;
	const char *esc, *text;
};

static const struct sysexit sysexits[] = {
#define SYSEXIT(name_, status_, disposition_, esc_, text_) \
	{ (status_), (disposition_), (esc_), (text_) },
#include "policy/sysexit.def"
#undef SYSEXIT
};

static struct sysexit
sysexit_find(unsigned status)
{
	for (size_t i = 0; i < sizeof sysexits / sizeof *sysexits; i++)
		if (sysexits[i].status == status)
			return sysexits[i];
	return (struct sysexit){ status, FAILED, "5.3.0", "it failed" };
}

/* A status in front of its words is the command's own, if it is of the class
 * that its exit status has. */
static void
words_take(struct verdict *v, struct str words, unsigned status)
{
	struct esc esc;

	must(status != 0);
	words = str_trim(words);
	if (esc_take(&words, &esc) && esc.class == v->esc.class)
		v->esc = esc;
	if (words.n > 0)
		*v = verdict_of(v->disposition, 0, v->esc, words);
	else
		*v = verdict_make(v->disposition, 0, esc_print(v->esc).text,
		    "the command exited with %u: %s", status,
		    sysexit_find(status).text);
}

struct verdict
carrier_exit(unsigned status, struct str words)
{
	struct sysexit s = sysexit_find(status);
	struct verdict v;

	if (status == 0)
		return verdict_make(DELIVERED, 0, "2.0.0",
		    "delivered to command");
	v = verdict_make(s.disposition, 0, s.esc, "%s", s.text);
	words_take(&v, words, status);
	return v;
}

/* ---- the porter's answer ---- */

static struct verdict
reply_verdict(const struct porter_reply *reply, struct delivery *d,
    struct delivery_recipient *r)
{
	struct str text = { reply->text, reply->length };

	must(reply->end < PORTER_ENDS && reply->length <= sizeof reply->text);
	switch ((enum porter_end)reply->end) {
	case PORTER_KEPT:
		r->file = arena_copy(&d->arena, text);
		return verdict_make(DELIVERED, 0, "2.0.0",
		    "delivered to maildir");
	case PORTER_EXITED:
		return carrier_exit(reply->status, text);
	case PORTER_KILLED:
		return verdict_make(DEFERRED, 0, "4.3.0",
		    "the command was ended by signal %u", reply->status);
	case PORTER_OVERTIME:
		return verdict_make(DEFERRED, 0, "4.3.0",
		    "the command took longer than timeouts.pipe");
	case PORTER_UNFIT:
		return verdict_of(FAILED, 0, (struct esc){ 5, 1, 3 }, text);
	case PORTER_REPORT:
	case PORTER_NO_REPORT:
	case PORTER_REFUSED:
		return verdict_make(DEFERRED, 0, "4.3.5",
		    "its route has changed; it is tried again");
	case PORTER_TROUBLE:
	case PORTER_ENDS:
		break;
	}
	err_set(STR_FMT, STR_ARG(text));
	return carrier_trouble(reply->status);
}

static bool
reply_is_sound(const struct porter_reply *r, int got)
{
	return got == (int)sizeof *r && r->magic == PORTER_MAGIC &&
	    r->version == PORTER_VERSION && r->end < PORTER_ENDS &&
	    r->length <= sizeof r->text;
}

static struct verdict
silence_verdict(int got)
{
	if (got == -ENOTSOCK)
		return verdict_make(DEFERRED, 0, "4.3.5", "there is no porter: "
		    "other users' mailboxes need a server started as root");
	if (got == -ECANCELED)
		return verdict_make(DEFERRED, 0, "4.3.2",
		    "the server stopped before it was done");
	return verdict_make(DEFERRED, 0, "4.3.0", "the porter gave no answer");
}

/* ---- the question ---- */

static bool
text_put(char *to, size_t room, uint16_t *length, struct str text)
{
	if (text.n > room)
		return false;
	if (text.n > 0)
		memcpy(to, text.p, text.n);
	*length = (uint16_t)text.n;
	return true;
}

static bool
request_fill(struct porter_request *q, const struct delivery *d,
    const struct delivery_recipient *r, uint64_t size)
{
	q->magic = PORTER_MAGIC;
	q->version = PORTER_VERSION;
	q->size = size;
	q->is_junk = (d->envelope.flags & ENVELOPE_JUNK) != 0;
	return text_put(q->mailbox, sizeof q->mailbox, &q->length,
	    r->address) &&
	    text_put(q->sender, sizeof q->sender, &q->sender_length,
	    r->sender) &&
	    text_put(q->orig, sizeof q->orig, &q->orig_length, r->orig) &&
	    text_put(q->target, sizeof q->target, &q->target_length,
	    r->transport);
}

/* A request that a porter did not take up dies with it, as at a reload; the next
 * porter is there in a moment. */
static yields int
porter_ask(struct delivery *d, const struct porter_request *q, int fd,
    struct porter_reply *reply, int64_t wait)
{
	int got = -EPIPE;

	must(fd >= 0 && wait > 0);
	for (unsigned i = 0; i < PORTER_TRIES && got == -EPIPE; i++) {
		if (i > 0)
			fiber_sleep(mono_add(clock_mono(),
			    PORTER_PAUSE_MS * NS_PER_MS));
		got = process_ask(d->at->porter_fd,
		    (struct str){ (const char *)q, sizeof *q }, fd, reply,
		    sizeof *reply, mono_add(clock_mono(), wait));
	}
	return got;
}

yields int
carrier_file(const struct config *conf, struct arena *a)
{
	struct str path = arena_printf(a, STR_FMT "/porter.%016llx",
	    STR_ARG(conf->spool.path), (unsigned long long)random_u64());
	int fd;

	if (path.p == NULL) {
		err_set("no memory");
		return -ENOMEM;
	}
	fd = disk_open(path.p, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE, 0600);
	if (fd >= 0)
		(void)disk_unlink(path.p);
	return fd;
}

yields bool
carrier_hand(struct delivery *d, const struct delivery_recipient *r,
    const struct carrier_copy *copy, int64_t wait, struct arena *a,
    struct porter_reply *reply, struct verdict *v)
{
	struct porter_request *q = arena_new(a, struct porter_request);
	int got;

	must(r->address.n > 0 && copy->fd >= 0);
	if (q == NULL) {
		*v = verdict_make(DEFERRED, 0, "4.3.0", "no memory");
		return false;
	}
	if (!request_fill(q, d, r, copy->size)) {
		*v = verdict_make(FAILED, 0, "5.1.3",
		    "the address is too long for a mailbox");
		return false;
	}
	got = porter_ask(d, q, copy->fd, reply, wait);
	if (reply_is_sound(reply, got))
		return true;
	*v = silence_verdict(got);
	return false;
}

yields struct verdict
carrier_ask(struct delivery *d, struct delivery_recipient *r,
    const struct carrier_copy *copy, const struct config *conf,
    struct arena *a)
{
	int64_t wait = PORTER_WAIT_S * NS_PER_SECOND;
	struct porter_reply reply;
	struct verdict v;

	if (copy->is_command)
		wait = conf->timeouts.pipe + COMMAND_GRACE_S * NS_PER_SECOND;
	return carrier_hand(d, r, copy, wait, a, &reply, &v) ?
	    reply_verdict(&reply, d, r) : v;
}
