#include "smtp/extension.h"

#include "policy/config.h"
#include "smtp/say.h"
#include "trust/sasl.h"

#include <inttypes.h>

static bool
when_always(const struct session *s)
{
	(void)s;
	return true;
}

static bool
when_auth(const struct session *s)
{
	return auth_mechanisms(s) != 0;
}

static bool
when_etrn(const struct session *s)
{
	return !s->listener->is_local &&
	    networks_have(&session_config(s)->etrn, &s->guest.client);
}

static bool
when_tls(const struct session *s)
{
	return (s->listener->tls == TLS_OFFERED ||
	    s->listener->tls == TLS_REQUIRED) && s->server->tls != NULL &&
	    s->tls.n == 0;
}

/* RFC 8689 2: "only ... in the context of" TLS. */
static bool
when_private(const struct session *s)
{
	return s->tls.n > 0;
}

/* Whoever connected, not whoever he says he is. */
static bool
when_xclient(const struct session *s)
{
	return !s->listener->is_local &&
	    networks_have(&session_config(s)->xclient, &s->peer);
}

static enum session_reply
else_auth(const struct session *s)
{
	return auth_otherwise(s);
}

/* RFC 1985 5.2: 4xx says that others may. */
static enum session_reply
else_etrn(const struct session *s)
{
	return session_config(s)->etrn.n == 0 ? REPLY_ABSENT : REPLY_NO_ETRN;
}

static enum session_reply
else_tls(const struct session *s)
{
	return s->tls.n > 0 ? REPLY_HAS_TLS : REPLY_ABSENT;
}

static enum session_reply
else_xclient(const struct session *s)
{
	(void)s;
	return REPLY_NO_XCLIENT;
}

static enum session_reply
else_absent(const struct session *s)
{
	(void)s;
	return REPLY_ABSENT;
}

static void
words_nothing(const struct session *s, struct buf *out)
{
	(void)s;
	(void)out;
}

static void
put_mechanisms(uint32_t mechanisms, char before, struct buf *out)
{
	for (enum sasl_mechanism m = 0; m < SASL_MECHANISMS; m++) {
		if ((mechanisms & SASL_BIT(m)) == 0)
			continue;
		buf_putc(out, before);
		buf_put(out, sasl_traits(m)->name);
		before = ' ';
	}
}

/* RFC 4954 3; and, if asked for, the form that some clients of the last century
 * look for. */
static void
words_auth(const struct session *s, struct buf *out)
{
	put_mechanisms(auth_mechanisms(s), ' ', out);
	if (session_config(s)->auth.old_form == AUTH_OLD_FORM_NO)
		return;
	buf_put(out, STR("\nAUTH"));
	put_mechanisms(auth_mechanisms(s), '=', out);
}

/* RFC 1870 4 */
static void
words_size(const struct session *s, struct buf *out)
{
	buf_printf(out, " %" PRIu64, session_config(s)->limits.size);
}

/* RFC 9422 4: only what really ends something.  There is no limit of domains
 * (RCPTDOMAINMAX). */
static void
words_limits(const struct session *s, struct buf *out)
{
	const struct config *config = session_config(s);

	if (config->limits.messages != 0)
		buf_printf(out, " MAILMAX=%" PRIu64, config->limits.messages);
	buf_printf(out, " RCPTMAX=%" PRIu64, config->limits.recipients);
}

static void
words_xclient(const struct session *s, struct buf *out)
{
	(void)s;
#define XCLIENT(name) buf_put(out, STR(" " #name));
#include "smtp/xclient.def"
#undef XCLIENT
}

static const struct extension {
	struct str keyword;
	bool (*when)(const struct session *);
	void (*words)(const struct session *, struct buf *);
	enum verb verb;
	enum session_reply (*otherwise)(const struct session *);
	uint32_t params;
} extensions[] = {
#define EXTENSION(keyword, when, words, verb, otherwise, params) \
	{ STR_INIT(keyword), when_##when, words_##words, verb, \
	    else_##otherwise, params },
#include "smtp/extensions.def"
#undef EXTENSION
};

enum { EXTENSIONS = sizeof extensions / sizeof *extensions };

void
extension_list(const struct session *s, struct buf *out)
{
	for (size_t i = 0; i < EXTENSIONS; i++) {
		if (!extensions[i].when(s))
			continue;
		buf_putc(out, '\n');
		buf_put(out, extensions[i].keyword);
		extensions[i].words(s, out);
	}
}

uint32_t
extension_params(const struct session *s)
{
	uint32_t params = 0;

	for (size_t i = 0; i < EXTENSIONS && s->is_extended; i++)
		if (extensions[i].when(s))
			params |= extensions[i].params;
	/* RFC 4954 5: also, and first of all, from whom AUTH made known */
	if (s->is_extended && s->account != NULL)
		params |= PARAM_BIT(AUTH);
	return params;
}

enum session_reply
extension_reply(const struct session *s, enum verb verb)
{
	for (size_t i = 0; i < EXTENSIONS; i++)
		if (extensions[i].verb == verb && !extensions[i].when(s))
			return extensions[i].otherwise(s);
	return REPLY_GO;
}
