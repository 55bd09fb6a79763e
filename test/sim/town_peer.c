/*
 * The others: servers that take mail, and clients that bring it.
 *
 *	198.51.100.11, .12	mx1, mx2.sink.test
 *	198.51.100.13		mx.origin.test, where reports go
 *	198.51.100.14		mx.picky.test: 554 to every dot
 *	198.51.100.19		mx.dead.test: nobody listens
 *	TOWN_LMTP		box.test: LMTP
 *	203.0.113.10 ...	the clients
 */
#include "town.h"

#include "base/id.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/stream.h"

#include <stdio.h>

enum { LMTP_SERVER = 4, SERVERS = 5, MORE = 4, RCPTS_HEARD = 32 };

static const char *const server_ips[LMTP_SERVER] = {
	"198.51.100.11", "198.51.100.12", "198.51.100.13", "198.51.100.14",
};

static struct net_end *listeners[SERVERS + MORE];
static size_t n_listeners;
static unsigned clients_left;

static struct mono
in_seconds(int64_t s)
{
	return mono_add(clock_mono(), s * NS_PER_SECOND);
}

/* ---- other servers ---- */

struct visit {
	struct stream s;
	bool is_picky, is_lmtp;
	bool is_from_null;
	size_t n;
	struct town_rcpt *rcpts[RCPTS_HEARD];	/* taken; NULL: a report's */
};

/* Where a mailbox of the path <...> begins. */
static struct str
path_local(struct str line)
{
	(void)str_cut(&line, '<');
	return str_cut(&line, '@');
}

static unsigned
rcpt_judge(struct town_rcpt *r)
{
	if (r->attempts < TOWN_ATTEMPTS)
		r->attempt_at[r->attempts] = clock_mono();
	r->attempts++;
	switch (r->want) {
	case WANT_REFUSED:
		return 550;
	case WANT_NEVER:
		return 451;
	case WANT_LATER:
		return r->attempts <= r->laters ? 450 : 250;
	case WANT_DELIVERED:
	case WANT_MAILBOX:
	case WANT_NOT_THIS:
	case WANT_NO_DOMAIN:
	case WANT_NO_HOST:
	case WANT_NO_DNS:
	case WANT_BOX:			/* said at the dot */
	case WANT_FULL:
	case WANT_EVIL:
	case WANTS:
		break;
	}
	return 250;
}

static unsigned
rcpt_hear(struct visit *v, struct str line)
{
	struct str local = path_local(line);
	struct town_rcpt *r = town_rcpt_of(local);
	unsigned code;

	if (v->n == RCPTS_HEARD)
		return 452;
	if (r == NULL && town_message_of(local) == NULL) {
		if (!str_has_prefix_icase(local, STR("gone")))
			town_ledger->strange++;
		return 550;
	}
	code = r == NULL ? 250 : rcpt_judge(r);
	if (code == 250)
		v->rcpts[v->n++] = r;
	return code;
}

/* False: the conversation ended in the middle. */
static yields bool
data_read(struct visit *v, struct town_reading *t)
{
	enum line_ending ending;
	struct str line;

	for (;;) {
		if (stream_line(&v->s, 2000, &line, &ending) != 0)
			return false;
		must(ending == LINE_CRLF);
		if (str_eq(line, STR(".")))
			return true;
		if (line.n > 0 && line.p[0] == '.')
			line = str_sub(line, 1, line.n);
		town_read(t, line);
	}
}

/* RFC 2033: each has a reply of his own. */
static void
boxes_take(struct visit *v, const struct town_reading *t)
{
	for (size_t i = 0; i < v->n; i++) {
		struct town_rcpt *r = v->rcpts[i];

		must(r != NULL);
		if (r->want == WANT_FULL) {
			stream_put(&v->s, STR("552 5.2.2 no room\r\n"));
		} else if (r->attempts <= r->laters) {
			stream_put(&v->s, STR("452 4.2.2 no room yet\r\n"));
		} else {
			town_copied(r, t);
			stream_put(&v->s, STR("250 2.0.0 kept\r\n"));
		}
	}
}

static void
mail_take(struct visit *v, const struct town_reading *t)
{
	for (size_t i = 0; i < v->n; i++) {
		if (v->rcpts[i] != NULL)
			town_copied(v->rcpts[i], t);
		else if (v->is_from_null)
			town_reported(t);
		else
			town_ledger->reports_from_somebody++;
	}
}

