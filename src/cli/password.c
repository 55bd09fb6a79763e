#include "cli/password.h"

#include "base/err.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static ssize_t
line_read(char *to, size_t room)
{
	size_t n = 0;
	ssize_t got;

	while (n < room && (got = read(STDIN_FILENO, to + n, 1)) == 1) {
		if (to[n] == '\n')
			return (ssize_t)n;
		n++;
	}
	return n == 0 ? -1 : (ssize_t)n;
}

int
password_ask(struct arena *a, const char *prompt, struct str *out)
{
	char *room = arena_alloc(a, PASSWORD_LINE);
	struct termios shown, hidden;
	bool is_terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
	ssize_t n;

	if (room == NULL)
		return err_set("no memory");
	if (is_terminal) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		fprintf(stderr, "%s", prompt);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	n = line_read(room, PASSWORD_LINE);
	if (is_terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fprintf(stderr, "\n");
	}
	if (n <= 0)
		return err_set("no password was given");
	*out = str_trim((struct str){ room, (size_t)n });
	return 0;
}
