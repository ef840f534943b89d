// SPDX-License-Identifier: GPL-2.0
/* A virtual function, and a device that goes while its node is open. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"

/* A VF asks its PF for services, and changes none. */
void test_vf(struct device *vf, struct device *pf)
{
	static struct answer a;
	struct request made = request(52, &a);
	uint8_t own[SVC_SIZE], physical[SVC_SIZE];
	char name[64];
	uint32_t lni;
	int was;

	expect("VF: DEV_INFO_GET", vf->fd, made.bytes, made.size, 0);
	check(!get32(a.bytes, INFO_PCT_EQ) && !a.bytes[INFO_LINK],
	      "VF: no retry handler and no link of its own");
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!commands[i].admin)
			continue;
		made = on_svc(commands[i].op, commands[i].answer ? &a : NULL, DEFAULT_SVC);
		snprintf(name, sizeof(name), "VF: %s", commands[i].name);
		expect(name, vf->fd, made.bytes, made.size, EPERM);
	}
	check(!get_service(vf, DEFAULT_SVC, own) && !get_service(pf, DEFAULT_SVC, physical) &&
	      !memcmp(own, physical, SVC_SIZE), "VF: SVC_GET says what the PF's says");
	was = is_enabled(pf, DEFAULT_SVC);
	enable(pf, DEFAULT_SVC, 0);
	check(lni_alloc(vf, DEFAULT_SVC, &lni) == EKEYREVOKED, "VF: LNI_ALLOC, off: EKEYREVOKED");
	enable(pf, DEFAULT_SVC, 1);
	check(!lni_alloc(vf, DEFAULT_SVC, &lni), "VF: LNI_ALLOC, on: ok");
	check(enable(pf, DEFAULT_SVC, 0) == EBUSY, "VF: its LNI keeps the PF's service busy");
	lni_free(vf, lni);
	enable(pf, DEFAULT_SVC, was);
}

static void to_driver(const char *file, const char *pci)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/cxi_ss1/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, pci, strlen(pci)) < 0)
		die(path);
	close(fd);
}

/* Changes the device's number: nothing may follow that uses its path. */
void test_removal(struct device *device)
{
	const char *pci = basename(device->pci);
	static struct answer a;
	struct request made = request(52, &a);
	uint32_t lni;
	int was = is_enabled(device, DEFAULT_SVC);

	enable(device, DEFAULT_SVC, 1);
	check(!lni_alloc(device, DEFAULT_SVC, &lni), "LNI_ALLOC before the removal");
	check(was >= 0, "SVC_GET before the removal");
	to_driver("unbind", pci);
	expect("DEV_INFO_GET after the removal", device->fd, made.bytes, made.size, EIO);
	check(!written(&a), "DEV_INFO_GET after the removal writes nothing");
	expect("a wrong size after the removal", device->fd, made.bytes, 17, EINVAL);
	check(lni_free(device, lni) == EIO, "LNI_FREE after the removal: EIO");
	check(enable(device, DEFAULT_SVC, 1) == EIO, "SVC_ENABLE after the removal: EIO");
	check(open(device->path, O_RDWR | O_CLOEXEC) < 0 && errno == ENOENT,
	      "open after the removal: ENOENT");
	check(device_clients(device) == -1, "no class entry after the removal");
	to_driver("bind", pci);
	expect("the old file after a rebind", device->fd, made.bytes, made.size, EIO);
	check(open(device->path, O_RDWR | O_CLOEXEC) < 0 && errno == ENOENT,
	      "the old name after a rebind: ENOENT");
	check(!close(device->fd), "close after the removal");
}