static yields bool
data_hear(struct visit *v)
{
	struct town_reading t = { .is_begun = false };

	if (v->n == 0) {
		stream_put(&v->s, STR("554 5.5.1 nobody to send to\r\n"));
		return true;
	}
	stream_put(&v->s, STR("354 go on\r\n"));
	if (!data_read(v, &t))
		return false;
	if (v->is_lmtp) {
		boxes_take(v, &t);
	} else if (v->is_picky) {
		stream_put(&v->s, STR("554 5.6.0 not this\r\n"));
	} else {
		mail_take(v, &t);
		stream_put(&v->s, STR("250 2.0.0 taken\r\n"));
	}
	v->n = 0;
	return true;
}

/* False: the end. */
static yields bool
command_hear(struct visit *v, struct str line)
{
	if (str_has_prefix_icase(line, v->is_lmtp ? STR("LHLO ") :
	    STR("EHLO ")))
		stream_put(&v->s, sim_chance(4) == 0 ?
		    STR("250-hello\r\n250 8BITMIME\r\n") :
		    STR("250-hello\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		    "250 SIZE 10000000\r\n"));
	else if (str_has_prefix_icase(line, STR("MAIL FROM:"))) {
		v->is_from_null = str_has_prefix_icase(line,
		    STR("MAIL FROM:<>"));
		v->n = 0;
		stream_put(&v->s, STR("250 2.1.0 sender\r\n"));
	} else if (str_has_prefix_icase(line, STR("RCPT TO:")))
		stream_printf(&v->s, "%u as planned\r\n", rcpt_hear(v, line));
	else if (str_eq(line, STR("DATA")))
		return data_hear(v);
	else if (str_eq(line, STR("QUIT"))) {
		stream_put(&v->s, STR("221 bye\r\n"));
		(void)stream_flush(&v->s);
		return false;
	} else
		stream_put(&v->s, STR("250 2.0.0 fine\r\n"));
	return true;
}

static yields void
visit_run(void *arg)
{
	struct visit v = { .n = 0 };
	enum line_ending ending;
	struct str line;
	struct address here;

	stream_init(&v.s, arg);
	must(net_local(arg, &here));
	v.is_lmtp = here.family == ADDRESS_UNIX || here.port == 24;
	v.is_picky = !v.is_lmtp &&
	    str_eq(str_of(address_print(&here).text), STR("198.51.100.14"));
	v.s.deadline = in_seconds(1200);
	stream_put(&v.s, STR("220 other.test\r\n"));
	while (stream_line(&v.s, 2000, &line, &ending) == 0 &&
	    command_hear(&v, line))
		v.s.deadline = in_seconds(1200);
	stream_close(&v.s);
}

static yields void
server_run(void *arg)
{
	struct net_end *listener = arg, *end;
	struct address peer;

	while ((end = net_accept(listener, &peer, MONO_NEVER)) != NULL)
		if (fiber_go("other server", visit_run, end) != 0)
			net_close(end);
	net_close(listener);
}

static void
door_open(const struct address *at)
{
	struct net_end *l = net_listen(at);

	must(l != NULL && n_listeners < SERVERS + MORE);
	listeners[n_listeners++] = l;
	must(fiber_go("others", server_run, l) == 0);
}

void
town_listen(const char *ip, uint16_t port)
{
	struct address at;

	must(address_parse(str_of(ip), port, &at));
	door_open(&at);
}

void
town_servers_open(void)
{
	struct address lmtp = { .family = ADDRESS_UNIX,
		.of.path = TOWN_LMTP };

	for (size_t i = 0; i < LMTP_SERVER; i++)
		town_listen(server_ips[i], 25);
	door_open(&lmtp);
}

void
town_servers_close(void)
{
	while (n_listeners > 0)
		net_stop_listening(listeners[--n_listeners]);
}

/* ---- clients ---- */

struct sending {
	struct stream s;
	unsigned m;
	struct town_message *message;
};

yields unsigned
town_hear(struct stream *s, struct str *text)
{
	enum line_ending ending;
	struct str line;
	uint64_t code;

	s->deadline = in_seconds(600);
	do {
		if (stream_line(s, 2000, &line, &ending) != 0 ||
		    !parse_u64(str_sub(line, 0, 3), 599, &code))
			return 0;
	} while (line.n > 3 && line.p[3] == '-');
	*text = str_sub(line, 3, line.n);
	return (unsigned)code;
}

static yields bool
says(struct sending *c, unsigned class)
{
	struct str text;

	return town_hear(&c->s, &text) / 100 == class;
}

static yields bool
envelope_say(struct sending *c)
{
	char room[64];

	stream_printf(&c->s, "MAIL FROM:<" STR_FMT "> BODY=8BITMIME\r\n",
	    STR_ARG(town_sender(c->m, room)));
	if (!says(c, 2))
		return false;
	if (town_now->aliases != NULL) {
		stream_printf(&c->s, "RCPT TO:<list%u@home.test> "
		    "NOTIFY=SUCCESS,FAILURE\r\n", c->m);
		if (!says(c, 2))
			return false;
	}
	for (size_t i = 0; i < c->message->n && town_now->aliases == NULL;
	    i++) {
		stream_printf(&c->s, "RCPT TO:<" STR_FMT ">\r\n",
		    STR_ARG(town_address(c->m, i, room)));
		if (!says(c, 2))
			return false;
	}
	stream_put(&c->s, STR("DATA\r\n"));
	return says(c, 3);
}

static yields void
content_say(struct sending *c)
{
	char room[128];

	for (unsigned i = 0; i < town_lines(c->m); i++) {
		struct str line = town_line(c->m, i, room);

		c->s.deadline = in_seconds(600);
		if (line.n > 0 && line.p[0] == '.')
			stream_put(&c->s, STR("."));
		stream_put(&c->s, line);
		stream_put(&c->s, STR("\r\n"));
	}
	c->message->is_dotted = true;
	stream_put(&c->s, STR(".\r\n"));
}

static void
acknowledge(struct sending *c, struct str text)
{
	size_t at = str_find_str(text, STR("Kept as "));
	struct town_message *t = c->message;

	must(at < text.n);
	must(id_parse(str_sub(text, at + 8, 13), &t->id));
	t->acked_at = clock_mono();
	t->is_acked = true;
}

static yields bool
message_say(struct sending *c)
{
	struct str text;

	if (!says(c, 2))
		return false;
	stream_put(&c->s, STR("EHLO client.test\r\n"));
	if (!says(c, 2) || !envelope_say(c))
		return false;
	content_say(c);
	if (town_hear(&c->s, &text) != 250)
		return false;
	acknowledge(c, text);
	stream_put(&c->s, STR("QUIT\r\n"));
	(void)says(c, 2);
	return true;
}

static yields bool
client_send(unsigned who, unsigned m)
{
	struct sending c = { .m = m, .message = &town_ledger->messages[m] };
	struct address from, to;
	struct net_end *end;
	char ip[32];

	snprintf(ip, sizeof ip, "203.0.113.%u", 10 + who);
	must(address_parse(STR("192.0.2.1"), 25, &to));
	must(address_parse(str_of(ip), 0, &from));
	end = net_connect(&to, &from, in_seconds(30));
	if (end == NULL)
		return false;
	stream_init(&c.s, end);
	(void)message_say(&c);
	stream_close(&c.s);
	return c.message->is_acked;
}

static yields void
client_run(void *number)
{
	unsigned me = *(unsigned *)number;
	unsigned tries = town_now->tries == 0 ? 5 : town_now->tries;

	fiber_sleep(mono_add(clock_mono(),
	    (int64_t)sim_chance(50) * NS_PER_MS));
	while (town_ledger->sent[me] < town_now->messages && tries > 0) {
		if (client_send(me, town_message_new(town_now->plan))) {
			town_ledger->sent[me]++;
			continue;
		}
		tries--;
		fiber_sleep(in_seconds(1 + (int64_t)sim_chance(10)));
	}
	clients_left--;
}

void
town_clients_start(void)
{
	static unsigned numbers[TOWN_CLIENTS];

	clients_left = town_now->clients == 0 ? 1 : town_now->clients;
	must(clients_left <= TOWN_CLIENTS);
	for (unsigned i = 0; i < clients_left; i++) {
		numbers[i] = i;
		must(fiber_go("client", client_run, &numbers[i]) == 0);
	}
}

unsigned
town_clients_left(void)
{
	return clients_left;
}
