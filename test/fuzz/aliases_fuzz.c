/* aliases(5): every name and target is a part of the file, line by line. */
#include "fuzz.h"
#include "wire/aliases.h"

static size_t
check_targets(struct str targets, struct str in)
{
	struct alias_target t;
	size_t n = 0;

	must(fuzz_is_inside(targets, in));
	for (; alias_target(&targets, &t); n++) {
		char room[256];
		struct buf b = BUF_OF(room);

		must(n <= in.n && fuzz_is_inside(t.text, in));
		must(t.kind == ALIAS_BAD || t.text.n > 0);
		alias_unquote(t.text, &b);
		must(b.n <= t.text.n);
	}
	return n;
}

FUZZ(in)
{
	unsigned line = 0;
	struct aliases walk;
	struct alias a;

	aliases_begin(&walk, in);
	while (aliases_next(&walk, &a)) {
		must(a.line > line && fuzz_is_inside(a.name, in));
		line = a.line;
		if (a.why == NULL)
			check_targets(a.targets, in);
	}
	must(line <= in.n + 1);
}
