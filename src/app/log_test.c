/* Lines on their way to a real file, on a real helper thread. */
#include "fiber/test_core.h"

#include "app/log.h"
#include "base/err.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static char path[64], moved[80];
static struct log_place places[2];
static struct config *config;
static struct log lines;

static void
config_begin(enum log_format format)
{
	config = calloc(1, sizeof *config);
	assert_non_null(config);
	snprintf(path, sizeof path, "/tmp/nm-log-%ld", (long)getpid());
	snprintf(moved, sizeof moved, "%s.1", path);
	unlink(path);
	config->hostname = STR("mx.example.org");
	config->log.ident = STR("nightmail");
	config->log.target = LOG_TO_FILE;
	config->log.format = format;
	config->log.to = str_of(path);
}

static void
config_end(void)
{
	log_place_close(&places[0]);
	log_close(&lines);
	unlink(path);
	unlink(moved);
	free(config);
}

static struct str
content_of(const char *name, char *room, size_t n)
{
	int fd = open(name, O_RDONLY);
	ssize_t got = read(fd, room, n);

	close(fd);
	assert_true(fd >= 0 && got >= 0);
	return (struct str){ room, (size_t)got };
}

static size_t
lines_in(struct str s)
{
	size_t n = 0;

	for (; s.n > 0; n++)
		(void)str_cut(&s, '\n');
	return n;
}

static void
event_give(struct str text)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);

	event_str(&e, FIELD_text, text);
	lines.sink.take(&lines.sink, &e);
}

static yields void
log_start(void)
{
	assert_int_equal(log_place_open(&places[0], config), 0);
	assert_int_equal(log_open(&lines, &places[0]), 0);
	assert_int_equal(fiber_go("log", log_run, &lines), 0);
}

/* No octet of a field ends a line or begins another. */
static void
body_forged(void *arg)
{
	static char room[64 * 1024];
	char octets[256];
	struct str got;
	size_t marks = 0;

	config_begin(*(enum log_format *)arg);
	log_start();
	for (int i = 0; i < 256; i++)
		octets[i] = (char)i;
	event_give((struct str){ octets, sizeof octets });
	event_give(STR("x\r\nNov 21 05:18:01 mx nightmail/smtpd[1]: connect"));
	event_give(STR("\xe2\x80\xa8\xc2\x85\x1b[2J\0\nend"));
	log_end(&lines);
	got = content_of(path, room, sizeof room);
	assert_int_equal(lines_in(got), 3);
	for (size_t i = 0; i < got.n; i++) {
		unsigned char c = (unsigned char)got.p[i];

		assert_true(c >= 0x20 || c == '\n');
		marks += c == '\n';
	}
	assert_int_equal(marks, 3);
	assert_int_equal(str_find_str(got, STR("\xe2\x80\xa8")), got.n);
	config_end();
}

static enum log_format form;

static void
forged(void *arg)
{
	(void)arg;
	body_forged(&form);
}

static void
forged_lines_are_impossible(void **state)
{
	(void)state;
	form = LOG_TEXT;
	on_core(forged);
	form = LOG_JSON;
	on_core(forged);
}

/* The writer does not run while we do not wait: the buffer fills, and not one
 * octet is written behind it. */
static void
body_dropped(void *arg)
{
	static char room[2 * LOG_BUFFER];
	char text[EVENT_TEXT_MOST];
	uint64_t given = 0, dropped;
	struct str got;

	(void)arg;
	config_begin(LOG_JSON);
	log_start();
	memset(text, 'x', sizeof text);
	while (lines.dropped == 0) {
		event_give((struct str){ text, sizeof text });
		given++;
	}
	for (size_t n = 0; n < sizeof text; n++) {	/* to the last octet */
		event_give((struct str){ text, sizeof text - n });
		given++;
		assert_true(lines.n <= LOG_BUFFER);
	}
	dropped = lines.dropped;
	assert_int_equal(lines.lines + dropped, given);
	log_end(&lines);
	got = content_of(path, room, sizeof room);
	assert_int_equal(lines_in(got), given - dropped + 1);
	snprintf(text, sizeof text, "%llu log lines were dropped\"}\n",
	    (unsigned long long)dropped);
	assert_true(str_has_suffix_icase(got, str_of(text)));
	config_end();
}

static void
dropped_lines_are_counted(void **state)
{
	(void)state;
	on_core(body_dropped);
}

