#include "cli/pair.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/files.h"

enum { PAIR_MEMORY = 2 * CERTIFICATE_PEM_MOST };

static int
pair_file(struct str path, struct arena *a, struct source_file *out)
{
	switch (files_source.read(&files_source, path, a, out)) {
	case SOURCE_FOUND:
		return 0;
	case SOURCE_ABSENT:
		return err_set(STR_FMT": there is no such file",
		    STR_ARG(path));
	case SOURCE_TROUBLE:
		break;
	}
	return -1;
}

static int
pair_key(struct str path, struct arena *a, struct pair *p)
{
	struct source_file file = { .bytes = STR("") };

	if (pair_file(path, a, &file) != 0)
		return -1;
	if (file.is_world_readable)
		return err_set(STR_FMT": everybody may read this private key; "
		    "say chmod o-r", STR_ARG(path));
	p->key = private_key_read(file.bytes);
	OPENSSL_cleanse((char *)(uintptr_t)file.bytes.p, file.bytes.n);
	return p->key != NULL ? 0 : err_add(STR_FMT, STR_ARG(path));
}

int
pair_read(struct str cert_path, struct str key_path, struct pair *out)
{
	struct source_file file = { .bytes = STR("") };
	struct arena a;
	int rc;

	*out = (struct pair){ .key = NULL };
	arena_init(&a, PAIR_MEMORY);
	rc = pair_file(cert_path, &a, &file);
	if (rc == 0 && (rc = certificate_read(file.bytes, &out->cert)) != 0)
		err_add(STR_FMT, STR_ARG(cert_path));
	if (rc == 0)
		rc = pair_key(key_path, &a, out);
	if (rc == 0 && !certificate_fits(&out->cert, out->key))
		rc = err_set(STR_FMT": this is not the key of " STR_FMT,
		    STR_ARG(key_path), STR_ARG(cert_path));
	arena_clear(&a);
	if (rc != 0)
		pair_free(out);
	return rc;
}

void
pair_free(struct pair *p)
{
	certificate_free(&p->cert);
	EVP_PKEY_free(p->key);
	p->key = NULL;
}
