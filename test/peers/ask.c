/*
 * ask.c -- what our own resolver finds, for tests with a root of their own.
 *
 *	ask HINTS ANCHOR NAME...
 *
 * For each name a line: "NAME found|none|nobody|trouble secure|insecure WHY" of its
 * MX.  What the resolver tells of itself comes to stderr.
 */
#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/dns.h"

#include <stdio.h>

static char **names;

static void
tell(const char *text)
{
	fprintf(stderr, "ask: %s\n", text);
}

static yields void
ask_one(const char *name)
{
	static const char *const said[] = { [DNS_FOUND] = "found",
		[DNS_NO_DATA] = "none", [DNS_NO_NAME] = "nobody",
		[DNS_TROUBLE] = "trouble" };
	struct dns_answer answer;
	struct arena a;

	arena_init(&a, 1 << 20);
	dns_ask(str_of(name), DNS_MX, &a,
	    mono_add(clock_mono(), 20 * NS_PER_SECOND), &answer);
	printf("%s %s %s %s\n", name, said[answer.status],
	    answer.secure ? "secure" : "insecure",
	    answer.status == DNS_TROUBLE ? err_text() : "");
	fflush(stdout);
	err_clear();
	arena_clear(&a);
}

static yields void
ask_all(void *arg)
{
	(void)arg;
	for (; *names != NULL; names++)
		ask_one(*names);
}

int
main(int argc, char **argv)
{
	struct dns_config c = { .n_forwarders = 0 };

	if (argc < 4)
		return 64;
	c.hints_file = argv[1];
	c.anchor_file = argv[2];
	names = argv + 3;
	dns_tell = tell;
	return dns_configure(&c) == 0 && core_run_all(1, ask_all, NULL) == 0 ?
	    0 : 1;
}
