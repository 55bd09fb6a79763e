#include "trust/acme.h"

#include "base/err.h"
#include "base/json.h"
#include "base/must.h"
#include "trust/json_in.h"
#include "wire/base64url.h"
#include "wire/date.h"
#include "wire/timestamp.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { TEXT_MOST = 1024, URL_MOST = 2048, TOKEN_MOST = 256,
	PAUSE_FIRST_S = 60, DAY_S = 86400, RETRY_MOST_S = 7 * DAY_S };

/* ---- JSON ---- */

/* NULL and the trail; json_decref() it. */
static json_t *
object_read(struct str body)
{
	json_t *j = body.n <= ACME_BODY_MOST ? json_read(body) : NULL;

	if (j == NULL)
		err_set("the authority's answer is no object of JSON");
	return j;
}

/* What can stand in a header of ours (jws.h), too. */
static bool
url_is_sound(struct str s)
{
	struct str rest = s;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' ||
		    strchr("\"\\<>", s.p[i]) != NULL)
			return false;
	return str_skip(&rest, STR("https://")) && rest.n > 0 &&
	    s.n <= URL_MOST;
}

/* For people: cut, and what is not printable becomes a blank. */
static struct str
words_copy(struct arena *a, struct str s)
{
	struct str copy = arena_copy(a, str_sub(s, 0, TEXT_MOST));
	char *p = (char *)(uintptr_t)copy.p;	/* ours: the arena gave it */

	for (size_t i = 0; i < copy.n; i++)
		if (p[i] < ' ' || p[i] > '~')
			p[i] = ' ';
	return copy;
}

static int
url_take(const json_t *object, const char *key, bool is_needed,
    struct arena *a, struct str *out)
{
	struct str s = json_word(object, key);

	*out = STR("");
	if (s.p == NULL && !is_needed)
		return 0;
	if (!url_is_sound(s))
		return err_set("the authority tells no sound URL for %s", key);
	*out = arena_copy(a, s);
	return out->p != NULL ? 0 : err_set("no memory");
}

/* ---- directory (7.1.1) ---- */

static int
issuers_take(const json_t *meta, struct arena *a, struct acme_directory *d)
{
	const json_t *list = json_object_get(meta, "caaIdentities");

	d->n_issuers = 0;
	for (size_t i = 0; i < json_array_size(list) &&
	    d->n_issuers < ACME_ISSUERS_MOST; i++) {
		const json_t *v = json_array_get(list, i);
		struct str s = { json_string_value(v), json_string_length(v) };

		if (!json_is_string(v) || s.n == 0 || s.n > 253)
			return err_set("the authority's caaIdentities are no "
			    "names");
		d->issuers[d->n_issuers++] = words_copy(a, s);
	}
	return 0;
}

static int
directory_take(const json_t *j, struct arena *a, struct acme_directory *d)
{
	const json_t *meta = json_object_get(j, "meta");

	d->needs_binding = json_is_true(json_object_get(meta,
	    "externalAccountRequired"));
	d->terms = words_copy(a, json_word(meta, "termsOfService"));
	if (url_take(j, "newNonce", true, a, &d->new_nonce) != 0 ||
	    url_take(j, "newAccount", true, a, &d->new_account) != 0 ||
	    url_take(j, "newOrder", true, a, &d->new_order) != 0 ||
	    url_take(j, "revokeCert", true, a, &d->revoke) != 0 ||
	    url_take(j, "keyChange", true, a, &d->key_change) != 0 ||
	    url_take(j, "renewalInfo", false, a, &d->renewal) != 0)
		return -1;
	return issuers_take(meta, a, d);
}

int
acme_read_directory(struct str body, struct arena *a, struct acme_directory *d)
{
	json_t *j = object_read(body);
	int rc = j == NULL ? -1 : directory_take(j, a, d);

	json_decref(j);
	return rc == 0 ? 0 : err_add("the directory");
}

/* ---- problems (6.7) ---- */

static void
problem_take(const json_t *j, struct arena *a, struct acme_problem *p)
{
	struct str type = json_word(j, "type"), detail = json_word(j, "detail");

	*p = (struct acme_problem){ STR_NONE, STR("") };
	if (!json_is_object(j))
		return;
	if (!str_skip(&type, STR("urn:ietf:params:acme:error:")))
		type = STR("");
	p->type = words_copy(a, type);
	p->detail = words_copy(a, detail);
}

void
acme_read_problem(struct str body, struct arena *a, struct acme_problem *p)
{
	json_t *j = object_read(body);

	err_clear();
	problem_take(j, a, p);
	if (p->type.p == NULL)
		p->type = STR("");
	if (p->detail.n == 0 && j == NULL)
		p->detail = words_copy(a, body);
	json_decref(j);
}

