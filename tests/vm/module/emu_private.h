/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of cxi-emu share. */
#ifndef CXI_EMU_PRIVATE_H
#define CXI_EMU_PRIVATE_H

#include "emu.h"

#define EMU_MAX_ROOTS	256
/* The root port, where cxi-sim has it. */
#define EMU_PORT	PCI_DEVFN(1, 1)

#define EMU_CFG_PCIE	0x40
#define EMU_CFG_AER	0x100
#define EMU_CFG_ARI	0x148
#define EMU_CFG_SRIOV	0x160

/* A virtual root bus with one root port and the bus of the NICs behind it. */
struct emu_root {
	/* x86 reads domain and NUMA node from here. */
	struct pci_sysdata sysdata;
	struct list_head node;
	u8 bus_number;
	struct resource busn;
	struct resource window;
	struct pci_bus *bus;
	u8 port[EMU_CONFIG_SIZE];
	u8 port_writable[EMU_CONFIG_SIZE];
	struct emu_nic *functions[256];
};

/* Serialises what the control file does; VFs come and go without it. */
extern struct mutex emu_mutex;
/* Guards config spaces and emu_root.functions; taken below pci_lock. */
extern raw_spinlock_t emu_config_lock;
extern struct pci_ops emu_pci_ops;

static inline enum emu_kind emu_physical(enum emu_kind kind)
{
	return kind == EMU_C2 || kind == EMU_C2VF ? EMU_C2 : EMU_C1;
}

int emu_spec_parse(char *text, struct emu_spec *spec);
const char *emu_kind_name(enum emu_kind kind);

struct emu_nic *emu_nic_new(const struct emu_spec *spec);
struct emu_nic *emu_nic_match(bool (*match)(struct emu_nic *nic, const void *arg),
			      const void *arg);
void emu_nics_for_each(void (*show)(struct emu_nic *nic, void *arg), void *arg);
struct emu_nic *emu_nic_at(u16 domain, u8 bus, u8 devfn);
void emu_nic_forget(struct emu_nic *nic);

void emu_config_nic(struct emu_nic *nic);
void emu_config_port(struct emu_root *root);

int emu_root_get(u16 domain, u8 bus, int numa, struct emu_root **found);
void emu_roots_remove(void);

int emu_place(struct emu_spec *spec);
int emu_add(struct emu_spec *spec);
int emu_remove(struct emu_nic *nic);
void emu_remove_all(void);

int emu_control_init(void);
void emu_control_exit(void);

#endif
