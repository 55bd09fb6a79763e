#include "cli/probe_show.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/net.h"

#include <stdio.h>

enum { JSON_ROOM = 256 * 1024, KEYWORD_WIDTH = 30 };

static const struct words { struct str keyword, says; } words[] = {
#define WORDS(keyword, says) { STR_INIT(keyword), STR_INIT(says) },
#include "cli/probe_words.def"
#undef WORDS
};

static struct str
words_of(struct str line)
{
	struct str keyword = str_cut(&line, ' ');

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_eq_icase(words[i].keyword, keyword))
			return words[i].says;
	return STR_NONE;
}

static const char *
dane_name(enum probe_dane d)
{
	switch (d) {
	case PROBE_DANE_NONE:
		return "none";
	case PROBE_DANE_INSECURE:
		return "insecure";
	case PROBE_DANE_USELESS:
		return "useless";
	case PROBE_DANE_FITS:
		return "fits";
	case PROBE_DANE_MISFITS:
		return "misfits";
	case PROBE_DANE_TROUBLE:
		return "trouble";
	}
	must(!"a verdict of DANE");
}

/* "2026-12-24" */
static struct str
day_of(struct wall when, struct wall_text *room)
{
	*room = wall_print(when);
	return str_sub(str_of(room->text), 0, 10);
}

static int64_t
days_until(struct wall when)
{
	return (when.us - clock_wall().us) / (86400 * US_PER_SECOND);
}

/* ---- for people ---- */

void
probe_said_print(const struct probe_said *s)
{
	printf("%7.3f %s %s " STR_FMT "\n", (double)s->at_ns / 1e9,
	    s->is_private ? "*" : " ", s->is_theirs ? "<-" : "->",
	    STR_ARG(s->text));
	(void)fflush(stdout);
}

static void
offers_print(const struct probe *p, bool is_private)
{
	if (p->offers[is_private] == NULL)
		return;
	printf("  offered %s:\n", is_private ? "inside TLS" : "in clear text");
	for (const struct probe_extension *e = p->offers[is_private]; e != NULL;
	    e = e->next) {
		struct str says = words_of(e->line);

		if (says.n == 0)
			printf("    " STR_FMT "\n", STR_ARG(e->line));
		else
			printf("    %-*.*s %.*s\n", KEYWORD_WIDTH,
			    (int)e->line.n, e->line.p, (int)says.n, says.p);
	}
}

static void
chain_print(const struct probe *p)
{
	for (size_t i = 0; i < p->tls.n; i++) {
		const struct probe_certificate *c = &p->tls.chain[i];
		struct wall_text room;
		int64_t days = days_until(c->until);

		printf("  certificate %zu: " STR_FMT "\n      issued by "
		    STR_FMT "\n      until " STR_FMT " (%lld days), " STR_FMT
		    "\n", i + 1, STR_ARG(c->subject), STR_ARG(c->issuer),
		    STR_ARG(day_of(c->until, &room)), (long long)days,
		    STR_ARG(c->key));
	}
}

static void
dane_print_words(const struct probe *p)
{
	static const char *const says[] = {
		[PROBE_DANE_NONE] = "there are no TLSA records",
		[PROBE_DANE_INSECURE] = "TLSA records that DNSSEC does not vouch "
		    "for count for nothing",
		[PROBE_DANE_USELESS] = "no TLSA record is of use to mail",
		[PROBE_DANE_FITS] = "the certificate is the one that is "
		    "published",
		[PROBE_DANE_MISFITS] = "the certificate is not the one that is "
		    "published",
		[PROBE_DANE_TROUBLE] = "the DNS does not answer" };

	printf("  DANE: %s%s" STR_FMT "%s\n", says[p->dane],
	    p->dane_text.n > 0 ? " (" : "", STR_ARG(p->dane_text),
	    p->dane_text.n > 0 ? ")" : "");
}

static void
tls_print(const struct probe *p)
{
	if (!p->tls.is_there) {
		printf("  no TLS\n");
		return;
	}
	printf("  " STR_FMT ", " STR_FMT "%s\n", STR_ARG(p->tls.version),
	    STR_ARG(p->tls.cipher), !p->tls.is_tried_again ? "" :
	    p->tls.resumes ? ", sessions go on" : ", sessions do not go on");
	chain_print(p);
	printf("  trusted: %s" STR_FMT "; for " STR_FMT ": %s\n",
	    p->tls.is_trusted ? "yes" : "no, ", STR_ARG(p->tls.trouble),
	    STR_ARG(p->host), p->tls.has_name ? "yes" : "no");
	dane_print_words(p);
	if (p->ask->knows_mta_sts)
		printf("  MTA-STS: the policy %s this host\n",
		    p->ask->mta_sts_has ? "names" : "does not name");
}

static void
times_print(const struct probe *p)
{
	printf("  milliseconds:");
	for (unsigned i = 0; i < PROBE_PHASES; i++)
		if (p->took[i] >= 0)
			printf(" %s %.1f", probe_phase_name((enum probe_phase)i),
			    (double)p->took[i] / 1e6);
	printf("\n");
}

