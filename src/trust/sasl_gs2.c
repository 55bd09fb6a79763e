/*
 * RFC 5801 4, as RFC 5802 7 has it:
 *
 *	gs2-header    = gs2-cbind-flag "," [ authzid ] ","
 *	gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
 *	cb-name       = 1*(ALPHA / DIGIT / "." / "-")
 *	authzid       = "a=" saslname
 *	saslname      = 1*(value-safe-char / "=2C" / "=3D")
 */
#include "trust/sasl_own.h"

static bool
is_binding_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-')
			return false;
	return s.n > 0;
}

static bool
flag_read(struct str flag, struct gs2 *out)
{
	if (str_skip(&flag, STR("p="))) {
		out->flag = 'p';
		out->binding = flag;
		return is_binding_name(flag);
	}
	if (flag.n != 1 || (flag.p[0] != 'n' && flag.p[0] != 'y'))
		return false;
	out->flag = flag.p[0];
	return true;
}

const char *
gs2_take(struct arena *arena, struct str *message, struct gs2 *out)
{
	struct str all = *message, flag, authzid;

	*out = (struct gs2){ .flag = 0 };
	flag = str_cut(message, ',');
	if (flag.n == all.n || !flag_read(flag, out))
		return "no flag of channel binding";
	if (str_find(*message, ',') == message->n)
		return "no end of the gs2 header";
	authzid = str_cut(message, ',');
	out->whole = str_sub(all, 0, all.n - message->n);
	if (authzid.n == 0)
		return NULL;
	if (!str_skip(&authzid, STR("a=")) || authzid.n == 0 ||
	    !saslname_decode(arena, authzid, &out->authzid))
		return "no authorization identity";
	return out->authzid.p == NULL ? "no memory" : NULL;
}

bool
saslname_decode(struct arena *arena, struct str in, struct str *out)
{
	char *room = arena_alloc(arena, in.n);
	struct buf b = { .p = room, .cap = in.n };

	*out = STR_NONE;
	while (in.n > 0 && room != NULL) {
		if (str_skip(&in, STR("=2C"))) {
			buf_putc(&b, ',');
		} else if (str_skip(&in, STR("=3D"))) {
			buf_putc(&b, '=');
		} else if (in.p[0] == '=' || in.p[0] == ',' ||
		    in.p[0] == '\0') {
			return false;
		} else {
			buf_putc(&b, in.p[0]);
			in = str_sub(in, 1, in.n);
		}
	}
	*out = room == NULL ? STR_NONE : buf_str(&b);
	return true;
}

void
saslname_encode(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ',')
			buf_put(out, STR("=2C"));
		else if (s.p[i] == '=')
			buf_put(out, STR("=3D"));
		else
			buf_putc(out, s.p[i]);
	}
}

/* ---- channel bindings ---- */

struct str
sasl_binding_data(const struct sasl_binding *b, struct str type)
{
	if (b->has_exporter && str_eq(type, STR("tls-exporter")))
		return (struct str){ (const char *)b->exporter,
			sizeof b->exporter };
	if (b->end_point_n > 0 && str_eq(type, STR("tls-server-end-point")))
		return (struct str){ (const char *)b->end_point,
			b->end_point_n };
	return STR_NONE;
}
