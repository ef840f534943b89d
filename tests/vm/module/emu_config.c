// SPDX-License-Identifier: GPL-2.0
/* Configuration spaces: what they hold, what can be written, who may read. */
#include <linux/kernel.h>

#include "emu_private.h"

#define VENDOR_C1	0x17db
#define VENDOR_C2	0x1590
#define PF_BAR_SIZE	0x80000000U
#define VF_BAR_SIZE	0x20000000U

DEFINE_RAW_SPINLOCK(emu_config_lock);

static void put(u8 *config, int where, int size, u32 value)
{
	for (; size--; value >>= 8)
		config[where++] = value;
}

static u32 get(const u8 *config, int where, int size)
{
	u32 value = 0;

	while (size--)
		value = value << 8 | config[where + size];
	return value;
}

/* A 64-bit prefetchable BAR: the bits below its size stay 0. */
static void put_bar(u8 *config, u8 *writable, int where, u32 size)
{
	put(config, where, 4, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
	put(writable, where, 4, ~(size - 1));
	put(writable, where + 4, 4, ~0U);
}

static void put_pcie(u8 *config, u8 *writable, u8 type, int generation)
{
	u8 *cap = config + EMU_CFG_PCIE;
	u8 *mask = writable + EMU_CFG_PCIE;
	u32 speeds = (2U << generation) - 2;

	put(config, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	put(config, PCI_CAPABILITY_LIST, 1, EMU_CFG_PCIE);
	put(cap, PCI_CAP_LIST_ID, 1, PCI_CAP_ID_EXP);
	put(cap, PCI_EXP_FLAGS, 2, 2 | type << 4);
	put(cap, PCI_EXP_DEVCAP, 4, 1 | PCI_EXP_DEVCAP_RBER);
	put(cap, PCI_EXP_LNKCAP, 4, generation | 16 << 4);
	put(cap, PCI_EXP_LNKSTA, 2, generation | 16 << 4);
	put(cap, PCI_EXP_LNKCAP2, 4, speeds);
	put(cap, PCI_EXP_DEVCAP2, 4, type == PCI_EXP_TYPE_ROOT_PORT ? PCI_EXP_DEVCAP2_ARI : 0);
	put(mask, PCI_EXP_DEVCTL, 2, 0x7fff);
	put(mask, PCI_EXP_LNKCTL, 2, 0x0fdf);
	put(mask, PCI_EXP_DEVCTL2, 2, 0xffff);
	put(mask, PCI_EXP_LNKCTL2, 2, 0xffff);
}

static void put_extended(u8 *config, int where, u16 id, u8 version, u16 next)
{
	put(config, where, 4, PCI_EXT_CAP_ID(id) | version << 16 | (u32)next << 20);
}

static void put_sriov(struct emu_nic *nic)
{
	u8 *cap = nic->config + EMU_CFG_SRIOV;
	u8 *mask = nic->writable + EMU_CFG_SRIOV;

	put_extended(nic->config, EMU_CFG_SRIOV, PCI_EXT_CAP_ID_SRIOV, 1, 0);
	put(cap, PCI_SRIOV_INITIAL_VF, 2, EMU_MAX_VFS);
	put(cap, PCI_SRIOV_TOTAL_VF, 2, EMU_MAX_VFS);
	put(cap, PCI_SRIOV_FUNC_LINK, 1, nic->spec.devfn);
	/* VFs follow their PF, function by function. */
	put(cap, PCI_SRIOV_VF_OFFSET, 2, 1);
	put(cap, PCI_SRIOV_VF_STRIDE, 2, 1);
	put(cap, PCI_SRIOV_VF_DID, 2, emu_is_c2(nic) ? 0x0372 : 0x0501);
	put(cap, PCI_SRIOV_SUP_PGSIZE, 4, 0x553);
	put(cap, PCI_SRIOV_SYS_PGSIZE, 4, 1);
	put_bar(nic->config, nic->writable, EMU_CFG_SRIOV + PCI_SRIOV_BAR, VF_BAR_SIZE);
	put(mask, PCI_SRIOV_CTRL, 2, 0x001f);
	put(mask, PCI_SRIOV_NUM_VF, 2, 0xffff);
	put(mask, PCI_SRIOV_SYS_PGSIZE, 4, ~0U);
}

void emu_config_nic(struct emu_nic *nic)
{
	u16 vendor = emu_is_c2(nic) ? VENDOR_C2 : VENDOR_C1;
	u16 device = 0x0501;
	bool vf = emu_is_vf(nic);
	bool iov = !vf && !nic->spec.devfn;

	if (emu_is_c2(nic))
		device = vf ? 0x0372 : 0x0371;
	put(nic->config, PCI_VENDOR_ID, 2, vendor);
	put(nic->config, PCI_DEVICE_ID, 2, device);
	/* The kernel knows the ids of a VF from its PF. */
	if (nic->pf)
		put(nic->config, PCI_VENDOR_ID, 4, ~0U);
	put(nic->config, PCI_REVISION_ID, 1, emu_is_c2(nic) ? 1 : 2);
	put(nic->config, PCI_CLASS_DEVICE, 2, PCI_CLASS_NETWORK_ETHERNET);
	put(nic->config, PCI_SUBSYSTEM_VENDOR_ID, 2, vendor);
	put(nic->writable, PCI_COMMAND, 2, nic->pf ? PCI_COMMAND_MASTER : 0x0546);
	put(nic->writable, PCI_CACHE_LINE_SIZE, 1, 0xff);
	put(nic->writable, PCI_INTERRUPT_LINE, 1, 0xff);
	if (!nic->pf)
		put_bar(nic->config, nic->writable, PCI_BASE_ADDRESS_0,
			vf ? VF_BAR_SIZE : PF_BAR_SIZE);
	put_pcie(nic->config, nic->writable, PCI_EXP_TYPE_ENDPOINT, emu_is_c2(nic) ? 5 : 4);
	if (vf) {
		put_extended(nic->config, EMU_CFG_AER, PCI_EXT_CAP_ID_ARI, 1, 0);
		return;
	}
	put_extended(nic->config, EMU_CFG_AER, PCI_EXT_CAP_ID_ERR, 2, EMU_CFG_ARI);
	put_extended(nic->config, EMU_CFG_ARI, PCI_EXT_CAP_ID_ARI, 1, iov ? EMU_CFG_SRIOV : 0);
	if (iov)
		put_sriov(nic);
}

/* A bridge that firmware has set up: bus numbers, one prefetchable window. */
void emu_config_port(struct emu_root *root)
{
	u8 *config = root->port;
	u8 *mask = root->port_writable;
	u64 first = root->window.start;
	u64 last = root->window.end;

	put(config, PCI_VENDOR_ID, 2, PCI_VENDOR_ID_AMD);
	put(config, PCI_DEVICE_ID, 2, 0x1483);
	put(config, PCI_CLASS_DEVICE, 2, PCI_CLASS_BRIDGE_PCI);
	put(config, PCI_HEADER_TYPE, 1, PCI_HEADER_TYPE_BRIDGE);
	put(config, PCI_PRIMARY_BUS, 1, root->bus_number);
	put(config, PCI_SECONDARY_BUS, 1, root->bus_number + 1);
	put(config, PCI_SUBORDINATE_BUS, 1, root->bus_number + 1);
	/* No window for ports, none that is not prefetchable: base above limit. */
	put(config, PCI_IO_BASE, 1, 0xf0);
	put(config, PCI_MEMORY_BASE, 2, 0xfff0);
	put(config, PCI_PREF_MEMORY_BASE, 2, (first >> 16 & 0xfff0) | PCI_PREF_RANGE_TYPE_64);
	put(config, PCI_PREF_MEMORY_LIMIT, 2, (last >> 16 & 0xfff0) | PCI_PREF_RANGE_TYPE_64);
	put(config, PCI_PREF_BASE_UPPER32, 4, first >> 32);
	put(config, PCI_PREF_LIMIT_UPPER32, 4, last >> 32);
	put(mask, PCI_COMMAND, 2, 0x0547);
	put(mask, PCI_CACHE_LINE_SIZE, 1, 0xff);
	put(mask, PCI_PRIMARY_BUS, 3, 0xffffff);
	put(mask, PCI_MEMORY_BASE, 4, 0xfff0fff0);
	put(mask, PCI_PREF_MEMORY_BASE, 4, 0xfff0fff0);
	put(mask, PCI_PREF_BASE_UPPER32, 4, ~0U);
	put(mask, PCI_PREF_LIMIT_UPPER32, 4, ~0U);
	put(mask, PCI_INTERRUPT_LINE, 1, 0xff);
	put(mask, PCI_BRIDGE_CONTROL, 2, 0x007f);
	put_pcie(config, mask, PCI_EXP_TYPE_ROOT_PORT, 5);
}

/* ARI: each function names the next one on its bus. */
static u8 next_function(const struct emu_root *root, unsigned int devfn)
{
	while (++devfn < 256)
		if (root->functions[devfn] && !root->functions[devfn]->pf)
			return devfn;
	return 0;
}

static int emu_read(struct pci_bus *bus, unsigned int devfn, int where, int size,
		    u32 *value)
{
	struct emu_root *root = container_of(bus->sysdata, struct emu_root, sysdata);
	unsigned long flags;

	*value = ~0U;
	if (where + size > EMU_CONFIG_SIZE)
		return PCIBIOS_BAD_REGISTER_NUMBER;
	raw_spin_lock_irqsave(&emu_config_lock, flags);
	if (bus->number == root->bus_number) {
		if (devfn == EMU_PORT)
			*value = get(root->port, where, size);
	} else if (root->functions[devfn] && !root->functions[devfn]->dead) {
		struct emu_nic *nic = root->functions[devfn];

		if (!emu_is_vf(nic))
			nic->config[EMU_CFG_ARI + PCI_ARI_CAP + 1] = next_function(root, devfn);
		*value = get(nic->config, where, size);
	}
	raw_spin_unlock_irqrestore(&emu_config_lock, flags);
	return PCIBIOS_SUCCESSFUL;
}

static void write_masked(u8 *config, const u8 *writable, int where, int size, u32 value)
{
	for (; size--; where++, value >>= 8)
		config[where] = (config[where] & ~writable[where]) | (value & writable[where]);
}

static int emu_write(struct pci_bus *bus, unsigned int devfn, int where, int size,
		     u32 value)
{
	struct emu_root *root = container_of(bus->sysdata, struct emu_root, sysdata);
	unsigned long flags;

	if (where + size > EMU_CONFIG_SIZE)
		return PCIBIOS_BAD_REGISTER_NUMBER;
	raw_spin_lock_irqsave(&emu_config_lock, flags);
	if (bus->number == root->bus_number) {
		if (devfn == EMU_PORT)
			write_masked(root->port, root->port_writable, where, size, value);
	} else if (root->functions[devfn]) {
		write_masked(root->functions[devfn]->config,
			     root->functions[devfn]->writable, where, size, value);
	}
	raw_spin_unlock_irqrestore(&emu_config_lock, flags);
	return PCIBIOS_SUCCESSFUL;
}

struct pci_ops emu_pci_ops = {
	.read = emu_read,
	.write = emu_write,
};
