#include "wire/tls_rpt_read.h"

#include "base/must.h"
#include "wire/json_shape.h"
#include "wire/timestamp.h"

#include <jansson.h>

struct reading {
	struct arena *arena;
	const struct tls_rpt_listener *listener;
	struct str strings[TLS_READ_LIST], mx_hosts[TLS_READ_LIST];
	size_t n_told;
	const char *why;
};

static int
read_fail(struct reading *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
	return -1;
}

/* Absent, or no string: none. */
static struct str
text_of(struct reading *r, const json_t *v)
{
	struct str s = STR_NONE;

	if (json_is_string(v))
		s = str_trim((struct str){ json_string_value(v),
		    json_string_length(v) });
	if (s.n > TLS_READ_TEXT)
		(void)read_fail(r, "a text of it is too long");
	return s;
}

static struct str
text_get(struct reading *r, const json_t *j, const char *name)
{
	return text_of(r, json_object_get(j, name));
}

static struct str
text_keep(struct reading *r, const json_t *j, const char *name)
{
	struct str s = arena_copy(r->arena, text_get(r, j, name));

	if (s.p == NULL)
		(void)read_fail(r, "its texts are too much");
	return s;
}

static uint64_t
count_get(struct reading *r, const json_t *j, const char *name)
{
	const json_t *v = json_object_get(j, name);
	json_int_t n = json_integer_value(v);

	if (v != NULL && (!json_is_integer(v) || n < 0 || n > UINT32_MAX))
		(void)read_fail(r, "a count of it is no number");
	return n < 0 ? 0 : (uint64_t)n;
}

/* RFC 8460's own example has a string where its text has an array. */
static size_t
list_get(struct reading *r, const json_t *j, const char *name,
    struct str list[TLS_READ_LIST])
{
	const json_t *v = json_object_get(j, name);
	size_t n = 0;

	if (json_is_string(v))
		list[n++] = text_of(r, v);
	for (size_t i = 0; i < json_array_size(v) && n < TLS_READ_LIST; i++) {
		struct str s = text_of(r, json_array_get(v, i));

		if (s.n > 0)
			list[n++] = s;
	}
	return n;
}

static int
reading_tell(struct reading *r, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *f)
{
	if (r->why != NULL)
		return -1;
	if (++r->n_told > TLS_READ_FAILURES)
		return read_fail(r, "it has more than 20,000 failures");
	if (r->listener->policy(r->listener->arg, p, f) != 0)
		return read_fail(r, "there is no room for so many failures");
	return 0;
}

static int
failure_read(struct reading *r, const struct tls_rpt_policy *p,
    const json_t *j)
{
	struct tls_rpt_failure f = {
		.result = text_get(r, j, "result-type"),
		.sending_ip = text_get(r, j, "sending-mta-ip"),
		.mx_host = text_get(r, j, "receiving-mx-hostname"),
		.mx_helo = text_get(r, j, "receiving-mx-helo"),
		.mx_ip = text_get(r, j, "receiving-ip"),
		.information = text_get(r, j, "additional-information"),
		.reason = text_get(r, j, "failure-reason-code"),
		.count = count_get(r, j, "failed-session-count") };

	if (!json_is_object(j))
		return read_fail(r, "a failure of it is no object");
	return reading_tell(r, p, &f);
}

static int
policy_read(struct reading *r, const json_t *j)
{
	const json_t *policy = json_object_get(j, "policy");
	const json_t *summary = json_object_get(j, "summary");
	const json_t *details = json_object_get(j, "failure-details");
	struct tls_rpt_policy p = { .domain = text_get(r, policy,
	    "policy-domain"), .strings = r->strings, .mx_hosts = r->mx_hosts };

	if (!json_is_object(policy) || !json_is_object(summary))
		return read_fail(r, "a policy of it lacks itself or its summary");
	if (!tls_rpt_type_of(text_get(r, policy, "policy-type"), &p.type))
		p.type = TLS_RPT_NO_POLICY;
	p.n_strings = list_get(r, policy, "policy-string", r->strings);
	p.n_mx_hosts = list_get(r, policy, "mx-host", r->mx_hosts);
	p.n_good = count_get(r, summary, "total-successful-session-count");
	p.n_failed = count_get(r, summary, "total-failure-session-count");
	if (reading_tell(r, &p, NULL) != 0)
		return -1;
	for (size_t i = 0; i < json_array_size(details); i++)
		if (failure_read(r, &p, json_array_get(details, i)) != 0)
			return -1;
	return 0;
}

static int
report_read(struct reading *r, const json_t *j, struct tls_rpt *out)
{
	const json_t *range = json_object_get(j, "date-range");
	const json_t *policies = json_object_get(j, "policies");

	*out = (struct tls_rpt){
		.organization = text_keep(r, j, "organization-name"),
		.contact = text_keep(r, j, "contact-info"),
		.report_id = text_keep(r, j, "report-id") };
	if (r->why != NULL)
		return -1;
	if (!json_is_array(policies))
		return read_fail(r, "it is no report of TLS: it has no "
		    "\"policies\"");
	if ((out->organization.n == 0 && out->contact.n == 0) ||
	    out->report_id.n == 0 ||
	    !timestamp_read(text_get(r, range, "start-datetime"), &out->begin) ||
	    !timestamp_read(text_get(r, range, "end-datetime"), &out->end))
		return read_fail(r, "it lacks who reports, its report-id or its "
		    "period");
	for (size_t i = 0; i < json_array_size(policies); i++)
		if (policy_read(r, json_array_get(policies, i)) != 0)
			return -1;
	return 0;
}

static json_t *
text_load(struct reading *r, struct str text)
{
	struct json_shape shape = json_shape(text);
	json_error_t e;
	json_t *j = NULL;

	if (text.n > TLS_READ_OCTETS)
		(void)read_fail(r, "it is more than 2 MiB");
	else if (shape.depth > TLS_READ_DEPTH)
		(void)read_fail(r, "its brackets are nested too deep");
	else if (shape.values > TLS_READ_VALUES)
		(void)read_fail(r, "it has more than 100,000 values");
	else if ((j = json_loadb(text.n == 0 ? "" : text.p, text.n,
	    JSON_REJECT_DUPLICATES, &e)) == NULL)
		(void)read_fail(r, "it is no JSON");
	return j;
}

int
tls_rpt_read(struct str text, struct arena *a,
    const struct tls_rpt_listener *listener, struct tls_rpt *out,
    const char **why)
{
	struct reading *r = arena_new(a, struct reading);
	json_t *j;
	int rc = -1;

	if (r == NULL) {
		*why = "no memory";
		return -1;
	}
	r->arena = a;
	r->listener = listener;
	j = text_load(r, text);
	if (j != NULL)
		rc = report_read(r, j, out);
	json_decref(j);
	*why = r->why;
	must(rc == 0 || r->why != NULL);
	return rc == 0 && r->why == NULL ? 0 : -1;
}
