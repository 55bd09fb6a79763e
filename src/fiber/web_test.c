/* fetch() against a server of this very program, over real sockets and TLS. */
#include "base/err.h"
#include "fiber/test_core.h"
#include "fiber/test_tls.h"

#include "fiber/dns.h"
#include "fiber/fetch.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <sys/socket.h>

static struct tls_identity identity;
static char anchors[8192];
static struct arena arena;
static struct fetch_answer answer;
static struct str response, request;
static char request_room[4096];
static struct address door;
static struct net_end *listener;
static bool with_tls, goes_silent;

/* ---- the server ---- */

static yields void
visitor_serve(struct stream *s)
{
	enum line_ending ending;
	struct str line;

	request.n = 0;
	if (stream_peek(s, &line) == 0 && line.p[0] == 0x16)
		stream_consume(s, line.n);	/* TLS, whose hello has no line */
	else while (stream_line(s, 1000, &line, &ending) == 0 && line.n > 0) {
		memcpy(request_room + request.n, line.p, line.n);
		request.n += line.n;
		request_room[request.n++] = '\n';
	}
	request.p = request_room;
	if (goes_silent)
		(void)stream_line(s, 1000, &line, &ending);	/* until he goes */
	else {
		stream_put(s, response);
		(void)stream_flush(s);
	}
}

static yields void
server_run(void *arg)
{
	struct net_end *e;

	(void)arg;
	while ((e = net_accept(listener, &(struct address){ 0 },
	    MONO_NEVER)) != NULL) {
		struct tls_context *ctx = with_tls ? tls_server_new(
		    &(struct tls_server_setup){ .identities = &identity,
		    .n = 1 }) : NULL;
		struct stream s;

		stream_init(&s, e);
		s.deadline = in_ms(60000);
		if (!with_tls || tls_accept(&s, ctx) == 0)
			visitor_serve(&s);
		stream_close(&s);
		tls_drop(ctx);
		err_clear();
	}
	net_close(listener);
}

static yields void
server_start(void)
{
	assert_true(address_parse(STR("127.0.0.1"), 0, &door));
	assert_non_null(listener = net_listen(&door));
	assert_true(net_local(listener, &door));
	assert_int_equal(fiber_go("server", server_run, NULL), 0);
}

static yields int
get(const char *scheme, const char *host, size_t most, int64_t ms)
{
	struct str url = arena_printf(&arena, "%s://%s:%u/x?y", scheme, host,
	    door.port);
	struct fetch_ask ask = { .url = url, .body_most = most,
		.deadline = in_ms(ms), .may_be_plain = true,
		.anchors = str_of(anchors), .arena = &arena };

	return fetch(&ask, &answer);
}

/* ---- over TLS ---- */

