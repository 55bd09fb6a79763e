/* Received: reading never leaves the value; ours cannot be broken by a peer. */
#include "fuzz.h"
#include "wire/received.h"

static void
check_read(struct str in)
{
	struct received_read r;

	received_read(in, &r);
	must(fuzz_is_inside(r.from, in) && fuzz_is_inside(r.helo, in));
	must(fuzz_is_inside(r.host, in) && fuzz_is_inside(r.ip, in));
	must(fuzz_is_inside(r.by, in) && fuzz_is_inside(r.via, in));
	must(fuzz_is_inside(r.with, in) && fuzz_is_inside(r.id, in));
	must(fuzz_is_inside(r.rcpt, in) && fuzz_is_inside(r.tls, in));
	must(fuzz_is_inside(r.cipher, in));
}

static void
check_write(struct str in)
{
	char out[RECEIVED_MOST];
	struct buf b = BUF_OF(out);
	struct received r = { .by = STR("mx.example"), .ip = STR("192.0.2.1"),
		.with = STR("ESMTPS"), .at = { US_PER_SECOND } };
	struct received_read back;
	struct str s;

	r.helo = str_cut(&in, '\0');
	r.host = str_cut(&in, '\0');
	r.id = str_sub(str_cut(&in, '\0'), 0, 64);
	r.tls = str_sub(str_cut(&in, '\0'), 0, 64);
	r.rcpt = in;
	received_write(&b, &r);
	s = buf_str(&b);
	must(!b.full && fuzz_is_canonical(s));
	must(str_skip(&s, STR("Received: ")));
	received_read(s, &back);
	must(str_eq(back.by, STR("mx.example")));
	must(str_eq(back.with, STR("ESMTPS")));
	must(back.has_date && back.date.at.us == US_PER_SECOND);
	must(r.helo.p == NULL || str_eq(back.ip, STR("192.0.2.1")));
}

FUZZ(in)
{
	check_read(in);
	check_write(in);
}
