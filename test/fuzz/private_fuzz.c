/*
 * private_fuzz.c -- a session with TLS in it, begun, broken and ended anywhere.
 *
 * Input: one octet of flags, then steps: an octet that says what, one that says
 * how many octets of the input it takes.
 *
 *	SAY	the octets, as the stream is now: in clear text, or inside TLS
 *	SHAKE	a handshake, whether the server waits for one or not
 *	RAW	the octets past TLS, into the connection
 *	END	close_notify, and then the octets past TLS
 *	WAIT	a second for each octet
 *	LOGIN	a dialogue of AUTH as it should be: the first octet says by what
 *		mechanism and as whom, the second and third which letter of what
 *		is said is another, when there are so many
 *
 * Whatever comes: replies are lines of SMTP; what is said past TLS, or behind its
 * end, is never answered 250; nobody hears 235 but who proved what he is; nothing
 * is left when the session is over.
 */
#include "fuzz.h"

#include "fiber/tls_own.h"
#include "fiber/world.h"
#include "smtp/test_login.h"
#include "trust/sasl_client.h"
#include "wire/base64.h"

enum { SAY, SHAKE, RAW, END, WAIT, LOGIN, STEPS, FLAG_IMPLICIT = 1,
	FLAG_REQUIRED = 2, FLAG_SUBMISSION = 4, FLAG_LOGINS = 8,
	FLAG_TOKENS = 16, FLAG_ASKS = 32, FLAG_SHOWS = 64, MOST = 40 };

static struct tls_identity ours;
static struct tls_context *anonymous, *known_by;
static unsigned flags, spoils_at, spoils_with;
static struct str said;
static size_t kept_said;
static bool is_over, may_be_let_in, may_before, was_let_in;

static yields void
serve(void *arg)
{
	struct address client;

	(void)arg;
	must(address_parse(STR("127.0.0.1"), 4000, &client));
	server_session(&server, &listener, net_accept(door, &(struct address){
	    0 }, MONO_NEVER), &client);
}

static void
reply_check(struct str line, enum line_ending ending)
{
	must(ending == LINE_CRLF && line.n >= 3 && line.n <= 510);
	must(str_is_printable(line));
	must(line.p[0] >= '2' && line.p[0] <= '5');
	kept_said += str_skip(&line, STR("250 2.0.0 Kept as "));
	was_let_in |= str_skip(&line, STR("235 "));
	must(!was_let_in || may_be_let_in);
}

/* In clear text a server that speaks TLS already is no lines. */
static yields void
overhear(int64_t ms)
{
	enum line_ending ending;
	struct str line;
	bool is_told = stream_is_private(&net) ||
	    (flags & FLAG_IMPLICIT) == 0;

	net.deadline = in_ms(ms);
	while (!is_over && stream_line(&net, 4096, &line, &ending) == 0) {
		if (line.n > 0 && line.p[0] == 0x15)	/* an alert */
			is_over = true;
		else if (is_told)
			reply_check(line, ending);
	}
	if (net.trouble == STREAM_LATE)
		net.trouble = STREAM_FINE;
}

static yields void
raw(struct str octets)
{
	while (octets.n > 0) {
		int64_t n = world_send(net.end, octets.p, octets.n);

		if (n <= 0)
			return;
		octets = str_sub(octets, (size_t)n, octets.n);
	}
}

static yields void
shake(void)
{
	if (net.tls != NULL)
		return;
	/* What was said before the server was ready is its to refuse. */
	(void)stream_flush(&net);
	stream_consume(&net, stream_buffered(&net));
	net.deadline = in_ms(2000);
	is_over = tls_connect(&net, flags & FLAG_SHOWS ? known_by : anonymous,
	    STR("mx.test")) != 0;
	err_clear();
}

