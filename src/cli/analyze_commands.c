/* analyze_commands.c -- analyze: who sent that message, and who would take it? */
#include "cli/analysis.h"
#include "cli/analysis_show.h"
#include "cli/resolve.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/net.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

enum { PIECE = 64 * 1024 };

struct reading {
	FILE *file;
	char *piece, *lines;		/* PIECE, twice that */
	char last;			/* octet of the piece before */
	struct analysis analysis;
	struct analysis_wish wish;
	struct arena arena;
	bool is_good;
};

/*
 * Files have bare line feeds, what went over the wire had not; and programs put a
 * "From " line of mbox, or a mark of UTF-8, in front.
 */
static struct str
lines_of(struct reading *r, struct str piece)
{
	struct buf out = { .p = r->lines, .cap = (size_t)2 * PIECE };

	for (size_t i = 0; i < piece.n; i++) {
		if (piece.p[i] == '\n' && r->last != '\r')
			buf_putc(&out, '\r');
		buf_putc(&out, piece.p[i]);
		r->last = piece.p[i];
	}
	return buf_str(&out);
}

static struct str
front_take(struct str piece)
{
	(void)str_skip(&piece, STR("\xef\xbb\xbf"));
	if (str_has_prefix_icase(piece, STR("From ")) &&
	    str_find(piece, '\n') < piece.n)
		piece = str_sub(piece, str_find(piece, '\n') + 1, piece.n);
	return piece;
}

static yields void
reading_run(void *arg)
{
	struct reading *r = arg;
	bool is_first = true;
	size_t n;

	if (!analysis_begin(&r->analysis, &r->arena, &r->wish))
		return;
	while ((n = fread(r->piece, 1, PIECE, r->file)) > 0) {
		struct str piece = { r->piece, n };

		if (is_first)
			piece = front_take(piece);
		is_first = false;
		analysis_feed(&r->analysis, lines_of(r, piece));
	}
	r->is_good = analysis_end(&r->analysis);
}

static int
reading_show(struct cli *c, struct reading *r)
{
	struct analysis_answer *answers = arena_alloc(&c->arena,
	    ANALYSIS_RULES * sizeof *answers);
	struct analysis_shown s = { &r->analysis, answers };
	int rc;

	if (ferror(r->file))
		return cli_fail(EX_IOERR, "it cannot be read: %s",
		    strerror(errno));
	if (!r->is_good || answers == NULL)
		return cli_fail(EX_OSERR, "no memory");
	analysis_check(&r->analysis, clock_wall(), answers);
	rc = c->json ? analysis_json(c, &s) : analysis_print(c, &s);
	for (size_t i = 0; i < ANALYSIS_RULES && rc == 0; i++)
		if (answers[i].mark == ANALYSIS_BAD)
			return 1;
	return rc;
}

static int
reading_prepare(struct cli *c, struct reading *r, struct config **config)
{
	struct address ip;
	int rc = resolve_prepare(c, config);

	if (rc != 0)
		return rc;
	if (c->ip.n > 0 && !address_parse(c->ip, 0, &ip))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no address of a host",
		    STR_ARG(c->ip));
	r->wish = (struct analysis_wish){ .ip = c->ip, .helo = c->helo,
		.from = c->from };
	if (*config != NULL) {
		r->wish.hostname = (*config)->hostname;
		r->wish.trusted = &(*config)->trusted;
	}
	r->piece = arena_alloc(&c->arena, PIECE);
	r->lines = arena_alloc(&c->arena, (size_t)2 * PIECE);
	return r->piece == NULL || r->lines == NULL ?
	    cli_fail(EX_OSERR, "no memory") : 0;
}

int
command_analyze(struct cli *c)
{
	struct reading *r = arena_new(&c->arena, struct reading);
	struct config *config = NULL;
	int rc;

	if (c->n_words != 1)
		return cli_usage("analyze");
	if (r == NULL)
		return cli_fail(EX_OSERR, "no memory");
	r->file = str_eq(c->words[0], STR("-")) ? stdin :
	    fopen(arena_cstr(&c->arena, c->words[0]), "re");
	if (r->file == NULL)
		return cli_fail(EX_NOINPUT, STR_FMT ": %s",
		    STR_ARG(c->words[0]), strerror(errno));
	arena_init(&r->arena, ANALYSIS_ARENA);
	rc = reading_prepare(c, r, &config);
	if (rc == 0)
		rc = core_run_all(1, reading_run, r) != 0 ?
		    cli_fail(EX_OSERR, "no core could run") :
		    reading_show(c, r);
	analysis_clear(&r->analysis);
	arena_clear(&r->arena);
	if (config != NULL)
		config_free(config);
	if (r->file != stdin)
		(void)fclose(r->file);
	return rc;
}
