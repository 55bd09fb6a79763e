/*
 * Those who mean no good: mx.evil.test, who does to each visitor what the seed
 * says, and strangers who come to our doors.
 */
#include "network.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/stream.h"

#include <stdio.h>

enum manner {
	DROPS,				/* after so many octets of his own */
	REFUSES,			/* 4xx or 5xx to the verb chosen */
	BABBLES,			/* garbage for a reply */
	ENDLESS,			/* a reply without an end */
	EARLY,				/* all his 250s at once */
	MUTE,				/* takes everything, says nothing */
	SLOW,				/* an octet at a time */
	SWALLOWS,			/* takes the message, and drops */
	HALF,				/* as DROPS, but goes on listening */
	STARTS,				/* offers TLS, and goes on with garbage */
	MANNERS
};

static const char *const verbs[] = { "EHLO", "MAIL", "RCPT", "DATA", ".",
	"RSET", "QUIT" };
enum { SAID = sizeof verbs / sizeof *verbs, HEARD = 16 };

struct visitor {
	struct stream s;
	enum manner how;
	uint64_t left;			/* octets until he drops */
	unsigned verb, code;		/* refused */
	size_t n;
	struct town_rcpt *rcpts[HEARD];
	bool is_mute;			/* his side is closed */
};

static struct net_end *door;

static struct mono
in_seconds(int64_t s)
{
	return mono_add(clock_mono(), s * NS_PER_SECOND);
}

/* ---- what he says ---- */

static yields bool
say_slowly(struct visitor *v, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		stream_put(&v->s, str_sub(text, i, 1));
		if (stream_flush(&v->s) != 0)
			return false;
		fiber_sleep(mono_add(clock_mono(), 200 * NS_PER_MS));
	}
	return true;
}

static yields bool
say_without_end(struct visitor *v)
{
	for (unsigned i = 0; i < 100000; i++) {
		stream_put(&v->s, STR("250-and another thing\r\n"));
		if (stream_flush(&v->s) != 0)
			return false;
	}
	return false;
}

static yields bool
babble(struct visitor *v)
{
	char text[200];
	size_t n = 1 + (size_t)sim_chance(sizeof text - 3);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)sim_chance(256);
	memcpy(text + n, "\r\n", 2);
	stream_put(&v->s, (struct str){ text, n + 2 });
	return stream_flush(&v->s) == 0;
}

/* False: he hangs up. */
static yields bool
reply(struct visitor *v, struct str text)
{
	v->s.deadline = in_seconds(3600);
	if (v->is_mute)
		return true;
	if ((v->how == DROPS || v->how == HALF) && v->left < text.n) {
		stream_put(&v->s, str_sub(text, 0, (size_t)v->left));
		v->is_mute = v->how == HALF && stream_flush(&v->s) == 0;
		if (v->is_mute)
			sim_half_close(v->s.end);
		else
			(void)stream_flush(&v->s);
		return v->is_mute;
	}
	v->left -= v->how == DROPS || v->how == HALF ? text.n : 0;
	if (v->how == SLOW)
		return say_slowly(v, text);
	stream_put(&v->s, text);
	return stream_flush(&v->s) == 0;
}

/* What has been taken was, whatever he says of it. */
static void
taken(struct visitor *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->rcpts[i] != NULL && v->rcpts[i]->want == WANT_EVIL)
			v->rcpts[i]->copies++;
	v->n = 0;
}

static yields bool
answer(struct visitor *v, const char *verb, struct str plain)
{
	char text[100];

	if (v->how == MUTE)
		return true;
	if (v->how == ENDLESS && sim_chance(4) == 0)
		return say_without_end(v);
	if (v->how == BABBLES && sim_chance(3) == 0)
		return babble(v);
	if (v->how == EARLY)
		return true;		/* he said it all before */
	if (v->how == REFUSES && strcmp(verb, verbs[v->verb]) == 0) {
		snprintf(text, sizeof text, "%u 4.0.0 not from you\r\n",
		    v->code);
		return reply(v, str_of(text));
	}
	if (*verb == '.')
		taken(v);
	if (*verb == '.' && v->how == SWALLOWS)
		return false;
	return reply(v, plain);
}

/* ---- what he hears ---- */

static void
rcpt_hear(struct visitor *v, struct str line)
{
	struct town_rcpt *r;

	(void)str_cut(&line, '<');
	r = town_rcpt_of(str_cut(&line, '@'));
	if (r != NULL && v->n < HEARD)
		v->rcpts[v->n++] = r;
	/* whoever lies in advance has taken what he is told of */
	if (v->how == EARLY && r != NULL && r->want == WANT_EVIL)
		r->copies++;
}

static yields bool
data_hear(struct visitor *v)
{
	enum line_ending ending;
	struct str line;

	if (!answer(v, "DATA", STR("354 go on\r\n")))
		return false;
	if (v->how == REFUSES && strcmp(verbs[v->verb], "DATA") == 0)
		return true;
	do {
		if (stream_line(&v->s, 2000, &line, &ending) != 0)
			return false;
	} while (!str_eq(line, STR(".")));
	return answer(v, ".", STR("250 2.0.0 taken\r\n"));
}

