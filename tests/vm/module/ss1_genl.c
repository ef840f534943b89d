// SPDX-License-Identifier: GPL-2.0
/* Generic netlink family cxierr: one message per error interrupt. */
#include <net/genetlink.h>

#include "ss1.h"

enum { ATTR_DEV_NUM = 1, ATTR_CSR_FLG, ATTR_BIT };
#define CMD_ERR_MSG 1

static const struct genl_multicast_group groups[] = {
	{ .name = "cxierr_mc_group" },
};

static struct genl_family family __ro_after_init = {
	.name = "cxierr",
	.version = 1,
	.maxattr = ATTR_BIT,
	.module = THIS_MODULE,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

int __init cxi_genl_init(void)
{
	return genl_register_family(&family);
}

void cxi_genl_exit(void)
{
	genl_unregister_family(&family);
}

void cxi_genl_error(struct cxi_dev *cdev, u32 flag, u8 bit)
{
	struct sk_buff *message = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *header;

	if (!message)
		return;
	header = genlmsg_put(message, 0, 0, &family, 0, CMD_ERR_MSG);
	if (!header || nla_put_u32(message, ATTR_CSR_FLG, flag) ||
	    nla_put_u8(message, ATTR_BIT, bit) ||
	    nla_put_u32(message, ATTR_DEV_NUM, cdev->number)) {
		nlmsg_free(message);
		return;
	}
	genlmsg_end(message, header);
	/* The initial network namespace only; nobody listening is fine. */
	genlmsg_multicast(&family, message, 0, 0, GFP_KERNEL);
}
