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
 * nodes: of these no exact number comes back. Their caches show if they grow.
 */
static bool lingers(const char *line)
{
	return strstr(line, "__kernfs_new_node") || strstr(line, "radix_tree_node_alloc");
}

/* A block is a line with the number of objects, then the calls that made them. */
static long count_in(const char *path, long *ours)
{
	FILE *stream = fopen(path, "re");
	long sum = 0, number = 0;
	char line[512];

	while (stream && fgets(line, sizeof(line), stream)) {
		if (strstr(line, " age=")) {
			sum += atol(line);
			number = lingers(line) ? 0 : atol(line);
		}
		if (strstr(line, "[cxi_")) {
			*ours += number;
			number = 0;
		}
	}
	if (stream)
		fclose(stream);
	return sum;
}

static void read_once(struct slabs *slabs)
{
	glob_t found;

	*slabs = (struct slabs){ 0 };
	if (glob(TRACES, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc && i < MOST_SLABS; i++) {
		sscanf(found.gl_pathv[i], "/sys/kernel/debug/slab/%63[^/]",
		       slabs->caches[i].name);
		slabs->caches[i].objects = count_in(found.gl_pathv[i], &slabs->ours);
		slabs->count++;
	}
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
		quiet = slabs->ours == last ? quiet + 1 : 0;
		last = slabs->ours;
	}
}

int slabs_grown(const struct slabs *before, const struct slabs *after, long limit)
{
	int grown = 0;

	for (int i = 0; i < after->count; i++)
		for (int j = 0; j < before->count; j++) {
			long growth = after->caches[i].objects - before->caches[j].objects;

			if (strcmp(after->caches[i].name, before->caches[j].name) ||
			    growth <= limit)
				continue;
			printf("grown: %s by %ld objects to %ld\n", after->caches[i].name, growth,
			       after->caches[i].objects);
			grown++;
		}
	return grown;
}
