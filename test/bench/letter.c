#include "letter.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIELDS_MOST = 512, ID_TWICE = 100, FILE_MOST = 64 * 1024 * 1024 };

void
letter_compose(struct letter *letter, const char *from, const char *domain, uint64_t size)
{
	static const char line[] =
	    "The night mail crosses the border with letters for rich and poor alike ..\r\n";
	char date[64];
	time_t now = time(NULL);
	struct tm tm;
	size_t n, most = size > 600 ? size - 400 : 200;
	int f;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	must(letter->fields = malloc(FIELDS_MOST));
	f = snprintf(letter->fields, FIELDS_MOST, "Date: %s\r\nFrom: Load <%.100s>\r\n"
	    "To: Sink <r1@%.100s>\r\nSubject: Load\r\n\r\n", date, from, domain);
	must(f > 0 && f < FIELDS_MOST);
	letter->fields_n = (size_t)f;
	if (size > letter->fields_n + ID_TWICE)
		most = size - letter->fields_n - ID_TWICE;
	must(letter->filler = malloc(most + sizeof(line) + 16));
	memcpy(letter->filler, "\r\n", 2);
	for (n = 2; n + sizeof(line) - 1 <= most; n += sizeof(line) - 1)
		memcpy(letter->filler + n, line, sizeof(line) - 1);
	memcpy(letter->filler + n, ".\r\n", 3);
	letter->filler_n = n + 3;
}

static void
letter_no(const char *path, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", path, why);
	exit(66);
}

/* A dot at the beginning of a line is doubled. */
static size_t
letter_put(char *to, size_t n, int c)
{
	if (c == '.' && (n == 0 || to[n - 1] == '\n'))
		to[n++] = '.';
	to[n++] = (char)c;
	return n;
}

void
letter_read(struct letter *letter, const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;
	int c;

	if (f == NULL)
		letter_no(path, "cannot be opened");
	must(letter->filler = malloc(FILE_MOST));
	while (n < FILE_MOST - 8 && (c = getc(f)) != EOF)
		n = letter_put(letter->filler, n, c);
	if (fclose(f) != 0 || n == 0 || n >= FILE_MOST - 8)
		letter_no(path, "is empty, or too long");
	if (n < 2 || memcmp(letter->filler + n - 2, "\r\n", 2) != 0)
		letter_no(path, "does not end with CRLF");
	memcpy(letter->filler + n, ".\r\n", 3);
	letter->filler_n = n + 3;
}
