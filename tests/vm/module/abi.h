/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands of /dev/cxiN. One command is one write(2) of a request whose
 * size is exact; the answer goes to the user pointer at offset 8 of it.
 */
#ifndef CXI_ABI_H
#define CXI_ABI_H

#include <linux/build_bug.h>
#include <linux/types.h>

enum cxi_op {
	CXI_OP_LNI_ALLOC = 1,
	CXI_OP_LNI_FREE = 2,
	CXI_OP_DOMAIN_ALLOC = 4,
	CXI_OP_DOMAIN_FREE = 5,
	CXI_OP_CP_ALLOC = 6,
	CXI_OP_CP_FREE = 7,
	CXI_OP_SVC_LIST_GET = 27,
	CXI_OP_SVC_ALLOC = 28,
	CXI_OP_SVC_DESTROY = 29,
	CXI_OP_GET_DEV_PROPERTIES = 34,
	CXI_OP_SVC_UPDATE = 44,
	CXI_OP_SVC_GET = 45,
	CXI_OP_SVC_RSRC_LIST_GET = 49,
	CXI_OP_SVC_RSRC_GET = 50,
	CXI_OP_DEV_INFO_GET = 52,
	CXI_OP_SVC_SET_LPR = 53,
	CXI_OP_SVC_GET_LPR = 54,
	CXI_OP_SVC_SET_EXCLUSIVE_CP = 78,
	CXI_OP_SVC_GET_EXCLUSIVE_CP = 79,
	CXI_OP_SVC_ENABLE = 80,
	CXI_OP_SVC_SET_VNI_RANGE = 81,
	CXI_OP_SVC_GET_VNI_RANGE = 82,
	CXI_OP_SVC_SET_NETNS = 84,
	CXI_OP_SVC_GET_NETNS = 85,
	CXI_OP_COUNT = 110,
};

enum cxi_resource {
	CXI_PTE, CXI_TXQ, CXI_TGQ, CXI_EQ, CXI_CT, CXI_LE, CXI_TLE, CXI_AC,
	CXI_RESOURCES,
};

#define CXI_DEFAULT_SVC		1
#define CXI_MAX_MEMBERS		2
#define CXI_MAX_VNIS		4
#define CXI_MAX_LPR		8

/* Traffic classes 0 to 4 are a service's; those behind them are for Ethernet. */
enum cxi_tc { CXI_TC_DEDICATED, CXI_TC_LOW_LATENCY, CXI_TC_BULK_DATA, CXI_TC_BEST_EFFORT,
	      CXI_TC_ETH, CXI_TCS, CXI_TCS_WITH_ETH = 8 };
enum cxi_tc_type { CXI_TC_DEFAULT, CXI_TC_HRP, CXI_TC_RESTRICTED, CXI_TC_COLL_LEAF,
		   CXI_TC_TYPES };

enum cxi_member { CXI_MEMBER_IGNORE, CXI_MEMBER_UID, CXI_MEMBER_GID, CXI_MEMBER_NETNS,
		  CXI_MEMBER_TYPES };

/* First byte of a service's descriptor. */
#define CXI_SVC_RESTRICTED_MEMBERS	0x01
#define CXI_SVC_RESTRICTED_VNIS		0x02
#define CXI_SVC_RESTRICTED_TCS		0x04
#define CXI_SVC_RESOURCE_LIMITS		0x08
#define CXI_SVC_ENABLED			0x10
#define CXI_SVC_SYSTEM			0x20
#define CXI_SVC_COUNTER_POOL		0xc0

struct cxi_abi_limit {
	u16 max;
	u16 res;
};

struct cxi_abi_svc {
	u8 flags;
	u8 vni_count;
	u16 vnis[CXI_MAX_VNIS];
	u8 tcs[CXI_TCS];
	u8 pad;
	struct {
		u32 id;
		u32 type;
	} members[CXI_MAX_MEMBERS];
	struct cxi_abi_limit limits[CXI_RESOURCES];
	u32 id;
};

struct cxi_abi_use {
	u32 svc_id;
	u32 tle_pool;
	u16 in_use[CXI_RESOURCES];
};

struct cxi_abi_svc_alloc_resp {
	u32 svc_id;
	u16 available[CXI_RESOURCES];
	u8 no_le_pools;
	u8 no_tle_pools;
	u8 no_cntr_pools;
	u8 pad;
};

/* Nothing is ever said in it. */
struct cxi_abi_svc_update_resp {
	u8 bytes[20];
};

struct cxi_abi_domain {
	u32 id;
	u32 vni;
	u32 pid;
};

struct cxi_abi_cp {
	u32 id;
	u32 lcid;
};

struct cxi_abi_dev_info {
	u32 nid;
	u32 pid_bits;
	u32 pid_count;
	u32 pid_granule;
	u32 min_free_shift;
	u32 rdzv_get_idx;
	u32 vendor;
	u32 device;
	u32 rev;
	u32 proto;
	u32 platform;
	u32 pct_eq;
	s32 uc_nic;
	u32 pad;
	u64 link_mtu;
	u64 link_speed;
	u8 link_state;
	u8 pad2;
	u16 num_ptes;
	u16 num_txqs;
	u16 num_tgqs;
	u16 num_eqs;
	u16 num_cts;
	u16 num_acs;
	u16 num_tles;
	u16 num_les;
	char description[16];
	u16 pad3;
	u32 cassini_version;
	u32 system_type;
	u32 pad4;
};

struct cxi_abi_properties {
	u32 nid;
	u8 nid_configured;
	u8 pad[3];
	u32 pid_bits;
	u32 pid_count;
	u32 pid_granule;
	u32 min_free_shift;
	u32 rdzv_get_idx;
	struct cxi_abi_limit limits[CXI_RESOURCES];
	u32 rev;
	u32 proto;
	u32 platform;
	u32 cassini_version;
	u8 rdzv_get_en;
	u8 pad2[3];
	s32 amo_remap;
};

static_assert(sizeof(struct cxi_abi_svc) == 68);
static_assert(sizeof(struct cxi_abi_use) == 24);
static_assert(sizeof(struct cxi_abi_svc_alloc_resp) == 24);
static_assert(sizeof(struct cxi_abi_svc_update_resp) == 20);
static_assert(sizeof(struct cxi_abi_domain) == 12);
static_assert(sizeof(struct cxi_abi_cp) == 8);
static_assert(sizeof(struct cxi_abi_dev_info) == 120);
static_assert(sizeof(struct cxi_abi_properties) == 84);

/* What one NIC has in all. */
#define CXI_NUM_PTES	2048
#define CXI_NUM_TXQS	1024
#define CXI_NUM_TGQS	512
#define CXI_NUM_EQS	2047
#define CXI_NUM_CTS	2047
#define CXI_NUM_LES	16384
#define CXI_NUM_TLES	2048
#define CXI_NUM_ACS	1022
#define CXI_PID_BITS	9
#define CXI_RDZV_IDX	255
#define CXI_PIDS	511
#define CXI_ANY_PID	511
/* Pools of LEs and TLEs. The default service has the first of each. */
#define CXI_LE_POOLS	16
#define CXI_TLE_POOLS	4
/* Communication profiles of a resource group. */
#define CXI_LCIDS	16

#endif
