#include "base/err.h"
#include "fiber/offload.h"
#include "policy/login_own.h"

#include "fiber/test_core.h"
#include "policy/test_conf.h"
#include "trust/password.h"

#include <stdatomic.h>

/* "sesame" */
#define BCRYPT "$2b$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O"
#define PBKDF2 "{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$169c8c9311e5896ff8af974740a9" \
	"13ac0dac669d"

static const char *url = "sqlite:/login.db";
enum { MANY = 100, APPS = 4000 };

static struct login login;
static struct config *config;
static struct arena arena;
static const char *why;
static struct account account;

static struct login_ask
asking(const char *name, const char *secret)
{
	struct login_ask ask = { .kind = LOGIN_PASSWORD, .config = config,
		.name = str_of(name), .secret = str_of(secret),
		.deadline = in_ms(5000) };

	assert_true(address_parse(STR("192.0.2.7"), 0, &ask.client));
	return ask;
}

static yields enum login_result
try(const char *name, const char *secret)
{
	struct login_ask ask = asking(name, secret);

	account = (struct account){ .name = STR_NONE };
	why = "";
	return login_check(&login, &ask, &arena, &account, &why);
}

static void
digest_put(const char *secret, struct str *out)
{
	unsigned char *p = arena_alloc(&arena, PASSWORD_DIGEST);

	password_digest(str_of(secret), p);
	*out = (struct str){ (const char *)p, PASSWORD_DIGEST };
}

/* ---- the database, as an operator would have filled it ---- */

static void
user_put(struct database *d, const char *name, const char *hash,
    bool is_disabled)
{
	struct kept_user u = { .name = str_of(name), .hash = str_of(hash),
		.is_disabled = is_disabled, .from = STR("@a.example"),
		.tenant = STR("acme"), .expires = { 77 },
		.networks = STR("192.0.2.0/24"),
		.limits = STR("messages_per_day=9") };

	assert_int_equal(kept_user_add(d, &u), 0);
}

static void
app_put(struct database *d, const char *user, const char *name,
    const char *secret, struct str scram)
{
	struct kept_app p = { .name = str_of(name), .scram = scram };
	struct kept_user u;

	digest_put(secret, &p.digest);
	assert_int_equal(kept_user_find(d, str_of(user), &arena, &u), 0);
	assert_int_equal(kept_app_add(d, u.id, &p), 0);
}

static void
key_put(struct database *d, const char *public, const char *scopes,
    const char *domains)
{
	struct kept_key k = { .public = str_of(public),
		.scopes = str_of(scopes), .domains = str_of(domains) };

	digest_put("verysecret", &k.digest);
	assert_int_equal(kept_key_add(d, &k), 0);
}

/* More than a line has. */
static const char *
many_domains(void)
{
	static char text[MANY * 24];
	struct buf b = BUF_OF(text);

	for (int i = 0; i < MANY; i++)
		buf_printf(&b, "%sdomain%d.example", i > 0 ? " " : "", i);
	buf_putc(&b, '\0');
	assert_false(b.full);
	return text;
}

static struct str
verifier_of(const char *password)
{
	struct buf b = { .p = arena_alloc(&arena, SCRAM_TEXT),
		.cap = SCRAM_TEXT };
	struct scram_verifier v;

	assert_int_equal(scram_make(SCRAM_SHA_256, str_of(password),
	    STR("0123456789abcdef"), 4096, &v), 0);
	scram_print(&v, &b);
	return buf_str(&b);
}

