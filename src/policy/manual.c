#include "policy/manual.h"

#include "base/json.h"
#include "policy/value.h"

enum { MANUAL_LINE_MOST = 1024, MANUAL_WIDTH = 76, SCHEMA_ROOM = 3072 };

static void
page_line(struct show_lines *out, const char *text)
{
	out->line(out, str_of(text));
}

/* ---- mdoc(7) ---- */

/* A line that begins with a dot or quote would be a request; a backslash an
 * escape. */
static void
put_roff(struct buf *b, struct str s)
{
	if (s.n > 0 && (s.p[0] == '.' || s.p[0] == '\''))
		buf_put(b, STR("\\&"));
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			buf_put(b, STR("\\e"));
		else
			buf_putc(b, s.p[i]);
	}
}

/* Each sentence begins a line, as mdoc wants it; long ones are folded. */
static void
page_text(struct show_lines *out, struct str text)
{
	char room[MANUAL_LINE_MOST];

	while (text.n > 0) {
		size_t stop = str_find_str(text, STR(".  "));
		size_t n = stop == text.n ? text.n : stop + 1;
		struct buf b = BUF_OF(room);

		if (n > MANUAL_WIDTH)
			for (n = MANUAL_WIDTH; n > 1 && text.p[n] != ' '; n--)
				;
		put_roff(&b, str_trim(str_sub(text, 0, n)));
		out->line(out, buf_str(&b));
		text = str_trim(str_sub(text, n, text.n));
	}
}

static void
put_type(struct buf *b, const struct schema *row)
{
	struct str words = str_of(row->words), word;
	bool is_first = true;

	if (!schema_type_chooses(row->type)) {
		buf_put(b, str_of(schema_type_says(row->type)));
		if (row->words != NULL)
			buf_printf(b, " or %s", row->words);
		return;
	}
	for (; schema_word(&words, &word); is_first = false)
		buf_printf(b, "%s"STR_FMT, is_first ? "" : " | ",
		    STR_ARG(word));
}

static void
page_facts(struct show_lines *out, const struct schema *row)
{
	char room[MANUAL_LINE_MOST];
	struct buf b = BUF_OF(room);

	buf_putc(&b, '(');
	put_type(&b, row);
	if (row->least != 0 || row->most != 0) {
		buf_put(&b, STR(", "));
		value_range_print(row, &b);
	}
	if (row->fallback != NULL) {
		buf_put(&b, STR("; default "));
		buf_put(&b, str_of(row->fallback));
	}
	if (row->when == RESTART)
		buf_put(&b, STR("; read at start only"));
	buf_putc(&b, ')');
	page_text(out, buf_str(&b));
	page_line(out, ".Pp");
}

static void
page_keys(struct show_lines *out)
{
	page_line(out, ".Sh KEYS");
	page_line(out, ".Bl -tag -width Ds");
	for (size_t i = 0; i < schema_n; i++) {
		const struct schema *row = &schema_rows[i];
		char room[MANUAL_LINE_MOST];
		struct buf b = BUF_OF(room);

		if (row->kind == SCHEMA_LATER)
			continue;
		buf_printf(&b, ".It Cm %s", row->path);
		out->line(out, buf_str(&b));
		if (row->kind == SCHEMA_KEY)
			page_facts(out, row);
		if (row->kind == SCHEMA_SAME) {
			b.n = 0;
			buf_printf(&b, "The same as %s.", row->doc);
			out->line(out, buf_str(&b));
			continue;
		}
		page_text(out, str_of(row->doc));
	}
	page_line(out, ".El");
}

static void
page_later(struct show_lines *out)
{
	page_line(out, ".Sh KEYS OF LATER VERSIONS");
	page_line(out, "These are known and refused, so that nobody believes "
	    "they work:");
	page_line(out, ".Bl -tag -width Ds");
	for (size_t i = 0; i < schema_n; i++) {
		const struct schema *row = &schema_rows[i];
		char room[MANUAL_LINE_MOST];
		struct buf b = BUF_OF(room);

		if (row->kind != SCHEMA_LATER)
			continue;
		buf_printf(&b, ".It Cm %s", row->path);
		out->line(out, buf_str(&b));
		b.n = 0;
		buf_printf(&b, "Without it, %s.", row->doc);
		page_text(out, buf_str(&b));
	}
	page_line(out, ".El");
}

