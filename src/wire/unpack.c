/*
 * A zip's local header, little endian (APPNOTE.TXT 4.3.7):
 *
 *	 0  u32  "PK\3\4"
 *	 6  u16  flags: 0x1 encrypted, 0x8 a descriptor follows the data
 *	 8  u16  method: 0 stored, 8 deflated
 *	14  u32  CRC-32, 18 u32 packed size, 22 u32 size (0 with a descriptor)
 *	26  u16  length of the name, 28 u16 of the extra field
 *	30  ...  name, extra field, data
 *	    ...  descriptor: ["PK\7\10"] u32 CRC-32, sizes of 4 or 8 octets
 *
 * HEAD --4 octets--> PLAIN | INFLATE (gzip) | LOCAL (zip)
 * LOCAL --30 octets--> SKIP --name and extra--> INFLATE | STORED --> TAIL
 * TAIL --"PK\1\2"--> DONE; another local header there is refused.
 * INFLATE of gzip --> NEXT: another member (INFLATE), or nothing more (DONE).
 */
#define ZLIB_CONST
#include "wire/unpack.h"

#include "base/must.h"

#include <zlib.h>

enum { CHUNK = 16 * 1024, HEAD_MOST = 30, SNIFF = 4, TAIL_MOST = 64 };

enum { ZIP_ENCRYPTED = 1, ZIP_DESCRIPTOR = 8, ZIP_STORED = 0,
	ZIP_DEFLATED = 8 };

struct unpack {
	enum {
		UNPACK_HEAD, UNPACK_PASS, UNPACK_LOCAL, UNPACK_SKIP,
		UNPACK_INFLATE, UNPACK_STORED, UNPACK_TAIL, UNPACK_NEXT,
		UNPACK_DONE, UNPACK_FAILED
	} state;
	enum unpack_kind kind;
	const char *why;
	struct arena *arena;
	z_stream z;
	bool has_z;
	uint64_t in, out;		/* octets: packed, and what they became */
	unsigned char head[HEAD_MOST];
	unsigned head_n;
	unsigned char first[SNIFF];	/* of what came out */
	unsigned first_n;
	/* of a zip's file */
	uint64_t skip, left;		/* name and extra; of what is stored */
	bool has_descriptor, is_file, had_file;
	uint16_t method;
	uint32_t crc, crc_wanted;
	uint32_t window;		/* the last four octets of the tail */
	unsigned tail_n;
	char chunk[CHUNK];
};

static int
unpack_fail(struct unpack *u, const char *why)
{
	if (u->state != UNPACK_FAILED)
		u->why = why;
	u->state = UNPACK_FAILED;
	return -1;
}

static void *
unpack_alloc(void *arena, uInt items, uInt size)
{
	return size != 0 && items > SIZE_MAX / size ? NULL :
	    arena_alloc(arena, (size_t)items * size);
}

static void
unpack_free(void *arena, void *p)
{
	(void)arena;			/* it goes with the arena */
	(void)p;
}

struct unpack *
unpack_begin(struct arena *a)
{
	struct unpack *u = arena_new(a, struct unpack);

	if (u == NULL)
		return NULL;
	u->arena = a;
	u->z = (z_stream){ .zalloc = unpack_alloc, .zfree = unpack_free,
		.opaque = a };
	return u;
}

enum unpack_kind
unpack_kind(const struct unpack *u)
{
	return u->kind;
}

const char *
unpack_why(const struct unpack *u)
{
	return u->why == NULL ? "nothing is wrong with it" : u->why;
}

static uint32_t
le(const unsigned char *p, unsigned octets)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < octets; i++)
		v |= (uint32_t)p[i] << 8 * i;
	return v;
}

/* ---- what comes out ---- */

