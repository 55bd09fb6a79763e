#include "base/err.h"
#include "fiber/offload.h"
#include "policy/config.h"
#include "policy/elsewhere.h"
#include "policy/login_own.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/random.h"
#include "store/account.h"
#include "store/database.h"
#include "trust/password.h"
#include "trust/scram.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WAITING_MOST = 32 };

const struct login_source login_sources[] = {
#define SOURCE(name, noun) \
	{ STR_INIT(name), noun##_is_set, noun##_takes, noun##_check },
#include "policy/login.def"
#undef SOURCE
};
const size_t login_sources_n = sizeof login_sources / sizeof *login_sources;

/* ---- its life ---- */

int
login_open(struct login *l, const struct config *c)
{
	int rc;

	random_bytes(l->key, sizeof l->key);
	/* A reload may turn it on, and then it may not be opened any more. */
	rc = login_database_open(l, c->database, c->reports.inbox.n > 0);
	return rc == -1 && c->auth.database == AUTH_DATABASE_ON ? -1 : 0;
}

void
login_close(struct login *l)
{
	if (l->records != NULL)
		lane_close(l->records);
	if (l->hashes != NULL)
		lane_close(l->hashes);
	l->records = l->hashes = NULL;
	database_close(&l->database);
	OPENSSL_cleanse(l->key, sizeof l->key);
	OPENSSL_cleanse(l->secret, sizeof l->secret);
	atomic_store(&l->has_secret, false);
}

static int
lanes_open(struct login *l, unsigned cores)
{
	l->waiting_most = cores > WAITING_MOST / 2 ? WAITING_MOST : 2 * cores;
	l->records = lane_open("records");
	l->hashes = lane_open("passwords");
	return l->records == NULL || l->hashes == NULL ? -1 : 0;
}

int
login_begin(struct login *l, unsigned cores)
{
	struct login_core *c;

	must(l->cores[core_index()] == NULL);
	if (core_index() == 0 && lanes_open(l, cores) != 0)
		return -1;
	if ((c = calloc(1, sizeof *c)) == NULL)
		return err_set("no memory");
	l->cores[core_index()] = c;
	c->elsewhere = elsewhere_new(&l->elsewhere);
	return c->elsewhere != NULL ? 0 : -1;
}

yields void
login_end(struct login *l)
{
	struct login_core *c = l->cores[core_index()];

	if (c == NULL)
		return;
	c->is_ending = true;
	while (c->is_telling) {
		fiber_wake(c->teller);
		fiber_sleep(mono_add(clock_mono(), NS_PER_MS));
	}
	elsewhere_end(c->elsewhere);
	OPENSSL_cleanse(c, sizeof *c);
	free(c);
	l->cores[core_index()] = NULL;
}

/* ---- what was found good ---- */

static void
good_mark(const struct login *l, struct str stored, struct str password,
    unsigned char mark[LOGIN_MARK])
{
	unsigned char digest[PASSWORD_DIGEST], both[PASSWORD_DIGEST];

	must(HMAC(EVP_sha256(), l->key, sizeof l->key,
	    (const unsigned char *)stored.p, stored.n, digest, NULL) != NULL);
	must(HMAC(EVP_sha256(), digest, sizeof digest,
	    (const unsigned char *)(password.p == NULL ? "" : password.p),
	    password.n, both, NULL) != NULL);
	memcpy(mark, both, LOGIN_MARK);
	OPENSSL_cleanse(both, sizeof both);
}

static struct login_good *
good_place(struct login *l, const unsigned char mark[LOGIN_MARK])
{
	size_t at = (size_t)mark[0] << 8 | mark[1];

	return &l->cores[core_index()]->good[at % LOGIN_GOOD];
}

static bool
good_is_known(struct login *l, const unsigned char mark[LOGIN_MARK])
{
	const struct login_good *g = good_place(l, mark);

	return CRYPTO_memcmp(g->mark, mark, LOGIN_MARK) == 0 &&
	    mono_is_before(clock_mono(), g->until);
}

static void
good_keep(struct login *l, const unsigned char mark[LOGIN_MARK])
{
	struct login_good *g = good_place(l, mark);

	memcpy(g->mark, mark, LOGIN_MARK);
	g->until = mono_add(clock_mono(), LOGIN_GOOD_S * NS_PER_SECOND);
}

/* ---- who waits ---- */

static uint64_t
ask_hash(const struct login *l, const struct login_ask *ask, bool with_name)
{
	struct address network = address_network(&ask->client);
	struct hash_key key;
	uint64_t h;

	memcpy(&key, l->key, sizeof key);
	h = hash_bytes(key, (struct str){ (const char *)network.of.ip,
	    sizeof network.of.ip });
	return !with_name ? h : hash_u64(key, h ^ hash_bytes(key, ask->name));
}

/* Four places in which a hash may stand: what was there goes only when all are
 * taken. */
static uint64_t _Atomic *
friend_places(struct login *l, uint64_t h)
{
	return &l->known[h % (LOGIN_KNOWN / LOGIN_WAYS) * LOGIN_WAYS];
}

static bool
is_friend(struct login *l, const struct login_ask *ask)
{
	uint64_t h = ask_hash(l, ask, true);
	uint64_t _Atomic *places = friend_places(l, h);

	for (size_t i = 0; i < LOGIN_WAYS; i++)
		if (atomic_load(&places[i]) == h)
			return true;
	return false;
}

static void
friend_keep(struct login *l, const struct login_ask *ask)
{
	uint64_t h = ask_hash(l, ask, true);
	uint64_t _Atomic *places = friend_places(l, h);

	if (is_friend(l, ask))
		return;
	for (size_t i = 0; i < LOGIN_WAYS; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&places[i], &none, h))
			return;
	}
	atomic_store(&places[(h >> 32) % LOGIN_WAYS], h);
}

