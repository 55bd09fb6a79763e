#include "policy/tls_wish.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdatomic.h>

/* One after the other; what stands between them is passed over (RFC 7468 2). */
static int
anchors_read(struct str pem, X509_STORE *store, size_t *n)
{
	BIO *b = pem.n > INT_MAX ? NULL :
	    BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *one;
	int rc;

	*n = 0;
	if (b == NULL)
		return err_set("no memory for certificates");
	ERR_clear_error();
	while ((one = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		if (store != NULL)
			(void)X509_STORE_add_cert(store, one);
		X509_free(one);
		++*n;
	}
	rc = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE &&
	    *n > 0 ? 0 : err_set("%s", *n == 0 ? "there is no certificate in it"
	    : "one of its certificates cannot be read");
	ERR_clear_error();
	BIO_free(b);
	return rc;
}

int
anchors_count(struct str pem, size_t *n)
{
	return anchors_read(pem, NULL, n);
}

/* Each core may come first; one of them wins. */
static X509_STORE *
anchors_store(struct anchors *a)
{
	X509_STORE *store = atomic_load(&a->store), *none = NULL;
	size_t n;

	if (store != NULL || a->pem.n == 0)
		return store;
	store = X509_STORE_new();
	if (store == NULL)
		return NULL;
	if (anchors_read(a->pem, store, &n) != 0)
		err_clear();		/* the others are good */
	if (atomic_compare_exchange_strong(&a->store, &none, store))
		return store;
	X509_STORE_free(store);
	return none;
}

void
anchors_clear(void *arg)
{
	struct anchors *a = arg;

	X509_STORE_free(atomic_exchange(&a->store, NULL));
}

struct tls_context *
tls_wish_context(struct tls_wish *w)
{
	unsigned core = core_index();
	struct tls_client_setup setup = { .least = TLS_LEAST_1_2 };

	must(core < CORES_MOST && w->anchors != NULL);
	if (w->contexts[core] != NULL)
		return w->contexts[core];
	setup.anchors = anchors_store(w->anchors);
	w->contexts[core] = tls_client_new(&setup);
	return w->contexts[core];
}

void
tls_wish_clear(void *arg)
{
	struct tls_wish *w = arg;

	for (size_t i = 0; i < CORES_MOST; i++) {
		tls_drop(w->contexts[i]);
		w->contexts[i] = NULL;
	}
}
