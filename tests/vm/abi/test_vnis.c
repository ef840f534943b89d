// SPDX-License-Identifier: GPL-2.0
/* VNIs of services: single ones that are shared, ranges, and ranges set twice. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"
#include "who.h"

/* Without single VNIs: it waits for a range. */
static uint32_t for_range(struct device *device, uint8_t flags)
{
	struct service asked = service(flags);
	uint32_t id;

	is("SVC_ALLOC for a range", alloc(device, &asked, &id), 0);
	return id;
}

/* The second range of one service is a fault of the driver's: the first is never given back. */
static void test_second_range(struct device *device)
{
	uint32_t id = for_range(device, 0), other, min = 0, max = 0;

	is("D7: SVC_SET_VNI_RANGE 4096-4159", set_range(device, id, 4096, 4159), 0);
	is("D7: SVC_SET_VNI_RANGE that overlaps it", set_range(device, id, 4096, 4127), EEXIST);
	is("D7: SVC_GET_VNI_RANGE after it", get_range(device, id, &min, &max), ENOENT);
	is("D7: SVC_ENABLE after it", enable(device, id, 1), EINVAL);
	check(is_enabled(device, id) == 0, "D7: the service stays off");
	is("D7: SVC_DESTROY of it", destroy(device, id), 0);
	other = for_range(device, 0);
	is("D7: SVC_SET_VNI_RANGE of what it had", set_range(device, other, 4096, 4159), EEXIST);
	destroy(device, other);

	id = for_range(device, 0);
	is("D7: SVC_SET_VNI_RANGE 8192-8255", set_range(device, id, 8192, 8255), 0);
	is("D7: SVC_SET_VNI_RANGE beside it", set_range(device, id, 8256, 8319), 0);
	is("D7: SVC_GET_VNI_RANGE after it", get_range(device, id, &min, &max), 0);
	check(min == 8256 && max == 8319, "D7: the second range is in force: %u-%u", min, max);
	is("D7: SVC_DESTROY of it", destroy(device, id), 0);
	other = for_range(device, 0);
	is("D7: SVC_SET_VNI_RANGE of the first", set_range(device, other, 8192, 8255), EEXIST);
	destroy(device, other);
	other = for_range(device, 0);
	is("D7: SVC_SET_VNI_RANGE of the second", set_range(device, other, 8256, 8319), 0);
	destroy(device, other);
}

static void test_range_of_one(struct device *device)
{
	uint32_t id = for_range(device, 0), min = 0, max = 0;

	is("D8: SVC_SET_VNI_RANGE of VNI 1 alone", set_range(device, id, 1, 1), 0);
	is("D8: SVC_GET_VNI_RANGE", get_range(device, id, &min, &max), 0);
	check(min == 1 && max == 1, "D8: it is 1-1: %u-%u", min, max);
	destroy(device, id);
}

static void share_single_vnis(char on)
{
	int fd = open("/sys/module/cxi_emu/parameters/share_single_vnis", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, &on, 1) != 1)
		check(false, "share_single_vnis can be set: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void test_shared(struct device *device)
{
	struct service asked = service_with_vni(20);
	uint32_t first, second = 0, range;

	is("SVC_ALLOC with VNI 20", alloc(device, &asked, &first), 0);
	is("SVC_ALLOC with VNI 20 again", alloc(device, &asked, &second), 0);
	destroy(device, second);
	share_single_vnis('N');
	is("before 2026-06: SVC_ALLOC with VNI 20 again", alloc(device, &asked, &second), EEXIST);
	range = for_range(device, 0);
	is("before 2026-06: SVC_SET_VNI_RANGE of VNI 20 alone", set_range(device, range, 20, 20),
	   EEXIST);
	share_single_vnis('Y');
	destroy(device, range);
	destroy(device, first);
}

/* The range's profile knows only the members of the descriptor, and what is added later. */
static void test_namespace_and_range(struct device *device)
{
	struct netns netns = netns_make();
	uint32_t id = for_range(device, FLAG_MEMBERS);

	is("D9: SVC_SET_NETNS before the range", set_netns(device, id, netns.inode), 0);
	is("D9: SVC_SET_VNI_RANGE after it", set_range(device, id, 16384, 16447), 0);
	enable(device, id, 1);
	is("D9: LNI_ALLOC in the namespace", use_as(true, netns.fd, device, id), 0);
	is("D9: DOMAIN_ALLOC in the namespace",
	   domain_as(true, netns.fd, device, id, 16400), EPERM);
	is("D9: DOMAIN_ALLOC by root in the namespace",
	   domain_as(false, netns.fd, device, id, 16400), EPERM);
	destroy(device, id);
	id = for_range(device, FLAG_MEMBERS);
	is("D9: SVC_ENABLE before the range", enable(device, id, 1), 0);
	is("D9: SVC_SET_VNI_RANGE while on", set_range(device, id, 16384, 16447), 0);
	is("D9: SVC_SET_NETNS while on", set_netns(device, id, netns.inode), EBUSY);
	enable(device, id, 0);
	is("D9: SVC_SET_NETNS after the range", set_netns(device, id, netns.inode), 0);
	enable(device, id, 1);
	is("D9: DOMAIN_ALLOC in a namespace set after the range",
	   domain_as(true, netns.fd, device, id, 16400), 0);
	is("D9: CP_ALLOC there", cp_as(true, netns.fd, device, id, 16400), 0);
	destroy(device, id);
	netns_end(&netns);
}

void test_vnis(struct device *device)
{
	test_second_range(device);
	test_range_of_one(device);
	test_shared(device);
	test_namespace_and_range(device);
}
