/*
 * The life of a message on its way in:
 *
 * STATE     function that moves there  what is true
 * envelope  intake_new                 sender known, recipients are added
 * header    intake_open                it has an id and a draft; our Received
 *                                      stands in the draft
 * body      intake_content, at the     fields that were missing follow the
 *           first empty line           others in the draft
 * refused   any                        `no' says why; the first reason stays
 * kept      intake_commit              it is on disk and was handed up
 *
 * A refused one, or one whose arena is cleared, leaves nothing in the spool.
 */
#include "base/id.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "intake/intake.h"
#include "fiber/fiber.h"
#include "intake/top.h"
#include "policy/config.h"
#include "spool/draft.h"
#include "spool/envelope.h"
#include "spool/outcome.h"
#include "trust/digest.h"
#include "wire/address.h"
#include "wire/date.h"
#include "wire/disposition.h"
#include "wire/received.h"

#include <inttypes.h>

enum { INTAKE_MSGID_MOST = 250 };	/* octets told in the event */

struct verdict
intake_yes(void)
{
	return verdict_make(DELIVERED, 250, "2.0.0", "Ok");
}

struct verdict
intake_no_memory(void)
{
	return verdict_make(DEFERRED, 452, "4.3.1",
	    "No memory for that now; try again later");
}

static struct verdict
intake_trouble(enum draft_trouble trouble)
{
	switch (trouble) {
	case DRAFT_FINE:
		break;
	case DRAFT_NO_ROOM:
		return verdict_make(DEFERRED, 452, "4.3.1",
		    "The disk is full; try again later");
	case DRAFT_DISK_FAILED:
		return verdict_make(DEFERRED, 451, "4.3.0",
		    "Our disk failed, not you; try again later");
	case DRAFT_BROKEN:
		return verdict_make(DEFERRED, 421, "4.3.2",
		    "Our disk failed; we take no mail now");
	}
	return intake_yes();
}

bool
intake_is_ready(const struct intake_core *core)
{
	return core->spool != NULL;
}

struct verdict
intake_has_room(const struct intake_core *core, const struct config *config)
{
	switch (spool_health(core->spool)) {
	case SPOOL_HEALTHY:
		break;
	case SPOOL_NO_ROOM:
		return intake_trouble(DRAFT_NO_ROOM);
	case SPOOL_BROKEN:
		return intake_trouble(DRAFT_BROKEN);
	}
	if (config->limits.queue != 0 &&
	    spool_stats(core->spool).kept >= config->limits.queue)
		return verdict_make(DEFERRED, 452, "4.3.1",
		    "The queue is full; try again later");
	return intake_yes();
}

/* ---- the envelope ---- */

static void
intake_end(void *arg)
{
	struct intake *in = arg;

	arena_clear(&in->scan_arena);
}

struct intake *
intake_new(struct intake_core *core, const struct config *config,
    struct arena *arena, const struct intake_origin *origin)
{
	struct intake *in = arena_new(arena, struct intake);

	if (in == NULL || arena_defer(arena, intake_end, in) != 0)
		return NULL;
	in->core = core;
	in->config = config;
	in->arena = arena;
	in->origin = *origin;
	in->no = intake_yes();
	arena_init(&in->scan_arena, HEADER_ARENA);
	in->envelope = (struct envelope){
		.parent = origin->parent, .sender = origin->sender,
		.tenant = origin->tenant, .stream = origin->stream,
		.client = origin->client, .client_name = origin->client_name,
		.helo = origin->helo, .user = origin->user,
		.protocol = origin->protocol, .listener = origin->listener,
		.envid = origin->envid, .ret = origin->ret,
		.expires = origin->expires,
		.flags = origin->flags,
	};
	return verify_begin(in) ? in : NULL;
}

uint64_t
intake_id(const struct intake *in)
{
	return in->draft == NULL ? 0 : draft_id(in->draft);
}

