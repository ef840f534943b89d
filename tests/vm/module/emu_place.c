// SPDX-License-Identifier: GPL-2.0
/* Chooses what a spec leaves open, by the rules of cxi-sim. */
#include <linux/kernel.h>

#include "emu_private.h"

/* The buses of the four NICs of a domain, as cxi-sim numbers its slots. */
static const u8 slot_buses[] = { 0x21, 0x61, 0xa1, 0xe1 };

struct address {
	u16 domain;
	u8 bus;
};

static bool on_bus(struct emu_nic *nic, const void *arg)
{
	const struct address *address = arg;

	return nic->spec.domain == address->domain && nic->spec.bus == address->bus;
}

static bool is_empty(u16 domain, u8 bus)
{
	struct address address = { domain, bus };
	struct emu_nic *nic = emu_nic_match(on_bus, &address);

	if (nic)
		emu_nic_put(nic);
	return !nic;
}

static bool is_taken(u16 domain, u8 bus, u8 devfn)
{
	struct emu_nic *nic = emu_nic_at(domain, bus, devfn);

	if (nic)
		emu_nic_put(nic);
	return nic;
}

static bool is_lonely_pf(struct emu_nic *nic, const void *arg)
{
	const struct emu_spec *vf = arg;

	return nic->spec.kind == emu_physical(vf->kind) && !nic->spec.devfn && !nic->vfs;
}

/* A VF goes beside the first PF without one, else into a slot of its own. */
static bool place_vf(struct emu_spec *spec)
{
	struct emu_nic *pf = emu_nic_match(is_lonely_pf, spec);

	spec->devfn = 1;
	if (!pf)
		return false;
	spec->domain = pf->spec.domain;
	spec->bus = pf->spec.bus;
	emu_nic_put(pf);
	return true;
}

static int place_slot(struct emu_spec *spec)
{
	unsigned int slot;

	for (slot = 0; slot < EMU_MAX_ROOTS; slot++) {
		spec->domain = slot / 4;
		spec->bus = slot_buses[slot % 4];
		if (is_empty(spec->domain, spec->bus))
			return 0;
	}
	return -ENOSPC;
}

static int place_node(struct emu_spec *spec)
{
	if (!spec->numa_given) {
		spec->numa = spec->bus == 0xa1 || spec->bus == 0xe1;
		if (!node_online(spec->numa))
			spec->numa = 0;
	}
	if (spec->variants & EMU_V_NO_NUMA)
		spec->numa = NUMA_NO_NODE;
	if (spec->numa == NUMA_NO_NODE)
		return 0;
	if (spec->numa < 0 || spec->numa >= MAX_NUMNODES || !node_online(spec->numa)) {
		pr_err("cxi-emu: NUMA node %d is not online\n", spec->numa);
		return -EINVAL;
	}
	return 0;
}

int emu_place(struct emu_spec *spec)
{
	bool vf = spec->kind != emu_physical(spec->kind);
	int rc = 0;

	if (!spec->placed && !(vf && place_vf(spec)))
		rc = place_slot(spec);
	if (rc)
		return rc;
	if (is_taken(spec->domain, spec->bus, spec->devfn))
		return -EEXIST;
	return place_node(spec);
}
