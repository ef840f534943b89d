// SPDX-License-Identifier: GPL-2.0
/* Functions that come and go on the virtual buses. */
#include <linux/module.h>
#include <linux/slab.h>

#include "emu_private.h"

static void set_function(struct emu_nic *nic, struct emu_nic *content)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&emu_config_lock, flags);
	nic->root->functions[nic->spec.devfn] = content;
	raw_spin_unlock_irqrestore(&emu_config_lock, flags);
}

static struct pci_bus *nic_bus(struct emu_root *root)
{
	return pci_find_bus(root->sysdata.domain, root->bus_number + 1);
}

/* The kernel reads the node from sysdata while it makes the device. */
static int scan_function(struct emu_nic *nic)
{
	struct pci_bus *bus = nic_bus(nic->root);
	struct pci_dev *pdev;
	int i;

	if (!bus)
		return -ENODEV;
	nic->root->sysdata.node = nic->spec.numa;
	pdev = pci_scan_single_device(bus, nic->spec.devfn);
	if (!pdev)
		return -ENODEV;
	for (i = 0; i <= PCI_IOV_RESOURCE_END; i++) {
		bool bar = i <= PCI_STD_RESOURCE_END || i >= PCI_IOV_RESOURCES;

		if (bar && pci_resource_len(pdev, i) && !pdev->resource[i].parent &&
		    pci_assign_resource(pdev, i))
			pci_warn(pdev, "no space for resource %d\n", i);
	}
	pci_bus_add_devices(bus);
	return 0;
}

static struct emu_nic *make_nic(struct emu_spec *spec, struct emu_root *root,
				struct emu_nic *pf)
{
	struct emu_nic *nic = emu_nic_new(spec);

	if (!nic)
		return NULL;
	nic->root = root;
	nic->pf = pf;
	if (!*nic->spec.netdev)
		snprintf(nic->spec.netdev, IFNAMSIZ, "hsn%u", nic->number);
	emu_config_nic(nic);
	set_function(nic, nic);
	return nic;
}

static void drop_nic(struct emu_nic *nic)
{
	set_function(nic, NULL);
	emu_nic_forget(nic);
}

/* A VF beside its PF is made by the PF's driver; the spec is kept for it. */
static struct emu_spec *vf_spec;

static int add_vf(struct emu_nic *pf, struct emu_spec *spec)
{
	struct pci_dev *pdev = pci_get_domain_bus_and_slot(pf->spec.domain, pf->spec.bus,
							   pf->spec.devfn);
	int rc = -ENODEV;

	if (!pdev)
		return rc;
	if (pci_num_vf(pdev) || spec->devfn != 1) {
		pr_err("cxi-emu: more than the first VF: write the number to sriov_numvfs\n");
		rc = -EBUSY;
	} else {
		device_lock(&pdev->dev);
		vf_spec = spec;
		mutex_lock(&pf->events_lock);
		if (pf->events)
			rc = pf->events->set_vfs(pdev, 1);
		mutex_unlock(&pf->events_lock);
		vf_spec = NULL;
		device_unlock(&pdev->dev);
	}
	pci_dev_put(pdev);
	return rc < 0 ? rc : 0;
}

static struct emu_nic *physical_of(struct emu_spec *spec)
{
	enum emu_kind physical = emu_physical(spec->kind);
	struct emu_nic *pf;

	if (spec->kind == physical)
		return NULL;
	pf = emu_nic_at(spec->domain, spec->bus, 0);
	if (pf && pf->spec.kind != physical) {
		emu_nic_put(pf);
		pf = NULL;
	}
	return pf;
}

/* Caller holds emu_mutex. */
int emu_add(struct emu_spec *spec)
{
	struct emu_root *root;
	struct emu_nic *nic, *pf;
	int rc = emu_place(spec);

	if (rc)
		return rc;
	pf = physical_of(spec);
	if (pf) {
		rc = add_vf(pf, spec);
		emu_nic_put(pf);
		return rc;
	}
	rc = emu_root_get(spec->domain, spec->bus, spec->numa, &root);
	if (rc)
		return rc;
	nic = make_nic(spec, root, NULL);
	if (!nic)
		return -ENOMEM;
	pci_lock_rescan_remove();
	rc = scan_function(nic);
	pci_unlock_rescan_remove();
	if (rc) {
		drop_nic(nic);
		return rc;
	}
	if (emu_has(nic, EMU_V_DISABLED)) {
		mutex_lock(&nic->events_lock);
		if (nic->events)
			nic->events->fatal(nic->driver, 0, 0);
		mutex_unlock(&nic->events_lock);
	}
	return 0;
}

/* Caller holds emu_mutex and a reference. VFs go with their PF's driver. */
int emu_remove(struct emu_nic *nic)
{
	struct pci_dev *pdev;

	if (nic->pf) {
		pr_err("cxi-emu: a VF goes by the sriov_numvfs of its PF\n");
		return -EBUSY;
	}
	pdev = pci_get_domain_bus_and_slot(nic->spec.domain, nic->spec.bus, nic->spec.devfn);
	if (pdev) {
		pci_stop_and_remove_bus_device_locked(pdev);
		pci_dev_put(pdev);
	}
	drop_nic(nic);
	return 0;
}

static bool is_physical(struct emu_nic *nic, const void *unused)
{
	return !nic->pf;
}

/* Caller holds emu_mutex, or is alone. */
void emu_remove_all(void)
{
	struct emu_nic *nic;

	while ((nic = emu_nic_match(is_physical, NULL))) {
		emu_remove(nic);
		emu_nic_put(nic);
	}
}

/* Makes the hardware of VFs, before the PCI core looks for them. */
int emu_vfs_create(struct emu_nic *pf, int count)
{
	int i;

	for (i = 1; i <= count; i++)
		if (pf->root->functions[i])
			return -EBUSY;
	pf->vfs = count;
	pf->root->sysdata.node = pf->spec.numa;
	for (i = 1; i <= count; i++) {
		struct emu_spec spec = {
			.kind = emu_is_c2(pf) ? EMU_C2VF : EMU_C1VF,
			.cxi = -1, .nid = -1,
		};
		struct emu_nic *nic;

		if (vf_spec && vf_spec->bus == pf->spec.bus &&
		    vf_spec->domain == pf->spec.domain)
			spec = *vf_spec;
		spec.domain = pf->spec.domain;
		spec.bus = pf->spec.bus;
		spec.devfn = i;
		spec.numa = pf->spec.numa;
		nic = make_nic(&spec, pf->root, pf);
		if (!nic) {
			emu_vfs_destroy(pf);
			return -ENOMEM;
		}
		/* A fabric address of its own above the PF's (20 bits). */
		if (spec.nid < 0)
			emu_nic_set_nid(nic, emu_nic_nid(pf) | (u32)i << 20, false);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(emu_vfs_create);

static bool is_vf_of(struct emu_nic *nic, const void *pf)
{
	return nic->pf == pf;
}

void emu_vfs_destroy(struct emu_nic *pf)
{
	struct emu_nic *nic;

	while ((nic = emu_nic_match(is_vf_of, pf))) {
		drop_nic(nic);
		emu_nic_put(nic);
	}
	pf->vfs = 0;
}
EXPORT_SYMBOL_GPL(emu_vfs_destroy);
