/*
 * reading.h -- what master reads of the configuration, and hands on.
 *
 * The promise: reading_config() is the configuration, or what is wrong with it
 * as lines of text; reading_cores() is how many cores it means here; a text of
 * any length becomes a descriptor that another process can read, and back.
 * Not for: the keys (keyring.h).
 * Waiting: blocks on files.
 * Memory: the text is in the caller's arena; a configuration is counted.
 * Errors: NULL or -1; reading_as_file() leaves the trail.
 * Source: DESIGN.md section 7; memfd_create(2).
 */
#ifndef NM_APP_READING_H
#define NM_APP_READING_H

#include "policy/config.h"

/* *text: problems, errors or not.  NULL: errors. */
struct config *reading_config(struct conf_source *, struct str path,
    struct str *text, struct arena *);
unsigned reading_cores(const struct config *);
int reading_as_file(struct str text);
int reading_from_file(int fd, struct arena *, struct str *out);

#endif
