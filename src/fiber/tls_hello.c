#include "fiber/tls_own.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/fiber.h"

#include <stdlib.h>

enum { RECORD_HEAD = 5, RECORD_HANDSHAKE = 22 };

/* RFC 8446 5.1: type, version, length.  How much of the first record must be at
 * hand; what is no handshake OpenSSL looks at at once. */
static size_t
hello_wanted(struct str s)
{
	if (s.n < RECORD_HEAD || s.p[0] != RECORD_HANDSHAKE)
		return RECORD_HEAD;
	return RECORD_HEAD + ((size_t)(unsigned char)s.p[3] << 8 |
	    (unsigned char)s.p[4]);
}

yields int
tls_hello_hear(struct stream *s, struct tls_hello *h)
{
	struct str got = STR_NONE;

	must(s->tls == NULL && stream_buffered(s) == 0);
	*h = (struct tls_hello){ .n = 0 };
	while (got.n < hello_wanted(got))
		if (hello_wanted(got) > STREAM_BUFFER)
			return err_set("TLS handshake: the hello is too long");
		else if (stream_peek_more(s, got.n, &got) != 0)
			return err_add("TLS handshake");
	h->octets = malloc(got.n);
	if (h->octets == NULL)
		return err_set("no memory for TLS");
	memcpy(h->octets, got.p, got.n);
	h->n = got.n;
	stream_consume(s, got.n);
	return 0;
}

size_t
tls_hello_take(struct tls_hello *h, char *to, size_t n)
{
	if (n > h->n - h->at)
		n = h->n - h->at;
	if (n > 0)
		memcpy(to, h->octets + h->at, n);
	h->at += n;
	if (h->at == h->n)
		tls_hello_end(h);
	return n;
}

void
tls_hello_end(struct tls_hello *h)
{
	free(h->octets);
	*h = (struct tls_hello){ .n = 0 };
}
