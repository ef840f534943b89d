// SPDX-License-Identifier: GPL-2.0
/* cxi-user: class cxi_user and the device nodes /dev/cxiN. */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "user.h"

#define MINORS 256

static char *devnode(struct device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0666;
	return NULL;
}

static struct class user_class = {
	.name = "cxi_user",
	.owner = THIS_MODULE,
	.devnode = devnode,
};

static dev_t first_number;
static LIST_HEAD(users);
/* Finds devices by minor, and guards the list. */
static DEFINE_IDR(minors);
static DEFINE_MUTEX(minors_lock);

static void release_user(struct kref *ref)
{
	struct user_dev *user = container_of(ref, struct user_dev, ref);

	idr_destroy(&user->clients);
	kfree(user);
}

static void put_user_dev(struct user_dev *user)
{
	kref_put(&user->ref, release_user);
}

/* Caller holds the lock for writing. */
static void drop_client_dirs(struct user_client *client)
{
	kobject_del(client->wait_kobj);
	kobject_put(client->wait_kobj);
	kobject_del(client->kobj);
	kobject_put(client->kobj);
	client->wait_kobj = NULL;
	client->kobj = NULL;
}

static int make_client_dirs(struct user_client *client)
{
	char name[12];

	snprintf(name, sizeof(name), "%d", client->id);
	client->kobj = kobject_create_and_add(name, client->user->clients_kobj);
	if (client->kobj)
		client->wait_kobj = kobject_create_and_add("wait", client->kobj);
	if (client->wait_kobj)
		return 0;
	drop_client_dirs(client);
	return -ENOMEM;
}

static int add_client(struct user_client *client)
{
	struct user_dev *user = client->user;
	int rc;

	if (!user->dev)
		return -EIO;
	rc = emu_nic_fail(user->dev->nic, EMU_OPEN);
	if (rc)
		return rc;
	rc = idr_alloc(&user->clients, client, 1, 0, GFP_KERNEL);
	if (rc < 0)
		return rc;
	client->id = rc;
	rc = make_client_dirs(client);
	if (rc)
		idr_remove(&user->clients, client->id);
	return rc;
}

static struct user_dev *get_user_dev(unsigned int minor)
{
	struct user_dev *user;

	mutex_lock(&minors_lock);
	user = idr_find(&minors, minor);
	if (user)
		kref_get(&user->ref);
	mutex_unlock(&minors_lock);
	return user;
}

static int user_open(struct inode *inode, struct file *file)
{
	struct user_client *client;
	struct user_dev *user = get_user_dev(iminor(inode));
	int rc = -ENOMEM;

	if (!user)
		return -EIO;
	client = kzalloc(sizeof(*client), GFP_KERNEL);
	if (!client)
		goto put;
	user_objects_init(client);
	client->user = user;
	down_write(&user->lock);
	rc = add_client(client);
	up_write(&user->lock);
	if (rc)
		goto put;
	file->private_data = client;
	return 0;
put:
	kfree(client);
	put_user_dev(user);
	return rc;
}

static ssize_t user_write(struct file *file, const char __user *from, size_t count,
			  loff_t *position)
{
	struct user_client *client = file->private_data;
	int rc;

	down_read(&client->user->lock);
	rc = user_command(client, from, count);
	up_read(&client->user->lock);
	return rc ?: count;
}

static int user_release(struct inode *inode, struct file *file)
{
	struct user_client *client = file->private_data;
	struct user_dev *user = client->user;

	down_write(&user->lock);
	if (user->dev) {
		user_objects_free(client);
		drop_client_dirs(client);
	}
	idr_remove(&user->clients, client->id);
	up_write(&user->lock);
	kfree(client);
	put_user_dev(user);
	return 0;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = user_open,
	.write = user_write,
	.release = user_release,
	.llseek = noop_llseek,
};

static struct user_dev *new_user(struct cxi_dev *dev)
{
	struct user_dev *user = kzalloc(sizeof(*user), GFP_KERNEL);

