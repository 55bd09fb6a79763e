#include "app/keyring_answer.h"

#include "base/err.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct keyring keys;
static char directory[] = "/var/tmp/keyring.XXXXXX";
static char told[KEYRING_TELL_MOST];

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	keyring_dkim_init(&keys.dkim);
	keyring_dkim_open(&keys.dkim, str_of(directory), geteuid(), getegid());
	keys.store.fd = -1;
	return keys.dkim.store.fd >= 0 ? 0 : -1;
}

static void
drop_each(void *arg, const char *name)
{
	(void)arg;
	(void)unlinkat(keys.dkim.store.fd, name, 0);
}

static int
tear_down(void **state)
{
	(void)state;
	(void)store_list(&keys.dkim.store, drop_each, NULL);
	return rmdir(directory);
}

static int
ask(enum keyring_op op, uint64_t key, const struct str *fields, size_t n,
    struct str *body)
{
	static char room[KEYRING_ASK_MOST];
	struct buf q = BUF_OF(room), out = BUF_OF(told);
	struct keyring_frame frame = { .what = (uint16_t)op, .key = key }, reply;

	for (size_t i = 0; i < n; i++)
		keyring_put(&q, fields[i]);
	keyring_answer(&keys, &frame, buf_str(&q), &reply, &out);
	*body = buf_str(&out);
	return reply.what;
}

static int
make(struct str domain, struct str selector, enum dkim_algorithm algorithm)
{
	char choice = (char)algorithm;
	const struct str fields[] = { domain, selector, { &choice, 1 } };
	struct str body;

	return ask(KEYRING_DKIM_MAKE, 0, fields, 3, &body);
}

static int
become(struct str selector, enum dkim_state state)
{
	char choice = (char)state;
	const struct str fields[] = { STR("a.example"), selector,
		{ &choice, 1 } };
	struct str body;

	return ask(KEYRING_DKIM_STATE, 0, fields, 3, &body);
}

static int
drop(struct str selector)
{
	const struct str fields[] = { STR("a.example"), selector };
	struct str body;

	return ask(KEYRING_DKIM_DROP, 0, fields, 2, &body);
}

/* Those that sign for it, as "selector selector"; the id of the first. */
static uint64_t
active(struct str domain, char out[200])
{
	struct str body, id, algorithm, selector;
	uint64_t first = 0;

	assert_int_equal(ask(KEYRING_DKIM_KEYS, 0, &domain, 1, &body), 0);
	out[0] = '\0';
	while (body.n > 0) {
		assert_true(keyring_field(&body, &id) && id.n == 8);
		assert_true(keyring_field(&body, &algorithm));
		assert_true(keyring_field(&body, &selector));
		if (out[0] == '\0')
			memcpy(&first, id.p, sizeof first);
		(void)snprintf(out + strlen(out), 200 - strlen(out), "%s%.*s",
		    out[0] == '\0' ? "" : " ", (int)selector.n, selector.p);
	}
	return first;
}

static uint64_t
listed(struct str *trouble)
{
	uint64_t zero = 0, n = 0;
	struct str from = { (const char *)&zero, sizeof zero }, body, field;

	assert_int_equal(ask(KEYRING_DKIM_LIST, 0, &from, 1, &body), 0);
	assert_true(keyring_field(&body, trouble));
	assert_true(keyring_field(&body, &field) && field.n == sizeof n);
	memcpy(&n, field.p, sizeof n);
	return n;
}

static int
sign(uint64_t key, struct str input)
{
	struct str body;

	return ask(KEYRING_DKIM_SIGN, key, &input, 1, &body);
}

#define HASHED(d, s) "from:x\r\ndkim-signature:v=1; a=rsa-sha256; " \
	"c=relaxed/relaxed; d=" d "; s=" s "; h=from; bh=aGFzaA==; b="

static void
a_life_of_keys(void **state)
{
	struct str trouble;
	char now[200];
	uint64_t one, two;

	(void)state;
	assert_int_equal(make(STR("a.example"), STR("r1"), DKIM_RSA_SHA256), 0);
	assert_int_equal(make(STR("a.example"), STR("e1"),
	    DKIM_ED25519_SHA256), 0);
	assert_int_equal(make(STR("a.example"), STR("e1"),
	    DKIM_ED25519_SHA256), 1);
	assert_int_equal(make(STR("a.example/.."), STR("e1"),
	    DKIM_ED25519_SHA256), 1);
	assert_int_equal(listed(&trouble), 2);
	assert_int_equal(trouble.n, 0);
	/* the next one signs nothing */
	(void)active(STR("a.example"), now);
	assert_string_equal(now, "");
	assert_int_equal(sign(keys.dkim.held[1].id, STR(HASHED("a.example",
	    "r1"))), 1);
	assert_int_equal(become(STR("e1"), DKIM_ACTIVE), 0);
	assert_int_equal(become(STR("r1"), DKIM_ACTIVE), 0);
	one = active(STR("a.example"), now);
	assert_string_equal(now, "r1 e1");
	assert_int_equal(sign(one, STR(HASHED("a.example", "r1"))), 0);
	assert_int_equal(sign(one, STR(HASHED("a.example", "e1"))), 1);
	assert_int_equal(sign(one, STR(HASHED("b.example", "r1"))), 1);
	assert_int_equal(sign(one + 1, STR(HASHED("a.example", "r1"))), 1);
	assert_int_equal(sign(one, STR("hello")), 1);
	/* the one that follows */
	assert_int_equal(make(STR("a.example"), STR("r2"), DKIM_RSA_SHA256), 0);
	assert_int_equal(active(STR("a.example"), now), one);
	assert_int_equal(become(STR("r2"), DKIM_ACTIVE), 0);
	two = active(STR("a.example"), now);
	assert_string_equal(now, "r2 e1");
	assert_int_not_equal(one, two);
	assert_int_equal(sign(one, STR(HASHED("a.example", "r1"))), 1);
	assert_int_equal(sign(two, STR(HASHED("a.example", "r2"))), 0);
	assert_int_equal(become(STR("r1"), DKIM_ACTIVE), 1);
	assert_int_equal(become(STR("r1"), DKIM_RETIRING), 0);
	assert_int_equal(become(STR("r9"), DKIM_ACTIVE), 1);
	assert_int_equal(drop(STR("r1")), 0);
	assert_int_equal(drop(STR("r1")), 1);
	assert_int_equal(listed(&trouble), 2);
	(void)active(STR("b.example"), now);
	assert_string_equal(now, "");
}

