/* exchange_test.c -- service extensions, as the client uses what peers offer. */
#include "smtp/test_client.h"

#define U "\xc3\xbc"

/* ---- DSN ---- */

/* RFC 3461 4, 5.2.1: passed on as they were given, each in its encoding. */
static yields void
body_dsn(void *arg)
{
	static const char *const lines[] = { GREETING, "S 250-PIPELINING",
		"S 250 DSN",
		"C MAIL FROM:<ann@one.test> RET=HDRS ENVID=a+2Bb+20c",
		"C RCPT TO:<bob@two.test> NOTIFY=SUCCESS,FAILURE,DELAY "
		"ORCPT=rfc822;b+2Bb@two.test",
		"C RCPT TO:<carol@two.test> NOTIFY=NEVER",
		"C RCPT TO:<dave@two.test> ORCPT=utf-8;d\\x{FC}@two.test",
		"C DATA", "S 250 ok", "S 250 ok", "S 250 ok", "S 250 ok",
		"S 354 go", "BODY", "S 250 ok", NULL };
	static const struct client_recipient list[] = {
		{ STR_INIT("bob@two.test"), NOTIFY_SUCCESS | NOTIFY_FAILURE |
		    NOTIFY_DELAY, STR_INIT("rfc822;b+b@two.test") },
		{ STR_INIT("carol@two.test"), NOTIFY_NEVER, { NULL, 0 } },
		{ STR_INIT("dave@two.test"), 0,
		    STR_INIT("utf-8;d" U "@two.test") },
	};

	(void)arg;
	meet(lines);
	greet();
	message.n = 3;
	message.recipients = list;
	message.envid = STR("a+b c");
	message.ret = RET_HDRS;
	client_send(&client, &message, verdicts);
	expect(2, DELIVERED, 250, "2.0.0");
	assert_true(client_passes_dsn(&client));
	part();
}

/* RFC 3461 5.2.2 (a): none of them to who does not know them. */
static yields void
body_no_dsn(void *arg)
{
	static const char *const lines[] = { PLAIN,
		"C MAIL FROM:<ann@one.test>", "S 250 ok",
		"C RCPT TO:<bob@two.test>", "S 250 ok", "C DATA", "S 354 go",
		"BODY", "S 250 ok", NULL };
	static const struct client_recipient one = { STR_INIT("bob@two.test"),
		NOTIFY_SUCCESS, STR_INIT("rfc822;b@two.test") };

	(void)arg;
	meet(lines);
	greet();
	message.recipients = &one;
	message.envid = STR("x");
	message.ret = RET_FULL;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	assert_false(client_passes_dsn(&client));
	part();
}

/* ---- CHUNKING ---- */

#define CHUNKING GREETING, "S 250-PIPELINING", "S 250-CHUNKING", \
	"S 250-BINARYMIME", "S 250 8BITMIME"

/* RFC 3030 2: BDAT only when MAIL and RCPT were answered; no dot is doubled. */
static yields void
body_bdat(void *arg)
{
	static const char *const lines[] = { CHUNKING, "C MAIL", "C RCPT",
		"C RCPT", "S 250 ok", "S 250 ok", "S 550 5.1.1 no",
		"B BDAT 25 LAST", "S 250 2.0.0 Kept",
		"C MAIL", "C RCPT", "S 250 ok", "S 550 5.1.1 no",
		"C RSET", "C MAIL", "C RCPT", "S 250 ok", "S 250 ok", "S 250 ok",
		"B BDAT 1 LAST", "S 552 5.3.4 too much", "C RSET",
		"C MAIL FROM:<ann@one.test> BODY=BINARYMIME", "C RCPT",
		"S 250 ok", "S 250 ok", "S 250 ok", "B BDAT 4 LAST", "S 250 ok",
		NULL };

	(void)arg;
	meet(lines);
	greet();
	message.n = 2;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, FAILED, 550, "5.1.1");
	assert_int_equal(heard_n, 25);
	assert_memory_equal(heard, source.whole.p, 25);
	message.n = 1;
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 550, "5.1.1");
	message_set(STR("x"));
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 552, "5.3.4");
	assert_true(client_is_usable(&client));
	message_set(STR("\0\r\n\xff"));
	message.body = CLIENT_BODY_BINARY;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
}

