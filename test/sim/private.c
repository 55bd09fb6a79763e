/*
 * Our client and our server speak TLS, and somebody sits between them, who does
 * by the seed what such people do:
 *
 *	STRIP		takes STARTTLS out of what the server offers
 *	TO_SERVER	puts a message of his own behind the client's STARTTLS
 *	TO_CLIENT	puts a reply of his own behind the server's answer to it
 *	FLIP		changes an octet
 *	CUT		ends both connections, anywhere: in the handshake too
 *	BEHIND		goes on in clear text when the client has said goodbye
 *
 * Laws: (1) nothing of his is ever kept; (2) a client that demands TLS says no
 * word of mail in clear text; (3) what a client was told is kept is there, whole;
 * (4) nobody between is needed for trouble to end: an honest client is served
 * afterwards.
 */
#include "scenario.h"

#include "fiber/test_core.h"
#include "fiber/test_tls.h"
#include "fiber/world.h"
#include "smtp/client.h"
#include "smtp/test_server.h"

#include <errno.h>

enum { TRIES = 6, PIECE = 2048, LINES_MOST = 200, ROOM = 32 * 1024 };

enum mischief { HONEST, STRIP, TO_SERVER, TO_CLIENT, FLIP, CUT, BEHIND,
	MISCHIEFS };

static const struct str evil = STR_INIT("EHLO evil.test\r\nMAIL FROM:<evil@one.test>\r\n"
    "RCPT TO:<bob@two.test>\r\nDATA\r\nSubject: evil\r\n\r\n.\r\nNOOP\r\n");

static struct middle {
	struct net_end *listener, *client, *server;
	struct address at;
	enum mischief how;
	int64_t left;			/* octets until it is done */
	unsigned pumps;
	bool is_private, is_cut, said_mail;
} middle;

static struct message {
	uint64_t id;			/* 0: not kept */
	unsigned lines;
	bool is_delivered, is_begun;
	struct verdict verdict;
} messages[TRIES + 1];

static bool law_is_broken;
static struct tls_context *asking;
static struct tls_identity identity;

static void
law_breaks(const char *what)
{
	fprintf(stderr, "seed %ju, mischief %d: %s\n", (uintmax_t)sim_seed(),
	    (int)middle.how, what);
	law_is_broken = true;
}

/* ---- who sits between ---- */

static yields bool
give(struct net_end *to, struct str bytes)
{
	while (bytes.n > 0) {
		int64_t n = world_send(to, bytes.p, bytes.n);

		if (n == -EAGAIN || n == 0) {
			to->can_write = false;
			if (net_wait_writable(to, in_ms(600 * 1000)) != 0)
				return false;
		} else if (n < 0)
			return false;
		else
			bytes = str_sub(bytes, (size_t)n, bytes.n);
	}
	return true;
}

static yields int64_t
take(struct net_end *from, char *to, size_t n)
{
	for (;;) {
		int64_t got = world_recv(from, to, n);

		if (got != -EAGAIN)
			return got;
		from->can_read = false;
		if (net_wait_readable(from, in_ms(3600 * 1000)) != 0 ||
		    middle.is_cut)
			return 0;
	}
}

static void
meddle(char *p, size_t n)
{
	bool is_done = middle.left < 0;

	middle.left -= (int64_t)n;
	if (is_done || middle.left >= 0)
		return;
	if (middle.how == FLIP)
		p[(size_t)((int64_t)n + middle.left)] ^= 0x20;
	else if (middle.how == CUT)
		middle.is_cut = true;
}

static size_t
find(const char *p, size_t n, const char *what)
{
	return str_find_str((struct str){ p, n }, str_of(what));
}

static yields bool
client_bytes(char *p, size_t n)
{
	size_t at = find(p, n, "STARTTLS\r\n");

	if (!middle.is_private && find(p, n, "MAIL FROM") < n)
		middle.said_mail = true;
	if (n > 2 && p[0] == 0x16 && p[1] == 3)
		middle.is_private = true;
	if (!give(middle.server, (struct str){ p, n }))
		return false;
	return middle.how != TO_SERVER || at == n || give(middle.server, evil);
}

