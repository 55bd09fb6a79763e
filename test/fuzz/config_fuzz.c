/* nightmail.yaml and the files it names: whatever stands in them, there is a
 * configuration or there are errors; and what is shown of a configuration loads
 * again to the same. */
#include "fuzz.h"
#include "policy/show.h"

static char shown[256 * 1024];

/* Lines into a buffer. */
struct page {
	struct show_lines lines;
	struct buf out;
};

static void
page_line(struct show_lines *lines, struct str line)
{
	struct page *page = (struct page *)(void *)lines;

	buf_put(&page->out, line);
	buf_putc(&page->out, '\n');
}

static void
page_begin(struct page *page)
{
	*page = (struct page){ .lines = { page_line }, .out = BUF_OF(shown) };
}

static void
machine_make(struct source_memory *m, struct arena *a, unsigned what,
    struct str in)
{
	static const struct str yaml = STR_INIT("hostname: mx.example.org\n"
	    "domains: { x.example: { users: file:/users, aliases: /aliases } }\n"
	    "include: /more\n");

	source_memory_init(m, a);
	source_memory_file(m, STR("/etc/passwd"),
	    STR("root:x:0:0::/root:\nann:x:1000:100::/home/ann:\n"));
	source_memory_file(m, STR("/users"), what == 1 ? in : STR("ann\nben\n"));
	source_memory_file(m, STR("/aliases"), what == 2 ? in :
	    STR("info: ann, far@away.example\n"));
	source_memory_file(m, STR("/more"), what == 3 ? in : STR(""));
	source_memory_file(m, STR("/etc/aliases"), what == 4 ? in : STR(""));
	source_memory_file(m, STR("t.yaml"), what == 0 ? in : yaml);
}

static void
check_problems(const struct problems *ps)
{
	static char said[512 * 1024];
	struct buf b = BUF_OF(said);

	problems_print(ps, &b);
	must(!b.full);
	for (size_t i = 0; i < b.n; i++)
		must((unsigned char)said[i] >= 0x20 || said[i] == '\n');
}

/* What is shown is a configuration that differs in nothing. */
static void
check_shown(struct source_memory *m, const struct config *c)
{
	struct problems ps;
	struct config *again;
	struct page page;

	page_begin(&page);
	show_config(c, &page.lines);
	if (page.out.full || str_find_str(buf_str(&page.out),
	    STR("too long to show")) < page.out.n)
		return;
	source_memory_file(m, STR("again.yaml"), buf_str(&page.out));
	problems_init(&ps);
	again = config_load(&m->source, STR("again.yaml"), &ps);
	check_problems(&ps);
	must(again != NULL);
	page_begin(&page);
	show_diff(c, again, &page.lines);
	must(page.out.n == 0);
	config_free(again);
	problems_clear(&ps);
}

FUZZ(in)
{
	unsigned what = fuzz_choice(&in) % 6;
	struct source_memory m;
	struct problems ps;
	struct config *c;
	struct arena a;

	arena_init(&a, 1 << 24);
	if (what == 5) {
		(void)source_decode(&m, &a, in);
		arena_clear(&a);
		return;
	}
	machine_make(&m, &a, what, in);
	problems_init(&ps);
	c = config_load(&m.source, STR("t.yaml"), &ps);
	check_problems(&ps);
	must((c == NULL) == (ps.counts[PROBLEM_ERROR] > 0));
	if (c != NULL) {
		check_shown(&m, c);
		config_free(c);
	}
	problems_clear(&ps);
	arena_clear(&a);
}
