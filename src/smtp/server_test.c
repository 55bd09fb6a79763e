/* server_test.c -- conversations: their order, their patience, their limits. */
#include "base/err.h"
#include "smtp/test_server.h"

/* ---- plain ---- */

static yields void
body_plain(void *arg)
{
	static const char *const steps[] = { HELLO, MESSAGE, MESSAGE, "C QUIT",
		"S 221 2.0.0", "E", NULL };

	(void)arg;
	open_server(ROLE_MX);
	play_new(steps);
	stream_close(&net);
	assert_int_equal(house.kept, 2);
	assert_int_equal(house_told("\"connected\"", "192.0.2.7"), 1);
	assert_int_equal(house_told("\"disconnected\"", "192.0.2.7"), 1);
	assert_int_equal(server.counts.messages, 2);
	close_server();
}

/* Two messages an hour of one network, and the third has time. */
static yields void
body_metered(void *arg)
{
	(void)arg;
	open_server(ROLE_MX);
	play_new((const char *const[]){ HELLO, MESSAGE, MESSAGE,
	    "C MAIL FROM:<ann@one.test>", "S 45", "C QUIT", "S 221", "E",
	    NULL });
	stream_close(&net);
	client_ip = "198.51.100.7";
	play_new((const char *const[]){ HELLO, MESSAGE, "C QUIT", "S 221", "E",
	    NULL });
	stream_close(&net);
	fiber_sleep(in_ms(3601 * 1000));
	client_ip = "192.0.2.7";
	play_new((const char *const[]){ HELLO, MESSAGE, "C QUIT", "S 221", "E",
	    NULL });
	stream_close(&net);
	assert_int_equal(house.kept, 4);
	close_server();
}

/* ---- users of this machine ---- */

/* The kernel says who it is. */
static yields void
dial_here(unsigned uid)
{
	struct sim_net kernel = sim_net();
	struct address here = { .family = ADDRESS_UNIX, .of.path = "/run/x" };
	struct address peer;
	struct net_end *l = net_listen(&here), *end;

	kernel.uid = uid;
	sim_net_set(kernel);
	must(l != NULL);
	end = net_connect(&here, NULL, in_ms(1000));
	must(end != NULL);
	stream_init(&net, end);
	net.deadline = mono_add(clock_mono(), 86400 * NS_PER_SECOND);
	end = net_accept(l, &peer, in_ms(1000));
	must(end != NULL);
	net_close(l);
	must(fiber_go("session", serve_one, end) == 0);
}

static yields void
body_local(void *arg)
{
	(void)arg;
	open_server(ROLE_SUBMISSION);
	listener.is_local = true;
	dial_here(1001);
	play(&net, (const char *const[]){ HELLO, MESSAGE, MESSAGE,
	    "C MAIL FROM:<ann@one.test>", "S 45", "C QUIT", "S 221", "E",
	    NULL });
	assert_int_equal(house.kept, 2);
	assert_int_equal(house_told("\"queued\"", "uid:1001"), 2);
	assert_int_equal(house_told("\"queued\"", "192.0.2.7"), 0);
	stream_close(&net);
	dial_here(0);			/* root has no limit */
	play(&net, (const char *const[]){ HELLO, MESSAGE, MESSAGE, MESSAGE,
	    "C QUIT", "S 221", "E", NULL });
	stream_close(&net);
	close_server();
}

/* ---- time ---- */

/* RFC 5321 4.5.3.2.7: after exactly five minutes. */
static yields void
body_silence(void *arg)
{
	static const char *const steps[] = { "S 220 ", NULL };
	struct mono began;

	(void)arg;
	open_server(ROLE_MX);
	play_new(steps);
	began = clock_mono();
	hear(&net, "421 4.4.2");
	assert_in_range(clock_mono().ns - began.ns, 300 * NS_PER_SECOND -
	    NS_PER_SECOND / 10, 300 * NS_PER_SECOND + NS_PER_SECOND / 10);
	hear_end(&net);
	stream_close(&net);
	close_server();
}

