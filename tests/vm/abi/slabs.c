// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "slabs.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACES "/sys/kernel/debug/slab/*/alloc_traces"
/* The kernel frees what it deferred after 5 s: so long nothing may change. */
#define QUIET 7
#define ROUNDS 40

/* Gives back what is only kept for later: names and inodes. */
static void settle(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "3", 1);
	close(fd);
}

/*
 * sysfs nodes live on while a cached name leads to them, radix trees keep spare
 * nodes: of these no exact number comes back.
 */
static bool lingers(const char *line)
{
	return strstr(line, "__kernfs_new_node") || strstr(line, "radix_tree_node_alloc");
}

/* A block is a line with the number of objects, then the calls that made them. */
static void count_in(const char *path, struct slabs *slabs)
{
	FILE *stream = fopen(path, "re");
	long *sum = NULL, number = 0;
	char line[512];

	while (stream && fgets(line, sizeof(line), stream)) {
		if (strstr(line, " age=")) {
			number = atol(line);
			sum = lingers(line) ? &slabs->lingering : &slabs->exact;
		}
		if (sum && strstr(line, "[cxi_")) {
			*sum += number;
			sum = NULL;
		}
	}
	if (stream)
		fclose(stream);
}

static void read_once(struct slabs *slabs)
{
	glob_t found;

	*slabs = (struct slabs){ 0 };
	if (glob(TRACES, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		count_in(found.gl_pathv[i], slabs);
	globfree(&found);
}

bool slabs_known(void)
{
	glob_t found;
	int none = glob(TRACES, 0, NULL, &found);

	if (!none)
		globfree(&found);
	return !none;
}

void slabs_take(struct slabs *slabs)
{
	long last = -1;
	int quiet = 0;

	for (int round = 0; round < ROUNDS && quiet < QUIET; round++) {
		settle();
		sleep(1);
		read_once(slabs);
		quiet = slabs->exact == last ? quiet + 1 : 0;
		last = slabs->exact;
	}
}
