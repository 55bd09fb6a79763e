#include "app/death.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { PAUSE_FIRST_MS = 100, PAUSE_MOST_MS = 10000, STEADY_MS = 10000 };

struct death_text
death_text(int wait_status)
{
	struct death_text t;

	if (WIFSIGNALED(wait_status))
		snprintf(t.text, sizeof t.text, "died by signal %d (%s)",
		    WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	else
		snprintf(t.text, sizeof t.text, "ended with status %d",
		    WEXITSTATUS(wait_status));
	return t;
}

bool
death_was_its_own(int wait_status)
{
	int sig = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;

	return sig == SIGSEGV || sig == SIGABRT || sig == SIGBUS ||
	    sig == SIGFPE || sig == SIGILL || sig == SIGSYS;
}

int64_t
backoff_after(struct backoff *b, int64_t lived_ms)
{
	bool was_steady = lived_ms > STEADY_MS || b->pause_ms == 0;

	b->deaths++;
	b->pause_ms = was_steady ? PAUSE_FIRST_MS : b->pause_ms * 2;
	if (b->pause_ms > PAUSE_MOST_MS)
		b->pause_ms = PAUSE_MOST_MS;
	return b->pause_ms;
}
