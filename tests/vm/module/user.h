/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of cxi-user share. */
#ifndef CXI_USER_H
#define CXI_USER_H

#include <linux/cdev.h>
#include <linux/kref.h>
#include <linux/rwsem.h>

#include "cxi.h"

/* One device node. It lives as long as it is open. */
struct user_dev {
	struct kref ref;
	struct list_head node;
	int minor;
	struct cdev *cdev;
	struct device *class_dev;
	struct kobject *clients_kobj;
	bool is_physfn;

	/* Held for reading by commands, for writing by open, close and removal. */
	struct rw_semaphore lock;
	/* None once the device is removed. */
	struct cxi_dev *dev;
	struct idr clients;
};

/* One open file. */
struct user_client {
	struct user_dev *user;
	int id;
	struct kobject *kobj;
	struct kobject *wait_kobj;
	/* Guards what follows: a file may be shared by threads. */
	struct mutex objects_lock;
	struct idr lnis;
	struct idr domains;
	struct idr cps;
};

/* user_objects.c: what commands make and a file's end frees. */
void user_objects_init(struct user_client *client);
void user_objects_free(struct user_client *client);
int user_lni_alloc(struct user_client *client, u32 svc_id, u32 *id);
int user_lni_free(struct user_client *client, u32 id);
int user_domain_alloc(struct user_client *client, u32 lni, u32 vni, u32 pid,
		      struct cxi_abi_domain *abi);
int user_domain_free(struct user_client *client, u32 id);
int user_cp_alloc(struct user_client *client, u32 lni, u32 vni, u32 tc, u32 tc_type,
		  struct cxi_abi_cp *abi);
int user_cp_free(struct user_client *client, u32 id);

int user_command(struct user_client *client, const void __user *from, size_t count);

#endif
