/*
 * judge_arc.c -- what we make of ARC chains, and our own seals, for tests beside
 * others' programs.
 *
 *	judge_arc ZONE NOW KEY DOMAIN SELECTOR	(a zone's text and an RSA key in files;
 *						seconds since 1970)
 *
 * For each line of stdin, a path, a line of JSON: {"result": "pass", ...}.  A path
 * behind "seal " is sealed as well: the message in the file gets our set on top.
 */
#include "base/err.h"
#include "base/json.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "trust/arc.h"
#include "trust/digest.h"
#include "trust/dkim_sign.h"
#include "trust/quest.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MOST = 8 << 20, ZONE_MOST = 4 << 20, ARENA_MOST = 32 << 20,
	SECONDS = 20 };

static char *message_room, *zone_room;
static struct wall now;
static EVP_PKEY *key;
static const char *domain, *selector;

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

/* ---- who signs ---- */

static yields int
key_find(struct dkim_signer *s, struct str of, struct dkim_key_ref *out, size_t *n)
{
	(void)s;
	(void)of;
	out[0] = (struct dkim_key_ref){ .algorithm = DKIM_RSA_SHA256 };
	snprintf(out[0].selector, sizeof out[0].selector, "%s", selector);
	*n = 1;
	return 0;
}

static yields int
key_sign(struct dkim_signer *s, struct str of, const struct dkim_key_ref *ref,
    struct str input, struct buf *signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char room[512];
	size_t n = sizeof room;
	int rc;

	(void)s;
	(void)of;
	(void)ref;
	rc = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, room, &n, (const unsigned char *)input.p,
	    input.n) == 1 ? 0 : -1;
	EVP_MD_CTX_free(ctx);
	buf_put(signature, (struct str){ (const char *)room, n });
	return rc;
}

static struct dkim_signer signer = { .keys = key_find, .sign = key_sign };

/* ---- a message ---- */

struct judged {
	struct arena arena;
	struct digest *digest;
	struct arc_answer is;
	int wish;
};

static yields void
judge(struct str message, struct judged *j)
{
	unsigned budget = QUEST_QUESTIONS;
	struct dns_quest quest = { .budget = &budget, .now = now,
		.deadline = mono_add(clock_mono(), SECONDS * NS_PER_SECOND) };
	struct header_scan scan;
	struct field field = { .known = HEADER_OTHER };
	struct arc_verify *v;

	arena_init(&j->arena, ARENA_MOST);
	j->digest = digest_new(&j->arena);
	header_begin(&scan, &j->arena);
	while (header_next(&scan, &message, &field) == HEADER_FIELD)
		digest_field(j->digest, &field);
	if (message.n == 0)
		while (header_finish(&scan, &field) == HEADER_FIELD)
			digest_field(j->digest, &field);
	v = arc_verify_begin(j->digest, &j->arena);
	j->wish = digest_want(j->digest, CANON_RELAXED, DIGEST_ALL);
	digest_body(j->digest, field.raw);
	digest_body(j->digest, message);
	digest_end(j->digest);
	arc_verify_end(v, &quest, &j->is);
}

static void
answer_show(const struct arc_answer *a)
{
	static char answer[4096];
	struct buf out = BUF_OF(answer);
	struct json j;

	json_begin(&j, &out);
	json_put_object(&j, NULL);
	json_put_str(&j, "result", str_of(arc_result_name(a->result)));
	json_put_u64(&j, "sets", a->n);
	json_put_u64(&j, "oldest", a->oldest_pass);
	json_put_str(&j, "why", a->why);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&out)));
	fflush(stdout);
}

static yields void
seal(const char *path, struct str message, const struct judged *j)
{
	static char room[ARC_SEAL_MOST];
	struct buf set = BUF_OF(room);
	struct arc_seal_ask ask = { .domain = str_of(domain),
		.authserv_id = STR("mx.ours.example"), .now = now,
		.results = STR("spf=pass smtp.mailfrom=a.example; dkim=none; "
		    "arc=none (a comment, long enough that it has to be folded) "
		    "header.oldest-pass=0") };
	FILE *f;

	if (arc_seal(&signer, j->digest, j->wish, &j->is, &ask, &set) != 0) {
		fprintf(stderr, "judge_arc: %s\n", err_text());
		exit(1);
	}
	f = fopen(path, "w");
	if (f == NULL || fwrite(set.p, 1, set.n, f) != set.n ||
	    fwrite(message.p, 1, message.n, f) != message.n || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static yields void
judge_all(void *arg)
{
	static char line[4096];

	(void)arg;
	while (fgets(line, sizeof line, stdin) != NULL) {
		struct str path = { line, strcspn(line, "\n") };
		bool wants_seal = str_skip(&path, STR("seal "));
		struct judged j;
		struct str message;

		line[strcspn(line, "\n")] = '\0';
		message = file_read(path.p, message_room, MESSAGE_MOST);
		judge(message, &j);
		if (wants_seal)
			seal(path.p, message, &j);
		answer_show(&j.is);
		arena_clear(&j.arena);
		err_clear();
	}
}

int
main(int argc, char **argv)
{
	struct dns_config c = { .n_forwarders = 0 };
	FILE *f;

	message_room = malloc(MESSAGE_MOST);
	zone_room = malloc(ZONE_MOST);
	if (argc != 6 || message_room == NULL || zone_room == NULL)
		return 64;
	c.zone = file_read(argv[1], zone_room, ZONE_MOST);
	now.us = strtoll(argv[2], NULL, 10) * US_PER_SECOND;
	f = fopen(argv[3], "r");
	key = f == NULL ? NULL : PEM_read_PrivateKey(f, NULL, NULL, NULL);
	domain = argv[4];
	selector = argv[5];
	if (key == NULL || dns_configure(&c) != 0) {
		fprintf(stderr, "judge_arc: %s\n", err_text());
		return 1;
	}
	return core_run_all(1, judge_all, NULL) == 0 ? 0 : 1;
}