static const char *const page_commands[] = {
	".Sh COMMANDS",
	"A command of",
	".Cm pipe ,",
	"or of an alias, is started by the porter, once for each recipient,",
	"as the user with the uid and gid that the users file tells, else as",
	".Cm deliver.user ,",
	"else as nobody (uid 65534); never as root, nor can it become root by",
	"a program that has root's rights, such as sudo.",
	"A server that root did not start runs it as its own user,",
	"and only where nobody else's uid is asked for.",
	".Pp",
	"No shell reads it.",
	"White space parts words, '...' and \"...\" keep them together,",
	"a backslash takes an octet's meaning away.",
	"The first word is the program's absolute path.",
	"A variable stays within the word it stands in:",
	".Bl -tag -width Ds",
};

static const char *const page_command_runs[] = {
	".El",
	".Pp",
	"An address that begins with '-' fails with 5.1.3 where a word begins",
	"with it, since the program would take it for an option.",
	".Pp",
	"Standard input is the message with LF at the ends of lines, and on top",
	"Return-Path, Delivered-To and, where the client gave another address,",
	"X-Original-To.",
	"Standard output and error are one: the first 200 octets or so stand in",
	"the log, and in the report when the message fails.",
	"A status like 5.7.1 at the beginning of them is taken for the",
	"enhanced code, when it is of the class of what became of the message.",
	"The environment is PATH (/usr/local/bin:/usr/bin:/bin), LANG=C,",
	"HOME (the user's, or that of the uid's account, or /),",
	"LOGNAME and USER (the uid's account, or the user's name), SENDER,",
	"RECIPIENT, ORIGINAL_RECIPIENT, DOMAIN, EXTENSION, and LOCAL, what stands",
	"before the last @ of RECIPIENT.",
	"Strangers choose most of these: a script must put them in quotes.",
	"The directory is HOME, or / when there is none.",
	".Pp",
	"After",
	".Cm timeouts.pipe",
	"all that it started in its process group is killed, and the mail waits;",
	"likewise when the server stops and",
	".Cm timeouts.stop",
	"is over.",
	"So it does after a signal, and when the program cannot be started.",
	"What the exit status means:",
	".Bl -tag -width Ds",
};

static const char *const page_command_ends[] = {
	".It any other",
	"5.3.0, failed.",
	".El",
};

static void
page_lines(struct show_lines *out, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		page_line(out, lines[i]);
}

#define PAGE_LINES(out, lines) \
	page_lines((out), (lines), sizeof (lines) / sizeof (lines)[0])

static void
page_pipes(struct show_lines *out)
{
	static const char *const vars[] = {
#define PIPE_VAR(name_, doc_) ".It Cm ${" #name_ "}", doc_ ".",
#include "policy/pipe.def"
#undef PIPE_VAR
	};
	static const char *const ends[] = {
		".It 0",
		"2.0.0, delivered.",
#define SYSEXIT(name_, status_, disposition_, esc_, text_) \
		".It " #status_ " (EX_" #name_ ")", \
		esc_ ", " #disposition_ ": " text_ ".",
#include "policy/sysexit.def"
#undef SYSEXIT
	};

	PAGE_LINES(out, page_commands);
	PAGE_LINES(out, vars);
	PAGE_LINES(out, page_command_runs);
	PAGE_LINES(out, ends);
	PAGE_LINES(out, page_command_ends);
}

