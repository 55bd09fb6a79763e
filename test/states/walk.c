/*
 * walk -- every sequence of words, at the real session in the simulated world,
 * held against the model.
 *
 *	walk KIND LENGTH			all sequences of up to so many
 *	walk KIND LENGTH COUNT SEED		so many of exactly that length, by
 *						chance, the good ones more often
 *	walk --pipelined ...			as much at once as RFC 2920 allows
 *	walk --print KIND LENGTH COUNT SEED	say them, and what must be heard, as
 *						lines for another player
 *	walk --kinds
 *
 * Behind each sequence a probe is sent, first into whatever the sequence left
 * (MAIL, RCPT, DATA) and then as a message of its own (EHLO, MAIL, RCPT, DATA).
 * After each word the reply must be the model's, and what was kept must be what
 * the model holds: sender, recipients, content.
 */
#include "smtp/test_login.h"

#include "model.h"

#include "base/num.h"

enum { LENGTH_MOST = 8, WORLD_MOST = 400 };

static const struct kind kinds[] = {
	{ .name = "mx" },
	{ .name = "mx-tls", .offers_tls = true },
	{ .name = "mx-private", .offers_tls = true,
	    .before = { WORD_EHLO, WORD_STARTTLS }, .n_before = 2 },
	{ .name = "proxied", .offers_tls = true, .knows_xclient = true },
	{ .name = "proxied-private", .is_submission = true, .offers_tls = true,
	    .requires_tls = true, .knows_xclient = true,
	    .before = { WORD_EHLO, WORD_STARTTLS, WORD_EHLO }, .n_before = 3 },
	{ .name = "relay", .relays = true },
	{ .name = "submission", .is_submission = true, .offers_tls = true,
	    .requires_tls = true },
	{ .name = "submission-private", .is_submission = true,
	    .offers_tls = true, .requires_tls = true,
	    .before = { WORD_EHLO, WORD_STARTTLS, WORD_EHLO }, .n_before = 3 },
	{ .name = "submission-known", .is_submission = true,
	    .offers_tls = true, .requires_tls = true,
	    .before = { WORD_EHLO, WORD_STARTTLS, WORD_EHLO, WORD_AUTH },
	    .n_before = 4 },
};

static const enum word probe[] = { WORD_MAIL, WORD_RCPT_TWO, WORD_DATA,
	WORD_EHLO, WORD_MAIL, WORD_RCPT_TWO, WORD_DATA };

enum { KINDS = sizeof kinds / sizeof *kinds,
	PROBE = sizeof probe / sizeof *probe };

struct sequence { enum word w[LENGTH_MOST]; unsigned n; };

static struct {
	const struct kind *kind;
	bool is_pipelined;
	unsigned length;
	uint64_t count, seed;		/* count 0: all of them */
	uint64_t next;			/* of all: which is next */
	uint64_t tried, words, wrong;
} walk;

/* ---- which sequence ---- */

static uint64_t
power(unsigned n)
{
	uint64_t all = 1;

	while (n-- > 0)
		all *= WORDS;
	return all;
}

/* Every second word is one that leads on, or chance would hardly ever get far. */
static enum word
chosen(const struct model *m, uint64_t h)
{
	static const enum word on[PHASES][4] = {
		[PHASE_BLANK] = { WORD_EHLO, WORD_EHLO, WORD_EHLO, WORD_HELO },
		[PHASE_HELLO] = { WORD_MAIL, WORD_MAIL, WORD_AUTH,
			WORD_XLOGIN },
		[PHASE_MAIL] = { WORD_RCPT, WORD_RCPT, WORD_RCPT_TWO,
			WORD_RCPT_FAR },
		[PHASE_RCPT] = { WORD_DATA, WORD_BDAT, WORD_BDAT_END,
			WORD_RCPT_TWO },
		[PHASE_CHUNK] = { WORD_BDAT_END, WORD_BDAT_END, WORD_BDAT,
			WORD_RSET },
	};
	enum phase p = m->has_kept ? PHASE_HELLO : m->phase;

	return (h & 1) == 0 ? (enum word)((h >> 1) % WORDS) :
	    on[p][(h >> 1) % 4];
}

