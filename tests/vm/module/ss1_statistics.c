// SPDX-License-Identifier: GPL-2.0
/* Counters and masks: link_restarts/, err_flgs_irqa/, traffic_classes/, telemetry/. */
#include <linux/kernel.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>

#include "ss1.h"

#define RESTART(n)							\
	static ssize_t time_##n##_show(struct emu_nic *nic, char *to)	\
	{								\
		return sysfs_emit(to, "%lld\n", READ_ONCE(nic->restarts[n])); \
	}

RESTART(0)
RESTART(1)
RESTART(2)
RESTART(3)
RESTART(4)
RESTART(5)
RESTART(6)
RESTART(7)
RESTART(8)
RESTART(9)

const struct cxi_entry cxi_link_restarts[] = {
	{ "time_0", 0444, .show = time_0_show },
	{ "time_1", 0444, .show = time_1_show },
	{ "time_2", 0444, .show = time_2_show },
	{ "time_3", 0444, .show = time_3_show },
	{ "time_4", 0444, .show = time_4_show },
	{ "time_5", 0444, .show = time_5_show },
	{ "time_6", 0444, .show = time_6_show },
	{ "time_7", 0444, .show = time_7_show },
	{ "time_8", 0444, .show = time_8_show },
	{ "time_9", 0444, .show = time_9_show },
	{}
};

/* Masks take a value and forget it: no test looks there. */
static ssize_t ignore_store(struct emu_nic *nic, const char *from, size_t count)
{
	return count;
}

#define BLOCK(name)							\
	{ name "/mask", 0444, "00000000,00000001\n" },			\
	{ name "/no_auto_mask", 0644, "00000000,00000000\n", .store = ignore_store }, \
	{ name "/no_print_mask", 0644, "00000000,00000000\n", .store = ignore_store }

const struct cxi_entry cxi_error_flags[] = {
	BLOCK("atu"),
	BLOCK("cq"),
	BLOCK("hni"),
	BLOCK("pct"),
	BLOCK("pi"),
	{}
};

#define BANDWIDTH(name, assured, ceiling)				\
	{ name "/assured_bw", 0644, assured, .store = ignore_store },	\
	{ name "/ceiling_bw", 0644, ceiling, .store = ignore_store }

const struct cxi_entry cxi_traffic_classes[] = {
	{ "active_qos_profile", 0444, "LL_BE_BD_ET\n" },
	BANDWIDTH("best_effort", "15\n", "100\n"),
	BANDWIDTH("bulk_data", "15\n", "100\n"),
	BANDWIDTH("ethernet/ethernet_shared", "15\n", "100\n"),
	BANDWIDTH("low_latency", "15\n", "30\n"),
	{ "untagged_eth_pcp", 0444, "6\n" },
	{}
};

static ssize_t sample(char *to, u64 value)
{
	struct timespec64 now;

	ktime_get_real_ts64(&now);
	return sysfs_emit(to, "%llu@%lld.%09lu\n", value, now.tv_sec, now.tv_nsec);
}

#define CONSTANT(name, value)						\
	static ssize_t name##_show(struct emu_nic *nic, char *to)	\
	{								\
		return sample(to, value);				\
	}

CONSTANT(hni_pcs_corrected_cw, 1204)
CONSTANT(hni_pcs_good_cw, 39062500000ULL)
CONSTANT(hni_pcs_uncorrected_cw, READ_ONCE(nic->telemetry_uncorr))
CONSTANT(paused, 0)
CONSTANT(posted, 48213)

#define PAUSED(name) { name, 0444, .show = paused_show }

const struct cxi_entry cxi_telemetry[] = {
	{ "hni_pcs_corrected_cw", 0444, .show = hni_pcs_corrected_cw_show },
	{ "hni_pcs_good_cw", 0444, .show = hni_pcs_good_cw_show },
	{ "hni_pcs_uncorrected_cw", 0444, .show = hni_pcs_uncorrected_cw_show },
	PAUSED("hni_rx_paused_0"),
	PAUSED("hni_rx_paused_1"),
	PAUSED("hni_rx_paused_2"),
	PAUSED("hni_rx_paused_3"),
	PAUSED("hni_rx_paused_4"),
	PAUSED("hni_rx_paused_5"),
	PAUSED("hni_rx_paused_6"),
	PAUSED("hni_rx_paused_7"),
	PAUSED("hni_rx_paused_std"),
	PAUSED("hni_tx_paused_0"),
	PAUSED("hni_tx_paused_1"),
	PAUSED("hni_tx_paused_2"),
	PAUSED("hni_tx_paused_3"),
	PAUSED("hni_tx_paused_4"),
	PAUSED("hni_tx_paused_5"),
	PAUSED("hni_tx_paused_6"),
	PAUSED("hni_tx_paused_7"),
	{ "parbs_tarb_pi_posted_pkts", 0444, .show = posted_show },
	{}
};
