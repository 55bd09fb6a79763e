/* TLSA records: whatever they hold, they are told as text; what is usable can be
 * held against a chain, and names no certificate that is not there. */
#include "fuzz.h"
#include "trust/dane.h"

static char text[16 * 1024];

FUZZ(in)
{
	struct tlsa t;
	struct buf b = BUF_OF(text);
	struct tls_demand d = { .level = TLS_LEVEL_DANE, .n_tlsa = 1,
		.tlsa = &t, .sni = STR("mx.a.example"), .n_names = 1,
		.names = { STR("mx.a.example") } };

	if (!dane_read(in, &t))
		return;
	dane_print(&t, &b);
	must(str_is_printable(buf_str(&b)));
	if (dane_is_usable(&t))
		must(t.usage >= 2 && t.usage <= 3 && t.selector <= 1 &&
		    t.matching <= 2);
	must(dane_verify(&d, NULL, NULL, (struct wall){ 0 }) != X509_V_OK);
}
