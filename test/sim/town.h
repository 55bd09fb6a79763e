/*
 * town.h -- the whole server among clients and other servers, with a ledger.
 *
 * The promise: town_life() runs node_run() as the program would, at 192.0.2.1,
 * beside clients that send what is planned and other servers that take, put off
 * or refuse it as the plan of each recipient says.  Whatever any of them sees is
 * written into the ledger at that moment, which all lives share; town_law() holds
 * the ledger against the law of 250 and the law of outcomes.
 * Not for: what one module promises (unit tests).
 * Waiting: town_life() is called by the parent, as sim_life().
 * Memory: the ledger, in shared memory.
 * Errors: broken laws are told on stderr, each with its message.
 * Source: DESIGN.md section 1 and 10; SECURITY.md B (T4, T5, T8, T9).
 */
#ifndef NM_SIM_TOWN_H
#define NM_SIM_TOWN_H

#include "app/node.h"
#include "scenario.h"

enum {
	TOWN_MESSAGES = 160, TOWN_RCPTS = 6, TOWN_COPIES = 8,
	TOWN_ATTEMPTS = 64, TOWN_CLIENTS = 4, TOWN_LIVES = 64
};

/* What is planned for a recipient, and so what is right. */
enum town_want {
	WANT_DELIVERED,			/* taken by another server at once */
	WANT_LATER,			/* ... after so many 4xx to RCPT */
	WANT_MAILBOX,			/* a Maildir of this server */
	WANT_REFUSED,			/* 550 to RCPT */
	WANT_NOT_THIS,			/* 554 to the dot */
	WANT_NEVER,			/* 451 for ever: expires */
	WANT_NO_DOMAIN,			/* the domain does not exist */
	WANT_NO_HOST,			/* nobody listens there: expires */
	WANT_NO_DNS,			/* SERVFAIL for ever: expires */
	WANT_BOX,			/* by LMTP, after so many 4xx to the dot */
	WANT_FULL,			/* by LMTP: 552 to the dot */
	WANT_EVIL,			/* who knows; network.h */
	WANTS
};

/* hops: the ids of its Received fields, the first server's first. */
enum { TOWN_HOPS = 8 };
struct town_copy {
	unsigned life;
	struct mono at;
	size_t n_hops;
	uint64_t hops[TOWN_HOPS];
};

struct town_rcpt {
	enum town_want want;
	unsigned laters;
	unsigned host;			/* whose mailbox; 0: home.test */
	bool is_alias;			/* to be sent to by an alias of host's */
	/* evidence */
	unsigned attempts;		/* RCPTs heard by the other server */
	struct mono attempt_at[TOWN_ATTEMPTS];
	unsigned copies, wrong;		/* wrong: another body than was sent */
	struct town_copy copy[TOWN_COPIES];
	unsigned failed, delayed;	/* reports that name him; of delay, a
					 * copy of the last is none more */
	uint32_t delayed_name;		/* of the last */
	struct mono failed_at, delayed_at;
};

struct town_message {
	bool is_used, is_dotted, is_acked;
	bool is_null;			/* its sender is the null sender */
	bool is_gone;			/* its sender cannot be told */
	unsigned lines;			/* of its body */
	struct mono acked_at;
	uint64_t id;			/* the server's */
	unsigned expanded;		/* reports that list<m> was expanded */
	size_t n;
	struct town_rcpt rcpts[TOWN_RCPTS];
};

struct town_ledger {
	size_t n;			/* messages begun */
	struct town_message messages[TOWN_MESSAGES];
	unsigned sent[TOWN_CLIENTS];	/* acknowledged, of each client */
	unsigned lives;
	struct { bool is_crash; enum sim_crash how; struct mono at; }
	    ends[TOWN_LIVES];
	unsigned strange;		/* mail that nobody planned */
	unsigned reports_from_somebody;	/* a report whose sender is not null */
	unsigned admin;			/* reports to the admin, looked for */
	bool is_drained;		/* the last life ended with nothing kept */
	size_t held;
};

