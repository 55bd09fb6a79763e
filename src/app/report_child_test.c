/* The real child, with what strangers send: reports, and bombs.  None costs more
 * than its limits; what each says is one answer. */
#include "app/report_child.h"

#include "base/buf.h"
#include "deliver/report_form.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <dirent.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>


enum { ROOM = 24 * 1024 * 1024, MIB = 1024 * 1024 };

static int message;
static uint64_t message_n;
static char *room;

static int
begin(void **state)
{
	(void)state;
	message = memfd_create("message", MFD_CLOEXEC);
	message_n = 0;
	room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return message < 0 || room == MAP_FAILED ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	close(message);
	(void)munmap(room, ROOM);
	return 0;
}

static void
put(const void *p, size_t n)
{
	assert_int_equal(pwrite(message, p, n, (off_t)message_n), (ssize_t)n);
	message_n += n;
}

static void
put_text(const char *text)
{
	put(text, strlen(text));
}

static struct porter_reply
ask(void)
{
	struct porter_reply reply;

	report_child_run(message, message_n, &reply);
	assert_true(reply.length <= sizeof reply.text);
	return reply;
}

static void
answer_is(enum porter_end want, const char *words)
{
	struct porter_reply r = ask();
	struct str text = { r.text, r.length };

	if (r.end != want || str_find_str(text, str_of(words)) == text.n)
		if (r.end != want || words[0] != '\0')
			fail_msg("%u "STR_FMT", not %u %s", r.end,
			    STR_ARG(text), want, words);
}

/* ---- reports ---- */

#define XML "Content-Type: text/xml\r\n\r\n"
#define HEAD "<feedback><report_metadata><org_name>o\xc2\x85</org_name>" \
	"<report_id>1</report_id><date_range><begin>1</begin><end>2</end>" \
	"</date_range></report_metadata><policy_published>" \
	"<domain>Example.com</domain><p>reject</p></policy_published>"
#define RECORD "<record><row><source_ip>192.0.2.1</source_ip>" \
	"<count>3</count></row></record>"

static struct str
form_of(const struct porter_reply *r)
{
	assert_int_equal(r->end, PORTER_REPORT);
	assert_int_equal(pread(message, room, r->form, (off_t)message_n),
	    (ssize_t)r->form);
	return (struct str){ room, r->form };
}

static void
rows_come_back(void **state)
{
	struct porter_reply r;
	struct report_row row;
	enum report_rows which;
	struct str form;

	(void)state;
	put_text(XML HEAD RECORD RECORD "</feedback>");
	r = ask();
	form = form_of(&r);
	assert_int_equal(r.status, REPORT_OF_DMARC);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(report_form_next(&form, &which, &row), 1);
		assert_int_equal(which, REPORT_ROWS_DMARC);
		assert_true(str_eq(row.v[REPORT_DMARC_source].text,
		    STR("192.0.2.1")));
		assert_int_equal(row.v[REPORT_DMARC_count].number, 3);
	}
	assert_int_equal(report_form_next(&form, &which, &row), 1);
	assert_int_equal(which, REPORT_HEADS);
	assert_true(str_eq(row.v[REPORT_HEAD_domain].text,
	    STR("example.com")));
	assert_true(str_eq(row.v[REPORT_HEAD_organization].text, STR("o ")));
	assert_true(str_eq(row.v[REPORT_HEAD_policy].text, STR("p=reject")));
	assert_int_equal(report_form_next(&form, &which, &row), 0);
}

/* As many as are read, whatever their texts are, or a refusal. */
static void
many_rows(void **state)
{
	struct porter_reply r;
	struct str form;
	struct report_row row;
	enum report_rows which;
	size_t n = 0;

	(void)state;
	put_text(XML HEAD);
	for (int i = 0; i < DMARC_READ_RECORDS; i++)
		put_text(RECORD);
	put_text("</feedback>");
	r = ask();
	form = form_of(&r);
	while (report_form_next(&form, &which, &row) == 1)
		n += which == REPORT_ROWS_DMARC;
	assert_int_equal(n, DMARC_READ_RECORDS);
	assert_int_equal(form.n, 0);
}

static void
answers(void **state)
{
	static const struct { const char *text; enum porter_end end;
		const char *words; } rows[] = {
		{ "Subject: Hello\r\n\r\nHow are you?\r\n", PORTER_NO_REPORT,
		    "" },
		{ "", PORTER_NO_REPORT, "" },
		{ XML "<feedback>", PORTER_REFUSED, "no XML" },
		{ XML "<!DOCTYPE feedback [<!ENTITY a SYSTEM '/etc/passwd'>]>"
		    "<feedback>&a;</feedback>", PORTER_REFUSED, "document type" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(state);
		put_text(rows[i].text);
		answer_is(rows[i].end, rows[i].words);
		end(state);
	}
	begin(state);
}

/* ---- bombs ---- */

static size_t
packed(struct str in, int bits)
{
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)in.p,
		.avail_in = (uInt)in.n,
		.next_out = (unsigned char *)room + ROOM / 2,
		.avail_out = ROOM / 2 };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 9,
	    Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

