#include "app/keyring_wire.h"

bool
keyring_field(struct str *body, struct str *out)
{
	uint32_t n;

	if (body->n < sizeof n)
		return false;
	memcpy(&n, body->p, sizeof n);
	if (n > body->n - sizeof n)
		return false;
	*out = str_sub(*body, sizeof n, n);
	*body = str_sub(*body, sizeof n + n, body->n);
	return true;
}

bool
keyring_number(struct str *body, uint64_t *out)
{
	struct str field;

	if (!keyring_field(body, &field) || field.n != sizeof *out)
		return false;
	memcpy(out, field.p, sizeof *out);
	return true;
}

bool
keyring_choice(struct str *body, unsigned n, unsigned *out)
{
	struct str field;

	if (!keyring_field(body, &field) || field.n != 1)
		return false;
	*out = (unsigned char)field.p[0];
	return *out < n;
}

void
keyring_put(struct buf *b, struct str field)
{
	uint32_t n = (uint32_t)field.n;

	buf_put(b, (struct str){ (const char *)&n, sizeof n });
	buf_put(b, field);
}
