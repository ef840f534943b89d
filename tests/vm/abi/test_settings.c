// SPDX-License-Identifier: GPL-2.0
/* What is set apart from the descriptor: LPR, exclusive CP, VNI range, netns. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"

static void send_expecting(struct device *device, const char *name, struct request made,
			   int error)
{
	expect(name, device->fd, made.bytes, made.size, error);
}

static struct request lpr_of(uint32_t svc, uint32_t lpr)
{
	struct request made = on_svc(53, NULL, svc);

	put32(made.bytes, AT_FIELD_2, lpr);
	return made;
}

/* The boolean is a byte behind op and service. */
static struct request set_exclusive(uint32_t svc, uint8_t on)
{
	struct request made = brief(78, svc, 0);

	made.bytes[AT_BRIEF_2] = on;
	return made;
}

static void test_lpr(struct device *device, uint32_t id)
{
	static struct answer a;
	uint32_t lni;

	send_expecting(device, "SVC_GET_LPR 1", on_svc(54, &a, DEFAULT_SVC), 0);
	check(get32(a.bytes, 0) == 1 && written(&a) == 4, "SVC_GET_LPR: 1");
	send_expecting(device, "SVC_GET_LPR of none", on_svc(54, &a, NO_SVC), EINVAL);
	send_expecting(device, "SVC_SET_LPR 8", lpr_of(id, 8), 0);
	send_expecting(device, "SVC_GET_LPR", on_svc(54, &a, id), 0);
	check(get32(a.bytes, 0) == 8, "SVC_GET_LPR: 8");
	send_expecting(device, "SVC_SET_LPR 9", lpr_of(id, 9), EINVAL);
	send_expecting(device, "SVC_SET_LPR of none", lpr_of(NO_SVC, 1), EINVAL);
	enable(device, id, 1);
	lni_alloc(device, id, &lni);
	send_expecting(device, "SVC_SET_LPR in use", lpr_of(id, 1), EBUSY);
	lni_free(device, lni);
	enable(device, id, 0);
}

static void test_range(struct device *device, uint32_t id)
{
	static struct answer a;

	send_expecting(device, "SVC_GET_VNI_RANGE of the default service",
		       on_svc(82, &a, DEFAULT_SVC), EINVAL);
	send_expecting(device, "SVC_GET_VNI_RANGE of none", on_svc(82, &a, NO_SVC), EINVAL);
	send_expecting(device, "SVC_GET_VNI_RANGE before it is set", on_svc(82, &a, id), EINVAL);
	send_expecting(device, "SVC_GET_EXCLUSIVE_CP before a range", on_svc(79, &a, id), ENOENT);
	send_expecting(device, "SVC_SET_EXCLUSIVE_CP before a range", set_exclusive(id, 1),
		       EINVAL);
	send_expecting(device, "SVC_SET_VNI_RANGE of single VNIs",
		       set_vni_range(DEFAULT_SVC, 64, 127), EINVAL);
	send_expecting(device, "SVC_SET_VNI_RANGE of none", set_vni_range(NO_SVC, 64, 127),
		       EINVAL);
	send_expecting(device, "SVC_SET_VNI_RANGE from 0", set_vni_range(id, 0, 63), EINVAL);
	send_expecting(device, "SVC_SET_VNI_RANGE to 65536", set_vni_range(id, 65536, 65536),
		       EINVAL);
	send_expecting(device, "SVC_SET_VNI_RANGE downwards", set_vni_range(id, 127, 64), EINVAL);
	send_expecting(device, "SVC_SET_VNI_RANGE of 63", set_vni_range(id, 64, 126), EINVAL);
	send_expecting(device, "SVC_SET_VNI_RANGE unaligned", set_vni_range(id, 32, 95), EINVAL);
	send_expecting(device, "SVC_SET_VNI_RANGE over VNI 10", set_vni_range(id, 8, 15), EEXIST);
	send_expecting(device, "SVC_SET_VNI_RANGE 64-127", set_vni_range(id, 64, 127), 0);
	send_expecting(device, "SVC_GET_VNI_RANGE", on_svc(82, &a, id), 0);
	check(get32(a.bytes, 0) == 64 && get32(a.bytes, 4) == 127 && written(&a) == 8,
	      "SVC_GET_VNI_RANGE: 64-127 in 8 bytes");
}

