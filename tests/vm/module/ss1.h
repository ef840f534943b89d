/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of cxi-ss1 share. */
#ifndef CXI_SS1_H
#define CXI_SS1_H

#include <linux/stringify.h>

#include "cxi.h"
#include "tree.h"

int cxi_tree_add(struct cxi_dev *cdev);
void cxi_tree_remove(struct cxi_dev *cdev);

void cxi_clients_add(struct cxi_dev *cdev);
void cxi_clients_remove(struct cxi_dev *cdev);
void cxi_clients_event(struct cxi_dev *cdev, enum cxi_event event);

/* A service with what its descriptor does not say. */
struct cxi_svc {
	struct cxi_abi_svc desc;
	/* LNIs that use it. */
	unsigned int users;
	bool has_netns;
	u32 netns;
	/* VNIs as a range; set apart from the descriptor. */
	bool has_range;
	u32 vni_min;
	u32 vni_max;
	bool exclusive_cp;
	u32 lpr;
};

int cxi_svcs_init(struct cxi_dev *cdev);
void cxi_svcs_exit(struct cxi_dev *cdev);
void cxi_svcs_limits(struct cxi_abi_limit *limits);
bool cxi_svc_vnis_clash(struct cxi_dev *cdev, const struct cxi_svc *svc);

int cxi_sriov_configure(struct pci_dev *pdev, int count);

int cxi_genl_init(void);
void cxi_genl_exit(void);
void cxi_genl_error(struct cxi_dev *cdev, u32 flag, u8 bit);

#endif
