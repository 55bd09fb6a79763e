/* route_tls.c -- certificates: shown, renewed, revoked; the account's key. */
#include "base/err.h"
#include "http/control_inner.h"

enum { TLS_MOST = 256 * 1024 };

yields void
route_tls_show(struct request *q)
{
	const struct control_tls *t = &q->control->setup.tls;
	struct buf b = { .p = arena_alloc(&q->talk->arena, TLS_MOST),
		.cap = TLS_MOST };
	struct json j;

	if (b.p == NULL || t->show == NULL) {
		talk_error(q->talk, 503, "no_tls", "no certificates now");
		return;
	}
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	t->show(t->arg, &j);
	json_end_object(&j);
	buf_putc(&b, '\n');
	talk_say(q->talk, 200, "application/json", buf_str(&b));
}

yields void
route_tls_chains(struct request *q)
{
	const struct control_tls *t = &q->control->setup.tls;
	struct buf b = { .p = arena_alloc(&q->talk->arena, TLS_MOST),
		.cap = TLS_MOST };
	struct json j;

	if (b.p == NULL || t->print == NULL) {
		talk_error(q->talk, 503, "no_tls", "no certificates now");
		return;
	}
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_array(&j, "certificates");
	t->print(t->arg, &j, &q->talk->arena);
	json_end_array(&j);
	json_end_object(&j);
	buf_putc(&b, '\n');
	if (b.full)
		talk_error(q->talk, 503, "too_long", "the chains are too long");
	else
		talk_say(q->talk, 200, "application/json", buf_str(&b));
}

static yields void
tls_act(struct request *q, enum control_tls_verb verb, struct str done)
{
	const struct control_tls *t = &q->control->setup.tls;

	if (t->act == NULL)
		talk_error(q->talk, 503, "no_tls", "no certificates now");
	else if (t->act(t->arg, verb) == 0)
		talk_say(q->talk, 200, "text/plain", done);
	else {
		talk_error(q->talk, 422, "acme", "%s", err_text());
		err_clear();
	}
}

yields void
route_tls_renew(struct request *q)
{
	tls_act(q, CONTROL_TLS_RENEW, STR("New certificates are asked for; "
	    "nightmail tls show tells what became of it.\n"));
}

yields void
route_tls_revoke(struct request *q)
{
	tls_act(q, CONTROL_TLS_REVOKE, STR("The certificates are revoked; others "
	    "are asked for.\n"));
}

yields void
route_tls_rekey(struct request *q)
{
	tls_act(q, CONTROL_TLS_REKEY, STR("The account has a new key.\n"));
}
