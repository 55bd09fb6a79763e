/*
 * Everything at once, as the seed says: connections are slow, cut into pieces and
 * lost; other servers vanish and come back; the DNS has trouble; the disk fails
 * now and then or is full; the wall clock jumps by a day; configurations are
 * swapped; the server is stopped, killed, and loses its power.  Then the weather
 * clears, and the last life must bring everything to its end.
 */
#include "town.h"

#include "fiber/clock.h"

#include <errno.h>
#include <stdatomic.h>

#define DAY_US (86400 * US_PER_SECOND)

enum { STORM_LIVES = 5, SERVERS = 4 };

static const char *const servers[SERVERS] = {
	"198.51.100.11", "198.51.100.12", "198.51.100.13", "198.51.100.14"
};

static void
plan(struct town_message *m, unsigned number)
{
	size_t n = 1 + (size_t)sim_chance(4);

	(void)number;
	m->is_null = sim_chance(8) == 0;
	m->is_gone = sim_chance(8) == 0;
	if (sim_chance(12) == 0)
		m->lines = 2000 + (unsigned)sim_chance(2000);
	for (size_t i = 0; i < n; i++) {
		town_plan(m, sim_chance(2) == 0 ? WANT_DELIVERED :
		    (enum town_want)sim_chance(WANTS));
		m->rcpts[i].laters = (unsigned)sim_chance(3);
	}
}

/* ---- the weather ---- */

static void
net_spoil(void)
{
	struct sim_net net = sim_net();

	net.delay_ns = (int64_t)sim_chance(50) * NS_PER_MS;
	net.jitter_ns = (int64_t)sim_chance(50) * NS_PER_MS;
	net.split_per_million = (unsigned)sim_chance(3) * 100000;
	net.reset_per_million = (unsigned)sim_chance(4) * 1000;
	sim_net_set(net);
	sim_dns_delay((int64_t)sim_chance(300) * NS_PER_MS);
	if (sim_chance(2) == 0)
		sim_fault_rate(SIM_dns, (unsigned)sim_chance(200000), EIO);
	if (sim_chance(4) == 0)
		sim_fault_rate(SIM_connect, (unsigned)sim_chance(50000),
		    EMFILE);
}

static void
disk_spoil(void)
{
	static const enum sim_verb verbs[] = { SIM_disk_fdatasync,
		SIM_disk_fsync, SIM_disk_open, SIM_disk_pread, SIM_disk_pwrite,
		SIM_disk_rename, SIM_disk_truncate, SIM_disk_unlink };
	struct sim_disk_costs costs = { 20 * NS_PER_US,
		(int64_t)sim_chance(10) * NS_PER_MS, NS_PER_MS, 2000, 100000 };

	sim_disk_costs(costs);
	for (size_t i = 0; i < 2; i++)
		if (sim_chance(3) == 0)
			sim_fault_rate(verbs[sim_chance(sizeof verbs /
			    sizeof *verbs)], (unsigned)sim_chance(20000),
			    sim_chance(2) == 0 ? EIO : ENOSPC);
}

static void
weather_spoil(void)
{
	sim_faults_clear();
	if (sim_chance(4) != 0)
		net_spoil();
	if (sim_chance(2) == 0)
		disk_spoil();
}

static void
weather_clear(void)
{
	struct sim_net net = sim_net();

	sim_faults_clear();
	sim_crash_at(0, SIM_KILL);
	net.delay_ns = net.jitter_ns = NS_PER_MS;
	net.split_per_million = net.reset_per_million = 0;
	sim_net_set(net);
	sim_dns_delay(5 * NS_PER_MS);
	sim_disk_costs((struct sim_disk_costs){ 20 * NS_PER_US,
	    NS_PER_MS, NS_PER_US, 0, 0 });
	for (size_t i = 0; i < SERVERS; i++)
		sim_host_set(servers[i], SIM_HOST_UP);
}

/* ---- while the server lives ---- */

static yields void
reload(struct node *n)
{
	struct config *c = town_config();

	if (c != NULL)
		(void)node_reload(n, c);
}

static yields void
trouble_make(struct node *n)
{
	switch (sim_chance(6)) {
	case 0:
		reload(n);
		break;
	case 1:
		sim_wall_jump((int64_t)(sim_chance(3)) * DAY_US - DAY_US);
		break;
	default:
		sim_host_set(servers[sim_chance(SERVERS)],
		    sim_chance(2) == 0 ? SIM_HOST_UP :
		    (enum sim_host)sim_chance(4));
		break;
	}
}

static yields void
storm_with(struct node *n)
{
	while (!atomic_load(&n->is_stopping)) {
		trouble_make(n);
		fiber_sleep(mono_add(clock_mono(),
		    (int64_t)sim_chance(60) * NS_PER_SECOND));
	}
}

/* ---- the lives ---- */

static bool
storm_lives(struct town *t)
{
	unsigned n = 1 + (unsigned)sim_chance(STORM_LIVES);

	for (unsigned i = 0; i < n; i++) {
		weather_spoil();
		t->patience = 30 + (int64_t)sim_chance(600);
		if (sim_chance(4) != 0)
			sim_crash_at(1 + sim_chance(3000), sim_chance(2) == 0 ?
			    SIM_KILL : SIM_POWER);
		if (town_life(t) == SIM_BROKEN)
			return false;
		sim_crash_at(0, SIM_KILL);
	}
	return true;
}

static bool
storm_run(uint64_t seed)
{
	struct town t = { .cores = 1 + (unsigned)(seed % 3),
		.clients = 1 + (unsigned)sim_chance(TOWN_CLIENTS),
		.messages = 1 + (unsigned)sim_chance(4), .tries = 9,
		.plan = plan, .with = storm_with, .look_every = 5,
		.may_lose_replies = true, .may_fail = true,
		.config = "outbound: { retry: [ 30s, 5m, 2h ], bounce_expire: 5d }\n" };

	town_begin();
	if (!storm_lives(&t))
		return false;
	weather_clear();
	t.with = NULL;
	t.may_fail = false;
	t.patience = 40 * 86400;	/* the wall may be far behind */
	t.look_every = 60;
	return town_life(&t) == SIM_ENDED && town_look() && town_law(&t);
}

const struct scenario scenario_storm = { .name = "storm", .run = storm_run };