const char *
acme_advice(struct str type)
{
	static const struct { struct str type; const char *advice; } rows[] = {
#define ADVICE(type, says) { STR_INIT(type), says },
#include "trust/acme_advice.def"
#undef ADVICE
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (str_eq(rows[i].type, type))
			return rows[i].advice;
	return NULL;
}

/* ---- orders and authorizations (7.1.3, 7.1.4) ---- */

static int
status_take(const json_t *j, enum acme_status *out)
{
	static const struct { struct str word; enum acme_status status; }
	    words[] = {
		{ STR_INIT("pending"), ACME_PENDING },
		{ STR_INIT("ready"), ACME_READY },
		{ STR_INIT("processing"), ACME_PROCESSING },
		{ STR_INIT("valid"), ACME_VALID },
		{ STR_INIT("invalid"), ACME_INVALID },
		{ STR_INIT("deactivated"), ACME_GONE },
		{ STR_INIT("expired"), ACME_GONE },
		{ STR_INIT("revoked"), ACME_GONE },
	};
	struct str s = json_word(j, "status");

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq(words[i].word, s)) {
			*out = words[i].status;
			return 0;
		}
	return err_set("the authority tells no status");
}

static int
order_take(const json_t *j, struct arena *a, struct acme_order *o)
{
	const json_t *list = json_object_get(j, "authorizations");

	if (status_take(j, &o->status) != 0 ||
	    url_take(j, "finalize", true, a, &o->finalize) != 0 ||
	    url_take(j, "certificate", o->status == ACME_VALID, a,
	    &o->certificate) != 0)
		return -1;
	problem_take(json_object_get(j, "error"), a, &o->problem);
	if (json_array_size(list) > ACME_NAMES_MOST)
		return err_set("more authorizations than names");
	for (o->n = 0; o->n < json_array_size(list); o->n++) {
		const json_t *v = json_array_get(list, o->n);
		struct str s = { json_string_value(v), json_string_length(v) };

		if (!json_is_string(v) || !url_is_sound(s))
			return err_set("an authorization is no sound URL");
		o->authorizations[o->n] = arena_copy(a, s);
		if (o->authorizations[o->n].p == NULL)
			return err_set("no memory");
	}
	return 0;
}

int
acme_read_order(struct str body, struct arena *a, struct acme_order *o)
{
	json_t *j = object_read(body);
	int rc = j == NULL ? -1 : order_take(j, a, o);

	json_decref(j);
	return rc == 0 ? 0 : err_add("the order");
}

/* RFC 8555 8.3: the token is of base64url's alphabet. */
static bool
token_is_sound(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0 && s.n <= TOKEN_MOST;
}

static int
challenge_take(const json_t *list, struct str method, struct arena *a,
    struct acme_authorization *out)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		struct str token = json_word(c, "token");

		if (!str_eq(json_word(c, "type"), method))
			continue;
		if (!token_is_sound(token))
			return err_set("a challenge has no sound token");
		out->token = arena_copy(a, token);
		problem_take(json_object_get(c, "error"), a, &out->problem);
		return url_take(c, "url", true, a, &out->url);
	}
	return 0;
}

static int
authorization_take(const json_t *j, struct str method, struct arena *a,
    struct acme_authorization *out)
{
	const json_t *identifier = json_object_get(j, "identifier");
	struct str name = json_word(identifier, "value");

	*out = (struct acme_authorization){ .url = STR("") };
	if (status_take(j, &out->status) != 0)
		return -1;
	if (!str_eq(json_word(identifier, "type"), STR("dns")) ||
	    name.n == 0 || name.n > 253 || !str_is_printable(name))
		return err_set("an authorization is for no name");
	out->name = arena_lower(a, name);
	return challenge_take(json_object_get(j, "challenges"), method, a, out);
}

int
acme_read_authorization(struct str body, struct str method, struct arena *a,
    struct acme_authorization *out)
{
	json_t *j = object_read(body);
	int rc = j == NULL ? -1 : authorization_take(j, method, a, out);

	json_decref(j);
	return rc == 0 ? 0 : err_add("an authorization");
}

/* ---- renewal information (RFC 9773) ---- */

static int
window_take(const json_t *j, struct arena *a, struct acme_window *w)
{
	const json_t *window = json_object_get(j, "suggestedWindow");

	if (!timestamp_read(json_word(window, "start"), &w->start) ||
	    !timestamp_read(json_word(window, "end"), &w->end) ||
	    !wall_is_before(w->start, w->end))
		return err_set("it tells no window of time");
	w->why = words_copy(a, json_word(j, "explanationURL"));
	return 0;
}

