/*
 * config.h -- everything the operator decided, checked and fixed.
 *
 * The promise: a struct config is whole and immutable: each value was checked
 * by the schema (conf.def), each default is filled in, each file it names was
 * read, each lookup is prepared.  It never changes; a reload makes another and
 * swaps (holder.h).  An empty file is valid: a local-only server on loopback.
 * Not for: things operators create at run time (store/).
 * Waiting: none; but config_load() parses with libfyaml and takes milliseconds
 * and more stack than a fiber has: call it before the cores run or through
 * offload(), never on a fiber.
 * Memory: one arena per configuration, at most CONFIG_MOST; config_free()
 * returns all of it.  Slices and pointers in it live until the holder unpins.
 * Errors: config_load() is NULL with errors among the problems.
 * Source: DESIGN.md section 3; PRODUCT.md B; RFC 5321 4.5.3 (limits, timeouts).
 */
#ifndef NM_POLICY_CONFIG_H
#define NM_POLICY_CONFIG_H

#include "base/arena.h"
#include "base/table.h"
#include "fiber/core.h"
#include "fiber/net.h"
#include "policy/problem.h"
#include "policy/source.h"
#include "policy/unit.h"

#define CONFIG_MOST ((size_t)1 << 30)

struct domain;			/* domain.h */

struct conf_strings { struct str *v; size_t n; };
struct conf_durations { int64_t *v; size_t n; };	/* ns */
struct conf_networks { struct network *v; size_t n; };
struct conf_addresses { struct address *v; size_t n; };

enum listener_role { ROLE_MX, ROLE_SUBMISSION, ROLE_RELAY };

/* listen[]: where conversations begin. */
struct listener {
	struct str name;		/* in events; "role:port" by default */
	struct conf_addresses at;	/* address(es) with port */
	enum listener_role role;
	uint64_t connections;		/* at once on this listener */
	/* as written, before they became `at' */
	struct conf_addresses addresses;
	uint64_t port;
};

/* A next hop: smtp://host[:port], several in order of preference. */
struct relay_host {
	struct str host;		/* name (its addresses, no MX), or ... */
	struct address literal;		/* ... an address, family not NONE */
	uint16_t port;
};
struct relay {
	bool by_mx;			/* as if not routed: ask MX */
	size_t n;
	struct relay_host *hosts;
	struct str text;		/* as configured, for events */
};

/* route[]: first match wins. */
struct route_rule {
	struct str name;
	struct {
		struct conf_strings rcpt_domain;	/* x, *.x, or * */
		struct conf_strings sender_domain;	/* "<>": null sender */
	} when;
	struct relay *relay;		/* exactly one of these three */
	struct str discard;		/* why, for the event */
	struct str refuse;		/* text of the 550 5.7.1 */
	struct place at;
};

enum line_endings { LINES_REFUSE, LINES_NORMALIZE };
enum double_bounces { DOUBLE_ADMIN, DOUBLE_DISCARD };
enum ip_preference { IP_V6_FIRST, IP_V4_FIRST, IP_V6_ONLY, IP_V4_ONLY };
enum log_format { LOG_TEXT, LOG_JSON };
enum log_target { LOG_STDERR, LOG_SYSLOG, LOG_FILE };

struct config {
	struct arena arena;
	unsigned _Atomic refs;		/* holder.h */
	struct { unsigned n; char apart[60]; } pins[CORES_MOST]; /* holder.h */

	struct str hostname;		/* lower case */
	struct str node;
	struct str admin;		/* mailbox; empty: none */
	unsigned cores;			/* 0: as many as the machine has */
	struct str user, group;		/* empty: stay who we are */

	struct {
		struct str path;
		uint64_t segment;	/* bytes */
		uint64_t reserve;	/* bytes kept free: below, 452 4.3.1 */
		uint64_t reserve_percent;
		int64_t result_sync;	/* ns: outcomes are synced within */
	} spool;

	size_t n_listeners;
	struct listener *listeners;
	struct conf_networks trusted;

	struct table domains;		/* struct domain by name */
	size_t n_domains;
	struct domain **domain_list;	/* in the order of the file */

	struct {
		struct str maildir;	/* template; "~/" is the user's home */
		struct str virtual;	/* template for users without a home */
		struct str admin;	/* where root's mail goes without admin */
		struct str user;	/* owns virtual mailboxes */
		uint64_t size;		/* a mailbox takes messages up to */
		bool user_is_known;
		unsigned uid, gid;	/* of deliver.user, when it is known */
	} deliver;

