#include "app/logins.h"

#include "fiber/clock.h"
#include "intake/intake.h"
#include "policy/login.h"

#include <stdatomic.h>

void
logins_open(struct logins *s, const struct config *c)
{
	if (login_open(&s->login, c) == 0)
		return;
	(void)err_add("who the database knows cannot log in");
	(void)str_cstr(str_of(err_text()), s->trouble, sizeof s->trouble);
	err_clear();
}

bool
logins_have_database(const struct logins *s)
{
	return s->login.database.handle != NULL;
}

void
logins_tell(const struct logins *s, struct intake_core *intake)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);

	if (s->trouble[0] == '\0')
		return;
	event_str(&e, FIELD_text, str_of(s->trouble));
	intake_tell(intake, &e);
}

void
logins_close(struct logins *s, const struct node *n)
{
	if (!atomic_load(&n->is_cut))
		login_close(&s->login);
}
