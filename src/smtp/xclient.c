/*
 * XCLIENT: Postfix's XCLIENT_README.
 *
 *	xclient-command = "XCLIENT" 1*(SP attribute-name "=" attribute-value)
 *	attribute-value = xtext
 *
 * Each attribute at most once, by the table xclient.def.  "[UNAVAILABLE]" and
 * "[TEMPUNAVAIL]" mean that the proxy does not know.  Everything is read before
 * anything is believed; then the conversation begins again with a banner: what
 * the client had said is forgotten, what the proxy told now and before stays; but
 * with another address comes another client, and of him nothing was told.
 */
#include "base/must.h"
#include "base/num.h"
#include "fiber/net.h"
#include "policy/holder.h"
#include "smtp/door.h"
#include "smtp/say.h"
#include "wire/address.h"
#include "wire/xtext.h"

enum attribute {
#define XCLIENT(name) ATTRIBUTE_##name,
#include "smtp/xclient.def"
#undef XCLIENT
	ATTRIBUTES
};

struct xclient {
	bool is_given[ATTRIBUTES];
	char room[ATTRIBUTES][SESSION_TOLD];
	struct str value[ATTRIBUTES];	/* decoded; n == 0: not known */
	struct address address;
	bool is_extended;		/* PROTO=ESMTP */
};

/* ---- each attribute: false when its value is none ---- */

static bool
value_is_address(struct str s, struct address *out)
{
	(void)str_skip_icase(&s, STR("IPV6:"));
	return address_parse(s, 0, out);
}

static bool
value_is_port(struct str s)
{
	uint64_t port;

	return s.n == 0 || parse_u64(s, UINT16_MAX, &port);
}

static bool
value_is_name(struct str s)
{
	return s.n == 0 || host_parse(s, MAILBOX_STRICT) != HOST_BAD;
}

/* Who has no address is nobody's friend. */
static bool
attribute_ADDR(struct xclient *x, struct str s)
{
	return value_is_address(s.n > 0 ? s : STR("0.0.0.0"), &x->address);
}

static bool
attribute_DESTADDR(struct xclient *x, struct str s)
{
	struct address unused;

	(void)x;
	return s.n == 0 || value_is_address(s, &unused);
}

static bool
attribute_DESTPORT(struct xclient *x, struct str s)
{
	(void)x;
	return value_is_port(s);
}

static bool
attribute_HELO(struct xclient *x, struct str s)
{
	(void)x;
	return value_is_name(s);
}

static bool
attribute_LOGIN(struct xclient *x, struct str s)
{
	(void)x;
	return str_is_printable(s);
}

static bool
attribute_NAME(struct xclient *x, struct str s)
{
	(void)x;
	return value_is_name(s);
}

static bool
attribute_PORT(struct xclient *x, struct str s)
{
	(void)x;
	return value_is_port(s);
}

static bool
attribute_PROTO(struct xclient *x, struct str s)
{
	x->is_extended = str_eq_icase(s, STR("ESMTP"));
	return s.n == 0 || x->is_extended || str_eq_icase(s, STR("SMTP"));
}

static const struct attribute_row {
	struct str name;
	bool (*read)(struct xclient *, struct str);
} attributes[] = {
#define XCLIENT(name) { STR_INIT(#name), attribute_##name },
#include "smtp/xclient.def"
#undef XCLIENT
};

/* ---- the command ---- */

static bool
xclient_take(struct xclient *x, struct str word)
{
	struct str name = str_sub(word, 0, str_find(word, '='));
	struct str value = str_sub(word, name.n + 1, word.n);
	enum attribute a = 0;
	struct buf b;

	while (a < ATTRIBUTES && !str_eq_icase(name, attributes[a].name))
		a++;
	if (a == ATTRIBUTES || x->is_given[a] || value.n == 0)
		return false;
	b = (struct buf){ .p = x->room[a], .cap = SESSION_TOLD };
	if (!str_eq_icase(value, STR("[UNAVAILABLE]")) &&
	    !str_eq_icase(value, STR("[TEMPUNAVAIL]")) &&
	    (!xtext_decode(value, &b) || !str_is_printable(buf_str(&b))))
		return false;
	x->is_given[a] = true;
	x->value[a] = buf_str(&b);
	return attributes[a].read(x, x->value[a]);
}

static bool
xclient_parse(struct xclient *x, struct str arg)
{
	*x = (struct xclient){ .is_extended = true };
	while (arg.n > 0) {
		struct str word = str_cut(&arg, ' ');

		if (word.n > 0 && !xclient_take(x, word))
			return false;
	}
	return true;
}

static void
xclient_keep(const struct xclient *x, enum attribute a, char *room,
    struct str *to)
{
	if (!x->is_given[a])
		return;
	must(x->value[a].n <= SESSION_TOLD);
	memcpy(room, x->room[a], SESSION_TOLD);
	*to = (struct str){ room, x->value[a].n };
}

/* He has greeted, as the proxy tells; until he does it himself. */
static void
xclient_greeted(struct session *s, const struct xclient *x)
{
	if (x->value[ATTRIBUTE_HELO].n == 0)
		return;
	s->helo = arena_copy(&s->arena, x->value[ATTRIBUTE_HELO]);
	must(s->helo.p != NULL);	/* it was empty */
	s->is_extended = x->is_extended;
	s->state = SESSION_READY;
}

static yields void
xclient_rename(struct session *s, const struct address *client)
{
	struct config *config = config_pin(s->server->configs);
	struct judgment judgment = door_rename(&s->guest, config, client);

	s->client = address_print(client);
	if (!judgment_is_yes(&judgment)) {
		session_refuse(s, "XCLIENT", STR_NONE, &judgment.verdict);
		s->is_over = true;
	}
	config_unpin(s->server->configs, config);
}

static yields void
xclient_begin(struct session *s, const struct xclient *x)
{
	session_forget(s);
	if (x->is_given[ATTRIBUTE_ADDR])	/* these were another's */
		s->client_name = s->user = STR_NONE;
	xclient_keep(x, ATTRIBUTE_NAME, s->told_name, &s->client_name);
	xclient_keep(x, ATTRIBUTE_LOGIN, s->told_user, &s->user);
	if (x->is_given[ATTRIBUTE_ADDR])
		xclient_rename(s, &x->address);
	if (s->is_over)
		return;
	session_greet(s);
	xclient_greeted(s, x);
}

yields void
say_xclient(struct session *s, const struct command *command)
{
	struct xclient x;

	must(s->txn.config == NULL && !s->listener->is_local);
	if (!session_room(s, SESSION_TOLD, &s->told_name) ||
	    !session_room(s, SESSION_TOLD, &s->told_user))
		session_say(s, REPLY_NO_ROOM);
	else if (xclient_parse(&x, command->arg))
		xclient_begin(s, &x);
	else
		session_say(s, REPLY_BAD_XCLIENT);
}