static const char *const page_head[] = {
	".\\\" Made from src/policy/conf.def by tools/manual; change it there.",
	".Dd November 21, 2026",
	".Dt NIGHTMAIL.YAML 5",
	".Os",
	".Sh NAME",
	".Nm nightmail.yaml",
	".Nd configuration of the Nightmail SMTP server",
	".Sh SYNOPSIS",
	".Pa /etc/nightmail/nightmail.yaml",
	".Sh DESCRIPTION",
	"The configuration of",
	".Xr nightmail 8",
	"is a YAML file without YAML's traps.",
	"Every key has a default and an empty file is valid: it makes a server",
	"that takes mail from programs of this machine, delivers to its users",
	"and sends everything else to where the DNS says.",
	".Pp",
	"A value is text until its key says what it is:",
	"no, 0o25 and 1e3 never change their meaning by themselves.",
	"Refused are anchors, aliases, merge keys, tags, several documents,",
	"a key twice, texts of several lines, escapes in double quotes other than",
	"\\e\" and \\e\\e, tabs, and keys that are not known.",
	".Pp",
	"An error is told with its line, and several in one run:",
	".Bd -literal -offset indent",
	("nightmail.yaml:4:11: error: 'five days' is not a duration "
	    "(examples: 30s, 15m, 4h, 5d)"),
	"  expire: five days",
	"          ^~~~~~~~~",
	".Ed",
	".Pp",
	".Ic nightmail check-config",
	"tells errors, which keep the server from starting and a reload from",
	"taking effect, and warnings and hints, which do not.",
	".Ic nightmail config show",
	"prints every value with the place it was set,",
	".Ic nightmail config explain Ar key",
	"what this page says about a key.",
	".Ss Units",
	".Bl -tag -width duration",
	".It duration",
	"30s, 15m, 4h, 5d, 2w, or 500ms.",
	".It size",
	"512, 64K, 50M, 2G, 1T: powers of 1024.",
	".It rate",
	"100/s, 60/min, 10000/h, 1/d, or none.",
	".El",
	".Ss Texts from elsewhere",
	"A text, a domain name or a mail address may be written as",
	".Ql file:/path ,",
	".Ql env:NAME",
	"or",
	".Ql cred:NAME",
	"(a file in the directory CREDENTIALS_DIRECTORY, as systemd makes it",
	"with LoadCredential); it is read from there.",
	"What came from the last two is never shown.",
	"A path, as that of a private key, may be written as",
	".Ql cred:NAME ,",
	"too, and is then the path of that credential.",
};

static const char *const page_tail[] = {
	".Sh FILES",
	".Bl -tag -width Ds",
	".It Pa /etc/nightmail/nightmail.yaml",
	"The configuration.",
	".It Pa /etc/aliases",
	"Aliases of hostname and localhost, unless these are listed in domains.",
	".El",
	".Sh EXAMPLES",
	"Mail for a domain, users in a file, everything else to a smarthost:",
	".Bd -literal -offset indent",
	"hostname: mx1.example.com",
	"admin: alice@example.com",
	"listen:",
	"  - { port: 25, role: mx }",
	"  - { port: 587, role: submission, address: 192.0.2.1 }",
	"trusted: [ 127.0.0.0/8, \"::1\", 192.0.2.0/24 ]",
	"domains:",
	"  example.com:",
	"    users: file:/etc/nightmail/users",
	"    aliases: /etc/nightmail/aliases",
	"  example.net: { alias_of: example.com }",
	"deliver: { maildir: /var/mail/%d/%u, user: vmail }",
	"route:",
	"  - { if: { rcpt_domain: \"*.test\" }, refuse: no such network }",
	"  - { relay: smtp://smart.example.org:2525 }",
	".Ed",
	".Sh SEE ALSO",
	".Xr aliases 5 ,",
	".Xr nightmail 8",
};

void
manual_page(struct show_lines *out)
{
	for (size_t i = 0; i < sizeof page_head / sizeof page_head[0]; i++)
		page_line(out, page_head[i]);
	page_keys(out);
	page_pipes(out);
	page_later(out);
	for (size_t i = 0; i < sizeof page_tail / sizeof page_tail[0]; i++)
		page_line(out, page_tail[i]);
}

/* ---- JSON Schema ---- */

