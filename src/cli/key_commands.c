/* key_commands.c -- key create, list, revoke: nm_live_PUBLIC_SECRET. */
#include "base/err.h"
#include "base/json.h"
#include "cli/accounts.h"
#include "policy/account_text.h"
#include "policy/domain.h"
#include "store/account.h"
#include "trust/password.h"

#include <stdio.h>
#include <sysexits.h>

enum { PUBLIC_LETTERS = 8, SECRET_LETTERS = 32, KEY_NAME_MOST = 64,
	KEY_LINE = 8192 };

/* Commas and spaces become one space; each part must be right. */
static int
list_read(struct cli *c, struct str text, bool (*is_right)(struct cli *,
    struct str), const char *what, struct str *out)
{
	struct buf b = { .p = arena_alloc(&c->arena, text.n + 1),
		.cap = text.n };

	*out = STR("");
	while (b.p != NULL && text.n > 0) {
		size_t comma = str_find(text, ','), space = str_find(text, ' ');
		size_t n = comma < space ? comma : space;
		struct str part = str_sub(text, 0, n);

		text = str_sub(text, n + 1, text.n);
		if (part.n == 0)
			continue;
		if (!is_right(c, part))
			return cli_fail(EX_USAGE, "'" STR_FMT "' is no %s",
			    STR_ARG(part), what);
		if (b.n > 0)
			buf_putc(&b, ' ');
		buf_put(&b, part);
	}
	*out = b.p == NULL ? STR("") : buf_str(&b);
	return 0;
}

static bool
scope_is_right(struct cli *c, struct str s)
{
	(void)c;
	return str_eq(s, STR("send")) || str_eq(s, STR("read")) ||
	    str_eq(s, STR("manage")) || str_eq(s, STR("admin"));
}

static bool
domain_is_right(struct cli *c, struct str s)
{
	struct str canonical;

	return domain_canonical(&c->arena, s, &canonical);
}

static int
key_fill(struct cli *c, struct kept_key *k)
{
	struct conf_networks networks;
	int rc = list_read(c, c->scopes.n == 0 ? STR("send") : c->scopes,
	    scope_is_right, "scope (send, read, manage, admin)", &k->scopes);

	if (rc == 0)
		rc = list_read(c, c->domains, domain_is_right, "domain",
		    &k->domains);
	if (rc == 0 && account_text_networks(&c->arena, c->networks,
	    &networks) != 0)
		rc = cli_fail(EX_USAGE, "%s", err_text());
	k->name = c->words[0];
	k->networks = c->networks;
	k->tenant = c->tenant;
	k->public = accounts_random(c, PUBLIC_LETTERS);
	k->created = accounts_now();
	return rc != 0 ? rc : accounts_expiry(c->expires, &k->expires);
}

static void
key_say(struct cli *c, const struct kept_key *k, struct str secret)
{
	char room[KEY_LINE / 4];
	struct buf b = BUF_OF(room);
	struct json j;
	struct str key = arena_printf(&c->arena, "nm_live_" STR_FMT "_" STR_FMT,
	    STR_ARG(k->public), STR_ARG(secret));

	if (!c->json) {
		fprintf(stderr, "The key, which is not shown again; a password "
		    "with any user name:\n");
		printf(STR_FMT "\n", STR_ARG(key));
		return;
	}
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "id", k->public);
	json_put_str(&j, "key", key);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
}

int
command_key_create(struct cli *c)
{
	unsigned char digest[PASSWORD_DIGEST];
	struct kept_key k = { .digest = { (const char *)digest,
		sizeof digest } };
	struct str secret = accounts_random(c, SECRET_LETTERS);
	struct accounts a;
	int rc;

	if (c->n_words != 1)
		return cli_usage("key create");
	if (c->words[0].n == 0 || c->words[0].n > KEY_NAME_MOST)
		return cli_fail(EX_USAGE, "a key's name has 1 to %d octets",
		    KEY_NAME_MOST);
	rc = key_fill(c, &k);
	if (rc == 0)
		rc = accounts_open(c, true, &a);
	if (rc != 0)
		return rc;
	password_digest(secret, digest);
	rc = accounts_result(kept_key_add(&a.database, &k), "key", k.public);
	if (rc == 0)
		key_say(c, &k, secret);
	accounts_close(&a);
	return rc;
}

/* ---- list, revoke ---- */

static void
key_json(struct json *j, const struct kept_key *k)
{
	json_put_object(j, NULL);
	json_put_str(j, "id", k->public);
	json_put_str(j, "name", k->name);
	json_put_str(j, "scopes", k->scopes);
	json_put_str(j, "domains", k->domains);
	json_put_bool(j, "revoked", k->is_revoked);
	if (k->networks.n > 0)
		json_put_str(j, "networks", k->networks);
	if (k->tenant.n > 0)
		json_put_str(j, "tenant", k->tenant);
	if (k->expires.us > 0)
		json_put_wall(j, "expires_at", k->expires);
	json_put_wall(j, "created_at", k->created);
	if (k->used.us > 0)
		json_put_wall(j, "last_used_at", k->used);
	json_end_object(j);
}

static int
key_line(void *arg, const struct kept_key *k)
{
	struct cli *c = arg;
	struct arena_mark mark = arena_mark(&c->arena);
	struct buf b = { .p = arena_alloc(&c->arena, KEY_LINE), .cap = KEY_LINE };
	struct json j;

	if (b.p == NULL)
		return -1;
	if (c->json) {
		json_begin(&j, &b);
		key_json(&j, k);
		printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	} else
		printf("%-8s  %-24s %-12s %s%s\n", accounts_text(c, k->public),
		    accounts_text(c, k->name), accounts_text(c, k->scopes),
		    k->is_revoked ? "revoked, " : "", k->used.us > 0 ?
		    wall_print(k->used).text : "never used");
	arena_back(&c->arena, mark);
	return 0;
}

int
command_key_list(struct cli *c)
{
	struct accounts a;
	struct arena rows;
	int rc;

	if (c->n_words != 0)
		return cli_usage("key list");
	rc = accounts_open(c, false, &a);
	if (rc != 0)
		return rc;
	arena_init(&rows, (size_t)1 << 30);
	rc = accounts_result(kept_keys(&a.database, &rows, key_line, c), "key",
	    STR(""));
	arena_clear(&rows);
	accounts_close(&a);
	return rc;
}

/* The whole key may be what somebody has at hand. */
static struct str
public_of(struct str text)
{
	return str_skip(&text, STR("nm_live_")) ? str_cut(&text, '_') : text;
}

int
command_key_revoke(struct cli *c)
{
	struct accounts a;
	int rc;

	if (c->n_words != 1)
		return cli_usage("key revoke");
	rc = accounts_open(c, false, &a);
	if (rc != 0)
		return rc;
	rc = accounts_result(kept_key_revoke(&a.database, public_of(
	    c->words[0])), "key in force", public_of(c->words[0]));
	accounts_close(&a);
	return rc;
}
