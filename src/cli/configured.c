#include "cli/configured.h"

#include "base/arena.h"
#include "cli/files.h"
#include "policy/config.h"
#include "policy/holder.h"
#include "policy/problem.h"

struct str
configured_socket(struct cli *c, enum configured which)
{
	struct problems *p = arena_new(&c->arena, struct problems);
	struct config *conf;
	struct str path;

	if (p == NULL)
		return STR_NONE;
	problems_init(p);
	conf = config_load(&files_source, c->config, p);
	problems_clear(p);
	if (conf == NULL)
		return STR_NONE;
	path = arena_copy(&c->arena, which == CONFIGURED_CONTROL ?
	    conf->control.socket : conf->submit.socket);
	config_release(conf);
	return path;
}
