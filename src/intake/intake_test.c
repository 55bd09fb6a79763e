/* intake_test.c -- what goes in by the door, and how it stands in the spool. */
#include "intake/test_intake.h"
#include "policy/account.h"

#include <errno.h>

enum { ROOM = 512 * 1024, SEEDS = 5 };

static struct arena arena;
static char room[ROOM];

static const struct intake_origin stranger = {
	.sender = STR_INIT("ann@one.test"), .listener = STR_INIT("mx"),
	.protocol = STR_INIT("ESMTP"), .helo = STR_INIT("me.test"),
	.client = STR_INIT("192.0.2.7"),
};

static void
begin(const char *more, uint64_t seed)
{
	sim_begin(seed);
	house_use(more);
	arena_init(&arena, 256 * 1024);
}

static struct intake *
new_from(const struct intake_origin *origin)
{
	struct intake *in = intake_new(&house.core, house.config, &arena,
	    origin);

	assert_non_null(in);
	return in;
}

static struct verdict
add(struct intake *in, const char *address)
{
	struct path path = { 0 };

	assert_null(mailbox_parse(str_of(address), MAILBOX_STRICT,
	    &path.mailbox));
	return intake_recipient(in, &path, NULL);
}

static void
add_well(struct intake *in, const char *address)
{
	struct verdict v = add(in, address);

	assert_int_equal(v.disposition, DELIVERED);
}

static yields struct verdict
send_pieces(struct intake *in, struct str text, size_t piece)
{
	struct verdict v = intake_open(in);

	assert_int_equal(v.disposition, DELIVERED);
	while (text.n > 0) {
		intake_content(in, str_sub(text, 0, piece));
		text = str_sub(text, piece, text.n);
	}
	return intake_commit(in);
}

static yields struct verdict
send_text(const char *to, const char *text)
{
	struct intake *in = new_from(&stranger);

	add_well(in, to);
	return send_pieces(in, str_of(text), SIZE_MAX);
}

static void
expect(struct verdict v, enum disposition d, short code, const char *esc)
{
	struct esc_text got = esc_print(v.esc);

	if (v.code != code)
		fprintf(stderr, "%d %s\n", v.code, v.text);
	assert_int_equal(v.disposition, d);
	assert_int_equal(v.code, code);
	assert_string_equal(got.text, esc);
}

static bool
has(struct str text, const char *what)
{
	return str_find_str(text, str_of(what)) < text.n;
}

/* The first `most' octets of body after our own Received field. */
static struct str
behind_received(struct str body)
{
	assert_true(str_skip(&body, STR("Received: ")));
	while (body.n > 0) {
		str_cut(&body, '\n');
		if (body.n == 0 || (body.p[0] != ' ' && body.p[0] != '\t'))
			break;
	}
	return body;
}

/* ---- trace and completion ---- */

static yields void
body_received(void *arg)
{
	static const char text[] = "Subject: x\r\nFrom: a@b\r\n\r\nhello\r\n";
	struct str body;
	struct verdict v;

	(void)arg;
	house_open();
	v = send_text("bob@two.test", text);
	expect(v, DELIVERED, 250, "2.0.0");
	assert_true(str_skip(&(struct str){ v.text, strlen(v.text) },
	    STR("Kept as ")));
	body = house_body(room, ROOM);
	assert_true(has(body, "from me.test (unknown [192.0.2.7])"));
	assert_true(has(body, "by mx.test"));
	assert_true(has(body, "with ESMTP id "));
	assert_true(has(body, v.text + 8));		/* the id */
	assert_true(has(body, "for <bob@two.test>"));
	body = behind_received(body);
	assert_int_equal(body.n, strlen(text));
	assert_memory_equal(body.p, text, body.n);
	assert_int_equal(house.kept, 1);
	assert_string_equal(house.rcpts, "bob@two.test");
	assert_int_equal(house_told("\"queued\"", "ann@one.test"), 1);
	arena_clear(&arena);
	house_close();
}