bool
intake_is_refused(const struct intake *in)
{
	return in->no.disposition != DELIVERED;
}

uint64_t
intake_octets(const struct intake *in)
{
	return in->octets;
}

/* ---- the content ---- */

int
intake_refuse(struct intake *in, struct verdict why)
{
	must(why.disposition != DELIVERED);
	if (in->no.disposition == DELIVERED)
		in->no = why;
	return -1;
}

static yields int
intake_append(struct intake *in, struct str octets)
{
	enum draft_trouble trouble;

	must(in->draft != NULL && in->no.disposition == DELIVERED);
	if (octets.n == 0)
		return 0;
	trouble = draft_append(in->draft, octets);
	return trouble == DRAFT_FINE ? 0 :
	    intake_refuse(in, intake_trouble(trouble));
}

yields int
intake_prepend(struct intake *in, struct str octets)
{
	enum draft_trouble trouble;

	must(in->draft != NULL && in->no.disposition == DELIVERED);
	trouble = draft_prepend(in->draft, octets);
	return trouble == DRAFT_FINE ? 0 :
	    intake_refuse(in, intake_trouble(trouble));
}

/* What was hashed is what is kept. */
static yields int
intake_append_body(struct intake *in, struct str octets)
{
	must(in->in_body);
	if (in->digest != NULL)
		digest_body(in->digest, octets);
	return intake_append(in, octets);
}

/* RFC 5321 4.4: every hop puts its own on top. */
static yields int
intake_put_received(struct intake *in)
{
	struct id_text id = id_print(draft_id(in->draft));
	struct received received = {
		.helo = in->origin.helo, .host = in->origin.client_name,
		.ip = in->origin.client, .by = in->config->hostname,
		.with = in->origin.protocol.n > 0 ? in->origin.protocol :
		    STR("local"),
		.tls = in->origin.tls,
		.id = { id.text, ID_CHARS },
		.rcpt = in->asked == 1 ? in->asked_first : STR_NONE,
		.at = in->envelope.arrived,
	};
	char room[2560];
	struct buf out = BUF_OF(room);
	struct str user = in->origin.user;

	must(in->octets == 0 && in->envelope.n_rcpts > 0);
	if (str_skip(&user, STR("uid:")))
		received.userid = user;
	received_write(&out, &received);
	must(!out.full);
	return intake_append(in, buf_str(&out));
}

yields struct verdict
intake_open(struct intake *in)
{
	enum draft_trouble why = DRAFT_FINE;
	struct verdict v;

	must(in->draft == NULL && in->envelope.n_rcpts > 0);
	must(intake_is_ready(in->core));
	v = verify_open(in);
	if (v.disposition != DELIVERED)
		return v;
	in->draft = draft_open(in->core->spool, in->arena, &why);
	if (in->draft == NULL)
		return why == DRAFT_FINE ? intake_no_memory() :
		    intake_trouble(why);
	in->envelope.arrived = clock_wall();
	header_begin(&in->scan, &in->scan_arena);
	return intake_yes();
}

/*
 * SECURITY.md row 16: our own final delivery marks a copy with Delivered-To; it
 * has come back when one of our recipients is named there.
 */
static bool
intake_was_delivered_to(const struct intake *in, struct str value)
{
	const struct envelope *e = &in->envelope;
	char room[2 * MAILBOX_TEXT];
	struct buf text = BUF_OF(room);
	struct str to, domain;

	field_unfold(value, &text);
	to = str_trim(buf_str(&text));
	if (text.full || to.n == 0)
		return false;
	for (size_t i = 0; i < e->n_rcpts; i++) {
		if (!str_eq_icase(e->rcpts[i].address, to))
			continue;
		domain = mailbox_domain(to);
		if (config_domain(in->config, domain) != NULL)
			return true;
	}
	return false;
}