	size_t n_routes;
	struct route_rule *routes;

	struct {
		struct conf_durations retry;	/* the last repeats */
		int64_t expire;		/* ns, since acceptance */
		int64_t bounce_expire;	/* ns, for null senders */
		int64_t delay_warning;	/* ns, 0: none */
		uint64_t connections;	/* per site, at once */
		uint64_t total;		/* all sites, at once */
		uint64_t per_connection;	/* messages */
		uint64_t recipients;	/* per transaction */
		struct rate rate;	/* messages per site */
		int64_t idle;		/* ns a connection is kept unused */
		uint64_t port;
		uint64_t mx;		/* MX hosts tried per attempt */
		int prefer;		/* enum ip_preference */
		struct conf_addresses bind;	/* source: one per family */
		struct str ehlo;	/* default: hostname */
		int64_t backoff;	/* ns a dead host is left alone */
	} outbound;

	struct {
		uint64_t size;		/* octets of a message; RFC 1870 */
		uint64_t recipients;
		uint64_t connections;	/* all listeners, all cores */
		uint64_t connections_per_ip;	/* per /24 or /64 */
		struct rate per_ip;	/* connections per network */
		struct rate messages_per_ip;	/* MAILs per network */
		uint64_t errors;	/* 4xx/5xx to the client, then 421 */
		uint64_t junk;		/* commands that move no mail */
		uint64_t transactions;	/* per connection */
		uint64_t command;	/* octets of a command line */
		uint64_t hops;		/* Received fields; RFC 5321 6.3 */
		uint64_t header;	/* octets of a header section */
		uint64_t header_lines;
		uint64_t session_memory;	/* octets */
		uint64_t message_memory;	/* octets of metadata */
		uint64_t memory;	/* octets, all sessions of a core */
		uint64_t minimum_rate;	/* octets/s of DATA, 0: none */
		uint64_t queue;		/* messages; beyond, 452 4.3.1 */
		uint64_t expansion;	/* results of an alias */
		uint64_t bounces;	/* reports per sender domain and hour */
	} limits;

	struct {
		int64_t command;	/* server: next command */
		int64_t command_busy;	/* the same when short of sessions */
		int64_t data;		/* server: next block of a message */
		int64_t data_window;	/* over which minimum_rate is taken */
		int64_t write;		/* server: the peer takes a reply */
		int64_t connect;	/* client, RFC 5321 4.5.3.2 from here */
		int64_t greeting;
		int64_t helo;
		int64_t mail;
		int64_t rcpt;
		int64_t data_init;
		int64_t data_block;
		int64_t data_end;
		int64_t quit;
		int64_t rset;
		int64_t dns;
		int64_t stop;		/* drain at stop */
	} timeouts;			/* all ns */

	struct {
		int line_endings;	/* enum line_endings */
		struct conf_networks normalize;	/* whose bare LF are forgiven */
		uint64_t line;		/* octets of a line of text */
	} inbound;

	struct {
		struct str zone;	/* text of the zone file; p NULL: none */
		struct str zone_path;
		struct conf_addresses forwarders;
	} dns;

	struct { int64_t events; } retain;	/* ns */

	struct {
		int format;		/* enum log_format */
		struct str to;		/* stderr | syslog | path */
		int target;		/* enum log_target */
		struct str ident;
	} log;

	struct { struct str socket, group; } control;

	struct {
		int double_bounces;	/* enum double_bounces */
		uint64_t body;		/* octets of the original returned */
		struct str from;	/* display name of reports */
	} bounce;

	struct conf_tree *tree;		/* show.h: what stands where */
};

/* Parse, check, build.  The config, with one reference that is the caller's
 * (holder.h), or NULL with at least one error in problems; warnings and hints
 * may come with either.  path is the main file; `absent' files are an error
 * unless path is empty: then all is default. */
struct config *config_load(struct conf_source *, struct str path,
    struct problems *);

/* Only for whoever still has the only reference; others config_release(). */
void config_free(struct config *);

/* An own domain by its name in any case; NULL when it is not ours.  Aliases of
 * domains are followed. */
const struct domain *config_domain(const struct config *, struct str name);

/* Is this client in `trusted'? */
bool config_trusts(const struct config *, const struct address *client);

#endif