/* Another keyring on the same directory knows what this one made. */
static void
what_is_kept_is_read(void **state)
{
	struct keyring_dkim other;
	struct str domain = STR("a.example"), q, selector;
	static char room[200], text[KEYRING_TELL_MOST];
	struct buf in = BUF_OF(room), out = BUF_OF(text);

	(void)state;
	keyring_put(&in, domain);
	keyring_dkim_init(&other);
	keyring_dkim_open(&other, str_of(directory), geteuid(), getegid());
	assert_int_equal(keyring_dkim_answer(&other, KEYRING_DKIM_KEYS, 0,
	    buf_str(&in), &out), 0);
	q = buf_str(&out);
	assert_true(keyring_field(&q, &selector) && keyring_field(&q, &selector));
	assert_true(keyring_field(&q, &selector));
	assert_true(str_eq(selector, STR("r2")));
	/* and the other way round */
	assert_int_equal(make(STR("c.example"), STR("e9"),
	    DKIM_ED25519_SHA256), 0);
	assert_int_equal(become(STR("e1"), DKIM_RETIRING), 0);
	out.n = 0;
	assert_int_equal(keyring_dkim_answer(&other, KEYRING_DKIM_KEYS, 0,
	    buf_str(&in), &out), 0);
	assert_true(str_find_str(buf_str(&out), STR("e1")) == out.n);
	assert_int_equal(other.n, 3);
	for (size_t i = 0; i < other.n; i++)
		dkim_pair_free(&other.held[i].pair);
	free(other.held);
	close(other.store.fd);
}

static void
file_put(const char *name, const char *text, mode_t mode)
{
	int fd = openat(keys.dkim.store.fd, name, O_WRONLY | O_CREAT | O_TRUNC,
	    mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Files that cannot be used are told, and the others go on. */
static void
bad_files_are_told(void **state)
{
	static const struct { const char *name, *text; mode_t mode;
	    const char *says; } bad[] = {
		{ "x.key", "x", 0600, "no key of Nightmail" },
		{ "y.key", "x", 0644, "others may read it" },
		{ "z.key", "x", 0620, "others may read it" },
	};
	uint64_t n;
	struct str trouble;

	(void)state;
	n = listed(&trouble);
	file_put("notes", "not looked at", 0644);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		file_put(bad[i].name, bad[i].text, bad[i].mode);
		assert_int_equal(listed(&trouble), n);
		assert_true(str_find_str(trouble, str_of(bad[i].says)) <
		    trouble.n);
		assert_true(str_find_str(trouble, str_of(bad[i].name)) <
		    trouble.n);
		assert_int_equal(unlinkat(keys.dkim.store.fd, bad[i].name, 0), 0);
	}
	/* a good key that somebody may read, or under another name */
	assert_int_equal(fchmodat(keys.dkim.store.fd, "a.example.r2.key", 0640,
	    0), 0);
	keys.dkim.looked_ns = 0;
	assert_int_equal(listed(&trouble), n - 1);
	assert_int_equal(fchmodat(keys.dkim.store.fd, "a.example.r2.key", 0600,
	    0), 0);
	assert_int_equal(renameat(keys.dkim.store.fd, "a.example.r2.key",
	    keys.dkim.store.fd, "a.example.r3.key"), 0);
	keys.dkim.looked_ns = 0;
	assert_int_equal(listed(&trouble), n - 1);
	assert_true(str_find_str(trouble, STR("another name")) < trouble.n);
}

static void
without_a_directory_nothing_signs(void **state)
{
	struct keyring_dkim none;
	static char text[KEYRING_TELL_MOST];
	struct buf out = BUF_OF(text);

	(void)state;
	keyring_dkim_init(&none);
	assert_int_equal(keyring_dkim_answer(&none, KEYRING_DKIM_KEYS, 0,
	    STR(""), &out), -1);
	assert_non_null(strstr(err_text(), "outbound.dkim"));
	keyring_dkim_open(&none, STR("/proc/nowhere"), geteuid(), getegid());
	assert_int_equal(keyring_dkim_answer(&none, KEYRING_DKIM_KEYS, 0,
	    STR(""), &out), -1);
	assert_non_null(strstr(err_text(), "/proc/nowhere"));
	err_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_life_of_keys),
		cmocka_unit_test(what_is_kept_is_read),
		cmocka_unit_test(bad_files_are_told),
		cmocka_unit_test(without_a_directory_nothing_signs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
