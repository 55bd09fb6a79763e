#include "policy/config.h"
#include "policy/finish.h"

enum { SECRET_LEAST = 16, SECRETS_MOST = 16 };

/* Mail for it has to come here. */
static void
forward_domain(struct load *l, struct str name, const char *key)
{
	if (name.n == 0 || config_domain(l->config, name) != NULL)
		return;
	problem_add(l->reader.problems, PROBLEM_ERROR,
	    finish_place(l->config->origins, key),
	    "'%s': " STR_FMT " is no domain of this server; add it to domains, "
	    "and let its MX lead here", key, STR_ARG(name));
}

static void
forward_secret_wrong(struct load *l, const char *what)
{
	problem_add(l->reader.problems, PROBLEM_ERROR,
	    finish_place(l->config->origins, "forward.srs_secret"),
	    "'forward.srs_secret': %s", what);
}

/* One a line; the form in which postsrsd keeps them. */
static void
forward_secrets(struct load *l)
{
	struct config *c = l->config;
	struct conf_strings *out = &c->forward.srs_secrets;
	struct str rest = c->forward.srs_secret;

	if (rest.n == 0)
		return;
	out->v = arena_alloc(l->reader.arena, SECRETS_MOST * sizeof *out->v);
	if (out->v == NULL) {
		finish_is_full(l);
		return;
	}
	while (rest.n > 0) {
		struct str one = str_trim(str_cut(&rest, '\n'));

		if (one.n == 0)
			continue;
		if (out->n == SECRETS_MOST) {
			forward_secret_wrong(l, "it has more than 16 lines");
			return;
		}
		if (one.n < SECRET_LEAST) {
			forward_secret_wrong(l, "a secret has at least 16 "
			    "characters; openssl rand -base64 18 makes one");
			return;
		}
		out->v[out->n++] = one;
	}
}

void
finish_forward(struct load *l)
{
	struct config *c = l->config;

	forward_domain(l, c->forward.arc_domain, "forward.arc_domain");
	forward_domain(l, c->forward.srs_domain, "forward.srs_domain");
	forward_secrets(l);
	if (c->forward.arc == FORWARD_ARC_ON &&
	    c->inbound.verify.arc != ANSWER_YES)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "forward.arc"),
		    "'forward.arc' says what ARC was when a message came, and "
		    "inbound.verify.arc is no; turn it on");
}
