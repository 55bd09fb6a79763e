#include "trust/json_in.h"

#include "base/err.h"
#include "fiber/random.h"
#include "wire/json_shape.h"

json_t *
json_read(struct str text)
{
	json_error_t e;
	json_t *j;

	if (json_shape(text).depth > JSON_IN_DEPTH) {
		err_set("JSON too deep");
		return NULL;
	}
	/* Only the first call of a process counts. */
	json_object_seed((size_t)random_u64() | 1);
	j = json_loadb(text.n == 0 ? "" : text.p, text.n,
	    JSON_REJECT_DUPLICATES, &e);
	if (j == NULL)
		err_set("no JSON: %s", e.text);
	else if (!json_is_object(j)) {
		json_decref(j);
		j = NULL;
		err_set("JSON, but no object");
	}
	return j;
}

struct str
json_word(const json_t *j, const char *name)
{
	const json_t *v = json_object_get(j, name);

	return json_is_string(v) ? (struct str){ json_string_value(v),
		json_string_length(v) } : STR_NONE;
}
