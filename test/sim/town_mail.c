/*
 * The mail of the town: message m is made of
 *
 *	X-Town: m
 *	Subject: message m
 *	(empty)
 *	town_message.lines lines that nobody else has
 *
 * and goes from s<m>@origin.test to m<m>r<i>@somewhere.test.  A mailbox of the
 * server itself is u<i>@home.test.
 */
#include "town.h"

#include "base/crc32c.h"
#include "base/id.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"

static const char *const domains[WANTS] = {
	[WANT_DELIVERED] = "sink.test", [WANT_LATER] = "sink.test",
	[WANT_REFUSED] = "sink.test", [WANT_NEVER] = "sink.test",
	[WANT_NOT_THIS] = "picky.test", [WANT_MAILBOX] = "home.test",
	[WANT_NO_DOMAIN] = "nowhere.test", [WANT_NO_HOST] = "dead.test",
	[WANT_NO_DNS] = "trouble.test", [WANT_BOX] = "box.test",
	[WANT_FULL] = "box.test", [WANT_EVIL] = "evil.test",
};

unsigned
town_lines(unsigned m)
{
	return 3 + town_ledger->messages[m].lines;
}

/* Dots, emptiness, 8-bit and long lines among them. */
static void
body_line(unsigned m, unsigned i, struct buf *b)
{
	uint64_t h = hash_u64((struct hash_key){ sim_seed(), m }, i);
	unsigned n = (unsigned)(h % 70);

	if (h % 11 == 0)
		buf_putc(b, '.');
	if (h % 17 == 0)
		buf_put(b, STR("\xc3\xa9"));
	for (unsigned k = 0; k < n; k++, h = h * 6364136223846793005u + 1)
		buf_putc(b, (char)(' ' + (h >> 33) % 95));
}

struct str
town_line(unsigned m, unsigned i, char room[128])
{
	struct buf b = { .p = room, .cap = 128 };

	if (i == 0)
		buf_printf(&b, "X-Town: %u", m);
	else if (i == 1)
		buf_printf(&b, "Subject: message %u", m);
	else if (i > 2)
		body_line(m, i, &b);
	return buf_str(&b);
}

uint32_t
town_sum(unsigned m)
{
	uint32_t sum = 0;
	char room[128];

	for (unsigned i = 0; i < town_lines(m); i++) {
		sum = crc32c(sum, town_line(m, i, room));
		sum = crc32c(sum, STR("\n"));
	}
	return sum;
}

struct str
town_address(unsigned m, size_t r, char room[64])
{
	const struct town_rcpt *to = &town_ledger->messages[m].rcpts[r];
	enum town_want want = to->want;
	struct buf b = { .p = room, .cap = 64 };

	if (to->is_alias)
		buf_printf(&b, "v%um%ur%zu@h%u.test", (unsigned)want, m, r,
		    to->host);
	else if (to->host != 0)
		buf_printf(&b, "u%zu+m%ur%zu@h%u.test", r, m, r, to->host);
	else if (want == WANT_MAILBOX)
		buf_printf(&b, "u%zu@%s", r, domains[want]);
	else
		buf_printf(&b, "m%ur%zu@%s", m, r, domains[want]);
	return buf_str(&b);
}

struct str
town_sender(unsigned m, char room[64])
{
	const struct town_message *t = &town_ledger->messages[m];
	struct buf b = { .p = room, .cap = 64 };

	if (!t->is_null)
		buf_printf(&b, "%s%u@origin.test", t->is_gone ? "gone" : "s",
		    m);
	return buf_str(&b);
}

static struct town_message *
numbered(struct str *s)
{
	uint64_t m;
	size_t n = 0;

	while (n < s->n && ascii_is_digit(s->p[n]))
		n++;
	if (!parse_u64(str_sub(*s, 0, n), TOWN_MESSAGES - 1, &m) ||
	    !town_ledger->messages[m].is_used)
		return NULL;
	*s = str_sub(*s, n, s->n);
	return &town_ledger->messages[m];
}

struct town_rcpt *
town_rcpt_of(struct str local)
{
	size_t behind = str_find(local, 'm');
	struct town_message *t;
	uint64_t r;

	/* "v0m1r2", an alias, and "u2+m1r2", a mailbox */
	if (local.n > 0 && (local.p[0] == 'v' || local.p[0] == 'u'))
		local = str_sub(local, behind, local.n);
	if (!str_skip(&local, STR("m")) || (t = numbered(&local)) == NULL ||
	    !str_skip(&local, STR("r")) ||
	    !parse_u64(local, TOWN_RCPTS - 1, &r) || r >= t->n)
		return NULL;
	return &t->rcpts[r];
}

