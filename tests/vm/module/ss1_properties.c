// SPDX-License-Identifier: GPL-2.0
/* properties/ of a PF or VF. Every value ends with a newline. */
#include <linux/kernel.h>
#include <linux/sysfs.h>

#include "ss1.h"

static ssize_t cassini_version_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%s\n", emu_is_c2(nic) ? "2.0" : "1.1");
}

/* Link, speed and the retry handler's EQ are local state that a VF never sets. */
static ssize_t link_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%d\n", !emu_is_vf(nic) && emu_nic_link(nic));
}

static ssize_t pct_eq_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%u\n", emu_is_vf(nic) ? 0 : READ_ONCE(nic->pct_eq));
}

/* The attribute asks the Cassini 1 link, which knows nothing of a Cassini 2. */
static ssize_t speed_show(struct emu_nic *nic, char *to)
{
	int speed = 200000;

	if (emu_is_vf(nic))
		speed = 0;
	else if (emu_is_c2(nic) || emu_has(nic, EMU_V_NO_SPEED))
		speed = -1;
	return sysfs_emit(to, "%d\n", speed);
}

static ssize_t nid_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "0x%x\n", emu_nic_nid(nic));
}

static ssize_t nid_store(struct emu_nic *nic, const char *from, size_t count)
{
	u32 nid;
	int rc = kstrtou32(from, 0, &nid);

	if (emu_is_vf(nic))
		return -EPERM;
	if (rc)
		return rc;
	if (nid & ~0xfffffU)
		return -EINVAL;
	emu_nic_set_nid(nic, nid, true);
	return count;
}

static ssize_t corr_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%llu\n", READ_ONCE(nic->corr));
}

static ssize_t uncorr_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%llu\n", READ_ONCE(nic->uncorr));
}

static ssize_t rdzv_get_en_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%d\n", READ_ONCE(nic->rdzv_get_en));
}

static ssize_t rdzv_get_en_store(struct emu_nic *nic, const char *from, size_t count)
{
	bool on;
	int rc = kstrtobool(from, &on);

	if (emu_is_vf(nic))
		return -EOPNOTSUPP;
	if (rc)
		return rc;
	WRITE_ONCE(nic->rdzv_get_en, on);
	return count;
}

static ssize_t amo_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%d\n", READ_ONCE(nic->amo_remap));
}

static ssize_t amo_store(struct emu_nic *nic, const char *from, size_t count)
{
	int rc = kstrtoint(from, 0, &nic->amo_remap);

	return rc ?: count;
}

static ssize_t rev_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%u\n", emu_is_c2(nic) ? 1 : 2);
}

static ssize_t uc_nic_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%u\n", nic->number % 2);
}

static ssize_t system_type_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%u\n", emu_is_c2(nic) ? 2 : 1);
}

/* The first is nobody's, a retry handler has one, and each LNI or some of one service. */
static ssize_t rgids_show(struct emu_nic *nic, char *to)
{
	struct emu_nic *physical = nic->pf ?: nic;
	int left = emu_rgids(physical) - (int)READ_ONCE(physical->rgids);

	return sysfs_emit(to, "%d\n", max(left, 0));
}

const struct cxi_entry cxi_properties[] = {
	{ "amo_remap_to_pcie_fadd", 0644, .show = amo_show, .store = amo_store },
	{ "ats_enabled", 0444, "0\n", .missing = EMU_V_OLD_DRIVER },
	{ "cassini_version", 0444, .show = cassini_version_show },
	{ "current_esm_link_speed", 0444, "Disabled\n" },
	{ "driver_rev", 0444, "9ce667e\n" },
	{ "hpc_mtu", 0444, __stringify(CXI_MTU) "\n" },
	{ "link", 0444, .show = link_show },
	{ "min_free_shift", 0444, "0\n" },
	{ "nic_addr", 0444, .show = nid_show },
	{ "nid", 0644, .show = nid_show, .store = nid_store },
	{ "num_acs", 0444, __stringify(CXI_NUM_ACS) "\n" },
	{ "num_cts", 0444, __stringify(CXI_NUM_CTS) "\n" },
	{ "num_eqs", 0444, __stringify(CXI_NUM_EQS) "\n" },
	{ "num_les", 0444, __stringify(CXI_NUM_LES) "\n" },
	{ "num_ptes", 0444, __stringify(CXI_NUM_PTES) "\n" },
	{ "num_tgqs", 0444, __stringify(CXI_NUM_TGQS) "\n" },
	{ "num_tles", 0444, __stringify(CXI_NUM_TLES) "\n" },
	{ "num_txqs", 0444, __stringify(CXI_NUM_TXQS) "\n" },
	{ "pcie_corr_err", 0444, .show = corr_show },
	{ "pcie_uncorr_err", 0444, .show = uncorr_show },
	{ "pct_eq", 0444, .show = pct_eq_show },
	{ "pid_bits", 0444, __stringify(CXI_PID_BITS) "\n" },
	{ "pid_count", 0444, "511\n" },
	{ "pid_granule", 0444, "256\n" },
	{ "platform", 0444, "0\n" },
	{ "proto", 0444, "0\n" },
	{ "rdzv_get_en", 0644, .show = rdzv_get_en_show, .store = rdzv_get_en_store },
	{ "rdzv_get_idx", 0444, __stringify(CXI_RDZV_IDX) "\n" },
	{ "rev", 0444, .show = rev_show },
	{ "rgids_avail", 0444, .show = rgids_show },
	{ "speed", 0444, .show = speed_show },
	{ "system_type_identifier", 0444, .show = system_type_show,
	  .missing = EMU_V_OLD_DRIVER },
	{ "uc_nic", 0444, .show = uc_nic_show },
	{}
};
