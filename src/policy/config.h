/*
 * config.h -- everything the operator decided, checked and fixed.
 *
 * The promise: a struct config is whole and immutable: each value was checked
 * by the schema (conf.def), each default is filled in, each file it names was
 * read, each lookup is prepared.  It never changes; a reload makes another and
 * swaps (holder.h).  An empty file is valid: a local-only server on loopback.
 * Not for: things operators create at run time (store/).
 * Waiting: none; but config_load() reads files and parses with libfyaml: it
 * blocks for milliseconds, a third of a second for 100,000 users.  Call it
 * before the cores run or through offload(), never on a fiber.  (The deepest
 * stack measured is 12 KiB.)
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
#include "trust/tls_demand.h"
#include "wire/words.h"

#define CONFIG_MOST ((size_t)1 << 30)

struct account_rule;		/* account.h */
struct domain;			/* domain.h */

struct bounce_rules;		/* bounce_rules.h */
struct user_set;		/* domain.h */

struct schema;			/* schema.h */
struct ldap_setup;		/* trust/ldap.h */
struct oauth_setup;		/* trust/oauth.h */
struct dial_target;		/* trust/dial.h */
struct tenant_rule;		/* account.h */

/* Where a value was set; each struct of values has a list of them.  What is in
 * no list is a default. */
struct origin {
	struct origin *next;
	const struct schema *row;
	struct place place;
	bool is_secret;			/* came by cred: or env: */
};

struct conf_strings { struct str *v; size_t n; };
struct conf_durations { int64_t *v; size_t n; };	/* ns */
struct conf_networks { struct network *v; size_t n; };
struct conf_addresses { struct address *v; size_t n; };

/* relay: anyone may bring mail for own domains, trusted networks for all, and
 * nothing is ever completed.  mx: the same, from the Internet.  submission:
 * trusted networks only, Message-ID and Date are completed.  acme: answers the
 * challenges of tls.acme, and takes no mail. */
enum listener_role { ROLE_MX, ROLE_SUBMISSION, ROLE_RELAY, ROLE_ACME };

/* offered and required: by STARTTLS. */
enum listener_tls { TLS_OFFERED, TLS_REQUIRED, TLS_IMPLICIT, TLS_OFF };
enum listener_certificates { CERTIFICATES_OFF, CERTIFICATES_ASKED,
	CERTIFICATES_REQUIRED };
enum tls_version { TLS_1_2, TLS_1_3 };

/* tls.acme: certificates from an authority. */
enum acme_agree { ACME_NO, ACME_AGREED };
enum acme_challenge { ACME_HTTP_01, ACME_TLS_ALPN_01 };
enum acme_keys { ACME_ECDSA, ACME_RSA, ACME_BOTH };
struct conf_acme {
	enum acme_agree agree;		/* ACME_NO: there is no ACME */
	struct str email, directory, issuer, profile;	/* n == 0: none */
	enum acme_challenge challenge;
	enum acme_keys keys;
	struct conf_strings names;	/* hostname first */
	struct str ca;			/* path; n == 0: the system's roots */
	struct str ca_pem;
	struct { struct str kid, key; } eab;	/* key: a secret */
};

/* listen[]: where conversations begin. */
struct listener {
	struct origin *origins;
	struct str name;		/* in events; "mx:25" by default */
	struct conf_addresses at;	/* with port: bind these */
	enum listener_role role;
	enum listener_tls tls;
	enum listener_certificates certificates;	/* of clients */
	uint64_t connections;		/* at once on this listener */
	struct conf_addresses address;	/* as configured */
	uint64_t port;
	struct place place;
};

/* A file that is read again when it changes, beside those of tls. */
struct watched {
	struct watched *next;
	struct str path;
};

/* A next hop: smtp://host[:port], smtp+tls://host[:port], smtps://host[:port],
 * lmtp://host:port or unix:/path (LMTP); several of one protocol in order of
 * preference. */
enum relay_scheme { RELAY_CLEAR, RELAY_STARTTLS, RELAY_IMPLICIT };
struct relay_host {
	struct str host;		/* name (its addresses, no MX), or ... */
	struct address literal;		/* ... an address, family not NONE; of
					 * ADDRESS_UNIX host is the path */
	uint16_t port;
	enum relay_scheme scheme;
};

