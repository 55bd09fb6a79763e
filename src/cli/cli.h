/*
 * cli.h -- the command line: words, options, answers.
 *
 * The promise: every command says what it did on standard output and what went
 * wrong on standard error; with --json standard output is JSON Lines.
 * Not for: the server (app/ gives `serve' as a function).
 * Waiting: commands block; none runs on a fiber but where it says so.
 * Memory: one arena for the command's length.
 * Errors: the exit status of sysexits(3): 0; 64 usage; 65 a message or answer
 * that is not as it should be; 69 the server cannot be reached; 75 try again;
 * 77 not allowed; 78 configuration.
 * Source: PRODUCT.md C.
 */
#ifndef NM_CLI_CLI_H
#define NM_CLI_CLI_H

#include "base/arena.h"

enum { CLI_WORDS_MOST = 64 };

struct cli {
	struct arena arena;
	struct str words[CLI_WORDS_MOST];	/* what is no option */
	size_t n_words;
	struct str config;		/* --config */
	struct str socket;		/* --socket */
	struct str spool;		/* --spool */
	struct str query;		/* filters, as a URL's query */
	struct str from, since, day, days;
	struct str helo, ip;		/* analyze */
	struct str mx, name, ports, timeout, user;	/* test smtp */
	struct str addresses, format;		/* dns */
	struct str provider;			/* bounce classify */
	struct str domains, expires, limits, networks, scopes, tenant;
	struct str to[CLI_WORDS_MOST];
	size_t n_to;
	bool no_mail, no_probe, send, xml;
	bool json, yes, follow, no_cage, dry_run, has_filter, all;
	bool implicit, relay_check, generate, scram;
	bool asks_help;			/* --help behind a command */
	bool is_config_named;		/* by sendmail -C */
	bool is_loud;			/* sendmail -v */
	uint64_t given;			/* options, by their order in option.def */
	/* app/: run the server. */
	int (*serve)(struct str config, bool is_caged);
};

#define COMMAND(words, name, usage, says) int command_##name(struct cli *);
#include "cli/verb.def"
#undef COMMAND

extern const char cli_default_config[];

int cli_main(int argc, char **argv,
    int (*serve)(struct str config, bool is_caged));

/* Who complains: "nightmail", or what the program was called as. */
extern const char *cli_name;
/* Complain on standard error; returns status. */
int cli_fail(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int cli_usage(const char *words);
/* Text that others wrote, for a terminal: nothing in it moves a cursor. */
const char *cli_visible(struct cli *, const char *);
/* The configuration to read: STR_NONE when it is the usual file, and that is not
 * there. */
struct str cli_config_path(struct cli *);
/* The command line in a struct cli, and what command it means; 0 or 64. */
struct command_row;

#endif
