#include "cli/own_address.h"

#include "fiber/net.h"
#include "policy/records.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT_SMTP = 25, FAMILIES = 2 };

union own_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Somewhere on the Internet: nothing goes there. */
static socklen_t
far_away(int family, union own_sockaddr *to)
{
	*to = (union own_sockaddr){ .any.sa_family = (sa_family_t)family };
	if (family == AF_INET) {
		to->v4.sin_port = htons(PORT_SMTP);
		to->v4.sin_addr.s_addr = htonl(0xc6290004);	/* a root server */
		return sizeof to->v4;
	}
	to->v6.sin6_port = htons(PORT_SMTP);
	to->v6.sin6_addr.s6_addr[0] = 0x20;	/* 2001:500:2::c, another */
	to->v6.sin6_addr.s6_addr[1] = 0x01;
	to->v6.sin6_addr.s6_addr[2] = 0x05;
	to->v6.sin6_addr.s6_addr[5] = 0x02;
	to->v6.sin6_addr.s6_addr[15] = 0x0c;
	return sizeof to->v6;
}

static bool
source_find(int family, struct address *out)
{
	union own_sockaddr sa;
	socklen_t n = far_away(family, &sa);
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found = fd >= 0 && connect(fd, &sa.any, n) == 0 &&
	    getsockname(fd, &sa.any, &n) == 0;

	if (fd >= 0)
		(void)close(fd);
	*out = (struct address){ .family = family == AF_INET ? ADDRESS_V4 :
	    ADDRESS_V6 };
	if (found && family == AF_INET)
		memcpy(out->of.ip, &sa.v4.sin_addr, 4);
	else if (found)
		memcpy(out->of.ip, &sa.v6.sin6_addr, 16);
	return found && address_is_public(out);
}

bool
own_addresses(const struct config *c, struct arena *a,
    struct conf_addresses *out)
{
	if (!records_addresses(c, a, out))
		return false;
	if (out->n > 0)
		return true;
	out->v = arena_alloc(a, FAMILIES * sizeof *out->v);
	if (out->v == NULL)
		return false;
	out->n += source_find(AF_INET, &out->v[out->n]);
	out->n += source_find(AF_INET6, &out->v[out->n]);
	return true;
}
