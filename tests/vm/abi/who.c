// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "who.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "service.h"

struct netns netns_here(void)
{
	struct netns here = { .fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) };
	struct stat stat;

	if (here.fd < 0 || fstat(here.fd, &stat))
		die("/proc/self/ns/net");
	here.inode = stat.st_ino;
	return here;
}

struct netns netns_make(void)
{
	struct netns here = netns_here(), made;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	made = netns_here();
	if (setns(here.fd, CLONE_NEWNET))
		die("setns");
	close(here.fd);
	return made;
}

void netns_end(struct netns *netns)
{
	close(netns->fd);
	netns->fd = HERE;
}

int as(bool nobody, int netns, struct device *device,
       int (*body)(struct device *own, const void *argument), const void *argument)
{
	struct device own;
	int status;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (!child) {
		if (netns != HERE && setns(netns, CLONE_NEWNET))
			die("setns");
		if (nobody)
			become_nobody();
		device_open(&own, device->path);
		/* Every errno is below 256. */
		_exit(body(&own, argument));
	}
	if (waitpid(child, &status, 0) < 0)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct use {
	uint32_t svc;
	uint32_t vni;
};

static int use_svc(struct device *own, const void *argument)
{
	const struct use *use = argument;
	uint32_t lni;

	return lni_alloc(own, use->svc, &lni);
}

static int use_domain(struct device *own, const void *argument)
{
	const struct use *use = argument;
	struct answer a;
	uint32_t lni;

	return lni_alloc(own, use->svc, &lni) ?:
	       domain_alloc(own, lni, use->vni, ANY_PID, &a);
}

static int use_cp(struct device *own, const void *argument)
{
	const struct use *use = argument;
	struct answer a;
	uint32_t lni;

	return lni_alloc(own, use->svc, &lni) ?:
	       cp_alloc(own, lni, use->vni, TC_BEST_EFFORT, 0, &a);
}

int use_as(bool nobody, int netns, struct device *device, uint32_t svc)
{
	struct use use = { svc, 0 };

	return as(nobody, netns, device, use_svc, &use);
}

int domain_as(bool nobody, int netns, struct device *device, uint32_t svc, uint32_t vni)
{
	struct use use = { svc, vni };

	return as(nobody, netns, device, use_domain, &use);
}

int cp_as(bool nobody, int netns, struct device *device, uint32_t svc, uint32_t vni)
{
	struct use use = { svc, vni };

	return as(nobody, netns, device, use_cp, &use);
}
