/*
 * The weather: for a while nothing is sure.  Ways are cut, hosts vanish and come
 * back, connections are slow, cut into pieces and lost, disks fail, walls jump,
 * servers are killed and lose their power, one by one while the others go on.
 * Then it clears, for good.
 */
#include "network.h"

#include "fiber/clock.h"

#include <errno.h>

#define HOUR_US (3600 * US_PER_SECOND)

enum { HOSTS = 6 };

static const char *const hosts[HOSTS] = { "198.51.100.11", "198.51.100.12",
	"198.51.100.13", "198.51.100.14", "198.51.100.15", "198.51.100.17" };

static unsigned
any_server(void)
{
	return 1 + (unsigned)sim_chance(network_ledger->n);
}

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
}

static void
faults_spoil(void)
{
	static const enum sim_verb verbs[] = { SIM_disk_fdatasync,
		SIM_disk_fsync, SIM_disk_open, SIM_disk_pread, SIM_disk_pwrite,
		SIM_disk_rename, SIM_disk_truncate, SIM_disk_unlink };

	sim_at(any_server());
	sim_faults_clear();
	if (sim_chance(2) == 0)
		sim_fault_rate(SIM_dns, (unsigned)sim_chance(200000), EIO);
	if (sim_chance(4) == 0)
		sim_fault_rate(SIM_connect, (unsigned)sim_chance(50000),
		    EMFILE);
	if (network_ledger->has_disk_faults)
		sim_fault_rate(verbs[sim_chance(sizeof verbs / sizeof *verbs)],
		    (unsigned)sim_chance(20000), sim_chance(2) == 0 ? EIO :
		    ENOSPC);
	sim_at(0);
}

static void
disk_spoil(void)
{
	sim_at(any_server());
	sim_disk_costs((struct sim_disk_costs){ 20 * NS_PER_US,
	    (int64_t)sim_chance(10) * NS_PER_MS, NS_PER_MS, 2000, 100000 });
	sim_at(0);
}

/* Of each server, from all that hear it to none. */
static void
ways_cut(void)
{
	unsigned a = any_server(), b = any_server();
	const char *from = network_ledger->servers[a].ip;
	const char *to = network_ledger->servers[b].ip;

	if (a == b)
		to = hosts[sim_chance(HOSTS)];
	network_trouble(a, INT64_MAX);
	network_trouble(a == b ? NETWORK_OTHERS : b, INT64_MAX);
	sim_cut(from, to);
	if (sim_chance(2) == 0)
		sim_cut(to, from);
}

/* What was cut until now is so no more; hosts stay as they are. */
static void
ways_heal(void)
{
	int64_t now = sim_world_mono().ns;

	for (size_t i = 0; i < network_ledger->n_troubles; i++)
		if (network_ledger->troubles[i].to == INT64_MAX)
			network_ledger->troubles[i].to = now;
	if (network_ledger->has_host_faults)
		network_trouble(NETWORK_OTHERS, INT64_MAX);
	sim_cuts_heal();
}

static void
host_spoil(void)
{
	if (!network_ledger->has_host_faults)
		return;
	network_trouble(NETWORK_OTHERS, INT64_MAX);
	sim_host_set(hosts[sim_chance(HOSTS)], sim_chance(2) == 0 ?
	    SIM_HOST_UP : (enum sim_host)sim_chance(4));
}

static void
crash_order(void)
{
	unsigned server = any_server();

	if (server == network_ledger->jumper)
		return;
	sim_at(server);
	sim_crash_at(sim_verbs() + 1 + sim_chance(2000), sim_chance(2) == 0 ?
	    SIM_KILL : SIM_POWER);
	sim_at(0);
}

/* Less than a message's life, all together; but while a server lives, its wall
 * ages nothing (SECURITY.md row 45). */
static void
wall_spoil(void)
{
	unsigned server = any_server();
	int64_t us = HOUR_US / 2;

	if (network_ledger->jumper != 0) {
		server = network_ledger->jumper;
		us = 24 * 60 * HOUR_US;
	}
	sim_at(server);
	sim_wall_jump(sim_chance(2) == 0 ? us : -us);
	sim_at(0);
}

/* One allocation, or all for a while. */
static void
memory_spoil(void)
{
	struct network_server *s = &network_ledger->servers[any_server()];

	s->refuse_nth = 1 + sim_chance(2000);
	s->refuse_times = sim_chance(2) == 0 ? 1 : 1 + sim_chance(50);
}

static void
trouble_make(unsigned *jumps)
{
	if (network_ledger->has_memory_faults && sim_chance(3) == 0)
		memory_spoil();
	switch (sim_chance(9)) {
	case 0:
		net_spoil();
		break;
	case 1:
		faults_spoil();
		break;
	case 2:
		disk_spoil();
		break;
	case 3:
		ways_cut();
		break;
	case 4:
		ways_heal();
		break;
	case 5:
	case 6:
		crash_order();
		break;
	case 7:
		if ((*jumps)++ < 3)
			wall_spoil();
		break;
	default:
		host_spoil();
		break;
	}
}

static void
weather_clear(void)
{
	struct sim_net net = sim_net();

	network_ledger->has_host_faults = false;
	ways_heal();
	net.delay_ns = net.jitter_ns = NS_PER_MS;
	net.split_per_million = net.reset_per_million = 0;
	sim_net_set(net);
	sim_dns_delay(5 * NS_PER_MS);
	for (size_t i = 0; i < HOSTS; i++)
		sim_host_set(hosts[i], SIM_HOST_UP);
	for (unsigned i = 1; i <= network_ledger->n; i++) {
		sim_at(i);
		sim_faults_clear();
		sim_crash_at(0, SIM_KILL);
		sim_disk_costs((struct sim_disk_costs){ 20 * NS_PER_US,
		    NS_PER_MS, NS_PER_US, 0, 0 });
	}
	sim_at(0);
	network_ledger->is_calm = true;
}

yields void
network_weather(void)
{
	unsigned steps = (unsigned)sim_chance(60), jumps = 0;

	for (unsigned i = 0; i < steps &&
	    network_ledger->n_troubles < NETWORK_TROUBLES - 64; i++) {
		trouble_make(&jumps);
		fiber_sleep(mono_add(clock_mono(),
		    (int64_t)sim_chance(60) * NS_PER_SECOND));
	}
	weather_clear();
}
