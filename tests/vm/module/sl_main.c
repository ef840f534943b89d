// SPDX-License-Identifier: GPL-2.0
/* cxi-sl: port/0/ of a Cassini 2. Every value but pause ends with a newline. */
#include <linux/module.h>
#include <linux/sysfs.h>

#include "tree.h"

static ssize_t up_or(struct emu_nic *nic, char *to, const char *up, const char *down)
{
	return sysfs_emit(to, "%s\n", emu_nic_link(nic) ? up : down);
}

static ssize_t state_show(struct emu_nic *nic, char *to)
{
	return up_or(nic, to, "up", "down");
}

static ssize_t speed_show(struct emu_nic *nic, char *to)
{
	return up_or(nic, to, "ck400G", "no-link");
}

static ssize_t up_time_show(struct emu_nic *nic, char *to)
{
	return up_or(nic, to, "14200", "no-link");
}

static ssize_t up_count_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%u\n", READ_ONCE(nic->up_count));
}

const struct cxi_entry cxi_sl_port[] = {
	{ "0/link/ccw_warn_limit_crossed", 0444, "no\n" },
	{ "0/link/config/loopback", 0444, "disabled\n" },
	{ "0/link/config/pause_map", 0444, "pfc\n" },
	{ "0/link/last_down/cause_map_0", 0444, "none\n" },
	{ "0/link/last_down/time_0", 0444, "0\n" },
	{ "0/link/speed", 0444, .show = speed_show },
	{ "0/link/state", 0444, .show = state_show },
	{ "0/link/up_count", 0444, .show = up_count_show },
	{ "0/link/up_time_ms", 0444, .show = up_time_show },
	{ "0/llr/state", 0444, "running\n" },
	{ "0/media/type", 0444, "electrical\n" },
	{ "0/pause", 0444, "pfc/802.1qbb" },
	{ "0/policies", 0444, "" },
	{ "0/sl_info", 0444, "" },
	{}
};
EXPORT_SYMBOL_GPL(cxi_sl_port);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Emulated link of a Cassini 2");
