#include "app/identity.h"

#include "app/keyring.h"
#include "base/err.h"
#include "base/must.h"
#include "fiber/core.h"
#include "fiber/net.h"
#include "fiber/random.h"
#include "fiber/tls_key.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a core is making; its parts are given up together. */
struct making {
	char *bytes;			/* of public_fd */
	struct str rest;
	struct made {
		enum keyring_source source;
		struct str file;
		struct certificate cert;
	} made[IDENTITY_MOST];
	struct tls_identity shown[IDENTITY_MOST];
	size_t n;
	struct keyring_link *link;
};

/* ---- the certificates ---- */

static int
public_read(struct making *m, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 ||
	    st.st_size > KEYRING_PUBLIC_MOST)
		return err_set("the keyring told no certificates");
	m->bytes = malloc((size_t)st.st_size);
	if (m->bytes == NULL)
		return err_set("no memory for certificates");
	if (pread(fd, m->bytes, (size_t)st.st_size, 0) != st.st_size)
		return err_set("the certificates cannot be read: %m");
	m->rest = (struct str){ m->bytes, (size_t)st.st_size };
	return 0;
}

/* Source, file, PEM; again and again. */
static int
public_next(struct making *m, struct str *pem, struct made *made)
{
	struct str file;
	unsigned source;

	if (!keyring_choice(&m->rest, KEYRING_SELF + 1, &source) ||
	    !keyring_field(&m->rest, &file) || !keyring_field(&m->rest, pem))
		return err_set("the keyring's certificates end early");
	made->source = (enum keyring_source)source;
	made->file = file;
	return 0;
}

static int
shown_make(struct making *m)
{
	struct made *made = &m->made[m->n];
	struct tls_identity *id = &m->shown[m->n];
	struct str pem;

	if (m->n == IDENTITY_MOST)
		return err_set("more than %d certificates", IDENTITY_MOST);
	if (public_next(m, &pem, made) != 0 ||
	    certificate_read(pem, &made->cert) != 0)
		return -1;
	m->n++;
	id->leaf = made->cert.leaf;
	id->chain = made->cert.chain;
	id->key = tls_key_new(X509_get0_pubkey(made->cert.leaf),
	    keyring_link_signer(m->link), certificate_key_id(&made->cert));
	return id->key == NULL ? -1 : 0;
}

/* On core 0: what is shown from now on, to be looked at. */
static void
shown_keep(struct identity *id, struct making *m)
{
	for (size_t i = 0; i < id->n_shown; i++)
		certificate_free(&id->shown[i].cert);
	for (size_t i = 0; i < m->n; i++) {
		struct identity_shown *s = &id->shown[i];

		*s = (struct identity_shown){ .source = m->made[i].source,
			.cert = m->made[i].cert };
		(void)str_cstr(str_sub(m->made[i].file, 0, sizeof s->file - 1),
		    s->file, sizeof s->file);
		m->made[i].cert = (struct certificate){ .leaf = NULL };
	}
	id->n_shown = m->n;
	id->renewals++;
}

static void
making_end(struct making *m)
{
	for (size_t i = 0; i < m->n; i++) {
		EVP_PKEY_free(m->shown[i].key);
		certificate_free(&m->made[i].cert);
	}
	if (m->link != NULL)
		keyring_link_drop(m->link);
	free(m->bytes);
	free(m);
}

/* ---- a core's context ---- */

static void
link_drop(void *link)
{
	keyring_link_drop(link);
}

static struct tls_context *
context_make(struct identity *id, struct making *m)
{
	struct tls_server_setup setup = { .identities = m->shown,
		.least = id->least == TLS_1_3 ? TLS_LEAST_1_3 : TLS_LEAST_1_2,
		.alpn = "smtp,esmtp",
		.dropped = link_drop, .arg = m->link };
	struct tls_context *c;

	while (m->rest.n > 0)
		if (shown_make(m) != 0)
			return NULL;
	setup.n = m->n;
	c = tls_server_new(&setup);
	if (c == NULL)
		return NULL;
	keyring_link_keep(m->link);	/* the context's own */
	tls_tickets(c, (const unsigned char (*)[TLS_TICKET_KEY])id->tickets,
	    id->n_tickets);
	return c;
}