/* What a value looks like to an editor.  The server checks more. */
static const char *
json_pattern(enum schema_type type)
{
	switch (type) {
	case TYPE_DURATION:
	case TYPE_DURATIONS:
		return "^(0|[0-9]+(ms|s|m|h|d|w))$";
	case TYPE_DATE:
		return "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]+Z)?$";
	case TYPE_FINGERPRINTS:
		return "^(sha256:)?[0-9A-Fa-f:]{64,95}$";
	case TYPE_SENDERS:
		return "^(.*@.*|[*]|<>)$";
	case TYPE_SIZE:
		return "^[0-9]+[KMGT]?$";
	case TYPE_RATE:
		return "^([0-9]+/(s|min|h|d)|none)$";
	case TYPE_INTEGER:
		return "^[0-9]+$";
	case TYPE_PATH:
	case TYPE_PATHS:
		return "^/";
	case TYPE_TEMPLATE:
		return "^(/|~/)";
	case TYPE_RELAY:
		return "^(mx|(smtp|lmtp)://.*|unix:/.*)$";
	case TYPE_LMTP:
		return "^(unix:/.*|(lmtp://)?[^/]+:[0-9]+)$";
	case TYPE_PIPE:
		return "^/";
	case TYPE_SECRET:
	case TYPE_SECRETS:
		return "^(cred|env|file):";
	case TYPE_NONE:
	case TYPE_ADDRESSES:
	case TYPE_DOMAIN:
	case TYPE_ENUM:
	case TYPE_INCLUDE:
	case TYPE_MAILBOX:
	case TYPE_NETWORKS:
	case TYPE_PATTERNS:
	case TYPE_SHARES:
	case TYPE_STRING:
	case TYPE_STRINGS:
	case TYPE_USERS:
	case TYPE_WORDS:
	case SCHEMA_TYPES:
		break;
	}
	return NULL;
}

static bool
type_is_list(enum schema_type type)
{
	return type == TYPE_ADDRESSES || type == TYPE_DURATIONS ||
	    type == TYPE_INCLUDE || type == TYPE_NETWORKS ||
	    type == TYPE_PATHS || type == TYPE_PATTERNS ||
	    type == TYPE_RELAY || type == TYPE_LMTP || type == TYPE_SENDERS ||
	    type == TYPE_FINGERPRINTS || type == TYPE_STRINGS ||
	    type == TYPE_USERS || type == TYPE_WORDS;
}

static void
json_one(struct json *j, const char *key, const struct schema *row)
{
	const char *pattern = json_pattern(row->type);
	struct str words = str_of(row->words), word;

	json_put_object(j, key);
	json_put_array(j, "type");
	json_put_str(j, NULL, STR("string"));
	if (row->type == TYPE_INTEGER || row->type == TYPE_SIZE ||
	    row->type == TYPE_DURATION)
		json_put_str(j, NULL, STR("integer"));
	json_end_array(j);
	if (schema_type_chooses(row->type)) {
		json_put_array(j, "enum");
		while (schema_word(&words, &word))
			json_put_str(j, NULL, word);
		json_end_array(j);
	} else if (pattern != NULL && row->words == NULL) {
		json_put_str(j, "pattern", str_of(pattern));
	}
	if (row->type == TYPE_INTEGER && row->words == NULL) {
		json_put_u64(j, "minimum", row->least);
		json_put_u64(j, "maximum", row->most);
	}
	json_end_object(j);
}

