#include "fiber/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct {
	const char *text, *printed;	/* NULL: refused */
	enum address_family family;
} addresses[] = {
	{ "192.0.2.1", "192.0.2.1", ADDRESS_V4 },
	{ "0.0.0.0", "0.0.0.0", ADDRESS_V4 },
	{ "255.255.255.255", "255.255.255.255", ADDRESS_V4 },
	{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1", ADDRESS_V6 },
	{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", ADDRESS_V6 },
	{ "::", "::", ADDRESS_V6 },
	{ "::ffff:192.0.2.7", "192.0.2.7", ADDRESS_V4 },
	{ "::FFFF:c000:0207", "192.0.2.7", ADDRESS_V4 },
	{ "", NULL, ADDRESS_NONE },
	{ "192.0.2", NULL, ADDRESS_NONE },
	{ "192.0.2.256", NULL, ADDRESS_NONE },
	{ "192.0.2.1 ", NULL, ADDRESS_NONE },
	{ " 192.0.2.1", NULL, ADDRESS_NONE },
	{ "192.0.2.01.1", NULL, ADDRESS_NONE },
	{ "0x7f000001", NULL, ADDRESS_NONE },
	{ "2001:db8::1%lo", NULL, ADDRESS_NONE },
	{ "[::1]", NULL, ADDRESS_NONE },
	{ "1:2:3:4:5:6:7:8:9", NULL, ADDRESS_NONE },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL,
	    ADDRESS_NONE },
};

static void
test_parse(void **state)
{
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		bool ok = address_parse(str_of(addresses[i].text), 25, &a);

		assert_int_equal(ok, addresses[i].printed != NULL);
		assert_int_equal(a.family, addresses[i].family);
		if (!ok)
			continue;
		assert_int_equal(a.port, 25);
		assert_string_equal(address_print(&a).text,
		    addresses[i].printed);
	}
	assert_false(address_parse(((struct str){ "1.2.3.4\0x", 9 }), 0, &a));
	a = (struct address){ .family = ADDRESS_UNIX, .of.path = "/run/x" };
	assert_string_equal(address_print(&a).text, "/run/x");
}

static struct address
ip(const char *text)
{
	struct address a;

	assert_true(address_parse(str_of(text), 7, &a));
	return a;
}

static void
test_compare(void **state)
{
	struct address a = ip("192.0.2.1"), b = ip("192.0.2.1"),
	    c = ip("::c000:201"), d = ip("::1"), e = ip("127.9.9.9"),
	    none = { .family = ADDRESS_NONE };

	(void)state;
	b.port = 99;
	assert_true(address_eq_ip(&a, &b));
	assert_false(address_eq_ip(&a, &c));
	assert_false(address_eq_ip(&none, &none));
	assert_true(address_is_loopback(&d));
	assert_true(address_is_loopback(&e));
	assert_false(address_is_loopback(&a));
	assert_false(address_is_loopback(&none));
}

static const struct {
	const char *network, *in, *out;	/* in and out NULL: refused */
} networks[] = {
	{ "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
	{ "192.0.2.128/25", "192.0.2.128", "192.0.2.127" },
	{ "192.0.2.1", "192.0.2.1", "192.0.2.2" },
	{ "192.0.2.1/32", "192.0.2.1", "192.0.2.0" },
	{ "0.0.0.0/0", "203.0.113.9", "::1" },
	{ "10.0.0.0/8", "::ffff:10.1.2.3", "11.0.0.0" },
	{ "2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::" },
	{ "::/0", "2001:db8::1", "192.0.2.1" },
	{ "192.0.2.1/24", NULL, NULL },
	{ "192.0.2.0/33", NULL, NULL },
	{ "192.0.2.0/", NULL, NULL },
	{ "192.0.2.0/-1", NULL, NULL },
	{ "192.0.2.0/24/8", NULL, NULL },
	{ "2001:db8::/129", NULL, NULL },
	{ "/24", NULL, NULL },
	{ "", NULL, NULL },
};

static void
test_networks(void **state)
{
	struct network n;
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
		bool ok = network_parse(str_of(networks[i].network), &n);

		assert_int_equal(ok, networks[i].in != NULL);
		if (!ok)
			continue;
		a = ip(networks[i].in);
		assert_true(network_has(&n, &a));
		a = ip(networks[i].out);
		assert_false(network_has(&n, &a));
	}
}

static void
test_client_network(void **state)
{
	struct address a = ip("192.0.2.77"), b = ip("2001:db8:1:2:3:4:5:6");

	(void)state;
	a = address_network(&a);
	b = address_network(&b);
	assert_string_equal(address_print(&a).text, "192.0.2.0");
	assert_string_equal(address_print(&b).text, "2001:db8:1:2::");
	assert_int_equal(a.port, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_client_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