enum { MIB = 1024 * 1024 };

static yields int64_t
read_much(void *arg, char *to, size_t n)
{
	uint64_t *left = arg;

	if (n > *left)
		n = (size_t)*left;
	memset(to, 'x', n);
	*left -= n;
	return (int64_t)n;
}

static void
rewind_never(void *arg)
{
	(void)arg;
	must(false);
}

static uint64_t much;

static void
message_of(uint64_t size)
{
	much = size;
	message_set(STR(""));
	message.size = size;
	message.read = read_much;
	message.rewind = rewind_never;
	message.arg = &much;
}

/* Chunks of 1 MiB: with PIPELINING the answer is heard behind the next, without
 * at once; a refusal ends it. */
static yields void
body_chunks(void *arg)
{
	static const char *const ahead[] = { CHUNKING, "C MAIL", "C RCPT",
		"S 250 ok", "S 250 ok", "B BDAT 1048576", "B BDAT 1048576",
		"S 250 ok", "B BDAT 1 LAST", "S 250 ok", "S 250 ok",
		"C MAIL", "C RCPT", "S 250 ok", "S 250 ok", "B BDAT 1048576",
		"B BDAT 1048576", "S 452 4.3.1 full", "S 503 5.5.1 no",
		NULL };
	static const char *const alone[] = { GREETING, "S 250 CHUNKING",
		"C MAIL", "S 250 ok", "C RCPT", "S 250 ok", "B BDAT 1048576",
		"S 250 ok", "B BDAT 1048576 LAST", "S 250 ok",
		"C MAIL", "S 250 ok", "C RCPT", "S 250 ok", "B BDAT 1048576",
		"S 554 5.6.0 never", NULL };

	(void)arg;
	meet(ahead);
	greet();
	message_of(2 * MIB + 1);
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	heard_n = 0;
	message_of(3 * MIB);
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 452, "4.3.1");
	assert_true(client_is_usable(&client) && client.must_reset);
	part();
	meet(alone);
	greet();
	message_of(2 * MIB);
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	heard_n = 0;
	message_of(2 * MIB);
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 554, "5.6.0");
	part();
}

/* What we have is not what we said that it would be: it is never ended. */
static yields void
body_miscounted(void *arg)
{
	static const char *const lines[] = { CHUNKING, "C MAIL", "C RCPT",
		"S 250 ok", "S 250 ok", NULL };

	(void)arg;
	for (int64_t off = -1; off <= 1; off += 2) {
		meet(lines);
		greet();
		message.size = (uint64_t)((int64_t)message.size + off);
		client_send(&client, &message, verdicts);
		expect(0, DEFERRED, 0, "4.3.0");
		assert_false(client_is_usable(&client));
		part();
	}
	meet(lines);
	greet();
	source.fails = true;
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 0, "4.3.0");
	part();
}

/* RFC 2033 and 3030: a reply for each behind the last chunk. */
static yields void
body_lmtp_bdat(void *arg)
{
	static const char *const lines[] = { LMTP, "S 250-PIPELINING",
		"S 250 CHUNKING", "C MAIL", "C RCPT", "C RCPT", "C RCPT",
		"S 250 ok", "S 250 ok", "S 550 5.1.1 no", "S 250 ok",
		"B BDAT 25 LAST", "S 250 2.0.0 bob has it",
		"S 452 4.2.2 dave is full", "C MAIL", "C RCPT", "S 250 ok",
		"S 250 ok", "B BDAT 1 LAST", "S 250 ok", NULL };

	(void)arg;
	meet_kind(lines, CLIENT_LMTP);
	greet();
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, FAILED, 550, "5.1.1");
	expect(2, DEFERRED, 452, "4.2.2");
	message_set(STR("x"));
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
}

/* ---- what is converted ---- */

#define MIXED "Subject: x\r\nMIME-Version: 1.0\r\n" \
	"Content-Type: text/plain; charset=utf-8\r\n" \
	"Content-Transfer-Encoding: 8bit\r\n\r\nIt is all very gr" U "n.\r\n"
