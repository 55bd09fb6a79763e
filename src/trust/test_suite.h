/*
 * test_suite.h -- other people's suites, as YAML.
 *
 * The promise: text_of() is a scalar's text, member() that of a member; absent
 * where there is none.
 * Not for: the server.
 * Waiting: none.
 * Memory: the document's.
 * Errors: none.
 * Source: YAML 1.2.
 */
#ifndef NM_TRUST_TEST_SUITE_H
#define NM_TRUST_TEST_SUITE_H

#include "base/str.h"

#include <libfyaml.h>

static inline struct str
text_of(struct fy_node *n)
{
	struct str s = STR_NONE;

	if (n != NULL)
		s.p = fy_node_get_scalar(n, &s.n);
	return s;
}

static inline struct str
member(struct fy_node *map, const char *key)
{
	return text_of(fy_node_mapping_lookup_by_string(map, key, FY_NT));
}

#endif
