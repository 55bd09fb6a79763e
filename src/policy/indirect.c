#include "policy/indirect.h"

#include "base/err.h"
#include "policy/problem.h"
#include "policy/schema.h"
#include "policy/source.h"

static bool
indirect_failed(struct value_reader *r, const struct node *n,
    enum source_status status)
{
	if (status == SOURCE_FOUND)
		return true;
	problem_add(r->problems, PROBLEM_ERROR, n->at, "'"STR_FMT"': %s",
	    STR_ARG(n->text), status == SOURCE_ABSENT ? "there is no such thing"
	    : err_text());
	return false;
}

static enum source_status
indirect_cred(struct value_reader *r, struct str name, struct str *out)
{
	struct source_file file;
	struct str directory;
	enum source_status status;

	status = r->source->env(r->source, STR("CREDENTIALS_DIRECTORY"),
	    r->scratch, &directory);
	if (status != SOURCE_FOUND)
		return status;
	directory = arena_join(r->scratch, directory, STR("/"));
	status = r->source->read(r->source,
	    arena_join(r->scratch, directory, name), r->scratch, &file);
	*out = file.bytes;
	return status;
}

/* A path may be that of a credential, whose place only the service manager
 * knows. */
static bool
indirect_path(struct value_reader *r, const struct node *n, struct str *text)
{
	enum source_status status;
	struct str directory, name = *text;

	if (!str_skip(&name, STR("cred:")))
		return true;
	if (name.n == 0 || str_find(name, '/') < name.n)
		return indirect_failed(r, n, SOURCE_ABSENT);
	status = r->source->env(r->source, STR("CREDENTIALS_DIRECTORY"),
	    r->scratch, &directory);
	if (status != SOURCE_FOUND) {
		problem_add(r->problems, PROBLEM_ERROR, n->at, "'"STR_FMT"': "
		    "there are no credentials: the service manager sets "
		    "CREDENTIALS_DIRECTORY where LoadCredential= is used",
		    STR_ARG(*text));
		return false;
	}
	*text = arena_join(r->scratch, arena_join(r->scratch, directory,
	    STR("/")), name);
	return text->p != NULL || indirect_failed(r, n, SOURCE_TROUBLE);
}

static bool
indirect_text(struct value_reader *r, const struct node *n, struct str *text,
    bool *is_secret)
{
	struct str name = *text;
	struct source_file file = { .bytes = STR("") };
	enum source_status status;

	*is_secret = true;
	if (str_skip(&name, STR("env:"))) {
		status = r->source->env(r->source, name, r->scratch, text);
	} else if (str_skip(&name, STR("cred:"))) {
		status = str_find(name, '/') < name.n ? SOURCE_ABSENT :
		    indirect_cred(r, name, text);
	} else {
		*is_secret = false;
		if (!str_skip(&name, STR("file:")))
			return true;
		status = r->source->read(r->source, name, r->scratch, &file);
		*text = file.bytes;
	}
	*text = str_trim(*text);
	return indirect_failed(r, n, status);
}

/* What stands in the file is read by whoever may read the file, and shown. */
static bool
indirect_secret(struct value_reader *r, const struct node *n,
    bool *is_secret)
{
	struct str text = n->text;

	*is_secret = true;
	if (str_skip(&text, STR("cred:")) || str_skip(&text, STR("env:")) ||
	    str_skip(&text, STR("file:")))
		return true;
	problem_add(r->problems, PROBLEM_ERROR, n->at, "a secret does not stand "
	    "in the configuration: say cred:NAME (a file of systemd's "
	    "LoadCredential), env:NAME or file:PATH");
	return false;
}

bool
indirect_read(struct value_reader *r, const struct schema *row,
    const struct node *n, bool is_text, struct str *text, bool *is_secret)
{
	if (is_text && !indirect_text(r, n, text, is_secret))
		return false;
	if (row->type == TYPE_SECRET || row->type == TYPE_SECRETS)
		return indirect_secret(r, n, is_secret);
	if (row->type == TYPE_PATH || row->type == TYPE_PATHS)
		return indirect_path(r, n, text);
	return true;
}