/* However it is cut, the same stands in the spool. */
static yields void
body_cuts(void *arg)
{
	static const char text[] =
	    "Subject: folded\r\n and\r\n\tmore\r\nX: y\r\n\r\nbody\r\n";
	struct str body;
	struct intake *in;

	(void)arg;
	house_open();
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		in = new_from(&stranger);
		add_well(in, "bob@two.test");
		expect(send_pieces(in, str_of(text), piece), DELIVERED, 250,
		    "2.0.0");
		body = behind_received(house_body(room, ROOM));
		assert_int_equal(body.n, strlen(text));
		assert_memory_equal(body.p, text, body.n);
		arena_clear(&arena);
	}
	house_close();
}

static yields void
body_shapes(void *arg)
{
	static const struct { const char *in, *out; } shapes[] = {
		{ "", "" },
		{ "Subject: x\r\n", "Subject: x\r\n" },
		{ "Subject: x\r\n\r\n", "Subject: x\r\n\r\n" },
		{ "\r\nbody\r\n", "\r\nbody\r\n" },
		{ "no field here\r\n", "\r\nno field here\r\n" },
		{ "A: b\r\nno field\r\nmore\r\n",
		    "A: b\r\n\r\nno field\r\nmore\r\n" },
	};
	struct str body;

	(void)arg;
	house_open();
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		expect(send_text("bob@two.test", shapes[i].in), DELIVERED, 250,
		    "2.0.0");
		body = behind_received(house_body(room, ROOM));
		assert_int_equal(body.n, strlen(shapes[i].out));
		assert_memory_equal(body.p, shapes[i].out, body.n);
		arena_clear(&arena);
	}
	house_close();
}

static yields void
try_submission(const char *text, bool adds_date, bool adds_id)
{
	struct intake_origin origin = stranger;
	struct intake *in;
	struct str body;

	origin.is_submission = true;
	in = new_from(&origin);
	add_well(in, "bob@two.test");
	expect(send_pieces(in, str_of(text), 3), DELIVERED, 250, "2.0.0");
	body = behind_received(house_body(room, ROOM));
	assert_int_equal(has(body, "\r\nDate: "), adds_date);
	assert_int_equal(has(body, "@mx.test>\r\n"), adds_id);
	assert_int_equal(has(body, "\r\nFrom: ann@one.test\r\n"),
	    !has(str_of(text), "From:"));
	/* what came stands first, and is whole */
	assert_true(str_skip(&body, str_of(text).n > 9 ?
	    str_sub(str_of(text), 0, 9) : STR("")));
	arena_clear(&arena);
}

/* RFC 6409 8.2, 8.3 */
static yields void
body_submission(void *arg)
{
	(void)arg;
	house_open();
	try_submission("Subject: x\r\n\r\nhello\r\n", true, true);
	try_submission("Subject: x\r\nDate: Fri, 20 Nov 2026 13:40:01 +0000\r\n"
	    "\r\nhello\r\n", true, true);
	try_submission("Message-ID: <a@b>\r\nSubject: x\r\n\r\nhello\r\n", true,
	    false);
	assert_int_equal(house_told("\"queued\"", "a@b"), 1);
	try_submission("Subject: x\r\n", true, true);
	try_submission("Subject: x\r\nFrom: me\r\n\r\nhello\r\n", true, true);
	house_close();
}

/* ---- who logged in says who he is: SECURITY.md row 12 ---- */

static yields struct verdict
send_as(const struct account *account, const char *sender, const char *header)
{
	struct intake_origin origin = stranger;
	struct intake *in;
	struct verdict v;
	char text[2048];

	snprintf(text, sizeof text, "%sSubject: x\r\n\r\n"
	    "From: ceo@bank.example is said in a body\r\n", header);
	origin.sender = str_of(sender);
	origin.account = account;
	origin.is_submission = true;
	in = new_from(&origin);
	add_well(in, "bob@two.test");
	v = send_pieces(in, str_of(text), 7);
	arena_clear(&arena);
	return v;
}

static const struct account bob = { .name = STR_INIT("bob@two.test") };

