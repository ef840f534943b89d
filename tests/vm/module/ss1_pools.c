// SPDX-License-Identifier: GPL-2.0
/* What a NIC has, and what services reserve of it. Callers hold svc_lock. */
#include "ss1.h"

#define LEAST_TLES	8

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

static bool is_wanted(const struct cxi_abi_limit *limit)
{
	return limit->res || limit->max;
}

static int available(struct cxi_dev *cdev, int type)
{
	struct cxi_svc *svc;
	int left = totals[type];
	int id;

	idr_for_each_entry(&cdev->svcs, svc, id)
		left -= svc->desc.limits[type].res;
	return max(left, 0);
}

/* TLEs are looked at last, so nothing is said of how many are left. */
static int look(struct cxi_dev *cdev, struct cxi_abi_svc *desc, bool is_default,
		struct cxi_abi_svc_alloc_resp *resp)
{
	struct cxi_abi_limit *limit = desc->limits;
	int i;

	for (i = 0; i < CXI_RESOURCES; i++, limit++) {
		if (!is_wanted(limit))
			continue;
		if (i != CXI_TLE) {
			resp->available[i] = available(cdev, i);
			if (limit->res > resp->available[i])
				return -ENOSPC;
		} else if (!is_default) {
			limit->res = max_t(u16, limit->res, LEAST_TLES);
			limit->max = limit->res;
		}
	}
	return 0;
}

static int take_pools(struct cxi_dev *cdev, struct cxi_svc *svc,
		      struct cxi_abi_svc_alloc_resp *resp)
{
	const struct cxi_abi_limit *tles = &svc->desc.limits[CXI_TLE];

	if (svc->desc.limits[CXI_LE].res) {
		svc->le_pool = ida_alloc_range(&cdev->le_pools, 1, CXI_LE_POOLS - 1, GFP_KERNEL);
		if (svc->le_pool < 0) {
			resp->no_le_pools = 1;
			return -ENOSPC;
		}
	}
	if (!is_wanted(tles))
		return 0;
	if (tles->res > available(cdev, CXI_TLE))
		return -ENOSPC;
	svc->tle_pool = ida_alloc_range(&cdev->tle_pools, 0, CXI_TLE_POOLS - 1, GFP_KERNEL);
	if (svc->tle_pool >= 0)
		return 0;
	resp->no_tle_pools = 1;
	return -ENOSPC;
}

/* The service is not among the others yet. */
int cxi_svc_reserve(struct cxi_dev *cdev, struct cxi_svc *svc,
		    struct cxi_abi_svc_alloc_resp *resp)
{
	int rc;

	svc->le_pool = -1;
	svc->tle_pool = -1;
	if (!(svc->desc.flags & CXI_SVC_RESOURCE_LIMITS))
		cxi_svcs_limits(svc->desc.limits);
	rc = look(cdev, &svc->desc, idr_is_empty(&cdev->svcs), resp);
	if (!rc)
		rc = take_pools(cdev, svc, resp);
	if (rc)
		cxi_svc_give_back(cdev, svc);
	return rc;
}

void cxi_svc_give_back(struct cxi_dev *cdev, struct cxi_svc *svc)
{
	if (svc->le_pool >= 0)
		ida_free(&cdev->le_pools, svc->le_pool);
	if (svc->tle_pool >= 0)
		ida_free(&cdev->tle_pools, svc->tle_pool);
	svc->le_pool = -1;
	svc->tle_pool = -1;
}