static void test_overlap(struct device *device)
{
	struct service asked = service(0);
	uint32_t id;

	alloc(device, &asked, &id);
	check(is_enabled(device, id) == 0, "a service without single VNIs starts disabled");
	send_expecting(device, "SVC_SET_VNI_RANGE over another range", set_vni_range(id, 96, 127),
		       EEXIST);
	send_expecting(device, "SVC_SET_VNI_RANGE beside it", set_vni_range(id, 128, 129), 0);
	check(!destroy(device, id), "SVC_DESTROY with a range");
	asked = service_with_vni(100);
	check(alloc(device, &asked, &id) == EEXIST, "SVC_ALLOC of a VNI in a range: EEXIST");
}

static void test_exclusive(struct device *device, uint32_t id)
{
	static struct answer a;

	send_expecting(device, "SVC_GET_EXCLUSIVE_CP 1", on_svc(79, &a, DEFAULT_SVC), 0);
	check(written(&a) == 1 && !a.bytes[0], "SVC_GET_EXCLUSIVE_CP: one byte, 0");
	send_expecting(device, "SVC_GET_EXCLUSIVE_CP of none", on_svc(79, &a, NO_SVC), EINVAL);
	send_expecting(device, "SVC_SET_EXCLUSIVE_CP of single VNIs",
		       set_exclusive(DEFAULT_SVC, 1), EINVAL);
	send_expecting(device, "SVC_SET_EXCLUSIVE_CP of none", set_exclusive(NO_SVC, 1), EINVAL);
	send_expecting(device, "SVC_SET_EXCLUSIVE_CP", set_exclusive(id, 1), 0);
	send_expecting(device, "SVC_GET_EXCLUSIVE_CP", on_svc(79, &a, id), 0);
	check(a.bytes[0] == 1, "SVC_GET_EXCLUSIVE_CP: 1");
	enable(device, id, 1);
	send_expecting(device, "SVC_SET_EXCLUSIVE_CP while enabled", set_exclusive(id, 0), EBUSY);
	enable(device, id, 0);
}

static void test_netns(struct device *device)
{
	struct service asked = service_with_vni(30);
	static struct answer a;
	uint32_t id, named;

	send_expecting(device, "SVC_GET_NETNS without one", on_svc(85, &a, DEFAULT_SVC), EINVAL);
	send_expecting(device, "SVC_GET_NETNS of none", on_svc(85, &a, NO_SVC), EINVAL);
	send_expecting(device, "SVC_SET_NETNS of none", brief(84, NO_SVC, 7), EINVAL);
	send_expecting(device, "SVC_SET_NETNS of a service for anybody", brief(84, DEFAULT_SVC, 7),
		       EEXIST);
	asked.bytes[SVC_FLAGS] |= FLAG_MEMBERS;
	alloc(device, &asked, &id);
	send_expecting(device, "SVC_SET_NETNS while enabled", brief(84, id, 7), EBUSY);
	enable(device, id, 0);
	send_expecting(device, "SVC_SET_NETNS", brief(84, id, 4026532000u), 0);
	send_expecting(device, "SVC_GET_NETNS", on_svc(85, &a, id), 0);
	check(get32(a.bytes, 0) == 4026532000u && written(&a) == 4, "SVC_GET_NETNS: 4026532000");
	destroy(device, id);
	asked = service_with_vni(30);
	add_member(&asked, 0, 1000, MEMBER_UID);
	alloc(device, &asked, &named);
	enable(device, named, 0);
	send_expecting(device, "SVC_SET_NETNS of a service for a user", brief(84, named, 7),
		       EEXIST);
	destroy(device, named);
}

void test_settings(struct device *device)
{
	struct service asked = service(0);
	uint32_t id;

	if (alloc(device, &asked, &id))
		die("SVC_ALLOC");
	test_lpr(device, id);
	test_range(device, id);
	test_overlap(device);
	test_exclusive(device, id);
	test_netns(device);
	destroy(device, id);
}
