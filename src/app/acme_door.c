#include "app/acme_door.h"

#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/stream.h"
#include "fiber/tls.h"
#include "fiber/tls_key.h"
#include "trust/certificate.h"
#include "wire/http.h"

#include <stdlib.h>

enum { ANSWER_MOST = 512, PROOF_MOST = 4096 };

/* ---- http-01 ---- */

static yields void
http_say(struct stream *s, const char *status, struct str body, bool has_body)
{
	stream_printf(s, "HTTP/1.1 %s\r\n"
	    "Content-Type: application/octet-stream\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\n", status, body.n);
	if (has_body)
		stream_put(s, body);
	(void)stream_flush(s);
}

static yields void
http_answer(struct challenge_board *b, struct stream *s,
    const struct http_head *h)
{
	char room[ANSWER_MOST];
	struct buf answer = BUF_OF(room);
	struct str token = h->path;
	bool is_head = str_eq(h->method, STR("HEAD"));

	if (!is_head && !str_eq(h->method, STR("GET")))
		http_say(s, "405 Method Not Allowed", STR(""), true);
	else if (str_skip(&token, STR("/.well-known/acme-challenge/")) &&
	    token.n > 0 && challenge_look(b, false, token, &answer))
		http_say(s, "200 OK", buf_str(&answer), !is_head);
	else
		http_say(s, "404 Not Found", STR(""), true);
}

static yields void
http_visit(struct challenge_board *b, struct stream *s)
{
	struct http_head *h = malloc(sizeof *h);
	enum http_step step = HTTP_MORE;
	struct str bytes = STR("");
	size_t used = 0;

	while (h != NULL && step == HTTP_MORE && bytes.n < HTTP_HEAD_MOST &&
	    stream_peek_more(s, bytes.n, &bytes) == 0)
		step = http_request(bytes, h, &used);
	if (step == HTTP_DONE)
		http_answer(b, s, h);
	else if (s->trouble == STREAM_FINE)
		http_say(s, "400 Bad Request", STR(""), true);
	free(h);
}

/* ---- tls-alpn-01 ---- */

static yields void
tls_visit(struct challenge_board *b, struct keyring_link *link,
    struct stream *s)
{
	char *room = malloc(PROOF_MOST);
	struct buf pem = { .p = room, .cap = room == NULL ? 0 : PROOF_MOST };
	struct certificate cert;
	struct tls_identity id = { .leaf = NULL };
	struct tls_server_setup setup = { .identities = &id, .n = 1,
		.alpn = "acme-tls/1" };
	struct tls_context *context = NULL;

	if (challenge_look(b, true, STR(""), &pem) &&
	    certificate_read(buf_str(&pem), &cert) == 0) {
		id.leaf = cert.leaf;
		id.chain = cert.chain;
		id.key = tls_key_new(X509_get0_pubkey(cert.leaf),
		    keyring_link_signer(link), certificate_key_id(&cert));
		if (id.key != NULL)
			context = tls_server_new(&setup);
		if (context != NULL)
			(void)tls_accept(s, context);
		tls_drop(context);
		EVP_PKEY_free(id.key);
		certificate_free(&cert);
	}
	free(room);
}

yields void
acme_door_visit(struct challenge_board *b, struct keyring_link *link,
    struct net_end *end, bool is_tls)
{
	struct stream s;

	stream_init(&s, end);
	s.deadline = mono_add(clock_mono(), ACME_DOOR_SECONDS * NS_PER_SECOND);
	if (link != NULL)		/* as long as who asks by it */
		(void)keyring_link_keep(link);
	if (!is_tls)
		http_visit(b, &s);
	else if (link != NULL)
		tls_visit(b, link, &s);
	err_clear();
	stream_close(&s);
	if (link != NULL)
		keyring_link_drop(link);
}
