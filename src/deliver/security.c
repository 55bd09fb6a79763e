#include "deliver/security.h"

#include "base/must.h"

static bool
is_literal(struct str host)
{
	return host.n > 0 && host.p[0] == '[';
}

/* The name that the host is asked for, and by which it is judged. */
static void
host_name_set(const struct security_ask *a, struct tls_demand *d)
{
	struct str name = a->host->name;

	must(name.n > 0);
	if (is_literal(name))
		name = str_sub(name, 1, name.n - 1);
	else
		d->sni = name;
	d->names[0] = name;
	d->n_names = 1;
}

int
security_demand(const struct security_ask *a, struct arena *arena,
    struct tls_demand *out, struct verdict *why)
{
	(void)arena, (void)why;
	*out = (struct tls_demand){ .level = TLS_LEVEL_NONE };
	host_name_set(a, out);
	return 0;
}
