// SPDX-License-Identifier: GPL-2.0
/* Services: switching them, and what is set and read apart from the descriptor. */
#include <linux/module.h>

#include "ss1.h"

static bool enable_rgid_sharing = true;
module_param(enable_rgid_sharing, bool, 0644);
MODULE_PARM_DESC(enable_rgid_sharing, "Let the number of LNIs per RGID be set");

int cxi_svc_enable(struct cxi_dev *cdev, u32 id, bool on)
{
	struct cxi_svc *svc = cxi_svc_lock(cdev, id);
	int rc;

	if (!svc)
		return -EINVAL;
	rc = svc->users ? -EBUSY : cxi_svc_switch(svc, on);
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_enable);

#define UPDATED (CXI_SVC_RESTRICTED_MEMBERS | CXI_SVC_RESTRICTED_VNIS | CXI_SVC_RESTRICTED_TCS | \
		 CXI_SVC_COUNTER_POOL)

/* Switches, and takes over what is shown; who is admitted to what stays as it was made. */
static int update(struct cxi_svc *svc, const struct cxi_abi_svc *desc)
{
	int rc;

	if (svc->users)
		return -EBUSY;
	if ((svc->desc.flags ^ desc->flags) & CXI_SVC_RESOURCE_LIMITS)
		return -EINVAL;
	rc = cxi_svc_switch(svc, desc->flags & CXI_SVC_ENABLED);
	if (rc)
		return rc;
	svc->desc.flags = (svc->desc.flags & ~UPDATED) | (desc->flags & UPDATED);
	svc->desc.vni_count = desc->vni_count;
	memcpy(svc->desc.vnis, desc->vnis, sizeof(svc->desc.vnis));
	memcpy(svc->desc.tcs, desc->tcs, sizeof(svc->desc.tcs));
	memcpy(svc->desc.members, desc->members, sizeof(svc->desc.members));
	return 0;
}

int cxi_svc_update(struct cxi_dev *cdev, const struct cxi_abi_svc *desc)
{
	struct cxi_svc *svc;
	int rc = cxi_svc_check(desc);

	if (rc)
		return rc;
	svc = cxi_svc_lock(cdev, desc->id);
	if (!svc)
		return -EINVAL;
	rc = update(svc, desc);
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_update);

int cxi_svc_get_lpr(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc = cxi_svc_lock(cdev->services, id);
	int lpr;

	if (!svc)
		return -EINVAL;
	lpr = svc->lpr;
	mutex_unlock(&cdev->services->svc_lock);
	return lpr;
}
EXPORT_SYMBOL_GPL(cxi_svc_get_lpr);

int cxi_svc_set_lpr(struct cxi_dev *cdev, u32 id, u32 lpr)
{
	struct cxi_svc *svc;
	int rc = 0;

	if (lpr > CXI_MAX_LPR)
		return -EINVAL;
	if (!READ_ONCE(enable_rgid_sharing))
		return 0;
	svc = cxi_svc_lock(cdev, id);
	if (!svc)
		return -EINVAL;
	if (svc->users)
		rc = -EBUSY;
	else
		svc->lpr = lpr;
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_set_lpr);

/* Of the default service. */
int cxi_svc_reset_lpr(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc = cxi_svc_lock(cdev, id);

	if (!svc)
		return -EINVAL;
	svc->lpr = 1;
	mutex_unlock(&cdev->svc_lock);
	return 0;
}

int cxi_svc_get_exclusive_cp(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc = cxi_svc_lock(cdev->services, id);
	int rc;

	if (!svc)
		return -EINVAL;
	rc = svc->tx[0] ? svc->tx[0]->exclusive_cp : -ENOENT;
	mutex_unlock(&cdev->services->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_get_exclusive_cp);

int cxi_svc_set_exclusive_cp(struct cxi_dev *cdev, u32 id, bool on)
{
	struct cxi_svc *svc = cxi_svc_lock(cdev, id);
	int rc = 0;

	if (!svc)
		return -EINVAL;
	if ((svc->desc.flags & CXI_SVC_RESTRICTED_VNIS) || !svc->tx[0])
		rc = -EINVAL;
	else if (svc->tx[0]->enabled)
		rc = -EBUSY;
	else
		svc->tx[0]->exclusive_cp = on;
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_set_exclusive_cp);

/* The lowest, if there are several. */
int cxi_svc_get_netns(struct cxi_dev *cdev, u32 id, u32 *netns)
{
	struct cxi_svc *svc = cxi_svc_lock(cdev->services, id);
	int rc;

	if (!svc)
		return -EINVAL;
	rc = cxi_acl_lowest(&svc->acl, CXI_MEMBER_NETNS, netns) ? 0 : -EINVAL;
	mutex_unlock(&cdev->services->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_get_netns);

/* After a failure nobody may use any of the VNIs. */
static int add_to_profiles(struct cxi_svc *svc, u32 netns)
{
	int rc = 0;
	int i;

	for (i = 0; i < cxi_svc_vnis(svc) && !rc; i++) {
		if (!svc->tx[i] || !svc->rx[i])
			return -ENODATA;
		rc = cxi_acl_add(&svc->rx[i]->acl, CXI_MEMBER_NETNS, netns) ?:
		     cxi_acl_add(&svc->tx[i]->acl, CXI_MEMBER_NETNS, netns);
	}
	for (i = 0; i < cxi_svc_vnis(svc) && rc; i++) {
		if (svc->rx[i])
			cxi_acl_clear(&svc->rx[i]->acl);
		if (svc->tx[i])
			cxi_acl_clear(&svc->tx[i]->acl);
	}
	return rc;
}

/* It adds to the namespaces that are there; anybody, a user or a group exclude one. */
int cxi_svc_set_netns(struct cxi_dev *cdev, u32 id, u32 netns)
{
	struct cxi_svc *svc = cxi_svc_lock(cdev, id);
	int rc;

	if (!svc)
		return -EINVAL;
	if (cxi_acl_has(&svc->acl, CXI_MEMBER_UID) || cxi_acl_has(&svc->acl, CXI_MEMBER_GID) ||
	    cxi_acl_has(&svc->acl, CXI_ANYBODY))
		rc = -EEXIST;
	else if (svc->desc.flags & CXI_SVC_ENABLED)
		rc = -EBUSY;
	else
		rc = cxi_acl_add(&svc->acl, CXI_MEMBER_NETNS, netns) ?:
		     add_to_profiles(svc, netns);
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_set_netns);
