/*
 * ETRN: RFC 1985 5.
 *
 *	ETRN [<option character>]<node name><CR><LF>
 *
 * The option @ means all domains below the node too; # names a queue, of which
 * there are none with names here.  253 tells how many messages wait, 251 that
 * none does.
 */
#include "base/must.h"
#include "fiber/fiber.h"
#include "smtp/say.h"
#include "wire/disposition.h"
#include "wire/idna.h"

#include <inttypes.h>

static yields void
etrn_tell(struct session *s, struct str node, int64_t n)
{
	char room[DOMAIN_MOST + 100];
	struct buf text = BUF_OF(room);

	if (n == 0)
		buf_printf(&text, "OK, no messages waiting for node " STR_FMT,
		    STR_ARG(node));
	else
		buf_printf(&text, "OK, %" PRId64 " pending messages for node "
		    STR_FMT " started", n, STR_ARG(node));
	must(!text.full);
	session_put(s, n == 0 ? 251 : 253, (struct esc){ 2, 0, 0 },
	    buf_str(&text));
}

yields void
say_etrn(struct session *s, const struct command *command)
{
	struct server_house *house = s->server->house;
	struct str node = command->arg;
	bool is_below = str_skip(&node, STR("@"));
	char room[DOMAIN_MOST];
	struct buf domain = BUF_OF(room);
	int64_t n;

	must(s->txn.config == NULL && house->flush != NULL);
	if (!idna_ascii(node, &domain)) {
		session_say(s, REPLY_BAD_NODE);
		return;
	}
	n = house->flush(house->flush_arg, buf_str(&domain), is_below);
	if (n < 0)
		session_say(s, REPLY_NO_QUEUE);
	else
		etrn_tell(s, buf_str(&domain), n);
}
