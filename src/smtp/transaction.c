#include "intake/intake.h"
#include "policy/account.h"
#include "policy/config.h"
#include "policy/holder.h"
#include "smtp/door.h"
#include "smtp/say.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "smtp/extension.h"
#include "smtp/toll.h"
#include "spool/envelope.h"
#include "wire/disposition.h"
#include "wire/idna.h"
#include "wire/orcpt.h"
#include "wire/refusal.h"
#include "wire/xtext.h"

#define READING_WAIT_NS (60 * NS_PER_SECOND)
#define READING_LOOK_NS (250 * NS_PER_MS)

enum { TXN_USUAL = 2560 };	/* octets of a transaction with one recipient */

/* ---- mailboxes beyond ASCII: RFC 6531 3.2 ---- */

/* From here on every domain is ASCII, so that it is found, routed and compared
 * in one form whoever wrote it; the local part stays as it is. */
static const struct refusal *
mailbox_lower_domain(struct mailbox *m, char *room, enum refusal_name bad)
{
	struct buf b = { .p = room, .cap = MAILBOX_ROOM };

	if (!idna_mailbox(m, &b))
		return refusal_get(bad);
	return m->text.n > PATH_MOST - 2 ? refusal_get(REFUSAL_LONG_PATH) :
	    NULL;
}

/* ---- MAIL: RFC 5321 4.1.1.2 ---- */

static yields struct verdict
mail_count(struct session *s, const struct config *config)
{
	uint64_t most = config->limits.messages;

	if (most != 0 && s->messages >= most)
		return session_verdict(REPLY_MESSAGES);
	return door_mail(&s->guest, config).verdict;
}

/* What the account may do is what the configuration of this moment says. */
static bool
mail_settle(struct session *s)
{
	must(s->txn.config != NULL && s->txn.account == NULL);
	if (s->account == NULL)
		return true;
	s->txn.account = arena_new(&s->txn.arena, struct account);
	if (s->txn.account == NULL)
		return false;
	account_settle(s->txn.config, s->account, s->txn.account);
	return true;
}

/* After a start the doors open before the spool is read: whoever has mail waits
 * for that, within what a client waits (RFC 5321 4.5.3.2.2: five minutes). */
static yields bool
mail_wait(struct session *s)
{
	struct mono until = mono_add(clock_mono(), READING_WAIT_NS);

	while (!intake_is_ready(s->server->intake)) {
		if (s->server->is_shut || !mono_is_before(clock_mono(), until))
			return false;
		fiber_sleep(mono_add(clock_mono(), READING_LOOK_NS));
	}
	return true;
}

/* Of all sessions' memory each core has its share. */
static bool
mail_is_short(const struct session *s)
{
	const struct server_house *house = s->server->house;
	uint64_t most = s->txn.config->limits.memory;

	if (house->memory_most > 0 && house->memory_most < most)
		most = house->memory_most;
	return s->server->memory > most / house->n;
}

static yields struct verdict
mail_judge(struct session *s, const struct mail_params *mail)
{
	struct judge_client facts;
	struct judgment judgment;
	struct verdict v;

	must(s->txn.config != NULL && s->state == SESSION_READY);
	if (!mail_settle(s))
		return session_verdict(REPLY_NO_ROOM);
	facts = session_facts(s);
	judgment = judge_mail(s->txn.config, &facts, &mail->from, mail->size,
	    &s->txn.arena);
	if (!judgment_is_yes(&judgment))
		return judgment.verdict;
	if (!mail_wait(s))
		return session_verdict(s->server->is_shut ? REPLY_SHUT :
		    REPLY_READING);
	v = intake_has_room(s->server->intake, s->txn.config);
	if (v.disposition != DELIVERED)
		return v;
	if (mail_is_short(s))
		return session_verdict(REPLY_NO_ROOM);
	return judgment.verdict;
}

/* The judgment that stands, unless a limit is in the way. */
static yields struct verdict
mail_toll(struct session *s, uint64_t size, const struct verdict *judged)
{
	struct verdict v = toll_mail(s, size);

	return v.disposition == DELIVERED ? *judged : v;
}