struct town_message *
town_message_of(struct str local)
{
	struct town_message *t;

	if (!str_skip(&local, STR("s")))
		return NULL;
	t = numbered(&local);
	return local.n == 0 ? t : NULL;
}

struct town_message *
town_list_of(struct str local)
{
	struct town_message *t;

	if (!str_skip(&local, STR("list")))
		return NULL;
	t = numbered(&local);
	return local.n == 0 ? t : NULL;
}

/* ---- what passes by ---- */

/* "by mx.h2.test" and "id " with thirteen characters, which ours write into
 * Received; the number stands above the id's bits. */
static void
received_line(struct town_reading *r, struct str line)
{
	size_t at = str_find_str(line, STR("by mx.h"));
	uint64_t id;

	if (at + 7 < line.n && ascii_is_digit(line.p[at + 7]))
		r->by = (unsigned)(line.p[at + 7] - '0');
	at = str_find_str(line, STR("id "));
	if (at < line.n && r->n_ids < TOWN_HOPS && r->by != 0 &&
	    id_parse(str_sub(line, at + 3, ID_CHARS), &id))
		r->ids[r->n_ids++] = town_hop(r->by, id);
}

uint64_t
town_hop(unsigned server, uint64_t id)
{
	return id | (uint64_t)server << 56;
}

static void
report_line(struct town_reading *r, struct str line)
{
	struct town_rcpt *who;

	if (r->name == 0 && str_skip_icase(&line, STR("Message-ID: ")))
		r->name = crc32c(1, line);
	else if (str_skip_icase(&line, STR("Final-Recipient: rfc822; "))) {
		struct str local = str_cut(&line, '@');

		who = town_rcpt_of(local);
		r->list = town_list_of(local);
		if (who != NULL && r->n_told < 32)
			r->told[r->n_told++] = who;
	} else if (r->list != NULL && str_skip_icase(&line, STR("Action: "))) {
		if (str_eq(line, STR("expanded")) ||
		    str_eq(line, STR("delivered")))
			r->is_expanded = true;
	} else if (str_skip_icase(&line, STR("Action: ")) && r->n_told > 0)
		r->is_failed[r->n_told - 1] = str_eq(line, STR("failed"));
}

void
town_read(struct town_reading *r, struct str line)
{
	struct str rest = line;
	uint64_t m;

	if (!r->is_begun && str_skip(&rest, STR("X-Town: ")) &&
	    parse_u64(rest, TOWN_MESSAGES - 1, &m)) {
		r->is_begun = true;
		r->m = (unsigned)m;
	}
	if (r->is_begun) {
		r->sum = crc32c(r->sum, line);
		r->sum = crc32c(r->sum, STR("\n"));
	} else {
		received_line(r, line);
		report_line(r, line);
	}
}

void
town_copied(struct town_rcpt *r, const struct town_reading *t)
{
	const struct town_message *m = &town_ledger->messages[t->m];

	if (!t->is_begun || r < m->rcpts || r >= m->rcpts + m->n ||
	    t->sum != town_sum(t->m))
		r->wrong++;
	if (r->copies < TOWN_COPIES) {
		struct town_copy *c = &r->copy[r->copies];

		*c = (struct town_copy){ town_ledger->lives, clock_mono(),
			t->n_ids, { 0 } };
		for (size_t i = 0; i < t->n_ids; i++)
			c->hops[i] = t->ids[t->n_ids - 1 - i];
	}
	r->copies++;
}

void
town_reported(const struct town_reading *t)
{
	if (t->list != NULL && t->is_expanded)
		t->list->expanded++;
	else if (t->n_told == 0)
		town_ledger->strange++;
	for (size_t i = 0; i < t->n_told; i++) {
		struct town_rcpt *r = t->told[i];

		if (t->is_failed[i]) {
			r->failed++;
			r->failed_at = clock_mono();
		} else if (r->delayed == 0 || r->delayed_name != t->name) {
			r->delayed++;
			r->delayed_name = t->name;
			r->delayed_at = clock_mono();
		}
	}
}

unsigned
town_message_new(void (*plan)(struct town_message *, unsigned))
{
	unsigned m = (unsigned)town_ledger->n;
	struct town_message *t = &town_ledger->messages[m];

	must(m < TOWN_MESSAGES);
	town_ledger->n++;
	*t = (struct town_message){ .is_used = true,
		.lines = (unsigned)sim_chance(30) };
	if (plan != NULL)
		plan(t, m);
	if (t->n == 0)
		town_plan(t, WANT_DELIVERED);
	return m;
}
