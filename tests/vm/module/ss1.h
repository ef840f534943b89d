/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of cxi-ss1 share. */
#ifndef CXI_SS1_H
#define CXI_SS1_H

#include <linux/bitmap.h>
#include <linux/stringify.h>

#include "cxi.h"
#include "tree.h"

int cxi_tree_add(struct cxi_dev *cdev);
void cxi_tree_remove(struct cxi_dev *cdev);

void cxi_clients_add(struct cxi_dev *cdev);
void cxi_clients_remove(struct cxi_dev *cdev);
void cxi_clients_event(struct cxi_dev *cdev, enum cxi_event event);

/* Who asks. */
struct cxi_who {
	u32 uid;
	u32 gid;
	u32 netns;
};

/* Commands of a VF are carried out by a thread of its PF: root's, in the first namespace. */
struct cxi_who cxi_who_asks(bool is_vf);

/* Whom something admits: entries of which no two are equal. */
struct cxi_acl {
	struct list_head entries;
};

#define CXI_ANYBODY CXI_MEMBER_IGNORE

void cxi_acl_init(struct cxi_acl *acl);
int cxi_acl_add(struct cxi_acl *acl, enum cxi_member type, u32 id);
void cxi_acl_clear(struct cxi_acl *acl);
bool cxi_acl_has(const struct cxi_acl *acl, enum cxi_member type);
bool cxi_acl_admits(const struct cxi_acl *acl, const struct cxi_who *who);
bool cxi_acl_lowest(const struct cxi_acl *acl, enum cxi_member type, u32 *id);

/* VNIs that differ from the first in the bits of the mask only, and who may use them. */
struct cxi_profile {
	struct list_head node;
	u32 number;
	u32 first;
	u32 mask;
	bool enabled;
	bool exclusive_cp;
	u8 tcs;
	/* A service's, or once one's. */
	bool kept;
	/* Besides, domains or communication profiles have it. */
	unsigned int refs;
	struct cxi_acl acl;
	DECLARE_BITMAP(pids, CXI_PIDS);
};

struct cxi_profile *cxi_profile_new(struct list_head *profiles, u32 first, u32 mask);
void cxi_profile_put(struct cxi_profile *profile);
/* Gives up one that was new; whoever uses it still has it, and nobody else may. */
void cxi_profile_drop(struct cxi_profile *profile);
void cxi_profiles_forget(struct list_head *profiles);
/* The one by which somebody may use a VNI, with a reference. */
struct cxi_profile *cxi_profile_get(struct list_head *profiles, const struct cxi_who *who,
				    u32 vni);

/* A service with what its descriptor does not say. */
struct cxi_svc {
	struct cxi_abi_svc desc;
	/* LNIs that use it. */
	unsigned int users;
	struct cxi_acl acl;
	/* For each of its VNIs, or the first one for its range; none where it has lost it. */
	struct cxi_profile *tx[CXI_MAX_VNIS];
	struct cxi_profile *rx[CXI_MAX_VNIS];
	/* Negative without one. */
	int le_pool;
	int tle_pool;
	u32 lpr;
};

/* Places in the arrays above that count. */
static inline int cxi_svc_vnis(const struct cxi_svc *svc)
{
	return min_t(int, svc->desc.vni_count, CXI_MAX_VNIS);
}

/* Found, and svc_lock held; or NULL and not. */
struct cxi_svc *cxi_svc_lock(struct cxi_dev *cdev, u32 id);
int cxi_svc_add_profiles(struct cxi_dev *cdev, struct cxi_svc *svc, u32 first, u32 mask);
void cxi_svc_drop_profiles(struct cxi_svc *svc);
int cxi_svc_switch(struct cxi_svc *svc, bool on);
int cxi_svc_check(const struct cxi_abi_svc *desc);

int cxi_svc_reset_lpr(struct cxi_dev *cdev, u32 id);

int cxi_svcs_init(struct cxi_dev *cdev);
void cxi_svcs_exit(struct cxi_dev *cdev);

void cxi_svcs_limits(struct cxi_abi_limit *limits);
int cxi_svc_reserve(struct cxi_dev *cdev, struct cxi_svc *svc,
		    struct cxi_abi_svc_alloc_resp *resp);
void cxi_svc_give_back(struct cxi_dev *cdev, struct cxi_svc *svc);

/* A resource group, shared by some LNIs of one service. */
struct cxi_rgid {
	u32 svc_id;
	u32 lpr;
	unsigned int users;
	struct cxi_cp *cps[CXI_LCIDS];
};

struct cxi_lni {
	/* The device that has the service. */
	struct cxi_dev *cdev;
	u32 svc_id;
	int id;
	int rgid;
	/* Domains and communication profiles. */
	unsigned int refs;
	bool is_vf;
};

int cxi_sriov_configure(struct pci_dev *pdev, int count);

int cxi_genl_init(void);
void cxi_genl_exit(void);
void cxi_genl_error(struct cxi_dev *cdev, u32 flag, u8 bit);

#endif
