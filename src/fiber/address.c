#include "fiber/net.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { ADDRESS_TEXT_MOST = 46 };

static const unsigned char address_mapped[12] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};

/* RFC 4291 2.5.5.2: one client must not have two names here. */
static void
address_unmap(struct address *a)
{
	if (a->family != ADDRESS_V6 ||
	    memcmp(a->of.ip, address_mapped, sizeof address_mapped) != 0)
		return;
	a->family = ADDRESS_V4;
	memmove(a->of.ip, a->of.ip + sizeof address_mapped, 4);
	memset(a->of.ip + 4, 0, 12);
}

bool
address_parse(struct str ip, uint16_t port, struct address *out)
{
	char text[ADDRESS_TEXT_MOST];

	*out = (struct address){ .port = port };
	if (!str_cstr(ip, text, sizeof text))
		return false;
	if (inet_pton(AF_INET, text, out->of.ip) == 1)
		out->family = ADDRESS_V4;
	else if (inet_pton(AF_INET6, text, out->of.ip) == 1)
		out->family = ADDRESS_V6;
	address_unmap(out);
	return out->family != ADDRESS_NONE;
}

struct address_text
address_print(const struct address *a)
{
	struct address_text t = { "" };

	switch (a->family) {
	case ADDRESS_V4:
		inet_ntop(AF_INET, a->of.ip, t.text, sizeof t.text);
		break;
	case ADDRESS_V6:
		inet_ntop(AF_INET6, a->of.ip, t.text, sizeof t.text);
		break;
	case ADDRESS_UNIX:
		snprintf(t.text, sizeof t.text, "%.*s",
		    (int)sizeof a->of.path - 1, a->of.path);
		break;
	case ADDRESS_NONE:
		snprintf(t.text, sizeof t.text, "none");
		break;
	}
	return t;
}

static size_t
address_bytes(const struct address *a)
{
	return a->family == ADDRESS_V4 ? 4 : a->family == ADDRESS_V6 ? 16 : 0;
}

bool
address_eq_ip(const struct address *a, const struct address *b)
{
	size_t n = address_bytes(a);

	return n > 0 && a->family == b->family &&
	    memcmp(a->of.ip, b->of.ip, n) == 0;
}

bool
address_is_loopback(const struct address *a)
{
	static const unsigned char one[16] = { [15] = 1 };

	if (a->family == ADDRESS_V4)
		return a->of.ip[0] == 127;
	return a->family == ADDRESS_V6 && memcmp(a->of.ip, one, 16) == 0;
}

/* Keep the first `bits' bits, clear the rest. */
static void
address_cut(struct address *a, unsigned bits)
{
	for (size_t i = 0; i < sizeof a->of.ip; i++) {
		unsigned keep = bits >= 8 ? 8 : bits;

		a->of.ip[i] = (unsigned char)
		    (a->of.ip[i] & (0xff00U >> keep));
		bits -= keep;
	}
}

bool
network_parse(struct str s, struct network *out)
{
	bool has_bits = str_find(s, '/') < s.n;
	struct str ip = str_cut(&s, '/');
	uint64_t bits, most;
	struct address whole;

	if (!address_parse(ip, 0, &out->base))
		return false;
	most = address_bytes(&out->base) * 8;
	bits = most;
	if (has_bits && !parse_u64(s, most, &bits))
		return false;
	out->bits = (unsigned)bits;
	whole = out->base;
	address_cut(&out->base, out->bits);
	return address_eq_ip(&whole, &out->base);
}

bool
network_has(const struct network *n, const struct address *a)
{
	struct address cut = *a;

	address_cut(&cut, n->bits);
	return address_eq_ip(&n->base, &cut);
}

struct address
address_network(const struct address *a)
{
	struct address n = *a;

	n.port = 0;
	if (a->family == ADDRESS_V4)
		address_cut(&n, 24);
	else if (a->family == ADDRESS_V6)
		address_cut(&n, 64);
	return n;
}