static unsigned
mail_flags(const struct mail_params *mail)
{
	return (mail->body == BODY_8BITMIME ? ENVELOPE_8BIT : 0u) |
	    (mail->body == BODY_BINARYMIME ? ENVELOPE_BINARY : 0u) |
	    (mail->smtputf8 ? ENVELOPE_SMTPUTF8 : 0u) |
	    ((mail->given & PARAM_BIT(REQUIRETLS)) != 0 ?
	    ENVELOPE_REQUIRETLS : 0u);
}

/* RFC 3461 4.4: what the sender calls this transaction. */
static struct str
mail_envid(struct arena *arena, const struct mail_params *mail)
{
	struct str value = mail->raw[PARAM_ENVID];
	struct buf out = { .cap = value.n };

	if ((mail->given & PARAM_BIT(ENVID)) == 0)
		return STR("");
	out.p = arena_alloc(arena, value.n);
	if (out.p == NULL || !xtext_decode(value, &out))
		return STR_NONE;
	return buf_str(&out);
}

/* Fields that only we could have written are forged where he brings them; but
 * trusted hosts, and filters that run as root, may hand back what we gave them
 * (RFC 8601 5). */
static bool
mail_is_outside(const struct session *s)
{
	return s->listener->is_local ? s->guest.uid != 0 :
	    !config_trusts(s->txn.config, &s->guest.client);
}

/* Is it a stranger, who must show who he is by other means than a login? */
static bool
mail_is_checked(const struct session *s)
{
	return s->listener->role == ROLE_MX && !s->listener->is_local &&
	    s->user.n == 0 && mail_is_outside(s);
}

static bool
mail_open(struct session *s, const struct mail_params *mail)
{
	must(s->txn.intake == NULL && s->txn.n_rcpts == 0);
	/* is_utf8 stands already: the protocol's name tells it */
	struct arena *arena = &s->txn.arena;
	struct intake_origin origin = {
		.listener = s->listener->name, .protocol = session_protocol(s),
		.helo = s->helo, .client = str_of(s->client.text),
		.client_name = s->client_name, .user = s->user,
		.mechanism = str_of(s->mechanism),
		.account = s->txn.account,
		.tls = s->tls,
		.is_clear = s->txn.config->inbound.clear == CLEAR_TAG &&
		    session_is_clear(s),
		.is_submission = s->listener->role == ROLE_SUBMISSION,
		.envid = mail_envid(arena, mail), .ret = mail->ret,
		.flags = mail_flags(mail),
		.is_checked = mail_is_checked(s),
		.is_outside = mail_is_outside(s),
	};

	s->txn.sender = arena_copy(arena, mail->from.mailbox.text);
	if (mail->from.is_null)
		s->txn.sender = STR("");
	if (s->txn.sender.p == NULL || origin.envid.p == NULL)
		return false;
	if (s->listener->is_local) {	/* no host brought it */
		origin.helo = origin.client = STR_NONE;
		origin.protocol = STR("local");
	}
	else
		origin.from = s->guest.client;
	if (s->txn.account != NULL)
		origin.tenant = s->txn.account->tenant;
	origin.sender = s->txn.sender;
	s->txn.intake = intake_new(s->server->intake, s->txn.config, arena,
	    &origin);
	return s->txn.intake != NULL;
}

static yields void
mail_refuse(struct session *s, struct str sender, const struct verdict *v)
{
	must(v->disposition != DELIVERED && s->state == SESSION_READY);
	s->txn.sender = sender;
	session_refuse(s, "MAIL", STR_NONE, v);
	txn_reset(s);
}

/*
 * MAIL FROM:<reverse-path> [SP SIZE=octets] [SP BODY=7BIT|8BITMIME|BINARYMIME]
 *	[SP RET=FULL|HDRS] [SP ENVID=xtext] [SP SMTPUTF8]
 * (RFC 1870 4; RFC 6152 2; RFC 3030 3; RFC 3461 4.3, 4.4; RFC 6531 3.4).  The
 * configuration of this moment serves the whole transaction.
 */