#define MIXED_QP "Subject: x\r\nMIME-Version: 1.0\r\n" \
	"Content-Type: text/plain; charset=utf-8\r\n" \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n" \
	"It is all very gr=C3=BCn.\r\n"

/* RFC 6152 3, with the size that it then has; and by BDAT too. */
static yields void
body_converted(void *arg)
{
	static const char *const by_data[] = { GREETING, "S 250 SIZE 1000",
		"C MAIL FROM:<ann@one.test> SIZE=146", "S 250 ok", "C RCPT",
		"S 250 ok", "C DATA", "S 354 go", "BODY", "S 250 ok", NULL };
	static const char *const by_bdat[] = { GREETING, "S 250-CHUNKING",
		"S 250 SIZE", "C MAIL FROM:<ann@one.test> SIZE=146", "S 250 ok",
		"C RCPT", "S 250 ok", "B BDAT 146 LAST", "S 250 ok", NULL };
	static const char *const too_small[] = { GREETING, "S 250 SIZE 145",
		NULL };

	(void)arg;
	assert_int_equal(sizeof MIXED_QP - 1, 146);
	for (int i = 0; i < 2; i++) {
		meet(i == 0 ? by_data : by_bdat);
		greet();
		message_set(STR(MIXED));
		message.body = CLIENT_BODY_8BIT;
		source.at_once = 7;
		client_send(&client, &message, verdicts);
		expect(0, DELIVERED, 250, "2.0.0");
		assert_int_equal(heard_n, 146);
		assert_memory_equal(heard, MIXED_QP, 146);
		part();
	}
	meet(too_small);
	greet();
	message_set(STR(MIXED));
	message.body = CLIENT_BODY_8BIT;
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 552, "5.3.4");
	part();
}

/* The envelope says more than is there: the octets go as they are. */
static yields void
body_nothing_to_convert(void *arg)
{
	static const char *const lines[] = { PLAIN, "C MAIL FROM:<ann@one.test>",
		"S 250 ok", "C RCPT", "S 250 ok", "C DATA", "S 354 go", "BODY",
		"S 250 ok", NULL };

	(void)arg;
	meet(lines);
	greet();
	message.body = CLIENT_BODY_BINARY;
	message.is_utf8 = true;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
	assert_memory_equal(heard, "Subject: x\r\n\r\n..dot\r\nbye\r\n", heard_n);
}

/* Binary to one who takes 8 bits, but no BDAT with it. */
static yields void
body_binary_to_8bit(void *arg)
{
	static const char *const lines[] = { GREETING, "S 250-BINARYMIME",
		"S 250 8BITMIME", "C MAIL FROM:<ann@one.test> BODY=8BITMIME",
		"S 250 ok", "C RCPT", "S 250 ok", "C DATA", "S 354 go", "BODY",
		"S 250 ok", NULL };
	static const char want[] = "MIME-Version: 1.0\r\nContent-Type: image/x"
	    "\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEK\r\n";

	(void)arg;
	meet(lines);
	greet();
	message_set(STR("MIME-Version: 1.0\r\nContent-Type: image/x\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n\0\1\n"));
	message.body = CLIENT_BODY_BINARY;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
	assert_int_equal(heard_n, sizeof want - 1);
	assert_memory_equal(heard, want, heard_n);
}

struct refused {
	struct str text;
	enum client_body body;
	bool is_utf8;
	const char *esc;
};

