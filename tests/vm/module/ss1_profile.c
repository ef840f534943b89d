// SPDX-License-Identifier: GPL-2.0
/* Profiles: which VNIs there are on a NIC, and who may use them. Callers hold svc_lock. */
#include <linux/err.h>
#include <linux/slab.h>

#include "ss1.h"

/* Single VNIs may be shared, by drivers that know how. */
static bool clash(const struct cxi_profile *profile, u32 first, u32 mask)
{
	if ((profile->first ^ first) & ~(profile->mask | mask))
		return false;
	return profile->mask || mask || !emu_shares_single_vnis();
}

/* By the lowest number that is free: the order in which profiles are looked at. */
static void number(struct list_head *profiles, struct cxi_profile *new)
{
	struct cxi_profile *profile;

	new->number = 1;
	list_for_each_entry(profile, profiles, node) {
		if (profile->number != new->number)
			break;
		new->number++;
	}
	/* Before the one that it stopped at, or at the end. */
	list_add_tail(&new->node, &profile->node);
}

struct cxi_profile *cxi_profile_new(struct list_head *profiles, u32 first, u32 mask)
{
	struct cxi_profile *profile;

	list_for_each_entry(profile, profiles, node)
		if (clash(profile, first, mask))
			return ERR_PTR(-EEXIST);
	profile = kzalloc(sizeof(*profile), GFP_KERNEL);
	if (!profile)
		return ERR_PTR(-ENOMEM);
	profile->first = first;
	profile->mask = mask;
	profile->kept = true;
	profile->refs = 1;
	cxi_acl_init(&profile->acl);
	number(profiles, profile);
	return profile;
}

void cxi_profile_put(struct cxi_profile *profile)
{
	if (--profile->refs)
		return;
	list_del(&profile->node);
	cxi_acl_clear(&profile->acl);
	kfree(profile);
}

void cxi_profile_drop(struct cxi_profile *profile)
{
	cxi_acl_clear(&profile->acl);
	profile->kept = false;
	cxi_profile_put(profile);
}

/* At the device's end, with those that their service has lost. */
void cxi_profiles_forget(struct list_head *profiles)
{
	struct cxi_profile *profile, *next;

	list_for_each_entry_safe(profile, next, profiles, node) {
		list_del_init(&profile->node);
		if (profile->kept)
			cxi_profile_drop(profile);
	}
}

/* Root gets any VNI that nobody has: a profile that lasts as long as it is used. */
static struct cxi_profile *for_root(struct list_head *profiles, u32 vni)
{
	struct cxi_profile *profile = cxi_profile_new(profiles, vni, 0);
	int rc;

	if (IS_ERR(profile))
		return profile;
	profile->kept = false;
	profile->tcs = BIT(CXI_TC_ETH) - 1;
	profile->enabled = true;
	rc = cxi_acl_add(&profile->acl, CXI_MEMBER_UID, 0);
	if (!rc)
		return profile;
	cxi_profile_put(profile);
	return ERR_PTR(rc);
}

struct cxi_profile *cxi_profile_get(struct list_head *profiles, const struct cxi_who *who, u32 vni)
{
	struct cxi_profile *profile;
	bool found = false;

	list_for_each_entry(profile, profiles, node) {
		if (!profile->enabled || (vni & ~profile->mask) != profile->first)
			continue;
		found = true;
		if (!cxi_acl_admits(&profile->acl, who))
			continue;
		profile->refs++;
		return profile;
	}
	if (found)
		return ERR_PTR(-EPERM);
	return who->uid ? ERR_PTR(-ENOENT) : for_root(profiles, vni);
}
