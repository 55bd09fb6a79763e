/*
 * directory_fuzz.c -- clients of LDAP and of Dovecot's auth, and servers that lie.
 *
 * Input: one octet of flags, then what the server says, a piece for each thing it
 * hears: an octet says how long the piece is; with FLAG_SENSE most pieces become
 * answers that have a form: of LDAP a kind and a result, of Dovecot a line.
 *
 * Nobody is let in but by the server's success for this very request; every
 * question ends by its deadline; passwords are not in what is told.
 */
#include "fuzz.h"

#include "base/err.h"
#include "fiber/test_core.h"
#include "fiber/world_sim.h"
#include "trust/dovecot_auth.h"
#include "trust/ldap.h"
#include "wire/ber.h"
#include "wire/ldap.h"

enum { FLAG_LDAP = 1, FLAG_SENSE = 2, FLAG_BIND = 4, FLAG_TOKEN = 8,
	ASKS = 3, PATIENCE_MS = 20000 };

static struct str says;
static unsigned flags;
static struct net_end *listener;
static uint32_t number;			/* of the last request */

static void
told(void *arg, struct str name, struct str why)
{
	(void)arg;
	must(name.n > 0 && str_find_str(why, STR("pencil")) == why.n);
}

/* ---- what the server says ---- */

static void
ldap_answer(struct buf *b, struct str text)
{
	static const unsigned kinds[] = { LDAP_BIND_RESPONSE,
		LDAP_SEARCH_ENTRY, LDAP_SEARCH_DONE, LDAP_EXTENDED_RESPONSE };
	unsigned kind = kinds[fuzz_choice(&text) % 4], code;
	size_t message = ber_open(b, BER_SEQUENCE), op;

	code = fuzz_choice(&text);
	ber_put_number(b, BER_INTEGER, code > 200 ? code : number);
	op = ber_open(b, BER_APPLICATION_SET(kind));
	if (kind == LDAP_SEARCH_ENTRY) {
		size_t list, at, set;

		ber_put(b, BER_OCTETS, STR("uid=ann,o=x"));
		list = ber_open(b, BER_SEQUENCE);
		at = ber_open(b, BER_SEQUENCE);
		ber_put(b, BER_OCTETS, code & 1u ? STR("mail") : STR("uid"));
		set = ber_open(b, BER_SET);
		ber_put(b, BER_OCTETS, text);
		ber_close(b, set);
		ber_close(b, at);
		ber_close(b, list);
	} else {
		ber_put_number(b, BER_ENUMERATED, code % 60);
		ber_put(b, BER_OCTETS, STR(""));
		ber_put(b, BER_OCTETS, text);
	}
	ber_close(b, op);
	ber_close(b, message);
}

static void
dovecot_answer(struct buf *b, struct str text)
{
	static const char *const words[] = { "OK", "FAIL", "CONT", "SPID",
		"MECH", "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tXOAUTH2\n"
		"SPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\nOK" };
	unsigned which = fuzz_choice(&text), whose = fuzz_choice(&text);

	buf_printf(b, "%s\t%u\t" STR_FMT "\n",
	    words[which % (sizeof words / sizeof *words)], whose > 200 ? whose :
	    whose % 4, STR_ARG(text));
}

static yields void
say(struct stream *s)
{
	char room[1024];
	struct buf b = BUF_OF(room);
	unsigned n = fuzz_choice(&says);
	struct str piece = str_sub(says, 0, n);

	says = str_sub(says, piece.n, says.n);
	if ((flags & FLAG_SENSE) == 0 || n % 8 == 7)
		buf_put(&b, piece);
	else if (flags & FLAG_LDAP)
		ldap_answer(&b, piece);
	else
		dovecot_answer(&b, piece);
	stream_put(s, buf_str(&b));
	(void)stream_flush(s);
}

