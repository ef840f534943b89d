// SPDX-License-Identifier: GPL-2.0
/* Virtual functions: the hardware first, then the PCI core makes the devices. */
#include "ss1.h"

int cxi_sriov_configure(struct pci_dev *pdev, int count)
{
	struct cxi_dev *cdev = pci_get_drvdata(pdev);
	int rc;

	if (!count) {
		pci_disable_sriov(pdev);
		emu_vfs_destroy(cdev->nic);
		return 0;
	}
	if (pci_num_vf(pdev))
		return -EBUSY;
	rc = emu_vfs_create(cdev->nic, count);
	if (rc)
		return rc;
	rc = pci_enable_sriov(pdev, count);
	if (rc) {
		emu_vfs_destroy(cdev->nic);
		return rc;
	}
	return count;
}
