#include "loopback.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static bool
endpoint_of(struct endpoint *e, const char *host, uint64_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&e->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&e->address;

	*e = (struct endpoint){ .n = sizeof(*v4) };
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	}
	*e = (struct endpoint){ .n = sizeof(*v6) };
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

int
endpoint_parse(struct endpoint *e, const char *text)
{
	struct str all = str_of(text), host, port;
	size_t colon = str_find_last(all, ':');
	char name[64];
	uint64_t n;

	host = str_sub(all, 0, colon);
	port = str_sub(all, colon + 1, all.n);
	if (str_skip(&host, STR("[")) && host.n > 0 && host.p[host.n - 1] == ']')
		host.n--;
	if (parse_u64(port, 65535, &n) && str_cstr(host, name, sizeof(name)) &&
	    endpoint_of(e, name, n))
		return 0;
	fprintf(stderr, "%s: not address:port of the loopback\n", text);
	return -1;
}

static int
endpoint_socket(const struct endpoint *e)
{
	int one = 1;
	int fd = socket(e->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		perror("socket");
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

int
endpoint_listen(const struct endpoint *e, int backlog)
{
	int fd = endpoint_socket(e);

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&e->address, e->n) == 0 &&
	    listen(fd, backlog) == 0)
		return fd;
	perror("listen");
	close(fd);
	return -1;
}

int
endpoint_connect(const struct endpoint *e, uint64_t source)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = endpoint_socket(e);

	/* 127.16.0.1, 127.16.1.1, ...: a network of /24 each */
	from.sin_addr.s_addr = htonl(0x7f100001 + (uint32_t)(source << 8));
	if (fd >= 0 && source > 0)
		(void)bind(fd, (const struct sockaddr *)&from, sizeof(from));
	if (fd >= 0)
		(void)connect(fd, (const struct sockaddr *)&e->address, e->n);
	return fd;
}

unsigned
endpoint_port(int fd)
{
	struct endpoint e = { .n = sizeof(e.address) };

	if (getsockname(fd, (struct sockaddr *)&e.address, &e.n) != 0)
		return 0;
	return ntohs(e.address.ss_family == AF_INET ?
	    ((struct sockaddr_in *)&e.address)->sin_port :
	    ((struct sockaddr_in6 *)&e.address)->sin6_port);
}

int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

uint64_t
fnv1a(uint64_t hash, const char *p, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)p[i]) * 0x100000001b3ull;
	return hash;
}

uint64_t
option_number(const char *name, const char *text, uint64_t most)
{
	uint64_t n;

	if (parse_u64(str_of(text), most, &n))
		return n;
	fprintf(stderr, "%s %s: not a number up to %llu\n", name, text,
	    (unsigned long long)most);
	exit(64);
}

void
files_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}