static yields bool
server_bytes(char *p, size_t n)
{
	size_t at = find(p, n, "STARTTLS");

	if (middle.how == STRIP && at < n)
		memcpy(p + at, "XXXXXXXX", 8);
	if (!give(middle.client, (struct str){ p, n }))
		return false;
	return middle.how != TO_CLIENT || find(p, n, "220 2.0.0") != 0 ||
	    give(middle.client, STR("250 2.0.0 Kept as evil\r\n"));
}

static yields void
pump_client(void *arg)
{
	char p[PIECE];
	int64_t n;

	(void)arg;
	while ((n = take(middle.client, p, sizeof p)) > 0) {
		meddle(p, (size_t)n);
		if (!client_bytes(p, (size_t)n) || middle.is_cut)
			break;
	}
	if (middle.how == BEHIND && !middle.is_cut)
		(void)give(middle.server, evil);
	middle.is_cut = true;
	fiber_wake(middle.server->reader);
	middle.pumps--;
}

static yields void
pump_server(void *arg)
{
	char p[PIECE];
	int64_t n;

	(void)arg;
	while ((n = take(middle.server, p, sizeof p)) > 0) {
		meddle(p, (size_t)n);
		if (!server_bytes(p, (size_t)n) || middle.is_cut)
			break;
	}
	middle.is_cut = true;
	fiber_wake(middle.client->reader);
	middle.pumps--;
}

/* One connection at a time. */
static yields void
middle_run(void *arg)
{
	struct address peer;

	(void)arg;
	while ((middle.client = net_accept(middle.listener, &peer,
	    MONO_NEVER)) != NULL) {
		middle.server = net_connect(&door_at, NULL, in_ms(60 * 1000));
		if (middle.server == NULL) {
			net_close(middle.client);
			continue;
		}
		middle.pumps = 2;
		middle.is_private = middle.is_cut = middle.said_mail = false;
		must(fiber_go("pump", pump_server, NULL) == 0);
		pump_client(NULL);
		while (middle.pumps > 0)
			fiber_sleep(in_ms(10));
		net_close(middle.client);
		net_close(middle.server);
	}
	net_close(middle.listener);
}

/* ---- the client ---- */

struct reading { struct message *m; unsigned line; };

static yields int64_t
lines_read(void *arg, char *to, size_t n)
{
	struct reading *r = arg;
	struct buf b = { .p = to, .cap = n };

	if (r->line > r->m->lines)
		return 0;
	if (r->line == 0)
		buf_put(&b, STR("Subject: fine\r\n\r\n"));
	else
		buf_printf(&b, "line %u of %u\r\n", r->line, r->m->lines);
	r->line++;
	return (int64_t)b.n;
}

static uint64_t
lines_size(struct message *m)
{
	char line[128];
	struct reading r = { m, 0 };
	uint64_t size = 0;
	int64_t n;

	while ((n = lines_read(&r, line, sizeof line)) > 0)
		size += (uint64_t)n;
	return size;
}

static void
lines_rewind(void *arg)
{
	struct reading *r = arg;

	r->line = 0;
}

static yields struct verdict
send_over(struct stream *s, unsigned number, const struct tls_demand *demand)
{
	static const struct client_patience patience = { 60 * NS_PER_SECOND,
		60 * NS_PER_SECOND, 60 * NS_PER_SECOND, 60 * NS_PER_SECOND,
		60 * NS_PER_SECOND, 60 * NS_PER_SECOND };
	struct reading r = { &messages[number], 0 };
	struct client_recipient to = { .address = STR("bob@two.test") };
	char sender[32];
	struct client_message m = { .recipients = &to, .n = 1,
		.read = lines_read, .rewind = lines_rewind, .arg = &r };
	struct client c;
	struct verdict v;

	(void)snprintf(sender, sizeof sender, "m%u@one.test", number);
	m.sender = str_of(sender);
	m.size = lines_size(r.m);
	client_init(&c, s, CLIENT_SMTP, &patience);
	c.tls = asking;
	c.demand = demand;
	v = client_greet(&c, STR("client.test"));
	if (v.disposition != DELIVERED)
		return v;
	client_send(&c, &m, &v);
	client_quit(&c);
	return v;
}