/* What stands beside a relay: of TLS, and who we are there. */
enum relay_level { RELAY_LEVEL_DEFAULT, RELAY_LEVEL_NONE };	/* and so on,
				 * one above enum tls_level */
struct relay_keys {
	struct {
		enum relay_level level;
		struct conf_strings names;
		struct str ca;		/* path */
	} tls;
	struct {
		struct str login;	/* user:password, instead of both */
		struct str user, password;
		struct str token_from;	/* path */
		struct str token;	/* for OAUTHBEARER and XOAUTH2 */
		struct conf_strings mechanisms;	/* none: the best */
	} auth;
};

struct tls_wish;			/* tls_wish.h */
struct anchors;
struct relay {
	bool by_mx;			/* as if not routed: ask MX */
	bool is_lmtp;			/* RFC 2033, not SMTP */
	size_t n;
	struct relay_host *hosts;
	struct str text;		/* as configured, for events */
	/* What its rule or domain adds; NULL and absent: nothing. */
	struct str by;			/* "route[2]", "domains.a.example" */
	struct tls_wish *wish;		/* NULL: outbound.wish */
	const struct relay_keys *keys;	/* NULL: we are nobody there */
};

/* Where a user's mail goes: one of these three. */
struct pipe;			/* pipe.h */
struct transport {
	struct origin *origins;
	struct str name;		/* of transports.NAME, or absent */
	struct str maildir;		/* template; n == 0: none */
	struct relay *lmtp;		/* or NULL */
	struct pipe *pipe;		/* or NULL */
	struct place place;
};

/* sources.NAME: an address that mail leaves from, and its name. */
struct source_rule {
	struct origin *origins;
	struct str name;
	struct conf_addresses bind;	/* one or two, of different families */
	struct str ehlo;		/* n == 0: outbound.ehlo */
	struct place place;
};

/* pools.NAME: sources, and how much of the mail each gets. */
struct conf_share {
	struct str source;
	uint64_t weight;
	struct place place;
};
struct conf_shares { struct conf_share *v; size_t n; };
struct pool_rule {
	struct origin *origins;
	struct str name;
	struct conf_shares shares;
	struct place place;
};

/* shaping.NAME: what is 0 is as outbound says. */
struct provider {
	struct origin *origins;
	struct str name;
	struct conf_strings mx, domains;	/* x, *.x */
	uint64_t connections, per_connection, recipients;
	struct rate rate, connection_rate, recipient_rate;
	struct place place;
};

/* route[]: of relay, discard and refuse the first match wins, and of pool the
 * first match that has one. */
struct route_rule {
	struct origin *origins;
	struct str name;		/* "route[0]" by default */
	struct conf_strings rcpt_domain;	/* x, *.x, or * */
	struct conf_strings sender_domain;	/* and "<>": null sender */
	struct conf_strings tenant;	/* with nothing but a pool */
	struct str pool;
	const struct pool_rule *from;	/* of that name; or NULL */
	struct relay_keys keys;		/* of the relay */
	struct relay *relay;		/* at most one of these three */
	struct str discard;		/* why, for the event */
	struct str refuse;		/* text of the 550 5.7.1 */
	struct place place;
};

enum dns_mta_sts { DNS_STS_TESTING, DNS_STS_ENFORCE, DNS_STS_NONE };
enum dns_watching { DNS_WATCH_ON, DNS_WATCH_OFF };
enum inbound_clear { CLEAR_ACCEPT, CLEAR_TAG, CLEAR_REFUSE };
enum inbound_received_spf { RECEIVED_SPF_NO, RECEIVED_SPF_YES };
enum inbound_spf { INBOUND_SPF_YES, INBOUND_SPF_NO, INBOUND_SPF_REFUSE };
enum inbound_dkim_fail { DKIM_FAIL_ACCEPT, DKIM_FAIL_JUNK, DKIM_FAIL_REFUSE };
enum inbound_dmarc { INBOUND_DMARC_ENFORCE, INBOUND_DMARC_QUARANTINE,
	INBOUND_DMARC_MONITOR, INBOUND_DMARC_OFF };
