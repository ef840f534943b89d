// SPDX-License-Identifier: GPL-2.0
/* What a NIC has few of: pools of TLEs and LEs, and resource groups for LNIs. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"

#define MOST 20

static uint32_t tle_pool(struct device *device, uint32_t id, uint16_t *in_use)
{
	static struct answer a;
	struct request made = on_svc(50, &a, id);

	if (send_request(device, &made))
		return 0xffffffff;
	*in_use = get16(a.bytes, USE_COUNTS + 2 * RESOURCE_TLE);
	return get32(a.bytes, USE_TLE_POOL);
}

static struct service limited(uint16_t les, uint16_t tles)
{
	struct service made = service(FLAG_VNIS | FLAG_LIMITS);

	put16(made.bytes, SVC_LIMITS + 4 * RESOURCE_LE, les);
	put16(made.bytes, SVC_LIMITS + 4 * RESOURCE_LE + 2, les);
	put16(made.bytes, SVC_LIMITS + 4 * RESOURCE_TLE, tles);
	put16(made.bytes, SVC_LIMITS + 4 * RESOURCE_TLE + 2, tles);
	return made;
}

/* Makes services until one is refused; their number. */
static int fill(struct device *device, const struct service *asked, uint32_t *ids,
		struct answer *last, int *error)
{
	int count = 0;

	*error = 0;
	while (count < MOST) {
		struct request made = svc_alloc(last, asked->bytes);

		*error = send_request(device, &made);
		if (*error)
			break;
		ids[count++] = get32(last->bytes, ALLOC_ID);
	}
	return count;
}

static void test_tle_pools(struct device *device)
{
	struct service asked = service(FLAG_VNIS), none = limited(0, 0);
	static struct answer a;
	uint32_t ids[MOST], id, again;
	uint8_t svc[SVC_SIZE];
	uint16_t in_use = 1;
	int error, count = fill(device, &asked, ids, &a, &error);

	check(count == 3, "D1: %d services have a TLE pool beside the default one", count);
	is("D1: SVC_ALLOC without limits when no pool is left", error, ENOSPC);
	check(a.bytes[ALLOC_NO_TLES] == 1 && a.bytes[ALLOC_NO_LES] == 0,
	      "D1: SVC_ALLOC says that TLE pools ran out");
	get_service(device, ids[0], svc);
	check(get16(svc, SVC_LIMITS + 4 * RESOURCE_TLE) == 8 &&
	      get16(svc, SVC_LIMITS + 4 * RESOURCE_TLE + 2) == 8,
	      "D1: without limits it has 8 TLEs");
	check(tle_pool(device, DEFAULT_SVC, &in_use) == 0 && !in_use,
	      "D12: the default service has pool 0");
	for (int i = 0; i < count && i < 3; i++)
		check(tle_pool(device, ids[i], &in_use) == (uint32_t)i + 1 && !in_use,
		      "D12: service %u has pool %d", ids[i], i + 1);
	is("D1: SVC_ALLOC with 0 TLEs when no pool is left", alloc(device, &none, &id), 0);
	check(tle_pool(device, id, &in_use) == 0 && in_use == 0xffff,
	      "D12: without TLEs it has pool 0 and no count");
	destroy(device, id);
	destroy(device, ids[1]);
	is("D1: SVC_ALLOC after one has gone", alloc(device, &asked, &again), 0);
	check(tle_pool(device, again, &in_use) == 2, "D12: it has the pool that was given back");
	destroy(device, again);
	while (count--)
		if (count != 1)
			destroy(device, ids[count]);
}

static void test_le_pools(struct device *device)
{
	struct service asked = limited(1, 0);
	static struct answer a;
	uint32_t ids[MOST], id;
	int error, count = fill(device, &asked, ids, &a, &error);

	check(count == 15, "D1: %d services have an LE pool", count);
	is("D1: SVC_ALLOC with LEs when no pool is left", error, ENOSPC);
	check(a.bytes[ALLOC_NO_LES] == 1 && a.bytes[ALLOC_NO_TLES] == 0,
	      "D1: SVC_ALLOC says that LE pools ran out");
	asked = limited(0, 0);
	is("D1: SVC_ALLOC without LEs then", alloc(device, &asked, &id), 0);
	destroy(device, id);
	while (count--)
		destroy(device, ids[count]);
}

/* LNIs until one is refused; their number. */
static int fill_lnis(struct device *device, uint32_t svc, uint32_t *lnis, int most, int *error)
{
	int count = 0;

	*error = 0;
	while (count < most) {
		*error = lni_alloc(device, svc, &lnis[count]);
		if (*error)
			break;
		count++;
	}
	return count;
}

static long long groups_left(struct device *device)
{
	return device_number(device, "properties/rgids_avail");
}

/* One of 256 is nobody's, and a retry handler has one. */
static void test_groups(struct device *device)
{
	struct service asked = service_with_vni(20);
	long long left = groups_left(device);
	uint32_t lnis[600], id;
	int error, count;
	int handler = device_number(device, "properties/pct_eq") > 0;

	check(left == 255 - handler, "D16: %lld resource groups are left", left);
	alloc(device, &asked, &id);
	count = fill_lnis(device, id, lnis, 600, &error);
	check(count == left, "D16: %d LNIs, each in a group of its own", count);
	is("D16: LNI_ALLOC when no group is left", error, ENOSPC);
	check(groups_left(device) == 0, "D16: rgids_avail is 0");
	lni_free(device, lnis[--count]);
	check(groups_left(device) == 1, "D16: rgids_avail is 1 after an LNI's end");
	while (count)
		lni_free(device, lnis[--count]);
	set_lpr(device, id, 2);
	count = fill_lnis(device, id, lnis, 600, &error);
	check(count == 2 * left, "D16: %d LNIs, two in each group", count);
	while (count)
		lni_free(device, lnis[--count]);
	check(groups_left(device) == left, "D16: all groups are back");
	destroy(device, id);
}

void test_pools(struct device *device)
{
	test_tle_pools(device);
	test_le_pools(device);
	test_groups(device);
}
