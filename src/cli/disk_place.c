#include "cli/disk_place.h"

#include "base/err.h"
#include "base/must.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { FILE_MOST = 256 << 10, DEPTH_MOST = 4 };

bool
disk_option_has(struct str options, struct str word)
{
	while (options.n > 0)
		if (str_eq(str_cut(&options, ','), word))
			return true;
	return false;
}

/* ---- what the kernel says in files ---- */

/* At most `most' octets of it; STR_NONE: it cannot be read. */
static struct str
file_read(struct arena *a, const char *path, size_t most)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *room = fd < 0 ? NULL : arena_alloc(a, most);
	ssize_t some = 1;
	size_t n = 0;

	while (room != NULL && n < most && some > 0) {
		some = read(fd, room + n, most - n);
		n += some > 0 ? (size_t)some : 0;
	}
	if (fd >= 0)
		(void)close(fd);
	return room == NULL || some < 0 ? STR_NONE : (struct str){ room, n };
}

/* /sys/dev/block/MAJOR:MINOR/rest, without the line's end. */
static struct str
sys_read(struct arena *a, dev_t dev, const char *rest)
{
	const char *path = arena_printf(a, "/sys/dev/block/%u:%u/%s",
	    major(dev), minor(dev), rest).p;
	struct str s = path == NULL ? STR_NONE : file_read(a, path, 4096);

	return str_cut(&s, '\n');
}

/* Of a partition the disk has it. */
static struct str
queue_read(struct arena *a, dev_t dev, const char *name)
{
	struct str rest = arena_printf(a, "queue/%s", name);
	struct str above = arena_printf(a, "../queue/%s", name);
	struct str s = rest.p == NULL ? STR_NONE : sys_read(a, dev, rest.p);

	return s.n > 0 || above.p == NULL ? s : sys_read(a, dev, above.p);
}

/* ---- mounts ---- */

/* proc_pid_mountinfo(5): "\040" is a space. */
static struct str
unescape(struct arena *a, struct str s)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	if (to == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		unsigned c = (unsigned char)s.p[i];

		if (c == '\\' && i + 3 < s.n) {
			c = (unsigned)(s.p[i + 1] - '0') << 6 |
			    (unsigned)(s.p[i + 2] - '0') << 3 |
			    (unsigned)(s.p[i + 3] - '0');
			i += 3;
		}
		to[n++] = (char)c;
	}
	return (struct str){ to, n };
}

static bool
is_below(struct str path, struct str mount_point)
{
	if (str_eq(mount_point, STR("/")))
		return true;
	return str_eq(str_sub(path, 0, mount_point.n), mount_point) &&
	    (path.n == mount_point.n || path.p[mount_point.n] == '/');
}

/*
 * 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 * (1)(2)(3)   (4)      (5)         (6)       (7)   (8) (9)   (10)      (11)
 */
static bool
mount_read(struct arena *a, struct str line, struct disk_layer *l)
{
	struct str options;

	for (unsigned i = 0; i < 4; i++)
		(void)str_cut(&line, ' ');
	l->mount_point = unescape(a, str_cut(&line, ' '));
	options = str_cut(&line, ' ');
	while (line.n > 0 && !str_eq(str_cut(&line, ' '), STR("-")))
		continue;
	l->filesystem = str_cut(&line, ' ');
	l->source = unescape(a, str_cut(&line, ' '));
	l->options = arena_join(a, arena_join(a, options, STR(",")), line);
	return l->filesystem.n > 0 && l->options.p != NULL;
}

/* The longest mount point above it; of several at one place the last holds. */
static int
mount_find(struct arena *a, struct str path, struct disk_layer *out)
{
	struct str text = file_read(a, "/proc/self/mountinfo", FILE_MOST);
	bool is_found = false;
	struct disk_layer l;

	while (text.n > 0) {
		if (!mount_read(a, str_cut(&text, '\n'), &l) ||
		    !is_below(path, l.mount_point) ||
		    (is_found && l.mount_point.n < out->mount_point.n))
			continue;
		*out = l;
		is_found = true;
	}
	return is_found ? 0 : err_set("/proc/self/mountinfo does not tell what "
	    STR_FMT " lies on", STR_ARG(path));
}

/* ---- disks ---- */

static bool
has_word(struct str s, const char *word)
{
	return s.p != NULL && memmem(s.p, s.n, word, strlen(word)) != NULL;
}

static bool
is_virtual(struct arena *a, dev_t dev, struct str name)
{
	struct str vendor = sys_read(a, dev, "device/vendor");
	struct str model = sys_read(a, dev, "device/model");
	static const char *const words[] = { "QEMU", "VBOX", "VMware",
		"Virtual", "Msft", "Amazon", "Google" };

	if (str_eq(str_sub(name, 0, 2), STR("vd")) ||
	    str_eq(str_sub(name, 0, 3), STR("xvd")))
		return true;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (has_word(vendor, words[i]) || has_word(model, words[i]))
			return true;
	return false;
}

