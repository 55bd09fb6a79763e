/* HTTP: a head reads the same whatever follows it, and means one body; chunks
 * come to the same content wherever they are cut. */
#include "fuzz.h"
#include "wire/http.h"

#include <stdlib.h>

static void
head_check(struct str in)
{
	static struct http_head h, again;
	size_t used = 0, used_again = 0;
	enum http_step step = http_request(in, &h, &used);

	if (step == HTTP_BAD)
		must(h.status >= 400 && h.status < 600);
	if (step != HTTP_DONE)
		return;
	must(used <= in.n && used <= HTTP_HEAD_MOST && h.n <= HTTP_FIELDS_MOST);
	must(!h.is_chunked || (!h.has_length && !h.is_1_0));
	must(fuzz_is_inside(h.path, str_sub(in, 0, used)));
	must(fuzz_is_canonical(str_sub(in, 0, used)));
	must(http_request(str_sub(in, 0, used), &again, &used_again) ==
	    HTTP_DONE && used_again == used && again.n == h.n &&
	    again.length == h.length && again.is_chunked == h.is_chunked);
	must(http_request(str_sub(in, 0, used - 1), &again, &used_again) ==
	    HTTP_MORE);
}

/* The content, in pieces of at most `most' octets. */
static struct http_chunks
content_gather(struct str in, size_t most, struct buf *out)
{
	struct http_chunks k = { .state = 0 };

	while (in.n > 0 && !k.has_ended && !k.is_bad) {
		struct str part = str_sub(in, 0, most), piece;
		size_t given = part.n;

		while (http_chunks_next(&k, &part, &piece))
			buf_put(out, piece);
		in = str_sub(in, given - part.n, in.n);
	}
	return k;
}

static void
chunks_check(struct str in, size_t most)
{
	char *a = malloc(in.n + 1), *b = malloc(in.n + 1);
	struct buf whole = { .p = a, .cap = in.n + 1 };
	struct buf parts = { .p = b, .cap = in.n + 1 };
	struct http_chunks k, l;

	must(a != NULL && b != NULL);
	k = content_gather(in, in.n, &whole);
	l = content_gather(in, most, &parts);
	must(k.has_ended == l.has_ended && k.is_bad == l.is_bad);
	must(str_eq(buf_str(&whole), buf_str(&parts)));
	free(a);
	free(b);
}

static void
percent_check(struct str in)
{
	char raw[1024], coded[3 * sizeof raw];
	struct buf r = BUF_OF(raw), c = BUF_OF(coded), back = BUF_OF(raw);

	if (!http_decode(in, false, &r))
		return;
	http_encode(&c, buf_str(&r));
	must(!c.full && http_decode(buf_str(&c), true, &back) &&
	    back.n == r.n);
}

FUZZ(in)
{
	unsigned choice = fuzz_choice(&in);
	char room[4096];
	struct buf b = BUF_OF(room);
	static struct http_head h;
	size_t used;

	head_check(in);
	(void)http_response(in, &h, &used);
	chunks_check(in, 1 + choice % 17);
	percent_check(in);
	(void)http_query(in, STR("a"), &b);
}
