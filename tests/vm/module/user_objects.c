// SPDX-License-Identifier: GPL-2.0
/* What an open file has: LNIs, and what is on them. */
#include <linux/err.h>
#include <linux/slab.h>

#include "user.h"

/* Several may share one profile, each with a number of its own. */
struct user_cp {
	struct cxi_cp *cp;
	struct cxi_lni *lni;
};

void user_objects_init(struct user_client *client)
{
	mutex_init(&client->objects_lock);
	idr_init(&client->lnis);
	idr_init(&client->domains);
	idr_init(&client->cps);
}

static void free_cp(struct user_cp *cp)
{
	cxi_cp_free(cp->cp, cp->lni);
	kfree(cp);
}

/* LNIs last: they are in use by the others. */
void user_objects_free(struct user_client *client)
{
	struct cxi_domain *domain;
	struct user_cp *cp;
	struct cxi_lni *lni;
	int id;

	mutex_lock(&client->objects_lock);
	idr_for_each_entry(&client->domains, domain, id)
		cxi_domain_free(domain);
	idr_destroy(&client->domains);
	idr_for_each_entry(&client->cps, cp, id)
		free_cp(cp);
	idr_destroy(&client->cps);
	idr_for_each_entry(&client->lnis, lni, id)
		cxi_lni_free(lni);
	idr_destroy(&client->lnis);
	mutex_unlock(&client->objects_lock);
}

static int add_lni(struct user_client *client, u32 svc_id, u32 *id)
{
	struct cxi_lni *lni = cxi_lni_alloc(client->user->dev, svc_id);
	int rc;

	if (IS_ERR(lni))
		return PTR_ERR(lni);
	*id = cxi_lni_id(lni);
	rc = idr_alloc(&client->lnis, lni, *id, *id + 1, GFP_KERNEL);
	if (rc >= 0)
		return 0;
	cxi_lni_free(lni);
	return rc;
}

int user_lni_alloc(struct user_client *client, u32 svc_id, u32 *id)
{
	int rc;

	mutex_lock(&client->objects_lock);
	rc = add_lni(client, svc_id, id);
	mutex_unlock(&client->objects_lock);
	return rc;
}

int user_lni_free(struct user_client *client, u32 id)
{
	struct cxi_lni *lni;
	int rc = -EINVAL;

	mutex_lock(&client->objects_lock);
	lni = idr_find(&client->lnis, id);
	if (lni)
		rc = cxi_lni_free(lni);
	if (!rc)
		idr_remove(&client->lnis, id);
	mutex_unlock(&client->objects_lock);
	return rc;
}

static int add_domain(struct user_client *client, struct cxi_lni *lni, u32 vni, u32 pid,
		      struct cxi_abi_domain *abi)
{
	struct cxi_domain *domain;
	int rc;

	if (!lni)
		return -EINVAL;
	domain = cxi_domain_alloc(lni, vni, pid);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	cxi_domain_describe(domain, abi);
	rc = idr_alloc(&client->domains, domain, abi->id, abi->id + 1, GFP_KERNEL);
	if (rc >= 0)
		return 0;
	cxi_domain_free(domain);
	return rc;
}

int user_domain_alloc(struct user_client *client, u32 lni, u32 vni, u32 pid,
		      struct cxi_abi_domain *abi)
{
	int rc;

	mutex_lock(&client->objects_lock);
	rc = add_domain(client, idr_find(&client->lnis, lni), vni, pid, abi);
	mutex_unlock(&client->objects_lock);
	return rc;
}

int user_domain_free(struct user_client *client, u32 id)
{
	struct cxi_domain *domain;

	mutex_lock(&client->objects_lock);
	domain = idr_remove(&client->domains, id);
	if (domain)
		cxi_domain_free(domain);
	mutex_unlock(&client->objects_lock);
	return domain ? 0 : -EINVAL;
}

static int add_cp(struct user_client *client, struct user_cp *cp, u32 vni, u32 tc, u32 tc_type,
		  struct cxi_abi_cp *abi)
{
	int rc;

	if (!cp->lni)
		return -EINVAL;
	cp->cp = cxi_cp_alloc(cp->lni, vni, tc, tc_type);
	if (IS_ERR(cp->cp))
		return PTR_ERR(cp->cp);
	rc = idr_alloc(&client->cps, cp, 0, 0, GFP_KERNEL);
	if (rc < 0) {
		cxi_cp_free(cp->cp, cp->lni);
		return rc;
	}
	abi->id = rc;
	abi->lcid = cxi_cp_lcid(cp->cp);
	return 0;
}

int user_cp_alloc(struct user_client *client, u32 lni, u32 vni, u32 tc, u32 tc_type,
		  struct cxi_abi_cp *abi)
{
	struct user_cp *cp = kzalloc(sizeof(*cp), GFP_KERNEL);
	int rc;

	if (!cp)
		return -ENOMEM;
	mutex_lock(&client->objects_lock);
	cp->lni = idr_find(&client->lnis, lni);
	rc = add_cp(client, cp, vni, tc, tc_type, abi);
	mutex_unlock(&client->objects_lock);
	if (rc)
		kfree(cp);
	return rc;
}

int user_cp_free(struct user_client *client, u32 id)
{
	struct user_cp *cp;

	mutex_lock(&client->objects_lock);
	cp = idr_remove(&client->cps, id);
	if (cp)
		free_cp(cp);
	mutex_unlock(&client->objects_lock);
	return cp ? 0 : -EINVAL;
}
