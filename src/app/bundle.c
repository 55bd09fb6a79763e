#include "app/bundle.h"

#include "app/reading.h"
#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "policy/problem.h"
#include "policy/show.h"

bool
bundle_is_bare(const struct config *old, const struct config *next)
{
	return config_extent(next).all == 0 && config_extent(old).all > 0;
}

int
bundle_pack(const struct source_memory *recorded, struct arena *a)
{
	struct buf b = { .cap = source_encoded_size(recorded) };

	b.p = arena_alloc(a, b.cap);
	if (b.p == NULL)
		return err_set("no memory for the configuration");
	source_encode(recorded, &b);
	must(!b.full);
	return reading_as_file(buf_str(&b));
}

/* ---- what is said of it ---- */

struct differing {
	struct show_lines lines;
	struct buf *say;
};

/* "! - cores: 2": what only a restart changes. */
static void
line_look(struct show_lines *lines, struct str line)
{
	struct differing *d = OWNER_OF(lines, struct differing, lines);

	if (!str_skip(&line, STR("! + ")))
		return;
	line = str_cut(&line, ':');
	buf_printf(d->say, "\nat the next restart: " STR_FMT, STR_ARG(line));
}

static void
differences_say(struct bundle *b)
{
	struct differing d = { { line_look }, &b->say };

	show_diff(b->old, b->config, &d.lines);
}

/* Half of a file may be a good configuration, too. */
static void
losses_say(struct bundle *b)
{
	struct config_extent old = config_extent(b->old);
	struct config_extent now = config_extent(b->config);

	if (old.listeners > 0 && now.listeners == 0)
		buf_printf(&b->say, "\nwarning: listen is set no more: only "
		    "this machine is listened to, on port 25");
	if (old.domains > 0 && now.domains == 0)
		buf_printf(&b->say, "\nwarning: there are no domains any more: "
		    "their mail is refused, or sent elsewhere");
}

/* ---- loading ---- */

void
bundle_init(struct bundle *b, int fd, struct str path,
    const struct config *old)
{
	*b = (struct bundle){ .fd = fd, .path = path, .old = old };
	b->say = BUF_OF(b->room);
	b->say.cap--;
	buf_put(&b->say, STR("configuration reloaded"));
}

static int
config_of(struct bundle *b, struct source_memory *source)
{
	struct problems problems;

	problems_init(&problems);
	b->config = config_load(&source->source, b->path, &problems);
	problems_clear(&problems);
	return b->config != NULL ? 0 : err_set("the worker finds errors where "
	    "master found none");
}

int
bundle_load(void *bundle)
{
	struct bundle *b = bundle;
	struct source_memory source;
	struct str bytes;
	struct arena a;
	int rc;

	arena_init_wiped(&a, CONFIG_MOST);
	rc = reading_from_file(b->fd, &a, &bytes);
	if (rc == 0 && source_decode(&source, &a, bytes) != 0)
		rc = err_set("the bundle is malformed");
	if (rc == 0)
		rc = config_of(b, &source);
	arena_clear(&a);
	if (rc != 0)
		return -1;
	differences_say(b);
	losses_say(b);
	return 0;
}