/* A line that fits exactly, and one that is an octet longer. */
static void
body_edge(void *arg)
{
	size_t one;

	(void)arg;
	config_begin(LOG_JSON);
	log_start();
	event_give(STR("x"));
	one = lines.n;
	for (size_t left = one - 1; left <= one + 1; left++) {
		uint64_t before = lines.dropped;

		lines.n = LOG_BUFFER - left;
		event_give(STR("x"));
		assert_int_equal(lines.dropped, before + (left < one));
		assert_true(lines.n <= LOG_BUFFER);
	}
	lines.n = LOG_BUFFER;
	event_give(STR("x"));
	assert_int_equal(lines.n, LOG_BUFFER);
	lines.n = lines.dropped = 0;
	log_end(&lines);
	config_end();
}

/* A line waits for others of its moment; trouble and half a buffer do not. */
static void
body_company(void *arg)
{
	struct event quiet = event_make(EVENT_connected, clock_wall(), 0);
	struct mono now;

	(void)arg;
	config_begin(LOG_JSON);
	log_start();
	now = clock_mono();
	lines.sink.take(&lines.sink, &quiet);
	assert_true(mono_is_before(now, lines.due));
	now = lines.due;
	lines.sink.take(&lines.sink, &quiet);
	assert_int_equal(lines.due.ns, now.ns);	/* the first one's */
	event_give(STR("x"));
	assert_false(mono_is_before(clock_mono(), lines.due));
	log_end(&lines);
	assert_int_equal(lines.lines, 3);
	config_end();
	lines = (struct log){ .n = 0 };
	config_begin(LOG_JSON);
	log_start();
	while (lines.n < LOG_BUFFER / 2) {
		assert_true(lines.n == 0 ||
		    mono_is_before(clock_mono(), lines.due));
		lines.sink.take(&lines.sink, &quiet);
	}
	assert_false(mono_is_before(clock_mono(), lines.due));
	log_end(&lines);
	config_end();
}

static void
lines_wait_for_company(void **state)
{
	(void)state;
	on_core(body_company);
}

static void
the_buffer_has_an_edge(void **state)
{
	(void)state;
	on_core(body_edge);
}

/* What a full disk does not take is counted, and told when it takes again. */
static void
body_refused(void *arg)
{
	struct rlimit none = { 0, RLIM_INFINITY }, all;
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	static char room[4096];
	struct str got;

	(void)arg;
	config_begin(LOG_TEXT);
	log_start();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	none.rlim_max = all.rlim_max;
	assert_int_equal(sigaction(SIGXFSZ, &ignore, NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	event_give(STR("lost"));
	event_give(STR("lost too"));
	while (lines.dropped == 0)
		fiber_sleep(in_ms(1));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	event_give(STR("kept"));
	log_end(&lines);
	got = content_of(path, room, sizeof room);
	assert_int_equal(lines_in(got), 2);
	assert_true(str_find_str(got, STR("2 log lines were dropped")) < got.n);
	config_end();
}

static void
refused_lines_are_counted(void **state)
{
	(void)state;
	on_core(body_refused);
}

static void
body_moved(void *arg)
{
	static char room[4096];

	(void)arg;
	config_begin(LOG_TEXT);
	log_start();
	event_give(STR("before"));
	fiber_sleep(in_ms(20));
	assert_int_equal(rename(path, moved), 0);
	event_give(STR("between"));
	fiber_sleep(in_ms(20));
	assert_int_equal(log_place_open(&places[1], config), 0);
	assert_int_equal(log_move(&lines, &places[1], in_ms(1000)), 0);
	log_place_close(&places[0]);
	event_give(STR("after"));
	log_end(&lines);
	assert_int_equal(lines_in(content_of(moved, room, sizeof room)), 2);
	assert_int_equal(lines_in(content_of(path, room, sizeof room)), 1);
	log_place_close(&places[1]);
	config_end();
}

static void
a_moved_file_is_begun_anew(void **state)
{
	(void)state;
	on_core(body_moved);
}

static void
places_that_cannot_be_opened_say_so(void **state)
{
	(void)state;
	config_begin(LOG_TEXT);
	config->log.to = STR("/nonexistent/log");
	assert_int_equal(log_place_open(&places[0], config), -1);
	assert_non_null(strstr(err_text(), "log.to: /nonexistent/log"));
	err_clear();
	free(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forged_lines_are_impossible),
		cmocka_unit_test(dropped_lines_are_counted),
		cmocka_unit_test(the_buffer_has_an_edge),
		cmocka_unit_test(lines_wait_for_company),
		cmocka_unit_test(refused_lines_are_counted),
		cmocka_unit_test(a_moved_file_is_begun_anew),
		cmocka_unit_test(places_that_cannot_be_opened_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