/* Not a word is said of what the peer cannot take, and no bit stripped. */
static yields void
body_refused(void *arg)
{
	static const char *const lines[] = { PLAIN, "C QUIT", "S 221 bye",
		NULL };
	static const struct refused list[] = {
		{ STR_INIT("Subject: gr" U "n\r\n\r\nx\r\n"), CLIENT_BODY_8BIT,
		    true, "5.6.7" },
		{ STR_INIT("Subject: gr" U "n\r\n\r\nx\r\n"), CLIENT_BODY_7BIT,
		    true, "5.6.7" },
		{ STR_INIT("Subject: gr" U "n\r\n\r\nx\r\n"), CLIENT_BODY_8BIT,
		    false, "5.6.3" },
		{ STR_INIT("Content-Type: message/rfc822\r\n\r\nSubject: " U
		    "\r\n\r\nx\r\n"), CLIENT_BODY_8BIT, true, "5.6.7" },
		{ STR_INIT("Content-Type: multipart/signed; boundary=b\r\n\r\n"
		    "--b\r\n\r\n" U "\r\n--b--\r\n"), CLIENT_BODY_8BIT, false,
		    "5.6.3" },
	};

	(void)arg;
	meet(lines);
	greet();
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		message_set(list[i].text);
		message.body = list[i].body;
		message.is_utf8 = list[i].is_utf8;
		client_send(&client, &message, verdicts);
		expect(0, FAILED, 0, list[i].esc);
	}
	message_set(STR(MIXED));
	message.body = CLIENT_BODY_8BIT;
	source.fails = true;
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 0, "4.3.0");
	assert_true(client_is_usable(&client));	/* nothing was said */
	client_quit(&client);
	part();
}

/* ---- SMTPUTF8 ---- */

static const struct client_recipient utf8_rcpts[] = {
	{ .address = STR_INIT("j" U "rg@two.test") },
	{ .address = STR_INIT("bob@b" U "cher.test") },
	{ .address = STR_INIT("dave@two.test") },
};

static yields void
body_utf8(void *arg)
{
	static const char *const lines[] = { GREETING, "S 250-8BITMIME",
		"S 250-DSN", "S 250 SMTPUTF8",
		"C MAIL FROM:<" U "@one.test> BODY=8BITMIME SMTPUTF8",
		"S 250 ok", "C RCPT TO:<j" U "rg@two.test> ORCPT=utf-8;" U "@x",
		"S 250 ok", "C RCPT TO:<bob@b" U "cher.test>", "S 250 ok",
		"C RCPT TO:<dave@two.test>", "S 250 ok", "C DATA", "S 354 go",
		"BODY", "S 250 ok",
		/* an alias led there, the message came without */
		"C MAIL FROM:<ann@one.test> SMTPUTF8", "S 250 ok", "C RCPT",
		"S 250 ok", "C DATA", "S 354 go", "BODY", "S 250 ok",
		/* and nothing of it is needed */
		"C MAIL FROM:<ann@one.test>", "S 250 ok", "C RCPT",
		"S 250 ok", "C DATA", "S 354 go", "BODY", "S 250 ok", NULL };
	struct client_recipient list[RCPTS];

	(void)arg;
	memcpy(list, utf8_rcpts, sizeof list);
	list[0].orcpt = STR("utf-8;" U "@x");
	meet(lines);
	greet();
	message_set(STR("Subject: " U "\r\n\r\nx\r\n"));
	message.sender = STR(U "@one.test");
	message.is_utf8 = true;
	message.body = CLIENT_BODY_8BIT;
	message.recipients = list;
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	for (size_t i = 0; i < RCPTS; i++)
		expect(i, DELIVERED, 250, "2.0.0");
	message_set(STR("x\r\n"));
	message.recipients = list;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	message_set(STR("x\r\n"));
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
}

/* RFC 6531 3.2: a domain has A-labels, a local part has not. */
static yields void
body_no_utf8(void *arg)
{
	static const char *const lines[] = { PLAIN,
		"C MAIL FROM:<ann@xn--eins-3ra.test>", "S 250 ok",
		"C RCPT TO:<bob@xn--bcher-kva.test>", "S 250 ok",
		"C RCPT TO:<dave@two.test>", "S 250 ok", "C DATA", "S 354 go",
		"BODY", "S 250 ok", "C QUIT", "S 221 bye", NULL };

	(void)arg;
	meet(lines);
	greet();
	message.sender = STR("ann@eins" U ".test");
	message.is_utf8 = true;
	message.recipients = utf8_rcpts;
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 0, "5.6.7");
	expect(1, DELIVERED, 250, "2.0.0");
	expect(2, DELIVERED, 250, "2.0.0");
	message.sender = STR(U "@one.test");
	client_send(&client, &message, verdicts);
	for (size_t i = 0; i < RCPTS; i++)
		expect(i, FAILED, 0, "5.6.7");
	client_quit(&client);
	part();
}

/* ---- LIMITS ---- */