static yields bool
command_hear(struct visitor *v, struct str line)
{
	if (v->how == STARTS && str_has_prefix_icase(line, STR("EHLO ")))
		return reply(v, STR("250-hello\r\n250 STARTTLS\r\n"));
	if (str_eq(line, STR("STARTTLS")))
		return reply(v, STR("220 go on\r\n")) && babble(v);
	if (str_has_prefix_icase(line, STR("EHLO ")))
		return answer(v, "EHLO", STR("250-hello\r\n250-PIPELINING\r\n"
		    "250-8BITMIME\r\n250 SIZE\r\n"));
	if (str_has_prefix_icase(line, STR("MAIL "))) {
		v->n = 0;
		return answer(v, "MAIL", STR("250 2.1.0 sender\r\n"));
	}
	if (str_has_prefix_icase(line, STR("RCPT "))) {
		rcpt_hear(v, line);
		return answer(v, "RCPT", STR("250 2.1.5 recipient\r\n"));
	}
	if (str_eq(line, STR("DATA")))
		return data_hear(v);
	if (str_eq(line, STR("QUIT")))
		return (void)answer(v, "QUIT", STR("221 bye\r\n")), false;
	return answer(v, "RSET", STR("250 2.0.0 fine\r\n"));
}

static yields void
visit_run(void *arg)
{
	struct visitor v = { .how = (enum manner)sim_chance(MANNERS),
		.left = sim_chance(300), .verb = (unsigned)sim_chance(SAID),
		.code = sim_chance(2) == 0 ? 451 : 550 };
	enum line_ending ending;
	struct str line;
	bool goes_on;

	stream_init(&v.s, arg);
	v.s.deadline = in_seconds(3600);
	goes_on = reply(&v, v.how == EARLY ? STR("220 evil\r\n250 a\r\n250 b\r\n"
	    "250 c\r\n354 d\r\n250 e\r\n") : STR("220 evil.test\r\n"));
	while (goes_on && stream_line(&v.s, 2000, &line, &ending) == 0) {
		v.s.deadline = in_seconds(3600);
		goes_on = command_hear(&v, line);
	}
	stream_close(&v.s);
}

static yields void
evil_run(void *arg)
{
	struct address peer;
	struct net_end *end;

	(void)arg;
	while ((end = net_accept(door, &peer, MONO_NEVER)) != NULL)
		if (fiber_go("evil", visit_run, end) != 0)
			net_close(end);
	net_close(door);
}

void
network_evil_open(void)
{
	struct address at;

	must(address_parse(STR("198.51.100.17"), 25, &at));
	must((door = net_listen(&at)) != NULL);
	must(fiber_go("evil", evil_run, NULL) == 0);
}

void
network_evil_close(void)
{
	net_stop_listening(door);
}

/* ---- strangers ---- */

/* What is said, whatever is answered. */
static const char *const talks[] = {
	"GET / HTTP/1.0\r\n\r\n",
	"EHLO x\r\nMAIL FROM:<a@stranger.test>\r\nRCPT TO:<u0@h1.test>\r\n"
	    "DATA\r\nX: y\r\n",
	"EHLO x\r\nMAIL FROM:<a@stranger.test>\r\nRCPT TO:<b@sink.test>\r\n"
	    "DATA\r\nX: y\r\n.\r\nQUIT\r\n",
	"EHLO x\r\nBDAT 1000000\r\n",
	"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<u0@h1.test>\r\nBDAT 10\r\nab",
	"EHLO x\r\nMAIL FROM:<a@stranger.test> SIZE=99999999999\r\n",
	"EHLO x\r\nMAIL FROM:<a@stranger.test>\r\nRCPT TO:<u0@h1.test>\r\n"
	    "DATA\r\nX: y\r\n\r\n.\nMAIL FROM:<evil@x>\r\n.\rX\r\n",
	"\0\0\0\xff\xff\r\n", "EHLO", "", "RCPT TO:<>\r\nDATA\r\n.\r\n"
};
enum { TALKS = sizeof talks / sizeof *talks };

/* Says it whole or in part, at once or slowly, and hangs up or waits. */
yields void
network_stranger(void)
{
	const char *talk = talks[sim_chance(TALKS)];
	unsigned server = 1 + (unsigned)sim_chance(network_ledger->n);
	struct address from, to;
	struct net_end *end;
	struct stream s;
	struct str text = str_of(talk);

	must(address_parse(str_of(network_ledger->servers[server].ip), 25, &to));
	must(address_parse(STR("198.18.0.1"), 0, &from));
	end = net_connect(&to, &from, in_seconds(30));
	if (end == NULL)
		return;
	stream_init(&s, end);
	s.deadline = in_seconds(900);
	if (sim_chance(3) == 0)
		text = str_sub(text, 0, (size_t)sim_chance(text.n + 1));
	stream_put(&s, text);
	(void)stream_flush(&s);
	while (sim_chance(2) == 0 && stream_skip_line(&s, 2000) == 0)
		s.deadline = in_seconds(900);
	if (sim_chance(4) == 0)
		fiber_sleep(in_seconds(400));
	stream_close(&s);
}