/* A place among those that wait; false: there is none. */
static bool
place_take(unsigned _Atomic *taken, unsigned most)
{
	if (atomic_fetch_add(taken, 1) < most)
		return true;
	atomic_fetch_sub(taken, 1);
	return false;
}

static bool
network_take(struct login *l, uint64_t network)
{
	unsigned char _Atomic *n = &l->networks[network % LOGIN_NETWORKS];

	if (atomic_fetch_add(n, 1) < l->waiting_most / 2)
		return true;
	atomic_fetch_sub(n, 1);
	return false;
}

static bool
turn_take(struct login *l, const struct login_ask *ask, bool is_known)
{
	uint64_t network = ask_hash(l, ask, false);

	if (is_known)
		return place_take(&l->friends, l->waiting_most);
	if (!network_take(l, network))
		return false;
	if (place_take(&l->strangers, l->waiting_most))
		return true;
	atomic_fetch_sub(&l->networks[network % LOGIN_NETWORKS], 1);
	return false;
}

static void
turn_give(struct login *l, const struct login_ask *ask, bool is_known)
{
	atomic_fetch_sub(is_known ? &l->friends : &l->strangers, 1);
	if (!is_known)
		atomic_fetch_sub(&l->networks[ask_hash(l, ask, false) %
		    LOGIN_NETWORKS], 1);
}

/* ---- a hash ---- */

struct hashing { struct str stored, password; };

static int
hash_compute(void *arg)
{
	struct hashing *h = arg;
	struct arena scratch;
	int rc;

	arena_init(&scratch, PASSWORD_SCRATCH);
	rc = password_verify(h->stored, h->password, &scratch);
	arena_clear(&scratch);
	return rc;
}

/* What a name that nobody has is measured by: as likely each kind of hash as
 * among those who are somebody, and for one name always the same. */
static struct str
stored_dummy(const struct login *l, const struct login_ask *ask)
{
	const struct config *c = ask->config;
	uint64_t all = c->auth.n_samples, at;
	struct hash_key key;

	if (c->auth.database == AUTH_DATABASE_ON)
		all += 1 + c->auth.n_samples / 2;
	if (all == 0)
		return str_of(password_dummy);
	memcpy(&key, login_secret(l), sizeof key);
	at = hash_bytes(key, ask->name) % all;
	return at < c->auth.n_samples ? c->auth.samples[at] :
	    str_of(password_dummy);
}

static yields int
hash_wait(struct login *l, const struct login_ask *ask, struct str stored,
    bool is_known)
{
	struct hashing h = { stored, ask->secret };
	int rc;

	if (!turn_take(l, ask, is_known)) {
		err_set("too many passwords wait to be checked");
		return -1;
	}
	rc = lane_run(l->hashes, hash_compute, &h);
	turn_give(l, ask, is_known);
	return rc;
}

yields enum login_result
login_hash(struct login *l, const struct login_ask *ask, struct str hash)
{
	struct str stored = hash.n > 0 ? hash : stored_dummy(l, ask);
	unsigned char mark[LOGIN_MARK];
	int rc;

	good_mark(l, stored, ask->secret, mark);
	if (hash.n > 0 && good_is_known(l, mark)) {
		/* perhaps from another network, or by another's name */
		friend_keep(l, ask);
		return LOGIN_OK;
	}
	rc = hash_wait(l, ask, stored, is_friend(l, ask));
	if (rc < 0)
		return LOGIN_LATER;
	if (rc == 0 || hash.n == 0)
		return LOGIN_BAD;
	good_keep(l, mark);
	friend_keep(l, ask);
	return LOGIN_OK;
}

/* ---- last uses ---- */

struct telling {
	struct login *login;
	struct kept_use uses[LOGIN_USES];
	size_t n;
};

static int
uses_write(void *arg)
{
	struct telling *t = arg;

	if (t->login->database.handle == NULL)
		return 0;
	return kept_uses(&t->login->database, t->uses, t->n);
}

