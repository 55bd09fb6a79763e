/*
 * relay_fuzz.c -- our client hands a message to our server, over a bad network.
 *
 * Input: one octet of flags, one for the network's cuts and one for the reader's,
 * then the message; in half of the inputs each octet stands for a piece of text
 * that framing is about.
 *
 * What the server kept is, behind the fields that it put on top, the message to
 * the octet, by DATA and by BDAT; and it kept it when the client says DELIVERED,
 * and no other.
 */
#include "fuzz.h"

#include "intake/test_intake.h"
#include "smtp/client.h"
#include "smtp/server.h"

enum { FLAG_DATA = 1, FLAG_BINARY = 2, FLAG_PIECES = 4, ROOM = 32 * 1024 };

static struct server_house servers;
static struct server server;
static struct server_listener listener;
static unsigned _Atomic at_listener;
static struct net_end *door;
static struct stream net;
static struct client client;
static struct str whole, left;
static unsigned flags, seed;
static char made[ROOM], kept[2 * ROOM];

static const struct client_patience patience = {
	.greeting = 60 * NS_PER_SECOND, .command = 60 * NS_PER_SECOND,
	.data = 60 * NS_PER_SECOND, .block = 60 * NS_PER_SECOND,
	.end = 600 * NS_PER_SECOND, .quit = NS_PER_SECOND,
};

static yields void
serve(void *arg)
{
	struct address from;

	(void)arg;
	must(address_parse(STR("127.0.0.1"), 4000, &from));
	server_session(&server, &listener, net_accept(door, &(struct address){
	    0 }, MONO_NEVER), &from);
}

static yields int64_t
piece_read(void *arg, char *to, size_t n)
{
	struct str part;

	(void)arg;
	seed = seed * 1103515245u + 12345u;
	part = str_sub(left, 0, 1 + (seed >> 16) % 700);
	part = str_sub(part, 0, n);
	memcpy(to, part.p, part.n);
	left = str_sub(left, part.n, left.n);
	return (int64_t)part.n;
}

static void
piece_rewind(void *arg)
{
	(void)arg;
	left = whole;
}

/* Text of lines, or any octets behind a header section. */
static struct str
message_make(struct str in)
{
	static const struct str pieces[] = { STR_INIT("\r\n"), STR_INIT("."),
		STR_INIT("\r\n."), STR_INIT("\r\n.\r\n"), STR_INIT("a"),
		STR_INIT("\r\n..\r\n"), STR_INIT("\x80"), STR_INIT("BDAT 0") };
	struct buf b = BUF_OF(made);

	buf_put(&b, STR("Subject: x\r\nMIME-Version: 1.0\r\n\r\n"));
	for (size_t i = 0; i < in.n; i++) {
		unsigned c = (unsigned char)in.p[i];

		for (unsigned k = 0; c >= 248 && k < 990; k++)
			buf_putc(&b, 'x');
		if (flags & FLAG_PIECES)
			buf_put(&b, pieces[c % (sizeof pieces / sizeof *pieces)]);
		else if ((flags & FLAG_BINARY) || (c != '\r' && c != '\n' &&
		    c != '\0'))
			buf_putc(&b, (char)c);
		else
			buf_put(&b, STR("\r\n"));
	}
	if ((flags & FLAG_BINARY) == 0)
		buf_put(&b, STR("\r\n"));
	return buf_str(&b);
}

static bool
has_8bit(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

static void
kept_check(struct str text)
{
	size_t at = str_find_str(text, STR("Subject: x\r\n"));

	must(at < text.n && str_eq(str_sub(text, at, text.n), whole));
}

static yields void
hand_over(void)
{
	static const struct client_recipient rcpt = {
		.address = STR_INIT("bob@two.test") };
	struct client_message message = { .sender = STR("ann@one.test"),
		.recipients = &rcpt, .n = 1, .size = whole.n,
		.body = flags & FLAG_BINARY ? CLIENT_BODY_BINARY :
		    has_8bit(whole) ? CLIENT_BODY_8BIT : CLIENT_BODY_7BIT,
		.read = piece_read, .rewind = piece_rewind };
	struct verdict v;

	left = whole;
	client_send(&client, &message, &v);
	must((v.disposition == DELIVERED) == (house.kept == 1));
	/* Binary that goes by DATA becomes base64. */
	if (v.disposition == DELIVERED && ((flags & FLAG_DATA) == 0 ||
	    (flags & FLAG_BINARY) == 0))
		kept_check(house_body(kept, sizeof kept));
}

static yields void
converse(void *arg)
{
	struct address at;
	struct verdict v;

	(void)arg;
	house_open();
	servers = (struct server_house){ .key = { 1, 2 }, .n = 1 };
	must(server_open(&server, &servers, &house.core, &house.holder) == 0);
	listener = (struct server_listener){ .name = STR("mx"),
		.sessions = &at_listener, .role = ROLE_MX };
	must(address_parse(STR("127.0.0.1"), 0, &at));
	must((door = net_listen(&at)) != NULL && net_local(door, &at));
	must(fiber_go("serve", serve, NULL) == 0);
	stream_init(&net, net_connect(&at, NULL, in_ms(5000)));
	client_init(&client, &net, CLIENT_SMTP, &patience);
	if (flags & FLAG_DATA)
		client.distrust = CAPABILITY_BIT(CHUNKING);
	v = client_greet(&client, STR("me.test"));
	must(v.disposition == DELIVERED);
	hand_over();
	client_quit(&client);
	stream_close(&net);
	fiber_sleep(in_ms(1000 * 1000));
	must(server.sessions == 0 && servers.sessions == 0);
	net_close(door);
	server_close(&server);
	must(spool_close(house.spool) == SPOOL_FINE);
	config_unhold(&house.holder);
}

FUZZ(in)
{
	struct sim_net n;

	flags = fuzz_choice(&in);
	sim_begin(1);
	n = sim_net();
	n.split_per_million = fuzz_choice(&in) * 3000;
	sim_net_set(n);
	seed = fuzz_choice(&in);
	if (in.n > 4096)
		return;
	whole = message_make(in);
	if (whole.n > ROOM - 1024)
		return;
	if (house.config == NULL)
		house_use("limits: { size: 64K, per_ip: none }\n");
	must(core_run_all(1, converse, NULL) == 0);
}
