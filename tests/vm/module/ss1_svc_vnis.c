// SPDX-License-Identifier: GPL-2.0
/* The VNIs of services: single ones or a range, with a profile to send and one to receive for each. */
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/module.h>

#include "ss1.h"

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

static int equip(const struct cxi_svc *svc, struct cxi_profile *profile)
{
	int i;

	for (i = 0; i < CXI_TCS; i++)
		if (!(svc->desc.flags & CXI_SVC_RESTRICTED_TCS) || svc->desc.tcs[i])
			profile->tcs |= BIT(i);
	return admit(svc, profile);
}

static int add_profile(struct list_head *profiles, struct cxi_profile **to, u32 first, u32 mask)
{
	struct cxi_profile *profile = cxi_profile_new(profiles, first, mask);

	/* The one that was there before is lost, but not given back. */
	*to = NULL;
	if (IS_ERR(profile))
		return PTR_ERR(profile);
	*to = profile;
	return 0;
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
		rc = add_profile(&cdev->tx_profiles, &svc->tx[i], first, mask) ?:
		     add_profile(&cdev->rx_profiles, &svc->rx[i], first, mask);
	}
	for (i = 0; i < cxi_svc_vnis(svc) && !rc; i++)
		rc = equip(svc, svc->rx[i]) ?: equip(svc, svc->tx[i]);
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

int cxi_svc_get_vni_range(struct cxi_dev *cdev, u32 id, u32 *min, u32 *max)
{
	struct cxi_svc *svc = cxi_svc_lock(cdev->services, id);
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
	struct cxi_svc *svc = cxi_svc_lock(cdev, id);
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
