/*
 * files.h -- configuration out of the real file system.
 *
 * The promise: files_source is the conf_source that master and the commands
 * read with: whole files of at most SOURCE_FILE_MOST, globs sorted, the
 * environment, and whether others may read a file.
 * Not for: a running worker, which may open nothing; it loads the bytes that
 * master recorded.
 * Waiting: blocks on the file system; never on a fiber.
 * Memory: contents in the caller's arena.
 * Errors: SOURCE_TROUBLE with the reason in the trail.
 * Source: policy/source.h.
 */
#ifndef NM_CLI_FILES_H
#define NM_CLI_FILES_H

#include "policy/source.h"

extern struct conf_source files_source;

#endif