static const struct { const char *header, *refused; } authors[] = {
	{ "From: bob@two.test\r\n", NULL },
	{ "From: \"ceo@bank.example\" <bob@two.test>\r\n", NULL },
	{ "From: Bob <BOB+x@Two.Test> (ceo@bank.example)\r\n", NULL },
	{ "From: bob@two.test,\r\n bob+b@two.test\r\n", NULL },
	{ "From: us: bob@two.test;\r\n", NULL },
	{ "From: bob@two.test\r\nSender: bob+s@two.test\r\n", NULL },
	{ "From : bob@two.test\r\n", NULL },
	{ "Reply-To: ceo@bank.example\r\nFrom: bob@two.test\r\n", NULL },
	{ "", NULL },
	{ "From: ceo@bank.example\r\n", "<ceo@bank.example> in From: " },
	{ "From: bob@two.test <ceo@bank.example>\r\n",
	    "<ceo@bank.example> in From: " },
	{ "From: bob@two.test, ceo@bank.example\r\n",
	    "<ceo@bank.example> in From: " },
	{ "From: us: bob@two.test, alice@two.test;\r\n",
	    "<alice@two.test> in From: " },
	{ "From: bob@two.test\r\nFrom: ceo@bank.example\r\n",
	    "<ceo@bank.example> in From: " },
	{ "From: bob@two.test\r\nSender: ceo@bank.example\r\n",
	    "<ceo@bank.example> in Sender: " },
	{ "fROM:\r\n ceo\r\n @bank.example\r\n",
	    "<ceo@bank.example> in From: " },
	{ "From : ceo@bank.example\r\n", "<ceo@bank.example> in From: " },
	{ "From: \"bob@two.test\"@bank.example\r\n", "in From: " },
	{ "From: bob@two.test@bank.example\r\n", "cannot be read" },
	{ "From: <bob@two.test\r\n", "cannot be read" },
	{ "From: nobody\r\n", "cannot be read" },
	{ "From: us:;\r\n", "says From nobody" },
	{ "From:\r\n", "says From nobody" },
};

static yields void
body_authors(void *arg)
{
	struct str anybody[] = { STR("*") }, reports[] = { STR("<>") };
	struct account other = bob;
	struct verdict v;

	(void)arg;
	house_open();
	for (size_t i = 0; i < sizeof authors / sizeof authors[0]; i++) {
		v = send_as(&bob, "bob@two.test", authors[i].header);
		if ((v.disposition == DELIVERED) != (authors[i].refused == NULL)
		    || (authors[i].refused != NULL && strstr(v.text,
		    authors[i].refused) == NULL))
			fail_msg("%s%d %s", authors[i].header, v.code, v.text);
		if (authors[i].refused != NULL)
			expect(v, FAILED, 550, "5.7.1");
	}
	/* a report says who it is from */
	other.from = (struct conf_strings){ reports, 1 };
	expect(send_as(&other, "", ""), FAILED, 550, "5.7.1");
	expect(send_as(&other, "", "From: bob@two.test\r\n"), DELIVERED, 250,
	    "2.0.0");
	/* who may be anybody, and who did not log in */
	other.from = (struct conf_strings){ anybody, 1 };
	for (size_t i = 0; i < sizeof authors / sizeof authors[0]; i++) {
		expect(send_as(&other, "a@b.example", authors[i].header),
		    DELIVERED, 250, "2.0.0");
		expect(send_as(NULL, "a@b.example", authors[i].header),
		    DELIVERED, 250, "2.0.0");
	}
	house_close();
}

/* ---- recipients ---- */

static yields void
expect_rcpts(const char *const *to, const char *want)
{
	struct intake *in = new_from(&stranger);

	for (; *to != NULL; to++)
		add_well(in, *to);
	expect(send_pieces(in, STR("x: y\r\n"), SIZE_MAX), DELIVERED, 250,
	    "2.0.0");
	assert_string_equal(house.rcpts, want);
	arena_clear(&arena);
}

