// SPDX-License-Identifier: GPL-2.0
/* Who hears of devices: cxi-user and cxi-eth, in the order of their loading. */
#include <linux/module.h>

#include "ss1.h"

static DEFINE_MUTEX(clients_lock);
static LIST_HEAD(clients);
static LIST_HEAD(devices);

int cxi_register_client(struct cxi_client *client)
{
	struct cxi_dev *cdev;

	mutex_lock(&clients_lock);
	list_add_tail(&client->node, &clients);
	list_for_each_entry(cdev, &devices, node)
		client->add(cdev);
	mutex_unlock(&clients_lock);
	return 0;
}
EXPORT_SYMBOL_GPL(cxi_register_client);

void cxi_unregister_client(struct cxi_client *client)
{
	struct cxi_dev *cdev;

	mutex_lock(&clients_lock);
	list_del(&client->node);
	list_for_each_entry(cdev, &devices, node)
		client->remove(cdev);
	mutex_unlock(&clients_lock);
}
EXPORT_SYMBOL_GPL(cxi_unregister_client);

/* A client that fails leaves the device without what it would have made. */
void cxi_clients_add(struct cxi_dev *cdev)
{
	struct cxi_client *client;

	mutex_lock(&clients_lock);
	list_add_tail(&cdev->node, &devices);
	list_for_each_entry(client, &clients, node)
		client->add(cdev);
	mutex_unlock(&clients_lock);
}

void cxi_clients_remove(struct cxi_dev *cdev)
{
	struct cxi_client *client;

	mutex_lock(&clients_lock);
	list_del(&cdev->node);
	list_for_each_entry_reverse(client, &clients, node)
		client->remove(cdev);
	mutex_unlock(&clients_lock);
}

void cxi_clients_event(struct cxi_dev *cdev, enum cxi_event event)
{
	struct cxi_client *client;

	mutex_lock(&clients_lock);
	list_for_each_entry(client, &clients, node)
		if (client->event)
			client->event(cdev, event);
	mutex_unlock(&clients_lock);
}
