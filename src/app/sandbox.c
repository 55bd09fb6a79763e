#include "app/sandbox.h"

#include "app/fence.h"
#include "app/sandbox_mask.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum sandbox { READER, SIGNER, KEEPER, WORKER };

static const char *const sandbox_names[] = { [READER] = "READER",
	[SIGNER] = "SIGNER", [KEEPER] = "KEEPER", [WORKER] = "WORKER" };

struct sandbox_call {
	enum sandbox who;
	int number;
	const char *name;
};

static const struct sandbox_call calls[] = {
#define CALL(who, name, why) { who, SCMP_SYS(name), #name },
#define WHEN(who, name, why)
#include "app/sandbox_call.def"
#undef WHEN
#undef CALL
};

struct sandbox_filter {
	scmp_filter_ctx is;
	enum sandbox who;
	int rc;				/* of all rules */
};

/* ---- rules ---- */

/* To the kernel an int is the lower half of a register. */
static const scmp_datum_t whole_int = 0xffffffff;

static void
call_allow(struct sandbox_filter *f, const char *name, int number, unsigned n,
    const struct scmp_arg_cmp *when)
{
	uint32_t action = sandbox_is_masked(sandbox_names[f->who], name) ?
	    SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW;
	int rc = seccomp_rule_add_array(f->is, action, number, n, when);

	if (f->rc == 0)
		f->rc = rc;
}

#define CALL_WHEN(f, name, call, ...) \
	call_allow((f), (name), SCMP_SYS(call), \
	    sizeof((struct scmp_arg_cmp[]){ __VA_ARGS__ }) / \
	    sizeof(struct scmp_arg_cmp), (struct scmp_arg_cmp[]){ __VA_ARGS__ })

static void
calls_allow(struct sandbox_filter *f, enum sandbox who)
{
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (calls[i].who == who)
			call_allow(f, calls[i].name, calls[i].number, 0, NULL);
}

#if defined(__SANITIZE_ADDRESS__)
/* What the runtime of a sanitizer asks of any process that it is in; such builds
 * are for tests. */
static void
sanitizer_allow(struct sandbox_filter *f)
{
	static const int numbers[] = { SCMP_SYS(madvise), SCMP_SYS(mmap),
		SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(munmap),
		SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(sched_yield), SCMP_SYS(sigaltstack) };

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		int rc = seccomp_rule_add(f->is, SCMP_ACT_ALLOW, numbers[i], 0);

		if (f->rc == 0 && rc != -EEXIST)
			f->rc = rc;
	}
}
#else
static void
sanitizer_allow(struct sandbox_filter *f)
{
	(void)f;
}
#endif

/* What is not allowed does not exist, to a worker: libraries that try the newest
 * call first fall back, as they do on an old kernel. */
static struct sandbox_filter
filter_begin(enum sandbox who)
{
	struct sandbox_filter f = { .who = who, .is = seccomp_init(
	    SCMP_ACT_ERRNO(who == WORKER ? ENOSYS : EPERM)) };

	if (f.is == NULL)
		f.rc = -1;
	else {
		calls_allow(&f, who);
		sanitizer_allow(&f);
	}
	return f;
}

static int
filter_end(struct sandbox_filter *f)
{
	if (f->rc == 0)
		f->rc = seccomp_load(f->is);
	if (f->is != NULL)
		seccomp_release(f->is);
	return f->rc == 0 ? 0 : err_set("seccomp: the filter was refused (%d)",
	    f->rc);
}

static int
privileges_forgo(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 :
	    err_set("no_new_privs: %m");
}

/* ---- the worker ---- */

/* Nothing raw: the type has flags above its lowest four bits.  NETLINK is the C
 * library's own question about interfaces: the routes. */
static void
sockets_allow(struct sandbox_filter *f)
{
	static const struct { const char *name; int family, type; } ok[] = {
		{ "socket-inet-stream", AF_INET, SOCK_STREAM },
		{ "socket-inet-dgram", AF_INET, SOCK_DGRAM },
		{ "socket-inet6-stream", AF_INET6, SOCK_STREAM },
		{ "socket-inet6-dgram", AF_INET6, SOCK_DGRAM },
		{ "socket-unix-stream", AF_UNIX, SOCK_STREAM },
		{ "socket-unix-dgram", AF_UNIX, SOCK_DGRAM },
	};

	for (size_t i = 0; i < sizeof ok / sizeof *ok; i++)
		CALL_WHEN(f, ok[i].name, socket,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)ok[i].family, 0),
		    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)ok[i].type));
	/* libcurl wakes itself so */
	CALL_WHEN(f, "socketpair", socketpair,
	    SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
}

