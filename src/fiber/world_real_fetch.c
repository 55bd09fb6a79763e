/*
 * The real web: libcurl on a helper thread, one connection for each request.
 *
 * It is told where names are, so that it never asks the C library's resolver,
 * and it is given the anchors as octets: the system's are read before the cage
 * is laid, and again when their file has changed and can still be read.
 */
#include "base/must.h"
#include "fiber/world.h"

#include "fiber/fetch_job.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANCHORS_MOST = 4 * 1024 * 1024, LINES_MOST = FETCH_HEADERS_MOST + 1 };

/* Where systems keep what the web trusts, the first that is there. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

/* ---- anchors ---- */

struct bundle {
	atomic_uint holders;
	struct timespec changed;
	size_t n;
	char bytes[];
};

static pthread_mutex_t bundle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bundle *bundle_now;

static void
bundle_drop(struct bundle *b)
{
	if (b != NULL && atomic_fetch_sub(&b->holders, 1) == 1)
		free(b);
}

static struct bundle *
bundle_read(int fd, const struct stat *st)
{
	size_t size = (size_t)st->st_size;
	struct bundle *b = malloc(sizeof *b + size);
	ssize_t n;

	if (b == NULL)
		return NULL;
	n = pread(fd, b->bytes, size, 0);
	atomic_init(&b->holders, 1);
	b->changed = st->st_mtim;
	b->n = n < 0 ? 0 : (size_t)n;
	if (b->n == size)
		return b;
	free(b);
	return NULL;
}

static bool
bundle_is_from(const struct bundle *b, const struct stat *st)
{
	return b != NULL && b->n == (size_t)st->st_size &&
	    b->changed.tv_sec == st->st_mtim.tv_sec &&
	    b->changed.tv_nsec == st->st_mtim.tv_nsec;
}

/* With the lock held. */
static void
bundle_refresh(void)
{
	struct bundle *b = NULL;
	struct stat st;
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < sizeof bundles / sizeof *bundles; i++)
		fd = open(bundles[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0 &&
	    st.st_size <= ANCHORS_MOST && !bundle_is_from(bundle_now, &st))
		b = bundle_read(fd, &st);
	close(fd);
	if (b == NULL)
		return;
	bundle_drop(bundle_now);
	bundle_now = b;
}

/* NULL: this system has none. */
static struct bundle *
bundle_hold(void)
{
	struct bundle *b;

	pthread_mutex_lock(&bundle_lock);
	bundle_refresh();
	b = bundle_now;
	if (b != NULL)
		atomic_fetch_add(&b->holders, 1);
	pthread_mutex_unlock(&bundle_lock);
	return b;
}

/* ---- what a stop tells all ---- */

static _Atomic int hurry = -1;

void
world_fetch_hurry(void)
{
	int fd = atomic_load(&hurry);

	if (fd >= 0)
		(void)eventfd_write(fd, 1);
}

int
world_fetch_prepare(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int rc = 0;

	pthread_mutex_lock(&lock);
	if (atomic_load(&hurry) < 0) {
		int fd = eventfd(0, EFD_CLOEXEC);

		if (fd < 0)
			rc = -errno;
		else if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
			rc = -ENOMEM;
		if (rc == 0) {
			atomic_store(&hurry, fd);
			bundle_drop(bundle_hold());
		} else if (fd >= 0)
			close(fd);
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

/* ---- one request ---- */

struct visit {
	struct fetch_job *job;
	CURL *curl;
	CURLM *multi;
	struct curl_slist *lines, *places;
	struct bundle *bundle;
	CURLcode is;			/* all options were taken */
	bool is_hurried;
	char why[CURL_ERROR_SIZE];
};

static size_t
visit_head(char *p, size_t size, size_t n, void *arg)
{
	struct visit *v = arg;
	struct str line = { p, size * n };

	if (str_skip(&line, STR("HTTP/")))	/* also behind a 1xx */
		v->job->head.n = 0;
	else
		buf_put(&v->job->head, line);
	return v->job->head.full ? 0 : size * n;
}

static size_t
visit_text(char *p, size_t size, size_t n, void *arg)
{
	struct visit *v = arg;

	buf_put(&v->job->text, (struct str){ p, size * n });
	return v->job->text.full ? 0 : size * n;
}

static void
set_number(struct visit *v, CURLoption option, long value)
{
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, option, value);
}

static void
set_text(struct visit *v, CURLoption option, const char *value)
{
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, option, value);
}

