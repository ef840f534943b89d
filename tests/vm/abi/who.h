/* SPDX-License-Identifier: GPL-2.0 */
/* Somebody else: another user, in another network namespace. */
#ifndef WHO_H
#define WHO_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"

#define NOBODY 65534
/* No namespace but the one that we are in. */
#define HERE -1

struct netns {
	int fd;
	uint32_t inode;
};

struct netns netns_here(void);
/* One that lives until its end is asked for, or a little longer. */
struct netns netns_make(void);
void netns_end(struct netns *netns);

/* What body returns, done by nobody or root, in the namespace of that file. */
int as(bool nobody, int netns, struct device *device,
       int (*body)(struct device *own, const void *argument), const void *argument);

/* Uses a service; and then also a VNI of the NIC, for a domain or a profile. */
int use_as(bool nobody, int netns, struct device *device, uint32_t svc);
int domain_as(bool nobody, int netns, struct device *device, uint32_t svc, uint32_t vni);
int cp_as(bool nobody, int netns, struct device *device, uint32_t svc, uint32_t vni);

#endif
