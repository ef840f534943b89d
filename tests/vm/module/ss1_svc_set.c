// SPDX-License-Identifier: GPL-2.0
/* Services: switching them, and what is set and read apart from the descriptor. */
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/module.h>

#include "ss1.h"

static bool enable_rgid_sharing = true;
module_param(enable_rgid_sharing, bool, 0644);
MODULE_PARM_DESC(enable_rgid_sharing, "Let the number of LNIs per RGID be set");

/* A change on one service: found by id, done under the lock. */
static struct cxi_svc *lock(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc;

	mutex_lock(&cdev->svc_lock);
	svc = idr_find(&cdev->svcs, id);
	if (!svc)
		mutex_unlock(&cdev->svc_lock);
	return svc;
}

static void drop(struct cxi_profile **profile)
{
	if (*profile)
		cxi_profile_drop(*profile);
	*profile = NULL;
}

void cxi_svc_drop_profiles(struct cxi_svc *svc)
{
	int i;

	for (i = 0; i < cxi_svc_vnis(svc); i++) {
		drop(&svc->tx[i]);
		drop(&svc->rx[i]);
	}
}

/* A profile knows of no namespace that was set before it was made. */
static int admit(const struct cxi_svc *svc, struct cxi_profile *profile)
{
	int rc = 0;
	int i;

	if (!(svc->desc.flags & CXI_SVC_RESTRICTED_MEMBERS))
		return cxi_acl_add(&profile->acl, CXI_ANYBODY, 0);
	for (i = 0; i < CXI_MAX_MEMBERS && !rc; i++) {
		u32 type = svc->desc.members[i].type;
		u32 id = type == CXI_MEMBER_NETNS ? 0 : svc->desc.members[i].id;

		if (type != CXI_MEMBER_IGNORE)
			rc = cxi_acl_add(&profile->acl, type, id);
	}
	return rc;
}

static int add_profile(struct list_head *profiles, const struct cxi_svc *svc,
		       struct cxi_profile **to, u32 first, u32 mask)
{
	struct cxi_profile *profile = cxi_profile_new(profiles, first, mask);
	int i;

	/* The one that was there before is lost, but not given back. */
	*to = NULL;
	if (IS_ERR(profile))
		return PTR_ERR(profile);
	*to = profile;
	for (i = 0; i < CXI_TCS; i++)
		if (!(svc->desc.flags & CXI_SVC_RESTRICTED_TCS) || svc->desc.tcs[i])
			profile->tcs |= BIT(i);
	return admit(svc, profile);
}

/* For each single VNI of the descriptor, or one for the range. */
int cxi_svc_add_profiles(struct cxi_dev *cdev, struct cxi_svc *svc, u32 first, u32 mask)
{
	bool single = svc->desc.flags & CXI_SVC_RESTRICTED_VNIS;
	int rc = 0;
	int i;

	if (!single)
		svc->desc.vni_count = 1;
	for (i = 0; i < cxi_svc_vnis(svc) && !rc; i++) {
		if (single)
			first = svc->desc.vnis[i];
		rc = add_profile(&cdev->tx_profiles, svc, &svc->tx[i], first, mask) ?:
		     add_profile(&cdev->rx_profiles, svc, &svc->rx[i], first, mask);
	}
	if (rc)
		cxi_svc_drop_profiles(svc);
	return rc;
}

/* Caller holds svc_lock. Fails, and leaves it off, if it has lost a profile. */
int cxi_svc_switch(struct cxi_svc *svc, bool on)
{
	int i;
	bool fails = false;

	for (i = 0; i < cxi_svc_vnis(svc); i++)
		fails |= on && (!svc->tx[i] || !svc->rx[i]);
	on &= !fails;
	for (i = 0; i < cxi_svc_vnis(svc); i++) {
		if (svc->tx[i])
			svc->tx[i]->enabled = on;
		if (svc->rx[i])
			svc->rx[i]->enabled = on;
	}
	svc->desc.flags &= ~CXI_SVC_ENABLED;
	if (on)
		svc->desc.flags |= CXI_SVC_ENABLED;
	return fails ? -EINVAL : 0;
}

int cxi_svc_enable(struct cxi_dev *cdev, u32 id, bool on)
{
	struct cxi_svc *svc = lock(cdev, id);
	int rc;

	if (!svc)
		return -EINVAL;
	rc = svc->users ? -EBUSY : cxi_svc_switch(svc, on);
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_enable);

#define UPDATED (CXI_SVC_RESTRICTED_MEMBERS | CXI_SVC_RESTRICTED_VNIS | CXI_SVC_RESTRICTED_TCS)

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
	svc = lock(cdev, desc->id);
	if (!svc)
		return -EINVAL;
	rc = update(svc, desc);
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_update);

int cxi_svc_get_lpr(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc = lock(cdev->services, id);
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
	svc = lock(cdev, id);
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
	struct cxi_svc *svc = lock(cdev, id);

	if (!svc)
		return -EINVAL;
	svc->lpr = 1;
	mutex_unlock(&cdev->svc_lock);
	return 0;
}

int cxi_svc_get_exclusive_cp(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc = lock(cdev->services, id);
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
	struct cxi_svc *svc = lock(cdev, id);
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

int cxi_svc_get_vni_range(struct cxi_dev *cdev, u32 id, u32 *min, u32 *max)
{
	struct cxi_svc *svc = lock(cdev->services, id);
	int rc = 0;

	if (!svc)
		return -EINVAL;
	if ((svc->desc.flags & CXI_SVC_RESTRICTED_VNIS) || !svc->desc.vni_count) {
		rc = -EINVAL;
	} else if (!svc->tx[0]) {
		rc = -ENOENT;
	} else {
		*min = svc->tx[0]->first;
		*max = svc->tx[0]->first + svc->tx[0]->mask;
	}
	mutex_unlock(&cdev->services->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_get_vni_range);

/* A power of two of VNIs, the first a multiple of their number. */
static bool is_range(u32 min, u32 max)
{
	u32 size = max - min + 1;

	return min && max <= U16_MAX && min <= max && is_power_of_2(size) &&
	       !(min & (size - 1));
}

int cxi_svc_set_vni_range(struct cxi_dev *cdev, u32 id, u32 min, u32 max)
{
	struct cxi_svc *svc = lock(cdev, id);
	int rc;

	if (!svc)
		return -EINVAL;
	if ((svc->desc.flags & CXI_SVC_RESTRICTED_VNIS) || !is_range(min, max))
		rc = -EINVAL;
	else
		rc = cxi_svc_add_profiles(cdev, svc, min, max - min);
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_set_vni_range);

/* The lowest, if there are several. */
int cxi_svc_get_netns(struct cxi_dev *cdev, u32 id, u32 *netns)
{
	struct cxi_svc *svc = lock(cdev->services, id);
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
	struct cxi_svc *svc = lock(cdev, id);
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
