/*
 * test_client.h -- a peer of the client that is a script, for tests.
 *
 * The promise: meet() begins a conversation in which the peer plays a list of
 * steps: "S text" is said at once; "C prefix" is a line it must hear first;
 * "BODY" is a body up to its dot; "B BDAT 7 LAST" is that line and 7 octets;
 * "PART" is the first lines of a body; "WAIT" is an hour.  What bodies it heard
 * is in `heard'.
 * Not for: the client.
 * Waiting: all that talks yields.
 * Memory: static; one conversation at a time.
 * Errors: fail the test.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_SMTP_TEST_CLIENT_H
#define NM_SMTP_TEST_CLIENT_H

#include "fiber/test_core.h"

#include "base/must.h"
#include "base/num.h"
#include "fiber/world_sim.h"
#include "smtp/client.h"

#include <stdio.h>

enum { RCPTS = 3, BODY_MOST = 70000,
	HEARD_MOST = 3 * 1024 * 1024 };

static struct stream client_net, peer_net;
static const char *const *script;
static char heard[HEARD_MOST];	/* the body as the peer heard it */
static size_t heard_n;
static unsigned packets;		/* reads of the peer that had to wait */
static const struct client_patience patience = {
	.greeting = 300 * NS_PER_SECOND, .command = 300 * NS_PER_SECOND,
	.data = 120 * NS_PER_SECOND, .block = 180 * NS_PER_SECOND,
	.end = 600 * NS_PER_SECOND, .quit = 5 * NS_PER_SECOND,
};

/* ---- the peer ---- */

static inline yields void
peer_hear_body(void)
{
	enum line_ending ending;
	struct str line;

	for (;;) {
		must(stream_line(&peer_net, 2000, &line, &ending) == 0);
		must(ending == LINE_CRLF);
		if (str_eq(line, STR(".")))
			return;
		must(heard_n + line.n + 2 <= sizeof(heard));
		memcpy(heard + heard_n, line.p, line.n);
		memcpy(heard + heard_n + line.n, "\r\n", 2);
		heard_n += line.n + 2;
	}
}

/* "BDAT ..." and as many octets. */
static inline yields void
peer_hear_chunk(const char *wanted)
{
	enum line_ending ending;
	struct str line, octets, number = str_of(wanted + 5);
	uint64_t n;

	packets += stream_buffered(&peer_net) == 0;
	must(stream_line(&peer_net, 2000, &line, &ending) == 0);
	if (!str_eq(line, str_of(wanted)))
		fprintf(stderr, "wanted '%s', heard '" STR_FMT "'\n", wanted,
		    STR_ARG(line));
	must(str_eq(line, str_of(wanted)));
	must(parse_u64(str_cut(&number, ' '), UINT32_MAX, &n));
	while (n > 0) {
		must(stream_peek(&peer_net, &octets) == 0);
		octets = str_sub(octets, 0, (size_t)n);
		must(heard_n + octets.n <= sizeof(heard));
		memcpy(heard + heard_n, octets.p, octets.n);
		heard_n += octets.n;
		n -= octets.n;
		stream_consume(&peer_net, octets.n);
	}
}