enum inbound_from { FROM_REFUSE, FROM_JUNK, FROM_ACCEPT };
enum inbound_own_domains { OWN_DOMAINS_PUBLISHED, OWN_DOMAINS_REFUSE };
enum inbound_spf_fail { SPF_FAIL_ACCEPT, SPF_FAIL_JUNK };
enum inbound_temperror { TEMPERROR_ACCEPT, TEMPERROR_DEFER };
enum detail_use { DETAIL_INBOX, DETAIL_FOLDER };
enum dkim_use { DKIM_AUTO, DKIM_OFF };
enum dkim_algorithms { DKIM_BOTH, DKIM_RSA_ONLY, DKIM_ED25519_ONLY };
enum dkim_trouble { DKIM_DEFER, DKIM_SEND };
enum double_bounces { DOUBLE_ADMIN, DOUBLE_DISCARD };
enum report_send { REPORT_SEND_YES, REPORT_SEND_NO, REPORT_SEND_UNSIGNED };
enum report_return { RETURN_FULL, RETURN_HEADERS };
enum report_success { SUCCESS_TOLD, SUCCESS_UNTOLD };
enum yes_no { ANSWER_YES, ANSWER_NO };
enum ip_preference { IP_V6_FIRST, IP_V4_FIRST, IP_V6_ONLY, IP_V4_ONLY };
enum auth_old_form { AUTH_OLD_FORM_NO, AUTH_OLD_FORM_YES };
/* auth.ldap, auth.oauth: what trust/ldap.h and trust/oauth.h make of it. */
enum ldap_clear { LDAP_CLEAR_NO, LDAP_CLEAR_LOOPBACK };
enum dovecot_tokens { DOVECOT_TOKENS_NO, DOVECOT_TOKENS_YES };
enum ldap_start_tls { LDAP_START_TLS_YES, LDAP_START_TLS_NO };

struct conf_ldap {
	struct conf_strings servers;
	struct str base, filter, dn;
	struct str bind_dn, password;
	enum ldap_start_tls start_tls;
	enum ldap_clear clear;
	struct str ca;			/* path */
	struct str name;		/* attribute */
	struct conf_strings addresses;	/* attributes */
	int64_t timeout, cache;		/* ns */
	const struct ldap_setup *setup;	/* NULL: it is not asked */
};

struct conf_oauth {
	struct str issuer, audience, scope, claim;
	struct str jwks, introspect;	/* URLs */
	struct str client_id, client_secret;
	struct str ca;			/* path */
	int64_t timeout, cache;		/* ns */
	const struct oauth_setup *setup;	/* NULL: it is not asked */
};

enum forward_arc { FORWARD_ARC_OFF, FORWARD_ARC_ON };
enum forward_srs { FORWARD_SRS_ON, FORWARD_SRS_OFF };
enum auth_database { AUTH_DATABASE_ON, AUTH_DATABASE_OFF };
enum log_format { LOG_TEXT, LOG_JSON };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };

struct config {
	struct origin *origins;
	struct arena arena;
	unsigned _Atomic refs;		/* holder.h */
	struct { unsigned n; char apart[60]; } pins[CORES_MOST]; /* holder.h */

	struct str hostname;		/* lower case */
	struct str node;
	struct str admin;		/* mailbox as text; never empty */
	uint64_t cores;			/* 0: as many as the machine has */
	struct str user, group;		/* to become when started as root */

	struct {
		struct str path;
		uint64_t segment;	/* bytes */
		uint64_t reserve;	/* bytes kept free; 0: the default */
		uint64_t buffer;	/* bytes not yet written */
		int64_t outcome_sync;	/* ns: outcomes are synced within */
	} spool;

	size_t n_listeners;
	struct listener *listeners;
	struct conf_networks trusted;
	struct conf_networks etrn;	/* may have a queue flushed */
	struct conf_networks xclient;	/* are believed who their client is */

	struct {
		struct conf_strings cert, key;	/* paths, pair by pair */
		enum tls_version least;
		struct str ca;		/* path; n == 0: the system's */
		struct conf_acme acme;
		struct str state;	/* directory of the keyring */
	} tls;

	struct str database;		/* sqlite:PATH */
	struct {
		enum auth_database database;
		struct str certificates;	/* path; n == 0: none */
		struct str certificates_pem;
		uint64_t failures;		/* in a conversation, then 421 */
		struct conf_strings mechanisms;	/* in lower case */
		enum auth_old_form old_form;
		struct conf_strings sources;	/* as configured */
		struct conf_strings users_from;	/* file:PATH */
		size_t n_users;
		const struct user_set **users;	/* of users_from, in turn */
		size_t n_hashes;	/* of all files, domains' too */
		size_t n_samples;
		struct str *samples;	/* some of these hashes: what unknown
					 * names are measured by */
		struct str dovecot;		/* as it was written */
		const struct dial_target *dovecot_at;	/* NULL: not asked */
		enum dovecot_tokens dovecot_tokens;
		struct conf_ldap ldap;
		struct conf_oauth oauth;
	} auth;