/* What a scenario wants; zero is a default. */
struct town {
	unsigned cores;			/* 1 */
	unsigned clients;		/* 1; at most TOWN_CLIENTS */
	unsigned messages;		/* of each client, acknowledged; 2 */
	unsigned tries;			/* of each message before it is given up */
	const char *config;		/* more lines of it */
	/* Of home.test; each message goes to list<m> there, which must lead to
	 * its recipients.  NULL: to them by name. */
	const char *aliases;
	/* The plan of a message whose number was just given.  NULL: one
	 * recipient, WANT_DELIVERED. */
	void (*plan)(struct town_message *, unsigned number);
	/* Seconds of each life after which the server stops, done or not. */
	int64_t patience;
	int64_t look_every;		/* seconds between looks: done? */
	/* As a fiber of core 0 while the server lives. */
	yields void (*with)(struct node *);
	/* May the server end with a bad status? */
	bool may_fail;
	bool is_quiet;			/* broken laws are what is wanted */
	/* Is there a reason for each copy but the first?  NULL: crashes. */
	bool (*copies_are_right)(const struct town_rcpt *);
	/* How many reports of one failure; NULL: by crashes. */
	unsigned (*reports_most)(void);
	/* May what the network loses make a copy too many? */
	bool may_lose_replies;
};

extern struct town_ledger *town_ledger;

/* In a new world: zone, addresses, ledger. */
void town_begin(void);
/* One life of the server; ledgered. */
enum sim_ending town_life(const struct town *);
/* Maildirs into the ledger; a life of its own. */
bool town_look(void);
/* The same of the machine meant, whose mailboxes are server `host's. */
bool town_look_at(unsigned host);
/* After the last life, when town_look() was called. */
bool town_law(const struct town *);

/* For scenarios' own fibers. */
struct node *town_node(void);
yields struct config *town_config(void);	/* another, the same */
void town_plan(struct town_message *, enum town_want);	/* one more recipient */

/* town_mail.c: what is in message m, and was that it? */
uint32_t town_sum(unsigned m);		/* without CRs */
struct str town_line(unsigned m, unsigned i, char room[128]);
unsigned town_lines(unsigned m);
struct str town_address(unsigned m, size_t r, char room[64]);
struct str town_sender(unsigned m, char room[64]);
/* "m12r3": the recipient, or NULL. */
struct town_rcpt *town_rcpt_of(struct str local_part);
struct town_message *town_message_of(struct str local_part);
struct town_message *town_list_of(struct str local_part);	/* "list12" */
/* A new message, by `plan'; its number. */
unsigned town_message_new(void (*plan)(struct town_message *, unsigned));
/* A body as it passes by, a line at a time without its end. */
struct town_reading {
	bool is_begun;			/* the X-Town line was seen */
	unsigned m;
	uint32_t sum;
	uint32_t name;			/* of its Message-ID, when it is a report */
	unsigned by;			/* of the Received that is being read */
	size_t n_ids;
	uint64_t ids[TOWN_HOPS];	/* of Received, the last server's first */
	size_t n_told;
	struct town_rcpt *told[32];	/* Final-Recipients */
	bool is_failed[32];
	struct town_message *list;	/* a list it tells of ... */
	bool is_expanded;		/* ... as expanded, or as delivered */
};
/* An id is unique on a server only. */
uint64_t town_hop(unsigned server, uint64_t id);
void town_read(struct town_reading *, struct str line);
/* It was accepted: for this recipient, or as a report. */
void town_copied(struct town_rcpt *, const struct town_reading *);
void town_reported(const struct town_reading *);

/* town_peer.c */
#define TOWN_LMTP "/run/lmtp"
void town_servers_open(void);		/* on a core: the others listen */
void town_servers_close(void);
void town_listen(const char *ip, uint16_t port);	/* one more of them */
void town_clients_start(void);		/* each sends its share */
unsigned town_clients_left(void);
/* The next reply's code; 0: none will come.  *text: of its last line. */
yields unsigned town_hear(struct stream *, struct str *text);
extern const struct town *town_now;

#endif
