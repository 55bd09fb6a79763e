/*
 * The life of an order:
 *
 *	ASKED     newOrder            pending, ready when all names are known
 *	PROVING   name_prove          for each authorization that is pending
 *	READY     order_finalize      the keyring's request is sent
 *	VALID     chain_fetch         the certificate is there
 *	KEPT      KEYRING_INSTALL     with its key, on disk
 */
#include "app/acme_order.h"

#include "app/keyring_link.h"
#include "app/keyring_wire.h"
#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "policy/config.h"
#include "trust/acme.h"
#include "trust/caa.h"
#include "trust/jws.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

enum { POLL_LEAST_S = 1, POLL_MOST_S = 30, WHY_MOST = 400, CAA_SECONDS = 20,
	PAYLOAD_MOST = 48 * 1024, COMMON_NAME_MOST = 256 };

static const char *
method_name(const struct acme_talk *t)
{
	return t->config->tls.acme.challenge == ACME_HTTP_01 ? "http-01" :
	    "tls-alpn-01";
}

/* ---- may it? ---- */

static yields int
caa_allows(struct acme_talk *t, struct str name)
{
	const struct acme_directory *d = &t->directory;
	struct caa_ask ask = { d->issuers, d->n_issuers, t->account,
		str_of(method_name(t)) };
	char room[WHY_MOST];
	struct buf why = BUF_OF(room);
	enum caa_verdict v;

	if (d->n_issuers == 0)		/* it does not tell who it is */
		return 0;
	if (*t->is_ending)
		return err_set("the server ends");
	v = caa_check(name, &ask, t->arena, mono_add(clock_mono(),
	    CAA_SECONDS * NS_PER_SECOND), &why);
	if (v == CAA_FREE)
		return 0;
	return err_set(STR_FMT ": " STR_FMT "%s" STR_FMT "%s", STR_ARG(name),
	    STR_ARG(buf_str(&why)), v == CAA_TROUBLE ? "" :
	    " does not allow this authority; what to do: a CAA record "
	    "0 issue \"", v == CAA_TROUBLE ? 0 : (int)d->issuers[0].n,
	    d->issuers[0].p, v == CAA_TROUBLE ? "" : "\"");
}

/* ---- waiting for the authority ---- */

/* It says how long, or else a little longer each time. */
static yields int
poll_wait(struct acme_talk *t, const struct acme_reply *r, unsigned round)
{
	int64_t s = r->retry_s > 0 ? r->retry_s : POLL_LEAST_S + round;

	return acme_talk_wait(t, s > POLL_MOST_S ? POLL_MOST_S : s);
}

static bool
is_over(struct mono until)
{
	return !mono_is_before(clock_mono(), until);
}

static struct mono
patience(void)
{
	return mono_add(clock_mono(), ACME_ORDER_MINUTES * 60 * NS_PER_SECOND);
}

static int
failed(struct str name, const struct acme_problem *p)
{
	const char *advice = p->type.p == NULL ? NULL : acme_advice(p->type);

	if (p->type.p == NULL)
		return err_set(STR_FMT ": the authority is not convinced",
		    STR_ARG(name));
	return err_set(STR_FMT ": the authority says " STR_FMT ": " STR_FMT
	    "%s%s", STR_ARG(name), STR_ARG(p->type), STR_ARG(p->detail),
	    advice == NULL ? "" : "; what to do: ", advice == NULL ? "" : advice);
}

/* ---- a name ---- */

/* RFC 8555 8.1: token "." thumbprint */
static int
key_authorization(struct acme_talk *t, struct str token, struct str *out)
{
	size_t room = token.n + 1 + JWS_THUMBPRINT;
	struct buf b = { .p = arena_alloc(t->arena, room), .cap = room };

	if (b.p == NULL)
		return err_set("no memory for ACME");
	buf_put(&b, token);
	buf_putc(&b, '.');
	jws_thumbprint(t->jwk, &b);
	*out = buf_str(&b);
	return b.full ? err_set("no room for an answer") : 0;
}

static yields int
proof_ask(struct acme_talk *t, struct str name, struct str answer,
    struct str *pem)
{
	unsigned char hash[SHA256_DIGEST_LENGTH] = { 0 };
	struct str fields[] = { name, { (const char *)hash, sizeof hash } };
	struct buf told = { .p = arena_alloc(t->arena, KEYRING_TELL_MOST),
		.cap = KEYRING_TELL_MOST };
	struct str body;

	if (told.p == NULL)
		return err_set("no memory for ACME");
	SHA256((const unsigned char *)answer.p, answer.n, hash);
	if (keyring_link_ask(t->link, KEYRING_PROVE, 0, fields, 2, &told) != 0)
		return err_add("the keyring");
	body = buf_str(&told);
	return keyring_field(&body, pem) ? 0 :
	    err_set("the keyring tells no certificate");
}