static void
database_fill(struct database *d)
{
	struct kept_user u = { .name = STR("sue"), .hash = STR(BCRYPT),
		.has_scram = true, .scram = verifier_of("sesame") };

	user_put(d, "bob@a.example", BCRYPT, false);
	user_put(d, "off@a.example", BCRYPT, true);
	user_put(d, "both", BCRYPT, false);
	user_put(d, "apps", "", false);
	app_put(d, "apps", "phone", "abcdefgh", STR(""));
	assert_int_equal(kept_user_add(d, &u), 0);
	app_put(d, "sue", "phone", "hgfedcba", verifier_of("hgfedcba"));
	key_put(d, "aaaa", "send", "a.example b.example");
	key_put(d, "bbbb", "read", "");
	key_put(d, "cccc", "read admin", "");
	key_put(d, "dddd", "send", "");
	key_put(d, "eeee", "send", many_domains());
	assert_int_equal(kept_key_revoke(d, STR("dddd")), 0);
}

static void
begin(const char *more)
{
	char yaml[1024];

	conf_begin();
	arena_init(&arena, 1 << 20);
	conf_file("/logins", "file:" PBKDF2 "\nboth:{PLAIN}other\n"
	    "Net@x.example:{PLAIN}net::::::allow_nets=198.51.100.0/24\n"
	    "gone:{PLAIN}gone::::::nologin\nnone:x\n"
	    "scram:{SCRAM-SHA-256}4096,MDEyMzQ1Njc4OWFiY2RlZg==,"
	    "hn4FUIkYt7Fy4b6A2QilBRpntUViQLMX9F3hmowbDlg=,"
	    "hn4FUIkYt7Fy4b6A2QilBRpntUViQLMX9F3hmowbDlg=\n");
	conf_file("/people", "ann:{PLAIN}ann\nben\n");
	snprintf(yaml, sizeof yaml, "hostname: mx.example.com\n"
	    "database: %s\ndomains: { a.example: { users: file:/people }, "
	    "b.example: { alias_of: a.example } }\n%s", url, more);
	config = conf_of(yaml);
	login = (struct login){ .records = NULL };
	assert_int_equal(login_open(&login, config), 0);
	assert_int_equal(login_begin(&login, 1), 0);
}

static yields void
end(void)
{
	login_end(&login);
	login_close(&login);
	config_free(config);
	arena_clear(&arena);
	conf_end();
}

static void
database_make(void)
{
	static const struct sqlite_owner us = { .may_create = true };
	struct database d;

	if (database_exists(str_of(url)))
		return;
	assert_int_equal(database_open(&d, str_of(url), &us), 0);
	database_fill(&d);
	database_close(&d);
}

#define PRINT "AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:" \
	"AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC"
#define FILES "auth: { users: file:/logins }\n"

/* ---- */

static yields void
without_a_database(void *arg)
{
	(void)arg;
	begin(FILES);
	assert_int_equal(try("bob@a.example", "sesame"), LOGIN_BAD);
	assert_string_equal(why, "unknown");
	assert_int_equal(try("file", "sesame"), LOGIN_OK);
	/* Made while the server runs: there at once. */
	database_make();
	assert_int_equal(try("bob@a.example", "sesame"), LOGIN_OK);
	end();
}

static yields void
users_of_the_database(void *arg)
{
	(void)arg;
	database_make();
	begin(FILES);
	assert_int_equal(try("BOB@A.Example", "sesame"), LOGIN_OK);
	assert_true(str_eq(account.name, STR("bob@a.example")));
	assert_string_equal(account.source, "database");
	assert_true(str_eq(account.tenant, STR("acme")));
	assert_true(account.from.n == 1 && str_eq(account.from.v[0],
	    STR("@a.example")));
	assert_true(account.networks.n == 1 && account.expires.us == 77);
	assert_int_equal(account.limits[ACCOUNT_MESSAGES].day, 9);
	assert_int_equal(try("bob@a.example", "sesamE"), LOGIN_BAD);
	assert_string_equal(why, "wrong password");
	assert_null(account.name.p);
	assert_int_equal(try("bob@a.example", ""), LOGIN_BAD);
	assert_int_equal(try("bob", "sesame"), LOGIN_BAD);
	assert_string_equal(why, "unknown");
	assert_int_equal(try("off@a.example", "sesame"), LOGIN_BAD);
	assert_string_equal(why, "disabled");
	assert_int_equal(try("off@a.example", "sesamE"), LOGIN_BAD);
	assert_string_equal(why, "wrong password");
	assert_int_equal(try("", "sesame"), LOGIN_BAD);
	end();
}

