// SPDX-License-Identifier: GPL-2.0
/* cxi-sbl: port/ of a Cassini 1. No value ends with a newline. */
#include <linux/module.h>
#include <linux/sysfs.h>

#include "tree.h"

static ssize_t link_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%s", emu_nic_link(nic) ? "up" : "down");
}

const struct cxi_entry cxi_sbl_port[] = {
	{ "link", 0444, .show = link_show },
	{ "link_layer_retry", 0444, "on" },
	{ "loopback", 0444, "off" },
	{ "media", 0444, "electrical" },
	{ "pause", 0444, "pfc/802.1qbb" },
	{ "speed", 0444, "BS_200G" },
	{}
};
EXPORT_SYMBOL_GPL(cxi_sbl_port);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Emulated link of a Cassini 1");
