// SPDX-License-Identifier: GPL-2.0
/* cxi-ss1: the PCI driver, and class cxi. */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ss1.h"

static bool disable_on_error = true;
module_param(disable_on_error, bool, 0644);
MODULE_PARM_DESC(disable_on_error, "Disable the PCI device after a fatal error");

static struct class cxi_class = {
	.name = "cxi",
	.owner = THIS_MODULE,
};

/* The next N of cxiN. It never goes back, a failed probe takes a number too. */
static atomic_t next_number = ATOMIC_INIT(0);

static void link_changed(void *driver, bool up)
{
	struct cxi_dev *cdev = driver;

	if (emu_is_vf(cdev->nic))
		return;
	dev_warn(&cdev->pdev->dev, "%s: CXI_EVENT_LINK_%s\n", cdev->name, up ? "UP" : "DOWN");
	cxi_clients_event(cdev, up ? CXI_LINK_UP : CXI_LINK_DOWN);
}

static bool fatal_error(void *driver, u32 flag, u8 bit)
{
	struct cxi_dev *cdev = driver;

	cxi_genl_error(cdev, flag, bit);
	if (!disable_on_error || cdev->disabled)
		return cdev->disabled;
	dev_err(&cdev->pdev->dev,
		"%s: Disabling device. Reason: Unrecoverable error: %#x with bitn: %u\n",
		cdev->name, flag, bit);
	pci_clear_master(cdev->pdev);
	pci_disable_device(cdev->pdev);
	cdev->disabled = true;
	return true;
}

static void harmless_error(void *driver, u32 flag, u8 bit)
{
	struct cxi_dev *cdev = driver;

	dev_warn(&cdev->pdev->dev, "%s: C_EC_INFO: %#x error: (%u)\n", cdev->name, flag, bit);
	cxi_genl_error(cdev, flag, bit);
}

static const struct emu_events events = {
	.link = link_changed,
	.fatal = fatal_error,
	.error = harmless_error,
	.set_vfs = cxi_sriov_configure,
};

static void release(struct device *dev)
{
	struct cxi_dev *cdev = container_of(dev, struct cxi_dev, class_dev);

	if (cdev->services != cdev)
		put_device(&cdev->services->class_dev);
	ida_destroy(&cdev->lnis);
	ida_destroy(&cdev->domains);
	emu_nic_put(cdev->nic);
	kfree(cdev);
}

/* A VF asks its PF. One without a PF here, as in a guest, answers for itself. */
static struct cxi_dev *services_of(struct cxi_dev *cdev)
{
	struct cxi_dev *physical = NULL;

	if (cdev->pdev->is_virtfn)
		physical = pci_get_drvdata(pci_physfn(cdev->pdev));
	if (!physical)
		return cdev;
	get_device(&physical->class_dev);
	return physical;
}

static unsigned int take_number(struct emu_nic *nic)
{
	long wanted = emu_nic_wanted_number(nic);
	int next;

	if (wanted < 0)
		return atomic_inc_return(&next_number) - 1;
	do {
		next = atomic_read(&next_number);
	} while (next <= wanted &&
		 atomic_cmpxchg(&next_number, next, wanted + 1) != next);
	return wanted;
}

static struct cxi_dev *new_device(struct pci_dev *pdev, struct emu_nic *nic)
{
	struct cxi_dev *cdev = kzalloc(sizeof(*cdev), GFP_KERNEL);

	if (!cdev)
		return NULL;
	cdev->pdev = pdev;
	cdev->nic = nic;
	cdev->is_physfn = !emu_is_vf(nic);
	cdev->services = services_of(cdev);
	mutex_init(&cdev->svc_lock);
	idr_init(&cdev->svcs);
	ida_init(&cdev->le_pools);
	ida_init(&cdev->tle_pools);
	ida_init(&cdev->lnis);
	ida_init(&cdev->domains);
	INIT_LIST_HEAD(&cdev->domain_list);
	INIT_LIST_HEAD(&cdev->tx_profiles);
	INIT_LIST_HEAD(&cdev->rx_profiles);
	cdev->number = take_number(nic);
	snprintf(cdev->name, sizeof(cdev->name), "cxi%u", cdev->number);
	device_initialize(&cdev->class_dev);
	cdev->class_dev.class = &cxi_class;
	cdev->class_dev.parent = &pdev->dev;
	cdev->class_dev.release = release;
	dev_set_name(&cdev->class_dev, "%s", cdev->name);
	return cdev;
}

