#include "deliver/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const struct {
	enum disposition disposition;
	short code;
	struct esc esc;
	const char *text;
	enum pace_said said;
} cases[] = {
	{ DEFERRED, 421, { 4, 7, 28 }, "Our system has detected an unusual "
	    "amount of unsolicited mail", PACE_SLOWER },
	{ DEFERRED, 421, { 4, 7, 0 }, "[TSS04] Messages from 192.0.2.1 "
	    "temporarily deferred due to unexpected volume or user complaints",
	    PACE_SLOWER },
	{ DEFERRED, 451, { 4, 7, 500 }, "Server busy. Please try again later",
	    PACE_SLOWER },
	{ DEFERRED, 450, { 4, 7, 1 }, "Error: too much mail from 192.0.2.1",
	    PACE_SLOWER },
	{ DEFERRED, 421, { 4, 7, 0 }, "mx1 Error: too many connections from "
	    "192.0.2.1", PACE_NARROWER },
	{ DEFERRED, 421, { 0, 0, 0 }, "Too many concurrent SMTP connections; "
	    "please try again later.", PACE_NARROWER },
	{ DEFERRED, 451, { 4, 7, 1 }, "Greylisting in action, rate limit of "
	    "new senders", PACE_ANSWERED },
	{ DEFERRED, 450, { 4, 2, 1 }, "The user you are trying to contact is "
	    "receiving mail at a rate that prevents ...", PACE_ANSWERED },
	{ DEFERRED, 452, { 4, 2, 2 }, "mailbox full", PACE_ANSWERED },
	{ DEFERRED, 451, { 4, 3, 0 }, "local error", PACE_ANSWERED },
	{ DEFERRED, 421, { 4, 3, 2 }, "shutting down", PACE_ANSWERED },
	{ DEFERRED, 550, { 5, 7, 1 }, "rate limit", PACE_ANSWERED },
	{ FAILED, 550, { 5, 7, 1 }, "rate limit exceeded", PACE_ANSWERED },
	{ DEFERRED, 0, { 4, 4, 2 }, "lost connection: rate limit", PACE_LOST },
	{ DELIVERED, 250, { 2, 0, 0 }, "rate limit", PACE_ANSWERED },
	{ DELIVERED, 0, { 0, 0, 0 }, "", PACE_ANSWERED },
};

static void
test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct verdict v = verdict_of(cases[i].disposition,
		    cases[i].code, cases[i].esc, str_of(cases[i].text));

		if (throttle_of(&v) != cases[i].said)
			fail_msg("%d %s", cases[i].code, cases[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