/* The last part of where the link leads. */
static struct str
device_name(struct arena *a, dev_t dev)
{
	char link[64], to[1024];
	char *slash;
	ssize_t n;

	snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(dev),
	    minor(dev));
	n = readlink(link, to, sizeof to - 1);
	if (n <= 0)
		return STR_NONE;
	to[n] = '\0';
	slash = strrchr(to, '/');
	return arena_copy(a, str_of(slash == NULL ? to : slash + 1));
}

static void
device_add(struct arena *a, struct disk_place *p, dev_t dev)
{
	struct disk_device *d = &p->devices[p->n_devices];

	if (p->n_devices == DISK_DEVICES_MOST)
		return;
	d->name = device_name(a, dev);
	if (d->name.n == 0)
		return;
	d->write_cache = queue_read(a, dev, "write_cache");
	d->is_rotating = str_eq(queue_read(a, dev, "rotational"), STR("1"));
	d->has_fua = str_eq(queue_read(a, dev, "fua"), STR("1"));
	d->is_virtual = is_virtual(a, dev, d->name);
	p->n_devices++;
}

/* "253:0" */
static bool
dev_read(struct str s, dev_t *dev)
{
	struct str first = str_cut(&s, ':');
	uint64_t ma, mi;

	if (!parse_u64(first, UINT32_MAX, &ma) || !parse_u64(s, UINT32_MAX, &mi))
		return false;
	*dev = makedev((unsigned)ma, (unsigned)mi);
	return true;
}

struct disks {				/* still to be looked at */
	dev_t list[DISK_DEVICES_MOST];
	size_t n;
};

/* What a RAID or a mapping is made of; false: it is a disk. */
static bool
slaves_add(struct arena *a, dev_t dev, struct disks *todo)
{
	struct str path = arena_printf(a, "/sys/dev/block/%u:%u/slaves",
	    major(dev), minor(dev));
	DIR *d = path.p == NULL ? NULL : opendir(path.p);
	bool has_some = false;
	struct dirent *e;
	struct str at;
	dev_t one;

	while (d != NULL && (e = readdir(d)) != NULL) {
		at = arena_printf(a, "/sys/class/block/%s/dev", e->d_name);
		at = at.p == NULL || e->d_name[0] == '.' ? STR_NONE :
		    file_read(a, at.p, 64);
		if (!dev_read(str_cut(&at, '\n'), &one) ||
		    todo->n == DISK_DEVICES_MOST)
			continue;
		todo->list[todo->n++] = one;
		has_some = true;
	}
	if (d != NULL)
		(void)closedir(d);
	return has_some;
}

static void
devices_find(struct arena *a, struct disk_place *p, dev_t dev)
{
	struct disks todo = { .list = { dev }, .n = 1 };

	for (unsigned turns = 0; todo.n > 0 && turns < 64; turns++) {
		dev = todo.list[--todo.n];
		if (!slaves_add(a, dev, &todo))
			device_add(a, p, dev);
	}
}

/* ---- the whole ---- */

/* A filesystem without a device of its own in st_dev (btrfs) names it. */
static bool
dev_of(const struct stat *st, const struct disk_layer *l, struct arena *a,
    dev_t *dev)
{
	const char *source = arena_cstr(a, l->source);
	struct stat it;

	*dev = st->st_dev;
	if (major(st->st_dev) != 0)
		return true;
	if (source == NULL || source[0] != '/' || stat(source, &it) != 0 ||
	    !S_ISBLK(it.st_mode))
		return false;
	*dev = it.st_rdev;
	return true;
}

static struct str
real_path(struct arena *a, const char *path)
{
	char *room = arena_alloc(a, PATH_MAX);

	return room == NULL || realpath(path, room) == NULL ? STR_NONE :
	    str_of(room);
}

/* The file that it is in; NULL: in none that is seen here. */
static const char *
layer_add(struct arena *a, struct disk_place *p, const char *path)
{
	struct disk_layer *l = &p->layers[p->n_layers];
	struct str below, real = real_path(a, path);
	struct stat st;
	dev_t dev;

	if (real.p == NULL || stat(path, &st) != 0) {
		(void)err_set("%s: %s", path, strerror(errno));
		return NULL;
	}
	if (mount_find(a, real, l) != 0)
		return NULL;
	p->n_layers++;
	if (!dev_of(&st, l, a, &dev))
		return NULL;
	below = sys_read(a, dev, "loop/backing_file");
	if (below.n > 0)
		return arena_cstr(a, below);
	devices_find(a, p, dev);
	return NULL;
}

int
disk_place_find(const char *path, struct arena *a, struct disk_place *p)
{
	const char *at = path;

	*p = (struct disk_place){ .n_layers = 0 };
	for (unsigned i = 0; at != NULL && i < DEPTH_MOST; i++)
		at = layer_add(a, p, at);
	must(p->n_layers <= DISK_LAYERS_MOST);
	p->is_virtual_machine = has_word(file_read(a, "/proc/cpuinfo", 4096),
	    " hypervisor");
	p->has_no_sync_library = has_word(file_read(a, "/proc/self/maps",
	    FILE_MOST), "libeatmydata");
	return p->n_layers > 0 ? 0 : -1;
}