	struct {
		struct str path;	/* n == 0: none */
		const struct bounce_rules *rules;	/* of it; or NULL */
	} bounces;

	struct anchors *anchors;	/* of all wishes, by file */
	struct watched *watched;	/* what a change of is a reload */

	struct table domains;		/* struct domain by name */
	size_t n_domains;
	struct domain **domain_list;	/* as in the file, implied ones last */

	struct {
		struct transport by;	/* where nothing else is said */
		enum detail_use detail;	/* of bob+detail */
		uint64_t pipes;		/* commands at once */
		struct str virtual;	/* template for users without a home */
		struct str admin;	/* mail to admin, when admin is nobody */
		struct str user;	/* owns virtual mailboxes; n == 0: we */
		uint32_t uid, gid;	/* of deliver.user */
	} deliver;

	size_t n_transports;
	struct transport *transports;

	struct table accounts;		/* struct account_rule by name */
	size_t n_accounts;
	struct account_rule **account_list;	/* as in the file */
	const struct account_rule *everyone;	/* accounts."*", or NULL */
	struct table tenants;		/* struct tenant_rule by name */
	size_t n_tenants;
	struct tenant_rule **tenant_list;

	size_t n_sources;
	struct source_rule *sources;
	size_t n_pools;
	struct pool_rule *pools;
	size_t n_routes;
	struct route_rule *routes;

	size_t n_providers;
	struct provider *providers;	/* as in the file */

	struct {
		struct conf_durations retry;	/* the last repeats */
		int64_t expire;		/* ns, since acceptance */
		int64_t bounce_expire;	/* ns, for null senders */
		int64_t hold;		/* ns, the longest held */
		uint64_t connections;	/* per site, at once */
		uint64_t connections_total;
		uint64_t per_connection;	/* messages; 0: any number */
		uint64_t recipients;	/* per transaction */
		struct rate rate;	/* messages per site */
		struct rate connection_rate, recipient_rate;
		enum yes_no adapt;	/* to replies */
		int64_t idle;		/* ns a connection is kept unused */
		uint64_t port;
		uint64_t hosts;		/* addresses tried per attempt */
		enum ip_preference prefer;
		struct conf_addresses bind;	/* source: one per family */
		struct str ehlo;	/* default: hostname */
		enum tls_level tls;
		struct tls_wish *wish;	/* the same, with all it needs */
		enum yes_no dane, mta_sts;
		enum dkim_use dkim;
	} outbound;

	struct {
		enum dkim_algorithms algorithms;
		struct conf_strings also;	/* domains; lower case, ASCII */
		struct conf_strings fields;
		int64_t life;		/* ns; 0: none */
		int64_t retire;
		int64_t rotate;		/* ns; 0: never by itself */
		struct str state;	/* directory of the keyring */
		enum dkim_trouble trouble;
	} dkim;

	struct {
		uint64_t size;		/* octets of a message; RFC 1870 */
		uint64_t recipients;
		uint64_t connections;	/* all listeners, all cores */
		uint64_t connections_per_ip;	/* per /24 or /64; 0: any */
		struct rate per_ip;	/* connections per network */
		struct rate messages_per_ip;	/* MAILs per network */
		uint64_t errors;	/* 4xx/5xx to the client, then 421 */
		uint64_t junk;		/* commands that move no mail */
		uint64_t messages;	/* per connection; 0: any number */
		uint64_t chunks;	/* BDATs of a message */
		uint64_t hops;		/* Received fields; RFC 5321 6.3 */
		uint64_t header;	/* octets of a header section */
		uint64_t header_lines;
		uint64_t line;		/* octets of a line of text */
		uint64_t session_memory;	/* octets */
		uint64_t message_memory;	/* octets of metadata */
		uint64_t memory;	/* octets of all sessions */
		uint64_t data_rate;	/* least octets/s of DATA; 0: any */
		uint64_t queue;		/* messages; beyond, 452 4.3.1 */
		struct rate bounces;	/* reports to one domain */
	} limits;

