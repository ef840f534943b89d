// SPDX-License-Identifier: GPL-2.0
/*
 * Domains and communication profiles: what an LNI needs to receive and to send,
 * and where the right to a VNI is asked for. It goes by the NIC's profiles, not
 * by the LNI's service.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ss1.h"

struct cxi_domain {
	struct list_head node;
	struct cxi_lni *lni;
	struct cxi_profile *profile;
	struct cxi_abi_domain abi;
};

struct cxi_cp {
	struct cxi_dev *cdev;
	/* None for Ethernet. */
	struct cxi_profile *profile;
	int rgid;
	u32 lcid;
	u32 vni;
	u32 tc;
	u32 tc_type;
	/* LNIs of one resource group share equal ones. */
	unsigned int users;
};

static bool is_vni(u32 vni)
{
	return vni && vni <= U16_MAX;
}

/* The last number is not given to those who take any. */
static int take_pid(struct cxi_profile *profile, u32 pid)
{
	if (pid == CXI_ANY_PID) {
		pid = find_first_zero_bit(profile->pids, CXI_PIDS);
		if (pid + 1 >= CXI_PIDS)
			return -ENOSPC;
	} else if (test_bit(pid, profile->pids)) {
		return -EEXIST;
	}
	__set_bit(pid, profile->pids);
	return pid;
}

/* Two profiles of one VNI count their numbers apart, the NIC does not. */
static bool is_taken(struct cxi_dev *cdev, u32 vni, u32 pid)
{
	struct cxi_domain *domain;

	list_for_each_entry(domain, &cdev->domain_list, node)
		if (domain->abi.vni == vni && domain->abi.pid == pid)
			return true;
	return false;
}

/* Caller holds svc_lock. */
static int place(struct cxi_domain *domain, u32 pid)
{
	struct cxi_dev *cdev = domain->lni->cdev;
	int rc = take_pid(domain->profile, pid);

	if (rc < 0)
		return rc;
	domain->abi.pid = rc;
	if (is_taken(cdev, domain->abi.vni, domain->abi.pid))
		rc = -EEXIST;
	else
		rc = ida_alloc_min(&cdev->domains, 1, GFP_KERNEL);
	if (rc < 0) {
		/* One that was to be any stays taken, so that the next one is tried then. */
		if (pid != CXI_ANY_PID)
			__clear_bit(pid, domain->profile->pids);
		return rc;
	}
	domain->abi.id = rc;
	list_add_tail(&domain->node, &cdev->domain_list);
	domain->lni->refs++;
	return 0;
}

struct cxi_domain *cxi_domain_alloc(struct cxi_lni *lni, u32 vni, u32 pid)
{
	struct cxi_dev *cdev = lni->cdev;
	struct cxi_who who = cxi_who_asks(lni->is_vf);
	struct cxi_domain *domain;
	int rc;

	if (!is_vni(vni) || pid > CXI_ANY_PID)
		return ERR_PTR(-EINVAL);
	domain = kzalloc(sizeof(*domain), GFP_KERNEL);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->lni = lni;
	domain->abi.vni = vni;
	mutex_lock(&cdev->svc_lock);
	domain->profile = cxi_profile_get(&cdev->rx_profiles, &who, vni);
	rc = PTR_ERR_OR_ZERO(domain->profile);
	if (!rc) {
		rc = place(domain, pid);
		if (rc)
			cxi_profile_put(domain->profile);
	}
	mutex_unlock(&cdev->svc_lock);
	if (!rc)
		return domain;
	kfree(domain);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_GPL(cxi_domain_alloc);

void cxi_domain_describe(const struct cxi_domain *domain, struct cxi_abi_domain *abi)
{
	*abi = domain->abi;
}
EXPORT_SYMBOL_GPL(cxi_domain_describe);

void cxi_domain_free(struct cxi_domain *domain)
{
	struct cxi_dev *cdev = domain->lni->cdev;

	mutex_lock(&cdev->svc_lock);
	list_del(&domain->node);
	domain->lni->refs--;
	__clear_bit(domain->abi.pid, domain->profile->pids);
	cxi_profile_put(domain->profile);
	ida_free(&cdev->domains, domain->abi.id);
	mutex_unlock(&cdev->svc_lock);
	kfree(domain);
}
EXPORT_SYMBOL_GPL(cxi_domain_free);

/* The classes and types of the module's default, LL_BE_BD_ET. */
static bool nic_has(u32 tc, u32 tc_type)
{
	switch (tc) {
	case CXI_TC_LOW_LATENCY:
		return tc_type == CXI_TC_DEFAULT || tc_type == CXI_TC_COLL_LEAF;
	case CXI_TC_BULK_DATA:
		return tc_type == CXI_TC_DEFAULT;
	case CXI_TC_BEST_EFFORT:
		return tc_type != CXI_TC_COLL_LEAF;
	/* The last class for Ethernet is of another setting. */
	case CXI_TC_ETH + 1 ... CXI_TCS_WITH_ETH - 2:
		return tc_type == CXI_TC_DEFAULT;
	default:
		return false;
	}
}

/* Caller holds svc_lock. A reference to the profile, or none for Ethernet. */
static struct cxi_profile *profile_for(struct cxi_lni *lni, u32 vni, u32 tc)
{
	struct cxi_who who = cxi_who_asks(lni->is_vf);
	struct cxi_profile *profile;