static void
sequence_by_chance(struct sequence *s, uint64_t at)
{
	struct hash_key key = { walk.seed, 7 };
	struct model m;

	model_begin(&m, walk.kind);
	for (unsigned i = 0; i < walk.kind->n_before; i++)
		(void)model_say(&m, walk.kind->before[i], 0);
	for (unsigned i = 0; i < s->n; i++) {
		s->w[i] = chosen(&m, hash_u64(key, at * LENGTH_MOST + i));
		if (!m.is_over)
			(void)model_say(&m, s->w[i], 0);
	}
}

/* False: there is no other.  All of length 1, then all of 2 ... */
static bool
sequence_next(struct sequence *s)
{
	uint64_t at = walk.next++;

	s->n = walk.length;
	if (walk.count > 0) {
		sequence_by_chance(s, at);
		return at < walk.count;
	}
	for (s->n = 1; s->n <= walk.length && at >= power(s->n); s->n++)
		at -= power(s->n);
	if (s->n > walk.length)
		return false;
	for (unsigned i = 0; i < s->n; i++, at /= WORDS)
		s->w[i] = (enum word)(at % WORDS);
	return true;
}

/* ---- what was kept ---- */

static struct {
	unsigned n;
	char sender[64];
} kept;

static void
note_kept(struct intake_core *core, const struct kept *k,
    const struct envelope *e)
{
	house_kept(core, k, e);
	kept.n++;
	must(str_cstr(e->sender, kept.sender, sizeof kept.sender));
}

/* The X-lines of the last kept message are the model's, in order. */
static yields bool
content_agrees(const struct model *m)
{
	static char room[65536];
	struct str body = house_body(room, sizeof room), line;
	char text[MODEL_TEXT];
	struct buf have = BUF_OF(text);

	while (body.n > 0) {
		line = str_cut(&body, '\n');
		if (!str_has_prefix_icase(line, STR("X-")))
			continue;
		buf_put(&have, str_sub(line, 0, str_find(line, '\r')));
		buf_putc(&have, '\n');
	}
	return str_eq(buf_str(&have), str_of(m->text));
}

static bool
rcpts_agree(const struct model *m)
{
	struct str all = str_of(house.rcpts), one;
	unsigned n = 0;

	while (all.n > 0) {
		one = str_cut(&all, ' ');
		n++;
		for (unsigned i = 0; i < m->n_rcpts; i++)
			if (str_eq(one, str_of(m->rcpts[i])))
				one = STR_NONE;
		if (one.p != NULL)
			return false;
	}
	return n == m->n_rcpts;
}

/* ---- one word ---- */

static struct model model;
static char told[8192];			/* the conversation so far */

static void
note(const char *who, struct str s)
{
	struct buf b = { .p = told, .cap = sizeof told - 1,
		.n = strlen(told) };

	s = str_sub(s, 0, 80);
	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	buf_printf(&b, "#\t%s " STR_FMT "\n", who, STR_ARG(s));
	told[b.n] = '\0';
}

static bool
wrong(const char *what, const char *more)
{
	walk.wrong++;
	printf("# %s: %s %s\n%s", walk.kind->name, what, more, told);
	return false;
}

/* All lines of the next reply begin with its code; the last one with all. */
static yields bool
answers(const char *want)
{
	enum line_ending ending;
	struct str line;

	do {
		if (stream_line(&net, 600, &line, &ending) != 0)
			return wrong("the end, not", want);
		note("S:", line);
		if (ending != LINE_CRLF || line.n < 4 ||
		    !str_eq(str_sub(line, 0, 3), str_sub(str_of(want), 0, 3)))
			return wrong("not", want);
	} while (line.p[3] == '-');
	if (!str_has_prefix_icase(line, str_of(want)))
		return wrong("not", want);
	return true;
}