static yields void
body_recipients(void *arg)
{
	(void)arg;
	house_open();
	expect_rcpts((const char *[]){ "bob@two.test", "BOB@two.test",
	    "\"bob\"@two.test", "alice@two.test", NULL },
	    "bob@two.test alice@two.test");
	expect_rcpts((const char *[]){ "team@two.test", NULL },
	    "team@two.test+ bob@two.test<0(team@two.test) "
	    "alice@two.test<0(team@two.test)");
	/* Whom two parents stand for is the child of both. */
	expect_rcpts((const char *[]){ "team@two.test", "bob-and-dave@two.test",
	    NULL }, "team@two.test+ bob@two.test<0(team@two.test) "
	    "alice@two.test<0(team@two.test) bob-and-dave@two.test+>1 "
	    "dave@far.test<3(bob-and-dave@two.test)");
	/* What a list leads to is its owner's, even if it is one. */
	expect_rcpts((const char *[]){ "club@two.test", "fanclub@two.test",
	    NULL }, "club@two.test+ "
	    "bob@two.test=owner-club@two.test<0(club@two.test) "
	    "fan@far.test=owner-club@two.test<0(club@two.test) "
	    "fanclub@two.test+>2");
	expect_rcpts((const char *[]){ "fanclub@two.test", NULL },
	    "fanclub@two.test+ "
	    "fan@far.test=owner-fanclub@two.test<0(fanclub@two.test)");
	expect_rcpts((const char *[]){ "both@two.test", NULL },
	    "both@two.test+ bob@two.test<0(both@two.test) "
	    "alice@two.test<0(both@two.test) "
	    "fan@far.test=owner-club@two.test<0(both@two.test)");
	expect(send_text("trash@two.test", "x: y\r\n"), DELIVERED, 250, "2.0.0");
	arena_clear(&arena);
	expect_rcpts((const char *[]){ "mixed@two.test", "lost@two.test",
	    NULL }, "mixed@two.test+ "
	    "trash@two.test-{alias trash@two.test}<0(mixed@two.test) "
	    "alice@two.test<0(mixed@two.test) "
	    "dave@nowhere.test-{route[0]}(lost@two.test)");
	expect_rcpts((const char *[]){ "filed@two.test", "filed@two.test",
	    NULL }, "filed@two.test+ bob@two.test<0(filed@two.test) "
	    "filed@two.test[|/bin/archive]<0(filed@two.test) "
	    "filed@two.test[/var/mail/all/]<0(filed@two.test)");
	expect_rcpts((const char *[]){ "bob@two.test", "team@two.test",
	    "team@two.test", NULL },
	    "bob@two.test team@two.test+>0 alice@two.test<1(team@two.test)");
	expect_rcpts((const char *[]){ "self2@two.test", NULL },
	    "carol@two.test(self2@two.test)");
	expect_rcpts((const char *[]){ "bob@two.test", "dave@nowhere.test", NULL },
	    "bob@two.test dave@nowhere.test-{route[0]}");
	assert_int_equal(house_told("\"discarded\"", "trash@two.test"), 2);
	assert_int_equal(house_told("Discarded by rule alias trash@two.test",
	    "\"reason\":\"alias trash@two.test\""), 2);
	assert_int_equal(house_told("Discarded by rule route[0]: nowhere",
	    "\"reason\":\"route[0]\""), 2);
	assert_int_equal(house_told("\"expanded\"", "\"recipient\":"
	    "\"team@two.test\",\"recipients\":2,\"text\":\"bob@two.test, "
	    "alice@two.test\""), 2);
	assert_int_equal(house_told("\"expanded\"", "\"recipient\":"
	    "\"fanclub@two.test\",\"recipients\":1,\"sender\":"
	    "\"owner-fanclub@two.test\",\"text\":\"fan@far.test\""), 1);
	house_close();
}

/* A refused recipient leaves the envelope and the arena as they were. */
static yields void
body_refused_recipients(void *arg)
{
	struct intake *in;
	size_t used;

	(void)arg;
	house_open();
	in = new_from(&stranger);
	add_well(in, "bob@two.test");
	used = arena.used;
	expect(add(in, "nobody@two.test"), FAILED, 550, "5.1.1");
	expect(add(in, "dave@forbidden.test"), FAILED, 550, "5.7.1");
	assert_int_equal(arena.used, used);
	expect(send_pieces(in, STR("x: y\r\n"), SIZE_MAX), DELIVERED, 250,
	    "2.0.0");
	assert_string_equal(house.rcpts, "bob@two.test");
	arena_clear(&arena);
	house_close();
}

/* Every message that could only be dropped is over at once, and told. */
static yields void
body_all_discarded(void *arg)
{
	(void)arg;
	house_open();
	expect(send_text("dave@nowhere.test", "x: y\r\n"), DELIVERED, 250,
	    "2.0.0");
	assert_int_equal(house.kept, 0);
	assert_int_equal(house_told("\"discarded\"", "nowhere"), 1);
	assert_int_equal(spool_stats(house.spool).kept, 0);
	arena_clear(&arena);
	house_close();
}

