#include "model.h"

#include "base/buf.h"
#include "base/must.h"

static const struct {
	const char *name, *octets, *in[PHASES];
} words[WORDS] = {
#define WORD(name, octets, blank, hello, mail, rcpt, chunk) \
	[WORD_##name] = { #name, octets, { blank, hello, mail, rcpt, chunk } },
#include "words.def"
#undef WORD
};

const char *
model_name(enum word w)
{
	must(w < WORDS);
	return words[w].name;
}

const char *
model_sender(const struct model *m)
{
	return m->is_null ? "" : m->kind->is_submission ? "ann@two.test" :
	    "eve@one.test";
}

void
model_begin(struct model *m, const struct kind *kind)
{
	*m = (struct model){ .kind = kind };
}

/* ---- the end of a transaction ---- */

static void
forget(struct model *m)
{
	m->n_rcpts = 0;
	m->text[0] = '\0';
	if (m->phase > PHASE_HELLO)
		m->phase = PHASE_HELLO;
}

static void
add_text(struct model *m, unsigned number)
{
	struct buf b = { .p = m->text, .cap = sizeof m->text - 1,
		.n = strlen(m->text) };

	buf_printf(&b, "X-%u: y\n", number);
	must(!b.full);
	m->text[b.n] = '\0';
}

static void
add_rcpt(struct model *m, const char *address)
{
	m->phase = PHASE_RCPT;
	for (unsigned i = 0; i < m->n_rcpts; i++)
		if (strcmp(m->rcpts[i], address) == 0)
			return;
	must(m->n_rcpts < MODEL_RCPTS);
	m->rcpts[m->n_rcpts++] = address;
}

/* ---- what the table leaves open: `?' ---- */

static const char *
open_auth(struct model *m, enum word w)
{
	if (!m->kind->is_submission || m->phase == PHASE_BLANK || m->is_known ||
	    m->is_told)
		return "503 5.5.1";
	if (w == WORD_AUTH_CUT)
		return "334";
	m->is_known = w == WORD_AUTH;
	if (m->is_known)
		return "235 2.7.0";
	m->is_over = ++m->failures == 5;	/* auth.failures */
	return m->is_over ? "421 4.7.0" : "535 5.7.8";
}

/* RFC 3207 4.2: all is forgotten.  At submission the client may go on. */
static const char *
open_starttls(struct model *m)
{
	if (m->is_private)
		return "503 5.5.1";
	if (!m->kind->offers_tls)
		return "502 5.5.1";
	m->is_private = true;
	m->is_known = false;
	m->is_extended = m->kind->is_submission;
	m->phase = m->kind->is_submission ? PHASE_HELLO : PHASE_BLANK;
	return "220 2.0.0";
}

/* Who logged in here is forgotten; of another client nothing was told. */
static const char *
open_xclient(struct model *m, enum word w)
{
	if (!m->kind->knows_xclient)
		return "550 5.7.0";
	m->phase = PHASE_BLANK;
	m->is_extended = m->is_known = false;
	m->is_told = w == WORD_XLOGIN;
	m->is_renamed = m->is_renamed || w == WORD_XCLIENT;
	return "220 ";
}

static const char *
open_etrn(const struct model *m)
{
	if (!m->kind->knows_xclient)
		return "502 5.5.1";
	return m->is_renamed ? "459 4.7.1" : "251 2.0.0";
}

static const char *
open_mail(struct model *m, enum word w)
{
	if (w == WORD_MAIL_BAD)
		return "501 5.1.7";
	if (m->kind->is_submission && !m->is_known && !m->is_told)
		return "530 5.7.0";
	if (m->is_known && w == WORD_NULL)
		return "553 5.7.1";
	m->is_null = w == WORD_NULL;
	m->phase = PHASE_MAIL;
	return "250 2.1.0";
}

static const char *
open_far(struct model *m)
{
	if (!m->kind->relays && !m->is_known && !m->is_told)
		return "550 5.7.1";
	add_rcpt(m, "x@far.test");
	return "250 2.1.5";
}

static const char *
open_answer(struct model *m, enum word w)
{
	if (w == WORD_AUTH || w == WORD_AUTH_CUT || w == WORD_AUTH_NO)
		return open_auth(m, w);
	if (w == WORD_MAIL || w == WORD_MAIL_BAD || w == WORD_NULL)
		return open_mail(m, w);
	if (w == WORD_BDAT || w == WORD_BDAT_END)
		return m->is_extended ? "250 2.0.0" : "503 5.5.1";
	if (w == WORD_ETRN)
		return open_etrn(m);
	if (w == WORD_RCPT_FAR)
		return open_far(m);
	if (w == WORD_STARTTLS)
		return open_starttls(m);
	if (w == WORD_XCLIENT || w == WORD_XLOGIN)
		return open_xclient(m, w);
	must(w == WORD_DATA);
	return "354";
}

/* RFC 3207 4: what may be said where TLS must begin, and what is no command at
 * all, or cannot be read. */
static bool
is_harmless(enum word w)
{
	static const enum word harmless[] = { WORD_BDAT_BAD, WORD_EHLO, WORD_EMPTY, WORD_HELO,
		WORD_HELP, WORD_LONG, WORD_NOOP, WORD_QUIT, WORD_RSET,
		WORD_RSET_BAD, WORD_STARTTLS, WORD_UNKNOWN };

	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
		if (w == harmless[i])
			return true;
	return false;
}

/* What a good answer changes. */
static void
obey(struct model *m, enum word w, unsigned number)
{
	if (w == WORD_EHLO || w == WORD_HELO) {
		forget(m);
		m->phase = PHASE_HELLO;
		m->is_extended = w == WORD_EHLO;
	} else if (w == WORD_RSET) {
		forget(m);
	} else if (w == WORD_RCPT) {
		add_rcpt(m, "bob@two.test");
	} else if (w == WORD_RCPT_TWO) {
		add_rcpt(m, "carol@two.test");
	} else if (w == WORD_BDAT) {
		add_text(m, number);
		m->phase = PHASE_CHUNK;
	} else if (w == WORD_BDAT_END || w == WORD_DATA) {
		add_text(m, number);
		m->has_kept = true;
	} else if (w == WORD_QUIT) {
		m->is_over = true;
	}
}

struct answer
model_say(struct model *m, enum word w, unsigned number)
{
	struct answer a = { .first = words[w].in[m->phase] };

	must(!m->is_over);
	if (m->has_kept)
		forget(m);
	m->has_kept = false;
	a.first = words[w].in[m->phase];
	if (m->kind->requires_tls && !m->is_private && !is_harmless(w))
		a.first = "530 5.7.0";
	else if (a.first[0] == '?')
		a.first = open_answer(m, w);
	if (a.first[0] == '2' || strcmp(a.first, "354") == 0)
		obey(m, w, number);
	if (w == WORD_DATA && a.first[0] == '3')
		a.second = "250 2.0.0";
	if (w == WORD_AUTH_CUT && a.first[0] == '3')
		a.second = "501 5.7.0";
	return a;
}

/* ---- what is said ---- */

void
model_content(unsigned number, const struct model *m, struct buf *out)
{
	if (m->phase != PHASE_CHUNK || m->has_kept)
		buf_printf(out, "From: ann@two.test\r\n");
	buf_printf(out, "X-%u: y\r\n", number);
}

void
model_octets(const struct model *m, enum word w, unsigned number,
    struct buf *out)
{
	char room[100];
	struct buf chunk = BUF_OF(room);

	if (w == WORD_BDAT || w == WORD_BDAT_END) {
		model_content(number, m, &chunk);
		buf_printf(out, "BDAT %zu%s\r\n", chunk.n,
		    w == WORD_BDAT_END ? " LAST" : "");
		buf_put(out, buf_str(&chunk));
		return;
	}
	buf_put(out, str_of(words[w].octets));
	if (w == WORD_MAIL)
		buf_printf(out, "<%s>", m->kind->is_submission ?
		    "ann@two.test" : "eve@one.test");
	for (unsigned i = 0; w == WORD_LONG && i < 3000; i++)
		buf_putc(out, 'x');
	buf_put(out, STR("\r\n"));
}
