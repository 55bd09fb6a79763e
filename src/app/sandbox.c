#include "app/sandbox.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t writing = LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER;
static const uint64_t handled = LANDLOCK_ACCESS_FS_EXECUTE |
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
    LANDLOCK_ACCESS_FS_REFER;

/* Read by the resolver, the C library and OpenSSL while running. */
static const char *const readable[] = {
	"/etc", "/usr/share/dns", "/usr/share/zoneinfo", "/usr/lib", "/lib",
	"/dev/null", "/dev/urandom", "/proc/self", "/run/systemd/resolve",
};

static int
rule_add(int rules, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	long rc;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : err_set("open %s: %m", path);
	rc = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
	    &rule, 0);
	if (rc != 0 && errno == EINVAL) {	/* a file, not a directory */
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
		    LANDLOCK_ACCESS_FS_WRITE_FILE;
		rc = syscall(SYS_landlock_add_rule, rules,
		    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	close(rule.parent_fd);
	return rc == 0 ? 0 : err_set("landlock rule for %s: %m", path);
}

static int
rules_lay(int rules, const struct sandbox_paths *p)
{
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
		if (rule_add(rules, readable[i], reading) != 0)
			return -1;
	for (size_t i = 0; i < p->n_readable; i++)
		if (rule_add(rules, p->readable[i], reading) != 0)
			return -1;
	for (size_t i = 0; i < p->n_writable; i++)
		if (rule_add(rules, p->writable[i], writing) != 0)
			return -1;
	if (syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		return err_set("landlock: %m");
	return 0;
}

static int
landlock_enter(const struct sandbox_paths *p, int *level)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = handled };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	long rules;
	int rc;

	*level = abi < 0 ? 0 : (int)abi;
	if (abi < 2) {		/* level 1 forbids tmp -> new of a Maildir */
		*level = 0;
		return 0;
	}
	rules = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (rules < 0)
		return err_set("landlock: %m");
	rc = rules_lay((int)rules, p);
	close((int)rules);
	return rc;
}

static const int refused[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(mount), SCMP_SYS(umount2),
	SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setuid),
	SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup),
	SCMP_SYS(kexec_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(delete_module), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(userfaultfd), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(acct),
	/* Other processes of the same user. */
	SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo),
	/* What changes a file by its path, and Landlock does not see: truncate()
	 * before level 3, the others at any. */
	SCMP_SYS(truncate), SCMP_SYS(chmod), SCMP_SYS(fchmodat),
	SCMP_SYS(chown), SCMP_SYS(lchown), SCMP_SYS(fchownat),
	SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(removexattr),
	SCMP_SYS(lremovexattr), SCMP_SYS(utime), SCMP_SYS(utimes),
	SCMP_SYS(utimensat), SCMP_SYS(futimesat), SCMP_SYS(mknod),
	SCMP_SYS(mknodat), SCMP_SYS(symlink), SCMP_SYS(symlinkat),
};

static const int families_ok[] = { AF_UNIX, AF_INET, AF_INET6 };

/* Raw sockets want a right that we have not; who gets it has not them either.
 * The type has flags above its lowest four bits. */
static int
raw_refuse(scmp_filter_ctx f)
{
	int rc = 0;

	for (size_t i = 1; i < 3; i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES),
		    SCMP_SYS(socket), 2,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families_ok[i], 0),
		    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW));
	return rc;
}

/* AF_NETLINK answers only the C library's own questions about interfaces: that
 * is its protocol 0, the routes. */
static int
families_refuse(scmp_filter_ctx f)
{
	int rc = 0;

	for (int family = 0; family < 64; family++) {
		bool ok = family == AF_NETLINK;

		for (size_t i = 0; i < 3; i++)
			ok = ok || families_ok[i] == family;
		if (!ok)
			rc |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT),
			    SCMP_SYS(socket), 1,
			    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0));
	}
	return rc | seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT),
	    SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
	    SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE, 0)) | raw_refuse(f);
}

