/*
 * RFC 3207: the conversation goes on in private, and begins again.  Nothing that
 * was said before is known any more (4.2), and nothing that was sent behind
 * STARTTLS is heard (SECURITY.md row 4).
 */
#include "policy/config.h"
#include "smtp/say.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/tls.h"
#include "trust/client_cert.h"
#include "wire/address.h"

/* RFC 8314 4.3 asks for the suite in Received. */
static void
session_note_tls(struct session *s)
{
	struct buf b = BUF_OF(s->tls_room);
	struct tls_facts facts;

	tls_facts(&s->net, &facts);
	buf_put(&b, str_of(facts.cipher));
	must(!b.full);
	s->tls = buf_str(&b);
}

/* Whom a client's certificate names counts only when it leads to an authority
 * that was configured (SECURITY.md row 9). */
static void
session_note_certificate(struct session *s)
{
	const struct config *config = session_config(s);
	struct session_certificate *c;
	struct wall now = clock_wall();
	struct tls_facts facts;
	struct buf names;

	tls_facts(&s->net, &facts);
	if (facts.peer == NULL || !client_cert_is_current(facts.peer, now))
		return;
	arena_init(&s->shown, config->limits.session_memory);
	s->certificate = c = arena_new(&s->shown, struct session_certificate);
	if (c == NULL)
		return;
	client_cert_fingerprint(facts.peer, c->fingerprint);
	if (config->auth.certificates_pem.n == 0 ||
	    !client_cert_leads(facts.peer, facts.peer_chain,
	    config->auth.certificates_pem, now))
		return;
	names = BUF_OF(c->room);
	client_cert_names(facts.peer, &names);
	c->names = names.full ? STR_NONE : buf_str(&names);
}

static yields int
session_shake(struct session *s)
{
	return s->listener->certificates == CERTIFICATES_OFF ?
	    tls_accept(&s->net, s->server->tls) :
	    tls_accept_asking(&s->net, s->server->tls);
}

yields int
session_secure(struct session *s)
{
	int64_t patience = session_config(s)->timeouts.server.command;

	must(s->state == SESSION_START && !stream_is_private(&s->net));
	if (s->server->tls == NULL)
		return err_set("there is no certificate");
	s->net.deadline = mono_add(clock_mono(), patience);
	if (session_shake(s) != 0)
		return -1;
	session_note_tls(s);
	if (s->listener->certificates != CERTIFICATES_OFF)
		session_note_certificate(s);
	err_clear();
	return 0;
}

/* RFC 3207 4.2: EHLO should follow, and what he said before is forgotten.  Who
 * submits without saying it again goes by his address; his EHLO told before that
 * he speaks ESMTP. */
static bool
session_greeted(struct session *s)
{
	struct buf b = { .cap = sizeof(struct address_text) + 8 };

	if (s->listener->role != ROLE_SUBMISSION)
		return true;
	b.p = arena_alloc(&s->arena, b.cap);
	if (b.p == NULL)
		return false;
	literal_print(str_of(s->client.text), &b);
	s->helo = buf_str(&b);
	s->is_extended = true;
	s->state = SESSION_READY;
	return !b.full;
}

yields void
say_starttls(struct session *s, const struct command *command)
{
	(void)command;
	must(s->state <= SESSION_READY && s->txn.config == NULL);
	if (stream_buffered(&s->net) > 0) {
		session_say(s, REPLY_BEHIND_TLS);
		s->is_over = true;
		return;
	}
	session_say(s, REPLY_GO_PRIVATE);
	session_forget(s);
	if (session_secure(s) == 0 && session_greeted(s))
		return;
	session_tell_broken(s, "tls");
	s->is_over = true;
}
