/*
 * porter_fuzz.c -- worker and porter take each other for hostile.
 *
 * Input: one octet for the side; then a packet as it comes; or, when that octet
 * is odd, a sound one whose texts are the input's, parted by line feeds.
 *
 * Of a request the porter believes only what has the form; what it then finds is
 * a place of its own configuration, never root's, never a path from the packet.
 * Of a reply the worker makes one verdict in clean words.
 */
#include "fuzz.h"

/* Each side's judgment is its own business, but for its enemies. */
#include "app/porter.c"
#include "deliver/carrier.c"

#include "policy/test_conf.h"

enum { FLAG_MADE = 1, FLAG_REPLY = 2, FLAG_TARGET = 4 };

static struct config *
config(void)
{
	static struct config *c;

	if (c != NULL)
		return c;
	conf_begin();
	conf_file("/aliases", "filed: |/bin/archive ${recipient} ${sender}\n"
	    "kept: /var/mail/all/\n");
	c = conf_of("hostname: mx.test\n"
	    "domains:\n  own.test: { users: [ bob ], aliases: /aliases }\n"
	    "  sys.test: { users: system }\n"
	    "deliver: { maildir: /mail/%d/%u }\n"
	    "reports: { inbox: [ r@own.test ] }\n");
	return c;
}

static struct str
line_cut(struct str *in)
{
	return str_cut(in, '\n');
}

/* ---- the porter's side ---- */

static void
request_make(struct porter_request *q, struct str in, bool has_target)
{
	*q = (struct porter_request){ .magic = PORTER_MAGIC,
		.version = PORTER_VERSION, .size = in.n };
	(void)text_put(q->mailbox, sizeof q->mailbox, &q->length,
	    line_cut(&in));
	(void)text_put(q->sender, sizeof q->sender, &q->sender_length,
	    line_cut(&in));
	(void)text_put(q->orig, sizeof q->orig, &q->orig_length, line_cut(&in));
	if (has_target)
		(void)text_put(q->target, sizeof q->target, &q->target_length,
		    line_cut(&in));
}

static void
command_check(struct carrying *c)
{
	const char *argv[PIPE_WORDS + 1], *why;
	struct str values[PIPE_VARS] = { STR_NONE };

	values_take(c, values);
	why = pipe_words(c->place.pipe, values, c->arena, argv);
	for (size_t i = 0; why == NULL && argv[i] != NULL; i++)
		for (const char *p = argv[i]; *p != '\0'; p++)
			must((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void
request_check(const struct porter_request *q)
{
	struct carrying c = { .config = config(), .request = q,
		.mailbox = { q->mailbox, q->length },
		.sender = { q->sender, q->sender_length },
		.orig = { q->orig, q->orig_length },
		.target = { q->target, q->target_length } };
	struct arena a;

	if (!request_is_sound(q, 2))
		return;
	arena_init(&a, 256 * 1024);
	c.arena = &a;
	if (place_look_up(&c) == 0) {
		must(c.is_report || c.place.pipe != NULL ||
		    (c.place.path.n > 0 && c.place.path.p[0] == '/'));
		must(str_find_str(c.place.path, STR("/../")) == c.place.path.n);
		must(str_find(c.place.path, '\0') == c.place.path.n);
		if (c.place.pipe != NULL)
			command_check(&c);
	} else {
		must(err_text()[0] != '\0');
	}
	err_clear();
	arena_clear(&a);
}

/* ---- the worker's side ---- */

static void
verdict_check(const struct verdict *v)
{
	struct str text = str_of(v->text);

	must(str_is_utf8(text) && v->disposition <= FAILED);
	must(v->esc.class == 2 || v->esc.class == 4 || v->esc.class == 5);
	for (size_t i = 0; i < text.n; i++)
		must((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f);
}

static void
reply_make(struct porter_reply *r, struct str in)
{
	*r = (struct porter_reply){ .magic = PORTER_MAGIC,
		.version = PORTER_VERSION };
	r->end = (uint16_t)(fuzz_choice(&in) % PORTER_ENDS);
	r->status = (uint16_t)fuzz_choice(&in);
	(void)text_put(r->text, sizeof r->text, &r->length,
	    str_sub(in, 0, sizeof r->text));
}

static void
reply_check(const struct porter_reply *r, size_t got)
{
	struct delivery d = { .n = 1 };
	struct delivery_recipient rcpt = { .index = 0 };
	struct verdict v;

	if (!reply_is_sound(r, (int)got))
		return;
	arena_init(&d.arena, 64 * 1024);
	v = reply_verdict(r, &d, &rcpt);
	verdict_check(&v);
	must(v.disposition != DELIVERED || r->end == PORTER_KEPT ||
	    (r->end == PORTER_EXITED && r->status == 0));
	arena_clear(&d.arena);
	err_clear();
}

FUZZ(in)
{
	static struct porter_request q;
	static struct porter_reply r;
	unsigned flags = fuzz_choice(&in);

	memset(&q, 0, sizeof q);
	memset(&r, 0, sizeof r);
	if (flags & FLAG_REPLY) {
		memcpy(&r, in.p, in.n < sizeof r ? in.n : sizeof r);
		if (flags & FLAG_MADE)
			reply_make(&r, in);
		reply_check(&r, flags & FLAG_MADE ? sizeof r : in.n);
	} else {
		memcpy(&q, in.p, in.n < sizeof q ? in.n : sizeof q);
		if (flags & FLAG_MADE)
			request_make(&q, in, (flags & FLAG_TARGET) != 0);
		request_check(&q);
	}
}
