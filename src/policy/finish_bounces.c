#include "policy/bounce_rules.h"
#include "policy/config.h"
#include "policy/finish.h"
#include "policy/value.h"

/* The built-in table is read here, too: whoever asks it later may be a fiber. */
void
finish_bounces(struct load *l)
{
	struct config *c = l->config;
	struct source_file file;

	if (bounce_rules_builtin() == NULL)
		finish_is_full(l);
	if (c->bounces.path.n == 0 || !value_file(&l->reader, c->bounces.path,
	    finish_place(c->origins, "bounces.rules"), &file))
		return;
	file.name = c->bounces.path;
	c->bounces.rules = bounce_rules_read(l->reader.arena,
	    l->reader.scratch, l->reader.problems, &file);
}
