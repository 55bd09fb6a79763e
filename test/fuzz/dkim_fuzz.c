/* Signatures and records of keys: what is read is fit to be checked. */
#include "fuzz.h"
#include "wire/dkim.h"

static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' &&
		    s.p[i] != '.')
			return false;
	for (size_t i = 0; i < s.n; i++)
		if (ascii_lower(s.p[i]) != s.p[i])
			return false;
	return s.n > 0 && s.n <= 255 && s.p[0] != '.' && s.p[s.n - 1] != '.';
}

static void
check_signature(const struct dkim_signature *s, enum dkim_field field,
    struct str in)
{
	must(is_name(s->domain) && is_name(s->selector));
	must(str_find(s->domain, '.') < s->domain.n);
	must(s->domain.n + s->selector.n <= 253 - 12);
	must(s->signature.n > 0 && s->signature.n <= DKIM_SIGNATURE_MOST);
	must(s->b.n > 0 && s->b.n <= DKIM_B_SHOWN);
	must(s->algorithm != DKIM_RSA_SHA1 && s->length >= -1);
	must(fuzz_is_inside(s->names, in));
	if (field != DKIM_SIGNATURE) {
		must(s->instance >= 1 && s->instance <= 50);
		return;
	}
	must(dkim_names_have(s->names, STR("FROM")));
	must(is_name(s->identity_domain));
	must(str_has_suffix_icase(s->identity, s->identity_domain));
	must(str_has_suffix_icase(s->identity_domain, s->domain));
	must(str_is_utf8(s->identity));
}

FUZZ(in)
{
	unsigned choice = fuzz_choice(&in);
	struct dkim_signature signature;
	struct dkim_record record;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	if (choice % 4 == 3) {
		if (dkim_record_read(in, &arena, &record) == NULL)
			must(record.key.n <= in.n);
	} else if (dkim_signature_read(in, (enum dkim_field)(choice % 4), &arena,
	    &signature) == NULL)
		check_signature(&signature, (enum dkim_field)(choice % 4), in);
	arena_clear(&arena);
}
