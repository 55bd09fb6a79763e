#include "app/keyring_link.h"

#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/permit.h"
#include "fiber/stream.h"

#include <stdlib.h>

/* SAID_KEPT: between two turns, for the next. */
enum { WHY_MOST = 240, SAID_FIRST = 4096, SAID_KEPT = 64 * 1024,
	SAID_MOST = KEYRING_ASK_MOST + SAID_KEPT };

struct asking {				/* on the stack of who waits */
	struct link link;
	uint32_t number;
	struct fiber *who;
	struct buf *out;
	char why[WHY_MOST];		/* it was not done */
	bool is_answered, is_done;
};

/* Whole frames, one behind the other. */
struct saying {
	char *p;
	size_t n, cap;
};

struct keyring_link {
	struct tls_signer signer;
	unsigned refs, fibers;		/* of these refs: who hears, who tells */
	struct stream hear, tell;	/* of one end; the first closes it */
	struct permit turn;		/* who wants room waits in order */
	struct saying said;		/* not yet sent, nor begun to be */
	struct fiber *teller, *roomer;	/* who sends; who waits for room */
	struct list asking;
	uint32_t number;		/* of the last request */
	uint64_t owed;			/* replies */
	struct mono since;		/* nothing was heard, and something owed */
	keyring_lost *lost;
	void *arg;
	bool is_told;			/* that it hangs */
	bool is_gone;
};

static struct keyring_link *
link_of(struct tls_signer *s)
{
	return OWNER_OF(s, struct keyring_link, signer);
}

/* ---- asking ---- */

static bool
said_has_room(const struct keyring_link *l, size_t n)
{
	return l->said.n == 0 || l->said.n + n <= SAID_MOST;
}

static yields int
room_await(struct keyring_link *l, size_t n, struct mono until)
{
	if (permit_take(&l->turn, until) != 0)
		return -1;
	must(l->roomer == NULL);
	while (!said_has_room(l, n) && !l->is_gone &&
	    mono_is_before(clock_mono(), until)) {
		l->roomer = fiber_self();
		(void)fiber_park(until);
	}
	l->roomer = NULL;
	permit_give(&l->turn);
	return said_has_room(l, n) && !l->is_gone ? 0 : -1;
}

static int
said_grow(struct saying *s, size_t n)
{
	size_t cap = s->cap == 0 ? SAID_FIRST : s->cap;
	char *p;

	while (cap < s->n + n)
		cap *= 2;
	if (cap == s->cap)
		return 0;
	p = realloc(s->p, cap);
	if (p == NULL)
		return err_set("no memory to ask the keyring");
	s->p = p;
	s->cap = cap;
	return 0;
}

static void
said_put(struct saying *s, const void *p, size_t n)
{
	must(s->n + n <= s->cap);
	if (n > 0)
		memcpy(s->p + s->n, p, n);
	s->n += n;
}

/* A frame is put whole, and sent by nobody but the teller: a keyring that reads
 * nothing for a while never hears half a request. */
static yields int
request_tell(struct keyring_link *l, const struct keyring_frame *q,
    const struct str *fields, size_t n, struct mono until)
{
	size_t size = sizeof *q + q->length;

	if (room_await(l, size, until) != 0 || said_grow(&l->said, size) != 0)
		return -1;
	said_put(&l->said, q, sizeof *q);
	for (size_t i = 0; i < n; i++) {
		uint32_t length = (uint32_t)fields[i].n;

		said_put(&l->said, &length, sizeof length);
		said_put(&l->said, fields[i].p, fields[i].n);
	}
	if (l->owed++ == 0)
		l->since = clock_mono();
	fiber_wake(l->teller);
	return 0;
}

/* Of all that this core asked, nothing was answered for so long. */
static void
silence_tell(struct keyring_link *l)
{
	if (l->is_gone || l->is_told || l->owed == 0 ||
	    mono_is_before(clock_mono(), mono_add(l->since,
	    KEYRING_HANGS * NS_PER_SECOND)))
		return;
	l->is_told = true;
	l->lost(l->arg, true);
}

static yields void
answer_await(struct keyring_link *l, struct asking *a, struct mono until)
{
	while (!a->is_answered && !l->is_gone &&
	    mono_is_before(clock_mono(), until))
		(void)fiber_park(until);
	if (!a->is_answered)
		silence_tell(l);
}

yields int
keyring_link_ask(struct keyring_link *l, enum keyring_op op, uint64_t key,
    const struct str *fields, size_t n, struct buf *out)
{
	struct keyring_frame q = { .magic = KEYRING_MAGIC,
		.version = KEYRING_VERSION, .what = (uint16_t)op, .key = key,
		.number = ++l->number };
	struct asking a = { .number = q.number, .who = fiber_self(),
		.out = out };
	struct mono until = mono_add(clock_mono(),
	    KEYRING_PATIENCE * NS_PER_SECOND);
	size_t length = 0;

	must(n <= KEYRING_FIELDS_MOST);
	for (size_t i = 0; i < n; i++)
		length += sizeof(uint32_t) + fields[i].n;
	if (length > KEYRING_ASK_MOST)
		return err_set("this is too long for the keyring");
	if (l->is_gone)
		return err_set("the keyring is gone");
	q.length = (uint32_t)length;
	list_append(&l->asking, &a.link);
	if (request_tell(l, &q, fields, n, until) == 0)
		answer_await(l, &a, until);
	list_remove(&a.link);
	if (a.is_done)
		return 0;
	return a.is_answered ? err_set("%s", a.why) :
	    err_set("the keyring does not answer");
}

