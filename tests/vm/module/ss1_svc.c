// SPDX-License-Identifier: GPL-2.0
/* Services: the table of a device, making and ending them, what they look like. */
#include <linux/module.h>
#include <linux/slab.h>

#include "ss1.h"

static bool disable_default_svc = true;
module_param(disable_default_svc, bool, 0444);
MODULE_PARM_DESC(disable_default_svc, "Leave the default service disabled");

static bool default_svc_test_mode;
module_param(default_svc_test_mode, bool, 0444);
MODULE_PARM_DESC(default_svc_test_mode, "Give the default service no VNIs");

static int default_svc_num_tles = 512;
module_param(default_svc_num_tles, int, 0644);
MODULE_PARM_DESC(default_svc_num_tles, "TLEs of the default service");

static unsigned int default_vnis[CXI_MAX_VNIS] = { 1, 10, 0, 0 };
module_param_array(default_vnis, uint, NULL, 0444);
MODULE_PARM_DESC(default_vnis, "VNIs of the default service, up to the first 0");

static int default_lnis_per_rgid = 1;
module_param(default_lnis_per_rgid, int, 0644);
MODULE_PARM_DESC(default_lnis_per_rgid, "LNIs per RGID of a new service");

/* A change on one service: found by id, done under the lock. */
struct cxi_svc *cxi_svc_lock(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc;

	mutex_lock(&cdev->svc_lock);
	svc = idr_find(&cdev->svcs, id);
	if (!svc)
		mutex_unlock(&cdev->svc_lock);
	return svc;
}

int cxi_svc_check(const struct cxi_abi_svc *desc)
{
	struct cxi_abi_limit totals[CXI_RESOURCES];
	int i;

	if (desc->flags & CXI_SVC_RESTRICTED_VNIS) {
		if (desc->vni_count > CXI_MAX_VNIS)
			return -EINVAL;
		for (i = 0; i < desc->vni_count; i++)
			if (!desc->vnis[i])
				return -EINVAL;
	}
	if (desc->flags & CXI_SVC_RESTRICTED_MEMBERS)
		for (i = 0; i < CXI_MAX_MEMBERS; i++)
			if (desc->members[i].type >= CXI_MEMBER_TYPES)
				return -EINVAL;
	cxi_svcs_limits(totals);
	if (desc->flags & CXI_SVC_RESOURCE_LIMITS)
		for (i = 0; i < CXI_RESOURCES; i++)
			if (desc->limits[i].max < desc->limits[i].res ||
			    desc->limits[i].max > totals[i].max)
				return -EINVAL;
	return 0;
}

/* A namespace has no place for its number: it gets 0, or the number before it. */
static int add_members(struct cxi_svc *svc)
{
	u32 number = 0;
	int rc = 0;
	int i;

	if (!(svc->desc.flags & CXI_SVC_RESTRICTED_MEMBERS))
		return cxi_acl_add(&svc->acl, CXI_ANYBODY, 0);
	for (i = 0; i < CXI_MAX_MEMBERS && !rc; i++) {
		u32 type = svc->desc.members[i].type;

		if (type == CXI_MEMBER_IGNORE)
			continue;
		if (type != CXI_MEMBER_NETNS)
			number = svc->desc.members[i].id;
		rc = cxi_acl_add(&svc->acl, type, number);
	}
	return rc;
}

/* All that a service has besides itself. */
static void strip(struct cxi_dev *cdev, struct cxi_svc *svc)
{
	cxi_svc_give_back(cdev, svc);
	cxi_svc_drop_profiles(svc);
	cxi_acl_clear(&svc->acl);
}

static int equip(struct cxi_dev *cdev, struct cxi_svc *svc, struct cxi_abi_svc_alloc_resp *resp)
{
	int rc = add_members(svc);

	if (!rc && (svc->desc.flags & CXI_SVC_RESTRICTED_VNIS))
		rc = cxi_svc_add_profiles(cdev, svc, 0, 0);
	return rc ?: cxi_svc_reserve(cdev, svc, resp);
}

/* Caller holds svc_lock. Returns the id. */
static int insert(struct cxi_dev *cdev, struct cxi_svc *svc,
		  struct cxi_abi_svc_alloc_resp *resp)
{
	bool is_off = idr_is_empty(&cdev->svcs) && disable_default_svc;
	int rc = equip(cdev, svc, resp);

	if (!rc)
		rc = idr_alloc(&cdev->svcs, svc, CXI_DEFAULT_SVC, 0, GFP_KERNEL);
	if (rc < 0) {
		strip(cdev, svc);
		return rc;
	}
	svc->desc.id = rc;
	svc->desc.flags &= ~CXI_SVC_ENABLED;
	/* Without single VNIs it waits for its range. */
	if ((svc->desc.flags & CXI_SVC_RESTRICTED_VNIS) && !is_off)
		cxi_svc_switch(svc, true);
	cdev->svc_count++;
	return rc;
}

int cxi_svc_alloc(struct cxi_dev *cdev, const struct cxi_abi_svc *desc,
		  struct cxi_abi_svc_alloc_resp *resp)
{
	struct cxi_svc *svc;
	int rc = cxi_svc_check(desc);

	if (rc)
		return rc;
	svc = kzalloc(sizeof(*svc), GFP_KERNEL);
	if (!svc)
		return -ENOMEM;
	svc->desc = *desc;
	svc->le_pool = -1;
	svc->tle_pool = -1;
	svc->lpr = desc->flags & CXI_SVC_SYSTEM ? 1 : READ_ONCE(default_lnis_per_rgid);
	cxi_acl_init(&svc->acl);
	mutex_lock(&cdev->svc_lock);
	rc = insert(cdev, svc, resp);
	mutex_unlock(&cdev->svc_lock);
	if (rc < 0) {
		kfree(svc);
		return rc;
	}
	memset(resp, 0, sizeof(*resp));
	resp->svc_id = rc;
	return 0;
}
EXPORT_SYMBOL_GPL(cxi_svc_alloc);

