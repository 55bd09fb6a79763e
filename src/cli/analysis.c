#include "cli/analysis.h"

#include "base/must.h"
#include "fiber/net.h"
#include "wire/address.h"
#include "wire/header.h"
#include "wire/idna.h"

bool
analysis_begin(struct analysis *a, struct arena *arena,
    const struct analysis_wish *wish)
{
	*a = (struct analysis){ .arena = arena, .wish = *wish };
	arena_init(&a->scan_arena, HEADER_ARENA);
	header_begin(&a->scan, &a->scan_arena);
	a->digest = digest_new(arena);
	a->hops = arena_alloc(arena, ANALYSIS_HOPS * sizeof *a->hops);
	a->told = arena_alloc(arena, ANALYSIS_TOLD * sizeof *a->told);
	a->has_no_memory = a->digest == NULL || a->hops == NULL ||
	    a->told == NULL;
	return !a->has_no_memory;
}

void
analysis_clear(struct analysis *a)
{
	arena_clear(&a->scan_arena);
}

/* ---- fields ---- */

size_t
analysis_find(const struct analysis *a, const char *name, size_t from)
{
	size_t n = digest_fields(a->digest);

	for (; from < n; from++)
		if (str_eq_icase(digest_name(a->digest, from), str_of(name)))
			return from;
	return n;
}

struct str
analysis_field(const struct analysis *a, const char *name)
{
	size_t i = analysis_find(a, name, 0);

	return i == digest_fields(a->digest) ? STR_NONE :
	    digest_value(a->digest, i);
}

/* RFC 8601 2.2, RFC 8617 4.1, RFC 7208 9.1: what others say they found. */
static bool
is_told(struct str name)
{
	static const char *const names[] = { "Authentication-Results",
		"ARC-Authentication-Results", "Received-SPF", "X-Spam-Status" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_eq_icase(name, str_of(names[i])))
			return true;
	return false;
}

/* ---- hops ---- */

/* RFC 3848, RFC 6531: ESMTPS, ESMTPSA, UTF8SMTPS, LMTPS ... */
static bool
with_tells_tls(struct str with)
{
	if (with.n > 0 && ascii_lower(with.p[with.n - 1]) == 'a')
		with.n--;
	return str_has_suffix_icase(with, STR("MTPS"));
}

static void
hop_take(struct analysis *a, struct str value)
{
	struct analysis_hop *h, *above;

	if (a->n_hops == ANALYSIS_HOPS)
		return;
	h = &a->hops[a->n_hops++];
	*h = (struct analysis_hop){ .has_delay = false };
	received_read(value, &h->read);
	h->is_private = h->read.tls.n > 0 || h->read.cipher.n > 0 ||
	    with_tells_tls(h->read.with);
	if (a->n_hops < 2 || !h->read.has_date)
		return;
	above = h - 1;
	above->has_delay = above->read.has_date;
	above->delay = (above->read.date.at.us - h->read.date.at.us) /
	    US_PER_SECOND;
}

/* Networks that nobody on the Internet has (RFC 6890). */
static bool
is_of_nobody(const struct address *ip)
{
	static const char *const nets[] = { "10.0.0.0/8", "127.0.0.0/8",
		"169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1/128",
		"fc00::/7", "fe80::/10" };

	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		struct network n;

		must(network_parse(str_of(nets[i]), &n));
		if (network_has(&n, ip))
			return true;
	}
	return false;
}

static bool
is_ours(const struct analysis *a, const struct address *ip)
{
	const struct conf_networks *t = a->wish.trusted;

	for (size_t i = 0; t != NULL && i < t->n; i++)
		if (network_has(&t->v[i], ip))
			return true;
	return is_of_nobody(ip);
}

/* The hop by which it came in from outside: the newest whose client is not one
 * of ours; what stands below it anybody may have written. */
static void
client_find(struct analysis *a)
{
	for (size_t i = 0; i < a->n_hops && !a->knows_client; i++) {
		struct analysis_hop *h = &a->hops[i];
		struct address ip;

		if (h->read.ip.n == 0 || !address_parse(h->read.ip, 0, &ip) ||
		    is_ours(a, &ip))
			continue;
		a->ask.client = ip;
		a->ask.helo = h->read.helo.n > 0 ? h->read.helo : h->read.from;
		a->client_hop = h;
		a->knows_client = true;
	}
	if (a->wish.ip.n > 0)
		a->knows_client = address_parse(a->wish.ip, 0, &a->ask.client);
	if (a->wish.helo.p != NULL)
		a->ask.helo = a->wish.helo;
}

/* ---- the sender ---- */