/* RFC 9422 4.1, 4.3 */
static yields void
body_limits(void *arg)
{
	static const char *const lines[] = { GREETING,
		"S 250 LIMITS MAILMAX=2 RCPTDOMAINMAX=1 NEW=1", "C MAIL",
		"S 250 ok", "C RCPT TO:<bob@two.test>", "S 250 ok",
		"C RCPT TO:<dave@TWO.test>", "S 250 ok", "C DATA", "S 354 go",
		"BODY", "S 250 ok", "C MAIL", "S 550 5.7.1 no", "C QUIT",
		"S 221 bye", NULL };
	static const struct client_recipient list[] = {
		{ .address = STR_INIT("bob@two.test") },
		{ .address = STR_INIT("carol@three.test") },
		{ .address = STR_INIT("dave@TWO.test") },
	};

	(void)arg;
	meet(lines);
	greet();
	message.recipients = list;
	message.n = RCPTS;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	expect(1, DEFERRED, 452, "4.5.3");
	expect(2, DELIVERED, 250, "2.0.0");
	assert_true(client_is_usable(&client));
	message_set(STR("x\r\n"));
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 550, "5.7.1");
	assert_false(client_is_usable(&client));
	client_quit(&client);
	part();
}

/* ---- liars ---- */

/* He offered it all and knows nothing of it: plainer and plainer. */
static yields void
body_555(void *arg)
{
	static const char *const lines[] = { GREETING, "S 250-PIPELINING",
		"S 250-SIZE", "S 250-DSN", "S 250 8BITMIME",
		"C MAIL FROM:<ann@one.test> SIZE=130 BODY=8BITMIME RET=FULL",
		"C RCPT TO:<bob@two.test> NOTIFY=DELAY", "C DATA",
		"S 555 5.5.4 RET?", "S 503 5.5.1 MAIL first", "S 503 5.5.1 no",
		"C MAIL FROM:<ann@one.test> SIZE=130 BODY=8BITMIME",
		"C RCPT TO:<bob@two.test>", "C DATA",
		"S 501 5.5.4 BODY?", "S 503 5.5.1 MAIL first", "S 503 5.5.1 no",
		"C MAIL FROM:<ann@one.test>", "C RCPT TO:<bob@two.test>",
		"C DATA", "S 250 ok", "S 250 ok", "S 354 go", "BODY",
		"S 250 ok", NULL };
	struct client_recipient one = { STR_INIT("bob@two.test"),
		NOTIFY_DELAY, { NULL, 0 } };

	(void)arg;
	meet(lines);
	greet();
	message_set(STR(MIXED));
	message.size = 130;
	message.body = CLIENT_BODY_8BIT;
	message.recipients = &one;
	message.ret = RET_FULL;
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	assert_memory_equal(heard, MIXED_QP, sizeof MIXED_QP - 1);
	assert_true((client.lies & CAPABILITY_BIT(DSN)) != 0);
	assert_false(client_passes_dsn(&client));
	part();
}

/* Who was offered nothing and says 555 means it; who breaks off is tried again. */
static yields void
body_555_for_nothing(void *arg)
{
	static const char *const plain[] = { PLAIN, "C MAIL", "S 555 5.5.4 no",
		NULL };
	static const char *const gone[] = { GREETING, "S 250 SIZE", "C MAIL",
		"S 555 5.5.4 no", NULL };
	static const char *const rcpt[] = { GREETING, "S 250 DSN", "C MAIL",
		"S 250 ok", "C RCPT TO:<bob@two.test> NOTIFY=DELAY",
		"S 555 5.5.4 no", "C RCPT TO:<carol@two.test>", "S 250 ok",
		"C DATA", "S 354 go", "BODY", "S 250 ok", NULL };
	struct client_recipient two[] = {
		{ STR_INIT("bob@two.test"), NOTIFY_DELAY, { NULL, 0 } },
		{ .address = STR_INIT("carol@two.test") } };

	(void)arg;
	meet(plain);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, FAILED, 555, "5.5.4");
	part();
	meet(gone);
	greet();
	client_send(&client, &message, verdicts);
	assert_int_equal(verdicts[0].disposition, DEFERRED);
	part();
	meet(rcpt);
	greet();
	message.recipients = two;
	message.n = 2;
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 555, "4.0.0");
	expect(1, DELIVERED, 250, "2.0.0");
	assert_true((client.lies & CAPABILITY_BIT(DSN)) != 0);
	part();
}

