/*
 * RFC 3207: the conversation goes on in private, and begins again.  Nothing that
 * was said before is known any more (4.2), and nothing that was sent behind
 * STARTTLS is heard (SECURITY.md row 4).
 */
#include "smtp/say.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/tls.h"

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

yields int
session_secure(struct session *s)
{
	int64_t patience = session_config(s)->timeouts.server.command;

	must(s->state == SESSION_START && !stream_is_private(&s->net));
	if (s->server->tls == NULL)
		return err_set("there is no certificate");
	s->net.deadline = mono_add(clock_mono(), patience);
	if (tls_accept(&s->net, s->server->tls) != 0)
		return -1;
	session_note_tls(s);
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
