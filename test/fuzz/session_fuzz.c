/*
 * session_fuzz.c -- a whole SMTP conversation from any octets, cut anywhere.
 *
 * Input: one octet of flags, one that says how many cuts follow, two octets for
 * each cut (how long the next piece is), then what the client sends.  The server
 * is the real one on the simulated world; whatever it hears, these must hold:
 * every reply is CRLF-ended printable ASCII of at most 512 octets with a code
 * (session_check), each kept message was answered 250, and nothing is left when
 * the session is over.
 */
#include "fuzz.h"

#include "intake/test_intake.h"

#include "smtp/server.h"

enum { CUTS_MOST = 64, FLAG_TRUSTED = 1, FLAG_SUBMISSION = 2, FLAG_PROXY = 4 };

static struct server_house servers;
static struct server server;
static struct server_listener listener;
static unsigned _Atomic at_listener;
static struct net_end *door;
static struct stream net;
static unsigned char flags;
static size_t cuts[CUTS_MOST], n_cuts;
static struct str said;
static size_t kept_said;		/* 250s to the dot */

static yields int64_t
flush(void *arg, struct str domain, bool is_below)
{
	(void)arg;
	must(domain.n > 0 && str_is_ascii(domain));
	return is_below ? 1 : 0;
}

static yields void
serve(void *arg)
{
	struct address client;

	(void)arg;
	must(address_parse(flags & FLAG_PROXY ? STR("192.0.2.4") :
	    flags & FLAG_TRUSTED ? STR("127.0.0.1") :
	    STR("192.0.2.7"), 4000, &client));
	server_session(&server, &listener, net_accept(door, &(struct address){
	    0 }, MONO_NEVER), &client);
}

static void
session_check(struct str line, enum line_ending ending)
{
	must(ending == LINE_CRLF && line.n >= 3 && line.n <= 510);
	must(str_is_printable(line));
	must(line.p[0] >= '2' && line.p[0] <= '5');
	must(ascii_is_digit(line.p[1]) && ascii_is_digit(line.p[2]));
	must(line.n == 3 || line.p[3] == ' ' || line.p[3] == '-');
	kept_said += str_skip(&line, STR("250 2.0.0 Kept as "));
}

/* What the server says within so many milliseconds. */
static yields void
hear(int64_t ms)
{
	enum line_ending ending;
	struct str line;

	net.deadline = in_ms(ms);
	while (stream_line(&net, 4096, &line, &ending) == 0)
		session_check(line, ending);
	must(net.trouble != STREAM_LONG);
	if (net.trouble == STREAM_LATE)
		net.trouble = STREAM_FINE;
}

static yields void
converse(void *arg)
{
	struct address at;

	(void)arg;
	house_open();
	servers = (struct server_house){ .key = { 1, 2 }, .n = 1,
		.flush = flush };
	must(server_open(&server, &servers, &house.core, &house.holder) == 0);
	listener = (struct server_listener){ .name = STR("mx"),
		.sessions = &at_listener,
		.role = flags & FLAG_SUBMISSION ? ROLE_SUBMISSION : ROLE_MX };
	must(address_parse(STR("127.0.0.1"), 0, &at));
	must((door = net_listen(&at)) != NULL && net_local(door, &at));
	must(fiber_go("serve", serve, NULL) == 0);
	stream_init(&net, net_connect(&at, NULL, in_ms(5000)));
	for (size_t i = 0; said.n > 0; i++) {
		size_t n = i < n_cuts ? cuts[i] : said.n;

		stream_put(&net, str_sub(said, 0, n));
		said = str_sub(said, n, said.n);
		hear(10);
	}
	/* 421 comes to all who wait */
	hear(1000 * 1000);
	fiber_sleep(in_ms(1000 * 1000));
	must(server.sessions == 0 && servers.sessions == 0);
	must(kept_said == house.queued);
	stream_close(&net);
	net_close(door);
	server_close(&server);
	must(spool_close(house.spool) == SPOOL_FINE);
	config_unhold(&house.holder);
}

FUZZ(in)
{
	uint16_t n;

	flags = (unsigned char)fuzz_choice(&in);
	n_cuts = fuzz_choice(&in) % CUTS_MOST;
	for (size_t i = 0; i < n_cuts; i++) {
		if (!take_le16(&in, &n))
			return;
		cuts[i] = n % 600u + 1;
	}
	said = in;
	kept_said = 0;
	sim_begin(1);
	if (house.config == NULL)
		house_use("limits: { size: 64K, per_ip: none }\n"
		    "xclient: [ 192.0.2.4 ]\netrn: [ 192.0.2.0/24 ]\n");
	must(core_run_all(1, converse, NULL) == 0);
}
