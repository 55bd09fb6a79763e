/* Envelope addresses: what is accepted prints to something that is accepted and
 * means the same. */
#include "fuzz.h"
#include "wire/address.h"

static void
check_mailbox(const struct mailbox *m, unsigned flags, struct str in)
{
	char local[MAILBOX_TEXT], text[MAILBOX_TEXT], a[MAILBOX_TEXT],
	    b[MAILBOX_TEXT];
	struct buf l = BUF_OF(local), t = BUF_OF(text), ka = BUF_OF(a),
	    kb = BUF_OF(b);
	struct mailbox again;

	must(fuzz_is_inside(m->text, in));
	must(m->local.n <= LOCAL_MOST && m->domain.n <= DOMAIN_MOST);
	must(m->text.n <= PATH_MOST - 2);
	must(fuzz_is_inside(m->local, m->text));
	must(fuzz_is_inside(m->domain, m->text));
	must(str_is_utf8(m->text) && (m->has_utf8 || str_is_ascii(m->text)));
	must(flags != 0 || str_is_printable(m->text));
	mailbox_local(m, &l);
	mailbox_print(buf_str(&l), m->domain, &t);
	mailbox_key(m, &ka);
	must(!l.full && !t.full && !ka.full);
	must(mailbox_parse(buf_str(&t), flags, &again) == NULL);
	mailbox_key(&again, &kb);
	must(str_eq(buf_str(&ka), buf_str(&kb)));
}

static void
check_path(struct str in, unsigned flags, bool forward)
{
	struct str rest = in;
	struct path p;
	const struct refusal *no = forward ?
	    path_take_forward(&rest, flags, &p) :
	    path_take_reverse(&rest, flags, &p);

	if (no != NULL)
		return;
	must(fuzz_is_inside(rest, in) && rest.n < in.n);
	must(in.n - rest.n <= PATH_MOST);
	must(p.is_null || p.is_postmaster || p.mailbox.domain.n > 0);
	must(!(p.is_null && forward) && !(p.is_postmaster && !forward));
	if (!p.is_null && !p.is_postmaster)
		check_mailbox(&p.mailbox, flags, in);
}

FUZZ(in)
{
	unsigned flags = fuzz_choice(&in) & 1u ? MAILBOX_UTF8 : MAILBOX_STRICT;
	unsigned char ip[16];
	struct mailbox m;

	if (mailbox_parse(in, flags, &m) == NULL) {
		must(m.text.n == in.n);
		check_mailbox(&m, flags, in);
	}
	check_path(in, flags, true);
	check_path(in, flags, false);
	must(literal_parse(in, ip) == 0 || host_parse(in, 0) == HOST_LITERAL);
	must(!domain_is_valid(in, 0) || host_parse(in, 0) == HOST_DOMAIN);
}