/* ---- certificates ---- */

static yields enum login_result
show(const char *subjects, const char *name)
{
	struct login_ask ask = asking(name, "");

	ask.kind = LOGIN_CERTIFICATE;
	ask.subjects = str_of(subjects);
	account = (struct account){ .name = STR_NONE };
	why = "";
	return login_check(&login, &ask, &arena, &account, &why);
}

static yields void
certificates(void *arg)
{
	(void)arg;
	database_make();
	begin("auth: { users: file:/logins }\naccounts: { carl: { "
	    "certificates: [ \"" PRINT "\" ] } }\n");
	assert_int_equal(show("bob@a.example\nBob", ""), LOGIN_OK);
	assert_true(str_eq(account.name, STR("bob@a.example")));
	assert_string_equal(account.source, "database");
	/* the first that somebody knows */
	assert_int_equal(show("nobody@x.example\nfile", ""), LOGIN_OK);
	assert_true(str_eq(account.name, STR("file")));
	/* whom only the authority knows */
	assert_int_equal(show("printer@a.example\nprinter", ""), LOGIN_OK);
	assert_true(str_eq(account.name, STR("printer@a.example")));
	assert_string_equal(account.source, "certificate");
	/* what he says is compared, no more */
	assert_int_equal(show("bob@a.example\nBob", "BOB@a.example"),
	    LOGIN_OK);
	assert_int_equal(show("bob@a.example\nBob", "both"), LOGIN_BAD);
	assert_string_equal(why, "another name than the certificate's");
	assert_int_equal(show("", "bob@a.example"), LOGIN_BAD);
	assert_int_equal(show("", ""), LOGIN_BAD);
	/* disabled is disabled */
	assert_int_equal(show("off@a.example", ""), LOGIN_BAD);
	assert_string_equal(why, "disabled");
	assert_int_equal(show("gone", ""), LOGIN_BAD);
	assert_false(login_takes(config, LOGIN_TOKEN));
	assert_true(login_takes(config, LOGIN_CERTIFICATE));
	end();
	begin(FILES);
	assert_false(login_takes(config, LOGIN_CERTIFICATE));
	end();
}

static yields void
app_passwords(void *arg)
{
	(void)arg;
	database_make();
	begin("");
	assert_int_equal(try("apps", "abcdefgh"), LOGIN_OK);
	assert_true(str_eq(account.name, STR("apps")));
	assert_int_equal(try("apps", "abcd-EFGH"), LOGIN_OK);
	assert_int_equal(try("apps", "abcdefgi"), LOGIN_BAD);
	assert_int_equal(try("apps", ""), LOGIN_BAD);
	assert_int_equal(try("bob@a.example", "abcdefgh"), LOGIN_BAD);
	end();
}

/* Who has more than are looked at keeps nobody else from coming in. */
static int
apps_put(void *arg)
{
	struct kept_app p = { .scram = verifier_of("x") };
	struct kept_user u;
	char name[16];

	(void)arg;
	digest_put("x", &p.digest);
	if (kept_user_find(&login.database, STR("apps"), &arena, &u) != 0)
		return -1;
	for (int i = 0; i < APPS; i++) {
		snprintf(name, sizeof name, "z%d", i);
		p.name = str_of(name);
		if (kept_app_add(&login.database, u.id, &p) != 0)
			return -1;
	}
	return 0;
}

static yields void
very_many_app_passwords(void *arg)
{
	(void)arg;
	url = "sqlite:/many.db";
	begin("");
	database_make();
	assert_int_equal(try("apps", "abcdefgh"), LOGIN_OK);
	assert_int_equal(lane_run(login.records, apps_put, NULL), 0);
	assert_int_equal(try("apps", "abcdefgh"), LOGIN_OK);
	assert_int_equal(try("bob@a.example", "sesame"), LOGIN_OK);
	end();
	url = "sqlite:/login.db";
}

