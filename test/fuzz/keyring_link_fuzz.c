/*
 * keyring_link_fuzz.c -- a keyring that is no longer ours answers a worker.
 *
 * Input: what the keyring does about each request that it hears.  One octet says
 * how it frames the answer, one how long the body is, and the body follows; some
 * answers are octets without a frame, or come late, twice, or to another request,
 * or are the end of the line.
 *
 * Who asks hears within his patience; what he is told is no more than he has room
 * for; done is only what was answered to his own number; the keys of a list are
 * of known kinds; when the line is gone that is told, and nothing is left of it.
 */
#include "fuzz.h"

/* What is read of a list is not seen from outside. */
#include "app/dkim.c"

#include "fiber/world_sim.h"

enum { ASKERS = 4, PATIENCE_S = KEYRING_PATIENCE + 1 };

static struct keyring_link *line;
static struct stream keyring;
static struct identity identity;
static struct dkim dkim;
static struct dkim_core signer;
static struct str input;
static unsigned running, lost_told;
static unsigned done_said, signed_heard;	/* frames that say "done" */

/* ---- the keyring ---- */

static struct str
input_take(size_t n)
{
	struct str part = str_sub(input, 0, n);

	input = str_sub(input, part.n, input.n);
	return part;
}

static yields void
answer(const struct keyring_frame *q, unsigned how, struct str body)
{
	struct keyring_frame r = { .magic = KEYRING_MAGIC,
		.version = KEYRING_VERSION, .what = (how & 1) != 0,
		.number = q->number + (how >> 1 & 1),
		.length = (uint32_t)body.n + (how >> 2 & 1) };

	done_said += r.what == 0;
	stream_put(&keyring, (struct str){ (const char *)&r, sizeof r });
	stream_put(&keyring, body);
}

/* -1: it hangs up. */
static yields int
do_something(const struct keyring_frame *q)
{
	unsigned how = fuzz_choice(&input);
	struct str body = input_take(fuzz_choice(&input));

	switch (how >> 4) {
	case 0:
		return -1;
	case 1:
		done_said += body.n >= sizeof *q;	/* it may be one */
		stream_put(&keyring, body);
		break;
	case 2:
		fiber_sleep(mono_add(clock_mono(), (how & 15) * NS_PER_SECOND));
		answer(q, 0, body);
		break;
	case 3:
		answer(q, how, body);
		answer(q, how, body);
		break;
	case 4:
		break;			/* not a word */
	default:
		answer(q, how & 3, body);
	}
	return stream_flush(&keyring);
}

static yields void
keyring_run(void *arg)
{
	struct keyring_frame q;
	struct str bytes;

	(void)arg;
	while (stream_peek_more(&keyring, sizeof q - 1, &bytes) == 0) {
		memcpy(&q, bytes.p, sizeof q);
		must(q.magic == KEYRING_MAGIC && q.what < KEYRING_OPS);
		must(q.length <= KEYRING_ASK_MOST);
		stream_consume(&keyring, sizeof q);
		for (uint32_t n = q.length; n > 0; n -= (uint32_t)bytes.n) {
			if (stream_peek(&keyring, &bytes) != 0)
				break;
			bytes = str_sub(bytes, 0, n);
			stream_consume(&keyring, bytes.n);
		}
		if (do_something(&q) != 0)
			break;
	}
	stream_close(&keyring);
	running--;
}

/* ---- the worker ---- */

static void
lost(void *arg, bool hangs)
{
	(void)arg;
	(void)hangs;
	must(++lost_told <= 2);
}

static yields void
ask_signature(void)
{
	struct tls_signing what = { .scheme = TLS_SIGN_ECDSA,
		.digest = "SHA256", .input = STR("octets") };
	struct tls_signer *s = keyring_link_signer(line);
	char room[100];
	struct buf b = BUF_OF(room);

	if (s->sign(s, 7, &what, &b) != 0)
		return;
	must(!b.full && b.n <= sizeof room);
	signed_heard++;
}

static yields void
ask_keys(void)
{
	struct dkim_key_ref keys[DKIM_KEYS_MOST];
	size_t n;

	if (signer.is.keys(&signer.is, STR("a.example"), keys, &n) != 0)
		return;
	must(n <= DKIM_KEYS_MOST);
	for (size_t i = 0; i < n; i++) {
		must(keys[i].algorithm <= DKIM_ED25519_SHA256);
		must(memchr(keys[i].selector, '\0', sizeof keys[i].selector) !=
		    NULL);
	}
}

static yields void
ask_list(void)
{
	struct listing l = { .list = NULL };

	arena_init(&l.arena, DKIM_MEMORY);
	if (list_read(&dkim, &l) == 0) {
		must(l.n == l.total && l.total <= KEYRING_DKIM_MOST);
		for (size_t i = 0; i < l.n; i++) {
			must(l.list[i].is.state < DKIM_STATES);
			must(str_has_suffix_icase(l.list[i].is.name,
			    l.list[i].is.domain));
		}
	}
	arena_clear(&l.arena);
}

static yields void
asker_run(void *arg)
{
	static yields void (*const asks[])(void) = { ask_keys, ask_list,
		ask_signature };
	const unsigned *me = arg;
	struct mono began;

	for (unsigned i = 0; i < 3; i++) {
		unsigned which = (*me + i) % 3;

		began = clock_mono();
		asks[which]();
		err_clear();
		/* a list is asked for page by page */
		must(which == 1 || clock_mono().ns - began.ns <=
		    PATIENCE_S * NS_PER_SECOND);
	}
	running--;
}

static yields void
pair_make(struct net_end **worker)
{
	struct address at, peer;
	struct net_end *l;

	must(address_parse(STR("127.0.0.1"), 0, &at));
	must((l = net_listen(&at)) != NULL && net_local(l, &at));
	must((*worker = net_connect(&at, NULL, MONO_NEVER)) != NULL);
	stream_init(&keyring, net_accept(l, &peer, MONO_NEVER));
	keyring.deadline = MONO_NEVER;
	net_close(l);
}

static yields void
work(void *arg)
{
	static const unsigned numbers[ASKERS] = { 0, 1, 2, 3 };
	struct net_end *end;

	(void)arg;
	pair_make(&end);
	running = ASKERS + 1;
	must(fiber_go("keyring", keyring_run, NULL) == 0);
	line = keyring_link_open(end, lost, NULL);
	must(line != NULL);
	identity.links[0] = line;
	for (unsigned i = 0; i < ASKERS; i++)
		must(fiber_go("asker", asker_run, (void *)(uintptr_t)
		    &numbers[i]) == 0);
	while (running > 1)
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
	must(signed_heard <= done_said);
	identity.links[0] = NULL;
	keyring_link_drop(line);
	while (running > 0)
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
}

FUZZ(in)
{
	input = in;
	lost_told = done_said = signed_heard = 0;
	dkim = (struct dkim){ .identity = &identity };
	identity = (struct identity){ .cores = 1 };
	dkim_core_init(&signer, &dkim, &identity.links[0]);
	sim_begin(1);
	must(core_run_all(1, work, NULL) == 0);
}
