/*
 * wire_bench -- how fast the grammars that see every octet are.
 *
 *	build/test/bench/wire_bench
 *
 * Prints gigabytes a second for the framing of DATA and the scan of header
 * sections, and nanoseconds for small things done once a command or message.
 * Each figure is the best of ROUNDS, over chunks as the stream hands them out.
 */
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/must.h"
#include "wire/addrlist.h"
#include "wire/command.h"
#include "wire/data.h"
#include "wire/header.h"
#include "wire/received.h"
#include "wire/reply.h"

enum { SIZE = 8 * 1024 * 1024, CHUNK = 16 * 1024, ROUNDS = 7, TIMES = 200000 };

static char content[SIZE], wire[2 * SIZE];

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Lines of n octets with CRLF, each beginning with `begin'. */
static struct str
lines(size_t n, struct str begin)
{
	struct buf b = BUF_OF(content);

	while (b.n + n <= SIZE) {
		buf_put(&b, begin);
		for (size_t i = begin.n; i + 2 < n; i++)
			buf_putc(&b, (char)('a' + i % 26));
		buf_put(&b, STR("\r\n"));
	}
	return buf_str(&b);
}

static uint64_t
read_all(struct str in)
{
	struct data_reader r;
	struct str piece;

	data_reader_init(&r, false);
	while (in.n > 0) {
		struct str chunk = str_sub(in, 0, CHUNK);

		while (data_read(&r, &chunk, &piece))
			continue;
		in = str_sub(in, CHUNK, in.n);
	}
	must(!r.stopped);
	return r.octets;
}

static uint64_t
write_all(struct str in)
{
	struct data_writer w;
	struct str piece;

	data_writer_init(&w);
	while (in.n > 0) {
		struct str chunk = str_sub(in, 0, CHUNK);

		while (data_write(&w, &chunk, &piece))
			continue;
		in = str_sub(in, CHUNK, in.n);
	}
	must(!w.broken);
	return w.octets;
}

static const struct str header = STR_INIT(
    "Received: from client.example (client.example [192.0.2.1])\r\n"
    "\tby mx.example (Nightmail) with ESMTPS id 01ARZ3NDEKTSV\r\n"
    "\tfor <bob@example.org>;\r\n"
    "\tFri, 20 Nov 2026 13:40:01 +0000\r\n"
    "Message-ID: <0123456789abcdef@client.example>\r\n"
    "From: Alice Example <alice@client.example>\r\n"
    "To: Bob Example <bob@example.org>\r\n"
    "Subject: the quick brown fox jumps\r\n"
    "X-Mailer: something of this kind 1.2.3\r\n");

/* A section ends nowhere in this input: begin anew after each 150 of them. */
static uint64_t
scan_all(struct str in)
{
	uint64_t fields = 0;

	while (in.n > 0) {
		struct str part = str_sub(in, 0, 150 * header.n);
		struct header_scan h;
		struct arena arena;
		struct field f;

		arena_init(&arena, HEADER_ARENA);
		header_begin(&h, &arena);
		in = str_sub(in, part.n, in.n);
		while (part.n > 0) {
			struct str chunk = str_sub(part, 0, CHUNK);

			while (header_next(&h, &chunk, &f) == HEADER_FIELD)
				fields++;
			must(h.end == HEADER_FIELD);
			part = str_sub(part, CHUNK, part.n);
		}
		arena_clear(&arena);
	}
	must(fields > 0);
	return fields;
}

static void
measure(const char *name, uint64_t (*run)(struct str), struct str in)
{
	double best = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		double began = seconds(), took;

		run(in);
		took = seconds() - began;
		best = took < best ? took : best;
	}
	printf("%-44s %6.2f GB/s\n", name, (double)in.n / best / 1e9);
}

static struct str
headers(void)
{
	struct buf b = BUF_OF(wire);

	while (b.n + header.n < SIZE)
		buf_put(&b, header);
	return buf_str(&b);
}

/* ---- small things ---- */

static void
do_mail(void)
{
	struct mail_params m;
	struct command c;

	must(command_parse(STR("MAIL FROM:<alice@client.example> SIZE=4096 "
	    "BODY=8BITMIME"), 0, &c) == NULL);
	must(mail_parse(c.arg, PARAM_BIT(SIZE) | PARAM_BIT(BODY), &m) == NULL);
}

static void
do_rcpt(void)
{
	struct rcpt_params r;
	struct command c;

	must(command_parse(STR("RCPT TO:<bob@example.org>"), 0, &c) == NULL);
	must(rcpt_parse(c.arg, 0, 0, &r) == NULL);
}

static void
do_reply(void)
{
	struct reply r;

	reply_begin(&r);
	must(reply_push(&r, STR("250 2.1.5 Recipient ok"), NULL) ==
	    REPLY_DONE);
}

static void
do_received(void)
{
	struct received r = {
		.helo = STR("client.example"), .host = STR("client.example"),
		.ip = STR("192.0.2.1"), .by = STR("mx.example"),
		.with = STR("ESMTP"), .id = STR("01ARZ3NDEKTSV"),
		.rcpt = STR("bob@example.org"),
		.at = { INT64_C(1795182001000000) },
	};
	char out[RECEIVED_MOST];
	struct buf b = BUF_OF(out);

	received_write(&b, &r);
	must(!b.full);
}

static void
do_from(void)
{
	struct addrlist_item item;
	struct addrlist list;
	struct arena arena;

	arena_init(&arena, 4096);
	addrlist_begin(&list, STR("Alice Example <alice@client.example>"),
	    &arena);
	must(addrlist_next(&list, &item) && item.kind == ADDRLIST_MAILBOX);
	arena_clear(&arena);
}

static void
measure_small(const char *name, void (*run)(void))
{
	double best = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		double began = seconds(), took;

		for (int k = 0; k < TIMES / ROUNDS; k++)
			run();
		took = (seconds() - began) / (TIMES / ROUNDS);
		best = took < best ? took : best;
	}
	printf("%-44s %6.0f ns\n", name, best * 1e9);
}

int
main(void)
{
	measure("DATA read, lines of 78", read_all, lines(78, STR("")));
	measure("DATA read, lines of 998", read_all, lines(998, STR("")));
	measure("DATA read, lines of 20", read_all, lines(20, STR("")));
	measure("DATA read, lines of 78, each with a dot", read_all,
	    lines(78, STR("..")));
	measure("DATA read, lines of 2", read_all, lines(2, STR("")));
	measure("DATA written, lines of 78", write_all, lines(78, STR("")));
	measure("DATA written, lines of 78, each with a dot", write_all,
	    lines(78, STR(".")));
	measure("header scan", scan_all, headers());
	measure_small("MAIL with SIZE and BODY", do_mail);
	measure_small("RCPT", do_rcpt);
	measure_small("reply of one line", do_reply);
	measure_small("Received written", do_received);
	measure_small("From read", do_from);
	return 0;
}