static void
body_tls(void *arg)
{
	(void)arg;
	with_tls = true;
	server_start();
	response = STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
	    "Content-Type: text/plain\r\n\r\nhello");
	assert_int_equal(get("https", "web.example", 5, 60000), 0);
	assert_int_equal(answer.status, 200);
	assert_true(str_eq(answer.body, STR("hello")));
	assert_true(str_eq(fetch_field(&answer, STR("content-type")),
	    STR("text/plain")));
	assert_true(str_has_prefix_icase(request, STR("GET /x?y HTTP/1.1\n")));
	assert_true(str_find_str(request, STR("Host: web.example")) <
	    request.n);
	/* another's name; and who is not trusted */
	assert_int_equal(get("https", "other.example", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_CERTIFICATE);
	assert_int_equal(get("https", "127.0.0.1", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_CERTIFICATE);
	anchors[0] = '\0';
	assert_int_equal(get("https", "web.example", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_CERTIFICATE);
	net_stop_listening(listener);
}

/* ---- in the clear, where what is said can be odd ---- */

static void
body_plain(void *arg)
{
	(void)arg;
	with_tls = false;
	server_start();
	response = STR("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
	    "Content-Length: 0\r\n\r\n");
	assert_int_equal(get("http", "web.example", 5, 60000), 0);
	assert_int_equal(answer.status, 302);
	assert_true(str_eq(fetch_field(&answer, STR("location")),
	    STR("http://127.0.0.1:1/")));
	/* sizes: told, and not told */
	response = STR("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!");
	assert_int_equal(get("http", "web.example", 6, 60000), 0);
	assert_int_equal(get("http", "web.example", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_BIG);
	response = STR("HTTP/1.1 200 OK\r\n\r\nhello!");
	assert_int_equal(get("http", "web.example", 6, 60000), 0);
	assert_int_equal(get("http", "web.example", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_BIG);
	/* of several addresses one will do */
	assert_int_equal(get("http", "two.example", 6, 60000), 0);
	/* not HTTP; ends early */
	response = STR("220 mail.example ESMTP\r\n");
	assert_int_equal(get("http", "web.example", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_BROKEN);
	response = STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
	assert_int_equal(get("http", "web.example", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_BROKEN);
	assert_int_equal(get("https", "web.example", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_TLS);
	net_stop_listening(listener);
}

/* ---- waits that end ---- */

static yields void
hurry_later(void *arg)
{
	(void)arg;
	fiber_sleep(in_ms(50));
	fetch_hurry();
}

static void
body_late(void *arg)
{
	(void)arg;
	with_tls = false;
	goes_silent = true;
	server_start();
	assert_int_equal(get("http", "web.example", 5, 50), -1);
	assert_int_equal(answer.trouble, FETCH_LATE);
	assert_int_equal(fiber_go("hurry", hurry_later, NULL), 0);
	assert_int_equal(get("http", "web.example", 5, 600000), -1);
	assert_int_equal(answer.trouble, FETCH_STOPPED);
	net_stop_listening(listener);
	assert_int_equal(get("http", "none.example", 5, 50), -1);
	assert_int_equal(answer.trouble, FETCH_NAME);
}

static void
body_nobody(void *arg)
{
	(void)arg;
	assert_true(address_parse(STR("127.0.0.1"), 0, &door));
	assert_non_null(listener = net_listen(&door));
	assert_true(net_local(listener, &door));
	net_close(listener);
	assert_int_equal(get("http", "web.example", 5, 60000), -1);
	assert_int_equal(answer.trouble, FETCH_UNREACHED);
}

/* ---- */

static void
pem_make(void)
{
	BIO *b = BIO_new(BIO_s_mem());
	int n;

	assert_int_equal(PEM_write_bio_X509(b, identity.leaf), 1);
	n = BIO_read(b, anchors, sizeof anchors - 1);
	assert_true(n > 0);
	anchors[n] = '\0';
	BIO_free(b);
}

static void
run(yields void (*body)(void *))
{
	static const char text[] = "web.example IN A 127.0.0.1\n"
	    "other.example IN A 127.0.0.1\n"
	    "two.example IN A 127.0.0.2\ntwo.example IN A 127.0.0.1\n";

	assert_int_equal(dns_configure(&(struct dns_config){ .zone = str_of(text) }),
	    0);
	(void)setenv("https_proxy", "http://127.0.0.1:1", 1);
	(void)setenv("http_proxy", "http://127.0.0.1:1", 1);
	arena_init(&arena, 4 * 1024 * 1024);
	identity = test_identity("EC", "web.example");
	pem_make();
	goes_silent = false;
	on_core(body);
	test_identity_free(&identity);
	arena_clear(&arena);
}

static void
test_tls(void **state)
{
	(void)state;
	assert_int_equal(fetch_prepare(), 0);
	run(body_tls);
}

static void
test_plain(void **state)
{
	(void)state;
	run(body_plain);
}

static void
test_nobody(void **state)
{
	(void)state;
	run(body_nobody);
}

static void
test_late(void **state)
{
	(void)state;
	run(body_late);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_late),	/* last: the hurry remains */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
