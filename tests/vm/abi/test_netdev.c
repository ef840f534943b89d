// SPDX-License-Identifier: GPL-2.0
/* Netdevs use services: a PF's has one of its own, a VF's has the default service. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"

static void netdev_of(const struct device *device, struct ifreq *request)
{
	char path[4200];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "%.4000s/net", device->pci);
	directory = opendir(path);
	if (!directory)
		die(path);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			snprintf(request->ifr_name, IFNAMSIZ, "%.15s", entry->d_name);
	closedir(directory);
}

static int set_up(const struct device *device, bool up)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;
	struct ifreq request = { 0 };

	netdev_of(device, &request);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request))
		die("SIOCGIFFLAGS");
	if (up)
		request.ifr_flags |= IFF_UP;
	else
		request.ifr_flags &= ~IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		error = errno;
	close(fd);
	return error;
}

/* How many services there are; the last of them goes to the caller. */
static uint32_t count_of(struct device *device, uint8_t *last)
{
	static struct answer a, list;
	struct request made = lists(27, &a, 15, &list);
	uint32_t count;

	if (send_request(device, &made))
		return 0;
	count = get32(a.bytes, 0);
	if (count && count <= 15)
		memcpy(last, list.bytes + (count - 1) * SVC_SIZE, SVC_SIZE);
	return count;
}

void test_netdev(struct device *device, struct device *vf)
{
	uint8_t last[SVC_SIZE] = { 0 };
	int was = is_enabled(device, DEFAULT_SVC);
	uint32_t before = count_of(device, last), id;

	is("D6: a PF's netdev goes up", set_up(device, true), 0);
	check(count_of(device, last) == before + 1, "D6: there is one more service");
	check((last[SVC_FLAGS] & FLAG_SYSTEM) && (last[SVC_FLAGS] & FLAG_ENABLE) &&
	      (last[SVC_FLAGS] & FLAG_VNIS) && !last[SVC_VNI_COUNT] &&
	      get32(last, SVC_MEMBERS) == 0 && get32(last, SVC_MEMBERS + 4) == MEMBER_UID,
	      "D6: it is the system's, on, for root, without VNIs");
	id = get32(last, SVC_ID);
	is("D6: SVC_DESTROY of it", destroy(device, id), id == DEFAULT_SVC ? EINVAL : EBUSY);
	set_up(device, false);
	check(count_of(device, last) == before, "D6: it goes with the netdev");
	enable(device, DEFAULT_SVC, 0);
	is("D6: a VF's netdev goes up with the default service off", set_up(vf, true), EKEYREVOKED);
	enable(device, DEFAULT_SVC, 1);
	is("D6: a VF's netdev goes up with the default service on", set_up(vf, true), 0);
	is("D6: SVC_ENABLE off while it is up", enable(device, DEFAULT_SVC, 0), EBUSY);
	set_up(vf, false);
	is("D6: SVC_ENABLE off after it", enable(device, DEFAULT_SVC, 0), 0);
	enable(device, DEFAULT_SVC, was);
}
