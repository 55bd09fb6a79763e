#include "app/certificate_watch.h"

#include "app/keyring_wire.h"
#include "base/json.h"
#include "fiber/clock.h"
#include "intake/intake.h"
#include "trust/fitness.h"

#include <openssl/x509v3.h>

enum { NAMES_TOLD = 4, DAY_S = 86400 };

static bool
anyone_is_for(const struct identity *id, struct str hostname)
{
	for (size_t i = 0; i < id->n_shown; i++)
		if (certificate_is_for(id->shown[i].cert.leaf, hostname))
			return true;
	return false;
}

/* Our own is for nobody's trust: nothing is wrong with it.  That none is for
 * hostname is a fault of the first, which others get. */
unsigned
certificate_faults(const struct identity *id, size_t i, struct str hostname,
    struct wall now)
{
	unsigned faults = id->shown[i].source == KEYRING_SELF ? 0 :
	    fitness_judge(&id->shown[i].cert, now);

	if (i == 0 && !anyone_is_for(id, hostname))
		faults |= 1u << FITNESS_OTHER_NAME;
	return faults;
}

void
certificate_describe(const struct identity_shown *s, struct buf *b)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(s->cert.leaf,
	    NID_subject_alt_name, NULL, NULL);
	struct str name;
	int at = 0, n = 0;

	while (n < NAMES_TOLD && certificate_name(names, &at, &name))
		buf_printf(b, "%s" STR_FMT, n++ > 0 ? ", " : "", STR_ARG(name));
	GENERAL_NAMES_free(names);
	buf_printf(b, " (");
	certificate_kind(s->cert.leaf, b);
	buf_printf(b, ", %s)", s->source == KEYRING_FILE ? s->file :
	    s->source == KEYRING_ACME ? "by ACME" : "signed by itself");
}

/* Was it told today?  Remembers that it was. */
static bool
was_told(struct certificate_watch *w, uint64_t what, int64_t day)
{
	for (size_t i = 0; i < WATCH_MOST; i++)
		if (w->told[i].what == what) {
			bool is_today = w->told[i].day == day;

			w->told[i].day = day;
			return is_today;
		}
	w->told[w->next].what = what;
	w->told[w->next].day = day;
	w->next = (w->next + 1) % WATCH_MOST;
	return false;
}

static void
fault_tell(const struct identity_shown *s, enum fitness_fault f,
    struct intake_core *intake)
{
	struct event e = event_make(EVENT_certificate, clock_wall(), 0);
	struct wall from, until;
	char room[900];
	struct buf b = BUF_OF(room);

	certificate_describe(s, &b);
	buf_printf(&b, ": %s", fitness_says(f));
	certificate_life(s->cert.leaf, &from, &until);
	if (f == FITNESS_EXPIRES || f == FITNESS_EXPIRED)
		buf_printf(&b, " (%s)", wall_print(until).text);
	event_str(&e, FIELD_reason, str_of(fitness_word(f)));
	event_str(&e, FIELD_text, buf_str(&b));
	intake_tell(intake, &e);
}

void
certificate_watch(struct certificate_watch *w, const struct identity *id,
    struct intake_core *intake, struct str hostname)
{
	struct wall now = clock_wall();
	int64_t day = now.us / US_PER_SECOND / DAY_S + 1;

	for (size_t i = 0; i < id->n_shown; i++) {
		const struct identity_shown *s = &id->shown[i];
		unsigned faults = certificate_faults(id, i, hostname, now);
		unsigned char hash[32] = { 0 };
		unsigned n = 0;
		uint64_t what;

		(void)X509_digest(s->cert.leaf, EVP_sha256(), hash, &n);
		memcpy(&what, hash, sizeof what);
		for (unsigned f = 0; f < FITNESS_FAULTS; f++)
			if ((faults & 1u << f) != 0 &&
			    !was_told(w, what ^ (f + 1), day))
				fault_tell(s, (enum fitness_fault)f, intake);
	}
}