static yields int
authorization_poll(struct acme_talk *t, struct str url, struct str name)
{
	struct mono until = patience();
	struct acme_authorization z;
	struct acme_reply r;

	for (unsigned round = 0; !is_over(until); round++) {
		struct arena_mark mark = arena_mark(t->arena);
		int rc = acme_talk_post(t, url, STR_NONE, ACME_ANSWER_MOST, &r);

		if (rc != 0 || acme_read_authorization(r.body,
		    str_of(method_name(t)), t->arena, &z) != 0)
			return -1;
		if (z.status == ACME_VALID)
			return 0;
		if (z.status != ACME_PENDING && z.status != ACME_PROCESSING)
			return failed(name, &z.problem);
		if (poll_wait(t, &r, round) != 0)
			return -1;
		arena_back(t->arena, mark);
	}
	return err_set(STR_FMT ": the authority does not come",
	    STR_ARG(name));
}

static yields int
challenge_run(struct acme_talk *t, struct challenge_board *board, struct str url,
    const struct acme_authorization *z)
{
	struct challenge c = { .is_tls = t->config->tls.acme.challenge ==
		ACME_TLS_ALPN_01 };
	struct acme_reply r;
	int rc;

	c.key = c.is_tls ? z->name : z->token;
	if (key_authorization(t, z->token, &c.answer) != 0 || (c.is_tls &&
	    proof_ask(t, z->name, c.answer, &c.answer) != 0))
		return -1;
	challenge_show(board, &c);
	rc = acme_talk_post(t, z->url, STR("{}"), ACME_ANSWER_MOST, &r);
	if (rc == 0)
		rc = authorization_poll(t, url, z->name);
	challenge_hide(&c);
	return rc;
}

static yields int
name_prove(struct acme_talk *t, struct challenge_board *board, struct str url)
{
	struct acme_authorization z;
	struct acme_reply r;

	if (acme_talk_post(t, url, STR_NONE, ACME_ANSWER_MOST, &r) != 0 ||
	    acme_read_authorization(r.body, str_of(method_name(t)), t->arena,
	    &z) != 0)
		return -1;
	if (z.status == ACME_VALID)
		return 0;
	if (z.status != ACME_PENDING)
		return failed(z.name, &z.problem);
	if (z.url.n == 0)
		return err_set(STR_FMT ": the authority does not offer %s; what "
		    "to do: set tls.acme.challenge to the other", STR_ARG(z.name),
		    method_name(t));
	return challenge_run(t, board, url, &z);
}

/* ---- the order ---- */

static yields int
order_poll(struct acme_talk *t, struct str url, struct acme_order *o)
{
	struct mono until = patience();
	struct acme_reply r;

	for (unsigned round = 0; !is_over(until); round++) {
		struct arena_mark mark = arena_mark(t->arena);

		if (acme_talk_post(t, url, STR_NONE, ACME_ANSWER_MOST, &r) != 0
		    || acme_read_order(r.body, t->arena, o) != 0)
			return -1;
		if (o->status != ACME_PENDING && o->status != ACME_PROCESSING)
			return 0;
		if (poll_wait(t, &r, round) != 0)
			return -1;
		arena_back(t->arena, mark);
	}
	return err_set("the authority does not finish the order");
}

static yields int
request_send(struct acme_talk *t, const struct acme_wanted *w,
    const struct acme_order *o)
{
	char kind = (char)w->kind;
	struct str fields[1 + ACME_NAMES_MOST] = { { &kind, 1 } }, body, der;
	struct buf told = { .p = arena_alloc(t->arena, KEYRING_TELL_MOST),
		.cap = KEYRING_TELL_MOST };
	struct buf payload = { .p = arena_alloc(t->arena, PAYLOAD_MOST),
		.cap = PAYLOAD_MOST };
	struct acme_reply r;

	if (told.p == NULL || payload.p == NULL || w->n > ACME_NAMES_MOST)
		return err_set("no memory for ACME");
	memcpy(&fields[1], w->names, w->n * sizeof *fields);
	if (keyring_link_ask(t->link, KEYRING_REQUEST, 0, fields, 1 + w->n,
	    &told) != 0)
		return err_add("the keyring");
	body = buf_str(&told);
	if (!keyring_field(&body, &der))
		return err_set("the keyring tells no request");
	acme_put_csr(&payload, der);
	return acme_talk_post(t, o->finalize, buf_str(&payload),
	    ACME_ANSWER_MOST, &r);
}

static yields int
order_finalize(struct acme_talk *t, const struct acme_wanted *w, struct str url,
    struct acme_order *o)
{
	if (order_poll(t, url, o) != 0)
		return -1;
	if (o->status == ACME_READY && (request_send(t, w, o) != 0 ||
	    order_poll(t, url, o) != 0))
		return -1;
	if (o->status == ACME_VALID)
		return 0;
	return o->problem.type.p != NULL ? failed(STR("the order"),
	    &o->problem) : err_set("the authority gave the order up");
}

