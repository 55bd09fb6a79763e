#include "app/keyring_link.h"

#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/permit.h"
#include "fiber/stream.h"

#include <stdlib.h>

enum { WHY_MOST = 240 };

struct asking {				/* on the stack of who waits */
	struct link link;
	uint32_t number;
	struct fiber *who;
	struct buf *out;
	char why[WHY_MOST];		/* it was not done */
	bool is_answered, is_done;
};

struct keyring_link {
	struct tls_signer signer;
	unsigned refs;
	struct stream hear, tell;	/* of one end; the first closes it */
	struct permit turn;		/* to tell: frames stay whole */
	struct list asking;
	uint32_t number;		/* of the last request */
	bool is_sending;		/* somebody does, behind all who ask now */
	bool is_gone;
};

static struct keyring_link *
link_of(struct tls_signer *s)
{
	return OWNER_OF(s, struct keyring_link, signer);
}

/* ---- asking ---- */

/* The first who asks in a turn of the core sends for all who ask in it.  What was
 * put is sent whatever happens: the turn's holder has a deadline of his own. */
static yields int
requests_send(struct keyring_link *l, struct mono until)
{
	int rc;

	if (l->is_sending)
		return 0;
	l->is_sending = true;
	fiber_yield();
	l->is_sending = false;
	rc = permit_take(&l->turn, MONO_NEVER);
	must(rc == 0);
	l->tell.deadline = until;
	rc = stream_flush(&l->tell);
	permit_give(&l->turn);
	return rc;
}

/* A frame is put whole: nobody else has a turn in between. */
static yields int
request_tell(struct keyring_link *l, const struct keyring_frame *q,
    const struct str *fields, size_t n)
{
	struct mono until = mono_add(clock_mono(),
	    KEYRING_PATIENCE * NS_PER_SECOND);

	if (permit_take(&l->turn, until) != 0)
		return -1;
	l->tell.deadline = until;
	stream_put(&l->tell, (struct str){ (const char *)q, sizeof *q });
	for (size_t i = 0; i < n; i++) {
		uint32_t length = (uint32_t)fields[i].n;

		stream_put(&l->tell, (struct str){ (const char *)&length,
		    sizeof length });
		stream_put(&l->tell, fields[i]);
	}
	permit_give(&l->turn);
	return requests_send(l, until);
}

static yields void
answer_await(struct keyring_link *l, struct asking *a)
{
	struct mono until = mono_add(clock_mono(),
	    KEYRING_PATIENCE * NS_PER_SECOND);

	while (!a->is_answered && !l->is_gone &&
	    mono_is_before(clock_mono(), until))
		(void)fiber_park(until);
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
	if (request_tell(l, &q, fields, n) == 0)
		answer_await(l, &a);
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
	l->is_gone = true;
	for (struct link *at = list_first(&l->asking); at != NULL;
	    at = list_next(&l->asking, at))
		fiber_wake(OWNER_OF(at, struct asking, link)->who);
	keyring_link_drop(l);
}

/* ---- its life ---- */

struct keyring_link *
keyring_link_open(int fd)
{
	struct net_end *end = net_adopt(fd);
	struct keyring_link *l = end == NULL ? NULL : calloc(1, sizeof *l);

	if (l == NULL) {
		if (end != NULL)
			net_close(end);
		return NULL;
	}
	l->signer.sign = link_sign;
	l->refs = 2;			/* the caller's, the listener's */
	list_init(&l->asking);
	permit_init(&l->turn, 1);
	stream_init(&l->hear, end);
	stream_init(&l->tell, end);
	if (fiber_go("keyring", link_hear, l) == 0)
		return l;
	stream_close(&l->hear);
	free(l);
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

/* When only the listener is left, nobody asks any more: he is woken to end. */
void
keyring_link_drop(struct keyring_link *l)
{
	must(l->refs > 0);
	l->refs--;
	if (l->refs == 1 && !l->is_gone)
		stream_hurry(&l->hear, clock_mono());
	if (l->refs > 0)
		return;
	must(list_is_empty(&l->asking) && l->tell.out == NULL);
	stream_close(&l->hear);
	free(l);
}