static int
intake_see_field(struct intake *in, const struct field *field)
{
	struct str id;

	must(!in->in_body && field->raw.n > 0);
	if ((field->known == HEADER_FROM || field->known == HEADER_SENDER) &&
	    author_judge(in, field) != 0)
		return -1;
	if (field->known == HEADER_RECEIVED &&
	    in->scan.count[HEADER_RECEIVED] >= in->config->limits.hops)
		return intake_refuse(in, verdict_make(FAILED, 554, "5.4.6",
		    "Too many hops: the message goes in a loop"));
	if (field->known == HEADER_DELIVERED_TO &&
	    intake_was_delivered_to(in, field->value))
		return intake_refuse(in, verdict_make(FAILED, 554, "5.4.6",
		    "The message was delivered to this recipient before: "
		    "a loop"));
	if (field->known == HEADER_MESSAGE_ID && in->message_id.p == NULL) {
		id = field_msgid(field->value);
		in->message_id = arena_copy(in->arena,
		    str_sub(id, 0, INTAKE_MSGID_MOST));
	}
	return 0;
}

/* RFC 6409 8.2, 8.3: what a submitter left out; and From, without which no
 * message is one (RFC 5322 3.6). */
static yields int
intake_complete(struct intake *in)
{
	struct id_text id = id_print(draft_id(in->draft));
	struct date_text date = date_print(in->envelope.arrived, 0);
	struct str message_id, from = STR_NONE;
	char room[1024];
	struct buf out = BUF_OF(room);

	must(!in->in_body);
	in->in_body = true;
	if (in->scan.count[HEADER_FROM] == 0 && author_missing(in, &from) != 0)
		return -1;
	if (in->origin.is_clear &&
	    intake_append(in, STR("X-Clear-Text: yes\r\n")) != 0)
		return -1;
	if (!in->origin.is_submission)
		return 0;
	if (from.n > 0)
		header_put(&out, STR("From"), from);
	if (in->scan.count[HEADER_DATE] == 0)
		header_put(&out, STR("Date"), str_of(date.text));
	if (in->scan.count[HEADER_MESSAGE_ID] == 0) {
		message_id = arena_printf(in->arena, "<%s@" STR_FMT ">",
		    id.text, STR_ARG(in->config->hostname));
		if (message_id.p == NULL)
			return intake_refuse(in, intake_no_memory());
		header_put(&out, STR("Message-ID"), message_id);
		in->message_id = str_sub(message_id, 1, message_id.n - 2);
	}
	must(!out.full);
	return sign_added(in, buf_str(&out)) != 0 ? -1 :
	    intake_append(in, buf_str(&out));
}

/* The header section is over.  The line between it and a body is written by us:
 * one that has none begins with what is no field, of which the scan may have
 * taken a part. */
static yields int
intake_begin_body(struct intake *in, struct str begun)
{
	int rc = intake_complete(in);

	must(in->in_body || intake_is_refused(in));
	if (rc == 0)
		rc = top_begin(in);
	if (rc == 0 && (in->scan.has_empty_line || in->scan.ended_by_junk))
		rc = intake_append(in, STR("\r\n"));
	if (rc == 0)
		rc = intake_append_body(in, begun);
	arena_clear(&in->scan_arena);
	return rc;
}

static bool
intake_header_is_big(const struct intake *in)
{
	return in->scan.octets > in->config->limits.header ||
	    in->scan.lines > in->config->limits.header_lines;
}

/* RFC 8689 3, 4.1: the parameter of MAIL outweighs it; any other word of it
 * means nothing. */
static void
intake_see_tls(struct intake *in, const struct field *field)
{
	if (field->known == HEADER_TLS_REQUIRED &&
	    (in->envelope.flags & ENVELOPE_REQUIRETLS) == 0 &&
	    str_eq_icase(str_trim(field->value), STR("No")))
		in->envelope.flags |= ENVELOPE_TLS_OPTIONAL;
}

