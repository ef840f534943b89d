// SPDX-License-Identifier: GPL-2.0
/* LNIs: uses of a service, each in a resource group. */
#include <linux/module.h>
#include <linux/slab.h>

#include "ss1.h"

static int admit(const struct cxi_svc *svc, bool is_vf)
{
	struct cxi_who who = cxi_who_asks(is_vf);

	if (!svc)
		return -EINVAL;
	if (!(svc->desc.flags & CXI_SVC_ENABLED))
		return -EKEYREVOKED;
	return cxi_acl_admits(&svc->acl, &who) ? 0 : -EPERM;
}

/* One of the service's that has room, as it was shared when it was taken. */
static int shared_group(struct cxi_dev *cdev, const struct cxi_svc *svc)
{
	int i;

	for (i = 1; i < EMU_RGIDS; i++) {
		struct cxi_rgid *group = cdev->rgids[i];

		if (group && group->svc_id == svc->desc.id && group->lpr == svc->lpr &&
		    group->users < group->lpr)
			return i;
	}
	return 0;
}

static int new_group(struct cxi_dev *cdev, const struct cxi_svc *svc)
{
	struct cxi_rgid *group;
	int i = 1;

	if (cdev->nic->rgids >= emu_rgids(cdev->nic))
		return -ENOSPC;
	while (i < EMU_RGIDS && cdev->rgids[i])
		i++;
	if (i == EMU_RGIDS)
		return -ENOSPC;
	group = kzalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		return -ENOMEM;
	group->svc_id = svc->desc.id;
	group->lpr = svc->lpr;
	cdev->rgids[i] = group;
	WRITE_ONCE(cdev->nic->rgids, cdev->nic->rgids + 1);
	return i;
}

static int get_group(struct cxi_dev *cdev, const struct cxi_svc *svc)
{
	int i = shared_group(cdev, svc) ?: new_group(cdev, svc);

	if (i > 0)
		cdev->rgids[i]->users++;
	return i;
}

static void put_group(struct cxi_dev *cdev, int i)
{
	struct cxi_rgid *group = cdev->rgids[i];

	if (--group->users)
		return;
	cdev->rgids[i] = NULL;
	kfree(group);
	WRITE_ONCE(cdev->nic->rgids, cdev->nic->rgids - 1);
}

/* Caller holds svc_lock. */
static int take(struct cxi_lni *lni)
{
	struct cxi_dev *cdev = lni->cdev;
	struct cxi_svc *svc = idr_find(&cdev->svcs, lni->svc_id);
	int rc = admit(svc, lni->is_vf);

	if (rc)
		return rc;
	rc = get_group(cdev, svc);
	if (rc < 0)
		return rc;
	lni->rgid = rc;
	rc = ida_alloc_min(&cdev->lnis, 1, GFP_KERNEL);
	if (rc < 0) {
		put_group(cdev, lni->rgid);
		return rc;
	}
	lni->id = rc;
	svc->users++;
	return 0;
}

struct cxi_lni *cxi_lni_alloc(struct cxi_dev *cdev, u32 svc_id)
{
	struct cxi_lni *lni = kzalloc(sizeof(*lni), GFP_KERNEL);
	int rc;

	if (!lni)
		return ERR_PTR(-ENOMEM);
	lni->is_vf = emu_is_vf(cdev->nic);
	lni->cdev = cdev->services;
	lni->svc_id = svc_id;
	mutex_lock(&lni->cdev->svc_lock);
	rc = take(lni);
	mutex_unlock(&lni->cdev->svc_lock);
	if (rc) {
		kfree(lni);
		return ERR_PTR(rc);
	}
	return lni;
}
EXPORT_SYMBOL_GPL(cxi_lni_alloc);

int cxi_lni_id(const struct cxi_lni *lni)
{
	return lni->id;
}
EXPORT_SYMBOL_GPL(cxi_lni_id);

/* The service is not there any more if the device of a VF's PF went first. */
int cxi_lni_free(struct cxi_lni *lni)
{
	struct cxi_dev *cdev = lni->cdev;
	struct cxi_svc *svc;

	mutex_lock(&cdev->svc_lock);
	if (lni->refs) {
		mutex_unlock(&cdev->svc_lock);
		return -EBUSY;
	}
	svc = idr_find(&cdev->svcs, lni->svc_id);
	if (svc)
		svc->users--;
	put_group(cdev, lni->rgid);
	ida_free(&cdev->lnis, lni->id);
	mutex_unlock(&cdev->svc_lock);
	kfree(lni);
	return 0;
}
EXPORT_SYMBOL_GPL(cxi_lni_free);
