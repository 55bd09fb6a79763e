/* SASL: whatever clients and servers say, nobody is known who proved nothing, and
 * what is said back is bounded.  One octet for the mechanism, one for the side and
 * the connection; then messages, parted by line feeds. */
#include "fuzz.h"
#include "trust/sasl_client.h"

enum { SIDE_CLIENT = 1, HAS_TLS = 2, OFFERS_BOUND = 4, IS_LONG = 8 };

static struct arena arena;
static struct sasl_binding tls = { .exporter = "12345678901234567890123456789012",
	.has_exporter = true, .end_point = "abcdefgh", .end_point_n = 32 };

static void
verifier(struct scram_verifier *v)
{
	static struct scram_verifier made;

	if (made.salt_n == 0)
		must(scram_make(SCRAM_SHA_256, STR("pencil"), STR("[m\x99h\x9d\x12"
		    "5\x8e\xec\xa0K\x14\x12""6\xfa\x81"), 4096, &made) == 0);
	*v = made;
}

static enum sasl_step
answer(struct sasl *s, enum sasl_step step, struct buf *out)
{
	static struct scram_verifier v;

	if (step == SASL_CHECK) {
		must(s->user.n <= SASL_NAME_MOST);
		return sasl_judge(s, str_eq(s->secret, STR("pencil")),
		    STR_NONE, out);
	}
	must(step == SASL_VERIFY && s->user.n > 0);
	verifier(&v);
	return sasl_verify(s, &v, 1, out);
}

/* DONE comes behind a right secret or a proof, and nowhere else. */
static void
done_check(const struct sasl *s)
{
	if (sasl_traits(s->mechanism)->proof == SASL_VERIFIER)
		must(sasl_is_proved(s));
	else
		must(str_eq(s->secret, STR("pencil")));
	must(!sasl_is_proved(s) || s->user.n > 0);
}

static void
play_server(enum sasl_mechanism m, unsigned flags, struct str in)
{
	char room[SASL_CHALLENGE_MOST];
	enum sasl_step step = SASL_SAY;
	struct sasl s;

	if ((sasl_traits(m)->more & SASL_CLIENT) != 0)
		return;
	sasl_begin(&s, m, &arena, (flags & HAS_TLS) != 0 ? &tls : NULL,
	    STR("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
	s.offers_bound = (flags & OFFERS_BOUND) != 0;
	while (step == SASL_SAY) {
		bool is_last = str_find(in, '\n') == in.n;
		struct buf out = BUF_OF(room);

		step = sasl_take(&s, str_cut(&in, '\n'), &out);
		while (step == SASL_CHECK || step == SASL_VERIFY)
			step = answer(&s, step, &out);
		must(!out.full || step == SASL_BAD);
		if (is_last)
			break;
	}
	if (step == SASL_DONE)
		done_check(&s);
	must((step != SASL_BAD && step != SASL_REFUSED) || s.why != NULL);
}

static void
play_client(enum sasl_mechanism m, unsigned flags, struct str in)
{
	char room[SASL_CLIENT_MOST];
	struct buf out = BUF_OF(room);
	struct sasl_credentials who = { .user = STR("user"),
		.secret = STR("pencil"),
		.is_token = sasl_traits(m)->proof == SASL_TOKEN };
	struct sasl_client c = { .mechanism = m, .arena = &arena,
		.credentials = &who, .binding = &tls, .offered = flags,
		.nonce = STR("rOprNGfwEbeRWgbNEkqO") };
	enum sasl_client_step step;

	if ((sasl_traits(m)->more & SASL_SERVER) != 0)
		return;
	step = sasl_client_begin(&c, &out);
	while (step != SASL_CLIENT_BAD && in.n > 0) {
		out = BUF_OF(room);
		step = sasl_client_take(&c, str_cut(&in, '\n'), &out);
		if (step != SASL_CLIENT_HASH)
			continue;
		if (c.scram.rounds > 4096)
			return;		/* right, but slow */
		must(sasl_client_hash(&c) == 0);
		step = sasl_client_proof(&c, &out);
	}
	must(step != SASL_CLIENT_BAD || c.why != NULL);
	/* a server that proves itself has heard our proof */
	must(sasl_traits(m)->proof != SASL_VERIFIER || !sasl_client_is_done(&c)
	    || c.scram.final.n > 0);
}

FUZZ(in)
{
	enum sasl_mechanism m = fuzz_choice(&in) % SASL_MECHANISMS;
	unsigned flags = fuzz_choice(&in);
	struct scram_verifier v;

	arena_init(&arena, (flags & IS_LONG) != 0 ? 256 : 64 * 1024);
	if ((flags & SIDE_CLIENT) != 0)
		play_client(m, flags, in);
	else
		play_server(m, flags, in);
	(void)scram_read(in, &v);
	arena_clear(&arena);
}
