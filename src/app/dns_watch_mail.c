#include "app/dns_watch_mail.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "policy/dns_check.h"
#include "wire/date.h"
#include "wire/disposition.h"

enum { MAIL_MOST = 256 * 1024, LINE_MOST = 900, FOUND_MOST = 600,
	TEXT_MOST = 900 };

/* ---- words ---- */

/* Whatever it was, it becomes lines that any server takes. */
static void
text_put(struct buf *b, const char *head, struct str text)
{
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');

		for (size_t at = 0; at < line.n; at += LINE_MOST) {
			struct str piece = str_sub(line, at, LINE_MOST);

			buf_put(b, str_of(head));
			for (size_t i = 0; i < piece.n; i++)
				buf_putc(b, piece.p[i] >= 0x20 &&
				    piece.p[i] < 0x7f ? piece.p[i] : '?');
			buf_put(b, STR("\r\n"));
		}
	}
}

static const char *
mark_says(enum finding_mark m)
{
	switch (m) {
	case MARK_WELL:
		return "well";
	case MARK_HINT:
		return "could be better";
	case MARK_WRONG:
		return "WRONG";
	case MARK_UNKNOWN:
	case FINDING_MARKS:
		break;
	}
	must(!"what could not be asked has not changed");
	return "";
}

static void
change_put(struct buf *b, const struct dns_change *c)
{
	const struct finding *f = c->now;

	buf_printf(b, "%s  " STR_FMT ": %s", record_topic_title(f->topic),
	    STR_ARG(f->name), mark_says(f->mark));
	if (!c->is_new)
		buf_printf(b, " (it was: %s)", mark_says(c->before));
	buf_put(b, STR("\r\n"));
	text_put(b, "    ", f->says);
	text_put(b, "    found:     ", str_sub(f->found, 0, FOUND_MOST));
	if (f->mark != MARK_WELL)
		text_put(b, "    expected:  ", str_sub(f->expected, 0,
		    FOUND_MOST));
	text_put(b, "    to do:     ", f->mend);
	buf_put(b, STR("\r\n"));
}

/* The same changes have the same name, whenever they are told. */
static uint64_t
changes_hash(struct str domain, const struct dns_change *c, size_t n)
{
	uint64_t h = hash_bytes((struct hash_key){ 5322, 53 }, domain);

	for (size_t i = 0; i < n; i++) {
		const struct finding *f = c[i].now;

		h = hash_bytes((struct hash_key){ h, f->topic }, f->name);
		h = hash_bytes((struct hash_key){ h, f->mark }, f->found);
	}
	return h;
}

static void
head_put(struct buf *b, const struct config *conf, struct str domain,
    const struct dns_change *c, size_t n)
{
	struct wall now = clock_wall();
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += c[i].now->mark == MARK_WRONG;
	buf_printf(b, "From: Nightmail <postmaster@" STR_FMT ">\r\nTo: <" STR_FMT
	    ">\r\nDate: %s\r\nMessage-ID: <dns.%016llx@" STR_FMT ">\r\n",
	    STR_ARG(conf->hostname), STR_ARG(conf->admin),
	    date_print(now, 0).text,
	    (unsigned long long)changes_hash(domain, c, n),
	    STR_ARG(conf->hostname));
	buf_printf(b, "Subject: DNS of " STR_FMT ": %zu change%s, %u wrong\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
	    STR_ARG(domain), n, n == 1 ? "" : "s", wrong);
}

static void
mail_put(struct buf *b, const struct config *conf, struct str domain,
    const struct dns_change *c, size_t n)
{
	head_put(b, conf, domain, c, n);
	buf_printf(b, "The DNS of " STR_FMT " is looked at once a day.  This has "
	    "changed, and was\r\nseen twice:\r\n\r\n", STR_ARG(domain));
	for (size_t i = 0; i < n; i++)
		change_put(b, &c[i]);
	buf_printf(b, "nightmail dns check " STR_FMT " shows all of it, as it is "
	    "now.\r\nEach change is told once; dns.watch: off ends this.\r\n",
	    STR_ARG(domain));
}

/* ---- telling ---- */

static void
change_tell(struct intake_core *intake, struct str domain,
    const struct dns_change *c)
{
	struct event e = event_make(EVENT_dns_changed, clock_wall(), 0);
	char room[TEXT_MOST];
	struct buf b = BUF_OF(room);

	buf_printf(&b, "DNS of " STR_FMT ": %s " STR_FMT ": " STR_FMT,
	    STR_ARG(domain), record_topic_title(c->now->topic),
	    STR_ARG(c->now->name), STR_ARG(str_sub(c->now->says, 0, 500)));
	event_str(&e, FIELD_domain, domain);
	event_str(&e, FIELD_reason, str_of(record_topic_word(c->now->topic)));
	event_str(&e, FIELD_result, str_of(finding_mark_word(c->now->mark)));
	event_str(&e, FIELD_text, buf_str(&b));
	intake_tell(intake, &e);
}

yields int
dns_watch_mail(struct intake_core *intake, const struct config *conf,
    struct str domain, const struct dns_change *c, size_t n, struct arena *a)
{
	struct buf b = { .p = arena_alloc(a, MAIL_MOST), .cap = MAIL_MOST };
	struct str part;
	struct intake_post post = { .recipients = &conf->admin,
		.n_recipients = 1, .parts = &part, .n_parts = 1,
		.origin = { .sender = STR("") } };
	struct verdict v;
	uint64_t id = 0;

	must(n > 0);
	if (b.p == NULL)
		return err_set("no memory");
	mail_put(&b, conf, domain, c, n);
	part = buf_str(&b);
	v = intake_post(intake, conf, a, &post, &id);
	if (v.disposition != DELIVERED)
		return err_set("telling of the DNS of " STR_FMT ": %s",
		    STR_ARG(domain), v.text);
	for (size_t i = 0; i < n; i++)
		change_tell(intake, domain, &c[i]);
	return 0;
}