yields void
say_mail(struct session *s, const struct command *command)
{
	struct config *config = config_pin(s->server->configs);
	const struct refusal *refusal;
	struct mail_params mail;
	char room[MAILBOX_ROOM];
	struct verdict v;

	must(s->state == SESSION_READY);
	must(s->txn.config == NULL && s->txn.intake == NULL);
	s->txn.config = config;
	s->txn.began = clock_mono();
	arena_init(&s->txn.arena, config->limits.message_memory);
	arena_expect(&s->txn.arena, TXN_USUAL);
	refusal = mail_parse(command->arg, extension_params(s), &mail);
	if (refusal == NULL)
		refusal = mailbox_lower_domain(&mail.from.mailbox, room,
		    REFUSAL_BAD_SENDER);
	if (refusal != NULL) {
		v = session_verdict_of(refusal);
		mail_refuse(s, command->arg, &v);
		return;
	}
	s->txn.body = mail.body;
	s->txn.is_utf8 = mail.smtputf8;
	v = mail_count(s, config);
	if (v.disposition == DELIVERED)
		v = mail_judge(s, &mail);
	if (v.disposition == DELIVERED)
		v = mail_toll(s, mail.size, &v);
	if (v.disposition == DELIVERED && !mail_open(s, &mail))
		v = session_verdict(REPLY_NO_ROOM);
	if (v.disposition != DELIVERED) {
		mail_refuse(s, mail.from.mailbox.text, &v);
		return;
	}
	must(s->txn.sender.p != NULL && s->txn.n_rcpts == 0);
	s->messages++;
	s->state = SESSION_MAIL;
	session_say_verdict(s, &v);
}

/* ---- RCPT: RFC 5321 4.1.1.3 ---- */

/* RFC 3461 4.1, 4.2: what the sender wants to hear of this recipient. */
static struct verdict
rcpt_take(struct session *s, const struct rcpt_params *rcpt)
{
	struct intake_wish wish = { .notify = rcpt->notify };
	char room[ORCPT_MOST];
	struct buf orcpt = BUF_OF(room);

	must(s->txn.intake != NULL && s->txn.config != NULL);
	if ((rcpt->given & PARAM_BIT(ORCPT)) != 0) {
		must(orcpt_read(rcpt->raw[PARAM_ORCPT], s->txn.is_utf8,
		    &orcpt));
		wish.orcpt = buf_str(&orcpt);
	}
	return intake_recipient(s->txn.intake, &rcpt->to, &wish);
}

static yields struct verdict
rcpt_judge(struct session *s, const struct command *command,
    struct rcpt_params *rcpt, char *room)
{
	struct judge_client facts = session_facts(s);
	const struct refusal *refusal;
	struct judgment judgment;
	struct verdict v;

	rcpt->to.mailbox.text = command->arg;
	refusal = rcpt_parse(command->arg, extension_params(s),
	    s->txn.is_utf8 ? MAILBOX_UTF8 : MAILBOX_STRICT, rcpt);
	if (refusal == NULL)
		refusal = mailbox_lower_domain(&rcpt->to.mailbox, room,
		    REFUSAL_BAD_RECIPIENT);
	if (refusal != NULL)
		return session_verdict_of(refusal);
	judgment = judge_rcpt(s->txn.config, &facts, s->txn.sender,
	    &rcpt->to, s->txn.n_rcpts);
	if (!judgment_is_yes(&judgment))
		return judgment.verdict;
	v = intake_welcome(s->txn.intake, &rcpt->to);
	if (v.disposition == DELIVERED)
		v = toll_rcpt(s);
	if (v.disposition == DELIVERED)
		v = rcpt_take(s, rcpt);
	return v.disposition == DELIVERED ? judgment.verdict : v;
}

yields void
say_rcpt(struct session *s, const struct command *command)
{
	struct rcpt_params rcpt = { 0 };
	char room[MAILBOX_ROOM];
	struct verdict v;

	must(s->state >= SESSION_MAIL && s->txn.intake != NULL);
	v = rcpt_judge(s, command, &rcpt, room);
	if (v.disposition != DELIVERED) {
		session_refuse(s, "RCPT", rcpt.to.mailbox.text, &v);
		return;
	}
	s->txn.n_rcpts++;
	s->state = SESSION_RCPT;
	session_say_verdict(s, &v);
}
