/*
 * challenge_fuzz.c -- whoever comes to the door for authorities.
 *
 * Input: one octet that says how long the pieces are, then what he sends.
 *
 * There is one answer at most, and it is HTTP; the key authorization goes to who
 * names the token to the octet, and to nobody else.
 */
#include "fuzz.h"

#include "app/acme_door.h"
#include "fiber/stream.h"
#include "fiber/test_core.h"
#include "fiber/world_sim.h"
#include "wire/http.h"

static struct challenge_board board;
static struct challenge challenge = { .key = STR_INIT("token-1"),
	.answer = STR_INIT("token-1.thumbprint") };
static struct net_end *listener;
static struct stream net;
static struct str said;
static size_t step;

static yields void
visited(void *arg)
{
	struct address peer;

	(void)arg;
	acme_door_visit(&board, NULL, net_accept(listener, &peer, MONO_NEVER),
	    false);
}

static void
answer_check(struct str answer, struct str asked)
{
	static struct http_head h;
	size_t used = 0;
	bool has_proof = str_find_str(answer, challenge.answer) < answer.n;

	must(!has_proof || str_find_str(asked,
	    STR("/.well-known/acme-challenge/")) < asked.n);
	if (answer.n == 0)
		return;
	must(http_response(answer, &h, &used) == HTTP_DONE);
	must(h.status == 200 || h.status == 400 || h.status == 404 ||
	    h.status == 405);
	must(h.has_length && used + h.length >= answer.n);
	must(!has_proof || h.status == 200);
}

static yields void
converse(void *arg)
{
	struct str asked = said, answer = STR_NONE;
	struct address at;

	(void)arg;
	challenge_board_init(&board);
	challenge_show(&board, &challenge);
	must(address_parse(STR("127.0.0.1"), 0, &at));
	must((listener = net_listen(&at)) != NULL && net_local(listener, &at));
	must(fiber_go("door", visited, NULL) == 0);
	stream_init(&net, net_connect(&at, NULL, in_ms(5000)));
	net.deadline = in_ms(60 * 1000);
	while (said.n > 0) {
		stream_put(&net, str_sub(said, 0, step));
		(void)stream_flush(&net);
		said = str_sub(said, step, said.n);
	}
	while (stream_peek_more(&net, answer.n, &answer) == 0)
		continue;
	must(net.trouble != STREAM_LATE);
	answer_check(answer, asked);
	stream_close(&net);
	fiber_sleep(in_ms(60 * 1000));
	challenge_hide(&challenge);
	net_close(listener);
}

FUZZ(in)
{
	step = 1 + fuzz_choice(&in) * 16u;
	said = in;
	sim_begin(1);
	must(core_run_all(1, converse, NULL) == 0);
}
