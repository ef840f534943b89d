// SPDX-License-Identifier: GPL-2.0
/* Makes directories and attributes below the PCI directory from the tables. */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "ss1.h"

/* In the order in which the driver makes them. */
static const struct cxi_table c1_tables[] = {
	{ "uc", cxi_uc }, { "sensors", cxi_sensors }, { "port", cxi_sbl_port },
	{ "properties", cxi_properties, true }, { "fru", cxi_fru },
	{ "link_restarts", cxi_link_restarts }, { "settings", cxi_settings },
	{ "err_flgs_irqa", cxi_error_flags },
	{ "traffic_classes", cxi_traffic_classes }, { "telemetry", cxi_telemetry },
	{}
};

static const struct cxi_table c2_tables[] = {
	{ "uc", cxi_uc }, { "sensors", cxi_sensors }, { "port", cxi_sl_port },
	{ "properties", cxi_properties, true }, { "fru", cxi_fru },
	{ "link_restarts", cxi_link_restarts }, { "settings", cxi_settings },
	{ "err_flgs_irqa", cxi_error_flags },
	{ "traffic_classes", cxi_traffic_classes }, { "telemetry", cxi_telemetry },
	{}
};

/* The kernel calls with the attribute, so it leads to entry and NIC. */
struct leaf {
	struct attribute attribute;
	const struct cxi_entry *entry;
	struct emu_nic *nic;
	struct leaf *next;
};

struct directory {
	struct kobject kobj;
	struct directory *next;
	char path[];
};

struct cxi_tree {
	struct kobject *root;
	/* Newest first: a directory comes before the one it is in. */
	struct directory *directories;
	struct leaf *leaves;
};

/* Attributes that fail in mid-read: they are listed, and not there any more. */
static bool vanishes(const struct leaf *leaf)
{
	const char *name = leaf->attribute.name;

	return emu_has(leaf->nic, EMU_V_VANISHING) &&
	       (!strcmp(name, "link") || !strcmp(name, "pct_eq") ||
		!strcmp(name, "driver_rev"));
}

static ssize_t leaf_show(struct kobject *kobj, struct attribute *attribute, char *to)
{
	struct leaf *leaf = container_of(attribute, struct leaf, attribute);
	int rc = emu_nic_fail(leaf->nic, EMU_ATTRIBUTE);

	if (rc)
		return rc;
	if (vanishes(leaf))
		return -ENODEV;
	if (leaf->entry->show)
		return leaf->entry->show(leaf->nic, to);
	return leaf->entry->text ? sysfs_emit(to, "%s", leaf->entry->text) : -EIO;
}

static ssize_t leaf_store(struct kobject *kobj, struct attribute *attribute,
			  const char *from, size_t count)
{
	struct leaf *leaf = container_of(attribute, struct leaf, attribute);

	return leaf->entry->store ? leaf->entry->store(leaf->nic, from, count) : -EIO;
}

static const struct sysfs_ops leaf_operations = {
	.show = leaf_show,
	.store = leaf_store,
};

static void directory_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct directory, kobj));
}

static struct kobj_type directory_type = {
	.release = directory_release,
	.sysfs_ops = &leaf_operations,
};

static struct kobject *find(struct cxi_tree *tree, const char *path, size_t length)
{
	struct directory *directory;

	for (directory = tree->directories; directory; directory = directory->next)
		if (strlen(directory->path) == length && !memcmp(directory->path, path, length))
			return &directory->kobj;
	return NULL;
}

/* The directory of a path's first length bytes; made where it is missing. */
static struct kobject *make_directory(struct cxi_tree *tree, struct kobject *parent,
				      const char *path, size_t length)
{
	struct kobject *kobj = find(tree, path, length);
	struct directory *directory;
	const char *name;

	if (kobj)
		return kobj;
	directory = kzalloc(sizeof(*directory) + length + 1, GFP_KERNEL);
	if (!directory)
		return NULL;
	memcpy(directory->path, path, length);
	name = strrchr(directory->path, '/');
	name = name ? name + 1 : directory->path;
	if (kobject_init_and_add(&directory->kobj, &directory_type, parent, "%s", name)) {
		kobject_put(&directory->kobj);
		return NULL;
	}
	directory->next = tree->directories;
	tree->directories = directory;
	return &directory->kobj;
}

static struct kobject *make_directories(struct cxi_tree *tree, const char *path)
{
	struct kobject *kobj = tree->root;
	const char *slash = path;

	while (kobj && (slash = strchr(slash, '/'))) {
		kobj = make_directory(tree, kobj, path, slash - path);
		slash++;
	}
	return kobj;
}

static int make_leaf(struct cxi_tree *tree, const char *path,
		     const struct cxi_entry *entry, struct emu_nic *nic)
{
	struct kobject *kobj = make_directories(tree, path);
	struct leaf *leaf = kzalloc(sizeof(*leaf), GFP_KERNEL);
	int rc = -ENOMEM;

	if (!kobj || !leaf)
		goto free;
	sysfs_attr_init(&leaf->attribute);
	leaf->attribute.name = kbasename(entry->path);
	leaf->attribute.mode = entry->mode;
	leaf->entry = entry;
	leaf->nic = nic;
	rc = sysfs_create_file(kobj, &leaf->attribute);
	if (rc)
		goto free;
	leaf->next = tree->leaves;
	tree->leaves = leaf;
	return 0;
free:
	kfree(leaf);
	return rc;
}

static int make_table(struct cxi_dev *cdev, const struct cxi_table *table)
{
	const struct cxi_entry *entry;
	char path[96];
	int rc = 0;

	if (emu_is_vf(cdev->nic) && !table->on_vf)
		return 0;
	for (entry = table->entries; entry->path && !rc; entry++) {
		if (cdev->nic->spec.variants & entry->missing)
			continue;
		snprintf(path, sizeof(path), "%s/%s", table->directory, entry->path);
		rc = make_leaf(cdev->tree, path, entry, cdev->nic);
	}
	return rc;
}

int cxi_tree_add(struct cxi_dev *cdev)
{
	const struct cxi_table *table;
	int rc = 0;

	cdev->tree = kzalloc(sizeof(*cdev->tree), GFP_KERNEL);
	if (!cdev->tree)
		return -ENOMEM;
	cdev->tree->root = &cdev->pdev->dev.kobj;
	table = emu_is_c2(cdev->nic) ? c2_tables : c1_tables;
	for (; table->directory && !rc; table++)
		rc = make_table(cdev, table);
	if (rc)
		cxi_tree_remove(cdev);
	return rc;
}

/* Waits for readers, so the leaves can go once the directories are gone. */
void cxi_tree_remove(struct cxi_dev *cdev)
{
	struct cxi_tree *tree = cdev->tree;
	struct directory *directory;
	struct leaf *leaf;

	if (!tree)
		return;
	while ((directory = tree->directories)) {
		tree->directories = directory->next;
		kobject_del(&directory->kobj);
		kobject_put(&directory->kobj);
	}
	while ((leaf = tree->leaves)) {
		tree->leaves = leaf->next;
		kfree(leaf);
	}
	kfree(tree);
	cdev->tree = NULL;
}
