/*
 * sendmail_fuzz.c -- the command line of sendmail, and the letter behind it.
 *
 * Input: one octet for the name it is called by and for options, words of the
 * command line by line feeds up to an empty one, then the letter.
 *
 * Flags are taken or refused with a status of sysexits; of a letter that was read
 * the header to send is fields, each with its CRLF; recipients are mailboxes; and
 * what is told of the body is what stands in its file.
 */
#include "fuzz.h"

/* Its flags are its own business, but for who types them. */
#include "cli/sendmail.c"

#include <stdlib.h>
#include <sys/mman.h>

enum { WORDS = 24, WORD_MOST = 256 };

static char words[WORDS][WORD_MOST];
static char *argv_made[WORDS + 1];

static int
argv_make(struct str *in, unsigned name)
{
	int n = 0;

	(void)snprintf(words[0], WORD_MOST, "%s",
	    names[name % (sizeof names / sizeof *names)].name);
	argv_made[n++] = words[0];
	while (n < WORDS && in->n > 0) {
		struct str word = str_cut(in, '\n');

		if (word.n == 0)
			break;
		word = str_sub(word, 0, str_find(word, '\0'));
		must(str_cstr(str_sub(word, 0, WORD_MOST - 1), words[n],
		    WORD_MOST));
		argv_made[n] = words[n];
		n++;
	}
	argv_made[n] = NULL;
	return n;
}

static int
rcpt_check(struct letter_rcpts *to, struct str address)
{
	(void)to;
	must(address.n > 0 && str_find(address, '\n') == address.n);
	return 0;
}

static void
letter_check(struct letter *l, struct sendmail *s)
{
	struct letter_rcpts to = { rcpt_check };
	struct str header = letter_header(l, STR("mx.test"),
	    STR("me@mx.test"), STR("Me"));
	off_t end = lseek(l->body_fd, 0, SEEK_END);

	must(end >= 0 && (uint64_t)end == l->body_octets);
	must(header.p != NULL && fuzz_is_canonical(header));
	must(str_find(header, '\0') == header.n);
	must(header.n == 0 || header.p[header.n - 1] == '\n');
	(void)letter_recipients(l, STR("mx.test"), &to);
	(void)rcpts_gather(s, STR("mx.test"));
}

static void
letter_play(struct sendmail *s, struct str in, bool dot_ends)
{
	int fd = memfd_create("letter", MFD_CLOEXEC);

	must(fd >= 0 && pwrite(fd, in.p, in.n, 0) == (ssize_t)in.n);
	if (letter_read(&s->letter, &s->cli.arena, fd, dot_ends) == 0)
		letter_check(&s->letter, s);
	letter_close(&s->letter);
	close(fd);
}

FUZZ(in)
{
	static struct sendmail s;
	unsigned name = fuzz_choice(&in);
	int argc, rc;

	if (stderr->_fileno == 2)		/* what it says is not looked at */
		stderr = fopen("/dev/null", "w");
	argc = argv_make(&in, name);
	s = (struct sendmail){ .argc = argc, .argv = argv_made,
		.mode = names[name % (sizeof names / sizeof *names)].mode };
	cli_name = "sendmail";
	s.cli.config = str_of(cli_default_config);
	arena_init(&s.cli.arena, SENDMAIL_MEMORY);
	rc = flags_take(&s);
	must(rc == 0 || (rc >= 64 && rc <= 78));
	if (rc == 0)
		letter_play(&s, in, (name & 128u) != 0);
	arena_clear(&s.cli.arena);
}
