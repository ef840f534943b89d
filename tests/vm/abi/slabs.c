// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "slabs.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 20

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

/* Gives back what is only kept for later: cached names, half-empty slabs. */
static void settle(void)
{
	glob_t found;

	put("/proc/sys/vm/drop_caches", "3");
	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		put(found.gl_pathv[i], "1");
	globfree(&found);
}

/*
 * sysfs nodes live on while a cached name leads to them, radix trees keep spare
 * nodes: of these no exact number comes back. The slab counts see them grow.
 */
static long number_in(const char *line)
{
	if (strstr(line, "__kernfs_new_node") || strstr(line, "radix_tree_node_alloc"))
		return 0;
	return atol(line);
}

/* A block is a line with the number of objects, then the calls that made them. */
static long count_in(const char *path)
{
	FILE *stream = fopen(path, "re");
	char line[512];
	long sum = 0, number = 0;

	while (stream && fgets(line, sizeof(line), stream)) {
		if (strstr(line, " age="))
			number = number_in(line);
		if (strstr(line, "[cxi_")) {
			sum += number;
			number = 0;
		}
	}
	if (stream)
		fclose(stream);
	return sum;
}

static long count_ours(void)
{
	long sum = 0;
	glob_t found;

	if (glob("/sys/kernel/debug/slab/*/alloc_traces", 0, NULL, &found))
		return -1;
	for (size_t i = 0; i < found.gl_pathc; i++)
		sum += count_in(found.gl_pathv[i]);
	globfree(&found);
	return sum;
}

static long read_once(struct slabs *slabs)
{
	FILE *stream = fopen("/proc/slabinfo", "re");
	char line[512];
	long sum = 0;

	slabs->count = 0;
	while (stream && slabs->count < MOST_SLABS && fgets(line, sizeof(line), stream)) {
		char *name = slabs->caches[slabs->count].name;
		long *objects = &slabs->caches[slabs->count].objects;

		if (sscanf(line, "%63s %ld", name, objects) != 2)
			continue;
		sum += *objects;
		slabs->count++;
	}
	if (stream)
		fclose(stream);
	return sum;
}

void slabs_take(struct slabs *slabs)
{
	long last = -1, sum = 0;

	for (int round = 0; round < ROUNDS && labs(sum - last) > 50; round++) {
		last = sum;
		settle();
		usleep(200000);
		sum = read_once(slabs);
	}
	slabs->ours = count_ours();
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
