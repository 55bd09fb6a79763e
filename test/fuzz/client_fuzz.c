/*
 * client_fuzz.c -- our client, and a server that says anything.
 *
 * Input: one octet of flags, then what the server says, a line at a time (cut at
 * LF): one line when it is connected, and one more after each thing it hears; a
 * line that begins with SOH begins TLS instead, when it heard STARTTLS.
 * Whatever that is: every recipient has one verdict, in clean words and with an
 * enhanced code of its class; he is DELIVERED only when the whole body and its
 * dot left us; where TLS is demanded nothing is sent without it, and never a
 * password in clear text; and two messages and a farewell come to an end within
 * their deadlines.
 */
#include "fuzz.h"

#include "base/err.h"
#include "fiber/test_core.h"
#include "fiber/test_tls.h"
#include "fiber/world_sim.h"
#include "smtp/client.h"

enum { RCPTS = 3, FLAG_8BIT = 1, FLAG_GREEDY = 2, FLAG_LMTP = 4,
	FLAG_BINARY = 8, FLAG_UTF8 = 16, FLAG_MIME = 32,
	FLAG_TLS = 64, FLAG_ENCRYPT = 128 };

static struct stream client_net, peer_net;
static struct client client;
static struct str says;
static unsigned flags;
static struct tls_identity shown;
static struct tls_context *showing;
static bool is_private;			/* a handshake came to its end */
static bool all_was_read;		/* of the body, its end too */
static size_t body_n;

static struct tls_demand demand;
static struct tls_context *asking;

static const struct client_patience patience = {
	.greeting = 3 * NS_PER_SECOND, .command = 3 * NS_PER_SECOND,
	.data = 3 * NS_PER_SECOND, .block = 3 * NS_PER_SECOND,
	.end = 3 * NS_PER_SECOND, .quit = NS_PER_SECOND,
};
static const struct client_recipient rcpts[RCPTS] = {
	{ .address = STR_INIT("bob@two.test"), .notify = NOTIFY_SUCCESS,
	    .orcpt = STR_INIT("utf-8;b\xc3\xbc@x") },
	{ .address = STR_INIT("carol@two.test") },
	{ .address = STR_INIT("dave@two.test") },
};

/* One line, or all that is left. */
static yields void
peer_say(void)
{
	size_t n = flags & FLAG_GREEDY ? says.n : str_find(says, '\n') + 1;

	stream_put(&peer_net, str_sub(says, 0, n));
	stream_flush(&peer_net);
	says = str_sub(says, n, says.n);
}

/* What was heard: is it the word to begin TLS, and do we? */
static yields bool
peer_shakes(struct str line)
{
	if (is_private || !str_eq(line, STR("STARTTLS")) || says.n == 0 ||
	    says.p[0] != '\1')
		return false;
	says = str_sub(says, 1, says.n);
	stream_put(&peer_net, STR("220 go\r\n"));
	is_private = tls_accept(&peer_net, showing) == 0;
	err_clear();
	return is_private;
}

static yields void
peer_run(void *arg)
{
	enum line_ending ending;
	struct str line;

	(void)arg;
	peer_net.deadline = in_ms(60 * 1000);
	peer_say();
	while (stream_line(&peer_net, 4096, &line, &ending) == 0) {
		if (line.n > 0 && line.p[0] == 0x16)
			break;		/* a ClientHello */
		must(ending == LINE_CRLF && str_find(line, '\r') == line.n);
		must(is_private || str_find_str(line, STR("AGFubgBwZW5j")) ==
		    line.n);
		if (!peer_shakes(line))
			peer_say();
	}
	stream_close(&peer_net);
}

static struct str
body_text(void)
{
	return flags & FLAG_MIME ? STR("Content-Type: multipart/mixed; boundary"
	    "=b\r\n\r\n--b\r\nX: y\r\n\r\nall is gr\xc3\xbcn\r\n--b--\r\n") :
	    STR("Subject: x\r\n\r\n.\r\n..\r\nend\r\n");
}

static yields int64_t
body_read(void *arg, char *to, size_t n)
{
	struct str part = str_sub(body_text(), body_n, n < 5 ? n : 5);

	(void)arg;
	memcpy(to, part.p, part.n);
	body_n += part.n;
	all_was_read = part.n == 0;
	return (int64_t)part.n;
}

static void
body_rewind(void *arg)
{
	(void)arg;
	body_n = 0;
}

static void
verdict_check(const struct verdict *v)
{
	static const unsigned char class[] = {
		[DELIVERED] = 2, [DEFERRED] = 4, [FAILED] = 5 };
	struct str text = str_of(v->text);

	must(v->esc.class == class[v->disposition]);
	must(str_is_utf8(text));
	for (size_t i = 0; i < text.n; i++)
		must((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f);
}

static yields void
send_one(void)
{
	struct verdict verdicts[RCPTS];
	struct client_message message = {
		.sender = STR("ann@one.test"), .recipients = rcpts, .n = RCPTS,
		.size = body_text().n, .envid = STR("x+y"), .ret = RET_HDRS,
		.is_utf8 = flags & FLAG_UTF8,
		.body = flags & FLAG_BINARY ? CLIENT_BODY_BINARY :
		    flags & FLAG_8BIT ? CLIENT_BODY_8BIT : CLIENT_BODY_7BIT,
		.read = body_read, .rewind = body_rewind,
	};

	all_was_read = false;
	body_n = 0;
	client_send(&client, &message, verdicts);
	for (size_t i = 0; i < RCPTS; i++) {
		verdict_check(&verdicts[i]);
		must(verdicts[i].disposition != DELIVERED ||
		    (all_was_read && client_net.out_n == 0));
	}
}

static yields void
converse(void *arg)
{
	static const struct tls_client_setup plain;
	static const struct client_login who = { .user = STR_INIT("ann"),
		.secret = STR_INIT("pencil"), .host = STR_INIT("mx.test") };
	struct verdict v;

	(void)arg;
	make_pair(&client_net, &peer_net);
	must(fiber_go("peer", peer_run, NULL) == 0);
	client_init(&client, &client_net,
	    flags & FLAG_LMTP ? CLIENT_LMTP : CLIENT_SMTP, &patience);
	if (asking == NULL)
		must((asking = tls_client_new(&plain)) != NULL);
	if (flags & (FLAG_TLS | FLAG_ENCRYPT)) {
		demand.level = flags & FLAG_ENCRYPT ? TLS_LEVEL_ENCRYPT :
		    TLS_LEVEL_MAY;
		client.demand = &demand;
		client.tls = asking;
		client.login = (flags & FLAG_TLS) && (flags & FLAG_ENCRYPT) ?
		    &who : NULL;
	}
	v = client_greet(&client, STR("me.test"));
	verdict_check(&v);
	must(v.disposition != DELIVERED || (flags & FLAG_ENCRYPT) == 0 ||
	    is_private);
	must((v.disposition == DELIVERED) == client_is_usable(&client) ||
	    client_net.trouble != STREAM_FINE);
	for (int i = 0; i < 2 && client_is_usable(&client); i++)
		send_one();
	client_quit(&client);
	must(clock_mono().ns < in_ms(200 * 1000).ns);
	stream_close(&client_net);
}

FUZZ(in)
{
	flags = fuzz_choice(&in);
	says = in;
	is_private = false;
	sim_begin(1);
	if (showing == NULL) {
		shown = test_identity("EC", "mx.test");
		showing = tls_server_new(&(struct tls_server_setup){
		    .identities = &shown, .n = 1 });
	}
	must(core_run_all(1, converse, NULL) == 0);
}
