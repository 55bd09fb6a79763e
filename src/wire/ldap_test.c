#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/ber.h"
#include "wire/ldap.h"

/* The shortest form of every length, so that what is expected can be read in
 * RFC 4511's own words. */
static void
shorten(struct str s, struct buf *out, unsigned depth)
{
	unsigned char tag;
	struct str content;
	char room[512];

	while (s.n > 0) {
		struct buf inner = BUF_OF(room);

		assert_true(ber_take(&s, &tag, &content));
		if ((tag & 0x20) != 0 && depth < 20) {
			shorten(content, &inner, depth + 1);
			content = buf_str(&inner);
		}
		assert_true(content.n < 128);
		buf_putc(out, (char)tag);
		buf_putc(out, (char)content.n);
		buf_put(out, content);
	}
}

static void
assert_octets(const struct buf *b, const char *octets, size_t n)
{
	char room[512];
	struct buf shorter = BUF_OF(room);

	assert_false(b->full);
	shorten(buf_str(b), &shorter, 0);
	assert_int_equal(shorter.n, n);
	assert_memory_equal(shorter.p, octets, n);
}

#define EXPECT(b, octets) assert_octets((b), "" octets, sizeof(octets) - 1)

static void
test_requests(void **state)
{
	char room[512];
	struct buf b = BUF_OF(room);
	const struct str names[] = { STR("mail"), STR("uid") };
	struct ldap_search s = { .base = STR("o=x"), .size_limit = 2,
		.time_limit = 10, .filter = STR("(uid=bob)"),
		.attributes = names, .n_attributes = 2 };

	(void)state;
	ldap_put_bind(&b, 1, STR("cn=a"), STR("pw"));
	EXPECT(&b, "\x30\x12\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04" "cn=a"
	    "\x80\x02" "pw");
	b.n = 0;
	ldap_put_start_tls(&b, 2);
	EXPECT(&b, "\x30\x1d\x02\x01\x02\x77\x18\x80\x16"
	    "1.3.6.1.4.1.1466.20037");
	b.n = 0;
	assert_true(ldap_put_search(&b, 5, &s));
	EXPECT(&b, "\x30\x32\x02\x01\x05\x63\x2d\x04\x03" "o=x"
	    "\x0a\x01\x02\x0a\x01\x00\x02\x01\x02\x02\x01\x0a\x01\x01\x00"
	    "\xa3\x0a\x04\x03" "uid\x04\x03" "bob"
	    "\x30\x0b\x04\x04" "mail\x04\x03uid");
	b.n = 0;
	s.filter = STR("(uid=");
	assert_false(ldap_put_search(&b, 5, &s));
}

/* RFC 4515 4, its examples. */
static void
test_filters(void **state)
{
	char room[512];
	struct buf b = BUF_OF(room);

	(void)state;
	assert_true(ldap_put_filter(&b, STR("(cn=Babs Jensen)")));
	EXPECT(&b, "\xa3\x11\x04\x02" "cn\x04\x0b" "Babs Jensen");
	b.n = 0;
	assert_true(ldap_put_filter(&b, STR("(!(cn=Tim Howes))")));
	EXPECT(&b, "\xa2\x11\xa3\x0f\x04\x02" "cn\x04\x09" "Tim Howes");
	b.n = 0;
	assert_true(ldap_put_filter(&b,
	    STR("(&(objectClass=Person)(|(sn=J)(cn=B*J*)))")));
	EXPECT(&b, "\xa0\x30\xa3\x15\x04\x0b" "objectClass\x04\x06" "Person"
	    "\xa1\x17\xa3\x07\x04\x02" "sn\x04\x01" "J"
	    "\xa4\x0c\x04\x02" "cn\x30\x06\x80\x01" "B\x81\x01" "J");
}

static void
test_filter_forms(void **state)
{
	static const struct { const char *text; bool is; } cases[] = {
		{ "(o=univ*of*mich*)", true },
		{ "(seeAlso=)", true },
		{ "(cn:caseExactMatch:=Fred Flintstone)", true },
		{ "(cn:=Betty Rubble)", true },
		{ "(sn:dn:2.4.6.8.10:=Barney Rubble)", true },
		{ "(o:dn:=Ace Industry)", true },
		{ "(:1.2.3:=Wilma Flintstone)", true },
		{ "(:DN:2.4.6.8.10:=Dino)", true },
		{ "(o=Parens R Us \\28for all your parenthetical needs\\29)",
		    true },
		{ "(cn=*\\2A*)", true },
		{ "(bin=\\00\\00\\00\\04)", true },
		{ "(sn=Lu\\c4\\8di\\c4\\87)", true },
		{ "(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)", true },
		{ "mail=bob", true },			/* as tools take it */
		{ "(&)", true },			/* RFC 4526 */
		{ "(|)", true },
		{ " (& (a=1) (b=2) ) ", true },
		{ "(a>=1)", true }, { "(a<=1)", true }, { "(a~=1)", true },
		{ "(mail=*)", true },
		{ "(a;lang-de=x)", true },
		{ "", false }, { "()", false }, { "(", false }, { ")", false },
		{ "(a=b", false }, { "a=b)", false }, { "(a=b))", false },
		{ "(a=b)(c=d)", false }, { "((a=b))", false },
		{ "(=b)", false }, { "(a b=c)", false }, { "(a=b(c)", false },
		{ "(!)", false }, { "(!(a=b)(c=d))", false },
		{ "(a=**)", false }, { "(a=\\2)", false },
		{ "(a=\\zz)", false }, { "(a>=b*c)", false },
		{ "(:=x)", false }, { "(&(a=b)", false }, { "(&a=b)", false },
	};
	char room[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf b = BUF_OF(room);

		if (ldap_put_filter(&b, str_of(cases[i].text)) != cases[i].is)
			fail_msg("%s", cases[i].text);
	}
}

