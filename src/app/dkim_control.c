#include "app/dkim_control.h"

#include "base/err.h"
#include "fiber/fiber.h"
#include "trust/dkim_published.h"

static yields void
control_show(void *arg, struct str domain, struct json *j)
{
	struct dkim *d = arg;

	dkim_look(d);
	json_put_array(j, "keys");
	for (size_t i = 0; i < d->n; i++)
		if (domain.n == 0 || str_eq(domain, d->known[i].is.domain))
			dkim_published_put(j, &d->known[i].is);
	json_end_array(j);
	if (d->trouble[0] != '\0')
		json_put_str(j, "trouble", str_of(d->trouble));
}

static void
control_sum(void *arg, struct control_dkim_sum *sum)
{
	const struct dkim *d = arg;

	*sum = (struct control_dkim_sum){ .trouble = d->trouble };
	for (size_t i = 0; i < d->n; i++) {
		sum->active += d->known[i].is.state == DKIM_ACTIVE;
		sum->next += d->known[i].is.state == DKIM_NEXT;
	}
}

static yields int
control_act(void *arg, enum control_dkim_verb verb, struct str domain,
    struct str selector)
{
	struct dkim *d = arg;

	switch (verb) {
	case CONTROL_DKIM_MAKE:
		return dkim_ensure(d, domain);
	case CONTROL_DKIM_ROTATE:
		return dkim_rotate(d, domain);
	case CONTROL_DKIM_CHECK:
		return dkim_check(d, domain);
	case CONTROL_DKIM_REMOVE:
	case CONTROL_DKIM_REMOVE_SURELY:
		return dkim_remove(d, domain, selector,
		    verb == CONTROL_DKIM_REMOVE_SURELY);
	}
	return err_set("no such verb");
}

struct control_dkim
dkim_control(struct dkim *d)
{
	return (struct control_dkim){ control_show, control_sum, control_act, d };
}
