/*
 * control_fuzz.c -- the control socket of a whole server, and a client gone mad.
 *
 * Input: one octet that says how many cuts follow, two octets for each (how long
 * the next piece is), then what the client sends.  Behind it is a whole node in
 * the simulated world with all its routes.
 *
 * Each response is HTTP that a reader of ours takes, with the length or the
 * chunks that it says; what is no request is answered once and ends the
 * conversation; the server stops in peace.
 */
#include "fuzz.h"

/* Who may connect is a question to the kernel, and not asked here. */
#include "http/control.c"

#include "app/test_node.h"
#include "deliver/delivery.h"
#include "fiber/stream.h"
#include "fiber/world_sim.h"
#include "policy/test_conf.h"

enum { CUTS_MOST = 32 };

static struct node node;
static struct control control;
static struct visitor visitor;
static struct stream client;
static struct str said;
static size_t cuts[CUTS_MOST], n_cuts;
static bool is_over;

static yields int
no_reload(void *arg, struct arena *a, struct str *text)
{
	(void)arg;
	*text = arena_printf(a, "not now");
	return -1;
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
no_wake(void *arg, unsigned core)
{
	(void)arg;
	(void)core;
}

struct cancelling { struct deliver *deliver; struct handoff handoff; };

static yields void
cancel_run(void *arg)
{
	struct cancelling *c = arg;

	handoff_end(c->deliver, &c->handoff, DUTY_CANCEL);
	free(c);
}

static void
cancel(void *arg, unsigned core, const struct handoff *h)
{
	struct cancelling *c = malloc(sizeof *c);

	(void)arg;
	must(c != NULL);
	*c = (struct cancelling){ node.cores[core].deliver, *h };
	must(fiber_go("cancel", cancel_run, c) == 0);
}

static void
setup_fill(struct node *n)
{
	struct node_core *c = &n->cores[0];

	control = (struct control){ .setup = { .n_cores = 1,
		.started_at = n->started_at, .reload = no_reload,
		.stop = nothing, .cancel = cancel } };
	control.setup.cores[0] = (struct control_core){ .intake = &c->intake,
		.holder = &c->holder, .queue = c->deliver->queue,
		.ready = c->deliver->ready, .spools = c->spools,
		.quotas = c->server.quotas, .sentinel = c->deliver->sentinel,
		.tls = c->deliver->tls, .wake = no_wake };
}

static yields void
serve(void *arg)
{
	(void)arg;
	while (talk_hear(&visitor.talk) == 0)
		request_serve(&visitor);
	talk_close(&visitor.talk);
	is_over = true;
}

/* ---- the client, who also reads ---- */

static yields void
body_hear(const struct http_head *h)
{
	struct http_chunks k = { .state = 0 };
	uint64_t left = h->has_length ? h->length : 0;
	struct str bytes, piece;

	while ((h->is_chunked ? !k.has_ended : left > 0) &&
	    stream_peek(&client, &bytes) == 0) {
		struct str rest = str_sub(bytes, 0, h->is_chunked ? bytes.n :
		    left < bytes.n ? (size_t)left : bytes.n);
		size_t given = rest.n;

		if (h->is_chunked) {
			while (http_chunks_next(&k, &rest, &piece))
				must(fuzz_is_inside(piece, bytes));
			must(!k.is_bad);
		} else {
			left -= rest.n;
			rest.n = 0;
		}
		stream_consume(&client, given - rest.n);
	}
}

static yields bool
response_hear(void)
{
	static struct http_head h;
	struct str bytes = STR_NONE;
	size_t used = 0;
	enum http_step step = HTTP_MORE;

	while (step == HTTP_MORE && stream_peek_more(&client, bytes.n,
	    &bytes) == 0)
		step = http_response(bytes, &h, &used);
	must(step != HTTP_BAD);
	if (step != HTTP_DONE)
		return false;
	must(h.status == 100 || (h.status >= 200 && h.status < 600));
	must(!h.has_length || !h.is_chunked);
	stream_consume(&client, used);
	if (h.status != 100)
		body_hear(&h);
	/* What has neither ends with the connection: who says HTTP/1.0. */
	return h.status == 100 || h.has_length || h.is_chunked;
}

static yields void
hear(int64_t ms)
{
	client.deadline = mono_add(clock_mono(), ms * NS_PER_MS);
	while (response_hear())
		continue;
	if (client.trouble == STREAM_LATE)
		client.trouble = STREAM_FINE;
}

static yields void
started(void *arg, struct node *n)
{
	struct address at, peer;
	struct net_end *l;

	(void)arg;
	setup_fill(n);
	must(address_parse(STR("127.0.0.1"), 0, &at));
	must((l = net_listen(&at)) != NULL && net_local(l, &at));
	stream_init(&client, net_connect(&at, NULL, MONO_NEVER));
	visitor.control = &control;
	talk_init(&visitor.talk, net_accept(l, &peer, MONO_NEVER));
	net_close(l);
	must(fiber_go("control", serve, NULL) == 0);
	for (size_t i = 0; said.n > 0; i++) {
		size_t k = i < n_cuts ? cuts[i] : said.n;

		stream_put(&client, str_sub(said, 0, k));
		(void)stream_flush(&client);
		said = str_sub(said, k, said.n);
	}
	hear(200 * 1000);
	stream_close(&client);
	for (unsigned i = 0; i < 1000 && !is_over; i++)
		fiber_sleep(mono_add(clock_mono(), NS_PER_SECOND));
	must(is_over);
	node_stop(n);
}

static struct config *
config(void)
{
	static struct config *c;

	if (c != NULL)
		return c;
	conf_begin();
	c = conf_of("hostname: mx.home.test\n"
	    "listen: [ { address: 192.0.2.1, port: 25, role: mx } ]\n"
	    "domains: { home.test: { users: [ u ] } }\n"
	    "deliver: { maildir: /mail/%u }\n"
	    "spool: { path: /spool, segment: 256K, reserve: 64K }\n");
	return c;
}

FUZZ(in)
{
	struct node_setup setup = { TEST_NODE, .cores = 1, .started = started };
	struct sim_net net;
	uint16_t n;

	n_cuts = fuzz_choice(&in) % CUTS_MOST;
	for (size_t i = 0; i < n_cuts; i++) {
		if (!take_le16(&in, &n))
			return;
		cuts[i] = n % 600u + 1;
	}
	said = in;
	is_over = false;
	sim_begin(1);
	net = sim_net();
	must(address_parse(STR("192.0.2.1"), 0, &net.self_v4));
	sim_net_set(net);
	setup.config = config();
	setup.config->refs++;		/* the node lets one go */
	must(node_run(&node, &setup) == 0);
}