static yields void
visit(struct stream *s)
{
	struct str bytes, message;

	if ((flags & FLAG_LDAP) == 0)
		say(s);
	while (says.n > 0 && stream_peek(s, &bytes) == 0) {
		if ((flags & FLAG_LDAP) && ber_take_tag(&bytes, BER_SEQUENCE,
		    &message))
			(void)ber_take_number(&message, BER_INTEGER, &number);
		stream_consume(s, stream_buffered(s));
		say(s);
	}
}

static yields void
serving(void *arg)
{
	struct net_end *l = listener, *e;
	struct address peer;
	struct stream s;

	(void)arg;
	while ((e = net_accept(l, &peer, MONO_NEVER)) != NULL) {
		stream_init(&s, e);
		s.deadline = in_ms(PATIENCE_MS);
		visit(&s);
		stream_close(&s);
	}
	net_close(l);
}

/* ---- what we ask ---- */

static void
person_check(enum directory_says got, const struct directory_person *p)
{
	must(got == DIRECTORY_YES || got == DIRECTORY_NO ||
	    got == DIRECTORY_LATER);
	must(got != DIRECTORY_YES || p->name.n > 0);
	err_clear();
}

static yields void
ask_ldap(uint16_t port)
{
	static const struct str attributes[] = { STR_INIT("mail") };
	char url[64];
	struct ldap_server server;
	struct ldap_setup setup = { .servers = &server, .n_servers = 1,
		.may_be_clear = true, .base = STR("o=x"),
		.filter = STR("(uid=%u)"), .name_attribute = STR("uid"),
		.address_attributes = attributes, .n_address_attributes = 1,
		.timeout = 3 * NS_PER_SECOND, .tell = told };
	struct directory_person p;
	struct arena a;
	struct ldap *l;

	if (flags & FLAG_BIND)
		setup.dn = STR("uid=%u,o=x");
	(void)snprintf(url, sizeof url, "ldap://127.0.0.1:%u", port);
	arena_init(&a, 1 << 20);
	must(ldap_server_parse(str_of(url), &a, &server));
	must((l = ldap_new(&setup)) != NULL);
	for (unsigned i = 0; i < ASKS; i++) {
		struct mono until = in_ms(PATIENCE_MS);

		person_check(ldap_login(l, STR("ann"), STR("pencil"), until, &a,
		    &p), &p);
		must(!mono_is_before(mono_add(until, NS_PER_SECOND),
		    clock_mono()));
	}
	fiber_sleep(in_ms(3600 * 1000));
	ldap_close(l);
	arena_clear(&a);
}

static yields void
ask_dovecot(uint16_t port)
{
	struct dovecot_setup setup = { .at = { .host = STR("127.0.0.1"),
		.port = port }, .tell = told };
	struct dovecot_ask ask = { .is_private = true, .session = STR("s"),
		.local_name = STR("mx.test") };
	struct directory_person p;
	struct dovecot *d;
	struct arena a;

	arena_init(&a, 1 << 20);
	must((d = dovecot_new(&setup)) != NULL);
	for (unsigned i = 0; i < ASKS; i++) {
		struct mono until = in_ms(PATIENCE_MS);

		person_check(flags & FLAG_TOKEN ? dovecot_token(d, &ask,
		    STR("ann"), STR("pencil"), until, &a, &p) :
		    dovecot_password(d, &ask, STR("ann"), STR("pencil"), until,
		    &a, &p), &p);
		must(!mono_is_before(mono_add(until, NS_PER_SECOND),
		    clock_mono()));
	}
	dovecot_close(d);
	arena_clear(&a);
}

static yields void
converse(void *arg)
{
	struct address at;

	(void)arg;
	must(address_parse(STR("127.0.0.1"), 0, &at));
	must((listener = net_listen(&at)) != NULL && net_local(listener, &at));
	must(fiber_go("server", serving, NULL) == 0);
	if (flags & FLAG_LDAP)
		ask_ldap(at.port);
	else
		ask_dovecot(at.port);
	net_stop_listening(listener);
}

FUZZ(in)
{
	flags = fuzz_choice(&in);
	says = in;
	number = 0;
	sim_begin(1);
	must(core_run_all(1, converse, NULL) == 0);
}
