#include "wire/tls_rpt.h"

#include "base/must.h"

static const struct str types[] = {
	[TLS_RPT_NO_POLICY] = STR_INIT("no-policy-found"),
	[TLS_RPT_STS] = STR_INIT("sts"),
	[TLS_RPT_TLSA] = STR_INIT("tlsa"),
};

const char *
tls_rpt_type_name(enum tls_rpt_type t)
{
	must(t <= TLS_RPT_TLSA);
	return types[t].p;
}

bool
tls_rpt_type_of(struct str name, enum tls_rpt_type *t)
{
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
		if (str_eq_icase(name, types[i])) {
			*t = (enum tls_rpt_type)i;
			return true;
		}
	return false;
}

/* RFC 8460 4.4: date-time is RFC 3339's; of whole seconds. */
static void
instant_put(struct json *j, const char *key, struct wall w)
{
	struct wall_text told = wall_print(w);
	struct str text = str_of(told.text), seconds;
	char room[32];
	struct buf b = BUF_OF(room);

	seconds = str_cut(&text, '.');
	buf_put(&b, seconds);
	buf_putc(&b, 'Z');
	json_put_str(j, key, buf_str(&b));
}

void
tls_rpt_begin(struct tls_rpt_writer *w, struct buf *out,
    const struct tls_rpt *r)
{
	struct json *j = &w->json;

	*w = (struct tls_rpt_writer){ .has_failure = false };
	json_begin(j, out);
	json_put_object(j, NULL);
	json_put_str(j, "organization-name", r->organization);
	json_put_object(j, "date-range");
	instant_put(j, "start-datetime", r->begin);
	instant_put(j, "end-datetime", r->end);
	json_end_object(j);
	json_put_str(j, "contact-info", r->contact);
	json_put_str(j, "report-id", r->report_id);
	json_put_array(j, "policies");
}

static void
strings_put(struct json *j, const char *key, const struct str *s, size_t n)
{
	if (n == 0)
		return;
	json_put_array(j, key);
	for (size_t i = 0; i < n; i++)
		json_put_str(j, NULL, s[i]);
	json_end_array(j);
}

void
tls_rpt_policy(struct tls_rpt_writer *w, const struct tls_rpt_policy *p)
{
	struct json *j = &w->json;

	must(!w->has_failure);
	json_put_object(j, NULL);
	json_put_object(j, "policy");
	json_put_str(j, "policy-type", types[p->type]);
	strings_put(j, "policy-string", p->strings, p->n_strings);
	json_put_str(j, "policy-domain", p->domain);
	strings_put(j, "mx-host", p->mx_hosts, p->n_mx_hosts);
	json_end_object(j);
	json_put_object(j, "summary");
	json_put_u64(j, "total-successful-session-count", p->n_good);
	json_put_u64(j, "total-failure-session-count", p->n_failed);
	json_end_object(j);
}

static void
text_maybe(struct json *j, const char *key, struct str s)
{
	if (s.n > 0)
		json_put_str(j, key, s);
}

void
tls_rpt_failure(struct tls_rpt_writer *w, const struct tls_rpt_failure *f)
{
	struct json *j = &w->json;

	if (!w->has_failure)
		json_put_array(j, "failure-details");
	w->has_failure = true;
	json_put_object(j, NULL);
	json_put_str(j, "result-type", f->result);
	text_maybe(j, "sending-mta-ip", f->sending_ip);
	text_maybe(j, "receiving-mx-hostname", f->mx_host);
	text_maybe(j, "receiving-mx-helo", f->mx_helo);
	text_maybe(j, "receiving-ip", f->mx_ip);
	json_put_u64(j, "failed-session-count", f->count);
	text_maybe(j, "additional-information", f->information);
	text_maybe(j, "failure-reason-code", f->reason);
	json_end_object(j);
}

void
tls_rpt_policy_end(struct tls_rpt_writer *w)
{
	if (w->has_failure)
		json_end_array(&w->json);
	w->has_failure = false;
	json_end_object(&w->json);
}

void
tls_rpt_end(struct tls_rpt_writer *w)
{
	must(!w->has_failure);
	json_end_array(&w->json);
	json_end_object(&w->json);
	buf_putc(w->json.out, '\n');
}

/*
 * RFC 8460 3: tlsrpt-record = tlsrpt-version 1*(field-delim tlsrpt-field)
 * [field-delim]; fields that are not known are passed over.
 */
static bool
record_rua(struct str record, struct str *rua)
{
	*rua = STR_NONE;
	while (record.n > 0) {
		struct str field = str_trim_wsp(str_cut(&record, ';'));

		if (rua->p == NULL && str_skip(&field, STR("rua=")))
			*rua = str_trim_wsp(field);
	}
	return rua->n > 0;
}

/* Those that do not begin with "v=TLSRPTv1;" are discarded; when not one is
 * left, there is none. */
bool
tls_rpt_rua(const struct str *texts, size_t n, struct str *rua)
{
	struct str one = STR_NONE, rest, version;
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		rest = texts[i];
		version = str_cut(&rest, ';');
		if (!str_eq(str_trim_wsp(version), STR("v=TLSRPTv1")) ||
		    version.n == texts[i].n)
			continue;
		one = rest;
		found++;
	}
	*rua = STR_NONE;
	return found == 1 && record_rua(one, rua);
}
