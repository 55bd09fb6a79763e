#include "wire/report_mail.h"

#include "base/must.h"
#include "wire/date.h"

#include <stdio.h>
#include <time.h>

enum { DOMAIN_MOST = 253, DAY_ROOM = 16 };

static void
put_line(struct buf *out, const char *line)
{
	buf_put(out, str_of(line));
	buf_put(out, STR("\r\n"));
}

/* RFC 6376 2.4 (domain-name), with the underscores that people have. */
bool
report_domain_fits(struct str s)
{
	if (s.n == 0 || s.n > DOMAIN_MOST || s.p[0] == '.' ||
	    s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '_' && (s.p[i] != '.' || s.p[i - 1] == '.'))
			return false;
	return true;
}

/* RFC 9990 3.5.2: filename = receiver "!" policy-domain "!" begin-timestamp "!"
 * end-timestamp [ "!" unique-id ] "." extension; RFC 8460 5.1 the same. */
static void
report_file_name(struct buf *out, const struct report_mail *m)
{
	buf_printf(out, STR_FMT "!" STR_FMT "!%lld!%lld.%s",
	    STR_ARG(m->submitter), STR_ARG(m->domain), (long long)m->begin,
	    (long long)m->end, m->kind == REPORT_OF_DMARC ? "xml.gz" :
	    "json.gz");
}

/* A name that needs more than quotes is left away. */
static void
from_put(struct buf *out, const struct report_mail *m)
{
	buf_put(out, STR("From: "));
	if (m->organization.n > 0 && str_is_printable(m->organization)) {
		buf_putc(out, '"');
		for (size_t i = 0; i < m->organization.n; i++) {
			char c = m->organization.p[i];

			if (c == '"' || c == '\\')
				buf_putc(out, '\\');
			buf_putc(out, c);
		}
		buf_put(out, STR("\"\r\n "));
	}
	buf_printf(out, "<" STR_FMT ">\r\n", STR_ARG(m->from));
}

static void
to_put(struct buf *out, const struct report_mail *m)
{
	must(m->n_to > 0 && m->n_to <= REPORT_MAIL_TO);
	for (size_t i = 0; i < m->n_to; i++)
		buf_printf(out, "%s<" STR_FMT ">%s\r\n", i == 0 ? "To: " : " ",
		    STR_ARG(m->to[i]), i + 1 < m->n_to ? "," : "");
}

/*
 * RFC 9990 3.5.2: dmarc-subject = %s"Report" 1*FWS %s"Domain:" 1*FWS domain-name
 * 1*FWS %s"Submitter:" 1*FWS domain-name 1*FWS [ %s"Report-ID:" 1*FWS ridtxt ];
 * RFC 8460 5.3 has the same words, and its id within "<" and ">".
 */
static void
subject_put(struct buf *out, const struct report_mail *m)
{
	buf_printf(out, "Subject: Report Domain: " STR_FMT "\r\n"
	    " Submitter: " STR_FMT "\r\n Report-ID: <" STR_FMT ">\r\n",
	    STR_ARG(m->domain), STR_ARG(m->submitter), STR_ARG(m->report_id));
}

static void
fields_put(struct buf *out, const struct report_mail *m)
{
	struct date_text date = date_print(m->now, m->zone);

	from_put(out, m);
	to_put(out, m);
	subject_put(out, m);
	buf_printf(out, "Date: %s\r\n", date.text);
	/* RFC 9990 3.5.2: the same id tells a copy from another report */
	buf_printf(out, "Message-ID: <" STR_FMT ">\r\n",
	    STR_ARG(m->report_id));
	put_line(out, "Auto-Submitted: auto-generated");
	if (m->kind == REPORT_OF_TLS) {
		buf_printf(out, "TLS-Report-Domain: " STR_FMT "\r\n",
		    STR_ARG(m->domain));
		buf_printf(out, "TLS-Report-Submitter: " STR_FMT "\r\n",
		    STR_ARG(m->submitter));
		/* RFC 8460 3: delivered despite any trouble with TLS */
		put_line(out, "TLS-Required: No");
	}
	put_line(out, "MIME-Version: 1.0");
	buf_printf(out, "Content-Type: %s;\r\n boundary=\"" STR_FMT "\"\r\n\r\n",
	    m->kind == REPORT_OF_DMARC ? "multipart/mixed" :
	    "multipart/report; report-type=\"tlsrpt\"", STR_ARG(m->boundary));
}

static void
day_put(struct buf *out, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char day[DAY_ROOM];
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL &&
	    strftime(day, sizeof day, "%Y-%m-%d", &tm) > 0)
		buf_put(out, str_of(day));
}

/* The part for people. */
static void
words_put(struct buf *out, const struct report_mail *m)
{
	buf_printf(out, "--" STR_FMT "\r\n", STR_ARG(m->boundary));
	put_line(out, "Content-Type: text/plain; charset=us-ascii\r\n");
	if (m->kind == REPORT_OF_DMARC)
		buf_printf(out, "This is an aggregate report of DMARC: what "
		    "came of mail from\r\n" STR_FMT "\r\nat the servers of\r\n"
		    STR_FMT "\r\n", STR_ARG(m->domain), STR_ARG(m->submitter));
	else
		buf_printf(out, "This is an aggregate report of TLS: how "
		    "connections to the servers of\r\n" STR_FMT "\r\nwere, "
		    "made by those of\r\n" STR_FMT "\r\n", STR_ARG(m->domain),
		    STR_ARG(m->submitter));
	buf_put(out, STR("on "));
	day_put(out, m->begin);
	buf_printf(out, " (UTC).  The DNS asks for it at\r\n%s" STR_FMT ".\r\n",
	    m->kind == REPORT_OF_DMARC ? "_dmarc." : "_smtp._tls.",
	    STR_ARG(m->domain));
}

void
report_mail_head(struct buf *out, const struct report_mail *m)
{
	must(report_domain_fits(m->domain) && report_domain_fits(m->submitter));
	fields_put(out, m);
	words_put(out, m);
	buf_printf(out, "\r\n--" STR_FMT "\r\n", STR_ARG(m->boundary));
	buf_printf(out, "Content-Type: application/%s;\r\n name=\"",
	    m->kind == REPORT_OF_DMARC ? "gzip" : "tlsrpt+gzip");
	report_file_name(out, m);
	put_line(out, "\"\r\nContent-Transfer-Encoding: base64");
	buf_put(out, STR("Content-Disposition: attachment;\r\n filename=\""));
	report_file_name(out, m);
	put_line(out, "\"\r\n");
}

bool
report_mail_octets(struct base64_writer *w, struct str *octets, struct buf *out)
{
	return base64_put(w, octets, out);
}

void
report_mail_end(struct base64_writer *w, struct buf *out,
    const struct report_mail *m)
{
	must(base64_end(w, out));
	buf_printf(out, "--" STR_FMT "--\r\n", STR_ARG(m->boundary));
}
