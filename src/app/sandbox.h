/*
 * sandbox.h -- what a worker may no longer do.
 *
 * The promise: after sandbox_enter() the process may make the system calls of
 * sandbox_call.def and no other: it starts no program and no process, gains no
 * rights, signals nobody but itself, opens sockets of the families INET, INET6 and
 * UNIX, none of them raw, and listens at none, maps nothing executable, and (where
 * the kernel has Landlock) reaches the files that fence.h tells and no other.
 * Not for: master.
 * Waiting: none; call it before any thread is started.
 * Memory: none kept.
 * Errors: -1 and the trail when a rule cannot be laid.  A call that is not allowed
 * fails with ENOSYS in a worker, where libraries fall back as on an old kernel,
 * and with EPERM in the others; a kernel without
 * Landlock is told in *landlock (0) and is no error.
 * Source: DESIGN.md section 7; SECURITY.md C; landlock(7), seccomp(2).
 */
#ifndef NM_APP_SANDBOX_H
#define NM_APP_SANDBOX_H

#include <stddef.h>

struct sandbox_paths {
	const char *const *writable;	/* directories */
	size_t n_writable;
	const char *const *readable;	/* files, or directories */
	size_t n_readable;
};

int sandbox_enter(const struct sandbox_paths *, int *landlock);

/* For a process that reads, computes and answers: nothing but that; and files in
 * the n directories that it has open. */
int sandbox_signer_enter(const int *dirs, size_t n);

/* For a process that reads one descriptor, writes to it and to another, and
 * computes: not even files by name. */
int sandbox_reader_enter(void);

/* For root, before it sheds its rights to become others: neither it nor a child,
 * nor a program that runs with root's rights by its mode, becomes root by a call.
 * A machine's smaller kind of programs (32 bits) change no uid at all.  Privileges
 * that programs have are not forgone. */
int sandbox_porter_enter(void);

#endif
