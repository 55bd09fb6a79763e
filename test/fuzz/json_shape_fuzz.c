/* What is counted before JSON is read is not less than what is in it: held
 * against what jansson reads. */
#include "fuzz.h"
#include "wire/json_shape.h"

#include <jansson.h>

enum { DEPTH = 64 };

/* How deep, and how many values.  Depth is bounded by what was counted. */
static struct json_shape
shape_of(json_t *j, size_t depth)
{
	struct json_shape all = { json_is_object(j) || json_is_array(j) ?
	    depth + 1 : depth, 1 }, one;
	const char *key;
	json_t *v;
	size_t i;

	must(depth <= DEPTH);
	json_object_foreach(j, key, v) {
		one = shape_of(v, depth + 1);
		all.values += one.values;
		all.depth = one.depth > all.depth ? one.depth : all.depth;
	}
	json_array_foreach(j, i, v) {
		one = shape_of(v, depth + 1);
		all.values += one.values;
		all.depth = one.depth > all.depth ? one.depth : all.depth;
	}
	return all;
}

FUZZ(in)
{
	struct json_shape said = json_shape(in), found;
	json_t *j;

	must(said.values >= 1 && said.values <= in.n + 1 &&
	    said.depth <= in.n);
	if (said.depth > DEPTH)
		return;
	j = json_loadb(in.p == NULL ? "" : in.p, in.n, JSON_ALLOW_NUL |
	    JSON_DECODE_ANY, NULL);
	if (j == NULL)
		return;
	found = shape_of(j, 0);
	must(found.depth <= said.depth && found.values <= said.values);
	json_decref(j);
}
