/*
 * notify.h -- what a sender wants to hear of his message.
 *
 * The promise: the words of RFC 3461 as numbers, which stand in records and
 * therefore never change.
 * Not for: the reports themselves (deliver/), nor the parameters' grammar
 * (wire/command.h).
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: RFC 3461 4.1, 4.3.
 */
#ifndef NM_BASE_NOTIFY_H
#define NM_BASE_NOTIFY_H

enum ret_kind { RET_NONE, RET_FULL, RET_HDRS };

/* Bits of NOTIFY; 0: not given, which means FAILURE and, as we like, DELAY. */
enum notify {
	NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8, NOTIFY_ALL = 15
};

#endif