/* SECURITY.md rows 6, 7: behind close_notify nothing is heard. */
static yields void
finish(struct str octets)
{
	bool was_private = stream_is_private(&net);
	enum line_ending ending;
	struct str line;

	if (net.tls != NULL)
		tls_end(&net);
	raw(octets);
	net.deadline = in_ms(1000);
	while (was_private && stream_line(&net, 4096, &line, &ending) == 0)
		must(line.n == 0 || line.p[0] != '2');
	is_over = true;
}

/* ---- AUTH as it should be, but for a letter ---- */

/* Letters and their line; the one that is spoilt is another one. */
static yields void
letters_say(const char *before, const struct buf *response)
{
	char room[3072];
	struct buf b = BUF_OF(room);
	size_t from;

	buf_put(&b, str_of(before));
	from = b.n;
	base64_encode(buf_str(response), &b);
	if (spoils_with != 0 && spoils_at < b.n - from) {
		may_be_let_in = may_before;
		room[from + spoils_at] = (char)(room[from + spoils_at] ^
		    (char)(spoils_with & 0x1f));
	} else
		spoils_at -= (unsigned)(b.n - from);
	buf_put(&b, STR("\r\n"));
	stream_put(&net, buf_str(&b));
}

/* The challenge of a reply 334; false for another reply. */
static yields bool
challenge_hear(struct buf *out)
{
	enum line_ending ending;
	struct str line;

	net.deadline = in_ms(10 * 1000);
	if (stream_line(&net, 4096, &line, &ending) != 0) {
		is_over = true;
		return false;
	}
	reply_check(line, ending);
	return str_skip(&line, STR("334 ")) && base64_decode(line, out);
}

static yields void
dialogue(struct sasl_client *c)
{
	char room[SASL_CLIENT_MOST], command[64], heard[2048];
	struct buf out = BUF_OF(room), challenge = BUF_OF(heard);
	enum sasl_client_step at = sasl_client_begin(c, &out);

	(void)snprintf(command, sizeof command, at == SASL_CLIENT_WAIT ?
	    "AUTH %s" : "AUTH %s ", sasl_traits(c->mechanism)->name.p);
	if (at == SASL_CLIENT_BAD)
		return;
	letters_say(command, &out);
	for (unsigned i = 0; i < 4 && !is_over && challenge_hear(&challenge);
	    i++) {
		out = BUF_OF(room);
		at = sasl_client_take(c, buf_str(&challenge), &out);
		if (at == SASL_CLIENT_HASH && sasl_client_hash(c) == 0)
			at = sasl_client_proof(c, &out);
		if (at != SASL_CLIENT_SAY)
			break;
		letters_say("", &out);
		challenge.n = 0;
	}
}

static yields void
login(struct str octets)
{
	static const struct { const char *name, *secret; } people[] = {
		{ "ann", "pencil" }, { "ann", "pencil" }, { "ann", "pen" },
		{ "eve", "pencil" }, { "nobody", "" } };
	unsigned who = fuzz_choice(&octets);
	struct sasl_credentials is = { .user = str_of(people[who / 8 % 5].name),
		.secret = str_of(people[who / 8 % 5].secret) };
	struct sasl_client c = { .mechanism = who % 8 % SASL_MECHANISMS,
		.credentials = &is, .nonce = STR("client") };
	struct sasl_binding binding = { .end_point_n = 0 };
	struct arena a;

	if ((flags & FLAG_IMPLICIT) && !stream_is_private(&net))
		return;
	spoils_at = fuzz_choice(&octets);
	if ((sasl_traits(c.mechanism)->more & SASL_SERVER) != 0) {
		stream_put(&net, STR("AUTH EXTERNAL =\r\n"));
		return;
	}
	if (stream_is_private(&net) && !is_over) {
		binding.has_exporter = tls_exporter(&net, binding.exporter);
		c.binding = &binding;
		c.offered = SASL_SOME_BOUND;
	}
	if ((c.binding == NULL || !binding.has_exporter) &&
	    c.mechanism != SASL_SCRAM_SHA_256)
		return;
	spoils_with = fuzz_choice(&octets) & 0x1f;
	if (sasl_traits(c.mechanism)->proof == SASL_TOKEN) {
		is.is_token = true;
		is.secret = STR("token");
	}
	/* Whoever has the token: a letter that is another may be his name's. */
	may_before = may_be_let_in || ((flags & FLAG_LOGINS) && is.is_token);
	may_be_let_in = may_before || ((flags & FLAG_LOGINS) &&
	    who / 8 % 5 < 2);
	arena_init(&a, 1 << 16);
	c.arena = &a;
	dialogue(&c);
	arena_clear(&a);
}