static yields bool
settles(unsigned before)
{
	if (kept.n != before + model.has_kept)
		return wrong("kept", "more or less than it should");
	if (!model.has_kept)
		return true;
	if (!str_eq(str_of(kept.sender), str_of(model_sender(&model))))
		return wrong("another sender:", kept.sender);
	if (!rcpts_agree(&model))
		return wrong("other recipients:", house.rcpts);
	return content_agrees(&model) ? true :
	    wrong("another content, not", model.text);
}

static yields void
says(struct str octets)
{
	note("C:", octets);
	stream_put(&net, octets);
}

/* RFC 2920 3.1: what must be the last of a group; and here what may change how
 * the octets behind it are taken. */
static bool
ends_group(enum word w)
{
	return w == WORD_AUTH || w == WORD_AUTH_CUT || w == WORD_AUTH_NO ||
	    w == WORD_BDAT_BAD || w == WORD_DATA || w == WORD_QUIT ||
	    w == WORD_STARTTLS;
}

/* What follows the answer to the last word of a group. */
static yields bool
follow(enum word w, unsigned number, const char *second)
{
	char room[200];
	struct buf content = BUF_OF(room);

	if (w == WORD_STARTTLS && model.is_private && !stream_is_private(&net)
	    && tls_connect(&net, asking, STR("mx.test")) != 0)
		return wrong("no", "handshake");
	if (second == NULL)
		return true;
	if (w == WORD_DATA)
		model_content(number, &model, &content);
	buf_put(&content, w == WORD_DATA ? STR(".\r\n") : STR("*\r\n"));
	says(buf_str(&content));
	return answers(second);
}

/* ---- one sequence ---- */

/* Some words at once, from the front; how many, 0 when something was wrong. */
static yields unsigned
try_group(const enum word *w, unsigned n, unsigned number)
{
	static char room[4096];
	struct answer a[LENGTH_MOST + PROBE];
	unsigned before = kept.n, k = 0;
	bool is_last;

	do {
		struct buf octets = BUF_OF(room);

		model_octets(&model, w[k], number + k, &octets);
		says(buf_str(&octets));
		a[k] = model_say(&model, w[k], number + k);
		before += model.has_kept;
		is_last = ends_group(w[k]) || !walk.is_pipelined ||
		    model.is_over;
		k++;
	} while (k < n && !is_last);
	walk.words += k;
	for (unsigned i = 0; i < k; i++)
		if (!answers(a[i].first))
			return 0;
	if (!follow(w[k - 1], number + k - 1, a[k - 1].second))
		return 0;
	return settles(before - model.has_kept) ? k : 0;
}

static yields bool
try_words(const enum word *w, unsigned n, unsigned number)
{
	unsigned k;

	for (unsigned i = 0; i < n && !model.is_over; i += k)
		if ((k = try_group(w + i, n - i, number + i)) == 0)
			return false;
	return true;
}

static yields void
try_sequence(const struct sequence *s)
{
	struct str bytes;
	bool ok;

	walk.tried++;
	told[0] = '\0';
	house.told_n = 0;
	client_ip = walk.kind->relays ? "127.0.0.1" : "192.0.2.7";
	model_begin(&model, walk.kind);
	dial(&net);
	ok = answers("220 ") &&
	    try_words(walk.kind->before, walk.kind->n_before, 100) &&
	    try_words(s->w, s->n, 1) && try_words(probe, PROBE, 50);
	if (ok && model.is_over && stream_peek(&net, &bytes) == 0)
		wrong("more", "behind the end");
	stream_close(&net);
}

/* ---- a world for a few hundred of them ---- */

static int64_t
no_mail_waits(void *arg, struct str domain, bool is_below)
{
	(void)arg, (void)domain, (void)is_below;
	return 0;
}

static yields void
body(void *arg)
{
	const struct kind *k = walk.kind;
	struct sequence s;

	(void)arg;
	open_login(k->is_submission ? ROLE_SUBMISSION : k->relays ?
	    ROLE_RELAY : ROLE_MX, k->requires_tls ? TLS_REQUIRED :
	    k->offers_tls ? TLS_OFFERED : TLS_OFF);
	stream_close(&net);
	servers.flush = no_mail_waits;
	house.core.kept = note_kept;
	kept.n = 0;
	for (unsigned i = 0; i < WORLD_MOST && walk.wrong < 5 &&
	    sequence_next(&s); i++)
		try_sequence(&s);
	dial(&net);			/* close_login() ends it */
	close_login();
}