static void
json_key(struct json *j, const struct schema *row)
{
	char name[64];

	if (!str_cstr(schema_name(row), name, sizeof name))
		return;
	json_put_object(j, name);
	json_put_str(j, "description", str_of(row->doc));
	if (row->fallback != NULL)
		json_put_str(j, "default", str_of(row->fallback));
	json_put_array(j, "anyOf");
	json_one(j, NULL, row);
	if (type_is_list(row->type)) {
		json_put_object(j, NULL);
		json_put_str(j, "type", STR("array"));
		json_one(j, "items", row);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

/* The other spelling of a section at the top. */
static void
json_same(struct json *j, const struct schema *row)
{
	char room[128], name[64];
	struct buf b = BUF_OF(room);

	if (!str_cstr(schema_name(row), name, sizeof name))
		return;
	buf_printf(&b, "#/properties/%s", row->doc);
	json_put_object(j, name);
	json_put_str(j, "$ref", buf_str(&b));
	json_end_object(j);
}

/* A walk through the sections, by hand: "[]", "*" and two levels of sections
 * are all there is, so the stack is small and fixed. */
struct level {
	const struct schema *section;	/* NULL: the top */
	const struct schema *row;	/* at work */
};

enum { LEVELS = 6 };

static struct str
level_path(const struct level *l)
{
	return l->section == NULL ? STR("") : str_of(l->section->path);
}

/* Names of the operator's, with weights. */
static void
json_shares(struct json *j, const struct schema *row)
{
	json_put_object(j, "additionalProperties");
	json_put_str(j, "description", str_of(row->doc));
	json_put_str(j, "type", STR("integer"));
	json_put_u64(j, "minimum", row->least);
	json_put_u64(j, "maximum", row->most);
	json_end_object(j);
}

static void
json_open(struct json *j, const struct schema *section)
{
	const struct schema *first = schema_first(str_of(section->path));
	bool is_list = first != NULL && first->kind == SCHEMA_EACH &&
	    str_has_suffix_icase(str_of(first->path), STR("[]"));
	bool is_named = first != NULL && first->kind == SCHEMA_EACH &&
	    !is_list;
	char name[64];

	(void)str_cstr(schema_name(section), name, sizeof name);
	json_put_object(j, section->kind != SCHEMA_EACH ? name :
	    str_has_suffix_icase(str_of(section->path), STR("[]")) ? "items" :
	    "additionalProperties");
	json_put_str(j, "description", str_of(section->doc));
	json_put_str(j, "type", is_list ? STR("array") : STR("object"));
	if (is_list || is_named)
		return;
	if (schema_any(section) != NULL) {
		json_shares(j, schema_any(section));
		return;
	}
	json_put_bool(j, "additionalProperties", false);
	json_put_object(j, "properties");
}

static bool
section_has_properties(const struct schema *section)
{
	const struct schema *first = section == NULL ? NULL :
	    schema_first(str_of(section->path));

	return first == NULL || (first->kind != SCHEMA_EACH &&
	    schema_any(section) == NULL);
}

static void
json_close(struct json *j, const struct schema *section)
{
	if (section_has_properties(section))
		json_end_object(j);
	json_end_object(j);
}

/* One step of the walk; false when it is over. */
static bool
json_step(struct json *j, struct level *levels, size_t *depth)
{
	struct level *l = &levels[*depth];
	const struct schema *row = l->row;

	if (row == NULL) {
		if (*depth == 0)
			return false;
		json_close(j, l->section);
		(*depth)--;
		return true;
	}
	l->row = schema_next(level_path(l), row);
	if (row->kind == SCHEMA_KEY && l->section != NULL &&
	    row == schema_any(l->section)) {
		return true;		/* json_open() has told */
	} else if (row->kind == SCHEMA_KEY) {
		json_key(j, row);
	} else if (row->kind == SCHEMA_SAME) {
		json_same(j, row);
	} else if ((row->kind == SCHEMA_SECTION || row->kind == SCHEMA_EACH) &&
	    *depth + 1 < LEVELS) {
		json_open(j, row);
		levels[++*depth] = (struct level){ row,
			schema_first(str_of(row->path)) };
	}
	return true;
}

/* The writer's buffer holds one value; each goes out as a line. */
static void
json_flush(struct buf *b, struct show_lines *out)
{
	if (b->n == 0)
		return;
	out->line(out, buf_str(b));
	b->n = 0;
}

void
manual_json_schema(struct show_lines *out)
{
	struct level levels[LEVELS] = { { NULL, schema_first(STR("")) } };
	char room[SCHEMA_ROOM];
	struct buf b = BUF_OF(room);
	struct json j;
	size_t depth = 0;

	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "$schema",
	    STR("https://json-schema.org/draft/2020-12/schema"));
	json_put_str(&j, "title", STR("nightmail.yaml"));
	json_put_str(&j, "type", STR("object"));
	json_put_bool(&j, "additionalProperties", false);
	json_put_object(&j, "properties");
	do
		json_flush(&b, out);
	while (json_step(&j, levels, &depth));
	json_end_object(&j);
	json_end_object(&j);
	json_flush(&b, out);
}
