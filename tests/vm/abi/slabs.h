/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel has allocated, to see whether it comes back. */
#ifndef SLABS_H
#define SLABS_H

#define MOST_SLABS 512

struct slabs {
	int count;
	struct {
		char name[64];
		long objects;
		long in_slab;
	} caches[MOST_SLABS];
	/* Live objects allocated below calls of our modules; -1 without slub_debug=U. */
	long ours;
};

/* Waits until the numbers stand still, then takes them. */
void slabs_take(struct slabs *slabs);
/* Prints what grew by more than limit; returns how many caches did. */
int slabs_grown(const struct slabs *before, const struct slabs *after, long limit);

#endif