static void
set_list(struct visit *v, CURLoption option, struct curl_slist **list,
    const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct curl_slist *more = curl_slist_append(*list, lines[i]);

		if (more == NULL) {
			v->is = CURLE_OUT_OF_MEMORY;
			return;
		}
		*list = more;
	}
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, option, *list);
}

static void
visit_method(struct visit *v)
{
	switch (v->job->method) {
	case FETCH_GET:
		set_number(v, CURLOPT_HTTPGET, 1);
		break;
	case FETCH_HEAD:
		set_number(v, CURLOPT_NOBODY, 1);
		break;
	case FETCH_POST:
		set_number(v, CURLOPT_POST, 1);
		set_number(v, CURLOPT_POSTFIELDSIZE, (long)v->job->body.n);
		set_text(v, CURLOPT_POSTFIELDS, v->job->body.n == 0 ? "" :
		    v->job->body.p);
		break;
	}
}

/* RFC 9325 3.1; RFC 9525: the certificate's names are the host's. */
static void
visit_tls(struct visit *v)
{
	struct str pem = v->job->anchors;
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };

	if (pem.p == NULL) {
		v->bundle = bundle_hold();
		if (v->bundle != NULL)
			pem = (struct str){ v->bundle->bytes, v->bundle->n };
	}
	set_number(v, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	set_number(v, CURLOPT_SSL_VERIFYPEER, 1);
	set_number(v, CURLOPT_SSL_VERIFYHOST, 2);
	set_number(v, CURLOPT_SSL_SESSIONID_CACHE, 0);
	set_text(v, CURLOPT_CAINFO, NULL);
	set_text(v, CURLOPT_CAPATH, NULL);
	blob.data = (void *)(uintptr_t)pem.p;
	blob.len = pem.n;
	if (v->is == CURLE_OK && pem.n > 0)
		v->is = curl_easy_setopt(v->curl, CURLOPT_CAINFO_BLOB, &blob);
}

static void
visit_lines(struct visit *v)
{
	const char *lines[LINES_MOST] = { NULL };
	size_t n = 0;

	must(v->job->n_lines < LINES_MOST);
	lines[n++] = "Expect:";			/* no 100-continue */
	for (size_t i = 0; i < v->job->n_lines; i++)
		lines[n++] = v->job->lines[i];
	set_list(v, CURLOPT_HTTPHEADER, &v->lines, lines, n);
	if (v->job->places != NULL)
		set_list(v, CURLOPT_RESOLVE, &v->places, &v->job->places, 1);
}

static void
visit_limits(struct visit *v)
{
	int64_t ms = v->job->wait_ns / NS_PER_MS + 1;

	must(v->job->wait_ns > 0);
	ms = ms > INT32_MAX ? INT32_MAX : ms;
	set_number(v, CURLOPT_TIMEOUT_MS, (long)ms);
	set_number(v, CURLOPT_CONNECTTIMEOUT_MS, (long)ms);
	set_number(v, CURLOPT_NOSIGNAL, 1);
	set_number(v, CURLOPT_FOLLOWLOCATION, 0);
	set_number(v, CURLOPT_FRESH_CONNECT, 1);
	set_number(v, CURLOPT_FORBID_REUSE, 1);
	set_number(v, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	set_number(v, CURLOPT_PATH_AS_IS, 1);
	set_text(v, CURLOPT_URL, v->job->url);
	set_text(v, CURLOPT_PROTOCOLS_STR, v->job->may_be_plain ? "http,https" :
	    "https");
	set_text(v, CURLOPT_PROXY, "");
	set_text(v, CURLOPT_NOPROXY, "*");
	set_text(v, CURLOPT_USERAGENT, "Nightmail");
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, CURLOPT_MAXFILESIZE_LARGE,
		    (curl_off_t)v->job->text.cap);
}