static yields void
api_keys(void *arg)
{
	(void)arg;
	database_make();
	begin(FILES);
	assert_int_equal(try("whoever", "nm_live_aaaa_verysecret"), LOGIN_OK);
	assert_true(str_eq(account.name, STR("key:aaaa")));
	assert_int_equal(account.from.n, 2);
	assert_true(str_eq(account.from.v[1], STR("@b.example")));
	assert_int_equal(try("", "nm_live_cccc_verysecret"), LOGIN_OK);
	assert_true(account.from.n >= 2);	/* all own domains */
	assert_int_equal(try("", "nm_live_eeee_verysecret"), LOGIN_OK);
	assert_int_equal(account.from.n, MANY);
	assert_true(str_eq(account.from.v[MANY - 1],
	    STR("@domain99.example")));
	assert_int_equal(try("x", "nm_live_aaaa_verysecreT"), LOGIN_BAD);
	assert_string_equal(why, "wrong key");
	assert_int_equal(try("x", "nm_live_aaab_verysecret"), LOGIN_BAD);
	assert_string_equal(why, "unknown key");
	assert_int_equal(try("x", "nm_live_bbbb_verysecret"), LOGIN_BAD);
	assert_string_equal(why, "scope");
	assert_int_equal(try("x", "nm_live_dddd_verysecret"), LOGIN_BAD);
	assert_string_equal(why, "revoked");
	assert_int_equal(try("x", "nm_live_"), LOGIN_BAD);
	end();
}

static yields void
users_of_files(void *arg)
{
	(void)arg;
	database_make();
	begin(FILES);
	assert_int_equal(try("file", "sesame"), LOGIN_OK);
	assert_string_equal(account.source, "file");
	assert_int_equal(try("file", "sesam"), LOGIN_BAD);
	assert_int_equal(try("ann@a.example", "ann"), LOGIN_OK);
	assert_true(str_eq(account.name, STR("ann@a.example")));
	assert_int_equal(try("Ann@B.example", "ann"), LOGIN_OK);
	assert_true(str_eq(account.name, STR("ann@a.example")));
	assert_int_equal(try("ann", "ann"), LOGIN_BAD);
	assert_int_equal(try("ben@a.example", ""), LOGIN_BAD);
	assert_int_equal(try("none", "x"), LOGIN_BAD);
	assert_string_equal(why, "unknown");
	assert_int_equal(try("net@x.example", "net"), LOGIN_OK);
	assert_true(account.networks.n == 1 &&
	    account.networks.v[0].bits == 24);
	assert_int_equal(try("gone", "gone"), LOGIN_BAD);
	assert_string_equal(why, "disabled");
	end();
}

/* Without room for his name he is asked to come again, not let in as nobody. */
static yields void
no_memory_for_a_name(void *arg)
{
	struct login_verifiers v;
	struct login_ask ask;
	struct arena none;

	(void)arg;
	begin(FILES);
	arena_init(&none, 0);
	ask = asking("ann@a.example", "ann");
	assert_int_equal(login_check(&login, &ask, &none, &account, &why),
	    LOGIN_LATER);
	assert_non_null(strstr(err_text(), "no memory"));
	ask = asking("scram", "");
	assert_int_equal(login_verifier(&login, &ask, &none, &v), LOGIN_LATER);
	arena_clear(&none);
	end();
}