/* RFC 5321 4.4: Return-Path, which the last server wrote. */
static void
sender_find(struct analysis *a)
{
	struct str text = a->wish.from.p != NULL ? a->wish.from :
	    str_trim(analysis_field(a, "Return-Path"));
	struct str domain;
	char room[DOMAIN_MOST + 1];
	struct buf ascii = BUF_OF(room);

	a->knows_sender = text.p != NULL;
	if (text.n > 1 && text.p[0] == '<' && text.p[text.n - 1] == '>')
		text = str_sub(text, 1, text.n - 2);
	domain = mailbox_domain(text);
	if (domain.n == 0)
		return;
	if (!idna_ascii(domain, &ascii)) {
		a->knows_sender = false;
		return;
	}
	a->ask.local = str_sub(text, 0, str_find_last(text, '@'));
	a->ask.domain = arena_copy(a->arena, buf_str(&ascii));
}

/* What the peer called itself, as SPF and DMARC want it. */
static void
helo_settle(struct analysis *a)
{
	char room[DOMAIN_MOST + 1];
	struct buf ascii = BUF_OF(room);

	if (a->ask.helo.n > 0 && idna_ascii(a->ask.helo, &ascii))
		a->ask.helo = arena_copy(a->arena, buf_str(&ascii));
}

/* ---- the header is over ---- */

static bool
prove_fields(struct analysis *a)
{
	size_t n = digest_fields(a->digest);

	for (size_t i = 0; i < n; i++) {
		struct field f = { .name = digest_name(a->digest, i),
			.value = digest_value(a->digest, i),
			.raw = digest_raw(a->digest, i) };

		f.known = header_known(f.name);
		if (!proof_field(a->proof, &f))
			return false;
	}
	return proof_header_end(a->proof, a->digest);
}

static void
header_over(struct analysis *a)
{
	a->in_body = true;
	memcpy(a->count, a->scan.count, sizeof a->count);
	a->header_octets = a->scan.octets;
	client_find(a);
	sender_find(a);
	helo_settle(a);
	a->ask.receiver = a->wish.hostname.n > 0 ? a->wish.hostname :
	    STR("localhost");
	a->ask.wants_iprev = a->knows_client;
	/* Of a sender who is not known nothing can be said: HELO's name stands
	 * for the null sender alone. */
	a->ask.wants_spf = a->knows_client && a->knows_sender;
	a->ask.wants_dkim = a->ask.wants_arc = a->ask.wants_dmarc = true;
	a->proof = proof_new(&a->ask, a->arena);
	if (a->proof == NULL || !prove_fields(a))
		a->has_no_memory = true;
}

static void
field_take(struct analysis *a, const struct field *f)
{
	size_t n = digest_fields(a->digest);

	if (!digest_field(a->digest, f)) {
		a->has_no_memory = true;
		return;
	}
	if (f->known == HEADER_RECEIVED)
		hop_take(a, digest_value(a->digest, n));
	if (is_told(f->name) && a->n_told < ANALYSIS_TOLD)
		a->told[a->n_told++] = n;
}

/* False: what is left in *chunk, or nothing, is the body's. */
static bool
step_take(struct analysis *a, enum header_step step, const struct field *f)
{
	switch (step) {
	case HEADER_FIELD:
		field_take(a, f);
		return !a->has_no_memory;
	case HEADER_END:
		header_over(a);
		if (!a->has_no_memory)
			digest_body(a->digest, f->raw);
		return false;
	case HEADER_TOO_BIG:
		a->is_cut = true;
		return false;
	case HEADER_NO_MEMORY:
		a->has_no_memory = true;
		return false;
	case HEADER_MORE:
		break;
	}
	return false;
}

static void
lines_measure(struct analysis *a, struct str s)
{
	a->octets += s.n;
	while (s.n > 0) {
		size_t at = str_find(s, '\n');

		a->line += at < s.n ? at + 1 : s.n;
		if (a->line > a->longest_line)
			a->longest_line = a->line;
		if (at < s.n)
			a->line = 0;
		s = str_sub(s, at + 1, s.n);
	}
}

void
analysis_feed(struct analysis *a, struct str octets)
{
	struct field f;

	lines_measure(a, octets);
	if (a->has_no_memory || a->is_cut)
		return;
	while (!a->in_body && step_take(a, header_next(&a->scan, &octets, &f),
	    &f))
		continue;
	if (a->in_body && !a->has_no_memory)
		digest_body(a->digest, octets);
}

yields bool
analysis_end(struct analysis *a)
{
	struct field f;

	while (!a->in_body && !a->has_no_memory && !a->is_cut &&
	    step_take(a, header_finish(&a->scan, &f), &f))
		continue;
	if (a->has_no_memory || a->is_cut || !digest_end(a->digest))
		return a->is_cut;
	proof_envelope(a->proof);
	proof_conclude(a->proof);
	return true;
}
