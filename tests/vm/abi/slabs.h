/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel has allocated and by whom, to see whether it comes back. */
#ifndef SLABS_H
#define SLABS_H

#include <stdbool.h>

#define MOST_SLABS 512

struct slabs {
	int count;
	struct {
		char name[64];
		/* Live objects; exact, unlike /proc/slabinfo. */
		long objects;
	} caches[MOST_SLABS];
	/* Those allocated below calls of our modules. */
	long ours;
};

/* Whether the kernel keeps book: slub_debug with U on its command line. */
bool slabs_known(void);
/* Waits until the numbers stand still, then takes them. */
void slabs_take(struct slabs *slabs);
/* Prints what grew by more than limit; returns how many caches did. */
int slabs_grown(const struct slabs *before, const struct slabs *after, long limit);

#endif