static yields int
intake_take_field(struct intake *in, const struct field *field)
{
	bool is_kept;

	must(in->no.disposition == DELIVERED);
	intake_see_tls(in, field);
	if (intake_see_field(in, field) != 0 ||
	    verify_field(in, field, &is_kept) != 0)
		return -1;
	sign_field(in, field);
	return is_kept ? intake_append(in, field->raw) : 0;
}

/* One step of the header's walk.  1: go on, 0: no more for now, -1. */
static yields int
intake_step(struct intake *in, enum header_step step, const struct field *field)
{
	if (step == HEADER_TOO_BIG || intake_header_is_big(in))
		return intake_refuse(in, verdict_make(FAILED, 552, "5.3.4",
		    "The header section is too big"));
	switch (step) {
	case HEADER_FIELD:
		return intake_take_field(in, field) == 0 ? 1 : -1;
	case HEADER_END:
		return intake_begin_body(in, field->raw);
	case HEADER_NO_MEMORY:
		return intake_refuse(in, intake_no_memory());
	case HEADER_MORE:
	case HEADER_TOO_BIG:
		break;
	}
	return 0;
}

static yields int
intake_header(struct intake *in, struct str *octets)
{
	struct field field;
	enum header_step step;
	int more = 1;

	must(!in->in_body);
	while (more > 0) {
		field = (struct field){ 0 };
		step = header_next(&in->scan, octets, &field);
		more = intake_step(in, step, &field);
	}
	return more;
}

/* It ended before its header did. */
static yields int
intake_finish_header(struct intake *in)
{
	struct field field;
	enum header_step step;
	int more = 1;

	must(!in->in_body && in->draft != NULL);
	while (more > 0) {
		field = (struct field){ 0 };
		step = header_finish(&in->scan, &field);
		more = intake_step(in, step, &field);
	}
	return more;
}

/* SECURITY.md row 22: the limit is for what comes from outside; reports are
 * bounded by who writes them. */
static bool
intake_is_big(const struct intake *in)
{
	return in->origin.listener.n > 0 &&
	    in->octets > in->config->limits.size;
}

yields int
intake_content(struct intake *in, struct str octets)
{
	must(in->draft != NULL);
	if (in->no.disposition != DELIVERED)
		return -1;
	if (octets.n == 0)
		return 0;
	if (in->octets == 0 && intake_put_received(in) != 0)
		return -1;
	in->octets += octets.n;
	if (intake_is_big(in))
		return intake_refuse(in, verdict_make(FAILED, 552, "5.3.4",
		    "The message is larger than %" PRIu64 " octets",
		    in->config->limits.size));
	if (!(in->envelope.flags & ENVELOPE_8BIT) && !str_is_ascii(octets))
		in->envelope.flags |= ENVELOPE_8BIT;
	if (!in->in_body && intake_header(in, &octets) != 0)
		return -1;
	return in->in_body ? intake_append_body(in, octets) : 0;
}

yields void
intake_rest(struct intake *in)
{
	enum draft_trouble trouble;

	if (in->draft == NULL)
		return;
	if (in->no.disposition != DELIVERED) {
		draft_give_up(in->draft);
		return;
	}
	trouble = draft_rest(in->draft);
	if (trouble != DRAFT_FINE)
		intake_refuse(in, intake_trouble(trouble));
}

/* ---- the end ---- */

void
intake_tell(struct intake_core *core, const struct event *e)
{
	core->sink->take(core->sink, e);
	if (intake_is_ready(core))
		spool_event(core->spool, e);
}

void
intake_tell_some(struct event *e, enum event_field field, struct str s)
{
	if (s.n > 0)
		event_str(e, field, s);
}