int cxi_svc_destroy(struct cxi_dev *cdev, u32 id)
{
	struct cxi_svc *svc;
	int rc = 0;

	if (id == CXI_DEFAULT_SVC)
		return -EINVAL;
	mutex_lock(&cdev->svc_lock);
	svc = idr_find(&cdev->svcs, id);
	if (!svc)
		rc = -EINVAL;
	else if (svc->users)
		rc = -EBUSY;
	if (!rc) {
		idr_remove(&cdev->svcs, id);
		cdev->svc_count--;
		strip(cdev, svc);
		kfree(svc);
	}
	mutex_unlock(&cdev->svc_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(cxi_svc_destroy);

/* The number of services; the list is filled only if it has room for all. */
int cxi_svc_list(struct cxi_dev *cdev, unsigned int room, struct cxi_abi_svc *list)
{
	struct cxi_svc *svc;
	int id, count;

	cdev = cdev->services;
	mutex_lock(&cdev->svc_lock);
	count = cdev->svc_count;
	if (room >= count)
		idr_for_each_entry(&cdev->svcs, svc, id)
			*list++ = svc->desc;
	mutex_unlock(&cdev->svc_lock);
	return count;
}
EXPORT_SYMBOL_GPL(cxi_svc_list);

/* No resource is ever in use here; LEs are not counted without a pool. */
static void use_of(struct cxi_svc *svc, struct cxi_abi_use *use)
{
	*use = (struct cxi_abi_use){ .svc_id = svc->desc.id };
	if (svc->le_pool < 0)
		use->in_use[CXI_LE] = U16_MAX;
	if (svc->tle_pool < 0)
		use->in_use[CXI_TLE] = U16_MAX;
	else
		use->tle_pool = svc->tle_pool;
}

int cxi_svc_use_list(struct cxi_dev *cdev, unsigned int room, struct cxi_abi_use *list)
{
	struct cxi_svc *svc;
	int id, count;

	cdev = cdev->services;
	mutex_lock(&cdev->svc_lock);
	count = cdev->svc_count;
	if (room >= count)
		idr_for_each_entry(&cdev->svcs, svc, id)
			use_of(svc, list++);
	mutex_unlock(&cdev->svc_lock);
	return count;
}
EXPORT_SYMBOL_GPL(cxi_svc_use_list);

int cxi_svc_get(struct cxi_dev *cdev, u32 id, struct cxi_abi_svc *desc)
{
	struct cxi_svc *svc;

	cdev = cdev->services;
	mutex_lock(&cdev->svc_lock);
	svc = idr_find(&cdev->svcs, id);
	if (svc)
		*desc = svc->desc;
	mutex_unlock(&cdev->svc_lock);
	return svc ? 0 : -EINVAL;
}
EXPORT_SYMBOL_GPL(cxi_svc_get);

int cxi_svc_use(struct cxi_dev *cdev, u32 id, struct cxi_abi_use *use)
{
	struct cxi_svc *svc;

	cdev = cdev->services;
	mutex_lock(&cdev->svc_lock);
	svc = idr_find(&cdev->svcs, id);
	if (svc) {
		use_of(svc, use);
		/* The command for one service leaves its id out. */
		use->svc_id = 0;
	}
	mutex_unlock(&cdev->svc_lock);
	return svc ? 0 : -EINVAL;
}
EXPORT_SYMBOL_GPL(cxi_svc_use);

static int make_default(struct cxi_dev *cdev)
{
	struct cxi_abi_svc desc = { .flags = CXI_SVC_RESOURCE_LIMITS };
	struct cxi_abi_svc_alloc_resp resp = {};
	u16 tles = clamp(default_svc_num_tles, 8, CXI_NUM_TLES);
	int rc, i;

	cxi_svcs_limits(desc.limits);
	desc.limits[CXI_TLE] = (struct cxi_abi_limit){ tles, tles };
	for (i = 0; i < 4; i++)
		desc.tcs[i] = 1;
	if (!default_svc_test_mode) {
		desc.flags |= CXI_SVC_RESTRICTED_VNIS;
		for (i = 0; i < CXI_MAX_VNIS; i++) {
			if (!default_vnis[i] || default_vnis[i] > U16_MAX)
				break;
			desc.vnis[desc.vni_count++] = default_vnis[i];
		}
		if (!desc.vni_count)
			return -EINVAL;
	}
	rc = cxi_svc_alloc(cdev, &desc, &resp);
	/* Whatever the default for others is. */
	return rc ?: cxi_svc_reset_lpr(cdev, resp.svc_id);
}

int cxi_svcs_init(struct cxi_dev *cdev)
{
	WRITE_ONCE(cdev->nic->rgids, 0);
	return cdev->services == cdev ? make_default(cdev) : 0;
}

/* What is in use stays until its user goes. */
void cxi_svcs_exit(struct cxi_dev *cdev)
{
	struct cxi_svc *svc;
	int id;

	mutex_lock(&cdev->svc_lock);
	idr_for_each_entry(&cdev->svcs, svc, id) {
		strip(cdev, svc);
		kfree(svc);
	}
	idr_destroy(&cdev->svcs);
	cdev->svc_count = 0;
	cxi_profiles_forget(&cdev->tx_profiles);
	cxi_profiles_forget(&cdev->rx_profiles);
	ida_destroy(&cdev->le_pools);
	ida_destroy(&cdev->tle_pools);
	mutex_unlock(&cdev->svc_lock);
}
