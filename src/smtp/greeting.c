#include "fiber/fiber.h"
#include "policy/judge.h"
#include "smtp/say.h"

#include "base/must.h"
#include "smtp/extension.h"
#include "wire/disposition.h"

/* RFC 5321 4.1.1.1: the greeting, and what is offered to whom. */

/* -1: refused, and the state is what it was. */
static yields int
session_hello(struct session *s, struct str name, bool is_extended)
{
	struct judge_client facts = session_facts(s);
	struct judgment judgment;

	judgment = judge_helo(session_config(s), &facts, name);
	if (!judgment_is_yes(&judgment)) {
		session_say_verdict(s, &judgment.verdict);
		return -1;
	}
	txn_reset(s);
	must(s->state <= SESSION_READY);
	arena_clear(&s->arena);
	s->state = SESSION_READY;
	s->is_extended = is_extended;
	s->helo = arena_copy(&s->arena, name);
	if (s->helo.p == NULL) {
		s->state = SESSION_START;
		session_say(s, REPLY_NO_ROOM);
		return -1;
	}
	return 0;
}

yields void
say_helo(struct session *s, const struct command *command)
{
	if (session_hello(s, command->arg, false) == 0)
		session_put(s, 250, ESC_NONE, session_config(s)->hostname);
}

yields void
say_ehlo(struct session *s, const struct command *command)
{
	char room[768];
	struct buf text = BUF_OF(room);

	if (session_hello(s, command->arg, true) != 0)
		return;
	buf_put(&text, session_config(s)->hostname);
	extension_list(s, &text);
	must(!text.full);
	session_put(s, 250, ESC_NONE, buf_str(&text));
}