static yields void
step(unsigned what, struct str octets)
{
	switch (what) {
	case SAY:
		may_be_let_in |= str_find_str(octets, STR("AGFubgBwZW5j")) <
		    octets.n || str_find_str(octets, STR("cGVuY2ls")) <
		    octets.n;
		stream_put(&net, octets);
		overhear(10);
		break;
	case SHAKE:
		shake();
		break;
	case RAW:
		(void)stream_flush(&net);
		raw(octets);
		is_over |= net.tls != NULL && octets.n > 0;
		break;
	case END:
		finish(octets);
		break;
	case LOGIN:
		login(octets);
		overhear(10);
		break;
	default:
		overhear((int64_t)octets.n * 1000);
		break;
	}
}

static yields void
converse(void *arg)
{
	struct address at;

	(void)arg;
	house_open();
	servers = (struct server_house){ .key = { 1, 2 }, .n = 1,
		.login = flags & FLAG_LOGINS ? &fake : NULL };
	memset(&known, 0, sizeof known);
	known.has_tokens = (flags & FLAG_TOKENS) != 0;
	must(server_open(&server, &servers, &house.core, &house.holder) == 0);
	server.tls = tls_server_new(&(struct tls_server_setup){
	    .identities = &shown, .n = 1 });
	listener = (struct server_listener){ .name = STR("mx"),
		.sessions = &at_listener,
		.certificates = flags & FLAG_ASKS ? CERTIFICATES_ASKED :
		    CERTIFICATES_OFF,
		.role = flags & FLAG_SUBMISSION ? ROLE_SUBMISSION : ROLE_MX,
		.tls = flags & FLAG_IMPLICIT ? TLS_IMPLICIT :
		    flags & FLAG_REQUIRED ? TLS_REQUIRED : TLS_OFFERED };
	must(address_parse(STR("127.0.0.1"), 0, &at));
	must((door = net_listen(&at)) != NULL && net_local(door, &at));
	must(fiber_go("serve", serve, NULL) == 0);
	stream_init(&net, net_connect(&at, NULL, in_ms(5000)));
	for (unsigned i = 0; i < MOST && said.n > 1 && !is_over; i++) {
		unsigned what = fuzz_choice(&said) % STEPS;
		size_t n = fuzz_choice(&said);

		step(what, str_sub(said, 0, n));
		said = str_sub(said, n, said.n);
	}
	overhear(1000 * 1000);
	stream_close(&net);
	fiber_sleep(in_ms(1000 * 1000));
	must(server.sessions == 0 && servers.sessions == 0);
	must(kept_said <= house.queued);
	net_close(door);
	server_close(&server);
	must(spool_close(house.spool) == SPOOL_FINE);
	config_unhold(&house.holder);
}

static void
set_up(void)
{
	static const struct tls_client_setup plain;

	if (house.config != NULL)
		return;
	house_use("limits: { size: 64K, per_ip: none }\n");
	shown = test_identity("EC", "mx.test");
	ours = test_identity("EC", "ann@two.test");
	anonymous = tls_client_new(&plain);
	known_by = tls_client_new(&(struct tls_client_setup){
	    .identity = &ours });
}

FUZZ(in)
{
	flags = fuzz_choice(&in);
	said = in;
	kept_said = 0;
	is_over = was_let_in = false;
	may_be_let_in = (flags & FLAG_ASKS) && (flags & FLAG_SHOWS);
	sim_begin(1);
	set_up();
	must(core_run_all(1, converse, NULL) == 0);
}
