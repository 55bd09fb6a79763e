#include "app/keyring_dkim.h"

#include "app/keyring_sign.h"
#include "base/err.h"
#include "trust/certificate.h"
#include "trust/dkim_published.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Within so long a file may change once more without that its time does. */
#define SURE_NS (2 * NS_PER_SECOND)

enum { LISTED_MOST = 1400 };		/* octets of a key in DKIM_LIST */

static int64_t
ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return ns_of(t);
}

/* ---- what the directory has ---- */

static void
dkim_tell_trouble(struct keyring_dkim *d, const char *file)
{
	if (d->trouble[0] == '\0')
		(void)snprintf(d->trouble, sizeof d->trouble, "%s: %s: %s",
		    d->store.key, file, err_text());
	err_clear();
}

static struct keyring_dkim_held *
held_by_file(struct keyring_dkim *d, const char *file)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->held[i].file, file) == 0)
			return &d->held[i];
	return NULL;
}

static struct keyring_dkim_held *
held_add(struct keyring_dkim *d)
{
	size_t room = d->room == 0 ? 16 : 2 * d->room;
	struct keyring_dkim_held *p;

	if (d->n == KEYRING_DKIM_MOST) {
		err_set("there are %d keys already", KEYRING_DKIM_MOST);
		return NULL;
	}
	if (d->n == d->room) {
		p = realloc(d->held, room * sizeof *p);
		if (p == NULL) {
			err_set("no memory for keys");
			return NULL;
		}
		d->held = p;
		d->room = room;
	}
	d->held[d->n] = (struct keyring_dkim_held){ .id = 0 };
	return &d->held[d->n++];
}

static int
file_check(const struct stat *st, uid_t owner)
{
	if (!S_ISREG(st->st_mode))
		return err_set("it is no file");
	if (st->st_uid != owner)
		return err_set("it belongs to another user: say chown");
	if ((st->st_mode & 077) != 0)
		return err_set("others may read it, so it is no secret: say chmod "
		    "0600, and rotate if somebody did");
	return 0;
}

static int
file_load(struct keyring_dkim *d, const char *file, struct dkim_pair *out)
{
	char should[DKIM_PAIR_NAME];
	struct str text = STR_NONE;
	char *p = store_text(&d->store, file, DKIM_PAIR_MOST, &text);
	int rc;

	if (p == NULL)
		return -1;
	rc = dkim_pair_read(text, out);
	store_forget(p, text);
	if (rc != 0)
		return -1;
	dkim_pair_file(out, should);
	if (strcmp(should, file) == 0)
		return 0;
	dkim_pair_free(out);
	return err_set("it is the key of another name");
}

static int
file_look(struct keyring_dkim *d, const char *file)
{
	struct keyring_dkim_held *h = held_by_file(d, file);
	struct dkim_pair pair;
	struct stat st;

	if (fstatat(d->store.fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set("%m");
	if (file_check(&st, d->owner) != 0)
		return -1;
	if (h != NULL && h->ino == st.st_ino &&
	    h->changed_ns == ns_of(st.st_mtim)) {
		h->is_there = true;
		return 0;
	}
	if (file_load(d, file, &pair) != 0)
		return -1;
	if (h == NULL && (h = held_add(d)) == NULL) {
		dkim_pair_free(&pair);
		return -1;
	}
	dkim_pair_free(&h->pair);
	*h = (struct keyring_dkim_held){ .pair = pair, .is_there = true,
		.id = public_key_id(pair.key), .ino = st.st_ino,
		.changed_ns = ns_of(st.st_mtim) };
	dkim_pair_file(&h->pair, h->file);
	return 0;
}

static void
file_see(void *arg, const char *file)
{
	struct keyring_dkim *d = arg;

	if (str_has_suffix_icase(str_of(file), STR(".key")) &&
	    file_look(d, file) != 0)
		dkim_tell_trouble(d, file);
}

static int
held_order(const void *a, const void *b)
{
	const struct keyring_dkim_held *one = a, *other = b;

	return strcmp(one->file, other->file);
}

static void
held_prune(struct keyring_dkim *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->held[i].is_there)
			d->held[kept++] = d->held[i];
		else
			dkim_pair_free(&d->held[i].pair);
	d->n = kept;
	if (d->n > 0)
		qsort(d->held, d->n, sizeof *d->held, held_order);
}

/* Everything that changes there changes the directory's time. */
static int
dkim_refresh(struct keyring_dkim *d)
{
	struct stat st;
	int64_t changed;

	if (d->store.fd < 0)
		return err_set("%s", d->trouble);
	if (fstat(d->store.fd, &st) != 0)
		return err_set("%s: %m", d->store.key);
	changed = ns_of(st.st_mtim);
	if (changed == d->looked_ns)
		return 0;
	d->trouble[0] = '\0';
	for (size_t i = 0; i < d->n; i++)
		d->held[i].is_there = false;
	if (store_list(&d->store, file_see, d) != 0)
		return -1;
	held_prune(d);
	d->looked_ns = now_ns() - changed > SURE_NS ? changed : 0;
	return 0;
}

void
keyring_dkim_init(struct keyring_dkim *d)
{
	*d = (struct keyring_dkim){ .store = { .fd = -1, .key = "dkim.state" },
		.trouble = "dkim.state: nothing is signed (outbound.dkim)" };
}

void
keyring_dkim_open(struct keyring_dkim *d, struct str path, uid_t uid, gid_t gid)
{
	d->trouble[0] = '\0';
	d->owner = uid;
	if (store_open(&d->store, "dkim.state", path, uid, gid) == 0)
		return;
	(void)snprintf(d->trouble, sizeof d->trouble, "%s", err_text());
	err_clear();
	if (d->store.fd >= 0)
		close(d->store.fd);
	d->store.fd = -1;
}

/* ---- finding ---- */

static struct keyring_dkim_held *
held_named(struct keyring_dkim *d, struct str domain, struct str selector)
{
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(str_of(d->held[i].pair.domain), domain) &&
		    str_eq(str_of(d->held[i].pair.selector), selector))
			return &d->held[i];
	return NULL;
}

