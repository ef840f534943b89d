// SPDX-License-Identifier: GPL-2.0
/*
 * cxi-emu: PCI functions of HPE Slingshot NICs that exist in memory only.
 *
 * modprobe cxi-emu nics="c1;c2,pci=0000:61:00.0,numa=1"
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "emu_private.h"

static char *nics = "";
module_param(nics, charp, 0444);
MODULE_PARM_DESC(nics, "NICs to add at load, separated by ';', each as in 'add' of debugfs cxi-emu/control");

static bool share_single_vnis = true;
module_param(share_single_vnis, bool, 0644);
MODULE_PARM_DESC(share_single_vnis, "Two services may have one single VNI, as with the driver since 2026-06");

bool emu_shares_single_vnis(void)
{
	return READ_ONCE(share_single_vnis);
}
EXPORT_SYMBOL_GPL(emu_shares_single_vnis);

static int __init add_nics(void)
{
	char *copy = kstrdup(nics, GFP_KERNEL);
	char *rest = copy;
	char *text;
	int rc = 0;

	if (!copy)
		return -ENOMEM;
	mutex_lock(&emu_mutex);
	while (!rc && (text = strsep(&rest, ";"))) {
		struct emu_spec spec;

		text = strim(text);
		if (!*text)
			continue;
		rc = emu_spec_parse(text, &spec);
		if (!rc)
			rc = emu_add(&spec);
	}
	mutex_unlock(&emu_mutex);
	kfree(copy);
	return rc;
}

static int __init emu_init(void)
{
	int rc = emu_control_init();

	if (rc)
		return rc;
	rc = add_nics();
	if (rc) {
		emu_control_exit();
		emu_remove_all();
		emu_roots_remove();
	}
	return rc;
}

static void __exit emu_exit(void)
{
	emu_control_exit();
	emu_remove_all();
	emu_roots_remove();
}

module_init(emu_init);
module_exit(emu_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Emulated PCI functions of HPE Slingshot NICs");
