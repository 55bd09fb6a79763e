/*
 * private_fuzz.c -- a session with TLS in it, begun, broken and ended anywhere.
 *
 * Input: one octet of flags, then steps: an octet that says what, one that says
 * how many octets of the input it takes.
 *
 *	SAY	the octets, as the stream is now: in clear text, or inside TLS
 *	SHAKE	a handshake, whether the server waits for one or not
 *	RAW	the octets past TLS, into the connection
 *	END	close_notify, and then the octets past TLS
 *	WAIT	a second for each octet
 *
 * Whatever comes: replies are lines of SMTP; what is said past TLS, or behind its
 * end, is never answered 250; nothing is left when the session is over.
 */
#include "fuzz.h"

#include "fiber/test_core.h"
#include "fiber/test_tls.h"
#include "fiber/tls_own.h"
#include "fiber/world.h"
#include "intake/test_intake.h"

#include "smtp/server.h"

enum { SAY, SHAKE, RAW, END, WAIT, STEPS, FLAG_IMPLICIT = 1, FLAG_REQUIRED = 2,
	FLAG_SUBMISSION = 4, MOST = 40 };

static struct server_house servers;
static struct server server;
static struct server_listener listener;
static unsigned _Atomic at_listener;
static struct tls_identity identity;
static struct tls_context *asking;
static struct net_end *door;
static struct stream net;
static unsigned flags;
static struct str script;
static size_t kept_said;
static bool is_over;

static yields void
serve(void *arg)
{
	struct address client;

	(void)arg;
	must(address_parse(STR("127.0.0.1"), 4000, &client));
	server_session(&server, &listener, net_accept(door, &(struct address){
	    0 }, MONO_NEVER), &client);
}

static void
reply_check(struct str line, enum line_ending ending)
{
	must(ending == LINE_CRLF && line.n >= 3 && line.n <= 510);
	must(str_is_printable(line));
	must(line.p[0] >= '2' && line.p[0] <= '5');
	kept_said += str_skip(&line, STR("250 2.0.0 Kept as "));
}

/* In clear text a server that speaks TLS already is no lines. */
static yields void
hear(int64_t ms)
{
	enum line_ending ending;
	struct str line;
	bool is_told = stream_is_private(&net) ||
	    (flags & FLAG_IMPLICIT) == 0;

	net.deadline = in_ms(ms);
	while (!is_over && stream_line(&net, 4096, &line, &ending) == 0) {
		if (line.n > 0 && line.p[0] == 0x15)	/* an alert */
			is_over = true;
		else if (is_told)
			reply_check(line, ending);
	}
	if (net.trouble == STREAM_LATE)
		net.trouble = STREAM_FINE;
}

static yields void
raw(struct str octets)
{
	while (octets.n > 0) {
		int64_t n = world_send(net.end, octets.p, octets.n);

		if (n <= 0)
			return;
		octets = str_sub(octets, (size_t)n, octets.n);
	}
}

static yields void
shake(void)
{
	if (net.tls != NULL)
		return;
	/* What was said before the server was ready is its to refuse. */
	(void)stream_flush(&net);
	stream_consume(&net, stream_buffered(&net));
	net.deadline = in_ms(2000);
	is_over = tls_connect(&net, asking, STR("mx.test")) != 0;
	err_clear();
}

/* SECURITY.md rows 6, 7: behind close_notify nothing is heard. */
static yields void
end(struct str octets)
{
	bool was_private = stream_is_private(&net);
	enum line_ending ending;
	struct str line;

	if (net.tls != NULL)
		tls_end(&net);
	raw(octets);
	net.deadline = in_ms(1000);
	while (was_private && stream_line(&net, 4096, &line, &ending) == 0)
		must(line.n == 0 || line.p[0] != '2');
	is_over = true;
}

static yields void
step(unsigned what, struct str octets)
{
	switch (what) {
	case SAY:
		stream_put(&net, octets);
		hear(10);
		break;
	case SHAKE:
		shake();
		break;
	case RAW:
		(void)stream_flush(&net);
		raw(octets);
		is_over |= net.tls != NULL && octets.n > 0;
		break;
	case END:
		end(octets);
		break;
	default:
		hear((int64_t)octets.n * 1000);
		break;
	}
}

static yields void
converse(void *arg)
{
	struct address at;

	(void)arg;
	house_open();
	servers = (struct server_house){ .key = { 1, 2 }, .n = 1 };
	must(server_open(&server, &servers, &house.core, &house.holder) == 0);
	server.tls = tls_server_new(&(struct tls_server_setup){
	    .identities = &identity, .n = 1 });
	listener = (struct server_listener){ .name = STR("mx"),
		.sessions = &at_listener,
		.role = flags & FLAG_SUBMISSION ? ROLE_SUBMISSION : ROLE_MX,
		.tls = flags & FLAG_IMPLICIT ? TLS_IMPLICIT :
		    flags & FLAG_REQUIRED ? TLS_REQUIRED : TLS_OFFERED };
	must(address_parse(STR("127.0.0.1"), 0, &at));
	must((door = net_listen(&at)) != NULL && net_local(door, &at));
	must(fiber_go("serve", serve, NULL) == 0);
	stream_init(&net, net_connect(&at, NULL, in_ms(5000)));
	for (unsigned i = 0; i < MOST && script.n > 1 && !is_over; i++) {
		unsigned what = fuzz_choice(&script) % STEPS;
		size_t n = fuzz_choice(&script);

		step(what, str_sub(script, 0, n));
		script = str_sub(script, n, script.n);
	}
	hear(1000 * 1000);
	stream_close(&net);
	fiber_sleep(in_ms(1000 * 1000));
	must(server.sessions == 0 && servers.sessions == 0);
	must(kept_said <= house.queued);
	net_close(door);
	server_close(&server);
	must(spool_close(house.spool) == SPOOL_FINE);
	config_unhold(&house.holder);
}

FUZZ(in)
{
	static const struct tls_client_setup plain;

	flags = fuzz_choice(&in);
	script = in;
	kept_said = 0;
	is_over = false;
	sim_begin(1);
	if (house.config == NULL) {
		house_use("limits: { size: 64K, per_ip: none }\n");
		identity = test_identity("EC", "mx.test");
		asking = tls_client_new(&plain);
	}
	must(core_run_all(1, converse, NULL) == 0);
}
