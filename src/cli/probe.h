/*
 * probe.h -- one connection to an SMTP server, looked at from all sides.
 *
 * The promise: probe_run() speaks with one server as a good client does, and
 * keeps what was said, what was offered, what TLS came to, how long each phase
 * took, and what is wrong with it in sentences that say what to do.  It sends no
 * mail but what it was asked to send, and no secret in clear text.
 * Not for: delivering mail (deliver/), or many connections at once.
 * Waiting: probe_run() yields; each reply has `patience', the whole cannot last
 * for ever.
 * Memory: all in the arena given; TLS's is OpenSSL's, until probe_run() returned.
 * Errors: what is wrong with the server is a finding; a full arena ends the
 * conversation.
 * Source: RFC 5321; RFC 3207; RFC 8314; RFC 4954; RFC 7672; RFC 8461; RFC 9525.
 */
#ifndef NM_CLI_PROBE_H
#define NM_CLI_PROBE_H

#include "base/arena.h"
#include "fiber/net.h"
#include "fiber/stream.h"
#include "trust/tls_demand.h"
#include "wire/reply.h"

enum probe_phase {
	PROBE_DNS, PROBE_CONNECT, PROBE_BANNER, PROBE_EHLO, PROBE_TLS, PROBE_AUTH,
	PROBE_MAIL, PROBE_PHASES
};
const char *probe_phase_name(enum probe_phase);

/* A hint does not make the test fail. */
enum probe_weight { PROBE_HINT, PROBE_TROUBLE };

struct probe_finding {
	struct probe_finding *next;
	enum probe_weight weight;
	struct str what, to_do;		/* to_do may be absent */
};

struct probe_said {
	struct probe_said *next;
	bool is_theirs, is_private;
	int64_t at_ns;			/* since the connection was begun */
	struct str text;		/* clean; no secret */
};

struct probe_extension {
	struct probe_extension *next;
	struct str line;		/* as offered */
};

struct probe_certificate {
	struct str subject, issuer, key;
	struct wall until;
};

enum { PROBE_CHAIN_MOST = 10 };

enum probe_dane { PROBE_DANE_NONE, PROBE_DANE_INSECURE, PROBE_DANE_USELESS,
	PROBE_DANE_FITS, PROBE_DANE_MISFITS, PROBE_DANE_TROUBLE };

struct probe_ask {
	struct str hostname;		/* ours, for EHLO */
	int64_t patience;		/* ns, for each reply */
	bool is_implicit;		/* TLS from the first octet */
	bool is_submission;		/* for users, not for other servers */
	struct str user, password;	/* n == 0: no login */
	struct str from, to;		/* n == 0: no mail */
	bool is_relay_check;		/* say them, and take them back */
	X509_STORE *anchors;
	bool knows_mta_sts;		/* a policy was found ... */
	bool mta_sts_has;		/* ... and names this host */
	/* As it is said; or NULL. */
	void (*tell)(const struct probe_said *);
};

struct probe {
	struct arena *arena;
	const struct probe_ask *ask;
	struct str host;		/* as named; an address by itself too */
	struct address at;
	struct mono began;
	struct stream net;
	bool is_open, is_over;
	/* what came of it */
	bool is_reached;
	struct str banner;
	struct ehlo ehlo;		/* the last */
	struct probe_extension *offers[2];	/* in clear text, inside TLS */
	char auth[2][128];
	bool offered_starttls;
	struct {
		bool is_there, is_trusted, has_name, resumes, is_tried_again;
		struct str version, cipher, trouble;
		size_t n;
		struct probe_certificate chain[PROBE_CHAIN_MOST];
	} tls;
	enum probe_dane dane;
	struct str dane_text;
	struct str ptr;			/* n == 0: none */
	bool ptr_is_confirmed;		/* and leads back here */
	bool is_logged_in, is_sent;
	int64_t took[PROBE_PHASES];	/* ns; -1: did not come to it; DNS is the
					 * caller's */
	struct probe_said *said, **said_last;
	struct probe_finding *findings, **findings_last;
	unsigned troubles;
};

void probe_init(struct probe *, const struct probe_ask *, struct arena *,
    struct str host, const struct address *);
yields void probe_run(struct probe *);

/* ---- for the files of the probe ---- */

void probe_find(struct probe *, enum probe_weight, const char *to_do,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A line; `secret' octets are shown as stars. */
yields void probe_say(struct probe *, struct str line, struct str secret);
/* The code, or 0 when nothing more comes; `r' is the whole. */
yields short probe_hear(struct probe *, struct reply *r, struct ehlo *);
struct mono probe_patience(const struct probe *);
/* The phase that began then ends now. */
void probe_took(struct probe *, enum probe_phase, struct mono since);

yields bool probe_tls_begin(struct probe *);	/* the handshake, on p->net */
yields void probe_tls_again(struct probe *);	/* does a session go on? */
yields void probe_login(struct probe *);
yields void probe_mail(struct probe *);
yields void probe_dane_ask(struct probe *, struct tls_demand *);
yields void probe_reverse(struct probe *);

#endif
