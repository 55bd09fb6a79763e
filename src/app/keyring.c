/*
 * The life of a keyring:
 *
 *	READING   keyring_read     with master's rights: files, the store
 *	TELLING   keyring_tell_shown  the certificates to public_fd, "" to master
 *	SERVING   keyring_serve    without rights; a request, a reply
 *	DEAD      _exit            when the last end of its sockets is closed
 *
 * An older keyring lives as long as a core has its end: handshakes that began
 * with it end with it.
 */
#include "app/keyring.h"

#include "app/keyring_answer.h"
#include "app/keyring_hear.h"
#include "app/memory.h"
#include "app/rights.h"
#include "app/sandbox.h"
#include "app/signals.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "fiber/core.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { TELL_MOST = 1024, STORES = 2 };

/* ---- what the files look like ---- */

static uint64_t
file_look(uint64_t seen, struct str path)
{
	const struct hash_key key = { 1, 2 };
	struct { uint64_t seen, size, ino; struct timespec changed; } look =
	    { .seen = seen };
	struct stat st;
	char name[1100];		/* of a path in the configuration */

	if (str_cstr(path, name, sizeof name) && stat(name, &st) == 0) {
		look.size = (uint64_t)st.st_size;
		look.ino = st.st_ino;
		look.changed = st.st_mtim;
	}
	return hash_bytes(key, (struct str){ (const char *)&look,
	    sizeof look }) ^ hash_bytes(key, path);
}

/* What ACME brought. */
static uint64_t
store_look(uint64_t seen, const struct config *c)
{
	char path[1100];

	for (unsigned i = 0; i < KEYRING_KINDS; i++) {
		(void)snprintf(path, sizeof path, STR_FMT "/%s.pem",
		    STR_ARG(c->tls.state), keyring_kind_names[i]);
		seen = file_look(seen, str_of(path));
	}
	return seen;
}

uint64_t
keyring_look(const struct config *c)
{
	uint64_t seen = hash_bytes((struct hash_key){ 1, c->tls.least },
	    c->hostname) ^ hash_bytes((struct hash_key){ 2,
	    c->outbound.dkim == DKIM_AUTO }, c->dkim.state);

	for (size_t i = 0; i < c->tls.cert.n; i++)
		seen = file_look(seen, c->tls.cert.v[i]);
	for (size_t i = 0; i < c->tls.key.n; i++)
		seen = file_look(seen, c->tls.key.v[i]);
	/* whom we believe is not the keyring's, but is looked at with it */
	for (const struct watched *w = c->watched; w != NULL; w = w->next)
		seen = file_look(seen, w->path);
	return c->tls.acme.agree == ACME_NO ? seen : store_look(seen, c);
}

/* ---- serving ---- */

static _Noreturn void
keyring_serve(struct keyring *k, const int *fds, unsigned n)
{
	struct pollfd p[CORES_MOST];
	unsigned left = n;

	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd){ fds[i], POLLIN, 0 };
	while (left > 0) {
		if (poll(p, n, -1) < 0)
			continue;
		for (unsigned i = 0; i < n; i++)
			if (p[i].fd >= 0 && p[i].revents != 0 &&
			    !keyring_hear(k, p[i].fd)) {
				close(p[i].fd);
				p[i].fd = -1;
				left--;
			}
	}
	_exit(0);
}

/* ---- the process ---- */

static int
number_compare(const void *a, const void *b)
{
	const int *one = a, *other = b;

	return *one - *other;
}

/* The ends of the cores and of the pipe and the stores are ours, and nothing
 * else. */
static void
descriptors_shed(const int *fds, unsigned n, int tell, const int *stores,
    size_t n_stores)
{
	int kept[CORES_MOST + 1 + STORES], after = STDERR_FILENO;

	memcpy(kept, fds, n * sizeof *fds);
	kept[n++] = tell;
	for (size_t i = 0; i < n_stores; i++)
		kept[n++] = stores[i];
	qsort(kept, n, sizeof *kept, number_compare);
	for (unsigned i = 0; i < n; i++) {
		if (kept[i] > after + 1)
			(void)close_range((unsigned)after + 1,
			    (unsigned)kept[i] - 1, 0);
		after = kept[i];
	}
	(void)close_range((unsigned)after + 1, ~0u, 0);
}

struct keyring_birth {
	const struct config *config;
	int ours[CORES_MOST], theirs[CORES_MOST], public_fd, tell[2];
	unsigned n;
	keyring_shed *shed;
	void *arg;
	bool is_caged;
};

static _Noreturn void
keyring_give_up(int tell, int status)
{
	(void)!write(tell, err_text(), strlen(err_text()));
	_exit(status);
}

