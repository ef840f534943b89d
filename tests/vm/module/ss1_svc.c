// SPDX-License-Identifier: GPL-2.0
/* Services: the table of a device, making and ending them, what they look like. */
#include <linux/module.h>
#include <linux/slab.h>

#include "ss1.h"

#define MOST_SVCS	256
#define LEAST_TLES	8

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

static bool enable_rgid_sharing = true;
module_param(enable_rgid_sharing, bool, 0444);
MODULE_PARM_DESC(enable_rgid_sharing, "Not emulated");

static int default_lnis_per_rgid = 1;
module_param(default_lnis_per_rgid, int, 0444);
MODULE_PARM_DESC(default_lnis_per_rgid, "LNIs per RGID of a new service");

static const u16 totals[CXI_RESOURCES] = {
	[CXI_PTE] = CXI_NUM_PTES, [CXI_TXQ] = CXI_NUM_TXQS, [CXI_TGQ] = CXI_NUM_TGQS,
	[CXI_EQ] = CXI_NUM_EQS, [CXI_CT] = CXI_NUM_CTS, [CXI_LE] = CXI_NUM_LES,
	[CXI_TLE] = CXI_NUM_TLES, [CXI_AC] = CXI_NUM_ACS,
};

void cxi_svcs_limits(struct cxi_abi_limit *limits)
{
	int i;

	for (i = 0; i < CXI_RESOURCES; i++)
		limits[i] = (struct cxi_abi_limit){ .max = totals[i] };
}

static int check(const struct cxi_abi_svc *desc)
{
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
	if (desc->flags & CXI_SVC_RESOURCE_LIMITS)
		for (i = 0; i < CXI_RESOURCES; i++)
			if (desc->limits[i].max < desc->limits[i].res ||
			    desc->limits[i].max > totals[i])
				return -EINVAL;
	return 0;
}

/* What is left to reserve; the caller holds svc_lock. */
static int available(struct cxi_dev *cdev, int type)
{
	struct cxi_svc *svc;
	int left = totals[type];
	int id;

	idr_for_each_entry(&cdev->svcs, svc, id)
		left -= svc->desc.limits[type].res;
	return max(left, 0);
}

static int reserve(struct cxi_dev *cdev, struct cxi_abi_svc *desc, bool is_default,
		   struct cxi_abi_svc_alloc_resp *resp)
{
	struct cxi_abi_limit *tles = &desc->limits[CXI_TLE];
	int i;

	if (!(desc->flags & CXI_SVC_RESOURCE_LIMITS))
		cxi_svcs_limits(desc->limits);
	if (!is_default && (tles->res || tles->max)) {
		tles->res = max_t(u16, tles->res, LEAST_TLES);
		tles->max = tles->res;
	}
	for (i = 0; i < CXI_RESOURCES; i++) {
		if (!desc->limits[i].res && !desc->limits[i].max)
			continue;
		resp->available[i] = available(cdev, i);
		if (desc->limits[i].res > resp->available[i])
			return -ENOSPC;
	}
	return 0;
}

/* VNI ranges may not overlap anything; single VNIs may be shared. */
bool cxi_svc_vnis_clash(struct cxi_dev *cdev, const struct cxi_svc *svc)
{
	struct cxi_svc *other;
	int id, i;

	idr_for_each_entry(&cdev->svcs, other, id) {
		if (other == svc)
			continue;
		if (svc->has_range && other->has_range &&
		    svc->vni_min <= other->vni_max && other->vni_min <= svc->vni_max)
			return true;
		for (i = 0; svc->has_range && !other->has_range &&
		     i < other->desc.vni_count; i++)
			if (other->desc.vnis[i] >= svc->vni_min &&
			    other->desc.vnis[i] <= svc->vni_max)
				return true;
		for (i = 0; !svc->has_range && other->has_range &&
		     i < svc->desc.vni_count; i++)
			if (svc->desc.vnis[i] >= other->vni_min &&
			    svc->desc.vnis[i] <= other->vni_max)
				return true;
	}
	return false;
}

/* Caller holds svc_lock. Returns the id. */
static int insert(struct cxi_dev *cdev, struct cxi_svc *svc,
		  struct cxi_abi_svc_alloc_resp *resp)
{
	bool is_default = idr_is_empty(&cdev->svcs);
	bool restricted = svc->desc.flags & CXI_SVC_RESTRICTED_VNIS;
	int rc = 0;

	if (restricted && cxi_svc_vnis_clash(cdev, svc))
		rc = -EEXIST;
	if (!rc)
		rc = reserve(cdev, &svc->desc, is_default, resp);
	if (!rc)
		rc = idr_alloc(&cdev->svcs, svc, CXI_DEFAULT_SVC, MOST_SVCS, GFP_KERNEL);
	if (rc < 0)
		return rc;
	svc->desc.id = rc;
	svc->desc.flags &= ~CXI_SVC_ENABLED;
	/* Without single VNIs it waits for its range. */
	if (restricted && !(is_default && disable_default_svc))
		svc->desc.flags |= CXI_SVC_ENABLED;
	cdev->svc_count++;
	return rc;
}

int cxi_svc_alloc(struct cxi_dev *cdev, const struct cxi_abi_svc *desc,
		  struct cxi_abi_svc_alloc_resp *resp)
{
	struct cxi_svc *svc;
	int rc = check(desc);

	if (rc)
		return rc;
	svc = kzalloc(sizeof(*svc), GFP_KERNEL);
	if (!svc)
		return -ENOMEM;
	svc->desc = *desc;
	svc->desc.pad = 0;
	svc->lpr = desc->flags & CXI_SVC_SYSTEM ? 1 : default_lnis_per_rgid;
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
	if (!svc->desc.limits[CXI_LE].res)
		use->in_use[CXI_LE] = U16_MAX;
	if (!svc->desc.limits[CXI_TLE].res)
		use->in_use[CXI_TLE] = U16_MAX;
	else
		use->tle_pool = svc->desc.id;
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
	u16 tles = clamp(default_svc_num_tles, LEAST_TLES, CXI_NUM_TLES);
	int i;

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
	return cxi_svc_alloc(cdev, &desc, &resp);
}

int cxi_svcs_init(struct cxi_dev *cdev)
{
	return cdev->services == cdev ? make_default(cdev) : 0;
}

void cxi_svcs_exit(struct cxi_dev *cdev)
{
	struct cxi_svc *svc;
	int id;

	mutex_lock(&cdev->svc_lock);
	idr_for_each_entry(&cdev->svcs, svc, id)
		kfree(svc);
	idr_destroy(&cdev->svcs);
	cdev->svc_count = 0;
	mutex_unlock(&cdev->svc_lock);
}