/* He offers CHUNKING and knows no BDAT: the next connection has DATA. */
static yields void
body_no_bdat(void *arg)
{
	static const char *const lines[] = { CHUNKING, "C MAIL", "C RCPT",
		"S 250 ok", "S 250 ok", "B BDAT 25 LAST",
		"S 500 5.5.1 what?", "S 500 5.5.1 what?", NULL };
	static const char *const again[] = { CHUNKING, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 250 ok", "S 354 go", "BODY",
		"S 250 ok", NULL };
	uint32_t lies;

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 500, "4.0.0");
	assert_false(client_is_usable(&client));
	lies = client.lies;
	assert_true((lies & CAPABILITY_BIT(CHUNKING)) != 0);
	part();
	meet(again);
	client.distrust = lies;
	greet();
	client_send(&client, &message, verdicts);
	expect(0, DELIVERED, 250, "2.0.0");
	part();
}

/* He offers PIPELINING and throws away what comes behind MAIL. */
static yields void
body_no_pipelining(void *arg)
{
	static const char *const lines[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "WAIT", NULL };

	(void)arg;
	meet(lines);
	greet();
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 0, "4.4.2");
	assert_int_equal(client.lies, CAPABILITY_BIT(PIPELINING));
	part();
}

/* He answers a chunk before he has it. */
static yields void
body_hasty_bdat(void *arg)
{
	static const char *const lines[] = { CHUNKING, "C MAIL", "C RCPT",
		"S 250 ok", "S 250 ok", "C BDAT", "S 250 got it", "WAIT", NULL };
	struct sim_net before = sim_net(), net = before;

	(void)arg;
	net.window = 8192;
	sim_net_set(net);
	meet(lines);
	greet();
	message_of(MIB);
	client_send(&client, &message, verdicts);
	expect(0, DEFERRED, 0, "4.5.0");
	assert_false(client_is_usable(&client));
	part();
	sim_net_set(before);
}

/* He says one reply more than he was asked for: what follows it would be taken
 * for answers to something else, a refusal for a yes. */
static yields void
body_one_more(void *arg)
{
	static const char *const chunks[] = { CHUNKING, "C MAIL", "C RCPT",
		"S 250 ok", "S 250 ok", "S 250 ok", "WAIT", NULL };
	static const char *const slowly[] = { PLAIN, "C MAIL", "S 250 ok",
		"S 250 ok", "WAIT", NULL };
	static const char *const data[] = { PIPELINED, "C MAIL", "C RCPT",
		"C DATA", "S 250 ok", "S 250 ok", "S 354 go", "S 250 taken",
		"WAIT", NULL };
	static const char *const *const scripts[] = { chunks, slowly, data };
	struct sim_net calm = sim_net();

	(void)arg;
	calm.split_per_million = 0;
	sim_net_set(calm);
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		meet(scripts[i]);
		greet();
		client_send(&client, &message, verdicts);
		expect(0, DEFERRED, 0, "4.5.0");
		assert_string_equal(verdicts[0].text,
		    "the host answered before it was asked");
		assert_false(client_is_usable(&client));
		part();
	}
}

static yields void (*const bodies[])(void *) = {
	body_dsn, body_no_dsn, body_bdat, body_chunks, body_miscounted,
	body_lmtp_bdat, body_converted, body_nothing_to_convert,
	body_binary_to_8bit, body_refused, body_utf8, body_no_utf8,
	body_limits, body_555, body_555_for_nothing, body_no_bdat,
	body_no_pipelining, body_hasty_bdat, body_one_more,
};

static void
test_conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		sim_begin(i + 1);
		on_core(bodies[i]);
	}
}

/* However the network cuts it. */
static void
test_cut_network(void **state)
{
	struct sim_net net;

	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		sim_begin(seed);
		net = sim_net();
		net.split_per_million = 500000;
		sim_net_set(net);
		on_core(body_bdat);
		on_core(body_converted);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_cut_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