	if (!user)
		return NULL;
	kref_init(&user->ref);
	init_rwsem(&user->lock);
	idr_init(&user->clients);
	user->dev = dev;
	user->is_physfn = dev->is_physfn;
	mutex_lock(&minors_lock);
	user->minor = idr_alloc(&minors, user, 0, MINORS, GFP_KERNEL);
	if (user->minor >= 0)
		list_add_tail(&user->node, &users);
	mutex_unlock(&minors_lock);
	if (user->minor >= 0)
		return user;
	kfree(user);
	return NULL;
}

/* The last reference may be an open file's. */
static void forget_user(struct user_dev *user)
{
	mutex_lock(&minors_lock);
	idr_remove(&minors, user->minor);
	list_del(&user->node);
	mutex_unlock(&minors_lock);
	put_user_dev(user);
}

/* cdev_alloc(): the kernel frees the cdev after the last file is closed. */
static int add_cdev(struct user_dev *user, dev_t number)
{
	int rc;

	user->cdev = cdev_alloc();
	if (!user->cdev)
		return -ENOMEM;
	user->cdev->owner = THIS_MODULE;
	user->cdev->ops = &operations;
	rc = cdev_add(user->cdev, number, 1);
	if (rc)
		kobject_put(&user->cdev->kobj);
	return rc;
}

static int add_device(struct cxi_dev *dev)
{
	struct user_dev *user = new_user(dev);
	dev_t number;
	int rc;

	if (!user)
		return -ENOMEM;
	number = MKDEV(MAJOR(first_number), MINOR(first_number) + user->minor);
	rc = add_cdev(user, number);
	if (rc)
		goto forget;
	/* An early open waits until there is a directory for it. */
	down_write(&user->lock);
	user->class_dev = device_create(&user_class, &dev->pdev->dev, number, user,
					"cxi%u", dev->number);
	rc = PTR_ERR_OR_ZERO(user->class_dev);
	if (rc)
		goto no_device;
	user->clients_kobj = kobject_create_and_add("clients", &user->class_dev->kobj);
	if (!user->clients_kobj) {
		rc = -ENOMEM;
		device_destroy(&user_class, number);
		goto no_device;
	}
	up_write(&user->lock);
	return 0;

no_device:
	user->dev = NULL;
	up_write(&user->lock);
	cdev_del(user->cdev);
forget:
	forget_user(user);
	return rc;
}

static struct user_dev *user_of(struct cxi_dev *dev)
{
	struct user_dev *user, *found = NULL;

	mutex_lock(&minors_lock);
	list_for_each_entry(user, &users, node)
		if (user->dev == dev)
			found = user;
	mutex_unlock(&minors_lock);
	return found;
}

/* Files that are open stay open; each command on them fails from here on. */
static void remove_device(struct cxi_dev *dev)
{
	struct user_dev *user = user_of(dev);
	struct user_client *client;
	int id;

	if (!user)
		return;
	down_write(&user->lock);
	idr_for_each_entry(&user->clients, client, id) {
		user_objects_free(client);
		drop_client_dirs(client);
	}
	user->dev = NULL;
	up_write(&user->lock);
	kobject_del(user->clients_kobj);
	kobject_put(user->clients_kobj);
	device_destroy(&user_class, user->class_dev->devt);
	cdev_del(user->cdev);
	forget_user(user);
}

static struct cxi_client client = {
	.add = add_device,
	.remove = remove_device,
};

static int __init user_init(void)
{
	int rc = class_register(&user_class);

	if (rc)
		return rc;
	rc = alloc_chrdev_region(&first_number, 0, MINORS, "ucxi");
	if (rc) {
		class_unregister(&user_class);
		return rc;
	}
	return cxi_register_client(&client);
}

static void __exit user_exit(void)
{
	cxi_unregister_client(&client);
	unregister_chrdev_region(first_number, MINORS);
	class_unregister(&user_class);
}

module_init(user_init);
module_exit(user_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Emulated device nodes of HPE Slingshot NICs");