	if (tc > CXI_TC_ETH) {
		if (vni > 7)
			return ERR_PTR(-EINVAL);
		return lni->is_vf || capable(CAP_NET_RAW) ? NULL : ERR_PTR(-EPERM);
	}
	if (!is_vni(vni))
		return ERR_PTR(-EINVAL);
	profile = cxi_profile_get(&lni->cdev->tx_profiles, &who, vni);
	if (IS_ERR(profile) || (profile->tcs & BIT(tc)))
		return profile;
	cxi_profile_put(profile);
	return ERR_PTR(-EINVAL);
}

static bool is_like(const struct cxi_cp *cp, u32 vni, u32 tc, u32 tc_type)
{
	return cp && cp->vni == vni && cp->tc == tc && cp->tc_type == tc_type;
}

static struct cxi_cp *new_cp(struct cxi_lni *lni, u32 vni, u32 tc, u32 tc_type)
{
	struct cxi_rgid *group = lni->cdev->rgids[lni->rgid];
	struct cxi_cp *cp;
	u32 lcid = 0;

	if (!nic_has(tc, tc_type))
		return ERR_PTR(-EINVAL);
	while (lcid < CXI_LCIDS && group->cps[lcid])
		lcid++;
	if (lcid == CXI_LCIDS)
		return ERR_PTR(-ENOSPC);
	cp = kzalloc(sizeof(*cp), GFP_KERNEL);
	if (!cp)
		return ERR_PTR(-ENOMEM);
	*cp = (struct cxi_cp){ lni->cdev, NULL, lni->rgid, lcid, vni, tc, tc_type, 0 };
	group->cps[lcid] = cp;
	return cp;
}

/* Caller holds svc_lock. Only the first of a group is shared. */
static struct cxi_cp *get_cp(struct cxi_lni *lni, u32 vni, u32 tc, u32 tc_type)
{
	struct cxi_profile *profile = profile_for(lni, vni, tc);
	struct cxi_cp *cp;

	if (IS_ERR(profile))
		return ERR_CAST(profile);
	cp = lni->cdev->rgids[lni->rgid]->cps[0];
	if (!is_like(cp, vni, tc, tc_type))
		cp = new_cp(lni, vni, tc, tc_type);
	if (IS_ERR(cp)) {
		if (profile)
			cxi_profile_put(profile);
		return cp;
	}
	/* Those who share one may do so by different profiles; it keeps the first. */
	if (!cp->users)
		cp->profile = profile;
	else if (profile)
		cxi_profile_put(profile);
	cp->users++;
	lni->refs++;
	return cp;
}

struct cxi_cp *cxi_cp_alloc(struct cxi_lni *lni, u32 vni, u32 tc, u32 tc_type)
{
	struct cxi_cp *cp;

	if (tc >= CXI_TCS_WITH_ETH || tc_type >= CXI_TC_TYPES)
		return ERR_PTR(-EINVAL);
	mutex_lock(&lni->cdev->svc_lock);
	cp = get_cp(lni, vni, tc, tc_type);
	mutex_unlock(&lni->cdev->svc_lock);
	return cp;
}
EXPORT_SYMBOL_GPL(cxi_cp_alloc);

u32 cxi_cp_lcid(const struct cxi_cp *cp)
{
	return cp->lcid;
}
EXPORT_SYMBOL_GPL(cxi_cp_lcid);

void cxi_cp_free(struct cxi_cp *cp, struct cxi_lni *lni)
{
	struct cxi_dev *cdev = cp->cdev;

	mutex_lock(&cdev->svc_lock);
	lni->refs--;
	if (!--cp->users) {
		cdev->rgids[cp->rgid]->cps[cp->lcid] = NULL;
		if (cp->profile)
			cxi_profile_put(cp->profile);
		kfree(cp);
	}
	mutex_unlock(&cdev->svc_lock);
}
EXPORT_SYMBOL_GPL(cxi_cp_free);
