// SPDX-License-Identifier: GPL-2.0
/* Services: switching them, and what is set and read apart from the descriptor. */
#include <linux/log2.h>
#include <linux/module.h>

#include "ss1.h"

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

static bool is_enabled(const struct cxi_svc *svc)
{
	return svc->desc.flags & CXI_SVC_ENABLED;
}

/* Single VNIs or a range: only with one of them there is a profile. */
static bool has_profile(const struct cxi_svc *svc)
{
	return svc->has_range ||
	       ((svc->desc.flags & CXI_SVC_RESTRICTED_VNIS) && svc->desc.vni_count);
}

int cxi_svc_enable(struct cxi_dev *cdev, u32 id, bool on)
{
	struct cxi_svc *svc = lock(cdev, id);
	int rc = 0;

	if (!svc)
		return -EINVAL;
	if (svc->users)
		rc = -EBUSY;
	else if (on)
		svc->desc.flags |= CXI_SVC_ENABLED;
	else
		svc->desc.flags &= ~CXI_SVC_ENABLED;
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_enable);

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

int cxi_svc_get_exclusive_cp(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc = lock(cdev->services, id);
	int rc;

	if (!svc)
		return -EINVAL;
	rc = has_profile(svc) ? svc->exclusive_cp : -ENOENT;
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
	if ((svc->desc.flags & CXI_SVC_RESTRICTED_VNIS) || !has_profile(svc))
		rc = -EINVAL;
	else if (is_enabled(svc))
		rc = -EBUSY;
	else
		svc->exclusive_cp = on;
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_set_exclusive_cp);

int cxi_svc_get_vni_range(struct cxi_dev *cdev, u32 id, u32 *min, u32 *max)
{
	struct cxi_svc *svc = lock(cdev->services, id);
	int rc = -EINVAL;

	if (!svc)
		return rc;
	if (svc->has_range) {
		*min = svc->vni_min;
		*max = svc->vni_max;
		rc = 0;
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
	struct cxi_svc wanted;
	int rc = 0;

	if (!svc)
		return -EINVAL;
	wanted = *svc;
	wanted.has_range = true;
	wanted.vni_min = min;
	wanted.vni_max = max;
	/* The same id: a second range of one service clashes with its first. */
	if ((svc->desc.flags & CXI_SVC_RESTRICTED_VNIS) || !is_range(min, max))
		rc = -EINVAL;
	else if (cxi_svc_vnis_clash(cdev, &wanted))
		rc = -EEXIST;
	if (!rc) {
		*svc = wanted;
		svc->desc.vni_count = 1;
	}
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_set_vni_range);

int cxi_svc_get_netns(struct cxi_dev *cdev, u32 id, u32 *netns)
{
	struct cxi_svc *svc = lock(cdev->services, id);
	int rc = -EINVAL;

	if (!svc)
		return rc;
	if (svc->has_netns) {
		*netns = svc->netns;
		rc = 0;
	}
	mutex_unlock(&cdev->services->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_get_netns);

/* Anybody, a user or a group exclude a namespace. */
static bool has_other_members(const struct cxi_svc *svc)
{
	int i;

	if (!(svc->desc.flags & CXI_SVC_RESTRICTED_MEMBERS))
		return true;
	for (i = 0; i < CXI_MAX_MEMBERS; i++)
		if (svc->desc.members[i].type == CXI_MEMBER_UID ||
		    svc->desc.members[i].type == CXI_MEMBER_GID)
			return true;
	return false;
}

int cxi_svc_set_netns(struct cxi_dev *cdev, u32 id, u32 netns)
{
	struct cxi_svc *svc = lock(cdev, id);
	int rc = 0;

	if (!svc)
		return -EINVAL;
	if (has_other_members(svc)) {
		rc = -EEXIST;
	} else if (is_enabled(svc)) {
		rc = -EBUSY;
	} else {
		svc->has_netns = true;
		svc->netns = netns;
	}
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_set_netns);