/* ---- the chain ---- */

/* Does the last of the chain come from whom we want? */
static bool
chain_is_of(struct str pem, struct str issuer)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x, *last = NULL;
	char name[COMMON_NAME_MOST + 1];
	int n = -1;

	while (b != NULL && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) !=
	    NULL) {
		X509_free(last);
		last = x;
	}
	if (last != NULL)
		n = X509_NAME_get_text_by_NID(X509_get_issuer_name(last),
		    NID_commonName, name, sizeof name);
	X509_free(last);
	BIO_free(b);
	ERR_clear_error();
	return n > 0 && str_eq(str_of(name), issuer);
}

/* RFC 8555 7.4.2: Link: <https://...>;rel="alternate", once for each. */
static bool
alternate_next(struct str *head, struct str *url)
{
	while (head->n > 0) {
		struct str line = str_trim(str_cut(head, '\n')), rest = line;

		if (!str_skip_icase(&rest, STR("link:")) ||
		    str_find_str(rest, STR("alternate")) == rest.n)
			continue;
		(void)str_cut(&rest, '<');
		*url = str_cut(&rest, '>');
		if (url->n > 0)
			return true;
	}
	return false;
}

static yields int
chain_fetch(struct acme_talk *t, struct str url, struct str *pem)
{
	struct str issuer = t->config->tls.acme.issuer, head, other;
	struct acme_reply r, s;

	if (acme_talk_post(t, url, STR_NONE, ACME_CHAIN_MOST, &r) != 0)
		return err_add("the certificate");
	*pem = r.body;
	if (issuer.n == 0 || chain_is_of(r.body, issuer))
		return 0;
	for (head = r.raw.head; alternate_next(&head, &other);)
		if (acme_talk_post(t, other, STR_NONE, ACME_CHAIN_MOST, &s) ==
		    0 && chain_is_of(s.body, issuer)) {
			*pem = s.body;
			return 0;
		}
	err_clear();			/* what is offered is good, too */
	return 0;
}

static yields int
chain_install(struct acme_talk *t, enum keyring_kind which, struct str pem)
{
	char kind = (char)which, room[1];
	const struct str fields[] = { { &kind, 1 }, pem };
	struct buf none = BUF_OF(room);

	return keyring_link_ask(t->link, KEYRING_INSTALL, 0, fields, 2,
	    &none) == 0 ? 0 : err_add("the keyring");
}

/* ---- all of it ---- */

/* RFC 9773 5: who does not know what is replaced, or has another's order for
 * it, is asked without. */
static yields int
order_ask(struct acme_talk *t, const struct acme_wanted *w, struct str *url,
    struct acme_order *o)
{
	struct str replaces = t->directory.renewal.n > 0 ? w->replaces :
	    STR("");
	struct acme_reply r;
	int rc;

	for (;;) {
		struct buf payload = { .p = arena_alloc(t->arena, PAYLOAD_MOST),
			.cap = PAYLOAD_MOST };

		if (payload.p == NULL)
			return err_set("no memory for ACME");
		acme_put_order(&payload, w->names, w->n, replaces,
		    t->config->tls.acme.profile);
		rc = payload.full ? err_set("too many names") : acme_talk_post(t,
		    t->directory.new_order, buf_str(&payload),
		    ACME_ANSWER_MOST, &r);
		if (rc == 0 || replaces.n == 0 ||
		    str_eq(t->problem.type, STR("rateLimited")))
			break;
		replaces = STR("");
	}
	if (rc != 0)
		return err_add("the order");
	*url = arena_copy(t->arena, r.location);
	return url->n == 0 ? err_set("the authority tells no order") :
	    acme_read_order(r.body, t->arena, o);
}

yields int
acme_order_run(struct acme_talk *t, struct challenge_board *board,
    const struct acme_wanted *w)
{
	struct acme_order *o = arena_new(t->arena, struct acme_order);
	struct str url = STR(""), pem = STR("");

	if (o == NULL)
		return err_set("no memory for ACME");
	for (size_t i = 0; i < w->n; i++)
		if (caa_allows(t, w->names[i]) != 0)
			return -1;
	if (order_ask(t, w, &url, o) != 0)
		return -1;
	for (size_t i = 0; i < o->n; i++) {
		struct arena_mark mark = arena_mark(t->arena);

		if (name_prove(t, board, o->authorizations[i]) != 0)
			return -1;
		arena_back(t->arena, mark);
	}
	if (order_finalize(t, w, url, o) != 0 ||
	    chain_fetch(t, o->certificate, &pem) != 0)
		return -1;
	return chain_install(t, w->kind, pem);
}
