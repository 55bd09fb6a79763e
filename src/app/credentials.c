#include "app/credentials.h"

#include "app/acme_door.h"
#include "app/identity.h"
#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "intake/intake.h"
#include "policy/holder.h"

#include <unistd.h>

void
credentials_init(struct credentials *k, unsigned cores, int public_fd,
    const int *fds, enum tls_version least, keyring_lost *lost, void *arg)
{
	*k = (struct credentials){ .turner = NULL };
	memset(k->fds, -1, sizeof k->fds);
	identity_init(&k->identity, cores, public_fd, fds, least, lost, arg);
	dkim_init(&k->dkim, &k->identity);
}

/* ---- another keyring ---- */

void
credentials_line(struct credentials *k, unsigned core, int fd)
{
	if (fd < 0)
		return;
	if (core >= k->identity.cores) {
		close(fd);
		return;
	}
	if (k->fds[core] >= 0)
		close(k->fds[core]);
	k->fds[core] = fd;
}

yields void
credentials_renew(struct credentials *k, int public_fd)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);
	struct config_holder *holder = &k->node->cores[0].holder;
	struct config *c;
	int rc;

	if (public_fd < 0)
		return;
	c = config_pin(holder);
	rc = identity_renew(&k->identity, k->node, public_fd, k->fds,
	    c->tls.least);
	config_unpin(holder, c);
	memset(k->fds, -1, sizeof k->fds);
	credentials_wake(k);
	if (rc == 0)
		return;
	event_str(&e, FIELD_text, str_of(err_text()));
	intake_tell(&k->node->cores[0].intake, &e);
	err_clear();
}

/* ---- its life ---- */

/* Newer keys for tickets, until the end. */
static yields void
tickets_turn(void *arg)
{
	struct credentials *k = arg;

	k->turner = fiber_self();
	while (!k->is_ending)
		if (fiber_park(mono_add(clock_mono(), IDENTITY_TICKET_HOURS *
		    3600 * NS_PER_SECOND)) != 0)
			identity_turn(&k->identity, k->node);
	k->turner = NULL;
}

int
credentials_open(struct credentials *k, struct node *n, void (*kept)(void *),
    void *arg)
{
	k->node = n;
	if (fiber_go("tickets", tickets_turn, k) != 0)
		return -1;
	return acme_open(&k->acme, n, &k->identity, kept, arg) != 0 ||
	    dkim_open(&k->dkim, n) != 0 ? -1 : 0;
}

void
credentials_wake(struct credentials *k)
{
	acme_wake(&k->acme);
	dkim_wake(&k->dkim);
}

yields void
credentials_close(struct credentials *k)
{
	acme_close(&k->acme);
	dkim_close(&k->dkim);
	k->is_ending = true;
	while (k->turner != NULL) {
		fiber_wake(k->turner);
		fiber_yield();
	}
}

yields void
credentials_visit(struct credentials *k, struct node_core *core,
    struct net_end *end, bool is_tls)
{
	acme_door_visit(&k->acme.board, k->identity.links[core->index], end,
	    is_tls);
}
