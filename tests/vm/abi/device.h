/* SPDX-License-Identifier: GPL-2.0 */
/* One device under test, and what sysfs says of it. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdbool.h>
#include <stdint.h>

struct device {
	const char *path;	/* /dev/cxiN */
	char name[16];		/* cxiN */
	char pci[4096];		/* Directory of the PCI device. */
	int fd;
	bool vf;
};

void device_open(struct device *device, const char *path);
/* A file below the PCI directory, without its newline; false if there is none. */
bool device_text(const struct device *device, const char *file, char *to, int size);
long long device_number(const struct device *device, const char *file);
/* How many files have the node open, by sysfs. */
int device_clients(const struct device *device);

/* The groups of checks. */
void test_golden(struct device *device);
void test_sizes(struct device *device);
void test_pointers(struct device *device);
void test_info(struct device *device);
void test_services(struct device *device);
void test_settings(struct device *device);
void test_access(struct device *device);
void test_vnis(struct device *device);
void test_rights(struct device *device);
void test_pools(struct device *device);
void test_update(struct device *device);
void test_sysfs(struct device *device);
void test_netdev(struct device *device, struct device *vf);
void test_members(struct device *device);
void test_privileges(struct device *device);
void test_vf_access(struct device *vf, struct device *pf);
void test_vf(struct device *vf, struct device *pf);
void test_removal(struct device *device);

#endif
