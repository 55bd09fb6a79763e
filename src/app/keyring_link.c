#include "app/keyring_link.h"

#include "app/keyring_wire.h"
#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/permit.h"
#include "fiber/stream.h"

#include <stdlib.h>

struct asking {				/* on the stack of who waits */
	struct link link;
	uint32_t number;
	struct fiber *who;
	struct buf *out;
	bool is_answered, is_signed;
};

struct keyring_link {
	struct tls_signer signer;
	unsigned refs;
	struct stream hear, tell;	/* of one end; the first closes it */
	struct permit turn;		/* to tell: frames stay whole */
	struct list asking;
	uint32_t number;		/* of the last request */
	bool is_gone;
};

static struct keyring_link *
link_of(struct tls_signer *s)
{
	return OWNER_OF(s, struct keyring_link, signer);
}

/* ---- asking ---- */

static void
request_fill(struct keyring_request *q, uint64_t key,
    const struct tls_signing *what, uint32_t number)
{
	*q = (struct keyring_request){ .magic = KEYRING_MAGIC,
		.version = KEYRING_VERSION, .scheme = (uint16_t)what->scheme,
		.key = key, .number = number,
		.length = (uint32_t)what->input.n };
	memcpy(q->digest, what->digest, sizeof q->digest);
	memcpy(q->input, what->input.p, what->input.n);
}

static yields int
request_tell(struct keyring_link *l, const struct keyring_request *q)
{
	struct mono until = mono_add(clock_mono(),
	    KEYRING_PATIENCE * NS_PER_SECOND);
	int rc;

	if (permit_take(&l->turn, until) != 0)
		return -1;
	l->tell.deadline = until;
	stream_put(&l->tell, (struct str){ (const char *)q, sizeof *q });
	rc = stream_flush(&l->tell);
	permit_give(&l->turn);
	return rc;
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

static yields int
link_sign(struct tls_signer *s, uint64_t key, const struct tls_signing *what,
    struct buf *out)
{
	struct keyring_link *l = link_of(s);
	struct keyring_request *q;
	struct asking a = { .number = ++l->number, .who = fiber_self(),
		.out = out };

	if (l->is_gone || what->input.n > KEYRING_INPUT)
		return err_set("the keyring is gone");
	q = malloc(sizeof *q);
	if (q == NULL)
		return err_set("no memory to ask the keyring");
	request_fill(q, key, what, a.number);
	list_append(&l->asking, &a.link);
	if (request_tell(l, q) == 0)
		answer_await(l, &a);
	free(q);
	list_remove(&a.link);
	return a.is_signed ? 0 : err_set("the keyring does not sign");
}

/* ---- hearing ---- */

static bool
reply_is_sound(const struct keyring_reply *r)
{
	return r->magic == KEYRING_MAGIC && r->version == KEYRING_VERSION &&
	    r->length <= sizeof r->signature;
}

/* Who gave up meanwhile is not in the list any more. */
static void
reply_take(struct keyring_link *l, const struct keyring_reply *r)
{
	for (struct link *at = list_first(&l->asking); at != NULL;
	    at = list_next(&l->asking, at)) {
		struct asking *a = OWNER_OF(at, struct asking, link);

		if (a->number != r->number)
			continue;
		if (r->status == 0) {
			buf_put(a->out, (struct str){ r->signature,
			    r->length });
			a->is_signed = !a->out->full;
		}
		a->is_answered = true;
		fiber_wake(a->who);
		return;
	}
}

static yields void
link_hear(void *arg)
{
	struct keyring_link *l = arg;
	struct keyring_reply r;
	struct str bytes;

	while (stream_peek_more(&l->hear, sizeof r - 1, &bytes) == 0) {
		memcpy(&r, bytes.p, sizeof r);
		stream_consume(&l->hear, sizeof r);
		if (!reply_is_sound(&r))
			break;
		reply_take(l, &r);
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
