/*
 * data.h -- the content of a message, as DATA frames it and BDAT counts it.
 *
 * The promise: only CRLF.CRLF ends the data, however the input is split.  What
 * data_read() hands out is canonical: every line ends in CRLF, and no bare CR,
 * bare LF or NUL is in it.  What is not canonical is told in `faults': from the
 * first fault on nothing more is handed out (the end is still found, so that
 * the refusal can be said), or, with `normalize', a bare LF becomes CRLF, a bare
 * CR a space, and only a NUL stops.  data_write() lets only canonical lines out.
 * Lines are never split, whatever their length.
 * Chunks of BDAT are counted by who reads them: dots mean nothing there, the rest
 * is judged the same, across chunks, and data_read_end() ends the last line.  In
 * a binary message (BODY=BINARYMIME) only the header section is judged: from the
 * first empty line on every octet goes out as it came.
 * Not for: the size of a chunk (smtp/bdat.c).
 * Waiting: none.
 * Memory: none; what comes out are slices of the input or of static text.
 * Errors: `faults' of the reader; `broken' of the writer.
 * Source: RFC 5321 2.3.8, 4.1.1.4, 4.5.2; RFC 3030 2, 3; SECURITY.md rows 1, 2,
 * 3, 18, 21.
 */
#ifndef NM_WIRE_DATA_H
#define NM_WIRE_DATA_H

#include "base/str.h"

enum {
	DATA_BARE_LF = 1,
	DATA_BARE_CR = 2,
	DATA_NUL = 4,
	DATA_8BIT = 8		/* no fault: an octet above 127 was seen */
};

struct data_lines {
	uint64_t now;		/* octets of the line so far, without CRLF */
	uint64_t longest;	/* of the longest that has ended */
	bool was_empty;		/* the last that has ended */
};

struct data_reader {
	unsigned char state;	/* see data.c */
	bool normalize;
	bool is_chunked;	/* dots mean nothing */
	bool is_binary;
	bool in_body;		/* of a binary message */
	bool ended;		/* CRLF.CRLF was read */
	bool stopped;		/* refused: nothing more comes out */
	unsigned faults;	/* DATA_ bits */
	uint64_t octets;	/* handed out */
	struct data_lines lines;
};

void data_reader_init(struct data_reader *, bool normalize);
void data_reader_init_chunks(struct data_reader *, bool normalize,
    bool is_binary);

/* The next run of content, cut off the front of *in.  False when *in is used
 * up or the data have ended; after the end *in is what follows it. */
bool data_read(struct data_reader *, struct str *in, struct str *out);

/* No chunk follows: what must still go in, a CRLF when the last line of a text
 * has none, or nothing. */
struct str data_read_end(struct data_reader *);

struct data_writer {
	unsigned char state;
	bool broken;		/* the input was not canonical: nothing more */
	uint64_t octets;	/* handed out */
};

void data_writer_init(struct data_writer *);
/* The next run of octets for the wire; false when *in is used up or broken.
 * When broken, drop the connection: the data must not be ended. */
bool data_write(struct data_writer *, struct str *in, struct str *out);
/* What ends the data: ".\r\n", after a CRLF if the last line lacks one.
 * STR_NONE when broken. */
struct str data_write_end(struct data_writer *);

#endif