static inline yields void
peer_play(void *arg)
{
	enum line_ending ending;
	struct str line;
	const char *step;

	(void)arg;
	peer_net.deadline = mono_add(clock_mono(), 86400 * NS_PER_SECOND);
	for (size_t i = 0; (step = script[i]) != NULL; i++) {
		if (step[0] == 'S') {
			stream_put(&peer_net, str_of(step + 2));
			stream_put(&peer_net, STR("\r\n"));
			continue;
		}
		if (str_eq(str_of(step), STR("BODY"))) {
			peer_hear_body();
			continue;
		}
		if (step[0] == 'B' && step[1] == ' ') {
			peer_hear_chunk(step + 2);
			continue;
		}
		if (str_eq(str_of(step), STR("PART"))) {
			for (unsigned k = 0; k < 50; k++)
				must(stream_line(&peer_net, 2000, &line,
				    &ending) == 0);
			continue;
		}
		if (str_eq(str_of(step), STR("WAIT"))) {
			stream_flush(&peer_net);
			fiber_sleep(mono_add(clock_mono(), 3600 * NS_PER_SECOND));
			continue;
		}
		packets += stream_buffered(&peer_net) == 0;
		if (stream_line(&peer_net, 2000, &line, &ending) != 0) {
			fprintf(stderr, "wanted '%s', heard nothing\n",
			    step + 2);
			must(false);
		}
		if (!str_eq(str_sub(line, 0, strlen(step + 2)), str_of(step + 2)))
			fprintf(stderr, "wanted '%s', heard '" STR_FMT "'\n",
			    step + 2, STR_ARG(line));
		must(str_eq(str_sub(line, 0, strlen(step + 2)),
		    str_of(step + 2)));
	}
	stream_flush(&peer_net);
	stream_close(&peer_net);
}

/* ---- the message ---- */

struct source { struct str text, whole; size_t at_once; bool fails; };

static inline yields int64_t
source_read(void *arg, char *to, size_t n)
{
	struct source *source = arg;
	struct str part = str_sub(source->text, 0,
	    n < source->at_once ? n : source->at_once);

	if (source->fails)
		return -1;
	memcpy(to, part.p, part.n);
	source->text = str_sub(source->text, part.n, source->text.n);
	return (int64_t)part.n;
}

static inline void
source_rewind(void *arg)
{
	struct source *s = arg;

	s->text = s->whole;
}

static const struct client_recipient rcpts[RCPTS] = {
	{ .address = STR_INIT("bob@two.test") },
	{ .address = STR_INIT("carol@two.test") },
	{ .address = STR_INIT("dave@two.test") },
};
static struct source source;
static struct client_message message;
static struct client client;
static struct verdict verdicts[RCPTS];

static inline void
message_set(struct str text)
{
	source = (struct source){ .text = text, .whole = text,
	    .at_once = SIZE_MAX };
	message = (struct client_message){
		.sender = STR("ann@one.test"), .recipients = rcpts, .n = 1,
		.size = text.n, .read = source_read,
		.rewind = source_rewind, .arg = &source,
	};
}

static inline yields void
meet_kind(const char *const *lines, enum client_kind kind)
{
	script = lines;
	heard_n = packets = 0;
	make_pair(&client_net, &peer_net);
	assert_int_equal(fiber_go("peer", peer_play, NULL), 0);
	client_init(&client, &client_net, kind, &patience);
	message_set(STR("Subject: x\r\n\r\n.dot\r\nbye\r\n"));
}

static inline yields void
meet(const char *const *lines)
{
	meet_kind(lines, CLIENT_SMTP);
}

static inline void
expect(size_t i, enum disposition disposition, short code, const char *esc)
{
	struct esc_text got = esc_print(verdicts[i].esc);

	assert_int_equal(verdicts[i].disposition, disposition);
	assert_int_equal(verdicts[i].code, code);
	assert_string_equal(got.text, esc);
}

static inline yields void
part(void)
{
	stream_close(&client_net);
	fiber_sleep(in_ms(2 * 3600 * 1000));	/* let the peer end */
}

static inline yields void
greet(void)
{
	struct verdict v = client_greet(&client, STR("me.test"));

	assert_int_equal(v.disposition, DELIVERED);
	assert_true(client_is_usable(&client));
}

#define GREETING "S 220 mx ready", "C EHLO me.test", "S 250-mx hello"
#define PIPELINED GREETING, "S 250-PIPELINING", "S 250-SIZE 60000", \
	"S 250-8BITMIME", "S 250 ENHANCEDSTATUSCODES"
#define PLAIN "S 220 mx ready", "C EHLO me.test", "S 250 mx"

#define LMTP "S 220 mx ready", "C LHLO me.test", "S 250-mx hello"

#endif
