/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel has allocated and by whom, to see whether it comes back. */
#ifndef SLABS_H
#define SLABS_H

#include <stdbool.h>

/* Objects that were allocated below calls of our modules, whatever their cache. */
struct slabs {
	long exact;
	/* Of caches that keep some for later: no exact number comes back. */
	long lingering;
};

/* Whether the kernel keeps book: slub_debug with U on its command line. */
bool slabs_known(void);
/* Waits until the numbers stand still, then takes them. */
void slabs_take(struct slabs *slabs);
#endif