static struct keyring_dkim_held *
held_by_id(struct keyring_dkim *d, uint64_t id)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->held[i].id == id)
			return &d->held[i];
	return NULL;
}

/* The one that signs: the last that became active. */
static const struct keyring_dkim_held *
held_active(const struct keyring_dkim *d, struct str domain,
    enum dkim_algorithm algorithm)
{
	const struct keyring_dkim_held *best = NULL;

	for (size_t i = 0; i < d->n; i++) {
		const struct dkim_pair *p = &d->held[i].pair;

		if (p->state == DKIM_ACTIVE && p->algorithm == algorithm &&
		    str_eq(str_of(p->domain), domain) &&
		    (best == NULL || p->since > best->pair.since))
			best = &d->held[i];
	}
	return best;
}

/* ---- keeping ---- */

static int
pair_keep(struct keyring_dkim *d, const struct dkim_pair *pair)
{
	static char room[DKIM_PAIR_MOST];
	struct buf text = BUF_OF(room);
	char file[DKIM_PAIR_NAME];
	int rc = dkim_pair_print(pair, &text);

	dkim_pair_file(pair, file);
	if (rc == 0)
		rc = store_text_keep(&d->store, file, buf_str(&text));
	OPENSSL_cleanse(room, text.n);
	d->looked_ns = 0;
	return rc;
}

static int
pair_become(struct keyring_dkim *d, const struct dkim_pair *old,
    enum dkim_state state)
{
	struct dkim_pair fresh = *old;

	fresh.state = state;
	fresh.since = now_ns() / NS_PER_SECOND;
	return pair_keep(d, &fresh);
}

/* ---- the requests ---- */

static int
answer_sign(struct keyring_dkim *d, uint64_t key, struct str body,
    struct buf *out)
{
	const struct keyring_dkim_held *h;
	struct str input;

	if (!keyring_field(&body, &input))
		return err_set("no request to sign");
	h = held_by_id(d, key);
	if (h == NULL || h->pair.state != DKIM_ACTIVE)
		return err_set("no such key signs");
	if (!keyring_is_dkim(input, str_of(h->pair.domain),
	    str_of(h->pair.selector), h->pair.algorithm))
		return err_set("that is no header that this key signs");
	return dkim_key_sign(h->pair.key, input, out);
}

static void
put_u64(struct buf *b, uint64_t v)
{
	keyring_put(b, (struct str){ (const char *)&v, sizeof v });
}

static int
answer_keys(struct keyring_dkim *d, struct str body, struct buf *out)
{
	static const enum dkim_algorithm order[] = { DKIM_RSA_SHA256,
		DKIM_ED25519_SHA256 };
	struct str domain;

	if (!keyring_field(&body, &domain))
		return err_set("the keys of which domain?");
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		const struct keyring_dkim_held *h = held_active(d, domain,
		    order[i]);

		if (h == NULL)
			continue;
		put_u64(out, h->id);
		put_u64(out, (uint64_t)h->pair.algorithm);
		keyring_put(out, str_of(h->pair.selector));
	}
	return 0;
}

