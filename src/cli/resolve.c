#include "cli/resolve.h"

#include "base/err.h"
#include "cli/files.h"
#include "fiber/dns.h"
#include "policy/problem.h"
#include "policy/resolver.h"

#include <sysexits.h>

static struct config *
config_of(struct cli *c, int *rc)
{
	struct problems *p = arena_new(&c->arena, struct problems);
	struct str path = cli_config_path(c);
	struct config *got;

	*rc = 0;
	if (p == NULL || path.n == 0)
		return NULL;
	problems_init(p);
	got = config_load(&files_source, path, p);
	problems_clear(p);
	if (got == NULL && !str_eq(c->config, str_of(cli_default_config)))
		*rc = cli_fail(EX_CONFIG, STR_FMT ": it is refused; nightmail "
		    "check-config says why", STR_ARG(path));
	return got;
}

int
resolve_prepare(struct cli *c, struct config **out)
{
	const struct dns_config own_recursion = { .zone = STR_NONE };
	int rc;

	*out = config_of(c, &rc);
	if (rc != 0)
		return rc;
	if ((*out == NULL ? dns_configure(&own_recursion) :
	    resolver_use(*out)) != 0)
		return cli_fail(EX_CONFIG, "%s", err_text());
	return 0;
}