/* Threads, and memory that is never executable. */
static void
threads_allow(struct sandbox_filter *f)
{
	enum { CLONE_THREAD_FLAG = 0x10000 };

	CALL_WHEN(f, "clone", clone, SCMP_A0(SCMP_CMP_MASKED_EQ,
	    CLONE_THREAD_FLAG, CLONE_THREAD_FLAG));
	CALL_WHEN(f, "mmap", mmap, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	CALL_WHEN(f, "mprotect", mprotect,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* abort() signals itself; limits are its own, and only looked at. */
static void
self_allow(struct sandbox_filter *f)
{
	scmp_datum_t self = (scmp_datum_t)getpid();

	CALL_WHEN(f, "tgkill", tgkill, SCMP_A0(SCMP_CMP_MASKED_EQ, whole_int,
	    self));
	CALL_WHEN(f, "prlimit64", prlimit64,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, whole_int, 0),
	    SCMP_A2(SCMP_CMP_EQ, 0, 0));
}

/* No owner is set, who would be signalled; of devices nothing but what the
 * standard library asks of where it writes to. */
static void
descriptors_allow(struct sandbox_filter *f)
{
	static const struct { const char *name; int command; } ok[] = {
		{ "fcntl-getfl", F_GETFL }, { "fcntl-setfd", F_SETFD },
		{ "fcntl-setfl", F_SETFL }, { "fcntl-getlk", F_GETLK },
		{ "fcntl-setlk", F_SETLK },
	};

	for (size_t i = 0; i < sizeof ok / sizeof *ok; i++)
		CALL_WHEN(f, ok[i].name, fcntl, SCMP_A1(SCMP_CMP_MASKED_EQ,
		    whole_int, (scmp_datum_t)ok[i].command));
	CALL_WHEN(f, "ioctl-tcgets", ioctl, SCMP_A1(SCMP_CMP_MASKED_EQ,
	    whole_int, TCGETS));
}

int
sandbox_enter(const struct sandbox_paths *p, int *landlock)
{
	struct sandbox_filter f;

	if (privileges_forgo() != 0 || fence_worker(p, landlock) != 0)
		return -1;
	f = filter_begin(WORKER);
	if (f.rc == 0) {
		sockets_allow(&f);
		threads_allow(&f);
		self_allow(&f);
		descriptors_allow(&f);
	}
	return filter_end(&f);
}

/* ---- one that only signs ---- */

/* Files in a directory of its own, by its descriptor and by no path. */
static void
keeping_allow(struct sandbox_filter *f, scmp_datum_t dir)
{
	CALL_WHEN(f, "openat", openat,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, whole_int, dir));
	CALL_WHEN(f, "getdents64", getdents64,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, whole_int, dir));
	CALL_WHEN(f, "unlinkat", unlinkat,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, whole_int, dir));
	CALL_WHEN(f, "renameat", renameat,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, whole_int, dir),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, whole_int, dir));
}

int
sandbox_signer_enter(const int *dirs, size_t n)
{
	struct sandbox_filter f;

	if (privileges_forgo() != 0 || fence_keyring(dirs, n) != 0)
		return -1;
	f = filter_begin(SIGNER);
	if (f.rc == 0)
		CALL_WHEN(&f, "mmap", mmap,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	f.who = KEEPER;
	if (f.rc == 0 && n > 0) {
		calls_allow(&f, KEEPER);
		CALL_WHEN(&f, "newfstatat", newfstatat,
		    SCMP_A0(SCMP_CMP_LE, INT32_MAX, 0));
	}
	for (size_t i = 0; i < n && f.rc == 0; i++)
		keeping_allow(&f, (scmp_datum_t)dirs[i]);
	return filter_end(&f);
}

/* ---- one that only reads ---- */

int
sandbox_reader_enter(void)
{
	struct sandbox_filter f;

	if (privileges_forgo() != 0)
		return -1;
	f = filter_begin(READER);
	if (f.rc == 0)
		CALL_WHEN(&f, "mmap", mmap,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		    SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
	return filter_end(&f);
}

/* ---- one that becomes others, but never root ---- */

/* Those that set a uid, and how many they take. */
static const struct { int call; unsigned n; } becomings[] = {
	{ SCMP_SYS(setuid), 1 }, { SCMP_SYS(setuid32), 1 },
	{ SCMP_SYS(setreuid), 2 }, { SCMP_SYS(setreuid32), 2 },
	{ SCMP_SYS(setresuid), 3 }, { SCMP_SYS(setresuid32), 3 },
	{ SCMP_SYS(setfsuid), 1 }, { SCMP_SYS(setfsuid32), 1 },
};

/* A call that this machine does not have has a number below 0. */
static void
root_refuse(struct sandbox_filter *f, int call, unsigned n)
{
	for (unsigned i = 0; i < n && call >= 0 && f->rc == 0; i++)
		f->rc = seccomp_rule_add(f->is, SCMP_ACT_ERRNO(EPERM), call, 1,
		    SCMP_CMP(i, SCMP_CMP_MASKED_EQ, whole_int, 0));
}

/* Beside the machine's own calls it may have those of a smaller one, some of which
 * see only half of a number: none of these.  A rule is laid for the architectures
 * that the filter has by then. */
static int
smaller_refuse(struct sandbox_filter *f)
{
	int rc = 0;

#if defined(__x86_64__)
	rc = seccomp_arch_add(f->is, SCMP_ARCH_X86);
	if (rc == 0)
		rc = seccomp_arch_remove(f->is, SCMP_ARCH_NATIVE);
	for (size_t i = 0; rc == 0 &&
	    i < sizeof becomings / sizeof *becomings; i++)
		rc = seccomp_rule_add(f->is, SCMP_ACT_ERRNO(EPERM),
		    becomings[i].call, 0);
	if (rc == 0)
		rc = seccomp_arch_add(f->is, SCMP_ARCH_NATIVE);
#else
	(void)f;
#endif
	return rc;
}

int
sandbox_porter_enter(void)
{
	struct sandbox_filter f = { .is = seccomp_init(SCMP_ACT_ALLOW) };

	if (f.is == NULL)
		return err_set("seccomp: no memory");
	f.rc = seccomp_attr_set(f.is, SCMP_FLTATR_CTL_NNP, 0);
	if (f.rc == 0)
		f.rc = smaller_refuse(&f);
	for (size_t i = 0; i < sizeof becomings / sizeof *becomings; i++)
		root_refuse(&f, becomings[i].call, becomings[i].n);
	return filter_end(&f);
}