static int enable(struct pci_dev *pdev)
{
	int rc = pci_enable_device(pdev);

	if (rc)
		return rc;
	rc = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(57));
	if (rc)
		pci_disable_device(pdev);
	else
		pci_set_master(pdev);
	return rc;
}

static void disable(struct cxi_dev *cdev)
{
	pci_clear_master(cdev->pdev);
	if (!cdev->disabled)
		pci_disable_device(cdev->pdev);
}

/* Services, directories, clients (node and netdev), class cxi last. */
static int bring_up(struct cxi_dev *cdev)
{
	int rc = cxi_svcs_init(cdev);

	if (rc)
		return rc;
	rc = cxi_tree_add(cdev);
	if (rc)
		goto no_tree;
	cxi_clients_add(cdev);
	rc = device_add(&cdev->class_dev);
	if (rc)
		goto no_class;
	emu_nic_attach(cdev->nic, &events, cdev);
	return 0;

no_class:
	cxi_clients_remove(cdev);
	cxi_tree_remove(cdev);
no_tree:
	cxi_svcs_exit(cdev);
	return rc;
}

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct emu_nic *nic = emu_nic_find(pdev);
	struct cxi_dev *cdev;
	int rc = -ENODEV;

	if (!nic)
		return rc;
	cdev = new_device(pdev, nic);
	if (!cdev) {
		emu_nic_put(nic);
		return -ENOMEM;
	}
	rc = emu_nic_fail(nic, EMU_PROBE);
	if (!rc)
		rc = enable(pdev);
	if (rc)
		goto put;
	pci_set_drvdata(pdev, cdev);
	rc = bring_up(cdev);
	if (rc)
		goto off;
	return 0;

off:
	pci_set_drvdata(pdev, NULL);
	disable(cdev);
put:
	put_device(&cdev->class_dev);
	return rc;
}

/* Not the reverse of the probe: class cxi goes last here too. */
static void remove(struct pci_dev *pdev)
{
	struct cxi_dev *cdev = pci_get_drvdata(pdev);

	emu_nic_detach(cdev->nic);
	cxi_clients_remove(cdev);
	cxi_svcs_exit(cdev);
	cxi_tree_remove(cdev);
	if (cdev->is_physfn && pci_num_vf(pdev))
		cxi_sriov_configure(pdev, 0);
	disable(cdev);
	pci_set_drvdata(pdev, NULL);
	device_unregister(&cdev->class_dev);
}

static const struct pci_device_id ids[] = {
	{ PCI_DEVICE(0x17db, 0x0501) },
	{ PCI_DEVICE(0x1590, 0x0371) },
	{ PCI_DEVICE(0x1590, 0x0372) },
	{}
};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver driver = {
	.name = KBUILD_MODNAME,
	.id_table = ids,
	.probe = probe,
	.remove = remove,
	.sriov_configure = cxi_sriov_configure,
};

static int __init ss1_init(void)
{
	int rc = cxi_genl_init();

	if (rc)
		return rc;
	rc = class_register(&cxi_class);
	if (rc)
		goto no_class;
	rc = pci_register_driver(&driver);
	if (rc)
		goto no_driver;
	return 0;

no_driver:
	class_unregister(&cxi_class);
no_class:
	cxi_genl_exit();
	return rc;
}

static void __exit ss1_exit(void)
{
	pci_unregister_driver(&driver);
	class_unregister(&cxi_class);
	cxi_genl_exit();
}

module_init(ss1_init);
module_exit(ss1_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Emulated driver of HPE Slingshot NICs");