static void
test_filter_depth(void **state)
{
	char text[200], room[1024];

	(void)state;
	for (size_t depth = LDAP_FILTER_DEPTH - 1; depth <=
	    LDAP_FILTER_DEPTH + 1; depth++) {
		struct buf t = BUF_OF(text), b = BUF_OF(room);

		for (size_t i = 0; i < depth; i++)
			buf_put(&t, STR("(!"));
		buf_put(&t, STR("(a=b)"));
		for (size_t i = 0; i < depth; i++)
			buf_putc(&t, ')');
		assert_int_equal(ldap_put_filter(&b, buf_str(&t)),
		    depth <= LDAP_FILTER_DEPTH);
	}
}

/* Whatever a user calls himself, it is one value and nothing else. */
static void
test_escapes(void **state)
{
	const struct str evil = STR("*)(uid=*))(|(a=\\\0\xc3\xa9");
	char filter[256], room[512];
	struct buf f = BUF_OF(filter), b = BUF_OF(room);
	struct str rest, content, name, value;

	(void)state;
	buf_put(&f, STR("(uid="));
	ldap_escape_filter(evil, &f);
	buf_putc(&f, ')');
	assert_true(ldap_put_filter(&b, buf_str(&f)));
	rest = buf_str(&b);
	assert_true(ber_take_tag(&rest, BER_CONTEXT_SET(3), &content));
	assert_int_equal(rest.n, 0);
	assert_true(ber_take_tag(&content, BER_OCTETS, &name));
	assert_true(ber_take_tag(&content, BER_OCTETS, &value));
	assert_true(str_eq(value, evil));
	f.n = 0;
	/* RFC 4514 4: the last example's name, and the special ones */
	ldap_escape_dn(STR(" #a,b+c\"d\\e<f>g;h=i "), &f);
	assert_true(str_eq(buf_str(&f), STR("\\20\\23a\\2cb\\2bc\\22d\\5ce\\3cf"
	    "\\3eg\\3bh\\3di\\20")));
}

#define READ(octets, m) \
	ldap_read((struct str){ "" octets, sizeof(octets) - 1 }, (m))

static void
test_answers(void **state)
{
	struct ldap_message m;
	struct str rest, name, values, value;

	(void)state;
	assert_true(READ("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\x00\x04"
	    "\x00", &m));
	assert_int_equal(m.kind, LDAP_BIND_RESPONSE);
	assert_int_equal(m.id, 1);
	assert_int_equal(m.code, LDAP_INVALID_CREDENTIALS);
	assert_string_equal(ldap_code_says(m.code), "invalid credentials");
	assert_null(ldap_code_says(4711));
	assert_true(READ("\x30\x1c\x02\x01\x02\x64\x17\x04\x03o=x\x30\x10"
	    "\x30\x0e\x04\x04mail\x31\x06\x04\x01" "a\x04\x01" "b", &m));
	assert_int_equal(m.kind, LDAP_SEARCH_ENTRY);
	assert_true(str_eq(m.dn, STR("o=x")));
	rest = m.attributes;
	assert_true(ldap_attribute(&rest, &name, &values));
	assert_true(str_eq(name, STR("mail")));
	assert_true(ldap_value(&values, &value) && str_eq(value, STR("a")));
	assert_true(ldap_value(&values, &value) && str_eq(value, STR("b")));
	assert_false(ldap_value(&values, &value));
	assert_false(ldap_attribute(&rest, &name, &values));
	/* with controls behind it */
	assert_true(READ("\x30\x0e\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04"
	    "\x00\xa0\x00", &m));
	assert_false(READ("", &m));
	assert_false(READ("\x30\x00", &m));
	assert_false(READ("\x30\x03\x02\x01\x01", &m));
	assert_false(READ("\x30\x05\x02\x01\x01\x61\x00", &m));
	/* something behind the message, and a kind that no server says */
	assert_false(READ("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\x00"
	    "\x04\x00\x00", &m));
	assert_false(READ("\x30\x05\x02\x01\x01\x60\x00", &m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_filter_forms),
		cmocka_unit_test(test_filter_depth),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