int
acme_read_window(struct str body, struct arena *a, struct acme_window *w)
{
	json_t *j = object_read(body);
	int rc = j == NULL ? -1 : window_take(j, a, w);

	json_decref(j);
	return rc == 0 ? 0 : err_add("the renewal information");
}

/* RFC 9773 4.1: the issuer's key identifier and the serial number's octets. */
int
acme_cert_id(const X509 *x, struct buf *out)
{
	AUTHORITY_KEYID *akid = X509_get_ext_d2i(x, NID_authority_key_identifier,
	    NULL, NULL);
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	unsigned char *der = NULL;
	int n = i2d_ASN1_INTEGER(serial, &der);

	ERR_clear_error();
	if (akid != NULL && akid->keyid != NULL && n > 2 && n < 64) {
		base64url_put(out, (struct str){ (const char *)
		    ASN1_STRING_get0_data(akid->keyid),
		    (size_t)ASN1_STRING_length(akid->keyid) });
		buf_putc(out, '.');
		/* behind tag and length: the sign's zero stays */
		base64url_put(out, (struct str){ (const char *)der + 2,
		    (size_t)n - 2 });
	} else
		n = -1;
	OPENSSL_free(der);
	AUTHORITY_KEYID_free(akid);
	return n > 0 && !out->full ? 0 : err_set("the certificate names no key "
	    "of its issuer");
}

int64_t
acme_retry_after(struct str field, struct wall now)
{
	struct date date;
	int64_t s = 0;
	uint64_t u;

	if (parse_u64(field, INT32_MAX, &u))
		s = (int64_t)u;
	else if (field.n > 0 && date_parse(field, &date))
		s = (date.at.us - now.us) / US_PER_SECOND + 1;
	return s < 0 ? 0 : s > RETRY_MOST_S ? RETRY_MOST_S : s;
}

/* ---- payloads ---- */

void
acme_put_account(struct buf *b, struct str email, bool must_exist,
    struct str binding)
{
	char text[512];
	struct buf mail = BUF_OF(text);
	struct json j;

	buf_printf(&mail, "mailto:" STR_FMT, STR_ARG(email));
	json_begin(&j, b);
	json_put_object(&j, NULL);
	json_put_bool(&j, must_exist ? "onlyReturnExisting" :
	    "termsOfServiceAgreed", true);
	if (email.n > 0 && !must_exist) {
		json_put_array(&j, "contact");
		json_put_str(&j, NULL, buf_str(&mail));
		json_end_array(&j);
	}
	if (binding.n > 0)
		buf_printf(b, ",\"externalAccountBinding\":" STR_FMT,
		    STR_ARG(binding));
	json_end_object(&j);
}

void
acme_put_order(struct buf *b, const struct str *names, size_t n,
    struct str replaces, struct str profile)
{
	struct json j;

	json_begin(&j, b);
	json_put_object(&j, NULL);
	json_put_array(&j, "identifiers");
	for (size_t i = 0; i < n; i++) {
		json_put_object(&j, NULL);
		json_put_str(&j, "type", STR("dns"));
		json_put_str(&j, "value", names[i]);
		json_end_object(&j);
	}
	json_end_array(&j);
	if (replaces.n > 0)
		json_put_str(&j, "replaces", replaces);
	if (profile.n > 0)
		json_put_str(&j, "profile", profile);
	json_end_object(&j);
}

void
acme_put_csr(struct buf *b, struct str der)
{
	buf_put(b, STR("{\"csr\":\""));
	base64url_put(b, der);
	buf_put(b, STR("\"}"));
}

void
acme_put_revoke(struct buf *b, struct str der, unsigned reason)
{
	buf_put(b, STR("{\"certificate\":\""));
	base64url_put(b, der);
	buf_printf(b, "\",\"reason\":%u}", reason);
}

/* 7.3.5: oldKey is a JWK, as it was printed. */
void
acme_put_key_change(struct buf *b, struct str account, struct str old_key)
{
	must(url_is_sound(account));
	buf_printf(b, "{\"account\":\"" STR_FMT "\",\"oldKey\":" STR_FMT "}",
	    STR_ARG(account), STR_ARG(old_key));
}

/* ---- times ---- */

struct wall
acme_renew_at(struct wall from, struct wall until)
{
	int64_t life = until.us - from.us;

	return life <= 0 ? from : (struct wall){ from.us + life / 3 * 2 };
}

int64_t
acme_pause_s(unsigned failures, int64_t asked_s, uint64_t chance)
{
	int64_t s = PAUSE_FIRST_S;

	for (unsigned i = 1; i < failures && s < DAY_S; i++)
		s *= 2;
	if (s > DAY_S)
		s = DAY_S;
	s = s / 4 * 3 + (int64_t)(chance % (uint64_t)(s / 2 + 1));
	return s > asked_s ? s : asked_s;
}