	struct {			/* all ns */
		struct {		/* RFC 5321 4.5.3.2.7 */
			int64_t command;	/* the next command */
			int64_t busy;	/* the same when short of sessions */
			int64_t data;	/* the next octets of a message */
			int64_t window;	/* over which data_rate is taken */
			int64_t write;	/* the client takes our replies */
		} server;
		struct {		/* RFC 5321 4.5.3.2.1 to .6 */
			int64_t connect;
			int64_t greeting;	/* the 220, and EHLO's reply */
			int64_t command;	/* MAIL, RCPT, RSET */
			int64_t data;	/* the 354 */
			int64_t block;	/* each block of the message */
			int64_t end;	/* the reply to the dot */
			int64_t quit;
		} client;
		int64_t dns;
		int64_t pipe;		/* a command that takes a message */
		int64_t stop;		/* drain at stop */
	} timeouts;

	struct {
		enum forward_arc arc;
		struct str arc_domain;	/* n == 0: that was written to */
		enum forward_srs srs;
		struct str srs_domain;	/* the same */
		struct str srs_secret;	/* lines */
		struct conf_strings srs_secrets;	/* of srs_secret */
	} forward;

	struct {
		struct conf_networks normalize;	/* whose bare LF are forgiven */
		enum inbound_clear clear;
		struct {
			enum yes_no iprev, dkim, arc;
			enum inbound_spf spf;
			enum inbound_received_spf received_spf;
			enum inbound_temperror temperror;
			enum inbound_dmarc dmarc;
			enum inbound_dkim_fail dkim_fail;
			enum inbound_spf_fail spf_fail;
			enum inbound_from from;
			enum inbound_own_domains own_domains;
			struct conf_strings dmarc_reject, trusted_sealers;
			struct {
				struct conf_strings domains;
				struct conf_networks networks;
			} allow;
			struct str authserv_id;	/* default: hostname */
		} verify;
	} inbound;

	struct {
		struct str zone;	/* path; n == 0: none */
		struct str zone_text;
		struct conf_addresses forwarders;
		struct str anchor;	/* path; n == 0: the system's */
		struct str root;	/* path of hints; n == 0: the Internet's */
		struct conf_addresses addresses;	/* public; none: found */
		struct conf_strings blocklists;
		struct str imap;	/* host[:port]; n == 0: not told */
		enum dns_mta_sts mta_sts;
		struct str probe;	/* a domain; n == 0: none is asked */
		struct str spf;		/* more terms; n == 0: none */
		enum dns_watching watch;
	} dns;

	struct { int64_t events; } retain;	/* ns */

	struct {
		enum log_format format;
		struct str to;		/* stderr | syslog | path */
		enum log_target target;
		struct str ident;
	} log;

	struct { struct str socket, group; } control;

	struct {
		struct str socket;	/* n == 0: none */
		struct rate rate;	/* messages of one uid */
	} submit;

	struct {
		uint64_t body;		/* octets of the original returned */
		struct conf_durations delay_warning;	/* none: never */
		enum double_bounces twice;	/* of a report */
		enum language language;	/* LANGUAGES: as the sender asks */
		enum report_return returns;	/* where RET does not say */
		enum report_success success;
		struct str from, organization, contact;	/* reporter.h */
		struct { enum report_send send; uint64_t most; } dmarc, tls;
		/* those of others */
		struct conf_strings inbox;	/* mailboxes */
		struct conf_strings about;	/* domains besides ours */
		struct str copy;	/* Maildir; n == 0: none */
		int64_t keep;		/* ns */
	} reports;
};

/* Parse, check, build.  The config, with one reference that is the caller's
 * (holder.h), or NULL with at least one error in problems; warnings and hints
 * may come with either.  path is the main file; n == 0: all is default. */
struct config *config_load(struct conf_source *, struct str path,
    struct problems *);

/* Only for whoever still has the only reference; others config_release(). */
void config_free(struct config *);

/* How much of what makes a server was set; a file that was emptied, or half
 * written, sets none of it. */
struct config_extent { size_t listeners, domains, all; };
struct config_extent config_extent(const struct config *);

/* An own domain by its name in any case; NULL when it is not ours.  Aliases of
 * domains are followed. */
const struct domain *config_domain(const struct config *, struct str name);

/* Is this client in `trusted'?  In inbound.normalize? */
bool config_trusts(const struct config *, const struct address *client);
bool networks_have(const struct conf_networks *, const struct address *);

#endif
