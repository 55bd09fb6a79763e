/*
 * judge.h -- what a client may do: connect, greet, send, to whom.
 *
 * The promise: pure judgments over the configuration and the facts of a
 * session, each with the reply to give (judge.def).  Mail is taken for own
 * domains from everybody and for others from trusted networks and from who
 * logged in only: never an open relay, whatever the address says.  Who logged in
 * sends as those whom account.h lets him be, in a trusted network too.
 * Not for: counting clients (limit.h), grammar (wire/), what the content is.
 * Waiting: none.
 * Memory: values.
 * Errors: a judgment whose verdict is not DELIVERED is the refusal.
 * Source: RFC 5321 3.3, 3.6.1, 4.5.1, 7.9; RFC 6409 4.3, 5, 6; RFC 1870 6.1;
 * SECURITY.md rows 12, 13, 15, 22, 23.
 */
#ifndef NM_POLICY_JUDGE_H
#define NM_POLICY_JUDGE_H

#include "fiber/net.h"
#include "policy/account.h"
#include "wire/disposition.h"

enum judge_reason {
#define JUDGE(name, code, esc, text) JUDGE_##name,
#include "policy/judge.def"
#undef JUDGE
	JUDGE_REASONS
};

struct judgment {
	struct verdict verdict;		/* DELIVERED: go on (250) */
	enum judge_reason reason;
};

/* Facts of the session that judgments need. */
struct judge_client {
	struct address address;
	enum listener_role role;
	struct str user;		/* authenticated; absent: nobody */
	const struct account *account;	/* who logged in, settled; NULL: he did
					 * not, or others vouch for him */
};

struct judgment judge_helo(const struct config *, const struct judge_client *,
    struct str helo);
/* size: SIZE= as declared, 0: not said.  The arena is for what is worked out on
 * the way. */
struct judgment judge_mail(const struct config *, const struct judge_client *,
    const struct path *from, uint64_t size, struct arena *);
/* An address in From, or in Sender, as it stands there; its parts unquoted. */
struct judgment judge_author(const struct config *, const struct account *,
    bool is_from, struct str local, struct str domain, struct arena *);
/* sender: the reverse path's mailbox, n == 0: null.  n: recipients accepted so
 * far in this transaction.  After a yes, expand() says who it becomes; it may
 * still refuse (an alias that leads nowhere). */
struct judgment judge_rcpt(const struct config *, const struct judge_client *,
    struct str sender, const struct path *to, size_t n);

/* The judgment with its reply's words; `about' stands for %s in the table. */
struct judgment judge_say(enum judge_reason, struct str about);
bool judgment_is_yes(const struct judgment *);

#endif
