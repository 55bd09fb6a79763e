/* Tokens, keys and claims of strangers: nobody is let in who has no signature. */
#include "fuzz.h"
#include "trust/jwt.h"

static const char keys[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},{\"kty\":\"EC\","
    "\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
/* RFC 8037 A.4: the one thing that was signed by the first key. */
static const char signed_text[] = "Example of Ed25519 signing";

FUZZ(in)
{
	static const struct jwt_rules rules = { .issuer = STR_INIT("joe"),
		.audience = STR_INIT("mail"), .scope = STR_INIT("smtp"),
		.claim = STR_INIT("sub") };
	static struct jwks *set;
	struct jwks *other;
	struct jwt_facts facts;
	struct str payload;
	struct arena a;
	const char *why;

	if (set == NULL)
		set = jwks_read(str_of(keys));
	must(set != NULL);
	arena_init(&a, 1024 * 1024);
	if (jwt_signed(in, set, &a, &payload, &why) == JWT_FINE)
		must(str_eq(payload, str_of(signed_text)) ||
		    str_find_str(payload, STR("\"iss\":\"joe\"")) < payload.n);
	must(jwt_check(in, set, &rules, (struct wall){ 1 }, &a, &facts) !=
	    JWT_FINE);
	if (jwt_claims(in, &rules, true, (struct wall){ 1 }, &a, &facts) ==
	    JWT_FINE)
		must(facts.name.n > 0 && facts.why == NULL);
	other = jwks_read(in);
	jwks_free(other);
	arena_clear(&a);
}
