#include "intake/top.h"

#include "base/must.h"
#include "fiber/fiber.h"
#include "intake/intake.h"
#include "policy/config.h"
#include "trust/digest.h"
#include "trust/proof.h"

/* What header_put() makes of a value: it folds, and adds the name. */
enum { TOP_ROOM = 2 * PROOF_RESULTS_MOST };

int
top_begin(struct intake *in)
{
	seal_begin(in);
	if (verify_header_end(in) != 0)
		return -1;
	sign_header_end(in);
	return 0;
}

/* RFC 8601 2.2, 4.1: one field, whatever it says; "none" when nothing was
 * asked. */
static bool
top_put_results(const struct intake *in, struct buf *out)
{
	struct str id = in->config->inbound.verify.authserv_id, value;

	must(in->proof != NULL);
	value = arena_printf(in->proof->arena, STR_FMT "; " STR_FMT, STR_ARG(id),
	    STR_ARG(in->results.n > 0 ? in->results : STR("none")));
	return value.p != NULL &&
	    header_put(out, STR("Authentication-Results"), value);
}

static bool
top_put_received_spf(const struct intake *in, struct buf *out)
{
	char room[2048];
	struct buf value = BUF_OF(room);

	if (in->config->inbound.verify.received_spf == RECEIVED_SPF_NO ||
	    proof_spf(in->proof) == NULL)
		return true;
	proof_received_spf(in->proof, &value);
	return !value.full &&
	    header_put(out, STR("Received-SPF"), buf_str(&value));
}

/* What was found out, and what follows for readers who know of no envelope. */
static yields int
top_prove(struct intake *in)
{
	struct buf out = { .cap = TOP_ROOM };

	must(in->results.n == 0 && !in->is_junk);
	if (verify_conclude(in) != 0)
		return -1;
	out.p = arena_alloc(in->proof->arena, out.cap);
	if (out.p == NULL || !top_put_results(in, &out) ||
	    !top_put_received_spf(in, &out) || (in->is_junk &&
	    !header_put(&out, str_of(header_text(HEADER_X_SPAM_FLAG)),
	    STR("YES"))))
		return intake_refuse(in, intake_no_memory());
	return intake_prepend(in, buf_str(&out));
}

yields int
top_finish(struct intake *in)
{
	must(!intake_is_refused(in));
	if (in->digest != NULL && !digest_end(in->digest))
		return intake_refuse(in, intake_no_memory());
	if (in->proof != NULL && top_prove(in) != 0)
		return -1;
	return seal_put(in) != 0 ? -1 : sign_finish(in);
}
