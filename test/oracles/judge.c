/*
 * judge.c -- what we make of messages in files, for tests beside others' programs.
 *
 *	judge ZONE NOW		(a zone's text in a file; seconds since 1970)
 *
 * For each line of stdin, a path, a line of JSON: {"dkim": [{"result": ...}]}.
 * The file goes through in pieces whose sizes follow from its own octets, so that
 * no two files are cut the same.
 */
#include "base/err.h"
#include "base/json.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "trust/dkim_verify.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MOST = 8 << 20, ZONE_MOST = 4 << 20, ANSWER_MOST = 64 * 1024,
	ARENA_MOST = 16 << 20, SECONDS = 20 };

static char *message_room, *zone_room;
static struct wall now;

static struct str
file_read(const char *path, char *room, size_t most)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(room, 1, most, f);
	fclose(f);
	return (struct str){ room, n };
}

/* ---- a message ---- */

/* 1 to 256 octets, or (when the octet there is even) all that are left. */
static struct str
piece_take(struct str *rest)
{
	unsigned char c = (unsigned char)rest->p[rest->n / 2];
	struct str piece = str_sub(*rest, 0, c % 2 == 0 ? rest->n : c + 1U);

	*rest = str_sub(*rest, piece.n, rest->n);
	return piece;
}

/* A body: what the scan of the header had taken of it, what is left of its last
 * piece, and the rest. */
struct body { struct str begun, piece, rest; };

static struct body
fields_take(struct digest *d, struct arena *arena, struct str message)
{
	struct header_scan scan;
	struct field field = { .known = HEADER_OTHER };
	struct body b = { STR_NONE, STR_NONE, message };
	enum header_step step = HEADER_FIELD;

	header_begin(&scan, arena);
	while (step == HEADER_FIELD || (step == HEADER_MORE && b.rest.n > 0)) {
		if (b.piece.n == 0 && b.rest.n > 0)
			b.piece = piece_take(&b.rest);
		step = header_next(&scan, &b.piece, &field);
		if (step == HEADER_FIELD && !digest_field(d, &field))
			return b;
	}
	while (step == HEADER_MORE || step == HEADER_FIELD) {
		step = header_finish(&scan, &field);
		if (step == HEADER_FIELD && !digest_field(d, &field))
			return b;
	}
	b.begun = step == HEADER_END ? field.raw : STR_NONE;
	return b;
}

static void
outcome_put(struct json *j, const struct dkim_outcome *o)
{
	json_put_object(j, NULL);
	json_put_str(j, "result", str_of(dkim_result_name(o->result)));
	json_put_str(j, "domain", o->domain);
	json_put_str(j, "selector", o->selector);
	json_put_str(j, "identity", o->identity);
	json_put_bool(j, "partial", o->is_partial);
	json_put_bool(j, "testing", o->is_testing);
	json_put_u64(j, "bits", o->key_bits);
	json_put_str(j, "why", o->why);
	json_end_object(j);
}

static yields void
judge(struct str message, struct arena *arena, struct json *j)
{
	unsigned budget = QUEST_QUESTIONS;
	struct dns_quest quest = { .budget = &budget, .now = now,
		.deadline = mono_add(clock_mono(), SECONDS * NS_PER_SECOND) };
	struct digest *d = digest_new(arena);
	const struct dkim_outcome *got;
	struct dkim_verify *v;
	struct body body = fields_take(d, arena, message);
	size_t n;

	v = dkim_verify_begin(d, arena);
	digest_body(d, body.begun);
	digest_body(d, body.piece);
	while (body.rest.n > 0)
		digest_body(d, piece_take(&body.rest));
	digest_end(d);
	got = dkim_verify_end(v, &quest, &n);
	json_put_array(j, "dkim");
	for (size_t i = 0; i < n; i++)
		outcome_put(j, &got[i]);
	json_end_array(j);
}

/* ---- all of them ---- */

static yields void
judge_file(const char *path)
{
	static char answer[ANSWER_MOST];
	struct buf out = BUF_OF(answer);
	struct arena arena;
	struct json j;

	arena_init(&arena, ARENA_MOST);
	json_begin(&j, &out);
	json_put_object(&j, NULL);
	judge(file_read(path, message_room, MESSAGE_MOST), &arena, &j);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&out)));
	fflush(stdout);
	arena_clear(&arena);
	err_clear();
}

static yields void
judge_all(void *arg)
{
	static char line[4096];

	(void)arg;
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		judge_file(line);
	}
}

int
main(int argc, char **argv)
{
	struct dns_config c = { .n_forwarders = 0 };

	message_room = malloc(MESSAGE_MOST);
	zone_room = malloc(ZONE_MOST);
	if (argc != 3 || message_room == NULL || zone_room == NULL)
		return 64;
	c.zone = file_read(argv[1], zone_room, ZONE_MOST);
	now.us = strtoll(argv[2], NULL, 10) * US_PER_SECOND;
	if (dns_configure(&c) != 0) {
		fprintf(stderr, "judge: %s\n", err_text());
		return 1;
	}
	return core_run_all(1, judge_all, NULL) == 0 ? 0 : 1;
}