static yields int
link_sign(struct tls_signer *s, uint64_t key, const struct tls_signing *what,
    struct buf *out)
{
	const char scheme = (char)what->scheme;
	const struct str fields[] = { { &scheme, 1 }, str_of(what->digest),
		what->input };

	return keyring_link_ask(link_of(s), KEYRING_SIGN, key, fields, 3, out);
}

/* ---- hearing ---- */

static bool
reply_is_sound(const struct keyring_frame *r)
{
	return r->magic == KEYRING_MAGIC && r->version == KEYRING_VERSION &&
	    r->length <= KEYRING_TELL_MOST;
}

/* Who gave up meanwhile is not in the list any more. */
static void
reply_take(struct keyring_link *l, const struct keyring_frame *r,
    struct str body)
{
	l->owed -= l->owed > 0;
	l->since = clock_mono();
	for (struct link *at = list_first(&l->asking); at != NULL;
	    at = list_next(&l->asking, at)) {
		struct asking *a = OWNER_OF(at, struct asking, link);

		if (a->number != r->number)
			continue;
		if (r->what == 0) {
			buf_put(a->out, body);
			a->is_done = !a->out->full;
		} else
			(void)str_cstr(str_sub(body, 0, WHY_MOST - 1), a->why,
			    WHY_MOST);
		a->is_answered = true;
		fiber_wake(a->who);
		return;
	}
}

/* Somebody who still has it would ask in vain for ever. */
static void
link_end(struct keyring_link *l)
{
	l->is_gone = true;
	for (struct link *at = list_first(&l->asking); at != NULL;
	    at = list_next(&l->asking, at))
		fiber_wake(OWNER_OF(at, struct asking, link)->who);
	stream_hurry(&l->tell, clock_mono());
	fiber_wake(l->teller);
	if (l->refs > l->fibers)
		l->lost(l->arg, false);
}

static void
fiber_left(struct keyring_link *l)
{
	must(l->is_gone && l->fibers > 0);
	l->fibers--;
	keyring_link_drop(l);
}

static yields void
link_hear(void *arg)
{
	struct keyring_link *l = arg;
	struct keyring_frame r;
	struct str bytes;

	while (stream_peek_more(&l->hear, sizeof r - 1, &bytes) == 0) {
		memcpy(&r, bytes.p, sizeof r);
		if (!reply_is_sound(&r) || stream_peek_more(&l->hear,
		    sizeof r + r.length - 1, &bytes) != 0)
			break;
		reply_take(l, &r, str_sub(bytes, sizeof r, r.length));
		stream_consume(&l->hear, sizeof r + r.length);
	}
	link_end(l);
	fiber_left(l);
}

/* ---- telling ---- */

/* What it was given stays its own until all of it is sent, for as long as the
 * keyring takes; what is said meanwhile gathers beside it. */
static yields void
said_send(struct keyring_link *l)
{
	struct saying s = l->said;

	l->said = (struct saying){ .p = NULL };
	fiber_wake(l->roomer);
	stream_put(&l->tell, (struct str){ s.p, s.n });
	if (stream_flush(&l->tell) != 0)
		stream_hurry(&l->hear, clock_mono());
	if (l->said.p != NULL || s.cap > SAID_KEPT)
		free(s.p);
	else
		l->said = (struct saying){ .p = s.p, .cap = s.cap };
}

/* The first who asks in a turn of the core wakes it; it sends what all have asked
 * who had their turn before it. */
static yields void
link_tell(void *arg)
{
	struct keyring_link *l = arg;

	l->teller = fiber_self();
	while (!l->is_gone) {
		if (l->said.n > 0)
			said_send(l);
		else
			(void)fiber_park(MONO_NEVER);
	}
	l->teller = NULL;
	fiber_left(l);
}

/* ---- its life ---- */

static int
fiber_begin(struct keyring_link *l, const char *name, yields void (*fn)(void *))
{
	if (fiber_go(name, fn, l) != 0)
		return -1;
	l->refs++;
	l->fibers++;
	return 0;
}

struct keyring_link *
keyring_link_open(struct net_end *end, keyring_lost *lost, void *arg)
{
	struct keyring_link *l = calloc(1, sizeof *l);

	if (l == NULL) {
		net_close(end);
		err_set("no memory for a line to the keyring");
		return NULL;
	}
	l->signer.sign = link_sign;
	l->lost = lost;
	l->arg = arg;
	l->refs = 1;
	list_init(&l->asking);
	permit_init(&l->turn, 1);
	stream_init(&l->hear, end);
	stream_init(&l->tell, end);
	if (fiber_begin(l, "keyring", link_hear) == 0 &&
	    fiber_begin(l, "keyring teller", link_tell) == 0)
		return l;
	keyring_link_drop(l);
	return NULL;
}

struct tls_signer *
keyring_link_signer(struct keyring_link *l)
{
	return &l->signer;
}

struct keyring_link *
keyring_link_keep(struct keyring_link *l)
{
	must(l->refs > 0);
	l->refs++;
	return l;
}

/* When only its fibers are left, nobody asks any more: the one that listens is
 * woken to end, and ends the other. */
void
keyring_link_drop(struct keyring_link *l)
{
	must(l->refs > l->fibers || l->is_gone);
	l->refs--;
	if (l->refs == l->fibers && !l->is_gone)
		stream_hurry(&l->hear, clock_mono());
	if (l->refs > 0)
		return;
	must(list_is_empty(&l->asking) && l->tell.out == NULL);
	stream_close(&l->hear);
	free(l->said.p);
	free(l);
}
