#include "policy/resolver.h"

#include "fiber/dns.h"

int
resolver_use(const struct config *conf)
{
	struct dns_config d = { .zone = conf->dns.zone_text };
	struct str forwarders[16];
	char text[16][64];
	char anchor[1025], hints[1025];

	for (size_t i = 0; i < conf->dns.forwarders.n && i < 16; i++) {
		const struct address *a = &conf->dns.forwarders.v[i];
		struct buf b = BUF_OF(text[i]);

		buf_printf(&b, "%s@%u", address_print(a).text,
		    a->port != 0 ? a->port : 53u);
		forwarders[d.n_forwarders++] = buf_str(&b);
	}
	d.forwarders = forwarders;
	if (conf->dns.anchor.n > 0 &&
	    str_cstr(conf->dns.anchor, anchor, sizeof anchor))
		d.anchor_file = anchor;
	if (conf->dns.root.n > 0 && str_cstr(conf->dns.root, hints, sizeof hints))
		d.hints_file = hints;
	return dns_configure(&d);
}
