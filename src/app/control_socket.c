#include "app/control_socket.h"

#include "base/err.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int
control_owner_set(const struct config *c, const char *path)
{
	char name[64];
	struct group *g;

	if (geteuid() != 0 || !str_cstr(c->control.group, name, sizeof name) ||
	    name[0] == '\0')
		return chmod(path, 0600);
	g = getgrnam(name);
	if (g == NULL)
		return chmod(path, 0600);
	if (chown(path, (uid_t)-1, g->gr_gid) != 0)
		return -1;
	return chmod(path, 0660);
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

/* Nobody may connect before the owner is set. */
static int
control_bind(const struct config *c, bool is_for_all, int fd,
    const struct sockaddr_un *at)
{
	mode_t old = umask(0177);
	int rc = bind(fd, (const void *)at, sizeof *at);

	(void)umask(old);
	if (rc == 0)
		rc = is_for_all ? chmod(at->sun_path, 0666) :
		    control_owner_set(c, at->sun_path);
	if (rc != 0 || listen(fd, is_for_all ? 1024 : 64) != 0)
		return err_set("%s: %m", at->sun_path);
	return 0;
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
