#include "policy/place.h"

#include "base/err.h"
#include "base/must.h"
#include "policy/config.h"
#include "policy/domain.h"
#include "wire/address.h"

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
	struct str template = r->by->maildir;

	return template.n > 0 && template.p[0] == '~' && r->user->home.n == 0 ?
	    c->deliver.virtual : template;
}

static void
place_owner(const struct config *c, const struct user *u,
    struct mailbox_place *out)
{
	if (u != NULL && u->has_uid) {
		out->uid = u->uid;
		out->gid = u->gid;
	} else if (c->deliver.user.n > 0) {
		out->uid = c->deliver.uid;
		out->gid = c->deliver.gid;
	} else if (out->pipe != NULL)
		out->uid = out->gid = PLACE_NOBODY;
}

/* Maildir++: a folder is a directory that begins with a dot. */
static int
place_folder(const struct config *c, const struct route *r, struct arena *a,
    struct mailbox_place *out)
{
	if (c->deliver.detail != DETAIL_FOLDER || !local_is_safe(route_detail(r)))
		return 0;
	out->folder = arena_printf(a, STR_FMT"/."STR_FMT, STR_ARG(out->path),
	    STR_ARG(route_detail(r)));
	return out->folder.p == NULL ? err_set("no room for a folder's path") :
	    0;
}

static int
place_of_user(const struct config *c, const struct route *r, uint32_t own_uid,
    struct arena *a, struct mailbox_place *out)
{
	struct str template = template_of(c, r);

	out->pipe = r->by->pipe;
	place_owner(c, r->user, out);
	out->needs_porter = out->uid != own_uid || out->pipe != NULL;
	must(!out->needs_porter || out->uid != 0);
	if (out->pipe != NULL)
		return 0;
	if (template.n == 0)
		return err_set("the user has no Maildir");
	out->path = template_fill(template, r, a);
	return out->path.p == NULL ? err_set("no room for a mailbox's path") :
	    place_folder(c, r, a, out);
}

int
place_find(const struct config *c, const struct route *r, uint32_t own_uid,
    uint32_t own_gid, struct arena *a, struct mailbox_place *out)
{
	must(r->kind == ROUTE_LOCAL);
	*out = (struct mailbox_place){ .uid = own_uid, .gid = own_gid };
	if (r->user != NULL)
		return place_of_user(c, r, own_uid, a, out);
	out->path = arena_copy(a, r->home->admin.n > 0 ? r->home->admin :
	    c->deliver.admin);
	return out->path.p == NULL ? err_set("no room for a mailbox's path") :
	    0;
}

/* ---- what aliases name ---- */

static const struct alias_entry *
alias_of_mailbox(const struct config *c, struct str mailbox)
{
	char local[LOCAL_MOST];
	struct buf b = BUF_OF(local);
	const struct domain *d;
	struct mailbox m;

	if (mailbox_parse(mailbox, MAILBOX_UTF8, &m) != NULL)
		return NULL;
	d = config_domain(c, m.domain);
	mailbox_local(&m, &b);
	return d == NULL ? NULL : domain_resident(d, buf_str(&b)).alias;
}

static int
place_of_target(struct str target, struct arena *a, struct mailbox_place *out)
{
	struct pipe *pipe;
	const char *why;

	if (str_skip(&target, STR("|"))) {
		pipe = arena_new(a, struct pipe);
		why = pipe == NULL ? "no memory" : pipe_parse(pipe, target, a);
		out->pipe = pipe;
		return why == NULL ? 0 : err_set("%s", why);
	}
	while (target.n > 1 && target.p[target.n - 1] == '/')
		target.n--;
	out->path = arena_copy(a, target);
	return out->path.p == NULL ? err_set("no room for a mailbox's path") :
	    0;
}

int
place_of_alias(const struct config *c, struct str mailbox, struct str target,
    struct arena *a, struct mailbox_place *out)
{
	const struct alias_entry *alias;

	*out = (struct mailbox_place){ .uid = PLACE_NOBODY,
		.gid = PLACE_NOBODY, .needs_porter = true };
	alias = alias_of_mailbox(c, mailbox);
	if (alias == NULL || !alias_has_transport(alias, target))
		return err_set("'"STR_FMT"' no longer names this",
		    STR_ARG(mailbox));
	if (!alias_target_is_place(target))
		return err_set("'"STR_FMT"' is neither |command nor /path/",
		    STR_ARG(target));
	place_owner(c, NULL, out);
	return place_of_target(target, a, out);
}

bool
place_has_commands(const struct config *c)
{
	bool has = c->deliver.by.pipe != NULL;

	for (size_t i = 0; i < c->n_transports; i++)
		has |= c->transports[i].pipe != NULL;
	for (size_t i = 0; i < c->n_domains && !has; i++)
		has = c->domain_list[i]->deliver.pipe != NULL ||
		    (c->domain_list[i]->aliases != NULL &&
		    c->domain_list[i]->aliases->has_transports);
	return has;
}
