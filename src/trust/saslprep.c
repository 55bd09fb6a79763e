#include "trust/saslprep.h"

#include <openssl/crypto.h>
#include <stringprep.h>

enum { PREP_ROOM = 2048 };		/* octets, prepared */

/* RFC 4013 2.3: of ASCII, the control characters are prohibited, and nothing
 * else changes. */
static bool
ascii_put(struct str s, struct buf *out)
{
	if (s.n == 0 || !str_is_printable(s))
		return false;
	buf_put(out, s);
	return !out->full;
}

bool
saslprep(struct str s, enum saslprep_use use, struct buf *out)
{
	char room[PREP_ROOM];
	bool fine;

	if (str_is_ascii(s))
		return ascii_put(s, out);
	fine = str_is_utf8(s) && str_cstr(s, room, sizeof room) &&
	    stringprep(room, sizeof room, use == SASLPREP_STORED ?
	    STRINGPREP_NO_UNASSIGNED : 0, stringprep_saslprep) ==
	    STRINGPREP_OK && room[0] != '\0';
	if (fine)
		buf_put(out, str_of(room));
	OPENSSL_cleanse(room, sizeof room);
	return fine && !out->full;
}
