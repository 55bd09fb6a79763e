#include "app/rights.h"

#include "base/err.h"
#include "base/must.h"
#include "policy/place.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of what systemd.io/UIDS-GIDS leaves unused the last but one. */
enum { STRANGER = 2147483646 };

/* The default need not exist; a group that was asked for must. */
static int
group_find(const struct config *c, gid_t *gid)
{
	char name[64];
	struct group *g;

	if (c->group.n == 0 || !str_cstr(c->group, name, sizeof name))
		return 0;
	g = getgrnam(name);
	if (g != NULL)
		*gid = g->gr_gid;
	return g != NULL || strcmp(name, "nightmail") == 0 ? 0 :
	    err_set("group: there is no group '%s'", name);
}

/* PR_CAPBSET_DROP wants a right itself: where a service manager has limited the
 * set already, it is not ours to. */
static void
capabilities_bound(uint32_t kept)
{
	for (unsigned long i = 0; i <= CAP_LAST_CAP; i++)
		if (i >= 32 || (kept & 1u << i) == 0)
			(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int
capabilities_set(uint32_t kept)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { { kept, kept, 0 },
		{ 0, 0, 0 } };

	return syscall(SYS_capset, &head, sets) == 0 ? 0 :
	    err_set("shedding capabilities: %m");
}

/* A service manager may give a user the right to bind low ports: that is
 * master's alone, and no program that a porter starts inherits it. */
static int
rights_shed(void)
{
	capabilities_bound(0);
	return capabilities_set(0);
}

/* ---- to become others, and not be root ---- */

static bool becomes;

bool
rights_may_become(void)
{
	return becomes;
}

/* An id that no account has, so that nobody else's process may signal ours nor
 * ours another's; in a namespace without it, nobody's. */
static int
stranger_become(void)
{
	if (setgid(STRANGER) == 0 && setuid(STRANGER) == 0)
		return 0;
	return setgid(PLACE_NOBODY) == 0 ? setuid(PLACE_NOBODY) : -1;
}

/* capabilities(7): who leaves uid 0 keeps what is permitted when it asked for
 * that, and nothing effective. */
static int
root_leave(void)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
	    stranger_become() != 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
		return err_set("becoming nobody: %m");
	must(geteuid() != 0 && getegid() != 0);
	return 0;
}

int
rights_keep_becoming(void)
{
	const uint32_t kept = 1u << CAP_SETUID | 1u << CAP_SETGID;

	if (geteuid() != 0)
		return rights_shed();
	capabilities_bound(kept);
	becomes = true;
	return root_leave() != 0 ? -1 : capabilities_set(kept);
}

int
rights_become(uid_t uid, gid_t gid, const char *name)
{
	must(becomes && uid != 0);
	if (name != NULL ? initgroups(name, gid) : setgroups(0, NULL))
		return err_set("groups of uid %u: %m", uid);
	if (setgid(gid) != 0 || setuid(uid) != 0)
		return err_set("becoming uid %u: %m", uid);
	must(geteuid() == uid && getegid() == gid && getuid() == uid);
	return capabilities_set(0);	/* between two others nothing is lost */
}

/* ---- to the configured user ---- */

int
rights_find(const struct config *c, uid_t *uid, gid_t *gid)
{
	char name[64];
	struct passwd *pw;

	*uid = geteuid();
	*gid = getegid();
	if (*uid != 0 || c->user.n == 0)
		return 0;
	if (!str_cstr(c->user, name, sizeof name) ||
	    (pw = getpwnam(name)) == NULL)
		return err_set("user: there is no user '" STR_FMT "'",
		    STR_ARG(c->user));
	if (pw->pw_uid == 0)
		return err_set("user: '%s' is the superuser, who must not talk "
		    "with the network", name);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return group_find(c, gid);
}

/* From root to the configured user; a server on a laptop stays who it is. */
int
rights_drop(const struct config *c)
{
	char name[64];
	uid_t uid;
	gid_t gid;

	if (rights_find(c, &uid, &gid) != 0)
		return -1;
	if (geteuid() != 0 || c->user.n == 0)
		return rights_shed();
	(void)str_cstr(c->user, name, sizeof name);
	if (initgroups(name, gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
		return err_set("becoming %s: %m", name);
	must(geteuid() != 0);
	return rights_shed();
}

void
rights_forget_environment(void)
{
	for (char **line = environ; line != NULL && *line != NULL; line++)
		explicit_bzero(*line, strlen(*line));
	environ = NULL;
}

/* Shells and service managers give 1,024 descriptors at first, for programs that
 * use select(2); a server takes what it may have. */
void
rights_take_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
