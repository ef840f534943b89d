// SPDX-License-Identifier: GPL-2.0
/* LNIs: the one thing here that uses a service, and checks who may. */
#include <linux/cred.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "ss1.h"

struct cxi_lni {
	/* The device that has the service. */
	struct cxi_dev *cdev;
	u32 svc_id;
	int id;
};

static bool is_me(u32 type, u32 id)
{
	switch (type) {
	case CXI_MEMBER_UID:
		return id == __kuid_val(current_euid());
	case CXI_MEMBER_GID:
		return id == __kgid_val(current_egid());
	default:
		return false;
	}
}

static bool is_member(const struct cxi_svc *svc)
{
	int i;

	if (!(svc->desc.flags & CXI_SVC_RESTRICTED_MEMBERS))
		return true;
	for (i = 0; i < CXI_MAX_MEMBERS; i++)
		if (is_me(svc->desc.members[i].type, svc->desc.members[i].id))
			return true;
	return svc->has_netns && svc->netns == current->nsproxy->net_ns->ns.inum;
}

static int admit(const struct cxi_svc *svc)
{
	if (!svc)
		return -EINVAL;
	if (!(svc->desc.flags & CXI_SVC_ENABLED))
		return -EKEYREVOKED;
	return is_member(svc) ? 0 : -EPERM;
}

struct cxi_lni *cxi_lni_alloc(struct cxi_dev *cdev, u32 svc_id)
{
	struct cxi_lni *lni = kzalloc(sizeof(*lni), GFP_KERNEL);
	struct cxi_svc *svc;
	int rc;

	if (!lni)
		return ERR_PTR(-ENOMEM);
	cdev = cdev->services;
	mutex_lock(&cdev->svc_lock);
	svc = idr_find(&cdev->svcs, svc_id);
	rc = admit(svc);
	if (!rc)
		rc = ida_alloc_min(&cdev->lnis, 1, GFP_KERNEL);
	if (rc > 0)
		svc->users++;
	mutex_unlock(&cdev->svc_lock);
	if (rc < 0) {
		kfree(lni);
		return ERR_PTR(rc);
	}
	lni->cdev = cdev;
	lni->svc_id = svc_id;
	lni->id = rc;
	return lni;
}
EXPORT_SYMBOL_GPL(cxi_lni_alloc);

int cxi_lni_id(const struct cxi_lni *lni)
{
	return lni->id;
}
EXPORT_SYMBOL_GPL(cxi_lni_id);

/* The service is not there any more if the device of a VF's PF went first. */
void cxi_lni_free(struct cxi_lni *lni)
{
	struct cxi_svc *svc;

	mutex_lock(&lni->cdev->svc_lock);
	svc = idr_find(&lni->cdev->svcs, lni->svc_id);
	if (svc)
		svc->users--;
	mutex_unlock(&lni->cdev->svc_lock);
	ida_free(&lni->cdev->lnis, lni->id);
	kfree(lni);
}
EXPORT_SYMBOL_GPL(cxi_lni_free);
