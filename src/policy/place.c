#include "policy/place.h"

#include "base/err.h"
#include "base/must.h"

/* SECURITY.md row 14: the name is a configured user's, checked at load. */
static struct str
template_fill(struct str template, const struct route *r, struct arena *a)
{
	struct buf b = { .cap = 1 };
	struct str in_home = template;

	b.cap += template.n + r->user->home.n +
	    (template.n / 2) * (r->user->name.n + r->home->name.n);
	b.p = arena_alloc(a, b.cap);
	if (b.p == NULL)
		return STR_NONE;
	if (str_skip(&in_home, STR("~"))) {
		buf_put(&b, r->user->home);
		template = in_home;
	}
	for (size_t i = 0; i < template.n; i++)
		if (template.p[i] != '%')
			buf_putc(&b, template.p[i]);
		else if (template.p[++i] == 'u')
			buf_put(&b, r->user->name);
		else if (template.p[i] == 'd')
			buf_put(&b, r->home->name);
		else
			buf_putc(&b, '%');
	must(!b.full && b.n < b.cap);
	return buf_str(&b);
}

static struct str
template_of(const struct config *c, const struct route *r)
{
	struct str template = domain_transport(r->home, r->user)->maildir;

	return template.n > 0 && template.p[0] == '~' && r->user->home.n == 0 ?
	    c->deliver.virtual : template;
}

static void
place_owner(const struct config *c, const struct user *u,
    struct mailbox_place *out)
{
	uint32_t own_uid = out->uid;

	if (u == NULL)
		return;
	if (u->has_uid) {
		out->uid = u->uid;
		out->gid = u->gid;
	} else if (c->deliver.user.n > 0) {
		out->uid = c->deliver.uid;
		out->gid = c->deliver.gid;
	}
	out->needs_porter = out->uid != own_uid;
}

int
place_find(const struct config *c, const struct route *r, uint32_t own_uid,
    uint32_t own_gid, struct arena *a, struct mailbox_place *out)
{
	must(r->kind == ROUTE_LOCAL);
	*out = (struct mailbox_place){ .uid = own_uid, .gid = own_gid };
	if (r->user != NULL && template_of(c, r).n == 0)
		return err_set("the user has no Maildir");
	out->path = r->user == NULL ? arena_copy(a,
	    r->home->admin.n > 0 ? r->home->admin : c->deliver.admin) :
	    template_fill(template_of(c, r), r, a);
	if (out->path.p == NULL)
		return err_set("no room for a mailbox's path");
	place_owner(c, r->user, out);
	must(!out->needs_porter || out->uid != 0);
	return 0;
}
