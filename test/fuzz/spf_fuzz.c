/* SPF: a record that is taken consists of itself, in terms that are known; macros
 * give what has room, and never more. */
#include "fuzz.h"
#include "wire/spf.h"

static struct spf_term terms[64];

static const struct spf_facts facts = {
	.local = STR_INIT("a.b-c"), .sender_domain = STR_INIT("x.example"),
	.domain = STR_INIT("d.example"), .ip = STR_INIT("192.0.2.1"),
	.ip_readable = STR_INIT("192.0.2.1"), .helo = STR_INIT("h.example"),
	.receiver = STR_INIT("r.example"), .validated = STR_INIT("unknown"),
	.version = STR_INIT("in-addr"), .time = STR_INIT("0"),
};

static void
check_term(const struct spf_term *t, struct str record)
{
	char room[600];
	struct buf b = BUF_OF(room);

	must(fuzz_is_inside(t->text, record) && t->text.n > 0);
	must(fuzz_is_inside(t->domain, record) && fuzz_is_inside(t->ip, record));
	must(t->bits4 <= 32 && t->bits6 <= 128);
	must((t->kind == SPF_IP4 || t->kind == SPF_IP6) == (t->ip.n > 0));
	if (spf_expand(t->domain, &facts, &b))
		must(!b.full && str_is_printable(buf_str(&b)));
}

FUZZ(in)
{
	char text[300];
	struct buf b = BUF_OF(text);
	size_t n;

	if (spf_is_explanation(in) && spf_expand(in, &facts, &b))
		must(str_is_printable(buf_str(&b)));
	if (!spf_is_record(in) || spf_read(in, terms, 64, &n) != NULL)
		return;
	must(n <= 64);
	for (size_t i = 0; i < n; i++)
		check_term(&terms[i], in);
}
