// SPDX-License-Identifier: GPL-2.0
/* Virtual root buses: each with one root port and a window for its NICs. */
#include <linux/slab.h>

#include "emu_private.h"

/*
 * Nothing answers there and nothing looks: room for a PF and its VFs, above the
 * guest's memory, and around what x86 keeps for HyperTransport below 1 TiB.
 */
#define WINDOW_BASE	0x1000000000ULL
#define WINDOW_SIZE	0xa00000000ULL
#define HOLE_START	0xfd00000000ULL
#define HOLE_END	0x10000000000ULL

static u64 window_start(unsigned int index)
{
	u64 below = (HOLE_START - WINDOW_BASE) / WINDOW_SIZE;

	if (index < below)
		return WINDOW_BASE + index * WINDOW_SIZE;
	return HOLE_END + (index - below) * WINDOW_SIZE;
}

static LIST_HEAD(roots);
static unsigned int root_count;

static void resource_init(struct resource *resource, const char *name,
			  u64 start, u64 end, unsigned long flags)
{
	*resource = (struct resource){
		.name = name, .start = start, .end = end, .flags = flags,
	};
}

static int root_scan(struct emu_root *root)
{
	struct pci_host_bridge *bridge = pci_alloc_host_bridge(0);
	int rc;

	if (!bridge)
		return -ENOMEM;
	bridge->sysdata = &root->sysdata;
	bridge->busnr = root->bus_number;
	bridge->ops = &emu_pci_ops;
	/* The port has no interrupt, so it offers no services. */
	bridge->native_aer = 0;
	bridge->native_pme = 0;
	bridge->native_pcie_hotplug = 0;
	bridge->native_dpc = 0;
	pci_add_resource(&bridge->windows, &root->window);
	pci_add_resource(&bridge->windows, &root->busn);

	pci_lock_rescan_remove();
	rc = pci_scan_root_bus_bridge(bridge);
	if (rc) {
		pci_free_host_bridge(bridge);
		goto unlock;
	}
	root->bus = bridge->bus;
	/* The scan passes over a device without a function 0. */
	pci_scan_single_device(root->bus, EMU_PORT);
	pci_scan_child_bus(root->bus);
	pci_bus_claim_resources(root->bus);
	pci_bus_add_devices(root->bus);
unlock:
	pci_unlock_rescan_remove();
	return rc;
}

static struct emu_root *root_new(u16 domain, u8 bus, int numa)
{
	struct emu_root *root = kzalloc(sizeof(*root), GFP_KERNEL);
	u64 start = window_start(root_count);

	if (!root)
		return NULL;
	root->sysdata.domain = domain;
	root->sysdata.node = numa;
	root->bus_number = bus - 1;
	resource_init(&root->busn, "cxi-emu buses", bus - 1, bus, IORESOURCE_BUS);
	resource_init(&root->window, "cxi-emu window", start, start + WINDOW_SIZE - 1,
		      IORESOURCE_MEM | IORESOURCE_PREFETCH | IORESOURCE_MEM_64);
	emu_config_port(root);
	return root;
}

/* Finds the root above a bus of NICs, or makes it. It stays until unload. */
int emu_root_get(u16 domain, u8 bus, int numa, struct emu_root **found)
{
	struct emu_root *root;
	int rc;

	list_for_each_entry(root, &roots, node)
		if (root->sysdata.domain == domain && root->bus_number == bus - 1) {
			*found = root;
			return 0;
		}
	if (pci_find_bus(domain, bus) || pci_find_bus(domain, bus - 1))
		return -EBUSY;
	if (root_count >= EMU_MAX_ROOTS)
		return -ENOSPC;
	root = root_new(domain, bus, numa);
	if (!root)
		return -ENOMEM;
	rc = root_scan(root);
	if (rc) {
		kfree(root);
		return rc;
	}
	root_count++;
	list_add_tail(&root->node, &roots);
	*found = root;
	return 0;
}

void emu_roots_remove(void)
{
	struct emu_root *root, *next;

	list_for_each_entry_safe(root, next, &roots, node) {
		list_del(&root->node);
		pci_lock_rescan_remove();
		pci_stop_root_bus(root->bus);
		pci_remove_root_bus(root->bus);
		pci_unlock_rescan_remove();
		kfree(root);
	}
}