static yields void
the_first_that_knows(void *arg)
{
	(void)arg;
	database_make();
	begin(FILES);
	assert_int_equal(try("both", "sesame"), LOGIN_OK);
	assert_int_equal(try("both", "other"), LOGIN_BAD);
	end();
	begin("auth: { users: file:/logins, sources: [ files, database ] }\n");
	assert_int_equal(try("both", "other"), LOGIN_OK);
	assert_int_equal(try("both", "sesame"), LOGIN_BAD);
	assert_int_equal(try("bob@a.example", "sesame"), LOGIN_OK);
	end();
	begin("auth: { users: file:/logins, database: off }\n");
	assert_int_equal(try("bob@a.example", "sesame"), LOGIN_BAD);
	assert_int_equal(try("x", "nm_live_aaaa_verysecret"), LOGIN_BAD);
	assert_true(login_takes(config, LOGIN_PASSWORD));
	assert_false(login_takes(config, LOGIN_CERTIFICATE));
	end();
}

/* ---- how much ---- */

struct crowd { unsigned done, later, bad, good; };
static struct crowd crowd;
static const char *crowd_network;

static yields void
one_of_a_crowd(void *arg)
{
	struct login_ask ask = asking("nobody", "guess");
	struct account out;
	const char *says;
	enum login_result r;
	struct arena a;

	(void)arg;
	arena_init(&a, 65536);
	assert_true(address_parse(str_of(crowd_network), 0, &ask.client));
	r = login_check(&login, &ask, &a, &out, &says);
	crowd.later += r == LOGIN_LATER;
	crowd.bad += r == LOGIN_BAD;
	crowd.done++;
	arena_clear(&a);
}

static yields void
crowd_run(const char *network, unsigned n)
{
	crowd_network = network;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fiber_go("crowd", one_of_a_crowd, NULL), 0);
	fiber_yield();
}

static yields void
a_queue_has_an_end(void *arg)
{
	(void)arg;
	database_make();
	begin("auth: { database: off }\n");
	login.waiting_most = 4;
	crowd = (struct crowd){ .done = 0 };
	crowd_run("203.0.113.1", 9);	/* of a network: half of the places */
	while (crowd.done < 9)
		fiber_sleep(in_ms(1));
	assert_int_equal(crowd.bad, 2);
	assert_int_equal(crowd.later, 7);
	assert_int_equal(atomic_load(&login.strangers), 0);
	end();
}

/* The database comes while somebody's hash is computed: his place is given back
 * where it was taken. */
static int
nothing(struct database *d, void *arg)
{
	(void)d;
	(void)arg;
	return 0;
}

static yields void
a_database_comes_late(void *arg)
{
	unsigned taken = 0;

	(void)arg;
	url = "sqlite:/late.db";
	begin(FILES);
	crowd = (struct crowd){ .done = 0 };
	crowd_run("203.0.113.1", 1);
	while (atomic_load(&login.strangers) == 0)
		fiber_yield();
	assert_int_equal(login_database_with(&login, config, nothing, NULL), 0);
	assert_int_equal(crowd.done, 0);
	while (crowd.done < 1)
		fiber_sleep(in_ms(1));
	for (size_t i = 0; i < LOGIN_NETWORKS; i++)
		taken += atomic_load(&login.networks[i]);
	assert_int_equal(taken, 0);
	assert_int_equal(atomic_load(&login.strangers), 0);
	end();
	url = "sqlite:/login.db";
}

static yields void
friends_have_places(void *arg)
{
	(void)arg;
	database_make();
	begin("auth: { users: file:/logins, database: off }\n");
	assert_int_equal(try("file", "sesame"), LOGIN_OK);
	login.waiting_most = 0;			/* strangers: none */
	assert_int_equal(try("file", "sesame"), LOGIN_OK);	/* remembered */
	assert_int_equal(try("file", "wrong"), LOGIN_LATER);
	assert_int_equal(try("other", "wrong"), LOGIN_LATER);
	login.waiting_most = 1;			/* one friend; no stranger */
	assert_int_equal(try("file", "wrong"), LOGIN_BAD);
	assert_int_equal(try("other", "wrong"), LOGIN_LATER);
	/* In time it is computed anew. */
	fiber_sleep(in_ms(LOGIN_GOOD_S * 1000 + 1));
	login.waiting_most = 0;
	assert_int_equal(try("file", "sesame"), LOGIN_LATER);
	end();
}