static bool
is_gzip(const unsigned char *p, unsigned n)
{
	return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

static bool
is_zip(const unsigned char *p, unsigned n)
{
	return n >= SNIFF && p[0] == 'P' && p[1] == 'K' &&
	    ((p[2] == 3 && p[3] == 4) || (p[2] == 5 && p[3] == 6));
}

/* SECURITY.md row 51. */
static int
unpack_count(struct unpack *u, struct str out)
{
	for (size_t i = 0; i < out.n && u->first_n < SNIFF; i++)
		u->first[u->first_n++] = (unsigned char)out.p[i];
	u->out += out.n;
	if (u->out > UNPACK_MOST)
		return unpack_fail(u, "it is more than 10 MiB when unpacked");
	if (u->kind == UNPACK_PLAIN)
		return 0;
	if (u->out > UNPACK_FREE && u->out / UNPACK_RATIO > u->in)
		return unpack_fail(u, "it grows more than a hundredfold: a bomb");
	if (is_gzip(u->first, u->first_n) || is_zip(u->first, u->first_n))
		return unpack_fail(u, "it is an archive within an archive");
	return 0;
}

static int
unpack_give(struct unpack *u, struct str octets, struct str *out)
{
	*out = octets;
	if (octets.n == 0)
		return 0;
	return unpack_count(u, octets) == 0 ? 1 : -1;
}

/* ---- zlib ---- */

static int
inflate_start(struct unpack *u, int bits)
{
	int rc = u->has_z ? inflateReset2(&u->z, bits) :
	    inflateInit2(&u->z, bits);

	if (rc != Z_OK)
		return unpack_fail(u, "no memory to unpack it");
	u->has_z = true;
	u->crc = 0;
	u->state = UNPACK_INFLATE;
	return 0;
}

static void
inflate_ended(struct unpack *u)
{
	u->head_n = 0;
	u->state = u->kind == UNPACK_GZIP ? UNPACK_NEXT : UNPACK_TAIL;
	u->tail_n = 0;
}

static int
inflate_some(struct unpack *u, struct str *in, struct str *out)
{
	size_t n = in->n < CHUNK ? in->n : CHUNK;
	size_t took, made;
	int rc;

	u->z.next_in = (const unsigned char *)in->p;
	u->z.avail_in = (uInt)n;
	u->z.next_out = (unsigned char *)u->chunk;
	u->z.avail_out = CHUNK;
	rc = inflate(&u->z, Z_NO_FLUSH);
	took = n - u->z.avail_in;
	made = CHUNK - u->z.avail_out;
	*in = str_sub(*in, took, in->n);
	u->in += took;
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return unpack_fail(u, rc == Z_MEM_ERROR ?
		    "no memory to unpack it" : "its compressed data are damaged");
	if (rc == Z_BUF_ERROR && took == 0 && made == 0 && n > 0)
		return unpack_fail(u, "its compressed data are damaged");
	if (u->kind == UNPACK_ZIP)
		u->crc = (uint32_t)crc32(u->crc,
		    (const unsigned char *)u->chunk, (uInt)made);
	if (rc == Z_STREAM_END)
		inflate_ended(u);
	return unpack_give(u, (struct str){ u->chunk, made }, out);
}

/* ---- what it is ---- */

/* False: more octets are needed. */
static bool
head_fill(struct unpack *u, struct str *in, unsigned most)
{
	while (u->head_n < most && in->n > 0) {
		u->head[u->head_n++] = (unsigned char)in->p[0];
		*in = str_sub(*in, 1, in->n);
	}
	return u->head_n == most;
}

/* The octets that were looked at are the first of what zlib reads. */
static int
gzip_begin(struct unpack *u, struct str *out)
{
	struct str head = { (const char *)u->head, u->head_n };

	u->kind = UNPACK_GZIP;
	if (inflate_start(u, 16 + MAX_WBITS) != 0)
		return -1;
	return inflate_some(u, &head, out);
}

static int
head_judge(struct unpack *u, struct str *out)
{
	if (is_gzip(u->head, u->head_n))
		return gzip_begin(u, out);
	if (is_zip(u->head, u->head_n)) {
		u->kind = UNPACK_ZIP;
		u->state = UNPACK_LOCAL;
		return u->head[2] == 3 ? 0 : unpack_fail(u,
		    "the archive is empty");
	}
	u->state = UNPACK_PASS;
	return unpack_give(u, (struct str){ (const char *)u->head,
	    u->head_n }, out);
}

/* RFC 1952 2.2: members follow each other; what is no member is padding. */
static int
member_judge(struct unpack *u, struct str *out)
{
	if (is_gzip(u->head, u->head_n))
		return gzip_begin(u, out);
	u->state = UNPACK_DONE;
	return 0;
}

/* ---- zip ---- */

static int
local_judge(struct unpack *u)
{
	uint32_t flags = le(u->head + 6, 2), packed = le(u->head + 18, 4);

	u->method = (uint16_t)le(u->head + 8, 2);
	u->has_descriptor = (flags & ZIP_DESCRIPTOR) != 0;
	u->crc_wanted = le(u->head + 14, 4);
	u->left = le(u->head + 22, 4);
	u->skip = le(u->head + 26, 2) + le(u->head + 28, 2);
	u->is_file = u->method != ZIP_STORED || u->left > 0;
	if ((flags & ZIP_ENCRYPTED) != 0)
		return unpack_fail(u, "the archive is encrypted");
	if (u->method != ZIP_STORED && u->method != ZIP_DEFLATED)
		return unpack_fail(u, "the archive is compressed in a way that "
		    "is not deflate");
	if (u->method == ZIP_STORED && (u->has_descriptor || packed != u->left))
		return unpack_fail(u, "the archive does not say how long its "
		    "file is");
	if (u->is_file && u->had_file)
		return unpack_fail(u, "the archive has several files");
	u->had_file |= u->is_file;
	u->state = UNPACK_SKIP;
	return 0;
}

static int
skip_end(struct unpack *u)
{
	if (u->method == ZIP_DEFLATED)
		return inflate_start(u, -MAX_WBITS);
	u->crc = 0;
	u->tail_n = 0;
	u->head_n = 0;
	u->state = u->left > 0 ? UNPACK_STORED : UNPACK_TAIL;
	return 0;
}

static int
stored_some(struct unpack *u, struct str *in, struct str *out)
{
	struct str piece = str_sub(*in, 0, u->left < CHUNK ? (size_t)u->left :
	    CHUNK);

	*in = str_sub(*in, piece.n, in->n);
	u->in += piece.n;
	u->left -= piece.n;
	u->crc = (uint32_t)crc32(u->crc, (const unsigned char *)piece.p,
	    (uInt)piece.n);
	if (u->left == 0)
		u->state = UNPACK_TAIL;
	return unpack_give(u, piece, out);
}

/* The CRC of a descriptor is its first number, with its mark before it or not;
 * as many zips are written that have none, the mark itself may be that number. */
static void
tail_descriptor(struct unpack *u)
{
	bool has_mark = u->head_n >= 8 && le(u->head, 4) == 0x08074b50;

	if (u->has_descriptor)
		u->crc_wanted = le(u->head + (has_mark ? 4 : 0), 4);
}

/* Behind the file: its descriptor, and then the directory. */
static int
tail_judge(struct unpack *u)
{
	enum { LOCAL = 0x04034b50, CENTRAL = 0x02014b50 };

	if (u->window != CENTRAL && u->window != LOCAL)
		return u->tail_n < TAIL_MOST ? 0 : unpack_fail(u,
		    "the archive goes on in a way that cannot be read");
	tail_descriptor(u);
	if (u->is_file && u->crc != u->crc_wanted)
		return unpack_fail(u, "the archive is damaged: its checksum is "
		    "wrong");
	if (u->window == LOCAL) {
		memcpy(u->head, "PK\3\4", SNIFF);
		u->head_n = SNIFF;
		u->state = UNPACK_LOCAL;
		return 0;
	}
	u->state = UNPACK_DONE;
	return u->had_file ? 0 : unpack_fail(u, "the archive has no file");
}

static int
tail_some(struct unpack *u, struct str *in)
{
	while (in->n > 0 && u->state == UNPACK_TAIL) {
		unsigned char c = (unsigned char)in->p[0];

		*in = str_sub(*in, 1, in->n);
		if (u->head_n < HEAD_MOST)
			u->head[u->head_n++] = c;
		u->window = u->window >> 8 | (uint32_t)c << 24;
		u->tail_n++;
		if (u->tail_n >= SNIFF && tail_judge(u) != 0)
			return -1;
	}
	return 0;
}

/* ---- the whole ---- */

static int
unpack_step(struct unpack *u, struct str *in, struct str *out)
{
	size_t n;

	switch (u->state) {
	case UNPACK_HEAD:
		return head_fill(u, in, SNIFF) ? head_judge(u, out) : 0;
	case UNPACK_PASS:
		*out = *in;
		in->n = 0;
		return unpack_give(u, *out, out);
	case UNPACK_LOCAL:
		return head_fill(u, in, HEAD_MOST) ? local_judge(u) : 0;
	case UNPACK_SKIP:
		n = u->skip < in->n ? (size_t)u->skip : in->n;
		*in = str_sub(*in, n, in->n);
		u->skip -= n;
		return u->skip == 0 ? skip_end(u) : 0;
	case UNPACK_INFLATE:
		return inflate_some(u, in, out);
	case UNPACK_STORED:
		return stored_some(u, in, out);
	case UNPACK_TAIL:
		return tail_some(u, in);
	case UNPACK_NEXT:
		return head_fill(u, in, 2) ? member_judge(u, out) : 0;
	case UNPACK_DONE:
		in->n = 0;
		return 0;
	case UNPACK_FAILED:
		break;
	}
	return -1;
}

int
unpack_next(struct unpack *u, struct str *in, struct str *out)
{
	int rc;

	do
		rc = unpack_step(u, in, out);
	while (rc == 0 && (in->n > 0 || (u->state == UNPACK_SKIP &&
	    u->skip == 0)));
	must(rc != 1 || out->n > 0);
	return rc;
}

/* zlib may hold what had no room in the chunk before. */
static int
inflate_rest(struct unpack *u, struct str *out)
{
	struct str none = { "", 0 };
	int rc = inflate_some(u, &none, out);

	if (rc != 0)
		return rc;
	return u->state == UNPACK_INFLATE ? unpack_fail(u,
	    "its compressed data end too early") : 0;
}

int
unpack_end(struct unpack *u, struct str *out)
{
	int rc;

	*out = STR_NONE;
	if (u->state == UNPACK_HEAD && u->head_n > 0) {
		rc = head_judge(u, out);
		if (rc != 0)
			return rc;
	}
	if (u->state == UNPACK_INFLATE) {
		rc = inflate_rest(u, out);
		if (rc != 0)
			return rc;
	}
	if (u->state == UNPACK_FAILED)
		return -1;
	if (u->kind == UNPACK_ZIP && u->state != UNPACK_DONE)
		return unpack_fail(u, "the archive ends too early");
	return 0;
}