static yields void
client_try(unsigned number, const struct address *at, enum tls_level level)
{
	struct tls_demand demand = { .level = level, .n_names = 1,
		.names = { STR_INIT("mx.test") }, .sni = STR_INIT("mx.test") };
	struct net_end *end = net_connect(at, NULL, in_ms(60 * 1000));
	struct stream s;

	messages[number].is_begun = true;
	messages[number].lines = (unsigned)sim_chance(LINES_MOST);
	if (end == NULL)
		return;
	stream_init(&s, end);
	messages[number].verdict = send_over(&s, number, &demand);
	messages[number].is_delivered = messages[number].verdict.disposition ==
	    DELIVERED;
	stream_close(&s);
}

/* ---- the server's end ---- */

static void
kept(struct intake_core *core, const struct kept *k, const struct envelope *e)
{
	struct str sender = e->sender;
	uint64_t number;

	(void)core;
	if (!str_skip(&sender, STR("m")) ||
	    !parse_u64(str_cut(&sender, '@'), TRIES, &number) ||
	    !messages[number].is_begun) {
		law_breaks("a message that nobody sent is kept");
		return;
	}
	messages[number].id = kept_id(k);
	house.kept++;
}

static yields void
law_of_250(const struct message *m)
{
	static char room[ROOM], last[64];
	struct str body;

	if (!m->is_delivered)
		return;
	if (m->id == 0) {
		law_breaks("a message that was answered with 250 is not kept");
		return;
	}
	house.last = m->id;
	body = house_body(room, sizeof room);
	(void)snprintf(last, sizeof last, m->lines == 0 ? "Subject: fine\r\n\r\n"
	    : "line %u of %u\r\n", m->lines, m->lines);
	if (!str_has_suffix_icase(body, str_of(last)))
		law_breaks("a message is not whole");
}

/* ---- a run ---- */

static yields void
middle_open(void)
{
	must(address_parse(STR("192.0.2.66"), 25, &middle.at));
	must((middle.listener = net_listen(&middle.at)) != NULL);
	must(fiber_go("middle", middle_run, NULL) == 0);
}

static yields void
tries(void)
{
	static const enum tls_level levels[] = { TLS_LEVEL_MAY,
		TLS_LEVEL_ENCRYPT };

	for (unsigned i = 0; i < TRIES; i++) {
		enum tls_level level = levels[sim_chance(2)];

		middle.how = (enum mischief)sim_chance(MISCHIEFS);
		middle.left = (int64_t)sim_chance(6000);
		client_try(i, &middle.at, level);
		while (middle.pumps > 0)
			fiber_sleep(in_ms(100));
		if (level == TLS_LEVEL_ENCRYPT && middle.said_mail)
			law_breaks("mail was begun in clear text");
		if (middle.how == HONEST && !messages[i].is_delivered)
			law_breaks(messages[i].verdict.text);
	}
}

static void
live(void *arg)
{
	static const struct tls_client_setup plain;

	(void)arg;
	open_server(ROLE_MX);
	house.core.kept = kept;
	client_ip = "127.0.0.1";
	identity = test_identity("EC", "mx.test");
	server.tls = tls_server_new(&(struct tls_server_setup){
	    .identities = &identity, .n = 1 });
	listener.tls = TLS_OFFERED;
	asking = tls_client_new(&plain);
	middle_open();
	tries();
	middle.how = HONEST;
	client_try(TRIES, &door_at, TLS_LEVEL_ENCRYPT);
	if (!messages[TRIES].is_delivered)
		law_breaks(messages[TRIES].verdict.text);
	for (unsigned i = 0; i <= TRIES; i++)
		law_of_250(&messages[i]);
	net_stop_listening(middle.listener);
	close_server();
	tls_drop(asking);
	test_identity_free(&identity);
}

static void
live_all(void *arg)
{
	must(core_run_all(1, live, arg) == 0);
	must(!law_is_broken);
}

static bool
private_run(uint64_t seed)
{
	struct sim_net n = sim_net();

	(void)seed;
	n.split_per_million = (unsigned)sim_chance(4) * 200000;
	sim_net_set(n);
	memset(messages, 0, sizeof messages);
	memset(&middle, 0, sizeof middle);
	house_use("");
	if (sim_life(live_all, NULL) == SIM_ENDED)
		return true;
	fprintf(stderr, "seed %ju: a law of TLS is broken\n", (uintmax_t)seed);
	return false;
}

const struct scenario scenario_private = { .name = "private",
	.run = private_run };