static struct keyring_link *
link_open(struct identity *id, unsigned core)
{
	struct net_end *end = net_adopt(id->fds[core]);

	id->fds[core] = -1;
	return end == NULL ? NULL : keyring_link_open(end, id->lost, id->arg);
}

int
identity_take(struct identity *id, struct node_core *core)
{
	struct making *m = calloc(1, sizeof *m);
	struct tls_context *c = NULL;

	if (m == NULL)
		return err_set("no memory for certificates");
	m->link = link_open(id, core->index);
	if (m->link != NULL && public_read(m, id->public_fd) == 0)
		c = context_make(id, m);
	if (c != NULL) {
		tls_drop(core->server.tls);
		core->server.tls = c;
		identity_leave(id, core->index);
		id->links[core->index] = keyring_link_keep(m->link);
		if (core->index == 0)
			shown_keep(id, m);
	}
	making_end(m);
	return c != NULL ? 0 : err_add("TLS");
}

void
identity_leave(struct identity *id, unsigned core)
{
	if (id->links[core] != NULL)
		keyring_link_drop(id->links[core]);
	id->links[core] = NULL;
}

/* ---- all cores ---- */

static void
ticket_make(struct identity *id)
{
	must(id->n_tickets < TLS_TICKET_KEYS);
	memmove(id->tickets[1], id->tickets[0],
	    id->n_tickets * TLS_TICKET_KEY);
	random_bytes(id->tickets[0], TLS_TICKET_KEY);
	id->n_tickets++;
}

static void
ends_note(struct identity *id, int public_fd, const int *fds,
    enum tls_version least)
{
	id->public_fd = public_fd;
	id->least = least;
	memcpy(id->fds, fds, id->cores * sizeof *fds);
}

void
identity_init(struct identity *id, unsigned cores, int public_fd,
    const int *fds, enum tls_version least, keyring_lost *lost, void *arg)
{
	*id = (struct identity){ .cores = cores, .lost = lost, .arg = arg };
	ends_note(id, public_fd, fds, least);
	ticket_make(id);
}

struct renewal {
	struct identity *identity;
	struct node *node;
};

static void
renew_here(void *arg)
{
	struct renewal *r = arg;

	if (identity_take(r->identity, &r->node->cores[core_index()]) != 0)
		r->identity->rc = -1;
}

yields int
identity_renew(struct identity *id, struct node *n, int public_fd,
    const int *fds, enum tls_version least)
{
	struct renewal r = { id, n };

	must(core_index() == 0);
	ends_note(id, public_fd, fds, least);
	id->rc = 0;
	for (unsigned i = 0; i < id->cores; i++)
		if (core_call(i, renew_here, &r) != 0)
			id->rc = -1;
	for (unsigned i = 0; i < id->cores; i++)
		if (id->fds[i] >= 0)
			close(id->fds[i]);
	close(public_fd);
	return id->rc == 0 ? 0 : err_set("a core kept its certificates");
}

/* ---- tickets ---- */

static void
tickets_here(void *arg)
{
	struct renewal *r = arg;
	struct node_core *c = &r->node->cores[core_index()];

	if (c->server.tls != NULL)
		tls_tickets(c->server.tls,
		    (const unsigned char (*)[TLS_TICKET_KEY])
		    r->identity->tickets, r->identity->n_tickets);
}

yields void
identity_turn(struct identity *id, struct node *n)
{
	struct renewal r = { id, n };

	if (id->n_tickets == TLS_TICKET_KEYS)
		id->n_tickets--;	/* the oldest */
	ticket_make(id);
	for (unsigned i = 0; i < id->cores; i++)
		(void)core_call(i, tickets_here, &r);
}