static void
wish_well(struct intake *in, const char *address, unsigned notify,
    const char *orcpt)
{
	struct intake_wish wish = { .notify = notify };
	struct path path = { 0 };
	struct verdict v;

	if (orcpt != NULL)
		wish.orcpt = str_of(orcpt);
	assert_null(mailbox_parse(str_of(address), MAILBOX_STRICT,
	    &path.mailbox));
	v = intake_recipient(in, &path, &wish);
	assert_int_equal(v.disposition, DELIVERED);
}

/* RFC 3461 5.2.7: what becomes of a wish when its recipient becomes others. */
static yields void
body_wishes(void *arg)
{
	static const struct {
		const char *address;
		unsigned notify;
		const char *orcpt;
	} want[] = {
		{ "x@far.test", NOTIFY_SUCCESS, "rfc822;X@far.test" },
		{ "team@two.test", NOTIFY_SUCCESS | NOTIFY_DELAY,
		    "rfc822;team@two.test" },
		{ "bob@two.test", NOTIFY_DELAY, "rfc822;team@two.test" },
		{ "alice@two.test", NOTIFY_DELAY, "rfc822;team@two.test" },
		{ "carol@two.test", NOTIFY_SUCCESS, "x400;C" },
		{ "self@two.test", NOTIFY_SUCCESS, "rfc822;self@two.test" },
		{ "y@far.test", 0, NULL },
		{ "lost+x@far.test", NOTIFY_NEVER, NULL },
	};
	struct intake_origin origin = stranger;
	struct envelope e;
	const bool *ended;
	struct intake *in;

	(void)arg;
	house_open();
	origin.envid = STR("QQ+314159");
	origin.ret = RET_HDRS;
	in = new_from(&origin);
	wish_well(in, "x@far.test", NOTIFY_SUCCESS, "rfc822;X@far.test");
	wish_well(in, "team@two.test", NOTIFY_SUCCESS | NOTIFY_DELAY, NULL);
	/* one result: no report but at its end, wherever that is */
	wish_well(in, "self2@two.test", NOTIFY_SUCCESS, "x400;C");
	/* both its children are there already; they keep their first wish */
	wish_well(in, "self@two.test", NOTIFY_SUCCESS, NULL);
	add_well(in, "y@far.test");
	wish_well(in, "lost+x@far.test", NOTIFY_NEVER, NULL);
	wish_well(in, "y@far.test", NOTIFY_SUCCESS, NULL);
	expect(send_pieces(in, STR("x: y\r\n"), SIZE_MAX), DELIVERED, 250,
	    "2.0.0");
	assert_int_equal(spool_envelope(house.spool, house.last, &arena, &e,
	    &ended), 0);
	assert_true(str_eq(e.envid, STR("QQ+314159")));
	assert_int_equal(e.ret, RET_HDRS);
	assert_int_equal(e.n_rcpts, sizeof want / sizeof *want);
	for (size_t i = 0; i < e.n_rcpts; i++) {
		assert_true(str_eq(e.rcpts[i].address, str_of(want[i].address)));
		assert_int_equal(e.rcpts[i].notify, want[i].notify);
		assert_int_equal(e.rcpts[i].orcpt.p == NULL,
		    want[i].orcpt == NULL);
		if (want[i].orcpt != NULL)
			assert_true(str_eq(e.rcpts[i].orcpt,
			    str_of(want[i].orcpt)));
	}
	arena_clear(&arena);
	house_close();
}

/* Whoever wanted to hear of success only hears nothing of the children; and a
 * child of a wish that was not given has none. */
static yields void
body_wishes_of_children(void *arg)
{
	static const unsigned given[] = { NOTIFY_SUCCESS, NOTIFY_NEVER, 0,
		NOTIFY_SUCCESS | NOTIFY_FAILURE };
	static const unsigned want[] = { NOTIFY_NEVER, NOTIFY_NEVER, 0,
		NOTIFY_FAILURE };
	struct envelope e;
	const bool *ended;
	struct intake *in;

	(void)arg;
	house_open();
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		in = new_from(&stranger);
		wish_well(in, "team@two.test", given[i], NULL);
		expect(send_pieces(in, STR("x: y\r\n"), SIZE_MAX), DELIVERED,
		    250, "2.0.0");
		assert_int_equal(spool_envelope(house.spool, house.last, &arena,
		    &e, &ended), 0);
		assert_int_equal(e.n_rcpts, 3);
		assert_int_equal(e.rcpts[0].notify, given[i]);
		assert_int_equal(e.rcpts[1].notify, want[i]);
		assert_int_equal(e.rcpts[2].notify, want[i]);
		arena_clear(&arena);
	}
	house_close();
}