/* One octet a minute is no command: the deadline is the line's. */
static yields void
body_slow_command(void *arg)
{
	static const char *const hello[] = { "S 220 ", NULL };
	static const char *const more[] = { "R N", NULL };
	struct mono began;

	(void)arg;
	open_server(ROLE_MX);
	play_new(hello);
	began = clock_mono();
	for (int i = 0; i < 4; i++) {
		fiber_sleep(in_ms(60 * 1000));
		play(&net, more);
	}
	hear(&net, "421 4.4.2");
	assert_in_range(clock_mono().ns - began.ns, 299 * NS_PER_SECOND,
	    301 * NS_PER_SECOND);
	stream_close(&net);
	close_server();
}

/* SECURITY.md row 25: 500 octets a second over each minute suffice, fewer do
 * not. */
static yields void
try_pace(size_t a_second, unsigned seconds, bool suffices)
{
	static const char *const begin[] = { HELLO, ENVELOPE, "C DATA", "S 354",
		NULL };
	static char line[1000];
	struct mono began;

	play_new(begin);
	memset(line, 'x', sizeof(line));
	memcpy(line + a_second - 2, "\r\n", 2);
	began = clock_mono();
	for (unsigned i = 0; i < seconds && net.trouble == STREAM_FINE; i++) {
		stream_put(&net, (struct str){ line, a_second });
		stream_flush(&net);
		fiber_sleep(in_ms(1000));
	}
	if (suffices) {
		stream_put(&net, STR(".\r\n"));
		hear(&net, "250 2.0.0");
	} else {
		hear(&net, "421 4.4.2");
		assert_in_range(clock_mono().ns - began.ns, 60 *
		    NS_PER_SECOND, (int64_t)(seconds + 1) * NS_PER_SECOND);
		hear_end(&net);
	}
	stream_close(&net);
}

static yields void
body_pace(void *arg)
{
	(void)arg;
	open_server(ROLE_MX);
	try_pace(510, 200, true);
	try_pace(490, 60, false);
	try_pace(3, 50, true);		/* short and slow, but in time */
	try_pace(3, 60, false);
	assert_int_equal(house.kept, 2);
	assert_int_equal(house_told("\"refused\"", "\"late\""), 2);
	close_server();
}

/* ---- state x verb ---- */

struct expected { short code; const char *esc; };

static const struct expected says[SESSION_REPLIES] = {
	[REPLY_ABSENT] = { 502, "5.5.1" }, [REPLY_MIXED] = { 503, "5.5.1" },
	[REPLY_NESTED] = { 503, "5.5.1" },
	[REPLY_NO_AUTH] = { 503, "5.5.1" }, [REPLY_NO_HELO] = { 503, "5.5.1" },
	[REPLY_NO_MAIL] = { 503, "5.5.1" }, [REPLY_NO_RCPT] = { 503, "5.5.1" },
};