/* abort() signals itself; nobody types into the terminal we came from. */
static int
neighbours_spare(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid(), 0)) |
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
	    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI));
}

static int
executable_refuse(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mprotect), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)) |
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mmap), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE,
	    PROT_EXEC | PROT_WRITE));
}

/* Threads only: a clone without CLONE_THREAD is a process. */
static int
processes_refuse(scmp_filter_ctx f)
{
	enum { CLONE_THREAD_FLAG = 0x10000 };

	return seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD_FLAG, 0)) |
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int
seccomp_enter(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = 0;

	if (f == NULL)
		return err_set("seccomp: no filter");
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	rc |= families_refuse(f) | executable_refuse(f) | processes_refuse(f) |
	    neighbours_spare(f);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc == 0 ? 0 : err_set("seccomp: the filter was refused (%d)", rc);
}

int
sandbox_enter(const struct sandbox_paths *p, int *landlock)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set("no_new_privs: %m");
	if (landlock_enter(p, landlock) != 0)
		return -1;
	return seccomp_enter();
}

/* ---- one that only signs ---- */

static const int signing[] = {
	SCMP_SYS(read), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(write),
	SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(close), SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(getpid),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(brk),
	SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mremap),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static const int keeping[] = { SCMP_SYS(fsync), SCMP_SYS(fstat),
	SCMP_SYS(lseek) };

static int
keeping_allow(scmp_filter_ctx f, int dir)
{
	const scmp_datum_t any = 0xffffffff, ours = (scmp_datum_t)dir;

	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, any, ours)) |
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(getdents64), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, any, ours)) |
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(unlinkat), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, any, ours)) |
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(renameat), 2,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, any, ours),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, any, ours));
}

/* Directories of its own, by their descriptors and by no path. */
static int
keeping_allow_all(scmp_filter_ctx f, const int *dirs, size_t n)
{
	int rc = 0;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < sizeof keeping / sizeof *keeping; i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, keeping[i], 0);
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
	    SCMP_A0(SCMP_CMP_LE, INT32_MAX, 0));
	for (size_t i = 0; i < n; i++)
		rc |= keeping_allow(f, dirs[i]);
	return rc;
}

static int
fence_let_in(int rules, int dir)
{
	struct landlock_path_beneath_attr rule = { .allowed_access =
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE,
	    .parent_fd = dir };

	return (int)syscall(SYS_landlock_add_rule, rules,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* Of the disk nothing but those, whatever path is said. */
static int
keeping_fence(const int *dirs, size_t n)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = handled };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	long rules;
	int rc = 0;

	if (abi < 2)
		return 0;
	rules = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (rules < 0)
		return err_set("landlock: %m");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = fence_let_in((int)rules, dirs[i]);
	if (rc != 0 || syscall(SYS_landlock_restrict_self, (int)rules, 0) != 0)
		rc = err_set("landlock: %m");
	close((int)rules);
	return rc;
}

int
sandbox_signer_enter(const int *dirs, size_t n)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set("no_new_privs: %m");
	if (f == NULL)
		return err_set("seccomp: no filter");
	for (size_t i = 0; i < sizeof signing / sizeof *signing; i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, signing[i], 0);
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc |= keeping_allow_all(f, dirs, n);
	if (keeping_fence(dirs, n) != 0) {
		seccomp_release(f);
		return -1;
	}
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc == 0 ? 0 : err_set("seccomp: the filter was refused (%d)", rc);
}

/* ---- one that only reads ---- */

static const int computing[] = {
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(write), SCMP_SYS(brk),
	SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(futex),
	SCMP_SYS(getrandom), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

int
sandbox_reader_enter(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set("no_new_privs: %m");
	if (f == NULL)
		return err_set("seccomp: no filter");
	for (size_t i = 0; i < sizeof computing / sizeof *computing; i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, computing[i], 0);
	rc |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
	    SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc == 0 ? 0 : err_set("seccomp: the filter was refused (%d)", rc);
}
