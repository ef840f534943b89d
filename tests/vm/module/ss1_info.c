// SPDX-License-Identifier: GPL-2.0
/* What a device says of itself: DEV_INFO_GET and GET_DEV_PROPERTIES. */
#include <linux/module.h>
#include <linux/string.h>

#include "ss1.h"

static u32 version(struct cxi_dev *cdev)
{
	return emu_is_c2(cdev->nic) ? 0x21 : 0x12;
}

/* Mb/s of the netdev. */
int cxi_mbps(struct cxi_dev *cdev)
{
	return emu_is_c2(cdev->nic) ? 400000 : 200000;
}
EXPORT_SYMBOL_GPL(cxi_mbps);

static void fill_local(struct cxi_dev *cdev, struct cxi_abi_dev_info *info)
{
	struct emu_nic *nic = cdev->nic;

	/* A VF reads neither its ids nor the state of the port. */
	if (!cdev->is_physfn)
		return;
	info->vendor = cdev->pdev->vendor;
	info->device = cdev->pdev->device;
	info->pct_eq = READ_ONCE(nic->pct_eq);
	info->link_state = emu_nic_link(nic);
	info->link_speed = emu_is_c2(nic) || emu_has(nic, EMU_V_NO_SPEED) ? -1 : 200000;
	if (!emu_has(nic, EMU_V_EMPTY_FRU))
		strscpy(info->description, cxi_fru_description(nic),
			sizeof(info->description));
}

void cxi_dev_info(struct cxi_dev *cdev, struct cxi_abi_dev_info *info)
{
	*info = (struct cxi_abi_dev_info){
		.nid = emu_nic_nid(cdev->nic),
		.pid_bits = CXI_PID_BITS,
		.pid_count = (1 << CXI_PID_BITS) - 1,
		.pid_granule = 1 << (17 - CXI_PID_BITS),
		.rdzv_get_idx = CXI_RDZV_IDX,
		.rev = emu_is_c2(cdev->nic) ? 1 : 2,
		.uc_nic = cdev->nic->number % 2,
		.link_mtu = CXI_MTU,
		.num_ptes = CXI_NUM_PTES,
		.num_txqs = CXI_NUM_TXQS,
		.num_tgqs = CXI_NUM_TGQS,
		.num_eqs = CXI_NUM_EQS,
		.num_cts = CXI_NUM_CTS,
		.num_acs = CXI_NUM_ACS,
		.num_tles = CXI_NUM_TLES,
		.num_les = CXI_NUM_LES,
		.cassini_version = version(cdev),
		.system_type = emu_is_c2(cdev->nic) ? 2 : 1,
	};
	fill_local(cdev, info);
}
EXPORT_SYMBOL_GPL(cxi_dev_info);

void cxi_dev_properties(struct cxi_dev *cdev, struct cxi_abi_properties *properties)
{
	*properties = (struct cxi_abi_properties){
		.nid = emu_nic_nid(cdev->nic),
		.nid_configured = READ_ONCE(cdev->nic->nid_set),
		.pid_bits = CXI_PID_BITS,
		.pid_count = (1 << CXI_PID_BITS) - 1,
		.pid_granule = 1 << (17 - CXI_PID_BITS),
		.rdzv_get_idx = CXI_RDZV_IDX,
		.rev = emu_is_c2(cdev->nic) ? 1 : 2,
		.cassini_version = version(cdev),
		.rdzv_get_en = READ_ONCE(cdev->nic->rdzv_get_en),
		.amo_remap = READ_ONCE(cdev->nic->amo_remap),
	};
	cxi_svcs_limits(properties->limits);
}
EXPORT_SYMBOL_GPL(cxi_dev_properties);
