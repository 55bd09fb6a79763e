#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>

static _Thread_local struct err_trail thread_trail;
static _Thread_local struct err_trail *trail_now;

static struct err_trail *
trail(void)
{
	return trail_now != NULL ? trail_now : &thread_trail;
}

void
err_use(struct err_trail *t)
{
	trail_now = t;
}

static void
trail_prepend(struct err_trail *t, const char *text, size_t n)
{
	if (n >= ERR_ROOM)
		n = ERR_ROOM - 1;
	if (t->n > ERR_ROOM - 1 - n)
		t->n = ERR_ROOM - 1 - n;
	memmove(t->text + n, t->text, t->n);
	memcpy(t->text, text, n);
	t->n += n;
	t->text[t->n] = '\0';
}

/* %m is the only reason for errno here; vsnprintf gets it as it was. */
__attribute__((format(printf, 2, 0))) static size_t
trail_format(char *line, const char *fmt, va_list ap)
{
	int saved = errno;
	int n = vsnprintf(line, ERR_ROOM, fmt, ap);

	errno = saved;
	if (n < 0)
		return 0;
	return (size_t)n < ERR_ROOM ? (size_t)n : ERR_ROOM - 1;
}

/* Before what is there already: the words of the trail itself may be among ap. */
__attribute__((format(printf, 1, 0))) static void
trail_add(const char *fmt, va_list ap, bool is_new)
{
	char line[ERR_ROOM];
	size_t n = trail_format(line, fmt, ap);

	if (is_new)
		trail()->n = 0;
	if (trail()->n > 0)
		trail_prepend(trail(), ": ", 2);
	trail_prepend(trail(), line, n);
}

int
(err_set)(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	trail_add(fmt, ap, true);
	va_end(ap);
	return -1;
}

int
(err_add)(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	trail_add(fmt, ap, false);
	va_end(ap);
	return -1;
}

const char *
err_text(void)
{
	return trail()->text;
}

void
err_clear(void)
{
	trail()->n = 0;
	trail()->text[0] = '\0';
}