/* The directories are made with master's rights, and are the user's then. */
static int
stores_begin(struct keyring *k, const struct config *c)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	k->store.fd = -1;
	keyring_dkim_init(&k->dkim);
	if (rights_find(c, &uid, &gid) != 0)
		return -1;
	if (c->outbound.dkim == DKIM_AUTO)
		keyring_dkim_open(&k->dkim, c->dkim.state, uid, gid);
	return c->tls.acme.agree == ACME_NO ? 0 :
	    store_open(&k->store, "tls.state", c->tls.state, uid, gid);
}

/* Those that are open. */
static size_t
stores_list(const struct keyring *k, int out[STORES])
{
	size_t n = 0;

	if (k->store.fd >= 0)
		out[n++] = k->store.fd;
	if (k->dkim.store.fd >= 0)
		out[n++] = k->dkim.store.fd;
	return n;
}

static _Noreturn void
keyring_main(const struct keyring_birth *b)
{
	struct keyring k = { .n = 0 };
	int tell = b->tell[1], stores[STORES];
	size_t n;

	(void)prctl(PR_SET_NAME, "nm-keyring");
	signal_ignore_all();
	signals_free();
	memory_lock();
	if (stores_begin(&k, b->config) != 0 || keyring_read(&k, b->config) != 0
	    || keyring_tell_shown(&k, b->public_fd) != 0 ||
	    b->shed(b->arg, b->config) != 0)
		keyring_give_up(tell, EX_CONFIG);
	n = stores_list(&k, stores);
	descriptors_shed(b->theirs, b->n, tell, stores, n);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memory_hide();
	if (b->is_caged && sandbox_signer_enter(stores, n) != 0)
		keyring_give_up(tell, EX_OSERR);
	(void)!write(tell, "", 1);
	close(tell);
	keyring_serve(&k, b->theirs, b->n);
}

/* ---- master's side ---- */

static int
birth_prepare(struct keyring_birth *b)
{
	b->public_fd = memfd_create("nightmail-certificates", MFD_CLOEXEC);
	if (b->public_fd < 0)
		return err_set("memfd: %m");
	if (pipe2(b->tell, O_CLOEXEC) != 0)
		return err_set("pipe: %m");
	for (unsigned i = 0; i < b->n; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			return err_set("socketpair: %m");
		b->ours[i] = pair[0];
		b->theirs[i] = pair[1];
	}
	return 0;
}

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* "": it is ready; words: it is not. */
static int
birth_hear(struct keyring_birth *b)
{
	struct pollfd p = { b->tell[0], POLLIN, 0 };
	char text[TELL_MOST];
	ssize_t n;

	if (poll(&p, 1, KEYRING_SECONDS * 1000) <= 0)
		return err_set("the keyring does not get ready");
	n = read(b->tell[0], text, sizeof text - 1);
	if (n == 1 && text[0] == '\0')
		return 0;
	if (n <= 0)
		return err_set("the keyring died while reading keys");
	text[n] = '\0';
	return err_set("%s", text);
}

static void
birth_end(struct keyring_birth *b)
{
	fd_close(&b->tell[0]);
	fd_close(&b->tell[1]);
	fd_close(&b->public_fd);
	for (unsigned i = 0; i < b->n; i++) {
		fd_close(&b->ours[i]);
		fd_close(&b->theirs[i]);
	}
}

static int
birth_give(struct keyring_birth *b)
{
	pid_t pid = fork();

	if (pid == 0)
		keyring_main(b);
	if (pid < 0)
		return err_set("fork: %m");
	fd_close(&b->tell[1]);
	for (unsigned i = 0; i < b->n; i++)
		fd_close(&b->theirs[i]);
	return birth_hear(b) == 0 ? pid : -1;
}

int
keyring_start(struct keyring_process *p, const struct config *c, unsigned cores,
    keyring_shed *shed, void *arg, bool is_caged)
{
	static struct keyring_birth b;	/* one at a time; large */
	pid_t pid;

	must(cores <= CORES_MOST);
	b = (struct keyring_birth){ .config = c, .public_fd = -1, .n = cores,
		.shed = shed, .arg = arg, .is_caged = is_caged, .tell = { -1, -1 } };
	for (unsigned i = 0; i < cores; i++)
		b.ours[i] = b.theirs[i] = -1;
	pid = birth_prepare(&b) == 0 ? birth_give(&b) : -1;
	if (pid < 0) {
		birth_end(&b);
		return -1;
	}
	*p = (struct keyring_process){ .pid = pid, .n = cores,
		.public_fd = b.public_fd };
	memcpy(p->fds, b.ours, cores * sizeof *p->fds);
	fd_close(&b.tell[0]);
	return 0;
}

void
keyring_let_go(struct keyring_process *p)
{
	fd_close(&p->public_fd);
	for (unsigned i = 0; i < p->n; i++)
		fd_close(&p->fds[i]);
	*p = KEYRING_NONE;
}
