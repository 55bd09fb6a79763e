#include "app/control_socket.h"

#include "base/err.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who is root gives it to control.group. */
static bool
group_find(const struct config *c, gid_t *gid)
{
	char name[64];
	struct group *g;

	if (geteuid() != 0 || !str_cstr(c->control.group, name, sizeof name) ||
	    name[0] == '\0' || (g = getgrnam(name)) == NULL)
		return false;
	*gid = g->gr_gid;
	return true;
}

/* A socket that nobody answers at is left from before; anything else that lies
 * there is not ours to remove. */
static int
control_place_clear(const char *key, const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : err_set("%s: %m", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set("%s: %s is there and is no socket", key, path);
	return unlink(path) == 0 ? 0 : err_set("%s: %m", path);
}

/* It has its mode and group from the first moment on: nothing is changed behind
 * its name, where there may be something else by then. */
static int
socket_bind(int fd, const struct sockaddr_un *at, mode_t mode, gid_t gid)
{
	mode_t old_mask = umask(0777 & ~mode);
	gid_t old = getegid();
	int rc = gid == old ? 0 : setegid(gid);

	if (rc == 0)
		rc = bind(fd, (const void *)at, sizeof *at);
	if (gid != old && setegid(old) != 0)
		rc = -1;
	(void)umask(old_mask);
	return rc == 0 ? 0 : err_set("%s: %m", at->sun_path);
}

/* A directory may have given it a group of its own. */
static int
group_check(const struct sockaddr_un *at, gid_t gid)
{
	struct stat st;

	if (lstat(at->sun_path, &st) != 0)
		return err_set("%s: %m", at->sun_path);
	if (st.st_gid == gid)
		return 0;
	(void)unlink(at->sun_path);
	return err_set("%s: its directory gives it another group: say chmod g-s",
	    at->sun_path);
}

static int
control_bind(const struct config *c, bool is_for_all, int fd,
    const struct sockaddr_un *at)
{
	gid_t gid = getegid();
	bool has_group = !is_for_all && group_find(c, &gid);

	if (socket_bind(fd, at, is_for_all ? 0666 : has_group ? 0660 : 0600,
	    gid) != 0 || (has_group && group_check(at, gid) != 0))
		return -1;
	return listen(fd, is_for_all ? 1024 : 64) == 0 ? 0 :
	    err_set("%s: %m", at->sun_path);
}

static int
socket_open(struct control_socket *s, const struct config *c, const char *key,
    struct str path, bool is_for_all)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	*s = (struct control_socket){ .fd = -1 };
	if (path.n == 0)
		return 0;
	if (!str_cstr(path, at.sun_path, sizeof at.sun_path))
		return err_set("%s: the path is too long", key);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set("socket: %m");
	if (connect(fd, (void *)&at, sizeof at) == 0) {
		close(fd);
		return err_set("%s: another nightmail is running", at.sun_path);
	}
	if (control_place_clear(key, at.sun_path) != 0 ||
	    control_bind(c, is_for_all, fd, &at) != 0) {
		close(fd);
		return -1;
	}
	*s = (struct control_socket){ fd, at };
	return 0;
}

int
control_socket_open(struct control_socket *s, const struct config *c)
{
	return socket_open(s, c, "control.socket", c->control.socket, false);
}

int
submit_socket_open(struct control_socket *s, const struct config *c)
{
	return socket_open(s, c, "submit.socket", c->submit.socket, true);
}

void
control_socket_close(struct control_socket *s)
{
	if (s->fd < 0)
		return;
	unlink(s->at.sun_path);
	close(s->fd);
	s->fd = -1;
}
