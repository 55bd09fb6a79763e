#include "app/acme_control.h"

#include "app/certificate_watch.h"
#include "app/keyring_answer.h"
#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "policy/holder.h"
#include "trust/fitness.h"

#include <openssl/x509v3.h>

enum { TEXT_MOST = 300 };

static struct str
hostname_of(const struct acme *a)
{
	return config_now(&a->node->cores[0].holder)->hostname;
}

static const char *
source_name(const struct identity_shown *s)
{
	switch (s->source) {
	case KEYRING_FILE:
		return "file";
	case KEYRING_ACME:
		return "acme";
	case KEYRING_SELF:
		break;
	}
	return "self";
}

static void
names_put(struct json *j, const X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);
	struct str name;
	int at = 0;

	json_put_array(j, "names");
	while (certificate_name(names, &at, &name))
		json_put_str(j, NULL, name);
	json_end_array(j);
	GENERAL_NAMES_free(names);
}

static void
faults_put(struct json *j, unsigned faults)
{
	json_put_array(j, "faults");
	for (unsigned f = 0; f < FITNESS_FAULTS; f++)
		if ((faults & 1u << f) != 0) {
			json_put_object(j, NULL);
			json_put_str(j, "fault",
			    str_of(fitness_word((enum fitness_fault)f)));
			json_put_str(j, "text",
			    str_of(fitness_says((enum fitness_fault)f)));
			json_end_object(j);
		}
	json_end_array(j);
}

static void
text_put(struct json *j, const char *key, const X509 *x,
    void (*say)(const X509 *, struct buf *))
{
	char room[TEXT_MOST];
	struct buf b = BUF_OF(room);

	say(x, &b);
	json_put_str(j, key, buf_str(&b));
}

static void
shown_put(struct json *j, const struct acme *a, size_t i)
{
	const struct identity_shown *s = &a->identity->shown[i];
	struct wall from, until, due = acme_renews_at(a, i);

	certificate_life(s->cert.leaf, &from, &until);
	json_put_object(j, NULL);
	names_put(j, s->cert.leaf);
	text_put(j, "issuer", s->cert.leaf, certificate_issuer);
	text_put(j, "key", s->cert.leaf, certificate_kind);
	json_put_str(j, "source", str_of(source_name(s)));
	if (s->source == KEYRING_FILE)
		json_put_str(j, "file", str_of(s->file));
	json_put_wall(j, "from", from);
	json_put_wall(j, "until", until);
	if (due.us > 0)
		json_put_wall(j, "renews_at", due);
	faults_put(j, certificate_faults(a->identity, i, hostname_of(a),
	    clock_wall()));
	json_end_object(j);
}

static void
life_put(struct json *j, const struct acme *a, unsigned kind)
{
	const struct acme_life *life = &a->lives[kind];

	if (life->due.us == 0 && !life->has_files && life->failures == 0)
		return;
	json_put_object(j, NULL);
	json_put_str(j, "key", str_of(keyring_kind_names[kind]));
	if (life->has_files)
		json_put_str(j, "state", STR("files have all names"));
	if (life->due.us > 0)
		json_put_wall(j, "next_at", life->due);
	json_put_bool(j, "by_advice", life->advice.us > 0);
	json_put_u64(j, "failures", life->failures);
	if (life->failures > 0)
		json_put_str(j, "failure", str_of(life->said));
	json_end_object(j);
}

static void
tls_show(void *arg, struct json *j)
{
	struct acme *a = arg;
	const struct config *c = config_now(&a->node->cores[0].holder);

	json_put_array(j, "certificates");
	for (size_t i = 0; i < a->identity->n_shown; i++)
		shown_put(j, a, i);
	json_end_array(j);
	json_put_object(j, "acme");
	json_put_bool(j, "agreed", c->tls.acme.agree == ACME_AGREED);
	if (c->tls.acme.agree == ACME_AGREED)
		json_put_str(j, "directory", c->tls.acme.directory);
	json_put_array(j, "renewals");
	for (unsigned kind = 0; kind < KEYRING_KINDS; kind++)
		life_put(j, a, kind);
	json_end_array(j);
	json_end_object(j);
}

static void
tls_sum(void *arg, struct control_tls_sum *sum)
{
	const struct acme *a = arg;

	*sum = (struct control_tls_sum){ .n = a->identity->n_shown,
		.until = WALL_NEVER };
	for (size_t i = 0; i < sum->n; i++) {
		struct wall from, until;

		certificate_life(a->identity->shown[i].cert.leaf, &from,
		    &until);
		if (wall_is_before(until, sum->until))
			sum->until = until;
		if (certificate_faults(a->identity, i, hostname_of(a),
		    clock_wall()) != 0)
			sum->faulty++;
	}
	for (unsigned kind = 0; kind < KEYRING_KINDS; kind++)
		sum->failing += a->lives[kind].failures > 0;
}

static yields int
tls_do(void *arg, enum control_tls_verb verb)
{
	struct acme *a = arg;

	switch (verb) {
	case CONTROL_TLS_RENEW:
		return acme_renew(a);
	case CONTROL_TLS_REVOKE:
		return acme_revoke(a);
	case CONTROL_TLS_REKEY:
		return acme_rekey(a);
	}
	return err_set("no such verb");
}

static void
tls_print(void *arg, struct json *j, struct arena *arena)
{
	const struct acme *a = arg;
	struct buf pem = { .p = arena_alloc(arena, CERTIFICATE_PEM_MOST),
		.cap = CERTIFICATE_PEM_MOST };

	for (size_t i = 0; pem.p != NULL && i < a->identity->n_shown; i++) {
		const struct identity_shown *s = &a->identity->shown[i];

		pem.n = 0;
		pem.full = false;
		if (!certificate_is_for(s->cert.leaf, hostname_of(a)) ||
		    certificate_print(&s->cert, &pem) != 0)
			continue;
		json_put_object(j, NULL);
		json_put_str(j, "source", str_of(source_name(s)));
		json_put_str(j, "pem", buf_str(&pem));
		json_end_object(j);
	}
}

struct control_tls
acme_control(struct acme *a)
{
	return (struct control_tls){ tls_show, tls_sum, tls_do, tls_print, a };
}
