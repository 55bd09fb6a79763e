/*
 * test_login.h -- a server where ann may log in, and whoever knows her.
 *
 * The promise: open_login() is open_server() with a certificate and with
 * accounts of which `known' tells what was asked: ann's password is pencil, and
 * of eve nobody can be asked.  greet() connects and begins TLS.
 * Not for: the server.
 * Waiting: all that opens, says or hears yields.
 * Memory: static; one server at a time.
 * Errors: fail the test.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_SMTP_TEST_LOGIN_H
#define NM_SMTP_TEST_LOGIN_H

#include "fiber/test_core.h"
#include "fiber/test_tls.h"
#include "smtp/test_server.h"
#include "trust/sasl_client.h"

static struct tls_identity shown;
static struct tls_context *asking;

/* ---- who knows ---- */

static struct {
	unsigned asked, proved;
	struct str protocol;
	char name[64], client[112];
	bool has_others;		/* ann's rights are for other networks */
	bool has_scram, has_tokens;
} known;

static struct conf_networks elsewhere;

static inline struct account *
ann(void)
{
	static struct account account;

	account = (struct account){ .name = STR("ann@two.test"),
		.source = "file" };
	if (known.has_others)
		account.networks = elsewhere;
	return &account;
}

static inline struct str
first_line(struct str s)
{
	return str_cut(&s, '\n');
}

static inline bool
fake_takes(const struct config *config, enum login_kind kind)
{
	(void)config;
	return kind != LOGIN_TOKEN || known.has_tokens;
}

static inline yields enum login_result
fake_check(struct login *login, const struct login_ask *ask, struct arena *a,
    struct account *out, const char **why)
{
	struct address_text client = address_print(&ask->client);

	must(login == NULL && a->ceiling > 0 && ask->config != NULL);
	known.asked++;
	known.protocol = ask->protocol;
	memcpy(known.client, client.text, sizeof known.client);
	must(str_cstr(ask->name, known.name, sizeof known.name));
	fiber_sleep(in_ms(20));
	*why = "wrong password";
	if (ask->kind == LOGIN_CERTIFICATE) {
		if (ask->name.n > 0 && !str_eq(ask->name, STR("ann@two.test")))
			return LOGIN_BAD;
		*out = *ann();
		out->name = arena_copy(a, first_line(ask->subjects));
		return LOGIN_OK;
	}
	if (str_eq(ask->name, STR("eve")))
		return LOGIN_LATER;
	if (ask->kind == LOGIN_TOKEN ? !str_eq(ask->secret, STR("token")) :
	    !str_eq(ask->name, STR("ann")) ||
	    !str_eq(ask->secret, STR("pencil")))
		return LOGIN_BAD;
	*out = *ann();
	return LOGIN_OK;
}

static inline yields enum login_result
fake_verifier(struct login *login, const struct login_ask *ask, struct arena *a,
    struct login_verifiers *out)
{
	static struct scram_verifier v;

	(void)login, (void)a;
	if (str_eq(ask->name, STR("eve")))
		return LOGIN_LATER;
	must(scram_make(SCRAM_SHA_256, STR("pencil"), STR("salt"), 4096, &v) ==
	    0);
	*out = (struct login_verifiers){ .n = 1, .v = &v,
		.account = str_eq(ask->name, STR("ann")) ? ann() : NULL };
	return LOGIN_OK;
}

static inline void
fake_proved(struct login *login, const struct login_verifiers *v, size_t i)
{
	(void)login;
	must(i < v->n);
	known.proved++;
}

static const struct server_login fake = { .takes = fake_takes,
	.check = fake_check, .verifier = fake_verifier, .proved = fake_proved };

/* ---- a server, and whoever connects ---- */

static inline yields void
open_login(enum listener_role role, enum listener_tls tls)
{
	static const struct tls_client_setup plain;

	open_server(role);
	memset(&known, 0, sizeof known);
	servers.login = &fake;
	shown = test_identity("EC", "mx.test");
	server.tls = tls_server_new(&(struct tls_server_setup){
	    .identities = &shown, .n = 1 });
	assert_non_null(server.tls);
	listener.tls = tls;
	asking = tls_client_new(&plain);
	dial(&net);
}

static inline yields void
again(void)
{
	stream_close(&net);
	dial(&net);
}

static inline yields void
close_login(void)
{
	stream_close(&net);
	close_server();
	tls_drop(asking);
	test_identity_free(&shown);
}

#define PLAY(...) play(&net, (const char *const[]){ __VA_ARGS__, NULL })

static inline yields void
go_private(void)
{
	PLAY("S 220", "C EHLO me.test", "M 250", "C STARTTLS", "S 220");
	assert_int_equal(tls_connect(&net, asking, STR("mx.test")), 0);
}

/* Connected, in private, greeted. */
static inline yields void
greet(void)
{
	go_private();
	PLAY("C EHLO me.test", "M 250");
}

/* AGFubgBwZW5jaWw= is NUL ann NUL pencil, AGFubgBwZW4= NUL ann NUL pen. */
#define RIGHT "AGFubgBwZW5jaWw="
#define WRONG "AGFubgBwZW4="
#define MAILS "C MAIL FROM:<ann@two.test>", "S 250", \
	"C RCPT TO:<bob@far.test>", "S 250", "C DATA", "S 354", \
	"C Subject: x", "C ", "C .", "S 250 2.0.0 Kept"

#endif
