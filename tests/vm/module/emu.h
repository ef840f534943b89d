/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The emulated hardware, as the driver modules see it.
 *
 * A struct emu_nic is one PCI function. It outlives the driver's binding:
 * what is set on it (link, nid, counters) is there again after a rebind.
 */
#ifndef CXI_EMU_H
#define CXI_EMU_H

#include <linux/if.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#define EMU_CONFIG_SIZE	4096
#define EMU_RESTARTS	10
#define EMU_RGIDS	256
#define EMU_MAX_VFS	64
#define EMU_NID_UNSET	0xffffffffU

enum emu_kind { EMU_C1, EMU_C2, EMU_C1VF, EMU_C2VF };

/* Where a failure can be injected. */
enum emu_point { EMU_PROBE, EMU_OPEN, EMU_COMMAND, EMU_ATTRIBUTE, EMU_POINTS };

/* Ways in which nodes differ, by the numbers that cxi-sim gives them. */
#define EMU_V_NID_UNSET		BIT(6)
#define EMU_V_EMPTY_FRU		BIT(7)
#define EMU_V_NO_SPEED		BIT(9)
#define EMU_V_NO_NETDEV		BIT(10)
#define EMU_V_NO_NUMA		BIT(11)
#define EMU_V_OLD_DRIVER	BIT(13)
#define EMU_V_NO_HANDLER	BIT(14)
#define EMU_V_DISABLED		BIT(15)
#define EMU_V_VANISHING		BIT(16)
/* 5 is a missing device node, 3 and 4 are traits of a whole node. */
#define EMU_V_KNOWN		((0x1fffeU & ~(BIT(3) | BIT(4) | BIT(5))) | BIT(17))

/* What a NIC shall look like; negative numbers mean "choose". */
struct emu_spec {
	enum emu_kind kind;
	bool placed;
	u16 domain;
	u8 bus;
	u8 devfn;
	long cxi;
	int numa;
	bool numa_given;
	s64 nid;
	char netdev[IFNAMSIZ];
	u32 variants;
};

struct emu_nic;

/* What the driver wants to hear of its hardware; called in process context. */
struct emu_events {
	void (*link)(void *driver, bool up);
	/* Returns whether the device was given up. */
	bool (*fatal)(void *driver, u32 flag, u8 bit);
	void (*error)(void *driver, u32 flag, u8 bit);
	int (*set_vfs)(struct pci_dev *pdev, int count);
};

struct emu_failure {
	int error;
	int count;
};

struct emu_nic {
	struct kref ref;
	struct list_head node;
	struct emu_spec spec;
	struct emu_root *root;
	unsigned int number;
	/* Made by SR-IOV. */
	struct emu_nic *pf;
	int vfs;

	u8 config[EMU_CONFIG_SIZE];
	u8 writable[EMU_CONFIG_SIZE];
	bool dead;

	struct mutex events_lock;
	const struct emu_events *events;
	void *driver;
	bool numbered;

	/* Guards what follows. */
	spinlock_t lock;
	bool link;
	/* The link went down with the driver's giving up; a new probe trains it again. */
	bool link_lost;
	u32 nid;
	bool nid_set;
	u32 pct_eq;
	u64 corr;
	u64 uncorr;
	u64 telemetry_uncorr;
	s64 restarts[EMU_RESTARTS];
	unsigned int next_restart;
	unsigned int up_count;
	int rdzv_get_en;
	int amo_remap;
	int ac_filter_disabled;
	unsigned int slow_ms;
	/* Resource groups that LNIs have. */
	unsigned int rgids;
	struct emu_failure failures[EMU_POINTS];
};

static inline bool emu_is_vf(const struct emu_nic *nic)
{
	return nic->spec.kind == EMU_C1VF || nic->spec.kind == EMU_C2VF;
}

static inline bool emu_is_c2(const struct emu_nic *nic)
{
	return nic->spec.kind == EMU_C2 || nic->spec.kind == EMU_C2VF;
}

static inline bool emu_has(const struct emu_nic *nic, u32 variant)
{
	return nic->spec.variants & variant;
}

/* Resource groups for LNIs. */
static inline int emu_rgids(const struct emu_nic *nic)
{
	bool has_handler = !emu_is_vf(nic) && READ_ONCE(nic->pct_eq);

	return EMU_RGIDS - 1 - has_handler;
}

/* For the driver. */
struct emu_nic *emu_nic_find(struct pci_dev *pdev);
void emu_nic_put(struct emu_nic *nic);
void emu_nic_attach(struct emu_nic *nic, const struct emu_events *events,
		    void *driver);
void emu_nic_detach(struct emu_nic *nic);
int emu_nic_fail(struct emu_nic *nic, enum emu_point point);
long emu_nic_wanted_number(struct emu_nic *nic);
bool emu_nic_link(struct emu_nic *nic);
u32 emu_nic_nid(struct emu_nic *nic);
void emu_nic_set_nid(struct emu_nic *nic, u32 nid, bool by_hand);
int emu_vfs_create(struct emu_nic *pf, int count);
void emu_vfs_destroy(struct emu_nic *pf);
/* Whether the driver is one that lets services share single VNIs. */
bool emu_shares_single_vnis(void);

#endif
