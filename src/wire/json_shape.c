#include "wire/json_shape.h"

struct json_shape
json_shape(struct str s)
{
	struct json_shape shape = { 0, 1 };
	size_t depth = 0;
	bool is_string = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (is_string && c == '\\')
			i++;
		else if (c == '"')
			is_string = !is_string;
		else if (is_string)
			continue;
		else if (c == '{' || c == '[') {
			shape.values++;
			if (++depth > shape.depth)
				shape.depth = depth;
		} else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		else if (c == ',')
			shape.values++;
	}
	return shape;
}