/* What cannot be written now was of no use to anybody but people. */
static yields void
uses_tell(struct login *l, struct login_core *c)
{
	struct telling *t = calloc(1, sizeof *t);

	if (t == NULL)
		return;
	t->login = l;
	t->n = c->n_uses;
	memcpy(t->uses, c->uses, c->n_uses * sizeof *t->uses);
	c->n_uses = 0;
	if (lane_run(l->records, uses_write, t) != 0)
		err_clear();
	free(t);
}

static yields void
uses_run(void *arg)
{
	struct login *l = arg;
	struct login_core *c = l->cores[core_index()];

	c->teller = fiber_self();
	if (!c->is_ending)
		(void)fiber_park(mono_add(clock_mono(),
		    LOGIN_USES_S * NS_PER_SECOND));
	while (c->n_uses > 0)
		uses_tell(l, c);
	c->teller = NULL;
	c->is_telling = false;
}

void
login_use(struct login *l, struct kept_use use)
{
	struct login_core *c = l->cores[core_index()];
	size_t i = 0;

	use.at = clock_wall();
	while (i < c->n_uses && (c->uses[i].id != use.id ||
	    c->uses[i].kind != use.kind))
		i++;
	if (i == LOGIN_USES)
		return;			/* told in a moment: others are, too */
	c->uses[i] = use;
	if (i < c->n_uses)
		return;
	c->n_uses++;
	if (!c->is_telling)
		c->is_telling = fiber_go("last uses", uses_run, l) == 0;
	else if (c->n_uses == LOGIN_USES)
		fiber_wake(c->teller);
}

/* ---- the question ---- */

static const struct login_source *
source_named(struct str name)
{
	for (size_t i = 0; i < login_sources_n; i++)
		if (str_eq(login_sources[i].name, name))
			return &login_sources[i];
	return NULL;
}

/* The i-th source to ask, or NULL. */
static const struct login_source *
source_at(const struct config *c, size_t i)
{
	if (c->auth.sources.n > 0)
		return i < c->auth.sources.n ?
		    source_named(c->auth.sources.v[i]) : NULL;
	for (size_t k = 0; k < login_sources_n; k++)
		if (login_sources[k].is_set(c) && i-- == 0)
			return &login_sources[k];
	return NULL;
}

bool
login_takes(const struct config *c, enum login_kind kind)
{
	const struct login_source *s;

	for (size_t i = 0; (s = source_at(c, i)) != NULL; i++)
		if (s->takes(c, kind))
			return true;
	return false;
}

yields enum login_result
login_check(struct login *l, const struct login_ask *ask, struct arena *a,
    struct account *out, const char **why)
{
	enum login_result result = LOGIN_UNKNOWN;
	const struct login_source *s;

	*why = "unknown";
	for (size_t i = 0; result == LOGIN_UNKNOWN &&
	    (s = source_at(ask->config, i)) != NULL; i++)
		if (s->takes(ask->config, ask->kind))
			result = s->check(l, ask, a, out, why);
	if (result != LOGIN_UNKNOWN)
		return result;
	if (ask->kind == LOGIN_PASSWORD && login_hash(l, ask, STR_NONE) ==
	    LOGIN_LATER)
		return LOGIN_LATER;
	return LOGIN_BAD;
}

/* ---- SCRAM ---- */

static yields enum login_result
source_verifier(struct login *l, const struct login_source *s,
    const struct login_ask *ask, struct arena *a, struct login_verifiers *out)
{
	if (s->check == login_database_check)
		return login_database_verifier(l, ask, a, out);
	if (s->check == login_file_check)
		return login_file_verifier(ask, a, out);
	return LOGIN_UNKNOWN;		/* keeps no verifiers */
}

yields enum login_result
login_verifier(struct login *l, const struct login_ask *ask, struct arena *a,
    struct login_verifiers *out)
{
	enum login_result result = LOGIN_UNKNOWN;
	const struct login_source *s;

	*out = (struct login_verifiers){ .n = 0 };
	for (size_t i = 0; result == LOGIN_UNKNOWN &&
	    (s = source_at(ask->config, i)) != NULL; i++)
		result = source_verifier(l, s, ask, a, out);
	if (result == LOGIN_LATER || out->n > 0)
		return result;
	*out = (struct login_verifiers){ .n = 1,
		.v = arena_new(a, struct scram_verifier) };
	if (out->v == NULL) {
		err_set("no memory for a verifier");
		return LOGIN_LATER;
	}
	scram_false(login_secret(l), ask->name, out->v);
	return LOGIN_OK;
}

void
login_proved(struct login *l, const struct login_verifiers *v, size_t i)
{
	must(i < v->n && v->account != NULL);
	if (v->use != NULL)
		login_use(l, v->use[i]);
}