/* RFC 3461 5.2.7.1, 5.2.7.3; reports go on as from nobody. */
static yields void
body_lists(void *arg)
{
	struct intake_origin nobody = stranger;
	struct envelope e;
	const bool *ended;
	struct intake *in;

	(void)arg;
	house_open();
	in = new_from(&stranger);
	wish_well(in, "club@two.test", NOTIFY_SUCCESS | NOTIFY_FAILURE, NULL);
	wish_well(in, "team@two.test", NOTIFY_SUCCESS, NULL);
	expect(send_pieces(in, STR("x: y\r\n"), SIZE_MAX), DELIVERED, 250,
	    "2.0.0");
	assert_string_equal(house.rcpts, "club@two.test+? "
	    "bob@two.test=owner-club@two.test<0(club@two.test) "
	    "fan@far.test=owner-club@two.test<0(club@two.test) "
	    "team@two.test+?>1 alice@two.test<3(team@two.test)");
	assert_int_equal(spool_envelope(house.spool, house.last, &arena, &e,
	    &ended), 0);
	assert_false(recipient_is_over(&e.rcpts[0]) || ended[0] || ended[3]);
	assert_int_equal(e.rcpts[0].notify, NOTIFY_SUCCESS | NOTIFY_FAILURE);
	assert_int_equal(e.rcpts[1].notify, 0);
	assert_null(e.rcpts[1].orcpt.p);
	assert_int_equal(e.rcpts[4].notify, NOTIFY_NEVER);
	assert_true(str_eq(e.rcpts[4].orcpt, STR("rfc822;team@two.test")));
	arena_clear(&arena);
	nobody.sender = STR("");
	in = new_from(&nobody);
	wish_well(in, "club@two.test", NOTIFY_SUCCESS, NULL);
	expect(send_pieces(in, STR("x: y\r\n"), SIZE_MAX), DELIVERED, 250,
	    "2.0.0");
	assert_string_equal(house.rcpts, "club@two.test+ "
	    "bob@two.test<0(club@two.test) fan@far.test<0(club@two.test)");
	arena_clear(&arena);
	house_close();
}

/* As many as the arena holds, then 452; those that are in are served. */
static yields void
body_full_arena(void *arg)
{
	char address[80];
	struct verdict v;
	struct intake *in;
	size_t n = 0;

	(void)arg;
	house_open();
	in = new_from(&stranger);
	do {
		snprintf(address, sizeof(address), "user%06zu@a.rather.long."
		    "name.of.a.host.in.far.test", n);
		v = add(in, address);
		n += v.disposition == DELIVERED;
	} while (v.disposition == DELIVERED && n < 5000);
	expect(v, DEFERRED, 452, "4.3.1");
	assert_in_range(n, 1000, 4999);	/* at most 260 octets each */
	expect(send_pieces(in, STR("x: y\r\n"), SIZE_MAX), DELIVERED, 250,
	    "2.0.0");
	assert_int_equal(kept_recipients(spool_find(house.spool, house.last)),
	    n);
	arena_clear(&arena);
	house_close();
}

/* ---- refusals of content ---- */

static yields struct verdict
send_lines(const char *line, size_t n, const char *rest)
{
	struct intake *in = new_from(&stranger);
	struct verdict v;

	add_well(in, "bob@two.test");
	v = intake_open(in);
	assert_int_equal(v.disposition, DELIVERED);
	for (size_t i = 0; i < n; i++)
		intake_content(in, str_of(line));
	intake_content(in, str_of(rest));
	v = intake_commit(in);
	arena_clear(&arena);
	return v;
}

