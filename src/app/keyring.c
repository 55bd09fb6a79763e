/*
 * The life of a keyring:
 *
 *	READING   keyring_start    with master's rights: files, pairs
 *	TELLING   keyring_tell     the certificates to public_fd, "0" to master
 *	SIGNING   keyring_serve    without rights; a request, a reply
 *	DEAD      _exit            when the last end of its sockets is closed
 *
 * An older keyring lives as long as a core has its end: handshakes that began
 * with it end with it.
 */
#include "app/keyring.h"

#include "app/keyring_wire.h"
#include "app/porter.h"
#include "app/sandbox.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "cli/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { TELL_MOST = 1024 };

struct held {
	uint64_t id;
	struct pair pair;
};

struct keyring {
	struct held *held;
	size_t n;
};

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

uint64_t
keyring_look(const struct config *c)
{
	uint64_t seen = hash_bytes((struct hash_key){ 1, c->tls.least },
	    c->hostname);

	for (size_t i = 0; i < c->tls.cert.n; i++)
		seen = file_look(seen, c->tls.cert.v[i]);
	for (size_t i = 0; i < c->tls.key.n; i++)
		seen = file_look(seen, c->tls.key.v[i]);
	return seen;
}

/* ---- reading ---- */

static int
self_make(struct keyring *k, const struct config *c)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return certificate_make(c->hostname, (struct wall){ (int64_t)now.tv_sec *
	    1000000 }, &k->held[0].pair.cert, &k->held[0].pair.key);
}

static int
keys_read(struct keyring *k, const struct config *c)
{
	k->n = c->tls.cert.n > 0 ? c->tls.cert.n : 1;
	must(c->tls.key.n == c->tls.cert.n);
	k->held = calloc(k->n, sizeof *k->held);
	if (k->held == NULL)
		return err_set("no memory for keys");
	if (c->tls.cert.n == 0 && self_make(k, c) != 0)
		return -1;
	for (size_t i = 0; i < c->tls.cert.n; i++)
		if (pair_read(c->tls.cert.v[i], c->tls.key.v[i],
		    &k->held[i].pair) != 0)
			return err_add("tls");
	for (size_t i = 0; i < k->n; i++)
		k->held[i].id = certificate_key_id(&k->held[i].pair.cert);
	return 0;
}

static int
public_write(const struct keyring *k, int fd)
{
	struct buf b = { .p = malloc(CERTIFICATE_PEM_MOST),
		.cap = CERTIFICATE_PEM_MOST };
	int rc = b.p == NULL ? err_set("no memory for certificates") : 0;

	for (size_t i = 0; rc == 0 && i < k->n; i++) {
		uint32_t n;

		b.n = 0;
		rc = certificate_print(&k->held[i].pair.cert, &b);
		n = (uint32_t)b.n;
		if (rc == 0 && (write(fd, &n, sizeof n) != sizeof n ||
		    write(fd, b.p, n) != (ssize_t)n))
			rc = err_set("telling the certificates: %m");
	}
	free(b.p);
	return rc;
}

/* ---- signing ---- */

static bool
request_is_sound(const struct keyring_request *q)
{
	return q->magic == KEYRING_MAGIC && q->version == KEYRING_VERSION &&
	    q->scheme <= TLS_SIGN_EDDSA && q->length <= KEYRING_INPUT &&
	    memchr(q->digest, '\0', sizeof q->digest) != NULL;
}

/* RFC 8446 4.4.3: a key of TLS signs handshakes of 1.3, which begin so, ... */
static bool
is_handshake_1_3(struct str input)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";
	enum { SPACES = 64 };

	for (size_t i = 0; i < SPACES && i < input.n; i++)
		if (input.p[i] != ' ')
			return false;
	return input.n > SPACES + sizeof context && memcmp(input.p + SPACES,
	    context, sizeof context) == 0;
}

/* ... and those of 1.2 (RFC 8422 5.4, RFC 5246 7.4.3): two randoms and the
 * parameters of (EC)DHE, never a certificate or a letter. */