#define GZIP "Content-Type: application/gzip\r\n" \
	"Content-Transfer-Encoding: binary\r\n\r\n"

/* 10 GiB of spaces, in members of ten MiB. */
static void
gzip_bomb(void)
{
	size_t n;

	memset(room, ' ', 10 * MIB);
	n = packed((struct str){ room, 10 * MIB }, 31);
	put_text(GZIP);
	for (int i = 0; i < 1024; i++)
		put(room + ROOM / 2, n);
}

/* As 42.zip: a zip in a zip. */
static void
zip_bomb(void)
{
	char head[64];
	struct buf b = BUF_OF(head);

	put_text(GZIP);
	buf_put(&b, STR("PK\3\4\24\0\0\0\0\0\0\0\0\0"));
	buf_le32(&b, 0);
	buf_le32(&b, 40);
	buf_le32(&b, 40);
	buf_le16(&b, 5);
	buf_le16(&b, 0);
	buf_put(&b, STR("1.zip"));
	put(b.p, b.n);
	put(b.p, b.n);
	put_text("PK\1\2 and so on, and so on, and so on, and so on");
}

static void
deep_xml(void)
{
	put_text(XML "<feedback>");
	memset(room, 0, 64);
	for (int i = 0; i < MIB; i++)
		memcpy(room + 3 * i, "<a>", 3);
	put(room, 3 * MIB);
}

static void
wide_xml(void)
{
	put_text(XML "<feedback ");
	for (int i = 0; i < MIB; i++)
		memcpy(room + 5 * i, "a='' ", 5);
	put(room, 5 * MIB);
}

static void
long_token(void)
{
	put_text(XML "<feedback><!--");
	memset(room, 'x', 9 * MIB);
	put(room, 9 * MIB);
}

static void
laughs(void)
{
	char line[80];

	put_text(XML "<!DOCTYPE feedback [<!ENTITY a0 'ha'>");
	for (int i = 1; i < 100; i++) {
		snprintf(line, sizeof line, "<!ENTITY a%d '&a%d;&a%d;'>", i,
		    i - 1, i - 1);
		put_text(line);
	}
	put_text("]><feedback>&a99;</feedback>");
}

#define JSON "Content-Type: application/tlsrpt+json\r\n\r\n"

static void
deep_json(void)
{
	put_text(JSON "{\"a\":");
	memset(room, '[', 2 * MIB - 100);
	put(room, 2 * MIB - 100);
}

static void
wide_json(void)
{
	put_text(JSON "{\"policies\":[");
	for (int i = 0; i < 49000; i++)
		put_text("{},");
	put_text("{}]}");
}

static void
many_parts(void)
{
	put_text("Content-Type: multipart/mixed; boundary=x\r\n\r\n");
	for (int i = 0; i < 20000; i++)
		put_text("--x\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\r\n");
}

/* Enough to see what one costs: the processor's time and the most memory of any
 * child so far. */
static void
bombs(void **state)
{
	static const struct { const char *name; void (*make)(void);
		enum porter_end end; const char *words; } rows[] = {
		{ "gzip", gzip_bomb, PORTER_REFUSED, "bomb" },
		{ "zip", zip_bomb, PORTER_REFUSED, "within an archive" },
		{ "deep XML", deep_xml, PORTER_REFUSED, "too deep" },
		{ "wide XML", wide_xml, PORTER_REFUSED, "too long" },
		{ "long token", long_token, PORTER_REFUSED, "too long" },
		{ "laughs", laughs, PORTER_REFUSED, "document type" },
		{ "deep JSON", deep_json, PORTER_REFUSED, "too deep" },
		{ "wide JSON", wide_json, PORTER_REFUSED, "" },
		{ "parts", many_parts, PORTER_REFUSED, "" },
	};
	struct rusage was, is;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double seconds;

		end(state);
		begin(state);
		rows[i].make();
		/* Not what the child inherits. */
		(void)madvise(room, ROOM, MADV_DONTNEED);
		getrusage(RUSAGE_CHILDREN, &was);
		answer_is(rows[i].end, rows[i].words);
		getrusage(RUSAGE_CHILDREN, &is);
		seconds = (double)(is.ru_utime.tv_sec - was.ru_utime.tv_sec) +
		    (double)(is.ru_utime.tv_usec - was.ru_utime.tv_usec) / 1e6;
		print_message("%s: %.3f s, %ld KiB\n", rows[i].name, seconds,
		    is.ru_maxrss);
		assert_true(seconds <= 1.0);
#ifndef __SANITIZE_ADDRESS__
		assert_true(is.ru_maxrss <= 32 * 1024);
#endif
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_come_back, begin, end),
		cmocka_unit_test_setup_teardown(many_rows, begin, end),
		cmocka_unit_test_setup_teardown(answers, begin, end),
		cmocka_unit_test_setup_teardown(bombs, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
