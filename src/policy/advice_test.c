#include "policy/advice.h"
#include "policy/test_conf.h"

/* Allowed, but not without a word.  All that is said, in order. */
static const struct { const char *yaml, *says; } cases[] = {
	{ "admin: alice\nhostname: mx.example.org\n", "" },
	{ "", "0:0+0 hint: admin is not set: mail for postmaster is kept in "
	    "/var/lib/nightmail/admin unless a user or alias has that name\n" },
	{ "admin: a\nhostname: mx\n", "2:1+8 hint: hostname 'mx' has no dot: "
	    "other servers will not take it for a name\n" },
	{ "admin: a\ntrusted: [ 10.0.0.0/7, 0.0.0.0/8, '2000::/15' ]\n",
	    "2:1+7 warning: '10.0.0.0/7' is very wide: whoever is in it may "
	    "send to anybody\n"
	    "2:1+7 warning: '2000::/15' is very wide: whoever is in it may "
	    "send to anybody\n" },
	{ "admin: a\nlisten: []\n", "2:1+6 warning: there is no listener: no "
	    "mail comes in by SMTP\n" },
	{ "admin: a\nlisten:\n  - { port: 587, role: submission }\n",
	    "3:5+1 hint: this machine may use this listener, and users of the "
	    "database; 'nightmail user add' makes them\n" },
	{ "admin: a\nauth: { database: off }\nlisten:\n"
	    "  - { port: 587, role: submission }\n",
	    "4:5+1 hint: only trusted networks may use this listener, and "
	    "those are this machine alone\n" },
	{ "admin: a\nlisten:\n  - { port: 25, role: relay }\n",
	    "3:5+1 hint: only trusted networks may use this listener, and "
	    "those are this machine alone\n" },
	{ "admin: a\ndomains: { x.example: { users: [ a ] } }\naccounts:\n"
	    "  a@x.example: {}\n  b@y.example: {}\n  c: { from: [ '*' ] }\n"
	    "  d: { from: [] }\n",
	    "5:3+11 hint: 'b@y.example' is no address of an own domain: unless "
	    "its source says more, it may send as nobody without 'from'\n"
	    "6:8+4 hint: this account may send as anybody\n" },
	{ "admin: a\naccounts:\n  '*': { from: '*' }\n  b: {}\n",
	    "3:10+4 warning: every account may send as anybody: who steals one "
	    "password writes in everybody's name\n" },
	{ "admin: a\nlisten:\n  - { port: 587, role: submission, address: "
	    "127.0.0.1 }\n  - { port: 25 }\n", "" },
	{ "admin: a\ntrusted: [ 10.0.0.0/8 ]\nlisten:\n"
	    "  - { port: 587, role: submission }\n", "" },
	{ "admin: a\ndomains:\n  x.example: {}\n  y.example: { users: [] }\n"
	    "  z.example:\n",
	    "3:3+9 warning: nobody has a mailbox in x.example: it has no "
	    "users, aliases, catch_all or relay_to\n"
	    "5:3+9 warning: nobody has a mailbox in z.example: it has no "
	    "users, aliases, catch_all or relay_to\n" },
	{ "admin: a\ndomains:\n  x.example: { users: [ a ], aliases: /al }\n",
	    "/al:1:1+0 warning: alias 'one' leads to 'gone', and nobody in "
	    "x.example has that name\n"
	    "/al:3:1+0 warning: alias 'two' leads to 'b@x.example', and "
	    "nobody in x.example has that name\n" },
	{ "admin: a\ndomains: { x.example: { users: [ a ] } }\nroute:\n"
	    "  - { if: { rcpt_domain: x.example }, relay: mx }\n"
	    "  - { relay: mx }\n  - { if: { rcpt_domain: y }, relay: mx }\n",
	    "4:5+1 warning: 'x.example' is an own domain and asks no route; "
	    "use its relay_to\n"
	    "6:5+1 warning: this route is never reached: the one in line 5 "
	    "matches always\n" },
	{ "admin: a\nlimits: { recipients: 99 }\n", "2:11+10 warning: RFC 5321 "
	    "4.5.3.1.8 wants 100 recipients at least\n" },
	{ "admin: a\nlimits: { recipients: 100 }\n", "" },
	{ "admin: a\noutbound: { expire: 95h, port: 2525 }\n",
	    "2:13+6 hint: RFC 5321 4.5.4.1 wants 4 to 5 days at least\n"
	    "2:26+4 hint: MX hosts listen on port 25\n" },
	{ "admin: a\ndns: { zone: /zone }\n",
	    "2:8+4 warning: this file stands in for the whole DNS\n" },
	{ "admin: a\ndomains: { x.example: { users: file:/hashed } }\n",
	    "/hashed:2:1+0 warning: everybody on this machine may read the "
	    "password hashes in this file\n" },
};

static enum source_status (*read_plainly)(struct conf_source *, struct str,
    struct arena *, struct source_file *);

static enum source_status
read_openly(struct conf_source *s, struct str path, struct arena *a,
    struct source_file *out)
{
	enum source_status status = read_plainly(s, path, a, out);

	out->is_world_readable = true;
	return status;
}

static void
test_has_a_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *c;

		conf_begin();
		conf_file("/zone", "");
		conf_file("/hashed", "a:x:1\nb:{BLF-CRYPT}"
		    "$2b$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGes"
		    "J9O\nc:{SSHA256}5Xz1RftiibK44CwdFFOVz/ztH2By1r3TR/rSOjLsM"
		    "SZOYUNs\n");
		read_plainly = conf_machine.source.read;
		conf_machine.source.read = read_openly;
		conf_file("/al", "one: gone, a\nfine: a, x@far.example\n"
		    "two: b@x.example\nthree: postmaster, fine\n");
		c = conf_try(cases[i].yaml);
		if (strcmp(conf_said(false), cases[i].says) != 0)
			fail_msg("of this:\n%s\nit said:\n%sinstead of:\n%s",
			    cases[i].yaml, conf_said(false), cases[i].says);
		assert_non_null(c);
		config_free(c);
		conf_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_has_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