/* A good password that need not be computed again makes a friend, too: of the
 * network from which it was said now. */
static yields void
friends_of_two_networks(void *arg)
{
	struct login_ask ask;

	(void)arg;
	database_make();
	begin("auth: { users: file:/logins, database: off }\n");
	assert_int_equal(try("file", "sesame"), LOGIN_OK);
	ask = asking("file", "sesame");
	assert_true(address_parse(STR("198.51.100.9"), 0, &ask.client));
	login.waiting_most = 0;
	assert_int_equal(login_check(&login, &ask, &arena, &account, &why),
	    LOGIN_OK);
	fiber_sleep(in_ms(LOGIN_GOOD_S * 1000 + 1));
	login.waiting_most = 1;			/* one friend; no stranger */
	assert_int_equal(login_check(&login, &ask, &arena, &account, &why),
	    LOGIN_OK);
	assert_true(address_parse(STR("203.0.113.9"), 0, &ask.client));
	fiber_sleep(in_ms(LOGIN_GOOD_S * 1000 + 1));
	login.waiting_most = 0;
	assert_int_equal(login_check(&login, &ask, &arena, &account, &why),
	    LOGIN_LATER);
	end();
}

/* Who was let in a moment ago is not, when his password has changed. */
static int
bob_changed(void *arg)
{
	struct kept_user u;

	(void)arg;
	if (kept_user_find(&login.database, STR("bob@a.example"), &arena, &u)
	    != 0)
		return -1;
	u.hash = STR("{PLAIN}new");
	return kept_user_change(&login.database, &u);
}

static yields void
a_change_counts_at_once(void *arg)
{
	(void)arg;
	database_make();
	begin("");
	assert_int_equal(try("bob@a.example", "sesame"), LOGIN_OK);
	assert_int_equal(lane_run(login.records, bob_changed, NULL), 0);
	assert_int_equal(try("bob@a.example", "sesame"), LOGIN_BAD);
	assert_int_equal(try("bob@a.example", "new"), LOGIN_OK);
	end();
}

static int
used_find(void *arg)
{
	return kept_user_find(&login.database, STR("bob@a.example"), &arena,
	    arg);
}

static yields void
last_uses_are_told(void *arg)
{
	struct kept_user u;
	int64_t before;

	(void)arg;
	database_make();
	begin("");
	assert_int_equal(try("bob@a.example", "new"), LOGIN_OK);
	assert_int_equal(try("apps", "abcdefgh"), LOGIN_OK);
	assert_int_equal(lane_run(login.records, used_find, &u), 0);
	before = u.used.us;		/* when an earlier test ended */
	fiber_sleep(in_ms(LOGIN_USES_S * 1000 + 1000));
	assert_int_equal(lane_run(login.records, used_find, &u), 0);
	assert_true(u.used.us > before);
	assert_int_equal(try("bob@a.example", "new"), LOGIN_OK);
	end();				/* does not wait a minute */
}

/* ---- SCRAM ---- */

