/*
 * letter.h -- what load sends.
 *
 * The promise: a composed letter is a Message-ID field, `fields', the same id,
 * and `filler'; one that was read is `filler' alone, octet by octet.  Both end
 * with the dot, and need no stuffing more.
 * Not for: more than one letter a process.
 * Waiting: blocks on the file.
 * Memory: for the life of the process.
 * Errors: letter_read() ends the process, in words.
 * Source: RFC 5321 4.5.2.
 */
#ifndef NM_BENCH_LETTER_H
#define NM_BENCH_LETTER_H

#include <stdint.h>
#include <stddef.h>

struct letter {
	char *fields, *filler;
	size_t fields_n, filler_n;
};

/* Of so many octets in all, about. */
void letter_compose(struct letter *, const char *from, const char *domain,
    uint64_t size);
/* A file with CRLF at the end of each line. */
void letter_read(struct letter *, const char *path);

#endif
