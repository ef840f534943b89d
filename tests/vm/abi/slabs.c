// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "slabs.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel frees what it deferred after 5 s: so long nothing may change. */
#define QUIET 7
#define ROUNDS 40

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

static void read_once(struct slabs *slabs)
{
	FILE *stream = fopen("/proc/slabinfo", "re");
	char line[512];

	slabs->count = 0;
	while (stream && slabs->count < MOST_SLABS && fgets(line, sizeof(line), stream)) {
		char *name = slabs->caches[slabs->count].name;
		long *objects = &slabs->caches[slabs->count].objects;
		long *in_slab = &slabs->caches[slabs->count].in_slab;

		if (sscanf(line, "%63s %ld %*d %*d %ld", name, objects, in_slab) != 3)
			continue;
		slabs->count++;
	}
	if (stream)
		fclose(stream);
}

void slabs_take(struct slabs *slabs)
{
	int quiet = 0;

	slabs->ours = -2;
	for (int round = 0; round < ROUNDS && quiet < QUIET; round++) {
		long ours;

		settle();
		sleep(1);
		ours = count_ours();
		quiet = ours == slabs->ours ? quiet + 1 : 0;
		slabs->ours = ours;
	}
	/* Counting leaves half-used slabs behind, which count as full ones. */
	settle();
	read_once(slabs);
}

int slabs_grown(const struct slabs *before, const struct slabs *after, long limit)
{
	int grown = 0;

	for (int i = 0; i < after->count; i++)
		for (int j = 0; j < before->count; j++) {
			long growth = after->caches[i].objects - before->caches[j].objects;

			/* The slab that a processor works on counts as full. */
			if (strcmp(after->caches[i].name, before->caches[j].name) ||
			    growth <= limit + sysconf(_SC_NPROCESSORS_ONLN) *
				      after->caches[i].in_slab)
				continue;
			printf("grown: %s by %ld objects to %ld\n", after->caches[i].name, growth,
			       after->caches[i].objects);
			grown++;
		}
	return grown;
}