static bool
is_handshake_1_2(struct str input)
{
	enum { RANDOMS = 64, NAMED_CURVE = 3 };

	return input.n > RANDOMS + 4 &&
	    (input.p[RANDOMS] == NAMED_CURVE || input.p[RANDOMS] == 0 ||
	    input.p[RANDOMS] == 1);
}

static const struct held *
key_find(const struct keyring *k, uint64_t id)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->held[i].id == id)
			return &k->held[i];
	return NULL;
}

static void
request_answer(const struct keyring *k, const struct keyring_request *q,
    struct keyring_reply *r)
{
	const struct held *h = key_find(k, q->key);
	struct tls_signing what = { .scheme = (enum tls_scheme)q->scheme,
		.input = { q->input, q->length } };
	struct buf out = { .p = r->signature, .cap = sizeof r->signature };

	*r = (struct keyring_reply){ .magic = KEYRING_MAGIC,
		.version = KEYRING_VERSION, .status = 1, .number = q->number };
	memcpy(what.digest, q->digest, sizeof what.digest);
	if (h != NULL && (is_handshake_1_3(what.input) ||
	    is_handshake_1_2(what.input)) &&
	    tls_sign_here(h->pair.key, &what, &out) == 0) {
		r->status = 0;
		r->length = (uint32_t)out.n;
	}
	err_clear();
}

/* One request of one core; false: it is gone, or talks nonsense. */
static bool
request_take(const struct keyring *k, int fd)
{
	static struct keyring_request q;	/* one at a time; large */
	struct keyring_reply r;
	ssize_t n = recv(fd, &q, sizeof q, MSG_WAITALL);

	if (n != sizeof q || !request_is_sound(&q))
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	request_answer(k, &q, &r);
	return send(fd, &r, sizeof r, MSG_NOSIGNAL) == sizeof r;
}

static _Noreturn void
keyring_serve(const struct keyring *k, const int *fds, unsigned n)
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
			    !request_take(k, p[i].fd)) {
				close(p[i].fd);
				p[i].fd = -1;
				left--;
			}
	}
	_exit(0);
}

/* ---- the process ---- */

/* In no core dump, in no swap, and out of sight of others of the same uid. */
static void
memory_hide(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)mlockall(MCL_CURRENT);
}

static int
number_compare(const void *a, const void *b)
{
	const int *one = a, *other = b;

	return *one - *other;
}

/* The ends of the cores and of the pipe are ours, and nothing else. */
static void
descriptors_shed(const int *fds, unsigned n, int tell)
{
	int kept[CORES_MOST + 1], after = STDERR_FILENO;

	memcpy(kept, fds, n * sizeof *fds);
	kept[n] = tell;
	qsort(kept, n + 1, sizeof *kept, number_compare);
	for (unsigned i = 0; i <= n; i++) {
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
	bool is_caged;
};

static _Noreturn void
keyring_give_up(int tell, int status)
{
	(void)!write(tell, err_text(), strlen(err_text()));
	_exit(status);
}

static _Noreturn void
keyring_main(const struct keyring_birth *b)
{
	struct keyring k = { NULL, 0 };
	int tell = b->tell[1];
	sigset_t none;

	(void)prctl(PR_SET_NAME, "nm-keyring");
	signal_ignore_all();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (keys_read(&k, b->config) != 0 || public_write(&k, b->public_fd) != 0
	    || b->shed(b->config) != 0)
		keyring_give_up(tell, EX_CONFIG);
	descriptors_shed(b->theirs, b->n, tell);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memory_hide();
	if (b->is_caged && sandbox_signer_enter() != 0)
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
    keyring_shed *shed, bool is_caged)
{
	static struct keyring_birth b;	/* one at a time; large */
	pid_t pid;

	must(cores <= CORES_MOST);
	b = (struct keyring_birth){ .config = c, .public_fd = -1, .n = cores,
		.shed = shed, .is_caged = is_caged, .tell = { -1, -1 } };
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
