/* SPDX-License-Identifier: GPL-2.0 */
/* Attributes as tables: a path below the PCI directory, a mode and a value. */
#ifndef CXI_TREE_H
#define CXI_TREE_H

#include "emu.h"

struct cxi_entry {
	const char *path;
	umode_t mode;
	/* Either the same text on every NIC, or a function of it. */
	const char *text;
	ssize_t (*show)(struct emu_nic *nic, char *to);
	ssize_t (*store)(struct emu_nic *nic, const char *from, size_t count);
	/* Missing on NICs with one of these variants. */
	u32 missing;
};

/* A table and where it hangs; an entry without path ends it. */
struct cxi_table {
	const char *directory;
	const struct cxi_entry *entries;
	/* A VF has only what is marked so. */
	bool on_vf;
};

/* From the modules of the links. */
extern const struct cxi_entry cxi_sbl_port[];
extern const struct cxi_entry cxi_sl_port[];

extern const struct cxi_entry cxi_uc[];
extern const struct cxi_entry cxi_sensors[];
extern const struct cxi_entry cxi_properties[];
extern const struct cxi_entry cxi_fru[];
extern const struct cxi_entry cxi_link_restarts[];
extern const struct cxi_entry cxi_settings[];
extern const struct cxi_entry cxi_error_flags[];
extern const struct cxi_entry cxi_traffic_classes[];
extern const struct cxi_entry cxi_telemetry[];

const char *cxi_fru_description(struct emu_nic *nic);

#endif
