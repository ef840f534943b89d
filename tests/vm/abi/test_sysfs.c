// SPDX-License-Identifier: GPL-2.0
/* Files that follow from, or steer, what the commands do. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"

/* Pauses are counted for each of eight priorities, and received ones for the old kind, too. */
static void test_pauses(struct device *device)
{
	char file[64], text[64];
	int there = 0;

	for (int i = 0; i < 16; i++) {
		snprintf(file, sizeof(file), "telemetry/hni_%s_paused_%d", i < 8 ? "rx" : "tx", i % 8);
		there += device_text(device, file, text, sizeof(text)) && strchr(text, '@');
	}
	check(there == 16, "D13: %d of 16 counts of pauses", there);
	check(device_text(device, "telemetry/hni_rx_paused_std", text, sizeof(text)) &&
	      strchr(text, '@'), "D13: the count of pauses of the old kind");
}

static bool set_parameter(const char *name, const char *value)
{
	char path[128];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "/sys/module/cxi_ss1/parameters/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	if (fd >= 0)
		close(fd);
	return good;
}

static void is_writable(const char *name)
{
	struct stat stat_of = { 0 };
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/cxi_ss1/parameters/%s", name);
	stat(path, &stat_of);
	check((stat_of.st_mode & 0777) == 0644, "D15: %s has mode %o", name,
	      stat_of.st_mode & 0777);
}

static void test_parameters(struct device *device)
{
	struct service asked = service_with_vni(20);
	uint32_t id, lpr = 0;

	is_writable("enable_rgid_sharing");
	is_writable("default_lnis_per_rgid");
	set_parameter("default_lnis_per_rgid", "4");
	alloc(device, &asked, &id);
	get_lpr(device, id, &lpr);
	check(lpr == 4, "D15: a new service has the new default of LNIs per group: %u", lpr);
	set_parameter("default_lnis_per_rgid", "1");
	set_parameter("enable_rgid_sharing", "N");
	is("D15: SVC_SET_LPR without sharing", set_lpr(device, id, 2), 0);
	get_lpr(device, id, &lpr);
	check(lpr == 4, "D15: it has changed nothing: %u", lpr);
	is("D15: SVC_SET_LPR of none without sharing", set_lpr(device, NO_SVC, 2), 0);
	is("D15: SVC_SET_LPR 9 without sharing", set_lpr(device, id, 9), EINVAL);
	set_parameter("enable_rgid_sharing", "Y");
	is("D15: SVC_SET_LPR with sharing", set_lpr(device, id, 2), 0);
	destroy(device, id);
}

void test_sysfs(struct device *device)
{
	test_pauses(device);
	test_parameters(device);
}