static const enum session_reply table[VERBS][SESSION_STATES] = {
#define STATE(verb, start, ready, mail, rcpt, bdat, argument, hold) \
	[VERB_##verb] = { REPLY_##start, REPLY_##ready, REPLY_##mail, \
	    REPLY_##rcpt, REPLY_##bdat },
#include "smtp/states.def"
#undef STATE
};

enum { STATE_ROWS = 0
#define STATE(verb, start, ready, mail, rcpt, bdat, argument, hold) + 1
#include "smtp/states.def"
#undef STATE
};

/* What a verb is said with, what it is answered when it may be, and the state
 * that it leads to (-1: as it was, -2: the conversation is over). */
static const struct trial {
	const char *text, *answer;	/* NULL: as `answers' says */
	int to[SESSION_STATES];
	const char *answers[SESSION_STATES];
} trials[VERBS] = {
	/* nobody logs in here: auth_test.c has somebody */
	[VERB_AUTH] = { .text = "AUTH PLAIN\r\n",
	    .answers = { [SESSION_READY] = "503 5.5.1 AUTH" },
	    .to = { -1, -1, -1, -1, -1 } },
	[VERB_BDAT] = { .text = "BDAT 3 LAST\r\nx\r\n", .answers = {
		"503 5.5.1 Say EHLO", "503 5.5.1 Say MAIL",
		"503 5.5.1 Say RCPT", "250 2.0.0 Kept", "250 2.0.0 Kept" },
	    .to = { -1, -1, -1, SESSION_READY, SESSION_READY } },
	[VERB_DATA] = { "DATA\r\n", "354", { -1, -1, -1, SESSION_READY },
	    { 0 } },
	[VERB_EHLO] = { "EHLO me.test\r\n", "250-",
	    { SESSION_READY, SESSION_READY, SESSION_READY, SESSION_READY,
	    SESSION_READY }, { 0 } },
	/* configured for nobody here: transaction_test.c is for others */
	[VERB_ETRN] = { .text = "ETRN two.test\r\n",
	    .answers = { [SESSION_READY] = "502 5.5.1" },
	    .to = { -1, -1, -1, -1, -1 } },
	/* no certificate here: starttls_test.c has one */
	[VERB_STARTTLS] = { .text = "STARTTLS\r\n",
	    .answers = { [SESSION_READY] = "502 5.5.1" },
	    .to = { -1, -1, -1, -1, -1 } },
	[VERB_XCLIENT] = { .text = "XCLIENT ADDR=1.2.3.4\r\n",
	    .answers = { "550 5.7.0", "550 5.7.0" },
	    .to = { -1, -1, -1, -1, -1 } },
	[VERB_HELO] = { "HELO me.test\r\n", "250 mx.test",
	    { SESSION_READY, SESSION_READY, SESSION_READY, SESSION_READY,
	    SESSION_READY }, { 0 } },
	[VERB_HELP] = { "HELP QUIT\r\n", "214 2.0.0", { -1, -1, -1, -1, -1 }, { 0 } },
	[VERB_MAIL] = { "MAIL FROM:<ann@one.test>\r\n", "250 2.1.0",
	    { -1, SESSION_MAIL, -1, -1, -1 }, { 0 } },
	[VERB_NOOP] = { "NOOP\r\n", "250 2.0.0", { -1, -1, -1, -1, -1 }, { 0 } },
	[VERB_QUIT] = { "QUIT\r\n", "221 2.0.0", { -2, -2, -2, -2, -2 }, { 0 } },
	[VERB_RCPT] = { "RCPT TO:<bob@two.test>\r\n", "250 2.1.5",
	    { -1, -1, SESSION_RCPT, SESSION_RCPT, -1 }, { 0 } },
	[VERB_RSET] = { "RSET\r\n", "250 2.0.0",
	    { SESSION_START, SESSION_READY, SESSION_READY, SESSION_READY,
	    SESSION_READY }, { 0 } },
	[VERB_VRFY] = { "VRFY bob\r\n", "252 2.0.0", { -1, -1, -1, -1, -1 }, { 0 } },
};

static const char *const ways[SESSION_STATES][32] = {
	[SESSION_START] = { "S 220 ", NULL },
	[SESSION_READY] = { HELLO, NULL },
	[SESSION_MAIL] = { HELLO, "C MAIL FROM:<ann@one.test>", "S 250 2.1.0",
	    NULL },
	[SESSION_RCPT] = { HELLO, ENVELOPE, NULL },
	[SESSION_BDAT] = { HELLO, ENVELOPE, "C BDAT 3", "R x\r\n",
	    "S 250 2.0.0 3 octets", NULL },
};

/* Which state is it?  DATA and RCPT know. */
static yields void
expect_state(enum session_state want)
{
	static const char *const probes[SESSION_STATES][8] = {
		[SESSION_START] = { "C DATA", "S 503 5.5.1 Say EHLO", NULL },
		[SESSION_READY] = { "C DATA", "S 503 5.5.1 Say MAIL", NULL },
		[SESSION_MAIL] = { "C DATA", "S 503 5.5.1 Say RCPT", NULL },
		[SESSION_RCPT] = { "C DATA", "S 354 ", "C .", "S 250 2.0.0",
		    NULL },
		[SESSION_BDAT] = { "C DATA", "S 503 5.5.1 The message has",
		    "C BDAT 0 LAST", "S 250 2.0.0 Kept", NULL },
	};

	play(&net, probes[want]);
}

static yields void
try_verb(enum verb verb, enum session_state state)
{
	const struct trial *trial = &trials[verb];
	enum session_reply reply = table[verb][state];
	char text[64], want[64];
	int to = -1;

	snprintf(text, sizeof(text), "%s\r\n", verb_name(verb));
	if (reply == REPLY_GO) {
		assert_true(trial->answer != NULL ||
		    trial->answers[state] != NULL);
		snprintf(want, sizeof(want), "%s", trial->answer != NULL ?
		    trial->answer : trial->answers[state]);
		to = trial->to[state];
	} else {
		assert_non_null(says[reply].esc);
		snprintf(want, sizeof(want), "%d %s", says[reply].code,
		    says[reply].esc);
	}
	play_new(ways[state]);
	stream_put(&net, str_of(trial->text != NULL ? trial->text : text));
	hear(&net, want);
	if (str_eq(str_of(want), STR("250-")))
		hear_all(&net, "250");
	if (str_eq(str_of(want), STR("354")))
		play(&net, (const char *const[]){ "C .", "S 250 2.0.0", NULL });
	if (to == -2)
		hear_end(&net);
	else
		expect_state(to == -1 ? state : (enum session_state)to);
	stream_close(&net);
}

static yields void
body_states(void *arg)
{
	unsigned foreign = 0;

	(void)arg;
	open_server(ROLE_MX);
	for (enum verb verb = 0; verb < VERBS; verb++) {
		struct command command;

		if (command_parse(str_of(verb_name(verb)), 0, &command) != NULL) {
			foreign++;
			continue;
		}
		for (enum session_state s = 0; s < SESSION_STATES; s++)
			try_verb(verb, s);
	}
	/* every verb has its row, and none has two */
	assert_int_equal(STATE_ROWS + foreign, VERBS);
	close_server();
}

/* ---- every split ---- */

static const char split_said[] =
    "EHLO me.test\r\nMAIL FROM:<ann@one.test> SIZE=20\r\n"
    "RCPT TO:<bob@two.test>\r\nRCPT TO:<nobody@two.test>\r\nDATA\r\n"
    "Subject: x\r\n\r\n..\r\n.x\r\n.\r\nNOOP\nRSET\r\nMAIL FROM:<>\r\nVRFY x\r\n"
    "QUIT\r\n";
static const char *const split_heard[] = { "S 220", "M 250", "S 250 2.1.0", "S 250 2.1.5",
	"S 550 5.1.1", "S 354", "S 250 2.0.0 Kept", "S 500 5.5.2",
	"S 250 2.0.0 F", "S 250 2.1.0", "S 252", "S 221", "E", NULL };

static yields void
body_splits(void *arg)
{
	size_t n = strlen(split_said);

	(void)arg;
	open_server(ROLE_MX);
	for (size_t at = 0; at <= n; at++) {
		dial(&net);
		stream_put(&net, (struct str){ split_said, at });
		stream_flush(&net);
		fiber_sleep(in_ms(50));
		stream_put(&net, (struct str){ split_said + at, n - at });
		play(&net, split_heard);
		stream_close(&net);
	}
	assert_int_equal(house.kept, n + 1);
	close_server();
}

/* ---- limits ---- */

/* A server that is short of sessions takes patience back, also from those that
 * wait already; the rest hears that it is busy. */
static yields void
body_busy(void *arg)
{
	static const char *const hello[] = { "S 220 ", NULL };
	static struct stream many[10], last;
	struct mono began;

	(void)arg;
	open_server(ROLE_MX);
	began = clock_mono();
	for (int i = 0; i < 8; i++) {
		dial(&many[i]);
		play(&many[i], hello);
	}
	fiber_sleep(in_ms(10 * 1000));
	assert_false(server.is_busy);
	for (int i = 8; i < 10; i++) {
		dial(&many[i]);
		play(&many[i], hello);
	}
	assert_true(server.is_busy);
	dial(&last);
	hear(&last, "421 4.3.2");
	hear_end(&last);
	stream_close(&last);
	for (int i = 0; i < 10; i++) {
		hear(&many[i], "421 4.4.2");
		assert_in_range(clock_mono().ns - began.ns,
		    (i < 8 ? 29 : 39) * NS_PER_SECOND,
		    (i < 8 ? 31 : 41) * NS_PER_SECOND);
		stream_close(&many[i]);
	}
	fiber_sleep(in_ms(1000));
	assert_false(server.is_busy);
	assert_int_equal(house_told("\"refused\"", "4.3.2"), 1);
	close_server();
}

/* A stop: idle sessions hear it at once, a message under way is taken. */
static yields void
body_shut(void *arg)
{
	static const char *const idle[] = { HELLO, NULL };
	static const char *const begin[] = { HELLO, ENVELOPE, "C DATA", "S 354",
		"C half", NULL };
	static const char *const end[] = { "C .", "S 250 2.0.0", "S 421 4.3.2",
		"E", NULL };
	static struct stream waits;
	struct mono now;

	(void)arg;
	open_server(ROLE_MX);
	dial(&waits);
	play(&waits, idle);
	play_new(begin);
	fiber_sleep(in_ms(1000));
	server_shut(&server);
	now = clock_mono();
	hear(&waits, "421 4.3.2");
	hear_end(&waits);
	assert_in_range(clock_mono().ns - now.ns, 0, NS_PER_SECOND);
	play(&net, end);
	assert_int_equal(house.kept, 1);
	stream_close(&net);
	dial(&net);
	hear(&net, "421 4.3.2");
	stream_close(&net);
	stream_close(&waits);
	close_server();
}

/* Somebody else fills the disk but for `left' octets. */
static yields int
fill_disk(uint64_t left)
{
	struct disk_space space;
	int fd = disk_open("/filler", DISK_WRITE | DISK_CREATE, 0600);

	assert_true(fd >= 0);
	assert_int_equal(disk_space("/", &space), 0);
	assert_int_equal(disk_zero_fill(fd, space.free - left), 0);
	return fd;
}

/* A disk that fails: 451, nothing is kept, and the session lives.  One that is
 * nearly full: 452 at MAIL until there is room again. */
static yields void
body_disk(void *arg)
{
	static const char *const fails[] = { HELLO, ENVELOPE, "C DATA", "S 354",
		"C Subject: x", "C .", "S 451 4.3.0", "C NOOP", "S 250", NULL };
	static const char *const look[] = { "C MAIL FROM:<ann@one.test>", "S ",
		"C RSET", "S 250", NULL };
	static const char *const full[] = { "C MAIL FROM:<ann@one.test>",
		"S 452 4.3.1", NULL };
	static const char *const fine[] = { MESSAGE, NULL };
	int filler;

	(void)arg;
	sim_disk_size(64 << 20);
	open_server(ROLE_MX);
	sim_fault_nth(SIM_disk_fdatasync, 1, 1000, EIO);
	play_new(fails);
	sim_faults_clear();
	assert_int_equal(house_told("\"queued\"", NULL), 0);
	filler = fill_disk(500 * 1000);
	fiber_sleep(in_ms(2000));
	play(&net, look);
	fiber_sleep(in_ms(2000));
	play(&net, full);
	assert_int_equal(house.kept, 0);
	assert_int_equal(disk_truncate(filler, 0), 0);
	disk_close(filler);
	/* the first makes it look, the second finds a spare made */
	for (int i = 0; i < 2; i++) {
		play(&net, look);
		fiber_sleep(in_ms(2000));
	}
	play(&net, fine);
	assert_int_equal(house.kept, 1);
	stream_close(&net);
	close_server();
}

/* The configuration of MAIL serves the whole transaction, and is let go at its
 * end. */
static yields void
body_reload(void *arg)
{
	static const char *const begin[] = { HELLO, "C MAIL FROM:<ann@one.test>",
		"S 250", NULL };
	static const char *const end[] = { "C RCPT TO:<bob@two.test>", "S 250",
		"C RCPT TO:<new@new.test>", "S 550 5.7.1", "C DATA", "S 354",
		"C x: y", "C .", "S 250", "C MAIL FROM:<ann@one.test>", "S 250",
		"C RCPT TO:<new@new.test>", "S 250", NULL };
	struct config *next = arg;

	open_server(ROLE_MX);
	play_new(begin);
	config_hold(&house.holder, next);
	config_release(house.config);
	play(&net, end);
	stream_close(&net);
	house.config = next;
	close_server();
}

/* Memory of one transaction: 452, and what was accepted goes on. */
static yields void
body_memory(void *arg)
{
	static const char *const begin[] = { HELLO, "C MAIL FROM:<ann@one.test>",
		"S 250", NULL };
	static const char *const end[] = { "C DATA", "S 354", "C x: y", "C .",
		"S 250", NULL };
	enum line_ending ending;
	struct str line;
	size_t n = 0;

	(void)arg;
	open_server(ROLE_RELAY);
	client_ip = "127.0.0.1";
	play_new(begin);
	do {
		stream_printf(&net, "RCPT TO:<user%06zu@a.rather.long.name.of."
		    "a.host.in.far.test>\r\n", n++);
		assert_int_equal(stream_line(&net, 512, &line, &ending), 0);
	} while (str_has_prefix_icase(line, STR("250 ")));
	assert_true(str_has_prefix_icase(line, STR("452 4.3.1 ")));
	assert_in_range(n, 100, 1000);
	assert_in_range(server.memory, 1, 70000);
	play(&net, end);
	/* between transactions only the name it gave is held */
	assert_in_range(server.memory, 1, 2048);
	stream_close(&net);
	close_server();
}

/* What the world has to do for a line said three times at once. */
static yields uint64_t
count_verbs(const char *line)
{
	uint64_t before;

	fiber_sleep(in_ms(10 * 1000));	/* the spool has settled */
	before = sim_verbs();
	stream_printf(&net, "%s\r\n%s\r\n%s\r\n", line, line, line);
	for (int i = 0; i < 3; i++)
		hear(&net, "25");
	return sim_verbs() - before;
}

/* RFC 2920 3.2: replies are held back while there is more to read, but not those
 * that the client may be waiting for. */
static yields void
body_batches(void *arg)
{
	static const char *const hello[] = { HELLO, NULL };
	struct sim_net calm = sim_net();
	uint64_t batched;

	(void)arg;
	calm.split_per_million = 0;
	calm.jitter_ns = 0;
	sim_net_set(calm);
	open_server(ROLE_MX);
	play_new(hello);
	batched = count_verbs("RSET");
	assert_int_equal(count_verbs("RSET"), batched);
	assert_int_equal(count_verbs("NOOP"), batched + 2);
	assert_int_equal(count_verbs("VRFY bob"), batched + 2);
	stream_close(&net);
	close_server();
}

/* Who floods hears why he is sent away, although nobody reads what he sends. */
static yields void
body_flood(void *arg)
{
	static const char *const hello[] = { "S 220 ", NULL };
	static char flood[40000];

	(void)arg;
	open_server(ROLE_MX);
	play_new(hello);
	memset(flood, 'x', sizeof(flood));
	memcpy(flood, "POST / HTTP/1.1\r\n", 17);
	stream_put(&net, (struct str){ flood, sizeof(flood) });
	hear(&net, "421 4.7.0");
	err_clear();
	hear_end(&net);
	assert_string_equal(err_text(), "the peer closed");	/* not: reset */
	stream_close(&net);
	close_server();
}

TEST(plain, "")
TEST(metered, "limits: { messages_per_ip: 2/h }\n")
TEST(local, "submit: { rate: 2/h }\n")
TEST(silence, "")
TEST(slow_command, "")
TEST(pace, "")
TEST(states, "limits: { per_ip: none }\n")
TEST(splits, "limits: { per_ip: none }\n")
TEST(busy, "limits: { connections: 10 }\n")
TEST(shut, "")
TEST(disk, "")
TEST(batches, "")
TEST(flood, "")
TEST(memory, "limits: { message_memory: 64K }\n")

static struct config *next_config;

static yields void
body_reload_to(void *arg)
{
	(void)arg;
	body_reload(next_config);
}

static void
test_reload(void **state)
{
	(void)state;
	sim_begin(1);
	house_use("");
	next_config = house_config("hostname: mx.test\ndomains:\n"
	    "  new.test: { users: [ new ] }\n", "");
	on_core(body_reload_to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_silence),
		cmocka_unit_test(test_slow_command), cmocka_unit_test(test_pace),
		cmocka_unit_test(test_states), cmocka_unit_test(test_splits),
		cmocka_unit_test(test_busy), cmocka_unit_test(test_shut),
		cmocka_unit_test(test_batches), cmocka_unit_test(test_flood),
		cmocka_unit_test(test_reload), cmocka_unit_test(test_memory),
		cmocka_unit_test(test_disk), cmocka_unit_test(test_metered),
		cmocka_unit_test(test_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