static int
listed_put(const struct keyring_dkim_held *h, struct buf *out)
{
	char room[DKIM_PUBLIC_MOST];
	struct buf public = BUF_OF(room);
	const struct dkim_pair *p = &h->pair;

	if (dkim_key_public(p->key, &public) != 0)
		return -1;
	keyring_put(out, str_of(p->domain));
	keyring_put(out, str_of(p->selector));
	put_u64(out, (uint64_t)p->algorithm);
	put_u64(out, (uint64_t)p->state);
	put_u64(out, dkim_key_bits(p->key));
	put_u64(out, (uint64_t)p->made);
	put_u64(out, (uint64_t)p->since);
	keyring_put(out, buf_str(&public));
	return 0;
}

static int
answer_list(struct keyring_dkim *d, struct str body, struct buf *out)
{
	struct str field;
	uint64_t from = 0;

	if (!keyring_field(&body, &field) || field.n != sizeof from)
		return err_set("the list from where on?");
	memcpy(&from, field.p, sizeof from);
	keyring_put(out, str_of(d->trouble));
	put_u64(out, d->n);
	for (; from < d->n && out->cap - out->n >= LISTED_MOST; from++)
		if (listed_put(&d->held[from], out) != 0)
			return -1;
	return 0;
}

static int
answer_make(struct keyring_dkim *d, struct str body)
{
	struct str domain, selector;
	struct dkim_pair pair;
	unsigned algorithm;
	int rc;

	if (!keyring_field(&body, &domain) || !keyring_field(&body, &selector) ||
	    !keyring_choice(&body, DKIM_ED25519_SHA256 + 1, &algorithm))
		return err_set("a key for what?");
	if (held_named(d, domain, selector) != NULL)
		return err_set("there is such a key");
	if (d->n >= KEYRING_DKIM_MOST)
		return err_set("there are %d keys already", KEYRING_DKIM_MOST);
	if (dkim_pair_make(domain, selector, (enum dkim_algorithm)algorithm,
	    now_ns() / NS_PER_SECOND, &pair) != 0)
		return -1;
	rc = pair_keep(d, &pair);
	dkim_pair_free(&pair);
	return rc;
}

/* The others of its kind: after the new one is on disk, so that there is always
 * one. */
static int
others_retire(struct keyring_dkim *d, const struct keyring_dkim_held *h)
{
	int rc = 0;

	for (size_t i = 0; i < d->n && rc == 0; i++) {
		const struct dkim_pair *p = &d->held[i].pair;

		if (&d->held[i] != h && p->state == DKIM_ACTIVE &&
		    p->algorithm == h->pair.algorithm &&
		    strcmp(p->domain, h->pair.domain) == 0)
			rc = pair_become(d, p, DKIM_RETIRING);
	}
	return rc;
}

static int
answer_state(struct keyring_dkim *d, struct str body)
{
	struct str domain, selector;
	struct keyring_dkim_held *h;
	unsigned state;

	if (!keyring_field(&body, &domain) || !keyring_field(&body, &selector) ||
	    !keyring_choice(&body, DKIM_STATES, &state))
		return err_set("the state of which key?");
	h = held_named(d, domain, selector);
	if (h == NULL)
		return err_set("there is no such key");
	if (h->pair.state == (enum dkim_state)state)
		return 0;
	if (h->pair.state > (enum dkim_state)state)
		return err_set("a key goes from next to active to retiring, and "
		    "never back");
	if (pair_become(d, &h->pair, (enum dkim_state)state) != 0)
		return -1;
	return state == DKIM_ACTIVE ? others_retire(d, h) : 0;
}

static int
answer_drop(struct keyring_dkim *d, struct str body)
{
	struct str domain, selector;
	const struct keyring_dkim_held *h;

	if (!keyring_field(&body, &domain) || !keyring_field(&body, &selector))
		return err_set("drop which key?");
	h = held_named(d, domain, selector);
	if (h == NULL)
		return err_set("there is no such key");
	d->looked_ns = 0;
	return store_drop(&d->store, h->file);
}

int
keyring_dkim_answer(struct keyring_dkim *d, enum keyring_op op, uint64_t key,
    struct str body, struct buf *out)
{
	int rc;

	/* who signs asks often, and knows the key already */
	if ((op != KEYRING_DKIM_SIGN || held_by_id(d, key) == NULL) &&
	    dkim_refresh(d) != 0)
		return -1;
	if (op == KEYRING_DKIM_SIGN)
		return answer_sign(d, key, body, out);
	if (op == KEYRING_DKIM_KEYS)
		return answer_keys(d, body, out);
	if (op == KEYRING_DKIM_LIST)
		return answer_list(d, body, out);
	rc = op == KEYRING_DKIM_MAKE ? answer_make(d, body) :
	    op == KEYRING_DKIM_STATE ? answer_state(d, body) :
	    op == KEYRING_DKIM_DROP ? answer_drop(d, body) :
	    err_set("no such request");
	return rc == 0 ? dkim_refresh(d) : -1;
}