static void
intake_tell_queued(const struct intake *in)
{
	const struct envelope *e = &in->envelope;
	struct event event = event_make(EVENT_queued, clock_wall(), e->id);
	int64_t sync_ns = draft_sync_ns(in->draft);
	struct id_text parent = id_print(e->parent);

	must(e->id != 0 && in->asked > 0);
	event_str(&event, FIELD_sender, e->sender);
	event_num(&event, FIELD_size, e->size);
	event_num(&event, FIELD_recipients, in->asked);
	if (in->asked == 1)
		event_str(&event, FIELD_recipient, in->asked_first);
	intake_tell_some(&event, FIELD_client, e->client);
	intake_tell_some(&event, FIELD_client_name, e->client_name);
	intake_tell_some(&event, FIELD_helo, e->helo);
	intake_tell_some(&event, FIELD_protocol, e->protocol);
	intake_tell_some(&event, FIELD_listener, e->listener);
	intake_tell_some(&event, FIELD_tls, in->origin.tls);
	intake_tell_some(&event, FIELD_user, e->user);
	intake_tell_some(&event, FIELD_mechanism, in->origin.mechanism);
	intake_tell_some(&event, FIELD_tenant, e->tenant);
	intake_tell_some(&event, FIELD_stream, e->stream);
	intake_tell_some(&event, FIELD_message_id, in->message_id);
	intake_tell_some(&event, FIELD_signed, in->signing.by);
	if (e->parent != 0)
		event_str(&event, FIELD_parent, str_of(parent.text));
	event_num(&event, FIELD_fsync_us, (uint64_t)(sync_ns / NS_PER_US));
	intake_tell(in->core, &event);
}

yields struct verdict
intake_commit(struct intake *in)
{
	enum draft_trouble trouble;
	const struct kept *kept;
	struct id_text id;

	must(in->draft != NULL);
	if (in->octets == 0 && in->no.disposition == DELIVERED)
		intake_put_received(in);
	if (!in->in_body && in->no.disposition == DELIVERED)
		intake_finish_header(in);
	if (in->no.disposition != DELIVERED || top_finish(in) != 0)
		return in->no;
	trouble = draft_commit(in->draft, &in->envelope);
	if (trouble != DRAFT_FINE) {
		intake_refuse(in, intake_trouble(trouble));
		return in->no;
	}
	must(in->envelope.id == draft_id(in->draft));
	kept = draft_kept(in->draft);
	if (kept != NULL)
		in->core->kept(in->core, kept, &in->envelope);
	if (in->proof != NULL)
		verify_tell(in);
	intake_tell_queued(in);
	intake_tell_ends(in);
	id = id_print(in->envelope.id);
	return verdict_make(DELIVERED, 250, "2.0.0", "Kept as %s", id.text);
}

/* ---- from inside ---- */

static yields struct verdict
intake_post_envelope(struct intake *in, const struct intake_post *post)
{
	const struct refusal *refusal;
	struct path path;
	struct verdict v;

	for (size_t i = 0; i < post->n_recipients; i++) {
		path = (struct path){ 0 };
		refusal = mailbox_parse(post->recipients[i], MAILBOX_UTF8,
		    &path.mailbox);
		if (refusal != NULL)
			return verdict_of(FAILED, refusal->code, refusal->esc,
			    str_of(refusal->text));
		v = intake_recipient(in, &path, NULL);
		if (v.disposition != DELIVERED)
			return v;
	}
	return intake_open(in);
}

yields struct verdict
intake_post(struct intake_core *core, const struct config *config,
    struct arena *arena, const struct intake_post *post, uint64_t *id)
{
	struct intake *in = intake_new(core, config, arena, &post->origin);
	struct verdict v;

	must(post->n_recipients > 0);
	*id = 0;
	if (in == NULL)
		return intake_no_memory();
	v = intake_post_envelope(in, post);
	if (v.disposition != DELIVERED)
		return v;
	*id = intake_id(in);
	for (size_t i = 0; i < post->n_parts; i++)
		if (intake_content(in, post->parts[i]) != 0)
			break;
	return intake_commit(in);
}