void
probe_findings_print(const struct probe *p)
{
	for (const struct probe_finding *f = p->findings; f != NULL;
	    f = f->next)
		printf("  %s: " STR_FMT "%s" STR_FMT "\n",
		    f->weight == PROBE_TROUBLE ? "TROUBLE" : "hint",
		    STR_ARG(f->what), f->to_do.n > 0 ? "\n      " : "",
		    STR_ARG(f->to_do));
}

void
probe_print(const struct probe *p)
{
	if (p->is_reached) {
		offers_print(p, false);
		offers_print(p, true);
		tls_print(p);
		printf("  name of the address: " STR_FMT "%s\n",
		    STR_ARG(p->ptr.n > 0 ? p->ptr : STR("none")),
		    p->ptr_is_confirmed ? ", which leads back" : "");
		if (p->is_logged_in)
			printf("  logged in\n");
		if (p->is_sent)
			printf("  the test message was taken\n");
		times_print(p);
	}
	probe_findings_print(p);
}

/* ---- for programs ---- */

static void
dialogue_json(struct json *j, const struct probe *p)
{
	json_put_array(j, "dialogue");
	for (const struct probe_said *s = p->said; s != NULL; s = s->next) {
		json_put_object(j, NULL);
		json_put_i64(j, "us", s->at_ns / 1000);
		json_put_str(j, "by", s->is_theirs ? STR("server") :
		    STR("client"));
		json_put_bool(j, "tls", s->is_private);
		json_put_str(j, "text", s->text);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
offers_json(struct json *j, const struct probe *p)
{
	static const char *const keys[] = { "extensions_clear",
		"extensions_tls" };

	for (size_t i = 0; i < 2; i++) {
		json_put_array(j, keys[i]);
		for (const struct probe_extension *e = p->offers[i]; e != NULL;
		    e = e->next)
			json_put_str(j, NULL, e->line);
		json_end_array(j);
	}
	json_put_str(j, "auth_clear", str_of(p->auth[0]));
	json_put_str(j, "auth_tls", str_of(p->auth[1]));
}

static void
chain_json(struct json *j, const struct probe *p)
{
	json_put_array(j, "chain");
	for (size_t i = 0; i < p->tls.n; i++) {
		const struct probe_certificate *c = &p->tls.chain[i];

		json_put_object(j, NULL);
		json_put_str(j, "subject", c->subject);
		json_put_str(j, "issuer", c->issuer);
		json_put_wall(j, "until", c->until);
		json_put_i64(j, "days", days_until(c->until));
		json_put_str(j, "key", c->key);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
tls_json(struct json *j, const struct probe *p)
{
	if (!p->tls.is_there) {
		json_put_null(j, "tls");
		return;
	}
	json_put_object(j, "tls");
	json_put_str(j, "version", p->tls.version);
	json_put_str(j, "cipher", p->tls.cipher);
	if (p->tls.is_tried_again)
		json_put_bool(j, "resumes", p->tls.resumes);
	json_put_bool(j, "trusted", p->tls.is_trusted);
	if (!p->tls.is_trusted)
		json_put_str(j, "why", p->tls.trouble);
	json_put_bool(j, "name", p->tls.has_name);
	chain_json(j, p);
	json_end_object(j);
	json_put_str(j, "dane", str_of(dane_name(p->dane)));
	if (p->dane_text.n > 0)
		json_put_str(j, "tlsa", p->dane_text);
	if (p->ask->knows_mta_sts)
		json_put_bool(j, "mta_sts", p->ask->mta_sts_has);
}

void
probe_findings_json(struct json *j, const struct probe *p)
{
	json_put_array(j, "findings");
	for (const struct probe_finding *f = p->findings; f != NULL;
	    f = f->next) {
		json_put_object(j, NULL);
		json_put_str(j, "weight", f->weight == PROBE_TROUBLE ?
		    STR("trouble") : STR("hint"));
		json_put_str(j, "what", f->what);
		if (f->to_do.n > 0)
			json_put_str(j, "to_do", f->to_do);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
times_json(struct json *j, const struct probe *p)
{
	json_put_object(j, "us");
	for (unsigned i = 0; i < PROBE_PHASES; i++)
		if (p->took[i] >= 0)
			json_put_i64(j, probe_phase_name((enum probe_phase)i),
			    p->took[i] / 1000);
	json_end_object(j);
}

int
probe_json(const struct probe *p)
{
	struct buf b = { .p = arena_alloc(p->arena, JSON_ROOM),
		.cap = JSON_ROOM };
	struct json j;

	if (b.p == NULL)
		return -1;
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "host", p->host);
	json_put_str(&j, "address", str_of(address_print(&p->at).text));
	json_put_u64(&j, "port", p->at.port);
	json_put_bool(&j, "reached", p->is_reached);
	json_put_str(&j, "banner", p->banner);
	offers_json(&j, p);
	tls_json(&j, p);
	json_put_str(&j, "ptr", p->ptr);
	json_put_bool(&j, "ptr_confirmed", p->ptr_is_confirmed);
	json_put_bool(&j, "logged_in", p->is_logged_in);
	json_put_bool(&j, "sent", p->is_sent);
	times_json(&j, p);
	probe_findings_json(&j, p);
	dialogue_json(&j, p);
	json_end_object(&j);
	if (b.full)
		return -1;
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	return 0;
}
