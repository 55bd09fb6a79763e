#include "app/report_control.h"
#include "fiber/fiber.h"
#include "wire/report_mail.h"

static yields int
reports_ask(void *arg, const struct control_report_ask *asked,
    yields int (*give)(void *to, struct str), void *to)
{
	struct report_post *posts = arg;
	struct report_ask ask = { .day = asked->day, .domain = asked->domain,
		.give = give, .to = to };

	switch (asked->verb) {
	case CONTROL_REPORT_LOOK:
		ask.verb = REPORT_ASK_LOOK;
		break;
	case CONTROL_REPORT_DOCUMENT:
		ask.verb = REPORT_ASK_DOCUMENT;
		break;
	case CONTROL_REPORT_SEND:
		ask.verb = REPORT_ASK_SEND;
		break;
	}
	return report_post_ask(&posts[asked->is_tls ? REPORT_OF_TLS :
	    REPORT_OF_DMARC], &ask);
}

struct control_reports
report_control(struct report_post *posts)
{
	return (struct control_reports){ reports_ask, posts };
}