static yields void
body_limits(void *arg)
{
	static const char hop[] = "Received: from a by b; now\r\n";

	(void)arg;
	house_open();
	expect(send_lines(hop, 99, "\r\nx\r\n"), DELIVERED, 250, "2.0.0");
	expect(send_lines(hop, 100, "\r\nx\r\n"), FAILED, 554, "5.4.6");
	expect(send_lines("X: y\r\n", 9990, "\r\nx\r\n"), DELIVERED, 250,
	    "2.0.0");
	expect(send_lines("X: y\r\n", 10001, "\r\nx\r\n"), FAILED, 552,
	    "5.3.4");
	expect(send_lines("", 0, "Delivered-To: bob@two.test\r\n\r\nx\r\n"),
	    FAILED, 554, "5.4.6");
	expect(send_lines("", 0, "delivered-to:\r\n <BOB@two.test>\r\n\r\n"),
	    DELIVERED, 250, "2.0.0");
	expect(send_lines("", 0, "Delivered-To:\r\n BOB@two.test\r\n\r\n"),
	    FAILED, 554, "5.4.6");
	/* limits.size: 64K; the text is what counts, not our fields */
	expect(send_lines("x\r\n", 21845, "y"), DELIVERED, 250, "2.0.0");
	expect(send_lines("x\r\n", 21845, "yy"), FAILED, 552, "5.3.4");
	assert_int_equal(house.kept, 4);
	house_close();
}

static yields void
body_disk_trouble(void *arg)
{
	(void)arg;
	house_open();
	expect(send_text("bob@two.test", "x: y\r\n"), DELIVERED, 250, "2.0.0");
	arena_clear(&arena);
	sim_fault_nth(SIM_disk_fdatasync, 1, 1000, EIO);
	expect(send_text("bob@two.test", "x: y\r\n"), DEFERRED, 451, "4.3.0");
	arena_clear(&arena);
	sim_faults_clear();
	assert_int_equal(house.kept, 1);
	assert_int_equal(house_told("\"queued\"", NULL), 1);
	house_close();
}

/* ---- from inside ---- */

static yields void
body_post(void *arg)
{
	static const struct str parts[] = { STR_INIT("Subject: rep"),
		STR_INIT("ort\r\n\r\n"), STR_INIT("text \xc3\xa9\r\n") };
	static const struct str to[] = { STR_INIT("alice@two.test") };
	static const struct str lost[] = { STR_INIT("nobody@two.test") };
	struct intake_post post = {
		.origin = { .sender = STR_INIT(""), .parent = 77,
		    .flags = ENVELOPE_REPORT },
		.recipients = to, .n_recipients = 1,
		.parts = parts, .n_parts = 3,
	};
	struct envelope envelope;
	const bool *ended;
	struct str body;
	uint64_t id;

	(void)arg;
	house_open();
	expect(intake_post(&house.core, house.config, &arena, &post, &id),
	    DELIVERED, 250, "2.0.0");
	assert_int_equal(id, house.last);
	body = house_body(room, ROOM);
	assert_true(has(body, "with local id "));
	assert_false(has(body, "Received: from"));
	assert_int_equal(spool_envelope(house.spool, id, &arena, &envelope,
	    &ended), 0);
	assert_int_equal(envelope.parent, 77);
	assert_int_equal(envelope.flags, ENVELOPE_REPORT | ENVELOPE_8BIT);
	assert_int_equal(envelope.sender.n, 0);
	arena_clear(&arena);
	post.recipients = lost;
	expect(intake_post(&house.core, house.config, &arena, &post, &id),
	    FAILED, 550, "5.1.1");
	assert_int_equal(house.kept, 1);
	arena_clear(&arena);
	house_close();
}

static void
run(yields void (*body)(void *), const char *more)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		begin(more, seed);
		on_core(body);
		arena_clear(&arena);
	}
}

#define TEST(name, more) \
	static void \
	test_##name(void **state) \
	{ \
		(void)state; \
		run(body_##name, more); \
	}

TEST(received, "")
TEST(cuts, "")
TEST(shapes, "")
TEST(submission, "")
TEST(authors, "")
TEST(recipients, "")
TEST(refused_recipients, "")
TEST(all_discarded, "")
TEST(wishes, "")
TEST(wishes_of_children, "")
TEST(lists, "")
TEST(full_arena, "")
TEST(limits, "limits: { size: 64K }\n")
TEST(disk_trouble, "")
TEST(post, "")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_received), cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_submission),
		cmocka_unit_test(test_authors),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_refused_recipients),
		cmocka_unit_test(test_all_discarded),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_wishes_of_children),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_full_arena),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_disk_trouble), cmocka_unit_test(test_post),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
