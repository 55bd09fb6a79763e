#include "deliver/junk.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/disk.h"

static bool
subscriptions_have(struct str text, struct str folder)
{
	while (text.n > 0)
		if (str_eq(str_cut(&text, '\n'), folder))
			return true;
	return false;
}

/* A line more; a line that was not ended stays one. */
static yields void
subscriptions_append(const char *path, struct str text)
{
	bool is_open = text.n > 0 && text.p[text.n - 1] != '\n';
	int fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);

	if (fd < 0)
		return;
	(void)disk_pwrite(fd, is_open ? STR("\nJunk\n") : STR("Junk\n"),
	    text.n);
	disk_close(fd);
}

static yields void
junk_subscribe(struct str maildir, struct arena *a)
{
	struct str path = arena_join(a, maildir, STR("/subscriptions"));
	struct disk_stat st;
	struct str text = STR("");

	if (path.p == NULL || (disk_stat(path.p, &st) == 0 &&
	    disk_read_file(path.p, a, JUNK_SUBSCRIPTIONS, &text) != 0))
		return;
	if (!subscriptions_have(text, STR("Junk")))
		subscriptions_append(path.p, text);
}

/* Only a file of this name makes it a folder for some readers (Maildir++). */
static yields void
junk_mark(struct str folder, struct arena *a)
{
	struct str path = arena_join(a, folder, STR("/maildirfolder"));
	int fd = -1;

	if (path.p != NULL)
		fd = disk_open(path.p, DISK_WRITE | DISK_CREATE, 0600);
	if (fd >= 0)
		disk_close(fd);
}

/* All that leads there, as far as it is not there already. */
static yields bool
directories_make(struct str path, struct arena *a)
{
	const char *p;
	int rc = 0;

	for (size_t i = 1; i <= path.n; i++) {
		if (i < path.n && path.p[i] != '/')
			continue;
		p = arena_cstr(a, str_sub(path, 0, i));
		rc = p == NULL ? -1 : disk_mkdir(p, 0700);
	}
	return rc == 0;
}

yields struct str
junk_folder(struct str maildir, struct arena *a)
{
	struct str folder = arena_join(a, maildir, STR("/.Junk"));
	struct disk_stat st;

	must(maildir.n > 0);
	if (folder.p == NULL || disk_stat(folder.p, &st) == 0)
		return folder;
	if (directories_make(folder, a)) {
		junk_mark(folder, a);
		junk_subscribe(maildir, a);
	}
	err_clear();
	return folder;
}