static void
visit_callbacks(struct visit *v)
{
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, CURLOPT_ERRORBUFFER, v->why);
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, CURLOPT_HEADERFUNCTION,
		    visit_head);
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, CURLOPT_HEADERDATA, v);
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, CURLOPT_WRITEFUNCTION,
		    visit_text);
	if (v->is == CURLE_OK)
		v->is = curl_easy_setopt(v->curl, CURLOPT_WRITEDATA, v);
}

static CURLcode
visit_result(struct visit *v)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(v->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE)
			return m->data.result;
	return CURLE_RECV_ERROR;
}

static CURLcode
visit_go(struct visit *v)
{
	struct curl_waitfd told = { atomic_load(&hurry), CURL_WAIT_POLLIN, 0 };
	CURLMcode rc = curl_multi_add_handle(v->multi, v->curl);
	int running = 1;

	must(v->multi != NULL && v->curl != NULL);
	while (rc == CURLM_OK && running > 0 && !v->is_hurried) {
		rc = curl_multi_perform(v->multi, &running);
		if (rc != CURLM_OK || running == 0)
			break;
		/* The library shortens it to the next of its own instants. */
		rc = curl_multi_poll(v->multi, &told, 1, 60000, NULL);
		v->is_hurried = told.revents != 0;
	}
	if (v->is_hurried)
		return CURLE_ABORTED_BY_CALLBACK;
	return rc == CURLM_OK ? visit_result(v) : CURLE_OUT_OF_MEMORY;
}

static enum fetch_trouble
visit_trouble(const struct visit *v, CURLcode rc)
{
	if (v->is_hurried)
		return FETCH_STOPPED;
	if (v->job->head.full || v->job->text.full)
		return FETCH_BIG;
	/* All others are what they are called: something broke. */
	if (rc == CURLE_OK)
		return FETCH_WELL;
	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		return FETCH_CERTIFICATE;
	if (rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_SSL_CIPHER)
		return FETCH_TLS;
	if (rc == CURLE_FILESIZE_EXCEEDED)
		return FETCH_BIG;
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return FETCH_LATE;
	if (rc == CURLE_COULDNT_CONNECT)
		return FETCH_UNREACHED;
	if (rc == CURLE_COULDNT_RESOLVE_HOST)
		return FETCH_NAME;
	if (rc == CURLE_OUT_OF_MEMORY || rc == CURLE_SSL_CACERT_BADFILE)
		return FETCH_BUSY;
	return FETCH_BROKEN;
}

static enum fetch_trouble
visit_end(struct visit *v, CURLcode rc)
{
	enum fetch_trouble t = visit_trouble(v, rc);
	long status = 0;

	if (t == FETCH_WELL && curl_easy_getinfo(v->curl,
	    CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
		t = FETCH_BROKEN;
	v->job->status = (unsigned)status;
	(void)snprintf(v->job->why, sizeof v->job->why, "%s",
	    t == FETCH_STOPPED ? "the server stops" :
	    t == FETCH_BIG ? "the answer is too big" :
	    v->why[0] != '\0' ? v->why : curl_easy_strerror(rc));
	return t;
}

static void
visit_close(struct visit *v)
{
	if (v->multi != NULL && v->curl != NULL)
		(void)curl_multi_remove_handle(v->multi, v->curl);
	if (v->curl != NULL)
		curl_easy_cleanup(v->curl);
	if (v->multi != NULL)
		(void)curl_multi_cleanup(v->multi);
	curl_slist_free_all(v->lines);
	curl_slist_free_all(v->places);
	bundle_drop(v->bundle);
}

int
world_fetch(struct fetch_job *j)
{
	struct visit v = { .job = j, .is = CURLE_OUT_OF_MEMORY };
	enum fetch_trouble t;

	if (world_fetch_prepare() == 0) {
		v.curl = curl_easy_init();
		v.multi = curl_multi_init();
	}
	if (v.curl != NULL && v.multi != NULL) {
		v.is = CURLE_OK;
		visit_callbacks(&v);
		visit_limits(&v);
		visit_method(&v);
		visit_tls(&v);
		visit_lines(&v);
	}
	t = visit_end(&v, v.is == CURLE_OK ? visit_go(&v) : v.is);
	visit_close(&v);
	return (int)t;
}
