/* SPDX-License-Identifier: GPL-2.0 */
/* The driver core's face to its clients cxi-user and cxi-eth. */
#ifndef CXI_H
#define CXI_H

#include <linux/device.h>
#include <linux/idr.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "abi.h"
#include "emu.h"

#define CXI_MTU		2112

struct cxi_tree;
struct cxi_rgid;

struct cxi_dev {
	/* Class cxi; its release ends this structure. */
	struct device class_dev;
	struct list_head node;
	struct pci_dev *pdev;
	struct emu_nic *nic;
	/* The device that answers for services: the PF of a VF, or itself. */
	struct cxi_dev *services;
	unsigned int number;
	char name[16];
	bool is_physfn;
	/* Given up after a fatal error. */
	bool disabled;
	struct cxi_tree *tree;

	/* Guards what follows. */
	struct mutex svc_lock;
	struct idr svcs;
	unsigned int svc_count;
	struct ida le_pools;
	struct ida tle_pools;
	/* Who may send with which VNI, and who may receive. */
	struct list_head tx_profiles;
	struct list_head rx_profiles;
	struct cxi_rgid *rgids[EMU_RGIDS];
	struct ida lnis;
	struct ida domains;
	struct list_head domain_list;
};

enum cxi_event { CXI_LINK_UP, CXI_LINK_DOWN };

/* A client hears of each device; calls are serialised. */
struct cxi_client {
	struct list_head node;
	int (*add)(struct cxi_dev *cdev);
	void (*remove)(struct cxi_dev *cdev);
	void (*event)(struct cxi_dev *cdev, enum cxi_event event);
};

int cxi_register_client(struct cxi_client *client);
void cxi_unregister_client(struct cxi_client *client);

void cxi_dev_info(struct cxi_dev *cdev, struct cxi_abi_dev_info *info);
void cxi_dev_properties(struct cxi_dev *cdev, struct cxi_abi_properties *properties);
int cxi_mbps(struct cxi_dev *cdev);

/* Services; each returns 0 (or what it says) or a negative errno. */
int cxi_svc_list(struct cxi_dev *cdev, unsigned int room, struct cxi_abi_svc *list);
int cxi_svc_use_list(struct cxi_dev *cdev, unsigned int room, struct cxi_abi_use *list);
int cxi_svc_get(struct cxi_dev *cdev, u32 id, struct cxi_abi_svc *desc);
int cxi_svc_use(struct cxi_dev *cdev, u32 id, struct cxi_abi_use *use);
int cxi_svc_get_lpr(struct cxi_dev *cdev, u32 id);
int cxi_svc_set_lpr(struct cxi_dev *cdev, u32 id, u32 lpr);
int cxi_svc_get_exclusive_cp(struct cxi_dev *cdev, u32 id);
int cxi_svc_set_exclusive_cp(struct cxi_dev *cdev, u32 id, bool on);
int cxi_svc_get_vni_range(struct cxi_dev *cdev, u32 id, u32 *min, u32 *max);
int cxi_svc_set_vni_range(struct cxi_dev *cdev, u32 id, u32 min, u32 max);
int cxi_svc_get_netns(struct cxi_dev *cdev, u32 id, u32 *netns);
int cxi_svc_set_netns(struct cxi_dev *cdev, u32 id, u32 netns);
/* The answer says what was missing. */
int cxi_svc_alloc(struct cxi_dev *cdev, const struct cxi_abi_svc *desc,
		  struct cxi_abi_svc_alloc_resp *resp);
int cxi_svc_update(struct cxi_dev *cdev, const struct cxi_abi_svc *desc);
int cxi_svc_destroy(struct cxi_dev *cdev, u32 id);
int cxi_svc_enable(struct cxi_dev *cdev, u32 id, bool on);

struct cxi_lni;
struct cxi_lni *cxi_lni_alloc(struct cxi_dev *cdev, u32 svc_id);
int cxi_lni_id(const struct cxi_lni *lni);
/* Refused with EBUSY while it has domains or profiles. */
int cxi_lni_free(struct cxi_lni *lni);

struct cxi_domain;
struct cxi_domain *cxi_domain_alloc(struct cxi_lni *lni, u32 vni, u32 pid);
void cxi_domain_describe(const struct cxi_domain *domain, struct cxi_abi_domain *abi);
void cxi_domain_free(struct cxi_domain *domain);

struct cxi_cp;
struct cxi_cp *cxi_cp_alloc(struct cxi_lni *lni, u32 vni, u32 tc, u32 tc_type);
u32 cxi_cp_lcid(const struct cxi_cp *cp);
void cxi_cp_free(struct cxi_cp *cp, struct cxi_lni *lni);

#endif
