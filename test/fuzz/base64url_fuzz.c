/* Base64url: what is written is read back; what is read has one spelling. */
#include "fuzz.h"
#include "wire/base64url.h"

enum { ROOM = 8192 };

static char letters[2 * ROOM], octets[2 * ROOM];

FUZZ(in)
{
	struct buf written = BUF_OF(letters), back = BUF_OF(octets);

	if (in.n > ROOM)
		return;
	base64url_put(&written, in);
	must(!written.full && written.n == base64url_room(in.n));
	must(base64url_read(buf_str(&written), &back) && !back.full);
	must(str_eq(buf_str(&back), in));
	back = BUF_OF(octets);
	if (!base64url_read(in, &back))
		return;
	written = BUF_OF(letters);
	base64url_put(&written, buf_str(&back));
	must(str_eq(buf_str(&written), in));
}