static yields void
verifiers(void *arg)
{
	struct login_verifiers v, again;
	struct login_ask ask;

	(void)arg;
	database_make();
	begin(FILES);
	ask = asking("SUE", "");
	assert_int_equal(login_verifier(&login, &ask, &arena, &v), LOGIN_OK);
	assert_int_equal(v.n, 2);
	assert_true(str_eq(v.account->name, STR("sue")));
	assert_memory_equal(v.v[0].salt, v.v[1].salt, v.v[0].salt_n);
	assert_memory_not_equal(&v.v[0].stored, &v.v[1].stored, SCRAM_KEY);
	assert_int_equal(v.use[1].kind, KEPT_APP);
	login_proved(&login, &v, 1);
	ask = asking("scram", "");
	assert_int_equal(login_verifier(&login, &ask, &arena, &v), LOGIN_OK);
	assert_true(v.n == 1 && v.v[0].rounds == 4096 && v.account != NULL);
	login_proved(&login, &v, 0);
	/* Nobody, and who has none: false ones, always the same. */
	ask = asking("nobody", "");
	assert_int_equal(login_verifier(&login, &ask, &arena, &v), LOGIN_OK);
	assert_int_equal(login_verifier(&login, &ask, &arena, &again), LOGIN_OK);
	assert_true(v.n == 1 && v.account == NULL);
	assert_memory_equal(v.v, again.v, sizeof *v.v);
	ask = asking("both", "");
	assert_int_equal(login_verifier(&login, &ask, &arena, &v), LOGIN_OK);
	assert_true(v.n == 1 && v.account == NULL);
	end();
	/* ... after a restart, too. */
	begin(FILES);
	ask = asking("nobody", "");
	assert_int_equal(login_verifier(&login, &ask, &arena, &again), LOGIN_OK);
	end();
}

#define ON_CORE(name) \
	static void \
	test_##name(void **state) \
	{ \
		(void)state; \
		on_core(name); \
	}

ON_CORE(without_a_database)
ON_CORE(users_of_the_database)
ON_CORE(certificates)
ON_CORE(app_passwords)
ON_CORE(api_keys)
ON_CORE(users_of_files)
ON_CORE(the_first_that_knows)
ON_CORE(a_queue_has_an_end)
ON_CORE(friends_have_places)
ON_CORE(friends_of_two_networks)
ON_CORE(verifiers)
ON_CORE(a_database_comes_late)
ON_CORE(no_memory_for_a_name)
ON_CORE(very_many_app_passwords)
ON_CORE(a_change_counts_at_once)
ON_CORE(last_uses_are_told)

/* ---- the configuration ---- */

static void
test_configurations(void **state)
{
	static const struct { const char *yaml, *says; } cases[] = {
		{ "database: mysql:/x\n", "is not sqlite: and an absolute path" },
		{ "database: sqlite:x/y/z\n", "is not sqlite:" },
		{ "auth: { users: bob }\n", "is file: and a path" },
		{ "auth: { users: file:/none }\n", "there is no file /none" },
		{ "auth: { sources: [ files ] }\n", "which is not set" },
		{ "auth: { sources: [ database, database ] }\n", "twice" },
		{ "auth: { sources: [ database ], database: off }\n",
		    "which is not set" },
		{ "auth: { sources: [ moon ] }\n", "is not one of" },
		{ "auth: { users: file:/weak }\n", "too quick" },
		{ "auth: { users: file:/twice }\n", "twice" },
		{ "auth: { users: file:/nets }\n", "is no list of networks" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		conf_begin();
		conf_file("/weak", "a:$1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/\n");
		conf_file("/twice", "a@b.example:{PLAIN}a\nA@B.EXAMPLE:x\n");
		conf_file("/nets", "a:{PLAIN}a::::::allow_nets=moon\n");
		assert_null(conf_try(cases[i].yaml));
		if (strstr(conf_said(true), cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].yaml, conf_said(true));
		conf_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_database),
		cmocka_unit_test(test_users_of_the_database),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_app_passwords),
		cmocka_unit_test(test_api_keys),
		cmocka_unit_test(test_users_of_files),
		cmocka_unit_test(test_the_first_that_knows),
		cmocka_unit_test(test_a_queue_has_an_end),
		cmocka_unit_test(test_friends_have_places),
		cmocka_unit_test(test_friends_of_two_networks),
		cmocka_unit_test(test_verifiers),
		cmocka_unit_test(test_a_database_comes_late),
		cmocka_unit_test(test_no_memory_for_a_name),
		cmocka_unit_test(test_very_many_app_passwords),
		cmocka_unit_test(test_a_change_counts_at_once),
		cmocka_unit_test(test_last_uses_are_told),
		cmocka_unit_test(test_configurations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