static void
walk_all(void)
{
	struct sequence s;

	for (uint64_t at = 0; walk.wrong < 5; at = walk.next) {
		walk.next = at;
		if (!sequence_next(&s))
			break;
		walk.next = at;
		sim_begin(walk.seed + at + 1);
		house_use(walk.kind->knows_xclient ?
		    "limits: { per_ip: none, connections_per_ip: none }\n"
		    "xclient: [ 192.0.2.7 ]\netrn: [ 192.0.2.7 ]\n" :
		    "limits: { per_ip: none, connections_per_ip: none }\n");
		on_core(body);
	}
}

/* ---- for another player ---- */

static void
print_octets(const char *who, struct str s)
{
	printf("%s ", who);
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", (unsigned char)s.p[i]);
	putchar('\n');
}

static void
print_word(enum word w, unsigned number)
{
	static char room[4096];
	struct buf octets = BUF_OF(room), content = BUF_OF(room);
	bool was_private = model.is_private;
	struct answer a;

	model_octets(&model, w, number, &octets);
	print_octets("say", buf_str(&octets));
	a = model_say(&model, w, number);
	printf("hear %s\n", a.first);
	if (!was_private && model.is_private)
		puts("private");
	if (a.second != NULL && w == WORD_DATA) {
		model_content(number, &model, &content);
		buf_put(&content, STR(".\r\n"));
		print_octets("say", buf_str(&content));
	} else if (a.second != NULL) {
		print_octets("say", STR("*\r\n"));
	}
	if (a.second != NULL)
		printf("hear %s\n", a.second);
	for (unsigned i = 0; model.has_kept && i < model.n_rcpts; i++)
		printf("kept %s %s\n", model.rcpts[i], model_name(w));
}

static void
print_words(const enum word *w, unsigned n, unsigned number)
{
	for (unsigned i = 0; i < n && !model.is_over; i++)
		print_word(w[i], number + i);
}

static void
print_all(void)
{
	struct sequence s;

	while (sequence_next(&s)) {
		model_begin(&model, walk.kind);
		printf("begin");
		for (unsigned i = 0; i < s.n; i++)
			printf(" %s", model_name(s.w[i]));
		putchar('\n');
		print_words(walk.kind->before, walk.kind->n_before, 100);
		print_words(s.w, s.n, 1);
		print_words(probe, PROBE, 50);
		puts("end");
	}
}

/* ---- ---- */

static const struct kind *
kind_find(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	bool prints = argc > 1 && strcmp(argv[1], "--print") == 0;
	bool pipes = argc > 1 && strcmp(argv[1], "--pipelined") == 0;
	char **arg = argv + 1 + (prints || pipes);
	int n = argc - 1 - (prints || pipes);
	uint64_t length = 0;

	for (size_t i = 0; n == 1 && i < KINDS; i++)
		puts(kinds[i].name);
	if (n == 1)
		return 0;
	if ((n != 2 && n != 4) || (walk.kind = kind_find(arg[0])) == NULL ||
	    !parse_u64(str_of(arg[1]), LENGTH_MOST, &length) ||
	    (n == 4 && (!parse_u64(str_of(arg[2]), UINT32_MAX, &walk.count) ||
	    !parse_u64(str_of(arg[3]), UINT32_MAX, &walk.seed))))
		return 64;
	walk.length = (unsigned)length;
	walk.is_pipelined = pipes;
	if (prints)
		print_all();
	else
		walk_all();
	if (!prints)
		printf("# %s%s: %ju sequences, %ju words, %ju wrong\n",
		    walk.kind->name, pipes ? ", pipelined" : "", (uintmax_t)walk.tried,
		    (uintmax_t)walk.words, (uintmax_t)walk.wrong);
	return walk.wrong == 0 ? 0 : 1;
}
